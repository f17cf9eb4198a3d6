"""The same exchange for tests without an event loop: it runs in a thread of its own, and every call waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast, overload

from anyio.from_thread import BlockingPortal, start_blocking_portal

from exchange.client import SyncClient
from exchange.domain.events import Event
from exchange.gateway.access import Role
from exchange.testing.clock import START
from exchange.testing.errors import ExchangeOverError
from exchange.testing.market import ScriptedMarket
from exchange.testing.options import USERS, Market, NewUsers, TimeKind
from exchange.testing.running import AnyEvent, AsyncRunningExchange, Tree, exchange_running
from exchange.testing.script import Act, Side, Yuan


class Thread:
    """The way into the exchange's event loop, until the exchange is over."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self.is_over = False

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function, async or not, in the loop's thread, and wait for what it gives."""
        if self.is_over:
            raise ExchangeOverError
        return self._portal.call(lambda: function(*arguments, **named))


class BlockingMarket:
    """The scripted market as a plain test meets it; see `ScriptedMarket`."""

    def __init__(self, market: ScriptedMarket, thread: Thread) -> None:
        self._market = market
        self._thread = thread

    def quote(self, instrument_id: str, *, bid: Side = None, ask: Side = None, lots: int = 10) -> None:
        """See `Quote`."""
        self._thread.call(self._market.quote, instrument_id, bid=bid, ask=ask, lots=lots)

    def trade(self, instrument_id: str, price: Yuan, lots: int = 1) -> None:
        """See `Trade`."""
        self._thread.call(self._market.trade, instrument_id, price, lots)

    def play(self, script: Iterable[Act]) -> None:
        """See `ScriptedMarket.play`."""
        self._thread.call(self._market.play, script)

    def act(self, act: Act) -> None:
        """See `ScriptedMarket.act`."""
        self._thread.call(self._market.act, act)


class RunningExchange:
    """A running exchange as a plain test meets it: `with run_exchange() as exchange`.

    `AsyncRunningExchange` tells what each method does.
    """

    def __init__(self, running: AsyncRunningExchange, thread: Thread) -> None:
        self._running = running
        self._thread = thread
        self.market = BlockingMarket(running.market, thread)
        """Quotes and trades that the test asks for; quiet until then."""

    @property
    def url(self) -> str:
        """`ws://127.0.0.1:PORT/ws`."""
        return cast(str, self._thread.call(lambda: self._running.url))

    @property
    def diff_url(self) -> str:
        """`ws://127.0.0.1:PORT/ws/diff`."""
        return cast(str, self._thread.call(lambda: self._running.diff_url))

    @property
    def http_url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return cast(str, self._thread.call(lambda: self._running.http_url))

    @property
    def admin_token(self) -> str:
        """The bearer token for the administrator's part of the REST interface."""
        return self._running.admin_token

    @property
    def now(self) -> datetime:
        """The exchange's time, in UTC."""
        return cast(datetime, self._thread.call(lambda: self._running.now))

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._thread.call(self._running.advance, seconds)

    def restart(self) -> None:
        """Stop with close code 1012, and start again from the log at the same address."""
        self._thread.call(self._running.restart)

    def drop_connections(self) -> None:
        """Cut the line of every client, without a word."""
        self._thread.call(self._running.drop_connections)

    def add_user(self, name: str, deposit: Yuan | None = None, *, role: str = Role.TRADER) -> None:
        """A further user, with an open account where the role has one."""
        self._thread.call(self._running.add_user, name, deposit, role=role)

    def deposit(self, name: str, amount: Yuan) -> None:
        """Pay into a user's account."""
        self._thread.call(self._running.deposit, name, amount)

    def password(self, name: str) -> str:
        """What the user logs in with."""
        return cast(str, self._thread.call(self._running.password, name))

    def token(self, name: str) -> str:
        """A token that may be given wherever a password may, and as a bearer token."""
        return cast(str, self._thread.call(self._running.token, name))

    def client(self, name: str, **options: Any) -> SyncClient:
        """A client of this user, not connected yet; `options` are those of `exchange.client.SyncClient`."""
        return SyncClient(self.url.removesuffix("/ws"), name, self.password(name), **options)

    def account_id(self, name: str) -> str:
        """The account of a user, as events name it."""
        return cast(str, self._thread.call(self._running.account_id, name))

    def account(self, name: str) -> Tree:
        """A user's account in the guide's words: `balance`, `available`, `margin`, ..."""
        return cast(Tree, self._thread.call(self._running.account, name))

    def positions(self, name: str) -> dict[str, Tree]:
        """A user's positions by instrument."""
        return cast(dict[str, Tree], self._thread.call(self._running.positions, name))

    def orders(self, name: str) -> dict[str, Tree]:
        """A user's orders of the day by order id."""
        return cast(dict[str, Tree], self._thread.call(self._running.orders, name))

    def trades(self, name: str) -> dict[str, Tree]:
        """A user's trades of the day by trade id."""
        return cast(dict[str, Tree], self._thread.call(self._running.trades, name))

    @overload
    def events(self) -> list[Event]: ...

    @overload
    def events(self, kind: type[AnyEvent]) -> list[AnyEvent]: ...

    def events(self, kind: type[Any] = object) -> list[Any]:
        """Every event of the log in order, or those of one class of `exchange.domain.events`."""
        return cast(list[Any], self._thread.call(self._running.events, kind))

    def log_bytes(self) -> bytes:
        """Every command and its events as the log has them, a line each."""
        return cast(bytes, self._thread.call(self._running.log_bytes))


@contextmanager
def run_exchange(
    users: NewUsers = USERS,
    *,
    market: Market = None,
    time: TimeKind = "virtual",
    start: datetime = START,
    **settings: Any,
) -> Iterator[RunningExchange]:
    """A running exchange with these users, in a thread of its own, until the block ends.

    `users` are names, each with `DEPOSIT` yuan, or names with their deposits. `market` is a market file or the
    contracts to list; without it the packaged market is listed. In virtual time, from `start` on, everything that the
    exchange writes down or waits for goes by a clock that only `advance` and the scripted market move; in real time by
    the machine's. `settings` are those of the server, such as `mark_interval=0.1` or `auto_open=1000`; the
    environment is not read.

    Raises SettingsError, MarketFileError, and what `add_user` does. When the block ends everything is stopped, and what
    broke the exchange meanwhile, if anything did, is raised.
    """
    with start_blocking_portal(name="chronex") as portal:
        thread = Thread(portal)
        opening = exchange_running(users, market=market, time=time, start=start, **settings)
        with portal.wrap_async_context_manager(opening) as running:
            try:
                yield RunningExchange(running, thread)
            finally:
                thread.is_over = True

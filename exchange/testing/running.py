"""An exchange that runs for a test: in the caller's event loop, in memory, on a free port of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, overload

from eventstore.model import RecordedEntry
from exchange.client import Client
from exchange.domain.events import Event
from exchange.domain.values import money_from_decimal
from exchange.gateway.access import Role, has_account
from exchange.gateway.dialects.guide import GuideDialect
from exchange.server.app import Exchange
from exchange.server.identity.users import User
from exchange.server.recovery import decode_events
from exchange.server.settings import Settings
from exchange.testing.clock import START, VirtualClock, check_seconds
from exchange.testing.errors import ExchangeOverError, NoAccountError, NoSuchUserError, RealTimeError
from exchange.testing.home import MemoryHome
from exchange.testing.market import ScriptedMarket
from exchange.testing.options import (
    DEPOSIT,
    USERS,
    Market,
    NewUsers,
    TimeKind,
    account_id_of,
    deposits_of,
    listed,
    password_of,
    settings_of,
)
from exchange.testing.script import Yuan, decimal_of
from projections.user_view import BEFORE_ALL

AnyEvent = TypeVar("AnyEvent")
Tree = dict[str, Any]

ACT_S: Final = 0.5
"""What an act of the scripted market takes in virtual time: as long as one picture of the real market stands, and as
long as a step for nothing but moved prices has to wait."""


class AsyncRunningExchange:
    """A running exchange as a test in the same event loop meets it: `async with exchange_running() as exchange`."""

    def __init__(self, settings: Settings, home: MemoryHome, virtual: VirtualClock | None) -> None:
        """`virtual` is None for real time. Serves nothing before `start`."""
        self._settings = settings
        self._home = home
        self._virtual = virtual
        self._exchange: Exchange | None = None
        self._users: dict[str, User] = {}
        self._dialect = GuideDialect(settings.language)
        self.market = ScriptedMarket(lambda: self.server, self._pause, ACT_S if virtual else 0.0)
        """Quotes and trades that the test asks for; quiet until then."""

    async def start(self) -> None:
        """Serve what the home has."""
        exchange = Exchange(self._settings, home=self._home, clock=self._virtual)
        await exchange.start()
        self._exchange = exchange
        # Clients that come back after a restart find it where it was.
        self._settings = self._settings.model_copy(update={"port": exchange.port.port})

    async def stop(self) -> None:
        """Disconnect everybody and stop. Raises what broke the exchange, if anything did: a test must not pass then."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.stop()
            if exchange.failed.done():
                raise exchange.failed.result()

    async def restart(self) -> None:
        """Stop, with close code 1012 for every client, and start again from the log, at the same address.

        Users, passwords and tokens stay. What was durable stays; there is nothing else.
        """
        if self._exchange is None:
            raise ExchangeOverError
        await self.stop()
        await self.start()

    def drop_connections(self) -> None:
        """Cut the line of every client, without a word, as a broken network does."""
        for connection in tuple(self.server.gate.connections):
            connection.cut()

    # Where it is.

    @property
    def server(self) -> Exchange:
        """The server itself, for what nothing here offers; another one after a restart. Raises ExchangeOverError, as
        does everything that needs it."""
        if self._exchange is None:
            raise ExchangeOverError
        return self._exchange

    @property
    def http_url(self) -> str:
        """`http://127.0.0.1:PORT`, the root of the REST interface."""
        return self.server.server.url

    @property
    def url(self) -> str:
        """`ws://127.0.0.1:PORT/ws`, where DIFF clients connect."""
        return f"{self._address}/ws"

    @property
    def diff_url(self) -> str:
        """`ws://127.0.0.1:PORT/ws/diff`, for clients of the flat dialect."""
        return f"{self.url}/diff"

    @property
    def admin_token(self) -> str:
        """The bearer token for the administrator's part of the REST interface."""
        return self._home.read_admin_token()

    @property
    def now(self) -> datetime:
        """The exchange's time, in UTC."""
        return datetime.fromtimestamp(self.server.clock.time_ns() / 1e9, UTC)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; whatever is due meanwhile happens, in order. Raises RealTimeError, ValueError.

        What clients answer to it comes after all of that time has passed: to give them a turn in between, advance in
        smaller pieces.
        """
        if self._exchange is None:
            raise ExchangeOverError
        if self._virtual is None:
            raise RealTimeError
        self._virtual.advance(seconds)

    # Users and their money.

    async def add_user(self, name: str, deposit: Yuan | None = None, *, role: str = Role.TRADER) -> None:
        """A further user. One whose role has an account gets it open, with this deposit or `DEPOSIT`."""
        exchange = self.server
        if deposit is None:
            deposit = DEPOSIT if has_account(Role(role)) else 0
        money = money_from_decimal(decimal_of(deposit))
        # First the user alone: their account id would otherwise be a random one, and make two logs differ.
        user = await exchange.users.add(name, password_of(name), account_id=account_id_of(name), role=Role(role))
        if has_account(user.role):
            await exchange.operator.add_user(name, password_of(name), money, user.role)
        self._users[name] = user

    async def deposit(self, name: str, amount: Yuan) -> None:
        """Pay into a user's account."""
        await self.server.operator.deposit(self._user(name).name, money_from_decimal(decimal_of(amount)))

    def password(self, name: str) -> str:
        """What the user logs in with."""
        return password_of(self._user(name).name)

    async def token(self, name: str) -> str:
        """A token that may be given wherever a password may, and as a bearer token; it lives as the settings say."""
        users = self.server.users
        # Read anew: their password or role may have been changed since they were made.
        user = await users.find(self._user(name).name)
        assert user is not None, f"{name} was made by this exchange, and users are never removed"
        return (await users.issue_token(user)).text

    def client(self, name: str, **options: Any) -> Client:
        """A client of this user, not connected yet; `options` are those of `exchange.client.Client`."""
        return Client(self._address, name, self.password(name), **options)

    def account_id(self, name: str) -> str:
        """The account of a user, as events name it."""
        return self._user(name).account_id

    # What is so, as far as the log has it.

    def account(self, name: str) -> Tree:
        """A user's account in the guide's words: `balance`, `available`, `margin`, ..."""
        account: Tree = self._view(name)["accounts"]["CNY"]
        return account

    def positions(self, name: str) -> dict[str, Tree]:
        """A user's positions by instrument."""
        return self._part(name, "positions")

    def orders(self, name: str) -> dict[str, Tree]:
        """A user's orders of the day by order id."""
        return self._part(name, "orders")

    def trades(self, name: str) -> dict[str, Tree]:
        """A user's trades of the day by trade id."""
        return self._part(name, "trades")

    @overload
    def events(self) -> list[Event]: ...

    @overload
    def events(self, kind: type[AnyEvent]) -> list[AnyEvent]: ...

    def events(self, kind: type[Any] = object) -> list[Any]:
        """Every event of the log in order, or those of one class of `exchange.domain.events`."""
        return [event for entry in self._entries() for event in decode_events(entry) if isinstance(event, kind)]

    def log_bytes(self) -> bytes:
        """Every command and its events as the log has them, a line each: two runs that did the same have the same."""
        lines: list[bytes] = []
        for entry in self._entries():
            lines.append(b"%d %s %s" % (entry.at_ns, entry.type.encode(), entry.body))
            lines += (b"  %d %s %s" % (event.log_seq, event.type.encode(), event.payload) for event in entry.events)
        return b"\n".join(lines)

    def _entries(self) -> list[RecordedEntry]:
        """What the log has, up to where the views stand."""
        reached = self.server.sequencer.durable_log_seq
        return [entry for entry in tuple(self._home.disk.entries) if entry.last_log_seq <= reached]

    # Within.

    @property
    def _address(self) -> str:
        return self.http_url.replace("http", "ws", 1)

    def _user(self, name: str) -> User:
        if name not in self._users:
            raise NoSuchUserError(name, self._users)
        return self._users[name]

    def _view(self, name: str) -> Tree:
        user = self._user(name)
        if not has_account(user.role):
            raise NoAccountError(name, user.role)
        view = self.server.publisher.projections.user(user.account_id)
        (patch,) = self._dialect.word(view.changes(BEFORE_ALL), name)
        tree: Tree = patch["trade"][name]
        return tree

    def _part(self, name: str, part: str) -> dict[str, Tree]:
        rows: dict[str, Tree] = self._view(name)[part]
        return rows

    async def _pause(self, seconds: float) -> None:
        if self._virtual is None:
            await asyncio.sleep(check_seconds(seconds))
        else:
            self._virtual.advance(seconds)


@asynccontextmanager
async def exchange_running(
    users: NewUsers = USERS,
    *,
    market: Market = None,
    time: TimeKind = "virtual",
    start: datetime = START,
    **settings: Any,
) -> AsyncIterator[AsyncRunningExchange]:
    """A running exchange with these users, in the caller's event loop; see `run_exchange` for the rest."""
    if time not in ("virtual", "real"):
        raise ValueError(f"time={time!r} is none that an exchange can keep: give 'virtual' or 'real'")
    virtual = VirtualClock(start) if time == "virtual" else None
    deposits, given = deposits_of(users), settings_of(settings)
    home = MemoryHome(listed(market), given)
    try:
        running = AsyncRunningExchange(given, home, virtual)
        await running.start()
        try:
            for name, deposit in deposits.items():
                await running.add_user(name, deposit)
            yield running
        finally:
            await running.stop()
    finally:
        home.close()

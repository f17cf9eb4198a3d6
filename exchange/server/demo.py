"""What the demo adds to an exchange: users to play with, and recorded quotes to trade against."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exchange.domain.events import Event
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import YUAN, AccountId, InstrumentId, Money
from exchange.feeds.floor import HouseCommand, NotTakenError
from exchange.feeds.player import Pace, check_fits, play_tapes
from exchange.feeds.snapshot import TapeError
from exchange.feeds.tape import Tape, read_tape, tape_names
from exchange.gateway.surroundings import User
from exchange.server.app import Exchange
from exchange.server.desk import NotTakenError as DeskNotTakenError
from exchange.server.port.site import is_loopback
from exchange.server.sequencer import DurableEntry
from projections.quote import Quote
from projections.user_view import UserView

log = logging.getLogger("exchange.demo")

DEMO_USERS: Final = ("alice", "bob", "carol")
DEMO_DEPOSIT: Final = Money(1_000_000 * YUAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUser:
    """A user of the demo."""

    name: str
    password: str | None
    """Only when the user was made just now: passwords are stored hashed and cannot be shown again."""


class Demo:
    """The demo of one exchange: `start` after the exchange's own, `stop` before it."""

    def __init__(self, exchange: Exchange, *, speed: float = 1.0) -> None:
        self._exchange = exchange
        self._floor = HouseFloor(exchange)
        self._pace = Pace(speed=speed)
        self._playing: asyncio.Task[None] | None = None

    async def start(self) -> list[DemoUser]:
        """Make the users that are not there yet, and begin to play every packaged tape whose contract is listed."""
        users = [await self._user(name) for name in DEMO_USERS]
        await self._let_in_by_name()
        self._playing = asyncio.create_task(self._play(self.tapes()), name="demo tapes")
        return users

    async def stop(self) -> None:
        """Stop playing; what the house has in the market stays there."""
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)

    def tapes(self) -> list[Tape]:
        """The packaged tapes that the contracts of this exchange can play; a market file of one's own may have
        others."""
        fitting = []
        for tape in map(read_tape, tape_names()):
            try:
                check_fits(tape, self._floor.terms(tape.instrument_id))
            except TapeError as misfit:
                log.warning("left out: %s", misfit)
            else:
                fitting.append(tape)
        return fitting

    async def _user(self, name: str) -> DemoUser:
        exchange = self._exchange
        known = await exchange.users.find(name)
        if known is not None and known.account_id in exchange.sequencer.state.accounts:
            return DemoUser(name=name, password=None)
        password = secrets.token_urlsafe(9)
        if known is not None:
            # A crash came between the user and the account, and before anybody was told the password.
            await exchange.operator.set_password(name, password)
        await exchange.operator.add_user(name, password, DEMO_DEPOSIT)
        return DemoUser(name=name, password=password)

    async def _let_in_by_name(self) -> None:
        """Let clients that name a user in the address and prove nothing, as the quick start's do, be the demo's users;
        only where nobody but programs of this machine reach the server, and no proxy stands before it."""
        settings = self._exchange.settings
        if not is_loopback(settings.host) or settings.hosts:
            return
        for name in DEMO_USERS:
            known = await self._exchange.users.find(name)
            assert known is not None, f"the demo's user {name} was made before"
            self._exchange.tickets.admit_by_name(User(known.name, known.account_id, known.role))

    async def _play(self, tapes: Sequence[Tape]) -> None:
        try:
            await play_tapes(tapes, self._floor, pace=self._pace)
        except Exception:
            # Users trade on without the recorded market; that it stopped must not go unseen. An exchange that failed
            # has said so itself.
            if not self._exchange.failed.done():
                log.exception("the tapes stopped playing")


class HouseFloor:
    """The exchange as feeds in its process meet it: through the same door as every other client."""

    def __init__(self, exchange: Exchange, *, origin: str = "feed/tape") -> None:
        self._exchange = exchange
        self._origin = origin

    def carry_out(self, command: HouseCommand) -> Awaitable[tuple[Event, ...]]:
        """Have a command decided before this returns. Raises NotTakenError, from the call itself."""
        try:
            begun = self._exchange.desk.begin(command, actor=command.account_id, origin=self._origin)
        except DeskNotTakenError as error:
            raise NotTakenError(str(error)) from error
        return _Answer(begun)

    def view(self, account_id: AccountId) -> UserView:
        """The durable view of a house account."""
        return self._exchange.publisher.projections.user(account_id)

    def terms(self, instrument_id: InstrumentId) -> InstrumentTerms | None:
        """The terms of a listed contract."""
        listing = self._exchange.sequencer.state.instruments.get(instrument_id)
        return None if listing is None else listing.terms

    def quote(self, instrument_id: InstrumentId) -> Quote | None:
        """The durable quote of a listed contract."""
        return self._exchange.publisher.projections.market.quotes.get(instrument_id)


class _Answer:
    """An entry's events, once it is durable. No coroutine: a feed that is stopped leaves some unawaited."""

    __slots__ = ("_begun",)

    def __init__(self, begun: asyncio.Future[DurableEntry]) -> None:
        self._begun = begun

    def __await__(self) -> Generator[Any, None, tuple[Event, ...]]:
        entry = yield from self._begun.__await__()
        return entry.events

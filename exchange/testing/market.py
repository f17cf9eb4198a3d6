"""A market that does what the test says: a market maker's quotes and trades, by ordinary commands of house accounts.

The same script on the same exchange gives the same commands, so a test in virtual time has the same log every time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, assert_never

from exchange.domain.events import CommandRefused, Event, OrderRefused
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, InstrumentId, Lots, Money, Price
from exchange.domain.words import BUY, SELL, Direction
from exchange.feeds.floor import HouseCommand
from exchange.feeds.house import House, funding, house_in, leftovers, plan
from exchange.feeds.snapshot import Level, Snapshot
from exchange.server.app import Exchange
from exchange.testing.errors import ScriptError
from exchange.testing.script import Act, Pause, Quote, Side, Trade, Yuan, check_book, ladder, tick_price, whole_lots
from projections.user_view import UserView

ORIGIN: Final = "market script"


class ScriptedMarket:
    """The market of one exchange; quiet until it is told to do something."""

    def __init__(
        self, exchange: Callable[[], Exchange], pause: Callable[[float], Awaitable[None]], act_s: float
    ) -> None:
        """`exchange` gives the one that runs now, another one after a restart; `pause` lets so many seconds pass, and
        every act but a `Pause` takes `act_s` of them."""
        self._exchange = exchange
        self._pause = pause
        self._act_s = act_s

    async def quote(self, instrument_id: str, *, bid: Side = None, ask: Side = None, lots: int = 10) -> None:
        """See `Quote`. Raises ScriptError; returns when it is durable."""
        await self.act(Quote(instrument_id, bid, ask, lots))

    async def trade(self, instrument_id: str, price: Yuan, lots: int = 1) -> None:
        """See `Trade`. Raises ScriptError; returns when it is durable."""
        await self.act(Trade(instrument_id, price, lots))

    async def play(self, script: Iterable[Act]) -> None:
        """Do one after the other. Raises ScriptError at the first act that cannot be done; those before it stand."""
        for act in script:
            await self.act(act)

    async def act(self, act: Act) -> None:
        """Do one act. Raises ScriptError; returns when it is durable and its time has passed."""
        match act:
            case Quote():
                terms = self._terms(act.instrument_id)
                bids, asks = (ladder(side, act.lots, terms) for side in (act.bid, act.ask))
                check_book(act.instrument_id, bids, asks)
                await self._show(terms, _snapshot(Price(0), bids, asks), Lots(0))
            case Trade():
                terms = self._terms(act.instrument_id)
                price, lots = tick_price(act.price, terms), whole_lots(act.lots)
                bids, asks = _quoted(self._house(terms))
                await self._show(terms, _snapshot(price, bids, asks), lots)
            case Pause():
                await self._pause(act.seconds)
                return
            case _:
                assert_never(act)
        await self._pause(self._act_s)

    async def _show(self, terms: InstrumentTerms, snapshot: Snapshot, lots: Lots) -> None:
        await self._carry_out(funding(self._view))
        await self._carry_out(plan(terms, snapshot, lots, self._house(terms)))
        await self._carry_out(leftovers(self._house(terms)))

    async def _carry_out(self, commands: list[HouseCommand]) -> None:
        # All are given before the first is waited for, so that nobody's order comes between them.
        desk = self._exchange().desk
        given = [desk.begin(command, actor=command.account_id, origin=ORIGIN) for command in commands]
        for durable in given:
            for event in (await durable).events:
                _check(event)

    def _house(self, terms: InstrumentTerms) -> House:
        return house_in(terms.instrument_id, self._view)

    def _view(self, account_id: AccountId) -> UserView:
        return self._exchange().publisher.projections.user(account_id)

    def _terms(self, instrument_id: str) -> InstrumentTerms:
        listed = self._exchange().sequencer.state.instruments
        found = listed.get(InstrumentId(instrument_id))
        if found is None:
            raise ScriptError(f"{instrument_id!r} is not listed on this exchange; listed are: {', '.join(listed)}")
        return found.terms


def _check(event: Event) -> None:
    if not isinstance(event, OrderRefused | CommandRefused):
        return
    # A user's order met it between the plan and its cancel, as happens to every market maker.
    if event.reason is not RejectReason.UNKNOWN_ORDER:
        raise ScriptError(f"the exchange refused what the script demands: {event.reason.value} {event.facts}")


def _snapshot(last: Price, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> Snapshot:
    """The moment to be shown; the figures that only a recording has mean nothing to the plan."""
    return Snapshot(at_ns=0, last=last, volume=Lots(0), amount=Money(0), open_interest=Lots(0), bids=bids, asks=asks)


def _quoted(house: House) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """What the market maker has in the book, (bids, asks), best first."""
    orders = [(order.accepted.direction, order.price, order.lots_left) for order in house.quoter.orders]

    def side(direction: Direction) -> tuple[Level, ...]:
        lots_at: dict[Price, int] = {}
        for order_direction, price, lots in orders:
            if order_direction is direction:
                lots_at[price] = lots_at.get(price, 0) + lots
        return tuple((price, Lots(lots_at[price])) for price in sorted(lots_at, reverse=direction is BUY))

    return side(BUY), side(SELL)

"""The exchange as a feed meets it, without a server: the real core and views, and a disk that tests can hold up."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from exchange.decider import ExchangeState, evolve, execute
from exchange.domain.commands import Command, RegisterInstrument
from exchange.domain.events import Event
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.position import position_profit
from exchange.domain.values import AccountId, InstrumentId, Lots, Price
from exchange.feeds.floor import HouseCommand, NotTakenError
from exchange.feeds.snapshot import Level
from projections.fold import Projections
from projections.levels import DEPTH_MAX
from projections.quote import ASK_PRICES, BID_PRICES, LAST, VOLUME, Quote
from projections.user_view import UserView

STEP_NS = 1_000_000


@dataclass(frozen=True)
class Shown:
    """What a quote shows of a market."""

    last: int | None
    volume: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class TradingFloor:
    """Decides commands and folds them into the views: at once, or not before `commit` while `held_up`."""

    def __init__(self, *listed: InstrumentTerms) -> None:
        self.state = ExchangeState()
        self.projections = Projections()
        self.log: list[tuple[Event, ...]] = []
        self.commands: list[Command] = []
        self.held_up = False
        self.room: int | None = None
        """How many more of the house's commands are taken before the exchange is busy; None for any number."""
        self._folded = 0
        self._answers: dict[int, asyncio.Future[tuple[Event, ...]]] = {}
        for terms in listed:
            self.do(RegisterInstrument(terms=terms))

    # What a feed asks for.

    def carry_out(self, command: HouseCommand) -> asyncio.Future[tuple[Event, ...]]:
        if self.room is not None:
            if not self.room:
                raise NotTakenError("busy")
            self.room -= 1
        answer = self._answers[len(self.log)] = asyncio.get_running_loop().create_future()
        self.do(command)
        return answer

    def view(self, account_id: AccountId) -> UserView:
        return self.projections.user(account_id)

    def terms(self, instrument_id: InstrumentId) -> InstrumentTerms | None:
        quote = self.projections.market.quotes.get(instrument_id)
        return quote.terms if quote else None

    def quote(self, instrument_id: InstrumentId) -> Quote | None:
        return self.projections.market.quotes.get(instrument_id)

    # What a test does and asks.

    def do(self, command: Command) -> tuple[Event, ...]:
        """Decide anybody's command."""
        events = execute(self.state, command, STEP_NS * len(self.log))
        self.commands.append(command)
        self.log.append(events)
        if not self.held_up:
            self.commit()
        return events

    def commit(self) -> None:
        """Make all that was decided durable: into the views, then the answers."""
        for number in range(self._folded, len(self.log)):
            self.projections.apply(self.projections.version + 1, self.log[number])
        self._folded = len(self.log)
        answers, self._answers = self._answers, {}
        for number, answer in answers.items():
            if not answer.cancelled():
                answer.set_result(self.log[number])

    def recovered(self) -> TradingFloor:
        """The exchange as a restart finds it in the log."""
        floor = TradingFloor()
        for events in self.log:
            for event in events:
                evolve(floor.state, event)
            floor.log.append(events)
        floor.commit()
        return floor

    def shown(self, instrument_id: InstrumentId) -> Shown:
        """The quote that clients see."""
        quote = self.projections.market.quotes[instrument_id]
        return Shown(
            quote.values[LAST], quote.values[VOLUME] or 0, _levels(quote, BID_PRICES), _levels(quote, ASK_PRICES)
        )


def _levels(quote: Quote, first: int) -> tuple[Level, ...]:
    prices = quote.values[first : first + DEPTH_MAX]
    lots = quote.values[first + DEPTH_MAX : first + 2 * DEPTH_MAX]
    return tuple(
        (Price(price), Lots(resting)) for price, resting in zip(prices, lots, strict=True) if price and resting
    )


def assert_conserved(state: ExchangeState, deposits: int) -> None:
    """Money and lots are conserved: balances and fees are what was paid in, longs are as many as shorts."""
    total = 0
    net: defaultdict[str, int] = defaultdict(int)
    for account in state.accounts.values():
        total += account.cash.static_balance + account.cash.close_profit
        for instrument_id, held in account.positions.items():
            total += position_profit(held.position, held.mark.price, held.mark.multiplier)
            net[instrument_id] += held.position.long.lots - held.position.short.lots
            for side, holdings in (
                (held.position.long, held.long_holdings),
                (held.position.short, held.short_holdings),
            ):
                assert side.lots == sum(each.lots for bucket in (holdings.history, holdings.today) for each in bucket)
    assert total == deposits
    assert not any(net.values())

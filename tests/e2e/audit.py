"""Looks at a log from outside, when all is over: is it sound, does the money add up, was any order done twice?

Counts in whole 1e-6 yuan, straight from the events, by rules of its own: an account is worth what was paid in, less its
fees, plus what it sold, less what it bought, plus what it holds at the last price.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from eventstore.sqlite_reader import open_reader
from eventstore.verify import verify
from exchange.domain.events import (
    AccountOpened,
    AccountRestored,
    AccountSuspended,
    CommandRefused,
    Deposited,
    Event,
    Fill,
    InstrumentRegistered,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    OrderRepeated,
    TradeExecuted,
    Withdrawn,
)
from exchange.domain.values import AccountId, InstrumentId, OrderId
from exchange.domain.words import PositionEffect
from exchange.server.data_folder import DataFolder
from exchange.server.recovery import decode_events
from projections.fold import Projections
from projections.user_view import BEFORE_ALL

OrderKey = tuple[AccountId, OrderId]
Holding = tuple[AccountId, InstrumentId]


@dataclass
class Audit:
    """What the log tells of a whole history."""

    log_seq: int = 0
    outcomes: dict[OrderKey, int] = field(default_factory=dict)
    """The log_seq of each order's one outcome, accepted or refused."""
    repeats: int = 0
    """Orders that came again and were told their first outcome."""
    trades: int = 0
    _lots_left: dict[OrderKey, int] = field(default_factory=dict)
    _cash: Counter[AccountId] = field(default_factory=Counter)
    _fees: int = 0
    _paid_in: int = 0
    _long: Counter[Holding] = field(default_factory=Counter)
    _short: Counter[Holding] = field(default_factory=Counter)
    _last: dict[InstrumentId, int] = field(default_factory=dict)
    _multipliers: dict[InstrumentId, int] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Count one event."""
        self.log_seq += 1
        match event:
            case InstrumentRegistered():
                self._multipliers[event.terms.instrument_id] = event.terms.multiplier
            case AccountOpened():
                self._cash[event.account_id] = 0
            case Deposited() | Withdrawn():
                paid_in = event.amount if isinstance(event, Deposited) else -event.amount
                self._cash[event.account_id] += paid_in
                self._paid_in += paid_in
            case OrderAccepted() | OrderRefused():
                key = (event.account_id, event.order_id)
                assert key not in self.outcomes, f"{key} was decided at {self.outcomes[key]} and at {self.log_seq}"
                self.outcomes[key] = self.log_seq
                self._lots_left[key] = event.lots if isinstance(event, OrderAccepted) else 0
            case OrderRepeated():
                assert (event.account_id, event.order_id) in self.outcomes, f"{event} repeats nothing"
                self.repeats += 1
            case OrderCancelled():
                self._use((event.account_id, event.order_id), event.lots_left)
                assert self._lots_left[(event.account_id, event.order_id)] == 0, f"{event} leaves something"
            case TradeExecuted():
                self._trade(event)
            case CommandRefused() | AccountSuspended() | AccountRestored():
                pass

    def _trade(self, trade: TradeExecuted) -> None:
        self.trades += 1
        assert trade.trade_no == self.trades, f"trade {trade.trade_no} is number {self.trades}"
        self._last[trade.instrument_id] = trade.price
        turnover = trade.price * trade.lots * self._multipliers[trade.instrument_id]
        for fill, sign in ((trade.buyer, 1), (trade.seller, -1)):
            self._cash[fill.account_id] -= sign * turnover + fill.commission
            self._fees += fill.commission
            self._use((fill.account_id, fill.order_id), trade.lots)
            self._hold(fill, trade, is_buy=sign > 0)

    def _use(self, key: OrderKey, lots: int) -> None:
        self._lots_left[key] -= lots
        assert self._lots_left[key] >= 0, f"{key} was filled or cancelled for more lots than it had"

    def _hold(self, fill: Fill, trade: TradeExecuted, *, is_buy: bool) -> None:
        holding = (fill.account_id, trade.instrument_id)
        if fill.effect is PositionEffect.OPEN:
            (self._long if is_buy else self._short)[holding] += trade.lots
        else:
            side = self._short if is_buy else self._long
            side[holding] -= trade.lots
            assert side[holding] >= 0, f"{holding} closed more than it held"

    def balances(self) -> dict[AccountId, int]:
        """What each account is worth."""
        worth = dict(self._cash)
        for side, sign in ((self._long, 1), (self._short, -1)):
            for (account_id, instrument_id), lots in side.items():
                worth[account_id] += sign * lots * self._last[instrument_id] * self._multipliers[instrument_id]
        return worth

    def check(self) -> None:
        """Money and lots are conserved."""
        assert sum(self.balances().values()) + self._fees == self._paid_in, f"money was made or lost at {self.log_seq}"
        assert self._long.total() == self._short.total(), f"longs are not shorts at {self.log_seq}"


def audit(folder: Path) -> Audit:
    """Audit the log of a data folder; fails where anything is wrong with it."""
    log_db = DataFolder(folder).log_db
    report = verify(log_db)
    assert report.ok, report.findings
    audit, projections = Audit(), Projections()
    with closing(open_reader(log_db)) as log:
        for entry in log.read():
            events = decode_events(entry)
            for event in events:
                audit.take(event)
            audit.check()
            projections.apply(entry.first_log_seq, events)
    assert audit.log_seq == report.log_seq
    for account_id, worth in audit.balances().items():
        figures = projections.user(account_id).changes(BEFORE_ALL).figures
        assert figures is not None
        assert figures.balance == worth, f"{account_id} is shown {figures.balance} and is worth {worth}"
    return audit

"""Entries of the log become rows and quotes.

Every row that an entry touches gets the log_seq of the entry's *last* event as its version, not that of its own event.
A client is only ever told the view at the end of an entry, so nothing finer can be asked for; and a number inside an
entry, which some client may name, leads to the same changes as the end before it, without a list of all ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

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
from exchange.domain.values import AccountId, InstrumentId
from exchange.domain.words import BUY, SELL, Direction
from projections.market_view import MarketView
from projections.rows import OrderRow, TradeRow
from projections.user_view import UserView

_NOBODY: Final = UserView()


class News(NamedTuple):
    """Whose views an entry changed, in the order in which it did."""

    accounts: tuple[AccountId, ...]
    """Those whose own rows changed. Holders whose figures only follow a mark are not listed: see `mark_news`."""
    instruments: tuple[InstrumentId, ...]
    """Those whose quotes look different from before."""


class Projections:
    """The views of all users and instruments after a prefix of the log. The same entries give the same views."""

    def __init__(self) -> None:
        self.version = 0
        """The end of the last entry that was folded: where in the log every view stands."""
        self.market = MarketView()
        self._users: dict[AccountId, UserView] = {}
        self._changed: dict[AccountId, None] = {}

    def user(self, account_id: AccountId) -> UserView:
        """The view of an account. Of one that was not opened yet it is an empty view that nothing ever happens to: ask
        again at every step."""
        return self._users.get(account_id, _NOBODY)

    def apply(self, first_log_seq: int, events: Sequence[Event]) -> News:
        """Fold the next entry of the log, durable and whole; `first_log_seq` numbers the first of its events."""
        assert first_log_seq == self.version + 1, f"an entry from {first_log_seq} on does not follow {self.version}"
        version = self.version + len(events)
        for log_seq, event in enumerate(events, first_log_seq):
            _FOLDS[type(event)](self, event, log_seq, version)
        news = News(tuple(self._changed), self.market.end_entry(version))
        self._changed.clear()
        self.version = version
        return news

    def _order_accepted(self, event: OrderAccepted, log_seq: int, version: int) -> None:
        order = self._change(event.account_id).order_accepted(event, log_seq, version)
        self.market.rested(order, event.lots, event.at_ns)

    def _trade_executed(self, event: TradeExecuted, log_seq: int, version: int) -> None:
        buyer = self._filled(event, event.buyer, BUY, log_seq, version)
        seller = self._filled(event, event.seller, SELL, log_seq, version)
        self.market.traded(event, buyer, seller, version)

    def _filled(self, trade: TradeExecuted, fill: Fill, direction: Direction, log_seq: int, version: int) -> OrderRow:
        mark = self.market.quotes[trade.instrument_id].mark
        return self._change(fill.account_id).filled(TradeRow(trade, fill, direction, log_seq, version), mark)

    def _order_cancelled(self, event: OrderCancelled, log_seq: int, version: int) -> None:
        order = self._change(event.account_id).order_cancelled(event, version)
        self.market.rested(order, -event.lots_left, event.at_ns)

    def _order_refused(self, event: OrderRefused, log_seq: int, version: int) -> None:
        self._change(event.account_id).order_refused(event, log_seq, version)

    def _order_repeated(self, event: OrderRepeated, log_seq: int, version: int) -> None:
        self._change(event.account_id).order_repeated(event.order_id, version)

    def _nothing_changed(self, event: CommandRefused, log_seq: int, version: int) -> None:
        """That nothing changed is what this event says."""

    def _deposited(self, event: Deposited, log_seq: int, version: int) -> None:
        self._change(event.account_id).cash(version).deposit += event.amount

    def _withdrawn(self, event: Withdrawn, log_seq: int, version: int) -> None:
        self._change(event.account_id).cash(version).withdraw += event.amount

    def _account_suspended(self, event: AccountSuspended, log_seq: int, version: int) -> None:
        self._change(event.account_id).cash(version).suspended = True

    def _account_restored(self, event: AccountRestored, log_seq: int, version: int) -> None:
        self._change(event.account_id).cash(version).suspended = False

    def _account_opened(self, event: AccountOpened, log_seq: int, version: int) -> None:
        assert event.account_id not in self._users, f"account {event.account_id} was opened twice"
        self._users[event.account_id] = UserView()
        self._change(event.account_id).account_opened(version)

    def _instrument_registered(self, event: InstrumentRegistered, log_seq: int, version: int) -> None:
        self.market.listed(event.terms, event.at_ns, version)

    def _change(self, account_id: AccountId) -> UserView:
        """The view of an account that the entry in hand changes."""
        self._changed[account_id] = None
        return self._users[account_id]


# A table and not a match statement, as in the decider's evolve: an event is folded in a few microseconds, and every
# class pattern that does not fit costs one of its own.
_FOLDS: Final[dict[type[Event], Callable[[Projections, Any, int, int], None]]] = {
    OrderAccepted: Projections._order_accepted,
    TradeExecuted: Projections._trade_executed,
    OrderCancelled: Projections._order_cancelled,
    OrderRefused: Projections._order_refused,
    OrderRepeated: Projections._order_repeated,
    CommandRefused: Projections._nothing_changed,
    Deposited: Projections._deposited,
    Withdrawn: Projections._withdrawn,
    AccountOpened: Projections._account_opened,
    AccountSuspended: Projections._account_suspended,
    AccountRestored: Projections._account_restored,
    InstrumentRegistered: Projections._instrument_registered,
}

"""The rows of a user's view: what the log says of one account, as whole numbers and texts.

Every row carries two versions. `born` is the version that brought the row, `changed` the last one that may have changed
it. A version is the log_seq at which an entry ends, and an upper bound, not a fact: a value that differs between two
versions N and M has `changed > N`; the reverse need not hold. Sending too much is right, sending too little never is.
Only `UserView` makes and changes rows.
"""

from __future__ import annotations

from exchange.domain.account import Cash
from exchange.domain.events import Fill, OrderAccepted, OrderRefused, TradeExecuted
from exchange.domain.order import Order
from exchange.domain.position import Position, PositionSide
from exchange.domain.values import OrderId, TradeNo
from exchange.domain.words import BUY, CancelReason, Direction
from projections.marks import VersionedMark

TradeKey = tuple[TradeNo, Direction]
"""Names one side of a trade: where a user trades with himself, both sides are his."""
RowKey = OrderId | TradeKey
"""Names a row among a user's orders and trades."""


class AccountRow(Cash):
    """A user's money as it was booked; what follows from it and the marks is computed when read."""

    __slots__ = ("born", "changed", "suspended")

    def __init__(self, version: int) -> None:
        super().__init__()
        self.suspended = False
        """Whether new orders and withdrawals are refused."""
        self.born = version
        self.changed = version


class PositionRow(Position):
    """What a user holds of one instrument, and the mark it is valued at."""

    __slots__ = ("born", "changed", "exchange_id", "held", "mark", "separate_today")

    def __init__(self, mark: VersionedMark, version: int) -> None:
        super().__init__(mark.terms.instrument_id)
        self.exchange_id = mark.terms.exchange_id
        self.separate_today = mark.terms.separate_today
        self.mark = mark
        self.held = False
        """Whether any lots are held. A flat position reads nothing of its mark: all its figures are constant."""
        self.born = version
        self.changed = version

    def closed_by(self, direction: Direction) -> PositionSide:
        """The side that a closing order takes from: a buy closes short lots."""
        return self.short if direction is BUY else self.long


class OrderRow(Order):
    """An order that reached the market."""

    __slots__ = ("born", "cancelled", "changed", "changed_at_ns", "log_seq", "trades")

    def __init__(self, accepted: OrderAccepted, log_seq: int, version: int) -> None:
        super().__init__(accepted)
        self.log_seq = log_seq
        """Of the event that brought the order."""
        self.cancelled: CancelReason | None = None
        self.trades: list[TradeKey] = []
        """The rows that leave the view together with this one."""
        self.changed_at_ns = accepted.at_ns
        """Time of the last event that changed the order; one that only repeats it does not."""
        self.born = version
        self.changed = version


class RefusedRow:
    """An order that was refused: finished when it is born."""

    __slots__ = ("born", "changed", "log_seq", "refused")

    def __init__(self, refused: OrderRefused, log_seq: int, version: int) -> None:
        self.refused = refused
        self.log_seq = log_seq
        self.born = version
        self.changed = version


class TradeRow:
    """One order's part of a trade; never changes. Knows nothing of the other side."""

    __slots__ = (
        "at_ns",
        "born",
        "changed",
        "direction",
        "fill",
        "instrument_id",
        "log_seq",
        "lots",
        "price",
        "trade_no",
    )

    def __init__(self, trade: TradeExecuted, fill: Fill, direction: Direction, log_seq: int, version: int) -> None:
        self.trade_no = trade.trade_no
        self.instrument_id = trade.instrument_id
        self.price = trade.price
        self.lots = trade.lots
        self.at_ns = trade.at_ns
        self.fill = fill
        self.direction = direction
        self.log_seq = log_seq
        self.born = version
        self.changed = version


Row = OrderRow | RefusedRow | TradeRow
"""What a user's view keeps in order of change."""

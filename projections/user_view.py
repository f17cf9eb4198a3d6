"""One user's view: rows with their versions, in order of change.

The map of rows is the user's queue of news, its conflation, its bound, the first picture and the resume in one: the
walk from the newest row to the first that a client already has is all that this client must be told.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from exchange.domain.account import Figures
from exchange.domain.events import OrderAccepted, OrderCancelled, OrderRefused
from exchange.domain.values import InstrumentId, OrderId
from exchange.domain.words import ALIVE, BUY, OPEN
from projections.figures import FLAT, PositionFigures, account_figures, position_figures
from projections.marks import VersionedMark
from projections.rows import AccountRow, OrderRow, PositionRow, RefusedRow, Row, RowKey, TradeRow

HISTORY_MAX: Final = 500
"""Finished orders and trades that a view keeps. The oldest finished order goes first, with all its trades, so that no
order ever shows without them; the newest stays however many trades it has, as do those of orders that still work."""
GONE_MAX: Final = 500
"""Rows that left and are remembered, so that a client which has them can be told."""
UNBORN: Final = 1 << 62
"""`born` of a view without an account: above every version."""
BEFORE_ALL: Final = -1
"""The version of a client that has nothing; 0 is that of the empty log."""


class Gone(NamedTuple):
    """A row that left the view to make room."""

    version: int
    """Of the entry in which it left."""
    born: int
    key: RowKey


class Changes(NamedTuple):
    """What a client at the version `since` must be told."""

    since: int
    full: bool
    """Whether this is the whole view, for a client that forgets all it has; `since` is BEFORE_ALL then."""
    account: AccountRow | None
    """None before it was opened."""
    figures: Figures | None
    """What follows from the account's money and the marks; None where nothing of it can have changed."""
    positions: list[tuple[PositionRow, PositionFigures]]
    rows: list[Row]
    """Orders and trades in the order of their last change."""
    gone: list[RowKey]
    """Rows that the client has and must delete."""


class UserView:
    """What one user may see of himself. The methods from `account_opened` on are for the fold alone."""

    __slots__ = (
        "account",
        "born",
        "finished",
        "floor",
        "gone",
        "history",
        "horizon",
        "own_version",
        "positions",
        "rows",
    )

    def __init__(self) -> None:
        self.born = UNBORN
        self.floor = 0
        """A client older than this, but not older than the account, cannot be told what left the view."""
        self.own_version = BEFORE_ALL
        """The last version that changed anything of the user's own; marks do not count."""
        self.account: AccountRow | None = None
        self.positions: dict[InstrumentId, PositionRow] = {}
        self.rows: dict[RowKey, Row] = {}
        """Orders and trades, last changed last: `changes` stops at the first row that a client has."""
        self.finished: deque[OrderId] = deque()
        """Keys of the finished orders in `rows`, oldest first."""
        self.history = 0
        """Finished orders and trades in `rows`."""
        self.gone: deque[Gone] = deque()
        self.horizon = 0
        """The largest log_seq of a row that made room: every later row is in `rows`; of the others, some are."""

    def own_news(self, since: int) -> bool:
        """Whether the user's own rows changed: orders, trades, positions, money."""
        return self.own_version > since

    @property
    def holds_positions(self) -> bool:
        """Whether the user's figures follow any mark."""
        return any(row.held for row in self.positions.values())

    def mark_news(self, since: int) -> bool:
        """Whether a mark was written that a holding of this user is valued at."""
        return any(row.held and row.mark.version > since for row in self.positions.values())

    def changes(self, since: int) -> Changes:
        """All that may differ between the view at `since` and now; never leaves out what only marks changed.

        BEFORE_ALL asks for the whole view; so does a version from which no step leads to now. A number within an entry
        counts as the end of the entry before it, since rows carry the ends of entries.
        """
        full = since < 0 or self.born <= since < self.floor
        if full:
            since = BEFORE_ALL
        own = self.own_version > since
        account = self.account
        # The account counts as changed whenever anything of the user's own is: what was held at `since` and is closed
        # now went into the figures then, and no mark of what is held now tells of it.
        if account is None or not (own or self.mark_news(since)):
            return Changes(since, full, account, None, [], [], [])
        figures, positions = self._valued(since)
        rows = self._rows_changed(since) if own else []
        gone = self._gone_since(since) if own else []
        return Changes(since, full, account, account_figures(account, figures), positions, rows, gone)

    def _valued(self, since: int) -> tuple[list[PositionFigures], list[tuple[PositionRow, PositionFigures]]]:
        """(the figures of all that is held, the positions that changed or whose mark did)."""
        held: list[PositionFigures] = []
        changed: list[tuple[PositionRow, PositionFigures]] = []
        for position in self.positions.values():
            if position.held:
                figures = position_figures(position, position.mark)
                held.append(figures)
                if position.changed > since or position.mark.version > since:
                    changed.append((position, figures))
            elif position.changed > since:
                changed.append((position, FLAT))
        return held, changed

    def _rows_changed(self, since: int) -> list[Row]:
        found: list[Row] = []
        for row in reversed(self.rows.values()):
            if row.changed <= since:
                break
            found.append(row)
        found.reverse()  # a client that walks over its mirror meets the rows in the order of the log
        return found

    def _gone_since(self, since: int) -> list[RowKey]:
        found: list[RowKey] = []
        for gone in reversed(self.gone):
            if gone.version <= since:
                break
            if gone.born <= since:
                found.append(gone.key)
        return found

    def account_opened(self, version: int) -> None:
        """The account begins."""
        assert self.account is None, f"the account was opened at version {self.born} and again at {version}"
        self._reach(version)
        self.born = version
        self.account = AccountRow(version)

    def cash(self, version: int) -> AccountRow:
        """The account's own row, about to be changed."""
        account = self.account
        assert account is not None, f"no account was opened before version {version}"
        self._reach(version)
        account.changed = version
        return account

    def order_accepted(self, event: OrderAccepted, log_seq: int, version: int) -> OrderRow:
        """An order works in the market, and what it ties up is set aside; returns its row."""
        cash = self.cash(version)
        cash.frozen_margin += event.frozen_margin
        cash.frozen_commission += event.frozen_commission
        row = self.rows[event.order_id] = OrderRow(event, log_seq, version)
        if event.effect is not OPEN:
            self._freeze(event, event.lots, version)
        return row

    def order_refused(self, event: OrderRefused, log_seq: int, version: int) -> None:
        """A refused order is shown; nothing else changes."""
        self._reach(version)
        self.rows[event.order_id] = RefusedRow(event, log_seq, version)
        self._finished(event.order_id, version)

    def order_repeated(self, order_id: OrderId, version: int) -> None:
        """An order came again and its first outcome stands: whoever asked is told of it once more, if it is shown."""
        row = self.rows.pop(order_id, None)
        if row is not None:
            self._reach(version)
            row.changed = version
            self.rows[order_id] = row

    def order_cancelled(self, event: OrderCancelled, version: int) -> OrderRow:
        """The rest of an order left the market; returns its row."""
        cash = self.cash(version)
        row = self._touched_order(event.order_id, version)
        margin, commission = row.cancel()
        cash.frozen_margin -= margin
        cash.frozen_commission -= commission
        row.cancelled = event.reason
        row.changed_at_ns = event.at_ns
        if row.accepted.effect is not OPEN:
            self._freeze(row.accepted, -event.lots_left, version)
        self._finished(event.order_id, version)
        return row

    def filled(self, trade: TradeRow, mark: VersionedMark) -> OrderRow:
        """One side of a trade is the user's; returns the order's row."""
        version, fill = trade.born, trade.fill
        cash = self.cash(version)
        row = self._touched_order(fill.order_id, version)
        margin, commission = row.fill(trade.lots)
        row.changed_at_ns = trade.at_ns
        cash.frozen_margin -= margin
        cash.frozen_commission -= commission
        cash.commission += fill.commission
        cash.close_profit += fill.close_profit
        self._book(trade, mark)
        key = (trade.trade_no, trade.direction)
        self.rows[key] = trade
        row.trades.append(key)
        self.history += 1
        if row.status is not ALIVE:
            self._finished(fill.order_id, version)
        else:
            self._make_room(version)
        return row

    def _reach(self, version: int) -> None:
        assert version >= self.own_version, f"version {version} comes after {self.own_version}: versions never fall"
        self.own_version = version

    def _touched_order(self, order_id: OrderId, version: int) -> OrderRow:
        """An order's row, about to be changed: it moves behind all others, or the walk would stop before it."""
        row = self.rows.pop(order_id)
        assert isinstance(row, OrderRow), f"order {order_id} was refused, it cannot change"
        row.changed = version
        self.rows[order_id] = row
        return row

    def _book(self, trade: TradeRow, mark: VersionedMark) -> None:
        """The fill's lots and costs."""
        position = self.positions.get(trade.instrument_id)
        if position is None:
            position = self.positions[trade.instrument_id] = PositionRow(mark, trade.born)
        fill = trade.fill
        if fill.effect is OPEN:
            side = position.long if trade.direction is BUY else position.short
            side.open(trade.price, trade.lots, mark.multiplier)
        else:
            side = position.closed_by(trade.direction)
            side.close(fill.closed, mark.multiplier, fill.charged_as_today)
            side.freeze(fill.effect, -trade.lots, position.separate_today)
        position.held = bool(position.long.lots or position.short.lots)
        position.changed = trade.born

    def _freeze(self, accepted: OrderAccepted, lots: int, version: int) -> None:
        """Set lots aside for a closing order; negative `lots` give them back."""
        position = self.positions[accepted.instrument_id]
        position.closed_by(accepted.direction).freeze(accepted.effect, lots, position.separate_today)
        position.changed = version

    def _finished(self, order_id: OrderId, version: int) -> None:
        self.finished.append(order_id)
        self.history += 1
        self._make_room(version)

    def _make_room(self, version: int) -> None:
        while self.history > HISTORY_MAX and len(self.finished) > 1:
            self._drop(self.finished.popleft(), version)

    def _drop(self, order_id: OrderId, version: int) -> None:
        """A finished order leaves the view with its trades."""
        row = self.rows[order_id]
        keys: list[RowKey] = [order_id]
        if isinstance(row, OrderRow):
            keys += row.trades
        for key in keys:
            left = self.rows.pop(key)
            self.gone.append(Gone(version, left.born, key))
            self.horizon = max(self.horizon, left.log_seq)
        self.history -= len(keys)
        while len(self.gone) > GONE_MAX:
            self.floor = self.gone.popleft().version

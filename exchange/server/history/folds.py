"""What a worker has read of the log and keeps, so that a later question goes on from there and not from event 1.

Everything here stands at the end of an entry, also after `LateError`: an entry is folded whole or not at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from eventstore.model import RecordedEntry
from eventstore.store import LogReader
from exchange.codec import EVENTS
from exchange.domain.events import Event, OrderAccepted, OrderCancelled, OrderRefused, TradeExecuted
from exchange.domain.values import AccountId
from exchange.domain.words import BUY, SELL
from exchange.server.history.questions import Place
from exchange.server.history.rows import place_of
from exchange.server.recovery import decode_events
from projections.fold import Projections
from projections.rows import OrderRow, RefusedRow, Row, RowKey, TradeRow

LOOK_EVERY: Final = 256
"""Entries between two looks at the time."""
ROWS_KEPT_MAX: Final = 10_000
"""Orders and trades of one account that are kept."""

IsLate = Callable[[], bool]


class LateError(Exception):
    """The time for a question is over; what was reached is kept."""

    def __init__(self, reached: int) -> None:
        super().__init__(f"the log was read up to {reached} when the time was over")
        self.reached = reached


def walk(reader: LogReader, after: int, until: int, is_late: IsLate) -> Iterator[RecordedEntry]:
    """Whole entries with `after < last_log_seq <= until`. Raises LateError once it is late, though never before some
    entries: who asks again and again gets to the end."""
    reached = after
    for number, entry in enumerate(reader.read(after, until), 1):
        yield entry
        reached = entry.last_log_seq
        if number % LOOK_EVERY == 0 and reached < until and is_late():
            raise LateError(reached)


class ViewFold:
    """Everybody's views at one place of the log. They only ever go on to later places."""

    def __init__(self) -> None:
        self.projections = Projections()
        self._at_ns = 0

    def is_beyond(self, version: int, at_ns: int | None) -> bool:
        """Whether the place lies behind the one where the views stand."""
        return self.projections.version > version or (at_ns is not None and self._at_ns > at_ns)

    def go_on(self, reader: LogReader, version: int, at_ns: int | None, is_late: IsLate) -> None:
        """Go to the last end of an entry at or before `version` and `at_ns`. Raises LateError, StoreError."""
        for entry in walk(reader, self.projections.version, version, is_late):
            if at_ns is not None and entry.at_ns > at_ns:
                return
            self.projections.apply(entry.first_log_seq, decode_events(entry))
            self._at_ns = entry.at_ns


class PastRows:
    """The newest orders and trades of one account before a place, as the log up to `version` tells of them.

    Reads all of the log but looks only into events that name the account: much cheaper than the views of everybody.
    """

    def __init__(self, account_id: AccountId, before: Place) -> None:
        self.account_id = account_id
        self.version = 0
        self.whole_from: Place | None = None
        """Every row from here on is here; older ones had to make room. None where none had to."""
        self._before = before
        self._rows: OrderedDict[RowKey, Row] = OrderedDict()
        # Every event of the account holds its id as a JSON text; the few others that do are told apart once decoded.
        self._needle = msgspec.json.encode(account_id)

    def covers(self, account_id: AccountId, before: Place, version: int) -> bool:
        """Whether going on can tell of this account's rows right before this place, at this version."""
        whole_from = self.whole_from or (0, "")
        return account_id == self.account_id and whole_from < before <= self._before and version >= self.version

    def go_on(self, reader: LogReader, version: int, is_late: IsLate) -> None:
        """Go to the last end of an entry at or before `version`. Raises LateError, StoreError."""
        for entry in walk(reader, self.version, version, is_late):
            for event in entry.events:
                if self._needle in event.payload:
                    decoded = EVENTS.decode(event.type, event.version, event.payload)
                    self._take(decoded, event.log_seq, entry.last_log_seq)
            self.version = entry.last_log_seq

    def newest_first(self, before: Place) -> Iterator[Row]:
        """The rows before a place."""
        return (row for row in reversed(self._rows.values()) if place_of(row) < before)

    def _take(self, event: Event, log_seq: int, version: int) -> None:
        match event:
            case OrderAccepted(account_id=self.account_id):
                self._keep(event.order_id, OrderRow(event, log_seq, version))
            case OrderRefused(account_id=self.account_id):
                self._keep(event.order_id, RefusedRow(event, log_seq, version))
            case OrderCancelled(account_id=self.account_id):
                self._cancelled(event)
            case TradeExecuted():
                for fill, direction in ((event.buyer, BUY), (event.seller, SELL)):
                    if fill.account_id == self.account_id:
                        self._filled(TradeRow(event, fill, direction, log_seq, version))
            case _:
                pass  # names the account, and changes none of its orders and trades

    def _cancelled(self, event: OrderCancelled) -> None:
        order = self._rows.get(event.order_id)
        if isinstance(order, OrderRow):
            order.cancel()
            order.cancelled = event.reason
            order.changed_at_ns = event.at_ns

    def _filled(self, trade: TradeRow) -> None:
        order = self._rows.get(trade.fill.order_id)
        if isinstance(order, OrderRow):
            order.fill(trade.lots)
            order.changed_at_ns = trade.at_ns
        self._keep((trade.trade_no, trade.direction), trade)

    def _keep(self, key: RowKey, row: Row) -> None:
        if place_of(row) >= self._before:
            return
        self._rows[key] = row
        if len(self._rows) > ROWS_KEPT_MAX:
            _, oldest = self._rows.popitem(last=False)
            log_seq, side = place_of(oldest)
            self.whole_from = log_seq, f"{side} "  # right behind it

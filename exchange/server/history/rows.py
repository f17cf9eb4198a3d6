"""Orders and trades one by one, newest first: of the live view and of the past alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from exchange.domain.words import BUY
from exchange.gateway.dialects import Dialect
from exchange.gateway.dialects.fields import Patch
from exchange.server.history.questions import Place, RowsWanted
from projections.rows import OrderRow, Row, TradeRow
from projections.user_view import BEFORE_ALL, Changes

NEWEST: Final[Place] = (1 << 62, "")
"""Behind every row."""

STATES: Final = {
    "open": frozenset({"PENDING", "ALIVE", "PARTIALLY_FILLED"}),
    "finished": frozenset({"FILLED", "CANCELLED", "REJECTED"}),
}
"""What may be asked for beside the states of the guide dialect: the orders that work, and those that do not."""

_CURSOR: Final = re.compile(r"(\d{1,18})([BS]?)", re.ASCII)


class CursorError(Exception):
    """A text that is no cursor of ours."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:40]!r} is no cursor: give the `next_cursor` of the page before, or none to begin")


class Found(NamedTuple):
    """A row that was asked for."""

    place: Place
    fields: Patch


def cursor_text(place: Place) -> str:
    """The cursor of a page that ended with the row at this place."""
    log_seq, side = place
    return f"{log_seq}{side}"


def parse_cursor(text: str | None) -> Place:
    """The place before which the next page begins. Raises CursorError."""
    if text is None:
        return NEWEST
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise CursorError(text)
    return int(match[1]), match[2]


def place_of(row: Row) -> Place:
    """Where a row stands among its kind."""
    if isinstance(row, TradeRow):
        return row.log_seq, "B" if row.direction is BUY else "S"
    return row.log_seq, ""


def pick(rows: Iterable[Row], wanted: RowsWanted, dialect: Dialect) -> Iterator[Found]:
    """Those of the rows that are wanted, in words."""
    for row in rows:
        if isinstance(row, TradeRow) is not (wanted.kind == "trades"):
            continue
        if wanted.instrument_id not in (None, _instrument_of(row)):
            continue
        fields = word_row(row, wanted.user, dialect)
        if wanted.status is None or fields["status"] in STATES.get(wanted.status, (wanted.status,)):
            yield Found(place_of(row), fields)


def word_row(row: Row, user_id: str, dialect: Dialect) -> Patch:
    """All fields of one order or trade, as they stand in its user's tree."""
    alone = Changes(BEFORE_ALL, False, None, None, [], [row], [])
    [patch] = dialect.word(alone, user_id)
    [rows] = patch["trade"][user_id].values()
    [fields] = rows.values()
    worded: Patch = fields
    return worded


def _instrument_of(row: Row) -> str:
    if isinstance(row, TradeRow):
        return row.instrument_id
    return row.accepted.instrument_id if isinstance(row, OrderRow) else row.refused.instrument_id

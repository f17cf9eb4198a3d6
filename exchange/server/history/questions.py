"""What the loop asks about the past, and what it is told: plain data, so that another process can answer."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct, msgpack

from exchange.domain.values import AccountId, InstrumentId

DialectName = Literal["guide", "flat"]
RowKind = Literal["orders", "trades"]

Place = tuple[int, str]
"""Where an order or a trade stands among others: (log_seq, side). The side is empty for an order and `B` or `S` for a
trade, of which somebody who trades with himself has two in one event."""


class ViewName(Struct, frozen=True, kw_only=True):
    """Which tree is asked for."""

    account_id: AccountId
    user: str
    """The name of the login, by which the tree calls its user."""
    dialect: DialectName
    instruments: tuple[InstrumentId, ...]
    """Those whose quotes are a part of the tree; what is not listed at a place is left out of it there."""


class RowsWanted(Struct, frozen=True, kw_only=True):
    """Which orders or trades of an account are asked for; None means any."""

    kind: RowKind
    account_id: AccountId
    user: str
    instrument_id: str | None
    status: str | None
    """A status of the guide dialect, or one of `history_rows.STATES`; trades have none."""


class AskSnapshot(Struct, frozen=True, kw_only=True, tag=True):
    """The tree at the last end of an entry at or before `version`, and at or before `at_ns`."""

    view: ViewName
    version: int
    at_ns: int | None


class AskStep(Struct, frozen=True, kw_only=True, tag=True):
    """The patch that leads from the tree at `after` to the one at `until`, which is not less."""

    view: ViewName
    after: int
    until: int


class AskBook(Struct, frozen=True, kw_only=True, tag=True):
    """The best `depth` levels of both sides of a book at `version`; null where nothing of that name was listed."""

    instrument_id: InstrumentId
    depth: int
    version: int


class AskRows(Struct, frozen=True, kw_only=True, tag=True):
    """The newest `count` rows before a place, as they stand at `version`: a list of [log_seq, side, fields]."""

    wanted: RowsWanted
    version: int
    before: Place
    count: int


Question = AskSnapshot | AskStep | AskBook | AskRows


class Asked(Struct, frozen=True):
    """A question, and how long its answer may take."""

    question: Question
    timeout_s: float


class Told(Struct, frozen=True, tag=True):
    """The answer, as JSON, and the end of the entry for which it is right."""

    version: int
    content: bytes


class Late(Struct, frozen=True, tag=True):
    """The time was over; whoever asks again soon goes on from `reached`."""

    reached: int


class Unreadable(Struct, frozen=True, tag=True):
    """The log could not be read."""

    why: str


Answer = Told | Late | Unreadable

encode: Final = msgpack.Encoder().encode
decode_asked: Final = msgpack.Decoder(Asked).decode
decode_answer: Final[msgpack.Decoder[Answer]] = msgpack.Decoder(Answer)

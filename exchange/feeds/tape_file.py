"""The two kinds of tape file: csv texts packed with xz, a header line, prices and turnover in yuan.

A file of quotes has one snapshot a line, a file of bars one minute a line. A level that is not there is empty in
both of its columns.
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from io import StringIO
from typing import Final, TypeVar

from exchange.domain.values import Lots, Price, money_from_decimal, price_from_decimal
from exchange.feeds.bars import Bar
from exchange.feeds.snapshot import DEPTH_MAX, Level, Snapshot, TapeError

LEVEL_COLUMNS: Final = {
    side: tuple((f"{side}_price{level}", f"{side}_volume{level}") for level in range(1, DEPTH_MAX + 1))
    for side in ("bid", "ask")
}
"""The columns of price and lots of each side, best first."""
QUOTE_COLUMNS: Final = (
    *("at_ns", "last_price", "volume", "amount", "open_interest"),
    *(column for side in LEVEL_COLUMNS.values() for pair in side for column in pair),
)
BAR_COLUMNS: Final = ("start_ns", "open", "high", "low", "close", "volume", "open_oi", "close_oi")

_Record = TypeVar("_Record")


def read_quotes(tape: str, packed: bytes) -> tuple[Snapshot, ...]:
    """The snapshots of a file of quotes. Raises TapeError, with tape and line, for what cannot be read."""
    return _read(tape, packed, QUOTE_COLUMNS, _snapshot)


def read_bars(tape: str, packed: bytes) -> tuple[Bar, ...]:
    """The minutes of a file of bars. Raises TapeError, with tape and line, for what cannot be read."""
    return _read(tape, packed, BAR_COLUMNS, _bar)


def _read(
    tape: str, packed: bytes, columns: Sequence[str], record: Callable[[dict[str, str]], _Record]
) -> tuple[_Record, ...]:
    try:
        header, *lines = csv.reader(StringIO(lzma.decompress(packed).decode("ascii")), strict=True)
    except (lzma.LZMAError, ValueError, csv.Error) as error:
        raise TapeError(f"tape {tape}: its file is damaged or empty ({error}); install the package again") from error
    if tuple(header) != tuple(columns):
        raise TapeError(f"tape {tape}: its columns are {', '.join(header)}; they must be {', '.join(columns)}")
    records = []
    for number, line in enumerate(lines, start=2):
        try:
            records.append(record(dict(zip(columns, line, strict=True))))
        except InvalidOperation as error:
            raise TapeError(f"tape {tape}, line {number}: {','.join(line)!r} has a price that is no number") from error
        except ValueError as error:
            raise TapeError(f"tape {tape}, line {number}: {error}") from error
    return tuple(records)


def _snapshot(row: dict[str, str]) -> Snapshot:
    return Snapshot(
        at_ns=int(row["at_ns"]),
        last=_price(row["last_price"]),
        volume=Lots(int(row["volume"])),
        amount=money_from_decimal(Decimal(row["amount"])),
        open_interest=Lots(int(row["open_interest"])),
        bids=_levels(row, "bid"),
        asks=_levels(row, "ask"),
    )


def _levels(row: dict[str, str], side: str) -> tuple[Level, ...]:
    return tuple(
        (_price(row[price]), Lots(int(row[lots]))) for price, lots in LEVEL_COLUMNS[side] if row[price] or row[lots]
    )


def _bar(row: dict[str, str]) -> Bar:
    return Bar(
        start_ns=int(row["start_ns"]),
        open=_price(row["open"]),
        high=_price(row["high"]),
        low=_price(row["low"]),
        close=_price(row["close"]),
        volume=Lots(int(row["volume"])),
        open_oi=Lots(int(row["open_oi"])),
        close_oi=Lots(int(row["close_oi"])),
    )


def _price(text: str) -> Price:
    return price_from_decimal(Decimal(text))

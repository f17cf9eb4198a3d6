"""Packaged tapes: stretches of real recorded quotes, read and checked, ready to be played in a loop.

`tapes/tapes.toml` lists the tapes; `tapes/README.md` tells where they come from and which contract each one plays.

A player repeats a tape for ever. It adds what each snapshot traded (`Tape.lots`) to what the exchange has already seen,
so the volume of the day grows from pass to pass; the step from the last snapshot to the first is a change of quotes
like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final, Literal, assert_never

import msgspec
from msgspec import Struct

from exchange.domain.values import YUAN, InstrumentId, Lots, Multiplier, Price
from exchange.feeds.bars import Bar, snapshots_of_bars
from exchange.feeds.snapshot import Snapshot, TapeError, check_snapshots
from exchange.feeds.tape_file import read_bars, read_quotes

SESSION_BREAK_NS: Final = 600_000_000_000
"""A silence this long is a break of the trading session (10:15, noon, the night), which nobody wants to wait for."""
PAUSE_NS: Final = 1_000_000_000
"""What is waited in place of such a break, and between the end of a pass and the next."""

_TAPES = files("exchange.feeds") / "tapes"


class TapeEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tape as `tapes.toml` lists it."""

    name: str
    kind: Literal["quotes", "bars"]
    file: str
    instrument_id: InstrumentId
    source_instrument: str
    price_tick_yuan: int
    multiplier: Multiplier
    source: str
    """The recording it was cut from, as a path in the folder of test data."""
    begin: datetime | None = None
    """Start of the first bar, of a tape of bars."""
    end: datetime | None = None
    """End of the last bar, of a tape of bars."""

    @property
    def price_tick(self) -> Price:
        """The tick of the recorded contract."""
        return Price(self.price_tick_yuan * YUAN)


class Tape(Struct, frozen=True, kw_only=True):
    """A tape in memory. `snapshots`, `waits_ns` and `lots` have one entry per snapshot, in the order of play."""

    name: str
    source_instrument: str
    """The contract that was recorded, such as `SHFE.cu1909`."""
    instrument_id: InstrumentId
    """The living contract the tape plays."""
    price_tick: Price
    multiplier: Multiplier
    snapshots: tuple[Snapshot, ...]
    waits_ns: tuple[int, ...]
    """How long to wait before each snapshot at the recorded pace; the first is the pause between two passes."""
    lots: tuple[Lots, ...]
    """What trades at each snapshot's last price on the way to it; `read_tape` tells what the first one trades."""


class _Catalogue(Struct, frozen=True, forbid_unknown_fields=True):
    tape: tuple[TapeEntry, ...]


@cache
def tape_entries() -> tuple[TapeEntry, ...]:
    """All packaged tapes as listed, in the order of the list."""
    return msgspec.toml.decode((_TAPES / "tapes.toml").read_bytes(), type=_Catalogue).tape


def tape_names() -> tuple[str, ...]:
    """The names `read_tape` takes, in the order of the list."""
    return tuple(entry.name for entry in tape_entries())


def read_tape(name: str) -> Tape:
    """Reads and checks a packaged tape. Raises TapeError for an unknown name or a file that cannot be played.

    A tape of bars begins with its trading day: its first snapshot trades what the first bar trades at its open. A tape
    of quotes begins in the midst of a day: of all that traded before, its first snapshot plays one lot, so that its
    last price, too, is made by a trade.
    """
    entry = _entry(name)
    snapshots = _snapshots(entry)
    check_snapshots(name, snapshots, entry.price_tick)
    volume_before = 0 if entry.kind == "bars" else snapshots[0].volume - 1
    volumes = [volume_before, *(snapshot.volume for snapshot in snapshots)]
    return Tape(
        name=name,
        source_instrument=entry.source_instrument,
        instrument_id=entry.instrument_id,
        price_tick=entry.price_tick,
        multiplier=entry.multiplier,
        snapshots=snapshots,
        waits_ns=waits_ns(snapshots),
        lots=tuple(Lots(after - before) for before, after in pairwise(volumes)),
    )


def bars_of_tape(name: str) -> tuple[Bar, ...]:
    """The minutes a packaged tape of bars is made of. Raises TapeError for any other name."""
    entry = _entry(name)
    if entry.kind != "bars":
        raise TapeError(f"tape {name} was recorded as quotes; it is not made of bars")
    return read_bars(name, packed_file(entry))


def packed_file(entry: TapeEntry) -> bytes:
    """A tape's file as it is packaged."""
    return (_TAPES / entry.file).read_bytes()


def waits_ns(snapshots: Sequence[Snapshot]) -> tuple[int, ...]:
    """The recorded gaps, breaks of the trading session cut to `PAUSE_NS`; before the first snapshot `PAUSE_NS`."""
    gaps = (after.at_ns - before.at_ns for before, after in pairwise(snapshots))
    return (PAUSE_NS, *(PAUSE_NS if gap >= SESSION_BREAK_NS else gap for gap in gaps))


def _entry(name: str) -> TapeEntry:
    for entry in tape_entries():
        if entry.name == name:
            return entry
    raise TapeError(f"no tape is named {name!r}; the tapes are {', '.join(tape_names())}")


def _snapshots(entry: TapeEntry) -> tuple[Snapshot, ...]:
    match entry.kind:
        case "quotes":
            return read_quotes(entry.name, packed_file(entry))
        case "bars":
            bars = read_bars(entry.name, packed_file(entry))
            return tuple(snapshots_of_bars(bars, price_tick=entry.price_tick, multiplier=entry.multiplier))
        case _ as never:
            assert_never(never)

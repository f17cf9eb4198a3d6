"""How many events a second of a stored log become state and views again.

Each stage is timed by itself over the same entries, so that it shows what folding costs beside reading and decoding,
which any reader of the log must do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final

from eventstore.model import RecordedEntry
from eventstore.sqlite_reader import open_reader
from exchange.bench.figures import Figures
from exchange.codec import COMMANDS
from exchange.decider import ExchangeState, evolve, execute
from exchange.domain.events import Event
from exchange.server.recovery import decode_events
from projections.fold import Projections

ENTRIES_MAX: Final = 200_000
"""How much of the log is held in memory."""

Decoded = list[tuple[Event, ...]]


def measure_replay(figures: Figures, log: Path) -> None:
    """One round over the log's first entries. Raises DamageError and what else reading raises."""
    entries, read_s = _timed(lambda: _entries(log))
    events = entries[-1].last_log_seq
    decoded, decode_s = _timed(lambda: [decode_events(entry) for entry in entries])
    _, evolve_s = _timed(lambda: _evolve(decoded))
    _, fold_s = _timed(lambda: _evolve_and_project(entries, decoded))
    decided, redecide_s = _timed(lambda: _redecide(entries))
    assert decided == decoded, "deciding the stored commands anew gave other events than those stored"

    figures.add("replay.events", "events", events)
    for name, seconds in (("read", read_s), ("decode", decode_s), ("evolve", evolve_s), ("fold", fold_s)):
        figures.add(f"replay.{name}.per_second", "events/s", events / seconds)
    figures.add("replay.whole.per_second", "events/s", events / (read_s + decode_s + fold_s))
    figures.add("replay.redecide.per_second", "commands/s", len(entries) / redecide_s)
    figures.add("replay.evolve_to_decode", "ratio", decode_s / evolve_s)
    figures.add("replay.fold_to_decode", "ratio", decode_s / fold_s)


def _entries(log: Path) -> list[RecordedEntry]:
    """The log's first entries, each held against its leaves."""
    reader = open_reader(log)
    try:
        return list(islice(reader.read(), ENTRIES_MAX))
    finally:
        reader.close()


def _evolve(decoded: Decoded) -> None:
    state = ExchangeState()
    for events in decoded:
        for event in events:
            evolve(state, event)


def _evolve_and_project(entries: list[RecordedEntry], decoded: Decoded) -> None:
    """As the server does it at its start."""
    state = ExchangeState()
    projections = Projections()
    for entry, events in zip(entries, decoded, strict=True):
        for event in events:
            evolve(state, event)
        projections.apply(entry.first_log_seq, events)


def _redecide(entries: list[RecordedEntry]) -> Decoded:
    """What the stored commands lead to, decoding them included."""
    state = ExchangeState()
    return [execute(state, COMMANDS.decode(each.type, each.version, each.body), each.at_ns) for each in entries]


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    done = work()
    return done, time.perf_counter() - begin

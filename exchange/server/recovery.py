"""At the start: the log becomes the state and the views. The same folds as in the live exchange, with the log as their
source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eventstore.model import RecordedEntry
from eventstore.store import EventStore
from exchange.codec import EVENTS
from exchange.decider import ExchangeState, StateHash, evolve
from exchange.domain.events import Event
from projections.fold import Projections

Progress = Callable[[int, int], None]
"""Told (log_seq reached, log_seq of the head), now and then."""
PROGRESS_INTERVAL: Final = 1000
"""Entries from one call of it to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """Where the exchange goes on."""

    state: ExchangeState
    state_hash: StateHash
    projections: Projections
    log_seq: int
    at_ns: int


def recover(store: EventStore, progress: Progress | None = None) -> Recovered:
    """Fold the whole log. Blocks as long as that takes: call it from a thread of its own where a loop must stay
    alive."""
    state = ExchangeState()
    state_hash = StateHash(state)
    projections = Projections()
    head = store.head
    for entry in store.read():
        events = decode_events(entry)
        for event in events:
            evolve(state, event)
        projections.apply(entry.first_log_seq, events)
        if progress is not None and entry.command_seq % PROGRESS_INTERVAL == 0:
            progress(entry.last_log_seq, head.log_seq)
    return Recovered(
        state=state, state_hash=state_hash, projections=projections, log_seq=head.log_seq, at_ns=head.at_ns
    )


def decode_events(entry: RecordedEntry) -> tuple[Event, ...]:
    """The events of an entry as the core knows them; older versions are lifted to today's."""
    return tuple(EVENTS.decode(event.type, event.version, event.payload) for event in entry.events)

"""Replay a log: fold its events anew, or decide its commands anew, and hold the outcome against what is stored.

The same events must give the same state, whose hash some commits carry, and the same commands the same events, byte
for byte. A difference means that this release decides otherwise than the one that wrote the log, or that one of the
two has an error; that nobody changed the stored bytes is what `log verify` checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import orjson

from eventstore.model import Commit, RecordedEntry, RecordedEvent
from eventstore.store import LogReader
from exchange.cli.errors import FailedError
from exchange.cli.output import Tell
from exchange.codec import COMMANDS, EVENTS, stream_of
from exchange.decider import ExchangeState, PoisonCommandError, StateHash, evolve, execute, refuse_poison
from exchange.domain.events import Event
from exchange.server.recovery import decode_events

TOLD_EVERY: Final = 500
"""Entries between two words on the progress."""


class StoredEvent(NamedTuple):
    """An event as the log keeps it."""

    stream: str
    type: str
    version: int
    payload: bytes

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {**self._asdict(), "payload": orjson.Fragment(self.payload)}

    def __str__(self) -> str:
        return f"{self.type} version {self.version} on {self.stream}: {self.payload.decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where the replay and the log part."""

    log_seq: int
    what: str
    expected: StoredEvent | str | None
    """What this release gives: an event or a state hash; None where it gives nothing."""
    found: StoredEvent | str | None
    """What the log has."""


@dataclass(slots=True, kw_only=True)
class Replayed:
    """How far the replay came, and what it found."""

    log_seq: int = 0
    entries: int = 0
    state_hash: bytes = b""
    """Of the state at `log_seq`, 32 bytes."""
    hashes_compared: int = 0
    """Stored state hashes that the replay passed and found equal."""
    difference: Difference | None = None


def replay(reader: LogReader, *, until: int, redecide: bool, told: Tell) -> Replayed:
    """Replay the whole entries up to `until`; stops at the first difference.

    Raises DamageError for an entry that is not what was written, FailedError for an event that cannot be folded.
    """
    state = ExchangeState()
    state_hash = StateHash(state)
    done = Replayed()
    hashed = (commit for commit in reader.commits(until=until) if commit.state_hash is not None)
    commit = next(hashed, None)
    for entry in reader.read(until=until):
        done.difference = _take(state, entry, redecide)
        if done.difference is not None:
            break
        done.log_seq, done.entries = entry.last_log_seq, done.entries + 1
        if commit is not None and commit.last_log_seq == entry.last_log_seq:
            done.difference = _hash_difference(commit, state_hash.value())
            if done.difference is not None:
                break
            done.hashes_compared += 1
            commit = next(hashed, None)
        if done.entries % TOLD_EVERY == 0:
            told(entry.last_log_seq, until)
    done.state_hash = state_hash.value()
    return done


def _take(state: ExchangeState, entry: RecordedEntry, redecide: bool) -> Difference | None:
    """Lead the state over an entry."""
    try:
        if redecide:
            return _event_difference(entry, _decided(state, entry))
        for event in decode_events(entry):
            evolve(state, event)
    except (AssertionError, LookupError) as error:
        # A bug, here or in the release that wrote it. Which entry it was is what helps to find it.
        raise FailedError(
            f"the entry of log_seq {entry.first_log_seq} to {entry.last_log_seq} ({entry.type}) does not fit the state "
            f"before it: {error!r}. Report this as a bug, with the output of "
            f"`exchange log show {entry.first_log_seq}..{entry.last_log_seq} --command`"
        ) from error
    return None


def _decided(state: ExchangeState, entry: RecordedEntry) -> tuple[Event, ...]:
    """What this release decides on the entry's command, folded into the state; as the sequencer does it live."""
    command = COMMANDS.decode(entry.type, entry.version, entry.body)
    try:
        return execute(state, command, entry.at_ns)
    except PoisonCommandError:
        return refuse_poison(state, command)


def _event_difference(entry: RecordedEntry, decided: tuple[Event, ...]) -> Difference | None:
    pairs: Iterator[tuple[RecordedEvent | None, Event | None]] = zip_longest(entry.events, decided)
    for log_seq, (recorded, event) in enumerate(pairs, entry.first_log_seq):
        found = None if recorded is None else _as_found(recorded)
        expected = None if event is None else StoredEvent(stream_of(event), *EVENTS.encode(event))
        if found != expected and not _is_older_form(recorded, event):
            what = f"the event that {entry.type} led to"
            return Difference(log_seq=log_seq, what=what, expected=expected, found=found)
    return None


def _as_found(event: RecordedEvent) -> StoredEvent:
    return StoredEvent(event.stream, event.type, event.version, event.payload)


def _is_older_form(recorded: RecordedEvent | None, event: Event | None) -> bool:
    """Whether it is the same event, stored in a version that this release does not write any more."""
    if recorded is None or event is None or recorded.version == EVENTS.encode(event).version:
        return False
    return EVENTS.decode(recorded.type, recorded.version, recorded.payload) == event


def _hash_difference(commit: Commit, state_hash: bytes) -> Difference | None:
    assert commit.state_hash is not None, "only commits with a state hash are compared"
    if commit.state_hash == state_hash:
        return None
    return Difference(
        log_seq=commit.last_log_seq,
        what="the hash of the state after it",
        expected=state_hash.hex(),
        found=commit.state_hash.hex(),
    )

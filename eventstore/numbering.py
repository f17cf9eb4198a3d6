"""Number and hash what is about to be appended: the part of an append that is the same in every store.

A `Tip` knows where the log ends. `Tip.number` turns entries into the exact rows to store without changing the tip, so
a batch that is refused or fails half-way leaves no trace; `Tip.advance` moves the tip once the batch is durable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from eventstore.merkle import Frontier, command_digest, leaf_hash
from eventstore.model import Commit, Head, NewEntry, NewEvent
from eventstore.seal import commit_seal

VERSION_MAX = 2**31 - 1
AT_NS_MAX = 2**63 - 1

CommandRow = tuple[int, int, int, int, str, int, str, str, str, bytes]
"""(first_log_seq, command_seq, event_count, at_ns, type, version, actor, client_id, origin, body)"""

EventRow = tuple[int, str, int, str, int, bytes, bytes]
"""(log_seq, stream, stream_version, type, version, payload, leaf)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows of one commit, ready to be stored, and what the tip becomes by them."""

    commands: list[CommandRow]
    events: list[EventRow]
    commit: Commit
    seal: bytes
    tree: Frontier
    stream_versions: dict[str, int]
    """The last version of the streams that this batch touches, no others."""


@dataclass(slots=True, kw_only=True)
class Tip:
    """The end of the log and all that the next entry's numbers and hashes follow from."""

    log_id: str
    epoch: int
    last: Commit | None
    """The last commit; None while the log is empty."""
    seal: bytes
    """The last commit's seal, or `NO_SEAL`."""
    tree: Frontier
    stream_versions: dict[str, int]

    @property
    def head(self) -> Head:
        """The tip as the store shows it."""
        last = self.last
        return Head(
            log_id=self.log_id,
            epoch=self.epoch,
            log_seq=last.last_log_seq if last else 0,
            command_seq=last.last_command_seq if last else 0,
            at_ns=last.at_ns if last else 0,
            root=last.root if last else self.tree.root(),
        )

    def number(self, entries: Sequence[NewEntry], state_hash: bytes | None) -> Batch:
        """The rows that store these entries behind the tip. Raises ValueError for what the contract refuses."""
        if not entries:
            raise ValueError("there is nothing to append: give at least one entry")
        command_seq, log_seq, at_ns = self._last_numbers()
        commands: list[CommandRow] = []
        events: list[EventRow] = []
        changed: dict[str, int] = {}
        for entry in entries:
            _check_entry(entry, at_ns)
            command_seq += 1
            command = _command_row(entry, first_log_seq=log_seq + 1, command_seq=command_seq)
            commands.append(command)
            self._number_events(entry, command, changed, events)
            log_seq += len(entry.events)
            at_ns = entry.at_ns
        tree = self.tree.copy()
        tree.extend(event[6] for event in events)
        commit = Commit(
            last_log_seq=log_seq,
            last_command_seq=command_seq,
            at_ns=at_ns,
            epoch=self.epoch,
            root=tree.root(),
            state_hash=state_hash,
        )
        return Batch(
            commands=commands,
            events=events,
            commit=commit,
            seal=commit_seal(self.log_id, commit, self.seal),
            tree=tree,
            stream_versions=changed,
        )

    def advance(self, batch: Batch) -> Head:
        """The batch is durable: it is the end of the log now."""
        self.last = batch.commit
        self.seal = batch.seal
        self.tree = batch.tree
        self.stream_versions.update(batch.stream_versions)
        return self.head

    def _last_numbers(self) -> tuple[int, int, int]:
        if self.last is None:
            return 0, 0, 0
        return self.last.last_command_seq, self.last.last_log_seq, self.last.at_ns

    def _number_events(
        self, entry: NewEntry, command: CommandRow, changed: dict[str, int], events: list[EventRow]
    ) -> None:
        digest = command_digest(*command)
        for log_seq, event in enumerate(entry.events, command[0]):
            _check_event(event)
            stream, type_, version, payload = event.stream, event.type, event.version, event.payload
            stream_version = 1 + (changed.get(stream) or self.stream_versions.get(stream, 0))
            changed[stream] = stream_version
            leaf = leaf_hash(digest, log_seq, stream, stream_version, type_, version, payload)
            events.append((log_seq, stream, stream_version, type_, version, payload, leaf))


def _command_row(entry: NewEntry, *, first_log_seq: int, command_seq: int) -> CommandRow:
    return (
        first_log_seq,
        command_seq,
        len(entry.events),
        entry.at_ns,
        entry.type,
        entry.version,
        entry.actor,
        entry.client_id,
        entry.origin,
        entry.body,
    )


def _check_entry(entry: NewEntry, at_ns_before: int) -> None:
    if not entry.events:
        raise ValueError(
            f"the command {entry.type!r} at {entry.at_ns} has no events: every command leaves at least one"
        )
    if not at_ns_before <= entry.at_ns <= AT_NS_MAX:
        raise ValueError(
            f"the command {entry.type!r} has the time {entry.at_ns}, the entry before it {at_ns_before}: "
            f"give times that never fall, in nanoseconds up to {AT_NS_MAX}"
        )
    if not entry.type or not 1 <= entry.version <= VERSION_MAX:
        raise ValueError(
            f"the command has the type {entry.type!r} and version {entry.version}: give a name and 1 to {VERSION_MAX}"
        )
    _check_json(entry.body, "the body of the command", entry.type)


def _check_event(event: NewEvent) -> None:
    if not event.stream or not event.type or not 1 <= event.version <= VERSION_MAX:
        raise ValueError(
            f"the event has the stream {event.stream!r}, type {event.type!r} and version {event.version}: "
            f"give two names and 1 to {VERSION_MAX}"
        )
    _check_json(event.payload, "the payload of the event", event.type)


def _check_json(text: bytes, what: str, type_: str) -> None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(
            f"{what} {type_!r} is no JSON text in UTF-8 ({error}): it begins with {text[:40]!r}"
        ) from error

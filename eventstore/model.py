"""What the log holds: entries, each one command with the events it caused, and how storage can fail.

Bytes in, bytes out: nothing here knows what a command or an event means.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Durability(StrEnum):
    """What a finished commit has survived. Everything but `FSYNC` is unsafe and must be shown as such."""

    FSYNC = "fsync"
    """The data reached the disk: survives a power cut."""
    OS = "os"
    """The data reached the operating system: survives kill -9, not a power cut."""
    MEMORY = "memory"
    """Nothing is promised: a crash may also damage the file."""


# Entries and events are made by the million: a msgspec Struct takes a tenth of a frozen dataclass's time. They hold
# only numbers, texts, bytes and each other, never a cycle, so the garbage collector need not look at them (gc=False).


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event on its way into the log; the store numbers it."""

    stream: str
    """The name of the thing it happened to, such as `account/A1`; each stream's events are numbered from 1."""
    type: str
    version: int
    """The version of the payload's schema, from 1."""
    payload: bytes
    """JSON text in UTF-8, kept byte for byte."""


class NewEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One command and all events it caused, appended together or not at all. Never without events."""

    at_ns: int
    """Nanoseconds since 1970 UTC; never below the time of the entry before."""
    type: str
    version: int
    actor: str
    """Who asked, such as an account id; empty for the system."""
    client_id: str
    """The asker's own id for the command; empty where there is none."""
    origin: str
    """Where it came from, such as `ws/12`; no secrets, no personal data."""
    body: bytes
    """JSON text in UTF-8, kept byte for byte."""
    events: tuple[NewEvent, ...]


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event of the log."""

    log_seq: int
    """Its place in the whole log, from 1, without gaps."""
    stream: str
    stream_version: int
    """Its place in its stream, from 1, without gaps."""
    type: str
    version: int
    payload: bytes


class RecordedEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A command of the log with its events, in order; `events[0].log_seq == first_log_seq`."""

    command_seq: int
    """The command's place among all commands, from 1, without gaps."""
    first_log_seq: int
    last_log_seq: int
    at_ns: int
    type: str
    version: int
    actor: str
    client_id: str
    origin: str
    body: bytes
    events: tuple[RecordedEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The end of one transaction: everything up to `last_log_seq` became durable together."""

    last_log_seq: int
    last_command_seq: int
    at_ns: int
    """The last entry's time: the store has no clock of its own."""
    epoch: int
    """The epoch of the writer that made it."""
    root: bytes
    """The Merkle tree hash over the leaves of events 1 to `last_log_seq`, 32 bytes."""
    state_hash: bytes | None
    """The hash of the writer's state after the last entry, where it gave one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the durable log."""

    log_id: str
    """An opaque text that names this log; another log has another."""
    epoch: int
    """Raised by every writer that opens the log, from 1; 0 before the first."""
    log_seq: int
    """The last event's number; 0 while the log is empty."""
    command_seq: int
    at_ns: int
    """The last entry's time; 0 while the log is empty."""
    root: bytes
    """The Merkle tree hash (RFC 9162) over all leaves, 32 bytes."""


class StoreError(Exception):
    """Storage trouble."""


class StoreClosedError(StoreError):
    """The store was closed before the call, or an earlier append failed and ended it."""


class HeadMovedError(StoreError):
    """Somebody else appended: the log's head is not where this writer left it. Nothing was written."""

    def __init__(self, *, expected: int, found: int) -> None:
        super().__init__(
            f"the log's head is at log_seq {found}, this writer expected {expected}: "
            "another writer appended to it, or the file was replaced; stop this process and start it again"
        )
        self.expected = expected
        self.found = found


class AppendFailedError(StoreError):
    """An append failed before its commit began. Nothing was written."""


class OutcomeUnknownError(StoreError):
    """A commit failed in a way that leaves open whether it is durable. Only reading the log anew can tell."""


class LogLockedError(StoreError):
    """Another process holds the log open for writing."""


class DamageError(StoreError):
    """The log is not what was written. Nothing at or behind `log_seq` may be served; 0 is the file as a whole."""

    def __init__(self, log_seq: int, what: str) -> None:
        super().__init__(f"the log is damaged at log_seq {log_seq}: {what}")
        self.log_seq = log_seq
        self.what = what

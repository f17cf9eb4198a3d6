"""Counts what a log holds, by reading all of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eventstore.model import Head
from eventstore.store import LogReader
from exchange.cli.output import Tell
from exchange.cli.times import utc_text

TOLD_EVERY: Final = 1000
"""Entries between two words on the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFigures:
    """What a log holds."""

    head: Head
    first_at_ns: int
    """The first entry's time; 0 while the log is empty."""
    commands: int
    commits: int
    state_hashes: int
    """Commits that carry a hash of the exchange's state."""
    streams: int
    events_by_type: dict[str, int]
    """The most frequent first, like `commands_by_type`."""
    commands_by_type: dict[str, int]
    size_bytes: int
    """The log's files together."""

    @property
    def mean_batch(self) -> float:
        """Events per commit."""
        return self.head.log_seq / self.commits if self.commits else 0.0

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        head = self.head
        return {
            "log_id": head.log_id,
            "log_seq": head.log_seq,
            "root": head.root.hex(),
            "epoch": head.epoch,
            "commands": self.commands,
            "commits": self.commits,
            "state_hashes": self.state_hashes,
            "streams": self.streams,
            "mean_batch": self.mean_batch,
            "first_at": utc_text(self.first_at_ns) if head.log_seq else None,
            "last_at": utc_text(head.at_ns) if head.log_seq else None,
            "size_bytes": self.size_bytes,
            "durability": "unknown",
            "events_by_type": self.events_by_type,
            "commands_by_type": self.commands_by_type,
        }


def figures_of(reader: LogReader, path: Path, told: Tell) -> LogFigures:
    """Count up to the head of the moment of the call. Raises DamageError at the first event that is not what it was."""
    head = reader.head
    first_at_ns = 0
    events: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    streams: set[str] = set()
    for entry in reader.read(until=head.log_seq):
        first_at_ns = first_at_ns or entry.at_ns
        commands[entry.type] += 1
        for event in entry.events:
            events[event.type] += 1
            streams.add(event.stream)
        if entry.command_seq % TOLD_EVERY == 0:
            told(entry.last_log_seq, head.log_seq)
    state_hashes = Counter(commit.state_hash is not None for commit in reader.commits(until=head.log_seq))
    return LogFigures(
        head=head,
        first_at_ns=first_at_ns,
        commands=commands.total(),
        commits=state_hashes.total(),
        state_hashes=state_hashes[True],
        streams=len(streams),
        events_by_type=dict(events.most_common()),
        commands_by_type=dict(commands.most_common()),
        size_bytes=sum(map(_size, (path, path.with_name(f"{path.name}-wal")))),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # the write-ahead log is there only while a server runs

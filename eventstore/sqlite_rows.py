"""Rows of a SQLite log back to entries and commits: what the writer's store and every reader share.

Reading goes in bounded pieces, each fetched whole, so that no transaction stays open between two of them: an open read
transaction keeps the WAL from starting over. Rows never change, so pieces fit together without one.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from eventstore.merkle import EMPTY_ROOT, command_digest, leaf_hash
from eventstore.model import Commit, DamageError, Head, RecordedEntry, RecordedEvent, StoreClosedError, StoreError
from eventstore.numbering import CommandRow
from eventstore.seal import NO_SEAL, commit_seal, epoch_seal

FORMAT = "1"
"""How rows are numbered, hashed and sealed; a change of any of it makes another format."""

PIECE_ROWS = 2048
"""Commands, commits, or about as many events, that are read at once."""

_COMMANDS = """
    SELECT first_log_seq, command_seq, event_count, at_ns, type, version, actor, client_id, origin, body
    FROM command WHERE first_log_seq BETWEEN ? AND ? ORDER BY first_log_seq LIMIT ?
"""
_COMMAND_AT = """
    SELECT first_log_seq, event_count FROM command WHERE first_log_seq <= ? ORDER BY first_log_seq DESC LIMIT 1
"""
_EVENTS = """
    SELECT log_seq, stream_id, stream_version, type_id, version, payload, leaf
    FROM event WHERE log_seq BETWEEN ? AND ? ORDER BY log_seq
"""
_COMMITS = """
    SELECT last_log_seq, last_command_seq, at_ns, epoch, root, state_hash, seal
    FROM "commit" WHERE last_log_seq > ? ORDER BY last_log_seq LIMIT ?
"""
_LAST_EPOCH = """
    SELECT number, after_log_seq, epoch.seal, "commit".seal
    FROM epoch LEFT JOIN "commit" ON last_log_seq = after_log_seq ORDER BY number DESC LIMIT 1
"""

_EventColumns = tuple[int, int, int, int, int, bytes, bytes]
_CommitColumns = tuple[int, int, int, int, bytes, bytes | None, bytes]


@contextmanager
def reading(log_seq: int) -> Iterator[None]:
    """Tell SQLite's errors apart: DamageError at `log_seq` when the file's content is wrong, else StoreError."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise StoreClosedError(f"the log was closed while it was read: {error}") from error
    except UnicodeDecodeError as error:
        # SQLite's own message quotes the damage.
        raise DamageError(log_seq, f"SQLite cannot read on from here: {error}") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)
        # Without a code it is Python's own: a text column that is no UTF-8.
        if code is None or code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamageError(log_seq, f"SQLite cannot read on from here: {error}") from error
        raise StoreError(f"SQLite cannot work on the log: {error}") from error


class LogRows:
    """Reads through an open connection that it does not own. Raises StoreError where there is no log of this format."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        with reading(0):
            meta = dict(connection.execute("SELECT key, value FROM meta"))
        format_, log_id = meta.get("format"), meta.get("log_id")
        if format_ != FORMAT or not isinstance(log_id, str):
            raise StoreError(
                f"the log's id is {log_id!r} and its format {format_!r}, this program reads format {FORMAT!r}: "
                "the log was written by another version, or damaged"
            )
        self.log_id = log_id
        self.streams: dict[int, str] = {}
        self.types: dict[int, str] = {}
        self._load_names()

    def head(self) -> Head:
        """The end of the log as the last commit has it."""
        last, _seal = self.last_commit()
        return Head(
            log_id=self.log_id,
            epoch=self.epoch(),
            log_seq=last.last_log_seq if last else 0,
            command_seq=last.last_command_seq if last else 0,
            at_ns=last.at_ns if last else 0,
            root=last.root if last else EMPTY_ROOT,
        )

    def epoch(self) -> int:
        """The last writer's epoch, held against its seal; 0 before the first."""
        with reading(0):
            row = self._connection.execute(_LAST_EPOCH).fetchone()
        if row is None:
            return 0
        epoch, after_log_seq, stored_seal, commit_seal_before = row
        try:
            seal = epoch_seal(self.log_id, epoch, after_log_seq, commit_seal_before or NO_SEAL)
        except (TypeError, struct.error) as error:
            raise DamageError(0, f"the epoch {epoch} holds what was never stored ({error})") from error
        if seal != stored_seal:
            raise DamageError(0, f"the epoch {epoch}, or the commit before it, is not what its seal was made of")
        return int(epoch)

    def last_commit(self) -> tuple[Commit | None, bytes]:
        """The last commit and its seal, which is checked; None and `NO_SEAL` for an empty log."""
        with reading(0):
            last_log_seq = self._connection.execute('SELECT max(last_log_seq) FROM "commit"').fetchone()[0]
        if last_log_seq is None:
            return None, NO_SEAL
        last = next(self.sealed_commits(last_log_seq - 1, last_log_seq), None)
        if last is None:
            raise DamageError(
                last_log_seq,
                "the last commit is there when SQLite looks for the largest number, not when it looks for this one",
            )
        return last

    def entries(self, after: int, until: int | None, head: int) -> Iterator[RecordedEntry]:
        """Whole entries with `after < last_log_seq <= until`, at most to `head`, which is the end of some entry."""
        until = head if until is None else min(until, head)
        if after >= until:
            return
        expected = self._first_log_seq_at(max(after, 0) + 1)
        while expected <= until:
            commands = self._piece_of_commands(expected, until, head)
            if not commands:
                return
            yield from self._with_events(commands)
            expected = commands[-1][0] + commands[-1][2]

    def commits(self, after: int, until: int | None, head: int) -> Iterator[Commit]:
        """The commits with `after < last_log_seq <= until`, at most to `head`, held against their seals."""
        return (commit for commit, _seal in self.sealed_commits(after, head if until is None else min(until, head)))

    def sealed_commits(self, after: int, until: int) -> Iterator[tuple[Commit, bytes]]:
        """Like `commits`, each with its seal."""
        before = 'SELECT seal FROM "commit" WHERE last_log_seq <= ? ORDER BY last_log_seq DESC LIMIT 1'
        with reading(max(after, 0) + 1):
            (seal,) = self._connection.execute(before, (after,)).fetchone() or (NO_SEAL,)
        while after < until:
            with reading(max(after, 0) + 1):
                piece: list[_CommitColumns] = self._connection.execute(_COMMITS, (after, PIECE_ROWS)).fetchall()
            if not piece:
                raise DamageError(max(after, 0) + 1, "the commit that covers it is missing")
            for last_log_seq, last_command_seq, at_ns, epoch, root, state_hash, stored_seal in piece:
                commit = Commit(
                    last_log_seq=last_log_seq,
                    last_command_seq=last_command_seq,
                    at_ns=at_ns,
                    epoch=epoch,
                    root=root,
                    state_hash=state_hash,
                )
                # Also of the first commit beyond: its seal tells whether one before it is missing.
                seal = _checked_seal(self.log_id, commit, seal, stored_seal)
                after = last_log_seq
                if after > until:
                    return
                yield commit, seal

    def _load_names(self) -> None:
        with reading(0):
            self.streams.update(self._connection.execute("SELECT id, name FROM stream"))
            self.types.update(self._connection.execute("SELECT id, name FROM event_type"))

    def _first_log_seq_at(self, log_seq: int) -> int:
        """The first event of the entry that holds `log_seq`."""
        with reading(log_seq):
            row = self._connection.execute(_COMMAND_AT, (log_seq,)).fetchone()
        if row is None or not isinstance(row[1], int) or row[0] + row[1] <= log_seq:
            raise DamageError(log_seq, "the command that covers it is missing")
        return int(row[0])

    def _piece_of_commands(self, expected: int, until: int, head: int) -> list[CommandRow]:
        """The next commands from `expected` on that end by `until`, cut where their events make up a piece."""
        with reading(expected):
            rows: list[CommandRow] = self._connection.execute(_COMMANDS, (expected, until, PIECE_ROWS)).fetchall()
        if not rows:
            raise DamageError(expected, "the command that covers it is missing")
        piece: list[CommandRow] = []
        begin = expected
        for row in rows:
            first_log_seq, event_count = row[0], row[2]
            sound = first_log_seq == expected and isinstance(event_count, int)
            if not sound or not expected <= expected + event_count - 1 <= head:
                if piece:
                    # The next piece begins here and says so; what stands before is good.
                    break
                raise DamageError(expected, f"the next command begins at {first_log_seq}, with {event_count} events")
            if expected + event_count - 1 > until or (piece and expected + event_count - begin > PIECE_ROWS):
                break
            piece.append(row)
            expected += event_count
        return piece

    def _with_events(self, commands: list[CommandRow]) -> Iterator[RecordedEntry]:
        first, last = commands[0][0], commands[-1][0] + commands[-1][2] - 1
        with reading(first):
            rows: list[_EventColumns] = self._connection.execute(_EVENTS, (first, last)).fetchall()
        known = self.streams.keys() >= {row[1] for row in rows} and self.types.keys() >= {row[3] for row in rows}
        if not known:
            # The writer added these names after this reader loaded them.
            self._load_names()
        for command in commands:
            own = rows[command[0] - first : command[0] - first + command[2]]
            check_numbers([row[0] for row in own], command[0], command[0] + command[2] - 1)
            yield self._entry(command, own)

    def _entry(self, command: CommandRow, rows: list[_EventColumns]) -> RecordedEntry:
        first_log_seq, command_seq, event_count, at_ns, type_, version, actor, client_id, origin, body = command
        digest = _digest_or_nothing(command)
        return RecordedEntry(
            command_seq=command_seq,
            first_log_seq=first_log_seq,
            last_log_seq=first_log_seq + event_count - 1,
            at_ns=at_ns,
            type=type_,
            version=version,
            actor=actor,
            client_id=client_id,
            origin=origin,
            body=body,
            events=tuple([self._event(row, digest) for row in rows]),
        )

    def _event(self, row: _EventColumns, command: bytes) -> RecordedEvent:
        log_seq, stream_id, stream_version, type_id, version, payload, stored_leaf = row
        try:
            stream, type_ = self.streams[stream_id], self.types[type_id]
            leaf = leaf_hash(command, log_seq, stream, stream_version, type_, version, payload)
        except (KeyError, TypeError, AttributeError, struct.error) as error:
            raise DamageError(log_seq, f"the row holds what was never stored ({error})") from error
        if leaf != stored_leaf:
            raise DamageError(log_seq, "the event or its command is not what its leaf was made of")
        return RecordedEvent(
            log_seq=log_seq, stream=stream, stream_version=stream_version, type=type_, version=version, payload=payload
        )


def check_numbers(log_seqs: Sequence[int], first: int, last: int) -> None:
    """Raise DamageError unless the events are exactly those from first to last; a damaged page may also repeat one."""
    if [*log_seqs] != [*range(first, last + 1)]:
        missing = next((n for n, found in enumerate(log_seqs, first) if n != found), first + len(log_seqs))
        raise DamageError(missing, "the event is missing")


def _digest_or_nothing(command: CommandRow) -> bytes:
    try:
        return command_digest(*command)
    except (TypeError, AttributeError, struct.error):
        # A value of a kind or size that was never stored. No leaf was made with this digest, so the first event names
        # the damage.
        return b""


def _checked_seal(log_id: str, commit: Commit, seal_before: bytes, stored: bytes) -> bytes:
    try:
        seal = commit_seal(log_id, commit, seal_before)
    except (TypeError, struct.error) as error:
        raise DamageError(commit.last_log_seq, f"the commit holds what was never stored ({error})") from error
    if seal != stored:
        raise DamageError(commit.last_log_seq, "the commit, or the one before it, is not what its seal was made of")
    return seal

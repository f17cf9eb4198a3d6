"""Walk a SQLite log from its first event to its head, and stop at the first thing that is wrong.

Commit by commit: numbers and streams without gaps, times that never fall, epochs that rise, leaves, payloads that are
JSON, roots and seals. Nothing behind a damage can be trusted, so there the walk ends. It reads in pieces and holds no
transaction between them, so it may run beside the writer.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

_FORMAT = "1"
_REVISION = "0001"
_GUARDED = ("meta", "stream", "event_type", "event", "command", "commit", "epoch")
_GUARDS = {f"{table}_no_{action}" for table in _GUARDED for action in ("update", "delete")}

_PIECE_ROWS = 4096

_COMMANDS = """
    SELECT first_log_seq, command_seq, event_count, at_ns, type, version, actor, client_id, origin, body
    FROM command WHERE first_log_seq > ? AND first_log_seq <= ? ORDER BY first_log_seq LIMIT ?
"""
_EVENTS = """
    SELECT log_seq, stream_id, stream_version, type_id, version, payload, leaf
    FROM event WHERE log_seq > ? AND log_seq <= ? ORDER BY log_seq LIMIT ?
"""
_COMMITS = """
    SELECT last_log_seq, last_command_seq, at_ns, epoch, root, state_hash, seal
    FROM "commit" WHERE last_log_seq > ? AND last_log_seq <= ? ORDER BY last_log_seq LIMIT ?
"""

# The fixed-width front of everything that is hashed. The first byte is the kind: 0 leaf, 1 inner node, 2 command, 3
# epoch, 4 commit. The lengths of all texts but the last stand here, so no two rows give the same bytes.
_LEAF_FRONT = struct.Struct(">BQQIIII")
_COMMAND_FRONT = struct.Struct(">BQQIQIIIII")
_EPOCH_FRONT = struct.Struct(">BQQI")
_COMMIT_FRONT = struct.Struct(">BQQQQBI")
_EMPTY_ROOT = sha256().digest()

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file raises; the second when SQLite's own message quotes the damage."""

_Row = tuple[Any, ...]
"""As SQLite gave it: in a damaged file any column may hold anything."""


class Damage(Exception):
    """Ends the walk: what is wrong, and the first event that it concerns, 0 for the file as a whole."""

    def __init__(self, log_seq: int, what: str) -> None:
        super().__init__(log_seq, what)
        self.log_seq = log_seq
        self.what = what


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """How far the log is sound: the end of a commit."""

    log_seq: int = 0
    commands: int = 0
    commits: int = 0
    root: bytes = _EMPTY_ROOT


class _Tree:
    """The tree hash of RFC 9162: `_groups[k]` is the hash over 2**k leaves that wait for their twins, or empty."""

    def __init__(self) -> None:
        self._groups: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        group = leaf
        for level, waiting in enumerate(self._groups):
            if not waiting:
                self._groups[level] = group
                return
            group = sha256(b"\x01" + waiting + group).digest()
            self._groups[level] = b""
        self._groups.append(group)

    def root(self) -> bytes:
        right = b""
        for left in filter(None, self._groups):
            right = sha256(b"\x01" + left + right).digest() if right else left
        return right or _EMPTY_ROOT


class Walk:
    """Walks from the first event on; its numbers are those of the last row that was found good.

    `roots_at` has the recomputed roots at 0 and at those of the `anchors` that the walk has come to; `head` is the last
    commit's end, None until it is known.
    """

    def __init__(self, anchors: Collection[int], progress: Callable[[int, int], None] | None) -> None:
        self.log_id = b""
        self.head: int | None = None
        self.log_seq = 0
        self.good = Good()
        self._anchors = anchors
        self.roots_at = {0: _EMPTY_ROOT}
        self._progress = progress
        self._command_seq = 0
        self._at_ns = 0
        self._epoch = 0
        self._seal = bytes(32)
        self._tree = _Tree()
        self._stream_versions: dict[bytes, int] = {}
        self._epochs: list[_Row] = []
        self._streams: dict[int, bytes] = {}
        self._types: dict[int, bytes] = {}

    def run(self, connection: sqlite3.Connection) -> None:
        """Walk to the head of the moment of the call. Raises Damage at the first thing that is wrong."""
        connection.execute("PRAGMA cell_size_check = ON")
        head, last_row = self._look_around(connection)
        try:
            self._walk_to(head, connection)
        except (TypeError, AttributeError, struct.error) as error:
            raise Damage(self.log_seq + 1, f"a column holds what was never stored there ({error})") from error
        if last_row > head:
            raise Damage(head + 1, f"events or commands stand behind the last commit, which ends at {head}")
        _check_surroundings(connection)

    def _look_around(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """Read the small tables and where the others end, from one state of the file; the last commit's end and row."""
        connection.execute("BEGIN")
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        self._epochs = connection.execute("SELECT number, after_log_seq, seal FROM epoch ORDER BY number").fetchall()
        self._streams, self._types = _names(connection, "stream"), _names(connection, "event_type")
        head, last_event, last_command = connection.execute(
            """SELECT coalesce((SELECT max(last_log_seq) FROM "commit"), 0),
            coalesce((SELECT max(log_seq) FROM event), 0), coalesce((SELECT max(first_log_seq) FROM command), 0)"""
        ).fetchone()
        connection.execute("COMMIT")
        if revision != [(_REVISION,)] or meta.get("format") != _FORMAT:
            what = f"the schema is {revision}, the format {meta.get('format')!r}: damaged, or of another version"
            raise Damage(0, what)
        if not isinstance(meta.get("log_id"), str):
            raise Damage(0, "the log's id is missing")
        self.log_id, self.head = meta["log_id"].encode(), head
        return head, max(last_event, last_command)

    def _walk_to(self, head: int, connection: sqlite3.Connection) -> None:
        commands = _rows(connection, _COMMANDS, head)
        events = _rows(connection, _EVENTS, head)
        told = 0
        for commit in _rows(connection, _COMMITS, head):
            self._begin_epochs()
            first = self.log_seq + 1
            while self.log_seq < commit[0]:
                self._check_entry(next(commands, None), events, commit[0])
            self._check_commit(first, commit)
            if self._progress and (self.log_seq - told >= _PIECE_ROWS or self.log_seq == head):
                self._progress(self.log_seq, head)
                told = self.log_seq
        if self.log_seq != head:
            raise Damage(self.log_seq + 1, "the commit that covers it is missing")
        self._begin_epochs()
        if self._epochs:
            raise Damage(head + 1, f"epoch {self._epochs[0][0]} begins where no commit ends")

    def _begin_epochs(self) -> None:
        """Check the epochs that began where the walk stands, against the seal of the commit before them."""
        while self._epochs and self._epochs[0][1] == self.log_seq:
            number, after_log_seq, seal = self._epochs.pop(0)
            if number != self._epoch + 1:
                raise Damage(self.log_seq + 1, f"epoch {number} follows epoch {self._epoch}")
            front = _EPOCH_FRONT.pack(3, number, after_log_seq, len(self.log_id))
            if seal != sha256(front + self.log_id + self._seal).digest():
                what = f"the epoch {number} that begins here, or the log's id, is not what its seal was made of"
                raise Damage(self.log_seq + 1, what)
            self._epoch = number

    def _check_entry(self, command: _Row | None, events: Iterator[_Row], commit_end: int) -> None:
        expected = self.log_seq + 1
        if command is None or command[0] != expected:
            raise Damage(expected, "the command that covers it is missing")
        first, command_seq, event_count, at_ns, type_, version, actor, client_id, origin, body = command
        if command_seq != self._command_seq + 1:
            raise Damage(expected, f"its command has the number {command_seq} and follows {self._command_seq}")
        if not 1 <= event_count <= commit_end - self.log_seq:
            raise Damage(expected, f"its command counts {event_count} events, and its commit ends at {commit_end}")
        if at_ns < self._at_ns:
            raise Damage(expected, f"the time falls from {self._at_ns} to {at_ns}")
        texts = (type_.encode(), actor.encode(), client_id.encode(), origin.encode())
        front = _COMMAND_FRONT.pack(2, first, command_seq, event_count, at_ns, version, *map(len, texts))
        digest = sha256(b"".join((front, *texts, body))).digest()
        for log_seq in range(expected, expected + event_count):
            self._check_event(log_seq, next(events, None), digest)
        _check_json(expected, "body of its command", body)
        self._command_seq, self._at_ns = command_seq, at_ns

    def _check_event(self, expected: int, row: _Row | None, command: bytes) -> None:
        if row is None or row[0] != expected:
            raise Damage(expected, "the event is missing")
        log_seq, stream_id, stream_version, type_id, version, payload, stored_leaf = row
        stream, type_ = self._streams.get(stream_id), self._types.get(type_id)
        if stream is None or type_ is None:
            raise Damage(log_seq, f"its stream {stream_id} or its type {type_id} has no name")
        front = _LEAF_FRONT.pack(0, log_seq, stream_version, version, len(stream), len(type_), len(payload))
        leaf = sha256(front + command + stream + type_ + payload).digest()
        if leaf != stored_leaf:
            raise Damage(log_seq, "the event or its command is not what its leaf was made of")
        if stream_version != self._stream_versions.get(stream, 0) + 1:
            raise Damage(log_seq, f"its stream version {stream_version} does not follow the one before it")
        _check_json(log_seq, "payload", payload)
        self._stream_versions[stream] = stream_version
        self._tree.add(leaf)
        self.log_seq = log_seq
        if log_seq in self._anchors:
            self.roots_at[log_seq] = self._tree.root()

    def _check_commit(self, first: int, commit: _Row) -> None:
        last, last_command_seq, at_ns, epoch, root, state_hash, seal = commit
        which = f"the commit of {first} to {last}"
        if (last, last_command_seq, at_ns) != (self.log_seq, self._command_seq, self._at_ns):
            raise Damage(first, f"{which} is not that of its last command, {self._command_seq} at {self._at_ns}")
        if epoch != self._epoch:
            raise Damage(first, f"{which} is of epoch {epoch}, its writer of epoch {self._epoch}")
        if root != self._tree.root():
            raise Damage(first, f"{which} has another root than its events give")
        front = _COMMIT_FRONT.pack(4, last, last_command_seq, at_ns, epoch, state_hash is not None, len(self.log_id))
        if seal != sha256(b"".join((front, self.log_id, self._seal, root, state_hash or b""))).digest():
            raise Damage(first, f"{which}, or the one before it, is not what its seal was made of")
        self._seal = seal
        self.good = Good(log_seq=last, commands=last_command_seq, commits=self.good.commits + 1, root=root)


def _rows(connection: sqlite3.Connection, select: str, head: int) -> Iterator[_Row]:
    """All rows up to the head by rising key, which is their first column, read in pieces."""
    key, size = 0, _PIECE_ROWS
    while True:
        try:
            piece = connection.execute(select, (key, head, size)).fetchall()
        except UNREADABLE:
            # A piece fails whole. Smaller ones lead up to the very row that cannot be read.
            if size == 1:
                raise
            size //= 2
            continue
        if not piece:
            return
        yield from piece
        key = piece[-1][0]


def _names(connection: sqlite3.Connection, table: str) -> dict[int, bytes]:
    names = connection.execute(f"SELECT id, name FROM {table}")
    return {key: name.encode() for key, name in names if isinstance(name, str)}


def _check_json(log_seq: int, what: str, text: bytes) -> None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Damage(log_seq, f"the {what} is no JSON text in UTF-8: {error}") from error


def _check_surroundings(connection: sqlite3.Connection) -> None:
    """What no event shows: the indexes of the small tables, and the triggers that refuse changes."""
    for table in ("meta", "stream", "event_type"):
        problems = connection.execute(f"PRAGMA integrity_check({table})").fetchall()
        if problems != [("ok",)]:
            raise Damage(0, f"SQLite finds the table {table} damaged: {problems[0][0]!r}")
    triggers = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
    if missing := _GUARDS - triggers:
        raise Damage(0, f"the triggers that refuse changes are missing: {sorted(missing)}")

"""Open a SQLite log for writing: prove its shape, rebuild the Merkle tree, find where the next entry goes.

All leaves are read and must give the root of the last commit, so afterwards every event that agrees with its leaf is
the one that was written; `LogRows` holds each against its leaf when it is read. Hashing the events themselves is left
to that, and to `verify.py`.
"""

from __future__ import annotations

import sqlite3

from eventstore.merkle import Frontier
from eventstore.model import Commit, DamageError
from eventstore.numbering import Tip
from eventstore.sqlite_rows import LogRows, check_numbers, reading

PIECE_ROWS = 16384


def recovered_tip(connection: sqlite3.Connection, rows: LogRows) -> Tip:
    """The end of the log, with a new epoch that is yet to be recorded. Raises DamageError where it does not add up."""
    last, seal = rows.last_commit()
    tree, stream_versions = _read_events(connection, last.last_log_seq if last else 0)
    _check_nothing_behind(connection, last)
    if last is not None:
        _check_last_command(connection, last)
        if tree.root() != last.root:
            raise _first_wrong_root(connection, rows, last)
    return Tip(
        log_id=rows.log_id,
        epoch=rows.epoch() + 1,
        last=last,
        seal=seal,
        tree=tree,
        stream_versions={
            _stream_name(connection, rows, stream_id): version for stream_id, version in stream_versions.items()
        },
    )


def _read_events(connection: sqlite3.Connection, last_log_seq: int) -> tuple[Frontier, dict[int, int]]:
    """The tree over all leaves, and the last version of each stream by the stream's id."""
    tree = Frontier()
    stream_versions: dict[int, int] = {}
    while tree.size < last_log_seq:
        with reading(tree.size + 1):
            piece = connection.execute(
                "SELECT log_seq, stream_id, stream_version, leaf FROM event WHERE log_seq > ? ORDER BY log_seq LIMIT ?",
                (tree.size, min(PIECE_ROWS, last_log_seq - tree.size)),
            ).fetchall()
        log_seqs, stream_ids, versions, leaves = zip(*piece, strict=True) if piece else ((), (), (), ())
        check_numbers(log_seqs, tree.size + 1, min(tree.size + PIECE_ROWS, last_log_seq))
        try:
            tree.extend(leaves)
        except TypeError as error:
            raise DamageError(log_seqs[0], f"a leaf from here on is no bytes ({error})") from error
        stream_versions.update(zip(stream_ids, versions, strict=True))
    return tree, stream_versions


def _check_nothing_behind(connection: sqlite3.Connection, last: Commit | None) -> None:
    end = last.last_log_seq if last else 0
    with reading(end + 1):
        event, command = connection.execute(
            "SELECT (SELECT max(log_seq) FROM event), (SELECT max(first_log_seq) FROM command)"
        ).fetchone()
    if (event or 0) > end or (command or 0) > end:
        raise DamageError(end + 1, f"events or commands stand behind the last commit, which ends at {end}")


def _check_last_command(connection: sqlite3.Connection, last: Commit) -> None:
    with reading(last.last_log_seq):
        row = connection.execute(
            "SELECT first_log_seq + event_count - 1, command_seq, at_ns FROM command"
            " ORDER BY first_log_seq DESC LIMIT 1"
        ).fetchone()
    if row != (last.last_log_seq, last.last_command_seq, last.at_ns):
        raise DamageError(last.last_log_seq, f"the last command {row} does not agree with the last commit")


def _first_wrong_root(connection: sqlite3.Connection, rows: LogRows, last: Commit) -> DamageError:
    """Names the first commit whose root its leaves do not give. Which of its leaves was changed they cannot tell."""
    tree = Frontier()
    leaves = connection.execute("SELECT leaf FROM event ORDER BY log_seq")
    for commit in rows.commits(0, None, last.last_log_seq):
        begin = tree.size + 1
        tree.extend(leaf for (leaf,) in leaves.fetchmany(commit.last_log_seq - tree.size))
        if tree.root() != commit.root:
            return DamageError(
                begin, f"the leaves up to {commit.last_log_seq} do not give that commit's root; verify the log"
            )
    raise AssertionError("the last root was found wrong a moment ago")


def _stream_name(connection: sqlite3.Connection, rows: LogRows, stream_id: int) -> str:
    name = rows.streams.get(stream_id)
    if not isinstance(name, str):
        (first,) = connection.execute("SELECT min(log_seq) FROM event WHERE stream_id = ?", (stream_id,)).fetchone()
        raise DamageError(first, f"its stream {stream_id} has no name")
    return name

"""An acknowledged entry survives (law 7): kill -9, a full disk and a failing fsync, each with a real process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from eventstore.model import NewEntry, NewEvent, RecordedEntry
from eventstore.sqlite import SqliteStore
from eventstore.verify import verify
from tests.eventstore.log_builders import numbered_entry

PROGRAM = Path(__file__).with_name("append_until_stopped.py")


@contextmanager
def appending(
    path: Path, *, batch: int = 1, file_bytes_max: int = 0, under: list[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The appending process, killed at the end if it still runs."""
    command = [*(under or []), sys.executable, str(PROGRAM), str(path), str(batch), str(file_bytes_max)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> list[str]:
    """What the process says until it ends by itself."""
    assert process.stdout is not None
    return process.stdout.read().splitlines()


def assert_prefix_with(path: Path, durable: int) -> None:
    """The reopened log is sound, is a prefix of what was appended, and has everything up to `durable`."""
    with closing(SqliteStore(path)) as store:
        recorded = list(store.read())
        assert store.head.log_seq >= durable
    assert [as_appended(e) for e in recorded] == [numbered_entry(n) for n in range(1, len(recorded) + 1)]
    assert verify(path).ok


def as_appended(recorded: RecordedEntry) -> NewEntry:
    return NewEntry(
        at_ns=recorded.at_ns,
        type=recorded.type,
        version=recorded.version,
        actor=recorded.actor,
        client_id=recorded.client_id,
        origin=recorded.origin,
        body=recorded.body,
        events=tuple(
            NewEvent(stream=e.stream, type=e.type, version=e.version, payload=e.payload) for e in recorded.events
        ),
    )


def last_durable(lines: list[str]) -> int:
    return max(int(line.split()[1]) for line in lines if line.startswith("durable"))


def test_kill_9_keeps_everything_that_was_acknowledged(tmp_path: Path) -> None:
    """Six lives of one log, each killed in the middle of appending; among them many moves of the WAL."""
    path = tmp_path / "log.db"
    for acknowledged in (1, 40, 97, 150, 211, 300):
        with appending(path) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(acknowledged)]
            process.kill()
            lines += [line for line in process.stdout if line.endswith("\n")]
        assert_prefix_with(path, last_durable(lines))


def test_a_full_disk_in_a_commit_is_an_unknown_outcome(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with appending(path, file_bytes_max=600_000) as process:
        *lines, error, afterwards = told(process)
    assert (error, afterwards) == ("OutcomeUnknownError", "StoreClosedError")
    assert_prefix_with(path, last_durable(lines))


def test_a_full_disk_before_the_commit_is_a_failed_append(tmp_path: Path) -> None:
    """A batch larger than SQLite's cache spills to the disk while it is inserted: nothing of it was committed."""
    path = tmp_path / "log.db"
    with closing(SqliteStore(path)) as store:
        durable = store.append([numbered_entry(n) for n in range(1, 10)]).log_seq
    with appending(path, batch=30_000, file_bytes_max=2_000_000) as process:
        assert told(process) == ["AppendFailedError", "StoreClosedError"]
    with closing(SqliteStore(path)) as store:
        assert store.head.log_seq == durable
    assert_prefix_with(path, durable)


def test_a_full_disk_while_the_wal_is_moved_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with appending(path, batch=2_000, file_bytes_max=3_000_000) as process:
        *lines, error, afterwards = told(process)
    assert (error, afterwards) == ("StoreError", "StoreClosedError")
    assert_prefix_with(path, last_durable(lines))


def strace_can_inject() -> bool:
    if shutil.which("strace") is None:
        return False
    probe = [
        "strace",
        "-f",
        "-qq",
        "-o",
        os.devnull,
        "-e",
        "inject=fdatasync:error=EIO:when=1+",
        sys.executable,
        "-c",
        "",
    ]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not strace_can_inject(), reason="needs strace, and leave to trace, to let fdatasync fail")
def test_a_failing_fsync_is_an_unknown_outcome_and_is_not_tried_again(tmp_path: Path) -> None:
    """Only one fdatasync fails; a second COMMIT would succeed for data that the kernel may have dropped."""
    path = tmp_path / "log.db"
    SqliteStore(path).close()
    trace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "inject=fdatasync:error=EIO:when=30"]
    with appending(path, under=trace) as process:
        *lines, error, afterwards = told(process)
    assert (error, afterwards) == ("OutcomeUnknownError", "StoreClosedError")
    assert_prefix_with(path, last_durable(lines))

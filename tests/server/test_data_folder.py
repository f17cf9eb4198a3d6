"""Who owns a data folder, and how others find the server that does."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fcntl import LOCK_SH, flock
from pathlib import Path

import pytest

from exchange.server.data_folder import DataFolder, FolderError, FolderLockedError, ServerInfo

SERVER = ServerInfo(
    pid=4242,
    host="127.0.0.1",
    port=8000,
    scheme="http",
    started_at=datetime(2026, 10, 6, 14, 30, tzinfo=UTC),
    log_id="L1",
)

SERVE_AND_WAIT = """
import sys
from datetime import UTC, datetime
from exchange.server.data_folder import DataFolder, ServerInfo
folder = DataFolder(sys.argv[1])
with folder.lock():
    start = datetime.now(UTC)
    folder.publish(ServerInfo(pid=1, host="127.0.0.1", port=8000, scheme="http", started_at=start, log_id="L1"))
    print("published", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


@contextmanager
def other_process(folder: DataFolder) -> Iterator[subprocess.Popen[str]]:
    """A process that serves from the folder, until it is killed or the block ends."""
    command = [sys.executable, "-c", SERVE_AND_WAIT, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "published\n"
        yield process
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_naming_a_folder_does_not_make_it(folder: DataFolder) -> None:
    """A mistyped --data of a reading command leaves nothing behind."""
    assert folder.running() is None
    assert not folder.path.exists()


def test_a_new_folder_is_its_owners_alone(folder: DataFolder) -> None:
    folder.create()
    assert mode(folder.path) == 0o700


def test_an_existing_folder_keeps_its_mode(folder: DataFolder) -> None:
    folder.path.mkdir(mode=0o750)
    before = mode(folder.path)
    folder.create()
    assert mode(folder.path) == before


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(FolderError, match=r"cannot make the data folder .*data"):
        DataFolder(tmp_path / "data").create()


def test_a_locked_folder_is_refused_to_the_next_one(folder: DataFolder) -> None:
    with (
        folder.lock(),
        pytest.raises(
            FolderLockedError, match="a command that is still writing, or a server that is starting"
        ) as refused,
        DataFolder(folder.path).lock(),
    ):
        pass
    assert refused.value.server is None


def test_the_refusal_names_the_running_server(folder: DataFolder) -> None:
    with folder.lock():
        folder.publish(SERVER)
        with (
            pytest.raises(FolderLockedError, match=r"http://127\.0\.0\.1:8000 \(process 4242, started 2026") as refused,
            DataFolder(folder.path).lock(),
        ):
            pass
    assert refused.value.server == SERVER


def test_a_lock_ends_with_its_block_even_by_an_error(folder: DataFolder) -> None:
    with pytest.raises(ZeroDivisionError), folder.lock():
        raise ZeroDivisionError
    with folder.lock():
        assert folder.lock_file.exists()


def test_a_look_at_the_lock_does_not_stop_a_start(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """`running` of another process holds the lock for a moment; a starting server waits that moment out."""
    folder.create()
    looking = os.open(folder.lock_file, os.O_RDWR | os.O_CREAT)
    flock(looking, LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _seconds: os.close(looking))
    with folder.lock():
        folder.publish(SERVER)
        assert folder.running() == SERVER


def test_two_looks_at_once_are_no_server(folder: DataFolder) -> None:
    with folder.lock():
        pass
    folder.server_json.write_text("{}")
    looking = os.open(folder.lock_file, os.O_RDONLY)
    flock(looking, LOCK_SH)
    assert folder.running() is None
    os.close(looking)


def test_a_published_server_is_found_until_it_withdraws(folder: DataFolder) -> None:
    reader = DataFolder(folder.path)
    with folder.lock():
        assert reader.running() is None
        folder.publish(SERVER)
        assert reader.running() == SERVER
        folder.withdraw()
        assert reader.running() is None
        assert not folder.admin_token.exists()


def test_the_end_of_the_lock_withdraws(folder: DataFolder) -> None:
    with folder.lock():
        folder.publish(SERVER)
    assert not folder.server_json.exists()
    assert not folder.admin_token.exists()


def test_server_json_is_plain_json(folder: DataFolder) -> None:
    with folder.lock():
        folder.publish(SERVER)
        assert json.loads(folder.server_json.read_bytes()) == {
            "pid": 4242,
            "host": "127.0.0.1",
            "port": 8000,
            "scheme": "http",
            "started_at": "2026-10-06T14:30:00Z",
            "log_id": "L1",
        }


def test_what_is_published_is_its_owners_alone_from_the_first_moment(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a killed server left a half-written file of a wider mode."""
    folder.create()
    (folder.path / "admin.token.new").touch(mode=0o666)
    modes_at_birth = []
    real_open = os.open

    def watched_open(path: str, flags: int, mode_wanted: int = 0o777, **rest: int) -> int:
        descriptor = real_open(path, flags, mode_wanted, **rest)
        modes_at_birth.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    former_umask = os.umask(0)
    try:
        with folder.lock():
            monkeypatch.setattr(os, "open", watched_open)
            folder.publish(SERVER)
            monkeypatch.undo()
            assert modes_at_birth == [0o600, 0o600]
            assert mode(folder.server_json) == mode(folder.admin_token) == mode(folder.lock_file) == 0o600
    finally:
        os.umask(former_umask)


def test_each_start_has_a_token_of_its_own(folder: DataFolder) -> None:
    with folder.lock():
        folder.publish(SERVER)
        first = folder.read_admin_token()
        folder.publish(SERVER)
        second = folder.read_admin_token()
    assert len(first) == len(second) == 43
    assert first != second


def test_without_a_server_there_is_no_admin_token(folder: DataFolder) -> None:
    folder.create()
    with pytest.raises(FolderError, match="no server runs on this folder"):
        folder.read_admin_token()


def test_a_spoilt_server_json_is_named(folder: DataFolder) -> None:
    with folder.lock():
        folder.server_json.write_text('{"pid": "x"}')
        with pytest.raises(FolderError, match=r"server\.json is not what a server writes .*pid"):
            folder.running()


def test_publishing_without_the_lock_is_a_bug(folder: DataFolder) -> None:
    with pytest.raises(AssertionError, match="is not locked"):
        folder.publish(SERVER)
    with pytest.raises(AssertionError, match="is not locked"):
        folder.withdraw()


def test_a_killed_server_is_not_alive_and_the_next_one_clears_up(folder: DataFolder) -> None:
    """kill -9 leaves server.json behind; the lock went with the process."""
    with other_process(folder) as process:
        found = folder.running()
        assert found is not None
        assert found.pid == 1
        with pytest.raises(FolderLockedError), folder.lock():
            pass
        process.kill()
        process.wait()
        assert folder.server_json.exists()
        assert folder.running() is None
        with folder.lock():
            # A command that writes now must not make the dead server look alive.
            assert DataFolder(folder.path).running() is None
            assert not folder.admin_token.exists()


@pytest.mark.parametrize(
    ("host", "scheme", "url"),
    [
        ("127.0.0.1", "http", "http://127.0.0.1:8000"),
        ("0.0.0.0", "https", "https://127.0.0.1:8000"),
        ("::", "http", "http://[::1]:8000"),
        ("fe80::1", "http", "http://[fe80::1]:8000"),
        ("exchange.example", "http", "http://exchange.example:8000"),
    ],
)
def test_the_url_is_one_to_connect_to(host: str, scheme: str, url: str) -> None:
    server = ServerInfo(
        pid=1, host=host, port=8000, scheme=scheme, started_at=datetime(2026, 1, 1, tzinfo=UTC), log_id="L1"
    )
    assert server.url == url

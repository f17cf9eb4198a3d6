"""`exchange doctor`: each thing that can be wrong is found, and said with what to do."""

from __future__ import annotations

import json
import resource
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.cli import checks, log_checks
from exchange.cli.checks import Finding, Level
from exchange.server.data_folder import DataFolder
from tests.cli.harness import HEAD, START_NS, invoke
from tests.eventstore.tampering import flip


@pytest.fixture(autouse=True)
def _roomy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs between machines, and a clock behind the history."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_000_000, 1_000_000))
    monkeypatch.setattr("exchange.cli.checks.time.time_ns", lambda: START_NS + 10**12)
    set_free_space(monkeypatch, 10 * 2**30)


def set_free_space(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))


@pytest.fixture
def port() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def findings(data: Path, *arguments: object, status: int = 0) -> dict[str, Finding]:
    result = invoke("doctor", "--data", data, "--port", 0, *arguments, "--json")
    assert result.exit_code == status, result.output
    found = json.loads(result.stdout)["findings"]
    return {each["subject"]: Finding(Level(each.pop("level")), **each) for each in found}


def test_a_good_folder_on_a_good_machine(data: Path) -> None:
    data.chmod(0o700)
    found = findings(data)
    assert {finding.level for finding in found.values()} == {Level.OK}
    assert list(found) == [
        *("python", "sqlite", "folder", "server", "port", "disk", "open files", "log", "clock", "users")
    ]
    assert f"log_seq {HEAD}" in found["log"].what


def test_the_text_has_a_line_for_each_check_and_what_to_do(data: Path) -> None:
    data.chmod(0o755)
    result = invoke("doctor", "--data", data, "--port", 0)
    assert result.exit_code == 0
    assert f"warn  folder      {data} is open to other users" in result.stdout
    assert f"do: chmod 700 {data}" in result.stdout
    assert "ok    python" in result.stdout


def test_a_folder_that_is_not_there_yet_is_no_failure(tmp_path: Path) -> None:
    found = findings(tmp_path / "none")
    assert (found["folder"].level, found["log"].level) == (Level.WARN, Level.OK)
    assert not (tmp_path / "none").exists()


def test_a_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert findings(tmp_path / "file", status=1)["folder"].level is Level.FAIL


def test_a_folder_below_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in findings(tmp_path / "file" / "data", status=1)["folder"].what


def test_a_folder_that_cannot_be_written_to_fails(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.cli.checks.os.access", lambda *_: False)
    assert "run this as the owner" in findings(data, status=1)["folder"].todo


def test_password_hashes_that_others_can_read_are_told(data: Path) -> None:
    DataFolder(data).users_db.chmod(0o644)
    assert findings(data)["files"].todo == f"chmod 600 {DataFolder(data).users_db}"


def test_what_a_killed_server_left_behind_is_explained(data: Path) -> None:
    DataFolder(data).server_json.write_text("{}")
    assert "was left by one that was killed" in findings(data)["server"].what


def test_a_folder_that_a_command_writes_to_is_told(data: Path) -> None:
    with DataFolder(data).lock():
        assert "another command writes to this folder" in findings(data)["server"].what


def test_a_server_json_that_is_none_fails(data: Path) -> None:
    with DataFolder(data).lock():
        DataFolder(data).server_json.write_text("{}")
        assert "stop the server and start it again" in findings(data, status=1)["server"].what


def test_a_port_in_use_fails(data: Path, port: int) -> None:
    found = findings(data, "--port", port, status=1)
    assert f"cannot listen on 127.0.0.1 port {port}" in found["port"].what


def test_an_address_that_is_not_ours_fails(data: Path) -> None:
    assert findings(data, "--host", "203.0.113.1", status=1)["port"].level is Level.FAIL


@pytest.mark.parametrize(("free", "level"), [(50 * 2**20, Level.FAIL), (500 * 2**20, Level.WARN)])
def test_a_full_disk_is_seen_before_it_is_full(
    data: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level
) -> None:
    set_free_space(monkeypatch, free)
    assert findings(data, status=int(level is Level.FAIL))["disk"].level is level


def test_too_few_open_files_are_told_with_the_connections_they_allow(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    found = findings(data)["open files"]
    assert (found.level, "about 960 connections" in found.what) == (Level.WARN, True)


def test_unlimited_open_files_are_enough(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert findings(data)["open files"].what == "unlimited"


@pytest.mark.parametrize(("now_ns", "level", "status"), [(START_NS, Level.WARN, 0), (10**9, Level.FAIL, 1)])
def test_a_clock_that_cannot_be_right_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, now_ns: int, level: Level, status: int
) -> None:
    monkeypatch.setattr("exchange.cli.checks.time.time_ns", lambda: now_ns)
    assert findings(data, status=status)["clock"].level is level


def test_damage_in_the_log_fails_with_its_place(data: Path) -> None:
    flip(DataFolder(data).log_db, "event", "payload", "log_seq = 9")
    found = findings(data, status=1)["log"]
    assert "damaged at log_seq 9" in found.what
    assert "exchange log verify" in found.todo


def test_a_file_that_is_no_log_fails(data: Path) -> None:
    DataFolder(data).log_db.write_bytes(b"not a database, but long enough to look at")
    assert findings(data, status=1)["log"].level is Level.FAIL


def test_users_that_cannot_be_read_fail(data: Path) -> None:
    DataFolder(data).users_db.write_bytes(b"not a database, but long enough to look at")
    assert findings(data, status=1)["users"].level is Level.FAIL


def test_a_user_without_an_account_in_the_log_is_told(data: Path, tmp_path: Path) -> None:
    """As after a crash between the two databases, or with a users.db that belongs to another log."""
    other = tmp_path / "other"
    assert invoke("user", "add", "carol", "--password", "pw", "--data", other).exit_code == 0
    shutil.copy(DataFolder(other).users_db, DataFolder(data).users_db)
    found = findings(data)["users"]
    assert (found.level, found.what.startswith("carol has the account")) == (Level.WARN, True)


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [("PYTHON_MIN", (4, 0), checks.check_python), ("SQLITE_MIN", (4, 0, 0), checks.check_sqlite)],
)
def test_what_is_too_old_fails(monkeypatch: pytest.MonkeyPatch, name: str, value: Any, check: Any) -> None:
    monkeypatch.setattr(checks, name, value)
    assert check().level is Level.FAIL


def test_the_failed_checks_are_counted(data: Path, port: int) -> None:
    result = invoke("doctor", "--data", data, "--port", port)
    assert result.exit_code == 1
    assert "1 of 10 checks failed" in result.stderr
    assert log_checks.VERIFY not in result.stdout

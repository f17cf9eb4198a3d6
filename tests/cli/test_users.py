"""`exchange user` and `exchange deposit` while no server runs."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import termios
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange.cli import operations
from exchange.server.data_folder import DataFolder, FolderLockedError
from exchange.server.identity.auth import Users
from exchange.server.identity.users import User
from tests.cli.harness import CHECKOUT, HEAD, PROGRAM, document, invoke
from tests.eventstore.tampering import flip
from tests.support.users import run_with_users


def logged_in(data: Path, name: str, password: str) -> User | None:
    async def verify(users: Users) -> User | None:
        return await users.verify(name, password)

    return run_with_users(DataFolder(data).users_db, verify)


def balances(data: Path) -> dict[str, int]:
    return {each["user"]: each["balance"] for each in document("state", "--data", data)["accounts"]}


def test_the_first_user_makes_the_exchange(tmp_path: Path) -> None:
    data = tmp_path / "new"
    result = invoke("user", "add", "alice", "--password", "pw", "--deposit", "1000.5", "--data", data)
    assert result.exit_code == 0
    assert f"making a new exchange in {data}" in result.stderr
    assert balances(data) == {"alice": 1_000_500_000}
    assert logged_in(data, "alice", "pw") is not None
    assert logged_in(data, "alice", "PW") is None


def test_a_user_without_a_deposit_has_an_account(data: Path) -> None:
    added = document("user", "add", "carol", "--password", "pw", "--data", data)
    assert added == {"name": "carol", "account_id": added["account_id"], "log_seq": HEAD + 1, "deposit": "0"}
    assert balances(data)["carol"] == 0


def test_deposits_add_up_and_are_durable(data: Path) -> None:
    before = balances(data)["bob"]
    paid = document("deposit", "bob", "0.25", "--data", data)
    assert paid == {"name": "bob", "account_id": "A2", "log_seq": HEAD + 1, "deposit": "0.25"}
    assert "paid 1 yuan to bob, account A2; log_seq 15" in invoke("deposit", "bob", "1", "--data", data).stdout
    assert balances(data)["bob"] == before + 1_250_000
    assert document("replay", "--verify", "--data", data)["ok"] is True


def test_what_was_done_offline_says_so_in_the_log(data: Path) -> None:
    document("deposit", "bob", "1", "--data", data)
    [entry] = document("log", "show", HEAD + 1, "--data", data)["entries"]
    assert (entry["actor"], entry["origin"], entry["command"]) == ("operator", "offline", "Deposit")


def test_a_name_that_is_taken_is_refused(data: Path) -> None:
    result = invoke("user", "add", "alice", "--password", "pw", "--data", data)
    assert result.exit_code == 3
    assert "there is a user 'alice' already" in result.stderr
    assert document("log", "stats", "--data", data)["log_seq"] == HEAD


def test_the_exchanges_refusal_is_told_in_the_language_asked_for(data: Path) -> None:
    chinese = invoke("deposit", "alice", "0", "--lang", "zh", "--data", data)
    english = invoke("deposit", "alice", "1000000000000", "--data", data)
    assert (chinese.exit_code, english.exit_code) == (3, 3)
    assert "金额 0 无效" in chinese.stderr
    assert "The amount 1000000000000 must be above 0 and at most 999999000000" in english.stderr
    assert document("log", "stats", "--data", data)["log_seq"] == HEAD + 2


def test_a_deposit_for_nobody_is_refused(data: Path) -> None:
    result = invoke("deposit", "nobody", "1", "--data", data)
    assert result.exit_code == 3
    assert "there is no user 'nobody'" in result.stderr


@pytest.mark.parametrize("command", [("deposit", "alice", "1"), ("user", "list"), ("user", "password", "alice")])
def test_a_mistyped_folder_does_not_become_an_exchange(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = invoke(*command, "--data", tmp_path / "mistyped", EXCHANGE_PASSWORD="pw")
    assert result.exit_code == 1
    assert "there are no users in" in result.stderr
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "a" * 65, "ｗide"])
def test_a_name_that_cannot_be_is_a_usage_error(data: Path, name: str) -> None:
    result = invoke("user", "add", "--password", "pw", "--data", data, "--", name)
    assert result.exit_code == 2
    assert document("log", "stats", "--data", data)["log_seq"] == HEAD


@pytest.mark.parametrize("password", ["", "x" * 1025])
def test_a_password_that_cannot_be_is_a_usage_error_without_a_word_of_it(data: Path, password: str) -> None:
    result = invoke("user", "add", "carol", "--password", password, "--data", data)
    assert result.exit_code == 2
    assert "xxx" not in result.output


def test_another_password_takes_the_place_of_the_former(data: Path) -> None:
    assert invoke("user", "password", "alice", "--password", "new", "--data", data).exit_code == 0
    assert logged_in(data, "alice", "alice") is None
    assert logged_in(data, "alice", "new") is not None
    assert invoke("user", "password", "nobody", "--password", "new", "--data", data).exit_code == 3


def test_a_password_comes_from_the_environment_or_standard_input(data: Path) -> None:
    assert invoke("user", "password", "alice", "--data", data, EXCHANGE_PASSWORD="from-env").exit_code == 0
    assert logged_in(data, "alice", "from-env") is not None
    piped = invoke("user", "password", "alice", "--password-stdin", "--data", data, stdin="from stdin \nnot this\n")
    assert piped.exit_code == 0
    assert logged_in(data, "alice", "from stdin ") is not None


def test_without_a_terminal_and_a_password_the_ways_to_give_one_are_told(data: Path) -> None:
    result = invoke("user", "add", "carol", "--data", data)
    assert result.exit_code == 2
    assert "--password-stdin" in result.stderr


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(data: Path) -> None:
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "user", "password", "alice", "--data", str(data)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=CHECKOUT,
        # A session of its own with this terminal, as a shell gives it: the prompt opens /dev/tty.
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),
    )
    with process:
        os.close(terminal)
        shown = read_until(main, b"alice: ")
        os.write(main, b"typed\n")
        shown += read_until(main, b": ")
        os.write(main, b"typed\n")
        shown += read_until(main, b"alice has another password")
        assert process.wait(60) == 0
    os.close(main)
    assert b"typed" not in shown
    assert logged_in(data, "alice", "typed") is not None


def read_until(terminal: int, end: bytes) -> bytes:
    shown = b""
    while end not in shown:
        shown += os.read(terminal, 1024)
    return shown


def test_list_shows_names_and_accounts(data: Path) -> None:
    users = document("user", "list", "--data", data)["users"]
    assert [(each["name"], each["account_id"], each["role"]) for each in users] == [
        ("alice", "A1", "trader"),
        ("bob", "A2", "trader"),
    ]
    assert "password" not in json.dumps(users)
    shown = invoke("user", "list", "--data", data).stdout
    assert "alice  A1" in shown.replace("   ", "  ")


def test_a_users_name_is_no_markup(data: Path) -> None:
    assert invoke("user", "add", "red.bold", "--password", "pw", "--data", data).exit_code == 0
    assert "red.bold" in invoke("user", "list", "--data", data).stdout


def test_users_that_cannot_be_read_are_told(data: Path) -> None:
    DataFolder(data).users_db.write_bytes(b"not a database, but long enough to look at")
    for command in (("user", "list"), ("deposit", "alice", "1")):
        result = invoke(*command, "--data", data)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: ")


def test_a_folder_that_another_command_holds_is_waited_for_and_then_given_up(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "OWNER_WAIT_S", 0.0)
    with DataFolder(data).lock():
        result = invoke("deposit", "alice", "1", "--data", data)
    assert result.exit_code == 4
    assert "is in use by a command that is still writing" in result.stderr
    assert document("log", "stats", "--data", data)["log_seq"] == HEAD


def test_what_a_killed_server_left_behind_is_no_server(data: Path) -> None:
    folder = DataFolder(data)
    folder.server_json.write_text(
        '{"pid":1,"host":"127.0.0.1","port":9,"scheme":"http","started_at":"2026-01-01T00:00:00Z","log_id":"x"}'
    )
    folder.admin_token.write_text("stale")
    assert invoke("deposit", "alice", "1", "--data", data).exit_code == 0
    assert not folder.server_json.exists()


def test_damage_in_the_log_stops_a_deposit(data: Path) -> None:
    flip(DataFolder(data).log_db, "event", "payload", "log_seq = 9")
    result = invoke("deposit", "alice", "1", "--data", data)
    assert result.exit_code == 1
    assert "damaged at log_seq 9" in result.stderr


def test_ctrl_c_on_the_way_leaves_the_outcome_unknown(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(work: Coroutine[Any, Any, object]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("exchange.cli.operations.asyncio.run", interrupted)
    result = invoke("deposit", "alice", "1", "--data", data)
    assert result.exit_code == 70
    assert "Look before you try again" in result.stderr


def test_a_folder_that_is_free_again_in_time_is_worked_on(data: Path) -> None:
    folder = DataFolder(data)
    tries: list[operations.Operations] = []

    def work(exchange: operations.Operations) -> int:
        tries.append(exchange)
        if len(tries) < 3:
            raise FolderLockedError(folder.path, None)
        return exchange.deposit("alice", Decimal(1)).log_seq

    assert operations.operate(folder, "en", work) == HEAD + 1
    assert len(tries) == 3

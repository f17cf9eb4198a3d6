"""The command line beside a running server: real processes, real sockets.

Commands that a running server carries out, or that only read, are called in this process; they need no event loop.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from decimal import Decimal
from pathlib import Path

import pytest

from exchange.cli import operations
from exchange.cli.errors import NotReachableError
from exchange.cli.server_client import Address, ServerClient
from exchange.domain.values import YUAN
from exchange.server.data_folder import DataFolder
from tests.cli.harness import CHECKOUT, DEADLINE_S, HEAD, PROGRAM, document, invoke, run
from tests.support.certificates import self_signed
from tests.support.diff_client import DiffClient
from tests.support.exchange_process import serving, with_file_size


async def command(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Run `exchange` in a process of its own: (exit status, standard output, standard error)."""
    done = await asyncio.to_thread(run, *arguments, **environment)
    return done.returncode, done.stdout, done.stderr


async def test_a_script_that_starts_a_server_adds_a_user_and_checks_the_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with serving(data) as server:
        facts = server.facts
        status, output, _ = await command(
            *("user", "add", "alice", "--password", "pw", "--deposit", "1000", "--data", data, "--json")
        )
        added = json.loads(output)
        assert (status, added["name"], added["log_seq"]) == (0, "alice", facts["log_seq"] + 2)
        status, output, _ = await command("deposit", "alice", "0.5", "--data", data)
        assert (status, f"log_seq {facts['log_seq'] + 3}" in output) == (0, True)
        status, _, _ = await command("log", "verify", "--data", data)
        assert status == 0
        server.signal(signal.SIGINT)
        assert await server.ended() == 0
        assert server.lines[-1] == '{"event":"stopped","status":0}'
    accounts = document("state", "--data", data)["accounts"]
    assert [(each["user"], each["balance"]) for each in accounts] == [("alice", 1000 * YUAN + YUAN // 2)]
    [entry] = document("log", "show", facts["log_seq"] + 3, "--data", data)["entries"]
    assert entry["origin"] == "operator"


async def test_ready_tells_a_script_all_it_needs(data: Path) -> None:
    async with serving(data, "--durability", "os") as server:
        facts = server.facts
        assert facts["event"] == "ready"
        assert facts["url"] == f"http://127.0.0.1:{facts['port']}"
        assert facts["websocket"] == f"ws://127.0.0.1:{facts['port']}/ws"
        assert (facts["recovered"], facts["data"], facts["durability"]) == (HEAD, str(data), "os")
        assert facts["log_seq"] > HEAD, "the contracts of the packaged market are listed at the first start"
        assert facts["epoch"] == 2
        assert facts["warnings"] == ["unsafe: durability is 'os', a power cut loses acknowledged orders"]
        running = DataFolder(data).running()
        assert running is not None
        assert (running.pid, running.log_id) == (facts["pid"], facts["log_id"])


async def test_the_server_refuses_as_the_folder_does(data: Path) -> None:
    async with serving(data):
        taken = invoke("user", "add", "alice", "--password", "pw", "--data", data)
        assert (taken.exit_code, "there is a user 'alice' already" in taken.stderr) == (3, True)
        unknown = invoke("deposit", "nobody", "1", "--data", data)
        assert (unknown.exit_code, "there is no user 'nobody'" in unknown.stderr) == (3, True)
        nothing = invoke("deposit", "alice", "0", "--data", data, EXCHANGE_LANGUAGE="zh")
        assert (nothing.exit_code, "金额 0 无效" in nothing.stderr) == (3, True)


async def test_a_password_that_was_changed_beside_the_server_logs_in(data: Path) -> None:
    async with serving(data) as server:
        assert invoke("user", "password", "alice", "--password", "new", "--data", data).exit_code == 0
        async with DiffClient.connect(server.url) as client:
            mirror = await client.login("alice", "new")
            assert mirror.account["deposit"] == 1_000_000


async def test_a_second_server_on_the_folder_is_told_of_the_first(data: Path) -> None:
    async with serving(data) as server:
        status, output, error = await command("serve", "--port", "0", "--data", data)
        assert (status, output) == (1, "")
        assert f"is in use by the server at {server.facts['url']} (process {server.facts['pid']}" in error
        assert "Traceback" not in error


async def test_reading_commands_work_beside_the_server(data: Path) -> None:
    async with serving(data):
        for arguments in (("log", "tail"), ("log", "stats"), ("replay", "--verify"), ("state",), ("user", "list")):
            result = invoke(*arguments, "--data", data)
            assert (result.exit_code, bool(result.stdout)) == (0, True), result.stderr
        assert "runs on this folder" in invoke("doctor", "--port", "0", "--data", data).stdout


async def test_after_kill_9_commands_work_on_the_folder_again(data: Path) -> None:
    async with serving(data) as server:
        server.signal(signal.SIGKILL)
        assert await server.ended() == -signal.SIGKILL
    folder = DataFolder(data)
    assert folder.server_json.exists()
    status, _, error = await command("deposit", "alice", "1", "--data", data)
    assert (status, error) == (0, "")
    async with serving(data) as server:
        assert server.facts["recovered"] > HEAD


async def test_a_server_that_stopped_between_looking_and_asking_was_not_reached(data: Path) -> None:
    async with serving(data):
        folder = DataFolder(data)
        server, token = folder.running(), folder.read_admin_token()
        assert server is not None
    with pytest.raises(NotReachableError):
        operations.ThroughServer(ServerClient(Address.of(server), token, "en")).add_user("carol", "pw", Decimal(0))
    status, _, _ = await command("user", "add", "carol", "--password", "pw", "--data", data)
    assert status == 0


async def test_a_full_disk_leaves_a_deposit_unknown_and_the_server_ends_with_70(data: Path) -> None:
    """The log cannot grow: whatever was asked for last is in it or not, and both sides say that nobody knows."""
    async with serving(data) as server:  # lists the packaged market
        server.signal(signal.SIGINT)
        assert await server.ended() == 0
    size = DataFolder(data).log_db.stat().st_size
    async with serving(data, before_exec=with_file_size(size + 20_000)) as server:
        result = invoke("deposit", "alice", "1", "--data", data)
        while result.exit_code == 0:
            result = invoke("deposit", "alice", "1", "--data", data)
        assert (result.exit_code, "Look before you try again" in result.stderr) == (70, True)
        assert await server.ended() == 70
    assert invoke("log", "verify", "--data", data).exit_code == 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_the_text_of_serve_ends_with_ready_and_then_stopped(data: Path, stop: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "serve", "--port", "0", "--data", str(data), "--durability", "memory"),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            lines: list[str] = []
            while not lines or not lines[-1].startswith("ready at http://127.0.0.1:"):
                lines.append((await process.stdout.readline()).decode())
            process.send_signal(stop)
            assert await process.stdout.read() == b"stopped\n"
            assert await process.wait() == 0
            warnings = (await process.stderr.read()).decode()
    finally:
        if process.returncode is None:
            process.kill()
    assert any(f"recovered {HEAD} events" in line for line in lines)
    assert "WARNING unsafe: durability is 'memory'" in warnings


async def test_a_port_in_use_is_told_without_a_traceback(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        status, output, error = await command("serve", "--port", port, "--data", data)
    assert (status, output) == (1, "")
    assert f"error: cannot listen on 127.0.0.1:{port}" in error
    assert "Traceback" not in error


def test_a_market_file_that_is_wrong_is_told_with_its_problems(tmp_path: Path) -> None:
    market = tmp_path / "market.toml"
    market.write_text("nonsense = 1\n")
    result = invoke("serve", "--port", "0", "--market", market, "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert f"market file {market} cannot be used" in result.stderr


@pytest.fixture
def tls_options(tmp_path: Path) -> tuple[str, ...]:
    """A certificate that is made out to another name than the address which commands use, as certificates are."""
    files = self_signed(tmp_path)
    return "--tls-cert", str(files.certificate), "--tls-key", str(files.key)


async def test_commands_reach_a_server_that_speaks_tls(data: Path, tls_options: tuple[str, ...]) -> None:
    async with serving(data, *tls_options) as server:
        assert server.facts["url"].startswith("https://127.0.0.1:")
        assert server.facts["websocket"].startswith("wss://127.0.0.1:")
        result = invoke("deposit", "alice", "1", "--data", data)
        assert (result.exit_code, result.stderr) == (0, "")

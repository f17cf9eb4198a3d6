"""`exchange demo`: a new user's first five minutes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from exchange.cli.guidance import PASSWORD_UNKNOWN
from tests.cli.harness import CHECKOUT, DEADLINE_S, PROGRAM, document, invoke
from tests.support.exchange_process import serving


class Demo:
    """A demo that is ready, and what it printed up to then."""

    def __init__(self, process: asyncio.subprocess.Process, lines: list[str]) -> None:
        self.process = process
        self.lines = lines

    @property
    def client(self) -> str:
        """The printed program."""
        begin = self.lines.index("import json")
        return "\n".join(self.lines[begin : self.lines.index("", begin)])

    async def ctrl_c(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return await self.process.wait()


@asynccontextmanager
async def printing(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    """A process of this Python, and what it prints; it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(*arguments, cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield process, process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.stdout.read()
        await process.wait()


@asynccontextmanager
async def demo(data: Path) -> AsyncIterator[Demo]:
    async with printing(*PROGRAM, "demo", "--port", "0", "--speed", "50", "--data", str(data)) as (process, output):
        lines: list[str] = []
        while not lines or not lines[-1].startswith("ready"):
            line = await output.readline()
            assert line, f"the demo did not start: {lines}"
            lines.append(line.decode().rstrip())
        yield Demo(process, lines)


async def test_the_printed_client_trades_and_the_next_start_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with demo(data) as first:
        assert [line.split()[0] for line in first.lines if line.startswith(("  alice ", "  bob ", "  carol "))] == [
            *("alice", "bob", "carol")
        ]
        assert len(first.client.splitlines()) == 10
        program = tmp_path / "client.py"
        program.write_text(first.client)
        async with printing(sys.executable, str(program)) as (_, patches):
            async for line in patches:
                if b"'FILLED'" in line:
                    break
            else:
                raise AssertionError("the client ended before its order was filled")
        assert await first.ctrl_c() == 0
    held = document("state", "--user", "alice", "--data", data)["snapshot"]["trade"]["alice"]["positions"]
    assert [each["volume_long"] for each in held.values()] == [1]
    async with demo(data) as second:
        assert any("recovered" in line for line in second.lines)
        assert PASSWORD_UNKNOWN in second.client
        assert "  alice    made at an earlier start; `exchange user password alice` sets another" in second.lines
        assert await second.ctrl_c() == 0
    assert invoke("log", "verify", "--data", data).exit_code == 0
    assert document("replay", "--verify", "--data", data)["ok"] is True


async def test_a_script_gets_the_same_as_json(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", "--demo") as server:
        facts = server.facts
        assert [user["name"] for user in facts["users"]] == ["alice", "bob", "carol"]
        assert all(len(user["password"]) >= 12 for user in facts["users"])
        assert facts["users"][0]["password"] in facts["client"]
        assert facts["tapes"][0] in facts["client"]
        assert facts["websocket"] in facts["client"]


async def test_the_commands_that_are_printed_name_the_folder(tmp_path: Path) -> None:
    async with demo(tmp_path / "a folder") as running:
        assert f"  exchange log tail --follow --data '{tmp_path / 'a folder'}'" in running.lines
        assert any("Apache-2.0" in line for line in running.lines)

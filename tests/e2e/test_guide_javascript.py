"""The guide's JavaScript client (section 9.2), as written, trades under Node and sees its mirror right.

Its merge function is no RFC 7396: it merges arrays by their indexes and keeps nulls within what is new to it. It must
not matter.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from operator import eq
from pathlib import Path

import orjson
import pytest

from tests.e2e import guide
from tests.e2e.guide_trading import trade_with
from tests.support.diff_client import DEADLINE_S, Tree
from tests.support.log_views import check_pictures
from tests.support.running import running

BRIDGE = Path(__file__).with_name("guide_client.cjs")
MIRROR_BYTES_MAX = 10 * 1024 * 1024


def node_with_websocket() -> list[str]:
    """How to call a Node whose programs have a global WebSocket; skips the test where there is none."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js (`node`) on this machine")
    for flags in ([], ["--experimental-websocket"]):
        asked = subprocess.run([node, *flags, "-p", "typeof WebSocket"], capture_output=True, text=True, timeout=60)
        if asked.stdout.strip() == "function":
            return [node, *flags]
    pytest.skip(f"{node} has no WebSocket of its own: it needs Node.js 20.10 or newer")


class Watched:
    """The guide's client in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pictures: list[tuple[int, Tree]] = []
        """(version of the message, the mirror after it)."""
        self.said: list[str] = []
        """What else the client wrote."""
        self._process = process

    async def send(self, message: Tree) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(message) + b"\n")
        await self._process.stdin.drain()

    async def until(self, condition: Callable[[Tree], bool]) -> Tree:
        async with asyncio.timeout(DEADLINE_S):
            while not (self.pictures and condition(self.pictures[-1][1])):
                await self._read_line()
        return self.pictures[-1][1]

    async def _read_line(self) -> None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"the client ended with {await self._process.wait()}: {self.said[-20:]}"
        kind, _, told = line.decode().strip().partition(" ")
        if kind == "MIRROR":
            picture = orjson.loads(told)
            self.pictures.append((picture["version"], picture["snapshot"]))
        else:
            self.said.append(line.decode().strip())


@asynccontextmanager
async def guides_client(address: str, folder: Path) -> AsyncIterator[Watched]:
    """The client, running against this address."""
    code = folder / "client.js"
    code.write_text(guide.at_address(guide.code_under("9.2", "javascript"), address), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *node_with_websocket(),
        BRIDGE,
        code,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=MIRROR_BYTES_MAX,
    )
    try:
        yield Watched(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_guides_javascript_client_trades_and_its_mirror_is_always_the_servers(tmp_path: Path) -> None:
    async with (
        running(tmp_path / "data", market=guide.MARKET) as exchange,
        guides_client(exchange.port.address, tmp_path) as watched,
    ):
        await trade_with(watched, exchange)
    # JavaScript has one kind of number: what came as 2.0 is told as 2.
    check_pictures(watched.pictures, guide.USER, tmp_path / "data", same=eq)

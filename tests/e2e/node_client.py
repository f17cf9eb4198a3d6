"""Clients in JavaScript, run by Node in processes of their own and watched from outside."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from tests.support.diff_client import DEADLINE_S, Tree

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
    """A client in a process of its own. Each line that it is given is a message to send; after each message that it
    has handled it writes `MIRROR` and {version, snapshot}, and other lines as it likes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pictures: list[tuple[int, Tree]] = []
        """(version of the message, the mirror after it); 0 before the login."""
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
            self.pictures.append((picture.get("version", 0), picture["snapshot"]))
        else:
            self.said.append(line.decode().strip())


@asynccontextmanager
async def client_in_node(bridge: Path, code: str, folder: Path) -> AsyncIterator[Watched]:
    """The client of this code, running under the bridge that makes it watched."""
    file = folder / "client.js"
    file.write_text(code, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *node_with_websocket(),
        bridge,
        file,
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

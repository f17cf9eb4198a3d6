"""`exchange serve` in a process of its own, to be killed, starved or stopped. It never outlives the test."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from tests.support.diff_client import DEADLINE_S
from tests.support.running import DEPOSIT

CHECKOUT: Final = Path(__file__).parents[2]
LINES_SHOWN: Final = 40


class ExchangeProcess:
    """A server that is ready, or has ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.lines: list[str] = []
        """What it has written to both of its outputs."""
        self.facts: dict[str, Any] = {}
        """What it said of itself when it was ready."""
        self._process = process
        self._reader = asyncio.create_task(self._read())
        self._ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @property
    def url(self) -> str:
        """Where clients connect."""
        url: str = self.facts["websocket"]
        return url

    async def until_ready(self) -> bool:
        """Whether it takes orders now; False where it has ended instead."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._ready

    def signal(self, number: int) -> None:
        """Send a signal; to a process that has ended this does nothing."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def ended(self) -> int:
        """The exit status, once it has ended; a negative one is the signal that killed it."""
        async with asyncio.timeout(DEADLINE_S):
            await self._reader
            return await self._process.wait()

    async def destroy(self) -> None:
        """Leave nothing behind."""
        if self._process.returncode is None:
            self._process.kill()
        await self._reader
        await self._process.wait()

    def __str__(self) -> str:
        return "\n".join(("the server wrote:", *self.lines[-LINES_SHOWN:]))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            if line.startswith(b'{"event":"ready"'):
                self.facts = orjson.loads(line)
                self._ready.set_result(True)
        if not self._ready.done():
            self._ready.set_result(False)


@asynccontextmanager
async def launched(
    folder: Path, *options: str, before_exec: Callable[[], None] | None = None
) -> AsyncIterator[ExchangeProcess]:
    """`exchange serve` on the folder and a free port, ready or not. `before_exec` runs in the child."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from exchange.cli.main import main; main()", "serve", "--json"),
        *("--data", str(folder), "--port", "0", "--auto-open", str(DEPOSIT), *options),
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=before_exec,
    )
    process = ExchangeProcess(started)
    try:
        yield process
    finally:
        await process.destroy()


@asynccontextmanager
async def serving(
    folder: Path, *options: str, before_exec: Callable[[], None] | None = None
) -> AsyncIterator[ExchangeProcess]:
    """`exchange serve`, ready to take orders."""
    async with launched(folder, *options, before_exec=before_exec) as process:
        assert await process.until_ready(), f"the server did not start; {process}"
        yield process


def with_file_size(bytes_max: int) -> Callable[[], None]:
    """A `before_exec`: no file of the process grows beyond this, as on a disk that is full."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))

    return limit

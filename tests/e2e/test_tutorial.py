"""The tutorial, followed to the letter: every command of every step, in order, with the kill in the middle."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.support.documents import blocks, environment, make_virtual_environment

PAGE: Final = "tutorial.md"
INSTALL: Final = "python3 -m venv"
DEADLINE_S: Final = 60.0
ADDRESS: Final = "127.0.0.1:8000"
"""As the page prints it; the test takes a free port."""


class Terminal:
    """The second terminal: one shell after the other, each with the variables that the one before has set."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._folder = folder
        self._settings = settings

    async def run(self, block: str) -> str:
        """What a block of commands writes to its standard output. Each of them must succeed."""
        script = f"set -ea\n[ ! -f kept ] || . ./kept\n{block}\nset | grep ^VERSION= > kept || true"
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            cwd=self._folder,
            env=environment(**self._settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(DEADLINE_S):
            out, err = await shell.communicate()
        assert shell.returncode == 0, f"{block}\nended with {shell.returncode}: {out.decode()}{err.decode()}"
        return out.decode()


class FirstTerminal:
    """The server's terminal."""

    def __init__(self, process: asyncio.subprocess.Process, lines: list[str]) -> None:
        self._process = process
        self.lines = lines
        """What it printed up to `ready`."""

    @property
    def port(self) -> str:
        """The port it took."""
        found = re.search(r"ready at http://127\.0\.0\.1:(\d+)", self.lines[-1])
        assert found, self.lines
        return found[1]

    def password(self, user: str) -> str:
        """As it was printed."""
        return next(line.split()[1] for line in self.lines if line.startswith(f"  {user} "))

    async def killed(self) -> int:
        """The status of its end."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._process.wait()


@asynccontextmanager
async def first_terminal(folder: Path, command: str, port: str) -> AsyncIterator[FirstTerminal]:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"exec {command}"),
        cwd=folder,
        env=environment(EXCHANGE_PORT=port),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        lines: list[str] = []
        async with asyncio.timeout(DEADLINE_S):
            while not lines or not lines[-1].startswith("ready"):
                line = await process.stdout.readline()
                assert line, f"the demo did not start: {lines}"
                lines.append(line.decode().rstrip())
        yield FirstTerminal(process, lines)
    finally:
        if process.returncode is None:
            process.kill()
        await process.stdout.read()
        await process.wait()


def without_rates(text: str) -> str:
    """What a command printed, but for how fast it was."""
    return re.sub(r"[\d,]+ events/s", "", text)


async def test_every_step_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    make_virtual_environment(tmp_path)
    steps: dict[str, list[str]] = {}
    for block in blocks(PAGE):
        steps.setdefault(block.section[:2], []).append(block.text)
    start = steps["1."][0]
    assert start.startswith(INSTALL)
    demo = start.rpartition("&& ")[2]

    async with first_terminal(tmp_path, demo, "0") as server:
        settings = {"EXCHANGE_TUTORIAL_PASSWORD": server.password("alice")}
        port = server.port
        terminal = Terminal(tmp_path, settings)
        program, run_it = steps["2."]
        (tmp_path / "buy.py").write_text(program.replace(ADDRESS, f"127.0.0.1:{port}"), "utf-8")
        first = await terminal.run(run_it)
        assert "coming back with version None" in first
        assert "tutorial1 FILLED" in first
        for block in steps["3."]:
            assert await terminal.run(block)
        kill, look = steps["4."]
        await terminal.run(kill)
        assert await server.killed() == -9
        before = await terminal.run(look)
        assert "good" in before.lower()

    again, come_back = steps["5."]
    async with first_terminal(tmp_path, again, port) as server:
        assert any("recovered" in line for line in server.lines), server.lines
        second = await terminal.run(come_back)
        assert "the server sent the whole picture" not in second
        assert "tutorial2 FILLED" in second
        assert re.search(r"long +2 lots", second)
        (look_back,) = steps["6."]
        assert without_rates(await terminal.run(look_back)) == without_rates(await terminal.run(look_back))
    clean_up = blocks(PAGE)[-1]
    assert clean_up.section.startswith("6"), "the last step stops and removes everything, in words"

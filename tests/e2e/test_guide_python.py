"""The guide's plain Python client (sections 4.4 and 9.1), as written, trades and sees its mirror right."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import guide
from tests.e2e.guide_trading import trade_with
from tests.support.diff_client import DEADLINE_S, Tree
from tests.support.log_views import check_pictures
from tests.support.running import running


class Watched:
    """The guide's client, watched from outside: its mirror after every message, and its own `send`."""

    def __init__(self, client_class: type[Any]) -> None:
        self.client: Any = None
        self.pictures: list[tuple[int, Tree]] = []
        """(version of the message, the mirror after it)."""
        self._moved = asyncio.Event()
        handle_message = client_class.handle_message

        async def watched(client: Any, data: Tree) -> None:
            await handle_message(client, data)
            self.client = client
            self.pictures.append((data["version"], copy.deepcopy(client.snapshot)))
            self._moved.set()

        client_class.handle_message = watched

    async def send(self, message: Tree) -> None:
        await self.client.send(message)

    async def until(self, condition: Callable[[Tree], bool]) -> Tree:
        """The mirror, once it is as it should be."""
        async with asyncio.timeout(DEADLINE_S):
            while not (self.pictures and condition(self.pictures[-1][1])):
                self._moved.clear()
                await self._moved.wait()
        return self.pictures[-1][1]


def load(address: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Any]:
    """Run the guide's code up to its last line, `asyncio.run(main())`; returns its names and the coroutine `main()`.

    This test's own loop runs that coroutine, so that the server and the client need no second process.
    """
    code = guide.code_under("4.4", "python") + "\n" + guide.at_address(guide.code_under("9.1", "python"), address)
    mains: list[Any] = []
    names: dict[str, Any] = {"__name__": "guide"}
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "run", mains.append)
        exec(compile(code, str(guide.GUIDE), "exec"), names)
    return names, mains[0]


async def test_the_guides_python_client_trades_and_its_mirror_is_always_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, market=guide.MARKET) as exchange:
        names, main = load(exchange.port.address, monkeypatch)
        watched = Watched(names["QAWebSocketClient"])
        running_main = asyncio.create_task(main)
        try:
            await trade_with(watched, exchange)
        finally:
            running_main.cancel()
            await asyncio.gather(running_main, return_exceptions=True)
            if watched.client is not None:
                await watched.client.ws.close()
    check_pictures(watched.pictures, guide.USER, tmp_path)

"""Every block of `docs/clients/python.md` runs, as it stands, against an exchange that somebody else trades on."""

from __future__ import annotations

import ast
import asyncio
import os
from types import CodeType
from typing import Any, Final

import pytest

from exchange.client import Client
from exchange.testing import exchange_running
from tests.support.documents import blocks

PAGE: Final = "clients/python.md"
ADDRESS: Final = "ws://127.0.0.1:8000"
"""Where the page's programs connect; replaced by where the test's exchange is."""
BLOCKS: Final = [block for block in blocks(PAGE) if block.language == "python"]


def compiled(block: str, url: str) -> CodeType:
    code = compile(block.replace(ADDRESS, url), PAGE, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, CodeType)
    return code


def is_program(block: str) -> bool:
    """Whether a block stands for itself; others go on with a connected `client`."""
    return "SyncClient(" in block or "asyncio.run(" in block


@pytest.mark.parametrize("block", [block.text for block in BLOCKS], ids=[block.section for block in BLOCKS])
async def test_a_block_runs(block: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async with exchange_running(time="real") as exchange:
        await exchange.market.quote("SHFE.cu2701", bid=47_280, ask=47_300)
        monkeypatch.setenv("EXCHANGE_PASSWORD", exchange.password("alice"))
        url = exchange.url.removesuffix("/ws")
        code = compiled(block, url)
        if is_program(block):
            await asyncio.to_thread(exec, code, {"__name__": "__main__"})
        else:
            async with Client(url, "alice", exchange.password("alice")) as client:
                bought = await client.insert("SHFE.cu2701", "BUY", "OPEN", 1, 47_300, wait=True)
                assert bought.status == "FILLED"
                # What the page's first program has, where the reader puts the block.
                names: dict[str, Any] = {"client": client, "Client": Client, "os": os}
                running = eval(code, names)
                if running is not None:
                    await running
    said = capsys.readouterr().out
    if "print(" in block:
        assert said, "the block says nothing"


def test_the_page_has_its_blocks() -> None:
    assert len(BLOCKS) == 10
    assert {block.section for block in BLOCKS} >= {
        "A first program",
        "Without asyncio",
        "Waiting",
        "Callbacks",
        "Tables",
    }

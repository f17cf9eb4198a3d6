"""`exchange bots`, `--bots`, and the page about them, with processes and sockets as users have them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from tests.cli.harness import CHECKOUT, DEADLINE_S, PROGRAM, document, invoke
from tests.support.diff_client import PASSWORD, DiffClient
from tests.support.exchange_process import serving

STEEL, IRON = "SHFE.rb2701", "DCE.i2701"


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of this Python with the password in its environment; it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=CHECKOUT,
        env=os.environ | {"EXCHANGE_PASSWORD": PASSWORD, "PYTHONPATH": str(CHECKOUT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def trade_at_market(client: DiffClient) -> None:
    """Buy some iron ore and sell it again; both orders fill as they come."""
    iron = {"exchange_id": "DCE", "instrument_id": "i2701", "price_type": "ANY"}
    await client.insert("in", "BUY", 0, 2, **iron)
    await client.until_order("in", "FILLED")
    await client.insert("out", "SELL", 0, 2, offset="CLOSE", **iron)
    await client.until_order("out", "FILLED")


async def test_a_demo_with_bots_has_a_market_in_every_contract_when_it_is_ready(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", "--demo", "--bots") as server:
        assert server.facts["bots"] == ["house-maker-1", "house-noise-1", "house-noise-2", "house-momentum-1"]
        async with DiffClient.connect(server.url) as client:
            await client.login("dora")
            await trade_at_market(client)
        server.signal(signal.SIGINT)
        assert await server.ended() == 0
    state = document("state", "--data", tmp_path / "data")
    assert not [order for order in state["orders"] if order["account_id"] in server.facts["bots"]]
    assert invoke("log", "verify", "--data", tmp_path / "data").exit_code == 0
    assert document("replay", "--verify", "--data", tmp_path / "data")["ok"] is True


async def test_bots_trade_over_the_network_and_leave_with_their_orders(tmp_path: Path) -> None:
    """Users that are not there yet are made first; a stop cancels what they have, and ends with 0."""
    data = tmp_path / "data"
    options = ("--instruments", f"{IRON},{STEEL}", "--user", "robot", "--deposit", "10000000", "--json")
    async with serving(data) as server:
        url = server.url.removesuffix("/ws")
        async with program(*PROGRAM, "bots", "--url", url, "--data", str(data), *options) as bots:
            assert bots.stdout is not None
            ready = orjson.loads(await bots.stdout.readline())
            assert ready["event"] == "ready"
            assert ready["users"] == ["robot-maker-1", "robot-noise-1", "robot-noise-2", "robot-momentum-1"]
            async with DiffClient.connect(server.url) as client:
                await client.login("dora")
                await trade_at_market(client)
            bots.send_signal(signal.SIGINT)
            assert await bots.wait() == 0
            assert orjson.loads(await bots.stdout.readline())["event"] == "stopped"
        state = document("state", "--data", data)
        assert state["orders"] == []
        assert {account["user"]: account["deposit"] for account in state["accounts"]}["robot-maker-1"] == 10**13


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (("--instruments", " , "), 2, "names no contract"),
        (("--instruments", IRON, "--makers", "0", "--noise", "0", "--momentum", "0"), 2, "does nothing"),
        (("--instruments", IRON, "--speed", "0"), 2, "above 0 and at most 100"),
        (("--instruments", IRON, "--url", "ftp://somewhere"), 2, "no address of an exchange"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_done(options: tuple[str, ...], status: int, says: str) -> None:
    result = invoke("bots", *options, EXCHANGE_PASSWORD=PASSWORD)
    assert (result.exit_code, result.stdout) == (status, "")
    assert says in result.stderr


async def test_bots_without_users_or_contracts_say_so(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", "--auto-open", "1000") as server:
        async with DiffClient.connect(server.url) as client:
            await client.login("robot-maker-1", "another password")
        url = server.url.removesuffix("/ws")
        for contract, status, says in ((IRON, 3, b"robot-maker-1"), ("DCE.i1", 1, b"no quotes of DCE.i1")):
            user = "robot" if status == 3 else "other"
            options = ("--url", url, "--user", user, "--instruments", contract)
            async with program(*PROGRAM, "bots", *options) as bots:
                _, error = await bots.communicate()
                assert (bots.returncode, says in error) == (status, True), error


async def test_the_strategy_on_the_page_runs(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "bots.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    hunter = tmp_path / "hunter.py"
    hunter.write_text(code, "utf-8")
    async with serving(tmp_path / "data", "--bots") as server:
        url = server.url.removesuffix("/ws")
        async with DiffClient.connect(server.url) as client:
            await client.login("alice")
            async with program(sys.executable, str(hunter), url, "alice", PASSWORD, IRON) as running:
                await client.until(lambda mirror: "ALIVE" in mirror.statuses().values())
                running.send_signal(signal.SIGINT)
                await running.wait()
            await client.until(lambda mirror: "ALIVE" not in mirror.statuses().values())

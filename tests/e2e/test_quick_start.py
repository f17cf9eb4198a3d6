"""The quick start's JavaScript client, as written, trades on `/ws/diff` under Node and sees its mirror right.

Only this is substituted: the server's address, and the user, who needs a ticket behind the name. Everything else is the
quick start's own: it never logs in, peeks first, and merges by a function of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import connect

from exchange.domain.values import Money
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.surroundings import User
from exchange.server.app import Exchange
from exchange.server.demo import DEMO_USERS, Demo
from tests.e2e.guide import COPPER, MARKET
from tests.e2e.node_client import Watched, client_in_node
from tests.support.diff_client import DEADLINE_S, PASSWORD, DiffClient, Tree
from tests.support.log_views import check_pictures
from tests.support.recordings import DATA_FOLDER
from tests.support.running import DEPOSIT, running, url_of

QUICK_START = DATA_FOLDER.parent / "seeds" / "diff_quick_start.md"
BRIDGE = Path(__file__).with_name("quick_start_client.cjs")
ADDRESS: Final = "ws://localhost:8080/ws/diff?user_id=user123"
USER: Final = "alice"


def quick_start_code() -> str:
    """The code of the section that connects; the test is skipped where there is no quick start."""
    if not QUICK_START.is_file():
        pytest.skip(f"no {QUICK_START}: it lies beside the folder of recorded data, see EXCHANGE_TEST_DATA")
    section = QUICK_START.read_text(encoding="utf-8").partition("#### 连接 DIFF WebSocket")[2]
    found = re.search(r"^```javascript\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found is not None, "the quick start has no code that connects"
    assert found[1].count(ADDRESS) == 1
    return found[1]


def code_for(exchange: Exchange, query: str) -> str:
    return quick_start_code().replace(ADDRESS, f"ws://{exchange.port.address}/ws/diff?{query}")


async def ticket_of(exchange: Exchange, name: str) -> str:
    """A ticket as a user gets it who has logged in elsewhere."""
    async with DiffClient.connect(url_of(exchange)) as client:
        await client.login(name)
    user = await exchange.users.find(name)
    assert user is not None
    return exchange.tickets.issue(User(user.name, user.account_id, user.role))[0]


def _order(order_id: str, direction: str, volume: int, **rest: Any) -> Tree:
    """As the quick start has it."""
    exchange_id, _, instrument_id = COPPER.partition(".")
    return {
        "aid": "insert_order",
        "order_id": order_id,
        "exchange_id": exchange_id,
        "instrument_id": instrument_id,
        "direction": direction,
        "offset": "OPEN",
        "volume": volume,
        "price_type": "LIMIT",
        "limit_price": 75230.0,
    } | rest


async def test_the_quick_starts_client_trades_and_its_mirror_is_always_the_servers(tmp_path: Path) -> None:
    async with running(tmp_path / "data", market=MARKET) as exchange:
        code = code_for(exchange, f"user_id={USER}&token={await ticket_of(exchange, USER)}")
        async with client_in_node(BRIDGE, code, tmp_path) as watched:
            await _trade(watched, exchange)
    assert "COMMIT UPDATE_SNAPSHOT" in watched.said
    check_pictures(watched.pictures, USER, tmp_path / "data", same=_same_in_javascript, dialect=FlatDialect("zh"))


async def _trade(watched: Watched, exchange: Exchange) -> None:
    tree = await watched.until(lambda tree: USER in tree.get("accounts", {}))
    assert tree["accounts"][USER]["balance"] == DEPOSIT
    await watched.send({"aid": "subscribe_quote", "ins_list": COPPER})
    await watched.send(_order("order456", "BUY", 10, user_id=USER))
    await watched.until(lambda tree: _status(tree, "order456") == "ALIVE")
    async with DiffClient.connect(url_of(exchange)) as bob:
        await bob.login("bob")
        await bob.send(**_order("s", "SELL", 10, user_id="bob"))
        tree = await watched.until(lambda tree: _status(tree, "order456") == "FILLED")
    steps = [json.loads(line.removeprefix("STEP ")) for line in watched.said if line.startswith("STEP ")]
    assert steps[-1][:4] == [["trades"], ["orders"], ["accounts"], ["positions"]]
    [trade] = tree["trades"].values()
    order, account = tree["orders"]["order456"], tree["accounts"][USER]
    assert (trade["order_id"], trade["price"], trade["volume"]) == ("order456", 75230.0, 10)
    assert (order["filled_volume"], order["remaining_volume"]) == (10, 0)
    assert order["update_time"] == trade["timestamp"] > order["insert_time"]
    assert account["balance"] == pytest.approx(account["static_balance"] - account["commission"])
    await watched.send({"aid": "cancel_order", "user_id": USER, "order_id": "order456"})
    tree = await watched.until(lambda tree: 2102 in {notice["code"] for notice in tree["notify"].values()})
    assert tree["positions"][COPPER]["volume_long"] == 10


@pytest.mark.parametrize("query", [f"user_id={USER}", f"user_id={USER}&token=wrong"])
async def test_a_name_without_a_ticket_shows_the_quick_starts_client_nothing(tmp_path: Path, query: str) -> None:
    async with (
        running(tmp_path / "data", market=MARKET) as exchange,
        client_in_node(BRIDGE, code_for(exchange, query), tmp_path) as watched,
    ):
        tree = await watched.until(lambda tree: "notify" in tree)
        assert [notice["code"] for notice in tree["notify"].values()] == [1001]
        await watched.send({"aid": "req_login", "user_name": USER, "password": PASSWORD})
        tree = await watched.until(lambda tree: "accounts" in tree)
        assert tree["accounts"][USER]["balance"] == DEPOSIT


async def test_a_ticket_is_good_once(tmp_path: Path) -> None:
    async with running(tmp_path / "data", market=MARKET) as exchange:
        code = code_for(exchange, f"user_id={USER}&token={await ticket_of(exchange, USER)}")
        async with client_in_node(BRIDGE, code, tmp_path) as watched:
            await watched.until(lambda tree: USER in tree.get("accounts", {}))
        async with client_in_node(BRIDGE, code, tmp_path) as watched:
            tree = await watched.until(lambda tree: "notify" in tree)
            assert "accounts" not in tree


def _status(tree: Tree, order_id: str) -> str | None:
    status: str | None = tree["orders"].get(order_id, {}).get("status")
    return status


def _same_in_javascript(one: Any, other: Any) -> bool:
    """JavaScript has one kind of number: 2.0 is told as 2, and of a time in nanoseconds the next float."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_in_javascript(value, other[key]) for key, value in one.items())
    if isinstance(one, int | float) and isinstance(other, int | float):
        return float(one) == float(other)
    return bool(one == other)


async def test_in_the_demo_a_name_is_enough_for_the_demos_own_users(tmp_path: Path) -> None:
    async with running(tmp_path / "data", auto_open=None) as exchange:
        demo = Demo(exchange)
        await demo.start()
        try:
            async with client_in_node(BRIDGE, code_for(exchange, f"user_id={USER}"), tmp_path) as watched:
                tree = await watched.until(lambda tree: USER in tree.get("accounts", {}))
                assert tree["notify"]["auth_result"]["code"] == 1000
            await exchange.operator.add_user("eve", "pw", Money(0))
            async with client_in_node(BRIDGE, code_for(exchange, "user_id=eve"), tmp_path) as watched:
                tree = await watched.until(lambda tree: "notify" in tree)
                assert [notice["code"] for notice in tree["notify"].values()] == [1001]
        finally:
            await demo.stop()


@pytest.mark.parametrize(
    "settings", [{"host": "0.0.0.0", "insecure_plain": True}, {"hosts": frozenset({"trade.example.org"})}], ids=str
)
async def test_nobody_comes_by_a_bare_name_where_others_may_reach_the_server(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    async with running(tmp_path, **settings) as exchange:
        demo = Demo(exchange)
        await demo.start()
        try:
            assert [exchange.tickets.redeem(name, "") for name in DEMO_USERS] == [None] * len(DEMO_USERS)
        finally:
            await demo.stop()


async def test_a_client_comes_back_by_its_address_over_a_restart(tmp_path: Path) -> None:
    """With a ticket of the new process, and the version of the old one."""
    async with running(tmp_path, market=MARKET) as exchange:
        first = await _first_step(exchange, f"user_id={USER}&token={await ticket_of(exchange, USER)}")
        async with DiffClient.connect(url_of(exchange)) as window:
            await window.login(USER)
            await window.send(**_order("1", "BUY", 1))
            await window.until(lambda mirror: mirror.statuses() == {"1": "ALIVE"})
    async with running(tmp_path, market=MARKET) as exchange:
        claim = f"log_id={first['log_id']}&version={first['version']}"
        frame = await _first_step(exchange, f"user_id={USER}&token={await ticket_of(exchange, USER)}&{claim}")
    assert first["full"]
    assert "full" not in frame
    assert frame["log_id"] == first["log_id"]
    assert [list(patch["orders"]) for patch in frame["data"] if "orders" in patch] == [["1"]]


async def _first_step(exchange: Exchange, query: str) -> Tree:
    """What a new connection by this address is told when it peeks."""
    async with connect(f"ws://{exchange.port.address}/ws/diff?{query}") as socket, asyncio.timeout(DEADLINE_S):
        await socket.send('{"aid":"peek_message"}')
        frame: Tree = json.loads(await socket.recv())
    return frame

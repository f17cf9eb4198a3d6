"""What both of the guide's clients are put through: they trade, are refused, subscribe anew, and must see all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from exchange.server.app import Exchange
from tests.e2e.guide import COPPER, INDEX, USER
from tests.support.diff_client import DiffClient, Tree
from tests.support.running import DEPOSIT, url_of

FUNDS = 2001


class WatchedClient(Protocol):
    """A client of the guide's that is running."""

    async def send(self, message: Tree) -> None:
        """Send a message by the client's own `send`."""

    async def until(self, condition: Callable[[Tree], bool]) -> Tree:
        """The client's mirror, once it is as it should be."""


async def trade_with(client: WatchedClient, exchange: Exchange) -> None:
    """Everything that a day of trading brings, against bob; the client has subscribed to both contracts."""
    tree = await client.until(lambda tree: tree.get("ins_list") == f"{COPPER},{INDEX}")
    assert tree["quotes"][COPPER]["pre_settlement"] == 75000
    assert "last_price" not in tree["quotes"][COPPER]
    async with DiffClient.connect(url_of(exchange)) as bob:
        await bob.login("bob")
        await _fill_in_parts_and_cancel_the_rest(client, bob)
        await _close(client, bob)
        await _be_refused(client)
        await _subscribe_anew(client, bob)


async def _fill_in_parts_and_cancel_the_rest(client: WatchedClient, bob: DiffClient) -> None:
    await client.send(_order("order789", "BUY", "OPEN", 3, 75000.0))
    tree = await client.until(lambda tree: _status(tree, "order789") == "ALIVE")
    assert tree["quotes"][COPPER]["bid_volume1"] == 3
    await bob.send(**_order("b1", "SELL", "OPEN", 1, 75000.0, user="bob"))
    tree = await client.until(lambda tree: _status(tree, "order789") == "PARTIALLY_FILLED")
    assert tree["quotes"][COPPER]["last_price"] == 75000.0
    [trade] = tree["trade"][USER]["trades"].values()
    assert (trade["order_id"], trade["price"], trade["volume"]) == ("order789", 75000.0, 1)
    await client.send({"aid": "cancel_order", "user_id": USER, "order_id": "order789"})
    tree = await client.until(lambda tree: _status(tree, "order789") == "CANCELLED")
    assert tree["trade"][USER]["orders"]["order789"]["volume_left"] == 2
    assert "bid_price1" not in tree["quotes"][COPPER], "a level that is gone must leave the client's mirror"


async def _close(client: WatchedClient, bob: DiffClient) -> None:
    """The position goes flat, with a profit that the account shows."""
    await bob.send(**_order("b2", "BUY", "OPEN", 1, 75100.0, user="bob"))
    await client.until(lambda tree: tree["quotes"][COPPER].get("bid_price1") == 75100.0)
    await client.send(_order("close", "SELL", "CLOSETODAY", 1, 75100.0))
    tree = await client.until(lambda tree: _status(tree, "close") == "FILLED")
    own = tree["trade"][USER]
    assert own["positions"][COPPER]["volume_long"] == 0
    account = own["accounts"]["CNY"]
    assert account["close_profit"] == 500.0
    assert account["balance"] == DEPOSIT + 500.0 - account["commission"]


async def _be_refused(client: WatchedClient) -> None:
    await client.send(_order("too large", "BUY", "OPEN", 500, 75000.0))
    tree = await client.until(lambda tree: _status(tree, "too large") == "REJECTED")
    assert FUNDS in {notice["code"] for notice in tree["notify"].values()}


async def _subscribe_anew(client: WatchedClient, bob: DiffClient) -> None:
    """A quote that was given up changes meanwhile; subscribed to again, nothing of the old one may shine through."""
    await bob.send(**_order("b3", "BUY", "OPEN", 2, 74900.0, user="bob"))
    await client.until(lambda tree: tree["quotes"][COPPER].get("bid_price1") == 74900.0)
    await client.send({"aid": "subscribe_quote", "ins_list": INDEX})
    tree = await client.until(lambda tree: tree["ins_list"] == INDEX)
    assert COPPER not in tree["quotes"]
    await bob.send(aid="cancel_order", order_id="b3")
    await bob.until(lambda mirror: mirror.statuses().get("b3") == "CANCELLED")
    await client.send({"aid": "subscribe_quote", "ins_list": f"{COPPER},{INDEX}"})
    tree = await client.until(lambda tree: tree["ins_list"] == f"{COPPER},{INDEX}")
    assert tree["quotes"][COPPER]["last_price"] == 75100.0
    assert "bid_price1" not in tree["quotes"][COPPER]


def _order(order_id: str, direction: str, offset: str, volume: int, price: float, *, user: str = USER) -> Tree:
    """An order as section 7.1 of the guide has it, without the account id, which is the user's own anyway."""
    exchange_id, _, instrument_id = COPPER.partition(".")
    return {
        "aid": "insert_order",
        "user_id": user,
        "order_id": order_id,
        "exchange_id": exchange_id,
        "instrument_id": instrument_id,
        "direction": direction,
        "offset": offset,
        "volume": volume,
        "price_type": "LIMIT",
        "limit_price": price,
        "time_condition": "GFD",
        "volume_condition": "ANY",
    }


def _status(tree: Tree, order_id: str) -> str | None:
    status: str | None = tree["trade"][USER]["orders"].get(order_id, {}).get("status")
    return status

"""A DIFF client for tests: a connection to `/ws`, and a mirror that holds the server to what the protocol promises.

    async with DiffClient.connect(url) as client:
        await client.login("alice")
        await client.insert("o1", "BUY", 3600)
        await client.until_order("o1", "ALIVE")

A mirror outlives its connection: `login(mirror=...)` goes on from where it stands. Every wait has a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from projections.merge_patch import merge_patch

DEADLINE_S: Final = 30.0
"""For anything that must happen; far more than it takes, since machines differ."""
PASSWORD: Final = "passw0rd"
ROOT_KEYS: Final = {"trade", "quotes", "klines", "ticks", "charts", "notify", "ins_list"}
"""What a full step deletes before it brings the view."""
INSTRUMENT: Final = "SHFE.rb2701"
"""Listed by the packaged market; trades around 3592 in ticks of 1."""

Tree = dict[str, Any]

PONG: Final[Tree] = {"aid": "pong"}


class Mirror:
    """What a client knows. Trees are never changed in place: whoever keeps one keeps that picture."""

    def __init__(self, *, keeps_pictures: bool = False) -> None:
        self.user = ""
        """The name of the login, which the first one gives."""
        self.tree: Tree = {}
        self.version: int | None = None
        self.log_id: str | None = None
        self.steps = 0
        self.full_steps = 0
        self.notices: list[Tree] = []
        """Every notice that came, in order, but for the answers to logins."""
        self.auth_result: Tree = {}
        """The answer to the last login."""
        self.pictures: list[tuple[int, Tree]] | None = [] if keeps_pictures else None
        """(version, tree) after every step since the first login."""

    @property
    def own(self) -> Tree:
        """The user's part of the tree."""
        own: Tree = self.tree["trade"][self.user]
        return own

    @property
    def account(self) -> Tree:
        account: Tree = self.own["accounts"]["CNY"]
        return account

    @property
    def orders(self) -> Tree:
        orders: Tree = self.own["orders"]
        return orders

    @property
    def trades(self) -> Tree:
        trades: Tree = self.own["trades"]
        return trades

    @property
    def quotes(self) -> Tree:
        quotes: Tree = self.tree.get("quotes", {})
        return quotes

    @property
    def codes(self) -> list[int]:
        """The codes of all notices that came."""
        return [notice["code"] for notice in self.notices]

    def statuses(self) -> dict[str, str]:
        """The status of each order."""
        return {order_id: order["status"] for order_id, order in self.orders.items()}

    def take(self, step: Tree) -> None:
        """Apply a `rtn_data` as one step. Fails where it breaks what the protocol promises."""
        assert step["aid"] == "rtn_data"
        self._check_version(step)
        tree = self.tree
        for patch in step["data"]:
            check_patch(tree, patch)
            self._take_notices(tree.get("notify", {}), patch.get("notify") or {})
            tree = merge_patch(tree, patch)
        self.tree = tree
        self.steps += 1
        if self.user in tree.get("trade", {}):
            check_own(self.own)
        if self.pictures is not None and self.version is not None:
            self.pictures.append((self.version, tree))

    def _check_version(self, step: Tree) -> None:
        """Versions never fall within a log; a full step says so and deletes everything first."""
        version, log_id, full = step.get("version"), step.get("log_id"), step.get("full", False)
        if full:
            self.full_steps += 1
            assert version is not None, "a full step has a version"
            assert log_id is not None, "a full step names its log"
            assert dict.fromkeys(ROOT_KEYS) == step["data"][0], "a full step begins by deleting every root key"
        if version is None:
            assert all(patch.keys() <= {"notify"} for patch in step["data"]), "nothing but notices has no version"
            return
        is_other_log = log_id not in (None, self.log_id)
        assert self.version is None or is_other_log or version >= self.version, f"{version} after {self.version}"
        assert full or not is_other_log, "a mirror of another log cannot be led on"
        self.version, self.log_id = version, log_id or self.log_id

    def _take_notices(self, known: Tree, news: Tree) -> None:
        for notice_id, notice in news.items():
            if notice_id == "auth_result":
                self.auth_result = notice
            else:
                assert notice_id not in known, f"the notice id {notice_id} was given out twice"
                self.notices.append(notice)


def check_patch(tree: Any, patch: Any, path: str = "") -> None:
    """No arrays anywhere, and no null in what is new to the client: plain merge functions get both wrong."""
    assert not isinstance(patch, list), f"an array at {path or 'the root'}"
    if isinstance(patch, dict):
        for key, value in patch.items():
            is_new = not isinstance(tree, dict)
            assert not (is_new and value is None), f"a null within {path}, which is new to the client"
            check_patch(None if is_new else tree.get(key), value, f"{path}/{key}")


def check_own(own: Tree) -> None:
    """What must hold in a user's tree after every step."""
    if not own["accounts"]:
        assert not any(own.values()), f"something of a user shows before the account: {own}"
        return
    account = own["accounts"]["CNY"]
    parts = ("static_balance", "close_profit", "position_profit", "premium")
    balance = sum(account[part] for part in parts) - account["commission"]
    assert round(balance - account["balance"], 5) == 0, f"the parts of the balance do not add up: {account}"
    filled = dict.fromkeys(own["orders"], 0)
    for trade in own["trades"].values():
        filled[trade["order_id"]] += trade["volume"]
    for order_id, order in own["orders"].items():
        assert order["volume_orign"] - order["volume_left"] == filled[order_id], f"{order} shows without its trades"
        assert order["status"] in _possible_statuses(order), f"{order} has a status that its volumes deny"


def _possible_statuses(order: Tree) -> set[str]:
    if order["volume_left"] == 0:
        return {"FILLED", "REJECTED"}
    if order["volume_left"] == order["volume_orign"]:
        return {"ALIVE", "CANCELLED", "REJECTED"}
    return {"PARTIALLY_FILLED", "CANCELLED"}


class Closed(NamedTuple):
    """How the server ended a connection."""

    code: int
    reason: str


def how_closed(error: ConnectionClosed) -> Closed | None:
    """Code and reason that the server gave; None where the connection just broke."""
    return None if error.rcvd is None else Closed(error.rcvd.code, error.rcvd.reason)


class DiffClient:
    """One connection. All messages but `peek_message` may be sent at any time; steps are taken by one task."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.mirror = Mirror()
        self._is_peeking = False

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> AsyncIterator[DiffClient]:
        """A connection that has not logged in."""
        async with connect(url, max_size=10 * 1024 * 1024, close_timeout=DEADLINE_S) as connection:
            yield cls(connection)

    async def send(self, **message: Any) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def insert(
        self, order_id: str, direction: str, price: float, volume: int = 1, *, offset: str = "OPEN", **rest: Any
    ) -> None:
        """Send a limit order, without waiting for anything."""
        exchange_id, _, instrument_id = INSTRUMENT.partition(".")
        message = {
            "aid": "insert_order",
            "user_id": self.mirror.user,
            "order_id": order_id,
            "exchange_id": exchange_id,
            "instrument_id": instrument_id,
            "direction": direction,
            "offset": offset,
            "volume": volume,
            "price_type": "LIMIT",
            "limit_price": price,
        }
        await self.send(**(message | rest))

    async def cancel(self, order_id: str) -> None:
        await self.send(aid="cancel_order", user_id=self.mirror.user, order_id=order_id)

    async def login(self, user: str = "", password: str = PASSWORD, *, mirror: Mirror | None = None) -> Mirror:
        """Log in and take the answer; with a mirror, go on from where it stands."""
        self.mirror = mirror or self.mirror
        self.mirror.user = user or self.mirror.user
        resume = {"log_id": self.mirror.log_id, "version": self.mirror.version} if self.mirror.log_id else {}
        await self.send(aid="req_login", bid="qaexchange", user_name=self.mirror.user, password=password, **resume)
        self.mirror.take(await self.receive())
        return self.mirror

    async def subscribe(self, *instruments: str) -> None:
        """Subscribe, and wait until the echo tells that it is in force."""
        ins_list = ",".join(instruments)
        await self.send(aid="subscribe_quote", ins_list=ins_list)
        await self.until(lambda mirror: mirror.tree.get("ins_list") == ins_list)

    async def receive(self) -> Tree:
        """The next frame, whatever it is, as it came: nothing is done with it."""
        async with asyncio.timeout(DEADLINE_S):
            frame: Tree = orjson.loads(await self.connection.recv())
        return frame

    async def peek(self) -> None:
        """Ask for the next step, unless it is asked for already."""
        if not self._is_peeking:
            self._is_peeking = True
            await self.send(aid="peek_message")

    async def step(self) -> Tree:
        """Ask for the next step, wait for it, and let the mirror take it."""
        await self.peek()
        step = await self.receive()
        self._take(step)
        return step

    async def park(self) -> None:
        """Ask for the next step, and return once the server holds the request because there is no news."""
        while True:
            await self.peek()
            await self.send(aid="ping")
            first = await self.receive()
            if first == PONG:
                return
            self._take(first)
            assert await self.receive() == PONG

    async def until(self, condition: Callable[[Mirror], bool]) -> None:
        """Take steps until the mirror is as it should be; no peek stays outstanding behind it."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not condition(self.mirror):
                    await self.step()
        except TimeoutError:
            raise AssertionError(f"not within {DEADLINE_S:g} s; the mirror is {self.mirror.tree}") from None

    async def until_order(self, order_id: str, status: str | None = None) -> None:
        """Take steps until the order shows, with this status if one is given."""
        await self.until(
            lambda mirror: order_id in mirror.orders and status in (None, mirror.orders[order_id]["status"])
        )

    async def closed(self) -> Closed | None:
        """Take what still comes until the connection has ended; see `how_closed`."""
        try:
            while True:
                self.mirror.take(await self.receive())
        except ConnectionClosed as error:
            return how_closed(error)

    def _take(self, step: Tree) -> None:
        self._is_peeking = False
        self.mirror.take(step)

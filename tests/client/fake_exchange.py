"""A server that speaks DIFF over a real socket and does to its clients what a test tells it to.

It keeps one user's picture of orders, every version of it, and answers as an exchange does: a login with the step from
the version it names, a peek with the next step or not at all, an order by its id only once. A `Trouble` says how a
connection is to end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from exchange.client.changes import Tree
from projections.merge_patch import difference, merge_patch
from tests.client.steps import LOG_ID, full, order_row, own, step

USER: Final = "alice"
PASSWORD: Final = "passw0rd"
LOGIN_OK: Final = {"notify": {"auth_result": {"type": "MESSAGE", "level": "INFO", "code": 1000, "content": "in"}}}


def refusal(code: int, content: str = "no") -> Tree:
    """The answer to a login that fails."""
    notice = {"type": "MESSAGE", "level": "ERROR", "code": code, "content": content}
    return step({"notify": {"auth_result": notice}})


class Cut(Exception):
    """The line breaks without a word."""


class Trouble:
    """What happens to a connection; one that nothing happens to is the default."""

    def __init__(
        self,
        *,
        cut_after: int | None = None,
        close_after: tuple[int, int] | None = None,
        silent_after: int | None = None,
        answer_login: Tree | None = None,
        instead: dict[int, Any] | None = None,
    ) -> None:
        self.cut_after = cut_after
        """The line is cut once so many messages went either way."""
        self.close_after = close_after
        """(messages, close code)"""
        self.silent_after = silent_after
        """From so many messages on the server says nothing more."""
        self.answer_login = answer_login
        """Answers the login with this frame."""
        self.instead = instead or {}
        """Sends this text in place of the so-manyeth frame, counted from 0."""


class FakeExchange:
    """The server's side: its picture at every version, and what it was sent."""

    def __init__(self, troubles: Sequence[Trouble]) -> None:
        self.troubles = list(troubles)
        """One for each connection in turn; further ones have none."""
        self.pictures: dict[int, Tree] = {0: own(orders={})}
        self.version = 0
        self.log_id = LOG_ID
        self.passwords = {PASSWORD}
        self.taken: Counter[str] = Counter()
        """How often each order was really taken: once, whatever was sent."""
        self.received: list[list[Tree]] = []
        """The messages of each connection."""
        self.outcome = "FILLED"
        """The status that orders get at once."""
        self.news = asyncio.Condition()
        self.connections: list[ServerConnection] = []
        self.max_peeks = 0
        """The most peeks that were ever outstanding on one connection."""
        self.server: Server

    @property
    def url(self) -> str:
        """Where it listens."""
        port = next(iter(self.server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}"

    @property
    def picture(self) -> Tree:
        """The present one."""
        return self.pictures[self.version]

    async def change(self, patch: Tree) -> None:
        """Something happens: a new version."""
        self.pictures[self.version + 1] = merge_patch(self.picture, patch)
        self.version += 1
        await self.tell()

    async def tell(self) -> None:
        """Have everybody look again who waits for something."""
        async with self.news:
            self.news.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once this is so; looked at with every message that comes."""
        async with self.news:
            await self.news.wait_for(condition)

    def messages(self, aid: str) -> list[Tree]:
        """All messages of this kind, over all connections."""
        return [each for messages in self.received for each in messages if each["aid"] == aid]

    async def serve_one(self, socket: ServerConnection) -> None:
        """A connection, from its opening to its end."""
        number = len(self.received)
        self.received.append([])
        self.connections.append(socket)
        trouble = self.troubles[number] if number < len(self.troubles) else Trouble()
        try:
            await _Visit(self, socket, trouble, self.received[number]).run()
        except* (Cut, ConnectionClosed):
            socket.transport.abort()


class _Visit:
    """One connection's conversation."""

    def __init__(
        self, exchange: FakeExchange, socket: ServerConnection, trouble: Trouble, received: list[Tree]
    ) -> None:
        self._exchange, self._socket, self._trouble, self._received = exchange, socket, trouble, received
        self._count = 0
        self._frames = 0
        self._cursor: int | None = None
        self._ins_list: str | None = None
        self._peeks = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(self._answer_peeks())
            try:
                async for text in self._socket:
                    message = orjson.loads(text)
                    self._received.append(message)
                    await self._exchange.tell()
                    await self._went()
                    await self._hear(message)
            finally:
                answering.cancel()

    async def _hear(self, message: Tree) -> None:
        match message["aid"]:
            case "req_login":
                await self._log_in(message)
            case "peek_message":
                self._peeks += 1
                self._exchange.max_peeks = max(self._exchange.max_peeks, self._peeks)
                await self._exchange.tell()
            case "subscribe_quote":
                self._ins_list = message["ins_list"]
                await self._exchange.tell()
            case "insert_order":
                await self._insert(message)
            case "cancel_order":
                await self._exchange.change(own(orders={message["order_id"]: {"status": "CANCELLED"}}))

    async def _log_in(self, message: Tree) -> None:
        exchange = self._exchange
        if self._trouble.answer_login is not None:
            await self._send(self._trouble.answer_login)
        elif message["password"] not in exchange.passwords:
            await self._send(refusal(1001, "Wrong user name or password"))
        elif message.get("log_id") == exchange.log_id and message["version"] in exchange.pictures:
            since = message["version"]
            self._cursor = exchange.version
            forget = {"quotes": None, "notify": None, "ins_list": None}
            patch = difference(exchange.pictures[since], exchange.picture)
            await self._send(step(forget, LOGIN_OK, patch, version=self._cursor, log_id=exchange.log_id))
        else:
            self._cursor = exchange.version
            await self._send(full(LOGIN_OK, exchange.picture, version=self._cursor, log_id=exchange.log_id))

    async def _insert(self, message: Tree) -> None:
        exchange, order_id = self._exchange, message["order_id"]
        if order_id in exchange.taken:
            return  # its outcome is in the picture
        exchange.taken[order_id] += 1
        row = order_row(order_id, exchange.version + 1, exchange.outcome)
        await exchange.change(own(orders={order_id: row}))

    async def _answer_peeks(self) -> None:
        exchange = self._exchange
        while True:
            async with exchange.news:
                await exchange.news.wait_for(self._has_answer)
            self._peeks -= 1
            assert self._cursor is not None
            patches = [difference(exchange.pictures[self._cursor], exchange.picture)]
            if self._ins_list is not None:
                patches.append({"ins_list": self._ins_list, "quotes": _quotes(self._ins_list)})
                self._ins_list = None
            self._cursor = exchange.version
            await self._send(step(*patches, version=self._cursor))

    def _has_answer(self) -> bool:
        is_news = self._ins_list is not None or self._cursor != self._exchange.version
        return self._peeks > 0 and self._cursor is not None and is_news

    async def _send(self, frame: Any) -> None:
        if self._trouble.silent_after is not None and self._count >= self._trouble.silent_after:
            return
        text = self._trouble.instead.get(self._frames)
        self._frames += 1
        await self._socket.send(orjson.dumps(frame).decode() if text is None else text)
        await self._went()

    async def _went(self) -> None:
        """One more message went either way."""
        self._count += 1
        if self._count == self._trouble.cut_after:
            raise Cut
        if self._trouble.close_after is not None and self._count == self._trouble.close_after[0]:
            await self._socket.close(self._trouble.close_after[1], "as the test says")


def _quotes(ins_list: str) -> Tree:
    return {name: {"instrument_id": name, "last_price": 3600.0} for name in ins_list.split(",") if name}


@asynccontextmanager
async def fake_exchange(
    *troubles: Trouble, set_up: Callable[[FakeExchange], None] | None = None
) -> AsyncIterator[FakeExchange]:
    """A server whose first connections meet these troubles."""
    exchange = FakeExchange(troubles)
    if set_up is not None:
        set_up(exchange)
    async with serve(exchange.serve_one, "127.0.0.1", 0, compression=None) as exchange.server:
        yield exchange

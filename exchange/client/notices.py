"""What the exchange tells a client in words, and who listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, Self
from weakref import WeakSet

from exchange.client.changes import Tree

AUTH_RESULT: Final = "auth_result"
"""The id under which a login is answered."""


class Notice(NamedTuple):
    """One notice. Programs look at the code, which keeps its meaning for ever, and people at the text."""

    notice_id: str
    level: Literal["INFO", "WARNING", "ERROR"]
    code: int
    content: str
    aid: str | None = None
    """What it answers, where that is the message of an order: `insert_order` or `cancel_order`."""
    order_id: str | None = None
    """The order that the message named."""


NoticeCallback = Callable[[Notice], object]


def notices_in(frame: Tree) -> list[Notice]:
    """The notices of a step, in their order, the answer to a login too. Whatever is not shaped like one is left out."""
    found = []
    for patch in frame["data"]:
        told = patch.get("notify")
        for notice_id, wire in told.items() if isinstance(told, dict) else ():
            if isinstance(wire, dict) and isinstance(wire.get("code"), int):
                found.append(_notice(notice_id, wire))
    return found


def _notice(notice_id: str, wire: dict[str, Any]) -> Notice:
    level, content = wire.get("level", "INFO"), str(wire.get("content", ""))
    return Notice(notice_id, level, wire["code"], content, _text(wire.get("aid")), _text(wire.get("order_id")))


def _text(wire: Any) -> str | None:
    return wire if isinstance(wire, str) else None


class NoticeReader:
    """The notices from its making on, for `async for`. It ends with the client, with an error if the client failed."""

    def __init__(self, waiting_max: int) -> None:
        self._waiting: deque[Notice] = deque(maxlen=waiting_max)
        self._news = asyncio.Event()
        self._is_closed = False
        self._error: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notice:
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def put(self, notice: Notice) -> None:
        """Hand over a notice; the oldest that nobody has read makes room for it."""
        self._waiting.append(notice)
        self._news.set()

    def close(self, error: Exception | None) -> None:
        """No further notice will come."""
        self._is_closed, self._error = True, error
        self._news.set()


class NoticeBoard:
    """Passes notices on to callbacks and readers. None of them can hold up another, or the client."""

    def __init__(self, waiting_max: int, callback_failed: Callable[[Exception], object]) -> None:
        self.last: Notice | None = None
        """The newest one that is no answer to a login."""
        self._waiting_max = waiting_max
        self._callback_failed = callback_failed
        self._callbacks: list[NoticeCallback] = []
        self._readers: WeakSet[NoticeReader] = WeakSet()
        """Weak, since a reader whose loop was left is never closed by anybody."""

    def on_notice(self, callback: NoticeCallback) -> Callable[[], None]:
        """Have `callback` called with each notice from now on; returns what ends that."""
        self._callbacks.append(callback)

        def off() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return off

    def read(self) -> NoticeReader:
        """The notices from now on."""
        reader = NoticeReader(self._waiting_max)
        self._readers.add(reader)
        return reader

    def take(self, notices: list[Notice]) -> None:
        """Pass these on."""
        for notice in notices:
            if notice.notice_id != AUTH_RESULT:
                self.last = notice
            for reader in tuple(self._readers):
                reader.put(notice)
            for callback in tuple(self._callbacks):
                try:
                    callback(notice)
                except Exception as error:
                    self._callback_failed(error)

    def close(self, error: Exception | None) -> None:
        """No further notice will come; readers are told the error, if there is one."""
        for reader in tuple(self._readers):
            reader.close(error)

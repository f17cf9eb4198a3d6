"""The client for programs without an event loop: the same calls, each of which waits until it is done."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from exchange.client.background import BackgroundLoop
from exchange.client.client import CONDITION_WAIT_S, CONNECT_WAIT_S, Client
from exchange.client.errors import ClosedError
from exchange.client.following import LoginBy
from exchange.client.layout import DialectName, Layout
from exchange.client.mirror import ChangeCallback, log_failure
from exchange.client.notices import Notice, NoticeCallback
from exchange.client.options import ClientOptions
from exchange.client.picture import Picture, PictureReader
from exchange.client.requests import Direction, Offset, TimeCondition, VolumeCondition
from exchange.client.rows import Order
from exchange.client.underway import OrderHandle

Wanted = TypeVar("Wanted")


class SyncOrderHandle:
    """One order of a `SyncClient`; see `OrderHandle`."""

    def __init__(self, handle: OrderHandle, background: BackgroundLoop) -> None:
        self.handle = handle
        self._background = background

    def __repr__(self) -> str:
        return f"SyncOrderHandle({self.order_id!r}, status={self.status!r})"

    @property
    def order_id(self) -> str:
        """The order's id."""
        return self.handle.order_id

    @property
    def order(self) -> Order | None:
        """See `OrderHandle.order`."""
        return self.handle.order

    @property
    def status(self) -> str | None:
        """See `OrderHandle.status`."""
        return self.handle.status

    @property
    def refusal(self) -> Notice | None:
        """See `OrderHandle.refusal`."""
        return self.handle.refusal

    @property
    def is_finished(self) -> bool:
        """See `OrderHandle.is_finished`."""
        return self.handle.is_finished

    def acknowledged(self, timeout_s: float | None = CONDITION_WAIT_S) -> Order:
        """See `OrderHandle.acknowledged`."""
        return self._background.call(self.handle.acknowledged(timeout_s))

    def finished(self, timeout_s: float | None = CONDITION_WAIT_S) -> Order:
        """See `OrderHandle.finished`."""
        return self._background.call(self.handle.finished(timeout_s))

    def cancel(self) -> None:
        """See `OrderHandle.cancel`."""
        self._background.call(self.handle.cancel())

    def send_again(self) -> None:
        """See `OrderHandle.send_again`."""
        self._background.call(self.handle.send_again())


class SyncClient(PictureReader):
    """One user's client, which any thread may use.

        with SyncClient("ws://127.0.0.1:8000", "alice", password) as client:
            order = client.insert("SHFE.cu2701", "BUY", "OPEN", 1, 48000)
            print(order.finished().status)

    A `Client` does the work on an event loop in a thread in the background. Callbacks and conditions run in that
    thread: they may read everything, and must not make blocking calls (WrongThreadError).
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        user: str,
        password: str,
        *,
        dialect: DialectName = "guide",
        login_by: LoginBy = "password",
        tls: ssl.SSLContext | None = None,
        options: ClientOptions | None = None,
        callback_failed: Callable[[Exception], object] = log_failure,
    ) -> None:
        """See `Client`."""
        self._client = Client(
            addresses,
            user,
            password,
            dialect=dialect,
            login_by=login_by,
            tls=tls,
            options=options,
            callback_failed=callback_failed,
        )
        self._background = BackgroundLoop(f"exchange client of {user}")

    def connect(self, timeout_s: float | None = CONNECT_WAIT_S) -> None:
        """See `Client.connect`."""
        self._background.call(self._client.connect(timeout_s))

    def until_connected(self, timeout_s: float | None = CONNECT_WAIT_S) -> None:
        """See `Client.until_connected`."""
        self._background.call(self._client.until_connected(timeout_s))

    def close(self) -> None:
        """End the connection and the thread; calls of other threads that still wait get ClosedError."""
        with suppress(ClosedError):  # another thread was faster; `stop` waits until that is done
            self._background.call(self._client.close())
        self._background.stop()

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_connected(self) -> bool:
        """See `Client.is_connected`."""
        return self._client.is_connected

    @property
    def resumes(self) -> int:
        """See `Client.resumes`."""
        return self._client.resumes

    @property
    def full_steps(self) -> int:
        """See `Client.full_steps`."""
        return self._client.full_steps

    @property
    def user(self) -> str:
        """The name of the login."""
        return self._client.user

    @property
    def layout(self) -> Layout:
        """See `Client.layout`."""
        return self._client.layout

    @property
    def picture(self) -> Picture:
        """The present picture: everything in it belongs to one version. Reading it needs no lock."""
        return self._client.picture

    @property
    def history(self) -> list[int]:
        """See `Mirror.history`."""
        return self._background.call(self._history())

    def at(self, version: int) -> Picture:
        """See `Client.at`."""
        return self._background.call(self._at(version))

    def rollback(self, version: int, timeout_s: float | None = CONNECT_WAIT_S) -> None:
        """See `Client.rollback`."""
        self._background.call(self._client.rollback(version, timeout_s))

    def wait_for(
        self, condition: Callable[[Picture], Wanted | None], timeout_s: float | None = CONDITION_WAIT_S
    ) -> Wanted:
        """See `Client.wait_for`."""
        return self._background.call(self._client.wait_for(condition, timeout_s))

    def on(self, prefix: Sequence[str], callback: ChangeCallback) -> Callable[[], None]:
        """See `Mirror.on`; the callback runs in the client's thread."""
        return self._client.on(prefix, callback)

    def on_notice(self, callback: NoticeCallback) -> Callable[[], None]:
        """See `Client.on_notice`; the callback runs in the client's thread."""
        return self._client.on_notice(callback)

    def notices(self) -> Iterator[Notice]:
        """The notices from now on; the loop over them waits for each, and ends with the client."""
        reader = self._client.notices()

        def read() -> Iterator[Notice]:
            while True:
                try:
                    yield self._background.call(reader.__anext__())
                except (StopAsyncIteration, ClosedError):
                    return

        return read()

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """See `Client.subscriptions`."""
        return self._client.subscriptions

    def subscribe(self, *instruments: str) -> None:
        """See `Client.subscribe`."""
        self._background.call(self._client.subscribe(*instruments))

    def unsubscribe(self, *instruments: str) -> None:
        """See `Client.unsubscribe`."""
        self._background.call(self._client.unsubscribe(*instruments))

    def insert(
        self,
        instrument_id: str,
        direction: Direction,
        offset: Offset,
        volume: int,
        price: float | None = None,
        *,
        time_condition: TimeCondition | None = None,
        volume_condition: VolumeCondition = "ANY",
        order_id: str | None = None,
        wait: bool = False,
        timeout_s: float | None = CONNECT_WAIT_S,
    ) -> SyncOrderHandle:
        """See `Client.insert`."""
        sending = self._client.insert(
            instrument_id,
            direction,
            offset,
            volume,
            price,
            time_condition=time_condition,
            volume_condition=volume_condition,
            order_id=order_id,
            wait=wait,
            timeout_s=timeout_s,
        )
        return SyncOrderHandle(self._background.call(sending), self._background)

    def cancel(self, order: SyncOrderHandle | str) -> None:
        """See `Client.cancel`."""
        self._background.call(self._client.cancel(order.handle if isinstance(order, SyncOrderHandle) else order))

    async def _history(self) -> list[int]:
        return self._client.mirror.history

    async def _at(self, version: int) -> Picture:
        return self._client.at(version)

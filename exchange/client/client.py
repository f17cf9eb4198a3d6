"""The client that a program of asyncio holds."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from types import TracebackType
from typing import Final, Self, TypeVar

from exchange.client.addresses import read_addresses
from exchange.client.changes import Tree
from exchange.client.errors import ClosedError, NotConnectedError, NotInTimeError
from exchange.client.following import Credentials, Follower, LoginBy, Sleep
from exchange.client.layout import DialectName, Layout, layout_of
from exchange.client.mirror import ChangeCallback, Mirror, log_failure
from exchange.client.notices import NoticeBoard, NoticeCallback, NoticeReader, notices_in
from exchange.client.options import ClientOptions
from exchange.client.picture import Picture, PictureReader
from exchange.client.pruning import Pruning
from exchange.client.requests import (
    Direction,
    Offset,
    TimeCondition,
    VolumeCondition,
    cancel_message,
    order_message,
    subscribe_message,
)
from exchange.client.underway import OrderHandle, Underway
from exchange.client.waiting import Waiters

Wanted = TypeVar("Wanted")

CONNECT_WAIT_S: Final = 10.0
"""How long calls wait for a connection unless told otherwise."""
CONDITION_WAIT_S: Final = 30.0
"""How long `wait_for` waits unless told otherwise."""


class Client(PictureReader):
    """One user's client.

        async with Client("ws://127.0.0.1:8000", "alice", password) as client:
            order = await client.insert("SHFE.cu2701", "BUY", "OPEN", 1, 48000)
            print((await order.finished()).status)

    All calls belong to the event loop in which `connect` was called; `SyncClient` is for everybody else. What it gives
    to read (`picture`, rows) never changes and may go to any thread.
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
        random: Random | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is sent before `connect`.

        `addresses` are tried in turn: `ws://host:port` or `wss://host:port`. `password` may be a token. With `login_by`
        "token" the client exchanges its password for a token over HTTP first and comes back with that. Exceptions of
        callbacks go to `callback_failed`, which by default logs them. `random`, `sleep` and `clock` are for tests.
        """
        self.options = options or ClientOptions()
        self.layout: Layout = layout_of(dialect, user)
        """Where the rows are in the tree, for `on`: `client.layout.orders`."""
        self._user = user
        self._clock = clock
        self._underway = Underway(
            self.layout, orders_max=self.options.underway_max, resend_within_s=self.options.resend_within_s
        )
        self._mirror = Mirror(
            history_max=self.options.history_max,
            prune=Pruning(
                self.layout,
                trades_max=self.options.trades_max,
                finished_orders_max=self.options.finished_orders_max,
                spared=self._underway.handles,
            ),
            callback_failed=callback_failed,
        )
        self._follower = Follower(
            Credentials(user=user, password=password, login_by=login_by, tls=tls),
            read_addresses(addresses, dialect),
            self._mirror,
            self,
            self.options,
            random=random,
            sleep=sleep,
        )
        self._notices = NoticeBoard(self.options.notices_max, callback_failed)
        self._waiters = Waiters()
        self._subscriptions: dict[str, None] = {}
        prefix = secrets.token_hex(6)
        self._order_ids = (f"{prefix}-{number}" for number in count(1))
        self._failure: Exception | None = None

    # The connection.

    async def connect(self, timeout_s: float | None = CONNECT_WAIT_S) -> None:
        """Connect, log in, and have the first picture.

        Raises LoginError for a wrong user or password, and NotConnectedError where no address answers in time; then
        the client goes on trying until it is closed.
        """
        self._raise_failure()
        if not self._follower.has_started:
            self._follower.start()
        await self.until_connected(timeout_s)

    async def until_connected(self, timeout_s: float | None = CONNECT_WAIT_S) -> None:
        """Wait while there is no connection. Raises like `connect`."""
        self._raise_failure()
        if not self._follower.has_started:
            raise NotConnectedError("the client was never connected: call `connect` first, or use `async with`")
        try:
            await self._waiters.wait(self.picture, lambda _: self.is_connected, timeout_s)
        except TimeoutError:
            raise NotConnectedError(
                f"no connection within {timeout_s:g} s; the last trouble was {self._follower.last_trouble!r}. Is the "
                "exchange running at this address? Nothing was sent; the client goes on trying until it is closed"
            ) from None

    async def close(self) -> None:
        """End the connection. Whoever still waits gets ClosedError; what was sent stays with the exchange."""
        self.ended(ClosedError("the client was closed: make another one"))
        await self._follower.stop()

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection that is logged in and has asked for all that is wanted."""
        return self._follower.is_connected

    @property
    def resumes(self) -> int:
        """How often the client came back to where its mirror stood."""
        return self._follower.resumes

    @property
    def full_steps(self) -> int:
        """How often a login was answered with the whole picture; 1 where the client could always be led on."""
        return self._follower.full_steps

    # What can be read.

    @property
    def user(self) -> str:
        """The name of the login."""
        return self._user

    @property
    def mirror(self) -> Mirror:
        """The mirror, for its callbacks and history; it is led on by the client alone."""
        return self._mirror

    @property
    def picture(self) -> Picture:
        """The present picture: everything in it belongs to one version."""
        return Picture(self._mirror.snapshot, self.layout)

    def at(self, version: int) -> Picture:
        """The picture of a former version; `mirror.history` lists those that are kept. Raises UnknownVersionError."""
        snapshot = self._mirror.snapshot
        return Picture(snapshot._replace(tree=self._mirror.at(version), version=version), self.layout)

    # What can be waited for, and listened to.

    async def wait_for(
        self, condition: Callable[[Picture], Wanted | None], timeout_s: float | None = CONDITION_WAIT_S
    ) -> Wanted:
        """What the condition gives once that counts as true; looked at now and after each whole step.

        Raises NotInTimeError, LoginError or ClosedError where the client ends, and whatever the condition raises.
        """
        self._raise_failure()
        try:
            return await self._waiters.wait(self.picture, condition, timeout_s)
        except TimeoutError:
            notice = self._notices.last
            told = f"; the last notice was {notice.code}: {notice.content}" if notice else ""
            state = "connected" if self.is_connected else f"not connected ({self._follower.last_trouble!r})"
            raise NotInTimeError(
                f"it did not happen within {timeout_s:g} s; the client is {state} and has version {self.version}{told}"
            ) from None

    def on(self, prefix: Sequence[str], callback: ChangeCallback) -> Callable[[], None]:
        """Have `callback` called after each step that changed something at this path or below; see `Mirror.on`."""
        return self._mirror.on(prefix, callback)

    def on_notice(self, callback: NoticeCallback) -> Callable[[], None]:
        """Have `callback` called with each notice, after its step was taken; returns what ends that."""
        return self._notices.on_notice(callback)

    def notices(self) -> NoticeReader:
        """The notices from now on, for `async for`; the oldest unread one makes room where nobody reads."""
        return self._notices.read()

    # What can be asked for.

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The instruments whose quotes are asked for."""
        return tuple(self._subscriptions)

    async def subscribe(self, *instruments: str) -> None:
        """Have these quotes too. They come with a later step, and again after every resume; without a connection they
        are asked for with the next one."""
        await self._subscribe(dict.fromkeys((*self._subscriptions, *instruments)))

    async def unsubscribe(self, *instruments: str) -> None:
        """Have these quotes no more."""
        await self._subscribe(dict.fromkeys(each for each in self._subscriptions if each not in instruments))

    async def insert(
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
    ) -> OrderHandle:
        """Send an order, and with `wait` stay until the exchange has answered it: its `status` tells the answer.

        Without a price the order takes any; GFD (good for day) is the usual time condition with a price, IOC (what can
        be had at once) without. A refused order is an order with status REJECTED, and no exception; where the exchange
        did not even keep it, the handle's `refusal` says why.

        Waits for a connection for at most `timeout_s` and then raises NotConnectedError: nothing was sent. Once it was
        sent, a cut line does no harm: an order that was not answered is sent again after the resume, under the id that
        it has (yours in `order_id`, unique for ever, or one made here). Raises InvalidRequestError, TooManyOrdersError.
        """
        message = order_message(
            self._user,
            next(self._order_ids) if order_id is None else order_id,
            instrument_id,
            direction,
            offset,
            volume,
            price,
            time_condition,
            volume_condition,
        )
        await self.until_connected(timeout_s)
        handle = OrderHandle(self, message, self._clock())
        self._underway.add(handle)
        await self._follower.send(message)
        if wait:
            await handle.acknowledged(timeout_s)
        return handle

    async def send_again(self, handle: OrderHandle) -> None:
        """See `OrderHandle.send_again`."""
        await self.until_connected()
        handle.begin_again(self._clock())
        self._underway.add(handle)
        await self._follower.send(handle.message)

    async def cancel(self, order: OrderHandle | str) -> None:
        """Ask the exchange to take an order out of the market; one of this user's, by handle or id.

        A cancel that a cut line may have swallowed is sent again after the resume, while the order still works. What
        becomes of it shows in the order; a refusal is a notice (2101, 2102).
        """
        order_id = order.order_id if isinstance(order, OrderHandle) else order
        await self.until_connected()
        self._underway.add_cancel(order_id)
        await self._follower.send(cancel_message(self._user, order_id))

    async def rollback(self, version: int, timeout_s: float | None = CONNECT_WAIT_S) -> None:
        """Take the mirror back to a former version and come back from there: the next step leads to now again.

        Raises UnknownVersionError, NotConnectedError.
        """
        self._mirror.rollback(version)
        await self._follower.leave_connection()
        await self.until_connected(timeout_s)

    async def _subscribe(self, wanted: dict[str, None]) -> None:
        self._raise_failure()
        self._subscriptions = wanted
        await self._follower.send(subscribe_message(wanted))

    # What the follower tells, see `Audience`.

    def stepped(self, frame: Tree) -> None:
        """For the follower: tell everybody of a step, orders first, since conditions ask for them."""
        picture, notices = self.picture, notices_in(frame)
        self._underway.stepped(picture)
        self._underway.told(notices)
        self._notices.take(notices)
        self._waiters.look(picture)

    def messages_to_send(self) -> list[Tree]:
        """For the follower: what belongs to a connection, and what the former one may have lost."""
        subscription = [subscribe_message(self._subscriptions)] if self._subscriptions else []
        return [*subscription, *self._underway.to_send_again(self._user, self._clock())]

    def connected(self) -> None:
        """For the follower: let those go on who wait for a connection."""
        self._waiters.look(self.picture)

    def ended(self, error: Exception) -> None:
        """For the follower: end for this reason, unless the client has ended already."""
        if self._failure is None:
            self._failure = error
            self._notices.close(None if isinstance(error, ClosedError) else error)
        self._waiters.fail(self._failure)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

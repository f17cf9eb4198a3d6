"""A client that does not read costs the server one larger step later: no queue, and nobody else's news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import orjson

from exchange.gateway.steps import NOTICES_MAX
from exchange.server.app import Exchange
from exchange.server.port.websocket import WebSocketConnection
from tests.support.diff_client import DEADLINE_S, INSTRUMENT, PASSWORD, DiffClient, Mirror, Tree
from tests.support.log_views import check_mirror
from tests.support.running import running, url_of
from tests.support.ws import RawClient, text

ROUNDS: Final = 500
CHANGES_PER_ROUND: Final = 4
RECEIVE_BUFFER_BYTES: Final = 4096


async def trade_a_lot(busy: DiffClient) -> None:
    """Thousands of changes, of the client's own and of a quote; each round is seen to its end before the next."""
    for number in range(ROUNDS):
        first, second = f"{number}.1", f"{number}.2"
        for order_id in (first, second):
            await busy.insert(order_id, "BUY", 3500 + number % 7)
            await busy.cancel(order_id)
        await busy.until_order(second, "CANCELLED")


class DeafClient:
    """Sends as it likes and reads nothing, until it does. Small buffers let the server notice soon."""

    def __init__(self, raw: RawClient, user: str) -> None:
        self.mirror = Mirror()
        self.mirror.user = user
        self.versions: list[int | None] = []
        """The version of every step that was read."""
        self._raw = raw

    async def send(self, *messages: Tree) -> None:
        """Send all of them at once."""
        await self._raw.send(b"".join(text(orjson.dumps(message).decode()) for message in messages))

    async def read_step(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            step = orjson.loads(await self._raw.read_text())
        self.mirror.take(step)
        self.versions.append(self.mirror.version)


@asynccontextmanager
async def deaf_client(exchange: Exchange, user: str) -> AsyncIterator[tuple[DeafClient, WebSocketConnection]]:
    """A deaf client that has logged in, and the server's end of its connection."""
    others = set(exchange.gate.connections)
    async with await RawClient.open(exchange.port.port, receive_buffer_bytes=RECEIVE_BUFFER_BYTES) as raw:
        [connection] = exchange.gate.connections - others
        client = DeafClient(raw, user)
        await client.send({"aid": "req_login", "user_name": user, "password": PASSWORD})
        await client.read_step()
        yield client, connection


async def test_a_client_that_asks_late_gets_everything_in_one_step(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as exchange,
        DiffClient.connect(url_of(exchange)) as late,
        DiffClient.connect(url_of(exchange)) as busy,
    ):
        for client in (late, busy):
            await client.login("alice")
            await client.subscribe(INSTRUMENT)
        steps_before = late.mirror.steps
        await late.peek()
        await trade_a_lot(busy)
        parked = await late.step()
        conflated = await late.step()
        assert late.mirror.steps == steps_before + 2
        assert parked["version"] < conflated["version"] == busy.mirror.version == exchange.publisher.projections.version
        assert conflated["version"] >= ROUNDS * CHANGES_PER_ROUND
        check_mirror(late.mirror, tmp_path)
        assert late.mirror.tree["trade"] == busy.mirror.tree["trade"]


async def test_a_client_that_asks_late_gets_the_newest_notices_and_no_more_than_are_kept(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as exchange,
        DiffClient.connect(url_of(exchange)) as late,
        DiffClient.connect(url_of(exchange)) as busy,
    ):
        for client in (late, busy):
            await client.login("alice")
        for number in range(2 * NOTICES_MAX):
            await busy.insert(f"{number}", "BUY", 3600, 500)
        await busy.until_order(f"{2 * NOTICES_MAX - 1}", "REJECTED")
        await late.step()
        assert len(late.mirror.notices) == NOTICES_MAX
        assert late.mirror.orders.keys() == {f"{number}" for number in range(2 * NOTICES_MAX)}
        assert late.mirror.notices[-1]["content"] == late.mirror.orders[f"{2 * NOTICES_MAX - 1}"]["last_msg"]
        check_mirror(late.mirror, tmp_path)


async def test_a_client_that_does_not_read_is_sent_nothing_more_and_holds_nobody_up(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as exchange,
        DiffClient.connect(url_of(exchange)) as busy,
        deaf_client(exchange, "alice") as (deaf, connection),
    ):
        await busy.login("alice")
        await busy.subscribe(INSTRUMENT)
        await fill_up(deaf, connection, exchange)
        paused_at = busy.mirror.version
        made_before, taken_before = exchange.publisher.steps, busy.mirror.steps
        await trade_a_lot(busy)
        head = busy.mirror.version
        assert paused_at is not None
        assert head is not None
        assert head >= paused_at + ROUNDS * CHANGES_PER_ROUND
        assert not connection.writable, "the deaf client was cut or has read: this test shows nothing"
        assert exchange.publisher.steps - made_before == busy.mirror.steps - taken_before, "steps were made for nobody"
        assert busy.mirror.steps - taken_before >= ROUNDS

        while deaf.mirror.version != head:
            await deaf.read_step()
        between = [version for version in deaf.versions if version is not None and paused_at < version < head]
        assert between == [], "what happened while it was deaf came in more than one step"
        # What it had asked for before, and all that it had not been told, has come in its place.
        await deaf.send({"aid": "subscribe_quote", "ins_list": INSTRUMENT}, {"aid": "peek_message"})
        while deaf.mirror.tree.get("ins_list") != INSTRUMENT:
            await deaf.read_step()
        check_mirror(deaf.mirror, tmp_path)


async def fill_up(deaf: DeafClient, connection: WebSocketConnection, exchange: Exchange) -> None:
    """Ask for large steps, again and again, until the server can send no more.

    Many requests come in one piece, so that a peek is left over when that happens: it stays parked.
    """
    everything = {"aid": "subscribe_quote", "ins_list": ",".join(exchange.sequencer.state.instruments)}
    nothing, peek = {"aid": "subscribe_quote", "ins_list": ""}, {"aid": "peek_message"}
    async with asyncio.timeout(DEADLINE_S):
        while connection.writable:
            await deaf.send(*(everything, peek, nothing, peek) * 50)
            await asyncio.sleep(0)  # the server lives in this very loop

"""Peers that are slow, silent, or do not read, over real sockets: each is cut in time, and none puts off the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from exchange.server.app import Exchange
from exchange.server.port.gate import WebSocketSettings
from exchange.server.port.http import HttpSettings
from exchange.server.port.websocket import WebSocketConnection
from tests.support.diff_client import INSTRUMENT, DiffClient
from tests.support.loops import on_both_loops
from tests.support.port import serving, soon
from tests.support.running import in_memory, url_of
from tests.support.ws import PING, TEXT, RawClient, RecordingPeer, frame_header, text, upgrade_request

HURRIED = HttpSettings(request_timeout_s=0.1, stalled_timeout_s=0.1, close_timeout_s=0.2)
IMPATIENT = WebSocketSettings(ping_interval_s=0.1, ping_timeout_s=0.1, stalled_timeout_s=0.2, close_timeout_s=0.2)
QUICK = WebSocketSettings(close_timeout_s=0.5)
END_MAX_S = 3.0
"""Twice the close timeout is what an end may take; the rest is for a busy machine."""


# The opening handshake.


@on_both_loops
@pytest.mark.parametrize("end", [0, 1, 20, -2])
async def test_a_request_for_a_websocket_that_does_not_come_whole_is_refused_in_time(end: int) -> None:
    async with serving(http=HURRIED) as served, await RawClient.connect(served.number) as client:
        await client.send(upgrade_request()[:end])
        assert (await client.read_head())[0] == 408
        assert served.peers == []


@on_both_loops
async def test_a_request_for_a_websocket_that_trickles_in_gains_no_time() -> None:
    async with serving(http=HURRIED) as served, await RawClient.connect(served.number) as client:
        await client.send(upgrade_request()[:-4] + b"\r\nX: ")
        reading = asyncio.create_task(client.read_head())
        while not reading.done():
            await client.send(b"x")
            await asyncio.wait([reading], timeout=0.01)
        assert (await reading)[0] == 408


@on_both_loops
async def test_the_head_of_a_request_for_a_websocket_is_bounded_however_it_is_cut() -> None:
    """Each line is short enough; all of them together are too much."""
    many = {f"X{number}": "y" * 1_000 for number in range(20)}
    async with serving(http=HttpSettings(close_timeout_s=2.0)) as served:
        for piece_bytes in (100_000, 1_000):
            request = upgrade_request(**many)
            async with await RawClient.connect(served.number) as client:
                for at in range(0, len(request), piece_bytes):
                    await client.send(request[at : at + piece_bytes])
                assert (await client.read_head())[0] == 431
        assert served.peers == []


# Open connections.


@on_both_loops
@pytest.mark.parametrize("beginning", [b"\x81", frame_header(TEXT, 60_000), text("x" * 60_000)[:-1]])
async def test_who_stops_within_a_frame_is_silent_like_any_other(beginning: bytes) -> None:
    """A pong cannot stand within a frame, so the rest of the frame is waited for no longer than for a pong."""
    async with serving(settings=IMPATIENT) as served, await RawClient.open(served.number) as client:
        await client.send(beginning)
        assert await client.read_frame() == (PING, b"")
        assert (await client.read_close())[0] == 1011
        await client.read_to_end()
        await soon(served.peers[0].disconnected)
        assert served.peers[0].texts == []


@on_both_loops
async def test_who_ignores_the_close_frame_is_cut() -> None:
    def end(connection: WebSocketConnection, message: bytes) -> None:
        connection.disconnect(1000, "as you wished")

    settings = WebSocketSettings(close_timeout_s=0.1)
    async with serving(lambda connection: RecordingPeer(connection, end), settings=settings) as served:
        async with await RawClient.open(served.number) as client:
            await client.send(text("quit"))
            assert await client.read_close() == (1000, "as you wished")
            await client.read_to_end()
        assert served.gate.cut_total == 1


@on_both_loops
async def test_a_hundred_peers_of_every_bad_kind_cannot_put_off_the_end() -> None:
    async with AsyncExitStack() as exits:
        served = await exits.enter_async_context(
            serving(settings=QUICK, http=HttpSettings(close_timeout_s=QUICK.close_timeout_s))
        )
        clients = [await RawClient.connect(served.number) for _ in range(20)]
        for client in clients:
            await client.send(upgrade_request()[:-2])
        for beginning in (b"", frame_header(TEXT, 60_000), text("x" * 60_000)[:-1], b"\x89"):
            for _ in range(20):
                client = await RawClient.open(served.number, receive_buffer_bytes=4096)
                await client.send(beginning)
                clients.append(client)
        for peer in served.peers:
            peer.connection.send(b"x" * 60_000)
        while any(peer.connection.writable for peer in served.peers[:20]):
            for peer in served.peers[:20]:
                peer.connection.send(b"x" * 60_000)
            await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await served.port.stop()
        assert loop.time() - began < END_MAX_S
        assert [peer.disconnect_calls for peer in served.peers] == [1] * 80
        assert served.gate.connections == set()
        assert len(served.gate.addresses) == 0
        for client in clients:
            client.close()


# A whole exchange.


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with in_memory(login_deadline=1.0) as started:
        yield started


async def test_who_does_not_log_in_is_disconnected_whatever_else_it_says(exchange: Exchange) -> None:
    async with DiffClient.connect(url_of(exchange)) as client:
        await client.peek()
        await client.send(aid="subscribe_quote", ins_list=INSTRUMENT)
        assert await client.closed() == (1008, "no login came in time")


async def test_an_exchange_ends_in_time_beside_clients_that_log_in_and_never_read(exchange: Exchange) -> None:
    stalled = []
    for number in range(20):
        client = await RawClient.open(exchange.port.port, receive_buffer_bytes=4096)
        login = f'{{"aid":"req_login","user_name":"user{number}","password":"pw"}}'
        subscribe = f'{{"aid":"subscribe_quote","ins_list":"{INSTRUMENT}"}}'
        await client.send(text(login) + text(subscribe) + text('{"aid":"peek_message"}') * 50)
        stalled.append(client)
    exchange.gate.closing._delay_s = 0.5
    loop = asyncio.get_running_loop()
    began = loop.time()
    await exchange.stop()
    assert loop.time() - began < END_MAX_S
    for client in stalled:
        client.close()

"""The same connections over real sockets on loopback, on both event loops."""

from __future__ import annotations

import asyncio
import logging

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

from exchange.server.port.gate import WebSocketSettings
from exchange.server.port.websocket import WebSocketConnection
from tests.support.loops import on_both_loops
from tests.support.port import serving, soon
from tests.support.ws import (
    BINARY,
    PING,
    PONG,
    TEXT,
    RawClient,
    RecordingPeer,
    client_frame,
    close_frame,
    frame_header,
    text,
    upgrade_request,
)


@on_both_loops
async def test_an_ordinary_client_is_served() -> None:
    """websockets' own client, which offers compression, pings, sends fragments, and closes."""
    async with serving() as served:
        async with connect(served.url) as client:
            await client.send("你好")
            assert await client.recv() == "你好"
            await client.send(["frag", "men", "ted"])
            assert await client.recv() == "fragmented"
            await client.send("x" * 60_000)
            assert await client.recv() == "x" * 60_000
            await (await client.ping())
            assert client.protocol.extensions == []
        assert (client.close_code, client.close_reason) == (1000, "")
        await soon(served.peers[0].disconnected)
        assert [len(message) for message in served.peers[0].texts] == [6, 10, 60_000]


@on_both_loops
async def test_the_server_closes_with_code_and_reason() -> None:
    def answer(connection: WebSocketConnection, message: bytes) -> None:
        connection.send(b"goodbye")
        connection.disconnect(1000, "as you wished")

    async with serving(lambda connection: RecordingPeer(connection, answer)) as served:
        async with connect(served.url) as client:
            await client.send("quit")
            assert await client.recv() == "goodbye"
            with pytest.raises(ConnectionClosedOK, match="as you wished"):
                await client.recv()
        await soon(served.peers[0].disconnected)
        assert served.peers[0].disconnect_calls == 1


@on_both_loops
async def test_what_comes_right_behind_the_request_is_read() -> None:
    """A client need not wait for the answer, and TCP may join what it sends."""
    async with serving() as served, await RawClient.connect(served.number) as client:
        await client.send(upgrade_request() + text("one") + text("two")[:4])
        assert (await client.read_head())[0] == 101
        assert await client.read_text() == "one"
        await client.send(text("two")[4:])
        assert await client.read_text() == "two"


@on_both_loops
async def test_an_upgrade_may_follow_other_requests_on_the_same_connection() -> None:
    async with serving() as served, await RawClient.connect(served.number) as client:
        await client.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n" + upgrade_request())
        assert (await client.read_head())[0] == 200
        assert await client.read_bytes(3) == b"/a "
        assert (await client.read_head())[0] == 101
        await client.send(text("hello"))
        assert await client.read_text() == "hello"


@on_both_loops
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (upgrade_request("/nowhere"), 404),
        (upgrade_request(Origin="http://evil.example"), 403),
        (upgrade_request(host="evil.example"), 400),
        (upgrade_request(Sec_WebSocket_Version="7"), 400),
        (upgrade_request(Content_Length="5") + b"hello", 400),
        (upgrade_request(Transfer_Encoding="chunked"), 400),
    ],
)
async def test_a_refused_upgrade_is_answered_and_the_connection_ends(request_bytes: bytes, status: int) -> None:
    async with serving() as served, await RawClient.connect(served.number) as client:
        await client.send(request_bytes)
        answered, head = await client.read_head()
        assert answered == status
        assert "connection: close" in head.lower()
        assert await client.read_to_end() != b"", "words for people"
        assert served.peers == []


@on_both_loops
async def test_the_origin_of_the_server_itself_is_let_in() -> None:
    async with serving() as served:
        own = f"http://{served.port.address}"
        async with connect(served.url, origin=own) as client:  # type: ignore[arg-type]
            await client.send("x")
            assert await client.recv() == "x"
        with pytest.raises(InvalidStatus, match="403"):
            await connect(served.url, origin="http://evil.example")  # type: ignore[arg-type]


@on_both_loops
@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame_header(TEXT, 1 << 40), 1009, id="announces a terabyte"),
        pytest.param(client_frame(TEXT, b"x" * 70_000), 1009, id="too long"),
        pytest.param(
            client_frame(TEXT, b"x" * 60_000, fin=False) + client_frame(0, b"x" * 10_000), 1009, id="fragments too long"
        ),
        pytest.param(client_frame(TEXT, b"\xff\xfe"), 1007, id="not UTF-8"),
        pytest.param(client_frame(BINARY, b"{}"), 1003, id="binary"),
        pytest.param(b"\x81\x02{}", 1002, id="unmasked"),
        pytest.param(client_frame(0x5, b"x"), 1002, id="unknown opcode"),
    ],
)
async def test_a_violation_ends_the_connection_with_code_and_reason(data: bytes, code: int) -> None:
    async with serving() as served, await RawClient.open(served.number) as client:
        await client.send(data)
        closed_with, reason = await client.read_close()
        assert closed_with == code
        assert reason
        assert await client.read_to_end() == b""
        client.close()
        await soon(served.peers[0].disconnected)
        assert (served.peers[0].disconnect_calls, served.peers[0].texts) == (1, [])


@on_both_loops
async def test_the_far_sides_close_frame_is_echoed_and_tcp_ends() -> None:
    async with serving() as served, await RawClient.open(served.number) as client:
        await client.send(text("last") + close_frame(4321, "done here"))
        assert await client.read_text() == "last"
        assert await client.read_close() == (4321, "done here")
        assert await client.read_to_end() == b""
        await soon(served.peers[0].disconnected)


@on_both_loops
async def test_a_client_that_vanishes_is_noticed() -> None:
    async with serving() as served:
        client = await RawClient.open(served.number)
        client.close()
        await soon(served.peers[0].disconnected)
        assert served.peers[0].disconnect_calls == 1


@on_both_loops
async def test_a_silent_client_is_pinged_then_disconnected_then_cut() -> None:
    settings = WebSocketSettings(ping_interval_s=0.05, ping_timeout_s=0.05, close_timeout_s=0.05)
    async with serving(settings=settings) as served, await RawClient.open(served.number) as client:
        assert await client.read_frame() == (PING, b"")
        assert await client.read_close() == (1011, "no pong came within 0.05 s of a ping")
        await client.read_to_end()
        await soon(served.peers[0].disconnected)
        assert served.peers[0].disconnect_calls == 1


@on_both_loops
async def test_a_client_that_answers_pings_stays() -> None:
    settings = WebSocketSettings(ping_interval_s=0.02, ping_timeout_s=1.0)
    async with serving(settings=settings) as served, await RawClient.open(served.number) as client:
        for _ in range(5):
            assert await client.read_frame() == (PING, b"")
            await client.send(client_frame(PONG))
        await client.send(text("still here"))
        while (frame := await client.read_frame()) == (PING, b""):
            await client.send(client_frame(PONG))
        assert frame == (TEXT, b"still here")
        assert not served.peers[0].disconnected.is_set()


class StreamingPeer(RecordingPeer):
    """Sends a fixed number of large steps as fast as the connection takes them, as a good peer does."""

    STEP = b"x" * 32_000
    STEPS = 3_200

    def __init__(self, connection: WebSocketConnection) -> None:
        super().__init__(connection)
        self.sent = 0
        self.full = asyncio.Event()
        self.buffered_max = 0

    def on_text(self, text: bytes) -> None:
        self.on_writable()

    def on_writable(self) -> None:
        while self.connection.writable and self.sent < self.STEPS:
            self.connection.send(self.STEP)
            self.sent += 1
            self.buffered_max = max(self.buffered_max, self.connection._transport.get_write_buffer_size())
        if not self.connection.writable:
            self.full.set()


@on_both_loops
async def test_a_hundred_megabytes_to_a_slow_reader_take_little_memory() -> None:
    """It reads nothing until the server stands still, then everything; the steps wait, not the bytes."""
    async with serving(StreamingPeer) as served, await RawClient.open(served.number) as client:
        await client.send(text("begin"))
        await soon(served.peers[0].full)
        assert served.peers[0].sent < StreamingPeer.STEPS
        total = (len(StreamingPeer.STEP) + 4) * StreamingPeer.STEPS
        loop = asyncio.get_running_loop()
        read = 0
        while read < total:
            data = await loop.sock_recv(client.sock, 1 << 20)
            assert data, f"the connection ended after {read} of {total} bytes"
            read += len(data)
        assert read == total
        assert served.peers[0].buffered_max < 64 * 1024 + 3 * len(StreamingPeer.STEP)


class RecklessPeer(RecordingPeer):
    """Sends a hundred megabytes at once, whatever the connection says."""

    def on_text(self, text: bytes) -> None:
        for _ in range(3_200):
            self.connection.send(b"x" * 32_000)


@on_both_loops
async def test_a_peer_that_does_not_mind_back_pressure_costs_a_bounded_buffer_and_its_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = WebSocketSettings(overrun_max_bytes=1 << 20)
    async with serving(RecklessPeer, settings=settings) as served:
        async with await RawClient.open(served.number, receive_buffer_bytes=4096) as client:
            await client.send(text("begin"))
            await soon(served.peers[0].disconnected)
            assert len(await client.read_to_end()) < 20_000_000
        assert served.gate.cut_total == 1
        assert "while it was not writable" in caplog.text


@on_both_loops
async def test_a_client_that_never_reads_is_cut_although_it_goes_on_sending() -> None:
    """Its messages stay in its own buffers: the server stops to read from one whom it cannot write to."""
    settings = WebSocketSettings(stalled_timeout_s=0.2, write_high_water_bytes=16 * 1024)
    async with serving(settings=settings) as served:
        async with await RawClient.open(served.number, receive_buffer_bytes=4096) as client:
            burst = text("x" * 60_000) * 10
            with pytest.raises(ConnectionError):
                await client.send(burst * 100)
            await soon(served.peers[0].disconnected)
        assert served.gate.cut_total == 1
        assert len(served.peers[0].texts) < 200
        assert served.peers[0].disconnect_calls == 1


@on_both_loops
async def test_a_failing_peer_closes_its_connection_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    def answer(connection: WebSocketConnection, message: bytes) -> None:
        raise ZeroDivisionError("a bug")

    async with serving(lambda connection: RecordingPeer(connection, answer)) as served:
        with caplog.at_level(logging.ERROR, "exchange"):
            async with await RawClient.open(served.number) as client:
                await client.send(text("x"))
                assert (await client.read_close())[0] == 1011
        assert "ZeroDivisionError: a bug" in caplog.text
        await soon(served.peers[0].disconnected)
        async with await RawClient.open(served.number) as client:
            await client.send(close_frame(1000))
            assert await client.read_close() == (1000, "")


@on_both_loops
async def test_a_thousand_connections_come_and_go() -> None:
    async with serving() as served:
        clients = [await RawClient.open(served.number) for _ in range(1000)]
        assert len(served.gate.connections) == 1000
        for client in clients:
            await client.send(text("hello"))
        assert [await client.read_text() for client in clients] == ["hello"] * 1000
        for client in clients:
            await client.send(close_frame(1000))
        for client in clients:
            assert await client.read_close() == (1000, "")
            client.close()
        for peer in served.peers:
            await soon(peer.disconnected)
        assert [peer.disconnect_calls for peer in served.peers] == [1] * 1000
    assert served.gate.connections == set()
    assert (served.gate.accepted_total, served.gate.cut_total) == (1000, 0)

"""A connection without sockets and without waiting: a fake transport under it, a clock moved by hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from exchange.server.port.addresses import address_text
from exchange.server.port.gate import WebSocketGate, WebSocketSettings, protocol_class
from exchange.server.port.site import SitePolicy
from exchange.server.port.websocket import Peer, WebSocketConnection
from tests.support.ws import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FakeClock,
    FakeTransport,
    RecordingPeer,
    client_frame,
    close_frame,
    close_of,
    server_frames,
    text,
    upgrade_request,
)

SETTINGS = WebSocketSettings(
    ping_interval_s=20,
    ping_timeout_s=10,
    stalled_timeout_s=30,
    close_timeout_s=5,
    write_high_water_bytes=1000,
    overrun_max_bytes=5000,
    connections_max=10,
)


class World:
    """A gate on a fake clock, and the connections that were opened through it."""

    def __init__(self, make_peer: Callable[[WebSocketConnection], Peer] = RecordingPeer) -> None:
        self.clock = FakeClock()
        self.gate = WebSocketGate(SETTINGS, SitePolicy.bound_to("127.0.0.1"), self.clock)
        self.gate.serve("/ws", self._keep, message_max_bytes=2000)
        self.peers: list[RecordingPeer] = []
        self._make_peer = make_peer

    def request(
        self, request: bytes, transport: FakeTransport | None = None
    ) -> tuple[WebSocketConnection, FakeTransport]:
        """What the HTTP protocol does with a request for a WebSocket."""
        transport = transport or FakeTransport()
        connection = protocol_class(self.gate)(None, None, None)  # type: ignore[call-arg, arg-type]
        connection.connection_made(transport)
        connection.data_received(request)
        transport.protocol = connection
        self.clock.run_pass()
        return connection, transport

    def open(self, transport: FakeTransport | None = None) -> tuple[WebSocketConnection, FakeTransport]:
        connection, transport = self.request(upgrade_request(), transport)
        assert transport.sent().startswith(b"HTTP/1.1 101 ")
        return connection, transport

    def open_recorded(self) -> tuple[WebSocketConnection, FakeTransport, RecordingPeer]:
        connection, transport = self.open()
        return connection, transport, self.peers[-1]

    def frames(self, transport: FakeTransport) -> list[tuple[int, bytes]]:
        """What the connection has sent since the last time, after the pass in which it leaves."""
        self.clock.run_pass()
        return server_frames(transport.sent())

    def close_frame(self, transport: FakeTransport) -> tuple[int, str]:
        """Code and reason of the last frame sent, which is a close frame."""
        opcode, payload = self.frames(transport)[-1]
        assert opcode == CLOSE
        return close_of(payload)

    def _keep(self, connection: WebSocketConnection) -> Peer:
        peer = self._make_peer(connection)
        if isinstance(peer, RecordingPeer):
            self.peers.append(peer)
        return peer


# Opening.


def test_an_upgrade_makes_a_peer_that_knows_the_request() -> None:
    world = World()
    connection, transport = world.request(upgrade_request("/ws?user_id=u1&token=a%20b", Authorization="Bearer t"))
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in transport.sent()
    assert world.peers[0].connection is connection
    assert (connection.number, connection.path, connection.query) == (1, "/ws", "user_id=u1&token=a%20b")
    assert connection.headers["authorization"] == "Bearer t"
    assert connection.remote == "127.0.0.1:50412"
    assert connection.writable
    assert world.gate.connections == {connection}
    assert world.open()[0].number == 2


@pytest.mark.parametrize(
    ("path", "host", "origin"),
    [
        ("/ws", "[::1]:8000", "http://[::1]:8000"),
        ("/ws", "localhost", "http://localhost:80"),
        ("/%77s?x", "127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("/ws", "LOCALHOST:8000", "HTTP://localhost:8000"),
    ],
)
def test_the_servers_own_pages_are_let_in_under_each_of_its_names(path: str, host: str, origin: str) -> None:
    _, transport = World().request(upgrade_request(path, host=host, Origin=origin))
    assert transport.sent().startswith(b"HTTP/1.1 101 ")


def test_what_the_peer_sends_while_it_is_made_comes_behind_the_answer() -> None:
    def greet(connection: WebSocketConnection) -> Peer:
        connection.send(b"hello")
        return RecordingPeer(connection)

    world = World(greet)
    _, transport = world.request(upgrade_request())
    head, _, frames = transport.sent().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert server_frames(frames) == [(TEXT, b"hello")]


def test_compression_is_never_agreed_to() -> None:
    _, transport = World().request(upgrade_request(Sec_WebSocket_Extensions="permessage-deflate"))
    head = transport.sent()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Extensions" not in head


@pytest.mark.parametrize(
    ("request_bytes", "status", "words"),
    [
        pytest.param(upgrade_request("/nowhere"), 404, "There is one at: /ws.", id="unknown path"),
        pytest.param(upgrade_request("/ws/"), 404, "/ws/", id="nearly the path"),
        pytest.param(upgrade_request(Origin="http://evil.example"), 403, "http://evil.example", id="foreign page"),
        pytest.param(upgrade_request(Origin="null"), 403, "null", id="page without an origin"),
        pytest.param(upgrade_request(Origin="http://localhost:9000"), 403, "9000", id="page of another port"),
        pytest.param(upgrade_request(Origin="http://[::1]"), 403, "::1", id="page of another name of ours"),
        pytest.param(upgrade_request(host="[2001:db8::1]:8000"), 400, "2001:db8::1", id="foreign IPv6 address"),
        pytest.param(upgrade_request(host="evil.example"), 400, "evil.example", id="rebound name"),
        pytest.param(
            upgrade_request("http://evil.example/ws"), 404, "evil.example", id="whole address in place of a path"
        ),
        pytest.param(
            upgrade_request().replace(b"Upgrade:", b"Host: evil.example\r\nUpgrade:", 1), 400, "evil", id="two hosts"
        ),
        pytest.param(
            upgrade_request(Origin="http://localhost").replace(
                b"Upgrade:", b"Origin: http://evil.example\r\nUpgrade:", 1
            ),
            403,
            "evil",
            id="two origins",
        ),
        pytest.param(upgrade_request(Sec_WebSocket_Key=""), 400, "Sec-WebSocket-Key", id="no key"),
        pytest.param(upgrade_request(Sec_WebSocket_Key="short"), 400, "Sec-WebSocket-Key", id="bad key"),
        pytest.param(upgrade_request(Sec_WebSocket_Version="8"), 400, "Sec-WebSocket-Version", id="old version"),
        pytest.param(upgrade_request(Upgrade="chat"), 426, "Upgrade", id="another protocol"),
        pytest.param(b"POST" + upgrade_request()[3:], 405, "method", id="another method"),
        pytest.param(upgrade_request(Cookie="x" * 9000), 431, "bytes", id="header line too long"),
        pytest.param(upgrade_request("/ws?" + "x" * 9000), 414, "bytes", id="request line too long"),
    ],
)
def test_a_request_that_cannot_be_granted_is_refused_with_a_status_and_words(
    request_bytes: bytes, status: int, words: str
) -> None:
    world = World()
    connection, transport = world.request(request_bytes)
    answer = transport.sent().decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert words in answer
    assert transport.eof_written
    assert world.peers == []
    assert not connection.writable
    connection.data_received(b"whatever comes now\r\n\r\n")
    world.clock.run_pass()
    assert transport.writes == []
    assert (world.gate.accepted_total, world.gate.refused_total) == (0, 1)
    world.clock.advance(5.2)
    assert transport.aborted


def test_no_more_connections_than_allowed() -> None:
    world = World()
    opened = [world.open()[0] for _ in range(SETTINGS.connections_max)]
    refused, transport = world.request(upgrade_request())
    assert b"HTTP/1.1 503 " in transport.writes[0]
    opened[0].connection_lost(None)
    refused.connection_lost(None)
    world.open()


# Messages.


def test_messages_reach_the_peer_in_order_and_answers_leave_in_one_write() -> None:
    world = World()
    connection, transport, peer = world.open_recorded()
    connection.data_received(b"".join(text(f"m{number}") for number in range(50)))
    assert transport.writes == [], "nothing leaves before the pass ends"
    world.clock.run_pass()
    assert len(transport.writes) == 1
    assert server_frames(transport.sent()) == [(TEXT, f"m{number}".encode()) for number in range(50)]
    assert len(peer.texts) == 50


def test_all_connections_are_flushed_by_one_call_and_each_in_one_write() -> None:
    world = World()
    opened = [world.open() for _ in range(5)]
    for frame in (b"one", b"two"):
        for connection, _ in opened:
            connection.send(frame)
    assert world.clock.calls_waiting() == 1
    world.clock.run_pass()
    for _, transport in opened:
        assert len(transport.writes) == 1
        assert server_frames(transport.sent()) == [(TEXT, b"one"), (TEXT, b"two")]


def test_what_is_sent_in_the_next_pass_leaves_in_the_next_write() -> None:
    world = World()
    connection, transport = world.open()
    connection.send(b"one")
    world.clock.run_pass()
    connection.send(b"two")
    world.clock.run_pass()
    assert [server_frames(data) for data in transport.writes] == [[(TEXT, b"one")], [(TEXT, b"two")]]


def test_a_burst_above_the_high_water_mark_leaves_early_so_that_the_peer_learns_of_a_full_transport() -> None:
    world = World()
    connection, transport = world.open()
    transport.reads = False
    sent = 0
    while connection.writable:
        connection.send(b"x" * 100)
        sent += 1
    assert sent == 10
    assert sum(len(data) for data in transport.writes) == 10 * 102


# The far side's life.


def test_a_far_side_that_answers_is_pinged_every_20_s_for_ever() -> None:
    world = World()
    connection, transport = world.open()
    for _ in range(5):
        world.clock.advance(19.9)
        assert transport.writes == []
        world.clock.advance(0.8)
        assert server_frames(transport.sent()) == [(PING, b"")]
        connection.data_received(client_frame(PONG))
    assert connection.writable


def test_a_far_side_that_does_not_answer_a_ping_is_disconnected_after_10_s_and_then_cut() -> None:
    world = World()
    connection, transport, peer = world.open_recorded()
    world.clock.advance(20.7)
    connection.data_received(text("data is no pong"))
    world.clock.advance(9.0)
    assert peer.disconnect_calls == 0
    world.clock.advance(1.5)
    assert world.close_frame(transport) == (1011, "no pong came within 10 s of a ping")
    assert transport.eof_written
    assert peer.disconnect_calls == 1
    assert not transport.aborted
    world.clock.advance(5.2)
    assert transport.aborted
    connection.connection_lost(None)
    world.clock.run_pass()
    assert peer.disconnect_calls == 1


def test_an_unasked_pong_changes_nothing() -> None:
    world = World()
    connection, transport = world.open()
    world.clock.advance(15)
    connection.data_received(client_frame(PONG, b"hello"))
    world.clock.advance(5.7)
    assert server_frames(transport.sent()) == [(PING, b"")]


def test_idle_connections_cost_one_timer_together() -> None:
    world = World()
    for _ in range(10):
        world.open()
    assert world.clock.timers_set() == 1


# Back-pressure.


def test_a_full_transport_stops_steps_and_reading_and_a_drained_one_lets_them_go_on() -> None:
    world = World()
    connection, transport, peer = world.open_recorded()
    transport.reads = False
    connection.send(b"x" * 1001)
    assert not connection.writable
    assert not transport.reading
    assert peer.writable_calls == 0
    transport.drain()
    assert connection.writable
    assert transport.reading
    assert peer.writable_calls == 1


def test_a_far_side_that_does_not_read_is_cut_after_30_s() -> None:
    world = World()
    connection, transport, peer = world.open_recorded()
    transport.reads = False
    connection.send(b"x" * 1001)
    world.clock.advance(29.9)
    assert not transport.aborted
    world.clock.advance(1.1)
    assert transport.aborted
    assert peer.disconnect_calls == 1
    assert world.gate.cut_total == 1


def test_a_stalled_far_side_is_not_judged_by_pongs_that_cannot_be_read() -> None:
    """The ping is out, then the transport is full and reading stops: the pong waits in the socket."""
    world = World()
    connection, transport, peer = world.open_recorded()
    world.clock.advance(20.7)
    assert world.frames(transport) == [(PING, b"")]
    transport.reads = False
    connection.send(b"x" * 1001)
    world.clock.advance(29)
    assert peer.disconnect_calls == 0
    transport.drain()
    assert connection.writable
    transport.sent()
    world.clock.advance(20.7)
    assert world.frames(transport) == [(PING, b"")]


def test_an_answer_in_hand_is_sent_although_the_transport_is_full() -> None:
    world = World()
    connection, transport = world.open()
    transport.reads = False
    connection.send(b"x" * 1001)
    transport.sent()
    connection.send(b"the answer")
    assert world.frames(transport) == [(TEXT, b"the answer")]


def test_a_peer_that_does_not_mind_a_full_transport_is_cut_at_the_bound() -> None:
    world = World()
    connection, transport, peer = world.open_recorded()
    transport.reads = False
    for _ in range(10_000):
        connection.send(b"x" * 100)
    world.clock.run_pass()
    assert transport.aborted
    assert transport.unread_bytes <= 1100 + SETTINGS.overrun_max_bytes * 1.1
    assert peer.disconnect_calls == 1


def test_the_bound_begins_anew_when_the_transport_has_drained() -> None:
    world = World()
    connection, transport = world.open()
    transport.reads = False
    for _ in range(3):
        connection.send(b"x" * 1001)
        connection.send(b"y" * 4000)
        transport.drain()
    assert connection.writable
    assert not transport.aborted


# Disconnecting.


def test_the_peers_disconnect_sends_what_is_queued_then_code_and_reason() -> None:
    world = World()
    connection, transport, peer = world.open_recorded()
    connection.send(b"last")
    connection.disconnect(1008, "too many failed logins")
    assert not connection.writable
    connection.send(b"too late")
    connection.disconnect(1000, "again")
    assert peer.disconnect_calls == 0, "never from within a call of the peer's own"
    frames = world.frames(transport)
    assert frames[0] == (TEXT, b"last")
    assert [close_of(payload) for _, payload in frames[1:]] == [(1008, "too many failed logins")]
    assert peer.disconnect_calls == 1
    assert not transport.eof_written
    connection.data_received(close_frame(1008))
    world.clock.run_pass()
    assert transport.eof_written


def test_a_disconnect_needs_a_reason() -> None:
    connection, _ = World().open()
    with pytest.raises(AssertionError, match="1008 needs a reason"):
        connection.disconnect(1008, "")


def test_a_far_side_that_does_not_answer_the_close_frame_is_cut_after_5_s() -> None:
    world = World()
    connection, transport = world.open()
    connection.disconnect(1008, "enough")
    world.clock.advance(4.9)
    assert not transport.aborted
    world.clock.advance(0.3)
    assert transport.aborted


def test_what_stands_behind_the_message_at_which_the_peer_disconnects_is_not_told() -> None:
    def answer(connection: WebSocketConnection, message: bytes) -> None:
        if message == b"stop":
            connection.disconnect(1008, "as told")

    world = World(lambda connection: RecordingPeer(connection, answer))
    connection, _, peer = world.open_recorded()
    connection.data_received(text("go") + text("stop") + text("go on"))
    assert peer.texts == [b"go", b"stop"]


def test_answers_to_earlier_messages_leave_before_the_close_frame_for_a_later_one() -> None:
    world = World()
    connection, transport, _ = world.open_recorded()
    connection.data_received(text("one") + text("two") + client_frame(BINARY, b"three"))
    assert [opcode for opcode, _ in world.frames(transport)] == [TEXT, TEXT, CLOSE]


def test_a_transport_that_cannot_be_half_closed_is_closed_behind_the_close_frame() -> None:
    """TLS."""
    world = World()
    connection, transport = world.open(FakeTransport(can_half_close=False))
    connection.data_received(close_frame(1000, "done"))
    assert world.close_frame(transport) == (1000, "done")
    assert transport.closed
    assert not transport.eof_written


def test_a_cut_connection_loses_what_is_queued() -> None:
    world = World()
    connection, transport = world.open()
    connection.send(b"never sent")
    connection.cut()
    assert world.frames(transport) == []
    assert transport.aborted
    assert world.gate.cut_total == 1


def test_a_far_side_that_ends_tcp_without_a_close_frame_still_gets_what_was_due() -> None:
    world = World()
    connection, transport, peer = world.open_recorded()
    connection.data_received(text("hello"))
    connection.eof_received()
    assert server_frames(transport.sent()) == [(TEXT, b"hello")]
    world.clock.run_pass()
    assert peer.disconnect_calls == 1


ENDINGS: dict[str, Callable[[WebSocketConnection, FakeTransport, FakeClock], None]] = {
    "far side closes": lambda connection, transport, clock: connection.data_received(close_frame(1000)),
    "violation": lambda connection, transport, clock: connection.data_received(b"\x81\x01x"),
    "not UTF-8": lambda connection, transport, clock: connection.data_received(client_frame(TEXT, b"\xff")),
    "binary": lambda connection, transport, clock: connection.data_received(client_frame(BINARY, b"x")),
    "too long": lambda connection, transport, clock: connection.data_received(client_frame(TEXT, b"x" * 2001)),
    "TCP ends": lambda connection, transport, clock: connection.eof_received(),
    "TCP is reset": lambda connection, transport, clock: connection.connection_lost(ConnectionResetError()),
    "peer disconnects": lambda connection, transport, clock: connection.disconnect(1008, "enough"),
    "no pong": lambda connection, transport, clock: clock.advance(31.5),
    "cut": lambda connection, transport, clock: connection.cut(),
}


@pytest.mark.parametrize("first", ENDINGS)
@pytest.mark.parametrize("second", ENDINGS)
def test_the_peer_is_told_of_the_end_exactly_once_and_last(first: str, second: str) -> None:
    """Whatever ends the connection, and whatever else happens while it ends."""
    world = World()
    connection, transport, peer = world.open_recorded()
    ENDINGS[first](connection, transport, world.clock)
    world.clock.run_pass()
    assert peer.disconnect_calls == 1
    if first != "TCP is reset":
        ENDINGS[second](connection, transport, world.clock)
        connection.data_received(text("too late"))
        world.clock.advance(60)
        if second != "TCP is reset":
            connection.connection_lost(None)
    world.clock.advance(60)
    connection.send(b"to nobody")
    world.clock.run_pass()
    assert (peer.disconnect_calls, peer.texts) == (1, [])
    assert world.gate.connections == set()
    assert all(len(line) == 0 for line in (world.gate.pings, world.gate.pongs, world.gate.stalled, world.gate.closing))


# Failures.


class FailingPeer(RecordingPeer):
    """Fails in the call it was told to fail in."""

    def __init__(self, connection: WebSocketConnection, fails_in: str) -> None:
        super().__init__(connection)
        self._fails_in = fails_in
        self.fail_if("init")

    def fail_if(self, call: str) -> None:
        if call == self._fails_in:
            raise RuntimeError(f"bug in {call}")

    def on_text(self, text: bytes) -> None:
        super().on_text(text)
        self.fail_if("on_text")

    def on_writable(self) -> None:
        super().on_writable()
        self.fail_if("on_writable")

    def on_disconnect(self) -> None:
        super().on_disconnect()
        self.fail_if("on_disconnect")


@pytest.mark.parametrize("fails_in", ["on_text", "on_writable"])
def test_a_failing_peer_loses_its_connection_with_1011_and_nobody_else_does(
    fails_in: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(lambda connection: FailingPeer(connection, fails_in))
    connection, transport, peer = world.open_recorded()
    _, other_transport, _ = world.open_recorded()
    with caplog.at_level(logging.ERROR, "exchange"):
        if fails_in == "on_text":
            connection.data_received(text("boom") + text("not told any more"))
            assert peer.texts == [b"boom"]
        else:
            transport.reads = False
            connection.send(b"x" * 1001)
            transport.drain()
    code, reason = world.close_frame(transport)
    assert code == 1011
    assert "the failure is logged" in reason
    assert f"bug in {fails_in}" in caplog.text
    assert peer.disconnect_calls == 1
    assert other_transport.writes == []
    assert not other_transport.closed


def test_a_peer_that_cannot_be_made_is_logged_and_the_client_told(caplog: pytest.LogCaptureFixture) -> None:
    world = World(lambda connection: FailingPeer(connection, "init"))
    _, transport = world.request(upgrade_request())
    head, _, frames = transport.sent().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert close_of(server_frames(frames)[0][1])[0] == 1011
    assert "bug in init" in caplog.text


def test_a_failure_in_on_disconnect_is_logged_and_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    world = World(lambda connection: FailingPeer(connection, "on_disconnect"))
    connection, _, peer = world.open_recorded()
    connection.data_received(close_frame(1000))
    world.clock.advance(60)
    connection.connection_lost(None)
    world.clock.advance(60)
    assert peer.disconnect_calls == 1
    assert caplog.text.count("bug in on_disconnect") == 1


def test_a_peer_that_disconnects_while_it_is_made_is_told_of_the_end() -> None:
    def refuse(connection: WebSocketConnection) -> Peer:
        connection.disconnect(1008, "not with this token")
        return RecordingPeer(connection)

    world = World(refuse)
    _, _ = world.request(upgrade_request())
    world.clock.run_pass()
    assert world.peers[0].disconnect_calls == 1


def test_a_transport_that_fails_costs_no_other_connection_its_frames(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenTransport(FakeTransport):
        def write(self, data: bytes) -> None:  # type: ignore[override]
            if not data.startswith(b"HTTP"):
                raise OSError("broken")
            super().write(data)

    world = World()
    broken, broken_transport = world.open(BrokenTransport())
    whole, whole_transport = world.open()
    broken.send(b"x")
    whole.send(b"y")
    assert world.frames(whole_transport) == [(TEXT, b"y")]
    assert broken_transport.aborted
    assert "writing to it failed" in caplog.text


# Shutdown.


async def test_stopping_a_gate_without_connections_takes_no_time() -> None:
    world = World()
    await asyncio.wait_for(world.gate.stop(), 1)
    _, transport = world.request(upgrade_request())
    assert b"HTTP/1.1 503 " in transport.writes[0]
    assert b"stopping" in transport.writes[0]


async def test_a_transport_that_never_reports_its_end_cannot_put_off_the_end(caplog: pytest.LogCaptureFixture) -> None:
    gate = WebSocketGate(WebSocketSettings(close_timeout_s=0.05), SitePolicy.bound_to("127.0.0.1"))
    transport = FakeTransport()
    protocol_class(gate)(None, None, None).connection_made(transport)  # type: ignore[call-arg, arg-type]
    await asyncio.wait_for(gate.stop(), 5)
    assert "1 connections were cut and did not end" in caplog.text


def test_addresses_are_written_as_in_a_url() -> None:
    assert address_text(("127.0.0.1", 8000)) == "127.0.0.1:8000"
    assert address_text(("::1", 8000, 0, 0)) == "[::1]:8000"
    assert address_text(None) == ""

"""Bounds per connection, user and address: the counts by themselves, on a fake clock, and over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exchange.gateway import conversation
from exchange.gateway.notices import Code
from exchange.server.identity.online import REVOKED, Online
from exchange.server.port.addresses import host_of, host_of_text, network_of
from exchange.server.port.gate import WebSocketGate, WebSocketSettings, protocol_class
from exchange.server.port.http import HttpSettings
from exchange.server.port.limits import AddressCounts, MessageBucket
from exchange.server.port.site import SitePolicy
from exchange.server.port.websocket import WebSocketConnection
from tests.simulation.market import LISTED
from tests.simulation.room import ANN, BOB, Room, notices
from tests.support.loops import on_both_loops
from tests.support.port import serving, soon
from tests.support.ws import (
    CLOSE,
    PING,
    TEXT,
    FakeClock,
    FakeTransport,
    RawClient,
    RecordingPeer,
    client_frame,
    close_frame,
    server_frames,
    text,
    upgrade_request,
)

# Messages.


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    bucket = MessageBucket(100)
    assert bucket.take(150, 10.0) == 150
    assert bucket.take(150, 10.0) == 50, "two seconds' worth at once"
    assert bucket.take(150, 10.0) == 0
    assert bucket.take(150, 10.25) == 25
    assert bucket.take(150, 1_000.0) == 150
    assert bucket.take(150, 1_000.0) == 50, "a long silence saves nothing up"


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = MessageBucket(100)
    assert bucket.take(200, 10.0) == 200
    bucket.give_back(30)
    assert bucket.take(200, 10.0) == 30


def test_a_debt_is_made_up_for() -> None:
    bucket = MessageBucket(100)
    assert bucket.take(200, 10.0) == 200
    bucket.give_back(-50)
    assert bucket.take(1, 10.25) == 0
    assert bucket.take(100, 11.0) == 50


class World:
    """Connections on a fake clock that may send 100 messages a second each, and 150 those of one user together."""

    def __init__(self) -> None:
        settings = WebSocketSettings(
            messages_per_connection=100, messages_per_user=150, connections_per_user=2, write_high_water_bytes=1_000
        )
        self.clock = FakeClock()
        self.gate = WebSocketGate(settings, SitePolicy.bound_to("127.0.0.1"), self.clock)
        self.gate.serve("/ws", self._keep)
        self.peers: list[RecordingPeer] = []

    def open(self) -> tuple[WebSocketConnection, FakeTransport, RecordingPeer]:
        connection = protocol_class(self.gate)(None, None, None)  # type: ignore[call-arg, arg-type]
        transport = FakeTransport()
        connection.connection_made(transport)
        connection.data_received(upgrade_request())
        transport.protocol = connection
        self.clock.run_pass()
        transport.sent()
        return connection, transport, self.peers[-1]

    def _keep(self, connection: WebSocketConnection) -> RecordingPeer:
        self.peers.append(RecordingPeer(connection, lambda connection, text: None))
        return self.peers[-1]


def flood(count: int) -> bytes:
    return b"".join(text(f"message {number}") for number in range(count))


def test_who_sends_too_much_is_read_more_slowly_and_loses_nothing() -> None:
    world = World()
    connection, transport, peer = world.open()
    connection.data_received(flood(1_000))
    assert len(peer.texts) == 200
    assert not transport.reading
    world.clock.advance(1.0)
    assert 270 <= len(peer.texts) <= 310
    assert not transport.reading
    world.clock.advance(10.0)
    assert peer.texts == [f"message {number}".encode() for number in range(1_000)]
    assert transport.reading


def test_who_stays_within_the_rate_is_never_paused() -> None:
    world = World()
    connection, transport, peer = world.open()
    for number in range(1_000):
        connection.data_received(text(f"message {number}"))
        assert transport.reading
        world.clock.advance(0.011)
    assert len(peer.texts) == 1_000


def test_the_connections_of_a_user_share_one_rate_and_others_have_their_own() -> None:
    world = World()
    first, second, other = world.open(), world.open(), world.open()
    for connection, _, _ in (first, second):
        assert connection.join_user("alice", None)
    assert other[0].join_user("bob", None)
    for connection, _, _ in (first, second, other):
        connection.data_received(flood(1_000))
    # What each was granted before its login counts for itself alone.
    assert 300 <= len(first[2].texts) + len(second[2].texts) <= 300 + 2 * 32
    assert len(other[2].texts) == 200
    world.clock.advance(30.0)
    assert [len(peer.texts) for _, _, peer in (first, second, other)] == [1_000] * 3


@pytest.mark.parametrize(("length", "at_once"), [(4_095, 200), (4_096, 100), (64_000, 13)])
def test_a_long_message_counts_as_several(length: int, at_once: int) -> None:
    """Large ones are no way around the bound, and come at their rate all the same."""
    world = World()
    connection, transport, peer = world.open()
    connection.data_received(client_frame(TEXT, b"x" * length) * 400)
    assert len(peer.texts) == at_once
    assert not transport.reading
    world.clock.advance(1.0)
    assert at_once + 0.35 * at_once <= len(peer.texts) <= at_once + 0.55 * at_once


def test_frames_that_are_no_messages_count_as_well() -> None:
    """Each is answered with a pong, or gathered: neither is for nothing."""
    world = World()
    connection, transport, _ = world.open()
    connection.data_received(client_frame(PING, b"") * 1_000)
    world.clock.run_pass()
    assert len(server_frames(transport.sent())) == 200
    assert not transport.reading


def test_more_that_comes_during_the_pause_waits_in_its_place() -> None:
    """As what TLS has decrypted already, or what stood behind the request."""
    world = World()
    connection, _, peer = world.open()
    connection.data_received(flood(300)[:-3])
    connection.data_received(flood(300)[-3:] + text("last"))
    world.clock.advance(5.0)
    assert len(peer.texts) == 301
    assert peer.texts[-1] == b"last"


def test_a_pause_does_not_look_like_silence() -> None:
    """The pong stands behind what is not read yet."""
    world = World()
    connection, transport, peer = world.open()
    world.clock.advance(20.7)
    assert (PING, b"") in server_frames(transport.sent())
    connection.data_received(flood(4_000))
    world.clock.advance(30.0)
    assert not transport.aborted
    assert all(opcode != CLOSE for opcode, _ in server_frames(transport.sent()))
    assert len(peer.texts) > 2_000


def test_a_pause_ends_when_both_the_rate_and_the_transport_allow_it() -> None:
    world = World()
    connection, transport, peer = world.open()
    transport.reads = False
    connection.data_received(flood(300))
    connection.send(b"x" * 2_000)
    world.clock.run_pass()
    assert not connection.writable
    world.clock.advance(5.0)
    assert len(peer.texts) == 200
    assert not transport.reading
    transport.drain()
    assert len(peer.texts) == 300
    assert transport.reading


def test_a_paused_connection_that_closes_reads_on_for_the_far_sides_close() -> None:
    world = World()
    connection, transport, peer = world.open()
    connection.data_received(flood(300))
    connection.disconnect(1000, "enough")
    assert transport.reading
    assert len(peer.texts) == 200, "what was said before the end is of no interest any more"
    connection.data_received(close_frame(1000))
    world.clock.run_pass()
    assert transport.eof_written
    assert len(world.gate.paused) == 0


def test_a_paused_connection_that_is_lost_leaves_nothing_behind() -> None:
    world = World()
    connection, _, peer = world.open()
    assert connection.join_user("alice", None)
    connection.data_received(flood(300))
    connection.connection_lost(None)
    world.clock.advance(1.0)
    assert (len(world.gate.paused), len(world.gate.online), len(world.gate.addresses)) == (0, 0, 0)
    assert world.gate.connections == world.gate.strangers == set()
    assert (peer.disconnect_calls, len(peer.texts)) == (1, 200)


# Connections.


def test_a_user_has_a_bounded_number_of_connections() -> None:
    world = World()
    connections = [world.open()[0] for _ in range(3)]
    assert [connection.join_user("alice", None) for connection in connections] == [True, True, False]
    assert world.gate.strangers == {connections[2]}
    connections[0].connection_lost(None)
    assert connections[2].join_user("alice", None)
    assert world.gate.strangers == set()


def test_a_login_that_is_right_after_its_client_has_gone_counts_nothing() -> None:
    world = World()
    connection, _, _ = world.open()
    connection.connection_lost(None)
    assert connection.join_user("alice", None)
    assert len(world.gate.online) == 0


class Member:
    """A connection that notes how it ends."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended: list[tuple[int, str]] = []

    def disconnect(self, code: int, reason: str) -> None:
        self.ended.append((code, reason))


def test_a_revocation_ends_what_came_in_by_it() -> None:
    online = Online(connections_per_user=10, messages_per_user=100)
    by_password, by_token, by_other, of_bob = (Member(number) for number in range(4))
    online.join(by_password, "alice", None)
    online.join(by_token, "alice", b"token")
    online.join(by_other, "alice", b"other")
    online.join(of_bob, "bob", b"token")

    online.revoked("alice", b"token", None)
    assert [len(member.ended) for member in (by_password, by_token, by_other, of_bob)] == [0, 1, 0, 0]
    assert by_token.ended == [REVOKED]
    online.revoked("alice", None, by_password.number)
    assert [len(member.ended) for member in (by_password, by_token, by_other, of_bob)] == [0, 2, 1, 0]
    online.revoked("nobody", None, None)
    assert of_bob.ended == []


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("/run/socket", "/run/socket"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("peername", "text", "host"),
    [
        (("127.0.0.1", 50412), "127.0.0.1:50412", "127.0.0.1"),
        (("2001:db8::1", 50412, 0, 0), "[2001:db8::1]:50412", "2001:db8::1"),
        (None, "", ""),
    ],
)
def test_the_bare_address_of_a_peer(peername: Any, text: str, host: str) -> None:
    assert (host_of(peername), host_of_text(text)) == (host, host)


def test_only_addresses_with_connections_are_kept() -> None:
    counts = AddressCounts()
    assert [counts.enter("a"), counts.enter("a"), counts.enter("b")] == [1, 2, 1]
    counts.leave("a")
    counts.leave("b")
    assert (counts.count("a"), counts.count("b"), len(counts)) == (1, 0, 1)


@on_both_loops
async def test_an_address_has_a_bounded_number_of_connections_of_both_kinds_together() -> None:
    settings = WebSocketSettings(connections_per_address=2, close_timeout_s=2.0)
    async with serving(settings=settings, http=HttpSettings(connections_per_address=2)) as served:
        websocket = await RawClient.open(served.number)
        async with await RawClient.connect(served.number) as http:
            await http.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await http.read_head())[0] == 200
            async with await RawClient.connect(served.number) as third:
                status, _ = await third.read_head()
                assert status == 429
                assert b"All 2 connections that one address may have are taken" in await third.read_to_end()
        await websocket.send(close_frame(1000))
        await websocket.read_to_end()
        websocket.close()
        await soon(served.peers[0].disconnected)
        async with await RawClient.open(served.number) as again:
            await again.send(text("there is room again"))
            assert await again.read_text() == "there is room again"
    assert len(served.gate.addresses) == 0


@on_both_loops
async def test_an_upgrade_beyond_the_addresss_bound_is_refused() -> None:
    settings = WebSocketSettings(connections_per_address=1, close_timeout_s=2.0)
    async with (
        serving(settings=settings) as served,
        await RawClient.open(served.number),
        await RawClient.connect(served.number) as second,
    ):
        await second.send(upgrade_request())
        assert (await second.read_head())[0] == 429
    assert len(served.gate.addresses) == 0


@on_both_loops
async def test_connections_that_have_not_logged_in_are_bounded() -> None:
    settings = WebSocketSettings(unauthenticated_max=1, close_timeout_s=2.0)
    async with serving(settings=settings) as served, await RawClient.open(served.number) as known:
        assert served.peers[0].connection.join_user("alice", None)
        async with await RawClient.open(served.number), await RawClient.connect(served.number) as one_too_many:
            await one_too_many.send(upgrade_request())
            assert (await one_too_many.read_head())[0] == 503
            assert b"1 connections have not logged in yet" in await one_too_many.read_to_end()
        await known.send(text("still here"))
        assert await known.read_text() == "still here"


@on_both_loops
async def test_a_flood_of_connections_gets_no_words() -> None:
    """Who is told why may take some time to read it; beyond twice the bound the connection just ends."""
    async with serving(http=HttpSettings(connections_max=1)) as served:
        clients = [await RawClient.connect(served.number) for _ in range(3)]
        endings = [await client.read_to_end() for client in clients[1:]]
        assert endings[0].startswith(b"HTTP/1.1 503 ")
        assert endings[1] == b""
        for client in clients:
            client.close()


@on_both_loops
async def test_a_flood_over_a_real_socket_is_read_at_the_rate_and_answered_in_full() -> None:
    settings = WebSocketSettings(messages_per_connection=2_000, close_timeout_s=2.0)
    async with serving(settings=settings) as served, await RawClient.open(served.number) as client:
        loop = asyncio.get_running_loop()
        began = loop.time()
        sending = asyncio.create_task(client.send(flood(6_000)))
        answers = [await client.read_text() for _ in range(6_000)]
        await sending
        assert answers == [f"message {number}" for number in range(6_000)]
        assert loop.time() - began > 0.8, "two seconds' worth came at once, a third at the rate"


# Subscriptions.


def test_the_connections_of_a_user_may_subscribe_to_so_much_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "SUBSCRIPTIONS_PER_USER_MAX", 3)
    room = Room()
    names = [str(terms.instrument_id) for terms in LISTED][:2]
    first, second, other = room.guest(ANN), room.guest(ANN), room.guest(BOB)
    for guest in (first, other):
        guest.says("subscribe_quote", ins_list=",".join(names))
        assert guest.conversation.subscriptions == names
    second.says("subscribe_quote", ins_list=",".join(names)).peeks()
    assert second.conversation.subscriptions == []
    assert notices(second.frames()) == [Code.TOO_MANY_SUBSCRIPTIONS]
    second.says("subscribe_quote", ins_list=names[0])
    assert second.conversation.subscriptions == names[:1]
    first.leaves()
    second.says("subscribe_quote", ins_list=",".join(names))
    assert second.conversation.subscriptions == names

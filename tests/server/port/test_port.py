"""Starting and stopping the port: clear refusals, one number for all, and an end that nobody can put off."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from exchange.server.port.gate import WebSocketGate, WebSocketSettings
from exchange.server.port.http import HttpSettings
from exchange.server.port.port import Port, PortError, TlsFiles, bind_all
from exchange.server.port.site import SitePolicy
from tests.support.certificates import self_signed
from tests.support.loops import on_both_loops
from tests.support.port import answer, serve_lifespan, serving, soon, tell_request
from tests.support.ws import PING, RawClient, close_frame, text

QUICK = WebSocketSettings(close_timeout_s=0.2)
QUICK_HTTP = HttpSettings(close_timeout_s=0.2)


def make_port(host: str = "127.0.0.1", port: int = 0, app: Any = tell_request, **options: Any) -> Port:
    return Port(app, WebSocketGate(QUICK, SitePolicy.bound_to(host)), host=host, port=port, **options)


# Starting.


@on_both_loops
async def test_a_free_port_is_found_and_told() -> None:
    async with serving() as served:
        assert served.port.port > 0
        assert served.port.address == f"127.0.0.1:{served.port.port}"


@on_both_loops
async def test_a_port_in_use_is_named_with_what_to_do() -> None:
    async with serving() as served:
        with pytest.raises(
            PortError, match=rf"cannot listen on {served.port.address}: .* stop it or choose another port"
        ):
            await make_port(port=served.number).start()


@pytest.mark.parametrize(
    ("host", "words"),
    [("no-such-name.invalid", "0.0.0.0 for all networks"), ("192.0.2.1", "does not have that address")],
)
async def test_an_address_that_cannot_be_had_is_named_with_what_to_do(host: str, words: str) -> None:
    with pytest.raises(PortError, match=host) as caught:
        await make_port(host).start()
    assert words in str(caught.value)


class BoundSocket:
    """A socket as `bind` gives it: port 0 becomes a free one, another one for each."""

    free = count(41_000)

    def __init__(self, family: int, address: tuple[str, int]) -> None:
        if address[0] == "192.0.2.1":
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        self._name = (address[0], address[1] or next(self.free))

    def getsockname(self) -> tuple[str, int]:
        return self._name


@pytest.mark.parametrize(
    ("addresses", "bound"),
    [
        (["127.0.0.1", "127.0.0.2"], [("127.0.0.1", 41_000), ("127.0.0.2", 41_000)]),
        # As where `localhost` also means ::1 and IPv6 is switched off.
        (["192.0.2.1", "127.0.0.1"], [("127.0.0.1", 41_000)]),
    ],
)
async def test_a_name_with_several_addresses_has_one_port_number_on_all_that_exist(
    addresses: list[str], bound: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(*args: Any, **options: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("exchange.server.port.port.bind", BoundSocket)
    monkeypatch.setattr(BoundSocket, "free", count(41_000))
    assert [sock.getsockname() for sock in await bind_all("some-name", 0)] == bound


@on_both_loops
async def test_an_application_that_does_not_start_leaves_nothing_open(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    first = make_port(app=broken)
    with pytest.raises(PortError, match="did not start"):
        await first.start()
    assert "no database" in caplog.text
    sockets = await bind_all("127.0.0.1", first.port)
    for sock in sockets:
        sock.close()


@on_both_loops
async def test_the_application_is_started_and_stopped_around_everything_else() -> None:
    words = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            words.append("request")
            return await answer(send, b"")
        words.append("start")
        await serve_lifespan(receive, send)
        return words.append("stop")

    async with serving(app=app) as served, await RawClient.connect(served.number) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await client.read_head()
    assert words == ["start", "request", "stop"]


@on_both_loops
async def test_an_application_that_knows_no_lifespan_is_served() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await answer(send, b"ok")

    async with serving(app=app) as served, await RawClient.connect(served.number) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.read_head())[0] == 200


# TLS.


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return self_signed(tmp_path_factory.mktemp("tls"))


@on_both_loops
async def test_tls_carries_both_kinds_of_connection_and_a_clean_end(tls_files: TlsFiles) -> None:
    trust = ssl.create_default_context(cafile=tls_files.certificate)
    async with serving(tls=tls_files, settings=QUICK, http=QUICK_HTTP) as served:
        url = f"wss://localhost:{served.number}/ws"
        async with connect(url, ssl=trust, host="127.0.0.1") as client:
            await client.send("x" * 60_000)
            assert await client.recv() == "x" * 60_000
        await soon(served.peers[0].disconnected)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", served.number, ssl=trust, server_hostname="localhost"
        )
        writer.write(b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"/a ")
        writer.close()
        await writer.wait_closed()


async def test_tls_files_that_cannot_be_used_are_named(tls_files: TlsFiles, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(PortError, match=str(missing)):
        await make_port(tls=TlsFiles(certificate=missing, key=tls_files.key)).start()
    with pytest.raises(PortError, match="belong together"):
        await make_port(tls=TlsFiles(certificate=tls_files.key, key=tls_files.key)).start()


# Stopping.


@on_both_loops
async def test_stopping_tells_every_client_1012_and_why() -> None:
    async with serving() as served:
        clients = [await RawClient.open(served.number) for _ in range(3)]
        stopping = asyncio.create_task(served.port.stop())
        for client in clients:
            code, reason = await client.read_close()
            assert code == 1012
            assert "connect again" in reason
            await client.send(close_frame(1012))
            assert await client.read_to_end() == b""
            client.close()
        await stopping
        assert [peer.disconnect_calls for peer in served.peers] == [1, 1, 1]
        assert served.gate.cut_total == 0
        with pytest.raises(ConnectionRefusedError):
            await RawClient.connect(served.number)


@on_both_loops
async def test_a_client_that_does_not_read_cannot_put_off_the_end() -> None:
    async with serving(settings=QUICK, http=QUICK_HTTP) as served:
        stalled = await RawClient.open(served.number, receive_buffer_bytes=4096)
        answering = await RawClient.open(served.number)
        connection = served.peers[0].connection
        while connection.writable:
            connection.send(b"x" * 32_000)
            await asyncio.wait_for(answer_of(answering), 10)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await served.port.stop()
        assert loop.time() - began < 2
        assert [peer.disconnect_calls for peer in served.peers] == [1, 1]
        assert served.gate.connections == set()
        stalled.close()
        answering.close()


async def answer_of(client: RawClient) -> str:
    """One round trip, so that the server's loop has made a pass."""
    await client.send(text("are you there"))
    while (frame := await client.read_frame())[0] == PING:
        pass
    return frame[1].decode()


@on_both_loops
async def test_a_request_in_hand_is_answered_before_the_end() -> None:
    asked, released = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await serve_lifespan(receive, send)
        asked.set()
        await released.wait()
        return await answer(send, b"done")

    async with serving(app=app) as served:
        client, idle = await RawClient.connect(served.number), await RawClient.connect(served.number)
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await soon(asked)
        stopping = asyncio.create_task(served.port.stop())
        assert await idle.read_to_end() == b""
        released.set()
        assert (await client.read_head())[0] == 200
        assert await client.read_to_end() == b"done"
        await stopping
        client.close()
        idle.close()


@on_both_loops
async def test_a_request_that_takes_for_ever_cannot_put_off_the_end(caplog: pytest.LogCaptureFixture) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await serve_lifespan(receive, send)
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with (
        serving(app=app, settings=QUICK, http=QUICK_HTTP) as served,
        await RawClient.connect(served.number) as client,
    ):
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await soon(asked)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await served.port.stop()
        assert loop.time() - began < 2
        assert ended.is_set()
        assert await client.read_to_end() == b""

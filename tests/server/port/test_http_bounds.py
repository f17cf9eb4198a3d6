"""HTTP over real sockets: everything a client sends, and the time it takes for it, has a bound and a clear answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn

from exchange.server.port.http import HttpConnection, HttpDoor, HttpSettings
from exchange.server.port.limits import AddressCounts
from tests.support.loops import on_both_loops
from tests.support.port import answer, serving, soon, tell_request
from tests.support.ws import FakeClock, FakeTransport, RawClient

SMALL = HttpSettings(head_max_bytes=4096, body_max_bytes=10_000, close_timeout_s=1.0)
SHORT = HttpSettings(request_timeout_s=0.1, stalled_timeout_s=0.1, close_timeout_s=0.1)


def get(path: str = "/", **headers: str) -> bytes:
    return request("GET", path, **headers)


def request(method: str, path: str, /, **headers: str) -> bytes:
    fields = {"Host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(body: bytes) -> bytes:
    return request("POST", "/", Content_Length=str(len(body))) + body


async def refused(client: RawClient) -> tuple[int, str]:
    """Status and words of a refusal, behind which the connection must end."""
    status, head = await client.read_head()
    assert "connection: close" in head
    return status, (await client.read_to_end()).decode()


async def deadline_passed(port: int) -> None:
    """Returns once a request that began now would be late: another client waits that long and sends nothing."""
    async with await RawClient.connect(port) as silent:
        assert (await refused(silent))[0] == 408


@on_both_loops
async def test_requests_are_answered_one_after_the_other_on_one_connection() -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        for body in (b"one", b"two"):
            await client.send(post(body))
            status, head = await client.read_head()
            assert status == 200
            assert "\r\ndate: " in head
            assert "server:" not in head
            assert await client.read_bytes(5) == b"/ " + body


@on_both_loops
async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        await client.send(get("/a") + post(b"xyz") + get("/c"))
        for body in (b"/a ", b"/ xyz", b"/c "):
            assert (await client.read_head())[0] == 200
            assert await client.read_bytes(len(body)) == body


@on_both_loops
async def test_an_idle_connection_is_not_taken_for_a_late_request() -> None:
    async with serving(http=SHORT) as served, await RawClient.connect(served.number) as client:
        for _ in range(2):
            await client.send(get())
            assert (await client.read_head())[0] == 200
            await client.read_bytes(2)
            await deadline_passed(served.number)


@on_both_loops
async def test_an_idle_connection_is_closed() -> None:
    async with serving(http=HttpSettings(keep_alive_s=0)) as served, await RawClient.connect(served.number) as client:
        await client.send(get())
        assert (await client.read_head())[0] == 200
        assert await client.read_to_end() == b"/ "


@on_both_loops
@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", post(b"x" * 100)[:-1]])
async def test_a_request_that_does_not_come_whole_is_refused_in_time(beginning: bytes) -> None:
    """Nothing at all, half a head, and nearly all of a body."""
    async with serving(http=SHORT) as served, await RawClient.connect(served.number) as client:
        await client.send(beginning)
        status, words = await refused(client)
        assert status == 408
        assert "not complete within 0.1 s" in words


@on_both_loops
async def test_a_request_that_trickles_in_gains_no_time() -> None:
    async with serving(http=SHORT) as served, await RawClient.connect(served.number) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        reading = asyncio.create_task(client.read_head())
        while not reading.done():
            await client.send(b"x")
            await asyncio.wait([reading], timeout=0.01)
        assert (await reading)[0] == 408


@on_both_loops
async def test_a_second_request_has_its_own_time() -> None:
    async with serving(http=SHORT) as served, await RawClient.connect(served.number) as client:
        await client.send(get("/first"))
        assert (await client.read_head())[0] == 200
        await client.read_bytes(len("/first "))
        await client.send(b"GET /second HTTP/1.1\r\n")
        assert (await refused(client))[0] == 408


@on_both_loops
async def test_a_request_that_came_behind_another_one_has_its_time_too() -> None:
    async with serving(http=SHORT) as served, await RawClient.connect(served.number) as client:
        await client.send(get("/a") + post(b"xyz")[:-1])
        assert (await client.read_head())[0] == 200
        await client.read_bytes(3)
        assert (await refused(client))[0] == 408


@on_both_loops
async def test_an_application_that_answers_too_late_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    released, answered = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await tell_request(scope, receive, send)
        await released.wait()
        await answer(send, b"late")
        return answered.set()

    async with serving(http=SHORT, app=slow) as served, await RawClient.connect(served.number) as client:
        await client.send(post(b"never whole")[:-1])
        assert (await client.read_head())[0] == 408
        released.set()
        await soon(answered)
        assert b"late" not in await client.read_to_end()
    assert caplog.text == ""


@on_both_loops
async def test_a_refused_client_is_done_when_it_closes_however_much_it_has_sent() -> None:
    """Reading was paused because the application took nothing of the body; it must go on to see the end."""

    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await tell_request(scope, receive, send)
        return await has_gone_for_good.wait()  # type: ignore[return-value]

    has_gone_for_good = asyncio.Event()
    settings = HttpSettings(request_timeout_s=0.1, close_timeout_s=5.0)
    loop = asyncio.get_running_loop()
    async with serving(http=settings, app=deaf) as served:
        async with await RawClient.connect(served.number) as client:
            await client.send(post(b"x" * 200_000)[:-1])
            assert (await refused(client))[0] == 408
        began = loop.time()
        has_gone_for_good.set()
    assert loop.time() - began < 2


@on_both_loops
async def test_the_time_an_application_takes_is_not_the_clients() -> None:
    released = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await tell_request(scope, receive, send)
        await released.wait()
        return await answer(send, b"late")

    async with serving(http=SHORT, app=slow) as served, await RawClient.connect(served.number) as client:
        await client.send(get())
        await deadline_passed(served.number)
        released.set()
        assert (await client.read_head())[0] == 200
        assert await client.read_bytes(4) == b"late"


@on_both_loops
@pytest.mark.parametrize("piece_bytes", [100_000, 1000])
@pytest.mark.parametrize(
    "head",
    [get(Cookie="x" * 5000), get(**{f"X{number}": "y" * 50 for number in range(100)}), get("/" + "p" * 5000)],
    ids=["long header", "many headers", "long path"],
)
async def test_a_head_that_is_too_large_is_refused_however_it_comes(head: bytes, piece_bytes: int) -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        for at in range(0, len(head), piece_bytes):
            await client.send(head[at : at + piece_bytes])
        assert (await refused(client))[0] == 431


@on_both_loops
async def test_a_head_without_end_is_refused_before_it_ends() -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        # It is still sending when it is refused, and sees the answer nevertheless.
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 5_000_000)
        assert (await refused(client))[0] == 431


@on_both_loops
async def test_a_head_just_within_the_bound_is_served() -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        await client.send(get(Cookie="x" * 4000))
        assert (await client.read_head())[0] == 200


@on_both_loops
async def test_a_body_that_is_announced_too_large_is_refused_before_it_comes() -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        await client.send(request("POST", "/", Content_Length=str(1 << 40)))
        status, words = await refused(client)
        assert status == 413
        assert "at most 10000" in words


@on_both_loops
async def test_a_chunked_body_is_refused_when_it_grows_too_large(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        await client.send(request("POST", "/", Transfer_Encoding="chunked"))
        for _ in range(4):
            await client.send(b"bb8\r\n" + b"x" * 3000 + b"\r\n")
        assert (await refused(client))[0] == 413
    assert caplog.text == ""


@on_both_loops
async def test_a_body_just_within_the_bound_is_served() -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        for _ in range(2):
            await client.send(post(b"x" * 10_000))
            assert (await client.read_head())[0] == 200
            assert await client.read_bytes(10_002) == b"/ " + b"x" * 10_000


@on_both_loops
@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\r\nHost x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfour!",
    ],
    ids=["TLS", "no host", "no version", "no request", "two ways to end", "two lengths"],
)
async def test_what_is_no_request_is_refused(nonsense: bytes) -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        await client.send(nonsense)
        assert (await refused(client))[0] == 400


@on_both_loops
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "127.0.0.1:1"}, 200),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, 200),
    ],
)
async def test_host_and_origin_are_judged_as_for_a_websocket(headers: dict[str, str], status: int) -> None:
    async with serving(http=SMALL) as served, await RawClient.connect(served.number) as client:
        await client.send(get(**headers))
        assert (await client.read_head())[0] == status


@on_both_loops
async def test_no_more_connections_than_allowed() -> None:
    async with serving(http=HttpSettings(connections_max=2)) as served:
        first = await RawClient.connect(served.number)
        async with await RawClient.connect(served.number) as second:
            # Answered one after the other, so that both are certainly connected.
            for client in (first, second):
                await client.send(get())
                assert (await client.read_head())[0] == 200
            async with await RawClient.connect(served.number) as third:
                assert (await refused(third))[0] == 503
            await first.send(get())
            await first.read_bytes(2)
            assert (await first.read_head())[0] == 200
            first.close()


@on_both_loops
async def test_a_client_that_does_not_read_its_answer_is_cut() -> None:
    sent_bytes = 0
    ended = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent_bytes
        if scope["type"] == "lifespan":
            return await tell_request(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.create_task(has_gone(receive))
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            sent_bytes += 100_000
            await asyncio.sleep(0)
        return ended.set()

    async with serving(http=SHORT, app=endless) as served, await RawClient.connect(served.number) as client:
        await client.send(get())
        await soon(ended)
    assert sent_bytes < 20_000_000


async def has_gone(receive: Any) -> None:
    """Wait until the client is not there any more."""
    while (await receive())["type"] != "http.disconnect":
        pass


def on_fake_transport(settings: HttpSettings) -> tuple[HttpConnection, FakeTransport, FakeClock]:
    """An HTTP connection without a socket; to be called inside a running loop."""
    clock, transport = FakeClock(), FakeTransport()
    config = uvicorn.Config(tell_request, log_config=None, lifespan="off")
    config.load()
    door = HttpDoor(settings, clock, AddressCounts())
    connection = HttpConnection(config, door.state, {}, door=door)
    transport.protocol = connection
    connection.connection_made(transport)
    return connection, transport, clock


async def test_a_client_that_reads_slowly_is_not_cut_while_it_goes_on_reading() -> None:
    _, transport, clock = on_fake_transport(HttpSettings(stalled_timeout_s=30))
    transport.reads = False
    transport.write(b"x" * 1000)
    for _ in range(5):
        transport.drain(100)
        clock.advance(31)
        assert not transport.aborted
    clock.advance(31)
    assert transport.aborted


async def test_a_connection_that_is_closing_already_is_not_refused_as_well() -> None:
    _, transport, clock = on_fake_transport(HttpSettings(request_timeout_s=10))
    transport.close()
    clock.advance(11)
    assert transport.writes == []


async def test_a_refused_client_that_does_not_close_is_cut() -> None:
    _, transport, clock = on_fake_transport(HttpSettings(request_timeout_s=10, close_timeout_s=5))
    clock.advance(10.5)
    assert transport.sent().startswith(b"HTTP/1.1 408 ")
    assert transport.eof_written
    assert not transport.aborted
    clock.advance(5.5)
    assert transport.aborted

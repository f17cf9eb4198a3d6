"""A password is exchanged for a token over HTTP, and the token carries the client home."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from exchange.client import LoginError, following
from exchange.client.endings import LoginDeferredError
from exchange.client.login import request_token
from exchange.server.port.port import TlsFiles
from tests.client.clients import Sleeps, make_client
from tests.client.fake_exchange import PASSWORD, FakeExchange, fake_exchange

TOKEN = "a token"


@asynccontextmanager
async def http_server(
    status: int, body: bytes, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers every request the same; gives its address, and what it was asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        asked.append(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://localhost:{port}/api/v1/login", asked


async def ask(url: str, tls: ssl.SSLContext | None = None) -> str | None:
    return await request_token(url, "alice", PASSWORD, timeout_s=10, tls=tls)


async def test_a_token_is_asked_for_with_name_and_password() -> None:
    async with http_server(200, orjson.dumps({"token": TOKEN, "user_id": "alice"})) as (url, asked):
        assert await ask(url) == TOKEN
        assert asked[0].startswith(b"POST /api/v1/login HTTP/1.1\r\n")
        assert orjson.loads(asked[0].partition(b"\r\n\r\n")[2]) == {"user_name": "alice", "password": PASSWORD}


async def test_a_token_is_asked_for_over_tls_where_the_exchange_speaks_it(tls_files: TlsFiles) -> None:
    here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    here.load_cert_chain(tls_files.certificate, tls_files.key)
    trust = ssl.create_default_context(cafile=tls_files.certificate)
    async with http_server(200, orjson.dumps({"token": TOKEN}), here) as (url, _):
        assert await ask(url, trust) == TOKEN
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(url)


@pytest.mark.parametrize("status", [404, 405])
async def test_a_server_without_tokens_gives_none(status: int) -> None:
    async with http_server(status, b"") as (url, _):
        assert await ask(url) is None


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"code": 1001, "content": "wrong"}}, 1001),
        (403, {"error": {"code": 2012, "content": "suspended"}}, 2012),
        (422, {"error": "odd"}, 1001),
        (400, [], 1001),
    ],
)
async def test_what_would_be_refused_again_is_a_login_error(status: int, body: Any, code: int) -> None:
    async with http_server(status, orjson.dumps(body)) as (url, _):
        with pytest.raises(LoginError) as caught:
            await ask(url)
        assert caught.value.code == code
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body"), [(429, b'{"error":{"code":1010,"content":"wait"}}'), (503, b"<html>"), (200, b"{}"), (500, b"")]
)
async def test_what_may_pass_is_tried_again_later(status: int, body: bytes) -> None:
    async with http_server(status, body) as (url, _):
        with pytest.raises(LoginDeferredError, match=f"HTTP status {status}"):
            await ask(url)


async def test_what_is_no_http_is_a_broken_line() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionError, match="did not answer the login in HTTP"):
            await ask(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1/login")


# The client that uses them.


def giving(tokens: list[str | Exception | None]) -> Callable[..., Awaitable[str | None]]:
    async def request(*_: Any, **__: Any) -> str | None:
        given = tokens.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return request


def knows_token(exchange: FakeExchange) -> None:
    exchange.passwords.add(TOKEN)


async def test_the_client_comes_back_with_its_token_and_asks_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "request_token", giving([TOKEN]))
    async with fake_exchange(set_up=knows_token) as exchange, make_client(exchange.url, login_by="token") as client:
        exchange.connections[0].transport.abort()
        await client.wait_for(lambda _: client.resumes == 1)
        assert [each["password"] for each in exchange.messages("req_login")] == [TOKEN, TOKEN]


async def test_a_refused_token_is_followed_by_the_password_and_another_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "request_token", giving([TOKEN, "another"]))
    async with fake_exchange(set_up=knows_token) as exchange, make_client(exchange.url, login_by="token") as client:
        exchange.passwords.discard(TOKEN)
        exchange.passwords.add("another")
        for resumes in (1, 2):
            exchange.connections[-1].transport.abort()
            await client.wait_for(lambda _, resumes=resumes: client.resumes == resumes)
        logins = [each["password"] for each in exchange.messages("req_login")]
        assert logins == [TOKEN, TOKEN, PASSWORD, "another"]


async def test_without_tokens_the_password_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "request_token", giving([None]))
    async with fake_exchange() as exchange, make_client(exchange.url, login_by="token") as client:
        assert client.is_connected
        assert exchange.messages("req_login")[0]["password"] == PASSWORD


async def test_a_wrong_password_ends_the_client_also_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "request_token", giving([LoginError("alice", 1001, "wrong")]))
    sleeps = Sleeps()
    async with fake_exchange() as exchange:
        client = make_client(exchange.url, login_by="token", sleep=sleeps)
        with pytest.raises(LoginError):
            await client.connect()
        await client.close()
        assert (exchange.received, sleeps.waits) == ([], [])


async def test_a_password_that_is_wrong_beside_the_token_ends_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "request_token", giving([TOKEN]))
    async with fake_exchange(set_up=lambda exchange: exchange.passwords.clear()) as exchange:
        client = make_client(exchange.url, login_by="token")
        with pytest.raises(LoginError):
            await client.connect()
        await client.close()
        assert [each["password"] for each in exchange.messages("req_login")] == [TOKEN, PASSWORD]

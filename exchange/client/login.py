"""Exchanges a password for a token over HTTP, so that coming back costs the server no slow password hash."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import orjson

from exchange.client.endings import LoginDeferredError
from exchange.client.errors import LoginError

ANSWER_BYTES_MAX: Final = 64 * 1024
WRONG_LOGIN: Final = 1001
"""The code of a wrong user name or password."""
_REFUSALS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
"""What the same user and password would get again."""


async def request_token(
    url: str, user: str, password: str, *, timeout_s: float, tls: ssl.SSLContext | None = None
) -> str | None:
    """A fresh token; None from a server that gives none. The blocking request runs in a thread of its own.

    Raises LoginError for a wrong password, LoginDeferredError where the server wants us to wait, OSError where it
    cannot be reached.
    """
    status, answer = await asyncio.to_thread(_post, url, {"user_name": user, "password": password}, timeout_s, tls)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return None
    token = answer.get("token")
    if status == HTTPStatus.OK and isinstance(token, str):
        return token
    error = answer.get("error")
    code, content = (error.get("code"), error.get("content")) if isinstance(error, dict) else (None, None)
    if status in _REFUSALS:
        raise LoginError(user, code if isinstance(code, int) else WRONG_LOGIN, str(content or f"HTTP status {status}"))
    raise LoginDeferredError(f"{url} answered the login with HTTP status {status}: {content or 'no token in it'}")


def _post(
    url: str, content: dict[str, str], timeout_s: float, tls: ssl.SSLContext | None
) -> tuple[int, dict[str, object]]:
    """Status and content of the answer; an answer that is no JSON object counts as an empty one. Raises OSError."""
    address = urlsplit(url)
    assert address.hostname is not None, f"{url} was made of an address with a host"
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        context = tls or ssl.create_default_context()
        connection = http.client.HTTPSConnection(address.hostname, address.port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout_s)
    try:
        connection.request("POST", address.path, orjson.dumps(content), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read(ANSWER_BYTES_MAX)
    except http.client.HTTPException as error:
        raise ConnectionError(f"{url} did not answer the login in HTTP: {error!r}") from error
    finally:
        connection.close()
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        answer = {}
    return response.status, answer if isinstance(answer, dict) else {}

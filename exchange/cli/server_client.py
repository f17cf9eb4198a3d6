"""Speaks to a running server over HTTP, and tells "not done" from "nobody knows" when it breaks.

A request that never left this process was not done. Once any of it was handed to the network, only an answer tells
what became of it: without one the outcome of a request that changes something is unknown.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from exchange.cli.errors import (
    LOOK_FIRST,
    FailedError,
    NotReachableError,
    TurnedDownError,
    UnknownOutcomeError,
    UsageError,
)
from exchange.domain.rejections import RejectReason
from exchange.gateway.notices import Code, Language, code_of, text_of
from exchange.server.data_folder import ServerInfo

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 60.0
"""Far above what an fsync takes on a slow disk behind a full queue."""
UNKNOWN_ROUTE: Final = frozenset({HTTPStatus.NOT_FOUND.name, HTTPStatus.METHOD_NOT_ALLOWED.name})
"""The reasons by which a server says that it has no such route at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is, and how it proves to be that one."""

    url: str
    """`http://host:port` or `https://host:port`."""
    called: str
    """What to call it in an error."""
    certificates: ssl.SSLContext | None = None
    """Which certificates count; None for those that the system trusts."""

    @classmethod
    def of(cls, server: ServerInfo) -> Address:
        """The server of a data folder on this machine."""
        return cls(url=server.url, called=str(server), certificates=any_certificate())


def any_certificate() -> ssl.SSLContext:
    """TLS without a look at the certificate, which is made out to the name that others use.

    For a server of a data folder only. Nobody else can answer there: the address is this machine's own, and stands in a
    file only the server's user can write, whose process holds the lock of the folder.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class ServerClient:
    """One server, for one request after the other, each over a connection of its own."""

    def __init__(self, address: Address, token: str, language: Language, *, look: str = LOOK_FIRST) -> None:
        """`token` may be empty, for a login; `look` says where to look when an outcome is unknown."""
        self._address = address
        self._token = token
        self._language: Language = language
        self._look = look

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """The answer's content to a request with this content; None where it has none.

        Raises TurnedDownError, UsageError, NotReachableError and FailedError, behind which nothing was done, and
        UnknownOutcomeError, unless the method is GET.
        """
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        body = b""
        if content is not None:
            body, headers["Content-Type"] = orjson.dumps(content), "application/json"
        connection = self._connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return self._read(response.status, response.read())
        except (OSError, http.client.HTTPException, ValueError, KeyboardInterrupt) as error:
            if method == "GET":
                raise NotReachableError(f"{self._address.called} gave no answer ({error!r})") from error
            raise UnknownOutcomeError(
                f"the request was handed to {self._address.called}, and no answer came ({error!r}): it may have been "
                f"done or not. {self._look}"
            ) from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        address = urlsplit(self._address.url)
        assert address.hostname is not None, f"{self._address.url} has a host: whoever made the address looked"
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            connection = http.client.HTTPSConnection(
                address.hostname, address.port, timeout=CONNECT_TIMEOUT_S, context=self._address.certificates
            )
        else:
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
        except OSError as error:
            raise NotReachableError(
                f"{self._address.called} does not answer ({error}): nothing was done. If it is starting or stopping, "
                "try again in a moment"
            ) from error
        connection.sock.settimeout(ANSWER_TIMEOUT_S)
        return connection

    def _read(self, status: int, text: bytes) -> Any:
        """The content of a good answer, an exception for every other. Raises ValueError for what no server of ours
        says."""
        # An answer that was cut off in its first lines looks like one without content: then this raises.
        content = None if status == HTTPStatus.NO_CONTENT else orjson.loads(text)
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return content
        called = self._address.called
        if not isinstance(content, dict) or "error" not in content or content["error"]["reason"] in UNKNOWN_ROUTE:
            raise FailedError(
                f"{called} does not know this request (HTTP status {status}): it is of another version than this "
                "command, or no exchange"
            )
        error = content["error"]
        told = self._told(error)
        if error["reason"] == Code.OUTCOME_UNKNOWN.name:
            raise UnknownOutcomeError(f"{called}: {told}. {self._look}")
        match status:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN | HTTPStatus.CONFLICT | HTTPStatus.NOT_FOUND:
                raise TurnedDownError(told)
            case HTTPStatus.UNPROCESSABLE_ENTITY:
                raise UsageError(told)
            case HTTPStatus.SERVICE_UNAVAILABLE:
                raise NotReachableError(f"{called} does not take it now: {told}. Nothing was done")
            case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise UnknownOutcomeError(f"{called} failed on it: {told}. It may have been done or not. {self._look}")
            case _:
                raise FailedError(f"{called} did not do it (HTTP status {status}): {told}")

    def _told(self, error: dict[str, Any]) -> str:
        """The error's text, a refusal's in the language of this command."""
        reason = error["reason"]
        if reason in RejectReason.__members__:
            return text_of(code_of(RejectReason(reason)), self._language, error["details"])
        return str(error["content"])

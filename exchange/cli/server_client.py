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

from exchange.cli import texts
from exchange.cli.errors import (
    LOOK_FIRST,
    FailedError,
    NotReachableError,
    TurnedDownError,
    UnknownOutcomeError,
    UsageError,
)
from exchange.gateway.notices import Code, Language, text_of
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
    """One server, for one request after the other, each over a connection of its own. Errors are told in `language`."""

    def __init__(
        self, address: Address, token: str, language: Language, *, look: str = LOOK_FIRST, log_in: str = ""
    ) -> None:
        """`token` may be empty, for a login; `look` says where to look when an outcome is unknown, `log_in` what to do
        when the token is void: the server's own words are for programs."""
        self._address = address
        self._token = token
        self._language: Language = language
        self._look = look
        self._log_in = log_in

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
                raise NotReachableError(self._say(texts.NO_ANSWER, error=repr(error))) from error
            raise UnknownOutcomeError(self._say(texts.OUTCOME_UNKNOWN, error=repr(error))) from error
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
            raise NotReachableError(self._say(_trouble(error), error=error)) from error
        connection.sock.settimeout(ANSWER_TIMEOUT_S)
        return connection

    def _read(self, status: int, text: bytes) -> Any:
        """The content of a good answer, an exception for every other. Raises ValueError for what no server of ours
        says."""
        # An answer that was cut off in its first lines looks like one without content: then this raises.
        content = None if status == HTTPStatus.NO_CONTENT else orjson.loads(text)
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return content
        if not isinstance(content, dict) or "error" not in content or content["error"]["reason"] in UNKNOWN_ROUTE:
            raise FailedError(self._say(texts.UNKNOWN_REQUEST, status=status))
        error = content["error"]
        told = self._told(error)
        if error["reason"] == Code.OUTCOME_UNKNOWN.name:
            raise UnknownOutcomeError(self._say(texts.OUTCOME_UNKNOWN_THERE, told=told))
        match status:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN | HTTPStatus.CONFLICT | HTTPStatus.NOT_FOUND:
                raise TurnedDownError(told)
            case HTTPStatus.UNPROCESSABLE_ENTITY:
                raise UsageError(told)
            case HTTPStatus.SERVICE_UNAVAILABLE:
                raise NotReachableError(self._say(texts.NOT_TAKEN_NOW, told=told))
            case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise UnknownOutcomeError(self._say(texts.FAILED_THERE, told=told))
            case _:
                raise FailedError(self._say(texts.NOT_DONE, status=status, told=told))

    def _say(self, text: texts.Text, **values: object) -> str:
        return text(self._language, called=self._address.called, look=self._look, **values)

    def _told(self, error: dict[str, Any]) -> str:
        """The error's text; that of a notice in the language of this command."""
        if self._log_in and error["reason"] == Code.NOT_LOGGED_IN.name:
            return self._log_in
        try:
            return text_of(Code(error["code"]), self._language, error["details"])
        except (ValueError, KeyError):
            # No notice, one that a newer server has, or one of which the server gave the words alone.
            return str(error["content"])


def _trouble(error: OSError) -> texts.Text:
    """How to tell that there is no connection."""
    match error:
        case ssl.SSLCertVerificationError():
            return texts.NOT_TRUSTED
        case ssl.SSLError():
            return texts.NO_TLS
        case _:
            return texts.NOT_REACHABLE

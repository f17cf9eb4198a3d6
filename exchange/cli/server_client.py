"""Speaks to the running server as its operator, and tells "not done" from "nobody knows" when it breaks.

A request that never left this process was not done. Once any of it was handed to the network, only an answer tells
what became of it: without one the outcome is unknown.
"""

from __future__ import annotations

import http.client
import ssl
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


class AdminClient:
    """One server, for one request after the other, each over a connection of its own."""

    def __init__(self, server: ServerInfo, admin_token: str, language: Language) -> None:
        self._server = server
        self._admin_token = admin_token
        self._language: Language = language

    def ask(self, method: str, path: str, content: Any) -> Any:
        """The answer's content to a request with this content.

        Raises TurnedDownError, UsageError, NotReachableError and FailedError, behind which nothing was done, and
        UnknownOutcomeError.
        """
        body = orjson.dumps(content)
        headers = {"Authorization": f"Bearer {self._admin_token}", "Content-Type": "application/json"}
        connection = self._connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return self._read(response.status, response.read())
        except (OSError, http.client.HTTPException, ValueError, KeyboardInterrupt) as error:
            raise UnknownOutcomeError(
                f"the request was handed to {self._server}, and no answer came ({error!r}): it may have been done or "
                f"not. {LOOK_FIRST}"
            ) from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        address = urlsplit(self._server.url)
        assert address.hostname is not None, f"{self._server.url} was made of a host and a port"
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            connection = http.client.HTTPSConnection(
                address.hostname, address.port, timeout=CONNECT_TIMEOUT_S, context=_any_certificate()
            )
        else:
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
        except OSError as error:
            raise NotReachableError(
                f"{self._server} does not answer ({error}): nothing was done. If it is starting or stopping, try again "
                "in a moment"
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
        if not isinstance(content, dict) or "error" not in content:
            raise FailedError(
                f"{self._server} does not know this request (HTTP status {status}): it is of another version than "
                "this command"
            )
        error = content["error"]
        told = self._told(error)
        if error["reason"] == Code.OUTCOME_UNKNOWN.name:
            raise UnknownOutcomeError(f"{self._server}: {told}. {LOOK_FIRST}")
        match status:
            case HTTPStatus.CONFLICT | HTTPStatus.NOT_FOUND:
                raise TurnedDownError(told)
            case HTTPStatus.UNPROCESSABLE_ENTITY:
                raise UsageError(told)
            case HTTPStatus.SERVICE_UNAVAILABLE:
                raise NotReachableError(f"{self._server} does not take it now: {told}. Nothing was done")
            case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise UnknownOutcomeError(
                    f"{self._server} failed on it: {told}. It may have been done or not. {LOOK_FIRST}"
                )
            case _:
                raise FailedError(f"{self._server} did not do it (HTTP status {status}): {told}")

    def _told(self, error: dict[str, Any]) -> str:
        """The error's text, a refusal's in the language of this command."""
        reason = error["reason"]
        if reason in RejectReason.__members__:
            return text_of(code_of(RejectReason(reason)), self._language, error["details"])
        return str(error["content"])


def _any_certificate() -> ssl.SSLContext:
    """TLS without a look at the certificate, which is made out to the name that others use.

    Nobody else can answer: the address is this machine's own, and stands in a file only the server's user can write,
    whose process holds the lock of the folder.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

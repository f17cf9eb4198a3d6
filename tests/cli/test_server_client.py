"""What the command line makes of every answer of a server, and of none."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from exchange.cli.errors import (
    CliError,
    FailedError,
    NotReachableError,
    TurnedDownError,
    UnknownOutcomeError,
    UsageError,
)
from exchange.cli.server_client import Address, ServerClient
from exchange.gateway.notices import Code, Language
from exchange.server.data_folder import ServerInfo


def client_of(port: int, language: Language = "en") -> ServerClient:
    started_at = datetime(2027, 1, 15, tzinfo=UTC)
    server = ServerInfo(pid=1, host="127.0.0.1", port=port, scheme="http", started_at=started_at, log_id="L1")
    return ServerClient(Address.of(server), "secret", language)


@contextmanager
def answering(status: int, content: bytes, seen: list[tuple[str, str, bytes]] | None = None) -> Iterator[int]:
    """The port of a server that answers one request; `seen` gets its path, its authorization and its content."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if seen is not None:
                seen.append((self.path, self.headers["Authorization"], body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        try:
            yield server.server_port
        finally:
            thread.join()


@contextmanager
def breaking(what: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that takes one connection, treats it so, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                what(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def check_that(it_holds: bool) -> None:
    assert it_holds


def error(reason: str, content: str = "words", **details: Any) -> bytes:
    code = Code[reason] if reason in Code.__members__ else 0
    return json.dumps({"error": {"code": code, "reason": reason, "content": content, "details": details}}).encode()


def test_a_request_carries_the_token_and_its_content() -> None:
    seen: list[tuple[str, str, bytes]] = []
    with answering(201, b'{"name":"alice"}', seen) as port:
        assert client_of(port).ask("POST", "/x", {"user": "alice"}) == {"name": "alice"}
    assert seen == [("/x", "Bearer secret", b'{"user":"alice"}')]


def test_an_answer_may_have_no_content() -> None:
    with answering(204, b"") as port:
        assert client_of(port).ask("POST", "/x", {}) is None


@pytest.mark.parametrize(
    ("status", "content", "expected", "text"),
    [
        (409, error("USER_EXISTS"), TurnedDownError, "words"),
        (404, error("UNKNOWN_USER"), TurnedDownError, "words"),
        (409, error("AMOUNT", amount=0, amount_max=5_000_000), TurnedDownError, "at most 5"),
        (422, error("INVALID"), UsageError, "words"),
        (503, error("NOT_READY"), NotReachableError, "does not take it now"),
        (503, error("BUSY"), NotReachableError, "does not take it now"),
        (503, error("OUTCOME_UNKNOWN"), UnknownOutcomeError, "Look before you try again"),
        (500, error("INTERNAL"), UnknownOutcomeError, "Look before you try again"),
        (500, b"Internal Server Error", UnknownOutcomeError, "no answer came"),
        (401, error("NOT_LOGGED_IN"), TurnedDownError, "words"),
        (403, error("ROLE_MAY_NOT"), TurnedDownError, "words"),
        (429, error("TOO_MANY_ATTEMPTS", "no words of ours"), FailedError, "Too many attempts"),
        (422, error("WRONG_FIELD", "volume: words"), UsageError, "volume: words"),
        (404, b'{"detail":"Not Found"}', FailedError, "another version"),
    ],
)
def test_every_answer_has_its_error(status: int, content: bytes, expected: type[CliError], text: str) -> None:
    with answering(status, content) as port, pytest.raises(expected, match=text):
        client_of(port).ask("POST", "/x", {})


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (409, error("AMOUNT", "The server's English", amount=0, amount_max=5_000_000), "^金额 0 无效"),
        (401, error("WRONG_LOGIN", "The server's English"), "^用户名或密码错误$"),
        (503, error("BUSY", "The server's English"), "系统繁忙"),
    ],
)
def test_what_has_a_notice_is_worded_in_the_clients_language(status: int, content: bytes, told: str) -> None:
    with answering(status, content) as port, pytest.raises(CliError, match=told):
        client_of(port, "zh").ask("POST", "/x", {})


@pytest.mark.parametrize(("language", "told"), [("en", "nothing was done"), ("zh", "未执行任何操作")])
def test_a_port_that_nobody_listens_on_was_never_reached(language: Language, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotReachableError, match=told):
        client_of(port, language).ask("POST", "/x", {})


@pytest.mark.parametrize(
    "treatment",
    [
        lambda connection: connection.recv(1),
        lambda connection: connection.recv(65_536),
        lambda connection: (connection.recv(65_536), connection.sendall(b"HTTP/1.1 201 Cr")),
        lambda connection: (
            connection.recv(65_536),
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{"),
        ),
        lambda connection: (connection.recv(65_536), connection.sendall(b"SSH-2.0\r\n")),
    ],
    ids=["while it was sent", "before an answer", "in the first line", "in the content", "with another protocol"],
)
def test_a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown(
    treatment: Callable[[socket.socket], None],
) -> None:
    with breaking(treatment) as port, pytest.raises(UnknownOutcomeError, match="may have been done or not"):
        client_of(port).ask("POST", "/x", {})


def test_a_server_that_does_not_answer_in_time_leaves_the_outcome_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.cli.server_client.ANSWER_TIMEOUT_S", 0.05)
    given_up = threading.Event()
    with breaking(lambda _: check_that(given_up.wait(60))) as port:
        with pytest.raises(UnknownOutcomeError):
            client_of(port).ask("POST", "/x", {})
        given_up.set()


def test_ctrl_c_while_waiting_leaves_the_outcome_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("http.client.HTTPConnection.getresponse", interrupted)
    with answering(HTTPStatus.CREATED, b"{}") as port, pytest.raises(UnknownOutcomeError):
        client_of(port).ask("POST", "/x", {})

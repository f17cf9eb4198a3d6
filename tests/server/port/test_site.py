"""Host and Origin: who may call this server from a browser."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from exchange.server.port.site import SitePolicy, is_loopback, split_host


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "127.0.0.1", "[::1]:8000", "127.8.9.1:1"],
)
def test_a_server_on_loopback_answers_to_loopback_names(host: str) -> None:
    assert SitePolicy.bound_to("127.0.0.1").refusal(host, None) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example/localhost",
        "localhost, evil.example",
        "192.168.0.7",
        "[::1",
        "localhost:port",
        "",
        None,
    ],
)
def test_a_server_on_loopback_answers_to_no_other_name(host: str | None) -> None:
    """A page whose name was made to resolve to 127.0.0.1 still sends that name."""
    refusal = SitePolicy.bound_to("127.0.0.1").refusal(host, None)
    assert refusal is not None
    assert refusal.status is HTTPStatus.BAD_REQUEST
    assert "allowed hosts" in refusal.text


def test_names_of_the_settings_are_answered_to_as_well() -> None:
    policy = SitePolicy.bound_to("127.0.0.1", names=frozenset({"Exchange.School.example"}))
    assert policy.refusal("exchange.school.example:8000", None) is None
    assert policy.refusal("other.school.example", None) is not None


def test_in_a_network_any_name_is_answered_to_until_names_are_given() -> None:
    assert SitePolicy.bound_to("0.0.0.0").refusal("whatever.example:8000", None) is None
    named = SitePolicy.bound_to("192.168.0.7", names=frozenset({"exchange.example"}))
    assert named.refusal("whatever.example", None) is not None
    for host in ("exchange.example", "192.168.0.7:8000", "localhost:8000"):
        assert named.refusal(host, None) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", None),
        ("localhost:8000", "http://localhost:8000"),
        ("LOCALHOST:8000", "http://localhost:8000"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "https://localhost:443"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("127.0.0.1:8000", "https://terminal.example"),
        ("127.0.0.1:8000", "HTTPS://Terminal.Example"),
    ],
)
def test_own_pages_and_listed_sites_may_call(host: str, origin: str | None) -> None:
    policy = SitePolicy.bound_to("127.0.0.1", origins=frozenset({"https://terminal.example/"}))
    assert policy.refusal(host, origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:9000",
        "http://localhost",
        "https://localhost",
        "http://127.0.0.1:8000",
        "http://localhost:8000.evil.example",
        "http://evil@localhost:8000",
        "http://localhost:8000, http://evil.example",
        "http://[::1]:8000",
        "http://localhost:8000/",
        "http://localhost:8000#localhost",
        "http://[localhost]:8000",
        "//localhost:8000",
        "chrome-extension://localhost:8000",
        "NULL",
        "file://localhost:8000",
        "localhost:8000",
        "null",
        "",
    ],
)
def test_pages_of_other_sites_may_not_call(origin: str) -> None:
    refusal = SitePolicy.bound_to("127.0.0.1").refusal("localhost:8000", origin)
    assert refusal is not None
    assert refusal.status is HTTPStatus.FORBIDDEN
    assert "allowed origins" in refusal.text


def test_a_null_origin_may_be_listed() -> None:
    assert SitePolicy.bound_to("127.0.0.1", origins=frozenset({"null"})).refusal("localhost", "null") is None


def test_without_a_host_no_page_is_our_own() -> None:
    assert SitePolicy.bound_to("0.0.0.0").refusal(None, "http://localhost") is not None


@pytest.mark.parametrize(
    ("authority", "parts"),
    [
        ("Example.ORG", ("example.org", None)),
        ("example.org:8000", ("example.org", 8000)),
        ("[::1]:8000", ("::1", 8000)),
        ("[::1]", ("::1", None)),
        ("", ("", None)),
        ("a@b", ("", None)),
        ("a/b", ("", None)),
        ("a?b", ("", None)),
        ("a:99999", ("", None)),
        ("[::1", ("", None)),
    ],
)
def test_a_host_header_is_split_into_name_and_port(authority: str, parts: tuple[str, int | None]) -> None:
    assert split_host(authority) == parts


def test_loopback_is_this_machine_alone() -> None:
    assert all(is_loopback(name) for name in ("localhost", "LocalHost", "127.0.0.1", "::1", "[::1]", "127.1.2.3"))
    assert not any(is_loopback(name) for name in ("0.0.0.0", "::", "192.168.0.1", "example.org", ""))

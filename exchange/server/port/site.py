"""Who may speak to this port from a browser: the checks of the Host and Origin headers, for HTTP and upgrades alike.

A web page anywhere on the internet can make a visitor's browser connect to a server on the visitor's own machine. Two
headers that no page can forge tell: `Origin` names the page's site, and `Host` the name under which the browser found
us. A page that lets its own name resolve to 127.0.0.1 (DNS rebinding) gives itself away by the Host header.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class HttpRefusal:
    """Why a request is not served: the HTTP status and one plain sentence for the body."""

    status: HTTPStatus
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePolicy:
    """The names under which this server may be called, and the further sites whose pages may call it."""

    hosts: frozenset[str] | None = None
    """Names a Host header may carry, lower case and without port, beside the loopback names; None: any."""
    origins: frozenset[str] = frozenset()
    """Origins, such as `https://terminal.example.org`, that may call beside this server's own."""

    @classmethod
    def bound_to(
        cls, address: str, *, names: frozenset[str] = frozenset(), origins: frozenset[str] = frozenset()
    ) -> Self:
        """The policy for a server that listens on `address`, with the names and origins of its settings.

        On a loopback address, or once names are given, other names are refused. Otherwise any name is allowed: nobody
        can know the names of a machine in its network.
        """
        known = frozenset(name.lower() for name in names)
        hosts = known | {address.lower()} if known or is_loopback(address) else None
        return cls(hosts=hosts, origins=frozenset(origin.lower().rstrip("/") for origin in origins))

    def refusal(self, host: str | None, origin: str | None) -> HttpRefusal | None:
        """Judge one request by its Host and Origin headers, None where the request has none; None lets it pass."""
        if not self._is_our_name(host):
            return HttpRefusal(
                HTTPStatus.BAD_REQUEST,
                f"This server does not answer to the name {host or '(none)'!r}. Use localhost or 127.0.0.1, "
                "or add the name to the allowed hosts in the server's settings.",
            )
        # Programs that are no browsers send no Origin, and could send any.
        if origin is not None and not self._may_call(origin, host):
            return HttpRefusal(
                HTTPStatus.FORBIDDEN,
                f"Pages of {origin!r} may not call this server. "
                "Add the origin to the allowed origins in the server's settings if they should.",
            )
        return None

    def _is_our_name(self, host: str | None) -> bool:
        if self.hosts is None:
            return True
        name, _ = split_host(host or "")
        return is_loopback(name) or name in self.hosts

    def _may_call(self, origin: str, host: str | None) -> bool:
        if origin.lower() in self.origins:
            return True
        scheme, _, authority = origin.partition("://")
        default_port = DEFAULT_PORTS.get(scheme.lower())
        if default_port is None or not host:
            return False
        own_name, own_port = split_host(host)
        name, port = split_host(authority)
        # Browsers leave the default port of the scheme out of both headers.
        return name == own_name and (port or default_port) == (own_port or default_port)


class SiteGuard:
    """ASGI middleware: the same judgement of Host and Origin for HTTP that the gate makes for WebSocket requests."""

    def __init__(self, app: AsgiApp, policy: SitePolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            refusal = self._policy.refusal(header_text(scope, b"host"), header_text(scope, b"origin"))
            if refusal is not None:
                body = f"{refusal.text}\n".encode()
                headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
                await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
        await self._app(scope, receive, send)


def header_text(scope: Scope, name: bytes) -> str | None:
    """A header of the request, its values joined by commas where it was sent more than once; None where it was not."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(values) if values else None


def is_loopback(name: str) -> bool:
    """Whether a host name or bare address can only mean this machine."""
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def split_host(authority: str) -> tuple[str, int | None]:
    """A Host header as (name in lower case, port or None); `("", None)` where it is malformed.

    IPv6 addresses lose their brackets.
    """
    try:
        parts = urlsplit(f"//{authority}")
        if parts.username is not None or parts.path or parts.query or parts.fragment:
            return "", None
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None

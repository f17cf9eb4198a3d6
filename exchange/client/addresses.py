"""Where an exchange is: an address as people write it becomes those of its WebSocket and of its REST interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from exchange.client.errors import InvalidRequestError
from exchange.client.layout import DialectName

PATHS: Final[dict[DialectName, str]] = {"guide": "/ws", "flat": "/ws/diff"}
_HTTP_SCHEMES: Final = {"ws": "http", "wss": "https"}


class Address(NamedTuple):
    """One server."""

    websocket: str
    """Such as `ws://127.0.0.1:8000/ws`."""
    login: str
    """Where a password is exchanged for a token, such as `http://127.0.0.1:8000/api/v1/login`."""


def read_addresses(addresses: str | Sequence[str], dialect: DialectName) -> tuple[Address, ...]:
    """All addresses, in their order. Raises InvalidRequestError for one that cannot be reached in any case."""
    texts = [addresses] if isinstance(addresses, str) else list(addresses)
    if not texts:
        raise InvalidRequestError("give at least one address, such as ws://127.0.0.1:8000")
    if dialect not in PATHS:
        raise InvalidRequestError(f"there is no dialect {dialect!r}: choose one of {', '.join(PATHS)}")
    return tuple(_address(text, dialect) for text in texts)


def _address(text: str, dialect: DialectName) -> Address:
    wrong = InvalidRequestError(f"{text!r} is no address of an exchange: write ws://HOST:PORT or wss://HOST:PORT")
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in _HTTP_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is never closed
        raise wrong from None
    if not is_whole:
        raise wrong
    path = parts.path if parts.path not in ("", "/") else PATHS[dialect]
    return Address(
        websocket=urlunsplit((parts.scheme, parts.netloc, path, parts.query, "")),
        login=urlunsplit((_HTTP_SCHEMES[parts.scheme], parts.netloc, "/api/v1/login", "", "")),
    )

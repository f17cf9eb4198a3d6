"""One connection: frames on their way in both directions, and what becomes of them when it breaks."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.gateway.conversation import Conversation
from exchange.gateway.notices import Code
from tests.simulation.dialects import Spoken

if TYPE_CHECKING:
    from tests.simulation.client import Client, Kept


class Said(NamedTuple):
    """A text on its way to the exchange, and what must come of it."""

    text: bytes
    notice: Code | None = None
    """The notice that answers it."""
    perhaps: Code | None = None
    """A notice that may answer it, by what else happens until it is heard."""
    close_code: int | None = None
    """The code with which it ends the connection."""


PEEK: Final = Said(b'{"aid":"peek_message"}')
"""Asks for news. Nobody gets a step without it, but as the answer to a login."""


class Sent(NamedTuple):
    """A frame on its way to a client, with what the exchange knew when it was sent."""

    text: bytes
    subscriptions: tuple[str, ...]


class Link:
    """A connection between a client and one life of the exchange. It is the conversation's `Line`.

    A side that has lost the connection may long be over while the other still sends.
    """

    def __init__(
        self, client: Client, spoken: Spoken, on_sent: Callable[[Link, bytes], None], *, query: str = ""
    ) -> None:
        self.client = client
        self.spoken = spoken
        self.query = query
        """What the address of the connection asks, not decoded."""
        self.answer_waits = bool(query)
        """Whether a login that came in the address is still to be answered, which only a peek brings about."""
        self.resumed: Kept | None = None
        """What the login of this connection claims to hold."""
        self._on_sent = on_sent
        self.conversation: Conversation | None = None
        """None until the exchange has accepted the connection, and again once it was told of its end."""
        self.to_server: deque[Said] = deque()
        self.to_client: deque[Sent] = deque()
        self.remote = f"127.0.0.1:{50_000 + client.number}"
        self.writable = True
        self.closed: tuple[int, str] | None = None
        """Code and reason with which the exchange ended the connection."""
        self.must_close = False
        """Whether something was said that ends the connection."""
        self.owed: Counter[Code] = Counter()
        """Notices that the exchange has to give on this connection, so far."""
        self.allowed: Counter[Code] = Counter()
        """Notices that it may give besides."""
        self.given: Counter[Code] = Counter()
        self.peeks = 0
        """Peeks that the exchange was told of, less those that it answered."""
        self.flooded = False
        """Whether more notices were due at once than are kept: the oldest may be gone."""

    def send(self, text: bytes) -> None:
        """The exchange sends a frame; nothing goes out any more once it has ended the connection."""
        if self.closed is not None:
            return
        self._on_sent(self, text)
        assert self.conversation is not None
        self.to_client.append(Sent(text, tuple(self.conversation.subscriptions)))

    def disconnect(self, code: int, reason: str) -> None:
        """The exchange ends the connection; what it sent before still arrives."""
        if self.closed is None:
            self.closed = code, reason
            self.writable = False

    @property
    def is_open(self) -> bool:
        """Whether the exchange still listens."""
        return self.conversation is not None and self.closed is None

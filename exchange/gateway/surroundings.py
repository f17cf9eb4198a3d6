"""What a conversation needs around it: a line to the client, a desk for commands and logins, and the news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from exchange.domain.commands import Command
from exchange.domain.values import AccountId, InstrumentId
from exchange.gateway.access import Role
from exchange.gateway.notices import Code
from projections.fold import Projections

if TYPE_CHECKING:
    from exchange.gateway.conversation import Conversation

Level = Literal["INFO", "WARNING", "ERROR"]


class User(NamedTuple):
    """Who speaks: the name of the login, the account behind it, and what they may do."""

    name: str
    account_id: AccountId
    role: Role = Role.TRADER
    token_hash: bytes | None = None
    """Of the token that the login came with, if it was one: when that is revoked, what came in by it ends."""


class Line(Protocol):
    """The way to the client."""

    remote: str
    """The far side's address, such as `127.0.0.1:50412`."""
    writable: bool
    """False while the client reads too slowly: it gets no step meanwhile, and one larger step afterwards."""

    def join_user(self, name: str, token_hash: bytes | None) -> bool:
        """Count as a connection of this user from now on; False where the user may have no further one."""
        ...

    def send(self, text: bytes) -> None:
        """Send one text."""
        ...

    def disconnect(self, code: int, reason: str) -> None:
        """End the connection with a close code and its reason."""
        ...


class Desk(Protocol):
    """What a conversation asks of the exchange behind it."""

    log_id: str
    epoch: int
    """Raised by every start, so that no two connections ever have the same number and epoch."""

    def submit(self, conversation: Conversation, command: Command, client_id: str) -> Code | None:
        """Have a command decided; a code says why it was not even taken."""
        ...

    def authenticate(self, conversation: Conversation, name: str, secret: str) -> None:
        """Check a login; `login_succeeded` or `login_failed` is called when that is done."""
        ...

    def authenticate_ticket(self, conversation: Conversation, name: str, ticket: str) -> None:
        """Check what came in the address of a connection: the name of a user, and a ticket that proves it or an empty
        text; the answer is that of `authenticate`. Whether a bare name is enough is decided here alone."""
        ...

    def change_password(self, conversation: Conversation, user: User, old: str, new: str) -> None:
        """Check and change a password; the outcome comes as a notice."""
        ...

    def history_differs(self, conversation: Conversation) -> None:
        """A client came back with a version or a log that this log does not have."""
        ...


class News(Protocol):
    """Where a conversation reads the views, and says what it waits for."""

    projections: Projections

    def arrived(self, conversation: Conversation) -> None:
        """A client connected and has not logged in."""
        ...

    def login_began(self, conversation: Conversation) -> None:
        """A login came and is being checked."""
        ...

    def logged_in(self, conversation: Conversation, account_id: AccountId) -> None:
        """From now on wake the conversation for this account's news."""
        ...

    def subscribed(self, conversation: Conversation, added: list[InstrumentId], removed: list[InstrumentId]) -> None:
        """From now on wake it for these quotes, and for those no more."""
        ...

    def subscribed_elsewhere(self, conversation: Conversation) -> int:
        """How many quotes its user's other connections are woken for, all together."""
        ...

    def parked(self, conversation: Conversation) -> None:
        """It waits for news."""
        ...

    def stepped(self, conversation: Conversation) -> None:
        """It got a step."""
        ...

    def marks_open(self, conversation: Conversation) -> bool:
        """Whether a step for marks alone may be made now."""
        ...

    def left(self, conversation: Conversation) -> None:
        """It is over."""
        ...

"""Tickets: what stands in the address of a connection where a password or a token may not.

Addresses are logged and remembered everywhere, so a ticket is good once and for half a minute. Only hashes are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from exchange.gateway.surroundings import User

TICKET_LIFETIME_NS: Final = 30 * 10**9
TICKETS_MAX: Final = 50_000
"""Tickets that may wait to be used, of all users together."""
TICKETS_PER_USER_MAX: Final = 10
"""A further one takes the place of the user's oldest."""


class TooManyTicketsError(Exception):
    """So many tickets wait to be used that no further one is issued."""

    def __init__(self, waiting: int, retry_after_s: float) -> None:
        super().__init__(f"{waiting} tickets wait to be used: try again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s
        """When the oldest of them expires, in seconds from now."""


class _Issued(NamedTuple):
    user: User
    issued_at_ns: int


class Tickets:
    """The tickets of one process: those of before a restart are void."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        """`clock_ns` gives nanoseconds since 1970 UTC."""
        self._clock_ns = clock_ns
        self._issued: OrderedDict[bytes, _Issued] = OrderedDict()
        """By hash, oldest first."""
        self._of_user: dict[str, OrderedDict[bytes, None]] = {}
        self._by_name: dict[str, User] = {}

    def __len__(self) -> int:
        return len(self._issued)

    def admit_by_name(self, user: User) -> None:
        """Let this user in by the bare name, until `dismiss`: for users to play with, where nobody can reach the server
        but who may be any of them."""
        self._by_name[user.name] = user

    def issue(self, user: User) -> tuple[str, int]:
        """A ticket for a user who is logged in, and when it expires, in ns since 1970 UTC. Raises
        TooManyTicketsError."""
        now_ns = self._clock_ns()
        self._forget_expired(now_ns)
        own = self._of_user.get(user.name)
        if own is not None and len(own) >= TICKETS_PER_USER_MAX:
            self._forget(next(iter(own)))
        elif len(self._issued) >= TICKETS_MAX:
            oldest = next(iter(self._issued.values()))
            raise TooManyTicketsError(len(self._issued), (oldest.issued_at_ns + TICKET_LIFETIME_NS - now_ns) / 1e9)
        ticket = secrets.token_urlsafe(32)
        key = _key(ticket)
        self._issued[key] = _Issued(user, now_ns)
        self._of_user.setdefault(user.name, OrderedDict())[key] = None
        return ticket, now_ns + TICKET_LIFETIME_NS

    def redeem(self, name: str, ticket: str) -> User | None:
        """The user of this name, if the ticket was issued to them; it is void from now on, whoever brought it.

        An empty ticket is none: only those who are admitted by their bare names come in with it.
        """
        if not ticket:
            return self._by_name.get(name)
        # Found by its hash: how long the search takes tells nothing of the ticket itself.
        issued = self._forget(_key(ticket))
        if issued is None or not hmac.compare_digest(issued.user.name.encode(), name.encode()):
            return None
        # A clock that was set back must not make tickets live longer.
        return issued.user if 0 <= self._clock_ns() - issued.issued_at_ns < TICKET_LIFETIME_NS else None

    def revoke(self, name: str, token_hash: bytes | None) -> None:
        """Make the tickets of a user void that were issued for this token, or all of them where none is named."""
        for key in tuple(self._of_user.get(name, ())):
            if token_hash in (None, self._issued[key].user.token_hash):
                self._forget(key)

    def dismiss(self, name: str) -> None:
        """The user's password or role was changed: tickets are void, and the bare name is not enough any more."""
        self._by_name.pop(name, None)
        self.revoke(name, None)

    def _forget_expired(self, now_ns: int) -> None:
        while self._issued:
            key, issued = next(iter(self._issued.items()))
            if 0 <= now_ns - issued.issued_at_ns < TICKET_LIFETIME_NS:
                break
            self._forget(key)

    def _forget(self, key: bytes) -> _Issued | None:
        issued = self._issued.pop(key, None)
        if issued is not None:
            own = self._of_user[issued.user.name]
            del own[key]
            if not own:
                del self._of_user[issued.user.name]
        return issued


def _key(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()

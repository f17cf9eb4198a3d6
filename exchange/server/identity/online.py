"""Who is logged in on which connections: what the connections of one user have in common, and how they are ended."""

from __future__ import annotations

from typing import Final, Protocol

from exchange.server.port.limits import MessageBucket

REVOKED: Final = (1008, "the login was revoked or has expired")
"""How a connection ends whose password, role or token is not what it logged in with any more."""


class Member(Protocol):
    """A connection, as far as it matters here."""

    number: int

    def disconnect(self, code: int, reason: str) -> None:
        """End it."""


class OnlineUser:
    """What the connections of one user share."""

    __slots__ = ("members", "messages", "name")

    def __init__(self, name: str, messages_per_s: int) -> None:
        self.name = name
        self.members: dict[Member, bytes | None] = {}
        """Each connection, and the hash of the token that it logged in with, if it was one."""
        self.messages = MessageBucket(messages_per_s)
        """The messages that all of them together may still send."""


class Online:
    """All users who are logged in on any connection."""

    def __init__(self, *, connections_per_user: int, messages_per_user: int) -> None:
        self._connections_per_user = connections_per_user
        self._messages_per_user = messages_per_user
        self._users: dict[str, OnlineUser] = {}

    def __len__(self) -> int:
        return len(self._users)

    def join(self, member: Member, name: str, token_hash: bytes | None) -> OnlineUser | None:
        """Count a connection as this user's; None where the user has all the connections that one may have."""
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = OnlineUser(name, self._messages_per_user)
        elif len(user.members) >= self._connections_per_user:
            return None
        user.members[member] = token_hash
        return user

    def leave(self, member: Member, user: OnlineUser) -> None:
        """The connection is over."""
        del user.members[member]
        if not user.members:
            del self._users[user.name]

    def revoked(self, name: str, token_hash: bytes | None, but: int | None) -> None:
        """Disconnect those of a user's connections that logged in with this token, or all of them where none is named;
        not the one of the number `but`, which asked for it and has proved who it is."""
        user = self._users.get(name)
        for member, with_hash in () if user is None else tuple(user.members.items()):
            if member.number != but and token_hash in (None, with_hash):
                member.disconnect(*REVOKED)

"""What was made void while somebody waited: how nobody gets in by what was right a moment ago."""

from __future__ import annotations

from collections.abc import Callable

from exchange.server.identity.users import User

WhenRevoked = Callable[[str, bytes | None, int | None], None]
"""Is told the user's name, the hash of the token or None for everything of the user, and the number of the connection
that asked for it, if one did and may stay."""


class Revocations:
    """Counts what was made void. Whoever reads the database takes the count first, and compares it before acting.

    A revocation is counted within its transaction. The database has one connection, so whoever read before it finds
    that the count has grown, and whoever reads behind it reads what holds now.
    """

    def __init__(self) -> None:
        self.count = 0
        """Changes of a password or a role, and tokens revoked."""
        self._changed_at: dict[str, int] = {}
        """By user: the count at the last change of password or role."""

    def user_changed(self, name: str) -> None:
        """The user's password or role is another one now."""
        self.count += 1
        self._changed_at[name] = self.count

    def token_revoked(self) -> None:
        """Some token is void now."""
        self.count += 1

    def is_current(self, user: User) -> bool:
        """Whether neither the password nor the role was changed since this user was read."""
        return user.as_of >= self._changed_at.get(user.name, 0)


def nobody_is_told(_name: str, _token_hash: bytes | None, _but: int | None) -> None:
    """A WhenRevoked for where there are no connections, as without a server."""

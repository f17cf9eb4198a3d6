"""Tokens found valid in this process's life, so that a crowd that comes back costs no look into the database."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from exchange.server.identity.users import User

TOKENS_KNOWN_MAX: Final = 65_536
"""About 30 MB at most; one that was pushed out costs one query when it comes again."""


class KnownTokens:
    """Whose each token is and until when, by the token's hash. At most `size_max`, the longest unseen go.

    What is known here must be valid: whoever makes a token void has it forgotten.
    """

    def __init__(self, size_max: int = TOKENS_KNOWN_MAX) -> None:
        self._known: OrderedDict[bytes, tuple[User, int]] = OrderedDict()
        self._of_user: dict[str, set[bytes]] = {}
        self._size_max = size_max
        self.is_complete = False
        """Whether every valid token is known, so that any other is void without a look into the database."""

    def __len__(self) -> int:
        return len(self._known)

    def remember(self, token_hash: bytes, user: User, expires_at_ns: int) -> None:
        """This token is the user's until then."""
        self.forget(token_hash)
        self._known[token_hash] = user, expires_at_ns
        self._of_user.setdefault(user.name, set()).add(token_hash)
        if len(self._known) > self._size_max:
            self.forget(next(iter(self._known)))
            self.is_complete = False

    def find(self, token_hash: bytes, now_ns: int) -> User | None:
        """Whose token this is, if it is known and has not expired."""
        known = self._known.get(token_hash)
        if known is None:
            return None
        user, expires_at_ns = known
        if expires_at_ns <= now_ns:
            self.forget(token_hash)
            return None
        self._known.move_to_end(token_hash)
        return user

    def forget(self, token_hash: bytes) -> None:
        """The token is void; one that is not known changes nothing."""
        known = self._known.pop(token_hash, None)
        if known is not None:
            name = known[0].name
            hashes = self._of_user[name]
            hashes.discard(token_hash)
            if not hashes:
                del self._of_user[name]

    def forget_user(self, name: str) -> None:
        """All tokens of this user are void."""
        for token_hash in self._of_user.pop(name, ()):
            del self._known[token_hash]

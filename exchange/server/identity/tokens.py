"""Tokens: what logs a user in again without the password, until it expires or is revoked.

Stored as hashes, and known in memory, so that a crowd that comes back costs neither a slow hash nor a query.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.server.identity import users_database as db
from exchange.server.identity.known_tokens import TOKENS_KNOWN_MAX, KnownTokens
from exchange.server.identity.revocations import Revocations
from exchange.server.identity.users import LoginRevokedError, User
from exchange.server.identity.users_database import user_of

TOKENS_PER_USER_MAX: Final = 100
"""A further token takes the place of the user's oldest."""

TOKEN_LIFETIME: Final = timedelta(hours=12)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 bytes in URL-safe base64. A password may look like this as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as its user gets it, this once."""

    text: str = field(repr=False)
    expires_at_ns: int


class Tokens:
    """The tokens of all users, from one event loop."""

    def __init__(
        self, engine: AsyncEngine, clock_ns: Callable[[], int], lifetime: timedelta, revocations: Revocations
    ) -> None:
        self._engine = engine
        self._clock_ns = clock_ns
        self._lifetime = lifetime
        self._revocations = revocations
        self._known = KnownTokens()

    async def recall(self) -> None:
        """Get to know the tokens that a former process issued: their holders will all come back at once."""
        newest = _tokens_until(self._clock_ns()).order_by(db.token.c.created_at_ns.desc()).limit(TOKENS_KNOWN_MAX)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(newest)).all()
        for row in reversed(rows):
            self._known.remember(row.token_hash, user_of(row, self._revocations.count), row.expires_at_ns)
        self._known.is_complete = len(rows) < TOKENS_KNOWN_MAX

    async def verify(self, token: str) -> User | None:
        """The user whom `issue` gave this token, unless it has expired or was revoked."""
        if _TOKEN.fullmatch(token) is None:
            return None
        token_hash = hash_of_token(token)
        while True:
            user = self._known.find(token_hash, self._clock_ns())
            # Strangers may bring made-up tokens by the thousand: nobody who logs in is to wait behind these.
            if user is not None or self._known.is_complete:
                return user
            as_of = self._revocations.count
            row = await self._find(token_hash)
            if row is None:
                return None
            # What was read before a revocation says nothing of what holds after it, and must not be remembered.
            if self._revocations.count == as_of:
                user = user_of(row, as_of)
                self._known.remember(token_hash, user, row.expires_at_ns)
                return user

    async def issue(self, user: User, lifetime: timedelta | None = None) -> Token:
        """A fresh token that logs this user in until `lifetime` has passed. It is shown this once and stored hashed.

        Raises LoginRevokedError where the user's password or role was changed since `user` was read.
        """
        lifetime = self._lifetime if lifetime is None else lifetime
        if lifetime <= timedelta(0):
            raise ValueError(f"a token's lifetime is above zero, not {lifetime}")
        token = secrets.token_urlsafe(32)
        token_hash = hash_of_token(token)
        now_ns = self._clock_ns()
        expires_at_ns = now_ns + lifetime // timedelta(microseconds=1) * 1_000
        async with self._engine.begin() as connection:
            # Within the transaction, where no change can come between.
            if not self._revocations.is_current(user):
                raise LoginRevokedError(user.name)
            # Before the new one, which the clock may give the same time as the others.
            pushed_out = await _push_out_tokens(connection, user.name)
            values = {
                "token_hash": token_hash,
                "user_name": user.name,
                "created_at_ns": now_ns,
                "expires_at_ns": expires_at_ns,
            }
            await connection.execute(insert(db.token).values(values))
            for each in pushed_out:
                self._forget(each)
            # If the commit fails, this is a token that nobody was ever shown.
            self._known.remember(token_hash, user, expires_at_ns)
        return Token(text=token, expires_at_ns=expires_at_ns)

    async def revoke(self, token: str) -> tuple[str, bytes] | None:
        """Make a token void; returns whose it was and its hash, None when there was none such."""
        if _TOKEN.fullmatch(token) is None:
            return None
        token_hash = hash_of_token(token)
        own = db.token.c.token_hash == token_hash
        async with self._engine.begin() as connection:
            name = (await connection.execute(delete(db.token).where(own).returning(db.token.c.user_name))).scalar()
            self._forget(token_hash)
        return None if name is None else (name, token_hash)

    async def purge_expired(self) -> list[tuple[str, bytes]]:
        """Remove the tokens that have expired; returns whose each was, and its hash."""
        now_ns = self._clock_ns()
        expired = delete(db.token).where(db.token.c.expires_at_ns <= now_ns)
        async with self._engine.begin() as connection:
            rows = await connection.execute(expired.returning(db.token.c.user_name, db.token.c.token_hash))
            purged = [(row.user_name, row.token_hash) for row in rows]
            for _, token_hash in purged:
                self._forget(token_hash)
        return purged

    def forget_user(self, name: str) -> None:
        """The user's tokens were removed from the database; to be called within that transaction."""
        self._known.forget_user(name)

    async def _find(self, token_hash: bytes) -> Row[Any] | None:
        query = _tokens_until(self._clock_ns()).where(db.token.c.token_hash == token_hash)
        async with self._engine.connect() as connection:
            row: Row[Any] | None = (await connection.execute(query)).one_or_none()
        return row

    def _forget(self, token_hash: bytes) -> None:
        self._revocations.token_revoked()
        self._known.forget(token_hash)


def hash_of_token(token: str) -> bytes:
    """What is kept of a token. A plain hash is enough: nobody guesses 32 random bytes."""
    return hashlib.sha256(token.encode()).digest()


def _tokens_until(now_ns: int) -> Select[Any]:
    """The tokens that are valid then, each with its user."""
    with_user = select(db.user, db.token.c.token_hash, db.token.c.expires_at_ns).join(
        db.token, db.token.c.user_name == db.user.c.name
    )
    return with_user.where(db.token.c.expires_at_ns > now_ns)


async def _push_out_tokens(connection: AsyncConnection, name: str) -> list[bytes]:
    """Make room for one more token of the user; returns the hashes of those that had to go, the oldest."""
    own = db.token.c.user_name == name
    kept = select(db.token.c.token_hash).where(own).order_by(db.token.c.created_at_ns.desc())
    going = delete(db.token).where(own, db.token.c.token_hash.not_in(kept.limit(TOKENS_PER_USER_MAX - 1)))
    return list((await connection.execute(going.returning(db.token.c.token_hash))).scalars())

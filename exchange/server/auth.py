"""Who is who: checks the passwords and tokens of users, and keeps both as hashes.

No secret is stored, logged, or put into an error.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

from argon2 import Parameters
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.domain.values import AccountId
from exchange.gateway.access import Role
from exchange.server import users_database as db
from exchange.server.passwords import HASHES_WAITING_MAX, HASHING, HashPool, RememberedPasswords, password_bytes
from exchange.server.users import (
    AccountTakenError,
    UnknownUserError,
    User,
    UserExistsError,
    check_account_id,
    check_name,
    is_name,
)

TOKENS_PER_USER_MAX: Final = 100
"""A further token takes the place of the user's oldest."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 bytes in URL-safe base64. A password may look like this as well."""


class Users:
    """The users database with everything that is asked of it, from one event loop.

    One process at a time: the caller holds the lock of the data folder. Times come from `clock_ns`.
    """

    def __init__(self, engine: AsyncEngine, hash_pool: HashPool, decoy_hash: str, clock_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._hash_pool = hash_pool
        self._remembered = RememberedPasswords()
        # Nobody's password: what a login under an unknown name is held against, so that it takes the usual time.
        self._decoy_hash = decoy_hash
        self._clock_ns = clock_ns

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        hashing: Parameters = HASHING,
        hashes_waiting_max: int = HASHES_WAITING_MAX,
    ) -> Self:
        """Open the database at `path`, made where there is none. Raises UsersDatabaseError when it is none of ours."""
        hash_pool = HashPool(hashing, waiting_max=hashes_waiting_max)
        try:
            decoy_hash = await hash_pool.hash(secrets.token_bytes(32))
            engine = await db.open_users_database(Path(path))
        except BaseException:
            hash_pool.close()
            raise
        return cls(engine, hash_pool, decoy_hash, clock_ns)

    async def close(self) -> None:
        """Give everything back; logins that still wait for their check are cancelled."""
        self._hash_pool.close()
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def add(self, name: str, password: str, *, account_id: str | None = None) -> User:
        """Make a user, with the account id given or a fresh one; the account itself is the exchange's to open.

        Raises ValueError for a name, password or account id that cannot be one, UserExistsError, AccountTakenError,
        HashPoolFullError.
        """
        check_name(name)
        if account_id is not None:
            check_account_id(account_id)
        secret = password_bytes(password)
        if await self.find(name) is not None:
            raise UserExistsError(name)
        # Hashed outside of the transaction, so that nobody waits for the one connection; but then somebody else may
        # take the name meanwhile, so the transaction looks again.
        password_hash = await self._hash_pool.hash(secret)
        async with self._engine.begin() as connection:
            if await _row(connection, name) is not None:
                raise UserExistsError(name)
            if account_id is None:
                account_id = await _fresh_account_id(connection)
            elif await _is_taken(connection, account_id):
                raise AccountTakenError(account_id)
            values = {
                "name": name,
                "account_id": account_id,
                "password_hash": password_hash,
                "created_at_ns": self._clock_ns(),
            }
            row = (await connection.execute(insert(db.user).values(values).returning(*db.user.c))).one()
        return _user(row)

    async def find(self, name: str) -> User | None:
        """The user of this name."""
        row = await self._find_row(name)
        return None if row is None else _user(row)

    async def list(self) -> tuple[User, ...]:
        """All users in order of their names."""
        async with self._engine.connect() as connection:
            return tuple(map(_user, await connection.execute(select(db.user).order_by(db.user.c.name))))

    async def verify(self, name: str, secret: str) -> User | None:
        """The user of this name if `secret` is their password or a token of theirs; None otherwise.

        An unknown name takes as long as a wrong password. Raises HashPoolFullError when too many are being checked.
        """
        holder = await self.verify_token(secret)
        if holder is not None and holder.name == name:
            return holder
        try:
            password = password_bytes(secret)
        except ValueError:
            return None
        row = await self._find_row(name)
        if row is None:
            await self._hash_pool.check(self._decoy_hash, password)
            return None
        return _user(row) if await self._is_right(row, password) else None

    async def verify_token(self, token: str) -> User | None:
        """The user whom `issue_token` gave this token, unless it has expired or was revoked."""
        if _TOKEN.fullmatch(token) is None:
            return None
        query = (
            select(db.user)
            .join(db.token, db.token.c.user_name == db.user.c.name)
            .where(db.token.c.token_hash == _token_hash(token), db.token.c.expires_at_ns > self._clock_ns())
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _user(row)

    async def change_password(self, name: str, password: str) -> None:
        """Give the user another password; the former one and all tokens are void from now on.

        Raises UnknownUserError, ValueError for a password that cannot be one, HashPoolFullError.
        """
        password_hash = await self._hash_pool.hash(password_bytes(password))
        async with self._engine.begin() as connection:
            if await _row(connection, name) is None:
                raise UnknownUserError(name)
            await connection.execute(update(db.user).where(db.user.c.name == name).values(password_hash=password_hash))
            await connection.execute(delete(db.token).where(db.token.c.user_name == name))

    async def issue_token(self, user: User, lifetime: timedelta) -> str:
        """A fresh token that logs this user in until `lifetime` has passed. It is shown this once and stored hashed."""
        if lifetime <= timedelta(0):
            raise ValueError(f"a token's lifetime is above zero, not {lifetime}")
        token = secrets.token_urlsafe(32)
        now_ns = self._clock_ns()
        own = db.token.c.user_name == user.name
        keep = select(db.token.c.token_hash).where(own).order_by(db.token.c.created_at_ns.desc())
        async with self._engine.begin() as connection:
            # Before the new one, which the clock may give the same time as the others.
            await connection.execute(
                delete(db.token).where(own, db.token.c.token_hash.not_in(keep.limit(TOKENS_PER_USER_MAX - 1)))
            )
            values = {
                "token_hash": _token_hash(token),
                "user_name": user.name,
                "created_at_ns": now_ns,
                "expires_at_ns": now_ns + lifetime // timedelta(microseconds=1) * 1_000,
            }
            await connection.execute(insert(db.token).values(values))
        return token

    async def revoke_token(self, token: str) -> bool:
        """Make a token void; False when there was none such."""
        if _TOKEN.fullmatch(token) is None:
            return False
        async with self._engine.begin() as connection:
            done = await connection.execute(delete(db.token).where(db.token.c.token_hash == _token_hash(token)))
        return done.rowcount > 0

    async def purge_expired(self) -> int:
        """Remove the tokens that have expired; returns how many."""
        async with self._engine.begin() as connection:
            done = await connection.execute(delete(db.token).where(db.token.c.expires_at_ns <= self._clock_ns()))
        return done.rowcount

    async def _find_row(self, name: str) -> Row[Any] | None:
        if not is_name(name):
            # Nobody's, and maybe no text that the database takes.
            return None
        async with self._engine.connect() as connection:
            return await _row(connection, name)

    async def _is_right(self, row: Row[Any], password: bytes) -> bool:
        """Hold a password against the user's own, as seldom the slow way as possible."""
        if self._remembered.knows(row.name, row.password_hash, password):
            return True
        check = await self._hash_pool.check(row.password_hash, password)
        if check.right:
            password_hash = row.password_hash
            if check.new_hash is not None:
                await self._replace_hash(row, check.new_hash)
                password_hash = check.new_hash
            self._remembered.remember(row.name, password_hash, password)
        return check.right

    async def _replace_hash(self, row: Row[Any], new_hash: str) -> None:
        # The former hash is part of the condition: a password that was changed meanwhile stays changed.
        unchanged = (db.user.c.name == row.name) & (db.user.c.password_hash == row.password_hash)
        async with self._engine.begin() as connection:
            await connection.execute(update(db.user).where(unchanged).values(password_hash=new_hash))


def _user(row: Row[Any]) -> User:
    return User(name=row.name, account_id=AccountId(row.account_id), role=Role(row.role), created_at_ns=row.created_at_ns)


def _token_hash(token: str) -> bytes:
    # A plain hash is enough: nobody guesses 32 random bytes.
    return hashlib.sha256(token.encode()).digest()


async def _row(connection: AsyncConnection, name: str) -> Row[Any] | None:
    return (await connection.execute(select(db.user).where(db.user.c.name == name))).one_or_none()


async def _is_taken(connection: AsyncConnection, account_id: str) -> bool:
    query = select(db.user.c.name).where(db.user.c.account_id == account_id)
    return (await connection.execute(query)).one_or_none() is not None


async def _fresh_account_id(connection: AsyncConnection) -> str:
    """`A` and ten hexadecimal digits: says nothing about the user, and nobody has it."""
    while True:
        account_id = f"A{secrets.token_hex(5)}"
        if not await _is_taken(connection, account_id):
            return account_id

"""Who is who: checks the passwords and tokens of users, and keeps both as hashes.

No secret is stored, logged, or put into an error.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

from argon2 import Parameters
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from exchange.gateway.access import Role
from exchange.server.identity import users_database as db
from exchange.server.identity.passwords import (
    HASHES_WAITING_MAX,
    HASHING,
    HashPool,
    RememberedPasswords,
    password_bytes,
)
from exchange.server.identity.revocations import Revocations, WhenRevoked, nobody_is_told
from exchange.server.identity.tokens import TOKEN_LIFETIME, Token, Tokens
from exchange.server.identity.users import (
    AccountTakenError,
    LoginRevokedError,
    UnfitError,
    UnknownUserError,
    User,
    UserExistsError,
    check_account_id,
    check_name,
    is_name,
)


class Users:
    """The users database with everything that is asked of it, from one event loop.

    One process at a time: the caller holds the lock of the data folder, so what is remembered here cannot be outdated
    by others. Times come from `clock_ns`.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        hash_pool: HashPool,
        decoy_hash: str,
        clock_ns: Callable[[], int],
        token_lifetime: timedelta,
    ) -> None:
        self._engine = engine
        self._hash_pool = hash_pool
        self._remembered = RememberedPasswords()
        self._revocations = Revocations()
        self._tokens = Tokens(engine, clock_ns, token_lifetime, self._revocations)
        self.when_revoked: WhenRevoked = nobody_is_told
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
        token_lifetime: timedelta = TOKEN_LIFETIME,
    ) -> Self:
        """Open the database at `path`, made where there is none. Raises UsersDatabaseError when it is none of ours."""
        open_database = partial(db.open_users_database, Path(path))
        hash_pool = HashPool(hashing, waiting_max=hashes_waiting_max)
        return await cls._open(open_database, clock_ns, hash_pool, token_lifetime)

    @classmethod
    async def open_in_memory(
        cls, name: str, *, clock_ns: Callable[[], int], hashing: Parameters, token_lifetime: timedelta
    ) -> Self:
        """Open the database of this name in memory; see `open_memory_database`."""
        return await cls._open(partial(db.open_memory_database, name), clock_ns, HashPool(hashing), token_lifetime)

    @classmethod
    async def _open(
        cls,
        open_database: Callable[[], Awaitable[AsyncEngine]],
        clock_ns: Callable[[], int],
        hash_pool: HashPool,
        token_lifetime: timedelta,
    ) -> Self:
        try:
            decoy_hash = await hash_pool.hash(secrets.token_bytes(32))
            engine = await open_database()
        except BaseException:
            hash_pool.close()
            raise
        users = cls(engine, hash_pool, decoy_hash, clock_ns, token_lifetime)
        try:
            await users._tokens.recall()
        except BaseException:
            await users.close()
            raise
        return users

    @property
    def revocations(self) -> int:
        """How often something was made void: a password, a role, a token.

        Whoever waits for anything between learning who somebody is and acting on it compares this, and asks again where
        it has grown.
        """
        return self._revocations.count

    @property
    def hashes_waiting(self) -> int:
        """Passwords that are being hashed or checked, or wait for that."""
        return self._hash_pool.waiting

    async def close(self) -> None:
        """Give everything back; logins that still wait for their check are cancelled."""
        self._hash_pool.close()
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def add(self, name: str, password: str, *, account_id: str | None = None, role: Role = Role.TRADER) -> User:
        """Make a user, with the account id given or a fresh one; the account itself is the exchange's to open.

        Raises UnfitError for a name, password or account id that cannot be one, UserExistsError, AccountTakenError,
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
                "role": role.value,
                "created_at_ns": self._clock_ns(),
            }
            row = (await connection.execute(insert(db.user).values(values).returning(*db.user.c))).one()
            as_of = self.revocations
        return db.user_of(row, as_of)

    async def find(self, name: str) -> User | None:
        """The user of this name."""
        as_of = self.revocations
        row = await self._find_row(name)
        return None if row is None else db.user_of(row, as_of)

    async def list(self) -> tuple[User, ...]:
        """All users in order of their names."""
        as_of = self.revocations
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(db.user).order_by(db.user.c.name))
            return tuple(db.user_of(row, as_of) for row in rows)

    async def verify(self, name: str, secret: str) -> User | None:
        """The user of this name if `secret` is their password or a token of theirs; None otherwise.

        Raises HashPoolFullError when too many passwords are being checked.
        """
        holder = await self.verify_token(secret)
        return holder if holder is not None and holder.name == name else await self.verify_password(name, secret)

    async def verify_password(self, name: str, password: str) -> User | None:
        """The user of this name if this is their password; None otherwise.

        An unknown name takes as long as a wrong password. Raises HashPoolFullError when too many are being checked.
        """
        try:
            secret = password_bytes(password)
        except UnfitError:
            return None
        while True:
            as_of = self.revocations
            row = await self._find_row(name)
            if row is None:
                await self._hash_pool.check(self._decoy_hash, secret)
                return None
            if not await self._is_right(row, secret):
                return None
            user = db.user_of(row, as_of)
            # The check takes its time, and the password or the role may have been changed meanwhile.
            if self._revocations.is_current(user):
                return user

    async def verify_token(self, token: str) -> User | None:
        """The user whom `issue_token` gave this token, unless it has expired or was revoked."""
        return await self._tokens.verify(token)

    async def issue_token(self, user: User, lifetime: timedelta | None = None) -> Token:
        """A fresh token that logs this user in until `lifetime` has passed; see `Tokens.issue`."""
        return await self._tokens.issue(user, lifetime)

    async def revoke_token(self, token: str) -> str | None:
        """Make a token void; returns whose it was, None when there was none such."""
        revoked = await self._tokens.revoke(token)
        if revoked is None:
            return None
        name, token_hash = revoked
        self.when_revoked(name, token_hash, None)
        return name

    async def purge_expired(self) -> int:
        """Remove the tokens that have expired, and end what came in by them; returns how many."""
        purged = await self._tokens.purge_expired()
        for name, token_hash in purged:
            self.when_revoked(name, token_hash, None)
        return len(purged)

    async def change_password(self, name: str, password: str) -> None:
        """Give the user another password; the former one and all tokens are void from now on.

        Raises UnknownUserError, UnfitError for a password that cannot be one, HashPoolFullError.
        """
        await self._change(name, password_hash=await self._hash_pool.hash(password_bytes(password)))

    async def change_own_password(self, user: User, password: str, *, connection: int) -> None:
        """As `change_password`, asked for by the user, over the connection of this number, which may stay.

        Raises LoginRevokedError where somebody else was quicker: another's change must not be undone by who knew the
        former password.
        """
        password_hash = await self._hash_pool.hash(password_bytes(password))
        await self._change(user.name, since=user, but=connection, password_hash=password_hash)

    async def set_role(self, name: str, role: Role) -> None:
        """Make the user somebody else to the exchange; all tokens are void from now on. Raises UnknownUserError."""
        await self._change(name, role=role.value)

    async def _change(self, name: str, *, since: User | None = None, but: int | None = None, **values: str) -> None:
        async with self._engine.begin() as connection:
            if since is not None and not self._revocations.is_current(since):
                raise LoginRevokedError(name)
            if await _row(connection, name) is None:
                raise UnknownUserError(name)
            await connection.execute(update(db.user).where(db.user.c.name == name).values(values))
            await connection.execute(delete(db.token).where(db.token.c.user_name == name))
            self._revocations.user_changed(name)
            self._tokens.forget_user(name)
        self.when_revoked(name, None, but)

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

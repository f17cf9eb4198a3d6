"""Password hashes: slow on purpose, so made in few threads and checked as rarely as possible.

One check takes 20 ms of a core and 19 MiB. The pool bounds how many run and wait at once; `RememberedPasswords` spares
the check to clients that come back, which after a break of the network all do in the same second.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import Parameters, PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from exchange.server.identity.users import UnfitError

Result = TypeVar("Result")

HASHING: Final = Parameters(
    type=Type.ID, version=0x13, salt_len=16, hash_len=32, time_cost=2, memory_cost=19 * 1024, parallelism=1
)
"""Argon2id with 19 MiB, two passes, one lane: what the OWASP password storage cheat sheet asks for at least."""
HASH_THREADS: Final = 2
HASHES_WAITING_MAX: Final = 256
"""About three seconds of work on two cores: whoever waits behind more would miss the login deadline."""
PASSWORD_CHARACTERS_MAX: Final = 1024


class HashPoolFullError(Exception):
    """Too many passwords are being checked; nothing was done, and the same call may succeed in a moment."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} passwords are being checked or wait for it: try again in a moment")


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """What came of checking a password."""

    right: bool
    new_hash: str | None = None
    """Where the password is right, but the stored hash was made with other parameters: store this one."""


def password_bytes(password: str) -> bytes:
    """What is hashed of a password. Raises UnfitError, without a word of it, where it can be none."""
    if not 1 <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise UnfitError(f"a password has 1 to {PASSWORD_CHARACTERS_MAX} characters, this one has {len(password)}")
    try:
        return password.encode()
    except UnicodeEncodeError:
        # `from None`: the codec's error holds the whole text.
        raise UnfitError("the password holds half a surrogate pair, which is no character") from None


class HashPool:
    """Makes and checks argon2 hashes in threads of its own, a bounded number at a time.

    Every call raises HashPoolFullError at once when `waiting_max` others are under way. A cancelled call gives its
    place back.
    """

    def __init__(
        self, parameters: Parameters = HASHING, *, threads: int = HASH_THREADS, waiting_max: int = HASHES_WAITING_MAX
    ) -> None:
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._waiting = 0
        self._waiting_max = waiting_max

    @property
    def waiting(self) -> int:
        """Hashes that are being made or checked, or wait for that."""
        return self._waiting

    async def hash(self, password: bytes) -> str:
        """A hash with a fresh salt, as a text that holds its own parameters."""
        return await self._run(self._hasher.hash, password)

    async def check(self, password_hash: str, password: bytes) -> PasswordCheck:
        """Hold a password against a hash. Raises argon2's InvalidHashError when `password_hash` is none."""
        return await self._run(self._check, password_hash, password)

    def close(self) -> None:
        """Cancel who still waits; hashes under way finish by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[..., Result], *arguments: object) -> Result:
        if self._waiting >= self._waiting_max:
            raise HashPoolFullError(self._waiting)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting -= 1

    def _check(self, password_hash: str, password: bytes) -> PasswordCheck:
        try:
            self._hasher.verify(password_hash, password)
        except VerifyMismatchError:
            return PasswordCheck(right=False)
        if self._hasher.check_needs_rehash(password_hash):
            return PasswordCheck(right=True, new_hash=self._hasher.hash(password))
        return PasswordCheck(right=True)


class RememberedPasswords:
    """Passwords found right in this process's life, as HMAC-SHA256 under a key that lives as long.

    Bound to the stored hash: a changed password has another, so that the old one is forgotten by itself. Only a right
    password is answered fast; guesses cost what they always cost. At most `size_max` users, the longest unseen go.
    """

    def __init__(self, size_max: int = 16_384) -> None:
        self._key = secrets.token_bytes(32)
        self._seen: OrderedDict[str, bytes] = OrderedDict()
        self._size_max = size_max

    def __len__(self) -> int:
        return len(self._seen)

    def remember(self, name: str, password_hash: str, password: bytes) -> None:
        """`password` was found right for `password_hash`, the hash of this user."""
        self._seen[name] = self._digest(password_hash, password)
        self._seen.move_to_end(name)
        if len(self._seen) > self._size_max:
            self._seen.popitem(last=False)

    def knows(self, name: str, password_hash: str, password: bytes) -> bool:
        """Whether exactly this was remembered; False says nothing about the password."""
        seen = self._seen.get(name)
        if seen is None or not hmac.compare_digest(seen, self._digest(password_hash, password)):
            return False
        self._seen.move_to_end(name)
        return True

    def _digest(self, password_hash: str, password: bytes) -> bytes:
        # A stored hash holds no zero byte, so the two cannot run into each other.
        return hmac.digest(self._key, password_hash.encode() + b"\0" + password, "sha256")

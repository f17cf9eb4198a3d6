"""How long somebody who guessed wrong has to wait: a growing delay for each user name and for each address.

A try that comes too early is refused before anything is hashed, and whether the name exists makes no difference. Only
passwords are delayed: a valid token logs in at any time, so that nobody who guesses at a name keeps its user from
coming back.

The memory is bounded, and filling it resets nobody: where room is needed, who has the fewest wrong tries goes. To push
a victim out, a guesser would have to give as many wrong passwords for each of thousands of other names, and wait for
each of them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

DELAY_FIRST_S: Final = 1.0
DELAY_MAX_S: Final = 60.0
DOUBLINGS: Final = 6
"""From the first delay to the longest."""
KEPT_MAX: Final = 16_384
"""Names, and as many addresses, whose wrong tries are kept: some 5 MB each."""


class TooManyAttemptsError(Exception):
    """A password was not even looked at: too many wrong ones came before, or too many are being checked."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"too many wrong passwords: try again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s
        """When the next try may be looked at, in seconds from now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How much is borne of one name, or of one address."""

    free: int
    """Wrong tries in a row without any delay."""
    checking_max: int
    """Tries that may be under way at once while there is no delay; after that it is one."""
    forget_one_s: float
    """A wrong try is forgotten after so many seconds without another."""


OF_NAME: Final = Patience(free=5, checking_max=64, forget_one_s=600.0)
"""A user's windows may all come at once; whoever guesses on has some 1,500 tries a day."""


def of_address(free: int) -> Patience:
    """The patience with one address, which many may share: a classroom, or all who come through one proxy."""
    return Patience(free=free, checking_max=256, forget_one_s=3.0)


@dataclass(slots=True)
class Attempt:
    """A password that is being checked."""

    was_right: bool | None = None
    """To be set once that is known; None leaves everything as it was."""


class LoginLimits:
    """The wrong tries of all names and addresses. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float], with_address: Patience) -> None:
        self._clock = clock
        self._names = WrongTries(OF_NAME)
        self._addresses = WrongTries(with_address)

    @contextmanager
    def attempt(self, name: str, address: str) -> Iterator[Attempt]:
        """Check a password within; set `was_right` when that is known. Raises TooManyAttemptsError before it begins.

        A right one makes the name's wrong tries forgotten; not the address's, which whoever has one account could
        clear for guessing at the others.
        """
        name_key, address_key = _key(name), _key(address)
        now = self._clock()
        wait_s = max(self._names.wait_s(name_key, now), self._addresses.wait_s(address_key, now))
        if wait_s > 0:
            raise TooManyAttemptsError(wait_s)
        attempt = Attempt()
        with self._names.checking(name_key), self._addresses.checking(address_key):
            yield attempt
        if attempt.was_right:
            self._names.forget(name_key)
        elif attempt.was_right is False:
            now = self._clock()
            self._names.add(name_key, now)
            self._addresses.add(address_key, now)


class WrongTries:
    """Wrong tries by key, with the time of the last one. At most `size_max` keys, the weakest go."""

    def __init__(self, patience: Patience, size_max: int = KEPT_MAX) -> None:
        self._patience = patience
        self._size_max = size_max
        self._level_of: dict[bytes, int] = {}
        self._levels: list[OrderedDict[bytes, float]] = [OrderedDict() for _ in range(patience.free + DOUBLINGS + 1)]
        """By the number of wrong tries: the time of the last one by key, the oldest first. More are not counted, for
        the delay grows no further."""
        self._checking: Counter[bytes] = Counter()
        """Tries under way. Bounded by the hash pool, and no part of what may be pushed out."""

    def __len__(self) -> int:
        return len(self._level_of)

    def wait_s(self, key: bytes, now: float) -> float:
        """How many seconds from now the next try may begin; 0: at once."""
        wrong, last_at = self._wrong(key, now)
        beyond = wrong - self._patience.free
        if beyond < 0:
            return DELAY_FIRST_S if self._checking[key] >= self._patience.checking_max else 0.0
        wait_s = last_at + min(DELAY_FIRST_S * (1 << beyond), DELAY_MAX_S) - now
        # One at a time: else a guesser would wait once and then try thousands together.
        return max(wait_s, DELAY_FIRST_S if self._checking[key] else 0.0)

    @contextmanager
    def checking(self, key: bytes) -> Iterator[None]:
        """A try is under way."""
        self._checking[key] += 1
        try:
            yield
        finally:
            self._checking[key] -= 1
            if not self._checking[key]:
                del self._checking[key]

    def add(self, key: bytes, now: float) -> None:
        """A try was wrong."""
        wrong, _ = self._wrong(key, now)
        self.forget(key)
        if len(self._level_of) >= self._size_max:
            self.forget(self._weakest(now))
        level = min(wrong + 1, len(self._levels) - 1)
        self._level_of[key] = level
        self._levels[level][key] = now

    def forget(self, key: bytes) -> None:
        """Begin anew with this key."""
        level = self._level_of.pop(key, None)
        if level is not None:
            del self._levels[level][key]

    def _wrong(self, key: bytes, now: float) -> tuple[int, float]:
        """(wrong tries that are not forgotten, time of the last one)."""
        level = self._level_of.get(key)
        if level is None:
            return 0, now
        last_at = self._levels[level][key]
        return max(level - int((now - last_at) / self._patience.forget_one_s), 0), last_at

    def _weakest(self, now: float) -> bytes:
        """The key with the fewest wrong tries, among those the one that was quiet for longest."""
        # Within a level the first is the oldest, and so the one of which most is forgotten.
        oldest = (next(iter(level)) for level in self._levels if level)
        return min(oldest, key=lambda key: self._wrong(key, now))


def _key(text: str) -> bytes:
    """A key of one size for any text, since a name that is none may be as long as a message."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

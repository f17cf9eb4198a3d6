"""How long somebody who guessed wrong has to wait, without a clock that runs and without any password."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from exchange.server.identity.login_limits import (
    OF_NAME,
    LoginLimits,
    Patience,
    TooManyAttemptsError,
    WrongTries,
    of_address,
)

PATIENCE = Patience(free=3, checking_max=4, forget_one_s=100.0)
HERE = "192.0.2.1"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> LoginLimits:
    return LoginLimits(clock, of_address(100))


def guess(limits: LoginLimits, name: str = "alice", address: str = HERE, *, right: bool = False) -> None:
    with limits.attempt(name, address) as attempt:
        attempt.was_right = right


def wait_of(limits: LoginLimits, name: str = "alice", address: str = HERE) -> float:
    """How long the next try has to wait; it is not made."""
    try:
        with limits.attempt(name, address):
            return 0.0
    except TooManyAttemptsError as error:
        return error.retry_after_s


def test_some_wrong_tries_are_free_then_each_waits_twice_as_long_up_to_a_minute(
    limits: LoginLimits, clock: Clock
) -> None:
    waits = []
    for _ in range(14):
        waits.append(wait_of(limits))
        clock.now += waits[-1]
        guess(limits)
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_try_that_comes_too_early_is_not_counted_and_is_told_when_to_come(limits: LoginLimits, clock: Clock) -> None:
    for _ in range(5):
        guess(limits)
    for _ in range(10):
        with pytest.raises(TooManyAttemptsError, match="too many wrong passwords: try again in 1 s"):
            guess(limits, right=True)
    clock.now += 0.75
    assert wait_of(limits) == 0.25
    clock.now += 0.25
    assert wait_of(limits) == 0


def test_a_right_login_makes_the_names_wrong_tries_forgotten(limits: LoginLimits) -> None:
    for _ in range(4):
        guess(limits)
    guess(limits, right=True)
    for _ in range(4):
        guess(limits)
    assert wait_of(limits) == 0


def test_names_do_not_wait_for_each_other(limits: LoginLimits) -> None:
    for _ in range(5):
        guess(limits, "alice")
    assert wait_of(limits, "bob") == 0


def test_who_goes_through_many_names_is_stopped_by_the_address(limits: LoginLimits, clock: Clock) -> None:
    for number in range(100):
        guess(limits, f"user{number}")
    assert wait_of(limits, "another") == 1
    assert wait_of(limits, "another", "192.0.2.2") == 0
    clock.now += 3
    assert wait_of(limits, "another") == 0, "one is forgotten"


def test_a_right_login_does_not_clear_the_address(limits: LoginLimits) -> None:
    """Else whoever has one account could guess at all others."""
    for number in range(99):
        guess(limits, f"user{number}")
    guess(limits, "mallory", right=True)
    guess(limits, "last")
    assert wait_of(limits, "another") == 1


def test_what_came_to_nothing_counts_neither_way(limits: LoginLimits) -> None:
    """As where the hash pool was full: nobody knows whether the password was right."""
    for _ in range(20):
        with limits.attempt("alice", HERE):
            pass
        with pytest.raises(ZeroDivisionError), limits.attempt("alice", HERE):
            raise ZeroDivisionError
    assert wait_of(limits) == 0


def test_a_users_windows_may_all_come_at_once(limits: LoginLimits) -> None:
    with ExitStack() as windows:
        for _ in range(OF_NAME.checking_max):
            windows.enter_context(limits.attempt("alice", HERE)).was_right = True
        assert wait_of(limits) == 1, "but no more than that"
    assert wait_of(limits) == 0


def test_after_wrong_tries_there_is_one_at_a_time(limits: LoginLimits, clock: Clock) -> None:
    """Else a guesser would wait once, and then try thousands together."""
    for _ in range(5):
        guess(limits)
    clock.now += 1
    with limits.attempt("alice", HERE) as attempt:
        assert wait_of(limits) == 1
        attempt.was_right = False
    assert wait_of(limits) == 2


def test_wrong_tries_are_forgotten_one_by_one(clock: Clock) -> None:
    tries = WrongTries(PATIENCE)
    for _ in range(4):
        tries.add(b"a", clock.now)
    assert tries.wait_s(b"a", clock.now) == 2
    assert tries.wait_s(b"a", clock.now + 99) == 0
    # Three are left, so the next wrong one is the fourth again; and two are left after two hundred seconds.
    tries.add(b"a", clock.now + 100)
    assert tries.wait_s(b"a", clock.now + 100) == 2
    tries.add(b"a", clock.now + 300)
    assert tries.wait_s(b"a", clock.now + 300) == 1


def test_filling_the_memory_resets_no_victim() -> None:
    """Names with one wrong try each push each other out, and never the one that is being guessed at."""
    tries = WrongTries(PATIENCE, size_max=10)
    for _ in range(4):
        tries.add(b"victim", 0.0)
    for number in range(10_000):
        tries.add(b"%d" % number, 0.0)
    assert len(tries) == 10
    assert tries.wait_s(b"victim", 0.0) == 2


def test_who_was_quiet_for_longest_goes_first() -> None:
    tries = WrongTries(PATIENCE, size_max=2)
    for at, key in enumerate((b"first", b"second", b"third")):
        for _ in range(3):
            tries.add(key, float(at))
    assert [tries.wait_s(key, 2.0) > 0 for key in (b"first", b"second", b"third")] == [False, False, True]
    assert [tries.wait_s(key, 1.5) > 0 for key in (b"first", b"second", b"third")] == [False, True, True]


def test_what_is_forgotten_goes_before_what_is_not() -> None:
    """However many wrong tries it once had."""
    tries = WrongTries(PATIENCE, size_max=2)
    for _ in range(9):
        tries.add(b"long ago", 0.0)
    for _ in range(3):
        tries.add(b"now", 2_000.0)
    tries.add(b"another", 2_000.0)
    assert tries.wait_s(b"long ago", 0.0) == 0
    assert tries.wait_s(b"now", 2_000.0) == 1


def test_a_name_takes_the_same_room_however_long_it_is(limits: LoginLimits) -> None:
    for name in ("x" * 60_000, "\ud800", ""):
        for _ in range(5):
            guess(limits, name)
        assert wait_of(limits, name) == 1
    assert wait_of(limits, "x" * 59_999) == 0

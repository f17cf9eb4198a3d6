"""A line of deadlines: nobody early, nobody lost, one timer however many wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.server.port.deadlines import DeadlineLine
from tests.support.ws import FakeClock


def make_line(delay_s: float = 10.0) -> tuple[FakeClock, DeadlineLine[str], list[tuple[float, str]]]:
    clock = FakeClock()
    expired: list[tuple[float, str]] = []
    line: DeadlineLine[str] = DeadlineLine(delay_s, lambda item: expired.append((clock.now, item)), clock)
    return clock, line, expired


def test_who_waits_the_whole_delay_is_handed_over_once() -> None:
    clock, line, expired = make_line()
    line.join("a")
    clock.advance(9.99)
    assert expired == []
    clock.advance(100)
    assert expired == [(10.0, "a")]
    assert "a" not in line


def test_who_leaves_is_not_handed_over() -> None:
    clock, line, expired = make_line()
    line.join("a")
    line.join("b")
    line.leave("a")
    line.leave("stranger")
    clock.advance(100)
    assert [item for _, item in expired] == ["b"]


def test_who_joins_again_waits_anew() -> None:
    clock, line, expired = make_line()
    line.join("a")
    clock.advance(6)
    line.join("a")
    assert len(line) == 1
    clock.advance(9.9)
    assert expired == []
    clock.advance(0.5)
    assert [item for _, item in expired] == ["a"]


def test_those_who_expire_shortly_after_each_other_share_a_wake_up() -> None:
    clock, line, expired = make_line(delay_s=32.0)
    for number in range(100):
        line.join(f"c{number}")
        clock.advance(0.001)
    clock.advance(34)
    assert len(expired) == 100
    assert len({at for at, _ in expired}) == 2
    assert all(32.0 <= at <= 32.1 + 32.0 * line.LATENESS for at, _ in expired)


def test_one_timer_serves_thousands() -> None:
    clock, line, _ = make_line()
    for number in range(5000):
        line.join(f"c{number}")
    assert clock.timers_set() == 1


def test_an_expiry_may_make_others_leave_and_join() -> None:
    """Whoever is told may disconnect another one that is due in the same wake-up."""
    clock = FakeClock()
    told: list[str] = []

    def expired(item: str) -> None:
        told.append(item)
        line.leave("b")
        if told == ["a"]:
            line.join("a")

    line: DeadlineLine[str] = DeadlineLine(10.0, expired, clock)
    for item in ("a", "b", "c"):
        line.join(item)
    clock.advance(10.1)
    assert told == ["a", "c"]
    clock.advance(10.4)
    assert told == ["a", "c", "a"]
    assert clock.timers_set() == 0


def test_who_joins_anew_while_others_are_told_waits_the_whole_delay() -> None:
    clock = FakeClock()
    told: list[tuple[float, str]] = []

    def expired(item: str) -> None:
        told.append((clock.now, item))
        if len(told) == 1:
            line.join("b")

    line: DeadlineLine[str] = DeadlineLine(10.0, expired, clock)
    line.join("a")
    line.join("b")
    clock.advance(50)
    assert told == [(10.0, "a"), (20.0, "b")]


def test_an_expiry_that_fails_does_not_stop_the_line() -> None:
    clock = FakeClock()
    told: list[str] = []

    def expired(item: str) -> None:
        told.append(item)
        if item == "a":
            raise RuntimeError("first one fails")

    line: DeadlineLine[str] = DeadlineLine(10.0, expired, clock)
    line.join("a")
    line.join("b")
    with pytest.raises(RuntimeError, match="first one fails"):
        clock.advance(10)
    clock.advance(1)
    assert told == ["a", "b"]


def test_a_stopped_line_hands_over_nobody() -> None:
    clock, line, expired = make_line()
    line.join("a")
    line.stop()
    assert (len(line), clock.timers_set()) == (0, 0)
    clock.advance(100)
    assert expired == []


@given(
    st.lists(
        st.tuples(st.sampled_from(["join", "leave", "wait"]), st.sampled_from("abcde"), st.floats(0.01, 8.0)),
        max_size=60,
    )
)
def test_never_early_and_at_most_a_little_late(steps: list[tuple[str, str, float]]) -> None:
    """Against the obvious model: a dictionary of who is due when."""
    clock, line, expired = make_line(delay_s=10.0)
    due: dict[str, float] = {}
    seen = 0
    for step, item, seconds in [*steps, ("wait", "", 30.0)]:
        if step == "join":
            line.join(item)
            due[item] = clock.now + 10.0
        elif step == "leave":
            line.leave(item)
            due.pop(item, None)
        else:
            clock.advance(seconds)
        for at, told in expired[seen:]:
            assert due.pop(told) <= at <= clock.now
        seen = len(expired)
        assert all(clock.now <= when + 10.0 * line.LATENESS for when in due.values())
    assert due == {}
    assert len(line) == 0

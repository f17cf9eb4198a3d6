"""The virtual clock: what is due, when, in which order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from exchange.server.port.deadlines import DeadlineLine
from exchange.testing.clock import START, VirtualClock


@pytest.fixture
async def clock() -> VirtualClock:
    """In an event loop, as it must be."""
    return VirtualClock()


async def test_time_stands_still_until_it_is_moved(clock: VirtualClock) -> None:
    begin_ns = clock.time_ns()
    assert datetime.fromtimestamp(begin_ns / 1e9, UTC) == START
    await asyncio.sleep(0.001)
    assert (clock.time_ns(), clock.time()) == (begin_ns, 0.0)
    clock.advance(1.5)
    assert (clock.time_ns() - begin_ns, clock.time()) == (1_500_000_000, 1.5)


def test_a_start_keeps_its_microseconds() -> None:
    start = datetime(2026, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC)
    assert VirtualClock(start).time_ns() == 1_767_225_600_999_999_000


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
async def test_time_passes_forward_only(clock: VirtualClock, seconds: float) -> None:
    with pytest.raises(ValueError, match=str(seconds)):
        clock.advance(seconds)
    assert clock.time() == 0.0


async def test_what_waits_is_called_in_its_order_at_its_own_time(clock: VirtualClock) -> None:
    called: list[tuple[str, float, int]] = []
    begin_ns = clock.time_ns()

    def note(name: str) -> None:
        called.append((name, clock.time(), clock.time_ns() - begin_ns))

    clock.call_at(2.0, lambda: note("late"))
    clock.call_at(0.1, lambda: note("soon"))
    clock.call_at(2.0, lambda: note("late, set later"))
    clock.call_at(2.1, lambda: note("later than that"))
    clock.advance(2.0)
    assert called == [
        ("soon", 0.1, 100_000_000),
        ("late", 2.0, 2_000_000_000),
        ("late, set later", 2.0, 2_000_000_000),
    ]


async def test_what_is_due_already_waits_for_the_loop_alone(clock: VirtualClock) -> None:
    called = asyncio.Event()
    clock.call_at(0.0, called.set)
    assert not called.is_set()
    await asyncio.wait_for(called.wait(), 10)


async def test_a_cancelled_call_never_comes(clock: VirtualClock) -> None:
    called: list[str] = []
    clock.call_at(1.0, lambda: called.append("waited")).cancel()
    clock.call_at(0.0, lambda: called.append("was due")).cancel()
    clock.advance(2.0)
    await asyncio.sleep(0)
    assert called == []


async def test_what_is_set_while_time_passes_is_called_in_the_same_stretch(clock: VirtualClock) -> None:
    called: list[float] = []

    def again() -> None:
        called.append(clock.time())
        clock.call_at(clock.time() + 1.0, again)

    clock.call_at(1.0, again)
    clock.advance(3.5)
    assert called == [1.0, 2.0, 3.0]
    assert clock.time() == 3.5


async def test_a_delay_that_is_no_round_number_is_over_after_itself(clock: VirtualClock) -> None:
    """Sums of floats miss the nanosecond now and then: 0.1 thirty times is not 3."""
    expired: list[int] = []
    line: DeadlineLine[int] = DeadlineLine(0.1, expired.append, clock)
    for number in range(1, 1_001):
        line.join(number)
        clock.advance(0.1)
        assert expired == [number], f"not at once in round {number}"
        expired.clear()
    assert clock.time() == pytest.approx(100.0)

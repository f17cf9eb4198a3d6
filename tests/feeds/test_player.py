"""The player keeps its pace, bears a busy or stopping exchange, and says which contracts it cannot play."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest

from exchange.domain.commands import Deposit, OpenAccount, Withdraw
from exchange.domain.rejections import RejectReason
from exchange.domain.values import Lots, Money
from exchange.domain.words import BUY, SELL, Direction
from exchange.feeds.floor import Clerk
from exchange.feeds.house import HOUSE_ACCOUNTS, HOUSE_DEPOSIT, QUOTER, TRADERS, funding, house_in, plan
from exchange.feeds.player import BUSY_PAUSE_S, GAP_MAX_S, Pace, check_fits, play_tapes
from exchange.feeds.snapshot import TapeError
from exchange.feeds.tape import Tape, read_tape, tape_names
from tests.support.market import micro
from tests.support.playing import (
    MARKET,
    QUOTES,
    TICKS,
    USERS,
    TimeUpError,
    VirtualClock,
    loop_passes,
    open_floor,
    playing,
    recorded,
    show_until,
    user_order,
)
from tests.support.trading_floor import TradingFloor, assert_conserved

# Between the player and the exchange.


async def test_a_snapshot_is_planned_when_the_one_before_it_is_durable() -> None:
    floor = open_floor(QUOTES)
    floor.held_up = True
    player = playing(QUOTES, floor, VirtualClock(1))
    task = asyncio.create_task(player.play())
    await loop_passes(5)
    given = len(floor.commands)
    await loop_passes(5)
    assert len(floor.commands) == given
    assert floor.shown(QUOTES.instrument_id).volume == 0
    floor.commit()
    await loop_passes(5)
    assert len(floor.commands) > given
    floor.held_up = False
    floor.commit()
    with pytest.raises(TimeUpError):
        await task


async def test_a_cancel_that_comes_too_late_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    """A user takes a quote whole, and the player plans before it can see that."""
    floor = open_floor(TICKS, users=USERS)
    clerk = Clerk(floor)
    player = playing(TICKS, floor, clerk=clerk)
    number, (price, lots) = next(
        (number, before.asks[0])
        for number, (before, after) in enumerate(pairwise(TICKS.snapshots), start=1)
        if before.asks[0][0] not in [price for price, _ in after.asks] and after.bids[0][0] < before.asks[0][0]
    )
    await show_until(player, number)
    floor.held_up = True
    floor.do(user_order(TICKS, BUY, lots, price))
    floor.held_up = False
    with caplog.at_level(logging.WARNING):
        assert await player.show(number)
    assert clerk.refused == {RejectReason.UNKNOWN_ORDER: 1}
    assert not caplog.records
    shown = floor.shown(TICKS.instrument_id)
    assert (shown.bids, shown.asks) == (TICKS.snapshots[number].bids, TICKS.snapshots[number].asks)


@pytest.mark.parametrize("user", [None, BUY, SELL])
async def test_a_busy_exchange_gets_the_rest_of_a_snapshot_with_the_next_one(user: Direction | None) -> None:
    """Wherever the commands of a snapshot are cut, the next one brings back volume, last price and book; also where a
    user takes part in the trade that is cut."""
    tape = read_tape("jd1909-minutes")
    before = open_floor(tape, users=USERS)
    number = 3 if user is None else _next_trade_outside_the_book(tape, falling=user is BUY)
    await show_until(playing(tape, before), number)
    if user is not None:
        before.do(user_order(tape, user, 5, tape.snapshots[number].last))
    house = house_in(tape.instrument_id, before.view)
    needed = len(plan(MARKET[tape.instrument_id], tape.snapshots[number], tape.lots[number], house))
    assert needed > 20
    for room in range(needed):
        floor = before.recovered()
        clerk = Clerk(floor)
        player = playing(tape, floor, clerk=clerk)
        floor.room = room
        assert not await player.show(number)
        assert len(floor.commands) == room
        assert clerk.not_taken in (1, 2), "the snapshot, and perhaps what it left, were each given up once"
        floor.room = None
        assert await player.show(number + 1)
        assert floor.shown(tape.instrument_id) == recorded(tape, number + 2), f"room for {room}"


def _next_trade_outside_the_book(tape: Tape, *, falling: bool) -> int:
    """The first snapshot that trades at or below the bids of the one before it, or at or above its asks."""
    for number, (before, after) in enumerate(pairwise(tape.snapshots), start=1):
        if after.last <= before.bids[0][0] if falling else after.last >= before.asks[0][0]:
            return number
    raise AssertionError(f"tape {tape.name} never leaves its book")


async def test_a_refusal_is_counted_and_told_once_per_reason(caplog: pytest.LogCaptureFixture) -> None:
    floor = open_floor(TICKS)
    floor.do(Withdraw(account_id=TRADERS[0], amount=HOUSE_DEPOSIT))
    clerk = Clerk(floor)
    player = playing(TICKS, floor, clerk=clerk)
    trading = [number for number, lots in enumerate(TICKS.lots) if lots][:3]
    with caplog.at_level(logging.WARNING):
        for number in trading:
            assert await player.show(number)
    assert clerk.refused == {RejectReason.FUNDS: 3}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "FUNDS" in caplog.text
    assert not floor.state.accounts[TRADERS[1]].orders, "the other side of the trade must not stay in the market"


async def test_after_a_restart_the_player_goes_on() -> None:
    """The player is cancelled while a snapshot waits for the disk; what was decided is recovered with the log."""
    floor = open_floor(TICKS)
    player = playing(TICKS, floor)
    number = TICKS.lots.index(max(TICKS.lots))
    await show_until(player, number)
    floor.held_up = True
    task = asyncio.create_task(player.show(number))
    await loop_passes(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    floor.commit()
    recovered = floor.recovered()
    assert recovered.shown(TICKS.instrument_id) == floor.shown(TICKS.instrument_id)
    assert funding(recovered.view) == []
    player = playing(TICKS, recovered)
    volume_before = sum(TICKS.lots[: number + 1])
    for count in range(3):
        await player.show(count)
        expected = recorded(TICKS, count + 1)
        assert recovered.shown(TICKS.instrument_id) == replace(expected, volume=expected.volume + volume_before)


# The pace.


def _tape_of(waits_s: list[float]) -> Tape:
    """A tape of cu2701 that shows one quote over and over, with one lot traded each time."""
    first = TICKS.snapshots[0]
    return Tape(
        name="waits",
        source_instrument="none",
        instrument_id=TICKS.instrument_id,
        price_tick=TICKS.price_tick,
        multiplier=TICKS.multiplier,
        snapshots=(first,) * len(waits_s),
        waits_ns=tuple(round(seconds * 1e9) for seconds in waits_s),
        lots=(Lots(1),) * len(waits_s),
    )


@pytest.mark.parametrize(
    ("pace", "slept_s"),
    [
        (Pace(gap_max_s=math.inf), [0.5, 222.0, 1.0, 0.5]),
        (Pace(speed=10, gap_max_s=math.inf), [0.05, 22.2, 0.1, 0.05]),
        (Pace(speed=0.5, gap_max_s=math.inf), [1.0, 444.0, 2.0, 1.0]),
        (Pace(), [0.5, GAP_MAX_S, 1.0, 0.5]),
        (Pace(speed=100), [0.005, 2.22, 0.01, 0.005]),
    ],
)
async def test_gaps_are_the_recorded_ones_by_the_speed_and_at_most_the_longest(
    pace: Pace, slept_s: list[float]
) -> None:
    """The first snapshot comes at once, the wait before it after the last one."""
    tape = _tape_of([1.0, 0.5, 222.0])
    clock = VirtualClock(4)
    with pytest.raises(TimeUpError):
        await playing(tape, open_floor(TICKS), clock, pace).play()
    assert clock.slept_s == pytest.approx(slept_s)


async def test_the_time_that_commands_take_is_taken_off_the_wait() -> None:
    clock = VirtualClock(4, busy_s=0.2)
    with pytest.raises(TimeUpError):
        await playing(_tape_of([0.5]), open_floor(TICKS), clock).play()
    assert clock.slept_s == pytest.approx([0.5, 0.3, 0.3, 0.3])


async def test_a_player_that_falls_behind_does_not_hurry() -> None:
    clock = VirtualClock(4, busy_s=0.9)
    player = playing(_tape_of([0.5]), open_floor(TICKS), clock)
    with pytest.raises(TimeUpError):
        await player.play()
    assert clock.slept_s == pytest.approx([0.5, 0, 0, 0])
    clock.busy_s = 0
    clock.sleeps_max = 6
    with pytest.raises(TimeUpError):
        await player.play()
    assert clock.slept_s[4:] == pytest.approx([0.5, 0.5])


async def test_a_busy_exchange_is_left_alone_for_a_while() -> None:
    floor = open_floor(TICKS)
    floor.room = 0
    clock = VirtualClock(3)
    with pytest.raises(TimeUpError):
        await playing(_tape_of([0.5]), floor, clock, Pace(speed=1e6)).play()
    assert clock.slept_s == pytest.approx([BUSY_PAUSE_S] * 3)


@pytest.mark.parametrize("speed", [0, -1, math.inf, math.nan])
def test_what_is_no_speed_is_said(speed: float) -> None:
    with pytest.raises(ValueError, match=f"a speed of {speed} cannot be played; it must be a number above 0"):
        Pace(speed=speed)


@pytest.mark.parametrize("gap_max_s", [0, -1, math.nan])
def test_what_is_no_longest_gap_is_said(gap_max_s: float) -> None:
    with pytest.raises(ValueError, match=f"a longest gap of {gap_max_s} s cannot be kept; it must be above 0 s"):
        Pace(gap_max_s=gap_max_s)


# All tapes together.


async def test_all_tapes_play_side_by_side_until_cancelled() -> None:
    """The house's accounts are opened first; cancelling stops every tape and leaves the orders in the market."""
    tapes = [read_tape(name) for name in tape_names()]
    floor = TradingFloor(*MARKET.values())
    task = asyncio.create_task(play_tapes(tapes, floor, clock=VirtualClock(10_000)))
    await loop_passes(300)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    given = len(floor.commands)
    await loop_passes(5)
    assert len(floor.commands) == given
    opened = [command.account_id for command in floor.commands if isinstance(command, OpenAccount)]
    assert opened == list(HOUSE_ACCOUNTS)
    for tape in tapes:
        assert floor.shown(tape.instrument_id) in [recorded(tape, count) for count in range(250, 310)]
    assert_conserved(floor.state, 3 * HOUSE_DEPOSIT)


async def test_the_accounts_of_before_are_used_again_and_get_money_when_they_need_it() -> None:
    floor = open_floor(QUOTES)
    floor.do(Withdraw(account_id=QUOTER, amount=HOUSE_DEPOSIT))
    with pytest.raises(ExceptionGroup) as raised:
        await play_tapes([QUOTES], floor, clock=VirtualClock(len(QUOTES.snapshots)))
    assert raised.group_contains(TimeUpError)
    paid_in = [command for command in floor.commands if isinstance(command, Deposit)]
    assert paid_in == [Deposit(account_id=QUOTER, amount=HOUSE_DEPOSIT)]
    assert floor.shown(QUOTES.instrument_id).volume == sum(QUOTES.lots) + QUOTES.lots[0]


async def test_money_is_looked_after_at_the_start_of_each_pass() -> None:
    floor = open_floor(QUOTES)
    clock = VirtualClock(len(QUOTES.snapshots) - 1)
    player = playing(QUOTES, floor, clock)
    with pytest.raises(TimeUpError):
        await player.play()
    for account_id in TRADERS:
        floor.do(Withdraw(account_id=account_id, amount=Money(HOUSE_DEPOSIT // 2)))
    clock.sleeps_max += 1
    with pytest.raises(TimeUpError):
        await player.play()
    paid_in = [command.account_id for command in floor.commands if isinstance(command, Deposit)]
    assert paid_in == list(TRADERS)


async def test_an_exchange_too_busy_to_open_accounts_is_asked_again() -> None:
    floor = TradingFloor(MARKET[QUOTES.instrument_id])
    floor.room = 1
    clock = VirtualClock(2)
    with pytest.raises(TimeUpError):
        await play_tapes([QUOTES], floor, clock=clock)
    assert clock.slept_s == [BUSY_PAUSE_S] * 2
    floor.room = None
    clock.sleeps_max = 3
    with pytest.raises(ExceptionGroup):
        await play_tapes([QUOTES], floor, clock=clock)
    opened = [command.account_id for command in floor.commands if isinstance(command, OpenAccount)]
    assert opened == list(HOUSE_ACCOUNTS)


# Which contract can play a tape.


@pytest.mark.parametrize("name", tape_names())
def test_the_contracts_of_the_default_market_fit_their_tapes(name: str) -> None:
    tape = read_tape(name)
    check_fits(tape, MARKET[tape.instrument_id])


@pytest.mark.parametrize(
    ("terms", "flaw"),
    [
        (None, "it is not listed; add the contract to the market file"),
        (
            {"price_tick": 20, "lower_limit": 43520, "upper_limit": 51060},
            "its tick 10 is not a multiple of the contract's 20",
        ),
        ({"upper_limit": 49560}, "its prices 44920 .. 49570 leave the band 43510 .. 49560"),
        ({"lower_limit": 44930}, "its prices 44920 .. 49570 leave the band 44930 .. 51070"),
    ],
)
async def test_a_contract_that_cannot_play_the_tape_is_said_before_anything_is_done(
    terms: dict[str, int] | None, flaw: str
) -> None:
    changed = {name: micro(yuan) for name, yuan in (terms or {}).items()}
    listed = [] if terms is None else [msgspec.structs.replace(MARKET[TICKS.instrument_id], **changed)]
    floor = TradingFloor(*listed)
    with pytest.raises(TapeError) as raised:
        await play_tapes([TICKS], floor)
    assert str(raised.value) == f"tape cu1909-ticks cannot play SHFE.cu2701: {flaw}"
    assert len(floor.commands) == len(listed)

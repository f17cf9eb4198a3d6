"""A tape that plays gives back what was recorded, and users trade in it as in any market."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.commands import CancelOrder
from exchange.domain.events import OrderAccepted
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, OrderId, Price
from exchange.domain.words import BUY, IOC, OPEN, SELL, Direction, PositionEffect, TimeCondition
from exchange.feeds.floor import Clerk
from exchange.feeds.house import HOUSE_DEPOSIT, QUOTER, TRADERS
from exchange.feeds.tape import Tape, read_tape, tape_names
from tests.support.playing import (
    ONE_LEVEL,
    QUOTES,
    TICKS,
    USER_DEPOSIT,
    USERS,
    open_floor,
    playing,
    recorded,
    trades_since,
    user_order,
)
from tests.support.trading_floor import TradingFloor, assert_conserved

# The law of the tape.


@pytest.mark.parametrize("name", tape_names())
async def test_a_tape_gives_back_last_price_volume_and_all_levels_snapshot_by_snapshot(name: str) -> None:
    """Over two passes in an otherwise empty exchange; the house is never refused, and lots and money are conserved."""
    tape = read_tape(name)
    floor = open_floor(tape)
    clerk = Clerk(floor)
    player = playing(tape, floor, clerk=clerk)
    length = len(tape.snapshots)
    for count in range(2 * length):
        assert await player.show(count % length)
        assert floor.shown(tape.instrument_id) == recorded(tape, count + 1), f"snapshot {count}"
    assert not clerk.refused
    assert_conserved(floor.state, 3 * HOUSE_DEPOSIT)


async def test_the_house_does_not_grow_from_pass_to_pass() -> None:
    """Twenty passes: a trader never holds more than the largest trade, in one record, and no finished order is kept."""
    floor = open_floor(TICKS)
    player = playing(TICKS, floor)
    quoted = set()
    for _ in range(20):
        for number in range(len(TICKS.snapshots)):
            await player.show(number)
            for account_id in TRADERS:
                lots, holdings, orders = _size(floor, account_id)
                assert (lots <= max(TICKS.lots), holdings <= 1, orders) == (True, True, 0)
        quoted.add(_size(floor, QUOTER))
    assert len(quoted) == 1


def _size(floor: TradingFloor, account_id: AccountId) -> tuple[int, int, int]:
    """(lots held, holdings, remembered orders) of an account."""
    account = floor.state.accounts[account_id]
    held = account.positions.get(TICKS.instrument_id)
    if held is None:
        return (0, 0, len(account.orders))
    buckets = [bucket for h in (held.long_holdings, held.short_holdings) for bucket in (h.history, h.today)]
    return (sum(holding.lots for bucket in buckets for holding in bucket), sum(map(len, buckets)), len(account.orders))


# Users in the market.


async def test_a_resting_order_is_filled_when_the_recorded_price_trades_through_it() -> None:
    floor = open_floor(TICKS, users=USERS)
    player = playing(TICKS, floor)
    await player.show(0)
    lowest = min(snapshot.last for snapshot in TICKS.snapshots)
    reached = next(number for number, snapshot in enumerate(TICKS.snapshots) if snapshot.last == lowest)
    floor.do(user_order(TICKS, BUY, 2, lowest))
    for number in range(1, reached):
        await player.show(number)
        assert not [trade for trade in trades_since(floor, 0) if trade.buyer.account_id == USERS[0]]
    await player.show(reached)
    fills = [trade for trade in trades_since(floor, 0) if trade.buyer.account_id == USERS[0]]
    assert [(trade.price, trade.lots) for trade in fills] == [(lowest, 2)]
    assert_conserved(floor.state, 3 * HOUSE_DEPOSIT + 2 * USER_DEPOSIT)


async def test_a_users_market_order_meets_the_quotes_and_the_next_snapshot_fills_them_up() -> None:
    floor = open_floor(QUOTES, users=USERS)
    player = playing(QUOTES, floor)
    await player.show(0)
    (best, lots), *_ = QUOTES.snapshots[0].asks
    floor.do(user_order(QUOTES, BUY, lots - 1, best))
    assert floor.shown(QUOTES.instrument_id).asks[0] == (best, 1)
    await player.show(1)
    shown = floor.shown(QUOTES.instrument_id)
    assert (shown.bids, shown.asks) == (QUOTES.snapshots[1].bids, QUOTES.snapshots[1].asks)


async def test_what_users_leave_of_a_trade_is_gone_when_the_snapshot_is_shown() -> None:
    """Each snapshot trades its lots, a user's bid at the last price takes part, and the book is the recorded one."""
    floor = open_floor(TICKS, users=USERS)
    player = playing(TICKS, floor)
    shared = 0
    for number, (snapshot, lots) in enumerate(zip(TICKS.snapshots, TICKS.lots, strict=True)):
        asks = floor.shown(TICKS.instrument_id).asks
        if lots > 1 and (not asks or asks[0][0] > snapshot.last):
            floor.do(user_order(TICKS, BUY, 1, snapshot.last))
            shared += 1
        await player.show(number)
        assert floor.shown(TICKS.instrument_id) == recorded(TICKS, number + 1), f"snapshot {number}"
    assert shared > 10
    position = floor.state.accounts[USERS[0]].positions[TICKS.instrument_id].position
    assert position.long.lots == shared


Action = tuple[int, str, Direction, PositionEffect, int, int]
"""(user, what, direction, effect, lots, ticks above the last price) of something a user does."""

actions = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["rest", "rest", "rest", "take", "cancel"]),
        st.sampled_from([BUY, SELL]),
        st.sampled_from([OPEN, OPEN, PositionEffect.CLOSE, PositionEffect.CLOSETODAY]),
        st.integers(1, 60),
        st.integers(-6, 6),
    ),
    max_size=4,
)


def act(floor: TradingFloor, tape: Tape, last: Price, action: Action) -> None:
    """Do what a user does; the exchange may refuse it."""
    user, what, direction, effect, lots, ticks = action
    account_id = USERS[user]
    if what == "cancel":
        orders = list(floor.state.accounts[account_id].orders)
        floor.do(CancelOrder(account_id=account_id, order_id=orders[lots % len(orders)] if orders else OrderId("none")))
        return
    order = user_order(tape, direction, lots, last + ticks * tape.price_tick, account_id=account_id)
    time_condition = IOC if what == "take" else TimeCondition.GFD
    floor.do(msgspec.structs.replace(order, effect=effect, time_condition=time_condition))


def quoter_by_level(floor: TradingFloor, tape: Tape) -> dict[tuple[Direction, Price], int]:
    shown: dict[tuple[Direction, Price], int] = {}
    for order in floor.state.instruments[tape.instrument_id].book.side(BUY):
        _count(shown, order.accepted, order.lots_left)
    for order in floor.state.instruments[tape.instrument_id].book.side(SELL):
        _count(shown, order.accepted, order.lots_left)
    return shown


def _count(shown: dict[tuple[Direction, Price], int], accepted: OrderAccepted, lots: int) -> None:
    assert accepted.account_id not in TRADERS, "a trader's order rests after the snapshot was shown"
    if accepted.account_id == QUOTER:
        place = (accepted.direction, accepted.price)
        shown[place] = shown.get(place, 0) + lots


def assert_shows(floor: TradingFloor, tape: Tape, number: int, entry: int) -> None:
    """The quoter shows the recorded book, less what users' orders gave or took since the entry, and nothing else; the
    traders' orders traded the recorded lots."""
    snapshot = tape.snapshots[number]
    wanted: dict[tuple[Direction, Price], int] = {(BUY, price): lots for price, lots in snapshot.bids}
    wanted |= {(SELL, price): lots for price, lots in snapshot.asks}
    shown = quoter_by_level(floor, tape)
    assert all(lots <= wanted.get(place, 0) for place, lots in shown.items())
    met = traded = 0
    for trade in trades_since(floor, entry):
        sides = {trade.buyer.account_id, trade.seller.account_id}
        assert len(sides & {QUOTER, *TRADERS}) == 1 or sides == set(TRADERS)
        met += trade.lots if QUOTER in sides else 0
        traded += trade.lots if sides & set(TRADERS) else 0
    assert sum(wanted.values()) - sum(shown.values()) == met
    assert traded == tape.lots[number]


@settings(max_examples=200)
@given(st.lists(st.tuples(actions, st.booleans()), max_size=30), st.sampled_from([QUOTES, TICKS, ONE_LEVEL]))
def test_whatever_users_do_the_plan_reaches_the_recorded_book(
    script: list[tuple[list[Action], bool]], tape: Tape
) -> None:
    """Also where users' last commands are decided but not yet durable when the player plans: a plan that comes too late
    is refused in part, and the next one makes it good."""

    async def play() -> None:
        floor = open_floor(tape, users=USERS)
        clerk = Clerk(floor)
        player = playing(tape, floor, clerk=clerk)
        for step, (done, unseen) in enumerate(script):
            number = step % len(tape.snapshots)
            floor.held_up = unseen
            for action in done:
                act(floor, tape, tape.snapshots[number].last, action)
            floor.held_up = False
            refused = clerk.refused.total()
            entry = len(floor.log)
            await player.show(number)
            if unseen:
                assert clerk.refused.keys() <= {RejectReason.UNKNOWN_ORDER, RejectReason.CLOSABLE_LOTS}
            else:
                assert clerk.refused.total() == refused
                assert_shows(floor, tape, number, entry)
            assert_conserved(floor.state, 3 * HOUSE_DEPOSIT + 2 * USER_DEPOSIT)

    asyncio.run(play())

"""When conversations get their steps: own news at once, quotes and marks in their intervals, in slices, behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from unittest.mock import patch

import pytest

from exchange.domain.commands import Deposit
from exchange.domain.values import Money
from exchange.gateway.conversation import Conversation
from exchange.gateway.notices import Code
from exchange.server.publisher import SLICE
from tests.simulation.life import MARK_INTERVAL_S, QUOTE_INTERVAL_S
from tests.simulation.room import ANN, BOB, CYD, Guest, Room, keys, notices

SOON = MARK_INTERVAL_S * 1.1
"""Marks have come by then, though deadlines may be somewhat late."""


@pytest.fixture
def room() -> Room:
    return Room()


def holder(room: Room) -> Guest:
    """Ann, who holds a lot that she bought at 100, with a peek that waits and the marks' interval over."""
    room.trades(ANN, BOB, 100)
    guest = room.guest(ANN).peeks()
    room.passes(SOON)
    assert guest.frames() == []
    return guest


def subscriber(room: Room) -> Guest:
    """Somebody who watches a quote and waits for it."""
    guest = room.guest(CYD).says("subscribe_quote", ins_list="SIM.a1").peeks()
    guest.frames()
    return guest.peeks()


def steps(guests: Sequence[Guest]) -> int:
    """How many of them got a step since the last call."""
    return sum(bool(guest.frames()) for guest in guests)


# --- Own news ---------------------------------------------------------------------------------------------------------


def test_own_news_come_at_once_and_to_nobody_else(room: Room) -> None:
    ann, bob = room.guest(ANN).peeks(), room.guest(BOB).peeks()
    room.does(Deposit(account_id=ANN.account_id, amount=Money(1_000_000)))
    assert keys(ann.frame()) == ["trade"]
    assert bob.frames() == []


def test_a_batch_of_entries_is_one_step(room: Room) -> None:
    guest = room.guest(ANN).peeks()
    for _ in range(5):
        assert room.life.operate(Deposit(account_id=ANN.account_id, amount=Money(1)))
    assert guest.frames() == []
    room.settle()
    assert guest.frame()["version"] == room.log_seq


def test_a_refusal_that_changes_nothing_is_told_at_once(room: Room) -> None:
    ann, bob = room.guest(ANN).peeks(), room.guest(BOB).peeks()
    ann.says("cancel_order", order_id="none")
    assert notices(ann.frames()) == [Code.UNKNOWN_ORDER]
    assert bob.frames() == []


def test_a_warning_to_all_reaches_everybody_who_is_logged_in(room: Room) -> None:
    guests = [room.guest(ANN).peeks(), room.guest(ANN), room.guest(BOB).peeks(), room.guest().peeks()]
    room.life.publisher.tell_all(Code.OUTCOME_UNKNOWN, {})
    assert [notices(guest.frames()) for guest in guests] == [[Code.OUTCOME_UNKNOWN], [], [Code.OUTCOME_UNKNOWN], []]
    assert notices(guests[1].peeks().frames()) == [Code.OUTCOME_UNKNOWN]


def test_one_step_that_cannot_be_made_costs_the_others_nothing(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    """An error of ours in wording a step ends that connection, and is logged; everybody else gets theirs."""
    ill, well = room.guest(ANN).peeks(), room.guest(ANN).peeks()
    with patch.object(type(ill.conversation), "wake", autospec=True, side_effect=fails_for(ill)):
        room.does(Deposit(account_id=ANN.account_id, amount=Money(1_000_000)))
    assert ill.line.closed == (1011, "the step could not be made, connect again")
    assert keys(well.frame()) == ["trade"]
    assert "its step could not be made" in caplog.text


def fails_for(ill: Guest) -> Callable[[Conversation], None]:
    """`wake` as it is, but for one conversation."""
    wake = Conversation.wake

    def wake_or_fail(conversation: Conversation) -> None:
        if conversation is ill.conversation:
            raise KeyError("a field that nobody words")
        wake(conversation)

    return wake_or_fail


# --- Marks ------------------------------------------------------------------------------------------------------------


def test_marks_come_no_sooner_than_an_interval_after_the_last_step(room: Room) -> None:
    ann = holder(room)
    ann.orders("1", limit_price=95)
    assert len(ann.frames()) == 1
    ann.peeks()
    room.trades(BOB, CYD, 103)
    room.trades(BOB, CYD, 104)
    room.passes(MARK_INTERVAL_S * 0.9)
    assert ann.frames() == []
    room.passes(MARK_INTERVAL_S * 0.2)
    frame = ann.frame()
    assert frame["data"][0]["trade"][ANN.name]["positions"]["SIM.a1"]["last_price"] == 104.0
    assert frame["version"] == room.log_seq


def test_own_news_do_not_wait_for_the_marks_interval_and_bring_the_marks_along(room: Room) -> None:
    ann = holder(room)
    ann.orders("1", limit_price=95)
    ann.frames()
    ann.peeks()
    room.trades(BOB, CYD, 103)
    ann.orders("2", limit_price=95)
    told = ann.frame()["data"][0]["trade"][ANN.name]
    assert told["positions"]["SIM.a1"]["last_price"] == 103.0


def test_a_peek_that_comes_when_the_interval_is_over_finds_the_marks(room: Room) -> None:
    ann = holder(room)
    ann.orders("1", limit_price=95)
    ann.frames()
    room.trades(BOB, CYD, 103)
    room.passes(SOON)
    assert ann.frames() == []
    assert "positions" in ann.peeks().frame()["data"][0]["trade"][ANN.name]


def test_a_peek_that_comes_before_waits_until_the_interval_is_over(room: Room) -> None:
    ann = holder(room)
    ann.orders("1", limit_price=95)
    ann.frames()
    room.trades(BOB, CYD, 103)
    ann.peeks()
    assert ann.frames() == []
    room.passes(SOON)
    assert len(ann.frames()) == 1


def test_marks_of_what_is_not_held_wake_nobody(room: Room) -> None:
    room.trades(ANN, BOB, 100)
    room.does(Deposit(account_id=CYD.account_id, amount=Money(1)))
    cyd = room.guest(CYD).peeks()
    room.trades(ANN, BOB, 104)
    room.passes(SOON)
    assert cyd.frames() == []


def test_marks_reach_a_client_that_did_not_read_when_they_were_due(room: Room) -> None:
    ann = holder(room)
    ann.stops_reading()
    room.trades(BOB, CYD, 103)
    room.passes(SOON)
    assert ann.frames() == []
    ann.reads_again()
    assert len(ann.frames()) == 1


def test_who_sold_everything_waits_for_no_marks(room: Room) -> None:
    ann = holder(room)
    room.guest(BOB).orders("b")
    ann.orders("s", direction="SELL", offset="CLOSE")
    ann.frames()
    ann.peeks()
    room.passes(SOON)
    assert room.life.publisher.marks_open(ann.conversation)
    room.trades(BOB, CYD, 103)
    room.passes(SOON)
    assert ann.frames() == []


# --- Quotes -----------------------------------------------------------------------------------------------------------


def test_quotes_gather_for_their_interval(room: Room) -> None:
    watcher, ann = subscriber(room), room.guest(ANN)
    for number in range(3):
        ann.orders(str(number))
        room.passes(QUOTE_INTERVAL_S / 4)
    assert watcher.frames() == []
    room.passes(QUOTE_INTERVAL_S / 2)
    frame = watcher.frame()
    assert frame["data"][0]["quotes"]["SIM.a1"]["bid_volume1"] == 3
    assert frame["version"] == room.log_seq
    watcher.peeks()
    room.passes(QUOTE_INTERVAL_S * 5)
    assert watcher.frames() == []


def test_a_change_below_the_levels_shown_wakes_nobody(room: Room) -> None:
    ann = room.guest(ANN)
    for price in range(96, 101):
        ann.orders(str(price), limit_price=price)
    watcher = subscriber(room)
    ann.orders("deep", limit_price=95)
    room.passes(QUOTE_INTERVAL_S)
    assert watcher.frames() == []


def test_who_stopped_watching_or_has_left_is_not_woken(room: Room) -> None:
    watcher, gone = subscriber(room), subscriber(room)
    room.guest(ANN).orders("1")
    watcher.says("subscribe_quote", ins_list="DCE.c1")
    watcher.frames()
    watcher.peeks()
    gone.leaves()
    room.passes(1)
    assert (watcher.frames(), gone.frames()) == ([], [])


# --- Slices -----------------------------------------------------------------------------------------------------------


def test_many_who_watch_are_served_in_slices_behind_own_news(room: Room) -> None:
    watchers = [subscriber(room) for _ in range(SLICE * 2 + 50)]
    ann = room.guest(ANN).peeks()
    ann.orders("1")
    assert steps([ann]) == 1  # before any slice
    clock = room.life.clock
    served = []
    with patch.object(clock, "_run_soon", lambda: None):  # passes of the loop are made by hand
        room.life.pass_time(QUOTE_INTERVAL_S)
        for _ in range(4):
            room.life.run_pass()
            served.append(steps(watchers))
    assert served == [SLICE, SLICE, 50, 0]


def test_own_news_overtake_those_who_wait_for_their_slice(room: Room) -> None:
    watchers = [subscriber(room) for _ in range(SLICE + 1)]
    room.guest(BOB).orders("1")
    clock = room.life.clock
    with patch.object(clock, "_run_soon", lambda: None):
        room.life.pass_time(QUOTE_INTERVAL_S)
        room.life.run_pass()
        assert steps(watchers) == SLICE
        assert room.life.operate(Deposit(account_id=CYD.account_id, amount=Money(1)))
        room.commit()
        assert steps(watchers[-1:]) == 1
        room.life.run_pass()
    assert steps(watchers[-1:]) == 0


def test_who_leaves_while_its_slice_is_due_is_forgotten(room: Room) -> None:
    watchers = [subscriber(room) for _ in range(SLICE + 2)]
    room.guest(ANN).orders("1")
    with patch.object(room.life.clock, "_run_soon", lambda: None):
        room.life.pass_time(QUOTE_INTERVAL_S)
        room.life.run_pass()
        for guest in watchers[-2:]:
            guest.leaves()
        room.life.run_pass()
    assert steps(watchers) == SLICE
    subscriber(room)
    room.guest(ANN).orders("2")
    room.passes(QUOTE_INTERVAL_S)

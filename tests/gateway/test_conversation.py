"""Peeks, steps, subscriptions and notices of one conversation."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.domain.commands import Deposit
from exchange.domain.values import Money
from exchange.gateway.notices import Code
from projections.merge_patch import merge_patch
from tests.simulation.life import PEEK_TIMEOUT_S, QUOTE_INTERVAL_S
from tests.simulation.room import ANN, BOB, CYD, Guest, Room, keys, notices, order

LATE = PEEK_TIMEOUT_S * 1.1
"""A peek has timed out by then, though timeouts may be somewhat late."""


@pytest.fixture
def room() -> Room:
    return Room()


def branch(frame: dict[str, Any], name: str = ANN.name) -> dict[str, Any]:
    """What a step's patches say of a user, together."""
    merged: dict[str, Any] = {}
    for patch in frame["data"]:
        merged = merge_patch(merged, patch)
    found: dict[str, Any] = merged["trade"][name]
    return found


def mirror(*frames: dict[str, Any]) -> dict[str, Any]:
    """What a merging client holds after these frames, without notices."""
    held: dict[str, Any] = {}
    for frame in frames:
        for patch in frame["data"]:
            held = merge_patch(held, patch)
    held.pop("notify", None)
    return held


# --- Logins -----------------------------------------------------------------------------------------------------------


def test_the_answer_to_a_login_is_the_whole_view_and_clears_what_a_mirror_holds(room: Room) -> None:
    frame = room.guest().logs_in(ANN).frame()
    clears, result, view = frame.pop("data")
    assert clears == dict.fromkeys(("trade", "quotes", "klines", "ticks", "charts", "notify", "ins_list"))
    assert list(result["notify"]) == ["auth_result"]
    assert result["notify"]["auth_result"] | {"level": "INFO", "code": Code.LOGIN_OK} == result["notify"]["auth_result"]
    assert list(view["trade"]) == [ANN.name]
    assert {name: list(rows) for name, rows in view["trade"][ANN.name].items()} == {
        "accounts": ["CNY"],
        "positions": [],
        "orders": [],
        "trades": [],
    }
    log_id = frame.pop("log_id")
    assert log_id.startswith("room.")
    assert frame == {"aid": "rtn_data", "version": room.log_seq, "full": True}


def test_the_answer_to_a_login_comes_even_if_nobody_reads(room: Room) -> None:
    guest = room.guest()
    guest.stops_reading()
    assert guest.logs_in(ANN).frame()["full"]


def test_a_peek_from_before_the_login_still_waits_after_it(room: Room) -> None:
    guest = room.guest().peeks().logs_in(ANN)
    assert notices([guest.frame()]) == [Code.LOGIN_OK]
    guest.orders("1")
    assert list(branch(guest.frame())["orders"]) == ["1"]


def test_another_user_s_log_id_says_another_thing(room: Room) -> None:
    ids = {name: room.guest().logs_in(name).frame()["log_id"] for name in (ANN, BOB)}
    assert ids[ANN] != ids[BOB]


# --- Peeks ------------------------------------------------------------------------------------------------------------


def test_a_peek_waits_for_news_and_is_answered_once(room: Room) -> None:
    guest = room.guest(ANN).peeks()
    assert guest.frames() == []
    guest.orders("1")
    assert list(branch(guest.frame())["orders"]) == ["1"]
    guest.orders("2")
    assert guest.frames() == []
    assert list(branch(guest.peeks().frame())["orders"]) == ["2"]


def test_a_second_peek_while_one_waits_changes_nothing(room: Room) -> None:
    guest = room.guest(ANN).peeks().peeks().peeks()
    guest.orders("1")
    assert len(guest.frames()) == 1
    guest.orders("2")
    assert guest.frames() == []


def test_news_gather_into_one_step_while_no_peek_waits(room: Room) -> None:
    guest = room.guest(ANN)
    for number in range(5):
        guest.orders(str(number))
    assert list(branch(guest.peeks().frame())["orders"]) == ["0", "1", "2", "3", "4"]


def test_nothing_is_told_before_it_is_durable(room: Room) -> None:
    guest = room.guest(ANN).peeks()
    guest.conversation.on_text(b'{"aid":"cancel_order","order_id":"no such order"}')
    assert guest.frames() == []
    room.settle()
    assert notices([guest.frame()]) == [Code.UNKNOWN_ORDER]


def test_a_peek_is_answered_in_time_even_without_news(room: Room) -> None:
    guest = room.guest(ANN)
    version = room.log_seq
    guest.peeks()
    room.does(Deposit(account_id=BOB.account_id, amount=Money(1)))
    room.passes(PEEK_TIMEOUT_S * 0.99)
    assert guest.frames() == []
    room.passes(PEEK_TIMEOUT_S * 0.1)
    assert guest.frame() == {"aid": "rtn_data", "data": [], "version": version}
    room.passes(LATE)
    assert guest.frames() == []
    guest.peeks()
    room.passes(LATE)
    assert len(guest.frames()) == 1


def test_a_peek_before_any_login_is_answered_in_time_without_a_version(room: Room) -> None:
    guest = room.guest().peeks()
    guest.conversation.peek_timed_out()
    assert guest.frame() == {"aid": "rtn_data", "data": []}


def test_a_peek_that_times_out_leaves_the_cursor_where_it_was(room: Room) -> None:
    """A mark moves a moment before; it must come with the next step all the same."""
    room.trades(ANN, BOB, 100)
    guest = room.guest(ANN).peeks()
    version = room.log_seq
    room.trades(BOB, CYD, 103)
    guest.conversation.peek_timed_out()
    assert guest.frame() == {"aid": "rtn_data", "data": [], "version": version}
    room.passes(1)
    assert branch(guest.peeks().frame())["positions"]["SIM.a1"]["last_price"] == 103.0


def test_a_peek_that_waits_from_long_after_the_last_step_on_is_told_of_marks(room: Room) -> None:
    room.trades(ANN, BOB, 100)
    guest = room.guest(ANN)
    room.passes(1)
    guest.peeks()
    room.trades(BOB, CYD, 103)
    assert guest.frames() == []
    room.passes(1)
    assert [branch(frame)["positions"]["SIM.a1"]["last_price"] for frame in guest.frames()] == [103.0]


def test_who_does_not_read_gets_no_step_and_one_larger_one_later(room: Room) -> None:
    guest = room.guest(ANN).says("subscribe_quote", ins_list="SIM.a1").peeks()
    guest.frames()
    guest.peeks()
    guest.stops_reading()
    for number in range(5):
        guest.orders(str(number))
        room.passes(QUOTE_INTERVAL_S * 2)
    room.passes(LATE)
    assert guest.frames() == []
    guest.reads_again()
    frame = guest.frame()
    assert len(branch(frame)["orders"]) == 5
    assert frame["version"] == room.log_seq
    assert mirror(frame)["quotes"]["SIM.a1"]["bid_volume1"] == 5


def test_who_reads_again_without_news_goes_on_waiting(room: Room) -> None:
    guest = room.guest(ANN).peeks()
    guest.stops_reading()
    guest.reads_again()
    assert guest.frames() == []
    guest.orders("1")
    assert len(guest.frames()) == 1


def test_what_happens_after_the_end_reaches_nobody(room: Room) -> None:
    guest = room.guest(ANN).peeks()
    guest.leaves()
    room.guest(ANN).orders("1")
    room.passes(LATE)
    guest.conversation.wake()
    guest.conversation.peek_timed_out()
    assert guest.frames() == []


def test_two_windows_of_one_user_both_see_everything(room: Room) -> None:
    one, other = room.guest(ANN).peeks(), room.guest(ANN).peeks()
    one.orders("1")
    one.says("cancel_order", order_id="none")
    assert branch(one.frame()) == branch(other.frame())
    assert notices(one.peeks().frames()) == notices(other.peeks().frames()) == [Code.UNKNOWN_ORDER]


def test_an_order_never_shows_without_its_trades(room: Room) -> None:
    room.guest(BOB).orders("s", direction="SELL", volume=3)
    ann = room.guest(ANN).peeks().orders("b", volume=2)
    told = branch(ann.frame())
    assert (told["orders"]["b"]["status"], told["trades"]["1B"]["volume"]) == ("FILLED", 2)
    assert told["positions"]["SIM.a1"]["volume_long"] == 2


# --- Notices ----------------------------------------------------------------------------------------------------------


def test_notices_come_first_each_in_a_patch_of_its_own(room: Room) -> None:
    guest = room.guest(ANN)
    guest.hears(b'{"aid":"abracadabra"}')
    guest.orders("1", volume=-1)
    guest.says("subscribe_quote", ins_list="SIM.a1")
    frame = guest.peeks().frame()
    assert keys(frame) == ["notify", "notify", "trade", "quotes", "ins_list"]
    assert notices([frame]) == [Code.UNKNOWN_AID, Code.ORDER_LOTS]


def test_no_two_notices_ever_have_the_same_id(room: Room) -> None:
    given = []
    for _ in range(2):
        for _ in range(2):
            guest = room.guest(ANN).peeks()
            for _ in range(2):
                guest.hears(b'{"aid":"abracadabra"}')
                given += [notice_id for patch in guest.frame()["data"] for notice_id in patch["notify"]]
                guest.peeks()
        room.restart()
    assert len(given) == len(set(given)) == 8


def test_a_busy_exchange_says_so_and_forgets_the_order(room: Room) -> None:
    guest = room.guest(ANN).peeks()
    while room.life.sequencer.refused_busy == 0:
        room.life.sequencer.submit(Deposit(account_id=BOB.account_id, amount=Money(1)), actor="operator", origin="test")
    assert guest.orders("1").frames()[0]["data"][0]["notify"].popitem()[1]["code"] == Code.BUSY
    guest.peeks().orders("1")
    assert branch(guest.frame())["orders"]["1"]["status"] == "ALIVE"


def test_an_exchange_that_stops_says_so(room: Room) -> None:
    guest = room.guest(ANN).peeks()
    room.life.sequencer.stop()
    assert notices(guest.orders("1").frames()) == [Code.SHUTTING_DOWN]


# --- The same order again ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True])
def test_the_same_order_again_gets_its_first_outcome(room: Room, restarts: bool) -> None:
    room.guest(BOB).orders("s", direction="SELL", volume=5)
    room.guest(ANN).orders("1", volume=2).orders("bad", volume=-1)
    if restarts:
        room.restart()
    guest = room.guest(ANN)
    before = branch(room.guest().logs_in(ANN).frame())
    guest.orders("1", volume=2).orders("bad", volume=-1)
    assert branch(room.guest().logs_in(ANN).frame()) == before
    assert notices(guest.peeks().frames()) == []


@pytest.mark.parametrize("restarts", [False, True])
def test_another_order_under_a_known_id_is_refused(room: Room, restarts: bool) -> None:
    room.guest(ANN).orders("1")
    if restarts:
        room.restart()
    guest = room.guest(ANN).peeks().orders("1", volume=2)
    assert notices(guest.frames()) == [Code.DUPLICATE_ORDER_ID]
    assert branch(room.guest().logs_in(ANN).frame())["orders"]["1"]["volume_orign"] == 1


# --- Subscriptions ----------------------------------------------------------------------------------------------------


def subscribes(guest: Guest, ins_list: str) -> dict[str, Any]:
    """The step that follows."""
    return guest.says("subscribe_quote", ins_list=ins_list).peeks().frame()


def test_a_subscription_brings_whole_quotes_and_its_echo(room: Room) -> None:
    frame = subscribes(room.guest(ANN), "SIM.a1,DCE.c1")
    assert keys(frame) == ["quotes", "ins_list"]
    assert {name: quote["instrument_id"] for name, quote in frame["data"][0]["quotes"].items()} == {
        "SIM.a1": "SIM.a1",
        "DCE.c1": "DCE.c1",
    }
    assert frame["data"][1] == {"ins_list": "SIM.a1,DCE.c1"}
    assert None not in frame["data"][0]["quotes"]["SIM.a1"].values()


def test_only_what_changed_of_a_quote_is_sent_again(room: Room) -> None:
    guest = room.guest(ANN)
    subscribes(guest, "SIM.a1")
    room.guest(BOB).orders("1", volume=3)
    (patch,) = guest.peeks().frame()["data"]
    assert patch["quotes"]["SIM.a1"].keys() == {"bid_price1", "bid_volume1", "datetime"}


def test_a_subscription_replaces_the_one_before(room: Room) -> None:
    guest = room.guest(ANN)
    subscribes(guest, "SIM.a1,DCE.c1")
    frame = subscribes(guest, "DCE.c1,SHFE.b1")
    assert frame["data"][0] == {"quotes": {"SIM.a1": None}}
    assert list(frame["data"][1]["quotes"]) == ["SHFE.b1"]
    assert frame["data"][2] == {"ins_list": "DCE.c1,SHFE.b1"}
    room.guest(BOB).orders("1")
    room.passes(1)
    assert guest.peeks().frames() == []


def test_an_empty_subscription_ends_all(room: Room) -> None:
    guest = room.guest(ANN)
    subscribes(guest, "SIM.a1")
    assert subscribes(guest, "")["data"] == [{"quotes": {"SIM.a1": None}}, {"ins_list": ""}]


def test_the_same_subscription_again_is_echoed_and_brings_nothing_anew(room: Room) -> None:
    guest = room.guest(ANN)
    subscribes(guest, "SIM.a1")
    assert subscribes(guest, "SIM.a1")["data"] == [{"ins_list": "SIM.a1"}]


def test_a_level_that_went_while_nobody_subscribed_is_gone_afterwards(room: Room) -> None:
    guest, bob = room.guest(ANN), room.guest(BOB)
    bob.orders("1")
    frames = [subscribes(guest, "SIM.a1"), subscribes(guest, "")]
    bob.says("cancel_order", order_id="1")
    frames.append(subscribes(guest, "SIM.a1"))
    assert "bid_price1" in mirror(frames[0])["quotes"]["SIM.a1"]
    assert "bid_price1" not in mirror(*frames)["quotes"]["SIM.a1"]


def test_subscriptions_that_change_before_a_step_leave_no_trace(room: Room) -> None:
    guest, bob = room.guest(ANN), room.guest(BOB)
    bob.orders("1")
    first = subscribes(guest, "SIM.a1")
    bob.says("cancel_order", order_id="1")
    guest.says("subscribe_quote", ins_list="").says("subscribe_quote", ins_list="DCE.c1")
    second = subscribes(guest, "SIM.a1")
    assert "bid_price1" not in mirror(first, second)["quotes"]["SIM.a1"]
    assert list(mirror(first, second)["quotes"]) == ["SIM.a1"]


def test_unknown_instruments_are_left_out_and_named(room: Room) -> None:
    frame = subscribes(room.guest(ANN), "SIM.zz,SIM.a1,SIM.yy")
    assert notices([frame]) == [Code.UNKNOWN_SUBSCRIPTION]
    assert "SIM.zz,SIM.yy" in frame["data"][0]["notify"].popitem()[1]["content"]
    assert frame["data"][-1] == {"ins_list": "SIM.a1"}


def test_an_instrument_named_twice_is_subscribed_once(room: Room) -> None:
    assert subscribes(room.guest(ANN), "SIM.a1, SIM.a1,,")["data"][-1] == {"ins_list": "SIM.a1"}


def test_order_fields_of_the_helper_are_those_of_the_protocol(room: Room) -> None:
    """What the other tests call a good order is one."""
    worded = branch(room.guest(ANN).orders("1").peeks().frame())["orders"]["1"]
    assert worded["volume_orign"] == order("1")["volume"]

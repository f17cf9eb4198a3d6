"""Conversations in the flat dialect: what differs from the guide's is the tree, and that any `bid` will do."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.gateway.notices import Code
from projections.merge_patch import merge_patch
from tests.simulation.dialects import FLAT, GUIDE, SPOKEN, Spoken
from tests.simulation.room import ANN, BOB, CYD, Room, keys, notices

ROOT = ("accounts", "orders", "trades", "positions")
in_every_dialect = pytest.mark.parametrize("spoken", SPOKEN, ids=repr)


@pytest.fixture
def room() -> Room:
    return Room()


def test_the_answer_to_a_login_is_the_whole_view_and_clears_what_a_mirror_holds(room: Room) -> None:
    clears, result, containers, account = room.guest(dialect=FLAT.dialect).logs_in(ANN).frame()["data"]
    assert clears == dict.fromkeys((*ROOT, "quotes", "klines", "ticks", "charts", "notify", "ins_list"))
    assert list(result["notify"]) == ["auth_result"]
    assert containers == {key: {} for key in ROOT}
    assert account["accounts"][ANN.name]["user_id"] == ANN.name


def test_a_fill_is_one_step_of_patches_in_order_behind_the_notices(room: Room) -> None:
    guest = room.guest(ANN, dialect=FLAT.dialect).says("subscribe_quote", ins_list="SIM.a1")
    guest.peeks().frames()
    room.guest(BOB).orders("s", direction="SELL", volume=3)
    guest.hears(b'{"aid":"abracadabra"}')
    guest.orders("b", volume=2)
    frame = guest.peeks().frame()
    assert keys(frame) == ["notify", "trades", "orders", "accounts", "positions", "quotes"]
    _, trades, orders, accounts, *_ = frame["data"]
    assert [trade["order_id"] for trade in trades["trades"].values()] == ["b"]
    assert orders["orders"]["b"]["status"] == "FILLED"
    assert accounts["accounts"][ANN.name]["margin"] > 0


def test_both_dialects_stand_at_the_same_versions(room: Room) -> None:
    guide, flat = (room.guest(ANN, dialect=spoken.dialect).peeks() for spoken in (GUIDE, FLAT))
    guide.orders("1")
    told = {spoken: guest.frame() for spoken, guest in ((GUIDE, guide), (FLAT, flat))}
    assert told[GUIDE]["version"] == told[FLAT]["version"] == room.log_seq
    merged: dict[str, Any] = {}
    for patch in told[FLAT]["data"]:
        merged = merge_patch(merged, patch)
    assert list(merged["orders"]) == list(GUIDE.branch(told[GUIDE]["data"][0], ANN.name)["orders"]) == ["1"]


@pytest.mark.parametrize("bid", ["", "qaexchange", "elsewhere", "x" * 1_000])
def test_any_business_id_will_do(room: Room, bid: str) -> None:
    assert room.guest(dialect=FLAT.dialect).logs_in(ANN, bid=bid).frame()["full"]


@in_every_dialect
def test_an_announcement_reaches_whoever_is_logged_in_once(room: Room, spoken: Spoken) -> None:
    """Who waits is told at once, who does not with the next step, who has not logged in never."""
    waits, asks_later = (room.guest(trader, dialect=spoken.dialect) for trader in (ANN, BOB))
    stranger = room.guest(dialect=spoken.dialect).peeks()
    waits.peeks()
    for text in ("closing {early}", "closing {early}"):
        room.life.publisher.tell_all(Code.ANNOUNCEMENT, {"text": text})
        waits.peeks()
    assert asks_later.frames() == stranger.frames() == []
    told = [notice for frame in waits.frames() for patch in frame["data"] for notice in patch["notify"].items()]
    told_later = [notice for patch in asks_later.peeks().frame()["data"] for notice in patch["notify"].items()]
    for given in (told, told_later):
        assert len(dict(given)) == 2, "each has an id of its own"
        assert {notice["content"] for _, notice in given} == {"closing {early}"}
        assert {notice["code"] for _, notice in given} == {Code.ANNOUNCEMENT}
    assert notices([stranger.logs_in(CYD).frame()]) == [Code.LOGIN_OK]

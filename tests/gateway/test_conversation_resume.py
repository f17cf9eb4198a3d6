"""A client comes back with what its mirror holds, and is led on from there."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from exchange.domain.commands import Deposit
from exchange.domain.values import Money
from exchange.gateway.notices import Code
from projections.merge_patch import merge_patch
from tests.simulation.room import ANN, BOB, CYD, Room, keys, notices

CONNECTION_KEYS = ["quotes", "klines", "ticks", "charts", "notify", "ins_list"]
"""What belongs to a connection and is forgotten with it."""


@pytest.fixture
def room() -> Room:
    return Room()


class Mirror:
    """A client's mirror over several connections."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.tree: dict[str, Any] = {}
        self.claim: dict[str, Any] = {}

    def takes(self, frame: dict[str, Any]) -> dict[str, Any]:
        """Apply a step and remember where it leads."""
        for each in frame["data"]:
            self.tree = merge_patch(self.tree, each)
        self.tree.pop("notify", None)
        self.claim |= {key: frame[key] for key in ("version", "log_id") if key in frame}
        return frame

    def logs_in(self, **claim: Any) -> dict[str, Any]:
        """Log in on a new connection with what it holds, or what it is told to claim; returns the answer."""
        return self.takes(self._room.guest().logs_in(ANN, **(self.claim | claim)).frame())

    def assert_right(self) -> None:
        """It equals what a client without any past is given."""
        anew = Mirror(self._room)
        anew.logs_in(log_id=None)
        assert self.tree == anew.tree


@pytest.fixture
def mirror(room: Room) -> Mirror:
    """Of somebody with an order and a trade, who has left."""
    room.trades(ANN, BOB, 100)
    mirror = Mirror(room)
    mirror.logs_in()
    room.guest(ANN).orders("1")
    mirror.logs_in()
    return mirror


def test_who_missed_nothing_is_told_nothing(mirror: Mirror) -> None:
    frame = mirror.logs_in()
    assert keys(frame) == [*CONNECTION_KEYS, "notify"]
    assert frame["data"][0] == dict.fromkeys(CONNECTION_KEYS)
    assert notices([frame]) == [Code.LOGIN_OK]
    assert "full" not in frame
    assert frame["log_id"] == mirror.claim["log_id"]


@pytest.mark.parametrize("restarts", [False, True])
def test_who_comes_back_is_told_what_was_missed_and_nothing_else(room: Room, mirror: Mirror, restarts: bool) -> None:
    guest = room.guest(ANN)
    guest.orders("2").says("cancel_order", order_id="1")
    if restarts:
        room.restart()
    frame = mirror.logs_in()
    assert "full" not in frame
    told = frame["data"][2]["trade"][ANN.name]
    assert list(told) == ["accounts", "orders"]
    assert {order_id: len(fields) for order_id, fields in told["orders"].items()} == {"1": 4, "2": 18}
    mirror.assert_right()


@pytest.mark.parametrize("restarts", [False, True])
def test_any_older_mirror_is_led_on(room: Room, mirror: Mirror, restarts: bool) -> None:
    guest = room.guest(ANN)
    kept = []
    for number in range(10, 16):
        guest.orders(str(number), direction="SELL" if number % 2 else "BUY", limit_price=100)
        room.trades(CYD, BOB, 95 + number % 5)
        mirror.logs_in()
        kept.append((mirror.tree, mirror.claim.copy()))
    if restarts:
        room.restart()
    for tree, claim in kept:
        mirror.tree, mirror.claim = tree, claim
        assert "full" not in mirror.logs_in()
        mirror.assert_right()


def test_marks_that_moved_meanwhile_are_told(room: Room, mirror: Mirror) -> None:
    room.trades(CYD, BOB, 104)
    told = mirror.logs_in()["data"][2]["trade"][ANN.name]
    assert told["positions"]["SIM.a1"]["last_price"] == 104.0
    mirror.assert_right()


def test_a_number_inside_an_entry_counts_as_the_end_of_the_one_before(room: Room, mirror: Mirror) -> None:
    room.guest(BOB).orders("s", direction="SELL", volume=3, limit_price=101)
    mirror.logs_in()
    version = room.log_seq
    room.guest(ANN).orders("b", volume=2, limit_price=101)
    assert room.log_seq == version + 2  # the order and its trade are one entry
    assert "full" not in mirror.logs_in(version=version + 1)
    mirror.assert_right()


@pytest.mark.parametrize(
    ("claim", "differs"),
    [
        ({"version": None}, False),
        ({"log_id": None}, False),
        ({"version": -1}, False),
        ({"version": -(2**70)}, False),
        ({"version": 10_000}, True),
        ({"version": 2**70}, True),
        ({"version": int("9" * 4_000)}, True),
        ({"log_id": ""}, True),
        ({"log_id": "."}, True),
        ({"log_id": "another.0123456789abcdef"}, True),
        ({"log_id": "x" * 60_000}, True),
        ({"log_id": "room"}, True),
        ({"log_id": "room.0123456789abcdef"}, False),
    ],
)
def test_who_cannot_be_led_on_gets_the_whole_view(room: Room, claim: dict[str, Any], differs: bool) -> None:
    """And is warned where his history is not this log's: a changed wording is no alarm."""
    mirror = Mirror(room)
    mirror.logs_in()
    mirror.tree = {"trade": {ANN.name: {"orders": {"ghost": {}}}, "somebody": {}}, "quotes": {"SIM.a1": {}}}
    frame = mirror.logs_in(**claim)
    assert frame["full"]
    assert notices([frame]) == [Code.LOGIN_OK] + [Code.HISTORY_DIFFERS] * differs
    mirror.assert_right()


def test_another_user_s_mirror_is_not_led_on(room: Room, mirror: Mirror) -> None:
    frame = mirror.takes(room.guest().logs_in(BOB, **mirror.claim).frame())
    assert frame["full"]
    assert list(mirror.tree["trade"]) == [BOB.name]


def test_subscriptions_begin_anew(room: Room, mirror: Mirror) -> None:
    guest = room.guest(ANN)
    mirror.takes(guest.says("subscribe_quote", ins_list="SIM.a1").peeks().frame())
    assert list(mirror.tree["quotes"]) == ["SIM.a1"]
    room.restart()
    mirror.logs_in()
    assert "quotes" not in mirror.tree
    assert "ins_list" not in mirror.tree


def test_a_step_from_before_what_is_remembered_is_a_full_one_and_brings_the_quotes_again(room: Room) -> None:
    with patch("projections.user_view.HISTORY_MAX", 2), patch("projections.user_view.GONE_MAX", 2):
        mirror = Mirror(room)
        guest = room.guest()
        mirror.takes(guest.logs_in(ANN).frame())
        guest.orders("first", limit_price=50, time_condition="IOC")
        mirror.takes(guest.says("subscribe_quote", ins_list="SIM.a1").peeks().frame())
        for number in range(8):
            guest.orders(str(number), time_condition="IOC")
        frame = mirror.takes(guest.peeks().frame())
        assert frame["full"]
        assert frame["log_id"] == mirror.claim["log_id"]
        assert mirror.tree["ins_list"] == "SIM.a1"
        assert mirror.tree["quotes"]["SIM.a1"]["instrument_id"] == "SIM.a1"
        assert list(mirror.tree["trade"][ANN.name]["orders"]) == ["6", "7"]


def test_the_version_stands_still_while_nothing_of_one_s_own_happens(room: Room, mirror: Mirror) -> None:
    room.does(Deposit(account_id=BOB.account_id, amount=Money(1)))
    frame = mirror.logs_in()
    assert frame["version"] == room.log_seq
    assert keys(frame) == [*CONNECTION_KEYS, "notify"]

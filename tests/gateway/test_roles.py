"""Every message as every role: one table says who may, and who may not is told and changes nothing."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from exchange.gateway.access import MESSAGE_ACTS, Role, may
from exchange.gateway.messages import Message, aid_of, parse
from exchange.gateway.notices import Code
from exchange.gateway.surroundings import User
from tests.simulation.room import ANN, Guest, Room, notices, order

SAYS: Final[dict[str, dict[str, Any]]] = {
    "req_login": {"user_name": ANN.name, "password": ANN.secret},
    "peek_message": {},
    "ping": {},
    "subscribe_quote": {"ins_list": "SIM.a1"},
    "set_chart": {"chart_id": "c"},
    "insert_order": order("1"),
    "cancel_order": {"order_id": "1"},
    "confirm_settlement": {},
    "change_password": {"old_password": "a", "new_password": "b"},
}
"""A good message of each kind."""


@pytest.fixture
def room() -> Room:
    return Room()


def guest_as(room: Room, role: Role) -> Guest:
    """Ann, logged in as somebody of this role, with a peek that waits."""
    guest = room.guest()
    guest.hears(orjson.dumps({"aid": "req_login", **SAYS["req_login"]}))
    room.life.desk.checking.clear()
    guest.conversation.login_succeeded(User(ANN.name, ANN.account_id, role))
    guest.frames()
    return guest.peeks()


def test_the_table_has_every_message() -> None:
    said = {aid_of(parse(orjson.dumps({"aid": aid, **fields}))) for aid, fields in SAYS.items()}
    assert said == set(MESSAGE_ACTS) == {struct.__struct_config__.tag for struct in Message.__args__}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("aid", SAYS)
def test_what_a_role_may_not_do_is_told_and_changes_nothing(room: Room, aid: str, role: Role) -> None:
    guest = guest_as(room, role)
    log_seq = room.log_seq
    guest.says(aid, **SAYS[aid])
    act = MESSAGE_ACTS[aid]
    told = [frame for frame in guest.frames() if frame["aid"] == "rtn_data"]
    if act is None or may(role, act):
        assert Code.ROLE_MAY_NOT not in notices(told)
        return
    assert notices(told) == [Code.ROLE_MAY_NOT]
    (notice,) = told[0]["data"][0]["notify"].values()
    assert (notice["level"], role in notice["content"], aid in notice["content"]) == ("ERROR", True, True)
    assert room.log_seq == log_seq


@pytest.mark.parametrize("role", Role)
def test_only_traders_move_an_account(room: Room, role: Role) -> None:
    log_seq = room.log_seq
    guest_as(room, role).orders("1").says("cancel_order", order_id="1")
    assert (room.log_seq > log_seq) is (role is Role.TRADER)


@pytest.mark.parametrize("aid", SAYS)
def test_nobody_may_do_anything_but_what_needs_no_login(room: Room, aid: str) -> None:
    guest = room.guest().peeks()
    log_seq = room.log_seq
    guest.says(aid, **SAYS[aid])
    told = notices([frame for frame in guest.frames() if frame["aid"] == "rtn_data"])
    assert (told == [Code.NOT_LOGGED_IN]) is (MESSAGE_ACTS[aid] is not None)
    assert room.log_seq == log_seq


def test_an_order_in_the_name_of_another_says_first_that_one_may_not_send_any(room: Room) -> None:
    guest = guest_as(room, Role.OBSERVER).says("insert_order", **order("1"), user_id="bob")
    assert notices(guest.frames()) == [Code.ROLE_MAY_NOT]

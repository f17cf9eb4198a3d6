"""Logins in the address of a connection: what is read of it, whom it lets in, and when that is answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from exchange.gateway.address import FIELDS_MAX, AddressLogin, address_login
from exchange.gateway.claims import Claim
from exchange.gateway.conversation import WRONG_LOGINS_MAX
from exchange.gateway.messages import FieldError
from exchange.gateway.notices import Code
from tests.simulation.dialects import FLAT, GUIDE, SPOKEN, Spoken
from tests.simulation.room import ANN, BOB, Guest, Room, keys, notices

TICKET = f"ticket of {ANN.name}"
in_every_dialect = pytest.mark.parametrize("spoken", SPOKEN, ids=repr)


@pytest.fixture
def room() -> Room:
    return Room()


def arrives(room: Room, spoken: Spoken = FLAT, **fields: Any) -> Guest:
    """Ann's connection, by an address with her ticket."""
    return room.guest(dialect=spoken.dialect, query=urlencode({"user_id": ANN.name, "token": TICKET} | fields))


# --- What is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "login"),
    [
        ("", None),
        ("token=t&version=7", None),
        ("user_id=ann&token=t", AddressLogin("ann", "t", Claim())),
        ("user_id=ann", AddressLogin("ann", "", Claim())),
        ("user_id=&token=", AddressLogin("", "", Claim())),
        ("user_id=ann&token=t&log_id=l.1&version=12", AddressLogin("ann", "t", Claim("l.1", 12))),
        ("a=b&user_id=%E5%BC%A0+%E4%B8%89&token=%2B", AddressLogin("张 三", "+", Claim())),
        ("user_id=ann;token=t", AddressLogin("ann;token=t", "", Claim())),
    ],
)
def test_the_login_in_a_query(query: str, login: AddressLogin | None) -> None:
    assert address_login(query) == login


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("user_id=ann&user_id=bob", "user_id"),
        ("user_id=ann&token=a&token=b", "token"),
        ("user_id=ann&version=1&version=1", "version"),
        ("user_id=ann&version=", "version"),
        ("user_id=ann&version=-1", "version"),
        ("user_id=ann&version=1.0", "version"),
        ("user_id=ann&version=%D9%A1", "version"),
        ("user_id=ann&version=" + "9" * 20, "version"),
        ("user_id=" + "x" * 129, "user_id"),
        ("user_id=%ff", "query"),
        ("user_id=ann&" + "&".join(f"f{number}=1" for number in range(FIELDS_MAX)), "query"),
    ],
)
def test_what_makes_no_sense_is_refused_and_never_guessed(room: Room, query: str, named: str) -> None:
    with pytest.raises(FieldError, match=named):
        address_login(query)
    guest = room.guest(query=query)
    assert notices([guest.frame()]) == [Code.WRONG_FIELD]
    assert guest.logs_in(ANN).frame()["full"], "the connection stays open for another try"


# --- Whom it lets in, and when that is told ---------------------------------------------------------------------------


@in_every_dialect
def test_the_answer_waits_for_the_first_peek(room: Room, spoken: Spoken) -> None:
    guest = arrives(room, spoken)
    assert guest.conversation.user == ANN.user
    assert guest.frames() == []
    frame = guest.peeks().frame()
    assert frame["full"]
    assert frame["version"] == room.log_seq
    assert notices([frame]) == [Code.LOGIN_OK]
    assert frame["log_id"] == room.guest(dialect=spoken.dialect).logs_in(ANN).frame()["log_id"]
    assert guest.peeks().frames() == [], "the next one waits for news"
    guest.orders("1")
    assert "log_id" not in guest.frame()


def test_what_happens_before_the_first_peek_is_in_its_answer(room: Room) -> None:
    guest = arrives(room).orders("1").says("subscribe_quote", ins_list="SIM.a1")
    frame = guest.peeks().frame()
    assert keys(frame)[-2:] == ["quotes", "ins_list"]
    assert [patch["orders"].keys() for patch in frame["data"] if patch.get("orders")] == [{"1"}]


@pytest.mark.parametrize("token", [{"token": "wrong"}, {"token": ""}, {"token": f"ticket of {BOB.name}"}])
def test_a_wrong_ticket_is_told_at_once_and_a_login_may_follow(room: Room, token: dict[str, str]) -> None:
    guest = arrives(room, **token)
    frame = guest.frame()
    assert frame["data"][0]["notify"]["auth_result"]["level"] == "ERROR"
    assert notices([frame]) == [Code.WRONG_LOGIN]
    assert "version" not in frame
    assert guest.says("subscribe_quote", ins_list="").peeks().frame()["data"][0]["notify"].popitem()[1]["code"] == 1002
    assert guest.logs_in(ANN).frame()["full"]


def test_who_tries_by_the_address_has_no_try_more(room: Room) -> None:
    guest = arrives(room, token="wrong")
    for _ in range(WRONG_LOGINS_MAX - 2):
        guest.says("req_login", user_name=ANN.name, password="wrong")
    assert guest.line.closed is None
    guest.says("req_login", user_name=ANN.name, password="wrong")
    assert guest.line.closed is not None


def test_who_came_by_the_address_is_logged_in_and_stays_who_he_is(room: Room) -> None:
    guest = arrives(room)
    guest.logs_in(BOB)
    assert notices([guest.peeks().frame()]) == [Code.LOGIN_OK, Code.ALREADY_LOGGED_IN]
    assert guest.conversation.user == ANN.user


def test_the_deadline_for_a_login_is_met_or_runs_again(room: Room) -> None:
    right, wrong = arrives(room), arrives(room, token="wrong")
    room.passes(60)
    assert right.line.closed is None
    assert wrong.line.closed == (1008, "no login came in time")


def test_who_does_not_read_gets_the_answer_later(room: Room) -> None:
    guest = arrives(room)
    guest.stops_reading()
    guest.peeks()
    assert guest.frames() == []
    guest.reads_again()
    assert guest.frame()["full"]


@pytest.mark.parametrize("restarts", [False, True])
@in_every_dialect
def test_a_mirror_is_led_on_by_the_address(room: Room, spoken: Spoken, restarts: bool) -> None:
    first = arrives(room, spoken).peeks().frame()
    room.guest(ANN).orders("1")
    if restarts:
        room.restart()
    frame = arrives(room, spoken, log_id=first["log_id"], version=first["version"]).peeks().frame()
    assert "full" not in frame
    assert frame["log_id"] == first["log_id"]
    assert frame["data"][0] == dict.fromkeys(spoken.dialect.connection_keys)
    assert list(spoken.branch(frame["data"][2], ANN.name)["orders"]) == ["1"]


def test_a_version_from_the_address_is_good_for_a_login_by_password_and_back(room: Room) -> None:
    first = arrives(room).peeks().frame()
    claim = {"log_id": first["log_id"], "version": first["version"]}
    assert "full" not in room.guest(dialect=FLAT.dialect).logs_in(ANN, **claim).frame()


@pytest.mark.parametrize(("before", "after"), [(GUIDE, FLAT), (FLAT, GUIDE)], ids=repr)
def test_who_changes_the_dialect_begins_anew_without_alarm(room: Room, before: Spoken, after: Spoken) -> None:
    first = arrives(room, before).peeks().frame()
    claim = {"log_id": first["log_id"], "version": first["version"]}
    for frame in (
        arrives(room, after, **claim).peeks().frame(),
        room.guest(dialect=after.dialect).logs_in(ANN, **claim).frame(),
    ):
        assert frame["full"]
        assert frame["data"][0] == dict.fromkeys(after.dialect.root_keys)
        assert notices([frame]) == [Code.LOGIN_OK]


def test_a_history_that_differs_is_told_with_the_first_step(room: Room) -> None:
    frame = arrives(room, log_id="another.0123456789abcdef", version=3).peeks().frame()
    assert frame["full"]
    assert notices([frame]) == [Code.LOGIN_OK, Code.HISTORY_DIFFERS]


def test_a_login_that_takes_its_time_keeps_what_is_said_meanwhile(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.life.desk, "authenticate_ticket", lambda conversation, name, ticket: None)
    guest = arrives(room)
    guest.hears(b'{"aid":"peek_message"}')
    assert guest.frames() == []
    guest.conversation.login_succeeded(ANN.user)
    assert guest.frame()["full"]

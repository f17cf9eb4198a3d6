"""Whatever a client says gets a clear notice, or ends the connection with a code and a reason; never an exception."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from exchange.gateway.conversation import (
    INBOX_MAX,
    INBOX_MAX_BYTES,
    NAMES_MAX,
    SUBSCRIPTIONS_MAX,
    WRONG_LOGINS_MAX,
)
from exchange.gateway.messages import DEPTH_MAX, NAME_CHARACTERS_MAX
from exchange.gateway.notices import Code
from exchange.gateway.steps import NOTICES_MAX
from tests.simulation.room import ANN, BOB, Guest, Room, keys, notices, order

CONTENT_CHARACTERS_MAX: Final = 1_000
"""No notice is longer, however long what it complains about."""
DIGITS: Final = "9" * 5_000

NO_MESSAGE: Final[dict[str, tuple[bytes, int]]] = {
    "nothing": (b"", 1007),
    "spaces": (b"  \n", 1007),
    "a word": (b"peek_message", 1007),
    "cut off": (b'{"aid":"peek_message"', 1007),
    "cut off within a text": (b'{"aid":"peek_mess', 1007),
    "two objects": (b'{"aid":"ping"}{"aid":"ping"}', 1007),
    "single quotes": (b"{'aid':'ping'}", 1007),
    "a comma too many": (b'{"aid":"ping",}', 1007),
    "a byte order mark": (b'\xef\xbb\xbf{"aid":"ping"}', 1007),
    "a control character": (b'{"aid":"ping","x":"\x01"}', 1007),
    "a null byte": (b'{"aid":"ping"}\x00', 1007),
    "half a surrogate pair": (b'{"aid":"\\ud800"}', 1007),
    "half a surrogate pair in a known field": (b'{"aid":"cancel_order","order_id":"\\udfff"}', 1007),
    "a broken escape": (b'{"aid":"\\x41"}', 1007),
    "not a number": (b'{"aid":"insert_order","limit_price":NaN}', 1007),
    "infinity": (b'{"aid":"insert_order","limit_price":-Infinity}', 1007),
    "a number with a leading zero": (b'{"aid":"insert_order","volume":01}', 1007),
    "an array": (b"[]", 1003),
    "an array of messages": (b'[{"aid":"ping"}]', 1003),
    "a number": (b"1", 1003),
    "a huge number": (b"1e999999999", 1003),
    "null": (b"null", 1003),
    "true": (b"true", 1003),
    "a text": (b'"ping"', 1003),
    "a deep array": (b"[" * 60_000, 1008),
    "a deep object": (b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1), 1008),
    "depth behind brackets in a text": (b'{"x":"]]]]\\"[[[","y":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}", 1008),
}
"""By what it is: the frame, and the code that it ends the connection with."""

NOT_UNDERSTOOD: Final[dict[str, tuple[bytes, Code]]] = {
    "an empty object": (b"{}", Code.MALFORMED_MESSAGE),
    "no aid": (b'{"order_id":"1"}', Code.MALFORMED_MESSAGE),
    "aid is a number": (b'{"aid":1}', Code.MALFORMED_MESSAGE),
    "aid is null": (b'{"aid":null}', Code.MALFORMED_MESSAGE),
    "aid is an object": (b'{"aid":{"aid":"ping"}}', Code.MALFORMED_MESSAGE),
    "aid twice": (b'{"aid":"ping","aid":"peek_message"}', Code.WRONG_FIELD),
    "an unknown aid": (b'{"aid":"insert_orders"}', Code.UNKNOWN_AID),
    "aid in capitals": (b'{"aid":"PEEK_MESSAGE"}', Code.UNKNOWN_AID),
    "an empty aid": (b'{"aid":""}', Code.UNKNOWN_AID),
    "an endless aid": (b'{"aid":"' + b"x" * 60_000 + b'"}', Code.UNKNOWN_AID),
    "the server's own aid": (b'{"aid":"rtn_data","data":[]}', Code.UNKNOWN_AID),
    "an order without fields": (b'{"aid":"insert_order"}', Code.WRONG_FIELD),
    "a cancel without an order": (b'{"aid":"cancel_order"}', Code.WRONG_FIELD),
    "a cancel of a number": (b'{"aid":"cancel_order","order_id":5}', Code.WRONG_FIELD),
    "a cancel of null": (b'{"aid":"cancel_order","order_id":null}', Code.WRONG_FIELD),
    "a subscription without a list": (b'{"aid":"subscribe_quote"}', Code.WRONG_FIELD),
    "a subscription of an array": (b'{"aid":"subscribe_quote","ins_list":["SIM.a1"]}', Code.WRONG_FIELD),
    "a subscription of null": (b'{"aid":"subscribe_quote","ins_list":null}', Code.WRONG_FIELD),
    "a chart under a number": (b'{"aid":"set_chart","chart_id":1}', Code.WRONG_FIELD),
    "a login without a password": (b'{"aid":"req_login","user_name":"a"}', Code.WRONG_FIELD),
    "a login with a number": (b'{"aid":"req_login","user_name":1,"password":"b"}', Code.WRONG_FIELD),
    "a login at a fraction": (b'{"aid":"req_login","user_name":"a","password":"b","version":1.5}', Code.WRONG_FIELD),
    "a login at a text": (b'{"aid":"req_login","user_name":"a","password":"b","version":"1"}', Code.WRONG_FIELD),
    "a login at true": (b'{"aid":"req_login","user_name":"a","password":"b","version":true}', Code.WRONG_FIELD),
    "a login at endless digits": (
        b'{"aid":"req_login","user_name":"a","password":"b","version":' + DIGITS.encode() + b"}",
        Code.WRONG_FIELD,
    ),
    "a new password without the old": (b'{"aid":"change_password","new_password":"x"}', Code.WRONG_FIELD),
}
"""By what it is: the frame, and the notice that answers it, logged in or not."""

CHARTS: Final[dict[str, bytes]] = {
    "a chart": b'{"aid":"set_chart","chart_id":"c","ins_list":"SIM.a1","duration":1}',
    "an endless chart": b'{"aid":"set_chart","chart_id":"' + b"x" * 60_000 + b'"}',
}

WRONG_ORDERS: Final[dict[str, str]] = {
    "half a lot": '"volume": 1.5',
    "a lot as a fraction": '"volume": 1.0',
    "a lot with an exponent": '"volume": 1e2',
    "a text for lots": '"volume": "1"',
    "true lots": '"volume": true',
    "null lots": '"volume": null',
    "an array of lots": '"volume": [1]',
    "lots beyond 32 bits": '"volume": 2147483648',
    "lots beyond 64 bits": '"volume": 18446744073709551616',
    "negative lots beyond 64 bits": '"volume": -18446744073709551616',
    "endless lots": f'"volume": {DIGITS}',
    "lots beyond any float": '"volume": 1e400',
    "no price": '"limit_price": null',
    "a true price": '"limit_price": true',
    "an array for a price": '"limit_price": []',
    "a word for a price": '"limit_price": "dear"',
    "a text for a price": '"limit_price": "100"',
    "a price written out": '"limit_price": "1_000"',
    "a price that is no number": '"limit_price": "NaN"',
    "a price that is no number, loudly": '"limit_price": "sNaN"',
    "an infinite price": '"limit_price": "-Infinity"',
    "a price beyond all prices": '"limit_price": 1000000001',
    "a price far below": '"limit_price": -1000000001',
    "a price beyond any float": '"limit_price": 1e400',
    "a price beyond any memory": '"limit_price": 1e999999999',
    "a price beyond any decimal": '"limit_price": 1e9999999999999999999999',
    "endless digits for a price": f'"limit_price": {DIGITS}',
    "a misspelt direction": '"direction": "BUYY"',
    "a direction in small letters": '"direction": "buy"',
    "an endless direction": f'"direction": "{"x" * 60_000}"',
    "a direction with a space": '"direction": "BUY "',
    "null for a direction": '"direction": null',
    "a misspelt offset": '"offset": "CLOSE_TODAY"',
    "an empty offset": '"offset": ""',
    "a misspelt price type": '"price_type": "Limit"',
    "a misspelt time condition": '"time_condition": "FAK"',
    "a misspelt volume condition": '"volume_condition": "SOME"',
    "null for the volume condition": '"volume_condition": null',
    "a number for an instrument": '"instrument_id": 1',
    "an endless instrument": f'"instrument_id": "SIM.{"x" * NAME_CHARACTERS_MAX}"',
    "another exchange than the instrument's": '"exchange_id": "SHFE"',
    "an endless exchange": f'"exchange_id": "{"x" * 60_000}"',
    "a number for an id": '"order_id": 17',
    "an endless id": f'"order_id": "{"x" * (NAME_CHARACTERS_MAX + 1)}"',
    "an id of the exchange's own": '"order_id": "~1"',
    "a fraction for a minimum": '"min_volume": 0.5',
    "a minimum beyond 32 bits": '"min_volume": -2147483649',
    "a price with a market order": '"price_type": "ANY"',
}
"""By what it is: the field that makes a good order one that cannot be understood."""

REFUSED_ORDERS: Final[dict[str, tuple[str, Code]]] = {
    "no lots": ('"volume": 0', Code.ORDER_LOTS),
    "negative lots": ('"volume": -1', Code.ORDER_LOTS),
    "minus zero lots": ('"volume": -0', Code.ORDER_LOTS),
    "too many lots": ('"volume": 2147483647', Code.ORDER_LOTS),
    "an unknown instrument": ('"instrument_id": "SIM.zz"', Code.UNKNOWN_INSTRUMENT),
    "no instrument": ('"instrument_id": ""', Code.UNKNOWN_INSTRUMENT),
    "a price of nothing": ('"limit_price": 0', Code.PRICE_BAND),
    "minus nothing": ('"limit_price": -0.0', Code.PRICE_BAND),
    "a price next to nothing": ('"limit_price": 1e-999999999', Code.PRICE_BAND),
    "a negative price": ('"limit_price": -100', Code.PRICE_BAND),
    "a price off the tick": ('"limit_price": 100.5', Code.PRICE_TICK),
    "a price above the band": ('"limit_price": 1000000000', Code.PRICE_BAND),
    "a condition not taken": ('"time_condition": "GTC"', Code.ORDER_KIND),
    "a minimum where none goes": ('"min_volume": 1', Code.ORDER_KIND),
    "nothing to close": ('"offset": "CLOSE"', Code.CLOSABLE_LOTS),
}
"""By what it is: the field that makes a good order one that the market refuses, and the refusal."""


@pytest.fixture
def room() -> Room:
    return Room()


def assert_one_notice(guest: Guest, code: Code) -> None:
    """Told at once, since a peek waits; clear, short, and the connection lives on."""
    frame = guest.frame()
    assert notices([frame]) == [code]
    (notice,) = frame["data"][0]["notify"].values()
    assert 0 < len(notice["content"]) <= CONTENT_CHARACTERS_MAX
    assert (notice["type"], notice["level"] in ("WARNING", "ERROR")) == ("MESSAGE", True)
    assert guest.line.closed is None
    guest.hears(b'{"aid":"ping"}')
    assert guest.frame() == {"aid": "pong"}


@pytest.mark.parametrize("name", NO_MESSAGE)
@pytest.mark.parametrize("trader", [None, ANN], ids=["before login", "logged in"])
def test_what_is_no_message_ends_the_connection_with_a_reason(room: Room, name: str, trader: Any) -> None:
    text, code = NO_MESSAGE[name]
    guest = room.guest(trader)
    guest.hears(text)
    assert guest.line.closed is not None
    assert guest.line.closed[0] == code
    assert 0 < len(guest.line.closed[1].encode()) <= 123
    assert guest.frames() == []


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
@pytest.mark.parametrize("trader", [None, ANN], ids=["before login", "logged in"])
def test_what_is_not_understood_is_told(room: Room, name: str, trader: Any) -> None:
    text, code = NOT_UNDERSTOOD[name]
    guest = room.guest(trader).peeks()
    guest.hears(text)
    assert_one_notice(guest, code)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_not_served_yet(room: Room, name: str) -> None:
    guest = room.guest(ANN).peeks()
    guest.hears(CHARTS[name])
    assert_one_notice(guest, Code.CHARTS_NOT_SERVED)


@pytest.mark.parametrize("name", WRONG_ORDERS)
def test_an_order_that_is_not_understood_is_told_and_leaves_no_trace(room: Room, name: str) -> None:
    guest = room.guest(ANN).peeks()
    log_seq = room.log_seq
    guest.hears(with_field(WRONG_ORDERS[name]))
    room.settle()
    assert_one_notice(guest, Code.WRONG_FIELD)
    assert room.log_seq == log_seq


@pytest.mark.parametrize("name", REFUSED_ORDERS)
def test_an_order_that_breaks_a_rule_of_the_market_is_refused_in_the_log(room: Room, name: str) -> None:
    field, code = REFUSED_ORDERS[name]
    guest = room.guest(ANN).peeks()
    guest.hears(with_field(field))
    assert guest.frames() == []  # nothing is said before it is durable
    room.settle()
    frame = guest.frame()
    assert notices([frame]) == [code]
    assert frame["data"][1]["trade"][ANN.name]["orders"]["1"]["status"] == "REJECTED"


def with_field(field: str) -> bytes:
    """A good order with one field put in place of its own."""
    name = field.partition(":")[0].strip('" ')
    fields = {key: value for key, value in order("1").items() if key != name}
    return orjson.dumps({"aid": "insert_order", **fields})[:-1] + f", {field}}}".encode()


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ('"limit_price": 1e2', {"limit_price": 100.0}),
        ('"limit_price": 100.00000000000001', {"limit_price": 100.0}),
        ('"limit_price": 99.9999999999', {"limit_price": 100.0}),
        ('"time_condition": null', {"time_condition": "GFD"}),
        ('"min_volume": 0', {"status": "ALIVE"}),
        ('"exchange_id": "SIM"', {"instrument_id": "SIM.a1"}),
        ('"user_id": null, "account_id": null', {"status": "ALIVE"}),
        (f'"user_id": "{ANN.name}", "account_id": "{ANN.account_id}"', {"status": "ALIVE"}),
        ('"colour": "red", "nested": {"deep": [1, 2, {}]}', {"status": "ALIVE"}),
        ('"volume": 7, "volume": 2', {"volume_orign": 2}),
    ],
)
def test_what_may_be_said_in_several_ways_is_taken(room: Room, field: str, shown: dict[str, Any]) -> None:
    guest = room.guest(ANN)
    guest.hears(with_field(field))
    room.settle()
    worded = guest.peeks().frame()["data"][0]["trade"][ANN.name]["orders"]["1"]
    assert worded | shown == worded


@pytest.mark.parametrize("order_id", ["", None])
def test_an_order_without_an_id_gets_one_of_the_exchange(room: Room, order_id: str | None) -> None:
    guest = room.guest(ANN).orders(order_id)
    (made,) = guest.peeks().frame()["data"][0]["trade"][ANN.name]["orders"]
    assert made.startswith("~")


@pytest.mark.parametrize(
    "order_id", ["\x00", "a\x00b", '"}]', "\\", "é\u2028", "😀", "__proto__", "a.b/c d", "x" * NAME_CHARACTERS_MAX]
)
def test_an_order_may_have_any_id_of_its_client(room: Room, order_id: str) -> None:
    guest = room.guest(ANN).orders(order_id)
    assert list(guest.peeks().frame()["data"][0]["trade"][ANN.name]["orders"]) == [order_id]
    room.restart()
    branch = room.guest().logs_in(ANN).frame()["data"][2]["trade"][ANN.name]
    assert list(branch["orders"]) == [order_id]


@pytest.mark.parametrize(
    "named",
    [
        {"user_id": BOB.name},
        {"user_id": BOB.account_id},
        {"user_id": ""},
        {"user_id": "x" * 60_000},
        {"account_id": BOB.account_id},
        {"user_id": ANN.name, "account_id": BOB.account_id},
        {"user_id": ANN.account_id, "account_id": BOB.account_id},
        {"user_id": BOB.name, "account_id": ANN.account_id},
    ],
)
@pytest.mark.parametrize("aid", ["insert_order", "cancel_order"])
def test_a_message_in_another_s_name_has_no_effect(room: Room, aid: str, named: dict[str, str]) -> None:
    guest = room.guest(ANN).orders().peeks()
    guest.frames()
    guest.peeks()
    log_seq = room.log_seq
    fields = order("2") if aid == "insert_order" else {"order_id": "1"}
    guest.says(aid, **fields, **named)
    assert_one_notice(guest, Code.OTHER_USER)
    assert room.log_seq == log_seq


@pytest.mark.parametrize("aid", ["confirm_settlement", "change_password"])
def test_nothing_is_changed_in_another_s_name(room: Room, aid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[Any] = []
    monkeypatch.setattr(room.life.desk, "change_password", lambda *arguments: changed.append(arguments))
    guest = room.guest(ANN).peeks()
    guest.says(aid, user_id=BOB.name, old_password=ANN.secret, new_password="new")
    assert_one_notice(guest, Code.OTHER_USER)
    assert changed == []


def test_somebody_else_s_order_is_an_unknown_one(room: Room) -> None:
    room.guest(BOB).orders("his")
    ann = room.guest(ANN).peeks().says("cancel_order", order_id="his")
    assert notices(ann.frames()) == [Code.UNKNOWN_ORDER]
    assert room.guest(BOB).conversation.user is not None
    assert room.life.sequencer.state.accounts[BOB.account_id].orders


@pytest.mark.parametrize("order_id", ["", "x" * (NAME_CHARACTERS_MAX + 1)])
def test_an_id_that_no_order_has_cannot_be_cancelled(room: Room, order_id: str) -> None:
    guest = room.guest(ANN).peeks().says("cancel_order", order_id=order_id)
    assert_one_notice(guest, Code.WRONG_FIELD)


@pytest.mark.parametrize(
    ("aid", "fields"),
    [
        ("insert_order", order("1")),
        ("cancel_order", {"order_id": "1"}),
        ("subscribe_quote", {"ins_list": "SIM.a1"}),
        ("change_password", {"old_password": "a", "new_password": "b"}),
        ("set_chart", {"chart_id": "c"}),
        ("confirm_settlement", {}),
    ],
)
def test_what_needs_a_login_is_told_so(room: Room, aid: str, fields: dict[str, Any]) -> None:
    guest = room.guest().peeks()
    log_seq = room.log_seq
    guest.says(aid, **fields)
    assert "version" not in guest.line.frames[0]
    assert_one_notice(guest, Code.NOT_LOGGED_IN)
    assert room.log_seq == log_seq


def test_a_second_login_changes_nothing(room: Room) -> None:
    guest = room.guest(ANN).peeks()
    guest.logs_in(BOB)
    assert_one_notice(guest, Code.ALREADY_LOGGED_IN)
    assert guest.conversation.user == ANN.user


@pytest.mark.parametrize(
    "wrong",
    [{"bid": "elsewhere"}, {"user_name": 7}, {"password": None}, {"version": "latest"}],
    ids=lambda fields: next(iter(fields)),
)
def test_a_login_that_is_none_is_answered_unasked(room: Room, wrong: dict[str, Any]) -> None:
    guest = room.guest().says("req_login", **({"user_name": ANN.name, "password": ANN.secret} | wrong))
    frame = guest.frame()
    assert notices([frame]) == [Code.WRONG_FIELD]
    assert next(iter(wrong)) in frame["data"][0]["notify"]["auth_result"]["content"]
    assert guest.conversation.user is None
    assert guest.logs_in(ANN).frame()["version"] == room.log_seq


@pytest.mark.parametrize("secret", ["", "wrong", "x" * 60_000])
def test_a_failed_login_is_answered_unasked_and_may_be_tried_again(room: Room, secret: str) -> None:
    guest = room.guest().says("req_login", user_name=ANN.name, password=secret)
    frame = guest.frame()
    assert frame["data"][0]["notify"]["auth_result"]["level"] == "ERROR"
    assert notices([frame]) == [Code.WRONG_LOGIN]
    assert keys(frame) == ["notify"]
    assert "version" not in frame
    assert guest.logs_in(ANN).frame()["version"] == room.log_seq


def test_whoever_goes_on_guessing_is_disconnected(room: Room) -> None:
    guest = room.guest()
    for _ in range(WRONG_LOGINS_MAX - 1):
        guest.says("req_login", user_name=ANN.name, password="wrong")
    assert guest.line.closed is None
    guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": "wrong"}))
    guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": ANN.secret}))
    room.settle()
    assert notices(guest.frames()) == [Code.WRONG_LOGIN] * WRONG_LOGINS_MAX
    assert guest.line.closed is not None
    assert guest.line.closed[0] == 1008


def test_a_login_that_was_not_even_checked_is_no_guess(room: Room) -> None:
    guest = room.guest()
    for _ in range(WRONG_LOGINS_MAX + 1):
        guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": ANN.secret}))
        room.life.desk.checking.clear()
        guest.conversation.login_failed(Code.TOO_MANY_ATTEMPTS)
    assert guest.line.closed is None
    guest.frames()
    assert guest.logs_in(ANN).frame()["version"] == room.log_seq


def test_an_unknown_user_is_told_the_same_as_one_with_a_wrong_password(room: Room) -> None:
    unknown = room.guest().says("req_login", user_name="nobody", password="x").frame()
    wrong = room.guest().says("req_login", user_name=ANN.name, password="x").frame()
    assert unknown == wrong


def test_what_is_said_while_a_password_is_checked_is_heard_in_order_afterwards(room: Room) -> None:
    guest = room.guest()
    guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": ANN.secret}))
    guest.hears(orjson.dumps({"aid": "insert_order", **order("1")}))
    guest.hears(b'{"aid":"peek_message"}')
    guest.hears(b'{"aid":"ping"}')
    assert guest.frames() == []
    room.settle()
    login, pong, step = guest.frames()
    assert (login["full"], pong["aid"]) == (True, "pong")
    assert list(step["data"][0]["trade"][ANN.name]["orders"]) == ["1"]


def test_what_is_said_behind_another_login_waits_for_that_one_too(room: Room) -> None:
    guest = room.guest()
    for secret in ("wrong", "wrong again", ANN.secret):
        guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": secret}))
        guest.hears(b'{"aid":"ping"}')
    room.settle()
    said = [frame["aid"] for frame in guest.frames()]
    assert said == ["rtn_data", "pong", "rtn_data", "pong", "rtn_data", "pong"]


def test_long_messages_wait_for_a_password_up_to_a_bound_of_bytes(room: Room) -> None:
    long = b'{"aid":"ping","x":"' + b"x" * (INBOX_MAX_BYTES // 2) + b'"}'
    guest = room.guest()
    guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": ANN.secret}))
    guest.hears(b'{"aid":"ping","x":"' + b"x" * INBOX_MAX_BYTES + b'"}')
    assert guest.line.closed is None, "one message may wait, however long"
    room.settle()
    assert [frame["aid"] for frame in guest.frames()] == ["rtn_data", "pong"]
    stranger = room.guest()
    stranger.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": "wrong"}))
    stranger.hears(long)
    assert stranger.line.closed is None
    stranger.hears(long)
    assert stranger.line.closed == (1008, f"more than {INBOX_MAX_BYTES} bytes while the login was being checked")


def test_more_than_can_wait_for_a_password_ends_the_connection(room: Room) -> None:
    guest = room.guest()
    guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": ANN.secret}))
    for _ in range(INBOX_MAX):
        guest.hears(b'{"aid":"ping"}')
    assert guest.line.closed is None
    guest.hears(b'{"aid":"ping"}')
    assert guest.line.closed is not None
    assert guest.line.closed[0] == 1008


def test_nothing_is_heard_behind_a_frame_that_ends_the_connection(room: Room) -> None:
    guest = room.guest()
    guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": ANN.secret}))
    guest.hears(b"[]")
    guest.hears(orjson.dumps({"aid": "insert_order", **order("1")}))
    log_seq = room.log_seq
    room.settle()
    assert guest.line.closed is not None
    assert guest.line.closed[0] == 1003
    assert room.log_seq == log_seq


def test_a_login_that_comes_too_late_finds_the_connection_ended(room: Room) -> None:
    silent, quick, wrong = room.guest(), room.guest(ANN), room.guest()
    wrong.says("req_login", user_name=ANN.name, password="wrong")
    room.passes(60)
    assert silent.line.closed == wrong.line.closed == (1008, "no login came in time")
    assert quick.line.closed is None


def test_the_check_of_a_password_may_take_longer_than_a_login_may_be_late(room: Room) -> None:
    guest = room.guest()
    guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": ANN.secret}))
    room.life.pass_time(60)
    assert guest.line.closed is None
    room.settle()
    assert guest.conversation.user == ANN.user


def test_a_login_whose_client_has_left_leads_nowhere(room: Room) -> None:
    for secret in (ANN.secret, "wrong"):
        guest = room.guest()
        guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": secret}))
        guest.leaves()
        room.settle()
        assert guest.frames() == []
        assert guest.conversation.user is None


def test_a_notice_from_before_a_login_does_not_come_in_between(room: Room) -> None:
    """A peek waits, a notice is due, a password is being checked, and the client begins to read again."""
    guest = room.guest().peeks()
    guest.stops_reading()
    guest.hears(b'{"aid":"abracadabra"}')
    guest.hears(orjson.dumps({"aid": "req_login", "user_name": ANN.name, "password": ANN.secret}))
    guest.reads_again()
    assert notices(guest.frames()) == [Code.UNKNOWN_AID]
    room.settle()
    assert notices(guest.frames()) == [Code.LOGIN_OK]


def test_the_newest_notices_are_kept_for_whoever_does_not_ask(room: Room) -> None:
    guest = room.guest(ANN)
    for number in range(NOTICES_MAX + 5):
        guest.hears(b'{"aid":"set_chart","chart_id":"%d"}' % number)
    frame = guest.peeks().frame()
    assert len(frame["data"]) == NOTICES_MAX
    contents = [notice["content"] for patch in frame["data"] for notice in patch["notify"].values()]
    assert "Chart 5:" in contents[0]
    assert f"Chart {NOTICES_MAX + 4}:" in contents[-1]


def test_too_many_subscriptions_change_nothing(room: Room) -> None:
    guest = room.guest(ANN).says("subscribe_quote", ins_list="SIM.a1").peeks()
    guest.frames()
    guest.peeks()
    names = ",".join(f"SIM.x{number}" for number in range(SUBSCRIPTIONS_MAX + 1))
    guest.says("subscribe_quote", ins_list=names)
    assert_one_notice(guest, Code.TOO_MANY_SUBSCRIPTIONS)
    assert guest.conversation.subscriptions == ["SIM.a1"]


def test_a_name_may_come_twice_but_not_without_end(room: Room) -> None:
    guest = room.guest(ANN).peeks().says("subscribe_quote", ins_list=",".join(["SIM.a1"] * NAMES_MAX))
    assert guest.frame()["data"][-1] == {"ins_list": "SIM.a1"}
    guest.peeks().says("subscribe_quote", ins_list="," * NAMES_MAX)
    assert_one_notice(guest, Code.TOO_MANY_SUBSCRIPTIONS)
    assert guest.conversation.subscriptions == ["SIM.a1"]


def test_a_subscription_of_nonsense_is_answered_shortly(room: Room) -> None:
    guest = room.guest(ANN).peeks().says("subscribe_quote", ins_list=", ,,SIM.a1 ," + "x" * 60_000)
    frame = guest.frame()
    assert notices([frame]) == [Code.UNKNOWN_SUBSCRIPTION]
    assert len(orjson.dumps(frame["data"][0])) <= CONTENT_CHARACTERS_MAX
    assert frame["data"][-1] == {"ins_list": "SIM.a1"}


def test_confirming_a_settlement_and_a_new_password_are_taken(room: Room) -> None:
    guest = room.guest(ANN).peeks().says("confirm_settlement")
    assert guest.frames() == []
    guest.says("change_password", old_password="a", new_password="b")
    assert notices(guest.frames()) == [Code.PASSWORD_CHANGED]


def test_a_ping_is_answered_at_once_even_if_nobody_reads(room: Room) -> None:
    guest = room.guest()
    guest.stops_reading()
    guest.hears(b'{"aid":"ping"}')
    assert guest.frame() == {"aid": "pong"}

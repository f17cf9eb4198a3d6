"""A notice about an order's message says which one it answers, so that its sender need not guess."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
import pytest

from exchange.decider import PoisonCommandError, execute
from exchange.domain.commands import CancelOrder, Command, Deposit, InsertOrder
from exchange.domain.values import Money
from exchange.gateway.access import Role
from exchange.gateway.messages import NAME_CHARACTERS_MAX
from exchange.gateway.notices import Code
from exchange.server import sequencer
from tests.gateway.test_roles import guest_as
from tests.simulation.dialects import FLAT, GUIDE
from tests.simulation.room import ANN, BOB, Guest, Room, order


@pytest.fixture
def room() -> Room:
    return Room()


def told(guest: Guest) -> dict[str, Any]:
    """The one notice that came."""
    (notice,) = [each for frame in guest.frames() for patch in frame["data"] for each in _notices_of(patch)]
    return notice


def _notices_of(patch: dict[str, Any]) -> list[dict[str, Any]]:
    return list((patch.get("notify") or {}).values())


def answered(guest: Guest) -> tuple[Code, str | None, str | None]:
    """Its code, and the message and the order that it answers."""
    notice = told(guest)
    return Code(notice["code"]), notice.get("aid"), notice.get("order_id")


def fill_up(room: Room) -> None:
    """Have so much wait for the disk that no order is taken."""
    while room.life.sequencer.refused_busy == 0:
        room.life.sequencer.submit(Deposit(account_id=BOB.account_id, amount=Money(1)), actor="operator", origin="test")


REFUSED_BEFORE_THE_LOG: Final[dict[str, tuple[dict[str, Any], Code]]] = {
    "another user": ({"user_id": BOB.name}, Code.OTHER_USER),
    "a misspelt word": ({"direction": "BUYY"}, Code.WRONG_FIELD),
    "a price beyond all": ({"limit_price": 10**10}, Code.WRONG_FIELD),
}


@pytest.mark.parametrize("name", REFUSED_BEFORE_THE_LOG)
@pytest.mark.parametrize("dialect", [GUIDE, FLAT], ids=["guide", "flat"])
def test_an_order_refused_before_the_log_is_named(room: Room, name: str, dialect: Any) -> None:
    fields, code = REFUSED_BEFORE_THE_LOG[name]
    guest = room.guest(ANN, dialect=dialect.dialect).peeks().orders("mine", **fields)
    assert answered(guest) == (code, "insert_order", "mine")


@pytest.mark.parametrize("refuse", [fill_up, lambda room: room.life.sequencer.stop()], ids=["busy", "stopped"])
def test_an_order_not_taken_is_named(room: Room, refuse: Callable[[Room], None]) -> None:
    guest = room.guest(ANN).peeks()
    refuse(room)
    assert answered(guest.orders("mine"))[1:] == ("insert_order", "mine")


def test_an_order_of_somebody_who_may_not_is_named(room: Room) -> None:
    assert answered(guest_as(room, Role.OBSERVER).orders("mine")) == (Code.ROLE_MAY_NOT, "insert_order", "mine")
    assert answered(room.guest().peeks().orders("mine")) == (Code.NOT_LOGGED_IN, "insert_order", "mine")


def test_a_refused_cancel_names_its_order_and_that_it_was_a_cancel(room: Room) -> None:
    guest = room.guest(ANN).peeks().says("cancel_order", order_id="mine")
    assert answered(guest) == (Code.UNKNOWN_ORDER, "cancel_order", "mine")
    guest.peeks().says("cancel_order", order_id="mine", user_id=BOB.name)
    assert answered(guest) == (Code.OTHER_USER, "cancel_order", "mine")


def test_an_order_refused_in_the_log_is_named(room: Room) -> None:
    guest = room.guest(ANN).peeks().orders("mine", volume=0)
    assert answered(guest) == (Code.ORDER_LOTS, "insert_order", "mine")
    guest.peeks().orders("")
    guest.peeks().orders("", volume=0)
    code, aid, order_id = answered(guest)
    assert (code, aid, order_id is not None and order_id.startswith("~")) == (Code.ORDER_LOTS, "insert_order", True)


@pytest.mark.parametrize("poison", [InsertOrder, CancelOrder])
def test_a_poison_order_is_named(room: Room, monkeypatch: pytest.MonkeyPatch, poison: type[Command]) -> None:
    """It is in no picture, so that nothing but the notice tells."""

    def fail(state: Any, command: Command, at_ns: int) -> Any:
        if isinstance(command, poison):
            raise PoisonCommandError
        return execute(state, command, at_ns)

    monkeypatch.setattr(sequencer, "execute", fail)
    guest = room.guest(ANN).peeks()
    aid = "insert_order" if poison is InsertOrder else "cancel_order"
    guest.says(aid, **(order("mine") if poison is InsertOrder else {"order_id": "mine"}))
    assert answered(guest) == (Code.POISON, aid, "mine")


@pytest.mark.parametrize("order_id", [b"17", b"null", b'""', b'"' + b"x" * (NAME_CHARACTERS_MAX + 1) + b'"'], ids=str)
def test_what_is_no_order_id_is_not_repeated(room: Room, order_id: bytes) -> None:
    guest = room.guest(ANN).peeks()
    fields = {name: value for name, value in order("1").items() if name != "order_id"} | {"volume": "one"}
    guest.hears(orjson.dumps({"aid": "insert_order"} | fields)[:-1] + b',"order_id":%b}' % order_id)
    assert answered(guest) == (Code.WRONG_FIELD, None, None)


def test_a_notice_that_answers_no_order_names_none(room: Room) -> None:
    guest = room.guest(ANN).peeks().says("abracadabra", order_id="mine")
    assert answered(guest) == (Code.UNKNOWN_AID, None, None)

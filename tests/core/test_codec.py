"""What is written in a log stays readable, to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Struct

from exchange.codec import COMMANDS, EVENTS, Codec, Encoded, UnknownTypeError, stream_of
from exchange.domain.commands import Command
from exchange.domain.events import AccountOpened, CommandRefused, Event
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId
from tests.support.commands import ask, buy, cancel, open_account, sell
from tests.support.decider import given
from tests.support.market import RB

WRITTEN = [
    line.split(" ", 3) for line in (Path(__file__).parent / "log_format.txt").read_text(encoding="utf-8").splitlines()
]
"""(command or event, type, version, body) of every type in every version that was ever written."""


@pytest.mark.parametrize(("what", "type_name", "version", "body"), WRITTEN, ids=[" ".join(w[:3]) for w in WRITTEN])
def test_what_was_written_is_read_and_written_the_same(what: str, type_name: str, version: str, body: str) -> None:
    """A new version of a type adds a line to the file and an upcaster; no line ever changes."""
    codec: Codec[Any] = EVENTS if what == "event" else COMMANDS
    value = codec.decode(type_name, int(version), body.encode())
    assert type(value).__name__ == type_name
    assert codec.encode(value) == Encoded(type_name, int(version), body.encode())


def test_every_type_is_among_what_was_written() -> None:
    assert {name for what, name, _, _ in WRITTEN if what == "event"} == {each.__name__ for each in get_args(Event)}
    assert {name for what, name, _, _ in WRITTEN if what == "command"} == {each.__name__ for each in get_args(Command)}


def test_every_field_is_written() -> None:
    """So that a field added with a default does not slip into a version that was written without it."""
    for what, type_name, _, body in WRITTEN:
        kinds = get_args(Event) if what == "event" else get_args(Command)
        (kind,) = (each for each in kinds if each.__name__ == type_name)
        assert tuple(msgspec.json.decode(body)) == kind.__struct_fields__


@pytest.mark.parametrize(("type_name", "version"), [("AccountClosed", 1), ("AccountOpened", 2), ("AccountOpened", 0)])
def test_what_a_newer_release_wrote_is_not_guessed(type_name: str, version: int) -> None:
    with pytest.raises(UnknownTypeError, match=f"{type_name} in version {version}.*install a newer one"):
        EVENTS.decode(type_name, version, b'{"account_id":"a"}')


@pytest.mark.parametrize("body", [b"{}", b'{"account_id":5}', b'{"account_id":"a"', b""])
def test_damaged_bytes_are_an_error(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        EVENTS.decode("AccountOpened", 1, body)


class Shelved(Struct, frozen=True):
    """A third version of what was once `title` alone, then `title` and `place`."""

    title: str
    shelf: int
    row: int


def test_older_versions_are_lifted_step_by_step() -> None:
    codec: Codec[Shelved] = Codec(
        (Shelved,),
        versions={"Shelved": 3},
        upcasters={
            ("Shelved", 1): lambda fields: {**fields, "place": "0/0"},
            ("Shelved", 2): lambda fields: {
                "title": fields["title"],
                "shelf": int(fields["place"].split("/")[0]),
                "row": int(fields["place"].split("/")[1]),
            },
        },
    )
    assert codec.decode("Shelved", 1, b'{"title":"Emma"}') == Shelved("Emma", 0, 0)
    assert codec.decode("Shelved", 2, b'{"title":"Emma","place":"4/2"}') == Shelved("Emma", 4, 2)
    assert codec.decode("Shelved", 3, b'{"title":"Emma","shelf":4,"row":2}') == Shelved("Emma", 4, 2)
    assert codec.encode(Shelved("Emma", 4, 2)) == Encoded("Shelved", 3, b'{"title":"Emma","shelf":4,"row":2}')


def test_each_event_belongs_to_a_stream() -> None:
    scenario = given(open_account("A"), ask("m1", 3600, instrument=RB)).when(
        buy("a1", 3600, 2, account="A", instrument=RB),
        cancel("a1", "A"),
        cancel("a1", "A"),
        sell("a2", 1, account="A"),
        buy("a1", 3600, 2, account="A", instrument=RB),
    )
    assert [f"{type(each).__name__} {stream_of(each)}" for each in scenario.outcome] == [
        "OrderAccepted account/A",
        "TradeExecuted instrument/SHFE.rb2701",
        "OrderCancelled account/A",
        "CommandRefused account/A",
        "OrderRefused account/A",
        "OrderRepeated account/A",
    ]
    assert stream_of(AccountOpened(account_id=AccountId("A"))) == "account/A"
    assert stream_of(scenario.entries[0][2][0]) == "instrument/TEST.t1"
    nobodys = CommandRefused(
        command="RegisterInstrument",
        account_id=AccountId(""),
        subject="x",
        reason=RejectReason.INSTRUMENT_EXISTS,
        facts={},
    )
    assert stream_of(nobodys) == "market"

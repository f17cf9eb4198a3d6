"""`exchange replay`: the same log gives the same state, and the same commands the same events."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from eventstore.sqlite import SqliteStore
from exchange.codec import Codec
from exchange.decider import decide
from exchange.domain.commands import Deposit
from exchange.domain.events import Deposited, Event
from exchange.domain.values import AccountId, Money
from exchange.server.data_folder import DataFolder
from tests.cli.harness import HEAD, HISTORY, History, document, invoke
from tests.eventstore.tampering import flip
from tests.support.commands import open_account

DEPOSIT = Deposit(account_id=AccountId("A1"), amount=Money(5))


def failing(*arguments: object) -> tuple[dict[str, Any], str]:
    """The document and the error of a replay that must not succeed."""
    result = invoke("replay", *arguments, "--json")
    assert result.exit_code == 1, result.output
    return json.loads(result.stdout), result.stderr


@pytest.fixture
def other_events(tmp_path: Path) -> Path:
    """A log whose last entry says that a deposit of 5 brought 6, and then has an event too many."""
    folder = DataFolder(tmp_path)
    store = SqliteStore(folder.log_db)
    history = History(store)
    opening = open_account("A1", 100)
    history.append("system", opening, history.decide(opening))
    (event,) = history.decide(DEPOSIT)
    assert isinstance(event, Deposited)
    history.append("system", DEPOSIT, [msgspec.structs.replace(event, amount=Money(6))])
    store.close()
    return tmp_path


def test_folding_and_deciding_anew_give_one_state(data: Path) -> None:
    folded = document("replay", "--data", data)
    decided = document("replay", "--verify", "--data", data)
    assert folded["state_hash"] == decided["state_hash"]
    assert (folded["redecided"], decided["redecided"]) == (False, True)
    for replayed in (folded, decided):
        assert replayed["ok"] is True
        assert (replayed["log_seq"], replayed["events"], replayed["commands"]) == (HEAD, HEAD, len(HISTORY))
        assert replayed["state_hashes_compared"] == len(HISTORY)
        assert replayed["events_per_second"] > 0


def test_the_text_says_what_was_done(data: Path) -> None:
    assert f"events        {HEAD} folded" in invoke("replay", "--data", data).stdout
    assert "all decided anew, equal byte for byte" in invoke("replay", "--verify", "--data", data).stdout


def test_until_stops_at_the_end_of_an_entry(data: Path) -> None:
    whole = document("replay", "--data", data, "--until", "7")
    inside = document("replay", "--data", data, "--until", "8")
    assert (whole["log_seq"], inside["log_seq"]) == (7, 7)
    assert whole["state_hash"] == inside["state_hash"] != document("replay", "--data", data)["state_hash"]
    assert document("replay", "--data", data, "--until", "0")["log_seq"] == 0


def test_until_behind_the_end_is_told(data: Path) -> None:
    result = invoke("replay", "--data", data, "--until", HEAD + 1)
    assert result.exit_code == 1
    assert f"the end of the log, which is log_seq {HEAD}" in result.stderr


def test_other_events_than_the_command_gives_are_found(other_events: Path) -> None:
    found, error = failing("--verify", "--data", other_events)
    difference = found["difference"]
    assert (found["ok"], difference["log_seq"]) == (False, 3)
    assert (difference["expected"]["payload"]["amount"], difference["found"]["payload"]["amount"]) == (5, 6)
    assert "first difference at log_seq 3" in error
    assert 'expected: Deposited version 1 on account/A1: {"account_id":"A1","amount":5}' in error


def test_folding_alone_finds_them_by_the_stored_state_hash(other_events: Path) -> None:
    found, error = failing("--data", other_events)
    assert found["difference"]["what"] == "the hash of the state after it"
    assert found["difference"]["expected"] != found["difference"]["found"]
    assert "first difference at log_seq 3" in error


@pytest.mark.parametrize(
    ("stored", "expected", "found"),
    [(slice(0, 1), "Deposited", None), (slice(0, None, 2), "Deposited", "Deposited"), (slice(0, 3), None, "Deposited")],
)
def test_too_few_and_too_many_events_are_found(
    tmp_path: Path, stored: slice, expected: str | None, found: str | None
) -> None:
    """Opening an account with money leaves two events; the log has one, another one, or three."""
    store = SqliteStore(DataFolder(tmp_path).log_db)
    history = History(store)
    opening = open_account("A1", 100)
    events: list[Event] = [*history.decide(opening), Deposited(account_id=AccountId("A1"), amount=Money(7))]
    history.append("system", opening, events[stored])
    store.close()
    document, _ = failing("--verify", "--data", tmp_path)
    difference = document["difference"]
    sides = [side and side["type"] for side in (difference["expected"], difference["found"])]
    assert sides == [expected, found]
    assert difference["log_seq"] == (3 if stored == slice(0, 3) else 2)


def test_a_poison_command_is_refused_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was refused since deciding it failed gives the same refusal for as long as deciding it fails."""

    def failing_decide(state: Any, command: Any, at_ns: int) -> tuple[Event, ...]:
        if isinstance(command, Deposit):
            raise ZeroDivisionError
        return decide(state, command, at_ns)

    # By its module: as an attribute of the package the name is the function's.
    monkeypatch.setattr(sys.modules["exchange.decider.decide"], "decide", failing_decide)
    data = tmp_path / "data"
    assert invoke("user", "add", "alice", "--password", "pw", "--data", data).exit_code == 0
    refused = invoke("deposit", "alice", "5", "--data", data)
    assert refused.exit_code == 3
    assert "The exchange failed on this request" in refused.stderr
    assert document("replay", "--verify", "--data", data)["ok"] is True
    monkeypatch.undo()
    found, _ = failing("--verify", "--data", data)
    sides = [found["difference"][side]["type"] for side in ("expected", "found")]
    assert sides == ["Deposited", "CommandRefused"]


def test_an_event_that_fits_no_state_is_named(tmp_path: Path) -> None:
    store = SqliteStore(DataFolder(tmp_path).log_db)
    History(store).append("system", DEPOSIT, [Deposited(account_id=AccountId("A1"), amount=Money(5))])
    store.close()
    result = invoke("replay", "--data", tmp_path)
    assert result.exit_code == 1
    assert "the entry of log_seq 1 to 1 (Deposit) does not fit the state before it" in result.stderr


def test_a_changed_byte_stops_the_replay(data: Path) -> None:
    flip(DataFolder(data).log_db, "command", "body", "first_log_seq = 8")
    result = invoke("replay", "--verify", "--data", data)
    assert result.exit_code == 1
    assert "damaged at log_seq 8" in result.stderr


def test_an_event_in_an_older_form_is_the_same_event(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later release writes Deposited in version 2: the stored bytes differ from its own, the event does not."""

    def upcast(fields: dict[str, Any]) -> dict[str, Any]:
        return {"account_id": fields["account_id"], "amount": fields["amount"] + brought}

    later = Codec[Event](get_args(Event), {"Deposited": 2}, {("Deposited", 1): upcast})
    monkeypatch.setattr("exchange.cli.redecide.EVENTS", later)
    brought = 0
    assert document("replay", "--verify", "--data", data)["ok"] is True
    brought = 1
    found, _ = failing("--verify", "--data", data)
    sides = [found["difference"][side]["version"] for side in ("expected", "found")]
    assert (found["difference"]["log_seq"], sides) == (4, [2, 1])

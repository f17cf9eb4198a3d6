"""The one writer: what it takes, in which order, when it answers, and what it does when something goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest

from eventstore.model import NewEntry, StoreClosedError
from exchange.codec import COMMANDS, EVENTS
from exchange.decider import ExchangeState, StateHash
from exchange.domain.commands import Command, Deposit, OpenAccount, RegisterInstrument
from exchange.domain.events import CommandRefused, Deposited
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, Money
from exchange.server import sequencer as sequencer_module
from exchange.server.sequencer import DurableEntry, NotTaken, Sequencer
from tests.support.commands import bid, cancel, open_account
from tests.support.market import TOY

decide_module = import_module("exchange.decider.decide")  # the package's name `decide` is the function
WAITING_MAX = 8
FOR_CANCELS = 3
DEPOSIT = Deposit(account_id=AccountId("M"), amount=Money(5))


class Log:
    """An appender that keeps what it is given."""

    def __init__(self) -> None:
        self.entries: list[NewEntry] = []
        self.state_hashes: list[bytes | None] = []
        self.failure: Exception | None = None

    def submit(self, entry: NewEntry, state_hash: bytes | None = None) -> None:
        if self.failure is not None:
            raise self.failure
        self.entries.append(entry)
        self.state_hashes.append(state_hash)


class Desk:
    """A sequencer with all that it is wired to, and what came out of it, in order."""

    def __init__(self, *, log_seq: int = 0, at_ns: int = 0, state: ExchangeState | None = None) -> None:
        self.state = state or ExchangeState()
        self.state_hash = StateHash(self.state)
        self.log = Log()
        self.now_ns = 100
        self.came_out: list[Any] = []
        self.broken: list[Exception] = []
        self.sequencer = Sequencer(
            self.state,
            self.state_hash,
            log_seq=log_seq,
            at_ns=at_ns,
            clock_ns=lambda: self.now_ns,
            publish=self._publish,
            waiting_max=WAITING_MAX,
            waiting_for_cancels=FOR_CANCELS,
            broken=self.broken.append,
        )
        self.sequencer.start(self.log)

    def _publish(self, entries: Sequence[DurableEntry]) -> None:
        self.came_out += [("published", entry.first_log_seq, entry.last_log_seq) for entry in entries]

    def submit(self, command: Command, name: str = "") -> NotTaken | None:
        return self.sequencer.submit(
            command,
            actor="M",
            client_id=name,
            origin="test",
            answer=lambda entry: self.came_out.append(("answered", name, entry.last_log_seq)),
        )

    def events(self) -> int:
        """Events that were handed to the log."""
        return sum(len(entry.events) for entry in self.log.entries)


@pytest.fixture
def desk() -> Desk:
    """With a contract and an account, and nothing waiting."""
    desk = Desk()
    desk.submit(RegisterInstrument(terms=TOY))
    desk.submit(open_account("M"))
    desk.sequencer.durable(desk.events())
    desk.came_out.clear()
    return desk


# --- Numbers, times, answers ------------------------------------------------------------------------------------------


def test_entries_are_numbered_on_from_where_the_log_ends() -> None:
    desk = Desk(log_seq=40)
    desk.submit(open_account("M"), "one")
    desk.submit(open_account("M"), "two")
    desk.sequencer.durable(43)
    assert desk.came_out == [
        ("published", 41, 42),  # opened, and paid in
        ("published", 43, 43),  # refused
        ("answered", "one", 42),
        ("answered", "two", 43),
    ]
    assert desk.sequencer.durable_log_seq == 43


def test_an_entry_holds_the_command_and_its_events_as_they_were(desk: Desk) -> None:
    command = bid("b1", 100)
    desk.sequencer.submit(command, actor="M", client_id="b1", origin="ws/7")
    entry = desk.log.entries[-1]
    assert (entry.actor, entry.client_id, entry.origin, entry.at_ns) == ("M", "b1", "ws/7", 100)
    assert COMMANDS.decode(entry.type, entry.version, entry.body) == command
    (event,) = entry.events
    assert (event.stream, event.type) == ("account/M", "OrderAccepted")


def test_nothing_is_published_or_answered_before_it_is_durable(desk: Desk) -> None:
    before = desk.events()
    for name in ("a", "b", "c"):
        assert desk.submit(DEPOSIT, name) is None
    assert desk.came_out == []
    assert desk.sequencer.waiting == 3
    desk.sequencer.durable(before + 2)
    assert [name for what, name, *_ in desk.came_out if what == "answered"] == ["a", "b"]
    assert [what for what, *_ in desk.came_out] == ["published", "published", "answered", "answered"]
    assert desk.sequencer.waiting == 1


def test_the_state_is_ahead_of_the_log_by_what_waits(desk: Desk) -> None:
    desk.submit(bid("b1", 100))
    desk.submit(cancel("b1", account="M"))
    (event,) = desk.log.entries[-1].events
    assert event.type == "OrderCancelled"


def test_the_time_never_falls(desk: Desk) -> None:
    for now_ns in (200, 150, 50, 201):
        desk.now_ns = now_ns
        desk.submit(DEPOSIT)
    assert [entry.at_ns for entry in desk.log.entries[-4:]] == [200, 200, 200, 201]


def test_the_time_goes_on_from_the_last_entry_of_the_log() -> None:
    desk = Desk(at_ns=1_000)
    desk.submit(open_account("M"))
    assert desk.log.entries[0].at_ns == 1_000


# --- Bounds -----------------------------------------------------------------------------------------------------------


def test_a_full_exchange_is_busy_and_keeps_a_reserve_for_cancels(desk: Desk) -> None:
    for _ in range(WAITING_MAX - FOR_CANCELS):
        assert desk.submit(DEPOSIT) is None
    assert desk.submit(DEPOSIT) is NotTaken.BUSY
    assert desk.submit(bid("b1", 100)) is NotTaken.BUSY
    for _ in range(FOR_CANCELS):
        assert desk.submit(cancel("none")) is None
    assert desk.submit(cancel("none")) is NotTaken.BUSY
    assert desk.sequencer.waiting == WAITING_MAX
    assert desk.sequencer.refused_busy == 3


def test_what_a_busy_exchange_refused_leaves_no_trace_and_may_come_again(desk: Desk) -> None:
    while desk.submit(DEPOSIT) is None:
        pass
    entries, state_hash = len(desk.log.entries), desk.state_hash.value()
    assert desk.submit(bid("b1", 100)) is NotTaken.BUSY
    assert (len(desk.log.entries), desk.state_hash.value()) == (entries, state_hash)
    desk.sequencer.durable(desk.events())
    assert desk.submit(bid("b1", 100)) is None
    assert desk.log.entries[-1].events[0].type == "OrderAccepted"


# --- The end ----------------------------------------------------------------------------------------------------------


def test_nothing_is_taken_before_the_start_or_after_the_stop(desk: Desk) -> None:
    desk.submit(DEPOSIT, "before")
    desk.sequencer.stop()
    assert desk.submit(DEPOSIT, "after") is NotTaken.STOPPED
    desk.sequencer.durable(desk.events())
    assert [what for what, *_ in desk.came_out] == ["published", "answered"]


def test_after_a_failed_append_nothing_is_published_answered_or_taken(desk: Desk) -> None:
    desk.submit(DEPOSIT, "unknown")
    desk.submit(DEPOSIT, "unknown too")
    assert desk.sequencer.failed() == 2
    assert desk.submit(DEPOSIT) is NotTaken.STOPPED
    assert desk.came_out == []
    assert desk.sequencer.waiting == 0


def test_what_became_durable_before_the_failure_is_published(desk: Desk) -> None:
    before = desk.events()
    desk.submit(DEPOSIT, "durable")
    desk.submit(DEPOSIT, "unknown")
    desk.sequencer.durable(before + 1)
    assert desk.sequencer.failed() == 1
    assert desk.came_out == [("published", before + 1, before + 1), ("answered", "durable", before + 1)]


def test_an_append_that_failed_without_our_knowing_stops_as_well(desk: Desk) -> None:
    """The writer's thread knows of its failure a moment before the loop does."""
    before = desk.events()
    desk.submit(DEPOSIT, "before")
    desk.log.failure = StoreClosedError("the log's writer stopped")
    assert desk.submit(DEPOSIT, "meanwhile") is NotTaken.STOPPED
    desk.log.failure = None
    assert desk.submit(DEPOSIT, "later") is NotTaken.STOPPED
    desk.sequencer.durable(before + 1)
    assert [name for what, name, *_ in desk.came_out if what == "answered"] == ["before"]
    assert desk.sequencer.failed() == 0


# --- Errors of our own ------------------------------------------------------------------------------------------------


def test_a_poison_command_is_refused_in_the_log_and_the_exchange_lives(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state_hash = desk.state_hash.value()
    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr(decide_module, "insert_order", lambda state, command, at_ns: 1 / 0)
        assert desk.submit(bid("b1", 100), "poison") is None
    assert "ZeroDivisionError" in caplog.text
    (recorded,) = desk.log.entries[-1].events
    event = EVENTS.decode(recorded.type, recorded.version, recorded.payload)
    assert isinstance(event, CommandRefused)
    assert (event.reason, event.account_id, event.subject) == (RejectReason.POISON, "M", "b1")
    assert desk.state_hash.value() == state_hash
    assert desk.submit(bid("b1", 100)) is None
    desk.sequencer.durable(desk.events())
    assert ("answered", "poison", desk.events() - 1) in desk.came_out
    assert desk.broken == []


def test_a_broken_invariant_ends_it_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state holds what the log will never have: nothing may be decided on it any more."""
    entries = len(desk.log.entries)

    def fails(state: ExchangeState, event: Deposited) -> None:
        state.accounts[event.account_id].cash.deposit += event.amount
        raise AssertionError("an impossible event")

    with monkeypatch.context() as patched:
        patched.setattr(decide_module, "evolve", fails)
        with pytest.raises(AssertionError, match="an impossible event") as raised:
            desk.submit(DEPOSIT)
    assert desk.broken == [raised.value]
    assert desk.submit(DEPOSIT) is NotTaken.STOPPED
    assert len(desk.log.entries) == entries


# --- The state's hash -------------------------------------------------------------------------------------------------


def test_the_state_s_hash_is_kept_at_every_multiple_of_the_interval(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer_module, "STATE_HASH_INTERVAL", 10)
    resumed = Desk(log_seq=desk.events(), state=desk.state)
    for _ in range(25):
        resumed.submit(DEPOSIT)
        resumed.sequencer.durable(desk.events() + resumed.events())
    due = [desk.events() + place for place, kept in enumerate(resumed.log.state_hashes, 1) if kept is not None]
    assert due == [10, 20]


def test_the_state_s_hash_is_that_after_the_entry_it_comes_with(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer_module, "STATE_HASH_INTERVAL", 4)
    resumed = Desk(log_seq=3)
    resumed.submit(open_account("A"))
    (state_hash,) = resumed.log.state_hashes
    assert state_hash == resumed.state_hash.value()
    other = Desk()
    other.submit(OpenAccount(account_id=AccountId("A"), deposit=Money(1)))
    assert state_hash != other.state_hash.value()

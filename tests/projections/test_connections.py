"""Connections that read when they like, subscribe, drop, come back, and outlive a restart: every mirror is the view."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from projections import user_view
from tests.projections.connection import Connection
from tests.projections.flat_story import FLAT
from tests.projections.law import LawBrokenError
from tests.projections.streams import NAMES, Op, lively_market, ops
from tests.support.views import SmallExchange, folded

LIVES = settings(max_examples=60, stateful_step_count=30)
MANY_LIVES = settings(max_examples=800, stateful_step_count=50)
FIRST_FAILURE = settings(
    max_examples=2_000, stateful_step_count=30, phases=[Phase.generate], report_multiple_bugs=False
)


class Connections(RuleBasedStateMachine):
    """Four connections, two of them of one user."""

    connection: type[Connection] = Connection

    exchange: SmallExchange
    connections: list[Connection]

    @initialize()
    def begin(self) -> None:
        self.exchange = lively_market()
        self.connections = [self.connection(name) for name in (*NAMES, NAMES[0])]
        self.read = dict.fromkeys(range(4), False)

    @rule(stream=st.lists(ops, min_size=1, max_size=8))
    def trade(self, stream: list[Op]) -> None:
        for op in stream:
            self.exchange.run(op.command(self.exchange))
        self.read = dict.fromkeys(range(4), False)

    @rule(which=st.sets(st.integers(0, 3), min_size=1), with_marks=st.booleans())
    def peek(self, which: set[int], with_marks: bool) -> None:
        for each in sorted(which):
            self.connections[each].step(self.exchange.projections, with_marks=with_marks)
            self.read[each] = True

    @rule(which=st.integers(0, 3), wanted=st.sets(st.integers(0, 2)), peeks=st.booleans())
    def subscribe(self, which: int, wanted: set[int], peeks: bool) -> None:
        known = list(self.exchange.projections.market.quotes)
        self.connections[which].subscribe([known[each] for each in sorted(wanted) if each < len(known)])
        self.read[which] = False
        if peeks:
            self.peek({which}, with_marks=True)

    @rule(which=st.integers(0, 3), keeps_mirror=st.booleans())
    def come_back(self, which: int, keeps_mirror: bool) -> None:
        old = self.connections[which]
        kept = (old.mirror, old.version) if keeps_mirror else (None, -1)
        self.connections[which] = self.connection(old.name, *kept)
        self.read[which] = False

    @rule()
    def restart(self) -> None:
        """The server forgets all views and makes them anew from the log; the clients come back."""
        self.exchange.projections = folded(self.exchange.log)
        for which in range(4):
            self.come_back(which, keeps_mirror=True)

    @invariant()
    def mirrors_are_views(self) -> None:
        for which, connection in enumerate(self.connections):
            if self.read[which]:
                connection.demand_mirror_is_view(self.exchange.projections)


class FlatConnection(Connection):
    dialect = FLAT


class FlatConnections(Connections):
    """The same on `/ws/diff`."""

    connection = FlatConnection


TestConnections = Connections.TestCase
TestConnections.settings = LIVES
TestFlatConnections = FlatConnections.TestCase
TestFlatConnections.settings = LIVES

in_every_dialect = pytest.mark.parametrize("connections", [Connections, FlatConnections])


@in_every_dialect
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_lives(connections: type[Connections]) -> None:
    run_state_machine_as_test(connections, settings=MANY_LIVES)


@in_every_dialect
def test_lives_with_little_room_for_history(monkeypatch: pytest.MonkeyPatch, connections: type[Connections]) -> None:
    """Rows leave the views all the time, and who was away for long begins anew in the middle of a connection."""
    monkeypatch.setattr(user_view, "HISTORY_MAX", 3)
    monkeypatch.setattr(user_view, "GONE_MAX", 2)
    run_state_machine_as_test(connections, settings=LIVES)


@pytest.mark.parametrize("mistake", ["marks_may_wait", "one_cursor_for_all", "keeps_dropped_quotes"])
@pytest.mark.parametrize("connection", [Connection, FlatConnection])
def test_a_mistake_of_the_connection_is_seen(connection: type[Connection], mistake: str) -> None:
    run_to_the_first_failure(type("Mistaken", (connection,), {mistake: True}))


@pytest.mark.parametrize("connection", [Connection, FlatConnection])
def test_a_full_step_that_forgets_the_quotes_is_seen(
    monkeypatch: pytest.MonkeyPatch, connection: type[Connection]
) -> None:
    monkeypatch.setattr(user_view, "HISTORY_MAX", 2)
    monkeypatch.setattr(user_view, "GONE_MAX", 1)
    run_to_the_first_failure(type("Mistaken", (connection,), {"full_forgets_quotes": True}))


def run_to_the_first_failure(mistaken: type[Any]) -> None:
    machine = type("MistakenConnections", (Connections,), {"connection": mistaken})
    with pytest.raises(LawBrokenError):
        run_state_machine_as_test(machine, settings=FIRST_FAILURE)

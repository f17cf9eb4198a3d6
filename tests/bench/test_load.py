"""The load generator against the echo server, and what it makes of latencies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from exchange.bench.load import cpu_seconds, percentiles
from exchange.bench.plan import NUMBER, ClientPlan, LoadPlan, Step
from exchange.bench.processes import BenchError, Server, run_load, running_echo


@pytest.fixture(scope="module")
def echo() -> Iterator[Server]:
    with running_echo() as server:
        yield server


CYCLE = (Step(kind="even", text=f"{NUMBER} even"), Step(kind="odd", text=f"the odd one has number {NUMBER}"))


def load_on(server: Server, **changes: Any) -> LoadPlan:
    return LoadPlan(
        **server._asdict(),
        **{
            "path": "/ws",
            "clients": (ClientPlan(cycle=CYCLE),) * 3,
            "in_flight": 2,
            "warm_up_s": 0.05,
            "measure_s": 0.2,
            "messages_max": 1_000_000,
        }
        | changes,
    )


def test_every_message_of_every_kind_is_answered_and_timed(echo: Server) -> None:
    measured = run_load(load_on(echo))
    assert measured.latencies.keys() == {"even", "odd"}
    assert measured.messages == measured.answers > 100
    assert 0.2 <= measured.seconds < 2
    assert 0 < measured.busy <= 1.1
    for latencies in measured.latencies.values():
        assert 0 < latencies.p50 <= latencies.p90 <= latencies.p99 <= latencies.p999


def test_a_word_tells_how_many_messages_an_answer_answers(echo: Server) -> None:
    """Every second message comes back with the word twice, as if it answered the one before it as well."""
    cycle = (Step(kind="none", text=f"nothing {NUMBER}"), Step(kind="both", text=f"done {NUMBER} done"))
    measured = run_load(load_on(echo, clients=(ClientPlan(cycle=cycle),), shows="done"))
    assert measured.messages == pytest.approx(measured.answers, abs=2)
    assert measured.latencies["none"].p50 >= measured.latencies["both"].p50


def test_the_load_ends_at_its_bound(echo: Server) -> None:
    measured = run_load(load_on(echo, warm_up_s=0.0, measure_s=20.0, messages_max=100))
    assert measured.messages == 100
    assert measured.seconds < 10


def test_a_client_that_only_prepares_leaves_before_the_load(echo: Server) -> None:
    clients = (ClientPlan(first=("one", "two")), ClientPlan(first=("three",), cycle=CYCLE))
    measured = run_load(load_on(echo, clients=clients))
    assert measured.messages > 100


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fails": ("odd one",)}, "an answer holds odd one"),
        ({"path": "/nothing"}, "the upgrade was refused"),
        ({"clients": (ClientPlan(login="hello", cycle=CYCLE),), "welcome": "welcome"}, "the login was refused"),
        ({"measure_s": 5.0, "warm_up_s": 5.0, "messages_max": 10}, "before the measured time began"),
    ],
)
def test_a_load_that_did_something_else_fails(echo: Server, changes: dict[str, object], said: str) -> None:
    with pytest.raises(BenchError, match=said):
        run_load(load_on(echo, **changes))


def test_percentiles_are_those_that_so_many_do_not_exceed() -> None:
    found = percentiles(number * 1_000 for number in range(1_000, 0, -1))
    assert (found.p50, found.p90, found.p99, found.p999) == (500, 900, 990, 999)
    assert percentiles([7_000]).p50 == percentiles([7_000]).p999 == 7


def test_the_cores_that_a_process_used_are_counted() -> None:
    used = cpu_seconds(os.getpid())
    assert used == pytest.approx(sum(os.times()[:2]), abs=0.1) or used == 0
    assert cpu_seconds(2**30) == 0

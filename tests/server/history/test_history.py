"""Views at any place: what the live views and the worker tell is what somebody who was there would have seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from eventstore.memory import MemoryReader
from eventstore.model import Durability, RecordedEntry
from eventstore.sqlite import SqliteStore
from eventstore.sqlite_reader import open_reader
from exchange.domain.values import YUAN, AccountId, InstrumentId
from exchange.gateway.surroundings import User
from exchange.server.history.folds import IsLate
from exchange.server.history.history import History, NotListedError, VersionAheadError, VersionOrderError
from exchange.server.history.pictures import step_since
from exchange.server.history.process import Worker, WorkerProcess, WorkerThread
from exchange.server.history.questions import (
    AskBook,
    AskRows,
    AskSnapshot,
    AskStep,
    DialectName,
    Late,
    Question,
    RowsWanted,
    Told,
    ViewName,
)
from exchange.server.history.worker import Historian
from projections.fold import Projections
from projections.merge_patch import same_json
from projections.user_view import GONE_MAX, HISTORY_MAX
from tests.projections.streams import Op
from tests.support.history import (
    ANN,
    BOB,
    CAROL,
    DIALECTS,
    INSTRUMENTS,
    led,
    memory_log,
    memory_reader,
    new_entries,
    played,
    random_ops,
    tree_at,
    trees_at_every_number,
)
from tests.support.views import STEP_NS, SmallExchange

NAMES: tuple[DialectName, ...] = ("guide", "flat")


def never() -> bool:
    return False


def view_of(user: User = ANN, dialect: DialectName = "guide", instruments: tuple[InstrumentId, ...] = ()) -> ViewName:
    return ViewName(account_id=user.account_id, user=user.name, dialect=dialect, instruments=instruments)


def told(historian: Historian, question: Question, is_late: IsLate = never) -> Told:
    answer = historian.answer(question, is_late)
    assert isinstance(answer, Told), f"{question} was answered {answer}"
    return answer


@asynccontextmanager
async def history_of(
    exchange: SmallExchange, worker: Worker | None = None, *, timeout_s: float = 60.0
) -> AsyncIterator[History]:
    """The history of a finished exchange, in a thread unless a worker is given."""
    if worker is None:
        disk = memory_log(exchange)
        worker = WorkerThread(lambda: MemoryReader(disk), "zh")
    projections = exchange.projections
    history = History(projections, worker, log_id="L", language="zh", waiting_max=4, timeout_s=timeout_s)
    yield history
    await history.stop()


# --- The law ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("instruments", [(), INSTRUMENTS], ids=["no quotes", "quotes"])
@pytest.mark.parametrize(("user", "seed"), [(ANN, 1), (BOB, 2), (CAROL, 3)], ids=["ann", "bob", "carol"])
def test_the_snapshot_at_n_and_the_step_to_m_make_the_snapshot_at_m(
    user: User, seed: int, instruments: tuple[InstrumentId, ...], dialect: DialectName
) -> None:
    """For all numbers N <= M of a session, those within entries too."""
    exchange = played(random_ops(seed, 30))
    view = view_of(user, dialect, instruments)
    trees = trees_at_every_number(exchange, user, DIALECTS[dialect], instruments)
    historian = Historian(memory_reader(exchange), "zh")
    for after, (_, tree) in enumerate(trees):
        snapshot = told(historian, AskSnapshot(view=view, version=after, at_ns=None))
        assert same_json(orjson.loads(snapshot.content), tree), f"the snapshot at {after}"
        for until in range(after, len(trees)):
            step = told(historian, AskStep(view=view, after=after, until=until))
            version, wanted = trees[until]
            assert step.version == version
            assert same_json(led(tree, b"[%b]" % step.content), wanted), f"the step from {after} to {until}"


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("instruments", [(), INSTRUMENTS], ids=["no quotes", "quotes"])
def test_the_live_views_lead_from_every_number_to_now(
    dialect: DialectName, instruments: tuple[InstrumentId, ...]
) -> None:
    exchange = played(random_ops(4, 25))
    trees = {user: trees_at_every_number(exchange, user, DIALECTS[dialect], instruments) for user in (ANN, BOB, CAROL)}
    projections = Projections()
    for entry in exchange.log:
        projections.apply(entry.first_log_seq, entry.events)
        for user, seen in trees.items():
            view = view_of(user, dialect, instruments)
            for after in range(projections.version + 1):
                step = step_since(projections, view, DIALECTS[dialect], after)
                mirror = led(seen[after][1], orjson.dumps(step.data))
                assert same_json(mirror, seen[projections.version][1]), f"{user.name}: {after} to {entry.version}"


def forgetful() -> SmallExchange:
    """Ann has had so many orders refused that her view remembers neither the first of them nor that they left."""
    exchange = played([])
    refused = Op("refused", number=2)
    for _ in range(HISTORY_MAX + GONE_MAX + 20):
        exchange.run(refused.command(exchange))
    return exchange


@pytest.mark.parametrize("dialect", NAMES)
async def test_where_no_step_leads_to_now_a_full_one_does_and_the_worker_finds_the_difference(
    dialect: DialectName,
) -> None:
    exchange = forgetful()
    words = DIALECTS[dialect]
    after, before_last, head = (entry.version for entry in (exchange.log[10], *exchange.log[-2:]))
    seen = {version: tree_at(exchange, ANN, words, INSTRUMENTS, version) for version in (after, before_last, head)}
    async with history_of(exchange) as history:
        live = await history.step(ANN, dialect, INSTRUMENTS, after=after)
        assert (live.version, live.full) == (head, True)
        assert same_json(led(seen[after], live.data), seen[head])
        past = await history.step(ANN, dialect, INSTRUMENTS, after=after, until=before_last)
        assert (past.version, past.full) == (before_last, False)
        assert same_json(led(seen[after], past.data), seen[before_last])


# --- Places -----------------------------------------------------------------------------------------------------------


async def test_a_time_means_the_last_entry_at_or_before_it() -> None:
    exchange = played(random_ops(5, 20))
    historian = Historian(memory_reader(exchange), "zh")
    trees = trees_at_every_number(exchange, ANN, DIALECTS["guide"])
    for entry, before in zip(reversed(exchange.log), [*reversed(exchange.log[:-1]), None], strict=True):
        for at_ns, version in (
            (entry.at_ns + STEP_NS - 1, entry.version),
            (entry.at_ns, entry.version),
            (entry.at_ns - 1, before.version if before else 0),
        ):
            snapshot = told(historian, AskSnapshot(view=view_of(), version=exchange.version, at_ns=at_ns))
            assert snapshot.version == version
            assert same_json(orjson.loads(snapshot.content), trees[version][1])


async def test_what_is_not_there_yet_or_leads_back_is_refused() -> None:
    exchange = played([])
    head = exchange.version
    async with history_of(exchange) as history:
        with pytest.raises(VersionAheadError, match=f"stands at {head}"):
            await history.snapshot(ANN, version=head + 1)
        with pytest.raises(VersionAheadError):
            await history.step(ANN, after=0, until=head + 1)
        with pytest.raises(VersionAheadError):
            await history.step(ANN, after=head + 1)
        with pytest.raises(VersionOrderError):
            await history.step(ANN, after=3, until=2)
        with pytest.raises(NotListedError, match="at version 0"):
            await history.book(INSTRUMENTS[0], 5, 0)


async def test_the_log_id_is_the_views_and_the_same_everywhere() -> None:
    exchange = played([])
    async with history_of(exchange) as history:
        ids = {(await history.snapshot(user, dialect)).log_id for user in (ANN, BOB) for dialect in NAMES}
        assert len(ids) == 4
        assert (await history.step(ANN, "flat", after=1)).log_id in ids
        assert (await history.snapshot(ANN, "flat", version=2)).log_id in ids


async def test_nothing_new_is_a_step_without_patches() -> None:
    exchange = played([])
    async with history_of(exchange) as history:
        for until in (exchange.version, 4):
            step = await history.step(ANN, after=until, until=until)
            assert (step.version, step.full, step.data) == (until, False, b"[]")


# --- Books ------------------------------------------------------------------------------------------------------------


async def test_a_book_at_any_place_has_every_level_with_its_lots_and_orders() -> None:
    exchange = played(random_ops(6, 60))
    projections = Projections()
    instrument_id = INSTRUMENTS[0]
    deepest = 0
    async with history_of(exchange) as history:
        for entry in exchange.log:
            projections.apply(entry.first_log_seq, entry.events)
            if not projections.market.knows(instrument_id):
                continue
            quote = projections.market.quotes[instrument_id]
            bids, asks = (
                [[level.price / YUAN, level.lots, level.orders] for level in side.best(3)]
                for side in (quote.bids, quote.asks)
            )
            expected = {"version": entry.version, "instrument_id": instrument_id, "bids": bids, "asks": asks}
            assert await history.book(instrument_id, 3, entry.version) == expected
            deepest = max(deepest, len(bids) + len(asks))
        assert await history.book(instrument_id, 3) == await history.book(instrument_id, 3, exchange.version)
    assert deepest >= 4


# --- Workers ----------------------------------------------------------------------------------------------------------


def sqlite_log(exchange: SmallExchange, path: Path) -> SqliteStore:
    store = SqliteStore(path, Durability.OS)
    for entry in new_entries(exchange.log):
        store.append([entry])
    return store


async def test_a_process_a_thread_and_this_test_answer_alike(tmp_path: Path) -> None:
    exchange = played(random_ops(7, 60))
    store = sqlite_log(exchange, tmp_path / "log.db")
    reader = open_reader(tmp_path / "log.db")
    workers: list[Worker] = [WorkerProcess(tmp_path / "log.db", "zh"), WorkerThread(lambda: reader, "zh")]
    wanted = RowsWanted(kind="trades", account_id=ANN.account_id, user=ANN.name, instrument_id=None, status=None)
    questions: list[Question] = [
        AskSnapshot(view=view_of(ANN, "guide", INSTRUMENTS), version=30, at_ns=None),
        AskSnapshot(view=view_of(BOB, "flat"), version=exchange.version, at_ns=exchange.log[12].at_ns),
        AskStep(view=view_of(ANN, "flat", INSTRUMENTS), after=10, until=40),
        AskBook(instrument_id=INSTRUMENTS[0], depth=2, version=20),
        AskRows(wanted=wanted, version=exchange.version, before=(50, ""), count=3),
    ]
    here = Historian(memory_reader(exchange), "zh")
    for question in questions:
        expected = told(here, question)
        for worker in workers:
            assert await worker.ask(question, 60) == expected
    for worker in workers:
        await worker.stop()
    store.close()


async def test_what_is_appended_is_seen_by_a_worker_that_runs(tmp_path: Path) -> None:
    exchange = played([])
    store = sqlite_log(exchange, tmp_path / "log.db")
    worker = WorkerProcess(tmp_path / "log.db", "zh")
    async with history_of(exchange, worker) as history:
        assert (await history.snapshot(ANN, version=4)).version == 4
        for op in random_ops(8, 20):
            exchange.run(op.command(exchange))
            store.append(new_entries(exchange.log[-1:]))
        version = exchange.log[-2].version
        snapshot = await history.snapshot(ANN, version=version)
        assert snapshot.version == version
        wanted = trees_at_every_number(exchange, ANN, DIALECTS["guide"])[version][1]
        assert same_json(orjson.loads(snapshot.tree), wanted)
    store.close()


def countdown(looks: int) -> Callable[[], bool]:
    """In time for so many looks at the clock."""
    left = iter(range(looks))
    return lambda: next(left, None) is None


@pytest.mark.parametrize(
    "question",
    [
        AskSnapshot(view=view_of(), version=1_500, at_ns=None),
        AskStep(view=view_of(), after=700, until=1_500),
        AskBook(instrument_id=INSTRUMENTS[0], depth=5, version=1_500),
        AskRows(
            wanted=RowsWanted(kind="orders", account_id=ANN.account_id, user=ANN.name, instrument_id=None, status=None),
            version=1_500,
            before=(1_000, ""),
            count=10,
        ),
    ],
    ids=lambda question: type(question).__name__,
)
def test_who_comes_late_goes_on_from_there_when_asked_again(question: Question) -> None:
    exchange = forgetful()
    for _ in range(500):
        exchange.run(Op("refused", number=2).command(exchange))
    historian = Historian(memory_reader(exchange), "zh")
    reached = []
    while isinstance(answer := historian.answer(question, countdown(0)), Late):
        reached.append(answer.reached)
    assert reached == sorted(set(reached))
    assert len(reached) > 2
    assert answer == told(Historian(memory_reader(exchange), "zh"), question)


def test_a_later_place_is_reached_from_the_last_one_and_an_earlier_one_anew() -> None:
    exchange = played(random_ops(9, 40))

    begun = []

    class Noting(MemoryReader):
        def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
            begun.append(after)
            return super().read(after, until)

    historian = Historian(Noting(memory_log(exchange)), "zh")
    for version in (20, 30, 10, 10):
        told(historian, AskSnapshot(view=view_of(), version=version, at_ns=None))
    ends = [max(entry.version for entry in exchange.log if entry.version <= version) for version in (20, 10)]
    assert begun == [0, ends[0], 0, ends[1]]


def test_the_tree_of_an_account_that_is_not_open_is_empty() -> None:
    nobody = User("nobody", AccountId("N1"))
    historian = Historian(memory_reader(played([])), "zh")
    snapshot = told(historian, AskSnapshot(view=view_of(nobody), version=8, at_ns=None))
    assert orjson.loads(snapshot.content) == {
        "trade": {"nobody": {"accounts": {}, "positions": {}, "orders": {}, "trades": {}}}
    }

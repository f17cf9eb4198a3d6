"""What can happen to the worker, and what those get who wait for it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from eventstore.memory import MemoryReader
from eventstore.model import Durability, RecordedEntry
from eventstore.sqlite import SqliteStore
from exchange.server.history import process as history_process
from exchange.server.history.folds import LOOK_EVERY
from exchange.server.history.history import History
from exchange.server.history.process import Worker, WorkerLostError, WorkerProcess, WorkerThread
from exchange.server.history.questions import Answer, AskBook, Late, Question, Told
from exchange.server.history.queue import HistoryBusyError, HistoryError, HistoryLateError, HistoryLostError
from exchange.server.history.worker import NICENESS
from projections.fold import Projections
from tests.projections.streams import Op
from tests.support.history import ANN, INSTRUMENTS, memory_log, new_entries, played

BOOK = AskBook(instrument_id=INSTRUMENTS[0], depth=1, version=5)


class Slow:
    """A worker that answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        """The seconds that each question was given."""
        self.stops = 0
        self.may_answer = asyncio.Event()
        self.was_asked = asyncio.Event()

    async def ask(self, question: Question, timeout_s: float) -> Answer:
        self.asked.append(timeout_s)
        self.was_asked.set()
        await self.may_answer.wait()
        return Told(1, b"{}")

    async def stop(self) -> None:
        self.stops += 1
        self.may_answer.set()


@asynccontextmanager
async def history_of(worker: Worker, **bounds: Any) -> AsyncIterator[History]:
    """The history of an exchange that stands at 9."""
    projections = Projections()
    projections.version = 9
    history = History(
        projections, worker, log_id="L", language="zh", **({"waiting_max": 3, "timeout_s": 60.0} | bounds)
    )
    yield history
    await history.stop()


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    exchange = played([])
    assert exchange.version > 9
    store = SqliteStore(tmp_path / "log.db", Durability.OS)
    store.append(new_entries(exchange.log))
    store.close()
    return tmp_path / "log.db"


# --- Waiting ----------------------------------------------------------------------------------------------------------


async def test_one_question_more_than_may_wait_is_refused_and_the_others_are_answered() -> None:
    worker = Slow()
    async with history_of(worker) as history:
        waiting = [asyncio.ensure_future(history.snapshot(ANN, version=1)) for _ in range(3)]
        await worker.was_asked.wait()
        with pytest.raises(HistoryBusyError, match="3 questions"):
            await history.snapshot(ANN, version=1)
        assert (await history.snapshot(ANN)).version == 9, "what is live waits for nobody"
        worker.may_answer.set()
        assert [snapshot.version for snapshot in await asyncio.gather(*waiting)] == [1, 1, 1]
        assert (await history.snapshot(ANN, version=1)).version == 1


async def test_one_asker_fills_no_more_than_a_share_of_the_places() -> None:
    worker = Slow()
    async with history_of(worker, waiting_max=8) as history:
        waiting = [asyncio.ensure_future(history.snapshot(ANN, version=1, asker="ann")) for _ in range(2)]
        await worker.was_asked.wait()
        with pytest.raises(HistoryBusyError, match="2 questions of yours"):
            await history.step(ANN, after=0, until=1, asker="ann")
        with pytest.raises(HistoryBusyError):
            await history.book(INSTRUMENTS[0], 1, 1, asker="ann")
        assert (await history.snapshot(ANN, asker="ann")).version == 9, "what is live waits for nobody"
        waiting += [asyncio.ensure_future(history.snapshot(ANN, version=1, asker="eve")) for _ in range(2)]
        worker.may_answer.set()
        assert [snapshot.version for snapshot in await asyncio.gather(*waiting)] == [1] * 4
        assert (await history.snapshot(ANN, version=1, asker="ann")).version == 1


async def test_who_waited_too_long_for_others_is_told_so_and_leaves_the_line() -> None:
    worker = Slow()
    async with history_of(worker, waiting_max=2, timeout_s=0.05) as history:
        first = asyncio.ensure_future(history.snapshot(ANN, version=1))
        await worker.was_asked.wait()
        with pytest.raises(HistoryLateError, match="other questions"):
            await history.snapshot(ANN, version=1)
        worker.may_answer.set()
        await first
        await history.snapshot(ANN, version=1)
    assert len(worker.asked) == 2
    assert all(0 <= seconds <= 0.05 for seconds in worker.asked)


async def test_who_gives_up_waiting_leaves_the_line() -> None:
    worker = Slow()
    async with history_of(worker, waiting_max=2) as history:
        first, second = (asyncio.ensure_future(history.snapshot(ANN, version=1)) for _ in range(2))
        await worker.was_asked.wait()
        second.cancel()
        await asyncio.wait([second])
        third = asyncio.ensure_future(history.snapshot(ANN, version=1))
        await asyncio.sleep(0)
        worker.may_answer.set()
        answers = await asyncio.gather(first, third)
    assert [answer.version for answer in answers] == [1, 1]
    assert len(worker.asked) == 2, "nobody asked for the one who left"


async def test_the_time_that_a_question_may_take_is_told_with_the_place_it_reached() -> None:
    class TooSlow(Slow):
        async def ask(self, question: Question, timeout_s: float) -> Answer:
            return Late(4711)

    async with history_of(TooSlow()) as history:
        with pytest.raises(HistoryLateError, match="read up to 4711 in the 60 s"):
            await history.snapshot(ANN, version=1)


async def test_the_worker_ends_when_nobody_asks_and_is_there_again_when_somebody_does() -> None:
    worker = Slow()
    worker.may_answer.set()
    ended = asyncio.Event()

    async def stop() -> None:
        ended.set()

    worker.stop = stop  # type: ignore[method-assign]
    async with history_of(worker, idle_s=0.01) as history:
        await history.snapshot(ANN, version=1)
        await asyncio.wait_for(ended.wait(), 30)
        await history.snapshot(ANN, version=1)
    assert len(worker.asked) == 2


async def test_after_the_stop_nothing_more_is_answered() -> None:
    worker = Slow()
    async with history_of(worker) as history:
        running, waiting = (asyncio.ensure_future(history.snapshot(ANN, version=1)) for _ in range(2))
        await worker.was_asked.wait()
        await history.stop()
        assert (await running).version == 1
        with pytest.raises(HistoryLostError, match="shutting down"):
            await waiting
        with pytest.raises(HistoryLostError, match="shutting down"):
            await history.snapshot(ANN, version=1)
    assert len(worker.asked) == 1


# --- The process ------------------------------------------------------------------------------------------------------


async def test_the_process_begins_with_the_first_question_and_stands_back(log_path: Path) -> None:
    worker = WorkerProcess(log_path, "zh")
    assert worker.pid is None
    assert isinstance(await worker.ask(BOOK, 60), Told)
    pid = worker.pid
    assert pid is not None
    assert os.getpriority(os.PRIO_PROCESS, pid) >= NICENESS
    await worker.ask(BOOK, 60)
    assert worker.pid == pid, "one process serves them all"
    await worker.stop()
    assert worker.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_killed_process_is_an_error_and_the_next_question_gets_another(log_path: Path) -> None:
    worker = WorkerProcess(log_path, "zh")
    async with history_of(worker) as history:
        first = await history.snapshot(ANN, version=5)
        pid = worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(HistoryLostError, match="another one is started"):
            await history.snapshot(ANN, version=5)
        assert await history.snapshot(ANN, version=5) == first
        assert worker.pid not in (None, pid)


async def test_a_process_that_hangs_is_killed(log_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerProcess(log_path, "zh")
    await worker.ask(BOOK, 60)
    pid = worker.pid
    assert pid is not None
    monkeypatch.setattr(history_process, "GRACE_S", 0.05)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerLostError):
        await worker.ask(BOOK, 0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_question_that_is_given_up_takes_its_answer_with_it(log_path: Path) -> None:
    worker = WorkerProcess(log_path, "zh")
    await worker.ask(BOOK, 60)
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    given_up = asyncio.ensure_future(worker.ask(BOOK, 60))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    assert given_up.cancelled()
    other = AskBook(instrument_id=INSTRUMENTS[0], depth=1, version=2)
    answer = await worker.ask(other, 60)
    assert isinstance(answer, Told)
    assert answer.version == 2
    await worker.stop()


async def test_a_process_that_is_stopped_while_it_starts_does_not_stay(log_path: Path) -> None:
    worker = WorkerProcess(log_path, "zh")
    asking = asyncio.ensure_future(worker.ask(BOOK, 60))
    await asyncio.sleep(0)
    await worker.stop()
    with pytest.raises(WorkerLostError):
        await asking
    assert worker.pid is None


async def test_a_process_without_a_log_is_lost(tmp_path: Path) -> None:
    async with history_of(WorkerProcess(tmp_path / "none.db", "zh")) as history:
        with pytest.raises(HistoryError):
            await history.snapshot(ANN, version=1)


async def test_a_damaged_log_is_no_bad_answer(log_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with sqlite3.connect(log_path) as connection:
        connection.execute("DROP TRIGGER event_no_update")
        connection.execute("UPDATE event SET payload = x'7b7d' WHERE log_seq = 4")
    connection.close()
    async with history_of(WorkerProcess(log_path, "zh")) as history:
        assert (await history.snapshot(ANN, version=2)).version == 2
        with pytest.raises(HistoryLostError, match="could not be read"):
            await history.snapshot(ANN, version=6)
    assert "damaged at log_seq 4" in caplog.text


def test_the_process_ends_when_whoever_started_it_is_gone(log_path: Path) -> None:
    command = [sys.executable, "-m", "exchange.server.history.worker", str(log_path), "zh"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


# --- The thread -------------------------------------------------------------------------------------------------------


async def test_a_thread_that_failed_begins_anew() -> None:
    disk = memory_log(played([]))
    failures = [KeyError("an error of ours")]

    class FailsOnce(MemoryReader):
        def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
            entries = super().read(after, until)
            yield next(entries)
            if failures:
                raise failures.pop()
            yield from entries

    worker = WorkerThread(lambda: FailsOnce(disk), "zh")
    with pytest.raises(KeyError):
        await worker.ask(BOOK, 60)
    answer = await worker.ask(BOOK, 60)
    assert isinstance(answer, Told)
    assert orjson.loads(answer.content).keys() == {"bids", "asks"}
    await worker.stop()


async def test_a_stopped_thread_gives_up_its_answer_and_its_reader() -> None:
    disk = memory_log(played([Op("refused", number=2)] * 2 * LOOK_EVERY))
    loop, reads, may_go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    closed: list[bool] = []

    class Waits(MemoryReader):
        def read(self, after: int = 0, until: int | None = None) -> Iterator[RecordedEntry]:
            loop.call_soon_threadsafe(reads.set)
            assert may_go_on.wait(30)
            return super().read(after, until)

        def close(self) -> None:
            closed.append(True)

    worker = WorkerThread(lambda: Waits(disk), "zh")
    asking = asyncio.ensure_future(worker.ask(AskBook(instrument_id=INSTRUMENTS[0], depth=1, version=500), 60))
    await reads.wait()
    stopping = asyncio.ensure_future(worker.stop())
    await asyncio.sleep(0)
    may_go_on.set()
    await stopping
    assert isinstance(await asking, Late)
    assert closed == [True]

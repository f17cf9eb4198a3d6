"""Orders and trades in pages: what left the live view follows on what is in it, without a gap and without a repeat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eventstore.memory import MemoryDisk, MemoryReader, MemoryStore
from exchange.domain.events import OrderAccepted, OrderRefused
from exchange.server.history import folds as history_folds
from exchange.server.history.history import History
from exchange.server.history.process import WorkerThread
from exchange.server.history.questions import AskRows, RowsWanted
from exchange.server.history.rows import NEWEST, CursorError
from exchange.server.history.worker import Historian
from projections import user_view
from projections.fold import Projections
from tests.projections.streams import Op
from tests.support.history import ANN, DIALECTS, memory_reader, new_entries, played, random_ops, tree_of
from tests.support.views import SmallExchange

ROOM = 12
"""Rows that a view keeps in these tests."""
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"instrument_id": "DCE.c2701"},
    {"instrument_id": "none"},
    {"status": "FILLED"},
    {"status": "REJECTED"},
    {"status": "open"},
    {"status": "finished", "instrument_id": "SHFE.rb2701"},
)


def busy() -> SmallExchange:
    """Many orders of everybody's, some of which work from the beginning to the end."""
    exchange = played([])
    for price in (-3, -4):
        exchange.run(Op("order", ticks=price).command(exchange))
    for op in random_ops(11, 150):
        exchange.run(op.command(exchange))
    return exchange


class Scene:
    """An exchange whose live views keep only a few rows, and its history."""

    def __init__(self, exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(user_view, "HISTORY_MAX", ROOM)
        self.exchange = exchange
        self.projections = Projections()
        for entry in exchange.log:
            self.projections.apply(entry.first_log_seq, entry.events)
        self.disk = MemoryDisk()
        self.store = MemoryStore(self.disk)
        self.store.append(new_entries(exchange.log))
        worker = WorkerThread(lambda: MemoryReader(self.disk), "zh")
        self.history = History(self.projections, worker, log_id="L", language="zh", waiting_max=4, timeout_s=60)

    def play(self, ops: list[Op]) -> None:
        """Trading goes on."""
        for op in ops:
            self.exchange.run(op.command(self.exchange))
            entry = self.exchange.log[-1]
            self.projections.apply(entry.first_log_seq, entry.events)
            self.store.append(new_entries([entry]))


@asynccontextmanager
async def forgetting(exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    scene = Scene(exchange, monkeypatch)
    yield scene
    await scene.history.stop()


def all_rows(exchange: SmallExchange, kind: str, instrument_id: str | None = None, status: str = "") -> list[Any]:
    """Those of the live views that keep all of them, newest first."""
    rows = tree_of(exchange.projections, ANN, DIALECTS["guide"])["trade"][ANN.name][kind].values()
    states = {
        "": None,
        "open": ("ALIVE", "PARTIALLY_FILLED"),
        "finished": ("FILLED", "CANCELLED", "REJECTED"),
    }.get(status, (status,))
    found = [
        row
        for row in rows
        if instrument_id in (None, row["instrument_id"]) and (states is None or row["status"] in states)
    ]
    return sorted(found, key=lambda row: (row["seqno"], row.get("trade_id", "")[-1:]), reverse=True)


async def pages(history: History, kind: str, limit: int, **filters: Any) -> list[Any]:
    """Everything, page by page."""
    page_of = history.orders_page if kind == "orders" else history.trades_page
    found: list[Any] = []
    cursor = None
    while True:
        page = await page_of(ANN, limit=limit, cursor=cursor, **filters)
        assert len(page.rows) <= limit
        assert page.next_cursor is None or len(page.rows) == limit, "a page that is followed by another is full"
        found += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("kept", [10_000, 7])
@pytest.mark.parametrize("kind", ["orders", "trades"])
async def test_all_pages_together_are_all_rows_whatever_their_size(
    kind: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the worker itself keeps fewer rows than there are, and has to read again for older ones."""
    monkeypatch.setattr(history_folds, "ROWS_KEPT_MAX", kept)
    exchange = busy()
    async with forgetting(exchange, monkeypatch) as scene:
        for filters in FILTERS:
            if kind == "trades" and "status" in filters:
                continue
            wanted = all_rows(exchange, kind, **filters)
            for limit in (1, 5, 1_000):
                assert await pages(scene.history, kind, limit, **filters) == wanted, f"{filters}, {limit} at a time"
        assert scene.projections.user(ANN.account_id).horizon > 0, "nothing has left the view"
        assert len(all_rows(exchange, kind)) > ROOM


async def test_both_sides_of_a_trade_with_oneself_are_told_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = busy()
    sides: dict[int, int] = {}
    for trade in all_rows(exchange, "trades"):
        sides[trade["seqno"]] = sides.get(trade["seqno"], 0) + 1
    assert 2 in sides.values()
    async with forgetting(exchange, monkeypatch) as scene:
        assert [trade["trade_id"] for trade in await pages(scene.history, "trades", 1)] == [
            trade["trade_id"] for trade in all_rows(exchange, "trades")
        ]


async def test_an_old_order_that_left_last_hides_none_of_the_newer_ones_that_left_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order's place is that of its coming, and it leaves in the order of its end."""
    refused = Op("refused", number=2)
    async with forgetting(played([Op("order", ticks=-3), *[refused] * 2 * ROOM]), monkeypatch) as scene:
        [old] = all_rows(scene.exchange, "orders", status="open")
        scene.play([Op("cancel")])
        while old["order_id"] in scene.projections.user(ANN.account_id).rows:
            scene.play([refused])
        placed = [row["order_id"] for row in await pages(scene.history, "orders", 5)]
        expected = [
            event.order_id
            for entry in reversed(scene.exchange.log)
            for event in reversed(entry.events)
            if isinstance(event, OrderAccepted | OrderRefused) and event.account_id == ANN.account_id
        ]
        assert placed == expected


def test_rows_are_told_as_they_stood_at_an_earlier_version_too() -> None:
    exchange = busy()
    wanted = RowsWanted(kind="orders", account_id=ANN.account_id, user=ANN.name, instrument_id=None, status=None)
    historian = Historian(memory_reader(exchange), "zh")
    for version in (exchange.version, exchange.version // 2):
        question = AskRows(wanted=wanted, version=version, before=NEWEST, count=1_000)
        anew = Historian(memory_reader(exchange), "zh").answer(question, lambda: False)
        assert historian.answer(question, lambda: False) == anew


async def test_what_comes_while_somebody_reads_neither_repeats_nor_hides_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange = busy()
    before = [row["order_id"] for row in all_rows(exchange, "orders")]
    async with forgetting(exchange, monkeypatch) as scene:
        page = await scene.history.orders_page(ANN, limit=3)
        ids = [row["order_id"] for row in page.rows]
        while page.next_cursor is not None:
            scene.play(random_ops(len(ids), 5))
            page = await scene.history.orders_page(ANN, limit=3, cursor=page.next_cursor)
            ids += [row["order_id"] for row in page.rows]
    assert ids == before


async def test_the_rows_stand_as_they_did_at_the_version_of_their_page(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = busy()
    async with forgetting(exchange, monkeypatch) as scene:
        page = await scene.history.orders_page(ANN, limit=1_000)
        assert page.version == exchange.version
        assert page.rows == all_rows(exchange, "orders")


async def test_nothing_is_asked_of_the_worker_while_the_live_view_has_everything() -> None:
    exchange = busy()

    class Nobody:
        async def ask(self, question: object, timeout_s: float) -> Any:
            raise AssertionError(f"asked {question}")

        async def stop(self) -> None:
            pass

    history = History(exchange.projections, Nobody(), log_id="L", language="zh", waiting_max=1, timeout_s=1)
    assert await pages(history, "trades", 2) == all_rows(exchange, "trades")


@pytest.mark.parametrize("cursor", ["", "x", "1C", "-1", "1" * 19, "１", "5B5"])
async def test_a_cursor_that_nobody_gave_is_refused(cursor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with forgetting(busy(), monkeypatch) as scene:
        with pytest.raises(CursorError, match="no cursor"):
            await scene.history.trades_page(ANN, limit=5, cursor=cursor)

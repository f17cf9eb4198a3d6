"""Views, books, orders and trades at any version of the log, without ever working on the trading loop.

What stands at the head is answered from the live views; everything else is left to one worker, which folds the log
beside the exchange. Questions wait for it in turn, and their number and the time each may take are bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson

from exchange.domain.values import InstrumentId
from exchange.gateway.claims import view_log_id
from exchange.gateway.dialects.fields import Patch
from exchange.gateway.dialects.guide import GuideDialect
from exchange.gateway.notices import Language
from exchange.gateway.surroundings import User
from exchange.server.history.pictures import all_dialects, book, picture, step_since
from exchange.server.history.process import Worker
from exchange.server.history.questions import (
    AskBook,
    AskRows,
    AskSnapshot,
    AskStep,
    DialectName,
    Place,
    RowKind,
    RowsWanted,
    ViewName,
)
from exchange.server.history.queue import IDLE_S, HistoryQueue
from exchange.server.history.rows import Found, cursor_text, parse_cursor, pick, place_of
from projections.fold import Projections


class VersionAheadError(Exception):
    """A version that the log has not reached: it is another log's, or history was lost."""

    def __init__(self, version: int, head: int) -> None:
        super().__init__(
            f"version {version} is ahead of this exchange, which stands at {head}: ask for that or less, "
            "and where the number came from this exchange, for its operator: it has lost a part of its log"
        )
        self.version = version
        self.head = head


class VersionOrderError(Exception):
    """A step backwards."""

    def __init__(self, after: int, until: int) -> None:
        super().__init__(f"no steps lead from {after} back to {until}: `after` is not above `until`")
        self.after = after
        self.until = until


class NotListedError(Exception):
    """An instrument that is not, or was not yet, listed."""

    def __init__(self, instrument_id: str, version: int) -> None:
        super().__init__(f"no instrument {instrument_id!r} is listed at version {version}")
        self.instrument_id = instrument_id
        self.version = version


class Snapshot(NamedTuple):
    """A user's tree."""

    log_id: str
    version: int
    """The end of the entry at which the tree stands."""
    tree: bytes
    """JSON."""


class HistoryStep(NamedTuple):
    """What leads a tree on."""

    log_id: str
    version: int
    """Where it leads: the end of an entry."""
    full: bool
    """Whether it replaces the whole tree."""
    data: bytes
    """The patches, as a JSON array; an empty one where nothing changed."""


class RowsPage(NamedTuple):
    """Some of an account's orders or trades, newest first, in the words of the guide dialect."""

    version: int
    """The place in the log at which the rows stand so."""
    rows: list[Patch]
    next_cursor: str | None
    """Asks for the page after this one; None where there is none."""


class History:
    """Answers in the exchange's loop. `stop` it before the log is closed.

    An `asker` has a share of the places in front of the worker, and no more of them: see `HistoryQueue.ask`.
    """

    def __init__(
        self,
        projections: Projections,
        worker: Worker,
        *,
        log_id: str,
        language: Language,
        waiting_max: int,
        timeout_s: float,
        idle_s: float = IDLE_S,
    ) -> None:
        """`projections` are the live ones, `worker` reads the log that they are folded from; it has `timeout_s` for a
        question, with the time that the question waits for others."""
        self._projections = projections
        self._log_id = log_id
        self._dialects = all_dialects(language)
        self._rows_dialect = GuideDialect(language)
        self._queue = HistoryQueue(worker, waiting_max=waiting_max, timeout_s=timeout_s, idle_s=idle_s)

    async def snapshot(
        self,
        user: User,
        dialect: DialectName = "guide",
        instruments: Sequence[InstrumentId] = (),
        *,
        version: int | None = None,
        at_ns: int | None = None,
        asker: str | None = None,
    ) -> Snapshot:
        """A user's tree, with the quotes of `instruments`, at the last end of an entry at or before `version` and
        `at_ns`; without either, now. Raises VersionAheadError, HistoryError."""
        view, log_id = self._view(user, dialect, instruments)
        head = self._projections.version
        version = head if version is None else version
        self._refuse_ahead(version)
        if version == head and at_ns is None:
            tree = picture(self._projections, view, self._dialects[dialect])
            return Snapshot(log_id, head, orjson.dumps(tree))
        told = await self._queue.ask(AskSnapshot(view=view, version=version, at_ns=at_ns), asker)
        return Snapshot(log_id, told.version, told.content)

    async def step(
        self,
        user: User,
        dialect: DialectName = "guide",
        instruments: Sequence[InstrumentId] = (),
        *,
        after: int,
        until: int | None = None,
        asker: str | None = None,
    ) -> HistoryStep:
        """What leads a user's tree from `after` to `until`, or to now; both count as the last end of an entry at or
        before them. Raises VersionOrderError, VersionAheadError, HistoryError."""
        view, log_id = self._view(user, dialect, instruments)
        if until is not None and after > until:
            raise VersionOrderError(after, until)
        head = self._projections.version
        until = head if until is None else until
        self._refuse_ahead(max(after, until))
        if until == head:
            step = step_since(self._projections, view, self._dialects[dialect], after)
            return HistoryStep(log_id, head, step.full, orjson.dumps(step.data))
        told = await self._queue.ask(AskStep(view=view, after=after, until=until), asker)
        data = b"[]" if told.content == b"{}" else b"[%b]" % told.content
        return HistoryStep(log_id, told.version, False, data)

    async def book(
        self, instrument_id: InstrumentId, depth: int, version: int | None = None, *, asker: str | None = None
    ) -> dict[str, Any]:
        """An instrument's book at the last end of an entry at or before `version`, or now:
        `{"version", "instrument_id", "bids": [[price in yuan, lots, orders]], "asks"}`, the best of each side first.

        Raises VersionAheadError, NotListedError, HistoryError.
        """
        head = self._projections.version
        version = head if version is None else version
        self._refuse_ahead(version)
        if version == head:
            sides = book(self._projections, instrument_id, depth)
        else:
            told = await self._queue.ask(AskBook(instrument_id=instrument_id, depth=depth, version=version), asker)
            version, sides = told.version, orjson.loads(told.content)
        if sides is None:
            raise NotListedError(instrument_id, version)
        return {"version": version, "instrument_id": instrument_id, **sides}

    async def orders_page(
        self,
        user: User,
        *,
        limit: int,
        cursor: str | None = None,
        instrument_id: str | None = None,
        status: str | None = None,
        asker: str | None = None,
    ) -> RowsPage:
        """The user's newest orders, at most `limit`, older ones than the page that gave `cursor`; of one instrument, or
        in one of the states of the guide dialect, where these are given. Raises CursorError, HistoryError."""
        return await self._page(user, "orders", limit, cursor, instrument_id, status, asker)

    async def trades_page(
        self,
        user: User,
        *,
        limit: int,
        cursor: str | None = None,
        instrument_id: str | None = None,
        asker: str | None = None,
    ) -> RowsPage:
        """The user's newest trades: see `orders_page`."""
        return await self._page(user, "trades", limit, cursor, instrument_id, None, asker)

    async def _page(
        self,
        user: User,
        kind: RowKind,
        limit: int,
        cursor: str | None,
        instrument_id: str | None,
        status: str | None,
        asker: str | None,
    ) -> RowsPage:
        wanted = RowsWanted(
            kind=kind, account_id=user.account_id, user=user.name, instrument_id=instrument_id, status=status
        )
        before, version = parse_cursor(cursor), self._projections.version
        # One more than the page has tells whether another page follows.
        found, past = self._live_rows(wanted, before, limit + 1)
        if past is not None and len(found) <= limit:
            asked = AskRows(wanted=wanted, version=version, before=past, count=limit + 1 - len(found))
            told = await self._queue.ask(asked, asker)
            found += [Found((log_seq, side), fields) for log_seq, side, fields in orjson.loads(told.content)]
        page = found[:limit]
        next_cursor = cursor_text(page[-1].place) if len(found) > limit else None
        return RowsPage(version, [row.fields for row in page], next_cursor)

    def _live_rows(self, wanted: RowsWanted, before: Place, count: int) -> tuple[list[Found], Place | None]:
        """(the newest of the rows that are surely all in the live view, the place before which the log must be asked;
        None where nothing has left the view)."""
        view = self._projections.user(wanted.account_id)
        horizon = view.horizon
        rows = [row for row in view.rows.values() if row.log_seq > horizon and place_of(row) < before]
        rows.sort(key=place_of, reverse=True)
        found = list(islice(pick(rows, wanted, self._rows_dialect), count))
        return found, min(before, (horizon + 1, "")) if horizon else None

    async def stop(self) -> None:
        """Answer nothing more; a question that waits or is being answered fails."""
        await self._queue.stop()

    def _view(self, user: User, dialect: DialectName, instruments: Sequence[InstrumentId]) -> tuple[ViewName, str]:
        """(what to ask for, its log_id)."""
        view = ViewName(
            account_id=user.account_id, user=user.name, dialect=dialect, instruments=tuple(dict.fromkeys(instruments))
        )
        return view, view_log_id(self._log_id, user, self._dialects[dialect])

    def _refuse_ahead(self, version: int) -> None:
        if version > self._projections.version:
            raise VersionAheadError(version, self._projections.version)

"""The quotes that one connection watches, and how far its mirror has each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from exchange.domain.values import InstrumentId
from projections.market_view import MarketView
from projections.quote import QuoteDialect
from projections.user_view import BEFORE_ALL


class Subscriptions:
    """A cursor per subscribed quote, since one that was subscribed later has more to be told."""

    __slots__ = ("_cursors", "_dropped", "_echo")

    def __init__(self) -> None:
        self._cursors: dict[InstrumentId, int] = {}
        """The mirror's quote equals the market's at this log_seq."""
        self._dropped: dict[InstrumentId, None] = {}
        """Quotes that the mirror still holds and the view does not any more."""
        self._echo: str | None = None
        """The list in force, to be echoed with the next step."""

    @property
    def instruments(self) -> list[InstrumentId]:
        """Those whose quotes are sent."""
        return list(self._cursors)

    def replace(self, wanted: Iterable[InstrumentId]) -> tuple[list[InstrumentId], list[InstrumentId]]:
        """Watch these and no others from now on; returns (added, removed)."""
        before = self._cursors
        self._cursors = {instrument_id: before.get(instrument_id, BEFORE_ALL) for instrument_id in wanted}
        removed = [instrument_id for instrument_id in before if instrument_id not in self._cursors]
        added = [instrument_id for instrument_id in self._cursors if instrument_id not in before]
        # A quote that was dropped and is wanted again is deleted and sent anew: the mirror's old copy may hold levels
        # that are gone, and objects that are new to a client carry no nulls.
        self._dropped.update((instrument_id, None) for instrument_id in removed if before[instrument_id] >= 0)
        self._echo = ",".join(self._cursors)
        return added, removed

    def start_anew(self) -> None:
        """The mirror is about to lose all that it has: everything is to be sent again."""
        self._cursors = dict.fromkeys(self._cursors, BEFORE_ALL)
        self._dropped.clear()
        if self._echo is None and self._cursors:
            self._echo = ",".join(self._cursors)

    def news(self, market: MarketView) -> bool:
        """Whether `take` would give anything now."""
        return (
            self._echo is not None
            or bool(self._dropped)
            or any(market.version_of(instrument_id) > cursor for instrument_id, cursor in self._cursors.items())
        )

    def take(self, market: MarketView, dialect: QuoteDialect, version: int) -> list[dict[str, Any]]:
        """The patches that lead the mirror's quotes to the market's at `version`; the cursors go there too."""
        patches: list[dict[str, Any]] = []
        if self._dropped:
            patches.append({"quotes": dict.fromkeys(self._dropped)})
            self._dropped.clear()
        worded: dict[str, Any] = {}
        for instrument_id, cursor in self._cursors.items():
            fragment = market.quote(instrument_id, cursor, dialect)
            if fragment is not None:
                worded[instrument_id] = orjson.Fragment(fragment)
            self._cursors[instrument_id] = version
        if worded:
            patches.append({"quotes": worded})
        if self._echo is not None:
            patches.append({"ins_list": self._echo})
            self._echo = None
        return patches

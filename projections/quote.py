"""What the market shows of one instrument, with a version for every field.

Quotes have versions per field, unlike the rows of users, since a book moves in one or two of many fields and one worded
change is shared by all who watch. What an entry does in between is never seen: levels are read when the entry ends.
"""

from __future__ import annotations

from typing import Final, Protocol

import orjson

from exchange.domain.events import TradeExecuted
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import half_up
from exchange.domain.words import BUY, OPEN, SELL, Direction
from projections.levels import DEPTH_MAX, Ladder
from projections.marks import VersionedMark

# The fields of a quote by their place in `Quote.values`. Prices and amounts are in 1e-6 yuan, None where there is none.
LAST: Final = 0
FIRST: Final = 1
HIGHEST: Final = 2
LOWEST: Final = 3
AVERAGE: Final = 4
"""Turnover per unit traded, rounded half up once."""
PRE_SETTLEMENT: Final = 5
UPPER_LIMIT: Final = 6
LOWER_LIMIT: Final = 7
AMOUNT: Final = 8
"""Turnover: price * lots * multiplier, summed."""
VOLUME: Final = 9
"""Lots traded, each trade counted once."""
OPEN_INTEREST: Final = 10
"""Lots held long, which are as many as lots held short."""
AT_NS: Final = 11
"""Time of the last entry that changed another field, in ns since 1970 UTC; None before the first order."""
BID_PRICES: Final = 12
"""The first of DEPTH_MAX prices, best first; their lots follow, then both of the asks."""
BID_LOTS: Final = BID_PRICES + DEPTH_MAX
ASK_PRICES: Final = BID_LOTS + DEPTH_MAX
ASK_LOTS: Final = ASK_PRICES + DEPTH_MAX
FIELD_COUNT: Final = ASK_LOTS + DEPTH_MAX


class QuoteDialect(Protocol):
    """Words quotes. An object must always give the same words: fragments are kept by it."""

    def word_quote(self, quote: Quote, since: int) -> dict[str, object]:
        """The fields that changed after `since`; all there are, and none as null, where the quote was born after it."""


class Quote:
    """What one instrument shows; connections read it by `fragment`, dialects by its attributes."""

    __slots__ = (
        "_dirty",
        "_fragments",
        "asks",
        "bids",
        "born",
        "changed",
        "mark",
        "terms",
        "touched_at_ns",
        "values",
        "versions",
    )

    def __init__(self, terms: InstrumentTerms, at_ns: int, version: int) -> None:
        self.terms = terms
        self.mark = VersionedMark(terms, version)
        self.born = version
        self.changed = version
        self.values: list[int | None] = [None] * FIELD_COUNT
        self.versions: list[int] = [version] * FIELD_COUNT
        self.bids = Ladder(BUY)
        self.asks = Ladder(SELL)
        self.touched_at_ns = at_ns
        """Time of the last entry that spoke of the instrument, shown with what it changed."""
        self._dirty = False
        self._fragments: dict[tuple[int, QuoteDialect], bytes] = {}
        values = self.values
        values[PRE_SETTLEMENT] = terms.pre_settlement
        values[UPPER_LIMIT] = terms.upper_limit
        values[LOWER_LIMIT] = terms.lower_limit
        values[AT_NS] = at_ns
        values[AMOUNT] = values[VOLUME] = values[OPEN_INTEREST] = 0

    def fragment(self, since: int, dialect: QuoteDialect) -> bytes | None:
        """What changed after `since`, as the dialect's JSON; None where nothing did. Shared by all who ask the same."""
        if self.changed <= since:
            return None
        key = (since, dialect)
        fragment = self._fragments.get(key)
        if fragment is None:
            # The encoder's own result holds on to the buffer it was written in, several KiB each: keep a copy.
            fragment = bytes(memoryview(orjson.dumps(dialect.word_quote(self, since))))
            self._fragments[key] = fragment
        return fragment

    def ladder(self, direction: Direction) -> Ladder:
        """The side of the book on which orders of this direction rest."""
        return self.bids if direction is BUY else self.asks

    def traded(self, trade: TradeExecuted, version: int) -> None:
        """Count a trade: last, highest, lowest and average price, volume, turnover and open interest."""
        values, price, lots = self.values, trade.price, trade.lots
        highest, lowest = values[HIGHEST], values[LOWEST]
        if highest is None or lowest is None:
            self._put(FIRST, price, version)
            self._put(HIGHEST, price, version)
            self._put(LOWEST, price, version)
        elif price > highest:
            self._put(HIGHEST, price, version)
        elif price < lowest:
            self._put(LOWEST, price, version)
        multiplier = self.terms.multiplier
        volume = self._add(VOLUME, lots, version)
        amount = self._add(AMOUNT, price * lots * multiplier, version)
        self._put(LAST, price, version)
        self._put(AVERAGE, half_up(amount, volume * multiplier), version)
        opening = (trade.buyer.effect is OPEN) + (trade.seller.effect is OPEN)
        if opening != 1:
            self._add(OPEN_INTEREST, lots if opening else -lots, version)

    def end_entry(self, version: int) -> bool:
        """Show the book as the entry leaves it; returns whether the quote looks different from before."""
        if self.bids.top_touched:
            self._show(self.bids, BID_PRICES, version)
        if self.asks.top_touched:
            self._show(self.asks, ASK_PRICES, version)
        if not self._dirty:
            return False
        self._dirty = False
        self.values[AT_NS] = self.touched_at_ns
        self.versions[AT_NS] = version
        self.changed = version
        self._fragments.clear()
        return True

    def _show(self, ladder: Ladder, first: int, version: int) -> None:
        values = self.values
        for place, (price, lots) in enumerate(ladder.top(), first):
            if values[place] != price:
                self._put(place, price, version)
            if values[place + DEPTH_MAX] != lots:
                self._put(place + DEPTH_MAX, lots, version)

    def _add(self, field: int, amount: int, version: int) -> int:
        value = self.values[field]
        assert value is not None, "sums begin at 0"
        self._put(field, value + amount, version)
        return value + amount

    def _put(self, field: int, value: int | None, version: int) -> None:
        if self.values[field] != value:
            self.values[field] = value
            self.versions[field] = version
            self._dirty = True

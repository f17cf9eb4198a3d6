"""All quotes, and which of them the entry in hand touches."""

from __future__ import annotations

from exchange.domain.events import TradeExecuted
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.order import Order
from exchange.domain.values import InstrumentId
from projections.quote import Quote, QuoteDialect


class MarketView:
    """The quotes by instrument, in the order in which the instruments were listed."""

    __slots__ = ("_listed", "_touched", "quotes")

    def __init__(self) -> None:
        self.quotes: dict[InstrumentId, Quote] = {}
        self._listed: dict[InstrumentId, None] = {}
        self._touched: dict[InstrumentId, Quote] = {}

    def knows(self, instrument_id: str) -> bool:
        """Whether an instrument of this name is listed."""
        return instrument_id in self.quotes

    def version_of(self, instrument_id: InstrumentId) -> int:
        """The last version that changed an instrument's quote."""
        return self.quotes[instrument_id].changed

    def quote(self, instrument_id: InstrumentId, since: int, dialect: QuoteDialect) -> bytes | None:
        """What changed after `since`, as JSON; the whole quote where `since` is below 0, None where nothing did."""
        return self.quotes[instrument_id].fragment(since, dialect)

    def listed(self, terms: InstrumentTerms, at_ns: int, version: int) -> None:
        """An instrument shows from now on."""
        assert terms.instrument_id not in self.quotes, f"instrument {terms.instrument_id} was listed twice"
        self.quotes[terms.instrument_id] = Quote(terms, at_ns, version)
        self._listed[terms.instrument_id] = None

    def rested(self, order: Order, lots: int, at_ns: int) -> None:
        """An order came to the book with these lots; with negative `lots` it left with the last of them.

        An order that meets others in the entry that brings it comes and leaves like any other: only what is left when
        the entry ends is shown.
        """
        accepted = order.accepted
        quote = self.quotes[accepted.instrument_id]
        quote.ladder(accepted.direction).add(accepted.price, lots, 1 if lots > 0 else -1)
        quote.touched_at_ns = at_ns
        self._touched[accepted.instrument_id] = quote

    def traded(self, trade: TradeExecuted, buyer: Order, seller: Order, version: int) -> None:
        """Two orders met; both know of it already."""
        quote = self.quotes[trade.instrument_id]
        quote.bids.add(buyer.price, -trade.lots, 0 if buyer.lots_left else -1)
        quote.asks.add(seller.price, -trade.lots, 0 if seller.lots_left else -1)
        quote.mark.traded(trade.price, version)
        quote.traded(trade, version)
        quote.touched_at_ns = trade.at_ns
        self._touched[trade.instrument_id] = quote

    def end_entry(self, version: int) -> tuple[InstrumentId, ...]:
        """Show what the entry leaves behind; returns the instruments whose quotes look different from before."""
        shown = self._listed
        for instrument_id, quote in self._touched.items():
            if quote.end_entry(version):
                shown[instrument_id] = None
        news = tuple(shown)
        self._listed.clear()
        self._touched.clear()
        return news

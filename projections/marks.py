"""What a holder's figures read of the market, with the version that last wrote it."""

from __future__ import annotations

from exchange.domain.instrument import InstrumentTerms, Mark
from exchange.domain.values import Price


class VersionedMark(Mark):
    """A mark that knows when it was last written.

    All that a view reads of the market lies in here, and every write goes through a method that sets `version`: one
    write tells every holder that his figures may have changed, however many there are.
    """

    __slots__ = ("terms", "version")

    def __init__(self, terms: InstrumentTerms, version: int) -> None:
        super().__init__(terms.pre_settlement, terms.multiplier, terms.margin)
        self.terms = terms
        """As listed; never changes."""
        self.version = version

    def traded(self, price: Price, version: int) -> None:
        """Take the price of a trade."""
        self.price = price
        self.version = version

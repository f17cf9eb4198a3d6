"""Continuous matching: which resting orders an incoming one meets, and at what price (rule 1.3)."""

from __future__ import annotations

from typing import Generic

from msgspec import Struct

from exchange.domain.values import Lots, Price
from exchange.domain.words import BUY, Direction
from exchange.matching.book import Book, R


class Match(Struct, Generic[R], frozen=True):
    """A resting order that is met."""

    maker: R
    price: Price
    lots: Lots


def middle_of_three(bid: Price, ask: Price, last: Price) -> Price:
    """The middle one of the buyer's price, the seller's price and the previous trade's, for `ask <= bid` (rule 1.3)."""
    if last < ask:
        return ask
    return min(last, bid)


def match(book: Book[R], direction: Direction, price: Price, lots: Lots, last: Price) -> list[Match[R]]:
    """The matches of an incoming order, in price-time order; reads the book, changes nothing.

    `price` is the most it pays or the least it takes; `last` is the previous trade's price, replaced by each match's
    own (rule 1.3).
    """
    found: list[Match[R]] = []
    buying = direction is BUY
    left: int = lots
    for maker in book.opposite(direction).reached_by(price):
        last = middle_of_three(price, maker.price, last) if buying else middle_of_three(maker.price, price, last)
        if maker.lots_left >= left:
            found.append(Match(maker, last, Lots(left)))
            break
        found.append(Match(maker, last, maker.lots_left))
        left -= maker.lots_left
    return found


def fills_whole(book: Book[R], direction: Direction, price: Price, lots: Lots) -> bool:
    """Whether an incoming order could fill completely at once (FOK)."""
    return book.opposite(direction).lots_reached_by(price) >= lots

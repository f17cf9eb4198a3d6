"""A one-minute bar becomes quotes: a fixed way through its four prices, without chance.

A bar tells four prices and a volume, not their order, so one order is chosen for all bars and stated here:

* The price walks open, low, high, close where the bar rose or stood still, and open, high, low, close where it fell.
  A price equal to the one before it is passed over: a bar has one to four points and moves no more often than it must.
* Each point trades the same number of lots, and the close trades the remainder too. Where there are fewer lots than
  points, the last points trade one lot each: the source takes as the open the last price before the bar, which no
  trade of the bar need have made.
* Point k of n stands at the k-th n-th of the minute, so the close stands at its very end, which the source counts into
  the bar (start < time <= end). Bars built by that rule from the trades have the recorded high, low, close and volume.
* The book is one tick wide. A price in the upper half of the bar was paid by a buyer and is the best ask, one in the
  lower half is the best bid. So trades and best prices stay within low and high, unless the bar is a single price.
* Each side shows five levels one tick apart, with 1, 2, 3, 4 and 5 thirtieths of the bar's volume (half of it in all),
  at least one lot each.
* Turnover is that of the trades so made; bars do not have the recorded one. Open interest is the recorded one: the
  open's until the close.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from msgspec import Struct

from exchange.domain.values import Lots, Money, Multiplier, Price, decimal_text
from exchange.feeds.snapshot import DEPTH_MAX, Level, Snapshot

MINUTE_NS = 60_000_000_000
_DEPTH_PARTS = DEPTH_MAX * (DEPTH_MAX + 1)


class Bar(Struct, frozen=True, kw_only=True):
    """One minute of trading. Raises ValueError for prices or a volume that no minute can have."""

    start_ns: int
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Lots
    open_oi: Lots
    """Open interest before the bar."""
    close_oi: Lots
    """Open interest at its end."""

    def __post_init__(self) -> None:
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            prices = ", ".join(decimal_text(price) for price in (self.open, self.high, self.low, self.close))
            raise ValueError(f"open, high, low, close {prices}: open and close must lie between low and high")
        moves = len(path(self)) - 1
        if self.volume < moves:
            raise ValueError(
                f"a volume of {self.volume} lots cannot move the price {moves} times; a move takes a trade"
            )


def path(bar: Bar) -> tuple[Price, ...]:
    """The prices the bar walks through, open first, close last, neighbours always different."""
    turns = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    return tuple(price for price, _ in groupby((bar.open, *turns, bar.close)))


def lots_on_path(volume: Lots, points: int) -> tuple[Lots, ...]:
    """How many of `volume` lots trade at each of `points` prices: equal shares, the remainder at the last."""
    share = volume // points
    if share == 0:
        return (Lots(0),) * (points - volume) + (Lots(1),) * volume
    return (Lots(share),) * (points - 1) + (Lots(volume - share * (points - 1)),)


def snapshots_of_bars(bars: Iterable[Bar], *, price_tick: Price, multiplier: Multiplier) -> Iterator[Snapshot]:
    """The quotes of consecutive bars of one trading day, with volume and turnover running from 0 before the first."""
    volume, amount = 0, 0
    for bar in bars:
        prices = path(bar)
        for point, (price, lots) in enumerate(zip(prices, lots_on_path(bar.volume, len(prices)), strict=True), start=1):
            volume += lots
            amount += price * multiplier * lots
            bids, asks = _book(bar, price, price_tick)
            yield Snapshot(
                at_ns=bar.start_ns + MINUTE_NS * point // len(prices),
                last=price,
                volume=Lots(volume),
                amount=Money(amount),
                open_interest=bar.close_oi if point == len(prices) else bar.open_oi,
                bids=bids,
                asks=asks,
            )


def _book(bar: Bar, price: Price, price_tick: Price) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Bids and asks around a price of the path; a level at or below zero is left out."""
    bought = 2 * price >= bar.high + bar.low
    best_ask = price if bought else price + price_tick
    best_bid = best_ask - price_tick
    depth = [Lots(max(1, bar.volume * level // _DEPTH_PARTS)) for level in range(1, DEPTH_MAX + 1)]
    bids = [(Price(best_bid - rank * price_tick), lots) for rank, lots in enumerate(depth)]
    asks = [(Price(best_ask + rank * price_tick), lots) for rank, lots in enumerate(depth)]
    return tuple(level for level in bids if level[0] > 0), tuple(asks)

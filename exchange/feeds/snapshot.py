"""One moment of a recorded market, and what must hold from one moment to the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise

from msgspec import Struct

from exchange.domain.values import Lots, Money, Price, decimal_text

DEPTH_MAX = 5
"""Levels a snapshot shows on each side, as the recorded market data has them."""

Level = tuple[Price, Lots]
"""A price of the book and the lots that rest there."""


class TapeError(ValueError):
    """A tape that cannot be played: an unknown name, an unreadable file, or moments that no market could have shown."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """What a market showed at one moment."""

    at_ns: int
    """The source's own time, ns since 1970 UTC."""
    last: Price
    """Price of the last trade."""
    volume: Lots
    """Lots traded since the trading day began, as the source counts them."""
    amount: Money
    """Turnover since the trading day began."""
    open_interest: Lots
    bids: tuple[Level, ...]
    """Best first, at most `DEPTH_MAX`; empty where nobody bids."""
    asks: tuple[Level, ...]
    """Best first, at most `DEPTH_MAX`; empty where nobody asks."""


def check_snapshots(tape: str, snapshots: Sequence[Snapshot], price_tick: Price) -> None:
    """Raises TapeError, with the tape's name and the snapshot's number from 0, unless all of this holds.

    Times rise; volume and turnover never fall; the last price changes only where volume rose (a player makes last
    prices by trades alone); every price is a positive multiple of the tick; the levels of a side are in order, and
    the sides do not meet.
    """
    if not snapshots:
        raise TapeError(f"tape {tape} has no snapshots; at least one is needed")
    for number, snapshot in enumerate(snapshots):
        if flaw := _flaw_alone(snapshot, price_tick):
            raise TapeError(f"tape {tape}, snapshot {number}: {flaw}")
    for number, (before, after) in enumerate(pairwise(snapshots), start=1):
        if flaw := _flaw_between(before, after):
            raise TapeError(f"tape {tape}, snapshot {number}: {flaw}")


def _flaw_alone(snapshot: Snapshot, price_tick: Price) -> str | None:
    for price in chain((snapshot.last,), (price for price, _ in snapshot.bids + snapshot.asks)):
        if price <= 0 or price % price_tick:
            return f"price {decimal_text(price)} is not a positive multiple of the tick {decimal_text(price_tick)}"
    for side in (snapshot.bids, snapshot.asks):
        if len(side) > DEPTH_MAX:
            return f"{len(side)} levels on one side; at most {DEPTH_MAX} are allowed"
        if any(lots <= 0 for _, lots in side):
            return "a level without lots; leave such a level out"
    bids, asks = ([price for price, _ in side] for side in (snapshot.bids, snapshot.asks))
    # Asks worst first, then bids best first: one falling ladder shows that both sides are in order and do not meet.
    ladder = asks[::-1] + bids
    if any(higher <= lower for higher, lower in pairwise(ladder)):
        return f"the levels are out of order or crossed: bids {_texts(bids)}, asks {_texts(asks)}"
    return None


def _flaw_between(before: Snapshot, after: Snapshot) -> str | None:
    if after.at_ns <= before.at_ns:
        return f"its time {after.at_ns} is not after {before.at_ns}"
    if after.volume < before.volume:
        return f"its volume fell from {before.volume} to {after.volume}"
    if after.amount < before.amount:
        return f"its turnover fell from {decimal_text(before.amount)} to {decimal_text(after.amount)}"
    if after.last != before.last and after.volume == before.volume:
        return f"its last price went from {decimal_text(before.last)} to {decimal_text(after.last)} without a trade"
    return None


def _texts(prices: Sequence[Price]) -> str:
    return " ".join(decimal_text(price) for price in prices) or "none"

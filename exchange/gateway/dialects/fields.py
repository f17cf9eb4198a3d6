"""Accounts, positions and quotes in the words of DIFF, where a number that does not exist is an absent field.

Here, and nowhere before, whole numbers become floats, each by one division: a multiplication by 1e-6 would give another
float for a third of all values. Every function gets a version `since` and words what may differ from the picture there.
A field that lost its value is worded as null, but never in an object that is new to the client.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from exchange.domain.account import Figures
from exchange.domain.china_time import CHINA
from exchange.domain.values import YUAN
from projections import quote as q
from projections.figures import PositionFigures
from projections.levels import DEPTH_MAX
from projections.quote import Quote
from projections.rows import AccountRow, PositionRow

Patch = dict[str, Any]
"""A JSON merge patch, or a part of one."""

CURRENCY: Final = "CNY"
NS_PER_MS: Final = 1_000_000


def account_fields(row: AccountRow, figures: Figures, user_id: str, since: int) -> Patch:
    """The account's fields that may differ from those at `since`."""
    worded: Patch = {"user_id": user_id, "currency": CURRENCY} if row.born > since else {}
    if row.changed > since:
        worded["pre_balance"] = row.pre_balance / YUAN
        worded["deposit"] = row.deposit / YUAN
        worded["withdraw"] = row.withdraw / YUAN
        worded["static_balance"] = row.static_balance / YUAN
        worded["close_profit"] = row.close_profit / YUAN
        worded["commission"] = row.commission / YUAN
        worded["premium"] = 0.0  # of options, which are not listed here
        worded["frozen_margin"] = row.frozen_margin / YUAN
        worded["frozen_commission"] = row.frozen_commission / YUAN
        worded["frozen_premium"] = 0.0
        worded["suspended"] = row.suspended
    worded["position_profit"] = figures.position_profit / YUAN
    worded["float_profit"] = figures.float_profit / YUAN
    worded["balance"] = figures.balance / YUAN
    worded["margin"] = figures.margin / YUAN
    worded["available"] = figures.available / YUAN
    if not figures.margin:
        worded["risk_ratio"] = 0.0
    elif figures.balance > 0:
        worded["risk_ratio"] = figures.margin / figures.balance
    elif row.born <= since:
        worded["risk_ratio"] = None  # margin, and nothing of one's own behind it: no share of it can be told
    return worded


def position_fields(row: PositionRow, figures: PositionFigures, user_id: str, since: int) -> Patch:
    """A position's fields that may differ from those at `since`."""
    is_new = row.born > since
    worded: Patch = {}
    if row.changed > since:
        worded = _lots_and_costs(row)
        _word_prices(worded, row, is_new)
    if is_new:
        worded["user_id"] = user_id
        worded["exchange_id"] = row.exchange_id
        worded["instrument_id"] = row.instrument_id
    if row.held:
        worded["last_price"] = row.mark.price / YUAN
    elif not is_new:
        worded["last_price"] = None  # a flat position reads nothing of its mark
    (profit_long, by_trade_long, margin_long), (profit_short, by_trade_short, margin_short) = figures
    worded["float_profit_long"] = by_trade_long / YUAN
    worded["float_profit_short"] = by_trade_short / YUAN
    worded["float_profit"] = (by_trade_long + by_trade_short) / YUAN
    worded["position_profit_long"] = profit_long / YUAN
    worded["position_profit_short"] = profit_short / YUAN
    worded["position_profit"] = (profit_long + profit_short) / YUAN
    worded["margin_long"] = margin_long / YUAN
    worded["margin_short"] = margin_short / YUAN
    worded["margin"] = (margin_long + margin_short) / YUAN
    return worded


def _lots_and_costs(row: PositionRow) -> Patch:
    # Spelt out: a loop over both sides that makes the names costs half as much again, at every step of every user.
    long, short = row.long, row.short
    long_frozen_today, long_frozen_his = long.frozen_split(row.separate_today)
    short_frozen_today, short_frozen_his = short.frozen_split(row.separate_today)
    return {
        "volume_long": long.lots_today + long.lots_history,
        "volume_long_today": long.lots_today,
        "volume_long_his": long.lots_history,
        "volume_long_frozen": long_frozen_today + long_frozen_his,
        "volume_long_frozen_today": long_frozen_today,
        "volume_long_frozen_his": long_frozen_his,
        "volume_short": short.lots_today + short.lots_history,
        "volume_short_today": short.lots_today,
        "volume_short_his": short.lots_history,
        "volume_short_frozen": short_frozen_today + short_frozen_his,
        "volume_short_frozen_today": short_frozen_today,
        "volume_short_frozen_his": short_frozen_his,
        "open_cost_long": (long.open_cost_today + long.open_cost_history) / YUAN,
        "open_cost_short": (short.open_cost_today + short.open_cost_history) / YUAN,
        "position_cost_long": (long.cost_today + long.cost_history) / YUAN,
        "position_cost_short": (short.cost_today + short.cost_history) / YUAN,
    }


def _word_prices(worded: Patch, row: PositionRow, is_new: bool) -> None:
    """The average prices of both sides, into `worded`; no lots have none."""
    unit = row.mark.multiplier * YUAN
    long, short = row.long, row.short
    if per_price := worded["volume_long"] * unit:
        worded["open_price_long"] = (long.open_cost_today + long.open_cost_history) / per_price
        worded["position_price_long"] = (long.cost_today + long.cost_history) / per_price
    elif not is_new:
        worded["open_price_long"] = worded["position_price_long"] = None
    if per_price := worded["volume_short"] * unit:
        worded["open_price_short"] = (short.open_cost_today + short.open_cost_history) / per_price
        worded["position_price_short"] = (short.cost_today + short.cost_history) / per_price
    elif not is_new:
        worded["open_price_short"] = worded["position_price_short"] = None


def quote_fields(quote: Quote, since: int) -> Patch:
    """A quote's fields that may differ from those at `since`."""
    worded: Patch = {}
    is_new = quote.born > since
    if is_new:
        terms = quote.terms
        worded["instrument_id"] = terms.instrument_id
        worded["exchange_id"] = terms.exchange_id
        worded["price_tick"] = terms.price_tick / YUAN
        worded["price_decs"] = _decimals(terms.price_tick)
        worded["volume_multiple"] = terms.multiplier
    for (name, word), value, version in zip(_QUOTE_FIELDS, quote.values, quote.versions, strict=True):
        if version > since:
            if value is not None:
                worded[name] = word(value)
            elif not is_new:
                worded[name] = None
    return worded


def _decimals(price: int) -> int:
    """Decimals needed to write a price in yuan: 0 for 10, 1 for 0.2."""
    fraction = price % YUAN
    return len(f"{fraction:06d}".rstrip("0")) if fraction else 0


_CHINA_EPOCH: Final = datetime(1970, 1, 1, 8, tzinfo=CHINA)


def _china_time(at_ns: int) -> str:
    """`2027-01-15 09:30:00.500000`, the time in China, which has had no summer time since 1991."""
    return (_CHINA_EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat(" ", "microseconds")[:26]


def _yuan(value: int) -> float:
    return value / YUAN


def _quote_words() -> tuple[tuple[str, Callable[[int], float | int | str]], ...]:
    """Name and wording of each of `Quote.values`."""
    words: dict[int, tuple[str, Callable[[int], float | int | str]]] = {
        q.LAST: ("last_price", _yuan),
        q.FIRST: ("open", _yuan),
        q.HIGHEST: ("highest", _yuan),
        q.LOWEST: ("lowest", _yuan),
        q.AVERAGE: ("average", _yuan),
        q.PRE_SETTLEMENT: ("pre_settlement", _yuan),
        q.UPPER_LIMIT: ("upper_limit", _yuan),
        q.LOWER_LIMIT: ("lower_limit", _yuan),
        q.AMOUNT: ("amount", _yuan),
        q.VOLUME: ("volume", int),
        q.OPEN_INTEREST: ("open_interest", int),
        q.AT_NS: ("datetime", _china_time),
    }
    for rank in range(DEPTH_MAX):
        words[q.BID_PRICES + rank] = (f"bid_price{rank + 1}", _yuan)
        words[q.BID_LOTS + rank] = (f"bid_volume{rank + 1}", int)
        words[q.ASK_PRICES + rank] = (f"ask_price{rank + 1}", _yuan)
        words[q.ASK_LOTS + rank] = (f"ask_volume{rank + 1}", int)
    return tuple(words[field] for field in range(q.FIELD_COUNT))


_QUOTE_FIELDS: Final = _quote_words()

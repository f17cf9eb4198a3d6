"""A user's rows as typed values, made from the tree when they are asked for.

They are frozen dataclasses and not TypedDicts over the tree: a misspelt field is an error instead of None, a number
that does not exist is None instead of a KeyError, and both dialects read the same. Amounts and prices are yuan, floats
as they came. A row that lacks a field which the protocol promises (the remains of a pruned one) does not count as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FINISHED: Final = frozenset({"FILLED", "CANCELLED", "REJECTED"})
"""The states in which an order stays as it is."""
DEPTH: Final = 5
"""Levels of a quote on each side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user's money, in yuan."""

    user_id: str
    currency: str
    pre_balance: float
    deposit: float
    withdraw: float
    static_balance: float
    close_profit: float
    position_profit: float
    float_profit: float
    commission: float
    premium: float
    balance: float
    margin: float
    frozen_margin: float
    frozen_commission: float
    frozen_premium: float
    available: float
    risk_ratio: float | None = None
    """Margin by balance; None where there is margin and nothing of one's own behind it."""
    suspended: bool = False
    """Whether the operator has suspended the account: new orders and withdrawals are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a user holds in one instrument; volumes in lots, amounts and prices in yuan."""

    user_id: str
    exchange_id: str
    instrument_id: str
    volume_long: int
    volume_long_today: int
    volume_long_his: int
    volume_long_frozen: int
    volume_long_frozen_today: int
    volume_long_frozen_his: int
    volume_short: int
    volume_short_today: int
    volume_short_his: int
    volume_short_frozen: int
    volume_short_frozen_today: int
    volume_short_frozen_his: int
    open_cost_long: float
    open_cost_short: float
    position_cost_long: float
    position_cost_short: float
    float_profit_long: float
    float_profit_short: float
    float_profit: float
    position_profit_long: float
    position_profit_short: float
    position_profit: float
    margin_long: float
    margin_short: float
    margin: float
    open_price_long: float | None = None
    """None, like the other prices, where no lots are held that could have one."""
    open_price_short: float | None = None
    position_price_long: float | None = None
    position_price_short: float | None = None
    last_price: float | None = None

    @property
    def net(self) -> int:
        """Long lots less short ones."""
        return self.volume_long - self.volume_short


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it stands."""

    order_id: str
    instrument_id: str
    exchange_id: str
    direction: str
    """BUY or SELL."""
    offset: str
    """OPEN, CLOSE or CLOSETODAY."""
    status: str
    """ALIVE, PARTIALLY_FILLED, FILLED, CANCELLED or REJECTED."""
    volume: int
    """Lots ordered."""
    volume_left: int
    """Lots not filled."""
    price_type: str
    time_condition: str
    volume_condition: str
    inserted_at_ms: int
    """Milliseconds since 1970 UTC."""
    last_msg: str
    """What happened last, in words."""
    frozen_margin: float
    exchange_order_id: str
    seqno: int
    """The place in the exchange's log that brought the order."""
    limit_price: float | None = None
    """None for an order without a limit."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing will happen to the order any more."""
        return self.status in FINISHED

    @property
    def volume_filled(self) -> int:
        """Lots filled."""
        return self.volume - self.volume_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One side of a match: what an order got."""

    trade_id: str
    order_id: str
    instrument_id: str
    exchange_id: str
    direction: str
    offset: str
    price: float
    volume: int
    commission: float
    traded_at_ms: int
    """Milliseconds since 1970 UTC."""
    seqno: int
    """The place in the exchange's log that brought the trade."""


class Level(NamedTuple):
    """A price of the book and the lots that rest there."""

    price: float
    volume: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The market in one instrument."""

    instrument_id: str
    exchange_id: str
    price_tick: float
    price_decs: int
    volume_multiple: int
    bids: tuple[Level, ...]
    """The best prices to sell at, best first; empty where nobody buys."""
    asks: tuple[Level, ...]
    """The best prices to buy at, best first; empty where nobody sells."""
    datetime: str | None = None
    """The time in China: `2027-01-15 09:30:00.500000`."""
    last_price: float | None = None
    volume: int | None = None
    amount: float | None = None
    open_interest: int | None = None
    open: float | None = None
    highest: float | None = None
    lowest: float | None = None
    average: float | None = None
    pre_settlement: float | None = None
    upper_limit: float | None = None
    lower_limit: float | None = None

    @property
    def best_bid(self) -> float | None:
        """The highest price that somebody buys at."""
        return self.bids[0].price if self.bids else None

    @property
    def best_ask(self) -> float | None:
        """The lowest price that somebody sells at."""
        return self.asks[0].price if self.asks else None


Row = TypeVar("Row", bound="DataclassInstance")

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {"str": (str,), "int": (int,), "float": (float, int)}
"""What JSON may bring for a field of this type."""


def read_row(row_class: type[Row], wire: Any, names: Mapping[str, str] | None = None, **more: Any) -> Row | None:
    """A row from the object of the tree, under the dialect's names; None where a field is missing that every row has.

    A value of another type than the field's counts as missing. `more` are fields whose values are given and not read.
    """
    if not isinstance(wire, dict):
        return None
    values = dict(more)
    for name, types, is_required in _fields_of(row_class):
        if name in more:
            continue
        value = wire.get(names.get(name, name) if names else name)
        if isinstance(value, types):
            values[name] = value
        elif is_required:
            return None
    return row_class(**values)


def read_quote(wire: Any) -> Quote | None:
    """A quote from the object of the tree."""
    if not isinstance(wire, dict):
        return None
    return read_row(Quote, wire, bids=_levels(wire, "bid"), asks=_levels(wire, "ask"))


def is_finished(wire: Any) -> bool:
    """Whether the object of the tree is an order to which nothing will happen any more."""
    status = wire.get("status") if isinstance(wire, dict) else None
    return isinstance(status, str) and status in FINISHED


def _levels(wire: Mapping[str, Any], side: str) -> tuple[Level, ...]:
    found = ((wire.get(f"{side}_price{rank}"), wire.get(f"{side}_volume{rank}")) for rank in range(1, DEPTH + 1))
    return tuple(
        Level(price, volume) for price, volume in found if isinstance(price, float | int) and isinstance(volume, int)
    )


@cache
def _fields_of(row_class: type[DataclassInstance]) -> tuple[tuple[str, tuple[type, ...], bool], ...]:
    """Each field's name, what JSON may bring for it, and whether every row has it."""
    # The annotations are texts here: `float | None`.
    return tuple(
        (each.name, _TYPES.get(str(each.type).partition(" ")[0], ()), each.default is MISSING)
        for each in fields(row_class)
    )

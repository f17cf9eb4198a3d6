"""What a market file may say: one `[[product]]` table per product, with one `[[product.contract]]` table per month.

    format = 1

    [[product]]
    exchange_id = "SHFE"
    product_id = "rb"
    name = "螺纹"
    multiplier = 10
    price_tick = 1
    price_band = 0.06                 # of the previous settlement price, up and down
    max_limit_order_volume = 500
    max_market_order_volume = 0       # 0: takes no market orders
    separate_today = true             # CLOSE and CLOSETODAY speak of separate lots
    margin = { by_money = 0.08, by_volume = 0 }
    commission = { open = { by_money = 0.0001 }, close = { by_money = 0.0001 }, closetoday = { by_money = 0.0001 } }
    trading_time = { day = [["09:00:00", "10:15:00"]], night = [["21:00:00", "23:00:00"]] }

    [[product.contract]]
    instrument_id = "SHFE.rb2701"
    delivery_year = 2027
    delivery_month = 1
    expires_at = 2027-01-15T15:00:00+08:00
    pre_settlement = 3592
    upper_limit = 3807                # both limits or none: without them the band gives them
    lower_limit = 3377

Prices, limits and `by_volume` are in yuan (`by_volume` for one lot), `price_band` and `by_money` are shares: 0.08 is
8 %. The reader gives TOML's numbers as int or Decimal, and here each becomes the whole number the core counts in,
exactly or not at all. A name that is not listed here is refused, so that a misspelt one is not taken for an absent one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from exchange.domain.values import (
    LOTS_MAX,
    Money,
    Price,
    Rate,
    money_from_decimal,
    price_from_decimal,
    rate_from_decimal,
)

_Unit = TypeVar("_Unit", bound=int)
_CLOCK = re.compile(r"([0-2][0-9]|3[0-3]):[0-5][0-9]:[0-5][0-9]")


def _units(convert: Callable[[Decimal], _Unit], smallest: int) -> Callable[[object], _Unit]:
    """A validator that turns a TOML number into whole units of at least `smallest`."""

    def validate(value: object) -> _Unit:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError("must be a number without quotes, such as 3610 or 0.08")
        units = convert(Decimal(value))
        if units < smallest:
            raise ValueError("must be above 0" if smallest else "must not be below 0")
        return units

    return validate


def _clock(value: object) -> object:
    if isinstance(value, str) and not _CLOCK.fullmatch(value):
        raise ValueError(
            'must be a time of day such as "09:00:00"; "25:00:00" is 1:00 of the next day, "33:59:59" the latest'
        )
    return value


_PositivePrice = Annotated[Price, PlainValidator(_units(price_from_decimal, 1))]
_YuanPerLot = Annotated[Money, PlainValidator(_units(money_from_decimal, 0))]
_Share = Annotated[Rate, PlainValidator(_units(rate_from_decimal, 0))]
_PositiveShare = Annotated[Rate, PlainValidator(_units(rate_from_decimal, 1))]
_Clock = Annotated[str, BeforeValidator(_clock)]
_Hours = Annotated[list[_Clock], Field(min_length=2, max_length=2)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _names_are_known(cls, table: object) -> object:
        """In place of pydantic's own check, which does not say which names are allowed."""
        unknown = sorted(table.keys() - cls.model_fields.keys()) if isinstance(table, dict) else []
        if unknown:
            raise ValueError(f"unknown name {', '.join(unknown)}; allowed are {', '.join(cls.model_fields)}")
        return table


class RatePair(_Table):
    """A share of the turnover and an amount per lot; both are always added, and one of them may be left out."""

    by_money: _Share = Rate(0)
    by_volume: _YuanPerLot = Money(0)


class CommissionTable(_Table):
    """The three pairs of a product."""

    open: RatePair
    close: RatePair
    closetoday: RatePair


class TradingTimeTable(_Table):
    """Trading hours in Beijing time, as [from, to] pairs; informational."""

    day: list[_Hours]
    night: list[_Hours] = []


class ContractTable(_Table):
    """One month of a product."""

    instrument_id: Annotated[str, Field(pattern=r"^[A-Z]{2,8}\.[A-Za-z]{1,8}[0-9]{3,4}$")]
    delivery_year: Annotated[int, Field(ge=2000, le=2099)]
    delivery_month: Annotated[int, Field(ge=1, le=12)]
    expires_at: AwareDatetime
    pre_settlement: _PositivePrice
    upper_limit: _PositivePrice | None = None
    lower_limit: _PositivePrice | None = None


class ProductTable(_Table):
    """One product: all that its months share, and the months."""

    exchange_id: Annotated[str, Field(pattern=r"^[A-Z]{2,8}$")]
    product_id: Annotated[str, Field(pattern=r"^[A-Za-z]{1,8}$")]
    name: Annotated[str, Field(min_length=1, max_length=32)]
    multiplier: Annotated[int, Field(ge=1, le=1_000_000)]
    price_tick: _PositivePrice
    price_band: _PositiveShare
    max_limit_order_volume: Annotated[int, Field(ge=1, le=LOTS_MAX)]
    max_market_order_volume: Annotated[int, Field(ge=0, le=LOTS_MAX)]
    separate_today: bool
    margin: RatePair
    commission: CommissionTable
    trading_time: TradingTimeTable
    contract: Annotated[list[ContractTable], Field(min_length=1)]


class MarketTables(_Table):
    """A whole market file."""

    format: Literal[1]
    product: Annotated[list[ProductTable], Field(min_length=1)]

"""The answers of the REST interface as the OpenAPI document tells them.

Orders, trades, positions, accounts and quotes are in the words of the guide dialect, whose functions make them: these
models document them and check nothing. A number that does not exist is an absent field.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from exchange.domain.words import Direction, PositionEffect, PriceType, TimeCondition, VolumeCondition

Words = dict[str, float | int | str | bool]
"""Fields by name."""
Version = Annotated[int, Field(description="The place in the log, a log_seq, that the answer is the view of.", ge=0)]
NextCursor = Annotated[
    str | None, Field(description="Give it as `cursor` to be told what comes next; null where nothing does.")
]

ORDER: Final = {
    "user_id": "alice",
    "order_id": "o-1",
    "exchange_order_id": "17",
    "exchange_id": "SHFE",
    "instrument_id": "SHFE.rb2701",
    "direction": "BUY",
    "offset": "OPEN",
    "price_type": "LIMIT",
    "time_condition": "GFD",
    "volume_condition": "ANY",
    "volume_orign": 3,
    "insert_date_time": 1_800_000_000_000,
    "seqno": 4_711,
    "limit_price": 3610.0,
    "volume_left": 1,
    "status": "PARTIALLY_FILLED",
    "last_msg": "Partly filled",
    "frozen_margin": 2888.0,
}
TRADE: Final = {
    "user_id": "alice",
    "trade_id": "9B",
    "order_id": "o-1",
    "exchange_trade_id": "9",
    "exchange_id": "SHFE",
    "instrument_id": "SHFE.rb2701",
    "direction": "BUY",
    "offset": "OPEN",
    "price": 3609.0,
    "volume": 2,
    "commission": 7.218,
    "seqno": 4_712,
    "trade_date_time": 1_800_000_000_000,
}
ACCOUNT: Final = {
    "user_id": "alice",
    "currency": "CNY",
    "pre_balance": 0.0,
    "deposit": 1_000_000.0,
    "withdraw": 0.0,
    "static_balance": 1_000_000.0,
    "close_profit": 0.0,
    "commission": 7.218,
    "premium": 0.0,
    "frozen_margin": 2888.0,
    "frozen_commission": 3.61,
    "frozen_premium": 0.0,
    "position_profit": 20.0,
    "float_profit": 20.0,
    "balance": 1_000_012.782,
    "margin": 5774.4,
    "available": 991_346.772,
    "risk_ratio": 0.005774326,
    "suspended": False,
}
POSITION: Final = {
    "user_id": "alice",
    "exchange_id": "SHFE",
    "instrument_id": "SHFE.rb2701",
    "volume_long": 2,
    "volume_long_today": 2,
    "volume_short": 0,
    "open_price_long": 3609.0,
    "last_price": 3610.0,
    "float_profit": 20.0,
    "margin": 5774.4,
}
QUOTE: Final = {
    "instrument_id": "SHFE.rb2701",
    "datetime": "2027-01-15 09:30:00.500000",
    "last_price": 3610.0,
    "bid_price1": 3609.0,
    "bid_volume1": 12,
    "ask_price1": 3610.0,
    "ask_volume1": 4,
    "upper_limit": 3807.0,
    "lower_limit": 3377.0,
}
INSTRUMENT: Final = {
    "instrument_id": "SHFE.rb2701",
    "exchange_id": "SHFE",
    "product_id": "rb",
    "name": "螺纹2701",
    "volume_multiple": 10,
    "price_tick": 1.0,
    "pre_settlement": 3592.0,
    "upper_limit": 3807.0,
    "lower_limit": 3377.0,
    "max_limit_order_volume": 500,
    "max_market_order_volume": 0,
    "separate_today": True,
    "margin": {"by_money": 0.08, "by_volume": 0.0},
    "commission": {
        "open": {"by_money": 0.0001, "by_volume": 0.0},
        "close": {"by_money": 0.0001, "by_volume": 0.0},
        "closetoday": {"by_money": 0.0001, "by_volume": 0.0},
    },
    "delivery_year": 2027,
    "delivery_month": 1,
    "expires_at": "2027-01-15T15:00:00+08:00",
}


def _like(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": example})


class Order(BaseModel):
    """An order and how it stands."""

    model_config = _like(ORDER)

    user_id: str
    order_id: str
    exchange_order_id: str
    """Empty for an order that was refused."""
    exchange_id: str
    instrument_id: str
    direction: Direction
    offset: PositionEffect
    price_type: PriceType
    time_condition: TimeCondition
    volume_condition: VolumeCondition
    volume_orign: int
    """Lots that were ordered; spelled so by the guide."""
    volume_left: int
    insert_date_time: int
    """Milliseconds since 1970 UTC."""
    seqno: int
    """The log_seq of the event that brought the order."""
    limit_price: float = 0.0
    """Absent where the order has none."""
    status: Literal["ALIVE", "PARTIALLY_FILLED", "FILLED", "CANCELLED", "REJECTED"]
    last_msg: str
    frozen_margin: float


class Trade(BaseModel):
    """One order's part of a trade."""

    model_config = _like(TRADE)

    user_id: str
    trade_id: str
    order_id: str
    exchange_trade_id: str
    exchange_id: str
    instrument_id: str
    direction: Direction
    offset: PositionEffect
    price: float
    volume: int
    commission: float
    seqno: int
    trade_date_time: int
    """Milliseconds since 1970 UTC."""


class OrdersAnswer(BaseModel):
    """One's own orders, the newest first."""

    model_config = _like({"version": 4712, "orders": [ORDER], "next_cursor": None})

    version: Version
    orders: list[Order]
    next_cursor: NextCursor


class TradesAnswer(BaseModel):
    """One's own trades, the newest first."""

    model_config = _like({"version": 4712, "trades": [TRADE], "next_cursor": None})

    version: Version
    trades: list[Trade]
    next_cursor: NextCursor


class PositionsAnswer(BaseModel):
    """One's own positions by instrument, flat ones too."""

    model_config = _like({"version": 4712, "positions": {"SHFE.rb2701": POSITION}})

    version: Version
    positions: dict[str, Words]


class AccountAnswer(BaseModel):
    """One's own account."""

    model_config = _like({"version": 4712, "account": ACCOUNT})

    version: Version
    account: Words


class Rates(BaseModel):
    """A share of the turnover, and yuan for each lot; both are always added."""

    by_money: float
    by_volume: float


class Fees(BaseModel):
    """What a fill costs, by what it does."""

    open: Rates
    close: Rates
    closetoday: Rates


class Instrument(BaseModel):
    """A contract's terms; prices in yuan."""

    model_config = _like(INSTRUMENT)

    instrument_id: str
    exchange_id: str
    product_id: str
    name: str
    volume_multiple: int
    """Units of the quotation in one lot, such as 10 tons."""
    price_tick: float
    pre_settlement: float
    upper_limit: float
    lower_limit: float
    max_limit_order_volume: int
    max_market_order_volume: int
    """0 where the contract takes no market orders."""
    separate_today: bool
    """Whether CLOSE and CLOSETODAY speak of separate lots, as on SHFE and INE."""
    margin: Rates
    commission: Fees
    delivery_year: int
    delivery_month: int
    expires_at: str
    """China time, such as `2027-01-15T15:00:00+08:00`."""


class InstrumentsAnswer(BaseModel):
    """All listed contracts."""

    model_config = _like({"version": 4712, "instruments": {"SHFE.rb2701": INSTRUMENT}})

    version: Version
    instruments: dict[str, Instrument]


class QuoteAnswer(BaseModel):
    """What the market shows of one contract."""

    model_config = _like({"version": 4712, "quote": QUOTE})

    version: Version
    quote: Words


class BookAnswer(BaseModel):
    """The book of one contract, the best price of each side first."""

    model_config = _like(
        {"version": 4712, "instrument_id": "SHFE.rb2701", "bids": [[3609.0, 12, 3]], "asks": [[3610.0, 4, 1]]}
    )

    version: Version
    instrument_id: str
    bids: list[tuple[float, int, int]]
    """[price in yuan, lots, orders] of each level."""
    asks: list[tuple[float, int, int]]

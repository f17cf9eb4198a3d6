"""Contracts for tests. Prices and amounts are given in yuan, as whole numbers or texts, and rates as texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from exchange.domain.instrument import FeePair, FeeRates, InstrumentTerms, MarginRates
from exchange.domain.values import (
    YUAN,
    InstrumentId,
    Lots,
    Multiplier,
    Price,
    money_from_decimal,
    price_from_decimal,
    rate_from_decimal,
)

Yuan = int | str | Decimal


def micro(yuan: Yuan) -> int:
    """Yuan as the core counts them, in 1e-6 yuan; exact or a ValueError."""
    amount = Decimal(yuan) * YUAN
    if amount != int(amount):
        raise ValueError(f"{yuan} yuan has more than six decimals")
    return int(amount)


def margin(by_money: str = "0", by_volume: Yuan = 0) -> MarginRates:
    return MarginRates(by_money=rate_from_decimal(Decimal(by_money)), by_volume=money_from_decimal(Decimal(by_volume)))


def fee_pair(by_money: str = "0", by_volume: Yuan = 0) -> FeePair:
    return FeePair(by_money=rate_from_decimal(Decimal(by_money)), by_volume=money_from_decimal(Decimal(by_volume)))


def terms(
    instrument_id: str,
    *,
    multiplier: int = 1,
    tick: Yuan = 1,
    pre_settlement: Yuan = 100,
    band: tuple[Yuan, Yuan] = (50, 150),
    margin_rates: MarginRates | None = None,
    fees: tuple[FeePair, FeePair, FeePair] | None = None,
    separate_today: bool = False,
    **changes: Any,
) -> InstrumentTerms:
    """A contract; what a test does not care about is filled in: no fees, 10 % margin, prices around 100."""
    exchange_id, contract = instrument_id.split(".")
    opening, closing, closing_today = fees or (fee_pair(), fee_pair(), fee_pair())
    made = InstrumentTerms(
        instrument_id=InstrumentId(instrument_id),
        exchange_id=exchange_id,
        product_id=contract.rstrip("0123456789"),
        name=contract,
        multiplier=Multiplier(multiplier),
        price_tick=price_from_decimal(Decimal(tick)),
        pre_settlement=price_from_decimal(Decimal(pre_settlement)),
        lower_limit=price_from_decimal(Decimal(band[0])),
        upper_limit=price_from_decimal(Decimal(band[1])),
        margin=margin_rates or margin("0.1"),
        fees=FeeRates(open=opening, close=closing, closetoday=closing_today),
        limit_order_lots_max=Lots(500),
        market_order_lots_max=Lots(200),
        separate_today=separate_today,
        delivery_year=2027,
        delivery_month=1,
        expire_at_ns=1_800_000_000_000_000_000,
    )
    return msgspec.structs.replace(made, **changes)


TOY = terms("TEST.t1")
"""Prices around 100, no fees, buckets not separate."""

RB = terms(
    "SHFE.rb2701",
    multiplier=10,
    pre_settlement=3600,
    band=(3312, 3888),
    fees=(fee_pair("0.0001"), fee_pair("0.0001"), fee_pair("0.0002")),
    separate_today=True,
)
"""The contract of the ledger examples in rules 7 and 8."""

CORN = terms(
    "DCE.c2701",
    multiplier=10,
    pre_settlement=3005,
    band=(2800, 3200),
    margin_rates=margin("0.05"),
    fees=(fee_pair(by_volume="1.2"), fee_pair(by_volume="1.2"), fee_pair()),
)
"""The contract of the example in rule 2.1; what is opened today closes first in, first out with the rest."""

CU = terms("SHFE.cu2701", multiplier=5, tick=10, pre_settlement=52000, band=(47840, 56160), separate_today=True)
"""The contract of the FAK and FOK example in rule 1.3."""


def price(yuan: Yuan) -> Price:
    return price_from_decimal(Decimal(yuan))

"""Reads a market file, the packaged one or a user's own, into the terms the core takes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from exchange.domain.instrument import FeePair, FeeRates, InstrumentTerms, MarginRates
from exchange.domain.values import RATE_ONE, InstrumentId, Lots, Multiplier, Price, decimal_text
from exchange.market.schema import ContractTable, MarketTables, ProductTable, RatePair

DEFAULT_MARKET = files("exchange.market") / "default_market.toml"
"""The packaged market file."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Hours = tuple[tuple[str, str], ...]


class MarketFileError(ValueError):
    """A market file that cannot be used.

    The text has the file's name and one line per problem: table, field, value, what is allowed.
    """

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        super().__init__("\n  ".join((f"market file {source} cannot be used:", *problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingTime:
    """Trading hours in Beijing time, as (from, to) pairs of `HH:MM:SS`; hours from 24 on are after midnight."""

    day: _Hours
    night: _Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFile:
    """A market file that was read and checked."""

    source: str
    """The file's name, for messages."""
    instruments: tuple[InstrumentTerms, ...]
    """In the order of the file; ids are unique."""
    trading_times: Mapping[InstrumentId, TradingTime]
    """Of every instrument."""


def read_market(path: Path | None = None) -> MarketFile:
    """Reads the market file at `path`, or the packaged one. Raises MarketFileError with all that is wrong with it."""
    file: Traversable = DEFAULT_MARKET if path is None else path
    source = str(file)
    document = _parsed(file, source)
    try:
        tables = MarketTables.model_validate(document)
    except ValidationError as error:
        raise MarketFileError(source, [_problem(document, each) for each in error.errors()]) from None
    if problems := list(_contradictions(tables)):
        raise MarketFileError(source, problems)
    listed = [(product, contract) for product in tables.product for contract in product.contract]
    return MarketFile(
        source=source,
        instruments=tuple(_terms(product, contract) for product, contract in listed),
        trading_times={InstrumentId(contract.instrument_id): _trading_time(product) for product, contract in listed},
    )


def _parsed(file: Traversable, source: str) -> dict[str, Any]:
    try:
        # Decimal: the shares and prices of a market are decimal texts, which a float would bend.
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise MarketFileError(source, [f"it cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MarketFileError(source, [f"it is no TOML: {error}"]) from error


def _problem(document: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    """One line for one finding of pydantic: where, which value, and what is allowed."""
    where = _place(document, error["loc"])
    if error["type"] == "missing":
        return f"{where}: is missing"
    value = error["input"]
    shown = "" if isinstance(value, dict | list) else f" {repr(value) if isinstance(value, str) else value}:"
    return f"{where}:{shown} {error['msg'].removeprefix('Value error, ')}"


def _place(document: Mapping[str, Any], steps: Sequence[str | int]) -> str:
    """The steps into the file with the ids passed, numbered from 0: `product[3] (rb), contract[0] (SHFE.rb2701)`."""
    names: list[str] = []
    table: Any = document
    for step in steps:
        if isinstance(step, str):
            table = table.get(step)
            names.append(step)
        else:
            table = table[step]
            known = table.get("instrument_id", table.get("product_id")) if isinstance(table, dict) else None
            names[-1] += f"[{step}]" + (f" ({known})" if known else "")
    return ", ".join(names) or "the file"


def _contradictions(tables: MarketTables) -> Iterator[str]:
    """What no single field shows: ids that are used twice or do not fit their tables, and limits that leave no room."""
    seen: set[str] = set()
    for product_number, product in enumerate(tables.product):
        for contract_number, contract in enumerate(product.contract):
            table = f"product[{product_number}] ({product.product_id})"
            where = f"{table}, contract[{contract_number}] ({contract.instrument_id})"
            if contract.instrument_id in seen:
                yield f"{where}, instrument_id: is listed twice"
            seen.add(contract.instrument_id)
            yield from (f"{where}, {problem}" for problem in _misnamed(product, contract))
            yield from (f"{where}, {problem}" for problem in _bad_limits(product, contract))


def _misnamed(product: ProductTable, contract: ContractTable) -> Iterator[str]:
    month = f"{contract.delivery_year % 100:02d}{contract.delivery_month:02d}"
    prefix = f"{product.exchange_id}.{product.product_id}"
    allowed = (prefix + month, prefix + month[1:])
    if contract.instrument_id not in allowed:
        yield f"instrument_id: exchange, product and delivery month make it {allowed[0]} (or {allowed[1]}, as on CZCE)"


def _bad_limits(product: ProductTable, contract: ContractTable) -> Iterator[str]:
    given = {"upper_limit": contract.upper_limit, "lower_limit": contract.lower_limit}
    missing = [field for field, limit in given.items() if limit is None]
    if len(missing) == 1:
        yield f"{missing[0]}: is missing; give both limits or none"
        return
    for field, limit in given.items():
        if limit is not None and limit % product.price_tick:
            tick = decimal_text(product.price_tick)
            yield f"{field}: {decimal_text(limit)} is not a multiple of the price tick {tick}"
    upper, lower = _limits(product, contract)
    if not 0 < lower <= contract.pre_settlement <= upper:
        yield (
            f"pre_settlement: {decimal_text(contract.pre_settlement)} must lie between the limits "
            f"{decimal_text(lower)} and {decimal_text(upper)}, and those above 0"
        )


def _limits(product: ProductTable, contract: ContractTable) -> tuple[Price, Price]:
    """Upper and lower limit: as given, else pre_settlement * (1 +- band), rounded inwards to the tick (rule 6)."""
    if contract.upper_limit is not None and contract.lower_limit is not None:
        return contract.upper_limit, contract.lower_limit
    unit = RATE_ONE * product.price_tick
    upper = contract.pre_settlement * (RATE_ONE + product.price_band) // unit
    lower = -(-contract.pre_settlement * (RATE_ONE - product.price_band) // unit)
    return Price(upper * product.price_tick), Price(lower * product.price_tick)


def _terms(product: ProductTable, contract: ContractTable) -> InstrumentTerms:
    upper, lower = _limits(product, contract)
    commission = product.commission
    return InstrumentTerms(
        instrument_id=InstrumentId(contract.instrument_id),
        exchange_id=product.exchange_id,
        product_id=product.product_id,
        name=f"{product.name}{contract.delivery_year % 100:02d}{contract.delivery_month:02d}",
        multiplier=Multiplier(product.multiplier),
        price_tick=product.price_tick,
        pre_settlement=contract.pre_settlement,
        upper_limit=upper,
        lower_limit=lower,
        margin=MarginRates(by_money=product.margin.by_money, by_volume=product.margin.by_volume),
        fees=FeeRates(open=_fee(commission.open), close=_fee(commission.close), closetoday=_fee(commission.closetoday)),
        limit_order_lots_max=Lots(product.max_limit_order_volume),
        market_order_lots_max=Lots(product.max_market_order_volume),
        separate_today=product.separate_today,
        delivery_year=contract.delivery_year,
        delivery_month=contract.delivery_month,
        expire_at_ns=(contract.expires_at - _EPOCH) // timedelta(microseconds=1) * 1000,
    )


def _fee(pair: RatePair) -> FeePair:
    return FeePair(by_money=pair.by_money, by_volume=pair.by_volume)


def _trading_time(product: ProductTable) -> TradingTime:
    hours = product.trading_time
    return TradingTime(
        day=tuple((start, end) for start, end in hours.day), night=tuple((start, end) for start, end in hours.night)
    )

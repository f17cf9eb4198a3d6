"""The packaged market fits the packaged tapes and the tables it was taken from."""

from __future__ import annotations

import csv
import json
import lzma
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import (
    RATE_ONE,
    YUAN,
    InstrumentId,
    Lots,
    Price,
    half_up,
    money_from_decimal,
    price_from_decimal,
)
from exchange.feeds.bars import Bar, snapshots_of_bars
from exchange.feeds.tape import read_tape, tape_names
from exchange.market.reading import TradingTime, read_market
from tests.support.recordings import FindRecording

MARKET = read_market()
TERMS = {terms.instrument_id: terms for terms in MARKET.instruments}


def test_all_six_exchanges_are_there() -> None:
    assert {terms.exchange_id for terms in MARKET.instruments} == {"SHFE", "INE", "DCE", "CZCE", "CFFEX", "GFEX"}
    assert len(MARKET.instruments) == len(TERMS) == len(MARKET.trading_times) == 17


def test_shfe_and_ine_alone_separate_lots_of_today() -> None:
    for terms in MARKET.instruments:
        assert terms.separate_today == (terms.exchange_id in ("SHFE", "INE")), terms.instrument_id


def test_contracts_expire_after_trading_on_a_weekday_of_their_month_or_on_ine_the_month_before() -> None:
    for terms in MARKET.instruments:
        expiry = datetime.fromtimestamp(terms.expire_at_ns // 1_000_000_000, timezone(timedelta(hours=8)))
        assert datetime(2026, 12, 1, tzinfo=expiry.tzinfo) < expiry, terms.instrument_id
        assert (expiry.hour, expiry.weekday() < 5) == (15, True), terms.instrument_id
        months = 12 * (terms.delivery_year - expiry.year) + terms.delivery_month - expiry.month
        assert months == (1 if terms.exchange_id == "INE" else 0), terms.instrument_id


@pytest.mark.parametrize("name", tape_names())
def test_every_price_of_a_tape_lies_within_the_limits_of_its_contract(name: str) -> None:
    tape = read_tape(name)
    terms = TERMS[tape.instrument_id]
    assert (terms.price_tick, terms.multiplier) == (tape.price_tick, tape.multiplier)
    prices = {snapshot.last for snapshot in tape.snapshots}
    prices |= {price for snapshot in tape.snapshots for price, _ in snapshot.bids + snapshot.asks}
    assert terms.lower_limit <= min(prices)
    assert max(prices) <= terms.upper_limit


# The sources of the numbers, as the marks in the file say -------------------------------------------------------------

SPECIFIED = {
    # product: the contract of the table that was the main month
    **{"SHFE.cu": "SHFE.cu2007", "SHFE.rb": "SHFE.rb2010", "SHFE.au": "SHFE.au2012", "SHFE.ag": "SHFE.ag2012"},
    **{"INE.sc": "INE.sc2008", "DCE.i": "DCE.i2009", "DCE.m": "DCE.m2009", "DCE.jd": "DCE.jd2009"},
    **{"CZCE.TA": "CZCE.TA009", "CZCE.SR": "CZCE.SR009", "CFFEX.IF": "CFFEX.IF2006", "CFFEX.T": "CFFEX.T2009"},
}
TABLE_PRICE = {
    # the price at which the rates give the table's yuan, where no contract of the market has it as its settlement price
    **{"SHFE.cu": 46770, "DCE.m": 2825, "DCE.jd": 3762},
}


def contracts_specified() -> list[InstrumentTerms]:
    return [terms for terms in MARKET.instruments if terms.exchange_id != "GFEX"]


@pytest.fixture(scope="module")
def specifications(recording: FindRecording) -> dict[str, Any]:
    with lzma.open(recording("contract_specs/futures_20200616.json.xz"), "rt", encoding="utf-8") as file:
        table: dict[str, Any] = json.load(file, parse_float=Decimal)
    return table


@pytest.mark.realdata
@pytest.mark.parametrize("terms", contracts_specified(), ids=lambda terms: terms.instrument_id)
def test_terms_are_those_of_the_table_of_specifications(terms: InstrumentTerms, specifications: dict[str, Any]) -> None:
    product = f"{terms.exchange_id}.{terms.product_id}"
    row = specifications[SPECIFIED[product]]
    assert terms.multiplier == row["volume_multiple"]
    assert terms.price_tick == price_from_decimal(Decimal(row["price_tick"]))
    assert terms.limit_order_lots_max == row["max_limit_order_volume"]
    assert terms.market_order_lots_max == row["max_market_order_volume"]
    hours = {part: tuple((start, end) for start, end in row["trading_time"].get(part, [])) for part in ("day", "night")}
    assert MARKET.trading_times[terms.instrument_id] == TradingTime(**hours)
    price = price_from_decimal(Decimal(TABLE_PRICE.get(product, Decimal(terms.pre_settlement) / YUAN)))
    for rate, yuan in ((terms.margin, row["margin"]), (terms.fees.open, row["commission"])):
        turnover = price * terms.multiplier
        # The table writes floats such as 5.642999999999999.
        assert half_up(turnover * rate.by_money, RATE_ONE) + rate.by_volume == money_from_decimal(round(yuan, 6))


@pytest.mark.realdata
@pytest.mark.parametrize(("instrument_id", "recorded"), [("SHFE.cu2703", "SHFE.cu2006"), ("DCE.m2701", "DCE.m2007")])
def test_recorded_limits_are_those_of_the_recording(
    instrument_id: str, recorded: str, recording: FindRecording
) -> None:
    quote: dict[str, Any] = {}
    file = recording("diff_recordings/td_basic_cancel_order_simulate_option.jsonl.xz")
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        for message in (json.loads(line, parse_float=Decimal) for line in lines):
            if message["ch"] == "md>client":
                for patch in message["msg"].get("data", ()):
                    quote |= patch.get("quotes", {}).get(recorded) or {}
    terms = TERMS[InstrumentId(instrument_id)]
    expected = [price_from_decimal(quote[name]) for name in ("lower_limit", "pre_settlement", "upper_limit")]
    assert [terms.lower_limit, terms.pre_settlement, terms.upper_limit] == expected


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("instrument_id", "file", "begin", "end"),
    [
        ("SHFE.cu2702", "SHFE.cu1905.1m.csv.xz", "2019-03-13 21:00:00", "2019-03-14 15:00:00"),
        ("DCE.jd2701", "DCE.jd1909.1m.csv.xz", "2019-05-28 09:00:00", "2019-05-28 15:00:00"),
    ],
)
def test_computed_settlement_prices_are_the_mean_price_of_the_day_before(
    instrument_id: str, file: str, begin: str, end: str, recording: FindRecording
) -> None:
    """Volume-weighted over the trades the bars become, half up to the tick (rule 6)."""
    terms = TERMS[InstrumentId(instrument_id)]
    with lzma.open(recording(f"futures_klines/{file}"), "rt", encoding="utf-8") as rows:
        bars = [bar_of(row) for row in csv.DictReader(rows) if begin <= row["datetime_cn"] < end]
    *_, last = snapshots_of_bars(bars, price_tick=terms.price_tick, multiplier=terms.multiplier)
    mean = half_up(last.amount, last.volume * terms.multiplier * terms.price_tick) * terms.price_tick
    assert terms.pre_settlement == mean


@pytest.mark.realdata
def test_the_inferred_settlement_price_puts_the_lowest_bid_at_five_percent(recording: FindRecording) -> None:
    """SHFE cuts a limit to the tick, as two recorded limits show: 6 % below 43110 is 40523.4, and 40520 was listed."""
    file = recording("futures_klines/SHFE.cu1909.ticks_20190916.csv.xz")
    with lzma.open(file, "rt", encoding="utf-8") as rows:
        bids: Counter[str] = Counter()
        for row in csv.DictReader(rows):
            bids.update(row[f"bid_price{level}"] for level in range(1, 6))
    lowest = min(Decimal(bid) for bid in bids if bid != "''")
    terms = TERMS[InstrumentId("SHFE.cu2701")]
    cut = terms.pre_settlement * 95 // 100 // terms.price_tick * terms.price_tick
    assert cut == price_from_decimal(lowest)


def bar_of(row: dict[str, str]) -> Bar:
    four: list[Price] = [price_from_decimal(Decimal(row[name])) for name in ("open", "high", "low", "close")]
    volume, open_oi, close_oi = (Lots(int(row[name])) for name in ("volume", "open_oi", "close_oi"))
    return Bar(
        start_ns=int(row["datetime_ns"]),
        open=four[0],
        high=four[1],
        low=four[2],
        close=four[3],
        volume=volume,
        open_oi=open_oi,
        close_oi=close_oi,
    )

"""A market file becomes the terms of the core, exactly, or is refused with all that is wrong with it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exchange.domain.instrument import FeePair, FeeRates, InstrumentTerms, MarginRates
from exchange.domain.values import InstrumentId, Lots, Money, Multiplier, Price, Rate
from exchange.market.reading import MarketFileError, TradingTime, read_market
from exchange.market.schema import __doc__ as documented

SMALL = """
format = 1

[[product]]
exchange_id = "SHFE"
product_id = "rb"
name = "螺纹"
multiplier = 10
price_tick = 1
price_band = 0.08
max_limit_order_volume = 500
max_market_order_volume = 0
separate_today = true
margin = { by_money = 0.1 }
commission.open = { by_money = 0.0001 }
commission.close = { by_volume = 1.5 }
commission.closetoday = { by_money = 0.0002, by_volume = 0.01 }
trading_time = { day = [["09:00:00", "10:15:00"], ["10:30:00", "11:30:00"]], night = [["21:00:00", "25:00:00"]] }

[[product.contract]]
instrument_id = "SHFE.rb2701"
delivery_year = 2027
delivery_month = 1
expires_at = 2027-01-15T15:00:00+08:00
pre_settlement = 3615

[[product.contract]]
instrument_id = "SHFE.rb2705"
delivery_year = 2027
delivery_month = 5
expires_at = 2027-05-17T15:00:00+08:00
pre_settlement = 3500.4
upper_limit = 3850
lower_limit = 3150
"""


def market_of(folder: Path, text: str) -> Path:
    file = folder / "market.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(MarketFileError) as caught:
        read_market(market_of(folder, text))
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new, 1)


def test_a_file_becomes_terms_in_whole_units(tmp_path: Path) -> None:
    market = read_market(market_of(tmp_path, SMALL))
    assert market.instruments[0] == InstrumentTerms(
        instrument_id=InstrumentId("SHFE.rb2701"),
        exchange_id="SHFE",
        product_id="rb",
        name="螺纹2701",
        multiplier=Multiplier(10),
        price_tick=Price(1_000_000),
        pre_settlement=Price(3_615_000_000),
        upper_limit=Price(3_904_000_000),
        lower_limit=Price(3_326_000_000),
        margin=MarginRates(by_money=Rate(100_000_000), by_volume=Money(0)),
        fees=FeeRates(
            open=FeePair(by_money=Rate(100_000), by_volume=Money(0)),
            close=FeePair(by_money=Rate(0), by_volume=Money(1_500_000)),
            closetoday=FeePair(by_money=Rate(200_000), by_volume=Money(10_000)),
        ),
        limit_order_lots_max=Lots(500),
        market_order_lots_max=Lots(0),
        separate_today=True,
        delivery_year=2027,
        delivery_month=1,
        expire_at_ns=int(datetime(2027, 1, 15, 7, tzinfo=UTC).timestamp()) * 1_000_000_000,
    )
    assert market.trading_times[InstrumentId("SHFE.rb2701")] == TradingTime(
        day=(("09:00:00", "10:15:00"), ("10:30:00", "11:30:00")), night=(("21:00:00", "25:00:00"),)
    )


def test_limits_in_the_file_stand_in_place_of_the_band(tmp_path: Path) -> None:
    second = read_market(market_of(tmp_path, SMALL)).instruments[1]
    assert (second.lower_limit, second.pre_settlement, second.upper_limit) == (
        Price(3_150_000_000),
        Price(3_500_400_000),
        Price(3_850_000_000),
    )


@pytest.mark.parametrize(
    ("pre_settlement", "band", "tick", "lower", "upper"),
    [
        ("3615", "0.08", "1", 3_326_000_000, 3_904_000_000),
        ("3500.4", "0.1", "0.2", 3_150_400_000, 3_850_400_000),
        ("100", "0.02", "0.005", 98_000_000, 102_000_000),
    ],
)
def test_the_band_is_rounded_inwards_to_the_tick(
    tmp_path: Path, pre_settlement: str, band: str, tick: str, lower: int, upper: int
) -> None:
    """The worked bands of rule 6, and one that needs no rounding."""
    text = changed("pre_settlement = 3615", f"pre_settlement = {pre_settlement}")
    text = text.replace("price_band = 0.08", f"price_band = {band}").replace("price_tick = 1", f"price_tick = {tick}")
    first = read_market(market_of(tmp_path, text)).instruments[0]
    assert (first.lower_limit, first.upper_limit) == (lower, upper)


def test_the_documented_example_can_be_read(tmp_path: Path) -> None:
    assert documented is not None
    example = re.findall(r"^    (.*)$|^$", documented, flags=re.MULTILINE)
    market = read_market(market_of(tmp_path, "\n".join(example)))
    assert [terms.instrument_id for terms in market.instruments] == ["SHFE.rb2701"]


FIRST = r"product\[0\] \(rb\)"
CONTRACT = FIRST + r", contract\[0\] \(SHFE\.rb2701\)"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format = 1", "format = 2", "format: 2: Input should be 1"),
        ("format = 1", "", "format: is missing"),
        ("format = 1", "format = 1\nproducts = 1", "the file: unknown name products; allowed are format, product"),
        ("multiplier = 10", "multiplier = 10.5", FIRST + r", multiplier: 10\.5: Input should be a valid integer"),
        ("multiplier = 10", "multiplier = 0", FIRST + ", multiplier: 0: Input should be greater than or equal to 1"),
        ("multiplier = 10", 'multiplier = "10"', FIRST + ", multiplier: '10': Input should be a valid integer"),
        (
            "multiplier = 10",
            "multiplyer = 10",
            FIRST + ": unknown name multiplyer; allowed are exchange_id, product_id",
        ),
        ("multiplier = 10", "", FIRST + ", multiplier: is missing"),
        ("price_tick = 1", "price_tick = 0", FIRST + ", price_tick: 0: must be above 0"),
        ("price_tick = 1", "price_tick = -1", FIRST + ", price_tick: -1: must be above 0"),
        ("price_tick = 1", "price_tick = true", FIRST + ", price_tick: True: must be a number without quotes"),
        ("price_tick = 1", "price_tick = inf", FIRST + ", price_tick: Infinity: .* is no finite number"),
        ("price_tick = 1", "price_tick = 1e400", FIRST + r", price_tick: 1E\+400: "),
        ("price_tick = 1", "price_tick = 0.0000001", FIRST + ", price_tick: 1E-7: .* more decimals than the 6"),
        ("price_band = 0.08", "price_band = 1.08", FIRST + r", price_band: 1\.08: .* is beyond the limit of 1"),
        ("price_band = 0.08", "price_band = nan", FIRST + ", price_band: NaN: .* is no finite number"),
        (
            "price_band = 0.08",
            "price_band = 1",
            CONTRACT + ", pre_settlement: 3615 must lie between the limits 0 and 7230",
        ),
        ("0.0001 }", "0.00000000001 }", FIRST + ", commission, open, by_money: 1E-11: .* more decimals than the 9"),
        ("by_volume = 1.5", "by_volume = -1.5", FIRST + r", commission, close, by_volume: -1\.5: must not be below 0"),
        (
            "{ by_money = 0.1 }",
            "{ by_mony = 0.1 }",
            FIRST + ", margin: unknown name by_mony; allowed are by_money, by_volume",
        ),
        ("{ by_money = 0.1 }", "0.1", FIRST + r", margin: 0\.1: "),
        (
            "_limit_order_volume = 500",
            "_limit_order_volume = 0",
            FIRST + ", max_limit_order_volume: 0: .* greater than",
        ),
        ("_limit_order_volume = 500", "_limit_order_volume = 1000001", "max_limit_order_volume: 1000001: .* less than"),
        ("separate_today = true", "separate_today = 1", FIRST + ", separate_today: 1: Input should be a valid boolean"),
        ('"09:00:00"', '"9:00"', r"trading_time, day\[0\]\[0\]: '9:00': must be a time of day such as \"09:00:00\""),
        ('"09:00:00"', '"34:00:00"', "'34:00:00': must be a time of day"),
        ('["09:00:00", "10:15:00"]', '["09:00:00"]', r"trading_time, day\[0\]: List should have at least 2 items"),
        ('exchange_id = "SHFE"', 'exchange_id = "shfe"', "exchange_id: 'shfe': String should match pattern"),
        ('"SHFE.rb2701"', '"rb2701"', r"contract\[0\] \(rb2701\), instrument_id: 'rb2701': String should match"),
        (
            '"SHFE.rb2701"',
            '"SHFE.rb2702"',
            "instrument_id: exchange, product and delivery month make it SHFE.rb2701",
        ),
        (
            '"SHFE.rb2701"',
            '"INE.rb2701"',
            "instrument_id: exchange, product and delivery month make it SHFE.rb2701",
        ),
        ("delivery_month = 1", "delivery_month = 13", CONTRACT + ", delivery_month: 13: Input should be less than"),
        ("T15:00:00+08:00", "T15:00:00", CONTRACT + ", expires_at: 2027-01-15 15:00:00: .* timezone"),
        ("pre_settlement = 3615", "pre_settlement = 0", CONTRACT + ", pre_settlement: 0: must be above 0"),
        ("pre_settlement = 3615", 'pre_settlement = "3615"', CONTRACT + ", pre_settlement: '3615': must be a number"),
        ("lower_limit = 3150", "", "lower_limit: is missing; give both limits or none"),
        ("upper_limit = 3850\n", "", "upper_limit: is missing; give both limits or none"),
        ("upper_limit = 3850", "upper_limit = 3850.5", "upper_limit: 3850.5 is not a multiple of the price tick 1"),
        (
            "upper_limit = 3850",
            "upper_limit = 3500",
            "pre_settlement: 3500.4 must lie between the limits 3150 and 3500",
        ),
        (
            "lower_limit = 3150",
            "lower_limit = 3501",
            "pre_settlement: 3500.4 must lie between the limits 3501 and 3850",
        ),
        ("format = 1", "format = 1 1", "it is no TOML: .* line 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_value(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = refusal(tmp_path, changed(old, new))
    assert text.startswith(f"market file {tmp_path / 'market.toml'} cannot be used:\n")
    assert re.search(says, text), text


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = changed("multiplier = 10", "multiplier = 0").replace("pre_settlement = 3500.4", "pre_settlement = -1")
    lines = refusal(tmp_path, text).splitlines()
    assert len(lines) == 3
    assert "contract[1] (SHFE.rb2705), pre_settlement: -1" in lines[2]


def test_a_contract_is_listed_once(tmp_path: Path) -> None:
    twice = SMALL + SMALL[SMALL.index("[[product]]") :]
    lines = refusal(tmp_path, twice).splitlines()[1:]
    assert lines == [
        "  product[1] (rb), contract[0] (SHFE.rb2701), instrument_id: is listed twice",
        "  product[1] (rb), contract[1] (SHFE.rb2705), instrument_id: is listed twice",
    ]


def test_three_digits_name_a_month_too(tmp_path: Path) -> None:
    market = read_market(market_of(tmp_path, changed('"SHFE.rb2701"', '"SHFE.rb701"')))
    assert market.instruments[0].instrument_id == "SHFE.rb701"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketFileError, match=r"none\.toml cannot be used:\n  it cannot be read: No such file"):
        read_market(tmp_path / "none.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"format = 1 # \xff")
    with pytest.raises(MarketFileError, match=r"it is no TOML: .*utf-8"):
        read_market(latin)

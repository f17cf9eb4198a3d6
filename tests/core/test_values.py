"""Whole-number units: what fits is exact, what does not is an error."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.commission import fee
from exchange.domain.margin import frozen_rest, margin_of
from exchange.domain.values import (
    MONEY_MAX,
    PRICE_MAX,
    RATE_ONE,
    YUAN,
    Lots,
    Money,
    Multiplier,
    Price,
    Rate,
    decimal_text,
    half_up,
    money_from_decimal,
    price_from_decimal,
    rate_from_decimal,
    to_tick,
)
from tests.support.market import fee_pair, margin, micro


@pytest.mark.parametrize(
    ("text", "micros"),
    [("0", 0), ("3610", 3_610_000_000), ("0.000001", 1), ("-2.5", -2_500_000), ("1e3", 10**9), ("-0", 0)],
)
def test_decimals_become_whole_numbers(text: str, micros: int) -> None:
    assert price_from_decimal(Decimal(text)) == micros
    assert money_from_decimal(Decimal(text)) == micros


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0.0000001", "more decimals than the 6"),
        ("NaN", "no finite number"),
        ("sNaN", "no finite number"),
        ("Infinity", "no finite number"),
        ("-Infinity", "no finite number"),
        ("1000000000.000001", "beyond the limit of 1000000000"),
        ("-1e30", "beyond the limit"),
        ("1.0000010000000000000000000000000001", "more decimals than the 6"),
        ("123456789.12345600000000000000000000001", "more decimals than the 6"),
    ],
)
def test_a_price_that_does_not_fit_is_an_error(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        price_from_decimal(Decimal(text))


def test_the_limits_themselves_fit() -> None:
    assert price_from_decimal(Decimal(PRICE_MAX) / YUAN) == PRICE_MAX
    assert money_from_decimal(Decimal(MONEY_MAX) / YUAN) == MONEY_MAX
    assert rate_from_decimal(Decimal(1)) == RATE_ONE


@pytest.mark.parametrize("text", ["1.000000001", "-1.1", "0.0000000001", "NaN"])
def test_a_rate_that_does_not_fit_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        rate_from_decimal(Decimal(text))


@pytest.mark.parametrize("text", ["1e1000000000", "-9e999999", "1e-999999", "1e500000"])
def test_a_short_text_of_a_long_number_is_an_error_at_once(text: str) -> None:
    """Written out, the first has a billion digits."""
    with pytest.raises(ValueError, match=r"beyond the limit|more decimals"):
        money_from_decimal(Decimal(text))


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (18_050_000, "18.05"),
        (-500_000, "-0.5"),
        (3_610_000_000, "3610"),
        (10 * YUAN, "10"),
    ],
)
def test_amounts_as_people_write_them(micros: int, text: str) -> None:
    assert decimal_text(micros) == text
    assert micro(text) == micros


@given(numerator=st.integers(), denominator=st.integers(min_value=1))
def test_half_up_is_away_from_zero(numerator: int, denominator: int) -> None:
    exact = abs(Fraction(numerator, denominator))
    nearest = int(exact + Fraction(1, 2))
    assert half_up(numerator, denominator) == (nearest if numerator >= 0 else -nearest)


@given(price=st.integers(0, PRICE_MAX), tick=st.integers(1, 10**9))
def test_to_tick_is_the_nearest_multiple_half_up(price: int, tick: int) -> None:
    found = to_tick(Price(price), Price(tick))
    assert found % tick == 0
    assert -tick < 2 * (price - found) <= tick or 2 * (found - price) == tick
    assert 2 * (price - found) != tick


@given(
    price=st.integers(1, PRICE_MAX),
    multiplier=st.integers(1, 10_000),
    lots=st.integers(1, 10_000),
    by_money=st.integers(0, RATE_ONE),
    by_volume=st.integers(0, MONEY_MAX),
)
def test_fees_and_margins_are_rounded_half_up_once(
    price: int, multiplier: int, lots: int, by_money: int, by_volume: int
) -> None:
    turnover = price * multiplier * lots
    exact = Fraction(turnover * by_money, RATE_ONE)
    rounded = int(exact + Fraction(1, 2)) + lots * by_volume
    pair = fee_pair()
    pair = type(pair)(by_money=Rate(by_money), by_volume=Money(by_volume))
    rates = type(margin())(by_money=Rate(by_money), by_volume=Money(by_volume))
    assert fee(pair, Price(price), Multiplier(multiplier), Lots(lots)) == rounded
    assert margin_of(turnover, Lots(lots), rates) == rounded


@given(total=st.integers(0, MONEY_MAX), lots=st.integers(1, 10**6), share=st.data())
def test_what_is_left_frozen_is_in_proportion(total: int, lots: int, share: st.DataObject) -> None:
    left = share.draw(st.integers(0, lots))
    rest = frozen_rest(Money(total), Lots(left), Lots(lots))
    assert rest == int(Fraction(total * left, lots) + Fraction(1, 2))
    assert frozen_rest(Money(total), Lots(0), Lots(lots)) == 0

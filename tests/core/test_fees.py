"""What a fill costs (rule 5)."""

from __future__ import annotations

import pytest

from exchange.domain.instrument import InstrumentTerms
from exchange.domain.words import PositionEffect
from tests.support.commands import CLOSE, CLOSETODAY, OPEN, ask, bid, buy, last_trade, sell, traded
from tests.support.decider import Scenario, given, held_overnight
from tests.support.market import CORN, RB, fee_pair, micro, terms

DEAR = terms("TEST.d1", fees=(fee_pair(by_volume=1), fee_pair(by_volume=10), fee_pair(by_volume=100)))
"""1 yuan to open a lot, 10 to close it, 100 to close it as one of today's; buckets not separate."""


@pytest.mark.parametrize(
    ("opened_today", "closed", "fee", "as_today"),
    [(0, 3, 30, 0), (1, 3, 120, 1), (2, 3, 210, 2), (3, 3, 300, 3), (5, 3, 300, 3)],
)
def test_together_the_closetoday_fee_goes_by_quantity(opened_today: int, closed: int, fee: int, as_today: int) -> None:
    """His 3: whichever holding is closed, lots up to those opened today pay closetoday; older ones are taken first."""
    scenario = Scenario(DEAR).given(held_overnight("T", 3, opened=100, basis=100, instrument=DEAR))
    if opened_today:
        scenario.given(traded("T", "M", 100, opened_today, DEAR))
    scenario.given(bid("b", 100, closed, instrument=DEAR))
    (fill,) = scenario.when(sell("t1", 100, closed, effect=CLOSE, instrument=DEAR)).fills_of("t1")
    assert not any(bite.today for bite in fill.closed)
    assert (fill.commission, fill.charged_as_today) == (micro(fee), as_today)


def test_together_each_lot_opened_today_is_charged_once() -> None:
    """His 3, open 2, then three closes of 1, 2 and 2: 1 + 1 lots pay closetoday, the others close."""
    scenario = Scenario(DEAR).given(
        held_overnight("T", 3, opened=100, basis=100, instrument=DEAR),
        traded("T", "M", 100, 2, DEAR),
        bid("b", 100, 5, instrument=DEAR),
    )
    fees: list[int] = []
    for lots in (1, 2, 2):
        scenario.when(sell(f"t{len(fees)}", 100, lots, effect=CLOSE, instrument=DEAR))
        fees.extend(fill.commission for fill in scenario.fills_of(f"t{len(fees)}"))
    assert fees == [micro(100), micro(110), micro(20)]


def test_together_one_sweep_over_several_closes_charges_each_lot_once() -> None:
    scenario = Scenario(DEAR).given(
        held_overnight("T", 3, opened=100, basis=100, instrument=DEAR),
        traded("T", "M", 100, 2, DEAR),
        *(sell(f"t{n}", 101, lots, effect=CLOSE, instrument=DEAR) for n, lots in enumerate((1, 2, 2))),
    )
    scenario.when(buy("a1", 101, 5, account="M", instrument=DEAR))
    fees = [fill.commission for n in range(3) for fill in scenario.fills_of(f"t{n}")]
    assert fees == [micro(100), micro(110), micro(20)]


@pytest.mark.parametrize(("effect", "fee"), [(CLOSE, "3.6"), (CLOSETODAY, "7.2")])
def test_separate_the_order_s_effect_decides_the_fee(effect: PositionEffect, fee: str) -> None:
    scenario = given(
        held_overnight("T", 1, opened=3600, basis=3600, instrument=RB),
        traded("T", "M", 3600, 1, RB),
        bid("b", 3600, instrument=RB),
    )
    (fill,) = scenario.when(sell("t1", 3600, effect=effect, instrument=RB)).fills_of("t1")
    assert fill.commission == micro(fee)


def test_corn_closes_today_s_lots_for_nothing() -> None:
    """His 2 and today 2, close 3: by quantity 2 lots pay the closetoday fee of nothing and 1 pays 1.2 (rule 5)."""
    scenario = given(
        held_overnight("T", 2, opened=3006, basis=3005, instrument=CORN),
        traded("T", "M", 3000, 2, CORN),
        bid("b", 3004, 3, instrument=CORN),
    )
    (fill,) = scenario.when(sell("t1", 3004, 3, effect=CLOSE, instrument=CORN)).fills_of("t1")
    assert fill.commission == micro("1.2")


IRON = terms(
    "DCE.i2009",
    multiplier=100,
    tick="0.5",
    pre_settlement="734.5",
    band=(650, 800),
    fees=(fee_pair("0.0001"), fee_pair("0.0001"), fee_pair("0.0001")),
)
SILVER_FEE = fee_pair("0.00001", "0.005")
SILVER = terms(
    "SHFE.ag2012",
    multiplier=15,
    pre_settlement=12579,
    band=(11000, 14000),
    fees=(SILVER_FEE, SILVER_FEE, SILVER_FEE),
)


@pytest.mark.parametrize(
    ("instrument", "at", "fee"), [(IRON, "738.5", "7.385"), (SILVER, "12579", "1.89185")], ids=["iron", "silver"]
)
def test_a_fee_is_not_rounded_to_cents(instrument: InstrumentTerms, at: str, fee: str) -> None:
    """By money, and by money and by lot, at the trade's price; both were measured (rule 5)."""
    scenario = Scenario(instrument).given(last_trade(at, instrument), ask("a", at, instrument=instrument))
    (fill,) = scenario.when(buy("t1", at, instrument=instrument)).fills_of("t1")
    assert fill.commission == micro(fee)


@pytest.mark.parametrize("opening", ["buy", "sell"])
def test_what_a_trade_opens_is_not_opened_before_its_own_close(opening: str) -> None:
    """His 1, closed against one's own opening order: the lot opened by the same trade does not make it one of today's,
    whichever side closes."""
    long = opening == "buy"
    scenario = Scenario(DEAR).given(held_overnight("T", 1, opened=100, basis=100, long=long, instrument=DEAR))
    close = (sell if long else buy)("t1", 100, 1, effect=CLOSE, instrument=DEAR)
    scenario.given(close).when((buy if long else sell)("t2", 100, 1, effect=OPEN, instrument=DEAR))
    (fill,) = scenario.fills_of("t1")
    assert fill.commission == micro(10)


def test_lots_opened_earlier_in_the_same_sweep_count_as_opened_today() -> None:
    """One's own buy meets first another's ask, then one's own close of an older lot."""
    scenario = Scenario(DEAR).given(
        held_overnight("T", 1, opened=100, basis=100, instrument=DEAR),
        ask("m1", 100, 1, instrument=DEAR),
        sell("t1", 101, 1, effect=CLOSE, instrument=DEAR),
    )
    (fill,) = scenario.when(buy("t2", 101, 2, instrument=DEAR)).fills_of("t1")
    assert (fill.commission, fill.charged_as_today) == (micro(100), 1)

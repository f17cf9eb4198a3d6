"""Contracts are listed if their terms make sense."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exchange.decider import ExchangeState, execute
from exchange.domain.commands import RegisterInstrument
from exchange.domain.events import CommandRefused, InstrumentRegistered, OrderRefused
from exchange.domain.instrument import FeePair, FeeRates, InstrumentTerms, MarginRates
from exchange.domain.rejections import RejectReason
from exchange.domain.values import LOTS_MAX, MONEY_MAX, PRICE_MAX, RATE_ONE, Money, Rate
from tests.support.commands import buy
from tests.support.decider import Scenario, given, not_done
from tests.support.market import TOY, fee_pair, micro, terms

NEW = terms("TEST.n1")
DEAR = FeePair(by_money=Rate(RATE_ONE + 1), by_volume=Money(0))
NEGATIVE = FeePair(by_money=Rate(0), by_volume=Money(-1))
DEAREST = FeePair(by_money=Rate(RATE_ONE), by_volume=Money(MONEY_MAX // 500))
NONE = fee_pair()


def test_a_listed_contract_trades_at_once() -> None:
    scenario = Scenario(TOY).when(RegisterInstrument(terms=NEW))
    assert scenario.outcome == (InstrumentRegistered(terms=NEW, at_ns=scenario.entries[-1][1]),)
    assert scenario.state.instruments[NEW.instrument_id].mark.price == NEW.pre_settlement


def test_a_contract_is_listed_once() -> None:
    given().when(RegisterInstrument(terms=terms("TEST.t1", multiplier=7))).then(
        not_done(RejectReason.INSTRUMENT_EXISTS, "TEST.t1")
    )


@pytest.mark.parametrize(
    ("term", "changes"),
    [
        ("instrument_id", {"instrument_id": "n1"}),
        ("instrument_id", {"exchange_id": "OTHER"}),
        ("instrument_id", {"exchange_id": "", "instrument_id": ".n1"}),
        ("multiplier", {"multiplier": 0}),
        ("price_tick", {"price_tick": 0}),
        ("price_tick", {"price_tick": -1}),
        ("price_band", {"lower_limit": 0}),
        ("price_band", {"lower_limit": micro(101)}),
        ("price_band", {"upper_limit": micro(99)}),
        ("price_band", {"upper_limit": PRICE_MAX + micro(1)}),
        ("price_band_ticks", {"lower_limit": micro("50.5")}),
        ("price_band_ticks", {"upper_limit": micro("150.5")}),
        ("order_lots_max", {"limit_order_lots_max": 0}),
        ("order_lots_max", {"market_order_lots_max": -1}),
        ("order_lots_max", {"limit_order_lots_max": LOTS_MAX + 1}),
        ("order_lots_max", {"market_order_lots_max": LOTS_MAX + 1}),
        ("turnover_max", {"multiplier": MONEY_MAX // (micro(150) * 500) + 1}),
        ("margin", {"margin": MarginRates(by_money=Rate(-1), by_volume=Money(0))}),
        ("margin", {"margin": MarginRates(by_money=Rate(RATE_ONE + 1), by_volume=Money(0))}),
        ("margin", {"margin": MarginRates(by_money=Rate(0), by_volume=Money(-1))}),
        ("margin", {"margin": MarginRates(by_money=Rate(0), by_volume=Money(MONEY_MAX // 500 + 1))}),
        ("fees", {"fees": FeeRates(open=DEAR, close=NONE, closetoday=NONE)}),
        ("fees", {"fees": FeeRates(open=NONE, close=NEGATIVE, closetoday=NONE)}),
        ("fees", {"fees": FeeRates(open=NONE, close=NONE, closetoday=DEAR)}),
    ],
)
def test_terms_that_make_no_sense_are_refused_by_name(term: str, changes: dict[str, Any]) -> None:
    broken: InstrumentTerms = msgspec.structs.replace(NEW, **changes)
    scenario = Scenario(TOY).when(RegisterInstrument(terms=broken))
    scenario.then(not_done(RejectReason.INSTRUMENT_TERMS, broken.instrument_id, term=term))
    assert broken.instrument_id not in scenario.state.instruments


def test_the_greatest_terms_keep_every_amount_of_an_order_within_64_bits() -> None:
    """Turnover, fee and margin of the largest order are bounded by `MONEY_MAX` each, by money and by volume."""
    greatest = msgspec.structs.replace(
        NEW,
        multiplier=MONEY_MAX // (micro(150) * 500),
        margin=MarginRates(by_money=Rate(RATE_ONE), by_volume=Money(MONEY_MAX // 500)),
        fees=FeeRates(open=DEAREST, close=DEAREST, closetoday=DEAREST),
    )
    (refusal,) = Scenario(greatest).when(buy("t1", 150, 500, instrument=greatest)).outcome
    assert isinstance(refusal, OrderRefused)
    assert 3 * MONEY_MAX < int(refusal.facts["needed"]) < 2**63


def test_a_refused_listing_belongs_to_nobody() -> None:
    (event,) = execute(ExchangeState(), RegisterInstrument(terms=msgspec.structs.replace(NEW, multiplier=0)), 1)
    assert isinstance(event, CommandRefused)
    assert (event.command, event.account_id) == ("RegisterInstrument", "")

"""Holdings per opening fill, today's and older lots, and what may be closed (rules 2, 2.1)."""

from __future__ import annotations

import pytest

from exchange.domain.holdings import Holdings
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.position import ClosedLots
from exchange.domain.rejections import RejectReason
from exchange.domain.values import Lots, Money, Multiplier, TradeNo, decimal_text
from exchange.domain.words import PositionEffect
from tests.support.commands import CLOSE, CLOSETODAY, ask, bid, buy, cancel, last_trade, sell, traded
from tests.support.decider import Scenario, accepted, bites, given, held_overnight, refused, trade
from tests.support.market import CORN, RB, micro, price, terms

# --- What may be closed: yesterday 3, today 5, long (rule 2, freeze example) ------------------------------------------


def three_and_five(instrument: InstrumentTerms) -> Scenario:
    at = decimal_text(instrument.pre_settlement)
    return given(
        held_overnight("T", 3, opened=at, basis=at, instrument=instrument), traded("T", "M", at, 5, instrument)
    )


def test_separate_a_close_over_the_older_lots_is_refused_although_today_s_would_help() -> None:
    three_and_five(RB).when(sell("t1", 3700, 4, effect=CLOSE, instrument=RB)).then(
        refused("t1", RejectReason.CLOSABLE_LOTS, lots=4, closable=3, effect="CLOSE")
    )


def test_separate_a_close_freezes_older_lots_and_a_closetoday_today_s() -> None:
    scenario = three_and_five(RB)
    scenario.when(
        sell("t1", 3700, 3, effect=CLOSE, instrument=RB), sell("t2", 3700, 5, effect=CLOSETODAY, instrument=RB)
    ).then(accepted("t1"), accepted("t2"))
    scenario.then_position("T", RB, long=True, frozen_close=3, frozen_close_today=5)
    assert scenario.held("T", RB).position.long.frozen_split(separate_today=True) == (5, 3)
    scenario.when(
        sell("t3", 3700, 1, effect=CLOSE, instrument=RB), sell("t4", 3700, 1, effect=CLOSETODAY, instrument=RB)
    ).then(
        refused("t3", RejectReason.CLOSABLE_LOTS, lots=1, closable=0, effect="CLOSE"),
        refused("t4", RejectReason.CLOSABLE_LOTS, lots=1, closable=0, effect="CLOSETODAY"),
    )


@pytest.mark.parametrize("effect", [CLOSE, CLOSETODAY])
def test_together_a_close_freezes_older_lots_first_then_today_s(effect: PositionEffect) -> None:
    scenario = three_and_five(CORN)
    scenario.when(sell("t1", 3100, 4, effect=effect, instrument=CORN)).then(accepted("t1"))
    assert scenario.held("T", CORN).position.long.frozen_split(separate_today=False) == (1, 3)
    scenario.when(sell("t2", 3100, 5, effect=effect, instrument=CORN)).then(
        refused("t2", RejectReason.CLOSABLE_LOTS, lots=5, closable=4, effect=effect.value)
    )


# --- First opened, first closed ---------------------------------------------------------------------------------------


def test_a_close_takes_today_s_holdings_in_the_order_they_were_opened() -> None:
    """Bought at 100, 90 and 95; 4 lots are sold at 98: two of 100, two of 90."""
    scenario = given(
        traded("T", "M", 100, 2), traded("T", "M", 90, 3), traded("T", "M", 95, 1), last_trade(98), bid("b", 98, 4)
    ).when(sell("t1", 98, 4, effect=CLOSE))
    (fill,) = scenario.fills_of("t1")
    assert bites(fill) == [(1, 2, "-4", True), (2, 2, "16", True)]
    assert fill.close_profit == micro(12)
    scenario.then_position("T", long=True, lots_today=2, open_cost_today=micro(90 + 95), cost_today=micro(90 + 95))
    assert [(h.opened_by, h.lots) for h in scenario.held("T").long_holdings.today] == [(2, 1), (3, 1)]


def test_a_short_close_profits_from_falling_prices() -> None:
    scenario = given(traded("M", "T", 100, 2), last_trade(97), ask("a", 97, 2)).when(buy("t1", 97, 2, effect=CLOSE))
    (fill,) = scenario.fills_of("t1")
    assert bites(fill) == [(1, 2, "6", True)]
    scenario.then_position("T", long=False, lots_today=0, cost_today=0, open_cost_today=0)


def test_older_lots_profit_from_the_last_settlement_today_s_from_their_open_price() -> None:
    """Corn, rule 2.1: long 2 older lots (opened 3006, settled 3005) and 2 of today at 3000; 3 sold at 3004: +20."""
    scenario = given(
        held_overnight("T", 2, opened=3006, basis=3005, instrument=CORN),
        traded("T", "M", 3000, 2, CORN),
        last_trade(3004, CORN),
        bid("b", 3004, 3, instrument=CORN),
    ).when(sell("t1", 3004, 3, effect=CLOSE, instrument=CORN))
    (fill,) = scenario.fills_of("t1")
    assert bites(fill) == [(1, 2, "-20", False), (2, 1, "40", True)]
    scenario.then_figures("T", close_profit=20, margin=1500)
    scenario.then_position("T", CORN, long=True, lots_today=1, lots_history=0, cost_today=micro(30000), cost_history=0)


def test_a_real_statement_s_close_of_older_short_lots() -> None:
    """IH x 300, short, opened 2626.2, settled 2607.2, closed at 2616.4: -2760.00 by date (rule 2.1)."""
    ih = terms("CFFEX.IH2501", multiplier=300, tick="0.2", pre_settlement="2607.2", band=(2400, 2800))
    scenario = Scenario(ih).given(
        held_overnight("T", 1, opened="2626.2", basis="2607.2", long=False, instrument=ih),
        last_trade("2616.4", ih),
        ask("a", "2616.4", instrument=ih),
    )
    (fill,) = scenario.when(buy("t1", "2616.4", effect=CLOSE, instrument=ih)).fills_of("t1")
    assert fill.close_profit == micro(-2760)


@pytest.mark.parametrize("effect", [CLOSE, CLOSETODAY])
def test_separate_buckets_are_closed_apart(effect: PositionEffect) -> None:
    scenario = three_and_five(RB).given(bid("b", 3600, 3, instrument=RB))
    (fill,) = scenario.when(sell("t1", 3600, 3, effect=effect, instrument=RB)).fills_of("t1")
    assert [bite.today for bite in fill.closed] == [effect is CLOSETODAY]
    left = (2, 3) if effect is CLOSETODAY else (5, 0)
    scenario.then_position("T", RB, long=True, lots_today=left[0], lots_history=left[1])


def test_one_sweep_hits_several_closing_orders_of_one_account() -> None:
    """Each takes what the ones before it left, although the state moves only after the whole command is decided."""
    scenario = given(
        traded("T", "M", 100, 2),
        traded("T", "M", 104, 3),
        last_trade(101),
        sell("t1", 101, 1, effect=CLOSE),
        sell("t2", 102, 3, effect=CLOSE),
        sell("t3", 103, 1, effect=CLOSE),
    ).when(buy("a1", 103, 5, account="M"))
    assert [bites(fill) for order_id in ("t1", "t2", "t3") for fill in scenario.fills_of(order_id)] == [
        [(1, 1, "1", True)],
        [(1, 1, "2", True), (2, 2, "-4", True)],
        [(2, 1, "-1", True)],
    ]
    scenario.then_position("T", long=True, lots_today=0, frozen_close=0, cost_today=0)


def test_one_sweep_takes_older_lots_first_across_orders() -> None:
    scenario = given(
        held_overnight("T", 2, opened=90, basis=95),
        traded("T", "M", 100, 3),
        sell("t1", 101, 3, effect=CLOSE),
        sell("t2", 101, 2, effect=CLOSETODAY),
    ).when(buy("a1", 101, 5, account="M"))
    assert [bites(fill) for order_id in ("t1", "t2") for fill in scenario.fills_of(order_id)] == [
        [(1, 2, "12", False), (2, 1, "1", True)],
        [(2, 2, "2", True)],
    ]


def test_holdings_refuse_to_close_more_than_they_have() -> None:
    holdings = Holdings()
    holdings.open(TradeNo(1), price(100), Lots(2))
    with pytest.raises(AssertionError, match="1 lots more"):
        holdings.bites(3, price(100), Multiplier(1), long=True, buckets="oldest_first")


@pytest.mark.parametrize(
    ("opened_by", "lots", "complaint"), [(2, 1, "holding 1 is first"), (1, 3, "holding 1 has 2 lots")]
)
def test_holdings_stop_at_an_event_that_cannot_be(opened_by: int, lots: int, complaint: str) -> None:
    holdings = Holdings()
    holdings.open(TradeNo(1), price(100), Lots(2))
    bite = ClosedLots(
        opened_by=TradeNo(opened_by),
        lots=Lots(lots),
        open_price=price(100),
        basis=price(100),
        today=True,
        profit=Money(0),
    )
    with pytest.raises(AssertionError, match=complaint):
        holdings.close((bite,))


def test_a_close_that_was_cancelled_leaves_its_lots_to_the_next_sweep() -> None:
    given(traded("T", "M", 100, 2), sell("t1", 101, 2, effect=CLOSE), cancel("t1")).when(
        buy("a1", 101, 1, account="M"), sell("t2", 101, 2, effect=CLOSE)
    ).then(accepted("a1"), accepted("t2"), trade(taker="t2", maker="a1", price=101, lots=1))

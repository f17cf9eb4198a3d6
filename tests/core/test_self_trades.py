"""An account may trade with itself: each of its orders is booked as if the other were a stranger's."""

from __future__ import annotations

from tests.support.commands import ALL, CLOSE, IOC, ask, buy, sell, traded
from tests.support.decider import accepted, bites, given, trade
from tests.support.market import micro


def test_a_buy_open_meets_one_s_own_sell_close() -> None:
    scenario = given(traded("T", "M", 100, 5), sell("t1", 102, 3, effect=CLOSE)).when(buy("t2", 102, 3))
    scenario.then(accepted("t2"), trade(taker="t2", maker="t1", price=102, lots=3))
    (close,) = scenario.fills_of("t1")
    assert bites(close) == [(1, 3, "6", True)]
    scenario.then_position("T", long=True, lots_today=5, frozen_close=0, cost_today=micro(2 * 100 + 3 * 102))
    assert [(h.opened_by, h.lots) for h in scenario.held("T").long_holdings.today] == [(1, 2), (2, 3)]


def test_a_sell_open_meets_one_s_own_buy_close() -> None:
    scenario = given(traded("M", "T", 100, 5), buy("t1", 98, 5, effect=CLOSE)).when(sell("t2", 98, 5))
    (close,) = scenario.fills_of("t1")
    assert bites(close) == [(1, 5, "10", True)]
    scenario.then_position("T", long=False, lots_today=5, frozen_close=0, cost_today=micro(5 * 98))


def test_one_s_own_close_meets_one_s_own_close() -> None:
    """Both sides shrink, the open interest of the account with them."""
    scenario = given(traded("T", "M", 100, 2), traded("M", "T", 100, 2), sell("t1", 101, 2, effect=CLOSE)).when(
        buy("t2", 101, 2, effect=CLOSE)
    )
    scenario.then_position("T", long=True, lots_today=0).then_position("T", long=False, lots_today=0)
    scenario.then_figures("T", close_profit=0, margin=0)


def test_a_fok_order_may_fill_with_one_s_own_orders() -> None:
    given(sell("t1", 100, 3), ask("m1", 101, 2)).when(buy("t2", 101, 5, time=IOC, volume=ALL)).then(
        accepted("t2"),
        trade(taker="t2", maker="t1", price=100, lots=3),
        trade(taker="t2", maker="m1", price=101, lots=2),
    )

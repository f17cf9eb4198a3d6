"""Price priority, then time; a trade's price is the middle one of bid, ask and previous trade (rule 1.3)."""

from __future__ import annotations

import pytest

from exchange.domain.words import CancelReason, Direction, PriceRule
from tests.support.commands import ALL, BUY, CLOSE, IOC, SELL, ask, bid, buy, cancel, ladder, last_trade, order, sell
from tests.support.decider import Scenario, accepted, cancelled, given, trade
from tests.support.market import CU, TOY, terms


@pytest.mark.parametrize(
    ("incoming", "limit", "resting", "last", "price"),
    [
        (BUY, 105, 101, 100, 101),
        (BUY, 105, 101, 103, 103),
        (BUY, 105, 101, 110, 105),
        (BUY, 105, 101, 101, 101),
        (BUY, 105, 101, 105, 105),
        (BUY, 101, 101, 90, 101),
        (BUY, 101, 101, 110, 101),
        (SELL, 95, 99, 100, 99),
        (SELL, 95, 99, 97, 97),
        (SELL, 95, 99, 90, 95),
        (SELL, 95, 99, 99, 99),
        (SELL, 95, 99, 95, 95),
    ],
)
def test_a_trade_has_the_middle_price_of_bid_ask_and_last(
    incoming: Direction, limit: int, resting: int, last: int, price: int
) -> None:
    maker = order("m1", SELL if incoming is BUY else BUY, resting, 2, account="M")
    given(last_trade(last), maker).when(order("t1", incoming, limit, 2)).then(
        accepted("t1"),
        trade(taker="t1", maker="m1", price=price, lots=2, price_rule=PriceRule.MIDDLE_OF_THREE, taker_side=incoming),
    )


def test_before_the_first_trade_the_previous_settlement_price_counts() -> None:
    """TOY was settled at 100."""
    given(ask("m1", 98)).when(buy("t1", 105)).then(accepted("t1"), trade(taker="t1", maker="m1", price=100, lots=1))


@pytest.mark.parametrize(("pre_settlement", "price"), [("100.4", 100), ("100.5", 101), ("99.999999", 100)])
def test_a_previous_settlement_price_between_ticks_is_taken_to_the_nearest_tick(
    pre_settlement: str, price: int
) -> None:
    """A trade's price is a multiple of the tick, whatever it is measured against."""
    between = terms("TEST.b1", pre_settlement=pre_settlement)
    scenario = Scenario(between).given(ask("m1", 90, instrument=between))
    scenario.when(buy("t1", 110, instrument=between)).then(
        accepted("t1"), trade(taker="t1", maker="m1", price=price, lots=1)
    )


@pytest.mark.parametrize(("last", "prices"), [(103, (103, 103)), (100, (101, 102)), (110, (105, 105))])
def test_within_a_sweep_each_trade_is_the_last_price_of_the_next(last: int, prices: tuple[int, int]) -> None:
    """Asks 101 x 5 and 102 x 5, a buy of 8 at 105."""
    given(last_trade(last), ask("m1", 101, 5), ask("m2", 102, 5)).when(buy("t1", 105, 8)).then(
        accepted("t1"),
        trade(taker="t1", maker="m1", price=prices[0], lots=5),
        trade(taker="t1", maker="m2", price=prices[1], lots=3),
    ).then_book("| 102 | 2")


def test_a_sell_sweeps_the_bids_downwards() -> None:
    given(last_trade(100), bid("m1", 99, 5), bid("m2", 98, 5)).when(sell("t1", 95, 8)).then(
        accepted("t1"),
        trade(taker="t1", maker="m1", price=99, lots=5),
        trade(taker="t1", maker="m2", price=98, lots=3),
    ).then_book("2 | 98 |")


def test_a_better_price_is_met_first_and_at_one_price_the_older_order() -> None:
    given(last_trade(103), ask("late", 103, 1), ask("best", 102, 1), ask("later", 103, 1)).when(buy("t1", 103, 3)).then(
        accepted("t1"),
        trade(taker="t1", maker="best", price=103, lots=1),
        trade(taker="t1", maker="late", price=103, lots=1),
        trade(taker="t1", maker="later", price=103, lots=1),
    )


def test_a_partly_filled_order_keeps_its_place() -> None:
    given(ask("old", 101, 5), ask("new", 101, 5), buy("t0", 101, 2)).when(buy("t1", 101, 4)).then(
        accepted("t1"),
        trade(taker="t1", maker="old", price=101, lots=3),
        trade(taker="t1", maker="new", price=101, lots=1),
    )


def test_an_order_in_the_middle_of_a_queue_leaves_without_moving_the_others() -> None:
    given(ask("a", 101, 1), ask("b", 101, 2), ask("c", 101, 3), cancel("b", "M")).when(buy("t1", 101, 4)).then(
        accepted("t1"),
        trade(taker="t1", maker="a", price=101, lots=1),
        trade(taker="t1", maker="c", price=101, lots=3),
    )


def test_what_does_not_fill_rests_at_the_order_s_own_price() -> None:
    given(last_trade(99), ladder("| 101 | 5")).when(buy("t1", 103, 8)).then(
        accepted("t1"), trade(taker="t1", maker="ask101", price=101, lots=5)
    ).then_book("3 | 103 |")


def test_an_order_meets_no_price_beyond_its_limit() -> None:
    given(ladder("| 102 | 5")).when(buy("t1", 101, 5)).then(accepted("t1")).then_book(
        """
            | 102 | 5
          5 | 101 |
        """
    )


# --- FAK and FOK: asks 52010 x 15 and 52020 x 13, last 52000, a buy of 50 at 52020 (rule 1.3)

CU_ASKS = [last_trade(52000, CU), ladder("| 52010 | 15\n| 52020 | 13", CU)]


def test_a_fok_order_that_cannot_fill_whole_is_cancelled_whole() -> None:
    given(*CU_ASKS).when(buy("t1", 52020, 50, instrument=CU, time=IOC, volume=ALL)).then(
        accepted("t1"), cancelled("t1", 50, CancelReason.NOT_FILLED_WHOLE)
    ).then_book("| 52010 | 15\n| 52020 | 13", CU)


@pytest.mark.parametrize(("lots", "fills"), [(28, True), (29, False)])
def test_a_fok_order_counts_every_lot_it_may_reach(lots: int, fills: bool) -> None:
    outcome = given(*CU_ASKS).when(buy("t1", 52020, lots, instrument=CU, time=IOC, volume=ALL))
    if fills:
        outcome.then(
            accepted("t1"),
            trade(taker="t1", maker="ask52010", price=52010, lots=15),
            trade(taker="t1", maker="ask52020", price=52020, lots=13),
        ).then_book("", CU)
    else:
        outcome.then(accepted("t1"), cancelled("t1", 29, CancelReason.NOT_FILLED_WHOLE))


def test_a_fok_order_does_not_count_what_lies_beyond_its_limit() -> None:
    given(*CU_ASKS).when(buy("t1", 52010, 16, instrument=CU, time=IOC, volume=ALL)).then(
        accepted("t1"), cancelled("t1", 16, CancelReason.NOT_FILLED_WHOLE)
    )


def test_a_fak_order_fills_what_it_can_and_the_rest_is_cancelled() -> None:
    given(*CU_ASKS).when(buy("t1", 52020, 50, instrument=CU, time=IOC)).then(
        accepted("t1"),
        trade(taker="t1", maker="ask52010", price=52010, lots=15),
        trade(taker="t1", maker="ask52020", price=52020, lots=13),
        cancelled("t1", 22, CancelReason.NOT_FILLED_AT_ONCE),
    ).then_book("", CU)


def test_a_fak_order_that_meets_nobody_is_cancelled_whole() -> None:
    given().when(buy("t1", 100, 5, time=IOC)).then(accepted("t1"), cancelled("t1", 5, CancelReason.NOT_FILLED_AT_ONCE))


def test_a_fak_order_that_fills_leaves_nothing_to_cancel() -> None:
    given(ask("m1", 100, 5)).when(buy("t1", 100, 5, time=IOC)).then(
        accepted("t1"), trade(taker="t1", maker="m1", price=100, lots=5)
    )


# --- Market orders work at the edge of the band -----------------------------------------------------------------------


def test_a_market_buy_takes_asks_up_to_the_upper_limit() -> None:
    given(last_trade(100), ladder("| 101 | 5\n| 150 | 5")).when(buy("t1", None, 12)).then(
        accepted("t1", limit_price=None, price=TOY.upper_limit),
        trade(taker="t1", maker="ask101", price=101, lots=5),
        trade(taker="t1", maker="ask150", price=150, lots=5),
        cancelled("t1", 2, CancelReason.NOT_FILLED_AT_ONCE),
    )


def test_a_market_sell_takes_bids_down_to_the_lower_limit() -> None:
    given(last_trade(100), ladder("5 | 99 |\n5 | 50 |")).when(sell("t1", None, 12)).then(
        accepted("t1", limit_price=None, price=TOY.lower_limit),
        trade(taker="t1", maker="bid99", price=99, lots=5),
        trade(taker="t1", maker="bid50", price=50, lots=5),
        cancelled("t1", 2, CancelReason.NOT_FILLED_AT_ONCE),
    )


def test_a_market_order_too_fills_whole_or_not_at_all_where_it_says_so() -> None:
    given(ladder("| 101 | 5")).when(buy("t1", None, 6, volume=ALL), buy("t2", None, 5, volume=ALL)).then(
        accepted("t1"),
        cancelled("t1", 6, CancelReason.NOT_FILLED_WHOLE),
        accepted("t2"),
        trade(taker="t2", maker="ask101", price=101, lots=5),
    )


def test_a_market_order_may_close() -> None:
    given(ask("m1", 100, 2), buy("t1", 100, 2), bid("m2", 98, 2)).when(sell("t2", None, 2, effect=CLOSE)).then(
        accepted("t2", price=TOY.lower_limit), trade(taker="t2", maker="m2", price=98, lots=2)
    )

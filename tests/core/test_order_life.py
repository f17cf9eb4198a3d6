"""Every command in every state of an order, and what an order holds while it lives."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exchange.domain.commands import CancelOrder, InsertOrder
from exchange.domain.ids import own_order_id
from exchange.domain.order import Order, RefusedOrder
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, OrderId, OrderNo
from exchange.domain.words import CancelReason, Direction, OrderStatus, PriceType, TimeCondition, VolumeCondition
from tests.support.commands import (
    CLOSE,
    CLOSETODAY,
    IOC,
    ask,
    bid,
    buy,
    cancel,
    last_trade,
    open_account,
    sell,
    traded,
)
from tests.support.decider import Expected, Scenario, Step, accepted, cancelled, given, not_done, repeated, trade
from tests.support.market import RB, margin, micro, terms

# --- Every command in every state -------------------------------------------------------------------------------------

ORDER = buy("t1", 100, 5)


def _insert_refused(scenario: Scenario) -> None:
    """The same order while no money was there."""
    scenario.execute(open_account("T", 1))
    scenario.execute(ORDER)


STATES: dict[str, list[Step]] = {
    "unknown": [],
    "alive": [ORDER],
    "partly filled": [ask("m1", 100, 2), ORDER],
    "filled": [ask("m1", 100, 5), ORDER],
    "cancelled": [ORDER, cancel("t1")],
    "partly filled, then cancelled": [ask("m1", 100, 2), ORDER, cancel("t1")],
    "refused": [_insert_refused],
    "another's": [buy("t1", 100, 5, account="A")],
}


def _finished(status: str) -> Expected:
    return not_done(RejectReason.ORDER_FINISHED, "t1", order_id="t1", status=status)


UNKNOWN = not_done(RejectReason.UNKNOWN_ORDER, "t1", order_id="t1")
DUPLICATE = not_done(RejectReason.DUPLICATE_ORDER_ID, "t1", order_id="t1")

CANCELS = {
    "unknown": UNKNOWN,
    "alive": cancelled("t1", 5),
    "partly filled": cancelled("t1", 3),
    "filled": _finished("FILLED"),
    "cancelled": _finished("CANCELLED"),
    "partly filled, then cancelled": _finished("CANCELLED"),
    "refused": _finished("REFUSED"),
    "another's": UNKNOWN,
}


@pytest.mark.parametrize("state", STATES)
def test_a_cancel_in_every_state(state: str) -> None:
    given(open_account("B"), *STATES[state]).when(cancel("t1")).then(CANCELS[state])


@pytest.mark.parametrize("state", STATES)
def test_the_same_order_again_in_every_state(state: str) -> None:
    """Its first outcome stands and nothing else is done; where there was none, it is a new order."""
    first_time = state in ("unknown", "another's")
    scenario = given(open_account("B"), *STATES[state])
    before = scenario.hash.value()
    scenario.when(ORDER).then(accepted("t1") if first_time else repeated("t1"))
    assert (scenario.hash.value() == before) is not first_time


@pytest.mark.parametrize("state", STATES)
def test_another_order_under_the_same_id_in_every_state(state: str) -> None:
    first_time = state in ("unknown", "another's")
    scenario = given(open_account("B"), *STATES[state])
    before = scenario.hash.value()
    scenario.when(buy("t1", 100, 4)).then(accepted("t1") if first_time else DUPLICATE)
    assert (scenario.hash.value() == before) is not first_time


@pytest.mark.parametrize(
    "change",
    [
        {"instrument_id": RB.instrument_id},
        {"direction": Direction.SELL},
        {"effect": CLOSE},
        {"lots": 4},
        {"limit_price": micro(101)},
        {"limit_price": None, "price_type": PriceType.ANY},
        {"time_condition": IOC},
        {"volume_condition": VolumeCondition.ALL},
        {"lots_min": 1},
    ],
    ids=lambda change: " ".join(change),
)
@pytest.mark.parametrize("state", ["alive", "refused"])
def test_any_other_content_makes_an_id_a_duplicate(state: str, change: dict[str, Any]) -> None:
    given(*STATES[state]).when(msgspec.structs.replace(ORDER, **change)).then(DUPLICATE)


@pytest.mark.parametrize("command", [ORDER, cancel("t1")], ids=["insert", "cancel"])
def test_nobody_s_command(command: InsertOrder | CancelOrder) -> None:
    nobodys = msgspec.structs.replace(command, account_id=AccountId("nobody"))
    given().when(nobodys).then(not_done(RejectReason.UNKNOWN_ACCOUNT, "t1"))


# --- Ids of the exchange's own making ---------------------------------------------------------------------------------


def test_an_order_without_an_id_gets_one_made_of_its_number() -> None:
    scenario = given(buy("t1", 90)).when(buy("", 90), buy("", 90)).then(accepted("~2"), accepted("~3"))
    scenario.when(cancel("~2")).then(cancelled("~2", 1))


@pytest.mark.parametrize(
    "ending",
    [[cancel("~1")], [ask("m1", 100, 5)], [ask("m1", 100, 2), cancel("~1")]],
    ids=["cancelled", "filled", "partly filled, then cancelled"],
)
def test_an_order_under_an_own_id_is_forgotten_when_it_ends(ending: list[Step]) -> None:
    """No client can repeat the id, so its outcome is not kept."""
    scenario = given(buy("", 100, 5), *ending)
    assert not scenario.state.accounts[AccountId("T")].orders
    scenario.when(cancel("~1")).then(not_done(RejectReason.UNKNOWN_ORDER, "~1", order_id="~1"))


def test_a_refused_order_under_an_own_id_is_not_kept() -> None:
    scenario = given().when(buy("", 151))
    assert scenario.outcome[0].order_id == own_order_id(OrderNo(1))  # type: ignore[union-attr]
    assert not scenario.state.accounts[AccountId("T")].orders


@pytest.mark.parametrize("working", [True, False])
def test_a_client_may_not_take_an_own_id(working: bool) -> None:
    """Else it could take the id of a later order that comes without one, or repeat one that does not belong to it."""
    steps: list[Step] = [buy("", 100, 5)] if working else []
    given(*steps).when(buy("~1", 100, 5)).then(not_done(RejectReason.DUPLICATE_ORDER_ID, "~1", order_id="~1"))


ODD = terms(
    "TEST.o1", tick="0.001", pre_settlement="0.001", band=("0.001", "0.001"), margin_rates=margin("0.033333333")
)

# --- What an order holds ----------------------------------------------------------------------------------------------


def test_a_cancelled_order_gives_back_all_it_held() -> None:
    given(open_account("A", 1_000_000), buy("a1", 3610, 5, account="A", instrument=RB)).then_figures(
        "A", frozen_margin=18050, frozen_commission="18.05", available="981931.95", balance=1_000_000
    ).when(cancel("a1", "A")).then_figures(
        "A", frozen_margin=0, frozen_commission=0, available=1_000_000, balance=1_000_000
    )


def test_partial_fills_give_back_in_proportion_and_the_last_one_the_rest() -> None:
    """7 lots hold 25 270 and 25.27; what is left for 4 and 1 of them is rounded half up from these."""
    scenario = given(last_trade(3610, RB), open_account("A", 1_000_000), buy("a1", 3610, 7, account="A", instrument=RB))
    for lots, held, fee in ((3, "14440", "14.44"), (3, "3610", "3.61"), (1, 0, 0)):
        scenario.given(ask("", 3610, lots, instrument=RB)).then_figures("A", frozen_margin=held, frozen_commission=fee)


def test_amounts_that_do_not_divide_still_end_at_nothing() -> None:
    """3 lots that hold 0.000100: 67 then 33 millionths are left after the rounding half up."""
    scenario = Scenario(ODD).given(open_account("A", 1), buy("a1", "0.001", 3, account="A", instrument=ODD))
    for left in ("0.0001", "0.000067", "0.000033", 0):
        scenario.then_figures("A", frozen_margin=left)
        scenario.given(ask("", "0.001", 1, instrument=ODD))


def test_a_partly_filled_order_that_is_cancelled_gives_back_the_rest() -> None:
    given(open_account("A", 1_000_000), ask("", 3610, 2, instrument=RB)).given(
        buy("a1", 3610, 5, account="A", instrument=RB), cancel("a1", "A")
    ).then_figures("A", frozen_margin=0, frozen_commission=0, margin=7220, commission="7.22")


def test_a_closing_order_holds_the_close_fee_and_no_margin() -> None:
    """Never the closetoday fee (rule 5), which for this contract is twice as much."""
    given(traded("T", "M", 3600, 5, RB)).when(sell("t1", 3700, 5, effect=CLOSETODAY, instrument=RB)).then(
        accepted("t1", frozen_margin=0, frozen_commission=micro("18.5"))
    ).then_position("T", RB, long=True, frozen_close=0, frozen_close_today=5).when(cancel("t1")).then_position(
        "T", RB, long=True, frozen_close_today=0
    )


@pytest.mark.parametrize("state", [state for state in STATES if state not in ("unknown", "another's")])
def test_an_order_s_numbers_and_its_end(state: str) -> None:
    orders = given(*STATES[state]).state.accounts[AccountId("T")].orders
    order = orders[OrderId("t1")]
    if state == "refused":
        assert isinstance(order, RefusedOrder)
        return
    assert isinstance(order, Order)
    ends = {
        "alive": (OrderStatus.ALIVE, 5),
        "partly filled": (OrderStatus.ALIVE, 3),
        "filled": (OrderStatus.FILLED, 0),
        "cancelled": (OrderStatus.CANCELLED, 5),
        "partly filled, then cancelled": (OrderStatus.CANCELLED, 3),
    }
    assert (order.status, order.lots_left) == ends[state]


def test_a_cancelled_order_is_met_no_more() -> None:
    given(ask("m1", 100, 5), ask("m2", 101, 5), cancel("m1", "M")).when(buy("t1", 101, 5)).then(
        accepted("t1"), trade(taker="t1", maker="m2", price=101, lots=5)
    ).then_book("")


def test_the_time_of_the_entry_is_on_its_events() -> None:
    scenario = given(ask("m1", 100, 2)).when(buy("t1", 100, 5, time=TimeCondition.IOC))
    assert {event.at_ns for event in scenario.outcome} == {scenario.entries[-1][1]}  # type: ignore[union-attr]
    cancelled("t1", 3, CancelReason.NOT_FILLED_AT_ONCE).check(scenario.outcome[-1])


def test_a_bid_and_an_ask_of_one_account_may_rest_together() -> None:
    given(bid("m1", 99, 5), ask("m2", 101, 5)).then_book(
        """
            | 101 | 5
          5 |  99 |
        """
    )

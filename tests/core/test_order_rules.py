"""An order that breaks a rule is refused for it, with the figures; of several rules for the first (rule 1.2)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import msgspec
import pytest

from exchange.domain.commands import InsertOrder
from exchange.domain.events import CommandRefused, OrderRefused
from exchange.domain.rejections import ORDER_PRECEDENCE, RejectReason
from exchange.domain.words import PriceType, TimeCondition, VolumeCondition
from tests.support.commands import (
    ALL,
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
    suspend,
    traded,
)
from tests.support.decider import Expected, Scenario, accepted, cancelled, given, not_done, refused, trade
from tests.support.market import RB, TOY, margin, micro, terms

# --- Precedence -------------------------------------------------------------------------------------------------------

BREAKERS: dict[RejectReason, Callable[[InsertOrder], dict[str, Any]]] = {
    RejectReason.UNKNOWN_ACCOUNT: lambda order: {"account_id": "nobody"},
    RejectReason.DUPLICATE_ORDER_ID: lambda order: {"order_id": "known"},
    RejectReason.SUSPENDED: lambda order: {"account_id": "suspended"},
    RejectReason.UNKNOWN_INSTRUMENT: lambda order: {"instrument_id": "TEST.none"},
    RejectReason.ORDER_KIND: lambda order: {"time_condition": TimeCondition.GTC},
    RejectReason.ORDER_LOTS: lambda order: {"lots": 501},
    RejectReason.PRICE_TICK: lambda order: {"limit_price": (order.limit_price or 0) + micro("0.5")},
    RejectReason.PRICE_BAND: lambda order: {"limit_price": (order.limit_price or 0) + micro(60)},
    RejectReason.CLOSABLE_LOTS: lambda order: {"effect": CLOSE},
    RejectReason.FUNDS: lambda order: {"account_id": "poor"},
}
"""What to change in a sound order of TOY to break one rule."""
APART = {
    frozenset({RejectReason.UNKNOWN_ACCOUNT, RejectReason.DUPLICATE_ORDER_ID}),
    frozenset({RejectReason.UNKNOWN_ACCOUNT, RejectReason.SUSPENDED}),
    frozenset({RejectReason.UNKNOWN_ACCOUNT, RejectReason.FUNDS}),
    frozenset({RejectReason.SUSPENDED, RejectReason.FUNDS}),
    frozenset({RejectReason.CLOSABLE_LOTS, RejectReason.FUNDS}),
}
"""Rules that one order cannot break together: nobody has neither orders nor money; closing asks for no funds; the
suspended account here is not the poor one."""


def with_a_known_id() -> Scenario:
    known = buy("known", 100, 0)
    others = [msgspec.structs.replace(known, account_id=account) for account in ("poor", "suspended")]
    return given(open_account("poor", 1), open_account("suspended")).when(known, *others, suspend("suspended"))


def broken(*rules: RejectReason) -> InsertOrder:
    order = buy("t1", 100)
    for rule in rules:
        order = msgspec.structs.replace(order, **BREAKERS[rule](order))
    return order


def test_every_rule_of_an_order_has_a_place_in_the_order_of_precedence() -> None:
    assert set(BREAKERS) == set(ORDER_PRECEDENCE)


@pytest.mark.parametrize("rule", ORDER_PRECEDENCE)
def test_an_order_that_breaks_one_rule_is_refused_for_it(rule: RejectReason) -> None:
    (event,) = with_a_known_id().when(broken(rule)).outcome
    assert isinstance(event, OrderRefused | CommandRefused)
    assert event.reason is rule


@pytest.mark.parametrize(
    ("first", "second"),
    [pair for pair in combinations(ORDER_PRECEDENCE, 2) if frozenset(pair) not in APART],
)
def test_an_order_that_breaks_two_rules_is_refused_for_the_first(first: RejectReason, second: RejectReason) -> None:
    (event,) = with_a_known_id().when(broken(first, second)).outcome
    assert isinstance(event, OrderRefused | CommandRefused)
    assert event.reason is first


# --- Each rule with its figures ---------------------------------------------------------------------------------------


def test_nobody_s_order_is_refused_without_a_number() -> None:
    scenario = given().when(buy("t1", 100, account="nobody")).then(not_done(RejectReason.UNKNOWN_ACCOUNT, "t1"))
    assert scenario.state.order_no == 0


def test_an_unknown_instrument() -> None:
    given().when(buy("t1", 100, instrument=terms("TEST.none"))).then(
        refused("t1", RejectReason.UNKNOWN_INSTRUMENT, instrument_id="TEST.none")
    )


ALLOWED_KINDS = {
    (PriceType.LIMIT, TimeCondition.GFD, VolumeCondition.ANY),
    (PriceType.LIMIT, TimeCondition.IOC, VolumeCondition.ANY),
    (PriceType.LIMIT, TimeCondition.IOC, VolumeCondition.ALL),
    (PriceType.ANY, TimeCondition.IOC, VolumeCondition.ANY),
    (PriceType.ANY, TimeCondition.IOC, VolumeCondition.ALL),
}


@pytest.mark.parametrize("price_type", PriceType)
@pytest.mark.parametrize("time", TimeCondition)
@pytest.mark.parametrize("volume", VolumeCondition)
def test_only_limit_orders_for_the_day_fak_and_fok_are_taken(
    price_type: PriceType, time: TimeCondition, volume: VolumeCondition
) -> None:
    at = 100 if price_type is PriceType.LIMIT else None
    order = msgspec.structs.replace(buy("t1", at, 1, time=time, volume=volume), price_type=price_type)
    first = given().when(order).outcome[0]
    if (price_type, time, volume) in ALLOWED_KINDS:
        accepted("t1").check(first)
    else:
        facts = {"price_type": price_type.value, "time_condition": time.value, "volume_condition": volume.value}
        refused("t1", RejectReason.ORDER_KIND, **facts).check(first)


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(msgspec.structs.replace(buy("t1", 100), limit_price=None), id="a limit order without a price"),
        pytest.param(msgspec.structs.replace(buy("t1", None), limit_price=micro(100)), id="a market order with one"),
        pytest.param(buy("t1", 100, 5, lots_min=2), id="a least number of lots, but not the condition MIN"),
        pytest.param(
            buy("t1", None, instrument=terms("TEST.n1", market_order_lots_max=0)), id="a contract without market orders"
        ),
    ],
)
def test_an_order_that_contradicts_itself_is_of_no_kind(order: InsertOrder) -> None:
    (event,) = Scenario(TOY, terms("TEST.n1", market_order_lots_max=0)).when(order).outcome
    assert isinstance(event, OrderRefused)
    assert event.reason is RejectReason.ORDER_KIND


@pytest.mark.parametrize(("lots", "price", "most"), [(501, 100, 500), (0, 100, 500), (-1, 100, 500), (201, None, 200)])
def test_the_lots_of_one_order_are_bounded_by_its_kind(lots: int, price: int | None, most: int) -> None:
    given().when(buy("t1", price, lots)).then(refused("t1", RejectReason.ORDER_LOTS, lots=lots, lots_max=most))


@pytest.mark.parametrize(("lots", "price"), [(500, 100), (1, 100), (200, None)])
def test_as_many_lots_as_allowed_are_taken(lots: int, price: int | None) -> None:
    accepted("t1", lots=lots).check(given().when(buy("t1", price, lots)).outcome[0])


@pytest.mark.parametrize("price", ["100.5", "150.000001", "-100.5"])
def test_a_price_between_ticks(price: str) -> None:
    given().when(buy("t1", price)).then(refused("t1", RejectReason.PRICE_TICK, price=micro(price), price_tick=micro(1)))


@pytest.mark.parametrize("price", [49, 151, 0, -100])
def test_a_price_outside_the_band(price: int) -> None:
    given().when(sell("t1", price)).then(
        refused("t1", RejectReason.PRICE_BAND, price=micro(price), lower_limit=micro(50), upper_limit=micro(150))
    )


@pytest.mark.parametrize("price", [50, 150])
def test_the_edges_of_the_band_belong_to_it(price: int) -> None:
    given().when(buy("t1", price)).then(accepted("t1", price=micro(price)))


# --- Closable lots (rule 2) -------------------------------------------------------------------------------------------

LONG_5 = traded("T", "M", 100, 5)
LONG_5_RB = traded("T", "M", 3600, 5, RB)


@pytest.mark.parametrize("effect", [CLOSE, CLOSETODAY])
def test_lots_that_are_not_held_cannot_be_closed(effect: Any) -> None:
    given().when(sell("t1", 100, effect=effect)).then(
        refused("t1", RejectReason.CLOSABLE_LOTS, lots=1, closable=0, effect=effect.value)
    )


def test_a_sell_closes_long_lots_only() -> None:
    given(LONG_5).when(buy("t1", 100, 5, effect=CLOSE)).then(
        refused("t1", RejectReason.CLOSABLE_LOTS, lots=5, closable=0, effect="CLOSE")
    )


def test_closing_more_than_is_held_is_refused_and_never_opens() -> None:
    given(LONG_5).when(sell("t1", 100, 6, effect=CLOSE)).then(
        refused("t1", RejectReason.CLOSABLE_LOTS, lots=6, closable=5, effect="CLOSE")
    )


def test_lots_under_a_resting_close_cannot_be_closed_again() -> None:
    given(LONG_5, sell("t1", 110, 3, effect=CLOSE)).when(
        sell("t2", 110, 3, effect=CLOSETODAY), sell("t3", 110, 2, effect=CLOSETODAY)
    ).then(refused("t2", RejectReason.CLOSABLE_LOTS, lots=3, closable=2, effect="CLOSETODAY"), accepted("t3"))


def test_a_cancelled_close_gives_its_lots_back() -> None:
    given(LONG_5, sell("t1", 110, 5, effect=CLOSE)).when(cancel("t1"), sell("t2", 110, 5, effect=CLOSE)).then(
        cancelled("t1", 5), accepted("t2")
    )


def test_where_today_is_separate_a_close_speaks_of_older_lots() -> None:
    given(LONG_5_RB).when(
        sell("t1", 3600, 1, effect=CLOSE, instrument=RB), sell("t2", 3700, 5, effect=CLOSETODAY, instrument=RB)
    ).then(refused("t1", RejectReason.CLOSABLE_LOTS, lots=1, closable=0, effect="CLOSE"), accepted("t2"))


# --- Funds (rules 3, 4) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deposit", "taken"), [("18068.05", True), ("18068.04", False)])
def test_an_opening_order_needs_its_margin_and_its_fee(deposit: str, taken: bool) -> None:
    """BUY OPEN 5 at 3610: margin 18 050, fee 18.05 (rule 8, row 0)."""
    expected: Expected = accepted("a1", frozen_margin=micro(18050), frozen_commission=micro("18.05"))
    if not taken:
        expected = refused("a1", RejectReason.FUNDS, needed=micro("18068.05"), available=micro(deposit))
    given(open_account("A", deposit)).when(buy("a1", 3610, 5, account="A", instrument=RB)).then(expected)


def test_what_other_orders_hold_is_not_available() -> None:
    given(open_account("A", 15), buy("a1", 100, account="A")).when(buy("a2", 100, account="A")).then(
        refused("a2", RejectReason.FUNDS, needed=micro(10), available=micro(5))
    )


def test_an_unrealised_loss_counts_at_once() -> None:
    """10 long lots from 100, marked at 98: 100 of margin are held, 20 are lost."""
    given(open_account("A", 130), traded("A", "M", 100, 10), last_trade(98)).when(buy("a1", 100, 2, account="A")).then(
        refused("a1", RejectReason.FUNDS, needed=micro(20), available=micro(10))
    )


def test_an_unrealised_gain_is_not_spendable() -> None:
    given(open_account("A", 110), traded("A", "M", 100, 10), last_trade(120)).when(buy("a1", 110, 1, account="A")).then(
        refused("a1", RejectReason.FUNDS, needed=micro(11), available=micro(10))
    )


def test_gains_of_one_position_make_up_for_losses_of_another() -> None:
    """The account's net profit counts (rule 3): 10 gained here, 10 lost there."""
    other = terms("TEST.u1")
    Scenario(TOY, other).given(
        open_account("A", 110),
        traded("A", "M", 100, 5),
        traded("A", "M", 100, 5, other),
        last_trade(102),
        last_trade(98, other),
    ).when(buy("a1", 100, 1, account="A")).then(accepted("a1"))


def test_a_close_profit_is_spendable() -> None:
    given(
        open_account("A", 100),
        traded("A", "M", 100, 10),
        bid("m1", 120, 10),
        sell("a1", 110, 10, account="A", effect=CLOSE),
    ).then_figures("A", close_profit=100, available=200).when(buy("a2", 100, 20, account="A")).then(accepted("a2"))


def test_a_closing_order_is_not_asked_for_funds() -> None:
    """Its fee may exceed what is available: the close lowers the risk."""
    given(open_account("A", "18068.05"), traded("A", "M", 3610, 5, RB), last_trade(3400, RB)).when(
        sell("a1", 3500, 5, account="A", effect=CLOSETODAY, instrument=RB)
    ).then(accepted("a1", frozen_margin=0, frozen_commission=micro("17.5")))


def test_a_market_order_is_charged_at_the_edge_of_the_band() -> None:
    given(open_account("A", 100)).when(buy("a1", None, 7, account="A"), sell("a2", None, 21, account="A")).then(
        refused("a1", RejectReason.FUNDS, needed=micro(105), available=micro(100)),
        refused("a2", RejectReason.FUNDS, needed=micro(105), available=micro(100)),
    )


def test_a_margin_by_lots_is_added_to_the_one_by_money() -> None:
    both = terms("TEST.v1", margin_rates=margin("0.1", by_volume="0.5"))
    Scenario(both).given(open_account("A", 100)).when(buy("a1", 100, 3, account="A", instrument=both)).then(
        accepted("a1", frozen_margin=micro("31.5"))
    )


def test_a_refused_order_has_a_number_and_changes_nothing_else() -> None:
    scenario = given(ask("m1", 100)).when(buy("t1", 151), buy("t2", 99))
    refusal, second = scenario.outcome
    assert isinstance(refusal, OrderRefused)
    accepted("t2", order_no=refusal.order_no + 1).check(second)
    scenario.then_book("| 100 | 1\n1 | 99 |")


def test_a_refused_fok_order_trades_nothing() -> None:
    given(ask("m1", 100, 5)).when(buy("t1", 151, 5, time=IOC, volume=ALL), buy("t2", 100, 5)).then(
        refused("t1", RejectReason.PRICE_BAND, price=micro(151), lower_limit=micro(50), upper_limit=micro(150)),
        accepted("t2"),
        trade(taker="t2", maker="m1", price=100, lots=5),
    )

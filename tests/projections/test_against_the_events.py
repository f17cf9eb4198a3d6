"""What the views show is what the events say, told by slow and obvious code, and what the decider's state says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from exchange.domain.account import available_now
from exchange.domain.position import position_profit
from projections import user_view
from projections.figures import account_figures, position_figures
from tests.projections.flat_story import demand_flat_story
from tests.projections.law import text_of, view
from tests.projections.oracle import YUAN, demand_story
from tests.projections.streams import NAMES, USERS, Op, lively_market, positions_worth_tenths, streams


@settings(max_examples=60)
@given(streams(25))
def test_views_and_quotes_tell_what_the_events_say(stream: list[Op]) -> None:
    demand_story(stream)


@settings(max_examples=60)
@given(streams(25))
def test_flat_views_tell_what_the_events_say(stream: list[Op]) -> None:
    demand_flat_story(stream)


@settings(max_examples=40)
@given(streams(30))
def test_a_view_without_room_tells_the_newest(stream: list[Op]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user_view, "HISTORY_MAX", 4)
        demand_story(stream)
        demand_flat_story(stream)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=800)
@given(streams(40))
def test_many_streams_tell_what_the_events_say(stream: list[Op]) -> None:
    demand_story(stream)


@settings(max_examples=60)
@given(streams(30))
def test_a_view_has_the_figures_of_the_state(stream: list[Op]) -> None:
    """Rows are booked and valued apart from the decider: both must come to the same."""
    exchange = lively_market()
    for op in stream:
        exchange.run(op.command(exchange))
    for name, account_id in USERS.items():
        trading_account = exchange.state.accounts.get(account_id)
        account = exchange.projections.user(account_id).account
        if trading_account is None or account is None:
            assert account is None
            assert trading_account is None
            continue
        cash = trading_account.cash
        assert {field: getattr(account, field) for field in cash.__slots__} == {
            field: getattr(cash, field) for field in cash.__slots__
        }
        positions = exchange.projections.user(account_id).positions
        assert positions.keys() == trading_account.positions.keys()
        figures = account_figures(cash, [position_figures(row, row.mark) for row in positions.values()])
        held = trading_account.positions.values()
        assert figures.available == available_now(cash, held)
        assert figures.position_profit == sum(
            position_profit(each.position, each.mark.price, each.mark.multiplier) for each in held
        )
        shown = view(exchange.projections, name)["trade"][name]["accounts"]["CNY"]
        assert shown["available"] == figures.available / YUAN
        assert shown["balance"] == figures.balance / YUAN


@settings(max_examples=60)
@given(streams(30))
def test_every_view_adds_up_and_holds_nothing_of_others(stream: list[Op]) -> None:
    exchange = lively_market()
    for op in stream:
        exchange.run(op.command(exchange))
        for name in NAMES:
            tree = view(exchange.projections, name)
            demand_sums(tree["trade"][name])
            text = text_of(tree)
            others = [other for other in NAMES if other != name]
            assert not [word for other in others for word in (other, USERS[other]) if word in text]


TEXTS = ("user_id", "currency")


def demand_sums(branch: dict[str, dict[str, dict[str, float]]]) -> None:
    """The identities of the protocol, in whole 1e-6 yuan."""
    for account in branch["accounts"].values():
        at = {field: round(value * YUAN) for field, value in account.items() if field not in TEXTS}
        assert at["static_balance"] == at["pre_balance"] + at["deposit"] - at["withdraw"]
        assert at["balance"] == (
            at["static_balance"] + at["close_profit"] + at["position_profit"] + at["premium"] - at["commission"]
        )
        for field in ("margin", "position_profit", "float_profit"):
            parts = [round(position[field] * YUAN) for position in branch["positions"].values()]
            assert at[field] == sum(parts)
    filled = {order_id: 0.0 for order_id in branch["orders"]}
    for trade in branch["trades"].values():
        filled[str(trade["order_id"])] += trade["volume"]
    for order_id, order in branch["orders"].items():
        assert order["volume_orign"] - order["volume_left"] == filled[order_id]


def test_the_order_of_the_positions_does_not_show_in_the_last_digit() -> None:
    """Sums of floats would differ after a restart that meets the positions in another order (three are enough)."""
    exchange = positions_worth_tenths()
    user = exchange.projections.user(USERS["alice"])
    before = text_of(view(exchange.projections, "alice"))
    user.positions = dict(reversed(user.positions.items()))
    assert text_of(view(exchange.projections, "alice")) == before

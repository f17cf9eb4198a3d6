"""The state hash sees every part of the state, whenever and however often it is asked."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.decider import ExchangeState, StateHash
from exchange.decider.state import HeldPosition, TradingAccount
from exchange.domain.order import Order, RefusedOrder
from exchange.domain.values import AccountId, OrderId
from exchange.domain.words import OrderStatus
from tests.support.checks import check_hash, check_hash_covers, hash_anew
from tests.support.commands import buy, cancel, sell, traded
from tests.support.decider import given as scenario_given
from tests.support.flows import Action, Session, opening, random_session, sessions
from tests.support.market import TOY


@given(sessions(), st.lists(st.integers(0, 5), min_size=1))
def test_it_is_the_same_however_it_is_settled(actions: list[Action], limits: list[int]) -> None:
    """In slices between commands, only at the end, or made anew from the whole state."""
    session, at_once = Session(), Session()
    in_slices = StateHash(session.state)
    for number, action in enumerate(actions):
        session.play(action)
        at_once.play(action)
        in_slices.settle(limits[number % len(limits)])
    value = in_slices.value()
    assert value == StateHash(at_once.state).value()
    assert value == hash_anew(session.state)


def test_settling_takes_as_many_objects_as_allowed() -> None:
    state = opening()
    state_hash = StateHash(state)
    waiting = len(state.changed)
    assert state_hash.settle(0) == waiting > 3
    assert state_hash.settle(3) == waiting - 3
    assert state_hash.settle(1_000) == 0
    assert state_hash.settle(1) == 0


def test_equal_states_by_other_ways_have_equal_hashes() -> None:
    """The hash tells where the exchange stands, not how it came there: objects that changed and changed back."""
    scenario = scenario_given(buy("t1", 90, 5))
    before = scenario.hash.value()
    order = scenario.state.accounts[AccountId("T")].orders[OrderId("t1")]
    scenario.state.changed[order] = None
    assert scenario.hash.value() == before


def test_an_order_that_is_forgotten_leaves_no_trace() -> None:
    """But for the numbers given: orders under own ids leave the state when they end."""
    scenario = scenario_given(buy("t1", 90), buy("", 95, 3))
    scenario.hash.value()
    scenario.when(cancel("~2"))
    other = scenario_given(buy("t1", 90)).when(buy("", 95, 3), cancel("~2"))
    assert scenario.hash.value() == other.hash.value() == hash_anew(scenario.state)


@given(sessions())
def test_it_moves_when_and_only_when_the_state_does(actions: list[Action]) -> None:
    session = Session()
    for action in actions:
        session.play(action)
    check_hash(session)


@pytest.mark.parametrize("seed", range(3))
def test_it_covers_every_number_of_the_state(seed: int) -> None:
    session = Session()
    for action in random_session(seed):
        session.play(action)
    check_hash_covers(session.state)


def a_state() -> ExchangeState:
    """T holds lots of both sides, has a resting order t1 and a refused one t2."""
    steps = (traded("T", "M", 100, 3), traded("M", "T", 101, 2), sell("t1", 110, 1))
    return scenario_given(*steps).when(buy("t2", 151)).state


def account(state: ExchangeState) -> TradingAccount:
    return state.accounts[AccountId("T")]


def position(state: ExchangeState) -> HeldPosition:
    return account(state).positions[TOY.instrument_id]


def _forget_the_refusal(state: ExchangeState) -> None:
    assert isinstance(account(state).orders.pop(OrderId("t2")), RefusedOrder)


def _age_a_holding(state: ExchangeState) -> None:
    holdings = position(state).long_holdings
    holdings.history.append(holdings.today.pop())


def _cancel_silently(state: ExchangeState) -> None:
    order = account(state).orders[OrderId("t1")]
    assert isinstance(order, Order)
    order.status = OrderStatus.CANCELLED


def _give_away_a_position(state: ExchangeState) -> None:
    position(state).account_id = AccountId("M")


def _change_terms(state: ExchangeState) -> None:
    listing = state.instruments[TOY.instrument_id]
    listing.terms = msgspec.structs.replace(TOY, separate_today=True)


def _suspend_silently(state: ExchangeState) -> None:
    account(state).suspended = True


@pytest.mark.parametrize(
    "change",
    [_forget_the_refusal, _age_a_holding, _cancel_silently, _give_away_a_position, _change_terms, _suspend_silently],
)
def test_it_covers_what_is_no_number(change: Callable[[ExchangeState], None]) -> None:
    state = a_state()
    change(state)
    assert hash_anew(state) != hash_anew(a_state())


def test_it_is_32_bytes_even_of_nothing() -> None:
    assert len(StateHash(ExchangeState()).value()) == 32

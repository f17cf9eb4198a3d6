"""The laws of the core on random sessions: nothing appears, nothing vanishes, nothing is crossed or negative."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest
from hypothesis import given

from exchange.domain.events import (
    AccountOpened,
    CommandRefused,
    Event,
    InstrumentRegistered,
    OrderCancelled,
    OrderRefused,
    TradeExecuted,
)
from exchange.domain.rejections import ORDER_PRECEDENCE, RejectReason
from exchange.domain.words import CancelReason
from tests.support.checks import check_laws
from tests.support.flows import Action, Session, random_session, sessions


@given(sessions())
def test_the_laws_hold_after_every_command(actions: list[Action]) -> None:
    check_laws(actions)


@pytest.mark.parametrize("seed", range(10))
def test_the_laws_hold_on_longer_sessions(seed: int) -> None:
    check_laws(random_session(seed, length=200))


def test_random_sessions_meet_everything_that_can_happen() -> None:
    """Else the laws would hold for want of a case: every event, every refusal of an order, every pair of effects in a
    trade, trades with oneself, partial fills, sweeps, older lots closed."""
    events: list[Event] = []
    sweeps = 0
    for seed in range(60):
        session = Session()
        for action in random_session(seed):
            entry = session.play(action)
            events.extend(entry.events)
            sweeps += sum(isinstance(event, TradeExecuted) for event in entry.events) > 1
    trades = [event for event in events if isinstance(event, TradeExecuted)]
    bites = [bite for trade in trades for fill in (trade.buyer, trade.seller) for bite in fill.closed]
    assert {type(event) for event in events} == set(get_args(Event)) - {AccountOpened, InstrumentRegistered}
    reasons = {event.reason for event in events if isinstance(event, OrderRefused | CommandRefused)}
    assert reasons >= {*ORDER_PRECEDENCE, RejectReason.UNKNOWN_ORDER, RejectReason.ORDER_FINISHED}
    assert RejectReason.WITHDRAWABLE in reasons
    assert {event.reason for event in events if isinstance(event, OrderCancelled)} == set(CancelReason)
    assert len({(trade.buyer.effect, trade.seller.effect) for trade in trades}) == 9
    assert sum(trade.buyer.account_id == trade.seller.account_id for trade in trades) > 20
    assert {bite.today for bite in bites} == {True, False}
    parts = Counter(fill.order_no for trade in trades for fill in (trade.buyer, trade.seller))
    assert parts.most_common(1)[0][1] > 2
    assert sweeps > 20

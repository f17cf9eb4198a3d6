"""Law 5 over random streams, and that the streams hold what they are made for."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given, settings

from exchange.domain.events import Fill, OrderCancelled, OrderRefused, TradeExecuted
from exchange.gateway.dialects import Dialect
from projections import user_view
from tests.projections.law import DIALECTS, demand_law
from tests.projections.streams import CLOSED_AT_COST, Op, lively_market, streams

in_every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.wording)


@in_every_dialect
@settings(max_examples=60)
@given(stream=streams(25))
@example(stream=CLOSED_AT_COST)
def test_every_step_leads_every_mirror_to_the_view(dialect: Dialect, stream: list[Op]) -> None:
    demand_law(stream, dialect)


@in_every_dialect
@pytest.mark.parametrize(("history_max", "gone_max"), [(1, 1), (3, 2), (5, 500)])
def test_the_law_holds_where_rows_leave_the_view(
    monkeypatch: pytest.MonkeyPatch, history_max: int, gone_max: int, dialect: Dialect
) -> None:
    monkeypatch.setattr(user_view, "HISTORY_MAX", history_max)
    monkeypatch.setattr(user_view, "GONE_MAX", gone_max)

    @settings(max_examples=25)
    @given(streams(25))
    def holds(stream: list[Op]) -> None:
        demand_law(stream, dialect)

    holds()


@in_every_dialect
@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=1_000)
@given(stream=streams(40))
def test_the_law_holds_in_many_streams(dialect: Dialect, stream: list[Op]) -> None:
    demand_law(stream, dialect)


def test_the_streams_hold_what_they_are_made_for() -> None:
    """A generator that stopped trading would let every mistake pass."""
    seen = Counter[str]()

    @settings(max_examples=600)
    @given(streams(30))
    def play(stream: list[Op]) -> None:
        exchange = lively_market()
        for op in stream:
            for event in exchange.run(op.command(exchange)):
                seen.update(_what_it_shows(event))
            seen["three or more positions"] += any(
                len(account.positions) >= 3 for account in exchange.state.accounts.values()
            )

    play()
    assert not WANTED - set(seen), f"never seen: {sorted(WANTED - set(seen))}; seen: {seen}"


WANTED = {
    "InstrumentRegistered",
    "AccountOpened",
    "Deposited",
    "Withdrawn",
    "AccountSuspended",
    "AccountRestored",
    "CommandRefused",
    "OrderAccepted",
    "OrderRefused",
    "OrderRepeated",
    "OrderCancelled",
    "TradeExecuted",
    "REQUESTED",
    "NOT_FILLED_AT_ONCE",
    "NOT_FILLED_WHOLE",
    "self trade",
    "closed without profit",
    "closed with profit",
    "both open",
    "both close",
    "three or more positions",
    "FUNDS",
    "CLOSABLE_LOTS",
    "PRICE_BAND",
    "UNKNOWN_INSTRUMENT",
    "SUSPENDED",
}


def _what_it_shows(event: object) -> list[str]:
    shown = [type(event).__name__]
    if isinstance(event, OrderCancelled | OrderRefused):
        shown.append(event.reason.value)
    elif isinstance(event, TradeExecuted):
        closing = [fill for fill in (event.buyer, event.seller) if fill.closed]
        shown += [_how_it_closed(fill) for fill in closing]
        shown += ["self trade"] * (event.buyer.account_id == event.seller.account_id)
        shown += ["both open"] * (not closing) + ["both close"] * (len(closing) == 2)
    return shown


def _how_it_closed(fill: Fill) -> str:
    return "closed with profit" if fill.close_profit else "closed without profit"

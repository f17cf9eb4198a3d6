"""What the market shows: levels, sums, and one worded change for all who watch."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.commands import RegisterInstrument
from exchange.domain.values import Price
from exchange.domain.words import Direction
from projections.levels import DEPTH_MAX, Ladder
from projections.quote import Quote
from tests.projections.law import DIALECT, quote
from tests.support.commands import CLOSE, IOC, ask, bid, buy, cancel, ladder, open_account, traded
from tests.support.market import RB, TOY, terms
from tests.support.views import SmallExchange


@pytest.fixture
def exchange() -> SmallExchange:
    return SmallExchange(
        RegisterInstrument(terms=TOY), *(open_account(each) for each in ("T", "M", "house1", "house2"))
    )


def picture(exchange: SmallExchange, since: int = -1, instrument_id: str = TOY.instrument_id) -> dict[str, Any]:
    return quote(exchange.projections, instrument_id, since)


def test_before_the_first_order_only_the_terms_show_and_when_they_were_listed(exchange: SmallExchange) -> None:
    assert picture(exchange) == {
        "instrument_id": "TEST.t1",
        "exchange_id": "TEST",
        "price_tick": 1.0,
        "price_decs": 0,
        "volume_multiple": 1,
        "pre_settlement": 100.0,
        "upper_limit": 150.0,
        "lower_limit": 50.0,
        "volume": 0,
        "amount": 0.0,
        "open_interest": 0,
        "datetime": "2027-01-15 10:00:00.000000",
    }


def test_the_best_five_levels_of_each_side_show(exchange: SmallExchange) -> None:
    exchange.run(
        *ladder(
            """
                | 106 | 9
                | 105 | 1
                | 104 | 1
                | 103 | 2
                | 102 | 1
                | 101 | 3+4
            2+2 | 99  |
            """
        )
    )
    shown = picture(exchange)
    assert [shown[f"ask_price{rank}"] for rank in range(1, 6)] == [101.0, 102.0, 103.0, 104.0, 105.0]
    assert [shown[f"ask_volume{rank}"] for rank in range(1, 6)] == [7, 1, 2, 1, 1]
    assert (shown["bid_price1"], shown["bid_volume1"]) == (99.0, 4)
    assert "bid_price2" not in shown
    assert "bid_volume2" not in shown


def test_a_change_below_the_fifth_level_is_no_news(exchange: SmallExchange) -> None:
    exchange.run(*(ask(f"a{at}", at) for at in range(101, 107)))
    before = exchange.version
    exchange.run(ask("deep", 106))
    assert exchange.news.instruments == ()
    assert picture(exchange, before) == {}
    exchange.run(cancel("a101", account="M"))
    assert exchange.news.instruments == (TOY.instrument_id,)
    assert picture(exchange, before)["ask_price5"] == 106.0
    assert picture(exchange, before)["ask_volume5"] == 2


def test_a_level_that_is_gone_is_taken_away_with_its_volume(exchange: SmallExchange) -> None:
    exchange.run(bid("b1", 99), bid("b2", 98))
    before = exchange.version
    exchange.run(cancel("b1", account="M"))
    change = picture(exchange, before)
    del change["datetime"]
    assert change == {"bid_price1": 98.0, "bid_price2": None, "bid_volume2": None}


def test_what_happens_within_an_entry_never_shows(exchange: SmallExchange) -> None:
    """An order that could not trade is in the book between two events of its entry, and nobody sees it."""
    exchange.run(bid("b", 99))
    before = exchange.version
    exchange.run(buy("t", 98, 5, time=IOC))
    assert exchange.version == before + 2
    assert exchange.news.instruments == ()
    assert picture(exchange, before) == {}


def test_trades_are_counted_once_and_by_their_effects(exchange: SmallExchange) -> None:
    exchange.run(*traded("T", "M", 101, 2))
    shown = picture(exchange)
    assert (shown["volume"], shown["open_interest"], shown["amount"]) == (2, 2, 202.0)
    exchange.run(*traded("house1", "T", 104, 1, sells=CLOSE))
    shown = picture(exchange)
    assert (shown["volume"], shown["open_interest"], shown["amount"]) == (3, 2, 306.0), "open with close: no change"
    exchange.run(*traded("M", "house1", 98, 1, buys=CLOSE, sells=CLOSE))
    shown = picture(exchange)
    assert (shown["volume"], shown["open_interest"], shown["amount"]) == (4, 1, 404.0)
    assert (shown["open"], shown["highest"], shown["lowest"], shown["last_price"]) == (101.0, 104.0, 98.0, 98.0)
    assert shown["average"] == 101.0


def test_the_average_is_per_unit_and_rounded_once() -> None:
    exchange = SmallExchange(RegisterInstrument(terms=RB), *(open_account(each) for each in ("T", "M")))
    exchange.run(*traded("T", "M", 3600, 1, instrument=RB), *traded("T", "M", 3601, 2, instrument=RB))
    shown = picture(exchange, instrument_id=RB.instrument_id)
    assert shown["amount"] == 108_020.0
    assert shown["average"] == 3600.666667


def test_the_time_is_that_of_the_last_visible_change_in_china(exchange: SmallExchange) -> None:
    exchange.run(bid("b", 99))
    assert picture(exchange)["datetime"] == "2027-01-15 10:00:00.685000"
    exchange.run(buy("t", 98, 5, time=IOC))
    assert picture(exchange)["datetime"] == "2027-01-15 10:00:00.685000"


@pytest.mark.parametrize(("tick", "decimals"), [("10", 0), ("1", 0), ("0.2", 1), ("0.005", 3), ("0.000001", 6)])
def test_a_tick_says_how_many_decimals_prices_have(tick: str, decimals: int) -> None:
    exchange = SmallExchange(RegisterInstrument(terms=terms("TEST.t2", tick=tick)))
    assert picture(exchange, instrument_id="TEST.t2")["price_decs"] == decimals


def test_an_instrument_is_known_and_news_from_its_listing_on() -> None:
    exchange = SmallExchange(open_account("T"))
    market = exchange.projections.market
    assert not market.knows("TEST.t1")
    exchange.run(RegisterInstrument(terms=TOY))
    assert market.knows("TEST.t1")
    assert exchange.news.instruments == (TOY.instrument_id,)
    assert market.version_of(TOY.instrument_id) == exchange.version


class CountingDialect:
    """Counts what it is asked to word."""

    def __init__(self) -> None:
        self.worded: list[int] = []

    def word_quote(self, quote: Quote, since: int) -> dict[str, object]:
        self.worded.append(since)
        return {"since": since}


def test_a_change_is_worded_once_for_all_at_the_same_version(exchange: SmallExchange) -> None:
    market, dialect, other = exchange.projections.market, CountingDialect(), CountingDialect()
    before = exchange.version
    exchange.run(bid("b", 99))
    for _ in range(3):
        assert market.quote(TOY.instrument_id, before, dialect) == b'{"since":%d}' % before
        market.quote(TOY.instrument_id, -1, dialect)
        market.quote(TOY.instrument_id, before, other)
    assert dialect.worded == [before, -1]
    assert other.worded == [before]
    assert market.quote(TOY.instrument_id, exchange.version, dialect) is None
    exchange.run(bid("b2", 99))
    market.quote(TOY.instrument_id, before, dialect)
    assert dialect.worded == [before, -1, before], "what was worded before the quote changed is forgotten"


def test_a_kept_fragment_holds_no_more_than_its_bytes(exchange: SmallExchange) -> None:
    """What the encoder returns holds on to the buffer that it was written in, of a KiB and more."""
    quotes = [Quote(TOY, 0, 1) for _ in range(200)]
    quotes[0].fragment(-1, DIALECT)
    gc.collect()
    tracemalloc.start()
    for each in quotes:
        each.fragment(0, DIALECT)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept / len(quotes) < 900


# --- Ladders ----------------------------------------------------------------------------------------------------------

moves = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5), st.booleans()), max_size=60)


@pytest.mark.parametrize("direction", Direction)
@settings(max_examples=60)
@given(moves=moves)
def test_a_ladder_is_the_sorted_sums(direction: Direction, moves: list[tuple[int, int, bool]]) -> None:
    """Against a plain dictionary; and whoever reads only when the top was touched never misses a change."""
    fast, slow = Ladder(direction), dict[int, int]()
    seen = fast.top()
    for price, lots, leaves in moves:
        lots = -min(lots, slow.get(price, 0)) if leaves else lots
        if not lots:
            continue
        fast.add(Price(price), lots, 1 if lots > 0 else -1)
        slow[price] = slow.get(price, 0) + lots
        if fast.top_touched:
            seen = fast.top()
        best_first = sorted(((at, n) for at, n in slow.items() if n), reverse=direction is Direction.BUY)[:DEPTH_MAX]
        assert seen == best_first + [(None, None)] * (DEPTH_MAX - len(best_first))


@pytest.mark.parametrize("direction", Direction)
@settings(max_examples=60)
@given(moves=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), max_size=60), depth=st.integers(1, 7))
def test_a_ladder_counts_the_orders_of_each_price(
    direction: Direction, moves: list[tuple[int, int]], depth: int
) -> None:
    """Against the orders themselves: one comes, or the oldest of its price loses lots and, with the last, goes."""
    ladder, resting = Ladder(direction), dict[int, list[int]]()
    for turn, (price, lots) in enumerate(moves):
        orders = resting.setdefault(price, [])
        if turn % 3 and orders:
            gone = min(lots, orders[0])
            orders[0] -= gone
            ladder.add(Price(price), -gone, -1 if not orders[0] else 0)
            resting[price] = [each for each in orders if each]
        else:
            orders.append(lots)
            ladder.add(Price(price), lots, 1)
    levels = [(price, sum(orders), len(orders)) for price, orders in resting.items() if orders]
    assert ladder.best(depth) == sorted(levels, reverse=direction is Direction.BUY)[:depth]


def test_lots_that_do_not_rest_cannot_leave() -> None:
    side = Ladder(Direction.BUY)
    side.add(Price(5), 3, 1)
    with pytest.raises(AssertionError, match="only 3 rest"):
        side.add(Price(5), -4, -1)
    with pytest.raises(AssertionError, match="only 0 rest"):
        side.add(Price(6), -1, -1)

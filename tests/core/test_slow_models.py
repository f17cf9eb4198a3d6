"""The core and the slow, obvious models of it agree on random sessions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.values import Lots, OrderNo, Price
from exchange.domain.words import Direction
from exchange.matching.book import Book
from exchange.matching.match import fills_whole, match
from tests.support.checks import check_slow_exchange
from tests.support.flows import Action, random_session, sessions


@given(sessions())
def test_the_slow_exchange_agrees(actions: list[Action]) -> None:
    check_slow_exchange(actions)


@pytest.mark.parametrize("seed", range(20))
def test_the_slow_exchange_agrees_on_longer_sessions(seed: int) -> None:
    check_slow_exchange(random_session(seed, length=150))


# --- The book ---------------------------------------------------------------------------------------------------------


class Resting:
    """An order as the book sees it."""

    def __init__(self, number: int, direction: Direction, price: int, lots: int) -> None:
        self.order_no = OrderNo(number)
        self.direction = direction
        self.price = Price(price)
        self.lots_left = Lots(lots)


def by_priority(orders: list[Resting], direction: Direction) -> list[Resting]:
    sign = -1 if direction is Direction.BUY else 1
    mine = [order for order in orders if order.direction is direction]
    return sorted(mine, key=lambda order: (sign * order.price, order.order_no))


WHAT = ("add", "add", "match", "match", "take")
steps = st.tuples(st.sampled_from(WHAT), st.sampled_from(Direction), st.integers(1, 9), st.integers(1, 9))


@given(st.lists(steps, max_size=80))
def test_the_book_agrees_with_a_list_that_is_sorted_each_time(steps: list[tuple[str, Direction, int, int]]) -> None:
    book: Book[Resting] = Book()
    orders: list[Resting] = []
    last = 5
    for number, (what, direction, price, lots) in enumerate(steps):
        if what == "add":
            order = Resting(number, direction, price, lots)
            book.side(direction).add(order)
            orders.append(order)
        elif what == "take" and orders:
            order = orders[price % len(orders)]
            _take(book, orders, order, min(lots, order.lots_left))
        elif what == "match":
            last = _match_both(book, orders, direction, price, lots, last)
        for side in Direction:
            wanted = by_priority(orders, side)
            assert list(book.side(side)) == wanted
            assert book.side(side).best() == (wanted[0].price if wanted else None)
            prices = list(dict.fromkeys(order.price for order in wanted))[:3]
            assert book.side(side).levels(3) == [
                (
                    price,
                    sum(order.lots_left for order in wanted if order.price == price),
                    sum(1 for order in wanted if order.price == price),
                )
                for price in prices
            ]


def _take(book: Book[Resting], orders: list[Resting], order: Resting, lots: int) -> None:
    book.side(order.direction).take(order, lots)
    order.lots_left = Lots(order.lots_left - lots)
    if not order.lots_left:
        orders.remove(order)


def _match_both(
    book: Book[Resting], orders: list[Resting], direction: Direction, price: int, lots: int, last: int
) -> int:
    """Match the slow way, compare, and take what was met; returns the last price."""
    buying = direction is Direction.BUY
    facing = by_priority(orders, Direction.SELL if buying else Direction.BUY)
    reached = [order for order in facing if (order.price <= price if buying else order.price >= price)]
    assert list(book.opposite(direction).reached_by(Price(price))) == reached
    assert fills_whole(book, direction, Price(price), Lots(lots)) is (sum(order.lots_left for order in reached) >= lots)
    wanted, left, at = [], lots, last
    for order in reached:
        if left:
            at = sorted((price, order.price, at))[1]
            wanted.append((order, at, min(left, order.lots_left)))
            left -= wanted[-1][2]
    found = match(book, direction, Price(price), Lots(lots), Price(last))
    assert [(met.maker, met.price, met.lots) for met in found] == wanted
    for met in found:
        _take(book, orders, met.maker, met.lots)
    return at

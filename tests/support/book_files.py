"""Recorded order books: market-by-order files and LOBSTER pairs, played into the exchange's own book.

The columns and the rules are told by the README beside the files.
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain, groupby
from pathlib import Path
from typing import Final, NamedTuple

from exchange.domain.values import Lots, OrderNo, Price
from exchange.domain.words import Direction
from exchange.matching.book import Book, Level
from exchange.matching.match import match
from tests.support.market import micro

BUY, SELL = Direction.BUY, Direction.SELL
Rows = tuple[list[Level], list[Level]]
"""The best levels of the bids and of the asks."""


class Resting:
    """An order as the book sees it."""

    def __init__(self, number: int, direction: Direction, price: int, lots: int) -> None:
        self.order_no = OrderNo(number)
        self.direction = direction
        self.price = Price(price)
        self.lots_left = Lots(lots)


class RecordedBook:
    """A book whose orders are found by their number."""

    def __init__(self) -> None:
        self.book: Book[Resting] = Book()
        self.orders: dict[int, Resting] = {}

    def add(self, number: int, direction: Direction, price: int, lots: int) -> None:
        order = self.orders[number] = Resting(number, direction, price, lots)
        self.book.side(direction).add(order)

    def take(self, order: Resting, lots: int) -> None:
        """Take lots off an order; with the last of them it is gone."""
        self.book.side(order.direction).take(order, lots)
        order.lots_left = Lots(order.lots_left - lots)
        if not order.lots_left:
            del self.orders[order.order_no]

    def levels(self, depth: int) -> Rows:
        return self.book.bids.levels(depth), self.book.asks.levels(depth)


def _records(path: Path) -> Iterator[dict[str, str]]:
    with lzma.open(path, "rt", newline="") as lines:
        yield from csv.DictReader(lines)


def _numbers(path: Path) -> Iterator[list[int]]:
    """The lines of a file without header; seconds become nanoseconds, everything else is a whole number."""
    with lzma.open(path, "rt", newline="") as lines:
        for line in csv.reader(lines):
            yield [int(cell) if "." not in cell else int(Decimal(cell).scaleb(9)) for cell in line]


# --- Market by order --------------------------------------------------------------------------------------------------

MBO_DEPTH: Final = 10


class MboCount(NamedTuple):
    """What was found in a market-by-order file."""

    rows: int
    fills: int


def check_market_by_order(messages: Path, rows: Path, earlier: list[Path]) -> MboCount:
    """Every row is a state after a message of the same sequence, the last one that after the last message; a filled
    order is the first in line. Raises AssertionError.

    The book begins empty; a file that does not begin with a clear goes on where the `earlier` ones end.
    """
    recorded, fills, checked = RecordedBook(), 0, 0
    if next(_records(messages))["action"] != "R":
        for message in chain.from_iterable(map(_records, earlier)):
            _play_mbo(recorded, message)
    states: dict[str, list[Rows]] = {}
    for message in _records(messages):
        fills += _play_mbo(recorded, message)
        states.setdefault(message["sequence"], []).append(recorded.levels(MBO_DEPTH))
    for sequence, group in groupby(_records(rows), key=lambda row: row["sequence"]):
        wanted = [_mbo_levels(row) for row in group]
        assert all(levels in states[sequence] for levels in wanted), f"a row of sequence {sequence}"
        assert wanted[-1] == states[sequence][-1], f"the last row of sequence {sequence}"
        checked += len(wanted)
    return MboCount(checked, fills)


def _play_mbo(recorded: RecordedBook, message: dict[str, str]) -> int:
    """Carry out one message; returns 1 for the fill of a resting order."""
    number, lots = int(message["order_id"]), int(message["size"])
    match message["action"]:
        case "A":
            recorded.add(number, BUY if message["side"] == "B" else SELL, micro(message["price"]), lots)
        case "C":
            recorded.take(recorded.orders[number], lots)
        case "F":
            order = recorded.orders[number]
            assert next(iter(recorded.book.side(order.direction))) is order, f"order {number} is filled out of turn"
            return 1
        case "R":
            for order in list(recorded.orders.values()):
                recorded.take(order, order.lots_left)
        case action:
            assert action == "T", f"no rule for action {action}"
    return 0


def _mbo_levels(row: dict[str, str]) -> Rows:
    sides: Rows = ([], [])
    for depth in range(MBO_DEPTH):
        for name, side in (("bid", sides[0]), ("ask", sides[1])):
            if price := row[f"{name}_px_{depth:02}"]:
                lots, orders = int(row[f"{name}_sz_{depth:02}"]), int(row[f"{name}_ct_{depth:02}"])
                side.append(Level(Price(micro(price)), Lots(lots), orders))
    return sides


# --- LOBSTER: the book after each message, of a few levels ------------------------------------------------------------

NEW, PARTIAL_CANCEL, DELETE, EXECUTION, HIDDEN_EXECUTION = 1, 2, 3, 4, 5


class Message(NamedTuple):
    """One line of a message file; the price counts in 1e-4 dollars."""

    at_ns: int
    type: int
    number: int
    lots: int
    price: int
    direction: Direction
    """Of the resting order."""


def lobster_messages(path: Path) -> list[Message]:
    return [
        Message(at_ns, kind, number, lots, price, BUY if sign == 1 else SELL)
        for at_ns, kind, number, lots, price, sign in _numbers(path)
    ]


class LobsterCount(NamedTuple):
    """How many rows of a pair were checked, and in how many a level had to be taken from the row itself."""

    rows: int
    helped: int


def check_lobster_pair(messages: Path, rows: Path) -> LobsterCount:
    """Every row is the state after its message, but for last levels that only the row can know. Raises AssertionError.

    The file shows no event beyond its levels, so the book is seeded with the first row; after each message prices
    beyond the last level are forgotten, and where a side has too few levels its missing last ones come from the row.
    """
    recorded, checked, helped = _LobsterBook(), 0, 0
    for number, (message, row) in enumerate(zip(lobster_messages(messages), _numbers(rows), strict=True)):
        wanted = _lobster_levels(row)
        depth = len(row) // 4
        if number:
            recorded.play(message)
            recorded.forget_beyond(depth)
        before = recorded.lots_by_level(depth)
        taken = recorded.learn_last_levels(wanted)
        assert recorded.lots_by_level(depth) == wanted, f"row {number}: {before} after {message}"
        checked += number > 0
        helped += number > 0 and taken
    return LobsterCount(checked, helped)


LotsByLevel = tuple[list[tuple[int, int]], list[tuple[int, int]]]
"""(price, lots) of the best bids and of the best asks."""


class _LobsterBook(RecordedBook):
    """A book whose orders are known in part: lots that only a row told of rest under numbers below zero."""

    def __init__(self) -> None:
        super().__init__()
        self._told = 0

    def play(self, message: Message) -> None:
        if message.type == NEW:
            self.add(message.number, message.direction, message.price, message.lots)
        elif message.type in (PARTIAL_CANCEL, DELETE, EXECUTION):
            self.take(self._order_of(message), message.lots)
        else:
            assert message.type == HIDDEN_EXECUTION, f"no rule for type {message.type}"

    def _order_of(self, message: Message) -> Resting:
        """The order itself, or the lots at its price that a row told of."""
        order = self.orders.get(message.number)
        if order is None:
            side = self.book.side(message.direction)
            order = next(each for each in side if each.price == message.price and each.order_no < 0)
        return order

    def forget_beyond(self, depth: int) -> None:
        for side in (self.book.bids, self.book.asks):
            kept = {level.price for level in side.levels(depth)}
            for order in [each for each in side if each.price not in kept]:
                self.take(order, order.lots_left)

    def learn_last_levels(self, wanted: LotsByLevel) -> bool:
        """Fill sides that have too few levels up from the row; whether anything was missing."""
        taken = False
        for side, direction, levels in ((self.book.bids, BUY, wanted[0]), (self.book.asks, SELL, wanted[1])):
            for price, lots in levels[len(side.levels(len(levels))) :]:
                self._told -= 1
                self.add(self._told, direction, price, lots)
                taken = True
        return taken

    def lots_by_level(self, depth: int) -> LotsByLevel:
        bids, asks = self.levels(depth)
        return [level[:2] for level in bids], [level[:2] for level in asks]


def _lobster_levels(row: list[int]) -> LotsByLevel:
    """A row is ask price, ask size, bid price, bid size, level by level; an empty level has size 0."""
    asks, bids = (
        [(row[n], row[n + 1]) for n in range(0, len(row), 4)],
        [(row[n + 2], row[n + 3]) for n in range(0, len(row), 4)],
    )
    return [level for level in bids if level[1]], [level for level in asks if level[1]]


# --- LOBSTER: who is met ----------------------------------------------------------------------------------------------


class MatchingCount(NamedTuple):
    """How many incoming orders were seen, and how many met the same orders with the same lots in the same sequence."""

    incoming: int
    identical: int


def count_identical_matches(messages: Path) -> MatchingCount:
    """Each run of executions at one time is one incoming order, matched by the exchange's own rule.

    The book begins empty; an order that leaves without having come is put in before the first new order with a larger
    number, since numbers grow with time.
    """
    recorded, incoming, identical = RecordedBook(), 0, 0
    visible = [message for message in lobster_messages(messages) if message.type != HIDDEN_EXECUTION]
    played = _with_unseen_orders(visible)
    for (_, kind, _), group in groupby(played, key=lambda each: (each.at_ns, each.type == EXECUTION, each.direction)):
        run = list(group)
        if kind:
            incoming += 1
            identical += _meets_the_same(recorded.book, run)
        for message in run:
            if message.type == NEW:
                recorded.add(message.number, message.direction, message.price, message.lots)
            else:
                recorded.take(recorded.orders[message.number], message.lots)
    return MatchingCount(incoming, identical)


def _meets_the_same(book: Book[Resting], run: list[Message]) -> bool:
    direction = SELL if run[0].direction is BUY else BUY
    limit = (max if direction is BUY else min)(message.price for message in run)
    lots = sum(message.lots for message in run)
    found = match(book, direction, Price(limit), Lots(lots), Price(limit))
    return [(met.maker.order_no, met.lots) for met in found] == [(message.number, message.lots) for message in run]


def _with_unseen_orders(messages: list[Message]) -> list[Message]:
    """The messages, with a new order put in for every one that leaves without having come."""
    sent = {message.number for message in messages if message.type == NEW}
    unseen: dict[int, Message] = {}
    for message in messages:
        if message.type in (PARTIAL_CANCEL, DELETE, EXECUTION) and message.number not in sent:
            before = unseen.get(message.number)
            lots = message.lots + (before.lots if before else 0)
            unseen[message.number] = message._replace(type=NEW, lots=lots)
    waiting = sorted(unseen.values(), key=lambda message: message.number, reverse=True)
    played: list[Message] = []
    for message in messages:
        while message.type == NEW and waiting and waiting[-1].number < message.number:
            played.append(waiting.pop())
        played.append(message)
    assert not waiting, f"orders {[message.number for message in waiting]} are newer than any that came"
    return played

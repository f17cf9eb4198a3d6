"""Logs with a random past, and what must be told of it by other means than the server's."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import orjson

from eventstore.memory import MemoryDisk, MemoryReader, MemoryStore
from eventstore.model import NewEntry, NewEvent
from exchange.codec import EVENTS, stream_of
from exchange.domain.events import Event
from exchange.domain.values import InstrumentId
from exchange.domain.words import Direction, PositionEffect
from exchange.gateway.dialects import Dialect
from exchange.gateway.surroundings import User
from exchange.server.history.pictures import all_dialects
from projections.fold import Projections
from projections.merge_patch import merge_patch
from projections.user_view import BEFORE_ALL
from tests.projections.streams import CONTRACTS, USERS, Op, lively_market
from tests.support.views import LogEntry, SmallExchange

Tree = dict[str, Any]

ANN = User("alice", USERS["alice"])
BOB = User("bob", USERS["bob"])
CAROL = User("carol", USERS["carol"])
"""Whose account is opened late, or never."""
INSTRUMENTS = tuple(contract.instrument_id for contract in CONTRACTS)
"""The last one is listed late, or never."""
DIALECTS = all_dialects("zh")

_KINDS = (*("order",) * 8, *("close",) * 4, "market", "market", "cancel", "cancel", "refused", "again")
_RARE = ("deposit", "withdraw", "open", "list", "suspend", "suspend")


def random_ops(seed: int, size: int) -> list[Op]:
    """The kinds of ops that `streams` draws, by a seed."""
    chance = random.Random(seed)
    return [
        Op(
            kind=chance.choice(_KINDS * 3 + _RARE),
            user=chance.choice((0, 0, 0, 1, 1, 1, 2)),
            contract=chance.choice((0, 0, 0, 1, 1, 2)),
            direction=chance.choice(tuple(Direction)),
            effect=chance.choice((PositionEffect.OPEN,) * 6 + (PositionEffect.CLOSETODAY,)),
            lots=chance.randint(1, 4),
            ticks=chance.randint(-2, 2),
            number=chance.choice((0, 1, 2, 3, 5)),
        )
        for _ in range(size)
    ]


def played(ops: Iterable[Op]) -> SmallExchange:
    """An exchange on which two have traded, and then came the ops."""
    exchange = lively_market()
    for op in ops:
        exchange.run(op.command(exchange))
    return exchange


def new_entries(log: Iterable[LogEntry]) -> list[NewEntry]:
    """The entries as a store takes them; of their commands nothing is left."""
    return [
        NewEntry(
            at_ns=entry.at_ns,
            type="Command",
            version=1,
            actor="",
            client_id="",
            origin="",
            body=b"{}",
            events=tuple(map(_new_event, entry.events)),
        )
        for entry in log
    ]


def _new_event(event: Event) -> NewEvent:
    encoded = EVENTS.encode(event)
    return NewEvent(stream=stream_of(event), type=encoded.type, version=encoded.version, payload=encoded.body)


def memory_log(exchange: SmallExchange) -> MemoryDisk:
    """All that the exchange has done, as a log."""
    disk = MemoryDisk()
    MemoryStore(disk).append(new_entries(exchange.log))
    return disk


def memory_reader(exchange: SmallExchange) -> MemoryReader:
    """Reads the log of all that the exchange has done."""
    return MemoryReader(memory_log(exchange))


def tree_of(projections: Projections, user: User, dialect: Dialect, instruments: Iterable[InstrumentId] = ()) -> Tree:
    """What a connection that logs in now is shown, as the wire gives it."""
    tree: Tree = {}
    for patch in dialect.word(projections.user(user.account_id).changes(BEFORE_ALL), user.name):
        tree = merge_patch(tree, patch)
    if instruments:
        market = projections.market
        listed = [each for each in instruments if market.knows(each)]
        quotes = {each: dialect.word_quote(market.quotes[each], BEFORE_ALL) for each in listed}
        tree |= {"ins_list": ",".join(listed)} | ({"quotes": quotes} if quotes else {})
    plain: Tree = orjson.loads(orjson.dumps(tree))
    return plain


def trees_at_every_number(
    exchange: SmallExchange, user: User, dialect: Dialect, instruments: Iterable[InstrumentId] = ()
) -> list[tuple[int, Tree]]:
    """(the end of the entry at or before the number, the tree there), for each number from 0 to the head."""
    projections = Projections()
    found = [(0, tree_of(projections, user, dialect, instruments))]
    for entry in exchange.log:
        found += found[-1:] * (len(entry.events) - 1)
        projections.apply(entry.first_log_seq, entry.events)
        found.append((entry.version, tree_of(projections, user, dialect, instruments)))
    return found


def tree_at(
    exchange: SmallExchange, user: User, dialect: Dialect, instruments: Iterable[InstrumentId], version: int
) -> Tree:
    """The tree at the end of an entry."""
    projections = Projections()
    for entry in exchange.log:
        if entry.version <= version:
            projections.apply(entry.first_log_seq, entry.events)
    return tree_of(projections, user, dialect, instruments)


def led(tree: Tree, data: bytes) -> Tree:
    """The tree after a step's patches."""
    for patch in orjson.loads(data):
        tree = merge_patch(tree, patch)
    return tree

"""The log, read by somebody who trusts nobody: every command decided again, every view folded and pictured anew."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from eventstore.memory import MemoryDisk
from eventstore.model import RecordedEntry
from exchange.codec import COMMANDS, EVENTS
from exchange.decider import ExchangeState, StateHash, execute
from exchange.domain.commands import CancelOrder, InsertOrder
from exchange.domain.events import (
    Event,
    Fill,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    OrderRepeated,
    TradeExecuted,
)
from exchange.domain.order import Order
from exchange.domain.words import ALIVE, OPEN
from projections.fold import Projections
from projections.merge_patch import merge_patch
from projections.user_view import BEFORE_ALL
from tests.simulation import conservation
from tests.simulation.broken import LawBrokenError, require
from tests.simulation.client import Client
from tests.simulation.dialects import SPOKEN, Spoken
from tests.simulation.market import TRADERS, Trader

Picture = dict[str, Any]
"""A JSON document as a mirror holds it."""


class Oracle:
    """What the durable log says, entry by entry; `catch_up` after every commit."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self.state = ExchangeState()
        self.state_hash = StateHash(self.state)
        self.projections = Projections()
        self.views: dict[int, dict[tuple[Spoken, str], Picture]] = {0: self._word_all()}
        """Every user's view in each dialect, by version."""
        self._quotes: dict[str, list[tuple[int, Picture]]] = {}
        """By instrument: (version, the whole quote), whenever it changed."""
        self.first_orders: Counter[tuple[str, str]] = Counter()
        """How often an order came up as a new one, by account and id."""
        self.seen: Counter[str] = Counter()
        """What happened, for the sake of knowing that it did."""
        self._entries = 0
        self._commits = 0
        self._fees = 0
        self._at_ns = 0

    @property
    def log_seq(self) -> int:
        """The end of the durable log."""
        return self.projections.version

    def catch_up(self) -> None:
        """Read what became durable."""
        hashes = {commit.last_log_seq: commit.state_hash for commit in self._disk.commits[self._commits :]}
        self._commits = len(self._disk.commits)
        while self._entries < len(self._disk.entries):
            self._read(self._disk.entries[self._entries])
            state_hash = hashes.get(self.log_seq)
            if state_hash is not None:
                self.seen["state hash in the log"] += 1
                require(state_hash == self.state_hash.value(), 4, f"the state hash at {self.log_seq} is another one")

    def picture(self, client: Client, version: int, subscriptions: tuple[str, ...]) -> Picture:
        """All that a mirror must hold at a version, but for notices and the echo of the subscription."""
        picture = self.views[version][client.spoken, client.trader.name].copy()
        if subscriptions:
            picture["quotes"] = {instrument_id: self.quote(instrument_id, version) for instrument_id in subscriptions}
        return picture

    def quote(self, instrument_id: str, version: int) -> Picture:
        """A quote as it was."""
        return next(quote for changed, quote in reversed(self._quotes[instrument_id]) if changed <= version)

    @staticmethod
    def word(projections: Projections, trader: Trader, spoken: Spoken) -> Picture:
        """A user's view, worded from nothing, as a client has it after the way over the wire."""
        picture: Picture = {}
        for patch in spoken.dialect.word(projections.user(trader.account_id).changes(BEFORE_ALL), trader.name):
            picture = merge_patch(picture, orjson.loads(orjson.dumps(patch)))
        return picture

    # One entry.

    def _read(self, entry: RecordedEntry) -> None:
        self._check_order(entry)
        events = self._decide_again(entry)
        self.projections.apply(entry.first_log_seq, events)
        for event in events:
            self._count(event)
        self.views[self.log_seq] = self._word_all()
        self._word_quotes()
        conservation.check(self.state, self._fees)
        for spoken in SPOKEN:
            shown = {
                name: spoken.branch(picture, name)
                for (worded_in, name), picture in self.views[self.log_seq].items()
                if worded_in is spoken
            }
            conservation.compare(self.state, spoken, shown)
        conservation.compare_quotes(self.state, self._quotes)

    def _check_order(self, entry: RecordedEntry) -> None:
        """The log is numbered without gaps, and its time never falls."""
        require(entry.first_log_seq == self.log_seq + 1, 2, f"log_seq {entry.first_log_seq} follows {self.log_seq}")
        self._entries += 1
        require(entry.command_seq == self._entries, 2, f"command {entry.command_seq} is the {self._entries}th")
        require(entry.at_ns >= self._at_ns, 3, f"the time falls from {self._at_ns} to {entry.at_ns}")
        self._at_ns = entry.at_ns

    def _decide_again(self, entry: RecordedEntry) -> tuple[Event, ...]:
        """The stored command gives the stored events, byte for byte."""
        command = COMMANDS.decode(entry.type, entry.version, entry.body)
        if isinstance(command, InsertOrder | CancelOrder):
            require(entry.actor == command.account_id, 9, f"{entry.actor} moved {command.account_id}")
            require(entry.client_id == command.order_id, 7, f"{entry.client_id} stands for {command.order_id}")
        events = execute(self.state, command, entry.at_ns)
        decided = [EVENTS.encode(event).body for event in events]
        stored = [event.payload for event in entry.events]
        if decided != stored:
            raise LawBrokenError(4, f"{command} gives {decided}, the log has {stored}")
        return events

    def _count(self, event: Event) -> None:
        self.seen[type(event).__name__] += 1
        match event:
            case OrderAccepted() | OrderRefused():
                key = (event.account_id, event.order_id)
                self.first_orders[key] += 1
                require(self.first_orders[key] == 1, 7, f"order {key} came up as a new one twice")
            case OrderRepeated():
                key = (event.account_id, event.order_id)
                require(self.first_orders[key] == 1, 7, f"order {key} was repeated before it came up")
            case OrderCancelled():
                self.seen[f"cancelled {event.reason}"] += 1
            case TradeExecuted():
                self._count_fill(event.buyer)
                self._count_fill(event.seller)
                self.seen["self trade"] += event.buyer.account_id == event.seller.account_id
            case _:
                pass

    def _count_fill(self, fill: Fill) -> None:
        self._fees += fill.commission
        order = self.state.accounts[fill.account_id].orders.get(fill.order_id)
        self.seen["partial fill"] += isinstance(order, Order) and order.status is ALIVE
        self.seen["closing fill"] += fill.effect is not OPEN

    def _word_all(self) -> dict[tuple[Spoken, str], Picture]:
        return {
            (spoken, trader.name): self.word(self.projections, trader, spoken)
            for spoken in SPOKEN
            for trader in TRADERS
        }

    def _word_quotes(self) -> None:
        for instrument_id, quote in self.projections.market.quotes.items():
            history = self._quotes.setdefault(instrument_id, [])
            fragments = [quote.fragment(BEFORE_ALL, spoken.dialect) for spoken in SPOKEN]
            assert fragments[0] is not None, f"the first picture of {instrument_id} is empty"
            assert len(set(fragments)) == 1, "quotes are worded alike in every dialect"
            worded = orjson.loads(fragments[0])
            if not history or history[-1][1] != worded:
                history.append((self.log_seq, worded))

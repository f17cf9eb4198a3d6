"""How many commands a second the core decides and folds, in this process, with nothing behind it: no bytes, no disk, no
socket.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from exchange.bench.figures import Figures
from exchange.bench.flows import DEPOSIT, INSTRUMENT_ID, MEETING_STOCK, MEETING_TURNS, PRICE, Terms, order_text
from exchange.decider import ExchangeState, execute
from exchange.domain.commands import CancelOrder, Command, InsertOrder, OpenAccount, RegisterInstrument
from exchange.domain.events import CommandRefused, OrderRefused
from exchange.domain.values import YUAN, AccountId, Money, OrderId
from exchange.gateway.messages import InsertOrderMessage, parse
from exchange.gateway.orders import insert_order
from exchange.market.reading import read_market

START_NS: Final = 1_800_000_000_000_000_000


def measure_core(figures: Figures, *, clients: int, commands: int) -> None:
    """One round of both flows, each on a fresh market with so many accounts."""
    flows = {"meeting": _meeting(clients), "resting": _resting(clients)}
    for name, flow in flows.items():
        state = _market(clients)
        per_second = _commands_per_second(state, list(islice(flow, commands)))
        figures.add(f"core.{name}.per_second", "commands/s", per_second)


def _market(clients: int) -> ExchangeState:
    """A state in which every client has money and something to close."""
    terms = next(each for each in read_market().instruments if each.instrument_id == INSTRUMENT_ID)
    accounts = [_account(client) for client in range(clients)]
    money = Money(DEPOSIT * YUAN)
    state = ExchangeState()
    _decide_all(state, [RegisterInstrument(terms=terms)])
    _decide_all(state, [OpenAccount(account_id=account, deposit=money) for account in accounts])
    for at, stock in enumerate(MEETING_STOCK):
        _decide_all(state, [_order(stock, account, f"first-{at}") for account in accounts])
    return state


def _meeting(clients: int) -> Iterator[Command]:
    """The flow `meeting`, the clients one after the other."""
    turn = 0
    while True:
        for client in range(clients):
            turns = MEETING_TURNS[client % len(MEETING_TURNS)]
            yield _order(turns[turn % len(turns)], _account(client), f"{turn}")
        turn += 1


def _resting(clients: int) -> Iterator[Command]:
    """Orders that rest, each of them cancelled when everybody has one more."""
    away = Terms("BUY", "OPEN", PRICE - 50)
    turn = 0
    while True:
        for client in range(clients):
            yield _order(away, _account(client), f"{turn}")
        for client in range(clients):
            yield CancelOrder(account_id=_account(client), order_id=OrderId(f"{turn}"))
        turn += 1


def _account(client: int) -> AccountId:
    return AccountId(f"A{client:03}")


def _order(terms: Terms, account_id: AccountId, order_id: str) -> InsertOrder:
    """The command of an order's message, by the gateway's own way."""
    message = parse(order_text(terms, order_id).encode())
    assert isinstance(message, InsertOrderMessage)
    return insert_order(message, account_id)


def _decide_all(state: ExchangeState, commands: Iterable[Command]) -> None:
    for command in commands:
        events = execute(state, command, START_NS)
        assert not isinstance(events[-1], OrderRefused | CommandRefused), f"{command} was refused: {events[-1]}"


def _commands_per_second(state: ExchangeState, commands: list[Command]) -> float:
    begin = time.perf_counter()
    for at_ns, command in enumerate(commands, START_NS):
        execute(state, command, at_ns)
    return len(commands) / (time.perf_counter() - begin)

"""Short random sessions that really trade: actions that mean something in any state, and the exchange they are played
on."""

from __future__ import annotations

from random import Random
from typing import Any, Final, NamedTuple

import msgspec
from hypothesis import strategies as st

from exchange.decider import ExchangeState, execute
from exchange.domain.commands import CancelOrder, Command, Deposit, InsertOrder, RegisterInstrument, Withdraw
from exchange.domain.events import Event
from exchange.domain.order import Order
from exchange.domain.values import AccountId, Lots, Money, OrderId, Price
from exchange.domain.words import Direction, OrderStatus, PositionEffect, PriceType, TimeCondition, VolumeCondition
from tests.support.commands import open_account, restore, suspend
from tests.support.decider import hold_overnight
from tests.support.market import fee_pair, margin, micro, terms

_FEES: Final = (fee_pair("0.00012345", "0.005"), fee_pair("0.0000777", "0.01"), fee_pair("0.0003", "0.001"))
SEPARATE: Final = terms(
    "SHFE.aa2701",
    multiplier=7,
    tick="0.5",
    band=(95, 105),
    margin_rates=margin("0.08", "0.37"),
    fees=_FEES,
    separate_today=True,
)
TOGETHER: Final = terms("DCE.bb2701", multiplier=3, band=(95, 105), margin_rates=margin("0.123456789"), fees=_FEES)
BETWEEN_TICKS: Final = terms("CFFEX.cc2701", tick="0.2", pre_settlement="100.07", band=(95, 105), fees=_FEES)
INSTRUMENTS: Final = (SEPARATE, TOGETHER, BETWEEN_TICKS)
_BY_ID: Final = {instrument.instrument_id: instrument for instrument in INSTRUMENTS}

ACCOUNTS: Final = ("a", "b", "c", "poor")
RICH, POOR = 100_000, 900


class Action(NamedTuple):
    """Something to do, in small whole numbers; what it means is found out in the state it meets."""

    kind: str
    account: int
    instrument: int
    sell: bool
    ticks: int
    """Away from 100."""
    lots: int
    which: int
    """Which of several orders or positions."""


KINDS: Final = (
    *("open",) * 10,
    *("close",) * 8,
    *("cancel",) * 3,
    *("fak", "fok", "market", "close at market", "repeat", "change", "break", "deposit", "withdraw", "no id"),
    *("suspend", *("restore",) * 6),
)
TICKS: Final = (0, 0, 1, -1, 1, -1, 2, -2, 3, -3, 5, -5)
LOTS: Final = (1, 1, 2, 3, 4, 5, 8)


def sessions(max_size: int = 60) -> st.SearchStrategy[list[Action]]:
    """Lists of actions, for hypothesis."""
    action = st.builds(
        Action,
        kind=st.sampled_from(KINDS),
        account=st.integers(0, len(ACCOUNTS) - 1),
        instrument=st.sampled_from((0, 0, 0, 1, 1, 1, 2)),
        sell=st.booleans(),
        ticks=st.sampled_from(TICKS),
        lots=st.sampled_from(LOTS),
        which=st.integers(0, 11),
    )
    # Left to themselves lists are mostly too short to trade; lists of a drawn length are not, and shrink as well.
    return st.integers(0, max_size).flatmap(lambda size: st.lists(action, min_size=size, max_size=size))


def random_session(seed: int, length: int = 60) -> list[Action]:
    """The same by a seed, for tests that need many sessions cheaply."""
    dice = Random(seed)
    return [
        Action(
            kind=dice.choice(KINDS),
            account=dice.randrange(len(ACCOUNTS)),
            instrument=dice.choice((0, 0, 0, 1, 1, 1, 2)),
            sell=dice.random() < 0.5,
            ticks=dice.choice(TICKS),
            lots=dice.choice(LOTS),
            which=dice.randrange(12),
        )
        for _ in range(length)
    ]


class Entry(NamedTuple):
    """One command as the log would keep it."""

    command: Command
    at_ns: int
    events: tuple[Event, ...]


def opening() -> ExchangeState:
    """Where every session begins: contracts, accounts with money, and older lots, as many long as short."""
    state = ExchangeState()
    for instrument in INSTRUMENTS:
        execute(state, RegisterInstrument(terms=instrument), 0)
    for account in ACCOUNTS:
        execute(state, open_account(account, POOR if account == "poor" else RICH), 0)
    for instrument, opened in ((SEPARATE, ("99.5", "101.5")), (TOGETHER, (98, 103))):
        for long, (first, second) in ((True, ("a", "b")), (False, ("b", "c"))):
            for account, lots, at in ((first, 2, opened[0]), (second, 1, opened[1]), (first, 1, opened[1])):
                hold_overnight(state, account, lots, opened=at, basis=100, long=long, instrument=instrument)
    return state


class Session:
    """The exchange on which actions are played, and the entries of its log."""

    def __init__(self) -> None:
        self.state = opening()
        self.entries: list[Entry] = []
        self._sent: list[InsertOrder] = []

    def play(self, action: Action) -> Entry:
        """Carry out what the action means in the present state."""
        return self.carry_out(self.command_of(action))

    def carry_out(self, command: Command) -> Entry:
        """Execute a command; time passes by a nanosecond each."""
        entry = Entry(command, self.next_at_ns, execute(self.state, command, self.next_at_ns))
        self.entries.append(entry)
        return entry

    @property
    def next_at_ns(self) -> int:
        """The time of the next entry."""
        return len(self.entries) + 1

    def command_of(self, action: Action) -> Command:
        """The command that the action means in the present state; counts as sent."""
        account_id = AccountId(ACCOUNTS[action.account])
        match action.kind:
            case "deposit":
                return Deposit(account_id=account_id, amount=Money(micro(action.lots) + action.ticks))
            case "withdraw":
                return Withdraw(account_id=account_id, amount=Money(micro(action.lots * 100) + action.ticks))
            case "cancel":
                return self._cancel(action)
            case "suspend":
                return suspend(account_id, "x" * (action.ticks * 50))
            case "restore":
                return restore(self._suspended(action) or account_id)
            case "repeat" if self._sent:
                return self._sent[-1 - action.which % len(self._sent)]
            case "change" if self._sent:
                order = self._sent[-1 - action.which % len(self._sent)]
                return msgspec.structs.replace(order, lots=Lots(order.lots + 1))
        order = self._order(action)
        self._sent.append(order)
        return order

    def _suspended(self, action: Action) -> str | None:
        """One of the suspended accounts; mostly one of them, so that the session goes on trading."""
        suspended = [each for each, account in self.state.accounts.items() if account.suspended]
        return suspended[action.which % len(suspended)] if suspended and action.which else None

    def _order(self, action: Action) -> InsertOrder:
        instrument = INSTRUMENTS[action.instrument]
        order = InsertOrder(
            account_id=AccountId(ACCOUNTS[action.account]),
            order_id=OrderId("" if action.kind == "no id" else f"o{len(self._sent)}"),
            instrument_id=instrument.instrument_id,
            direction=Direction.SELL if action.sell else Direction.BUY,
            effect=PositionEffect.OPEN,
            lots=Lots(action.lots),
            price_type=PriceType.LIMIT,
            limit_price=Price(micro(100) + action.ticks * instrument.price_tick),
            time_condition=TimeCondition.GFD,
            volume_condition=VolumeCondition.ANY,
        )
        if action.kind in ("close", "close at market"):
            order = self._closing(order, action.which)
        return msgspec.structs.replace(order, **_changes(action))

    def _closing(self, order: InsertOrder, which: int) -> InsertOrder:
        """The order made one that closes lots somebody holds; as it was where nobody holds any."""
        sides = [
            (account_id, instrument_id, direction, effect, free)
            for account_id, account in self.state.accounts.items()
            for instrument_id, held in account.positions.items()
            for direction, side in ((Direction.SELL, held.position.long), (Direction.BUY, held.position.short))
            for effect in (PositionEffect.CLOSE, PositionEffect.CLOSETODAY)
            if (free := side.closable(effect, self.state.instruments[instrument_id].terms.separate_today))
        ]
        if not sides:
            return order
        account_id, instrument_id, direction, effect, free = sides[which % len(sides)]
        tick = self.state.instruments[instrument_id].terms.price_tick
        ticks = ((order.limit_price or 0) - micro(100)) // _BY_ID[order.instrument_id].price_tick
        return msgspec.structs.replace(
            order,
            account_id=account_id,
            instrument_id=instrument_id,
            direction=direction,
            effect=effect,
            lots=Lots(min(order.lots, free)),
            limit_price=Price(micro(100) + ticks * tick),
        )

    def _cancel(self, action: Action) -> CancelOrder:
        """Mostly a working order; now and then any other that was sent, or one that never was."""
        working = [
            order.accepted
            for account in self.state.accounts.values()
            for order in account.orders.values()
            if isinstance(order, Order) and order.status is OrderStatus.ALIVE
        ]
        if working and action.which:
            accepted = working[action.which % len(working)]
            return CancelOrder(account_id=accepted.account_id, order_id=accepted.order_id)
        if self._sent:
            sent = self._sent[-1 - action.lots % len(self._sent)]
            return CancelOrder(account_id=sent.account_id, order_id=sent.order_id)
        return CancelOrder(account_id=AccountId("a"), order_id=OrderId("never sent"))


INSTRUMENT_BY_ID: Final = {instrument.instrument_id: instrument for instrument in INSTRUMENTS}


def _changes(action: Action) -> dict[str, Any]:
    """What the kind of action makes different in an order for the day."""
    if action.kind == "break":
        return _BREAKS[action.which % len(_BREAKS)]
    return _KIND_CHANGES.get(action.kind, {})


_MARKET: Final = {"price_type": PriceType.ANY, "limit_price": None, "time_condition": TimeCondition.IOC}
_KIND_CHANGES: Final[dict[str, dict[str, Any]]] = {
    "fak": {"time_condition": TimeCondition.IOC},
    "fok": {"time_condition": TimeCondition.IOC, "volume_condition": VolumeCondition.ALL},
    "market": _MARKET,
    "close at market": _MARKET,
}
_BREAKS: Final[tuple[dict[str, Any], ...]] = (
    {"limit_price": Price(micro("100.01"))},
    {"limit_price": Price(micro(200))},
    {"lots": Lots(0)},
    {"lots": Lots(501)},
    {"time_condition": TimeCondition.GTC},
    {"instrument_id": "NONE.zz"},
    {"account_id": "nobody"},
    {"effect": PositionEffect.CLOSE, "lots": Lots(400)},
    {"order_id": "~1"},
)

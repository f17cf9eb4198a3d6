"""Random streams of commands: three users, three contracts, everything that can be asked of the exchange.

An op is drawn without knowing the state and becomes a command when its turn comes: "cancel the second of your working
orders" has a meaning in every state, and shrinks well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from msgspec.structs import replace as changed

from exchange.domain.commands import Command, Deposit, InsertOrder, RegisterInstrument, Withdraw
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.order import Order
from exchange.domain.values import YUAN, AccountId, InstrumentId, Lots, Money, OrderId, Price
from exchange.domain.words import ALIVE, Direction, PositionEffect, TimeCondition, VolumeCondition
from tests.support.commands import cancel, open_account, order, restore, suspend, traded
from tests.support.market import CORN, CU, RB, terms
from tests.support.views import SmallExchange

USERS = {"alice": AccountId("A1"), "bob": AccountId("B2"), "carol": AccountId("C3")}
"""Login names and the accounts behind them. Order ids begin with the name, so that no leak goes unseen."""
NAMES = tuple(USERS)
CONTRACTS: tuple[InstrumentTerms, ...] = (RB, CORN, CU)
"""Separate buckets and joint ones; different ticks."""

GFD, IOC = TimeCondition.GFD, TimeCondition.IOC


@dataclass(frozen=True)
class Op:
    """`kind` says which of the other fields count."""

    kind: str
    user: int = 0
    contract: int = 0
    direction: Direction = Direction.BUY
    effect: PositionEffect = PositionEffect.OPEN
    lots: int = 1
    ticks: int = 0
    """Price in ticks above the previous settlement."""
    time: TimeCondition = GFD
    volume: VolumeCondition = VolumeCondition.ANY
    has_id: bool = True
    number: int = 0
    """Which of several; an amount in yuan."""

    def command(self, exchange: SmallExchange) -> Command:
        """What the op means now."""
        name = NAMES[self.user]
        account_id = USERS[name]
        match self.kind:
            case "order" | "market":
                return self._order(exchange, name)
            case "refused":
                return self._refused_order(exchange, name)
            case "close":
                return self._close(exchange, name)
            case "cancel":
                return cancel(self._order_id(exchange, account_id), account_id)
            case "again":
                return self._again(exchange, name)
            case "deposit":
                return Deposit(account_id=account_id, amount=Money(self.number * YUAN))
            case "withdraw":
                return Withdraw(account_id=account_id, amount=Money(self.number * YUAN))
            case "suspend":
                return _suspension(exchange, account_id)
            case "open":
                return open_account(account_id, self.number)
            case "list":
                return RegisterInstrument(terms=CONTRACTS[self.contract])
            case other:
                raise AssertionError(f"no op is called {other}")

    def _order(self, exchange: SmallExchange, name: str) -> InsertOrder:
        contract = CONTRACTS[self.contract]
        made = order(
            f"{name}-{len(exchange.log)}" if self.has_id else "",
            self.direction,
            None
            if self.kind == "market"
            else str((contract.pre_settlement + self.ticks * contract.price_tick) // YUAN),
            self.lots,
            account=USERS[name],
            effect=self.effect,
            instrument=contract,
            time=IOC if self.kind == "market" else self.time,
            volume=self.volume,
        )
        return changed(made, lots=Lots(self.lots))

    def _refused_order(self, exchange: SmallExchange, name: str) -> InsertOrder:
        """An order that breaks the rule with this number."""
        sound = replace(self, kind="order")._order(exchange, name)
        assert sound.limit_price is not None
        wrongs: tuple[dict[str, object], ...] = (
            {"instrument_id": InstrumentId("SHFE.none")},
            {"time_condition": TimeCondition.GTC},
            {"lots": Lots(501)},
            {"limit_price": Price(sound.limit_price + 1)},
            {"limit_price": Price(sound.limit_price * 2)},
            {"effect": PositionEffect.CLOSE, "lots": Lots(400)},
            {"lots": Lots(500)},  # 500 lots of copper are more than anybody can pay for
        )
        return changed(sound, **wrongs[self.number % len(wrongs)])

    def _close(self, exchange: SmallExchange, name: str) -> InsertOrder:
        """Close what is held of the contract, at its average price to the tick, so that there may be no profit; open
        where nothing is held."""
        account = exchange.state.accounts.get(USERS[name])
        contract = CONTRACTS[self.contract]
        held = account.positions.get(contract.instrument_id) if account else None
        op = replace(self, kind="order")
        if held is not None:
            for side, direction in ((held.position.long, Direction.SELL), (held.position.short, Direction.BUY)):
                if side.lots:
                    average = side.cost_today // (side.lots * contract.multiplier)
                    op = replace(
                        op,
                        direction=direction,
                        effect=PositionEffect.CLOSETODAY,
                        lots=min(self.lots, side.lots),
                        ticks=(average - contract.pre_settlement) // contract.price_tick,
                    )
        return op._order(exchange, name)

    def _order_id(self, exchange: SmallExchange, account_id: AccountId) -> str:
        """A working order; now and then a finished one, or none at all."""
        account = exchange.state.accounts.get(account_id)
        orders = list(account.orders.items()) if account else []
        working = [order_id for order_id, each in orders if isinstance(each, Order) and each.status is ALIVE]
        ids = working or [order_id for order_id, _ in orders]
        return ids[self.number % len(ids)] if ids else "nothing"

    def _again(self, exchange: SmallExchange, name: str) -> Command:
        """An earlier order with an id of its own, once more: with the same content, or with another price."""
        account = exchange.state.accounts.get(USERS[name])
        placed = [
            each.accepted if isinstance(each, Order) else each.refused
            for order_id, each in (account.orders.items() if account else ())
            if not order_id.startswith("~")
        ]
        if not placed:
            return replace(self, kind="order")._order(exchange, name)
        first = placed[self.number % len(placed)]
        return InsertOrder(
            account_id=USERS[name],
            order_id=OrderId(first.order_id),
            instrument_id=first.instrument_id,
            direction=first.direction,
            effect=first.effect,
            lots=Lots(first.lots + (not self.has_id)),
            price_type=first.price_type,
            limit_price=first.limit_price,
            time_condition=first.time_condition,
            volume_condition=first.volume_condition,
            lots_min=first.lots_min,
        )


def _suspension(exchange: SmallExchange, account_id: AccountId) -> Command:
    """Whoever is suspended is restored before the next one is, so that trading goes on."""
    suspended = [each.account_id for each in exchange.state.accounts.values() if each.suspended]
    return restore(suspended[0]) if suspended else suspend(account_id)


_users = st.sampled_from((0, 0, 0, 0, 1, 1, 1, 1, 2, 2))
_contracts = st.sampled_from((0, 0, 0, 0, 1, 1, 2))
_directions = st.sampled_from(Direction)
_orders = st.builds(
    Op,
    kind=st.just("order"),
    user=_users,
    contract=_contracts,
    direction=_directions,
    effect=st.sampled_from((PositionEffect.OPEN,) * 10 + (PositionEffect.CLOSE, PositionEffect.CLOSETODAY)),
    lots=st.integers(1, 4),
    ticks=st.integers(-2, 2),
    time=st.sampled_from((GFD, GFD, GFD, IOC)),
    volume=st.sampled_from((VolumeCondition.ANY, VolumeCondition.ANY, VolumeCondition.ALL)),
    has_id=st.sampled_from((True, True, False)),
).map(lambda op: op if op.time is IOC else replace(op, volume=VolumeCondition.ANY))
_closes = st.builds(Op, kind=st.just("close"), user=_users, contract=_contracts, lots=st.integers(1, 4))
_markets = st.builds(
    Op,
    kind=st.just("market"),
    user=_users,
    contract=_contracts,
    direction=_directions,
    effect=st.sampled_from((PositionEffect.OPEN, PositionEffect.CLOSETODAY)),
    lots=st.integers(1, 4),
    volume=st.sampled_from((VolumeCondition.ANY, VolumeCondition.ALL)),
)
_others = st.one_of(
    st.builds(Op, kind=st.just("refused"), user=_users, contract=_contracts, number=st.integers(0, 6)),
    st.builds(Op, kind=st.just("again"), user=_users, has_id=st.booleans(), number=st.integers(0, 5)),
    st.builds(Op, kind=st.sampled_from(("deposit", "withdraw")), user=_users, number=st.sampled_from((0, 7, 250_000))),
    st.builds(
        Op, kind=st.just("open"), user=st.sampled_from((2, 2, 2, 0)), number=st.sampled_from((0, 30_000, 1_000_000))
    ),
    st.builds(Op, kind=st.just("suspend"), user=_users),
    st.builds(Op, kind=st.just("list"), contract=st.integers(0, 2)),
)
_cancels = st.builds(Op, kind=st.just("cancel"), user=_users, number=st.integers(0, 3))

# A flat choice would count every kind alike, and few orders would ever meet.
_weighted = (_orders,) * 8 + (_closes,) * 3 + (_markets,) * 2 + (_cancels,) * 2 + (_others,) * 3
ops = st.sampled_from(_weighted).flatmap(lambda kind: kind)


def streams(size_max: int) -> st.SearchStrategy[list[Op]]:
    """Up to `size_max` ops, all lengths alike: left to itself hypothesis prefers lists of five."""
    return st.integers(0, size_max).flatmap(lambda size: st.lists(ops, min_size=size, max_size=size))


BUY, SELL = Direction
CLOSED_AT_COST = [
    Op("close", user=0, lots=2),
    Op("close", user=1, lots=2),
    Op("order", user=1, direction=SELL, ticks=1),
    Op("order", user=1, direction=BUY, ticks=1),
]
"""Both positions are closed without a profit, then the price moves: what is flat must not follow it. Random streams
come to this now and then only."""


def lively_market() -> SmallExchange:
    """Where streams begin: two contracts, and two users with positions against each other; the rest comes late."""
    return SmallExchange(
        RegisterInstrument(terms=RB),
        RegisterInstrument(terms=CORN),
        open_account(USERS["alice"], 1_000_000),
        open_account(USERS["bob"], 1_000_000),
        *traded(USERS["alice"], USERS["bob"], 3600, 2, RB),
        *traded(USERS["bob"], USERS["alice"], 3005, 1, CORN),
    )


def positions_worth_tenths() -> SmallExchange:
    """Alice's three positions have made 0.1, 0.2 and 0.3 yuan, whose float sum depends on the order."""
    exchange = SmallExchange(*(open_account(account_id, 1_000_000) for account_id in USERS.values()))
    for number in (1, 2, 3):
        contract = terms(f"DCE.x{number}", tick="0.1")
        exchange.run(
            RegisterInstrument(terms=contract),
            *traded(USERS["alice"], USERS["bob"], 100, 1, contract),
            *traded(USERS["carol"], USERS["bob"], f"100.{number}", 1, contract),
        )
    return exchange

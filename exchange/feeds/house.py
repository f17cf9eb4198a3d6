"""How the house makes the market look like a recorded moment: pure planning, from a snapshot to commands.

Three accounts play all tapes. Positions are kept per instrument, so tapes share nothing but money, and an auditor has
three ids to leave out.

* The quoter's resting orders are the recorded levels.
* Between two traders the recorded volume trades at the recorded last price. Users whose orders are in the way are met
  first, at their place in the book, and so much less goes from trader to trader: the volume stays the recorded one.

Orders leave their id to the exchange, which forgets such orders when they end; what works is read from the view.

Every account closes what it can before it opens, older lots first, and of the traders the one with more lots net sells.
So each trader holds at most the largest recorded trade, one way or the other, and the quoter what users left it with.
What users hold against the traders comes on top of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from exchange.domain.account import Figures
from exchange.domain.commands import CancelOrder, Deposit, InsertOrder, OpenAccount
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.order import Order
from exchange.domain.position import Position
from exchange.domain.values import YUAN, AccountId, InstrumentId, Lots, Money, OrderId, Price
from exchange.domain.words import (
    ALIVE,
    BUY,
    CLOSETODAY,
    IOC,
    LIMIT,
    OPEN,
    SELL,
    Direction,
    PositionEffect,
    TimeCondition,
    VolumeCondition,
)
from exchange.feeds.floor import HouseCommand
from exchange.feeds.snapshot import Snapshot
from projections.figures import account_figures, position_figures
from projections.rows import OrderRow
from projections.user_view import UserView

QUOTER: Final = AccountId("house-quotes")
TRADERS: Final = (AccountId("house-trades-1"), AccountId("house-trades-2"))
HOUSE_ACCOUNTS: Final = (QUOTER, *TRADERS)
"""Accounts without users: nobody can log in to them."""
HOUSE_DEPOSIT: Final = Money(10**10 * YUAN)
"""What each of them begins with, and gets again when less than half of it is available."""

ViewOf = Callable[[AccountId], UserView]


class Standing(NamedTuple):
    """What one house account has in one instrument."""

    account_id: AccountId
    orders: tuple[Order, ...]
    """Those that work, oldest first."""
    position: Position


class House(NamedTuple):
    """What the house has in one instrument."""

    quoter: Standing
    traders: tuple[Standing, Standing]


def house_in(instrument_id: InstrumentId, view_of: ViewOf) -> House:
    """The house's standing, read from the views of its accounts."""
    quoter, first, second = (_standing(account_id, view_of(account_id), instrument_id) for account_id in HOUSE_ACCOUNTS)
    return House(quoter, (first, second))


def funding(view_of: ViewOf) -> list[HouseCommand]:
    """What the house's accounts need: to be opened, or more money once half of a deposit is gone into fees."""
    commands: list[HouseCommand] = []
    for account_id in HOUSE_ACCOUNTS:
        view = view_of(account_id)
        if view.account is None:
            commands.append(OpenAccount(account_id=account_id, deposit=HOUSE_DEPOSIT))
        elif _figures(view).available < HOUSE_DEPOSIT // 2:
            commands.append(Deposit(account_id=account_id, amount=HOUSE_DEPOSIT))
    return commands


def plan(terms: InstrumentTerms, snapshot: Snapshot, lots: Lots, house: House) -> list[HouseCommand]:
    """The commands after which the market shows the snapshot, with `lots` traded on the way to it.

    In this order, which lets no two house orders meet but those of the trade: cancel what the snapshot does not show or
    the trade would meet; trade; quote what is missing. Orders that stay keep their place in the queue, the older first;
    a level that grew gets the difference.

    Where users' orders meet the quotes, the book falls short of the snapshot by as much until the next plan. What users
    may leave of the trade is for `leftovers`.
    """
    commands: list[HouseCommand] = []
    quoter = _OrderWriter(terms, house.quoter)
    missing = {(BUY, price): wanted for price, wanted in snapshot.bids}
    missing |= {(SELL, price): wanted for price, wanted in snapshot.asks}
    for order in house.quoter.orders:
        place = (order.accepted.direction, order.price)
        if order.lots_left > missing.get(place, 0) or (lots and _is_met_at(snapshot.last, order)):
            commands.append(quoter.cancel(order))
        else:
            missing[place] = Lots(missing[place] - order.lots_left)
    commands += _trade(terms, snapshot, lots, house.traders)
    for (direction, price), wanted in missing.items():
        commands += quoter.orders(direction, price, wanted, TimeCondition.GFD)
    return commands


def leftovers(house: House) -> list[HouseCommand]:
    """The cancels of what users left of a trade, whose orders met one side of it: traders rest for no longer."""
    return [_cancel(order) for trader in house.traders for order in trader.orders]


def _trade(
    terms: InstrumentTerms, snapshot: Snapshot, lots: Lots, traders: tuple[Standing, Standing]
) -> list[HouseCommand]:
    """An order that rests at the last price, and one that meets it.

    The first rests among the asks where the snapshot's best ask is at the last price or below it, else among the bids:
    so what users may leave of it meets none of the quotes that follow.
    """
    with_less, with_more = sorted(traders, key=_net_lots)
    buyer, seller = _OrderWriter(terms, with_less), _OrderWriter(terms, with_more)
    commands: list[HouseCommand] = [
        writer.cancel(order) for writer in (buyer, seller) for order in writer.standing.orders
    ]
    sides = [(BUY, buyer), (SELL, seller)]
    if snapshot.asks and snapshot.asks[0][0] <= snapshot.last:
        sides.reverse()
    for (direction, writer), time_condition in zip(sides, (TimeCondition.GFD, IOC), strict=True):
        commands += writer.orders(direction, snapshot.last, lots, time_condition)
    return commands


class _OrderWriter:
    """Writes the commands of one account, and keeps count of the lots that they leave free to be closed.

    What others do meanwhile only adds to these: a fill of a closing order takes lots that were not free, a fill of an
    opening one brings some. The one exception is an order that is filled while its cancel is on the way; the lots it
    would have given back are then refused to be closed, and the next plan goes by what is.
    """

    def __init__(self, terms: InstrumentTerms, standing: Standing) -> None:
        self.standing = standing
        self._terms = terms
        # Where today's lots are not separate CLOSE takes them too, and CLOSETODAY would count them twice.
        self._closing = (PositionEffect.CLOSE, CLOSETODAY) if terms.separate_today else (PositionEffect.CLOSE,)
        self._free = {
            (direction, effect): side.closable(effect, terms.separate_today)
            for direction, side in ((BUY, standing.position.short), (SELL, standing.position.long))
            for effect in self._closing
        }

    def cancel(self, order: Order) -> CancelOrder:
        """Cancel a working order."""
        accepted = order.accepted
        if accepted.effect is not OPEN:
            self._free[accepted.direction, accepted.effect] += order.lots_left
        return _cancel(order)

    def orders(
        self, direction: Direction, price: Price, lots: int, time_condition: TimeCondition
    ) -> Iterator[InsertOrder]:
        """As few orders as make `lots` together: older lots closed, then today's, then opened, none above the order
        limit."""
        for effect in (*self._closing, OPEN):
            part = lots
            if effect is not OPEN:
                part = min(lots, self._free[direction, effect])
                self._free[direction, effect] -= part
            lots -= part
            while part:
                size = min(part, self._terms.limit_order_lots_max)
                part -= size
                yield InsertOrder(
                    account_id=self.standing.account_id,
                    order_id=OrderId(""),
                    instrument_id=self._terms.instrument_id,
                    direction=direction,
                    effect=effect,
                    lots=Lots(size),
                    price_type=LIMIT,
                    limit_price=price,
                    time_condition=time_condition,
                    volume_condition=VolumeCondition.ANY,
                )


def _standing(account_id: AccountId, view: UserView, instrument_id: InstrumentId) -> Standing:
    orders = (
        row
        for row in view.rows.values()
        if isinstance(row, OrderRow) and row.status is ALIVE and row.accepted.instrument_id == instrument_id
    )
    position = view.positions.get(instrument_id) or Position(instrument_id)
    return Standing(account_id, tuple(sorted(orders, key=lambda order: order.order_no)), position)


def _figures(view: UserView) -> Figures:
    assert view.account is not None, "money is asked for only where an account is open"
    return account_figures(view.account, [position_figures(row, row.mark) for row in view.positions.values()])


def _cancel(order: Order) -> CancelOrder:
    return CancelOrder(account_id=order.accepted.account_id, order_id=order.accepted.order_id)


def _is_met_at(price: Price, order: Order) -> bool:
    """Whether an order of the other side at this price would meet the resting one."""
    return order.price >= price if order.accepted.direction is BUY else order.price <= price


def _net_lots(standing: Standing) -> int:
    return standing.position.long.lots - standing.position.short.lots

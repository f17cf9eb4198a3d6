"""The rules once more, slow and obvious: one object per lot held, lists that are sorted each time, decimals in yuan.

Written from the text of the rules alone, to disagree where the core is wrong. It knows orders, trades and money; each
command gives lines of text that say what happened, and `said` gives the same lines for the core's events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from exchange.domain.commands import (
    CancelOrder,
    Command,
    Deposit,
    InsertOrder,
    RestoreAccount,
    SuspendAccount,
    Withdraw,
)
from exchange.domain.events import (
    AccountRestored,
    AccountSuspended,
    CommandRefused,
    Deposited,
    Event,
    Fill,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    OrderRepeated,
    TradeExecuted,
    Withdrawn,
)
from exchange.domain.instrument import FeePair, InstrumentTerms, MarginRates
from exchange.domain.values import InstrumentId, decimal_text

_EXACT: Final = Context(prec=60)


def yuan(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-6, _EXACT)


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.000001"), ROUND_HALF_UP, _EXACT)


def text(amount: Decimal) -> str:
    return decimal_text(int(amount.scaleb(6, _EXACT)))


def charge(rates: FeePair | MarginRates, turnover: Decimal, lots: int) -> Decimal:
    """By money, rounded once, and by volume."""
    by_money = _EXACT.multiply(turnover, Decimal(rates.by_money).scaleb(-9, _EXACT))
    return rounded(by_money) + lots * yuan(rates.by_volume)


@dataclass
class Lot:
    """One lot that somebody holds."""

    account: str
    instrument: InstrumentId
    long: bool
    opened: Decimal
    basis: Decimal
    today: bool


@dataclass
class Order:
    """One order, with everything that ever happened to it."""

    command: InsertOrder
    id: str
    number: int
    price: Decimal
    margin: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    left: int = 0
    state: str = "ALIVE"

    @property
    def buys(self) -> bool:
        return self.command.direction == "BUY"

    @property
    def opens(self) -> bool:
        return self.command.effect == "OPEN"

    def held(self, whole: Decimal) -> Decimal:
        """The share of an amount that the lots left still hold."""
        return rounded(_EXACT.divide(whole * self.left, Decimal(self.command.lots)))


@dataclass
class Account:
    name: str
    paid_in: Decimal
    orders: dict[str, Order] = field(default_factory=dict)
    fees: Decimal = Decimal(0)
    close_profit: Decimal = Decimal(0)
    suspended: bool = False


class SlowExchange:
    """The contracts, the accounts with their money, and every lot held, in the order of opening."""

    def __init__(self, instruments: tuple[InstrumentTerms, ...], money: dict[str, Decimal], lots: list[Lot]) -> None:
        self.terms = {each.instrument_id: each for each in instruments}
        self.last: dict[str, Decimal] = {each.instrument_id: yuan(each.pre_settlement) for each in instruments}
        self.accounts = {name: Account(name, paid_in) for name, paid_in in money.items()}
        self.lots = lots
        self.book: list[Order] = []
        self.opened_today: list[tuple[str, str, bool]] = []
        """One line per lot opened today: account, instrument, long."""
        self.paid_closetoday: list[tuple[str, str, bool]] = []
        """One line per lot that paid the closetoday fee where today is not separate."""
        self.numbers = 0

    def execute(self, command: Command) -> list[str]:
        """What happens, line by line."""
        account = self.accounts.get(getattr(command, "account_id", ""))
        if account is None:
            return ["not done: UNKNOWN_ACCOUNT"]
        match command:
            case InsertOrder():
                return self._insert(account, command)
            case CancelOrder():
                return self._cancel(account, command.order_id)
            case Deposit():
                account.paid_in += yuan(command.amount)
                return [f"deposit {text(yuan(command.amount))}"]
            case SuspendAccount():
                return [self._suspend(account, command.reason)]
            case RestoreAccount():
                was, account.suspended = account.suspended, False
                return ["restored" if was else "not done: NOT_SUSPENDED"]
            case Withdraw():
                if account.suspended:
                    return ["not done: ACCOUNT_SUSPENDED"]
                if yuan(command.amount) > self.available(account):
                    return ["not done: WITHDRAWABLE"]
                account.paid_in -= yuan(command.amount)
                return [f"withdrawal {text(yuan(command.amount))}"]
            case _:
                raise NotImplementedError(command)

    @staticmethod
    def _suspend(account: Account, reason: str) -> str:
        if len(reason) > 200:
            return "not done: REASON_LENGTH"
        was, account.suspended = account.suspended, True
        return "not done: ACCOUNT_SUSPENDED" if was else f"suspended: {reason}"

    # --- Orders -------------------------------------------------------------------------------------------------------

    def _insert(self, account: Account, command: InsertOrder) -> list[str]:
        if command.order_id.startswith("~"):
            return ["not done: DUPLICATE_ORDER_ID"]
        if command.order_id in account.orders:
            same = account.orders[command.order_id].command == command
            return ["repeated"] if same else ["not done: DUPLICATE_ORDER_ID"]
        self.numbers += 1
        order = Order(command, command.order_id or f"~{self.numbers}", self.numbers, Decimal(0))
        account.orders[order.id] = order
        reason = self._broken_rule(account, order)
        if reason:
            order.state = "REFUSED"
            return [f"refused {order.number}: {reason}"]
        order.left = command.lots
        said = [f"accepted {order.number} holding {text(order.margin)} and {text(order.fee)}"]
        if command.volume_condition == "ALL" and sum(each.left for each in self._reachable(order)) < order.left:
            return [*said, self._end(order)]
        while order.left and (reachable := self._reachable(order)):
            said.append(self._trade(order, reachable[0]))
        if order.left and command.time_condition == "IOC":
            said.append(self._end(order))
        elif order.left:
            self.book.append(order)
        return said

    def _broken_rule(self, account: Account, order: Order) -> str:
        if account.suspended:
            return "SUSPENDED"
        command = order.command
        terms = self.terms.get(command.instrument_id)
        if terms is None:
            return "UNKNOWN_INSTRUMENT"
        market = command.price_type == "ANY"
        if command.time_condition not in ("GFD", "IOC") or (market and command.time_condition == "GFD"):
            return "ORDER_KIND"
        if not 1 <= command.lots <= (terms.market_order_lots_max if market else terms.limit_order_lots_max):
            return "ORDER_LOTS"
        lower, upper = yuan(terms.lower_limit), yuan(terms.upper_limit)
        if command.limit_price is not None:
            order.price = yuan(command.limit_price)
            if order.price % yuan(terms.price_tick) != 0:
                return "PRICE_TICK"
            if not lower <= order.price <= upper:
                return "PRICE_BAND"
        else:
            order.price = upper if order.buys else lower
        turnover = order.price * terms.multiplier * command.lots
        if not order.opens:
            order.fee = charge(terms.fees.close, turnover, command.lots)
            return "CLOSABLE_LOTS" if command.lots > self._closable(account, order) else ""
        order.margin = charge(terms.margin, turnover, command.lots)
        order.fee = charge(terms.fees.open, turnover, command.lots)
        # An order that is only being asked about holds nothing yet: it has no lots left.
        return "FUNDS" if order.margin + order.fee > self.available(account) else ""

    def _closable(self, account: Account, order: Order) -> int:
        """Lots held on the other side that no working order closes already; per bucket where today is separate."""
        separate = self.terms[order.command.instrument_id].separate_today
        lots = sum(1 for lot in self._closed_by(account, order))
        for other in self.book:
            if (
                other.command.account_id == account.name
                and other.command.instrument_id == order.command.instrument_id
                and other.buys == order.buys
                and not other.opens
                and (not separate or other.command.effect == order.command.effect)
            ):
                lots -= other.left
        return lots

    def _closed_by(self, account: Account, order: Order) -> list[Lot]:
        """The lots a closing order may take, in the order in which it takes them: first opened, first closed."""
        separate = self.terms[order.command.instrument_id].separate_today
        mine = [
            lot
            for lot in self.lots
            if (lot.account, lot.instrument, lot.long) == (account.name, order.command.instrument_id, not order.buys)
        ]
        if separate:
            return [lot for lot in mine if lot.today == (order.command.effect == "CLOSETODAY")]
        return mine

    def _cancel(self, account: Account, order_id: str) -> list[str]:
        order = account.orders.get(order_id)
        if order is None or (order_id.startswith("~") and order.state != "ALIVE"):
            return ["not done: UNKNOWN_ORDER"]
        if order.state != "ALIVE":
            return ["not done: ORDER_FINISHED"]
        self.book.remove(order)
        return [self._end(order)]

    def _end(self, order: Order) -> str:
        order.state = "CANCELLED"
        line = f"cancelled {order.number} with {order.left} left"
        order.left = 0
        return line

    # --- Trades -------------------------------------------------------------------------------------------------------

    def _reachable(self, order: Order) -> list[Order]:
        """The resting orders that the order may meet, best price first, then the oldest."""
        facing = [
            each
            for each in self.book
            if each.command.instrument_id == order.command.instrument_id
            and each.buys != order.buys
            and (each.price <= order.price if order.buys else each.price >= order.price)
        ]
        return sorted(facing, key=lambda each: (each.price if order.buys else -each.price, each.number))

    def _trade(self, incoming: Order, resting: Order) -> str:
        instrument = incoming.command.instrument_id
        tick = yuan(self.terms[instrument].price_tick)
        last = (self.last[instrument] / tick).quantize(Decimal(1), ROUND_HALF_UP) * tick
        price = sorted((incoming.price, resting.price, last))[1]
        lots = min(incoming.left, resting.left)
        buyer, seller = (incoming, resting) if incoming.buys else (resting, incoming)
        # Lots are closed before the trade opens any: what it opens is no lot of today to its own closing side.
        closed = {id(side): self._close(side, price, lots) for side in (buyer, seller) if not side.opens}
        opened = {id(side): self._open(side, price, lots) for side in (buyer, seller) if side.opens}
        done = closed | opened
        for side in (incoming, resting):
            side.left -= lots
            if not side.left:
                side.state = "FILLED"
        if not resting.left:
            self.book.remove(resting)
        self.last[instrument] = price
        bought, sold = done[id(buyer)], done[id(seller)]
        return f"trade {lots} at {text(price)}: {buyer.number} buys {bought}; {seller.number} sells {sold}"

    def _open(self, order: Order, price: Decimal, lots: int) -> str:
        command, terms = order.command, self.terms[order.command.instrument_id]
        for _ in range(lots):
            self.lots.append(Lot(command.account_id, command.instrument_id, order.buys, price, price, True))
            self.opened_today.append((command.account_id, command.instrument_id, order.buys))
        fee = charge(terms.fees.open, price * terms.multiplier * lots, lots)
        self.accounts[command.account_id].fees += fee
        return f"for {text(fee)}"

    def _close(self, order: Order, price: Decimal, lots: int) -> str:
        command, terms = order.command, self.terms[order.command.instrument_id]
        account = self.accounts[command.account_id]
        taken = self._closed_by(account, order)[:lots]
        profit = Decimal(0)
        for lot in taken:
            profit += (price - lot.basis if lot.long else lot.basis - price) * terms.multiplier
            self.lots = [each for each in self.lots if each is not lot]
        key = (command.account_id, command.instrument_id, not order.buys)
        if terms.separate_today:
            as_today = lots if command.effect == "CLOSETODAY" else 0
        else:
            as_today = min(lots, self.opened_today.count(key) - self.paid_closetoday.count(key))
            self.paid_closetoday.extend([key] * as_today)
        fee = Decimal(0)
        for pair, part in ((terms.fees.closetoday, as_today), (terms.fees.close, lots - as_today)):
            fee += charge(pair, price * terms.multiplier * part, part)
        account.fees += fee
        account.close_profit += profit
        return f"{len(taken)} held lots for {text(fee)} with {text(profit)} of profit"

    # --- Money --------------------------------------------------------------------------------------------------------

    def balance(self, account: Account) -> Decimal:
        return account.paid_in + account.close_profit + self._floating(account) - account.fees

    def _floating(self, account: Account) -> Decimal:
        """By date, at the last price."""
        total = Decimal(0)
        for lot in self.lots:
            if lot.account == account.name:
                gain = self.last[lot.instrument] - lot.basis
                total += (gain if lot.long else -gain) * self.terms[lot.instrument].multiplier
        return total

    def available(self, account: Account) -> Decimal:
        """The balance less unrealised gains, margins, and what working orders hold."""
        floating = self._floating(account)
        margins = Decimal(0)
        sides = {(lot.instrument, lot.long) for lot in self.lots if lot.account == account.name}
        for side in sides:
            lots = [lot for lot in self.lots if lot.account == account.name and (lot.instrument, lot.long) == side]
            terms = self.terms[side[0]]
            cost = sum((lot.basis for lot in lots), Decimal(0)) * terms.multiplier
            margins += charge(terms.margin, cost, len(lots))
        working = [each for each in self.book if each.command.account_id == account.name]
        held = sum((each.held(each.margin) + each.held(each.fee) for each in working), Decimal(0))
        return self.balance(account) - max(floating, Decimal(0)) - margins - held


def said(events: tuple[Event, ...]) -> list[str]:
    """The core's events in the words of the slow exchange."""
    return [_line(event) for event in events]


def _line(event: Event) -> str:
    match event:
        case OrderAccepted():
            held = f"{decimal_text(event.frozen_margin)} and {decimal_text(event.frozen_commission)}"
            return f"accepted {event.order_no} holding {held}"
        case OrderRefused():
            return f"refused {event.order_no}: {event.reason}"
        case OrderRepeated():
            return "repeated"
        case OrderCancelled():
            return f"cancelled {event.order_no} with {event.lots_left} left"
        case TradeExecuted():
            buyer, seller = event.buyer, event.seller
            return (
                f"trade {event.lots} at {decimal_text(event.price)}: "
                f"{buyer.order_no} buys {_part(buyer)}; {seller.order_no} sells {_part(seller)}"
            )
        case CommandRefused():
            return f"not done: {event.reason}"
        case Deposited():
            return f"deposit {decimal_text(event.amount)}"
        case Withdrawn():
            return f"withdrawal {decimal_text(event.amount)}"
        case AccountSuspended():
            return f"suspended: {event.reason}"
        case AccountRestored():
            return "restored"
        case _:
            raise NotImplementedError(event)


def _part(fill: Fill) -> str:
    fee = f"for {decimal_text(fill.commission)}"
    if not fill.closed:
        return fee
    lots = sum(bite.lots for bite in fill.closed)
    return f"{lots} held lots {fee} with {decimal_text(fill.close_profit)} of profit"

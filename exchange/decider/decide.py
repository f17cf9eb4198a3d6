"""A command becomes events. Reads the state, changes nothing; `execute` drives a command and all that follows from
it."""

from __future__ import annotations

from typing import assert_never

from exchange.decider.evolve import evolve
from exchange.decider.fills import TradeWriter
from exchange.decider.order_rules import Admission, Refusal, admit, same_content
from exchange.decider.state import ExchangeState
from exchange.domain.account import available_now
from exchange.domain.commands import (
    CancelOrder,
    Command,
    Deposit,
    InsertOrder,
    OpenAccount,
    RegisterInstrument,
    Withdraw,
)
from exchange.domain.events import (
    AccountOpened,
    CommandRefused,
    Deposited,
    Event,
    Facts,
    InstrumentRegistered,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    OrderRepeated,
    Withdrawn,
)
from exchange.domain.ids import own_order_id
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.order import Order
from exchange.domain.rejections import RejectReason
from exchange.domain.values import MONEY_MAX, AccountId, Lots, OrderNo
from exchange.domain.words import CancelReason, OrderStatus, TimeCondition, VolumeCondition
from exchange.matching.match import fills_whole, match


def execute(state: ExchangeState, command: Command, at_ns: int) -> tuple[Event, ...]:
    """Decide a command and whatever follows from its events, and fold every event into the state at once.

    Returns the events of the whole entry, at least one. `at_ns` is the entry's time, in ns since 1970 UTC. An
    exception leaves the state as it was when it comes out of the first `decide`; what follows from an event is decided
    from facts that are already folded in, so an exception there, as in `evolve`, must end the process.
    """
    events: list[Event] = []
    to_decide = [command]
    for each in to_decide:
        for event in decide(state, each, at_ns):
            evolve(state, event)
            events.append(event)
        to_decide.extend(_follow_ups(each, events))
    return tuple(events)


def decide(state: ExchangeState, command: Command, at_ns: int) -> tuple[Event, ...]:
    """The events that a command leads to in this state, at least one: a refusal is an event too."""
    match command:
        case InsertOrder():
            return _insert_order(state, command, at_ns)
        case CancelOrder():
            return (_cancel_order(state, command, at_ns),)
        case OpenAccount():
            return (_open_account(state, command),)
        case Deposit():
            return (_deposit(state, command),)
        case Withdraw():
            return (_withdraw(state, command),)
        case RegisterInstrument():
            return (_register_instrument(state, command),)
        case _:
            assert_never(command)


def _follow_ups(command: Command, events: list[Event]) -> tuple[Command, ...]:
    """What a decided command leads to in the same entry: an account that was opened with money gets its deposit."""
    if isinstance(command, OpenAccount) and command.deposit and isinstance(events[-1], AccountOpened):
        return (Deposit(account_id=command.account_id, amount=command.deposit),)
    return ()


def _insert_order(state: ExchangeState, command: InsertOrder, at_ns: int) -> tuple[Event, ...]:
    account = state.accounts.get(command.account_id)
    if account is None:
        return (_refused(command, command.account_id, command.order_id, RejectReason.UNKNOWN_ACCOUNT, {}),)
    known = account.orders.get(command.order_id)
    if known is not None:
        if same_content(known, command):
            return (OrderRepeated(account_id=command.account_id, order_id=command.order_id),)
        reason = RejectReason.DUPLICATE_ORDER_ID
        return (_refused(command, command.account_id, command.order_id, reason, {"order_id": command.order_id}),)
    admission = admit(state, account, command)
    order_no = OrderNo(state.order_no + 1)
    if isinstance(admission, Refusal):
        return (_order_refused(command, order_no, admission, at_ns),)
    return _meet_the_market(state, _order_accepted(command, order_no, admission, at_ns))


def _meet_the_market(state: ExchangeState, accepted: OrderAccepted) -> tuple[Event, ...]:
    """The accepted order, its trades, and the cancellation of what may not rest."""
    instrument = state.instruments[accepted.instrument_id]
    immediate = accepted.time_condition is TimeCondition.IOC
    if accepted.volume_condition is VolumeCondition.ALL and not fills_whole(
        instrument.book, accepted.direction, accepted.price, accepted.lots
    ):
        return (accepted, _rest_cancelled(accepted, accepted.lots, CancelReason.NOT_FILLED_WHOLE))
    matches = match(instrument.book, accepted.direction, accepted.price, accepted.lots, instrument.mark.price)
    if not matches and not immediate:
        return (accepted,)
    writer = TradeWriter(state, instrument, accepted.at_ns)
    events: list[Event] = [accepted]
    left: int = accepted.lots
    for met in matches:
        events.append(writer.trade(accepted, met))
        left -= met.lots
    if left and immediate:
        events.append(_rest_cancelled(accepted, Lots(left), CancelReason.NOT_FILLED_AT_ONCE))
    return tuple(events)


def _order_accepted(command: InsertOrder, order_no: OrderNo, admission: Admission, at_ns: int) -> OrderAccepted:
    return OrderAccepted(
        order_no=order_no,
        account_id=command.account_id,
        order_id=command.order_id or own_order_id(order_no),
        instrument_id=command.instrument_id,
        direction=command.direction,
        effect=command.effect,
        lots=command.lots,
        price_type=command.price_type,
        limit_price=command.limit_price,
        price=admission.price,
        time_condition=command.time_condition,
        volume_condition=command.volume_condition,
        lots_min=command.lots_min,
        frozen_margin=admission.frozen_margin,
        frozen_commission=admission.frozen_commission,
        at_ns=at_ns,
    )


def _order_refused(command: InsertOrder, order_no: OrderNo, refusal: Refusal, at_ns: int) -> OrderRefused:
    return OrderRefused(
        order_no=order_no,
        account_id=command.account_id,
        order_id=command.order_id or own_order_id(order_no),
        instrument_id=command.instrument_id,
        direction=command.direction,
        effect=command.effect,
        lots=command.lots,
        price_type=command.price_type,
        limit_price=command.limit_price,
        time_condition=command.time_condition,
        volume_condition=command.volume_condition,
        lots_min=command.lots_min,
        reason=refusal.reason,
        facts=refusal.facts,
        at_ns=at_ns,
    )


def _rest_cancelled(accepted: OrderAccepted, lots_left: Lots, reason: CancelReason) -> OrderCancelled:
    return OrderCancelled(
        order_no=accepted.order_no,
        account_id=accepted.account_id,
        order_id=accepted.order_id,
        instrument_id=accepted.instrument_id,
        lots_left=lots_left,
        reason=reason,
        at_ns=accepted.at_ns,
    )


def _cancel_order(state: ExchangeState, command: CancelOrder, at_ns: int) -> Event:
    account = state.accounts.get(command.account_id)
    if account is None:
        return _refused(command, command.account_id, command.order_id, RejectReason.UNKNOWN_ACCOUNT, {})
    known = account.orders.get(command.order_id)
    facts: Facts = {"order_id": command.order_id}
    if known is None:
        return _refused(command, command.account_id, command.order_id, RejectReason.UNKNOWN_ORDER, facts)
    if not isinstance(known, Order):
        facts["status"] = OrderStatus.REFUSED.value
        return _refused(command, command.account_id, command.order_id, RejectReason.ORDER_FINISHED, facts)
    if known.status is not OrderStatus.ALIVE:
        facts["status"] = known.status.value
        return _refused(command, command.account_id, command.order_id, RejectReason.ORDER_FINISHED, facts)
    return OrderCancelled(
        order_no=known.order_no,
        account_id=command.account_id,
        order_id=command.order_id,
        instrument_id=known.accepted.instrument_id,
        lots_left=known.lots_left,
        reason=CancelReason.REQUESTED,
        at_ns=at_ns,
    )


def _open_account(state: ExchangeState, command: OpenAccount) -> Event:
    if command.account_id in state.accounts:
        return _refused(command, command.account_id, "", RejectReason.ACCOUNT_EXISTS, {})
    if not 0 <= command.deposit <= MONEY_MAX:
        return _refused(command, command.account_id, "", RejectReason.AMOUNT, _amount_facts(command.deposit, MONEY_MAX))
    return AccountOpened(account_id=command.account_id)


def _deposit(state: ExchangeState, command: Deposit) -> Event:
    account = state.accounts.get(command.account_id)
    if account is None:
        return _refused(command, command.account_id, "", RejectReason.UNKNOWN_ACCOUNT, {})
    room = MONEY_MAX - account.cash.static_balance
    if not 0 < command.amount <= room:
        return _refused(command, command.account_id, "", RejectReason.AMOUNT, _amount_facts(command.amount, room))
    return Deposited(account_id=command.account_id, amount=command.amount)


def _withdraw(state: ExchangeState, command: Withdraw) -> Event:
    account = state.accounts.get(command.account_id)
    if account is None:
        return _refused(command, command.account_id, "", RejectReason.UNKNOWN_ACCOUNT, {})
    if not 0 < command.amount <= MONEY_MAX:
        return _refused(command, command.account_id, "", RejectReason.AMOUNT, _amount_facts(command.amount, MONEY_MAX))
    free = available_now(account.cash, ((held.position, held.mark) for held in account.positions.values()))
    if command.amount > free:
        facts: Facts = {"amount": command.amount, "available": free}
        return _refused(command, command.account_id, "", RejectReason.WITHDRAWABLE, facts)
    return Withdrawn(account_id=command.account_id, amount=command.amount)


def _amount_facts(amount: int, most: int) -> Facts:
    return {"amount": amount, "amount_max": most}


def _register_instrument(state: ExchangeState, command: RegisterInstrument) -> Event:
    terms = command.terms
    nobody = AccountId("")
    if terms.instrument_id in state.instruments:
        return _refused(command, nobody, terms.instrument_id, RejectReason.INSTRUMENT_EXISTS, {})
    broken = _broken_term(terms)
    if broken:
        return _refused(command, nobody, terms.instrument_id, RejectReason.INSTRUMENT_TERMS, {"term": broken})
    return InstrumentRegistered(terms=terms)


def _broken_term(terms: InstrumentTerms) -> str:
    """The first term that makes no sense, or nothing."""
    prices = (terms.lower_limit, terms.pre_settlement, terms.upper_limit)
    rates = (terms.margin.by_money, terms.margin.by_volume)
    pairs = (terms.fees.open, terms.fees.close, terms.fees.closetoday)
    sound = {
        "instrument_id": terms.instrument_id.startswith(f"{terms.exchange_id}."),
        "multiplier": terms.multiplier > 0,
        "price_tick": terms.price_tick > 0,
        "price_band": 0 < prices[0] <= prices[1] <= prices[2],
        "price_band_ticks": terms.price_tick > 0 and not (prices[0] % terms.price_tick or prices[2] % terms.price_tick),
        "margin": min(rates) >= 0,
        "fees": all(pair.by_money >= 0 and pair.by_volume >= 0 for pair in pairs),
        "order_lots_max": terms.limit_order_lots_max > 0 and terms.market_order_lots_max >= 0,
    }
    return next((term for term, is_sound in sound.items() if not is_sound), "")


def _refused(
    command: Command, account_id: AccountId, subject: str, reason: RejectReason, facts: Facts
) -> CommandRefused:
    return CommandRefused(
        command=type(command).__name__, account_id=account_id, subject=subject, reason=reason, facts=facts
    )

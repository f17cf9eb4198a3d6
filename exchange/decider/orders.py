"""Orders come in, meet the market, rest or go."""

from __future__ import annotations

from typing import Final

from exchange.decider.fills import TradeWriter
from exchange.decider.order_rules import Admission, Refusal, admit, same_content
from exchange.decider.refusing import refused
from exchange.decider.state import ExchangeState, Listing
from exchange.domain.commands import CancelOrder, InsertOrder
from exchange.domain.events import (
    CommandRefused,
    Event,
    Facts,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    OrderRepeated,
)
from exchange.domain.ids import is_own_order_id, own_order_id
from exchange.domain.order import RefusedOrder
from exchange.domain.rejections import RejectReason
from exchange.domain.values import Lots, OrderNo
from exchange.domain.words import ALIVE, IOC, CancelReason, OrderStatus, VolumeCondition
from exchange.matching.match import fills_whole, match

_ALL: Final = VolumeCondition.ALL


def insert_order(state: ExchangeState, command: InsertOrder, at_ns: int) -> tuple[Event, ...]:
    """A new order's whole life in this command; where its id is known, the first outcome stands."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return (_refused(command, RejectReason.UNKNOWN_ACCOUNT, {}),)
    known = account.orders.get(command.order_id)
    if is_own_order_id(command.order_id) or (known is not None and not same_content(known, command)):
        return (_refused(command, RejectReason.DUPLICATE_ORDER_ID, {"order_id": command.order_id}),)
    if known is not None:
        return (OrderRepeated(account_id=command.account_id, order_id=command.order_id),)
    admission = admit(state, account, command)
    order_no = OrderNo(state.order_no + 1)
    if isinstance(admission, Refusal):
        return (_order_refused(command, order_no, admission, at_ns),)
    accepted = _order_accepted(command, order_no, admission, at_ns)
    return _meet_the_market(state, state.instruments[command.instrument_id], accepted)


def cancel_order(state: ExchangeState, command: CancelOrder, at_ns: int) -> OrderCancelled | CommandRefused:
    """Takes what is left of a working order out of the market."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return _refused(command, RejectReason.UNKNOWN_ACCOUNT, {})
    known = account.orders.get(command.order_id)
    facts: Facts = {"order_id": command.order_id}
    if known is None:
        return _refused(command, RejectReason.UNKNOWN_ORDER, facts)
    status = OrderStatus.REFUSED if isinstance(known, RefusedOrder) else known.status
    if isinstance(known, RefusedOrder) or status is not ALIVE:
        return _refused(command, RejectReason.ORDER_FINISHED, {**facts, "status": status.value})
    return _rest_cancelled(known.accepted, known.lots_left, CancelReason.REQUESTED, at_ns)


def _meet_the_market(state: ExchangeState, instrument: Listing, accepted: OrderAccepted) -> tuple[Event, ...]:
    """The accepted order, its trades, and the cancellation of what may not rest."""
    book, direction = instrument.book, accepted.direction
    price, lots, at_ns = accepted.price, accepted.lots, accepted.at_ns
    if accepted.volume_condition is _ALL and not fills_whole(book, direction, price, lots):
        return (accepted, _rest_cancelled(accepted, lots, CancelReason.NOT_FILLED_WHOLE, at_ns))
    matches = match(book, direction, price, lots, instrument.previous_price())
    immediate = accepted.time_condition is IOC
    if not matches and not immediate:
        return (accepted,)
    writer = TradeWriter(state, instrument, accepted)
    events: list[Event] = [accepted]
    left: int = lots
    for met in matches:
        events.append(writer.trade(met))
        left -= met.lots
    if left and immediate:
        events.append(_rest_cancelled(accepted, Lots(left), CancelReason.NOT_FILLED_AT_ONCE, at_ns))
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


def _rest_cancelled(accepted: OrderAccepted, lots_left: Lots, reason: CancelReason, at_ns: int) -> OrderCancelled:
    return OrderCancelled(
        order_no=accepted.order_no,
        account_id=accepted.account_id,
        order_id=accepted.order_id,
        instrument_id=accepted.instrument_id,
        lots_left=lots_left,
        reason=reason,
        at_ns=at_ns,
    )


def _refused(command: InsertOrder | CancelOrder, reason: RejectReason, facts: Facts) -> CommandRefused:
    return refused(command, reason, facts, account_id=command.account_id, subject=command.order_id)

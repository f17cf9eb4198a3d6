"""Matches become trades: prices, fees and the holdings that closing fills take (rules 1.3, 2, 5)."""

from __future__ import annotations

from exchange.decider.order_rules import closed_side
from exchange.decider.state import ExchangeState, Listing
from exchange.domain.commission import close_fee, fee, lots_charged_as_today
from exchange.domain.events import Fill, OrderAccepted, TradeExecuted
from exchange.domain.holdings import Buckets
from exchange.domain.order import Order
from exchange.domain.values import AccountId, Lots, Money, Price, TradeNo
from exchange.domain.words import Direction, PositionEffect, PriceRule
from exchange.matching.match import Match


class _Taken:
    """What earlier trades of the same command took from one side of a position; the state does not show it yet."""

    __slots__ = ("charged", "history", "opened", "today")

    def __init__(self) -> None:
        self.today = 0
        self.history = 0
        self.charged = 0
        self.opened = 0


class TradeWriter:
    """Writes the trades of one command, one after the other, against a state that does not move meanwhile."""

    def __init__(self, state: ExchangeState, instrument: Listing, at_ns: int) -> None:
        self._state = state
        self._instrument = instrument
        self._at_ns = at_ns
        self._trade_no = state.trade_no
        self._taken: dict[tuple[AccountId, bool], _Taken] = {}

    def trade(self, taker: OrderAccepted, match: Match[Order]) -> TradeExecuted:
        """The trade of an incoming order with the resting one it met."""
        self._trade_no += 1
        maker = match.maker.accepted
        buying = taker.direction is Direction.BUY
        buyer, seller = (taker, maker) if buying else (maker, taker)
        return TradeExecuted(
            trade_no=TradeNo(self._trade_no),
            instrument_id=self._instrument.terms.instrument_id,
            price=match.price,
            lots=match.lots,
            price_rule=PriceRule.MIDDLE_OF_THREE,
            taker=taker.direction,
            buyer=self._fill(buyer, match.price, match.lots),
            seller=self._fill(seller, match.price, match.lots),
            at_ns=self._at_ns,
        )

    def _fill(self, order: OrderAccepted, price: Price, lots: Lots) -> Fill:
        if order.effect is not PositionEffect.OPEN:
            return self._closing(order, price, lots)
        terms = self._instrument.terms
        self._taken_of(order.account_id, order.direction is Direction.BUY).opened += lots
        return Fill(
            order_no=order.order_no,
            account_id=order.account_id,
            order_id=order.order_id,
            effect=order.effect,
            commission=fee(terms.fees.open, price, terms.multiplier, lots),
            close_profit=Money(0),
            closed=(),
            charged_as_today=Lots(0),
        )

    def _closing(self, order: OrderAccepted, price: Price, lots: Lots) -> Fill:
        terms = self._instrument.terms
        held = self._state.accounts[order.account_id].positions[order.instrument_id]
        side = closed_side(held, order.direction)
        long = order.direction is Direction.SELL
        taken = self._taken_of(order.account_id, long)
        closed = (held.long_holdings if long else held.short_holdings).bites(
            lots,
            price,
            terms.multiplier,
            long=long,
            buckets=_buckets(order.effect, terms.separate_today),
            skip_today=taken.today,
            skip_history=taken.history,
        )
        today = lots_charged_as_today(
            order.effect,
            lots,
            terms.separate_today,
            Lots(side.opened_today + taken.opened),
            Lots(side.charged_as_today + taken.charged),
        )
        taken.charged += today
        for bite in closed:
            if bite.today:
                taken.today += bite.lots
            else:
                taken.history += bite.lots
        return Fill(
            order_no=order.order_no,
            account_id=order.account_id,
            order_id=order.order_id,
            effect=order.effect,
            commission=close_fee(terms.fees, price, terms.multiplier, lots, today),
            close_profit=Money(sum(bite.profit for bite in closed)),
            closed=closed,
            charged_as_today=today,
        )

    def _taken_of(self, account_id: AccountId, long: bool) -> _Taken:
        key = (account_id, long)
        taken = self._taken.get(key)
        if taken is None:
            taken = self._taken[key] = _Taken()
        return taken


def _buckets(effect: PositionEffect, separate_today: bool) -> Buckets:
    """Where a closing order takes its lots from (rule 2)."""
    if not separate_today:
        return "oldest_first"
    return "today" if effect is PositionEffect.CLOSETODAY else "history"

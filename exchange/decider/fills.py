"""Matches become trades: prices, fees and the holdings that closing fills take (rules 1.3, 2, 5)."""

from __future__ import annotations

from typing import Final

from exchange.decider.state import ExchangeState, Listing
from exchange.domain.commission import close_fee, fee, lots_charged_as_today
from exchange.domain.events import Fill, OrderAccepted, TradeExecuted
from exchange.domain.holdings import Buckets
from exchange.domain.order import Order
from exchange.domain.values import AccountId, Lots, Money, Price, TradeNo
from exchange.domain.words import BUY, CLOSETODAY, OPEN, SELL, PositionEffect, PriceRule
from exchange.matching.match import Match

_MIDDLE_OF_THREE: Final = PriceRule.MIDDLE_OF_THREE
_NO_MONEY: Final = Money(0)
_NO_LOTS: Final = Lots(0)


class _Moved:
    """What the earlier trades of a command did to one side of a position; the state does not show it yet."""

    __slots__ = ("charged", "history", "opened", "today")

    def __init__(self) -> None:
        self.today = 0
        """Lots of today that were closed."""
        self.history = 0
        """Older lots that were closed."""
        self.opened = 0
        self.charged = 0
        """Lots that paid the closetoday fee."""


_UNMOVED: Final = _Moved()


class TradeWriter:
    """Writes the trades of one incoming order, one after the other, against a state that does not move meanwhile."""

    __slots__ = ("_instrument", "_moved", "_previous", "_state", "_taker", "_trade_no")

    def __init__(self, state: ExchangeState, instrument: Listing, taker: OrderAccepted) -> None:
        self._state = state
        self._instrument = instrument
        self._taker = taker
        self._trade_no = state.trade_no
        self._previous: TradeExecuted | None = None
        self._moved: dict[tuple[AccountId, bool], _Moved] = {}

    def trade(self, match: Match[Order]) -> TradeExecuted:
        """The trade with a resting order that is met; to be called in the order of the matches."""
        if self._previous is not None:
            self._note(self._previous)  # only now: most orders trade once, and need no notes
        self._trade_no += 1
        taker = self._taker
        price, lots = match.price, match.lots
        buyer, seller = (taker, match.maker.accepted) if taker.direction is BUY else (match.maker.accepted, taker)
        self._previous = trade = TradeExecuted(
            trade_no=TradeNo(self._trade_no),
            instrument_id=taker.instrument_id,
            price=price,
            lots=lots,
            price_rule=_MIDDLE_OF_THREE,
            taker=taker.direction,
            buyer=self._opening(buyer, price, lots) if buyer.effect is OPEN else self._closing(buyer, price, lots),
            seller=self._opening(seller, price, lots) if seller.effect is OPEN else self._closing(seller, price, lots),
            at_ns=taker.at_ns,
        )
        return trade

    def _opening(self, order: OrderAccepted, price: Price, lots: Lots) -> Fill:
        terms = self._instrument.terms
        return Fill(
            order_no=order.order_no,
            account_id=order.account_id,
            order_id=order.order_id,
            effect=OPEN,
            commission=fee(terms.fees.open, price, terms.multiplier, lots),
            close_profit=_NO_MONEY,
            closed=(),
            charged_as_today=_NO_LOTS,
        )

    def _closing(self, order: OrderAccepted, price: Price, lots: Lots) -> Fill:
        terms = self._instrument.terms
        held = self._state.accounts[order.account_id].positions[order.instrument_id]
        long = order.direction is SELL
        moved = self._moved.get((order.account_id, long), _UNMOVED)
        closed = (held.long_holdings if long else held.short_holdings).bites(
            lots,
            price,
            terms.multiplier,
            long=long,
            buckets=_buckets(order.effect, terms.separate_today),
            skip_today=moved.today,
            skip_history=moved.history,
        )
        profit = 0
        for bite in closed:
            profit += bite.profit
        side = held.position.long if long else held.position.short
        # What the trade itself opens on the other side of it was not opened before: its two sides are alike.
        chargeable = side.opened_today + moved.opened - side.charged_as_today - moved.charged
        today = lots_charged_as_today(order.effect, lots, terms.separate_today, chargeable)
        return Fill(
            order_no=order.order_no,
            account_id=order.account_id,
            order_id=order.order_id,
            effect=order.effect,
            commission=close_fee(terms.fees, price, terms.multiplier, lots, today),
            close_profit=Money(profit),
            closed=closed,
            charged_as_today=today,
        )

    def _note(self, trade: TradeExecuted) -> None:
        """Remember what a trade did to the positions, for the closing fills that follow."""
        for fill, buying in ((trade.buyer, True), (trade.seller, False)):
            opening = fill.effect is OPEN
            moved = self._moved.setdefault((fill.account_id, buying is opening), _Moved())
            moved.opened += trade.lots if opening else 0
            moved.charged += fill.charged_as_today
            for bite in fill.closed:
                if bite.today:
                    moved.today += bite.lots
                else:
                    moved.history += bite.lots


def _buckets(effect: PositionEffect, separate_today: bool) -> Buckets:
    """Where a closing order takes its lots from (rule 2)."""
    if not separate_today:
        return "oldest_first"
    return "today" if effect is CLOSETODAY else "history"

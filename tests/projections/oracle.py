"""The guide's tree, told from the events alone: slow, obvious, without versions, and without the code under test.

It remembers every event that matters and counts everything anew whenever it is asked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from exchange.domain.events import (
    AccountOpened,
    AccountRestored,
    AccountSuspended,
    Deposited,
    Event,
    Fill,
    InstrumentRegistered,
    OrderAccepted,
    OrderCancelled,
    OrderRefused,
    TradeExecuted,
    Withdrawn,
)
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import RATE_ONE, half_up
from exchange.gateway.notices import code_of, text_of
from projections import user_view
from tests.projections.law import demand_equal, quote, view
from tests.projections.streams import NAMES, USERS, Op, lively_market
from tests.support.views import LogEntry

YUAN = 1_000_000

LAST_MSG = {
    "ALIVE": "未成交",
    "PARTIALLY_FILLED": "部分成交",
    "FILLED": "全部成交",
    "REQUESTED": "已撤单",
    "NOT_FILLED_AT_ONCE": "已撤单: 未能立即成交的部分",
    "NOT_FILLED_WHOLE": "已撤单: 未能立即全部成交",
}


@dataclass
class ToldOrder:
    placed: OrderAccepted | OrderRefused
    log_seq: int
    trades: list[tuple[int, TradeExecuted, Fill, str]] = field(default_factory=list)
    cancelled: OrderCancelled | None = None

    @property
    def left(self) -> int:
        return self.placed.lots - sum(trade.lots for _, trade, _, _ in self.trades)

    @property
    def works(self) -> bool:
        return isinstance(self.placed, OrderAccepted) and self.cancelled is None and self.left > 0


class Story:
    """All that the log says so far."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.terms: dict[str, InstrumentTerms] = {}
        self.orders: dict[str, dict[str, ToldOrder]] = {}
        """By account and id; without those that a view has no room for any more."""
        self.all_orders: list[ToldOrder] = []
        self.finished: dict[str, list[str]] = {}
        self.shown: dict[str, dict[str, Any]] = {}
        """The quotes as the last entry left them."""

    def tell(self, entry: LogEntry) -> None:
        for log_seq, event in enumerate(entry.events, entry.first_log_seq):
            self.events.append(event)
            self._tell(event, log_seq)
        for instrument_id in self.terms:
            quote = self._quote(instrument_id)
            before = dict(self.shown.get(instrument_id, {}))
            moment = before.pop("datetime", None)
            if quote != before:
                china = datetime.fromtimestamp(entry.at_ns // 1_000_000_000, UTC) + timedelta(hours=8)
                moment = f"{china:%Y-%m-%d %H:%M:%S}.{entry.at_ns % 1_000_000_000 // 1000:06d}"
            self.shown[instrument_id] = quote | {"datetime": moment}

    def _tell(self, event: Event, log_seq: int) -> None:
        match event:
            case InstrumentRegistered():
                self.terms[event.terms.instrument_id] = event.terms
            case AccountOpened():
                self.orders[event.account_id] = {}
                self.finished[event.account_id] = []
            case OrderAccepted() | OrderRefused():
                order = ToldOrder(event, log_seq)
                self.all_orders.append(order)
                self.orders[event.account_id][event.order_id] = order
                if isinstance(event, OrderRefused):
                    self._finish(event.account_id, event.order_id)
            case OrderCancelled():
                self.orders[event.account_id][event.order_id].cancelled = event
                self._finish(event.account_id, event.order_id)
            case TradeExecuted():
                for side, fill in (("B", event.buyer), ("S", event.seller)):
                    order = self.orders[fill.account_id][fill.order_id]
                    order.trades.append((log_seq, event, fill, side))
                    if order.left:
                        self._make_room(fill.account_id)
                    else:
                        self._finish(fill.account_id, fill.order_id)
            case _:
                pass  # deposits are found among the events; the rest changes nothing

    def _finish(self, account_id: str, order_id: str) -> None:
        self.finished[account_id].append(order_id)
        self._make_room(account_id)

    def _make_room(self, account_id: str) -> None:
        """Finished orders and trades are kept while there is room; the oldest order goes first, with its trades."""
        orders, finished = self.orders[account_id], self.finished[account_id]
        while (
            len(finished) + sum(len(order.trades) for order in orders.values()) > user_view.HISTORY_MAX
            and len(finished) > 1
        ):
            del orders[finished.pop(0)]

    # Views.

    def view(self, account_id: str, user_id: str) -> dict[str, Any]:
        """What a user sees of himself."""
        branch: dict[str, Any] = {"accounts": {}, "positions": {}, "orders": {}, "trades": {}}
        if account_id in self.orders:
            branch["positions"] = {
                instrument_id: self._position(account_id, user_id, instrument_id)
                for instrument_id in self._instruments_touched(account_id)
            }
            branch["accounts"]["CNY"] = self._account(account_id, user_id, list(branch["positions"].values()))
            for order in self.orders[account_id].values():
                branch["orders"][order.placed.order_id] = _order(order, user_id)
                for log_seq, trade, fill, side in order.trades:
                    branch["trades"][f"{trade.trade_no}{side}"] = _trade(log_seq, trade, fill, side, user_id)
        return {"trade": {user_id: branch}}

    def quote(self, instrument_id: str) -> dict[str, Any]:
        return self.shown[instrument_id]

    def _trades(self, instrument_id: str) -> list[TradeExecuted]:
        return [e for e in self.events if isinstance(e, TradeExecuted) and e.instrument_id == instrument_id]

    def _mark(self, instrument_id: str) -> int:
        trades = self._trades(instrument_id)
        return trades[-1].price if trades else self.terms[instrument_id].pre_settlement

    def _fills(self, account_id: str) -> list[tuple[TradeExecuted, Fill, str]]:
        return [
            (event, fill, side)
            for event in self.events
            if isinstance(event, TradeExecuted)
            for side, fill in (("B", event.buyer), ("S", event.seller))
            if fill.account_id == account_id
        ]

    def _instruments_touched(self, account_id: str) -> list[str]:
        return list(dict.fromkeys(trade.instrument_id for trade, _, _ in self._fills(account_id)))

    def _lots(self, account_id: str, instrument_id: str, long: bool) -> list[tuple[int, int]]:
        """(open price, lots) of every opening fill that is not closed again."""
        opened: dict[int, list[int]] = {}
        for trade, fill, side in self._fills(account_id):
            if trade.instrument_id != instrument_id:
                continue
            if fill.effect == "OPEN" and (side == "B") is long:
                opened[trade.trade_no] = [trade.price, trade.lots]
            elif fill.effect != "OPEN" and (side == "S") is long:
                for bite in fill.closed:
                    opened[bite.opened_by][1] -= bite.lots
        return [(price, lots) for price, lots in opened.values() if lots]

    def _position(self, account_id: str, user_id: str, instrument_id: str) -> dict[str, Any]:
        terms, mark = self.terms[instrument_id], self._mark(instrument_id)
        told: dict[str, Any] = {
            "user_id": user_id,
            "exchange_id": terms.exchange_id,
            "instrument_id": instrument_id,
        }
        sums = Counter[str]()
        for name, sign, long in (("long", 1, True), ("short", -1, False)):
            held = self._lots(account_id, instrument_id, long)
            lots = sum(each for _, each in held)
            cost = sum(price * each * terms.multiplier for price, each in held)
            profit = sign * (mark * lots * terms.multiplier - cost)
            margin = half_up(cost * terms.margin.by_money, RATE_ONE) + lots * terms.margin.by_volume
            frozen = sum(
                order.left
                for order in self.orders[account_id].values()
                if order.works
                and order.placed.instrument_id == instrument_id
                and order.placed.effect != "OPEN"
                and (order.placed.direction == "SELL") is long
            )
            # No trading day has turned, so every lot is of today, and only such lots can be frozen.
            told[f"volume_{name}"] = told[f"volume_{name}_today"] = lots
            told[f"volume_{name}_his"] = 0
            told[f"volume_{name}_frozen"] = told[f"volume_{name}_frozen_today"] = frozen
            told[f"volume_{name}_frozen_his"] = 0
            told[f"open_cost_{name}"] = told[f"position_cost_{name}"] = cost / YUAN
            if lots:
                told[f"open_price_{name}"] = told[f"position_price_{name}"] = cost / (lots * terms.multiplier * YUAN)
                told["last_price"] = mark / YUAN
            for figure, value in (("float_profit", profit), ("position_profit", profit), ("margin", margin)):
                told[f"{figure}_{name}"] = value / YUAN
                sums[figure] += value
        return told | {figure: sums[figure] / YUAN for figure in ("float_profit", "position_profit", "margin")}

    def _account(self, account_id: str, user_id: str, positions: list[dict[str, Any]]) -> dict[str, Any]:
        booked = Counter[str]()
        for event in self.events:
            if isinstance(event, Deposited | Withdrawn) and event.account_id == account_id:
                booked["deposit" if isinstance(event, Deposited) else "withdraw"] += event.amount
        for _, fill, _ in self._fills(account_id):
            booked["commission"] += fill.commission
            booked["close_profit"] += fill.close_profit
        for order in self.orders[account_id].values():
            if order.works and isinstance(order.placed, OrderAccepted):
                booked["frozen_margin"] += half_up(order.placed.frozen_margin * order.left, order.placed.lots)
                booked["frozen_commission"] += half_up(order.placed.frozen_commission * order.left, order.placed.lots)
        # The floats of the positions are whole numbers of 1e-6 yuan, and are made so again before they are summed.
        for figure in ("position_profit", "float_profit", "margin"):
            booked[figure] = sum(round(position[figure] * YUAN) for position in positions)
        static = booked["deposit"] - booked["withdraw"]
        balance = static + booked["close_profit"] + booked["position_profit"] - booked["commission"]
        available = balance - booked["margin"] - booked["frozen_margin"] - booked["frozen_commission"]
        available -= max(booked["position_profit"], 0)
        names = "deposit withdraw close_profit commission frozen_margin frozen_commission position_profit float_profit"
        told: dict[str, Any] = {name: booked[name] / YUAN for name in (*names.split(), "margin")}
        told |= {"pre_balance": 0.0, "premium": 0.0, "frozen_premium": 0.0, "user_id": user_id, "currency": "CNY"}
        turns = [
            isinstance(event, AccountSuspended)
            for event in self.events
            if isinstance(event, AccountSuspended | AccountRestored) and event.account_id == account_id
        ]
        told["suspended"] = turns[-1] if turns else False
        told |= {"static_balance": static / YUAN, "balance": balance / YUAN, "available": available / YUAN}
        if not booked["margin"]:
            told["risk_ratio"] = 0.0
        elif balance > 0:
            told["risk_ratio"] = booked["margin"] / balance
        return told

    def _quote(self, instrument_id: str) -> dict[str, Any]:
        """Everything but the time."""
        terms, trades = self.terms[instrument_id], self._trades(instrument_id)
        told: dict[str, Any] = {
            "instrument_id": instrument_id,
            "exchange_id": terms.exchange_id,
            "price_tick": terms.price_tick / YUAN,
            "price_decs": len(f"{terms.price_tick / YUAN:.6f}".rstrip("0").partition(".")[2]),
            "volume_multiple": terms.multiplier,
            "pre_settlement": terms.pre_settlement / YUAN,
            "upper_limit": terms.upper_limit / YUAN,
            "lower_limit": terms.lower_limit / YUAN,
            "volume": sum(trade.lots for trade in trades),
            "amount": sum(trade.price * trade.lots for trade in trades) * terms.multiplier / YUAN,
            "open_interest": sum(
                lots for account_id in self.orders for _, lots in self._lots(account_id, instrument_id, long=True)
            ),
        }
        if trades:
            prices = [trade.price for trade in trades]
            average = half_up(sum(trade.price * trade.lots for trade in trades), told["volume"])
            told |= {"last_price": prices[-1] / YUAN, "open": prices[0] / YUAN, "average": average / YUAN}
            told |= {"highest": max(prices) / YUAN, "lowest": min(prices) / YUAN}
        for name, direction in (("bid", "BUY"), ("ask", "SELL")):
            levels = Counter[int]()
            for order in self.all_orders:
                if order.works and order.placed.instrument_id == instrument_id and order.placed.direction == direction:
                    assert isinstance(order.placed, OrderAccepted)
                    levels[order.placed.price] += order.left
            best_first = sorted(levels.items(), reverse=name == "bid")
            for rank, (price, lots) in enumerate(best_first[:5], 1):
                told[f"{name}_price{rank}"] = price / YUAN
                told[f"{name}_volume{rank}"] = lots
        return told


def _order(order: ToldOrder, user_id: str) -> dict[str, Any]:
    placed = order.placed
    told: dict[str, Any] = {
        "user_id": user_id,
        "order_id": placed.order_id,
        "exchange_order_id": str(placed.order_no),
        "exchange_id": placed.instrument_id.split(".")[0],
        "instrument_id": placed.instrument_id,
        "direction": placed.direction.value,
        "offset": placed.effect.value,
        "price_type": placed.price_type.value,
        "time_condition": placed.time_condition.value,
        "volume_condition": placed.volume_condition.value,
        "volume_orign": placed.lots,
        "volume_left": order.left,
        "insert_date_time": placed.at_ns // 1_000_000,
        "seqno": order.log_seq,
        "frozen_margin": 0.0,
    }
    if placed.limit_price is not None:
        told["limit_price"] = placed.limit_price / YUAN
    if isinstance(placed, OrderRefused):
        told |= {"status": "REJECTED", "exchange_order_id": ""}
        told["last_msg"] = text_of(code_of(placed.reason), "zh", placed.facts)
    elif order.cancelled is not None:
        told |= {"status": "CANCELLED", "last_msg": LAST_MSG[order.cancelled.reason.value]}
    else:
        status = "FILLED" if not order.left else "ALIVE" if order.left == placed.lots else "PARTIALLY_FILLED"
        told |= {"status": status, "last_msg": LAST_MSG[status]}
        told["frozen_margin"] = half_up(placed.frozen_margin * order.left, placed.lots) / YUAN
    return told


def _trade(log_seq: int, trade: TradeExecuted, fill: Fill, side: str, user_id: str) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "trade_id": f"{trade.trade_no}{side}",
        "order_id": fill.order_id,
        "exchange_trade_id": str(trade.trade_no),
        "exchange_id": trade.instrument_id.split(".")[0],
        "instrument_id": trade.instrument_id,
        "direction": "BUY" if side == "B" else "SELL",
        "offset": fill.effect.value,
        "price": trade.price / YUAN,
        "volume": trade.lots,
        "commission": fill.commission / YUAN,
        "trade_date_time": trade.at_ns // 1_000_000,
        "seqno": log_seq,
    }


def demand_story(stream: list[Op]) -> None:
    """After every command each view and each quote is what the story tells."""
    exchange = lively_market()
    story = Story()
    for entry in exchange.log:
        story.tell(entry)
    for op in stream:
        exchange.run(op.command(exchange))
        story.tell(exchange.log[-1])
        for name in NAMES:
            where = f"{name} after {op}"
            demand_equal(view(exchange.projections, name), story.view(USERS[name], name), where)
        for instrument_id in exchange.projections.market.quotes:
            demand_equal(quote(exchange.projections, instrument_id, -1), story.quote(instrument_id), str(op))

"""The guide dialect, spoken on `/ws`: a nested tree, six order states, times in milliseconds.

Pure: the same changes give the same words. What a reader of the tree can rely on:
* `instrument_id` is exchange and contract (`SHFE.cu2701`) everywhere, as in the keys of `positions` and `quotes`.
* A number that does not exist is an absent field; null only ever takes away what the client has.
* `seqno` of an order or a trade is the log_seq of the event that brought it.
* `trade_id` is the exchange's trade number and the side, `17B` or `17S`: whoever trades with himself has both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exchange.domain.events import OrderAccepted, OrderRefused
from exchange.domain.values import YUAN
from exchange.domain.words import BUY, CancelReason, OrderStatus
from exchange.gateway.dialects.fields import CURRENCY, NS_PER_MS, Patch, account_fields, position_fields, quote_fields
from exchange.gateway.notices import Code, Language, code_of, text_of
from projections.quote import Quote
from projections.rows import OrderRow, RefusedRow, RowKey, TradeRow
from projections.user_view import Changes

_FILLED: Final = OrderStatus.FILLED
_ORDER_TEXTS: Final[dict[Language, dict[object, str]]] = {
    "zh": {
        "ALIVE": "未成交",
        "PARTIALLY_FILLED": "部分成交",
        "FILLED": "全部成交",
        CancelReason.REQUESTED: "已撤单",
        CancelReason.NOT_FILLED_AT_ONCE: "已撤单: 未能立即成交的部分",
        CancelReason.NOT_FILLED_WHOLE: "已撤单: 未能立即全部成交",
    },
    "en": {
        "ALIVE": "Working",
        "PARTIALLY_FILLED": "Partly filled",
        "FILLED": "Filled",
        CancelReason.REQUESTED: "Cancelled",
        CancelReason.NOT_FILLED_AT_ONCE: "Cancelled: the part that could not fill at once",
        CancelReason.NOT_FILLED_WHOLE: "Cancelled: could not fill whole at once",
    },
}


class GuideDialect:
    """Words views and quotes for clients of `/ws`. One object serves all of them: quotes worded once are shared."""

    root_keys: Final = ("trade", "quotes", "klines", "ticks", "charts", "notify", "ins_list")
    """Every key that the root of the tree may have; a full step deletes them all before it gives the view."""
    connection_keys: Final = ("quotes", "klines", "ticks", "charts", "notify", "ins_list")
    """Those that belong to a connection and not to the user's view."""

    def __init__(self, language: Language) -> None:
        self._language: Language = language
        self._order_texts = _ORDER_TEXTS[language]
        self.wording = f"guide/1/{language}"
        """Names this wording: mirrors made by another one cannot be led on."""

    def text(self, code: Code, facts: Mapping[str, int | str]) -> str:
        """The text of a notice."""
        return text_of(code, self._language, facts)

    def word(self, changes: Changes, user_id: str) -> list[Patch]:
        """The patches that tell a user's changes; none where there are none. `user_id` is the name of the login."""
        since = changes.since
        branch: Patch = {}
        if changes.full:
            # A first picture has every container, empty ones too; so no later patch needs to bring one.
            branch = {"accounts": {}, "positions": {}, "orders": {}, "trades": {}}
        if changes.figures is not None and changes.account is not None:
            account = account_fields(changes.account, changes.figures, user_id, since)
            branch["accounts"] = {CURRENCY: account}
        if changes.positions:
            branch["positions"] = {
                row.instrument_id: position_fields(row, figures, user_id, since) for row, figures in changes.positions
            }
        if changes.rows or changes.gone:
            self._word_rows(changes, user_id, branch)
        return [{"trade": {user_id: branch}}] if branch else []

    def _word_rows(self, changes: Changes, user_id: str, branch: Patch) -> None:
        orders: Patch = {}
        trades: Patch = {}
        for key in changes.gone:
            (orders if isinstance(key, str) else trades)[_name(key)] = None
        for row in changes.rows:
            if isinstance(row, OrderRow):
                orders[row.accepted.order_id] = self._order(row, user_id, changes.since)
            elif isinstance(row, TradeRow):
                trades[_name((row.trade_no, row.direction))] = _trade(row, user_id)
            else:
                orders[row.refused.order_id] = self._refused_order(row, user_id)
        if orders:
            branch["orders"] = orders
        if trades:
            branch["trades"] = trades

    def _order(self, row: OrderRow, user_id: str, since: int) -> Patch:
        worded = _placed(row.accepted, user_id, row.log_seq) if row.born > since else {}
        lots_left = row.lots_left
        if row.cancelled is not None:
            status = "CANCELLED"
        elif row.status is _FILLED:
            status = "FILLED"
        else:
            status = "ALIVE" if lots_left == row.accepted.lots else "PARTIALLY_FILLED"
        worded["volume_left"] = lots_left
        worded["status"] = status
        worded["last_msg"] = self._order_texts[row.cancelled or status]
        worded["frozen_margin"] = row.frozen_margin / YUAN
        return worded

    def _refused_order(self, row: RefusedRow, user_id: str) -> Patch:
        refused = row.refused
        worded = _placed(refused, user_id, row.log_seq)
        worded["volume_left"] = refused.lots
        worded["status"] = "REJECTED"
        worded["last_msg"] = text_of(code_of(refused.reason), self._language, refused.facts)
        worded["frozen_margin"] = 0.0
        return worded

    def word_quote(self, quote: Quote, since: int) -> Patch:
        """The fields of a quote that changed after `since`; a field that lost its value as null."""
        return quote_fields(quote, since)


def _placed(order: OrderAccepted | OrderRefused, user_id: str, log_seq: int) -> Patch:
    """What never changes of an order."""
    worded: Patch = {
        "user_id": user_id,
        "order_id": order.order_id,
        "exchange_order_id": str(order.order_no) if isinstance(order, OrderAccepted) else "",
        "exchange_id": order.instrument_id.partition(".")[0],
        "instrument_id": order.instrument_id,
        "direction": order.direction,
        "offset": order.effect,
        "price_type": order.price_type,
        "time_condition": order.time_condition,
        "volume_condition": order.volume_condition,
        "volume_orign": order.lots,
        "insert_date_time": order.at_ns // NS_PER_MS,
        "seqno": log_seq,
    }
    if order.limit_price is not None:
        worded["limit_price"] = order.limit_price / YUAN
    return worded


def _trade(row: TradeRow, user_id: str) -> Patch:
    fill = row.fill
    return {
        "user_id": user_id,
        "trade_id": _name((row.trade_no, row.direction)),
        "order_id": fill.order_id,
        "exchange_trade_id": str(row.trade_no),
        "exchange_id": row.instrument_id.partition(".")[0],
        "instrument_id": row.instrument_id,
        "direction": row.direction,
        "offset": fill.effect,
        "price": row.price / YUAN,
        "volume": row.lots,
        "commission": fill.commission / YUAN,
        "trade_date_time": row.at_ns // NS_PER_MS,
        "seqno": row.log_seq,
    }


def _name(key: RowKey) -> str:
    """The key of an order or a trade in the tree."""
    if isinstance(key, str):
        return key
    trade_no, direction = key
    return f"{trade_no}B" if direction is BUY else f"{trade_no}S"

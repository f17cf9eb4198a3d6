"""Orders and trades in the words that all dialects of DIFF share.

Each dialect adds what it spells in its own way: volumes, limit price and times. What a reader can rely on everywhere:
* `instrument_id` is exchange and contract (`SHFE.cu2701`), as in the keys of `positions` and `quotes`.
* `seqno` of an order or a trade is the log_seq of the event that brought it.
* `trade_id` is the exchange's trade number and the side, `17B` or `17S`: whoever trades with himself has both.
"""

from __future__ import annotations

from typing import Final

from exchange.domain.events import OrderAccepted, OrderRefused
from exchange.domain.values import YUAN
from exchange.domain.words import BUY, CancelReason, OrderStatus
from exchange.gateway.dialects.fields import Patch
from exchange.gateway.notices import Language, code_of, text_of
from projections.rows import OrderRow, RefusedRow, RowKey, TradeRow

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


def key_in_tree(key: RowKey) -> str:
    """The key of an order or a trade in the tree."""
    if isinstance(key, str):
        return key
    trade_no, direction = key
    return f"{trade_no}B" if direction is BUY else f"{trade_no}S"


def placed_fields(order: OrderAccepted | OrderRefused, user_id: str, log_seq: int) -> Patch:
    """What never changes of an order."""
    return {
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
        "seqno": log_seq,
    }


def word_state(worded: Patch, row: OrderRow, language: Language) -> None:
    """How an order stands, into `worded`: one of the states of the guide, in words, and the margin that it holds."""
    if row.cancelled is not None:
        status = "CANCELLED"
    elif row.status is _FILLED:
        status = "FILLED"
    else:
        status = "ALIVE" if row.lots_left == row.accepted.lots else "PARTIALLY_FILLED"
    worded["status"] = status
    worded["last_msg"] = _ORDER_TEXTS[language][row.cancelled or status]
    worded["frozen_margin"] = row.frozen_margin / YUAN


def word_refusal(worded: Patch, row: RefusedRow, language: Language) -> None:
    """The state of a refused order, into `worded`."""
    refused = row.refused
    worded["status"] = "REJECTED"
    worded["last_msg"] = text_of(code_of(refused.reason), language, refused.facts)
    worded["frozen_margin"] = 0.0


def trade_fields(row: TradeRow, user_id: str) -> Patch:
    """All of a trade but its time."""
    fill = row.fill
    return {
        "user_id": user_id,
        "trade_id": key_in_tree((row.trade_no, row.direction)),
        "order_id": fill.order_id,
        "exchange_trade_id": str(row.trade_no),
        "exchange_id": row.instrument_id.partition(".")[0],
        "instrument_id": row.instrument_id,
        "direction": row.direction,
        "offset": fill.effect,
        "price": row.price / YUAN,
        "volume": row.lots,
        "commission": fill.commission / YUAN,
        "seqno": row.log_seq,
    }

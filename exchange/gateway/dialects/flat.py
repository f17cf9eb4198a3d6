"""The flat dialect, spoken on `/ws/diff`: one login's rows at the root of the tree, times in nanoseconds.

The rows are those of the guide dialect; volumes, limit price and times are spelled as the quick start does. A client
of the quick start works off the patches one by one, so their order is part of the dialect: trades, the orders that
they filled, the account they cost, and the positions they made.
"""

from __future__ import annotations

from typing import Final

from exchange.domain.events import OrderAccepted, OrderRefused
from exchange.domain.values import YUAN
from exchange.gateway.dialects.diff import CONNECTION_KEYS, DiffDialect
from exchange.gateway.dialects.fields import Patch
from exchange.gateway.dialects.orders import placed_fields, trade_fields, word_refusal, word_state
from exchange.gateway.notices import Language
from projections.rows import OrderRow, RefusedRow, TradeRow
from projections.user_view import Changes


class FlatDialect(DiffDialect):
    """The user's view as four root keys."""

    root_keys: Final = ("accounts", "orders", "trades", "positions", *CONNECTION_KEYS)

    def __init__(self, language: Language) -> None:
        super().__init__(language, "flat/1")

    def word(self, changes: Changes, user_id: str) -> list[Patch]:
        """The patches that tell a user's changes, in the order of the dialect; none where there are none. `user_id` is
        the name of the login, and the key of its account."""
        parts = self._parts(changes, user_id)
        patches: list[Patch] = []
        if changes.full:
            # A first picture has every container, empty ones too; so no later patch needs to bring one.
            patches.append({"accounts": {}, "orders": {}, "trades": {}, "positions": {}})
        if parts.trades:
            patches.append({"trades": parts.trades})
        if parts.orders:
            patches.append({"orders": parts.orders})
        if parts.account:
            patches.append({"accounts": {user_id: parts.account}})
        if parts.positions:
            patches.append({"positions": parts.positions})
        return patches

    def _order(self, row: OrderRow, user_id: str, since: int) -> Patch:
        worded = _placed(row.accepted, user_id, row.log_seq) if row.born > since else {}
        worded["filled_volume"] = row.accepted.lots - row.lots_left
        worded["remaining_volume"] = row.lots_left
        worded["update_time"] = row.changed_at_ns
        word_state(worded, row, self._language)
        return worded

    def _refused_order(self, row: RefusedRow, user_id: str) -> Patch:
        worded = _placed(row.refused, user_id, row.log_seq)
        worded["filled_volume"] = 0
        worded["remaining_volume"] = row.refused.lots
        worded["update_time"] = row.refused.at_ns
        word_refusal(worded, row, self._language)
        return worded

    def _trade(self, row: TradeRow, user_id: str) -> Patch:
        worded = trade_fields(row, user_id)
        worded["timestamp"] = row.at_ns
        return worded


def _placed(order: OrderAccepted | OrderRefused, user_id: str, log_seq: int) -> Patch:
    worded = placed_fields(order, user_id, log_seq)
    worded["volume"] = order.lots
    worded["insert_time"] = order.at_ns
    if order.limit_price is not None:
        worded["price"] = order.limit_price / YUAN
    return worded

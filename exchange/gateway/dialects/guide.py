"""The guide dialect, spoken on `/ws`: a nested tree, six order states, times in milliseconds.

Pure: the same changes give the same words. A number that does not exist is an absent field; null only ever takes away
what the client has.
"""

from __future__ import annotations

from typing import Final

from exchange.domain.events import OrderAccepted, OrderRefused
from exchange.domain.values import YUAN
from exchange.gateway.dialects.diff import CONNECTION_KEYS, DiffDialect
from exchange.gateway.dialects.fields import CURRENCY, NS_PER_MS, Patch
from exchange.gateway.dialects.orders import placed_fields, trade_fields, word_refusal, word_state
from exchange.gateway.notices import Language
from projections.rows import OrderRow, RefusedRow, TradeRow
from projections.user_view import Changes


class GuideDialect(DiffDialect):
    """The user's view as one branch, `trade.<user>`."""

    root_keys: Final = ("trade", *CONNECTION_KEYS)
    business_id = "qaexchange"

    def __init__(self, language: Language) -> None:
        super().__init__(language, "guide/2")

    def word(self, changes: Changes, user_id: str) -> list[Patch]:
        """The patches that tell a user's changes; none where there are none. `user_id` is the name of the login."""
        parts = self._parts(changes, user_id)
        branch: Patch = {}
        if changes.full:
            # A first picture has every container, empty ones too; so no later patch needs to bring one.
            branch = {"accounts": {}, "positions": {}, "orders": {}, "trades": {}}
        if parts.account:
            branch["accounts"] = {CURRENCY: parts.account}
        if parts.positions:
            branch["positions"] = parts.positions
        if parts.orders:
            branch["orders"] = parts.orders
        if parts.trades:
            branch["trades"] = parts.trades
        return [{"trade": {user_id: branch}}] if branch else []

    def _order(self, row: OrderRow, user_id: str, since: int) -> Patch:
        worded = _placed(row.accepted, user_id, row.log_seq) if row.born > since else {}
        worded["volume_left"] = row.lots_left
        word_state(worded, row, self._language)
        return worded

    def _refused_order(self, row: RefusedRow, user_id: str) -> Patch:
        worded = _placed(row.refused, user_id, row.log_seq)
        worded["volume_left"] = row.refused.lots
        word_refusal(worded, row, self._language)
        return worded

    def _trade(self, row: TradeRow, user_id: str) -> Patch:
        worded = trade_fields(row, user_id)
        worded["trade_date_time"] = row.at_ns // NS_PER_MS
        return worded


def _placed(order: OrderAccepted | OrderRefused, user_id: str, log_seq: int) -> Patch:
    worded = placed_fields(order, user_id, log_seq)
    worded["volume_orign"] = order.lots  # spelled so by the guide
    worded["insert_date_time"] = order.at_ns // NS_PER_MS
    if order.limit_price is not None:
        worded["limit_price"] = order.limit_price / YUAN
    return worded

"""What the dialects of DIFF have in common: the same parts of a user's view, of which each builds a tree of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, NamedTuple

from exchange.gateway.dialects.fields import Patch, account_fields, position_fields, quote_fields
from exchange.gateway.dialects.orders import key_in_tree
from exchange.gateway.notices import Code, Language, text_of
from projections.quote import Quote
from projections.rows import OrderRow, RefusedRow, TradeRow
from projections.user_view import Changes

CONNECTION_KEYS: Final = ("quotes", "klines", "ticks", "charts", "notify", "ins_list")
"""Root keys of what belongs to a connection and not to the user's view."""


class Parts(NamedTuple):
    """A user's changes in words; each is empty where there are none."""

    account: Patch
    positions: Patch
    """By instrument."""
    orders: Patch
    """By order id; null for one that left the view."""
    trades: Patch
    """By trade id, likewise."""


class DiffDialect(ABC):
    """Words views and quotes. One object serves all conversations of an endpoint: quotes worded once are shared."""

    connection_keys: Final = CONNECTION_KEYS
    business_id: str | None = None

    def __init__(self, language: Language, name: str) -> None:
        self._language: Language = language
        self.wording = f"{name}/{language}"
        """Names this wording: mirrors made by another one cannot be led on."""

    def text(self, code: Code, facts: Mapping[str, int | str]) -> str:
        """The text of a notice."""
        return text_of(code, self._language, facts)

    def word_quote(self, quote: Quote, since: int) -> Patch:
        """The fields of a quote that changed after `since`; a field that lost its value as null."""
        return quote_fields(quote, since)

    def _parts(self, changes: Changes, user_id: str) -> Parts:
        """Everything that changed, in words."""
        since = changes.since
        account: Patch = {}
        if changes.figures is not None and changes.account is not None:
            account = account_fields(changes.account, changes.figures, user_id, since)
        positions = {
            row.instrument_id: position_fields(row, figures, user_id, since) for row, figures in changes.positions
        }
        orders: Patch = {}
        trades: Patch = {}
        for key in changes.gone:
            (orders if isinstance(key, str) else trades)[key_in_tree(key)] = None
        for row in changes.rows:
            if isinstance(row, OrderRow):
                orders[row.accepted.order_id] = self._order(row, user_id, since)
            elif isinstance(row, TradeRow):
                trades[key_in_tree((row.trade_no, row.direction))] = self._trade(row, user_id)
            else:
                orders[row.refused.order_id] = self._refused_order(row, user_id)
        return Parts(account, positions, orders, trades)

    @abstractmethod
    def _order(self, row: OrderRow, user_id: str, since: int) -> Patch:
        """An order's fields that may differ from those at `since`."""

    @abstractmethod
    def _refused_order(self, row: RefusedRow, user_id: str) -> Patch:
        """All fields of a refused order."""

    @abstractmethod
    def _trade(self, row: TradeRow, user_id: str) -> Patch:
        """All fields of a trade."""

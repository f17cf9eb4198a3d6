"""Keeps a mirror small: takes old trades, finished orders and notices out of it, by count.

A pruned mirror still follows. The server leads on from a version, whatever of its picture a client has thrown away: a
patch that deletes what is gone changes nothing, and one for a pruned row leaves remains, which go with the next step.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from heapq import nsmallest
from typing import Any, Final

from exchange.client.changes import Path, Tree, object_at
from exchange.client.layout import Layout
from exchange.client.rows import is_finished

NOTICES_MAX: Final = 100
"""Notices kept in the picture; whoever wants all listens to them."""


class Pruning:
    """Finds what is to go: called with a picture, it gives the patch.

    A bound of None keeps all that the server shows: the newest 500 finished orders and their trades. Orders in `spared`
    stay, since somebody still looks for their end.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        trades_max: int | None = None,
        finished_orders_max: int | None = None,
        spared: Container[str] = (),
    ) -> None:
        for name, bound in (("trades_max", trades_max), ("finished_orders_max", finished_orders_max)):
            if bound is not None and bound < 0:
                raise ValueError(f"{name} is {bound}: give 0 or more, or None to keep all")
        self._layout = layout
        self._trades_max = trades_max
        self._finished_orders_max = finished_orders_max
        self._spared = spared

    def __call__(self, tree: Tree) -> Tree:
        """The patch that deletes what is too old or too much; empty where there is nothing."""
        patch: Tree = {}
        notices = object_at(tree, self._layout.notices)
        _delete(patch, self._layout.notices, list(notices)[: max(0, len(notices) - NOTICES_MAX)])
        if self._trades_max is not None:
            trades = object_at(tree, self._layout.trades)
            if len(trades) > self._trades_max:
                _delete(patch, self._layout.trades, _oldest(trades, trades, self._trades_max))
        if self._finished_orders_max is not None:
            orders = object_at(tree, self._layout.orders)
            finished = [key for key, row in orders.items() if self._may_go(key, row)]
            _delete(patch, self._layout.orders, _oldest(orders, finished, self._finished_orders_max))
        return patch

    def _may_go(self, order_id: str, row: Any) -> bool:
        is_remains = not isinstance(row, dict) or "order_id" not in row
        return is_remains or (is_finished(row) and order_id not in self._spared)


def _oldest(rows: Tree, keys: Iterable[str], count_max: int) -> list[str]:
    """Those of the keys that are too many, oldest first; remains of pruned rows, which have no place, count as oldest
    and all go."""
    candidates = list(keys)
    remains = [key for key in candidates if _seqno(rows[key]) is None]
    excess = max(len(remains), len(candidates) - count_max)
    return nsmallest(excess, candidates, key=lambda key: _seqno(rows[key]) or 0)


def _seqno(row: Any) -> int | None:
    seqno = row.get("seqno") if isinstance(row, dict) else None
    return seqno if type(seqno) is int else None


def _delete(patch: Tree, path: Path, keys: list[str]) -> None:
    if not keys:
        return
    inner = patch
    for key in path:
        inner = inner.setdefault(key, {})
    inner.update(dict.fromkeys(keys))

"""Steps and rows for the client's tests, and random ones for hypothesis."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from exchange.client.changes import Tree
from tests.support.diff_client import ROOT_KEYS

LOG_ID: Final = "log.view"


def step(*patches: Any, version: int | None = None, **more: Any) -> Tree:
    """A step; without a version it leaves the mirror's as it is."""
    frame: Tree = {"aid": "rtn_data", "data": list(patches)}
    if version is not None:
        frame["version"] = version
    return frame | more


def full(*patches: Any, version: int, log_id: str = LOG_ID) -> Tree:
    """A step that starts anew."""
    return step(dict.fromkeys(ROOT_KEYS), *patches, version=version, log_id=log_id, full=True)


def own(user: str = "alice", **rows: Tree) -> Tree:
    """A patch of one user's rows: `own(orders={...})`."""
    return {"trade": {user: rows}}


def order_row(order_id: str, seqno: int, status: str = "ALIVE", **changes: Any) -> Tree:
    """An order as the guide dialect words it."""
    row = {
        "user_id": "alice",
        "order_id": order_id,
        "exchange_order_id": f"{seqno}",
        "exchange_id": "SHFE",
        "instrument_id": "SHFE.rb2701",
        "direction": "BUY",
        "offset": "OPEN",
        "price_type": "LIMIT",
        "time_condition": "GFD",
        "volume_condition": "ANY",
        "volume_orign": 2,
        "volume_left": 0 if status == "FILLED" else 2,
        "insert_date_time": 1_795_000_000_000 + seqno,
        "seqno": seqno,
        "limit_price": 3600.0,
        "status": status,
        "last_msg": status.lower(),
        "frozen_margin": 0.0,
    }
    return row | changes


def trade_row(trade_id: str, seqno: int, order_id: str = "o1") -> Tree:
    """A trade as the guide dialect words it."""
    return {
        "user_id": "alice",
        "trade_id": trade_id,
        "order_id": order_id,
        "exchange_trade_id": trade_id,
        "exchange_id": "SHFE",
        "instrument_id": "SHFE.rb2701",
        "direction": "BUY",
        "offset": "OPEN",
        "price": 3600.0,
        "volume": 1,
        "commission": 3.6,
        "trade_date_time": 1_795_000_000_000 + seqno,
        "seqno": seqno,
    }


_values = st.booleans() | st.integers(-2, 2) | st.sampled_from((0.0, 1.0)) | st.text("ab", max_size=1)
_keys = st.sampled_from("abc")
patches = st.dictionaries(
    _keys,
    st.recursive(st.none() | _values, lambda inner: st.dictionaries(_keys, inner, max_size=3), max_leaves=8),
    max_size=3,
)
"""Patches over few keys, so that they often meet."""


class Move:
    """How a random sequence goes on: by a step whose version rises by so much."""

    def __init__(self, data: list[Tree], rise: int, is_full: bool) -> None:
        self.data, self.rise, self.is_full = data, rise, is_full

    def __repr__(self) -> str:
        return f"Move({self.data}, {self.rise}, {self.is_full})"

    def frame(self, version: int) -> Tree:
        """The step after this version."""
        more: Tree = {"log_id": LOG_ID, "full": True} if self.is_full else {}
        return step(*self.data, version=version + self.rise, **more)


moves = st.lists(
    st.builds(Move, st.lists(patches, max_size=3), st.integers(0, 2), st.sampled_from([False] * 9 + [True])),
    max_size=12,
)

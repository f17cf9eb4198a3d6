"""Where a dialect keeps a user's rows, and under which names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, assert_never

from exchange.client.changes import Path

DialectName = Literal["guide", "flat"]
"""`guide` is spoken on `/ws`, `flat` on `/ws/diff`."""

NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The places of one user's rows in the tree, and what the dialect calls their fields."""

    account: Path
    positions: Path
    orders: Path
    trades: Path
    order_names: Mapping[str, str]
    """The dialect's word for a field of `Order`, where it is another one."""
    trade_names: Mapping[str, str]
    time_per_ms: int
    """What the dialect counts to a millisecond in the times of orders and trades."""
    quotes: Path = ("quotes",)
    notices: Path = ("notify",)


def layout_of(dialect: DialectName, user: str) -> Layout:
    """The layout of a user's tree in this dialect."""
    match dialect:
        case "guide":
            own = ("trade", user)
            return Layout(
                account=(*own, "accounts", "CNY"),
                positions=(*own, "positions"),
                orders=(*own, "orders"),
                trades=(*own, "trades"),
                order_names={"volume": "volume_orign", "inserted_at_ms": "insert_date_time"},
                trade_names={"traded_at_ms": "trade_date_time"},
                time_per_ms=1,
            )
        case "flat":
            return Layout(
                account=("accounts", user),
                positions=("positions",),
                orders=("orders",),
                trades=("trades",),
                order_names={
                    "volume_left": "remaining_volume",
                    "limit_price": "price",
                    "inserted_at_ms": "insert_time",
                },
                trade_names={"traded_at_ms": "timestamp"},
                time_per_ms=NS_PER_MS,
            )
        case _:
            assert_never(dialect)

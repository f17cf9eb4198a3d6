"""The flat tree, told from the events alone: the story of the guide's tree, with other names and times of change."""

from __future__ import annotations

from typing import Any

from tests.projections.law import DIALECTS, demand_equal, view
from tests.projections.oracle import YUAN, Story, ToldOrder
from tests.projections.streams import NAMES, USERS, Op, lively_market

_, FLAT = DIALECTS


def flat_view(story: Story, account_id: str, user_id: str) -> dict[str, Any]:
    """What a user sees of himself in the flat dialect."""
    told = story.view(account_id, user_id)["trade"][user_id]
    orders = story.orders.get(account_id, {})
    trades = {f"{trade.trade_no}{side}": trade.at_ns for order in orders.values() for _, trade, _, side in order.trades}
    return {
        "accounts": {user_id: told["accounts"]["CNY"]} if told["accounts"] else {},
        "positions": told["positions"],
        "orders": {order_id: _order(told["orders"][order_id], order) for order_id, order in orders.items()},
        "trades": {
            trade_id: _without(trade, "trade_date_time") | {"timestamp": trades[trade_id]}
            for trade_id, trade in told["trades"].items()
        },
    }


def _order(told: dict[str, Any], order: ToldOrder) -> dict[str, Any]:
    placed = order.placed
    worded = _without(told, "volume_orign", "volume_left", "insert_date_time", "limit_price")
    worded |= {"volume": placed.lots, "filled_volume": placed.lots - order.left, "remaining_volume": order.left}
    worded |= {"insert_time": placed.at_ns, "update_time": _changed_at_ns(order)}
    if placed.limit_price is not None:
        worded["price"] = placed.limit_price / YUAN
    return worded


def _changed_at_ns(order: ToldOrder) -> int:
    """Time never falls, so the last is the latest."""
    times = [order.placed.at_ns, *(trade.at_ns for _, trade, _, _ in order.trades)]
    if order.cancelled is not None:
        times.append(order.cancelled.at_ns)
    return max(times)


def _without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    assert told.keys() >= set(names) - {"limit_price"}
    return {name: value for name, value in told.items() if name not in names}


def demand_flat_story(stream: list[Op]) -> None:
    """After every command each view is what the story tells."""
    exchange = lively_market()
    story = Story()
    for entry in exchange.log:
        story.tell(entry)
    for op in stream:
        exchange.run(op.command(exchange))
        story.tell(exchange.log[-1])
        for name in NAMES:
            told = flat_view(story, USERS[name], name)
            demand_equal(view(exchange.projections, name, FLAT), told, f"{name} after {op}")

"""What the shell offers behind Tab: contracts and working orders of the exchange where the user is logged in.

A completion that fails offers nothing, and says nothing: there is nowhere to say it.
"""

from __future__ import annotations

from typing import Any


def instruments(incomplete: str) -> list[str]:
    """The contracts that begin so, whatever the case."""
    listed = _asked("/api/v1/instruments").get("instruments", {})
    return [name for name in listed if name.lower().startswith(incomplete.lower())]


def working_orders(incomplete: str) -> list[tuple[str, str]]:
    """The orders that can be cancelled, with what they are."""
    orders = _asked("/api/v1/orders?status=open&limit=100").get("orders", [])
    return [
        (order["order_id"], f"{order['direction']} {order['volume_left']} {order['instrument_id']}")
        for order in orders
        if order["order_id"].startswith(incomplete)
    ]


def _asked(path: str) -> dict[str, Any]:
    from exchange.cli import logins
    from exchange.cli.errors import CliError

    try:
        answer: dict[str, Any] = logins.client_of(logins.kept("en"), "en").ask("GET", path)
    except CliError:
        return {}
    return answer

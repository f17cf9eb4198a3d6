"""The live screen: a user's picture as a stack of tables, made anew for each version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from exchange.cli import tables, texts
from exchange.cli.output import rich_table
from exchange.gateway.notices import Language

if TYPE_CHECKING:
    from rich.console import Group

    from exchange.client import Notice, Picture

ORDERS_SHOWN: Final = 12
WORKING: Final = frozenset({"ALIVE", "PARTIALLY_FILLED"})


def screen(picture: Picture, title: str, notices: Sequence[Notice], language: Language) -> Group:
    """What is shown of a picture in the words of the guide dialect: money, quotes if there are any, positions, orders,
    last notices."""
    from rich.console import Group
    from rich.text import Text

    tree = picture.tree
    own: dict[str, Any] = next(iter(tree.get("trade", {}).values()), {})
    parts: list[Any] = [Text(title, style="bold"), Text(_money(own, language))]
    shown = [
        tables.positions(own.get("positions", {}).values(), language, brief=True),
        tables.orders(_orders_to_show(list(own.get("orders", {}).values())), language, brief=True),
    ]
    if tree.get("quotes"):
        shown.insert(0, tables.quotes(tree["quotes"].values(), language))
    for table in shown:
        # A second line of one order would push another one off the screen.
        parts += [Text(), rich_table(*table, one_line=True)]
    if notices:
        parts += [Text(), Text(texts.NOTICES(language), style="italic")]
        parts += [Text(f"{notice.code} {notice.content}") for notice in notices]
    return Group(*parts)


def _money(own: dict[str, Any], language: Language) -> str:
    """All accounts' facts in a line each."""
    lines = []
    for account in own.get("accounts", {}).values():
        facts = tables.account_facts(account, language)
        lines.append("  ".join(f"{name} {amount}" for name, amount in facts))
    return "\n".join(lines)


def _orders_to_show(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest orders, those that still work in front of all others."""
    newest = sorted(orders, key=lambda order: (order["status"] in WORKING, order["seqno"]), reverse=True)
    return newest[:ORDERS_SHOWN]

"""Both dialects, as a client reads them: where its user's part is in the mirror, and what a field is called there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

from exchange.gateway.dialects import Dialect
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.dialects.guide import GuideDialect
from tests.simulation.broken import require

Tree = dict[str, Any]

PARTS: Final = ("accounts", "positions", "orders", "trades")


class Spoken(ABC):
    """A dialect, and how its tree is read."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def __repr__(self) -> str:
        return self.dialect.wording

    @abstractmethod
    def branch(self, tree: Tree, name: str) -> Tree:
        """The user's PARTS of a tree or of a patch, as far as they are there."""

    @abstractmethod
    def account(self, branch: Tree, name: str) -> Tree:
        """The user's account; empty where there is none."""

    @abstractmethod
    def filled(self, order: Tree) -> int:
        """Lots of an accepted order that were traded."""

    @abstractmethod
    def check_order(self, patches: list[Tree]) -> None:
        """What the order of a step's patches tells a client that works them off one by one."""


class _Guide(Spoken):
    def branch(self, tree: Tree, name: str) -> Tree:
        branch: Tree = (tree.get("trade") or {}).get(name) or {}
        return branch

    def account(self, branch: Tree, name: str) -> Tree:
        account: Tree = branch.get("accounts", {}).get("CNY", {})
        return account

    def filled(self, order: Tree) -> int:
        return int(order["volume_orign"] - order["volume_left"])

    def check_order(self, patches: list[Tree]) -> None:
        told = [key for patch in patches for key in patch if key in ("trade", "quotes") and patch[key] is not None]
        require(told == sorted(told, reverse=True), 5, f"the quotes come before what they are worth: {told}")


class _Flat(Spoken):
    _order: Final = ("trades", "orders", "accounts", "positions", "quotes")

    def branch(self, tree: Tree, name: str) -> Tree:
        return {part: tree[part] for part in PARTS if tree.get(part) is not None}

    def account(self, branch: Tree, name: str) -> Tree:
        account: Tree = branch.get("accounts", {}).get(name, {})
        return account

    def filled(self, order: Tree) -> int:
        filled = order["filled_volume"]
        require(filled + order["remaining_volume"] == order["volume"], 6, f"the lots of {order} do not add up")
        return int(filled)

    def check_order(self, patches: list[Tree]) -> None:
        single = [next(iter(patch)) for patch in patches if len(patch) == 1 and None not in patch.values()]
        told = [self._order.index(key) for key in single if key in self._order]
        require(told == sorted(told), 5, f"the patches come in the order {single}")


GUIDE: Final = _Guide(GuideDialect("en"))
FLAT: Final = _Flat(FlatDialect("en"))
SPOKEN: Final[tuple[Spoken, ...]] = (GUIDE, FLAT)


def check_identity(account: Tree) -> None:
    """The balance is what was paid in, closed, and gained, less the fees, to the last digit; available funds too."""
    if not account:
        return
    micro = {name: round(value * 1_000_000) for name, value in account.items() if isinstance(value, float)}
    paid_in = micro["pre_balance"] + micro["deposit"] - micro["withdraw"]
    require(micro["static_balance"] == paid_in, 6, f"{account} was paid in {paid_in}")
    balance = micro["static_balance"] + micro["close_profit"] + micro["position_profit"] + micro["premium"]
    balance -= micro["commission"]
    require(micro["balance"] == balance, 6, f"{account} has the balance {balance}")
    tied_up = micro["margin"] + micro["frozen_margin"] + micro["frozen_commission"] + micro["frozen_premium"]
    available = balance - tied_up - max(micro["position_profit"], 0)
    require(micro["available"] == available, 6, f"{account} has {available} available")

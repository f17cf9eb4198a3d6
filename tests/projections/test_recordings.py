"""Recorded DIFF streams, merged message by message: the accounts add up, and the end is what the log said it was.

Merging leaves the former document as it is, so that a tree may be kept while the stream goes on.
"""

from __future__ import annotations

import json
import lzma
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from projections.merge_patch import merge_patch
from tests.support.recordings import recorded

Tree = dict[str, Any]

pytestmark = pytest.mark.realdata

STREAMS = recorded("diff_recordings/*.jsonl.xz")

FINAL_LINE_FIELDS = {
    "账户权益": "balance",
    "可用资金": "available",
    "浮动盈亏": "float_profit",
    "持仓盈亏": "position_profit",
    "平仓盈亏": "close_profit",
    "保证金": "margin",
    "手续费": "commission",
}


def lines(path: Path) -> Iterator[Tree]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def accounts(tree: Tree) -> list[Tree]:
    return [account for user in tree.get("trade", {}).values() for account in user.get("accounts", {}).values()]


@pytest.mark.parametrize("path", STREAMS)
def test_accounts_add_up_after_every_message_and_end_as_logged(path: Path) -> None:
    """The last summary is compared with the account at its moment: a settlement may follow it."""
    tree: Tree = {}
    logged: tuple[str, Tree] | None = None
    for line in lines(path):
        if line["ch"] == "log" and line["text"].startswith("日期:"):
            logged = (line["text"], tree)
        for patch in line.get("msg", {}).get("data", []):
            tree = merge_patch(tree, patch)
        for account in accounts(tree):
            demand_identities(account)
    assert accounts(tree), "a stream without an account is none"
    if logged is not None:
        text, tree_then = logged
        demand_final_line(accounts(tree_then)[0], text)


def demand_identities(account: Tree) -> None:
    """Those of the recordings' README."""
    booked = (
        account["static_balance"]
        + account["close_profit"]
        + account["position_profit"]
        - account["commission"]
        + account["premium"]
    )
    tied_up = account["margin"] + account["frozen_margin"] + account["frozen_premium"] + account["frozen_commission"]
    assert near(account["balance"], booked + account.get("market_value", 0.0))
    assert near(account["available"], booked - tied_up)
    assert near(account["static_balance"], account["pre_balance"] + account["deposit"] - account["withdraw"])


def near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=0, abs_tol=0.01)


def demand_final_line(account: Tree, text: str) -> None:
    """`日期:2020-04-09,账户权益:9999873.88,可用资金:...`: the last state of the account, to 0.01."""
    logged = dict(re.findall(r"(\w+):(-?[\d.]+)", text))
    for name, field in FINAL_LINE_FIELDS.items():
        assert near(round(account[field], 2), float(logged[name])), f"{field}: {account[field]}, logged {logged[name]}"

"""The words of `/ws/diff`: every field of the quick start, the order of the patches, what is the guide's too."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exchange.domain.commands import Command, RegisterInstrument
from exchange.domain.values import AccountId
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.dialects.guide import GuideDialect
from exchange.gateway.notices import Code
from projections.user_view import BEFORE_ALL
from tests.support.commands import CLOSETODAY, TRADER, buy, cancel, open_account, sell, traded
from tests.support.market import CORN, RB, TOY
from tests.support.views import SmallExchange

GUIDE, FLAT = GuideDialect("zh"), FlatDialect("zh")

ORDER = (
    "user_id order_id exchange_order_id exchange_id instrument_id direction offset price_type price time_condition "
    "volume_condition volume filled_volume remaining_volume status insert_time update_time last_msg frozen_margin seqno"
)
TRADE = (
    "user_id trade_id order_id exchange_trade_id exchange_id instrument_id direction offset price volume commission "
    "timestamp seqno"
)
CONTAINERS: dict[str, Any] = {"accounts": {}, "orders": {}, "trades": {}, "positions": {}}


def market(*commands: Command) -> SmallExchange:
    """A contract with and one without separate buckets, and two users with a million each."""
    accounts = [open_account(each, 1_000_000) for each in (TRADER, "M")]
    return SmallExchange(*(RegisterInstrument(terms=each) for each in (TOY, RB, CORN)), *accounts, *commands)


def patches(exchange: SmallExchange, since: int = BEFORE_ALL, account: str = TRADER) -> list[dict[str, Any]]:
    """What the user tom is told."""
    told: list[dict[str, Any]] = FLAT.word(exchange.projections.user(AccountId(account)).changes(since), "tom")
    return orjson.loads(orjson.dumps(told))  # type: ignore[no-any-return]


def keys(told: list[dict[str, Any]]) -> list[str]:
    return [key for patch in told for key in patch]


def branch_of_the_guide(exchange: SmallExchange) -> dict[str, Any]:
    (patch,) = GUIDE.word(exchange.projections.user(AccountId(TRADER)).changes(BEFORE_ALL), "tom")
    return orjson.loads(orjson.dumps(patch))["trade"]["tom"]  # type: ignore[no-any-return]


def test_a_fill_is_trades_then_orders_then_the_account_then_positions() -> None:
    exchange = market(sell("m", 3610, 2, account="M", instrument=RB))
    before = exchange.version
    exchange.run(buy("b", 3611, 2, instrument=RB))
    told = patches(exchange, before)
    assert keys(told) == ["trades", "orders", "accounts", "positions"]
    assert all(len(patch) == 1 for patch in told)
    trades, orders, accounts, positions = (patch.popitem()[1] for patch in told)
    assert trades["1B"].keys() == set(TRADE.split())
    assert orders["b"].keys() == set(ORDER.split())
    assert list(accounts) == ["tom"]
    assert positions["SHFE.rb2701"]["volume_long"] == 2


def test_the_quick_start_s_example_field_by_field() -> None:
    """Ten lots that fill at once; the types of the numbers are the guide dialect's: lots are whole numbers."""
    exchange = market(sell("m", 3610, 10, account="M", instrument=RB))
    before = exchange.version
    exchange.run(buy("order456", 3610, 10, instrument=RB))
    trades, orders, accounts, _ = patches(exchange, before)
    at_ns = exchange.log[-1].at_ns
    assert trades["trades"]["1B"] == {
        "trade_id": "1B",
        "user_id": "tom",
        "order_id": "order456",
        "exchange_trade_id": "1",
        "exchange_id": "SHFE",
        "instrument_id": "SHFE.rb2701",
        "direction": "BUY",
        "offset": "OPEN",
        "price": 3610.0,
        "volume": 10,
        "commission": 36.1,
        "timestamp": at_ns,
        "seqno": before + 2,
    }
    assert orders["orders"]["order456"] == {
        "user_id": "tom",
        "order_id": "order456",
        "exchange_order_id": "2",
        "exchange_id": "SHFE",
        "instrument_id": "SHFE.rb2701",
        "direction": "BUY",
        "offset": "OPEN",
        "price_type": "LIMIT",
        "price": 3610.0,
        "time_condition": "GFD",
        "volume_condition": "ANY",
        "volume": 10,
        "filled_volume": 10,
        "remaining_volume": 0,
        "status": "FILLED",
        "last_msg": "全部成交",
        "insert_time": at_ns,
        "update_time": at_ns,
        "frozen_margin": 0.0,
        "seqno": before + 1,
    }
    account = accounts["accounts"]["tom"]
    assert account["balance"] == account["static_balance"] - account["commission"] == 999_963.9
    assert account["risk_ratio"] == account["margin"] / account["balance"]


def test_a_first_picture_has_every_container() -> None:
    nobody = SmallExchange().projections.user(AccountId("nobody"))
    assert FLAT.word(nobody.changes(BEFORE_ALL), "nobody") == [CONTAINERS]
    assert FLAT.word(nobody.changes(0), "nobody") == []
    told = patches(market())
    assert told[0] == CONTAINERS
    assert keys(told[1:]) == ["accounts"]


def test_the_account_and_the_positions_are_those_of_the_guide() -> None:
    exchange = market(*traded(TRADER, "M", 3600, 2, RB), *traded("M", TRADER, 3000, instrument=CORN))
    merged: dict[str, Any] = {}
    for patch in patches(exchange):
        merged |= patch
    guide = branch_of_the_guide(exchange)
    assert merged["accounts"] == {"tom": guide["accounts"]["CNY"]}
    assert merged["positions"] == guide["positions"]


@pytest.mark.parametrize(
    ("commands", "status", "filled", "remaining"),
    [
        ([buy("o", 100, 3)], "ALIVE", 0, 3),
        ([buy("o", 100, 3), sell("m", 100, 1, account="M")], "PARTIALLY_FILLED", 1, 2),
        ([buy("o", 100, 3), sell("m", 100, 3, account="M")], "FILLED", 3, 0),
        ([buy("o", 100, 3), sell("m", 100, 1, account="M"), cancel("o")], "CANCELLED", 1, 2),
        ([buy("o", 151, 3)], "REJECTED", 0, 3),
    ],
)
def test_the_states_are_those_of_the_guide(commands: list[Command], status: str, filled: int, remaining: int) -> None:
    exchange = market(*commands)
    (orders,) = (patch["orders"] for patch in patches(exchange)[1:] if "orders" in patch)
    order = orders["o"]
    assert (order["status"], order["filled_volume"], order["remaining_volume"]) == (status, filled, remaining)
    assert order["volume"] == 3
    told = branch_of_the_guide(exchange)["orders"]["o"]
    assert (order["status"], order["last_msg"]) == (told["status"], told["last_msg"])


def test_an_order_says_when_it_changed_last() -> None:
    """A repetition changes nothing, and neither does a change of the market around it."""
    exchange = market(buy("o", 100, 3))
    placed = exchange.log[-1].at_ns
    times = [_update_time(exchange)]
    exchange.run(sell("m", 100, 1, account="M"))
    times.append(_update_time(exchange))
    filled = exchange.log[-1].at_ns
    exchange.run(buy("o", 100, 3), *traded("M", "M", 101))
    times.append(_update_time(exchange))
    exchange.run(cancel("o"))
    times.append(_update_time(exchange))
    assert times == [placed, filled, filled, exchange.log[-1].at_ns]
    assert placed < filled < times[-1]


def _update_time(exchange: SmallExchange) -> int:
    (orders,) = (patch["orders"] for patch in patches(exchange)[1:] if "orders" in patch)
    time: int = orders["o"]["update_time"]
    return time


def test_an_order_without_a_limit_has_no_price() -> None:
    exchange = market(sell("m", 100, 1, account="M"))
    exchange.run(buy("o", None, 1))
    (orders,) = (patch["orders"] for patch in patches(exchange)[1:] if "orders" in patch)
    assert "price" not in orders["o"]


def test_what_moved_with_a_mark_is_the_account_and_the_positions() -> None:
    exchange = market(*traded(TRADER, "M", 3600, 2, RB))
    before = exchange.version
    exchange.run(*traded("M", "M", 3605, instrument=RB))
    assert keys(patches(exchange, before)) == ["accounts", "positions"]


def test_what_left_the_view_is_deleted_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.user_view.HISTORY_MAX", 1)
    exchange = market(*traded(TRADER, "M", 3600, instrument=RB))
    before = exchange.version
    exchange.run(sell("c", 3600, 1, instrument=RB, effect=CLOSETODAY), buy("m", 3600, 1, account="M", instrument=RB))
    merged: dict[str, Any] = {}
    for patch in patches(exchange, before):
        merged |= patch
    assert merged["trades"]["1B"] is None
    assert [order for order in merged["orders"].values() if order is None] == [None]


def test_the_account_behind_a_user_never_shows() -> None:
    exchange = market(*traded(TRADER, "M", 3600, instrument=RB), buy("wrong", 1))
    assert b'"M"' not in orjson.dumps(patches(exchange, account="M"))


def test_the_root_is_the_user_s_own_and_what_belongs_to_the_connection() -> None:
    assert set(FLAT.root_keys) - set(FLAT.connection_keys) == set(CONTAINERS)
    assert FLAT.connection_keys == GUIDE.connection_keys


def test_every_dialect_and_language_is_a_wording_of_its_own() -> None:
    assert len({GUIDE.wording, FLAT.wording, FlatDialect("en").wording}) == 3
    assert FLAT.text(Code.LOGIN_OK, {}) == "登录成功"

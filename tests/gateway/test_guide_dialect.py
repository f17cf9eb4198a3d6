"""The words of `/ws`: every field of the protocol, every state of an order, and what is absent where."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exchange.domain.commands import Command, RegisterInstrument
from exchange.domain.values import AccountId
from exchange.gateway.dialects.fields import position_fields
from exchange.gateway.dialects.guide import GuideDialect
from exchange.gateway.notices import Code
from projections.figures import FLAT
from projections.marks import VersionedMark
from projections.rows import PositionRow
from tests.support.commands import (
    ALL,
    CLOSE,
    CLOSETODAY,
    IOC,
    TRADER,
    buy,
    cancel,
    open_account,
    restore,
    sell,
    suspend,
    traded,
)
from tests.support.market import CORN, RB, TOY
from tests.support.views import SmallExchange

ZH, EN = GuideDialect("zh"), GuideDialect("en")

ACCOUNT = (
    "user_id currency pre_balance deposit withdraw static_balance close_profit position_profit float_profit commission "
    "premium balance margin frozen_margin frozen_commission frozen_premium available risk_ratio suspended"
)
LOTS = "volume_{0} volume_{0}_today volume_{0}_his volume_{0}_frozen_today volume_{0}_frozen_his volume_{0}_frozen"
MONEY = "open_cost_{0} position_cost_{0} float_profit_{0} position_profit_{0} margin_{0}"
PRICES = "open_price_{0} position_price_{0}"
FLAT_POSITION = (
    f"user_id exchange_id instrument_id {LOTS.format('long')} {LOTS.format('short')} {MONEY.format('long')} "
    f"{MONEY.format('short')} float_profit position_profit margin"
)
LONG_POSITION = f"{FLAT_POSITION} {PRICES.format('long')} last_price"
ORDER = (
    "user_id order_id exchange_order_id exchange_id instrument_id direction offset price_type limit_price "
    "time_condition volume_condition volume_orign volume_left status insert_date_time last_msg frozen_margin seqno"
)
TRADE = (
    "user_id trade_id order_id exchange_trade_id exchange_id instrument_id direction offset price volume commission "
    "trade_date_time seqno"
)


def market(*commands: Command) -> SmallExchange:
    """A contract with and one without separate buckets, and two users with a million each."""
    accounts = [open_account(each, 1_000_000) for each in (TRADER, "M")]
    return SmallExchange(*(RegisterInstrument(terms=each) for each in (TOY, RB, CORN)), *accounts, *commands)


def words(exchange: SmallExchange, since: int = -1, dialect: GuideDialect = ZH, account: str = TRADER) -> Any:
    """The user's branch of the tree."""
    patches = dialect.word(exchange.projections.user(AccountId(account)).changes(since), "tom")
    (patch,) = orjson.loads(orjson.dumps(patches))
    assert list(patch) == ["trade"]
    assert list(patch["trade"]) == ["tom"]
    return patch["trade"]["tom"]


def fields(text: str) -> set[str]:
    return set(text.split())


# --- Fields -----------------------------------------------------------------------------------------------------------


def test_every_field_of_the_protocol_is_there() -> None:
    exchange = market(*traded(TRADER, "M", 3600, instrument=RB))
    branch = words(exchange)
    assert list(branch) == ["accounts", "positions", "orders", "trades"]
    assert list(branch["accounts"]) == ["CNY"]
    assert branch["accounts"]["CNY"].keys() == fields(ACCOUNT)
    assert branch["positions"]["SHFE.rb2701"].keys() == fields(LONG_POSITION)
    (order,) = branch["orders"].values()
    assert order.keys() == fields(ORDER)
    (trade,) = branch["trades"].values()
    assert trade.keys() == fields(TRADE)


def test_the_ledger_example_of_the_rules() -> None:
    """Rule 8, rows 0 to 2: the figures that a user sees."""
    exchange = market(buy("b", 3610, 5, instrument=RB))
    assert_account(exchange, balance=1_000_000.0, frozen_margin=18050.0, frozen_commission=18.05, available=981_931.95)
    exchange.run(sell("m", 3610, 5, account="M", instrument=RB), *traded("M", "M", 3620, instrument=RB))
    assert_account(
        exchange,
        commission=18.05,
        position_profit=500.0,
        float_profit=500.0,
        margin=18050.0,
        balance=1_000_481.95,
        available=981_931.95,
        frozen_margin=0.0,
    )
    exchange.run(
        buy("m2", 3625, 2, account="M", instrument=RB),
        sell("s", 3625, 2, instrument=RB, effect=CLOSETODAY),
        *traded("M", "M", 3620, instrument=RB),
    )
    assert_account(
        exchange,
        close_profit=300.0,
        commission=32.55,
        position_profit=300.0,
        margin=10830.0,
        balance=1_000_567.45,
        available=989_437.45,
        risk_ratio=10830.0 / 1_000_567.45,
    )


def assert_account(exchange: SmallExchange, **wanted: float) -> None:
    account = words(exchange)["accounts"]["CNY"]
    assert {field: account[field] for field in wanted} == wanted


def test_an_order_and_its_trade_as_they_are_worded() -> None:
    exchange = market(sell("m", "3610", 2, account="M", instrument=RB))
    before = exchange.version
    exchange.run(buy("b-1", 3611, 3, instrument=RB))
    branch = words(exchange, before)
    assert branch["orders"] == {
        "b-1": {
            "user_id": "tom",
            "order_id": "b-1",
            "exchange_order_id": "2",
            "exchange_id": "SHFE",
            "instrument_id": "SHFE.rb2701",
            "direction": "BUY",
            "offset": "OPEN",
            "price_type": "LIMIT",
            "limit_price": 3611.0,
            "time_condition": "GFD",
            "volume_condition": "ANY",
            "volume_orign": 3,
            "volume_left": 1,
            "status": "PARTIALLY_FILLED",
            "insert_date_time": 1799978400822,
            "last_msg": "部分成交",
            "frozen_margin": 3611.0,
            "seqno": before + 1,
        }
    }
    assert branch["trades"] == {
        "1B": {
            "user_id": "tom",
            "trade_id": "1B",
            "order_id": "b-1",
            "exchange_trade_id": "1",
            "exchange_id": "SHFE",
            "instrument_id": "SHFE.rb2701",
            "direction": "BUY",
            "offset": "OPEN",
            "price": 3610.0,
            "volume": 2,
            "commission": 7.22,
            "trade_date_time": 1799978400822,
            "seqno": before + 2,
        }
    }


def test_a_user_who_trades_with_himself_has_both_sides() -> None:
    exchange = market(*traded(TRADER, TRADER, 3600, instrument=RB))
    branch = words(exchange)
    assert {key: trade["direction"] for key, trade in branch["trades"].items()} == {"1B": "BUY", "1S": "SELL"}
    assert {trade["exchange_trade_id"] for trade in branch["trades"].values()} == {"1"}
    position = branch["positions"]["SHFE.rb2701"]
    assert (position["volume_long"], position["volume_short"]) == (1, 1)


# --- States -----------------------------------------------------------------------------------------------------------

STATES: list[tuple[list[Command], str, int, str, str]] = [
    ([buy("o", 100, 3)], "ALIVE", 3, "未成交", "Working"),
    ([buy("o", 100, 3), sell("m", 100, 1, account="M")], "PARTIALLY_FILLED", 2, "部分成交", "Partly filled"),
    ([buy("o", 100, 3), sell("m", 100, 3, account="M")], "FILLED", 0, "全部成交", "Filled"),
    ([buy("o", 100, 3), cancel("o")], "CANCELLED", 3, "已撤单", "Cancelled"),
    (
        [sell("m", 100, 1, account="M"), buy("o", 100, 3, time=IOC)],
        "CANCELLED",
        2,
        "已撤单: 未能立即成交的部分",
        "Cancelled: the part that could not fill at once",
    ),
    (
        [sell("m", 100, 1, account="M"), buy("o", 100, 3, time=IOC, volume=ALL)],
        "CANCELLED",
        3,
        "已撤单: 未能立即全部成交",
        "Cancelled: could not fill whole at once",
    ),
    (
        [buy("o", 151, 3)],
        "REJECTED",
        3,
        "订单提交失败: 价格 151 超出涨跌停板 50 至 150",
        "Order refused: the price 151 is outside the band from 50 to 150",
    ),
]


@pytest.mark.parametrize(("commands", "status", "left", "zh", "en"), STATES, ids=[row[1] + row[4] for row in STATES])
def test_the_states_of_an_order(commands: list[Command], status: str, left: int, zh: str, en: str) -> None:
    exchange = market(*commands)
    order = words(exchange)["orders"]["o"]
    assert (order["status"], order["volume_left"], order["last_msg"]) == (status, left, zh)
    assert words(exchange, dialect=EN)["orders"]["o"] == {**order, "last_msg": en}


def test_only_a_refused_order_has_no_number_of_the_exchange() -> None:
    exchange = market(buy("fine", 100), buy("wrong", "100.5"))
    orders = words(exchange)["orders"]
    assert {key: order["exchange_order_id"] for key, order in orders.items()} == {"fine": "1", "wrong": ""}
    assert orders["wrong"]["frozen_margin"] == 0.0


def test_what_was_asked_is_not_told_twice() -> None:
    exchange = market(buy("o", 100, 3))
    before = exchange.version
    exchange.run(cancel("o"))
    assert words(exchange, before)["orders"] == {
        "o": {"volume_left": 3, "status": "CANCELLED", "last_msg": "已撤单", "frozen_margin": 0.0}
    }


# --- Absent numbers ---------------------------------------------------------------------------------------------------


def test_a_market_order_has_no_limit_price() -> None:
    order = words(market(buy("o", None)))["orders"]["o"]
    assert order.keys() == fields(ORDER) - {"limit_price"}
    assert order["price_type"] == "ANY"


def test_a_flat_position_stays_with_zeros_and_without_prices() -> None:
    exchange = market(*traded(TRADER, "M", 3600, instrument=RB))
    held = exchange.version
    exchange.run(*traded("M", TRADER, 3600, instrument=RB, buys=CLOSETODAY, sells=CLOSETODAY))
    position = words(exchange)["positions"]["SHFE.rb2701"]
    assert position.keys() == fields(FLAT_POSITION)
    numbers = {value for key, value in position.items() if key not in ("user_id", "exchange_id", "instrument_id")}
    assert numbers == {0}
    change = words(exchange, held)["positions"]["SHFE.rb2701"]
    assert {key for key, value in change.items() if value is None} == fields(
        f"{PRICES.format('long')} {PRICES.format('short')} last_price"
    )


def test_a_share_of_nothing_is_absent() -> None:
    """Margin is held and the balance is gone: how much of it the margin is cannot be told."""
    exchange = SmallExchange(RegisterInstrument(terms=TOY), open_account(TRADER, 12), open_account("M"))
    exchange.run(*traded(TRADER, "M", 100))
    assert words(exchange)["accounts"]["CNY"]["risk_ratio"] == 10 / 12
    before = exchange.version
    exchange.run(*traded("M", "M", 60))
    account = words(exchange)["accounts"]["CNY"]
    assert account["balance"] == -28.0
    assert account.keys() == fields(ACCOUNT) - {"risk_ratio"}
    assert words(exchange, before)["accounts"]["CNY"]["risk_ratio"] is None


def test_who_has_nothing_risks_nothing() -> None:
    exchange = SmallExchange(open_account(TRADER, 0))
    assert words(exchange)["accounts"]["CNY"]["risk_ratio"] == 0.0


# --- Frozen lots ------------------------------------------------------------------------------------------------------


def test_lots_under_closing_orders_are_frozen() -> None:
    exchange = market(*traded(TRADER, "M", 3005, 5, instrument=CORN))
    exchange.run(sell("c", 3006, 3, instrument=CORN, effect=CLOSE))
    position = words(exchange)["positions"]["DCE.c2701"]
    frozen = [position[f"volume_long_frozen{which}"] for which in ("", "_today", "_his")]
    assert frozen == [3, 3, 0]


@pytest.mark.parametrize(("terms", "frozen"), [(RB, (1, 2)), (CORN, (0, 3))])
def test_older_lots_are_frozen_in_their_own_bucket_or_first(terms: Any, frozen: tuple[int, int]) -> None:
    """Rule 2: three lots of yesterday and five of today, with orders to CLOSE two and to CLOSETODAY one."""
    row = PositionRow(VersionedMark(terms, 1), 1)
    row.long.lots_today, row.long.lots_history = 5, 3
    row.long.freeze(CLOSE, 2, row.separate_today)
    row.long.freeze(CLOSETODAY, 1, row.separate_today)
    worded = position_fields(row, FLAT, "tom", -1)
    assert (worded["volume_long_frozen_today"], worded["volume_long_frozen_his"]) == frozen
    assert worded["volume_long_frozen"] == 3
    assert (worded["volume_long"], worded["volume_long_today"], worded["volume_long_his"]) == (8, 5, 3)


def test_costs_and_prices_come_from_both_buckets() -> None:
    row = PositionRow(VersionedMark(RB, 1), 1)
    short = row.short
    short.lots_today, short.lots_history = 1, 2
    short.open_cost_today, short.open_cost_history = 36_050_000_000, 72_200_000_000
    short.cost_today, short.cost_history = 36_050_000_000, 72_300_000_000
    worded = position_fields(row, FLAT, "tom", -1)
    assert worded["open_cost_short"] == 108_250.0
    assert worded["position_cost_short"] == 108_350.0
    assert worded["open_price_short"] == 108_250 / 30
    assert worded["position_price_short"] == 108_350 / 30


# --- The dialect as a whole -------------------------------------------------------------------------------------------


def test_a_version_without_news_has_no_words() -> None:
    exchange = market(buy("o", 100))
    assert ZH.word(exchange.projections.user(AccountId(TRADER)).changes(exchange.version), "tom") == []


def test_marks_alone_are_told_in_few_words() -> None:
    exchange = market(*traded(TRADER, "M", 3600, instrument=RB))
    before = exchange.version
    exchange.run(*traded("M", "M", 3610, instrument=RB))
    branch = words(exchange, before)
    assert branch.keys() == {"accounts", "positions"}
    assert branch["accounts"]["CNY"].keys() == fields(
        "position_profit float_profit balance margin available risk_ratio"
    )
    assert branch["positions"]["SHFE.rb2701"].keys() == fields(
        "last_price float_profit_long float_profit_short float_profit position_profit_long position_profit_short "
        "position_profit margin_long margin_short margin"
    )


def test_the_account_behind_a_user_never_shows() -> None:
    exchange = market(*traded(TRADER, "M", 3600, instrument=RB), buy("wrong", 1))
    patches = ZH.word(exchange.projections.user(AccountId("M")).changes(-1), "tom")
    assert '"M"' not in orjson.dumps(patches).decode()


def test_a_number_is_divided_once() -> None:
    """A multiplication by 1e-6 makes 70000.09999999999 of 70000.1."""
    exchange = SmallExchange(open_account(TRADER, "70000.1"))
    assert b'"balance":70000.1,' in orjson.dumps(ZH.word(exchange.projections.user(AccountId(TRADER)).changes(-1), "t"))


def test_what_belongs_to_a_connection_is_a_part_of_the_root() -> None:
    assert set(ZH.root_keys) - set(ZH.connection_keys) == {"trade"}


def test_languages_are_different_wordings() -> None:
    assert ZH.wording != EN.wording
    assert ZH.text(Code.LOGIN_OK, {}) == "登录成功"
    assert EN.text(Code.LOGIN_OK, {}) == "Logged in"


def test_a_suspension_shows_and_its_end_does_too() -> None:
    exchange = SmallExchange(RegisterInstrument(terms=TOY), open_account(TRADER, 12))
    assert words(exchange)["accounts"]["CNY"]["suspended"] is False
    before = exchange.version
    exchange.run(suspend(TRADER))
    assert words(exchange, before)["accounts"]["CNY"]["suspended"] is True
    before = exchange.version
    exchange.run(restore(TRADER))
    assert words(exchange, before)["accounts"]["CNY"]["suspended"] is False

"""Tables of pandas, and what is told where pandas is not installed."""

from __future__ import annotations

import sys
from dataclasses import fields

import pytest

from exchange.client import Account, ClientError, InvalidRequestError
from exchange.client.dataframes import DataFrameOf
from exchange.client.layout import layout_of
from exchange.client.mirror import Snapshot
from exchange.client.picture import Picture
from tests.client.steps import order_row, own, trade_row


def picture() -> Picture:
    orders = {"new": order_row("new", 9), "old": order_row("old", 2, "FILLED")}
    del orders["new"]["limit_price"]
    tree = own(orders=orders, trades={"1B": trade_row("1B", 5)}, positions={})
    money = {each.name: 5.0 for each in fields(Account)}
    tree["trade"]["alice"]["accounts"] = {"CNY": money | {"user_id": "alice", "currency": "CNY"}}
    static = {"instrument_id": "a", "exchange_id": "b", "price_tick": 1.0, "price_decs": 0, "volume_multiple": 10}
    tree["quotes"] = {"a": static | {"last_price": 1.0, "ask_price1": 2.0, "ask_volume1": 7}}
    return Picture(Snapshot(tree, 9, "log"), layout_of("guide", "alice"))


def test_orders_and_trades_are_rows_by_age() -> None:
    table = picture().to_dataframe("orders")
    assert list(table.index) == ["old", "new"]
    assert table.index.name == "order_id"
    assert table.loc["old", "status"] == "FILLED"
    assert table.loc["old", "limit_price"] == 3600.0
    assert table["limit_price"].isna().to_list() == [False, True]
    assert picture().to_dataframe("trades").loc["1B", "commission"] == 3.6


def test_quotes_and_accounts_are_rows_too() -> None:
    quotes = picture().to_dataframe("quotes")
    assert (quotes.loc["a", "last_price"], quotes.loc["a", "best_ask"]) == (1.0, 2.0)
    assert quotes["best_bid"].isna().all()
    assert picture().to_dataframe("accounts").loc["alice", "balance"] == 5.0


@pytest.mark.parametrize("what", ["orders", "trades", "positions", "quotes", "accounts"])
def test_nothing_is_an_empty_table_with_the_same_columns(what: DataFrameOf) -> None:
    table = Picture(Snapshot({}, None, None), layout_of("flat", "alice")).to_dataframe(what)
    assert len(table) == 0
    assert list(table.columns) == list(picture().to_dataframe(what).columns)
    assert table.index.name in ("order_id", "trade_id", "instrument_id", "user_id")


def test_remains_of_rows_are_no_rows() -> None:
    tree = own(orders={"pruned": {"status": "FILLED"}, "whole": order_row("whole", 1)})
    table = Picture(Snapshot(tree, 1, "log"), layout_of("guide", "alice")).to_dataframe("orders")
    assert list(table.index) == ["whole"]


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no table 'bars': ask for one of orders, trades"):
        picture().to_dataframe("bars")  # type: ignore[arg-type]


def test_without_pandas_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ClientError, match=r"pip install 'chronex\[pandas\]'"):
        picture().to_dataframe("orders")

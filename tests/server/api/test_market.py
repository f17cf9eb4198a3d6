"""Contracts, quotes and books over REST: what is durable, in yuan, for everybody who is logged in."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from exchange.gateway.access import Role
from exchange.market.reading import read_market
from tests.support.rest import API, INSTRUMENT, Json, Rest, error_of, order, status_and_reason

ORDERS = f"{API}/orders"
BOOK = f"{API}/book/{INSTRUMENT}"


@pytest.fixture
async def olga(rest: Rest) -> httpx.AsyncClient:
    """Who only watches."""
    return await rest.user("olga", Role.OBSERVER)


async def got(client: httpx.AsyncClient, path: str, **query: Any) -> Json:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


async def test_the_terms_of_every_contract_are_told_in_yuan(rest: Rest, olga: httpx.AsyncClient) -> None:
    document = await got(olga, f"{API}/instruments")
    assert document["version"] == rest.exchange.sequencer.durable_log_seq
    assert list(document["instruments"]) == [terms.instrument_id for terms in read_market().instruments]
    assert document["instruments"][INSTRUMENT] == {
        "instrument_id": INSTRUMENT,
        "exchange_id": "SHFE",
        "product_id": "rb",
        "name": "螺纹2701",
        "volume_multiple": 10,
        "price_tick": 1.0,
        "pre_settlement": 3592.0,
        "upper_limit": 3807.0,
        "lower_limit": 3377.0,
        "max_limit_order_volume": 500,
        "max_market_order_volume": 0,
        "separate_today": True,
        "margin": {"by_money": 0.08, "by_volume": 0.0},
        "commission": {
            "open": {"by_money": 0.0001, "by_volume": 0.0},
            "close": {"by_money": 0.0001, "by_volume": 0.0},
            "closetoday": {"by_money": 0.0001, "by_volume": 0.0},
        },
        "delivery_year": 2027,
        "delivery_month": 1,
        "expires_at": "2027-01-15T15:00:00+08:00",
    }


async def test_a_quote_is_worded_as_a_subscriber_gets_it(ann: httpx.AsyncClient, olga: httpx.AsyncClient) -> None:
    await ann.post(ORDERS, json=order("o-1", price=3590, volume=4))
    quote = (await got(olga, f"{API}/quotes/{INSTRUMENT}"))["quote"]
    assert (quote["bid_price1"], quote["bid_volume1"]) == (3590.0, 4)
    assert "ask_price1" not in quote
    snapshot = await got(ann, f"{API}/users/ann/snapshot", ins_list=INSTRUMENT)
    assert quote == snapshot["snapshot"]["quotes"][INSTRUMENT]


async def test_a_book_counts_lots_and_orders_of_each_price(ann: httpx.AsyncClient, olga: httpx.AsyncClient) -> None:
    for order_id, direction, price, lots in (
        ("b1", "BUY", 3590, 4),
        ("b2", "BUY", 3590, 1),
        ("b3", "BUY", 3580, 2),
        ("a1", "SELL", 3600, 3),
        ("a2", "SELL", 3610, 3),
    ):
        assert (await ann.post(ORDERS, json=order(order_id, direction, price, lots))).status_code == 201
    before = await got(olga, BOOK)
    assert before["bids"] == [[3590.0, 5, 2], [3580.0, 2, 1]]
    assert before["asks"] == [[3600.0, 3, 1], [3610.0, 3, 1]]
    await ann.post(ORDERS, json=order("t1", "SELL", 3590, 2))  # leaves the first bid half filled
    assert (await got(olga, BOOK))["bids"] == [[3590.0, 3, 2], [3580.0, 2, 1]]
    await ann.post(ORDERS, json=order("t2", "SELL", 3590, 2))  # fills it
    await ann.delete(f"{ORDERS}/b3")
    after = await got(olga, BOOK)
    assert after["bids"] == [[3590.0, 1, 1]]
    assert (await got(olga, BOOK, depth=1))["asks"] == [[3600.0, 3, 1]]
    assert await got(olga, BOOK, version=before["version"]) == before
    assert await got(olga, BOOK, version=after["version"]) == after


async def test_an_order_that_may_not_rest_leaves_no_count(ann: httpx.AsyncClient, olga: httpx.AsyncClient) -> None:
    await ann.post(ORDERS, json=order("ask", "SELL", 3600, 1))
    answer = await ann.post(ORDERS, json=order("fak", "BUY", 3600, 3, time_condition="IOC"))
    assert answer.json()["status"] == "CANCELLED"
    book = await got(olga, BOOK)
    assert (book["bids"], book["asks"]) == ([], [])


@pytest.mark.parametrize("path", ["quotes/SHFE.no2701", "book/SHFE.no2701", "book/SHFE.no2701?version=1", "quotes/螺"])
async def test_an_unknown_contract_is_named(olga: httpx.AsyncClient, path: str) -> None:
    answer = await olga.get(f"{API}/{path}")
    assert status_and_reason(answer) == (404, "NO_INSTRUMENT")
    assert error_of(answer)["code"] == 3004


@pytest.mark.parametrize(
    ("query", "status"),
    [({"depth": 0}, 422), ({"depth": 1001}, 422), ({"version": -1}, 422), ({"version": 10**6}, 409)],
)
async def test_a_book_that_cannot_be_is_told(olga: httpx.AsyncClient, query: Json, status: int) -> None:
    answer = await olga.get(BOOK, params=query)
    assert answer.status_code == status
    error_of(answer)

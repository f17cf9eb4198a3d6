"""The small parts: addresses, waits, messages, rows, notices."""

from __future__ import annotations

import asyncio
import gc
from random import Random
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from exchange.client import InvalidRequestError, MirrorError, Notice, Order, Quote
from exchange.client.addresses import read_addresses
from exchange.client.backoff import Backoff
from exchange.client.endings import LoginDeferredError, SilentServerError, pause_after
from exchange.client.following import Credentials
from exchange.client.notices import NoticeBoard, notices_in
from exchange.client.requests import order_message
from exchange.client.rows import Level, read_quote, read_row
from tests.client.steps import order_row, step

# Addresses.


@pytest.mark.parametrize(
    ("text", "dialect", "websocket", "login"),
    [
        ("ws://a:8000", "guide", "ws://a:8000/ws", "http://a:8000/api/v1/login"),
        ("ws://a:8000/", "flat", "ws://a:8000/ws/diff", "http://a:8000/api/v1/login"),
        ("wss://a", "guide", "wss://a/ws", "https://a/api/v1/login"),
        ("ws://[::1]:8000", "guide", "ws://[::1]:8000/ws", "http://[::1]:8000/api/v1/login"),
        ("ws://a:8000/behind/ws?x=1", "guide", "ws://a:8000/behind/ws?x=1", "http://a:8000/api/v1/login"),
    ],
)
def test_an_address_is_completed(text: str, dialect: Any, websocket: str, login: str) -> None:
    assert read_addresses(text, dialect) == ((websocket, login),)


@pytest.mark.parametrize("text", ["", "a:8000", "http://a:8000", "ws://", "ws://a:port", "ws://[::1", "ws://a:0"])
def test_what_is_no_address_is_refused_at_once(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="write ws://HOST:PORT"):
        read_addresses(["ws://good:8000", text], "guide")


def test_some_address_and_a_known_dialect_are_needed() -> None:
    with pytest.raises(InvalidRequestError, match="at least one address"):
        read_addresses([], "guide")
    with pytest.raises(InvalidRequestError, match="choose one of guide, flat"):
        read_addresses("ws://a", "shinny")  # type: ignore[arg-type]


# Waits.


def test_the_ceiling_doubles_up_to_a_limit_and_the_jitter_is_full() -> None:
    waits = [[Backoff(base_s=1, max_s=10, random=Random(seed)) for seed in range(200)]]
    for failures, ceiling in enumerate([1, 2, 4, 8, 10, 10]):
        drawn = [backoff.next_wait_s() for backoff in waits[0]]
        assert 0 <= min(drawn) < 0.1 * ceiling, failures
        assert 0.9 * ceiling < max(drawn) <= ceiling, failures


def test_the_same_seed_gives_the_same_waits() -> None:
    one, other = (Backoff(random=Random(7)) for _ in range(2))
    assert [one.next_wait_s() for _ in range(9)] == [other.next_wait_s() for _ in range(9)]


def test_success_begins_anew_and_a_pause_comes_on_top() -> None:
    backoff = Backoff(base_s=1, max_s=64, random=Random(1))
    for _ in range(100):
        backoff.next_wait_s()
    backoff.succeeded()
    assert 5 <= backoff.next_wait_s(pause_s=5) <= 6


def test_with_several_addresses_the_ceiling_doubles_once_all_were_tried() -> None:
    backoff = Backoff(base_s=1, max_s=64, random=Random(1))
    assert max(backoff.next_wait_s(addresses=100) for _ in range(100)) <= 1
    assert max(backoff.next_wait_s(addresses=100) for _ in range(100)) > 1


def test_a_limit_below_the_base_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 <= base_s <= max_s"):
        Backoff(base_s=2, max_s=1)


def closed(received: int | None, sent: int | None, *, received_first: bool | None = None) -> ConnectionClosedError:
    frames = [None if code is None else Close(code, "") for code in (received, sent)]
    return ConnectionClosedError(*frames, received_first)


@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (closed(None, None), 0.0),
        (closed(1012, 1012, received_first=True), 0.0),
        (closed(1008, 1008, received_first=True), 10.0),
        (closed(1000, 1009, received_first=False), 10.0),
        (closed(None, 1009), 10.0),
        (closed(1011, None), 1.0),
        (closed(4999, None), 0.0),
        (InvalidStatus(Response(503, "", None)), 1.0),  # type: ignore[arg-type]
        (InvalidStatus(Response(404, "", None)), 10.0),  # type: ignore[arg-type]
        (MirrorError(), 1.0),
        (LoginDeferredError(), 1.0),
        (SilentServerError(), 0.0),
        (ConnectionRefusedError(), 0.0),
    ],
)
def test_every_ending_has_its_pause(error: Exception, pause_s: float) -> None:
    assert pause_after(error) == pause_s


# Messages.


def ordered(**changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "user": "alice",
        "order_id": "o1",
        "instrument_id": "SHFE.cu2701",
        "direction": "BUY",
        "offset": "OPEN",
        "volume": 1,
        "price": 48000.5,
        "time_condition": None,
        "volume_condition": "ANY",
    }
    return order_message(**(arguments | changes))


def test_an_order_with_a_price_is_limited_and_one_without_takes_any() -> None:
    limited, free = ordered(time_condition="IOC"), ordered(price=None)
    assert (limited["price_type"], limited["limit_price"], limited["time_condition"]) == ("LIMIT", 48000.5, "IOC")
    assert (limited["exchange_id"], limited["instrument_id"]) == ("SHFE", "cu2701")
    assert free["price_type"] == "ANY"
    assert "limit_price" not in free
    assert "time_condition" not in free


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"instrument_id": "cu2701"}, "lacks its exchange"),
        ({"direction": "buy"}, "direction is 'buy': give one of BUY, SELL"),
        ({"offset": "CLOSE_TODAY"}, "OPEN, CLOSE, CLOSETODAY"),
        ({"time_condition": "GTC"}, "GFD, IOC"),
        ({"volume_condition": "SOME"}, "ANY, ALL"),
        ({"volume": 0}, "1 lot or more"),
        ({"volume": True}, "1 lot or more"),
        ({"volume": 1.5}, "no whole number of lots"),
        ({"price": float("nan")}, "no number that can be sent"),
        ({"price": float("inf")}, "no number that can be sent"),
        ({"order_id": ""}, "1 to 128 characters"),
        ({"order_id": "x" * 129}, "1 to 128 characters"),
        ({"order_id": "~1"}, "begins with ~"),
    ],
)
def test_what_no_exchange_would_read_is_not_sent(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says):
        ordered(**changes)


def test_numbers_of_pandas_can_be_sent() -> None:
    numpy = pytest.importorskip("numpy")
    message = ordered(volume=numpy.int64(3), price=numpy.float64(3600.5))
    assert (type(message["volume"]), type(message["limit_price"])) == (int, float)


def test_a_password_does_not_show() -> None:
    assert "secret" not in repr(Credentials(user="alice", password="secret", login_by="password", tls=None))


# Rows.


def test_a_row_without_a_promised_field_is_none() -> None:
    names = {"volume": "volume_orign", "inserted_at_ms": "insert_date_time"}
    row = order_row("o1", 3)
    order = read_row(Order, row, names)
    assert order is not None
    assert (order.volume, order.volume_filled, order.is_finished) == (2, 0, False)
    for field in row.keys() - {"limit_price", "user_id", "exchange_trade_id"}:
        assert read_row(Order, {key: row[key] for key in row if key != field}, names) is None, field
        assert read_row(Order, row | {field: ["wrong"]}, names) is None, field
    assert read_row(Order, "no row", names) is None
    free = read_row(Order, {key: row[key] for key in row if key != "limit_price"}, names)
    assert free is not None
    assert free.limit_price is None


def test_a_quote_has_as_many_levels_as_there_are() -> None:
    static = {"instrument_id": "a", "exchange_id": "b", "price_tick": 1.0, "price_decs": 0, "volume_multiple": 10}
    wire = static | {"bid_price1": 99.0, "bid_volume1": 3, "bid_price2": 98.0, "bid_volume2": 1, "ask_price1": "wrong"}
    quote = read_quote(wire)
    assert isinstance(quote, Quote)
    assert (quote.bids, quote.best_bid) == ((Level(99.0, 3), Level(98.0, 1)), 99.0)
    assert (quote.asks, quote.best_ask, quote.last_price) == ((), None, None)
    assert read_quote({"last_price": 1.0}) is None
    assert read_quote(None) is None


# Notices.

BUSY = {"type": "MESSAGE", "level": "ERROR", "code": 5001, "content": "busy"}


def test_notices_are_read_in_order_and_nonsense_is_left_out() -> None:
    frame = step({"notify": {"1": BUSY}}, {"notify": None}, {"notify": {"2": None, "3": {"code": "x"}, "4": 7}}, {})
    assert notices_in(frame | {"data": [*frame["data"], {"notify": {"5": BUSY | {"code": 6000}}}]}) == [
        Notice("1", "ERROR", 5001, "busy"),
        Notice("5", "ERROR", 6000, "busy"),
    ]


async def test_every_reader_has_all_notices_up_to_a_bound() -> None:
    failures: list[Exception] = []
    heard: list[int] = []
    board = NoticeBoard(3, failures.append)
    fast, slow = board.read(), board.read()
    board.on_notice(lambda _: [].pop())
    off = board.on_notice(lambda notice: heard.append(notice.code))
    waiting = asyncio.create_task(anext(fast))
    await asyncio.sleep(0)
    board.take([Notice("auth_result", "INFO", 1000, "in")])
    assert (await waiting).code == 1000
    assert board.last is None, "the answer to a login is no news"
    board.take([Notice(f"{n}", "INFO", n, "") for n in range(3)])
    off()
    board.take([Notice("3", "INFO", 3, "")])
    off()
    board.close(None)
    assert [notice.code async for notice in slow] == [1, 2, 3], "the oldest made room"
    assert heard == [1000, 0, 1, 2]
    assert len(failures) == 5
    assert board.last == Notice("3", "INFO", 3, "")


async def test_a_reader_that_nobody_holds_costs_nothing() -> None:
    board = NoticeBoard(3, print)
    reader = board.read()
    assert len(board._readers) == 1
    del reader
    gc.collect()
    assert len(board._readers) == 0

"""Orders over REST: the rules, words and outcomes of a conversation, answered once they are durable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from eventstore.model import OutcomeUnknownError
from exchange.domain.commands import InsertOrder
from exchange.domain.values import InstrumentId, Lots, OrderId, Price
from exchange.domain.words import Direction, PositionEffect, PriceType, TimeCondition, VolumeCondition
from exchange.gateway.access import Role
from projections.user_view import HISTORY_MAX
from tests.support.rest import API, INSTRUMENT, Json, Rest, error_of, order, serving_rest, status_and_reason

ORDERS = f"{API}/orders"
TRADES = f"{API}/trades"


@pytest.fixture
async def bob(rest: Rest) -> httpx.AsyncClient:
    return await rest.user("bob")


async def send(client: httpx.AsyncClient, body: Json) -> Json:
    answer = await client.post(ORDERS, json=body)
    assert answer.status_code == 201, answer.text
    sent: Json = answer.json()
    return sent


async def listed(client: httpx.AsyncClient, path: str = ORDERS, **query: Any) -> Json:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return page


def ids(page: Json) -> list[str]:
    return [each["order_id"] for each in page["orders"]]


# --- Sending ----------------------------------------------------------------------------------------------------------


async def test_an_order_is_answered_as_it_stands_once_it_is_durable(rest: Rest, ann: httpx.AsyncClient) -> None:
    sent = await send(ann, order("o-1", volume=3))
    assert sent["seqno"] <= rest.exchange.store.head.log_seq
    assert (sent["status"], sent["volume_orign"], sent["volume_left"]) == ("ALIVE", 3, 3)
    assert sent["last_msg"] == "Working"


async def test_an_order_that_meets_another_is_answered_with_what_it_filled(
    ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    await send(ann, order("ask", "SELL", volume=2))
    filled = await send(bob, order("bid", "BUY", volume=5))
    assert (filled["status"], filled["volume_left"]) == ("PARTIALLY_FILLED", 3)


async def test_an_order_without_an_id_gets_one_of_the_exchange(ann: httpx.AsyncClient) -> None:
    body = order("")
    del body["order_id"]
    first, second = await send(ann, body), await send(ann, body)
    assert first["order_id"] != second["order_id"]
    assert first["order_id"].startswith("~")


async def test_a_repeated_order_gets_its_first_outcome(ann: httpx.AsyncClient) -> None:
    sent = await send(ann, order("o-1"))
    again = await ann.post(ORDERS, json=order("o-1"))
    assert (again.status_code, again.json()) == (200, sent)
    assert ids(await listed(ann)) == ["o-1"]


async def test_a_repeated_refusal_is_told_as_the_order_that_it_was(ann: httpx.AsyncClient) -> None:
    assert (await ann.post(ORDERS, json=order("o-1", price=1))).status_code == 409
    again = await ann.post(ORDERS, json=order("o-1", price=1))
    assert (again.status_code, again.json()["status"]) == (200, "REJECTED")


async def test_an_id_of_another_order_is_refused(ann: httpx.AsyncClient) -> None:
    await send(ann, order("o-1"))
    answer = await ann.post(ORDERS, json=order("o-1", volume=2))
    assert status_and_reason(answer) == (409, "DUPLICATE_ORDER_ID")
    assert error_of(answer)["code"] == 2011


async def test_a_refusal_tells_its_figures_in_yuan(ann: httpx.AsyncClient) -> None:
    answer = await ann.post(ORDERS, json=order("o-1", volume=400))
    assert status_and_reason(answer) == (409, "FUNDS")
    told = error_of(answer)
    assert told["code"] == 2001
    assert told["details"] == {"needed": "1153440", "available": "1000000", "order_id": "o-1"}
    assert "1153440" in told["content"]


async def test_the_log_has_the_command_as_it_came(rest: Rest, ann: httpx.AsyncClient) -> None:
    await send(ann, order("o-1"))
    await ann.delete(f"{ORDERS}/o-1")
    user = await rest.exchange.users.find("ann")
    assert user is not None
    *_, inserted, cancelled = rest.exchange.store.read()
    for entry, kind in ((inserted, "InsertOrder"), (cancelled, "CancelOrder")):
        assert (entry.type, entry.actor, entry.client_id, entry.origin) == (kind, user.account_id, "o-1", "rest")


@pytest.mark.parametrize(
    ("change", "code", "what"),
    [
        ({"direction": "UP"}, 4003, "direction"),
        ({"offset": "OPNE"}, 4003, "offset"),
        ({"volume": "3"}, 4003, "volume"),
        ({"volume": 2**40}, 4003, "volume"),
        ({"limit_price": 1e300}, 4003, "limit_price"),
        ({"price_type": "ANY"}, 4003, "limit_price"),
        ({"order_id": "x" * 129}, 4003, "order_id"),
        ({"order_id": "~1"}, 4003, "order_id"),
        ({"exchange_id": "DCE"}, 4003, "exchange_id"),
        ({"aid": "cancel_order"}, 4003, "aid"),
    ],
)
async def test_what_is_no_order_is_told_and_leaves_no_trace(
    rest: Rest, ann: httpx.AsyncClient, change: Json, code: int, what: str
) -> None:
    head = rest.exchange.sequencer.durable_log_seq
    answer = await ann.post(ORDERS, json=order("o-1") | change)
    assert (answer.status_code, error_of(answer)["code"]) == (422, code)
    assert what in error_of(answer)["content"]
    assert rest.exchange.sequencer.durable_log_seq == head


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b"\xff", b'{"a":' * 100, b'{"order_id":"\xff"}', b"{}"])
async def test_a_body_that_is_no_object_is_told(ann: httpx.AsyncClient, content: bytes) -> None:
    answer = await ann.post(ORDERS, content=content)
    assert (answer.status_code, error_of(answer)["code"]) in {(422, 4001), (422, 4003)}


@pytest.mark.parametrize("field", ["user_id", "account_id"])
async def test_an_order_that_names_another_user_is_nobodys(
    rest: Rest, ann: httpx.AsyncClient, bob: httpx.AsyncClient, field: str
) -> None:
    named = {"user_id": "bob", "account_id": (await rest.exchange.operator.users())[1].account_id}[field]
    answer = await ann.post(ORDERS, json=order("o-1", **{field: named}))
    assert (answer.status_code, error_of(answer)["code"]) == (403, 1003)
    assert ids(await listed(bob)) == ids(await listed(ann)) == []


async def test_a_token_that_is_revoked_while_the_order_comes_in_sends_nothing(
    rest: Rest, ann: httpx.AsyncClient
) -> None:
    nobody = await rest.client()
    body = orjson.dumps(order("o-1"))

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:5]
        for _ in range(3):  # so that the head has been read for long
            await nobody.get("/healthz")
        await rest.exchange.operator.set_password("ann", "another")
        yield body[5:]

    assert (await ann.post(ORDERS, content=slowly())).status_code == 401
    assert ids(await listed(await rest.login("ann"))) == []


async def test_a_suspended_account_sends_nothing_and_may_cancel(rest: Rest, ann: httpx.AsyncClient) -> None:
    await send(ann, order("o-1"))
    await rest.exchange.operator.suspend("ann", "")
    assert status_and_reason(await ann.post(ORDERS, json=order("o-2"))) == (409, "SUSPENDED")
    assert (await ann.delete(f"{ORDERS}/o-1")).json()["status"] == "CANCELLED"


async def test_an_order_whose_commit_fails_has_an_outcome_that_nobody_knows(
    rest: Rest, ann: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutcomeUnknownError("the disk is gone")

    monkeypatch.setattr(rest.exchange.store, "append", fail)
    answer = await ann.post(ORDERS, json=order("o-1"))
    assert status_and_reason(answer) == (503, "OUTCOME_UNKNOWN")
    assert error_of(answer)["code"] == 5004
    assert status_and_reason(await ann.post(ORDERS, json=order("o-2"))) == (503, "NOT_READY")


async def test_a_busy_exchange_takes_no_order_and_still_a_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_rest(tmp_path, commands_max=2, cancel_reserve=1) as rest:
        ann = await rest.user("ann")
        await send(ann, order("resting", price=3500))
        append, may_commit = rest.exchange.store.append, threading.Event()

        def append_late(*arguments: Any, **named: Any) -> Any:
            assert may_commit.wait(30)
            return append(*arguments, **named)

        monkeypatch.setattr(rest.exchange.store, "append", append_late)
        waiting = asyncio.create_task(ann.post(ORDERS, json=order("waits")))
        while not rest.exchange.sequencer.waiting:
            await ann.get("/healthz")
        answer = await ann.post(ORDERS, json=order("refused"))
        cancelled = asyncio.create_task(ann.delete(f"{ORDERS}/resting"))
        while rest.exchange.sequencer.waiting < 2:
            await ann.get("/healthz")
        may_commit.set()
        assert (status_and_reason(answer), error_of(answer)["code"]) == ((503, "BUSY"), 5001)
        assert (await waiting).status_code == 201
        assert (await cancelled).json()["status"] == "CANCELLED"
        assert "refused" not in ids(await listed(ann))


# --- Cancelling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order_id", ["o-1", "a/b", "第一", "a b?c#d", "..", "%2F"])
async def test_a_cancel_is_answered_with_the_order_as_it_then_is(ann: httpx.AsyncClient, order_id: str) -> None:
    await send(ann, order(order_id))
    path = "".join(f"%{byte:02X}" for byte in order_id.encode())
    answer = await ann.delete(f"{ORDERS}/{path}")
    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    assert answer.json()["order_id"] == order_id


async def test_a_finished_order_cannot_be_cancelled(ann: httpx.AsyncClient) -> None:
    await send(ann, order("o-1"))
    await ann.delete(f"{ORDERS}/o-1")
    answer = await ann.delete(f"{ORDERS}/o-1")
    assert status_and_reason(answer) == (409, "ORDER_FINISHED")
    assert error_of(answer)["details"] == {"order_id": "o-1", "status": "CANCELLED"}


async def test_an_order_of_another_user_is_unknown_like_one_that_never_was(
    ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    await send(ann, order("o-1"))
    others, nobodys = await bob.delete(f"{ORDERS}/o-1"), await bob.delete(f"{ORDERS}/o-2")
    assert status_and_reason(others) == status_and_reason(nobodys) == (404, "UNKNOWN_ORDER")
    assert others.text.replace("o-1", "o-2") == nobodys.text
    assert ids(await listed(ann, status="open")) == ["o-1"]


# --- Lists ------------------------------------------------------------------------------------------------------------


async def test_lists_have_what_was_asked_for(ann: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    await send(bob, order("b", "SELL", volume=1))
    await send(ann, order("filled"))
    await send(ann, order("working", price=3500))
    await send(ann, order("elsewhere", instrument_id="SHFE.cu2701", price=47000))
    await send(ann, order("cancelled", price=3500))
    await ann.delete(f"{ORDERS}/cancelled")
    await ann.post(ORDERS, json=order("refused", price=1))
    assert ids(await listed(ann)) == ["refused", "cancelled", "elsewhere", "working", "filled"]
    assert ids(await listed(ann, status="open")) == ["elsewhere", "working"]
    assert ids(await listed(ann, status="finished")) == ["refused", "cancelled", "filled"]
    assert ids(await listed(ann, status="REJECTED")) == ["refused"]
    assert ids(await listed(ann, instrument_id="SHFE.cu2701")) == ["elsewhere"]
    assert ids(await listed(ann, instrument_id="SHFE.cu2701", status="FILLED")) == []
    trades = await listed(ann, TRADES)
    assert [trade["order_id"] for trade in trades["trades"]] == ["filled"]
    assert (await listed(ann, TRADES, instrument_id="SHFE.cu2701"))["trades"] == []


async def test_pages_go_on_where_they_ended_whatever_came_meanwhile(ann: httpx.AsyncClient) -> None:
    for number in range(5):
        await send(ann, order(f"{number}", price=3500))
    first = await listed(ann, limit=2)
    await send(ann, order("new", price=3500))
    await ann.delete(f"{ORDERS}/1")
    second = await listed(ann, limit=2, cursor=first["next_cursor"])
    third = await listed(ann, limit=2, cursor=second["next_cursor"])
    assert [*ids(first), *ids(second), *ids(third)] == ["4", "3", "2", "1", "0"]
    assert third["next_cursor"] is None
    assert second["orders"][1]["status"] == "CANCELLED"


async def test_both_sides_of_a_trade_with_oneself_survive_a_page_between_them(ann: httpx.AsyncClient) -> None:
    await send(ann, order("ask", "SELL"))
    await send(ann, order("bid", "BUY"))
    first = await listed(ann, TRADES, limit=1)
    second = await listed(ann, TRADES, limit=1, cursor=first["next_cursor"])
    assert {page["trades"][0]["trade_id"] for page in (first, second)} == {"1B", "1S"}
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"status": "DEAD"}, {"cursor": "x"}, {"cursor": "-1"}]
)
async def test_a_list_that_cannot_be_is_told(ann: httpx.AsyncClient, query: Json) -> None:
    assert status_and_reason(await ann.get(ORDERS, params=query)) == (422, "INVALID")


async def test_the_first_outcome_of_an_order_that_left_the_view_is_found_in_the_log(
    rest: Rest, ann: httpx.AsyncClient
) -> None:
    sent = await send(ann, order("first", price=3500))
    await ann.delete(f"{ORDERS}/first")
    user = await rest.exchange.users.find("ann")
    assert user is not None
    refused = InsertOrder(
        account_id=user.account_id,
        order_id=OrderId(""),
        instrument_id=InstrumentId(INSTRUMENT),
        direction=Direction.BUY,
        effect=PositionEffect.OPEN,
        lots=Lots(0),
        price_type=PriceType.LIMIT,
        limit_price=Price(1),
        time_condition=TimeCondition.GFD,
        volume_condition=VolumeCondition.ANY,
    )
    desk = rest.exchange.desk
    await asyncio.gather(*(desk.begin(refused, actor="test", origin="test") for _ in range(HISTORY_MAX + 1)))
    assert "first" not in rest.exchange.publisher.projections.user(user.account_id).rows
    again = await ann.post(ORDERS, json=order("first", price=3500))
    assert (again.status_code, again.json()["seqno"], again.json()["status"]) == (200, sent["seqno"], "CANCELLED")


# --- Positions and account --------------------------------------------------------------------------------------------


async def test_every_figure_is_that_of_the_view(ann: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    await send(bob, order("b", "SELL", volume=2))
    await send(ann, order("a", volume=3))
    tree = (await ann.get(f"{API}/users/ann/snapshot")).json()["snapshot"]["trade"]["ann"]
    assert (await ann.get(f"{API}/account")).json()["account"] == tree["accounts"]["CNY"]
    assert (await ann.get(f"{API}/positions")).json()["positions"] == tree["positions"]
    assert {each["order_id"]: each for each in (await listed(ann))["orders"]} == tree["orders"]
    assert {each["trade_id"]: each for each in (await listed(ann, TRADES))["trades"]} == tree["trades"]


async def test_answers_tell_the_place_in_the_log_that_they_are_of(rest: Rest, ann: httpx.AsyncClient) -> None:
    await send(ann, order("o-1"))
    for path in ("orders", "trades", "positions", "account"):
        assert (await listed(ann, f"{API}/{path}"))["version"] == rest.exchange.sequencer.durable_log_seq


async def test_who_has_no_account_is_told(rest: Rest) -> None:
    observer = await rest.user("olga", Role.OBSERVER)
    answer = await observer.get(f"{API}/account")
    assert (answer.status_code, error_of(answer)["code"]) == (404, 2201)
    assert (await listed(observer))["orders"] == []
    assert (await listed(observer, f"{API}/positions"))["positions"] == {}

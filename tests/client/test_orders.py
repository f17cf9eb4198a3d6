"""An order's life as its client sees it: answered, finished, gone, cancelled, pruned."""

from __future__ import annotations

import pytest

from exchange.client import (
    ClientOptions,
    InvalidRequestError,
    NotInTimeError,
    OrderGoneError,
    OutcomeUnknownError,
    TooManyOrdersError,
)
from exchange.client.changes import Tree
from tests.client.clients import Clock, make_client
from tests.client.fake_exchange import FakeExchange, Trouble, fake_exchange
from tests.client.steps import order_row, own, trade_row

RB = "SHFE.rb2701"


def rests(exchange: FakeExchange) -> None:
    """Orders are not filled at once."""
    exchange.outcome = "ALIVE"


async def test_a_handle_shows_the_order_from_before_the_answer_to_the_end() -> None:
    async with fake_exchange(set_up=rests) as exchange, make_client(exchange.url) as client:
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600, order_id="mine")
        assert (order.order_id, order.order, order.status, order.is_finished) == ("mine", None, None, False)
        assert repr(order) == "OrderHandle('mine', status=None)"
        assert (await order.acknowledged()).status == "ALIVE"
        assert order.status == "ALIVE"
        with pytest.raises(NotInTimeError, match=r"the order mine is not finished in time: .* has version 1"):
            await order.finished(0.01)
        await exchange.change(own(orders={"mine": {"status": "PARTIALLY_FILLED", "volume_left": 1}}))
        await client.wait_for(lambda _: order.status == "PARTIALLY_FILLED")
        await client.cancel("mine")
        assert (await order.finished()).status == "CANCELLED"
        assert order.is_finished


async def test_a_refused_order_is_an_order_and_no_exception() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        exchange.outcome = "REJECTED"
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600, wait=True)
        assert (order.status, (await order.finished()).last_msg) == ("REJECTED", "rejected")


def not_taken(order_id: str, aid: str = "insert_order", code: int = 5001) -> Tree:
    """A notice that the exchange did not take this message of an order."""
    notice = {"type": "MESSAGE", "level": "ERROR", "code": code, "content": "busy", "aid": aid, "order_id": order_id}
    return {"notify": {f"{aid} {order_id} {code}": notice}}


def deaf_to_o1(exchange: FakeExchange) -> None:
    """The exchange does nothing about an order o1."""
    exchange.taken["o1"] = 1


async def test_an_order_that_was_not_even_taken_is_refused_too() -> None:
    """It is in no picture: the handle tells it from the notice, and the order can be sent again as if it never was."""
    async with fake_exchange(set_up=deaf_to_o1) as exchange, make_client(exchange.url) as client:
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600, order_id="o1")
        await exchange.change(not_taken("o1"))
        refused = await order.finished()
        assert (refused.status, refused.last_msg, refused.instrument_id) == ("REJECTED", "busy", RB)
        assert (refused.volume_left, refused.limit_price, refused.time_condition) == (2, 3600, "GFD")
        assert order.refusal is not None
        assert (order.refusal.code, order.refusal.content) == (5001, "busy")
        assert client.order("o1") is None
        exchange.taken.clear()
        await order.send_again()
        assert (order.refusal, order.status) == (None, None)
        assert (await order.finished()).status == "FILLED"


async def test_notices_of_other_messages_refuse_no_order() -> None:
    async with fake_exchange(set_up=deaf_to_o1) as exchange, make_client(exchange.url) as client:
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600, order_id="o1")
        await exchange.change(not_taken("o1", "cancel_order"))
        await exchange.change(not_taken("o2"))
        odd = {"type": "MESSAGE", "level": "ERROR", "code": 5001, "content": "", "aid": {}, "order_id": {"o1": 1}}
        await exchange.change({"notify": {"odd": odd}})
        with pytest.raises(NotInTimeError):
            await order.acknowledged(0.01)
        await exchange.change(own(orders={"o1": order_row("o1", 9, "ALIVE")}))
        assert (await order.acknowledged()).status == "ALIVE"
        await exchange.change(not_taken("o1"))
        await client.wait_for(lambda now: now.version == exchange.version)
        assert (order.status, order.refusal) == ("ALIVE", None), "it was answered before"


async def test_an_order_sent_again_after_a_cut_and_not_taken_then_may_have_been_taken_before() -> None:
    async with fake_exchange(set_up=deaf_to_o1) as exchange, make_client(exchange.url) as client:
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600, order_id="o1")
        await exchange.until(lambda: len(exchange.messages("insert_order")) == 1)
        exchange.connections[0].transport.abort()
        await exchange.until(lambda: len(exchange.messages("insert_order")) == 2)
        await exchange.change(not_taken("o1"))
        with pytest.raises(OutcomeUnknownError, match=r"not taken then \(code 5001\): busy"):
            await order.acknowledged()
        await exchange.change(own(orders={"o1": order_row("o1", 9, "ALIVE")}))
        await client.wait_for(lambda now: now.order("o1"))
        assert (await order.acknowledged()).status == "ALIVE"


async def test_ids_are_made_before_sending_and_differ() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as one, make_client(exchange.url) as two:
        ids = [(await client.insert(RB, "BUY", "OPEN", 1, 3600)).order_id for client in (one, one, two, two)]
        assert len(set(ids)) == 4
        with pytest.raises(InvalidRequestError):
            await one.insert(RB, "BUY", "OPEN", 0, 3600)


async def test_an_order_that_leaves_the_picture_unseen_is_gone() -> None:
    async with fake_exchange(set_up=rests) as exchange, make_client(exchange.url) as client:
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600, wait=True)
        await exchange.change(own(orders={order.order_id: None}))
        with pytest.raises(OrderGoneError, match="has left the picture before its end was seen"):
            await order.finished()
        assert order.status == "ALIVE", "as it was last seen"


async def test_orders_that_were_never_answered_make_room_when_they_are_old() -> None:
    """The exchange was busy and did not take them, which only a notice says."""
    clock = Clock()
    options = {"underway_max": 2, "resend_within_s": 5.0}
    async with (
        fake_exchange(set_up=lambda exchange: exchange.taken.update(["o1", "o2"])) as exchange,
        make_client(exchange.url, options=options, clock=clock) as client,
    ):
        lost = [await client.insert(RB, "BUY", "OPEN", 1, 3600, order_id=each) for each in ("o1", "o2")]
        clock.now = 5.5
        assert (await client.insert(RB, "BUY", "OPEN", 1, 3600, wait=True)).status == "FILLED"
        for order in lost:
            with pytest.raises(OutcomeUnknownError, match="has not answered the order"):
                await order.acknowledged()


async def test_orders_that_wait_for_an_answer_are_bounded() -> None:
    def deaf(exchange: FakeExchange) -> None:
        exchange.taken.update(["o1", "o2", "o3"])  # counted as taken, and never shown

    options = {"underway_max": 2}
    async with fake_exchange(set_up=deaf) as exchange, make_client(exchange.url, options=options) as client:
        handles = [await client.insert(RB, "BUY", "OPEN", 1, 3600, order_id=each) for each in ("o1", "o2")]
        with pytest.raises(TooManyOrdersError, match="2 orders wait"):
            await client.insert(RB, "BUY", "OPEN", 1, 3600, order_id="o3")
        await handles[0].send_again()
        await client.cancel("o1")
        await client.cancel("o2")
        with pytest.raises(TooManyOrdersError, match="2 cancels"):
            await client.cancel("o3")


async def test_a_cancel_of_an_unknown_order_is_forgotten_with_the_next_step() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url, options={"underway_max": 1}) as client:
        for order_id in ("a", "b", "c"):
            await client.cancel(order_id)
            await client.wait_for(lambda now, order_id=order_id: order_id in now.tree["trade"]["alice"]["orders"])
        sent = [message["order_id"] for message in exchange.received[0] if message["aid"] == "cancel_order"]
    assert sent == ["a", "b", "c"], "there is room for one: any that was kept would have kept the next one out"


async def test_an_order_sent_again_by_hand_is_taken_once() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600)
        await order.send_again()
        await order.finished()
        await order.send_again()
        assert exchange.taken == {order.order_id: 1}


async def test_a_pruned_client_still_sees_the_end_of_its_own_orders() -> None:
    """Ten orders are filled in one step while the mirror keeps one."""
    options = {"finished_orders_max": 1, "trades_max": 1}
    async with fake_exchange(set_up=rests) as exchange, make_client(exchange.url, options=options) as client:
        orders = [await client.insert(RB, "BUY", "OPEN", 2, 3600) for _ in range(10)]
        for order in orders:
            await order.acknowledged()
        filled = {order.order_id: {"status": "FILLED", "volume_left": 0} for order in orders}
        trades = {f"{n}B": trade_row(f"{n}B", n, order.order_id) for n, order in enumerate(orders)}
        await exchange.change(own(orders=filled, trades=trades))
        assert [(await order.finished()).status for order in orders] == ["FILLED"] * 10
        await exchange.change(own(orders={"other": order_row("other", 99)}))
        await client.wait_for(lambda now: now.order("other"))
        assert client.orders.keys() == {"other", orders[-1].order_id}
        assert client.trades.keys() == {"9B"}
        assert orders[0].status == "FILLED", "the handle keeps what the mirror does not"
        exchange.connections[0].transport.abort()
        await client.wait_for(lambda _: client.resumes == 1)
        assert client.full_steps == 1


def test_a_bound_below_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match="trades_max is -1"):
        make_client("ws://a", options={"trades_max": -1})
    with pytest.raises(ValueError, match="finished_orders_max is -2"):
        make_client("ws://a", options={"finished_orders_max": -2})
    assert ClientOptions().trades_max is None


async def test_notices_do_not_pile_up_in_the_mirror() -> None:
    async with fake_exchange(Trouble()) as exchange, make_client(exchange.url) as client:
        many = {f"n{n}": {"type": "MESSAGE", "level": "INFO", "code": 6000, "content": f"{n}"} for n in range(250)}
        await exchange.change({"notify": many})
        await client.wait_for(lambda now: now.version == 1)
        assert list(client.picture.tree["notify"]) == [f"n{n}" for n in range(150, 250)]

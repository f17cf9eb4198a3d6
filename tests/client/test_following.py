"""Coming back: whatever ends a connection, the mirror is led on, orders are taken once, and nobody is hammered."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from exchange.client import Client, ClosedError, LoginError, NotConnectedError, NotInTimeError, OutcomeUnknownError
from projections.merge_patch import same_json
from tests.client.clients import Clock, Sleeps, make_client
from tests.client.fake_exchange import LOGIN_OK, USER, FakeExchange, Trouble, fake_exchange, refusal
from tests.client.steps import full, order_row, own, step

RB = "SHFE.rb2701"
CANARY = "canary-password"


def is_up_to_date(exchange: FakeExchange) -> Any:
    """A condition: the picture is the server's present one."""
    return lambda now: now.version == exchange.version


async def test_a_client_follows_with_one_peek_at_a_time() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        assert client.is_connected
        for number in range(20):
            await exchange.change(own(orders={f"o{number}": order_row(f"o{number}", number)}))
        await client.wait_for(is_up_to_date(exchange))
        assert client.picture.tree["trade"] == exchange.picture["trade"]
        assert client.orders["o7"].seqno == 7
        assert exchange.max_peeks == 1
        assert (client.full_steps, client.resumes) == (1, 0)
        assert len(exchange.messages("peek_message")) <= 21


@pytest.mark.parametrize("cut_after", range(1, 14))
async def test_a_line_cut_after_any_message_does_no_harm(cut_after: int) -> None:
    """Message by message of a whole story: login, answer, subscription, order, peeks and steps; cut there two times."""
    async with (
        fake_exchange(Trouble(cut_after=cut_after), Trouble(cut_after=cut_after)) as exchange,
        make_client(exchange.url) as client,
    ):
        await client.subscribe(RB)
        orders = [await client.insert(RB, "BUY", "OPEN", 2, 3600) for _ in range(3)]
        finished = [await order.finished() for order in orders]
        await client.wait_for(lambda now: "ins_list" in now.tree)
        assert [order.status for order in finished] == ["FILLED"] * 3
        assert dict(exchange.taken) == {order.order_id: 1 for order in orders}, "each was taken exactly once"
        assert same_json(client.picture.tree["trade"], exchange.picture["trade"])
        assert client.picture.tree["quotes"][RB]["last_price"] == 3600.0
        assert client.full_steps == 1 or cut_after <= 2, "a mirror that had a picture is led on from it"
        assert exchange.max_peeks == 1


async def test_the_client_comes_back_with_its_version_and_asks_again_for_what_it_wants() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        await client.subscribe(RB, "SHFE.cu2701")
        await client.unsubscribe("SHFE.cu2701")
        await client.wait_for(lambda now: now.tree.get("ins_list") == RB)
        before = client.version
        exchange.connections[0].transport.abort()
        await client.wait_for(lambda now: client.resumes == 1 and now.tree.get("ins_list") == RB)
        login = exchange.received[1][0]
        assert (login["version"], login["log_id"]) == (before, exchange.log_id)
        assert exchange.messages("subscribe_quote")[-1] == {"aid": "subscribe_quote", "ins_list": RB}


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_cancel_that_was_lost_is_sent_again_while_its_order_works(cancel_first: bool) -> None:
    def rests(exchange: FakeExchange) -> None:
        exchange.outcome = "ALIVE"

    async with fake_exchange(set_up=rests) as exchange, make_client(exchange.url) as client:
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600, wait=True)
        assert order.status == "ALIVE"
        if cancel_first:
            # The line is gone, which the client learns only after it has written the cancel.
            exchange.connections[0].transport.abort()
            await client.cancel(order)
        else:
            await order.cancel()
        assert (await order.finished()).status == "CANCELLED"
        await client.wait_for(is_up_to_date(exchange))
        exchange.connections[-1].transport.abort()
        await exchange.change(own(trades={}))
        await client.wait_for(is_up_to_date(exchange))
        assert len(exchange.messages("cancel_order")) == 1


async def test_an_order_that_is_too_old_is_not_sent_again_unasked() -> None:
    clock = Clock()
    trouble = Trouble(cut_after=3)  # login, answer, and the first message after it
    async with (
        fake_exchange(trouble) as exchange,
        make_client(exchange.url, clock=clock, options={"resend_within_s": 5.0}) as client,
    ):
        order = await client.insert(RB, "BUY", "OPEN", 2, 3600)
        clock.now = 5.5
        assert exchange.taken.total() == 0
        await client.until_connected()
        with pytest.raises(OutcomeUnknownError, match="call its `send_again`"):
            await order.acknowledged()
        assert order.order is None
        await order.send_again()
        assert (await order.finished()).status == "FILLED"
        assert exchange.taken == {order.order_id: 1}


# Servers that go away.


@pytest.mark.parametrize(
    ("code", "pause_s"), [(1012, 0.0), (1001, 0.0), (1011, 1.0), (1013, 1.0), (1008, 10.0), (1003, 10.0), (1009, 10.0)]
)
async def test_the_close_code_tells_how_long_to_stay_away(code: int, pause_s: float) -> None:
    sleeps = Sleeps()
    async with (
        fake_exchange(Trouble(close_after=(3, code))) as exchange,
        make_client(exchange.url, sleep=sleeps) as client,
    ):
        await client.wait_for(lambda _: client.resumes == 1)
        assert len(exchange.received) == 2
        assert pause_s <= sleeps.waits[0] <= pause_s + 0.2
        assert len(sleeps.waits) == 1


async def test_a_server_that_refuses_our_conduct_again_and_again_is_not_hammered() -> None:
    sleeps = Sleeps()
    troubles = [Trouble(close_after=(1, 1008)) for _ in range(5)]
    async with fake_exchange(*troubles) as exchange, make_client(exchange.url, sleep=sleeps):
        assert len(exchange.received) == 6
        assert all(wait >= 10 for wait in sleeps.waits)


async def test_a_silent_server_counts_as_cut() -> None:
    """From the third message on: the first peek is never answered."""
    patience = {"peek_timeout_s": 0.02, "peek_margin_s": 0.01}
    async with fake_exchange(Trouble(silent_after=3)) as exchange:
        await exchange.change(own(orders={"o1": order_row("o1", 1)}))
        async with make_client(exchange.url, options=patience) as client:
            await client.wait_for(lambda _: client.resumes >= 1)
            assert exchange.received[1][0]["version"] == 1


async def test_a_server_that_never_answers_the_login_is_left() -> None:
    async with (
        fake_exchange(Trouble(silent_after=0)) as exchange,
        make_client(exchange.url, options={"answer_timeout_s": 0.02}) as client,
    ):
        assert client.is_connected
        assert len(exchange.received) == 2


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"aid":"rtn_data","data":[1],"version":9}',
        '{"aid":"rtn_data","data":[{"trade":{"alice":{"orders":{"bad":{}}}}},null],"version":9}',
        '{"aid":"rtn_data","data":[],"version":-1}',
    ],
)
async def test_after_a_step_that_cannot_be_taken_the_client_starts_anew(text: str) -> None:
    """Nothing of the step is kept, and the mirror's place is not trusted any more."""
    sleeps = Sleeps()
    async with (
        fake_exchange(Trouble(instead={1: text})) as exchange,
        make_client(exchange.url, sleep=sleeps) as client,
    ):
        await exchange.change(own(orders={"o1": order_row("o1", 1)}))
        await client.wait_for(is_up_to_date(exchange))
        assert client.orders.keys() == {"o1"}
        assert "version" not in exchange.received[1][0]
        assert client.full_steps == 2
        assert sleeps.waits[0] >= 1.0


async def test_a_step_that_is_too_large_ends_the_connection() -> None:
    sleeps = Sleeps()
    large = '{"aid":"rtn_data","data":[{"x":"' + "y" * 10_000 + '"}]}'
    async with (
        fake_exchange(Trouble(instead={1: large})) as exchange,
        make_client(exchange.url, sleep=sleeps, options={"frame_max_bytes": 5_000}) as client,
    ):
        await exchange.change(own(orders={"o1": order_row("o1", 1)}))
        await client.wait_for(is_up_to_date(exchange))
        assert sleeps.waits[0] >= 10, "to ask at once would bring the same step"
        assert client.resumes == 1


async def test_other_frames_than_steps_are_passed_over() -> None:
    async with (
        fake_exchange(Trouble(instead={1: '{"aid":"pong"}'})) as exchange,
        make_client(exchange.url, options={"peek_timeout_s": 0.01, "peek_margin_s": 0.01}) as client,
    ):
        await exchange.change(own(orders={"o1": order_row("o1", 1)}))
        await client.wait_for(is_up_to_date(exchange))
        assert client.full_steps == 1


async def test_history_that_was_lost_starts_anew_with_a_warning() -> None:
    warning = {"notify": {"1.2.1": {"type": "MESSAGE", "level": "WARNING", "code": 1011, "content": "history differs"}}}
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        notices = client.notices()
        await exchange.change(own(orders={"o1": order_row("o1", 1, "FILLED")}))
        await client.wait_for(is_up_to_date(exchange))
        answer = full(LOGIN_OK, warning, own(orders={}), version=0, log_id="new.view")
        exchange.troubles = [Trouble(), Trouble(answer_login=answer)]
        exchange.pictures, exchange.version, exchange.log_id = {0: own(orders={})}, 0, "new.view"
        exchange.connections[0].transport.abort()
        await client.wait_for(lambda _: client.full_steps == 2)
        assert (client.version, client.orders, client.mirror.log_id) == (0, {}, "new.view")
        codes = [(await anext(notices)).code for _ in range(2)]
        assert codes == [1000, 1011]


# Logins.


async def test_a_wrong_password_ends_the_client_at_once() -> None:
    sleeps = Sleeps()
    async with fake_exchange(set_up=lambda exchange: exchange.passwords.clear()) as exchange:
        client = make_client(exchange.url, sleep=sleeps)
        with pytest.raises(LoginError, match=r"login of 'alice' \(code 1001\)") as caught:
            await client.connect()
        assert caught.value.code == 1001
        with pytest.raises(LoginError):
            await client.insert(RB, "BUY", "OPEN", 1, 3600)
        with pytest.raises(LoginError):
            await client.connect()
        await client.close()
        assert sleeps.waits == []
        assert len(exchange.messages("req_login")) == 1, "no storm of tries"


async def test_a_password_that_is_wrong_by_now_ends_all_waits() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        notices = client.notices()
        waiting = asyncio.create_task(client.wait_for(lambda now: now.order("never")))
        await asyncio.sleep(0)
        exchange.passwords.clear()
        exchange.connections[0].transport.abort()
        with pytest.raises(LoginError):
            await waiting
        with pytest.raises(LoginError):
            await anext(notices)
        assert not client.is_connected


@pytest.mark.parametrize("code", [1010, 5001, 5005])
async def test_a_login_that_was_put_off_is_tried_again_later(code: int) -> None:
    sleeps = Sleeps()
    async with fake_exchange(Trouble(answer_login=refusal(code))) as exchange, make_client(exchange.url, sleep=sleeps):
        assert len(exchange.messages("req_login")) == 2
        assert sleeps.waits[0] >= 1.0


@pytest.mark.parametrize(
    "answer", [step(version=1), step(LOGIN_OK, own(orders={}), version=1, log_id="x")], ids=["no answer", "not full"]
)
async def test_an_answer_that_makes_no_sense_is_not_taken(answer: dict[str, Any]) -> None:
    async with fake_exchange(Trouble(answer_login=answer)) as exchange, make_client(exchange.url) as client:
        assert client.version == 0
        assert len(exchange.received) == 2


async def test_no_log_has_the_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("exchange.client.library").setLevel(logging.DEBUG)
    async with fake_exchange(Trouble(cut_after=3), set_up=lambda exchange: exchange.passwords.add(CANARY)) as exchange:
        client = Client(exchange.url, USER, CANARY, sleep=Sleeps())
        await client.connect()
        await client.wait_for(lambda _: client.resumes == 1)
        exchange.passwords.clear()
        exchange.connections[-1].transport.abort()
        with pytest.raises(LoginError) as caught:
            await client.wait_for(lambda now: now.order("never"))
        await client.close()
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    assert any("trying again" in each for each in told)
    assert CANARY not in "".join((*told, str(caught.value), repr(client.__dict__)))


# Addresses.


@pytest.fixture
def dead_urls() -> Iterator[list[str]]:
    """Addresses where nobody listens, and nobody else can for the time of the test."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        yield [f"ws://127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]


async def test_addresses_are_tried_in_turn_until_one_answers(dead_urls: list[str]) -> None:
    async with fake_exchange() as exchange, make_client(*dead_urls, exchange.url) as client:
        assert client.is_connected
        exchange.connections[0].transport.abort()
        await client.wait_for(lambda _: client.resumes == 1)
        assert len(exchange.received) == 2, "the address that was good is asked again first"


async def test_a_server_that_is_gone_is_replaced_by_the_next() -> None:
    async with fake_exchange() as second:
        async with fake_exchange() as first:
            client = make_client(first.url, second.url)
            await client.connect()
        await client.wait_for(lambda _: client.is_connected)
        assert len(second.received) == 1
        await client.close()


async def test_no_server_at_all_is_told_with_the_reason_and_tried_on(dead_urls: list[str]) -> None:
    client = make_client(*dead_urls)
    with pytest.raises(NotConnectedError, match=r"within 0\.05 s.*Nothing was sent"):
        await client.connect(0.05)
    with pytest.raises(NotConnectedError):
        await client.insert(RB, "BUY", "OPEN", 1, 3600, timeout_s=0.01)
    await client.close()
    with pytest.raises(ClosedError):
        await client.connect()


async def test_waits_grow_up_to_a_limit_until_a_step_was_good() -> None:
    sleeps = Sleeps()
    troubles = [Trouble(cut_after=1) for _ in range(12)]
    async with fake_exchange(*troubles) as exchange, make_client(exchange.url, sleep=sleeps) as client:
        assert len(sleeps.waits) == 12
        assert all(wait <= min(30, 0.2 * 2**number) for number, wait in enumerate(sleeps.waits))
        assert max(sleeps.waits) > 5, "they do grow"
        exchange.connections[-1].transport.abort()
        await client.wait_for(lambda _: client.resumes == 1)
        assert sleeps.waits[-1] <= 0.2


# The end.


async def test_closing_ends_every_wait() -> None:
    async with fake_exchange() as exchange:
        client = make_client(exchange.url)
        await client.connect()
        waiting = asyncio.create_task(client.wait_for(lambda now: now.order("never"), None))
        reading = asyncio.create_task(anext(client.notices()))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ClosedError):
            await waiting
        with pytest.raises(StopAsyncIteration):
            await reading
        await client.close()
        await exchange.connections[0].wait_closed()
        assert exchange.connections[0].close_code == 1000


async def test_an_error_of_the_clients_own_ends_it_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: float) -> None:
        raise ZeroDivisionError("no sleep")

    async with fake_exchange(Trouble(cut_after=3)) as exchange:
        client = make_client(exchange.url, sleep=broken)
        await client.connect()
        with pytest.raises(ClosedError, match="ZeroDivisionError"):
            await client.wait_for(lambda now: now.order("never"))
        await client.close()
    assert "has failed" in caplog.text


async def test_a_client_that_was_never_connected_says_so() -> None:
    client = make_client("ws://127.0.0.1:1")
    with pytest.raises(NotConnectedError, match="call `connect` first"):
        await client.insert(RB, "BUY", "OPEN", 1, 3600)
    await client.close()


async def test_a_wait_that_is_over_tells_how_things_are() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        busy = {"notify": {"1.1.1": {"type": "MESSAGE", "level": "ERROR", "code": 5001, "content": "busy"}}}
        await exchange.change(busy)
        await client.wait_for(is_up_to_date(exchange))
        with pytest.raises(NotInTimeError, match=r"is connected and has version 1; the last notice was 5001: busy"):
            await client.wait_for(lambda now: now.order("never"), 0.01)


async def test_a_conditions_error_is_its_waiters_alone() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        failing = asyncio.create_task(client.wait_for(lambda now: now.version == 1 and 1 // 0))
        waiting = asyncio.create_task(client.wait_for(lambda now: now.order("o1")))
        await asyncio.sleep(0)
        await exchange.change(own(orders={"o1": order_row("o1", 1)}))
        assert (await waiting).order_id == "o1"
        with pytest.raises(ZeroDivisionError):
            await failing


# Going back.


async def test_a_rollback_goes_back_and_is_led_on_again() -> None:
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        for number in range(1, 6):
            await exchange.change(own(orders={f"o{number}": order_row(f"o{number}", number)}))
            await client.wait_for(is_up_to_date(exchange))
        assert client.mirror.history == [0, 1, 2, 3, 4, 5]
        assert client.at(2).orders.keys() == {"o1", "o2"}
        await client.rollback(2)
        assert exchange.received[1][0]["version"] == 2
        assert same_json(client.picture.tree["trade"], exchange.picture["trade"])
        assert client.mirror.history == [0, 1, 2, 5]
        assert (client.full_steps, client.resumes) == (1, 1)


async def test_a_step_that_was_under_way_at_a_rollback_is_not_taken() -> None:
    """It leads on from the picture that was left."""
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        for number in range(1, 4):
            await exchange.change(own(orders={f"o{number}": order_row(f"o{number}", number)}))
            await client.wait_for(is_up_to_date(exchange))
        await exchange.until(lambda: len(exchange.messages("peek_message")) == 4)
        await exchange.change(own(orders={"o4": order_row("o4", 4)}))
        await client.rollback(1)
        assert exchange.received[1][0]["version"] == 1
        assert same_json(client.picture.tree["trade"], exchange.picture["trade"])


async def test_a_rollback_in_the_middle_of_coming_back_does_not_mix_two_pictures() -> None:
    """The answer to a login that named another version is not taken."""
    async with fake_exchange() as exchange, make_client(exchange.url) as client:
        for number in range(1, 4):
            await exchange.change(own(orders={f"o{number}": order_row(f"o{number}", number)}))
            await client.wait_for(is_up_to_date(exchange))
        exchange.troubles = [Trouble(), Trouble(silent_after=0)]
        exchange.connections[0].transport.abort()
        await exchange.until(lambda: len(exchange.messages("req_login")) == 2)
        await client.rollback(1)
        assert exchange.received[2][0]["version"] == 1
        assert same_json(client.picture.tree["trade"], exchange.picture["trade"])

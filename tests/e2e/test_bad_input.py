"""Whatever a client sends gets a clear answer, or a close code with a reason, and the exchange lives on.

A few of each kind over real sockets; the long tables are tested where no socket is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from exchange.server.app import Exchange
from tests.support.diff_client import DEADLINE_S, PASSWORD, DiffClient, Tree
from tests.support.running import running, url_of
from tests.support.ws import BINARY, TEXT, RawClient, client_frame, close_frame, frame_header, text

ORDER: Tree = {
    "aid": "insert_order",
    "user_id": "mallory",
    "order_id": "o1",
    "exchange_id": "SHFE",
    "instrument_id": "rb2701",
    "direction": "BUY",
    "offset": "OPEN",
    "volume": 1,
    "price_type": "LIMIT",
    "limit_price": 3600,
}


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with running(tmp_path) as exchange:
        yield exchange


@pytest.fixture
async def bystander(exchange: Exchange) -> AsyncIterator[DiffClient]:
    """Somebody who must not notice anything."""
    async with DiffClient.connect(url_of(exchange)) as client:
        await client.login("alice")
        yield client


class Mallory:
    """Sends anything, and takes what comes."""

    def __init__(self, raw: RawClient) -> None:
        self.raw = raw

    async def say(self, **message: Any) -> None:
        await self.raw.send(text(orjson.dumps(message).decode()))

    async def log_in(self, password: str = PASSWORD) -> Tree:
        """The answer to a login."""
        await self.say(aid="req_login", bid="qaexchange", user_name="mallory", password=password)
        return await self.hear()

    async def hear(self) -> Tree:
        async with asyncio.timeout(DEADLINE_S):
            frame: Tree = orjson.loads(await self.raw.read_text())
        return frame

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close frame that must come next."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.raw.read_close()

    async def notice_codes(self) -> list[int]:
        """The codes of the notices that the next step brings."""
        await self.say(aid="peek_message")
        step = await self.hear()
        return [notice["code"] for patch in step["data"] for notice in patch.get("notify", {}).values()]


@pytest.fixture
async def mallory(exchange: Exchange) -> AsyncIterator[Mallory]:
    async with await RawClient.open(exchange.port.port) as raw:
        yield Mallory(raw)


async def check_alive(bystander: DiffClient) -> None:
    """The exchange still trades for others."""
    await bystander.insert("after", "BUY", 3600)
    await bystander.until(lambda mirror: mirror.statuses() == {"after": "ALIVE"})
    assert bystander.mirror.codes == [], "what another one sent is none of this client's business"


@dataclass(frozen=True)
class Ends:
    """A frame that ends its connection."""

    what: str
    frame: bytes
    code: int
    reason: str


ENDINGS = [
    Ends("garbage", text("hello"), 1007, "not JSON"),
    Ends("cut-off JSON", text('{"aid":"peek_message"'), 1007, "not JSON"),
    Ends("NaN", text('{"aid":"insert_order","limit_price":NaN}'), 1007, "not JSON"),
    Ends("an array", text("[1,2]"), 1003, "not a JSON object"),
    Ends("a number", text("17"), 1003, "not a JSON object"),
    Ends("a binary frame", client_frame(BINARY, b'{"aid":"ping"}'), 1003, "binary frames are not accepted"),
    Ends("invalid UTF-8", client_frame(TEXT, b'{"aid":"\xff"}'), 1007, "not UTF-8"),
    Ends("half a surrogate", text('{"aid":"req_login","user_name":"\\ud800","password":"x"}'), 1007, "not JSON"),
    Ends("10 MB", frame_header(TEXT, 10_000_000) + bytes(10_000_004), 1009, "65536"),
    Ends("deep objects", text('{"a":' * 1000 + "1" + "}" * 1000), 1008, "nested deeper than 16"),
    Ends("deep arrays", text('{"a":' + "[" * 30_000 + "]" * 30_000 + "}"), 1008, "nested deeper than 16"),
    Ends("no mask", frame_header(TEXT, 2, mask_bit=0) + b"{}", 1002, "mask"),
    Ends("a reserved opcode", client_frame(0x3, b"{}"), 1002, "opcode"),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.what)
async def test_a_frame_that_is_no_message_ends_its_connection_with_a_reason(
    ending: Ends, mallory: Mallory, bystander: DiffClient
) -> None:
    await mallory.log_in()
    await mallory.raw.send(ending.frame)
    code, reason = await mallory.closed()
    assert code == ending.code
    assert ending.reason in reason
    await check_alive(bystander)


@dataclass(frozen=True)
class Answered:
    """A message that is answered with a notice, and the connection goes on."""

    what: str
    code: int
    message: Tree
    logged_in: bool = True


def order(what: str, code: int, **changes: Any) -> Answered:
    """The order with some fields changed; a field of None is left out."""
    message = {name: value for name, value in (ORDER | changes).items() if value is not None}
    return Answered(what, code, message)


ANSWERS = [
    Answered("an order without login", 1002, ORDER, logged_in=False),
    Answered("a subscription without login", 1002, {"aid": "subscribe_quote", "ins_list": ""}, logged_in=False),
    Answered("an unknown aid", 4002, {"aid": "make_me_rich"}),
    Answered("no aid", 4001, {"user_id": "mallory"}),
    Answered("an aid that is no text", 4001, {"aid": 17}),
    Answered("a second login", 1004, {"aid": "req_login", "user_name": "alice", "password": PASSWORD}),
    Answered("another's order to be cancelled", 1003, {"aid": "cancel_order", "user_id": "alice", "order_id": "o"}),
    order("another's user id", 1003, user_id="alice"),
    order("another's account id", 1003, account_id="alice"),
    order("a misspelt offset", 4003, offset="OPNE"),
    order("no direction", 4003, direction=None),
    order("a volume in words", 4003, volume="one"),
    order("a huge volume", 4003, volume=2**53),
    order("a price beyond all numbers", 4003, limit_price="1e400"),
    order("no price", 4003, limit_price=None),
    order("a volume below zero", 2005, volume=-1),
    order("a price below zero", 2007, limit_price=-3600),
    order("a price between two ticks", 2006, limit_price=3600.5),
    order("an unknown instrument", 2002, instrument_id="xx2701"),
]


@pytest.mark.parametrize("answered", ANSWERS, ids=lambda answered: answered.what)
async def test_a_message_that_cannot_be_done_is_answered_and_the_connection_goes_on(
    answered: Answered, mallory: Mallory, bystander: DiffClient
) -> None:
    if answered.logged_in:
        await mallory.log_in()
    await mallory.say(**answered.message)
    assert await mallory.notice_codes() == [answered.code]
    await mallory.say(aid="ping")
    assert await mallory.hear() == {"aid": "pong"}
    await check_alive(bystander)


async def test_a_number_that_no_float_holds_is_answered(mallory: Mallory, bystander: DiffClient) -> None:
    """Not in the table: no encoder writes it."""
    await mallory.log_in()
    await mallory.raw.send(text(orjson.dumps(ORDER).decode().replace("3600", "1e400")))
    assert await mallory.notice_codes() == [4003]
    await check_alive(bystander)


async def test_a_wrong_password_is_answered_and_may_be_tried_again(mallory: Mallory, bystander: DiffClient) -> None:
    await mallory.log_in()
    async with await RawClient.open(mallory.raw.sock.getpeername()[1]) as raw:
        guesser = Mallory(raw)
        answer = await guesser.log_in("a guess")
        assert answer["data"][0]["notify"]["auth_result"]["code"] == 1001
        assert "version" not in answer
        answer = await guesser.log_in()
        assert answer["full"]
    await check_alive(bystander)


async def test_a_frame_that_never_ends_holds_nobody_up(mallory: Mallory, bystander: DiffClient) -> None:
    await mallory.raw.send(frame_header(TEXT, 60_000) + bytes(1000))
    await check_alive(bystander)


async def test_many_messages_while_the_login_is_checked_end_the_connection(
    mallory: Mallory, bystander: DiffClient
) -> None:
    login = text(orjson.dumps({"aid": "req_login", "user_name": "mallory", "password": PASSWORD}).decode())
    await mallory.raw.send(login + text('{"aid":"ping"}') * 100)
    code, reason = await mallory.closed()
    assert (code, reason) == (1008, "more than 64 messages while the login was being checked")
    await check_alive(bystander)


async def test_who_does_not_log_in_in_time_is_disconnected(tmp_path: Path) -> None:
    async with (
        running(tmp_path, login_deadline=1) as exchange,
        DiffClient.connect(url_of(exchange)) as bystander,
        await RawClient.open(exchange.port.port) as raw,
    ):
        await bystander.login("alice")
        await raw.send(text('{"aid":"peek_message"}'))
        assert await Mallory(raw).closed() == (1008, "no login came in time")
        await check_alive(bystander)


async def test_a_close_frame_is_answered_with_its_own_code(mallory: Mallory) -> None:
    await mallory.raw.send(close_frame(1000))
    code, _ = await mallory.closed()
    assert code == 1000

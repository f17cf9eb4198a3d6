"""A bot's seat at an exchange elsewhere sees and does the same as one inside the exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exchange.cli.bot_seat import ClientSeat
from exchange.client import Client, NotInTimeError, OutcomeUnknownError
from exchange.domain.values import YUAN, InstrumentId, Lots, Price
from exchange.domain.words import BUY, SELL, Direction
from exchange.feeds.bots.floor_seat import FloorSeat
from exchange.feeds.bots.sight import Cancel, Place, Sight
from exchange.feeds.floor import Clerk
from exchange.server.app import Exchange
from exchange.server.demo import HouseFloor
from tests.support.running import running, url_of

STEEL, IRON = InstrumentId("SHFE.rb2701"), InstrumentId("DCE.i2701")
"""Contracts that keep today's lots apart, and that do not."""
AT = {STEEL: 3592, IRON: 776}


class Seats:
    """The two seats of one user in one instrument."""

    def __init__(self, exchange: Exchange, client: Client, account_id: Any, instrument_id: InstrumentId) -> None:
        floor = HouseFloor(exchange)
        self.inside = FloorSeat(floor, Clerk(floor), account_id, instrument_id)
        self.outside = ClientSeat(client, instrument_id)
        self._client = client

    async def look(self) -> Sight:
        """What both of them see."""
        inside = self.inside.look(7.0)
        assert inside is not None
        await self._client.wait_for(lambda _: self.outside.look(7.0) == inside)
        return inside


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[Client]:
    async with Client(url_of(exchange).removesuffix("/ws"), "dora", "passw0rd") as client:
        await client.subscribe(STEEL, IRON)
        await client.wait_for(lambda picture: len(picture.quotes) == 2)
        yield client


async def seats_of(exchange: Exchange, client: Client, instrument_id: InstrumentId) -> Seats:
    user = await exchange.users.find(client.user)
    assert user is not None
    return Seats(exchange, client, user.account_id, instrument_id)


def place(direction: Direction, price: int, lots: int, *, rests: bool = True) -> Place:
    return Place(direction=direction, price=Price(price * YUAN), lots=Lots(lots), rests=rests)


@pytest.mark.parametrize("instrument_id", [STEEL, IRON])
async def test_both_seats_see_the_same_whatever_was_done(
    exchange: Exchange, client: Client, instrument_id: InstrumentId
) -> None:
    """An empty market, resting orders, lots held on both sides, closing orders that hold some of them."""
    seats, at = await seats_of(exchange, client, instrument_id), AT[instrument_id]
    empty = await seats.look()
    assert (empty.bid, empty.ask, empty.last, empty.orders, empty.net) == (None, None, None, (), 0)
    assert await seats.outside.act(empty, [place(SELL, at, 5), place(BUY, at, 3, rests=False), place(BUY, at - 1, 1)])
    held = await seats.look()
    assert (held.long.lots, held.short.lots, held.long.free_today) == (3, 3, 3)
    assert [order.lots_left for order in held.orders] == [2, 1]
    assert await seats.outside.act(held, [place(SELL, at + 2, 2)])
    closing = await seats.look()
    assert (closing.long.lots, closing.long.free_today) == (3, 1)
    assert await seats.inside.act(closing, [Cancel(order.order_id) for order in closing.orders])
    assert (await seats.look()).orders == ()


async def test_a_refused_order_counts_as_such(exchange: Exchange, client: Client) -> None:
    for seat in ("inside", "outside"):
        seats = await seats_of(exchange, client, STEEL)
        seen = await seats.look()
        assert not await getattr(seats, seat).act(seen, [place(BUY, 3592, 400)]), "more than the user can pay for"
        assert (await seats.look()).orders == ()


async def test_a_cancel_that_comes_too_late_is_no_failure(exchange: Exchange, client: Client) -> None:
    seats = await seats_of(exchange, client, STEEL)
    assert await seats.outside.act(await seats.look(), [place(BUY, 3592, 1)])
    seen = await seats.look()
    cancels = [Cancel(order.order_id) for order in seen.orders]
    assert await seats.outside.act(seen, cancels)
    assert await seats.outside.act(seen, cancels)
    assert await seats.inside.act(seen, cancels)


async def test_nothing_is_seen_without_a_quote_or_a_connection(exchange: Exchange, client: Client) -> None:
    assert ClientSeat(client, InstrumentId("SHFE.cu2701")).look(0.0) is None
    seat = ClientSeat(client, STEEL)
    assert seat.look(0.0) is not None
    await client.close()
    assert seat.look(0.0) is None


class Handle:
    """An order that the exchange answers when asked again, and not before."""

    def __init__(self) -> None:
        self.asked = 1

    async def acknowledged(self, _: float) -> Any:
        if self.asked < 3:
            raise NotInTimeError("busy") if self.asked == 1 else OutcomeUnknownError("cut")
        return self

    async def send_again(self) -> None:
        self.asked += 1

    status = "ALIVE"


class BusyClient:
    """A client whose exchange takes nothing at first."""

    user = "dora"

    def __init__(self) -> None:
        self.handles: list[Handle] = []

    async def insert(self, *_: Any, **__: Any) -> Handle:
        self.handles.append(Handle())
        return self.handles[-1]

    async def wait_for(self, *_: Any) -> None:
        pass


async def test_orders_without_an_answer_are_asked_about_before_new_ones_are_believed(client: Client) -> None:
    busy = BusyClient()
    seat = ClientSeat(busy, STEEL)  # type: ignore[arg-type]
    seen = ClientSeat(client, STEEL).look(0.0)
    assert seen is not None
    assert not await seat.act(seen, [place(BUY, 3590, 1)])
    assert not await seat.act(seen, [])
    assert await seat.act(seen, [])
    assert [handle.asked for handle in busy.handles] == [3]
    assert await seat.act(seen, [])
    assert [handle.asked for handle in busy.handles] == [3]

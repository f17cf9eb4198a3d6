"""Tapes that play into a trading floor, on a virtual clock, with users beside them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from exchange.domain.commands import InsertOrder, OpenAccount
from exchange.domain.events import TradeExecuted
from exchange.domain.values import YUAN, AccountId, Lots, Money, OrderId, Price
from exchange.domain.words import LIMIT, OPEN, Direction, TimeCondition, VolumeCondition
from exchange.feeds.floor import Clerk
from exchange.feeds.house import funding
from exchange.feeds.player import Pace, TapePlayer
from exchange.feeds.tape import Tape, read_tape
from exchange.market.reading import read_market
from tests.support.trading_floor import Shown, TradingFloor

MARKET = {terms.instrument_id: terms for terms in read_market().instruments}
TICKS = read_tape("cu1909-ticks")
QUOTES = read_tape("cu2006-quotes")
ONE_LEVEL = read_tape("m2007-quotes")
"""Of a contract that keeps today's lots and older ones together."""
USERS = (AccountId("ann"), AccountId("bob"))
USER_DEPOSIT = Money(10**9 * YUAN)


class TimeUpError(Exception):
    """The virtual clock was asked for more sleep than the test allows."""


@dataclass
class VirtualClock:
    """Sleeping takes no time and moves the clock; `busy_s` is what passes while a snapshot is shown."""

    sleeps_max: int
    busy_s: float = 0.0
    now_s: float = 100.0
    slept_s: list[float] = field(default_factory=list)

    def time(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        if len(self.slept_s) == self.sleeps_max:
            raise TimeUpError
        self.slept_s.append(seconds)
        self.now_s += seconds + self.busy_s
        await asyncio.sleep(0)


def playing(
    tape: Tape,
    floor: TradingFloor,
    clock: VirtualClock | None = None,
    pace: Pace | None = None,
    clerk: Clerk | None = None,
) -> TapePlayer:
    """A player of the tape."""
    return TapePlayer(tape, floor, clerk or Clerk(floor), pace=pace or Pace(), clock=clock or VirtualClock(0))


def open_floor(*tapes: Tape, users: tuple[AccountId, ...] = ()) -> TradingFloor:
    """A market with the contracts of the tapes, the house's accounts and rich users."""
    floor = TradingFloor(*(MARKET[tape.instrument_id] for tape in tapes))
    for command in funding(floor.view):
        floor.do(command)
    for account_id in users:
        floor.do(OpenAccount(account_id=account_id, deposit=USER_DEPOSIT))
    return floor


def user_order(
    tape: Tape, direction: Direction, lots: int, price: int, *, account_id: AccountId = USERS[0]
) -> InsertOrder:
    return InsertOrder(
        account_id=account_id,
        order_id=OrderId(""),
        instrument_id=tape.instrument_id,
        direction=direction,
        effect=OPEN,
        lots=Lots(lots),
        price_type=LIMIT,
        limit_price=Price(price),
        time_condition=TimeCondition.GFD,
        volume_condition=VolumeCondition.ANY,
    )


def recorded(tape: Tape, count: int) -> Shown:
    """What the market must show after so many snapshots of the tape, over as many passes as that takes."""
    passes, more = divmod(count, len(tape.snapshots))
    snapshot = tape.snapshots[more - 1]
    return Shown(snapshot.last, passes * sum(tape.lots) + sum(tape.lots[:more]), snapshot.bids, snapshot.asks)


async def show_until(player: TapePlayer, number: int) -> None:
    """Show the snapshots before this one."""
    for earlier in range(number):
        assert await player.show(earlier)


def trades_since(floor: TradingFloor, entry: int) -> list[TradeExecuted]:
    return [event for events in floor.log[entry:] for event in events if isinstance(event, TradeExecuted)]


async def loop_passes(count: int) -> None:
    """Let all other tasks run for a while."""
    for _ in range(count):
        await asyncio.sleep(0)

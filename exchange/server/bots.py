"""Liquidity bots in the server's own process: so that an exchange without users, or without tapes, has a market."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from exchange.domain.values import YUAN, AccountId, InstrumentId, Money
from exchange.feeds.bots.bot import Bot, begin, trade, withdraw
from exchange.feeds.bots.crew import CrewSettings, Member, make_bots, members
from exchange.feeds.bots.floor_seat import FloorSeat, open_accounts
from exchange.feeds.floor import Clerk
from exchange.feeds.player import BUSY_PAUSE_S, LoopTime
from exchange.server.app import Exchange
from exchange.server.demo import HouseFloor

log = logging.getLogger("exchange.bots")

BOT_DEPOSIT: Final = Money(10**10 * YUAN)
"""What each bot's account begins with: enough for years of fees."""


class HouseBots:
    """The bots of one exchange: `start` after the exchange's own, `stop` before it."""

    def __init__(
        self, exchange: Exchange, settings: CrewSettings | None = None, *, moved: frozenset[InstrumentId] = frozenset()
    ) -> None:
        """They trade every listed contract; `moved` are those whose price something else moves, such as a tape."""
        self._exchange = exchange
        self._floor = HouseFloor(exchange, origin="feed/bots")
        self._clerk = Clerk(self._floor)
        self._clock = LoopTime()
        settings = settings or CrewSettings()
        self.accounts = tuple(_account(member) for member in members(settings))
        """Accounts without users: nobody can log in to them."""
        self.instruments = tuple(exchange.sequencer.state.instruments)
        self._bots: list[Bot] = make_bots(settings, self.instruments, self._seat, self._clock, moved=moved)
        self._trading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the accounts that are not there yet and begin. Returns when every contract has its first quotes."""
        while not await open_accounts(self._floor, self._clerk, self.accounts, BOT_DEPOSIT):
            await self._clock.sleep(BUSY_PAUSE_S)
        await begin(self._bots)
        self._trading = asyncio.create_task(self._trade(), name="bots")

    async def stop(self) -> None:
        """Stop trading and cancel what the bots have in the market."""
        if self._trading is not None:
            self._trading.cancel()
            await asyncio.gather(self._trading, return_exceptions=True)
            await withdraw(self._bots)

    def _seat(self, member: Member, instrument_id: InstrumentId) -> FloorSeat:
        return FloorSeat(self._floor, self._clerk, _account(member), instrument_id)

    async def _trade(self) -> None:
        try:
            await trade(self._bots)
        except Exception:
            # Users trade on without the bots; that they stopped must not go unseen. An exchange that failed has said so
            # itself.
            if not self._exchange.failed.done():
                log.exception("the bots stopped trading")


def _account(member: Member) -> AccountId:
    return AccountId(f"house-{member.name}")

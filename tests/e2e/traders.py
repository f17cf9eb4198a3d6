"""Users who send many orders at once under ids of their own, and come back wherever their server dies.

A trader takes an order for acknowledged when it shows in the mirror. Coming back, it names its mirror's version and
sends again all that was not acknowledged, under the same ids, without looking which of it has come through meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.e2e.audit import Audit, audit
from tests.support.diff_client import INSTRUMENT, Closed, DiffClient, Mirror, Tree, how_closed
from tests.support.log_views import account_ids

UNACKNOWLEDGED_MAX: Final = 16
"""Orders that a trader has on the way at once."""
HISTORY_DIFFERS: Final = 1011
WORKING: Final = ("ALIVE", "PARTIALLY_FILLED")


class Trader:
    """A user with one mirror for many connections."""

    def __init__(self, user: str, *, seed: int = 1, stepped: Callable[[], None] = lambda: None) -> None:
        self.mirror = Mirror()
        self.mirror.user = user
        self.unacknowledged: dict[str, Tree] = {}
        self.acknowledged: dict[str, int] = {}
        """The log_seq under which each order was acknowledged."""
        self.closed: Closed | None = None
        """How the last connection was ended; None where it just broke."""
        self.resumes = 0
        self.resent = 0
        self._random = random.Random(f"{user}/{seed}")
        self._stepped = stepped
        self._sent = 0

    async def trade(self, url: str) -> None:
        """Trade until the server ends the connection, or itself."""
        try:
            async with DiffClient.connect(url) as client:
                await self._come_back(client)
                while True:
                    while len(self.unacknowledged) < UNACKNOWLEDGED_MAX:
                        await self._send_order(client)
                    if self._random.random() < 0.3:
                        await self._cancel_one(client)
                    await self._step(client)
        except ConnectionClosed as error:
            self.closed = how_closed(error)
        except (OSError, InvalidHandshake):
            self.closed = None  # not even connected: the server died too soon

    async def settle(self, url: str) -> None:
        """Come back once more, until everything is acknowledged and the mirror is up to date with it."""
        async with DiffClient.connect(url) as client:
            await self._come_back(client)
            while self.unacknowledged:
                await self._step(client)

    async def _come_back(self, client: DiffClient) -> None:
        unacknowledged = list(self.unacknowledged.values())
        self.resumes += self.mirror.version is not None
        await client.login(mirror=self.mirror)
        self._note_acknowledged()
        for message in unacknowledged:
            await client.send(**message)
        self.resent += len(unacknowledged)
        await client.subscribe(INSTRUMENT)

    async def _step(self, client: DiffClient) -> None:
        await client.step()
        self._note_acknowledged()
        self._stepped()

    def _note_acknowledged(self) -> None:
        for order_id in [order_id for order_id in self.unacknowledged if order_id in self.mirror.orders]:
            del self.unacknowledged[order_id]
            self.acknowledged[order_id] = self.mirror.orders[order_id]["seqno"]

    async def _send_order(self, client: DiffClient) -> None:
        self._sent += 1
        chance = self._random
        order_id = f"{self._sent}"
        message = {
            "aid": "insert_order",
            "user_id": self.mirror.user,
            "order_id": order_id,
            "instrument_id": INSTRUMENT,
            "direction": chance.choice(("BUY", "SELL")),
            "offset": chance.choice(("OPEN", "OPEN", "CLOSETODAY")),
            "volume": chance.choice((1, 1, 2, 3, 400)),
            "price_type": "LIMIT",
            "limit_price": 3592 + chance.randint(-3, 3),
            "time_condition": chance.choice(("GFD", "GFD", "IOC")),
        }
        self.unacknowledged[order_id] = message
        await client.send(**message)

    async def _cancel_one(self, client: DiffClient) -> None:
        works = [order_id for order_id, status in self.mirror.statuses().items() if status in WORKING]
        if works:
            await client.cancel(self._random.choice(works))


def check_acknowledged(traders: list[Trader], folder: Path) -> Audit:
    """Everything the traders ever sent is in the log once, and stands where they were told; returns the audit."""
    history, accounts = audit(folder), account_ids(folder)
    told = {
        (accounts[trader.mirror.user], order_id): log_seq
        for trader in traders
        for order_id, log_seq in trader.acknowledged.items()
    }
    assert history.outcomes == told
    assert not any(trader.unacknowledged for trader in traders)
    for trader in traders:
        assert trader.mirror.full_steps == 1, "a version of before was not led on from"
        assert HISTORY_DIFFERS not in trader.mirror.codes, "a client was told that its history is lost"
    return history

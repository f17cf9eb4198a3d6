"""A home in memory: it outlives the exchange that lives in it, as a disk would, and leaves nothing behind."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Final

from argon2 import Parameters, Type

from eventstore.memory import MemoryDisk, MemoryReader, MemoryStore
from eventstore.store import EventStore
from exchange.market.reading import MarketFile
from exchange.server.data_folder import ServerInfo
from exchange.server.history.process import Worker, WorkerThread
from exchange.server.identity.auth import Users
from exchange.server.identity.users_database import memory_uri
from exchange.server.settings import Settings

WORTHLESS_HASHING: Final = Parameters(
    type=Type.ID, version=0x13, salt_len=8, hash_len=16, time_cost=1, memory_cost=8, parallelism=1
)
"""As quick as argon2 gets, and as easy to break: for passwords that stand in a test anyway."""


class MemoryHome:
    """See `exchange.server.home.Home`. To be closed when the last exchange that lived in it has stopped."""

    def __init__(self, market: MarketFile, settings: Settings) -> None:
        name = f"chronex-{secrets.token_hex(8)}"
        self.disk = MemoryDisk(name)
        """What the log has."""
        self._market = market
        self._settings = settings
        self._users = name
        # A database in memory lives while somebody has it open, and the exchange closes it between stop and start.
        self._held = sqlite3.connect(memory_uri(name), uri=True, check_same_thread=False)
        self._admin_token = secrets.token_urlsafe(32)

    def close(self) -> None:
        """Forget the users."""
        self._held.close()

    def read_market(self) -> MarketFile:
        """What to list."""
        return self._market

    def lock(self) -> AbstractContextManager[None]:
        """Nobody else knows of this home."""
        return nullcontext()

    async def open_users(self, clock_ns: Callable[[], int]) -> Users:
        """The users, to be closed by the caller."""
        lifetime = timedelta(hours=self._settings.token_lifetime)
        return await Users.open_in_memory(
            self._users, clock_ns=clock_ns, hashing=WORTHLESS_HASHING, token_lifetime=lifetime
        )

    def open_log(self) -> EventStore:
        """The log, to be closed by the caller."""
        return MemoryStore(self.disk)

    def history_worker(self) -> Worker:
        """Who reads the log beside the exchange: a thread, for no other process can."""
        return WorkerThread(lambda: MemoryReader(self.disk), self._settings.language)

    def publish(self, server: ServerInfo) -> None:
        """Whoever runs the exchange knows where it is."""

    def withdraw(self) -> None:
        """See `publish`."""

    def read_admin_token(self) -> str:
        """The secret that the server takes for its operator's; the same for the home's whole life."""
        return self._admin_token

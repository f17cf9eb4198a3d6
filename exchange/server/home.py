"""Where an exchange lives: what it lists, what outlives it, and how others find it. On a disk: a data folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol

from eventstore.sqlite import SqliteStore
from eventstore.store import EventStore
from exchange.market.reading import MarketFile, read_market
from exchange.server.data_folder import DataFolder, ServerInfo
from exchange.server.history.process import Worker, WorkerProcess
from exchange.server.identity.auth import Users
from exchange.server.settings import Settings


class Home(Protocol):
    """What an exchange needs of the place it lives in, in the order in which it asks."""

    def read_market(self) -> MarketFile:
        """What to list. Raises MarketFileError."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep everybody else out. Raises FolderError."""

    async def open_users(self, clock_ns: Callable[[], int]) -> Users:
        """The users, to be closed by the caller. Raises UsersDatabaseError."""

    def open_log(self) -> EventStore:
        """The log, to be closed by the caller; blocks while it is looked through. Raises StoreError."""

    def history_worker(self) -> Worker:
        """Who reads the log beside the exchange while that runs."""

    def publish(self, server: ServerInfo) -> None:
        """Tell where the server is, with a fresh admin token."""

    def withdraw(self) -> None:
        """Take back what `publish` told."""

    def read_admin_token(self) -> str:
        """The secret that the server takes for its operator's. Raises FolderError where there is none."""


class FolderHome:
    """A data folder, and the market that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = DataFolder(settings.data)

    def read_market(self) -> MarketFile:
        """See `Home.read_market`."""
        return read_market(self._settings.market)

    def lock(self) -> AbstractContextManager[None]:
        """See `DataFolder.lock`."""
        return self._folder.lock()

    async def open_users(self, clock_ns: Callable[[], int]) -> Users:
        """See `Home.open_users`."""
        lifetime = timedelta(hours=self._settings.token_lifetime)
        return await Users.open(self._folder.users_db, clock_ns=clock_ns, token_lifetime=lifetime)

    def open_log(self) -> EventStore:
        """See `Home.open_log`."""
        return SqliteStore(self._folder.log_db, self._settings.durability)

    def history_worker(self) -> Worker:
        """See `Home.history_worker`."""
        return WorkerProcess(self._folder.log_db, self._settings.language)

    def publish(self, server: ServerInfo) -> None:
        """See `DataFolder.publish`."""
        self._folder.publish(server)

    def withdraw(self) -> None:
        """See `DataFolder.withdraw`."""
        self._folder.withdraw()

    def read_admin_token(self) -> str:
        """See `DataFolder.read_admin_token`."""
        return self._folder.read_admin_token()

"""The places where the contract suite keeps its log: one for each store."""

from __future__ import annotations

import shutil
import sqlite3
from abc import ABC, abstractmethod
from pathlib import Path

from eventstore.memory import MemoryDisk, MemoryStore
from eventstore.model import Durability
from eventstore.sqlite import SqliteStore
from eventstore.store import EventStore
from tests.eventstore.log_builders import entry


class LogPlace(ABC):
    """Where one log lives while stores come and go."""

    def __init__(self) -> None:
        self.opened: list[EventStore] = []

    def open(self) -> EventStore:
        store = self._open()
        self.opened.append(store)
        return store

    @abstractmethod
    def _open(self) -> EventStore: ...

    @abstractmethod
    def crash(self) -> None:
        """The process of the open store dies; what was durable stays for the next `open`."""

    @abstractmethod
    def append_from_elsewhere(self, store: EventStore) -> None:
        """Another writer, that should not be there, appends one event behind the back of the open store."""


class MemoryPlace(LogPlace):
    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk()

    def _open(self) -> EventStore:
        return MemoryStore(self.disk)

    def crash(self) -> None:
        self.disk.crash()

    def append_from_elsewhere(self, store: EventStore) -> None:
        self.disk.crash()
        MemoryStore(self.disk).append([entry(at_ns=store.head.at_ns)])
        assert isinstance(store, MemoryStore)
        self.disk.owner = store


class SqlitePlace(LogPlace):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._crashes = 0
        self.path = folder / "log.db"

    def _open(self) -> EventStore:
        # A crash is a copy of the files here: nothing to wait for.
        return SqliteStore(self.path, Durability.OS)

    def crash(self) -> None:
        # What a killed process leaves behind: the database and the WAL as they are, without its end of work.
        self._crashes += 1
        survived = self._folder / f"after-crash-{self._crashes}.db"
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{self.path}{suffix}", f"{survived}{suffix}")
        self.path = survived

    def append_from_elsewhere(self, store: EventStore) -> None:
        elsewhere = sqlite3.connect(self.path)
        with elsewhere:
            elsewhere.execute(
                "INSERT INTO event VALUES (?, 1, 1, 1, 1, x'7b7d', zeroblob(32))", (store.head.log_seq + 1,)
            )
        elsewhere.close()

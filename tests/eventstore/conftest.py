"""Each test that asks for a `place` or a `store` runs once for every kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventstore.store import EventStore
from tests.eventstore.log_places import LogPlace, MemoryPlace, SqlitePlace


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogPlace]:
    place = MemoryPlace() if request.param == "memory" else SqlitePlace(tmp_path)
    yield place
    for store in place.opened:
        store.close()


@pytest.fixture
def store(place: LogPlace) -> EventStore:
    return place.open()

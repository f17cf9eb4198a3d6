"""The pytest plugin: the fixture `chronex`, an exchange of its own for each test that asks for it.

Loaded into every pytest run where the package is installed, so it imports nothing but pytest until the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from exchange.testing import RunningExchange

MARKER = "chronex(users=..., market=..., time=..., **settings): how the exchange of the fixture `chronex` is run"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, also where unknown ones are errors."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def chronex(request: pytest.FixtureRequest) -> Iterator[RunningExchange]:
    """A running exchange, fresh for each test; `@pytest.mark.chronex(...)` takes what `run_exchange` does.

    Marks add up: a test's own stands in front of its class's and its module's.
    """
    from exchange.testing import run_exchange

    options: dict[str, Any] = {}
    for mark in request.node.iter_markers("chronex"):
        if mark.args:
            raise pytest.UsageError(f"the mark chronex takes named arguments only, such as users=..., not {mark.args}")
        options = {**mark.kwargs, **options}
    with run_exchange(**options) as exchange:
        yield exchange

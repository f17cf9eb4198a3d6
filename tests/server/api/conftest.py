"""A whole exchange behind the REST interface, and a trader who is logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.rest import Rest, serving_rest


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving_rest(tmp_path) as served:
        yield served


@pytest.fixture
async def ann(rest: Rest) -> httpx.AsyncClient:
    return await rest.user("ann")

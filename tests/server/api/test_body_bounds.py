"""What a body may cost: it is small where it may be, and what is wrong with it is told in few words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import orjson
import pytest

from exchange.server.api.body_bounds import BODY_MAX_BYTES
from exchange.server.api.bulk import USERS_MAX
from exchange.server.api.errors import PROBLEMS_MAX
from tests.support.rest import API, PASSWORD, Rest, error_of, order, serving_rest


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving_rest(tmp_path) as serving:
        yield serving


JSON: Final = {"Content-Type": "application/json"}


def padded(body: dict[str, object], size: int) -> bytes:
    """A body of this many bytes, with white space in front, which means nothing."""
    text = orjson.dumps(body)
    return b" " * (size - len(text)) + text


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 1_000):
        yield content[at : at + 1_000]


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
async def test_a_body_is_read_up_to_its_bound_and_no_further(rest: Rest, chunked: bool) -> None:
    alice = await rest.user("alice")
    login = {"user_name": "alice", "password": PASSWORD}
    for path, body, status in ((f"{API}/login", login, 200), (f"{API}/orders", order("o-1"), 201)):
        for size, expected in ((BODY_MAX_BYTES, status), (BODY_MAX_BYTES + 1, 422)):
            content = padded(body, size)
            answer = await alice.post(path, content=in_pieces(content) if chunked else content, headers=JSON)
            assert answer.status_code == expected, answer.text
        assert error_of(answer)["content"] == f"the body has more than {BODY_MAX_BYTES} bytes, which is the most here"


async def test_many_users_may_come_in_one_body(rest: Rest) -> None:
    admin = await rest.admin()
    users = [{"name": f"-{number}", "password": "x" * 500} for number in range(USERS_MAX)]
    answer = await admin.post(f"{API}/admin/users/bulk", json={"users": users})
    assert answer.status_code == 200
    assert len(answer.json()["users"]) == USERS_MAX
    assert all("error" in each for each in answer.json()["users"]), "these can be no names"


async def test_of_very_many_problems_a_few_are_told(rest: Rest) -> None:
    nobody = await rest.client()
    misspelt = {f"x{number}": 1 for number in range(1_500)}
    answer = await nobody.post(f"{API}/login", json=misspelt)
    assert (answer.status_code, len(answer.content) < 8_000) == (422, True)
    assert len(error_of(answer)["details"]["problems"]) == PROBLEMS_MAX

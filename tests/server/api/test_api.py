"""The REST interface: who may ask, what is refused, and that no answer tells a secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from exchange.domain.values import YUAN
from exchange.server.app import Exchange
from exchange.server.data_folder import DataFolder
from tests.support.running import running

USERS = "/api/v1/admin/users"
DEPOSITS = "/api/v1/admin/deposits"


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with running(tmp_path, language="en") as started:
        yield started


@pytest.fixture
async def anybody(exchange: Exchange) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{exchange.port.address}") as client:
        yield client


@pytest.fixture
async def operator(exchange: Exchange) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {exchange.home.read_admin_token()}"}
    async with httpx.AsyncClient(base_url=f"http://{exchange.port.address}", headers=headers) as client:
        yield client


def error(answer: httpx.Response) -> dict[str, Any]:
    told: dict[str, Any] = answer.json()["error"]
    assert set(told) == {"code", "reason", "content", "details"}
    return told


@pytest.mark.parametrize("authorization", [None, b"", b"Bearer", b"Bearer wrong", b"Basic eDp5", b"Bearer \xff\xe9"])
@pytest.mark.parametrize(("method", "path"), [("GET", USERS), ("POST", USERS), ("POST", DEPOSITS)])
async def test_only_the_holder_of_the_token_commands(
    exchange: Exchange, anybody: httpx.AsyncClient, authorization: bytes | None, method: str, path: str
) -> None:
    headers = [] if authorization is None else [(b"Authorization", authorization)]
    content = {"name": "mallory", "password": "pw", "user": "mallory", "amount": 1}
    answer = await anybody.request(method, path, headers=headers, json=content)
    assert (answer.status_code, error(answer)["reason"]) == (401, "NOT_LOGGED_IN")
    assert await exchange.users.list() == ()


async def test_a_token_that_is_gone_lets_nobody_in(tmp_path: Path, operator: httpx.AsyncClient) -> None:
    assert (await operator.get(USERS)).status_code == 200
    DataFolder(tmp_path).admin_token.unlink()
    assert (await operator.get(USERS)).status_code == 401


async def test_the_operator_adds_users_pays_in_and_sets_passwords(
    exchange: Exchange, operator: httpx.AsyncClient
) -> None:
    added = await operator.post(USERS, json={"name": "王小明", "password": "pw", "deposit": "1000.5"})
    assert added.status_code == 201
    [listed] = (await operator.get(USERS)).json()
    assert (listed["name"], listed["account_id"]) == ("王小明", added.json()["account_id"])
    paid = await operator.post(DEPOSITS, json={"user": "王小明", "amount": 0.25})
    assert (paid.status_code, paid.json()["log_seq"]) == (201, exchange.sequencer.durable_log_seq)
    assert (await operator.put(f"{USERS}/王小明/password", json={"password": "new"})).status_code == 204
    user = await exchange.desk.log_in("王小明", "new", address="127.0.0.1")
    assert user is not None
    assert exchange.sequencer.state.accounts[user.account_id].cash.deposit == 1_000_750_000 * YUAN // 1_000_000


@pytest.mark.parametrize(
    ("path", "content", "status", "reason"),
    [
        (USERS, {"name": "a b", "password": "the secret"}, 422, "INVALID"),
        (USERS, {"name": "Ａ", "password": "the secret"}, 422, "INVALID"),
        (USERS, {"name": 5, "password": "the secret"}, 422, "INVALID"),
        (USERS, {"name": "a", "password": ["the secret"]}, 422, "INVALID"),
        (USERS, {"name": "a", "password": ""}, 422, "INVALID"),
        (USERS, {"name": "a"}, 422, "INVALID"),
        (USERS, {"name": "a", "password": "the secret", "deposite": 5}, 422, "INVALID"),
        (USERS, {"name": "a", "password": "the secret", "deposit": -1}, 422, "INVALID"),
        (USERS, {"name": "a", "password": "the secret", "deposit": "NaN"}, 422, "INVALID"),
        (USERS, {"name": "a", "password": "the secret", "deposit": 0.0000001}, 422, "INVALID"),
        (USERS, {"name": "taken", "password": "the secret"}, 409, "USER_EXISTS"),
        (USERS, [], 422, "INVALID"),
        (DEPOSITS, {"user": "nobody", "amount": 1}, 404, "UNKNOWN_USER"),
        (DEPOSITS, {"user": "a\x00", "amount": 1}, 404, "UNKNOWN_USER"),
        (DEPOSITS, {"user": "taken", "amount": 0}, 409, "AMOUNT"),
    ],
)
async def test_what_cannot_be_done_is_told_without_the_secret(
    operator: httpx.AsyncClient, path: str, content: Any, status: int, reason: str
) -> None:
    assert (await operator.post(USERS, json={"name": "taken", "password": "pw"})).status_code == 201
    answer = await operator.post(path, json=content)
    told = error(answer)
    assert (answer.status_code, told["reason"]) == (status, reason)
    assert told["content"]
    assert "the secret" not in answer.text
    assert len((await operator.get(USERS)).json()) == 1


async def test_a_misspelt_field_is_named_as_far_as_it_is_short(operator: httpx.AsyncClient) -> None:
    content = {"name": "a", "password": "pw", "deposite": 5, "x" * 10_000: 1}
    answer = await operator.post(USERS, json=content)
    assert "body.deposite" in error(answer)["content"]
    assert len(answer.content) < 2_000


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b"[" * 100_000, 422),
        (b'{"name":"a\\ud800","password":"pw"}', 422),
        (b'{"\\ud800":1}', 422),
        (b"x" * (2 << 20), 413),
    ],
)
async def test_a_body_that_is_no_request_is_answered(operator: httpx.AsyncClient, content: bytes, status: int) -> None:
    answer = await operator.post(USERS, headers={"Content-Type": "application/json"}, content=content)
    assert answer.status_code == status
    assert (await operator.get(USERS)).json() == []


async def test_an_exchange_that_stops_takes_nothing(exchange: Exchange, operator: httpx.AsyncClient) -> None:
    exchange.sequencer.stop()
    answer = await operator.post(USERS, json={"name": "a", "password": "pw"})
    assert (answer.status_code, error(answer)["reason"]) == (503, "STOPPED")

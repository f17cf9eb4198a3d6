"""Tokens and tickets: who gets one, what it opens, and when it is void."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from exchange.gateway.notices import Code
from exchange.server.identity.login_limits import OF_NAME
from exchange.server.identity.users import User
from tests.support.diff_client import DiffClient
from tests.support.rest import API, PASSWORD, Json, Rest, error_of, status_and_reason
from tests.support.running import url_of

LOGIN = f"{API}/login"
TICKETS = f"{API}/tickets"


@pytest.fixture
async def nobody(rest: Rest) -> httpx.AsyncClient:
    return await rest.client()


async def log_in(client: httpx.AsyncClient, name: str = "ann", secret: str = PASSWORD, **others: Any) -> Json:
    answer = await client.post(LOGIN, json={"user_name": name, "password": secret} | others)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


async def test_a_token_is_given_where_a_password_is(rest: Rest, ann: httpx.AsyncClient) -> None:
    login = await log_in(await rest.client())
    assert login["user_id"] == "ann"
    lifetime = datetime.fromisoformat(login["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11) < lifetime <= timedelta(hours=12)
    bearer = await rest.client(login["token"])
    assert (await bearer.get(f"{API}/account")).status_code == 200
    again = await log_in(bearer, secret=login["token"])
    assert again["token"] != login["token"]
    async with DiffClient.connect(url_of(rest.exchange)) as client:
        await client.login("ann", password=login["token"])
        assert client.mirror.auth_result["code"] == Code.LOGIN_OK
        assert client.mirror.log_id == login["log_id"]


async def test_each_dialect_has_a_log_id_of_its_own(ann: httpx.AsyncClient) -> None:
    ids = {(await log_in(ann, dialect=dialect))["log_id"] for dialect in ("guide", "flat")}
    assert len(ids) == 2
    snapshot = (await ann.get(f"{API}/users/ann/snapshot", params={"dialect": "flat"})).json()
    assert snapshot["log_id"] in ids


@pytest.mark.parametrize("secret", ["wrong", "", "x" * 2_000, "\x00"])
async def test_an_unknown_name_is_answered_like_a_wrong_password(
    ann: httpx.AsyncClient, nobody: httpx.AsyncClient, secret: str
) -> None:
    answers = [
        await nobody.post(LOGIN, json={"user_name": name, "password": secret}) for name in ("ann", "bea", "a b", "")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert error_of(answers[0])["code"] == Code.WRONG_LOGIN


async def test_who_guesses_is_told_when_to_come_back(ann: httpx.AsyncClient, nobody: httpx.AsyncClient) -> None:
    for _ in range(OF_NAME.free):
        assert (await nobody.post(LOGIN, json={"user_name": "ann", "password": "wrong"})).status_code == 401
    answer = await nobody.post(LOGIN, json={"user_name": "ann", "password": PASSWORD})
    assert status_and_reason(answer) == (429, "TOO_MANY_ATTEMPTS")
    assert error_of(answer)["code"] == Code.TOO_MANY_ATTEMPTS
    assert answer.headers["Retry-After"] == str(error_of(answer)["details"]["retry_after_s"]) == "1"
    assert (await ann.get(f"{API}/account")).status_code == 200  # a token is never delayed


@pytest.mark.parametrize(
    "body",
    [
        {"user_name": "ann"},
        {"user_name": "ann", "password": 5},
        {"user_name": "ann", "password": "the secret", "dialect": "shinny"},
        {"user_name": "ann", "password": "the secret", "passwort": "the secret"},
    ],
)
async def test_what_is_no_login_is_told_without_the_secret(nobody: httpx.AsyncClient, body: Json) -> None:
    answer = await nobody.post(LOGIN, json=body)
    assert status_and_reason(answer) == (422, "INVALID")
    assert "the secret" not in answer.text


async def test_a_password_that_changes_while_it_is_checked_gives_no_token(
    rest: Rest, ann: httpx.AsyncClient, nobody: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = rest.exchange.users.find

    async def find_late(name: str) -> User | None:
        monkeypatch.undo()
        await rest.exchange.operator.set_password("ann", "another")
        return await find(name)

    monkeypatch.setattr(rest.exchange.users, "find", find_late)
    answer = await nobody.post(LOGIN, json={"user_name": "ann", "password": PASSWORD})
    assert answer.status_code == 401


async def test_a_token_is_void_after_its_logout(rest: Rest, ann: httpx.AsyncClient) -> None:
    bearer = await rest.client((await log_in(ann))["token"])
    assert (await bearer.post(f"{API}/logout")).status_code == 204
    assert status_and_reason(await bearer.get(f"{API}/account")) == (401, "NOT_LOGGED_IN")
    assert (await ann.get(f"{API}/account")).status_code == 200


async def test_a_ticket_is_its_users_once(rest: Rest, ann: httpx.AsyncClient) -> None:
    answer = await ann.post(TICKETS)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    lifetime = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=20) < lifetime <= timedelta(seconds=30)
    ticket = answer.json()["ticket"]
    redeemed = rest.exchange.tickets.redeem("ann", ticket)
    assert redeemed is not None
    assert redeemed.name == "ann"
    assert rest.exchange.tickets.redeem("ann", ticket) is None


async def test_too_many_tickets_are_refused_with_the_time_to_come_back(
    rest: Rest, ann: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.server.identity.tickets.TICKETS_MAX", 1)
    await rest.user("bob")
    assert (await ann.post(f"{API}/tickets")).status_code == 201
    answer = await (await rest.login("bob")).post(f"{API}/tickets")
    assert status_and_reason(answer) == (429, "TOO_MANY_ATTEMPTS")
    assert 1 <= int(answer.headers["Retry-After"]) <= 30


async def test_the_holder_of_the_admin_token_has_no_login_of_their_own(rest: Rest) -> None:
    admin = await rest.admin()
    for path in ("tickets", "logout"):
        assert status_and_reason(await admin.post(f"{API}/{path}")) == (403, "ROLE_MAY_NOT")
    assert (await admin.get(f"{API}/admin/users")).status_code == 200

"""What admins and operators do over REST: users, money, suspensions, announcements, connections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest

from exchange.domain.values import YUAN
from exchange.gateway.access import Role
from exchange.gateway.notices import Code
from exchange.server.api.bulk import USERS_MAX
from tests.support.diff_client import Closed, DiffClient
from tests.support.rest import API, INSTRUMENT, PASSWORD, Json, Rest, error_of, order, status_and_reason
from tests.support.running import url_of

USERS = f"{API}/admin/users"
BULK = f"{USERS}/bulk"
CONNECTIONS = f"{API}/admin/connections"


@pytest.fixture
async def admin(rest: Rest) -> httpx.AsyncClient:
    return await rest.admin()


async def deposit_of(rest: Rest, name: str) -> int:
    user = await rest.exchange.users.find(name)
    assert user is not None
    return rest.exchange.sequencer.state.accounts[user.account_id].cash.deposit


def is_recent(text: str) -> bool:
    return timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(text) < timedelta(minutes=2)


# --- Users ------------------------------------------------------------------------------------------------------------


async def test_users_are_listed_with_their_roles(admin: httpx.AsyncClient) -> None:
    for name, role in (("王小明", "trader"), ("audra", "auditor")):
        added = await admin.post(USERS, json={"name": name, "password": "pw", "role": role})
        assert added.status_code == 201, added.text
        assert (added.json()["log_seq"] is None) is (role == "auditor")
    listed = (await admin.get(USERS)).json()
    assert [(user["name"], user["role"]) for user in listed] == [("audra", "auditor"), ("王小明", "trader")]
    assert all(is_recent(user["created_at"]) for user in listed)


async def test_who_does_not_trade_has_no_account_to_pay_into(rest: Rest, admin: httpx.AsyncClient) -> None:
    body = {"name": "olga", "password": "pw", "role": "observer", "deposit": 5}
    assert status_and_reason(await admin.post(USERS, json=body)) == (422, "INVALID")
    assert await rest.exchange.users.list() == ()
    await rest.user("olga", Role.OBSERVER)
    answer = await admin.post(f"{API}/admin/deposits", json={"user": "olga", "amount": 5})
    assert status_and_reason(answer) == (409, "UNKNOWN_ACCOUNT")


async def test_another_role_makes_tokens_void_and_gives_an_account(rest: Rest, admin: httpx.AsyncClient) -> None:
    observer = await rest.user("小明", Role.OBSERVER)
    answer = await admin.put(f"{USERS}/{quote('小明')}/role", json={"role": "trader"})
    assert (answer.status_code, answer.json()["role"]) == (200, "trader")
    assert answer.json()["log_seq"] == rest.exchange.sequencer.durable_log_seq
    assert (await observer.get(f"{API}/orders")).status_code == 401
    assert (await (await rest.login("小明")).get(f"{API}/account")).json()["account"]["balance"] == 0
    again = await admin.put(f"{USERS}/{quote('小明')}/role", json={"role": "trader"})
    assert again.status_code == 200
    assert (await admin.put(f"{USERS}/nobody/role", json={"role": "trader"})).status_code == 404
    assert (await admin.put(f"{USERS}/{quote('小明')}/role", json={"role": "boss"})).status_code == 422


async def test_many_users_are_added_with_a_result_for_each(rest: Rest, admin: httpx.AsyncClient) -> None:
    await rest.user("taken")
    wanted = [
        {"name": "王小明", "deposit": "1000.5"},
        {"name": "bob", "password": "given", "role": "auditor"},
        {"name": "taken"},
        {"name": "a b"},
        {"name": "王小明"},
    ]
    answer = await admin.post(BULK, json={"users": wanted})
    assert answer.status_code == 200
    made, given, taken, unfit, twice = answer.json()["users"]
    assert made.keys() == {"name", "account_id", "log_seq", "password"}
    assert given.keys() == {"name", "account_id"}
    assert [each["error"]["reason"] for each in (taken, unfit, twice)] == ["USER_EXISTS", "INVALID", "USER_EXISTS"]
    assert await deposit_of(rest, "王小明") == 1_000_500_000
    login = await admin.post(f"{API}/login", json={"user_name": "王小明", "password": made["password"]})
    assert login.status_code == 200
    listed = (await admin.get(USERS)).json()
    assert [user["name"] for user in listed] == ["bob", "taken", "王小明"]


@pytest.mark.parametrize("users", [[], [{}], [{"name": "a", "role": "boss"}], [{"name": "a"}] * (USERS_MAX + 1), 5])
async def test_a_bulk_that_cannot_be_read_adds_nobody(rest: Rest, admin: httpx.AsyncClient, users: object) -> None:
    assert status_and_reason(await admin.post(BULK, json={"users": users})) == (422, "INVALID")
    assert await rest.exchange.users.list() == ()


async def test_what_stops_the_bulk_is_told_with_each_user(rest: Rest, admin: httpx.AsyncClient) -> None:
    rest.exchange.sequencer.stop()
    answer = await admin.post(BULK, json={"users": [{"name": "a"}, {"name": "b", "role": "observer"}]})
    stopped, added = answer.json()["users"]
    assert stopped["error"]["reason"] == "STOPPED"
    assert "error" not in added


# --- Money and suspensions --------------------------------------------------------------------------------------------


async def test_money_comes_and_goes(rest: Rest, admin: httpx.AsyncClient) -> None:
    ann = await rest.user("ann")
    paid_out = await admin.post(f"{API}/admin/withdrawals", json={"user": "ann", "amount": "0.25"})
    assert (paid_out.status_code, paid_out.json()["log_seq"]) == (201, rest.exchange.sequencer.durable_log_seq)
    assert (await ann.get(f"{API}/account")).json()["account"]["balance"] == 999_999.75
    too_much = await admin.post(f"{API}/admin/withdrawals", json={"user": "ann", "amount": "1000000"})
    assert status_and_reason(too_much) == (409, "WITHDRAWABLE")
    assert error_of(too_much)["details"] == {"amount": "1000000", "available": "999999.75"}
    nobody = await admin.post(f"{API}/admin/withdrawals", json={"user": "nobody", "amount": 1})
    assert status_and_reason(nobody) == (404, "UNKNOWN_USER")


async def test_a_suspension_lasts_until_it_is_ended(rest: Rest, admin: httpx.AsyncClient) -> None:
    ann = await rest.user("小安")
    path = f"{USERS}/{quote('小安')}"
    assert (await admin.post(f"{path}/suspend", json={"reason": "trades with itself"})).status_code == 200
    assert status_and_reason(await admin.post(f"{path}/suspend")) == (409, "ACCOUNT_SUSPENDED")
    assert status_and_reason(await ann.post(f"{API}/orders", json=order("o-1"))) == (409, "SUSPENDED")
    assert (await admin.post(f"{path}/restore")).status_code == 200
    assert status_and_reason(await admin.post(f"{path}/restore")) == (409, "NOT_SUSPENDED")
    assert (await ann.post(f"{API}/orders", json=order("o-2"))).status_code == 201
    long = await admin.post(f"{path}/suspend", json={"reason": "x" * 201})
    assert status_and_reason(long) == (409, "REASON_LENGTH")
    assert (await admin.post(f"{USERS}/nobody/suspend")).status_code == 404


# --- Announcements ----------------------------------------------------------------------------------------------------


async def test_an_announcement_reaches_everybody_who_is_logged_in(rest: Rest, admin: httpx.AsyncClient) -> None:
    await rest.user("ann")
    async with DiffClient.connect(url_of(rest.exchange)) as client, DiffClient.connect(url_of(rest.exchange)) as silent:
        await client.login("ann", password=PASSWORD)
        await silent.send(aid="ping")
        await silent.receive()
        body = {"text": "We stop at {15:30}.", "level": "WARNING"}
        answer = await admin.post(f"{API}/admin/announcements", json=body)
        assert (answer.status_code, answer.json()) == (200, {"connections": 1})
        await client.until(lambda mirror: bool(mirror.notices))
        [notice] = client.mirror.notices
        assert (notice["code"], notice["level"], notice["content"]) == (
            Code.ANNOUNCEMENT,
            "WARNING",
            "We stop at {15:30}.",
        )


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x" * 501}, {"text": "x", "level": "LOUD"}])
async def test_an_announcement_that_says_nothing_is_told(admin: httpx.AsyncClient, body: Json) -> None:
    assert status_and_reason(await admin.post(f"{API}/admin/announcements", json=body)) == (422, "INVALID")


# --- Connections ------------------------------------------------------------------------------------------------------


async def test_connections_are_listed_as_they_are(rest: Rest, admin: httpx.AsyncClient) -> None:
    await rest.user("ann")
    async with DiffClient.connect(url_of(rest.exchange)) as client, DiffClient.connect(url_of(rest.exchange)):
        await client.login("ann", password=PASSWORD)
        await client.subscribe(INSTRUMENT)
        document = (await admin.get(CONNECTIONS)).json()
        known, stranger = document["connections"]
        assert (document["total"], known["number"], stranger["number"]) == (2, 1, 2)
        assert (known["user"], known["endpoint"], known["subscriptions"]) == ("ann", "/ws", 1)
        assert (known["version"], known["unsent_bytes"]) == (client.mirror.version, 0)
        assert known["address"].startswith("127.0.0.1:")
        assert is_recent(known["connected_at"])
        assert is_recent(known["logged_in_at"])
        assert known["connected_at"] <= known["logged_in_at"]
        assert stranger.keys().isdisjoint({"user", "logged_in_at", "version"})
        beyond = (await admin.get(CONNECTIONS, params={"after": 1, "limit": 1})).json()
        assert [each["number"] for each in beyond["connections"]] == [2]


async def test_an_operator_ends_a_connection(rest: Rest) -> None:
    operator = await rest.user("otto", Role.OPERATOR)
    await rest.user("ann")
    async with DiffClient.connect(url_of(rest.exchange)) as client:
        await client.login("ann", password=PASSWORD)
        assert (await operator.delete(f"{CONNECTIONS}/1")).status_code == 204
        assert await client.closed() == Closed(1008, "the operator ended this connection")
    assert status_and_reason(await operator.delete(f"{CONNECTIONS}/7")) == (404, "UNKNOWN_CONNECTION")


async def test_money_of_a_made_user_is_what_was_asked_for(rest: Rest, admin: httpx.AsyncClient) -> None:
    """To the last digit, whether it comes as a text or as a number."""
    for name, amount in (("text", "1234567.000001"), ("number", 0.1)):
        assert (await admin.post(USERS, json={"name": name, "password": "pw", "deposit": amount})).status_code == 201
    assert await deposit_of(rest, "text") == 1_234_567 * YUAN + 1
    assert await deposit_of(rest, "number") == YUAN // 10

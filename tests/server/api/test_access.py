"""Nobody does what their role may not, or touches what is another's: every route and every message, as every role."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import orjson
import pytest
from fastapi.routing import APIRoute
from websockets.asyncio.client import connect

from exchange.gateway.access import GRANTS, MESSAGE_ACTS, Act, Role, may
from exchange.gateway.notices import Code
from exchange.server.api.application import make_api
from exchange.server.api.request_limits import UNIT_BYTES
from exchange.server.app import DIALECT_PATHS
from tests.support.rest import API, INSTRUMENT, PASSWORD, Json, Rest, act_of, order, routes_of, serving_rest

PUBLIC: Final = {"/healthz", "/readyz", f"{API}/login", "/openapi.json", "/docs"}
"""What nobody has to log in for. `/login` is where one does; the others tell nothing of any user."""


class Request(NamedTuple):
    """One request to a route, with which somebody who may do it gets through."""

    method: str
    path: str
    act: Act
    body: Json | None = None
    own_only: bool = False
    """Whether it is about one's own account, which the holder of the admin token has not."""


REQUESTS: Final = (
    Request("POST", f"{API}/logout", Act.KEEP_LOGIN, own_only=True),
    Request("POST", f"{API}/tickets", Act.KEEP_LOGIN, own_only=True),
    Request("POST", f"{API}/orders", Act.TRADE, order("o-1"), own_only=True),
    Request("DELETE", f"{API}/orders/o-1", Act.TRADE, own_only=True),
    Request("GET", f"{API}/orders", Act.SEE_OWN, own_only=True),
    Request("GET", f"{API}/trades", Act.SEE_OWN, own_only=True),
    Request("GET", f"{API}/positions", Act.SEE_OWN, own_only=True),
    Request("GET", f"{API}/account", Act.SEE_OWN, own_only=True),
    Request("GET", f"{API}/instruments", Act.WATCH_MARKET),
    Request("GET", f"{API}/quotes/{INSTRUMENT}", Act.WATCH_MARKET),
    Request("GET", f"{API}/book/{INSTRUMENT}", Act.WATCH_MARKET),
    Request("GET", f"{API}/users/victim/snapshot", Act.SEE_OTHERS),
    Request("GET", f"{API}/users/victim/patches?after=0", Act.SEE_OTHERS),
    Request("GET", f"{API}/admin/users", Act.MANAGE_USERS),
    Request("POST", f"{API}/admin/users", Act.MANAGE_USERS, {"name": "new", "password": "pw"}),
    Request("POST", f"{API}/admin/users/bulk", Act.MANAGE_USERS, {"users": [{"name": "new"}]}),
    Request("PUT", f"{API}/admin/users/victim/password", Act.MANAGE_USERS, {"password": "pw"}),
    Request("PUT", f"{API}/admin/users/victim/role", Act.MANAGE_USERS, {"role": "admin"}),
    Request("POST", f"{API}/admin/users/victim/suspend", Act.RUN_MARKET),
    Request("POST", f"{API}/admin/users/victim/restore", Act.RUN_MARKET),
    Request("POST", f"{API}/admin/deposits", Act.MOVE_MONEY, {"user": "victim", "amount": 1}),
    Request("POST", f"{API}/admin/withdrawals", Act.MOVE_MONEY, {"user": "victim", "amount": 1}),
    Request("POST", f"{API}/admin/announcements", Act.RUN_MARKET, {"text": "hello"}),
    Request("GET", f"{API}/admin/connections", Act.SEE_SERVER),
    Request("DELETE", f"{API}/admin/connections/1000", Act.RUN_MARKET),
    Request("GET", "/metrics", Act.SEE_SERVER),
)

MESSAGES: Final[dict[str, Json]] = {
    "peek_message": {},
    "ping": {},
    "subscribe_quote": {"ins_list": INSTRUMENT},
    "set_chart": {"chart_id": "c", "ins_list": INSTRUMENT},
    "insert_order": order("o-1"),
    "cancel_order": {"order_id": "o-1"},
    "confirm_settlement": {},
    "change_password": {"old_password": "wrong", "new_password": "pw"},
}
"""Every message but the login itself, with fields that are understood."""


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving_rest(tmp_path) as served:
        await served.user("victim")
        yield served


async def ask(client: httpx.AsyncClient, request: Request) -> httpx.Response:
    return await client.request(request.method, request.path, json=request.body)


def all_routes() -> list[Any]:
    return list(routes_of(make_api("en").routes))


# --- Routes -----------------------------------------------------------------------------------------------------------


def test_every_route_names_its_act_or_is_public() -> None:
    without = {route.path for route in all_routes() if act_of(route) is None}
    assert without == PUBLIC


def test_every_route_is_tried_here_for_the_act_that_it_names() -> None:
    """`SEE_OWN` lets everybody look at their own tree; that of another is `SEE_OTHERS`, which the route asks itself."""
    found = []
    for route in all_routes():
        act = act_of(route)
        if act is None or not isinstance(route, APIRoute):
            continue
        [tried] = [
            request
            for request in REQUESTS
            if request.method in route.methods and route.path_regex.fullmatch(request.path.partition("?")[0])
        ]
        assert tried.act in (act, Act.SEE_OTHERS), f"{route.path} asks for {act}"
        found.append(tried)
    assert sorted(found, key=repr) == sorted(REQUESTS, key=repr)


async def test_nobody_is_told_anything_without_a_login(rest: Rest) -> None:
    head = rest.exchange.sequencer.durable_log_seq
    clients = [await rest.client(), await rest.client("wrong"), await rest.client("x" * 43)]
    for client, request in itertools.product(clients, REQUESTS):
        answer = await ask(client, request)
        assert answer.status_code == 401, f"{request.method} {request.path}"
        assert "victim" not in answer.text
    assert rest.exchange.sequencer.durable_log_seq == head


@pytest.mark.parametrize("role", Role)
async def test_every_route_lets_pass_who_may_and_nobody_else(rest: Rest, role: Role) -> None:
    await rest.user("asker", role)
    for request in REQUESTS:
        client = await rest.login("asker")  # anew: one of the requests makes it void
        head, users = rest.exchange.sequencer.durable_log_seq, await rest.exchange.users.list()
        answer = await ask(client, request)
        if request.act in GRANTS[role]:
            assert answer.status_code not in (401, 403), f"{request.method} {request.path}: {answer.text}"
        else:
            assert answer.status_code == 403, f"{request.method} {request.path}: {answer.text}"
            assert answer.json()["error"]["reason"] == "ROLE_MAY_NOT"
            assert "victim" not in answer.text
            assert rest.exchange.sequencer.durable_log_seq == head
            assert await rest.exchange.users.list() == users


async def test_the_admin_token_may_all_that_an_admin_may_and_has_nothing_of_its_own(rest: Rest) -> None:
    admin = await rest.admin()
    for request in REQUESTS:
        answer = await ask(admin, request)
        refused = request.own_only or request.act is Act.TRADE
        assert (answer.status_code == 403) is refused, f"{request.method} {request.path}: {answer.text}"


# --- What is another's ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
async def test_what_is_anothers_is_shown_to_auditors_and_touched_by_nobody(rest: Rest, role: Role) -> None:
    owner, other = await rest.user("owner"), await rest.user("other", role)
    assert (await owner.post(f"{API}/orders", json=order("mine", price=3500))).status_code == 201
    before = (await owner.get(f"{API}/orders")).json()["orders"]
    looks = [await other.get(f"{API}/users/owner/{part}") for part in ("snapshot", "patches?after=0")]
    assert {answer.status_code for answer in looks} == {200 if may(role, Act.SEE_OTHERS) else 403}
    for answer in (await other.delete(f"{API}/orders/mine"), await other.delete(f"{API}/orders/none")):
        assert answer.status_code == (404 if may(role, Act.TRADE) else 403)
    for path in ("orders", "trades", "positions"):
        assert "mine" not in (await other.get(f"{API}/{path}")).text
    assert (await owner.get(f"{API}/orders")).json()["orders"] == before


async def test_who_may_not_see_others_cannot_tell_who_is_there(rest: Rest) -> None:
    other = await rest.user("other")
    answers = [await other.get(f"{API}/users/{name}/snapshot") for name in ("victim", "nobody", "a b")]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1


# --- Messages ---------------------------------------------------------------------------------------------------------


def test_every_message_is_tried_here() -> None:
    assert MESSAGES.keys() | {"req_login"} == MESSAGE_ACTS.keys()


@pytest.mark.parametrize("path", DIALECT_PATHS)
@pytest.mark.parametrize("role", Role)
async def test_every_message_is_heard_from_who_may_and_nobody_else(rest: Rest, role: Role, path: str) -> None:
    await rest.user("speaker", role)
    codes = await codes_told(rest, path, "speaker")
    for aid, told in codes.items():
        act = MESSAGE_ACTS[aid]
        refused = act is not None and act not in GRANTS[role]
        assert (Code.ROLE_MAY_NOT in told) is refused, f"{aid} as {role}: {told}"
        assert Code.NOT_LOGGED_IN not in told


@pytest.mark.parametrize("path", DIALECT_PATHS)
async def test_no_message_but_a_login_is_heard_from_nobody(rest: Rest, path: str) -> None:
    head = rest.exchange.sequencer.durable_log_seq
    for aid, told in (await codes_told(rest, path, None)).items():
        assert (told == [Code.NOT_LOGGED_IN]) is (MESSAGE_ACTS[aid] is not None), f"{aid}: {told}"
    assert rest.exchange.sequencer.durable_log_seq == head


async def codes_told(rest: Rest, path: str, name: str | None) -> dict[str, list[int]]:
    """The codes of the notices that come between each message and the pong behind it, where refusals by role stand."""
    codes: dict[str, list[int]] = {}
    async with asyncio.timeout(30), connect(f"ws://{rest.exchange.port.address}{path}") as connection:
        if name is not None:
            login = {"aid": "req_login", "user_name": name, "password": PASSWORD}
            await connection.send(orjson.dumps(login).decode())
            await connection.recv()
        for aid, fields in MESSAGES.items():
            codes[aid] = []
            for message in ({"aid": "peek_message"}, {"aid": aid} | fields, {"aid": "ping"}):
                await connection.send(orjson.dumps(message).decode())
            for _ in range(2 if aid == "ping" else 1):
                while (frame := orjson.loads(await connection.recv()))["aid"] != "pong":
                    notices = [notice for patch in frame["data"] for notice in patch.get("notify", {}).values()]
                    codes[aid] += [notice["code"] for notice in notices]
    return codes


# --- Too many ---------------------------------------------------------------------------------------------------------


async def test_who_asks_too_much_waits_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving_rest(tmp_path, requests_per_user=1) as rest:
        ann, bob, admin = await rest.user("ann"), await rest.user("bob"), await rest.admin()
        now = 1_000.0
        monkeypatch.setattr(rest.exchange.api.state.backend.limits, "_clock", lambda: now)

        async def asked(client: httpx.AsyncClient) -> int:
            return (await client.get(f"{API}/account")).status_code

        assert [await asked(ann) for _ in range(4)] == [200, 200, 429, 429]
        assert await asked(await rest.login("ann")) == 429
        refused = await ann.get(f"{API}/account")
        assert refused.json()["error"]["reason"] == "TOO_MANY_ATTEMPTS"
        assert refused.headers["Retry-After"] == "1"
        assert await asked(bob) == 200
        assert {(await admin.get(f"{API}/admin/users")).status_code for _ in range(4)} == {200}
        now += 1
        assert [await asked(ann) for _ in range(2)] == [200, 429]


async def test_logins_count_as_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right password is remembered and costs no hash any more, but each token costs a commit."""
    async with serving_rest(tmp_path, requests_per_user=1) as rest:
        await rest.user("ann")
        await rest.user("bob")
        monkeypatch.setattr(rest.exchange.api.state.backend.limits, "_clock", lambda: 1_000.0)
        nobody = await rest.client()

        async def logged_in(name: str) -> int:
            login = {"user_name": name, "password": PASSWORD}
            return (await nobody.post(f"{API}/login", json=login)).status_code

        assert [await logged_in("ann") for _ in range(3)] == [200, 200, 429]
        assert await logged_in("bob") == 200


async def test_a_large_answer_counts_for_more_than_one_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving_rest(tmp_path, requests_per_user=2) as rest:
        ann = await rest.user("ann")
        limits = rest.exchange.api.state.backend.limits
        now = 1_000.0
        monkeypatch.setattr(limits, "_clock", lambda: now)
        answer = await ann.get(f"{API}/instruments")
        assert (answer.status_code, len(answer.content) // UNIT_BYTES) == (200, 0)
        monkeypatch.setattr("exchange.server.api.request_limits.UNIT_BYTES", len(answer.content) // 5)
        assert (await ann.get(f"{API}/instruments")).status_code == 200
        # Four may come at once; two did, and the second counts for five more.
        assert (await ann.get(f"{API}/account")).status_code == 429
        now += 1.5
        assert (await ann.get(f"{API}/account")).status_code == 429
        now += 0.5
        assert (await ann.get(f"{API}/account")).status_code == 200


async def test_the_document_is_made_once(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = await rest.client()
    first = await nobody.get("/openapi.json")
    monkeypatch.setattr(rest.exchange.api, "openapi", lambda: pytest.fail("it is made again"))
    assert (await nobody.get("/openapi.json")).content == first.content
    assert first.json()["info"]["title"] == "Chronex"
    assert "/openapi.json" in (await nobody.get("/docs")).text

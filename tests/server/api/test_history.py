"""Snapshots and patches over HTTP: the same tree that a connection sees, at any place, for whoever may see it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import re
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from exchange.gateway.access import Role
from exchange.server.app import Exchange
from exchange.server.history.questions import Question, Told
from exchange.server.history.queue import HistoryBusyError, HistoryQueue
from projections.merge_patch import merge_patch, same_json
from tests.support.diff_client import DEADLINE_S
from tests.support.rest import API, DEPOSIT, INSTRUMENT, PASSWORD, order, serving_rest, status_and_reason

Tree = dict[str, Any]
PATHS: Final = {"guide": "/ws", "flat": "/ws/diff"}
AT_ONCE: Final = {"mark_interval": 0.001, "quote_interval": 0.0}


class Recorder:
    """A connection of a user's, which keeps every picture; it belongs to a mirror that outlives it."""

    def __init__(self) -> None:
        self.tree: Tree = {}
        self.log_id = ""
        self.pictures: dict[int, Tree] = {}
        """By version, without the notices, from the first with quotes on."""

    async def log_in(self, connection: ClientConnection, user: str) -> None:
        resume = {"log_id": self.log_id, "version": max(self.pictures)} if self.pictures else {}
        await self._send(connection, aid="req_login", user_name=user, password=PASSWORD, **resume)
        await self._take(connection)
        await self._send(connection, aid="subscribe_quote", ins_list=INSTRUMENT)
        await self.step(connection)

    async def step(self, connection: ClientConnection) -> None:
        await self._send(connection, aid="peek_message")
        await self._take(connection)

    async def _send(self, connection: ClientConnection, **message: Any) -> None:
        await connection.send(orjson.dumps(message).decode())

    async def _take(self, connection: ClientConnection) -> None:
        step = orjson.loads(await connection.recv())
        for patch in step["data"]:
            self.tree = merge_patch(self.tree, patch)
        self.log_id = step.get("log_id", self.log_id)
        if self.tree.get("ins_list"):
            self.pictures[step["version"]] = {key: value for key, value in self.tree.items() if key != "notify"}


def address(exchange: Exchange, path: str) -> str:
    return f"ws://{exchange.port.address}{path}"


async def trade(
    exchange: Exchange, clients: dict[str, httpx.AsyncClient], recorders: dict[str, Recorder], life: int
) -> None:
    """Alice trades with bob, and her connections see it."""
    chance = random.Random(life)
    guide, flat = (address(exchange, PATHS[dialect]) for dialect in ("guide", "flat"))
    async with connect(guide, open_timeout=DEADLINE_S) as one, connect(flat, open_timeout=DEADLINE_S) as other:
        connections = {"guide": one, "flat": other}
        for dialect, recorder in recorders.items():
            await recorder.log_in(connections[dialect], "alice")
        for number in range(4):
            order_id = f"{life}.{number}"
            price, volume = 3600 + chance.randint(-1, 1), chance.choice((1, 2, 3))
            body = order(order_id, "SELL", price, volume)
            assert (await clients["bob"].post(f"{API}/orders", json=body)).status_code == 201
            body = order(order_id, "BUY", 3601, chance.choice((1, 2, 2)))
            assert (await clients["alice"].post(f"{API}/orders", json=body)).status_code == 201
            for dialect, recorder in recorders.items():
                await recorder.step(connections[dialect])


async def test_patches_lead_a_connections_mirror_from_every_place_to_every_later_one(tmp_path: Path) -> None:
    """Also across a restart; and a snapshot is what the connection saw."""
    recorders = {dialect: Recorder() for dialect in PATHS}
    names = ("alice", "bob")
    for life in range(2):
        async with serving_rest(tmp_path, **AT_ONCE) as rest:
            users = rest.exchange.users
            if life == 0:
                clients = {name: await rest.user(name, deposit=DEPOSIT) for name in names}
            else:
                known = [await users.find(name) for name in names]
                tokens = [(await users.issue_token(user)).text for user in known if user is not None]
                clients = {name: await rest.client(token) for name, token in zip(names, tokens, strict=True)}
            await trade(rest.exchange, clients, recorders, life)
            for dialect, recorder in recorders.items():
                assert len(recorder.pictures) > 4 * (life + 1)
                if life:
                    await check_pictures(clients["alice"], dialect, recorder)


async def check_pictures(alice: httpx.AsyncClient, dialect: str, recorder: Recorder) -> None:
    view = {"dialect": dialect, "ins_list": INSTRUMENT}
    for version, picture in recorder.pictures.items():
        answer = (await alice.get(f"{API}/users/alice/snapshot", params=view | {"version": version})).json()
        assert answer.keys() == {"log_id", "version", "user_id", "dialect", "snapshot"}
        assert (answer["log_id"], answer["version"]) == (recorder.log_id, version)
        assert (answer["user_id"], answer["dialect"]) == ("alice", dialect)
        assert same_json(answer["snapshot"], picture)
    for (after, tree), (until, wanted) in itertools.combinations_with_replacement(recorder.pictures.items(), 2):
        asked = view | {"after": after, "until": until}
        answer = (await alice.get(f"{API}/users/alice/patches", params=asked)).json()
        assert (answer["log_id"], answer["after"], answer["until"]) == (recorder.log_id, after, until)
        for step in answer["steps"]:
            for patch in step["data"]:
                tree = merge_patch(tree, patch)
        assert step["version"] == until
        assert same_json(tree, wanted), f"{dialect}: from {after} to {until}"


async def test_without_a_place_it_is_now(tmp_path: Path) -> None:
    async with serving_rest(tmp_path) as rest:
        alice = await rest.user("alice")
        head = rest.exchange.publisher.projections.version
        now = (await alice.get(f"{API}/users/alice/snapshot")).json()
        assert now["version"] == head
        assert now["snapshot"]["trade"]["alice"]["accounts"]["CNY"]["deposit"] == 1_000_000
        assert "quotes" not in now["snapshot"]
        patches = (await alice.get(f"{API}/users/alice/patches", params={"after": 0})).json()
        assert (patches["until"], patches["steps"][-1]["version"]) == (head, head)
        beginning = (await alice.get(f"{API}/users/alice/snapshot", params={"version": 0})).json()
        assert beginning["snapshot"]["trade"]["alice"]["accounts"] == {}


async def test_a_place_may_be_a_time(tmp_path: Path) -> None:
    async with serving_rest(tmp_path) as rest:
        alice = await rest.user("alice")
        store_head = rest.exchange.store.head

        async def version_at(time: str) -> int:
            answer = await alice.get(f"{API}/users/alice/snapshot", params={"time": time})
            assert answer.status_code == 200, answer.text
            version: int = answer.json()["version"]
            return version

        assert await version_at(str(store_head.at_ns)) == store_head.log_seq
        assert await version_at(str(store_head.at_ns - 1)) < store_head.log_seq
        assert await version_at("2200-01-01T00:00:00+08:00") == store_head.log_seq
        assert await version_at("1969-01-01T00:00:00Z") == 0
        assert await version_at("9" * 60) == store_head.log_seq


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("snapshot?version=1000000", 409, "VERSION_AHEAD"),
        ("snapshot?version=-1", 422, "INVALID"),
        ("snapshot?version=x", 422, "INVALID"),
        (f"snapshot?version={2**63}", 422, "INVALID"),
        ("snapshot?version=1&time=2026-10-06T14:30:00Z", 422, "INVALID"),
        ("snapshot?time=2026-10-06T14:30:00", 422, "INVALID"),
        ("snapshot?time=2026-10-06T14:30:00+08:00", 422, "INVALID"),
        ("snapshot?time=yesterday", 422, "INVALID"),
        ("snapshot?dialect=shinny", 422, "INVALID"),
        ("snapshot?ins_list=" + ",".join(map(str, range(1_001))), 422, "INVALID"),
        ("patches", 422, "INVALID"),
        ("patches?after=1&until=1000000", 409, "VERSION_AHEAD"),
        ("patches?after=1000000", 409, "VERSION_AHEAD"),
        ("patches?after=5&until=4", 422, "INVALID"),
        ("patches?after=1000000&until=4", 422, "INVALID"),
    ],
)
async def test_what_cannot_be_asked_is_refused(tmp_path: Path, query: str, status: int, reason: str) -> None:
    async with serving_rest(tmp_path) as rest:
        alice = await rest.user("alice")
        answer = await alice.get(f"{API}/users/alice/{query}")
        assert status_and_reason(answer) == (status, reason)


async def test_a_plus_that_became_a_space_is_explained(tmp_path: Path) -> None:
    async with serving_rest(tmp_path) as rest:
        alice = await rest.user("alice")
        answer = await alice.get(f"{API}/users/alice/snapshot?time=2026-10-06T14:30:00+08:00")
        assert "%2B" in answer.json()["error"]["content"]


async def test_an_instrument_that_is_not_listed_is_left_out(tmp_path: Path) -> None:
    async with serving_rest(tmp_path) as rest:
        alice = await rest.user("alice")
        asked = {"ins_list": f"SHFE.none, {INSTRUMENT},{INSTRUMENT},"}
        tree = (await alice.get(f"{API}/users/alice/snapshot", params=asked)).json()["snapshot"]
        assert tree["ins_list"] == INSTRUMENT
        assert tree["quotes"].keys() == {INSTRUMENT}


async def test_only_who_may_sees_another_and_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving_rest(tmp_path) as rest:
        alice, auditor, admin = await rest.user("alice"), await rest.user("eve", Role.AUDITOR), await rest.admin()
        await rest.user("bob")
        with caplog.at_level(logging.INFO, "exchange.api"):
            for path in ("snapshot", "patches?after=1"):
                assert (await alice.get(f"{API}/users/alice/{path}")).status_code == 200
                answers = [await alice.get(f"{API}/users/{name}/{path}") for name in ("bob", "nobody")]
                assert [status_and_reason(answer) for answer in answers] == [(403, "ROLE_MAY_NOT")] * 2
                assert answers[0].text == answers[1].text, "whether there is such a user is nobody's business"
                assert caplog.messages == []
                for client in (auditor, admin):
                    assert (await client.get(f"{API}/users/bob/{path}")).status_code == 200
                    answer = await client.get(f"{API}/users/nobody/{path}")
                    assert status_and_reason(answer) == (404, "UNKNOWN_USER")
                assert caplog.messages == [
                    "eve (auditor) looks into the account of bob",
                    "the admin token (admin) looks into the account of bob",
                ]
                caplog.clear()


async def test_who_asks_counts_and_not_who_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    askers: list[str | None] = []

    async def ask(_: HistoryQueue, question: Question, asker: str | None = None) -> Told:
        askers.append(asker)
        raise HistoryBusyError(4, "of yours ")

    monkeypatch.setattr(HistoryQueue, "ask", ask)
    async with serving_rest(tmp_path) as rest:
        alice, eve, admin = await rest.user("alice"), await rest.user("eve", Role.AUDITOR), await rest.admin()
        known = await rest.exchange.users.find("alice")
        assert known is not None
        # As if much had left the view, so that pages too are a matter of the log.
        rest.exchange.publisher.projections.user(known.account_id).horizon = 1
        view = f"{API}/users/alice"
        for client in (alice, eve, admin):
            for path in (f"{view}/snapshot?version=1", f"{view}/patches?after=0&until=1"):
                assert status_and_reason(await client.get(path)) == (429, "HISTORY_BUSY")
            answer = await client.get(f"{API}/book/{INSTRUMENT}?version=1")
            assert status_and_reason(answer) == (429, "HISTORY_BUSY")
        for path in ("orders", "trades"):
            answer = await alice.get(f"{API}/{path}")
            assert (status_and_reason(answer), answer.headers["Retry-After"]) == ((429, "HISTORY_BUSY"), "1")
    assert askers == ["alice"] * 3 + ["eve"] * 3 + ["the admin token"] * 3 + ["alice"] * 2


async def test_the_page_on_time_travel_has_a_program_that_does_what_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "history.md").read_text("utf-8")
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    async with serving_rest(tmp_path) as rest:
        alice = await rest.user("alice")
        for number in range(3):
            body = order(f"o{number}", "BUY", 3600 + number)
            assert (await alice.post(f"{API}/orders", json=body)).status_code == 201
        token = alice.headers["Authorization"].removeprefix("Bearer ")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(alice.base_url), "alice", token, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        head = rest.exchange.publisher.projections.version
        assert re.fullmatch(rf"\d+ -> {head}: equal\n", printed.decode())

"""`/metrics`: figures that are there, rise with what they count, and stay few whoever asks."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exchange.gateway.access import Role
from tests.support.diff_client import DiffClient
from tests.support.rest import API, PASSWORD, Rest, order
from tests.support.running import url_of

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def auditor(rest: Rest) -> httpx.AsyncClient:
    return await rest.user("audra", Role.AUDITOR)


async def samples(client: httpx.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(of: Samples, name: str, **labels: str) -> float:
    return of[f"exchange_{name}", tuple(sorted(labels.items()))]


async def test_the_log_is_told_with_its_commits(rest: Rest, auditor: httpx.AsyncClient) -> None:
    ann = await rest.user("ann")
    before = await samples(auditor)
    for number in range(3):
        assert (await ann.post(f"{API}/orders", json=order(f"{number}", price=3500))).status_code == 201
    after = await samples(auditor)
    head = rest.exchange.sequencer.durable_log_seq
    assert value(after, "head_log_seq") == value(after, "durable_log_seq") == head
    assert value(before, "head_log_seq") == head - 3
    assert value(after, "undurable_entries") == value(after, "undurable_oldest_seconds") == 0
    commits = value(after, "commit_seconds_count")
    assert commits == value(before, "commit_seconds_count") + 3
    assert value(after, "commit_seconds_bucket", le="+Inf") == commits == value(after, "commit_entries_count")
    assert value(after, "commit_entries_bucket", le="1") == value(after, "commit_entries_sum") == commits
    assert value(after, "commit_seconds_sum") > value(before, "commit_seconds_sum")


async def test_connections_and_their_steps_are_told(rest: Rest, auditor: httpx.AsyncClient) -> None:
    await rest.user("ann")
    async with DiffClient.connect(url_of(rest.exchange)) as client:
        await client.login("ann", password=PASSWORD)
        await client.park()
        now = await samples(auditor)
        assert value(now, "connections", endpoint="/ws") == value(now, "users_online") == 1
        assert value(now, "connections", endpoint="/ws/diff") == 0, "told while nobody is there, too"
        assert value(now, "parked_peeks") == value(now, "connections_accepted_total") == 1
        assert value(now, "steps_total") == 1
        assert value(now, "logins_total", outcome="ok") == 1


async def test_refusals_are_told_by_their_codes(rest: Rest, auditor: httpx.AsyncClient) -> None:
    ann = await rest.user("ann")
    await ann.post(f"{API}/orders", json=order("o-1", price=1))
    await ann.delete(f"{API}/orders/none")
    await ann.post(f"{API}/login", json={"user_name": "ann", "password": "wrong"})
    now = await samples(auditor)
    assert value(now, "refusals_total", code="2007", reason="PRICE_BAND") == 1
    assert value(now, "refusals_total", code="2101", reason="UNKNOWN_ORDER") == 1
    assert value(now, "logins_total", outcome="wrong") == 1


async def test_requests_are_counted_by_route_and_never_by_address(rest: Rest, auditor: httpx.AsyncClient) -> None:
    ann = await rest.user("ann")
    for order_id in ("a", "b"):
        await ann.delete(f"{API}/orders/{order_id}")
        await ann.get(f"/nowhere/{order_id}")
        await ann.request(f"MAKE{order_id}", "/healthz")
    now = await samples(auditor)
    route = f"{API}/orders/{{order_id:path}}"
    assert value(now, "http_requests_total", method="DELETE", route=route, status="404") == 2
    assert value(now, "http_requests_total", method="GET", route="other", status="404") == 2
    others = [
        labels for name, labels in now if name == "exchange_http_requests_total" and ("method", "other") in labels
    ]
    assert len(others) == 1


async def test_a_request_that_fails_is_counted_as_such(
    rest: Rest, auditor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise ValueError("a bug, and none of what callers may cause")

    monkeypatch.setattr(rest.exchange.operator, "users", broken)
    answer = await (await rest.admin()).get(f"{API}/admin/users")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (500, "INTERNAL")
    assert "bug" not in answer.text
    now = await samples(auditor)
    assert value(now, "http_requests_total", method="GET", route=f"{API}/admin/users", status="500") == 1

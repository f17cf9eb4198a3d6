"""Pages of other sites: those that the settings name may call over REST as they may over WebSockets, others may not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx
import pytest

from exchange.server.api.application import HEADERS, METHODS
from tests.support.rest import API, INSTRUMENT, PASSWORD, order, serving_rest

OURS: Final = "https://terminal.example.org"
THEIRS: Final = "https://evil.example.org"


def asks_for(method: str, headers: str, origin: str = OURS) -> dict[str, str]:
    """What a browser asks before it lets a page send such a request."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }


def allowed_origin(answer: httpx.Response) -> str | None:
    return answer.headers.get("access-control-allow-origin")


@pytest.mark.parametrize("written", [OURS, f"{OURS}/", OURS.upper()])
async def test_a_page_of_an_allowed_site_logs_in_and_trades(tmp_path: Path, written: str) -> None:
    async with serving_rest(tmp_path, origins=written) as rest:
        await rest.user("alice")
        page = await rest.client()
        before = await page.options(f"{API}/login", headers=asks_for("POST", "content-type"))
        assert (before.status_code, allowed_origin(before)) == (200, OURS)
        login = {"user_name": "alice", "password": PASSWORD}
        answer = await page.post(f"{API}/login", json=login, headers={"Origin": OURS})
        assert (answer.status_code, allowed_origin(answer)) == (200, OURS)
        assert "Origin" in answer.headers["vary"]
        before = await page.options(f"{API}/orders", headers=asks_for("POST", "authorization,content-type"))
        assert (before.status_code, allowed_origin(before)) == (200, OURS)
        headers = {"Origin": OURS, "Authorization": f"Bearer {answer.json()['token']}"}
        sent = await page.post(f"{API}/orders", json=order("o-1"), headers=headers)
        assert (sent.status_code, allowed_origin(sent)) == (201, OURS)


async def test_a_refusal_can_be_read_by_the_page_as_well(tmp_path: Path) -> None:
    async with serving_rest(tmp_path, origins=OURS) as rest:
        page = await rest.client()
        for path, status in (("/account", 401), ("/nowhere", 404)):
            answer = await page.get(f"{API}{path}", headers={"Origin": OURS})
            assert (answer.status_code, allowed_origin(answer)) == (status, OURS)
            assert answer.headers["access-control-expose-headers"] == "Retry-After"


async def test_a_browser_is_told_exactly_what_a_page_may_send(tmp_path: Path) -> None:
    async with serving_rest(tmp_path, origins=OURS) as rest:
        page = await rest.client()
        before = await page.options(f"{API}/orders", headers=asks_for("DELETE", "authorization"))
        assert before.headers["access-control-allow-methods"] == ", ".join(METHODS)
        assert set(HEADERS) <= set(before.headers["access-control-allow-headers"].split(", "))
        assert "access-control-allow-credentials" not in before.headers
        for method, headers in (("PATCH", "authorization"), ("POST", "x-anything")):
            before = await page.options(f"{API}/orders", headers=asks_for(method, headers))
            assert before.status_code == 400


@pytest.mark.parametrize("origins", ["", OURS])
async def test_a_page_of_another_site_reads_nothing(tmp_path: Path, origins: str) -> None:
    async with serving_rest(tmp_path, origins=origins) as rest:
        alice = await rest.user("alice")
        for answer in (
            await alice.options(f"{API}/orders", headers=asks_for("POST", "authorization", THEIRS)),
            await alice.get(f"{API}/quotes/{INSTRUMENT}", headers={"Origin": THEIRS}),
            await alice.post(f"{API}/orders", json=order("o-1"), headers={"Origin": THEIRS}),
        ):
            assert (answer.status_code, allowed_origin(answer)) == (403, None)
        own_page = f"http://{rest.exchange.port.address}"
        answer = await alice.get(f"{API}/orders", headers={"Origin": own_page})
        assert (answer.status_code, answer.json()["orders"], allowed_origin(answer)) == (200, [], None)

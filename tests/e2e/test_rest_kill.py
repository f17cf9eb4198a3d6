"""Orders over REST while the process is killed: what was answered is kept, what is sent again is never done twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.exchange_process import ExchangeProcess, serving

API: Final = "/api/v1"
WHO: Final = {"user_name": "alice", "password": "pw"}
ORDERS: Final = 40
ANSWERED_FIRST: Final = 10
"""So many answers before the kill."""


def order(number: int) -> dict[str, Any]:
    return {
        "order_id": f"k{number}",
        "exchange_id": "SHFE",
        "instrument_id": "rb2701",
        "direction": "BUY",
        "offset": "OPEN",
        "volume": 1,
        "price_type": "LIMIT",
        "limit_price": 3500 + number,
    }


@asynccontextmanager
async def logged_in(server: ExchangeProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the user, who is made by the first login of all."""
    async with httpx.AsyncClient(base_url=server.facts["url"], timeout=60) as client:
        answer = await client.post(f"{API}/login", json=WHO)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield client


async def test_a_kill_in_the_middle_loses_no_answer_and_a_repeat_does_nothing_twice(tmp_path: Path) -> None:
    answered: dict[str, Any] = {}
    async with serving(tmp_path) as server, logged_in(server) as client:
        enough = asyncio.Event()

        async def send(number: int) -> None:
            try:
                answer = await client.post(f"{API}/orders", json=order(number))
            except httpx.TransportError:
                return  # nobody knows what became of it: it is sent again below
            assert answer.status_code == 201, answer.text
            answered[answer.json()["order_id"]] = answer.json()
            if len(answered) == ANSWERED_FIRST:
                enough.set()

        sending = [asyncio.create_task(send(number)) for number in range(ORDERS)]
        await enough.wait()
        server.signal(signal.SIGKILL)
        await asyncio.gather(*sending)
        assert await server.ended() == -signal.SIGKILL
    assert len(answered) >= ANSWERED_FIRST

    async with serving(tmp_path) as server, logged_in(server) as client:
        for number in range(ORDERS):
            answer = await client.post(f"{API}/orders", json=order(number))
            again = answer.json()
            assert answer.status_code == 200 or again["order_id"] not in answered, answer.text
            assert again == answered.get(again["order_id"], again), "the first outcome, as it was told"
        listed = (await client.get(f"{API}/orders", params={"limit": 1000})).json()["orders"]
    assert sorted(each["order_id"] for each in listed) == sorted(f"k{number}" for number in range(ORDERS))

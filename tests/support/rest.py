"""Requests to a running exchange, by whoever a test needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from exchange.domain.values import YUAN, Money
from exchange.gateway.access import Act, Role, has_account
from exchange.server.api.access import Check, OwnCheck
from exchange.server.app import Exchange
from tests.support.running import running

API: Final = "/api/v1"
INSTRUMENT: Final = "SHFE.rb2701"
"""Listed by the packaged market; trades around 3592 in ticks of 1."""
DEPOSIT: Final = Money(1_000_000 * YUAN)
PASSWORD: Final = "passw0rd"

Json = dict[str, Any]


class Rest:
    """One exchange, and the clients that were made for it."""

    def __init__(self, exchange: Exchange, exits: AsyncExitStack) -> None:
        self.exchange = exchange
        self._exits = exits

    async def client(self, token: str | None = None) -> httpx.AsyncClient:
        """A client of the bearer of this token, or of nobody."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(base_url=f"http://{self.exchange.port.address}", headers=headers, timeout=60)
        return await self._exits.enter_async_context(client)

    async def admin(self) -> httpx.AsyncClient:
        """A client of the holder of the admin token."""
        return await self.client(self.exchange.home.read_admin_token())

    async def user(self, name: str, role: Role = Role.TRADER, deposit: Money = DEPOSIT) -> httpx.AsyncClient:
        """A client of a new user, who has logged in."""
        await self.exchange.operator.add_user(name, PASSWORD, deposit if has_account(role) else Money(0), role)
        return await self.login(name)

    async def login(self, name: str) -> httpx.AsyncClient:
        """A client of a user who is there already, with a token of its own."""
        user = await self.exchange.users.find(name)
        assert user is not None, f"there is no user {name}"
        return await self.client((await self.exchange.users.issue_token(user)).text)


@asynccontextmanager
async def serving_rest(folder: Path, **settings: Any) -> AsyncIterator[Rest]:
    """An exchange whose users are made by the operator alone, with English texts."""
    async with (
        running(folder, **{"auto_open": None, "language": "en"} | settings) as exchange,
        AsyncExitStack() as exits,
    ):
        yield Rest(exchange, exits)


def order(order_id: str, direction: str = "BUY", price: float = 3600, volume: int = 1, **others: Any) -> Json:
    """The body of a new order that opens."""
    usual = {"instrument_id": INSTRUMENT, "offset": "OPEN", "price_type": "LIMIT"}
    return usual | {"order_id": order_id, "direction": direction, "limit_price": price, "volume": volume} | others


def error_of(answer: httpx.Response) -> Json:
    """What an answer tells of its error, which has the one shape that there is."""
    assert answer.status_code >= 400, answer.text
    assert answer.json().keys() == {"error"}
    error: Json = answer.json()["error"]
    assert error.keys() == {"code", "reason", "content", "details"}
    assert error["content"]
    return error


def status_and_reason(answer: httpx.Response) -> tuple[int, str]:
    """How an answer refuses."""
    return answer.status_code, error_of(answer)["reason"]


def routes_of(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    """All routes of an application, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from routes_of(included.routes)


def act_of(route: BaseRoute) -> Act | None:
    """What a route asks for; None where it asks for nothing. Fails where it asks for several things."""
    if not isinstance(route, APIRoute):
        return None
    checks = [each.call for each in route.dependant.dependencies if isinstance(each.call, Check | OwnCheck)]
    assert len(checks) <= 1, f"{route.path} asks for more than one act"
    return checks[0].act if checks else None

"""What operators do with those who are connected: tell them something, look at them, end one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from exchange.gateway.access import Act
from exchange.gateway.conversation import Conversation
from exchange.gateway.notices import Code
from exchange.gateway.surroundings import Level
from exchange.server.api import PREFIX
from exchange.server.api.access import asks_for
from exchange.server.api.backend import Backend, Behind
from exchange.server.api.bodies import RequestBody, like
from exchange.server.api.documents import may_answer
from exchange.server.api.errors import ApiError
from exchange.server.api.words import answer, utc_text
from exchange.server.port.websocket import WebSocketConnection

router = APIRouter(prefix=f"{PREFIX}/admin", tags=["admin"])

ENDED: Final = (1008, "the operator ended this connection")
CONNECTIONS_MAX: Final = 1_000
TEXT_MAX: Final = 500


class Announcement(RequestBody):
    """Something that everybody shall know."""

    model_config = like({"text": "The exchange stops at 15:30.", "level": "WARNING"})

    text: Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
    level: Level = "INFO"


class AnnouncedAnswer(BaseModel):
    """How far the word went."""

    model_config = like({"connections": 12})

    connections: int
    """Those that were logged in."""


class ConnectionAnswer(BaseModel):
    """A WebSocket connection."""

    number: int
    user: str | None = None
    """Absent before the login."""
    endpoint: str
    """The path that it came to."""
    address: str
    connected_at: str
    logged_in_at: str | None = None
    version: int | None = None
    """Where the client's mirror stands."""
    unsent_bytes: int
    """What it was sent and has not read yet."""
    subscriptions: int
    """Instruments whose quotes it is sent."""


class ConnectionsAnswer(BaseModel):
    """Some of the connections, in order of their numbers."""

    model_config = like(
        {
            "total": 1,
            "connections": [
                {
                    "number": 7,
                    "user": "alice",
                    "endpoint": "/ws",
                    "address": "127.0.0.1:50412",
                    "connected_at": "2027-01-15T01:29:58.000000Z",
                    "logged_in_at": "2027-01-15T01:30:00.000000Z",
                    "version": 4712,
                    "unsent_bytes": 0,
                    "subscriptions": 2,
                }
            ],
        }
    )

    total: int
    """How many there are of all."""
    connections: list[ConnectionAnswer]


@router.post("/announcements", dependencies=[asks_for(Act.RUN_MARKET)])
async def announce(behind: Behind, announcement: Announcement) -> AnnouncedAnswer:
    """A notice of code 6000 to everybody who is logged in on any endpoint."""
    told = behind.publisher.tell_all(Code.ANNOUNCEMENT, {"text": announcement.text}, announcement.level)
    return AnnouncedAnswer(connections=told)


@router.get("/connections", dependencies=[asks_for(Act.SEE_SERVER)], response_model=ConnectionsAnswer)
async def connections(
    behind: Behind,
    after: Annotated[int, Query(ge=0, description="Only connections with higher numbers.")] = 0,
    limit: Annotated[int, Query(ge=1, le=CONNECTIONS_MAX)] = CONNECTIONS_MAX,
) -> Response:
    """The WebSocket connections in order of their numbers."""
    open_ones = behind.gate.connections
    found = sorted((each for each in open_ones if each.number > after), key=lambda each: each.number)[:limit]
    return answer({"total": len(open_ones), "connections": [_word(behind, each) for each in found]})


@router.delete(
    "/connections/{number}",
    dependencies=[asks_for(Act.RUN_MARKET)],
    status_code=HTTPStatus.NO_CONTENT,
    responses=may_answer(HTTPStatus.NOT_FOUND),
)
async def disconnect(behind: Behind, number: int) -> None:
    """End a connection. Its user may come back: suspend the account, or give it another password, to prevent that."""
    connection = next((each for each in behind.gate.connections if each.number == number), None)
    if connection is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "UNKNOWN_CONNECTION", f"there is no connection {number}")
    connection.disconnect(*ENDED)


def _word(behind: Backend, connection: WebSocketConnection) -> dict[str, Any]:
    peer = connection.peer
    worded: dict[str, Any] = {
        "number": connection.number,
        "endpoint": connection.path,
        "address": connection.remote,
        "connected_at": _at(behind, connection.connected_at),
        "unsent_bytes": connection.unsent_bytes,
        "subscriptions": 0,
    }
    if connection.user is not None and connection.logged_in_at is not None:
        worded |= {"user": connection.user.name, "logged_in_at": _at(behind, connection.logged_in_at)}
    if isinstance(peer, Conversation):
        worded["subscriptions"] = len(peer.subscriptions)
        if peer.version is not None:
            worded["version"] = peer.version
    return worded


def _at(behind: Backend, clock_s: float) -> str:
    """A time of the gate's clock, which counts from nowhere, as the calendar has it."""
    ago_s = behind.gate.clock.time() - clock_s
    return utc_text(behind.clock_ns() - int(ago_s * 1e9))

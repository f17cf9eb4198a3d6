"""What the OpenAPI document says of errors: one shape, and an example for every status that a route may answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from exchange.gateway.notices import Code


class ErrorBody(BaseModel):
    """What went wrong."""

    code: int
    """The notice's number where clients on `/ws` get one for the same, else 0."""
    reason: str
    """What went wrong, in one word for programs."""
    content: str
    """What went wrong, in words."""
    details: dict[str, Any]
    """The figures behind the words; amounts and prices are decimal texts in yuan."""


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    error: ErrorBody


def _told(description: str, code: int, reason: str, content: str, **details: Any) -> dict[str, Any]:
    error = {"code": code, "reason": reason, "content": content, "details": details}
    return {
        "model": ErrorAnswer,
        "description": description,
        "content": {"application/json": {"example": {"error": error}}},
    }


_ANSWERS: Final[dict[HTTPStatus, dict[str, Any]]] = {
    HTTPStatus.UNAUTHORIZED: _told(
        "No token came, or one that is unknown, expired or revoked; at `/login`: the name or the password is wrong.",
        Code.NOT_LOGGED_IN,
        "NOT_LOGGED_IN",
        "this needs a token, as `Authorization: Bearer ...`; none came. `POST /api/v1/login` gives one",
    ),
    HTTPStatus.FORBIDDEN: _told(
        "Whoever asks is known, and may not.",
        Code.ROLE_MAY_NOT,
        "ROLE_MAY_NOT",
        "alice (trader) may not manage users",
        role="trader",
    ),
    HTTPStatus.NOT_FOUND: _told(
        "What was asked for is not there, or belongs to somebody else.",
        Code.UNKNOWN_ORDER,
        "UNKNOWN_ORDER",
        "Not cancelled: there is no order o-1",
        order_id="o-1",
    ),
    HTTPStatus.CONFLICT: _told(
        "The exchange refused it.",
        Code.FUNDS,
        "FUNDS",
        "Order refused: not enough funds, 183000 needed, 1250.5 available",
        needed="183000",
        available="1250.5",
        order_id="o-1",
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: _told(
        "The request says what cannot be: a field that is missing, misspelt, or out of bounds.",
        0,
        "INVALID",
        "query.limit: Input should be less than or equal to 1000",
        problems=[{"field": "query.limit", "problem": "Input should be less than or equal to 1000"}],
    ),
    HTTPStatus.TOO_MANY_REQUESTS: _told(
        "Too many at once: try again after the seconds that the header `Retry-After` tells.",
        Code.TOO_MANY_ATTEMPTS,
        "TOO_MANY_ATTEMPTS",
        "Too many attempts, wait before you try again",
        retry_after_s=4,
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: _told(
        "The exchange takes nothing now: it starts, stops, or is too busy. With the reason `OUTCOME_UNKNOWN` it is not "
        "known whether the request was done.",
        0,
        "NOT_READY",
        "the exchange takes no requests now, try again soon",
    ),
}

EVERYWHERE: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What any route under `/api/v1` may answer."""


def may_answer(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """A route's `responses` for the errors that it may answer beside those of all routes."""
    return {status.value: _ANSWERS[status] for status in statuses}

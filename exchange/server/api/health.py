"""Is the exchange alive, and does it take commands? For whoever watches the process; nobody has to log in for it."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from exchange.server.api.words import answer

router = APIRouter(tags=["health"])


class HealthAnswer(BaseModel):
    """That there is an answer is the news."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})

    status: str


class ReadyAnswer(BaseModel):
    """Whether commands are taken."""

    model_config = ConfigDict(json_schema_extra={"example": {"ready": True}})

    ready: bool


@router.get("/healthz")
async def health() -> HealthAnswer:
    """The process lives and its loop turns."""
    return HealthAnswer(status="ok")


@router.get("/readyz", response_model=ReadyAnswer, responses={503: {"model": ReadyAnswer, "description": "Not now."}})
async def readiness(request: Request) -> Response:
    """200 once commands are taken; 503 while the log is read, and after an append failed."""
    backend = request.app.state.backend
    ready = backend is not None and backend.is_ready()
    return answer({"ready": ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

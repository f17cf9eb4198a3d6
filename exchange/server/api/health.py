"""Is the exchange alive, and does it take commands? For whoever watches the process; nobody has to log in for it."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def health() -> dict[str, str]:
    """The process lives and its loop turns."""
    return {"status": "ok"}


@router.get("/readyz")
async def readiness(request: Request) -> JSONResponse:
    """200 once commands are taken; 503 while the log is read, and after an append failed."""
    backend = request.app.state.backend
    ready = backend is not None and backend.is_ready()
    return JSONResponse({"ready": ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

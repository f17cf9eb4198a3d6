"""The server's figures for Prometheus."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from exchange.gateway.access import Act
from exchange.server.api.access import asks_for
from exchange.server.api.backend import Behind

router = APIRouter(tags=["metrics"])

FIGURES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The figures.",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": "exchange_head_log_seq 4712.0\n"}},
    }
}


@router.get("/metrics", dependencies=[asks_for(Act.SEE_SERVER)], response_class=Response, responses=FIGURES)
async def metrics(behind: Behind) -> Response:
    """All figures in Prometheus's text format."""
    return Response(behind.metrics.text(), media_type=CONTENT_TYPE_LATEST)

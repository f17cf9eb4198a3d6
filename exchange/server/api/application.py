"""The HTTP application: all routes in one place, and what they have in common."""

from __future__ import annotations

from fastapi import FastAPI

from exchange.gateway.notices import Language
from exchange.server.api import admin, bulk, figures, floor, health, history, login, market, trading
from exchange.server.api.documents import EVERYWHERE, may_answer
from exchange.server.api.errors import answer_errors
from exchange.server.api.request_counts import CountRequests, RequestCounts


def make_api(language: Language) -> FastAPI:
    """The application. It answers 503 until `state.backend` is the exchange behind it: health is served before that."""
    api = FastAPI(title="Chronex", summary="A futures exchange with a replayable log.", redoc_url=None)
    api.state.backend = None
    api.state.requests = RequestCounts()
    api.add_middleware(CountRequests, counts=api.state.requests)
    api.include_router(health.router)
    api.include_router(figures.router, responses=may_answer(*EVERYWHERE))
    for group in (login, trading, market, history, admin, bulk, floor):
        api.include_router(group.router, responses=may_answer(*EVERYWHERE))
    answer_errors(api, language)
    return api

"""The HTTP application: all routes in one place, and what they have in common."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from exchange.gateway.notices import Language
from exchange.server.api import admin, bulk, figures, floor, health, history, login, market, trading
from exchange.server.api.body_bounds import BoundBodies
from exchange.server.api.description import describe
from exchange.server.api.documents import EVERYWHERE, may_answer
from exchange.server.api.errors import answer_errors
from exchange.server.api.request_counts import CountRequests, RequestCounts
from exchange.server.api.request_limits import ChargeAnswers

METHODS: Final = ("GET", "POST", "PUT", "DELETE")
HEADERS: Final = ("Authorization", "Content-Type")


def make_api(language: Language, origins: Set[str] = frozenset()) -> FastAPI:
    """The application. It answers 503 until `state.backend` is the exchange behind it: health is served before that.

    Pages of `origins` may read its answers; a browser asks before it lets them.
    """
    api = FastAPI(
        title="Chronex",
        summary="A futures exchange with a replayable log.",
        openapi_url=None,  # see `describe`
        redoc_url=None,
    )
    api.state.backend = None
    api.state.requests = RequestCounts()
    if origins:
        # Without credentials: a page brings its token itself, and nothing here goes by a cookie.
        api.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(origins),
            allow_methods=METHODS,
            allow_headers=HEADERS,
            expose_headers=("Retry-After",),
        )
    api.add_middleware(BoundBodies, larger={bulk.PATH: bulk.BODY_MAX_BYTES})
    api.add_middleware(ChargeAnswers)
    api.add_middleware(CountRequests, counts=api.state.requests)
    api.include_router(health.router)
    api.include_router(figures.router, responses=may_answer(*EVERYWHERE))
    for group in (login, trading, market, history, admin, bulk, floor):
        api.include_router(group.router, responses=may_answer(*EVERYWHERE))
    describe(api)
    answer_errors(api, language)
    return api

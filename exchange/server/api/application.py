"""The HTTP application: all routes in one place, and what they have in common."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI

from exchange.gateway.notices import Language
from exchange.server.api import admin, health
from exchange.server.api.errors import answer_errors

PREFIX: Final = "/api/v1"
"""In front of every route that a client of this version asks for."""


def make_api(language: Language) -> FastAPI:
    """The application. It answers 503 until `open_api` gives it the exchange: health is served before that."""
    api = FastAPI(title="Chronex", summary="A futures exchange with a replayable log.", redoc_url=None)
    api.state.backend = None
    api.include_router(health.router)
    for group in (admin,):
        api.include_router(group.router, prefix=PREFIX)
    answer_errors(api, language)
    return api

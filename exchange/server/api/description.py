"""The OpenAPI document, and a page that shows it; both for everybody."""

from __future__ import annotations

from functools import cache
from typing import Final

import orjson
from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

PATH: Final = "/openapi.json"


def describe(api: FastAPI) -> None:
    """Serve the description of what is served; to be called once all routes are there."""

    @cache
    def text() -> bytes:
        # Made once: it is long, and a stranger who asks for it again and again must not cost others their time.
        return orjson.dumps(api.openapi())

    @api.get(PATH, include_in_schema=False)
    async def document() -> Response:
        return Response(text(), media_type="application/json")

    @api.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return get_swagger_ui_html(openapi_url=PATH, title=api.title)

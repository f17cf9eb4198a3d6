"""Answers in words that a dialect has made, and times as the REST interface writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
from fastapi import Response

from exchange.gateway.dialects import Dialect
from exchange.gateway.dialects.fields import CURRENCY, Patch
from projections.user_view import BEFORE_ALL, Changes, UserView


def answer(content: Any, status: int = 200) -> Response:
    """An answer that needs no second look: what is in it was worded by functions of ours."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def word_account(guide: Dialect, view: UserView, user_id: str) -> Patch | None:
    """All fields of the account; None where the user has none."""
    changes = view.changes(BEFORE_ALL)._replace(positions=[], rows=[])
    return cast(Patch | None, _branch(guide, changes, user_id)["accounts"].get(CURRENCY))


def word_positions(guide: Dialect, view: UserView, user_id: str) -> dict[str, Patch]:
    """All fields of every position by instrument."""
    changes = view.changes(BEFORE_ALL)._replace(rows=[])
    return cast(dict[str, Patch], _branch(guide, changes, user_id)["positions"])


def _branch(guide: Dialect, changes: Changes, user_id: str) -> Patch:
    (patch,) = guide.word(changes, user_id)
    return cast(Patch, patch["trade"][user_id])


def utc(at_ns: int) -> datetime:
    """A time in nanoseconds since 1970 UTC, to the microsecond."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1_000)


def utc_text(at_ns: int) -> str:
    """The same as text, such as `2027-01-15T01:30:00.000000Z`."""
    return utc(at_ns).isoformat(timespec="microseconds").replace("+00:00", "Z")

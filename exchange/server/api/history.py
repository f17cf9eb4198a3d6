"""A user's view at any place in the log, and the steps between two places: for clients that come back, and auditors."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from exchange.domain.values import InstrumentId
from exchange.gateway.access import Act, may
from exchange.gateway.conversation import SUBSCRIPTIONS_MAX
from exchange.gateway.surroundings import User
from exchange.server.api import PREFIX
from exchange.server.api.access import Principal, asks_for, forbidden
from exchange.server.api.backend import Backend, Behind
from exchange.server.api.bodies import like
from exchange.server.api.documents import may_answer
from exchange.server.api.errors import ApiError
from exchange.server.api.words import answer
from exchange.server.history.questions import DialectName
from exchange.server.identity.users import UnknownUserError
from exchange.server.port.http import HEAD_MAX_BYTES
from exchange.server.times import parse_time

log = logging.getLogger("exchange.api")

router = APIRouter(prefix=f"{PREFIX}/users/{{user}}", tags=["history"])

LOG_SEQ_MAX: Final = 2**63 - 1

Asker = Annotated[Principal, asks_for(Act.SEE_OWN)]
DialectChoice = Annotated[DialectName, Query(description="`guide` words the tree as `/ws` does, `flat` as `/ws/diff`.")]
InsList = Annotated[
    str,
    Query(
        description="Instruments, separated by commas, whose quotes are a part of the tree. With all its headers a "
        f"request may have {HEAD_MAX_BYTES} bytes in front of its body.",
        max_length=HEAD_MAX_BYTES,
    ),
]
TimeChoice = Annotated[
    str | None,
    Query(
        description="Instead of a version: the last entry at or before this ISO time with its zone, such as "
        "`2026-10-06T14:30:00Z` (a `+` in an address is written `%2B`), or these nanoseconds since 1970 UTC.",
        max_length=64,
    ),
]


def _version(description: str) -> Any:
    return Query(ge=0, le=LOG_SEQ_MAX, description=f"{description} A number within an entry counts as the end before.")


class SnapshotAnswer(BaseModel):
    """A user's whole tree at one place in the log."""

    model_config = like(
        {
            "log_id": "0b1d2c3e.4f5a6b7c8d9e0f10",
            "version": 4712,
            "user_id": "alice",
            "dialect": "guide",
            "snapshot": {"trade": {"alice": {"accounts": {}, "positions": {}, "orders": {}, "trades": {}}}},
        }
    )

    log_id: str
    """Names the log and the view: what a client gives with `req_login` to go on from `version`."""
    version: int
    user_id: str
    dialect: DialectName
    snapshot: dict[str, Any]


class StepAnswer(BaseModel):
    """Patches to be applied in order, as one."""

    version: int
    """Where the step leads."""
    full: bool
    """Whether it deletes everything first: older rows than are kept cannot be told one by one."""
    data: list[dict[str, Any]]


class PatchesAnswer(BaseModel):
    """What leads a tree from one place to another."""

    model_config = like(
        {
            "log_id": "0b1d2c3e.4f5a6b7c8d9e0f10",
            "after": 4712,
            "until": 4713,
            "steps": [{"version": 4713, "full": False, "data": [{"trade": {"alice": {"orders": {"o-1": None}}}}]}],
        }
    )

    log_id: str
    after: int
    until: int
    steps: list[StepAnswer]


@router.get(
    "/snapshot",
    response_model=SnapshotAnswer,
    responses=may_answer(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def snapshot(
    behind: Behind,
    principal: Asker,
    user: str,
    version: Annotated[int | None, _version("The place in the log; without it, now.")] = None,
    time: TimeChoice = None,
    dialect: DialectChoice = "guide",
    ins_list: InsList = "",
) -> Response:
    """A user's tree as it was at any place in the log, to the last digit; by default as it is now."""
    if version is not None and time is not None:
        raise _unfit("`version` and `time` both name a place: give one of them")
    at_ns = None if time is None else _moment(time)
    seen = await _whose(behind, principal, user)
    found = await behind.history.snapshot(
        seen, dialect, _instruments(ins_list), version=version, at_ns=at_ns, asker=principal.name
    )
    return answer(
        {
            "log_id": found.log_id,
            "version": found.version,
            "user_id": seen.name,
            "dialect": dialect,
            "snapshot": orjson.Fragment(found.tree),
        }
    )


@router.get(
    "/patches",
    response_model=PatchesAnswer,
    responses=may_answer(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def patches(
    behind: Behind,
    principal: Asker,
    user: str,
    after: Annotated[int, _version("The place where the client's tree stands.")],
    until: Annotated[int | None, _version("The place to go to; without it, now.")] = None,
    dialect: DialectChoice = "guide",
    ins_list: InsList = "",
) -> Response:
    """What leads a user's tree from one place in the log to a later one, whoever made it: a snapshot or a connection.

    With `ins_list` it leads the quotes of these instruments as well: those that the tree was made with.
    """
    seen = await _whose(behind, principal, user)
    step = await behind.history.step(
        seen, dialect, _instruments(ins_list), after=after, until=until, asker=principal.name
    )
    return answer(
        {
            "log_id": step.log_id,
            "after": after,
            "until": step.version if until is None else until,
            "steps": [{"version": step.version, "full": step.full, "data": orjson.Fragment(step.data)}],
        }
    )


async def _whose(behind: Backend, principal: Principal, name: str) -> User:
    """The user who is looked at. Raises ApiError for somebody who may not, whether there is such a user or not."""
    own = principal.user
    if own is not None and own.name == name:
        return own
    if not may(principal.role, Act.SEE_OTHERS):
        raise forbidden(principal, f"may not {Act.SEE_OTHERS.value}")
    found = await behind.users.find(name)
    if found is None:
        raise UnknownUserError(name)
    log.info("%s (%s) looks into the account of %s", principal.name, principal.role.value, found.name)
    return User(found.name, found.account_id, found.role)


def _instruments(ins_list: str) -> list[InstrumentId]:
    names = dict.fromkeys(InstrumentId(name.strip()) for name in ins_list.split(",") if name.strip())
    if len(names) > SUBSCRIPTIONS_MAX:
        raise _unfit(f"`ins_list` has {len(names)} instruments, and at most {SUBSCRIPTIONS_MAX} are taken")
    return list(names)


def _moment(text: str) -> int:
    """A time of the request in nanoseconds since 1970 UTC."""
    if text.isascii() and text.isdigit():
        at_ns = int(text)
    else:
        try:
            at_ns = parse_time(text)
        except ValueError as error:
            hint = "; a + in an address is a space, write %2B" if " " in text else ""
            raise _unfit(f"`time`: {error}{hint}") from None
    # What lies outside of these is before or behind every log.
    return min(max(at_ns, 0), LOG_SEQ_MAX)


def _unfit(content: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID", content)

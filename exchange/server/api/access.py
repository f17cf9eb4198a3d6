"""Who asks, and whether they may: the one check in front of every route but health and login.

A route names the act that it is, as a parameter: `principal: Annotated[Principal, asks_for(Act.TRADE)]`. There is no
other way to learn who asks.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from exchange.gateway.access import Act, Role, may
from exchange.gateway.notices import Code
from exchange.gateway.surroundings import User
from exchange.server.api.backend import Backend, Behind
from exchange.server.api.errors import ApiError, too_many
from exchange.server.api.request_limits import CHARGE
from exchange.server.data_folder import FolderError
from exchange.server.identity.tokens import hash_of_token

_bearer = HTTPBearer(
    auto_error=False, description="A token from `POST /api/v1/login`, or the admin token of the data folder."
)


Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class Principal(NamedTuple):
    """Who asks."""

    role: Role
    user: User | None
    """None for the holder of the admin token in the data folder, who is nobody's user and has no account."""
    token: str

    @property
    def name(self) -> str:
        """What others may be told of who asked."""
        return "the admin token" if self.user is None else self.user.name


class Check:
    """The dependency that lets pass who may do `act`."""

    def __init__(self, act: Act) -> None:
        self.act = act

    async def __call__(self, request: Request, backend: Behind, bearer: Bearer) -> Principal:
        """Raises ApiError: 401 for somebody unknown, 403 for somebody of another role; NoticeError: 429 for somebody
        who asks too much."""
        principal = None if bearer is None else await _principal(backend, bearer.credentials)
        if principal is None:
            found = "none came" if bearer is None else "the one that came is unknown, expired or revoked"
            raise ApiError(
                HTTPStatus.UNAUTHORIZED,
                Code.NOT_LOGGED_IN.name,
                f"this needs a token, as `Authorization: Bearer ...`; {found}. `POST /api/v1/login` gives one",
                code=int(Code.NOT_LOGGED_IN),
                headers={"WWW-Authenticate": "Bearer"},
            )
        if principal.user is not None:
            if not backend.limits.take(principal.name):
                raise too_many(1)
            setattr(request.state, CHARGE, partial(backend.limits.charge, principal.name))
        if not may(principal.role, self.act):
            raise forbidden(principal, f"may not {self.act.value}")
        return principal


class OwnCheck:
    """The dependency that lets pass who may do `act` and is a user."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self._check = Check(act)

    async def __call__(self, request: Request, backend: Behind, bearer: Bearer) -> User:
        """Raises ApiError: as `Check`, and 403 for the holder of the admin token, who has nothing of their own."""
        principal = await self._check(request, backend, bearer)
        if principal.user is None:
            raise forbidden(principal, "has no account: log in as a user")
        return principal.user


def asks_for(act: Act) -> Any:
    """The dependency of a route that does `act`."""
    return Depends(Check(act))


def own_account(act: Act) -> Any:
    """The dependency of a route that does `act` to the account of whoever asks; gives the User."""
    return Depends(OwnCheck(act))


def forbidden(principal: Principal, why: str) -> ApiError:
    """The answer to somebody who is known and may not."""
    return ApiError(
        HTTPStatus.FORBIDDEN,
        Code.ROLE_MAY_NOT.name,
        f"{principal.name} ({principal.role.value}) {why}",
        code=int(Code.ROLE_MAY_NOT),
        role=principal.role.value,
    )


async def _principal(backend: Backend, token: str) -> Principal | None:
    """Whose token this is."""
    if _is_admin_token(backend.admin_token, token):
        return Principal(Role.ADMIN, None, token)
    known = await backend.users.verify_token(token)
    if known is None:
        return None
    return Principal(known.role, User(known.name, known.account_id, known.role, hash_of_token(token)), token)


def _is_admin_token(admin_token: Callable[[], str], token: str) -> bool:
    try:
        expected = admin_token()
    except FolderError:
        return False  # somebody removed the file
    return secrets.compare_digest(token.encode(), expected.encode())

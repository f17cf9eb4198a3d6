"""Logging in and out, and tickets for the addresses of connections."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, SecretStr

from exchange.gateway.access import Act
from exchange.gateway.claims import view_log_id
from exchange.gateway.notices import Code
from exchange.gateway.surroundings import User
from exchange.server.api import PREFIX
from exchange.server.api.access import Principal, asks_for, forbidden, own_account
from exchange.server.api.backend import Backend, Behind
from exchange.server.api.bodies import RequestBody, like
from exchange.server.api.errors import NoticeError, too_many
from exchange.server.api.words import utc
from exchange.server.identity.tokens import Token

router = APIRouter(prefix=PREFIX, tags=["login"])


class Login(RequestBody):
    """Who asks."""

    model_config = like({"user_name": "alice", "password": "correct horse", "dialect": "guide"})

    user_name: str
    password: SecretStr
    """A password or a token."""
    dialect: Literal["guide", "flat"] = "guide"
    """Of the view that `log_id` shall name: `guide` for `/ws`, `flat` for `/ws/diff`."""


class LoginAnswer(BaseModel):
    """A token, and where the user's view stands."""

    model_config = like(
        {
            "user_id": "alice",
            "token": "5Qp0mM1v0V6wq3uXk8cZJr2yq0c5sT3hD1yJ0n8Lw2E",
            "expires_at": "2027-01-15T13:30:00Z",
            "log_id": "0b1d2c3e.4f5a6b7c8d9e0f10",
            "version": 4712,
        }
    )

    user_id: str
    token: Annotated[str, Field(description="Is given wherever a password is; shown this once.")]
    expires_at: datetime
    log_id: str
    """Names the view, as an answer to `req_login` does."""
    version: int
    """Where the log ends now."""


class TicketAnswer(BaseModel):
    """A ticket that stands in the address of one connection, once."""

    model_config = like({"ticket": "f0a1b2c3d4", "expires_at": "2027-01-15T09:30:30Z"})

    ticket: str
    expires_at: datetime


def keep_from_caches(response: Response) -> None:
    """The dependency of a route whose answer holds a secret."""
    response.headers["Cache-Control"] = "no-store"


@router.post("/login", dependencies=[Depends(keep_from_caches)])
async def log_in(behind: Behind, request: Request, login: Login) -> LoginAnswer:
    """A token for a user name and a password.

    401 with the same answer for an unknown name and for a wrong password; 429 where too many wrong ones came before.
    """
    user, token = await _token(behind, login, request.client.host if request.client else "")
    return LoginAnswer(
        user_id=user.name,
        token=token.text,
        expires_at=utc(token.expires_at_ns),
        log_id=view_log_id(behind.desk.log_id, user, behind.dialects[login.dialect]),
        version=behind.publisher.projections.version,
    )


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
async def log_out(behind: Behind, principal: Annotated[Principal, asks_for(Act.KEEP_LOGIN)]) -> None:
    """Make the token of this request void; connections that it opened end."""
    if principal.user is None:
        raise forbidden(principal, "has no login to end: it is void once its file is removed")
    await behind.users.revoke_token(principal.token)


@router.post("/tickets", dependencies=[Depends(keep_from_caches)], status_code=HTTPStatus.CREATED)
async def issue_ticket(behind: Behind, user: Annotated[User, own_account(Act.KEEP_LOGIN)]) -> TicketAnswer:
    """A ticket for the address of one connection, `/ws/diff?user_id=NAME&token=TICKET`; good once, for 30 s."""
    ticket, expires_at_ns = behind.tickets.issue(user)
    return TicketAnswer(ticket=ticket, expires_at=utc(expires_at_ns))


async def _token(behind: Backend, login: Login, address: str) -> tuple[User, Token]:
    """Who logs in, and a token. Raises NoticeError where name and password do not fit, or where this user asks too
    much, and what `Desk.log_in` does."""
    users = behind.users
    while True:
        seen = users.revocations
        user = await behind.desk.log_in(login.user_name, login.password.get_secret_value(), address=address)
        known = None if user is None else await users.find(user.name)
        if user is None or known is None:
            raise NoticeError(HTTPStatus.UNAUTHORIZED, Code.WRONG_LOGIN, {})
        # Each token costs a commit: a right password, which is quickly seen, is no leave to have them without end.
        if not behind.limits.take(user.name):
            raise too_many(1)
        # What was right may be so no more by now: a password that is changed meanwhile must give no token.
        if users.revocations == seen:
            return user, await users.issue_token(known)

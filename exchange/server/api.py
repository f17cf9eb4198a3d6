"""The HTTP side: is the exchange alive and ready, and what the operator's own programs ask of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from exchange.domain.values import money_from_decimal
from exchange.gateway.notices import Language
from exchange.server.api_errors import ApiError, answer_errors
from exchange.server.data_folder import FolderError
from exchange.server.operator import Done, Operator

Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6, description="Yuan, at most six decimals.")]


class RequestBody(BaseModel):
    """What a request says; an unknown field, such as a misspelt one, is refused."""

    model_config = ConfigDict(extra="forbid")


class NewUser(RequestBody):
    """A user to be added."""

    name: str
    password: SecretStr
    deposit: Amount = Decimal(0)


class NewPassword(RequestBody):
    """Another password for a user."""

    password: SecretStr


class NewDeposit(RequestBody):
    """Money for a user's account."""

    user: str
    amount: Amount


class UserAnswer(BaseModel):
    """A user, and where the log tells of what was done."""

    name: str
    account_id: str
    log_seq: int | None = None


def make_api(
    *,
    is_ready: Callable[[], bool],
    admin_token: Callable[[], str],
    operator: Callable[[], Operator],
    language: Language,
) -> FastAPI:
    """The application. What it needs is asked for at each request, for health is served before the exchange is
    ready."""
    api = FastAPI(title="Chronex", docs_url="/docs", redoc_url=None)

    @api.get("/healthz")
    async def health() -> dict[str, str]:
        """The process lives and its loop turns."""
        return {"status": "ok"}

    @api.get("/readyz")
    async def readiness() -> JSONResponse:
        """200 once commands are taken; 503 while the log is read, and after an append failed."""
        ready = is_ready()
        return JSONResponse({"ready": ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    def check_admin(authorization: Annotated[str, Header()] = "") -> None:
        # First: there is no token before the exchange is ready.
        if not is_ready():
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "NOT_READY", "the exchange takes no commands now")
        if not _is_admin(authorization, admin_token):
            content = "this needs the admin token that lies in the data folder, as `Authorization: Bearer ...`"
            raise ApiError(HTTPStatus.UNAUTHORIZED, "ADMIN_TOKEN", content)

    admin = [Depends(check_admin)]

    @api.get("/api/v1/admin/users", dependencies=admin)
    async def users() -> list[UserAnswer]:
        """All users in order of their names."""
        return [UserAnswer(name=user.name, account_id=user.account_id) for user in await operator().users()]

    @api.post("/api/v1/admin/users", dependencies=admin, status_code=HTTPStatus.CREATED)
    async def add_user(user: NewUser) -> UserAnswer:
        """Add a user with an open account and a first deposit; answers once that is durable."""
        password = user.password.get_secret_value()
        return _answer(await operator().add_user(user.name, password, money_from_decimal(user.deposit)))

    @api.put("/api/v1/admin/users/{name}/password", dependencies=admin, status_code=HTTPStatus.NO_CONTENT)
    async def set_password(name: str, new: NewPassword) -> None:
        """Give a user another password; the former one and all tokens are void from now on."""
        await operator().set_password(name, new.password.get_secret_value())

    @api.post("/api/v1/admin/deposits", dependencies=admin, status_code=HTTPStatus.CREATED)
    async def deposit(deposit: NewDeposit) -> UserAnswer:
        """Pay into a user's account; answers once that is durable."""
        return _answer(await operator().deposit(deposit.user, money_from_decimal(deposit.amount)))

    answer_errors(api, language)
    return api


def _is_admin(authorization: str, admin_token: Callable[[], str]) -> bool:
    try:
        expected = f"Bearer {admin_token()}"
    except FolderError:
        return False  # somebody removed the file
    return secrets.compare_digest(authorization.encode(), expected.encode())


def _answer(done: Done) -> UserAnswer:
    return UserAnswer(name=done.user.name, account_id=done.user.account_id, log_seq=done.log_seq)

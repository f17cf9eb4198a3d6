"""The HTTP side: is the exchange alive and ready, and what the operator's own programs ask of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, SecretStr

from eventstore.model import OutcomeUnknownError
from exchange.domain.values import money_from_decimal
from exchange.gateway.notices import Code, Language, code_of, text_of
from exchange.server.desk import NotTakenError
from exchange.server.operator import Done, Operator, RefusedError
from exchange.server.passwords import HashPoolFullError
from exchange.server.users import UnknownUserError, UserExistsError

Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6, description="Yuan, at most six decimals.")]


class NewUser(BaseModel):
    """A user to be added."""

    name: str
    password: SecretStr
    deposit: Amount = Decimal(0)


class NewPassword(BaseModel):
    """Another password for a user."""

    password: SecretStr


class NewDeposit(BaseModel):
    """Money for a user's account."""

    user: str
    amount: Amount


class UserAnswer(BaseModel):
    """A user, and where the log tells of what was done."""

    name: str
    account_id: str
    log_seq: int | None = None


class ApiError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: HTTPStatus, reason: str, content: str, *, code: int = 0, **details: Any) -> None:
        super().__init__(content)
        self.status = status
        self.answer = {"error": {"code": code, "reason": reason, "content": content, "details": details}}


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
        if not secrets.compare_digest(authorization.encode(), f"Bearer {admin_token()}".encode()):
            content = "this needs the admin token that lies in the data folder, as `Authorization: Bearer ...`"
            raise ApiError(HTTPStatus.UNAUTHORIZED, "ADMIN_TOKEN", content)
        if not is_ready():
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "NOT_READY", "the exchange takes no commands now")

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

    _answer_errors(api, language)
    return api


def _answer(done: Done) -> UserAnswer:
    return UserAnswer(name=done.user.name, account_id=done.user.account_id, log_seq=done.log_seq)


def _answer_errors(api: FastAPI, language: Language) -> None:
    """Every error has the same shape."""

    def answer(error: ApiError) -> JSONResponse:
        return JSONResponse(error.answer, error.status)

    @api.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> JSONResponse:
        return answer(error)

    @api.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # The inputs stay out of the answer: one of them may be a password.
        problems = [{"field": ".".join(map(str, e["loc"])), "problem": e["msg"]} for e in error.errors()]
        content = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
        return answer(ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID", content, problems=problems))

    @api.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> JSONResponse:
        refusal = error.refusal
        code = code_of(refusal.reason)
        content = text_of(code, language, refusal.facts)
        return answer(ApiError(HTTPStatus.CONFLICT, refusal.reason.value, content, code=int(code), **refusal.facts))

    @api.exception_handler(NotTakenError)
    async def not_taken(_: Request, error: NotTakenError) -> JSONResponse:
        return answer(ApiError(HTTPStatus.SERVICE_UNAVAILABLE, error.why.value, str(error)))

    @api.exception_handler(OutcomeUnknownError)
    async def outcome_unknown(_: Request, error: OutcomeUnknownError) -> JSONResponse:
        code = int(Code.OUTCOME_UNKNOWN)
        return answer(ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "OUTCOME_UNKNOWN", str(error), code=code))

    @api.exception_handler(HashPoolFullError)
    async def too_many(_: Request, error: HashPoolFullError) -> JSONResponse:
        return answer(ApiError(HTTPStatus.TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS", str(error)))

    @api.exception_handler(UserExistsError)
    async def user_exists(_: Request, error: UserExistsError) -> JSONResponse:
        return answer(ApiError(HTTPStatus.CONFLICT, "USER_EXISTS", str(error)))

    @api.exception_handler(UnknownUserError)
    async def unknown_user(_: Request, error: UnknownUserError) -> JSONResponse:
        return answer(ApiError(HTTPStatus.NOT_FOUND, "UNKNOWN_USER", str(error)))

    @api.exception_handler(ValueError)
    async def bad_value(_: Request, error: ValueError) -> JSONResponse:
        return answer(ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID", str(error)))

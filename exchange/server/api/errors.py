"""How the REST interface answers what went wrong: one shape for every error of the exchange.

    {"error": {"code": 2203, "reason": "AMOUNT", "content": "what happened, in words", "details": {...}}}

`code` is the notice's number where clients on `/ws` get one for the same, else 0. An unknown address is answered alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from eventstore.model import OutcomeUnknownError
from exchange.gateway.notices import Code, Language, code_of, text_of
from exchange.server.desk import NotTakenError
from exchange.server.operator import RefusedError
from exchange.server.passwords import HashPoolFullError
from exchange.server.users import UnknownUserError, UserExistsError

FIELD_CHARACTERS_MAX: Final = 100
"""The longest field name that is quoted: a misspelt one may be as long as the request."""


class ApiError(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        content: str,
        *,
        code: int = 0,
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(content)
        self.status = status
        self.headers = headers
        self.answer = {"error": {"code": code, "reason": reason, "content": content, "details": details}}


def answer_errors(api: FastAPI, language: Language) -> None:
    """Have the application answer the exceptions that its routes raise; refusals are worded in `language`."""

    def refused(error: RefusedError) -> ApiError:
        refusal = error.refusal
        code = code_of(refusal.reason)
        content = text_of(code, language, refusal.facts)
        return ApiError(HTTPStatus.CONFLICT, refusal.reason.value, content, code=int(code), **refusal.facts)

    words: dict[type[Exception], Callable[[Any], ApiError]] = {RefusedError: refused, **_WORDS}
    for kind, word in words.items():
        api.add_exception_handler(kind, _answering(word))


def _answering(word: Callable[[Any], ApiError]) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def answer(_: Request, error: Exception) -> JSONResponse:
        worded = word(error)
        return JSONResponse(worded.answer, worded.status, worded.headers)

    return answer


def _invalid(error: RequestValidationError) -> ApiError:
    # The inputs stay out of the answer: one of them may be a password.
    problems = [{"field": _field(each["loc"]), "problem": each["msg"]} for each in error.errors()]
    content = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID", content, problems=problems)


def _field(place: Sequence[int | str]) -> str:
    """Where in the request."""
    return ".".join(map(str, place))[:FIELD_CHARACTERS_MAX]


def _http(error: HTTPException) -> ApiError:
    """What the framework itself refuses: an unknown address, a wrong method, a body that is no JSON."""
    status = HTTPStatus(error.status_code)
    return ApiError(status, status.name, str(error.detail), headers=error.headers)


_WORDS: Final[dict[type[Exception], Callable[[Any], ApiError]]] = {
    ApiError: lambda error: error,
    HTTPException: _http,
    RequestValidationError: _invalid,
    NotTakenError: lambda error: ApiError(HTTPStatus.SERVICE_UNAVAILABLE, error.why.value, str(error)),
    OutcomeUnknownError: lambda error: ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE, Code.OUTCOME_UNKNOWN.name, str(error), code=int(Code.OUTCOME_UNKNOWN)
    ),
    HashPoolFullError: lambda error: ApiError(HTTPStatus.TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS", str(error)),
    UserExistsError: lambda error: ApiError(HTTPStatus.CONFLICT, "USER_EXISTS", str(error)),
    UnknownUserError: lambda error: ApiError(HTTPStatus.NOT_FOUND, "UNKNOWN_USER", str(error)),
    # A name, a password or an amount that can be none.
    ValueError: lambda error: ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID", str(error)),
    # A bug of ours: the server logs it, and its text is nobody else's business.
    Exception: lambda _: ApiError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "INTERNAL",
        "the exchange failed on this request; whether it was done is not known. The failure is logged",
    ),
}
"""What each exception is answered with, refusals aside: their words depend on the language."""

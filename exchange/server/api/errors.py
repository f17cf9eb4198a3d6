"""How the REST interface answers what went wrong: one shape for every error of the exchange.

    {"error": {"code": 2203, "reason": "AMOUNT", "content": "what happened, in words", "details": {...}}}

`code` is the notice's number where clients on `/ws` get one for the same, else 0. An unknown address is answered alike.
`details` are the figures behind the words, amounts and prices among them as decimal texts in yuan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from eventstore.model import OutcomeUnknownError
from exchange.domain.events import CommandRefused, Facts, OrderRefused
from exchange.domain.rejections import RejectReason
from exchange.gateway.messages import NAME_CHARACTERS_MAX, FieldError, FrameError
from exchange.gateway.notices import Code, Language, code_of, facts_in_yuan, text_of
from exchange.server.desk import NOT_TAKEN_CODES, NotTakenError
from exchange.server.history.history import NotListedError, VersionAheadError, VersionOrderError
from exchange.server.history.queue import HistoryBusyError, HistoryError
from exchange.server.history.rows import CursorError
from exchange.server.identity.login_limits import TooManyAttemptsError
from exchange.server.identity.passwords import HashPoolFullError
from exchange.server.identity.tickets import TooManyTicketsError
from exchange.server.identity.users import LoginRevokedError, UnfitError, UnknownUserError, UserExistsError
from exchange.server.operator import RefusedError

FIELD_CHARACTERS_MAX: Final = 100
"""The longest field name that is quoted: a misspelt one may be as long as the request."""
PROBLEMS_MAX: Final = 20
"""Problems of one request that are told: there may be as many as it has fields."""


class ApiError(Exception):
    """A request that is answered with an error, in words that stand already."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        content: str,
        /,
        *,
        code: int = 0,
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(content)
        self.status = status
        self.headers = headers
        self.body = {"code": code, "reason": reason, "content": content, "details": details}


class NoticeError(Exception):
    """A request that is answered with what a conversation would tell by a notice, in the exchange's language."""

    def __init__(
        self, status: HTTPStatus, code: Code, facts: Facts, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code.name)
        self.status = status
        self.code = code
        self.facts = facts
        self.headers = headers


def answer_errors(api: FastAPI, language: Language) -> None:
    """Have the application answer the exceptions that its routes raise; notices are worded in `language`."""

    async def answer(_: Request, error: Exception) -> JSONResponse:
        worded = word_error(error, language)
        return JSONResponse({"error": worded.body}, worded.status, worded.headers)

    for kind in (NoticeError, *_NOTICES, *_WORDS):
        api.add_exception_handler(kind, answer)


def word_error(error: Exception, language: Language) -> ApiError:
    """What an exception is answered with; one that nobody foresaw is a bug of ours, and told as such."""
    for kind in type(error).__mro__:
        if kind in _NOTICES:
            error = _NOTICES[kind](error)
        if isinstance(error, NoticeError):
            content = text_of(error.code, language, error.facts)
            details = facts_in_yuan(error.facts)
            return ApiError(
                error.status, error.code.name, content, code=int(error.code), headers=error.headers, **details
            )
        if kind in _WORDS:
            return _WORDS[kind](error)
    raise AssertionError("the words have one for every Exception")


def refusal_notice(refusal: CommandRefused | OrderRefused) -> NoticeError:
    """A refusal as the answer to whoever asked: 404 where the order spoken of is not there, else 409."""
    missing = refusal.reason is RejectReason.UNKNOWN_ORDER
    status = HTTPStatus.NOT_FOUND if missing else HTTPStatus.CONFLICT
    facts = refusal.facts if isinstance(refusal, CommandRefused) else {**refusal.facts, "order_id": refusal.order_id}
    return NoticeError(status, code_of(refusal.reason), facts)


def too_many(retry_after_s: float, code: Code = Code.TOO_MANY_ATTEMPTS) -> NoticeError:
    """The answer to who comes too often: when to try again, in whole seconds."""
    seconds = max(1, math.ceil(retry_after_s))
    headers = {"Retry-After": str(seconds)}
    return NoticeError(HTTPStatus.TOO_MANY_REQUESTS, code, {"retry_after_s": seconds}, headers=headers)


def _invalid(error: RequestValidationError) -> ApiError:
    # The inputs stay out of the answer: one of them may be a password.
    problems = [{"field": _field(each["loc"]), "problem": each["msg"]} for each in error.errors()[:PROBLEMS_MAX]]
    content = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
    return _unfit(content, problems=problems)


def _field(place: Sequence[int | str]) -> str:
    """Where in the request."""
    return ".".join(map(str, place))[:FIELD_CHARACTERS_MAX]


def _unfit(content: str, **details: Any) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID", content, **details)


def _http(error: HTTPException) -> ApiError:
    """What the framework itself refuses: an unknown address, a wrong method, a body that is no JSON."""
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST:
        # JSON that is nested too deeply; every other body that cannot be read is answered with 422 as well.
        return _unfit(str(error.detail))
    return ApiError(status, status.name, str(error.detail), headers=error.headers)


def _message(code: Code, content: str) -> ApiError:
    """An order's message that cannot be understood."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, code.name, content, code=int(code))


def _unavailable(code: Code, reason: str, content: str) -> ApiError:
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, reason, content, code=int(code))


_NOTICES: Final[dict[type, Callable[[Any], NoticeError]]] = {
    RefusedError: lambda error: refusal_notice(error.refusal),
    TooManyAttemptsError: lambda error: too_many(error.retry_after_s),
    HashPoolFullError: lambda error: too_many(1),
    TooManyTicketsError: lambda error: too_many(error.retry_after_s),
    LoginRevokedError: lambda error: NoticeError(HTTPStatus.UNAUTHORIZED, Code.WRONG_LOGIN, {}),
    NotListedError: lambda error: NoticeError(
        HTTPStatus.NOT_FOUND, Code.NO_INSTRUMENT, {"instrument_id": error.instrument_id[:NAME_CHARACTERS_MAX]}
    ),
}
"""What conversations tell by a notice."""

_WORDS: Final[dict[type, Callable[[Any], ApiError]]] = {
    ApiError: lambda error: error,
    HTTPException: _http,
    RequestValidationError: _invalid,
    FieldError: lambda error: _message(Code.WRONG_FIELD, error.detail),
    FrameError: lambda error: _message(Code.MALFORMED_MESSAGE, error.reason),
    NotTakenError: lambda error: _unavailable(NOT_TAKEN_CODES[error.why], error.why.value, str(error)),
    OutcomeUnknownError: lambda error: _unavailable(Code.OUTCOME_UNKNOWN, Code.OUTCOME_UNKNOWN.name, str(error)),
    UserExistsError: lambda error: ApiError(HTTPStatus.CONFLICT, "USER_EXISTS", str(error)),
    UnknownUserError: lambda error: ApiError(HTTPStatus.NOT_FOUND, "UNKNOWN_USER", str(error)),
    VersionAheadError: lambda error: ApiError(
        HTTPStatus.CONFLICT, "VERSION_AHEAD", str(error), version=error.version, head=error.head
    ),
    VersionOrderError: lambda error: _unfit(str(error)),
    CursorError: lambda error: _unfit(str(error)),
    HistoryBusyError: lambda error: ApiError(
        HTTPStatus.TOO_MANY_REQUESTS, "HISTORY_BUSY", str(error), headers={"Retry-After": "1"}, retry_after_s=1
    ),
    HistoryError: lambda error: ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "HISTORY_UNAVAILABLE", str(error)),
    # A name or a password that can be none. A stray ValueError is none of these, it is a bug.
    UnfitError: lambda error: _unfit(str(error)),
    # The server logs it, and its text is nobody else's business.
    Exception: lambda _: ApiError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "INTERNAL",
        "the exchange failed on this request; whether it was done is not known. The failure is logged",
    ),
}
"""What all other exceptions are answered with, in the one language of programs."""

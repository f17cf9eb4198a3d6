"""Many users at once, for a class or a competition."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, SecretStr

from eventstore.model import OutcomeUnknownError
from exchange.domain.values import money_from_decimal
from exchange.gateway.access import Act, Role
from exchange.server.api import PREFIX
from exchange.server.api.access import asks_for
from exchange.server.api.backend import Backend, Behind
from exchange.server.api.bodies import Amount, RequestBody, like
from exchange.server.api.documents import ErrorBody
from exchange.server.api.errors import word_error
from exchange.server.api.login import keep_from_caches
from exchange.server.desk import NotTakenError
from exchange.server.identity.passwords import HashPoolFullError
from exchange.server.identity.users import UnfitError, UserExistsError
from exchange.server.operator import RefusedError

router = APIRouter(prefix=f"{PREFIX}/admin", tags=["admin"])

PATH: Final = f"{PREFIX}/admin/users/bulk"
BODY_MAX_BYTES: Final = 1024 * 1024
USERS_MAX: Final = 1_000
"""Users of one request: some 20 s of hashing."""
MADE_PASSWORD_BYTES: Final = 9
"""12 characters: nobody guesses one of 2**72 against the delays of the login."""

_FAILURES: Final = (
    UnfitError,
    UserExistsError,
    RefusedError,
    HashPoolFullError,
    NotTakenError,
    OutcomeUnknownError,
)
"""What may go wrong with one user and is told with them; the others are done nevertheless."""


class BulkUser(RequestBody):
    """One of many users to be added."""

    name: str
    password: SecretStr | None = None
    """Without one the exchange makes it, and tells it in the answer."""
    deposit: Amount = Decimal(0)
    role: Role = Role.TRADER


class BulkUsers(RequestBody):
    """Users to be added."""

    model_config = like(
        {"users": [{"name": "alice", "deposit": "1000000"}, {"name": "bob", "password": "pw", "role": "observer"}]}
    )

    users: Annotated[list[BulkUser], Field(min_length=1, max_length=USERS_MAX)]


class BulkResult(BaseModel):
    """What became of one user: all of it was done, or `error` says why nothing was."""

    name: str
    account_id: str | None = None
    log_seq: int | None = None
    password: str | None = None
    """The one that was made, shown this once."""
    error: ErrorBody | None = None


class BulkAnswer(BaseModel):
    """What became of each user, in the order of the request."""

    model_config = like(
        {
            "users": [
                {"name": "alice", "account_id": "A-7f3k2m", "log_seq": 4712, "password": "hV0c2xQm1_tA"},
                {
                    "name": "bob",
                    "error": {
                        "code": 0,
                        "reason": "USER_EXISTS",
                        "content": "there is a user 'bob' already: choose another name",
                        "details": {},
                    },
                },
            ]
        }
    )

    users: list[BulkResult]


@router.post(
    "/users/bulk",
    dependencies=[asks_for(Act.MANAGE_USERS), Depends(keep_from_caches)],
    response_model_exclude_none=True,
)
async def add_users(behind: Behind, bulk: BulkUsers) -> BulkAnswer:
    """Add many users, each with an account and a deposit where they trade; a result for each.

    Where one cannot be added, the others are nevertheless. Made passwords are told in this answer and never again.
    """
    # One after the other, so that of the threads that hash one is left for those who log in meanwhile.
    return BulkAnswer(users=[await _add(behind, user) for user in bulk.users])


async def _add(behind: Backend, user: BulkUser) -> BulkResult:
    given = user.password
    password = secrets.token_urlsafe(MADE_PASSWORD_BYTES) if given is None else given.get_secret_value()
    try:
        done = await behind.operator.add_user(user.name, password, money_from_decimal(user.deposit), user.role)
    except _FAILURES as error:
        return BulkResult(name=user.name, error=ErrorBody.model_validate(word_error(error, behind.language).body))
    made = password if given is None else None
    return BulkResult(name=user.name, account_id=done.user.account_id, log_seq=done.log_seq, password=made)

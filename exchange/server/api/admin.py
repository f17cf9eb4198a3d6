"""What admins and operators do with users and their money."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, SecretStr

from exchange.domain.values import money_from_decimal
from exchange.gateway.access import Act, Role
from exchange.server.api import PREFIX
from exchange.server.api.access import asks_for
from exchange.server.api.backend import Behind
from exchange.server.api.bodies import Amount, RequestBody, like
from exchange.server.api.documents import may_answer
from exchange.server.api.words import utc
from exchange.server.identity.users import User
from exchange.server.operator import Done

router = APIRouter(prefix=f"{PREFIX}/admin", tags=["admin"])

MISSING = may_answer(HTTPStatus.NOT_FOUND)
REFUSED = may_answer(HTTPStatus.CONFLICT)


class NewUser(RequestBody):
    """A user to be added."""

    model_config = like({"name": "alice", "password": "correct horse", "deposit": "1000000", "role": "trader"})

    name: str
    password: SecretStr
    deposit: Amount = Decimal(0)
    """Only a trader has an account to pay into."""
    role: Role = Role.TRADER


class NewPassword(RequestBody):
    """Another password for a user."""

    model_config = like({"password": "battery staple"})

    password: SecretStr


class NewRole(RequestBody):
    """Another role for a user."""

    model_config = like({"role": "observer"})

    role: Role


class Suspension(RequestBody):
    """Why an account is suspended."""

    model_config = like({"reason": "trades with itself"})

    reason: str = ""
    """Stands in the log for ever, so no names belong into it."""


class Payment(RequestBody):
    """Money for a user's account, or out of it."""

    model_config = like({"user": "alice", "amount": "50000"})

    user: str
    amount: Amount


class UserAnswer(BaseModel):
    """A user."""

    model_config = like(
        {"name": "alice", "account_id": "A-7f3k2m", "role": "trader", "created_at": "2027-01-15T01:00:00Z"}
    )

    name: str
    account_id: str
    role: Role
    created_at: datetime


class DoneAnswer(UserAnswer):
    """A user, and where the log tells of what was done."""

    model_config = like(
        {
            "name": "alice",
            "account_id": "A-7f3k2m",
            "role": "trader",
            "created_at": "2027-01-15T01:00:00Z",
            "log_seq": 4712,
        }
    )

    log_seq: Annotated[int | None, Field(description="Null where the log has nothing to tell.")]


@router.get("/users", dependencies=[asks_for(Act.MANAGE_USERS)])
async def users(behind: Behind) -> list[UserAnswer]:
    """All users in order of their names."""
    return [_user(user) for user in await behind.operator.users()]


@router.post("/users", dependencies=[asks_for(Act.MANAGE_USERS)], status_code=HTTPStatus.CREATED, responses=REFUSED)
async def add_user(behind: Behind, user: NewUser) -> DoneAnswer:
    """Add a user; a trader has an open account and the deposit, and the answer waits until that is durable."""
    password = user.password.get_secret_value()
    return await _done(behind.operator.add_user(user.name, password, money_from_decimal(user.deposit), user.role))


@router.put(
    "/users/{name}/password",
    dependencies=[asks_for(Act.MANAGE_USERS)],
    status_code=HTTPStatus.NO_CONTENT,
    responses=MISSING,
)
async def set_password(behind: Behind, name: str, new: NewPassword) -> None:
    """Give a user another password; the former one and all tokens are void from now on."""
    await behind.operator.set_password(name, new.password.get_secret_value())


@router.put("/users/{name}/role", dependencies=[asks_for(Act.MANAGE_USERS)], responses=MISSING | REFUSED)
async def set_role(behind: Behind, name: str, new: NewRole) -> DoneAnswer:
    """Give a user another role; all their tokens are void from now on. Who becomes a trader gets an account."""
    return await _done(behind.operator.set_role(name, new.role))


@router.post("/users/{name}/suspend", dependencies=[asks_for(Act.RUN_MARKET)], responses=MISSING | REFUSED)
async def suspend(behind: Behind, name: str, suspension: Suspension | None = None) -> DoneAnswer:
    """Take no new orders and pay out no money of a user until they are restored."""
    return await _done(behind.operator.suspend(name, "" if suspension is None else suspension.reason))


@router.post("/users/{name}/restore", dependencies=[asks_for(Act.RUN_MARKET)], responses=MISSING | REFUSED)
async def restore(behind: Behind, name: str) -> DoneAnswer:
    """End a user's suspension."""
    return await _done(behind.operator.restore(name))


@router.post(
    "/deposits",
    dependencies=[asks_for(Act.MOVE_MONEY)],
    status_code=HTTPStatus.CREATED,
    responses=MISSING | REFUSED,
)
async def deposit(behind: Behind, payment: Payment) -> DoneAnswer:
    """Pay into a user's account; answers once that is durable."""
    return await _done(behind.operator.deposit(payment.user, money_from_decimal(payment.amount)))


@router.post(
    "/withdrawals",
    dependencies=[asks_for(Act.MOVE_MONEY)],
    status_code=HTTPStatus.CREATED,
    responses=MISSING | REFUSED,
)
async def withdraw(behind: Behind, payment: Payment) -> DoneAnswer:
    """Pay out of a user's account, at most what is available; answers once that is durable."""
    return await _done(behind.operator.withdraw(payment.user, money_from_decimal(payment.amount)))


def _user(user: User) -> UserAnswer:
    return UserAnswer(name=user.name, account_id=user.account_id, role=user.role, created_at=utc(user.created_at_ns))


async def _done(doing: Awaitable[Done]) -> DoneAnswer:
    done = await doing
    return DoneAnswer(**_user(done.user).model_dump(), log_seq=done.log_seq)

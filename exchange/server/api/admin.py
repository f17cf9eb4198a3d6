"""What admins and operators do over HTTP: users, money."""

from __future__ import annotations

from decimal import Decimal
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr

from exchange.domain.values import money_from_decimal
from exchange.gateway.access import Act
from exchange.server.api.access import asks_for
from exchange.server.api.backend import Behind
from exchange.server.api.bodies import Amount, RequestBody
from exchange.server.operator import Done

router = APIRouter(prefix="/admin", tags=["admin"])


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


@router.get("/users", dependencies=[asks_for(Act.MANAGE_USERS)])
async def users(behind: Behind) -> list[UserAnswer]:
    """All users in order of their names."""
    return [UserAnswer(name=user.name, account_id=user.account_id) for user in await behind.operator.users()]


@router.post("/users", dependencies=[asks_for(Act.MANAGE_USERS)], status_code=HTTPStatus.CREATED)
async def add_user(behind: Behind, user: NewUser) -> UserAnswer:
    """Add a user with an open account and a first deposit; answers once that is durable."""
    password = user.password.get_secret_value()
    return _answer(await behind.operator.add_user(user.name, password, money_from_decimal(user.deposit)))


@router.put("/users/{name}/password", dependencies=[asks_for(Act.MANAGE_USERS)], status_code=HTTPStatus.NO_CONTENT)
async def set_password(behind: Behind, name: str, new: NewPassword) -> None:
    """Give a user another password; the former one and all tokens are void from now on."""
    await behind.operator.set_password(name, new.password.get_secret_value())


@router.post("/deposits", dependencies=[asks_for(Act.MOVE_MONEY)], status_code=HTTPStatus.CREATED)
async def deposit(behind: Behind, deposit: NewDeposit) -> UserAnswer:
    """Pay into a user's account; answers once that is durable."""
    return _answer(await behind.operator.deposit(deposit.user, money_from_decimal(deposit.amount)))


def _answer(done: Done) -> UserAnswer:
    return UserAnswer(name=done.user.name, account_id=done.user.account_id, log_seq=done.log_seq)

"""What the operator does with users and their money, whether the exchange runs or its data folder lies still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from exchange.domain.commands import Command, Deposit, OpenAccount
from exchange.domain.events import CommandRefused
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, Money
from exchange.server.auth import Users
from exchange.server.sequencer import DurableEntry
from exchange.server.users import UnknownUserError, User, UserExistsError

OPERATOR: Final = "operator"
"""The actor of what the operator asks for."""

CarryOut = Callable[[Command], Awaitable[DurableEntry]]
"""Has a command decided and waits until its entry is durable."""


class RefusedError(Exception):
    """The exchange refused a command; the refusal stands in the log."""

    def __init__(self, refusal: CommandRefused) -> None:
        super().__init__(f"{refusal.command} was refused: {refusal.reason.value} {refusal.facts}")
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done, and where the log tells of it."""

    user: User
    log_seq: int


class Operator:
    """Adds users, pays in."""

    def __init__(self, users: Users, carry_out: CarryOut) -> None:
        self._users = users
        self._carry_out = carry_out

    async def users(self) -> tuple[User, ...]:
        """All users in order of their names."""
        return await self._users.list()

    async def add_user(self, name: str, password: str, deposit: Money) -> Done:
        """Make a user with an open account and a first deposit.

        Users and log are two databases, and a crash between the two leaves a user without an account: the same call
        again, with the same password, then opens it. Raises what `Users.add` does, and RefusedError.
        """
        try:
            user, is_new = await self._users.add(name, password), True
        except UserExistsError:
            user, is_new = await self._known(name, password), False
        entry = await self._carry_out(OpenAccount(account_id=user.account_id, deposit=deposit))
        refusal = _refusal(entry)
        if refusal is not None and refusal.reason is RejectReason.ACCOUNT_EXISTS:
            if not is_new:
                raise UserExistsError(name)
            # The user's own login came in between, and a login opens an account that is missing.
            if deposit:
                entry = await self._do(Deposit(account_id=user.account_id, amount=deposit))
        elif refusal is not None:
            raise RefusedError(refusal)
        return Done(user=user, log_seq=entry.last_log_seq)

    async def _known(self, name: str, password: str) -> User:
        """The user of this name, if this is their password. Raises UserExistsError where it is not."""
        user = await self._users.verify(name, password)
        if user is None:
            raise UserExistsError(name)
        return user

    async def deposit(self, name: str, amount: Money) -> Done:
        """Pay into a user's account. Raises UnknownUserError and RefusedError."""
        user = await self._users.find(name)
        if user is None:
            raise UnknownUserError(name)
        entry = await self._do(Deposit(account_id=AccountId(user.account_id), amount=amount))
        return Done(user=user, log_seq=entry.last_log_seq)

    async def set_password(self, name: str, password: str) -> None:
        """Give a user another password; the former one and all tokens are void from now on.

        Raises what `Users.change_password` does.
        """
        await self._users.change_password(name, password)

    async def _do(self, command: Command) -> DurableEntry:
        entry = await self._carry_out(command)
        refusal = _refusal(entry)
        if refusal is not None:
            raise RefusedError(refusal)
        return entry


def _refusal(entry: DurableEntry) -> CommandRefused | None:
    return next((event for event in entry.events if isinstance(event, CommandRefused)), None)

"""What the operator does with users and their money, whether the exchange runs or its data folder lies still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from exchange.domain.commands import Command, Deposit, OpenAccount, RestoreAccount, SuspendAccount, Withdraw
from exchange.domain.events import CommandRefused
from exchange.domain.rejections import RejectReason
from exchange.domain.values import Money
from exchange.gateway.access import Role, has_account
from exchange.server.identity.auth import Users
from exchange.server.identity.users import UnfitError, UnknownUserError, User, UserExistsError
from exchange.server.sequencer import DurableEntry

OPERATOR: Final = "operator"
"""The actor of what the operator asks for."""

CarryOut = Callable[[Command], Awaitable[DurableEntry]]
"""Has a command decided and waits until its entry is durable."""


class RefusedError(Exception):
    """The exchange refused a command; the refusal stands in the log."""

    def __init__(self, refusal: CommandRefused) -> None:
        super().__init__(f"{refusal.command} was refused: {refusal.reason.value} {refusal.facts}")
        self.refusal = refusal


class NoAccountError(UnfitError):
    """Money was meant for somebody who has no account, because their role does not trade."""

    def __init__(self, name: str, role: Role) -> None:
        super().__init__(f"{name!r} has the role {role.value}, which has no account: a deposit needs a trader")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done, and where the log tells of it."""

    user: User
    log_seq: int | None
    """None where the log has nothing to tell: a user without an account stands in the users database alone."""


class Operator:
    """Adds users, gives them roles, moves their money, suspends them."""

    def __init__(self, users: Users, carry_out: CarryOut) -> None:
        self._users = users
        self._carry_out = carry_out

    async def users(self) -> tuple[User, ...]:
        """All users in order of their names."""
        return await self._users.list()

    async def add_user(self, name: str, password: str, deposit: Money, role: Role = Role.TRADER) -> Done:
        """Make a user; one who trades with an open account and a first deposit.

        Users and log are two databases, and a crash between the two leaves a user without an account: the same call
        again, with the same password, then opens it. Raises NoAccountError, what `Users.add` does, and RefusedError.
        """
        if deposit and not has_account(role):
            raise NoAccountError(name, role)
        try:
            user, is_new = await self._users.add(name, password, role=role), True
        except UserExistsError:
            user, is_new = await self._known(name, password, role), False
        if has_account(role):
            return Done(user=user, log_seq=await self._open_account(user, deposit, is_new))
        if not is_new:
            raise UserExistsError(name)
        return Done(user=user, log_seq=None)

    async def _known(self, name: str, password: str, role: Role) -> User:
        """The user of this name, if this is their password and role. Raises UserExistsError where it is not."""
        user = await self._users.verify_password(name, password)
        if user is None or user.role is not role:
            raise UserExistsError(name)
        return user

    async def _open_account(self, user: User, deposit: Money, is_new: bool) -> int:
        entry = await self._carry_out(OpenAccount(account_id=user.account_id, deposit=deposit))
        refusal = _refusal(entry)
        if refusal is not None and refusal.reason is RejectReason.ACCOUNT_EXISTS:
            if not is_new:
                raise UserExistsError(user.name)
            # The user's own login came in between, and a login opens an account that is missing.
            if deposit:
                entry = await self._do(Deposit(account_id=user.account_id, amount=deposit))
        elif refusal is not None:
            raise RefusedError(refusal)
        return entry.last_log_seq

    async def set_password(self, name: str, password: str) -> None:
        """Give a user another password; the former one and all tokens are void from now on.

        Raises what `Users.change_password` does.
        """
        await self._users.change_password(name, password)

    async def set_role(self, name: str, role: Role) -> Done:
        """Make a user somebody else to the exchange; all their tokens are void from now on.

        Who becomes a trader gets an account, unless there is one from before. Who no longer is one keeps it, with its
        orders and positions. Raises UnknownUserError and RefusedError.
        """
        await self._users.set_role(name, role)
        user = await self._find(name)
        if not has_account(role):
            return Done(user=user, log_seq=None)
        entry = await self._carry_out(OpenAccount(account_id=user.account_id))
        refusal = _refusal(entry)
        if refusal is not None and refusal.reason is not RejectReason.ACCOUNT_EXISTS:
            raise RefusedError(refusal)
        return Done(user=user, log_seq=entry.last_log_seq)

    async def deposit(self, name: str, amount: Money) -> Done:
        """Pay into a user's account. Raises UnknownUserError and RefusedError."""
        user = await self._find(name)
        return await self._done(user, Deposit(account_id=user.account_id, amount=amount))

    async def withdraw(self, name: str, amount: Money) -> Done:
        """Pay out of a user's account, at most what is available. Raises UnknownUserError and RefusedError."""
        user = await self._find(name)
        return await self._done(user, Withdraw(account_id=user.account_id, amount=amount))

    async def suspend(self, name: str, reason: str) -> Done:
        """Take no new orders and pay out no money of a user until they are restored; what works in the market stays.

        The reason stands in the log for ever, so no names belong into it. Raises UnknownUserError and RefusedError.
        """
        user = await self._find(name)
        return await self._done(user, SuspendAccount(account_id=user.account_id, reason=reason))

    async def restore(self, name: str) -> Done:
        """End a user's suspension. Raises UnknownUserError and RefusedError."""
        user = await self._find(name)
        return await self._done(user, RestoreAccount(account_id=user.account_id))

    async def _find(self, name: str) -> User:
        user = await self._users.find(name)
        if user is None:
            raise UnknownUserError(name)
        return user

    async def _done(self, user: User, command: Command) -> Done:
        entry = await self._do(command)
        return Done(user=user, log_seq=entry.last_log_seq)

    async def _do(self, command: Command) -> DurableEntry:
        entry = await self._carry_out(command)
        refusal = _refusal(entry)
        if refusal is not None:
            raise RefusedError(refusal)
        return entry


def _refusal(entry: DurableEntry) -> CommandRefused | None:
    return next((event for event in entry.events if isinstance(event, CommandRefused)), None)

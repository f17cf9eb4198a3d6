"""Where conversations and the REST interface have commands decided and logins checked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from eventstore.model import OutcomeUnknownError
from exchange.domain.commands import Command, OpenAccount
from exchange.domain.values import AccountId, Money
from exchange.gateway.conversation import Conversation
from exchange.gateway.notices import Code
from exchange.gateway.surroundings import User
from exchange.server.auth import Users
from exchange.server.passwords import HashPoolFullError
from exchange.server.sequencer import DurableEntry, NotTaken, Sequencer
from exchange.server.users import User as KnownUser
from exchange.server.users import UserExistsError

log = logging.getLogger("exchange.desk")

SYSTEM: Final = "system"
"""The actor of commands that nobody asked for: what a start or a first login brings with it."""

NOT_TAKEN_CODES = {NotTaken.BUSY: Code.BUSY, NotTaken.STOPPED: Code.SHUTTING_DOWN}


class NotTakenError(Exception):
    """A command was not even decided."""

    def __init__(self, why: NotTaken) -> None:
        super().__init__("the exchange is busy, try again" if why is NotTaken.BUSY else "the exchange is shutting down")
        self.why = why


class Desk:
    """Serves every conversation of the process."""

    def __init__(
        self,
        sequencer: Sequencer,
        users: Users,
        *,
        log_id: str,
        epoch: int,
        auto_open: Money | None,
    ) -> None:
        self.log_id = log_id
        self.epoch = epoch
        self._sequencer = sequencer
        self._users = users
        self._auto_open = auto_open
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun: dict[asyncio.Future[DurableEntry], None] = {}
        self._stopped = False
        self._changing: set[Conversation] = set()
        """Those whose change of password is under way."""
        self.histories_differing = 0
        """Clients that came back with a version or a log which this log does not have."""

    def submit(self, conversation: Conversation, command: Command, client_id: str) -> Code | None:
        """Have a conversation's command decided."""
        assert conversation.user is not None, "a command needs somebody who is logged in"
        not_taken = self._sequencer.submit(
            command,
            actor=conversation.user.account_id,
            client_id=client_id,
            origin=f"ws/{conversation.number}",
        )
        return NOT_TAKEN_CODES[not_taken] if not_taken else None

    def begin(self, command: Command, *, actor: str, origin: str) -> asyncio.Future[DurableEntry]:
        """Have a command decided before this returns; the future gives its entry once that is durable and published.

        Raises NotTakenError at once; the future raises OutcomeUnknownError where the append failed.
        """
        durable: asyncio.Future[DurableEntry] = asyncio.get_running_loop().create_future()

        def answer(entry: DurableEntry) -> None:
            self._begun.pop(durable, None)
            if not durable.done():
                durable.set_result(entry)

        not_taken = self._sequencer.submit(command, actor=actor, origin=origin, answer=answer)
        if not_taken is not None:
            raise NotTakenError(not_taken)
        self._begun[durable] = None
        return durable

    async def carry_out(self, command: Command, *, actor: str, origin: str) -> DurableEntry:
        """Have a command decided and wait until its entry is durable. Raises NotTakenError and OutcomeUnknownError."""
        return await self.begin(command, actor=actor, origin=origin)

    def outcomes_unknown(self, why: Exception) -> None:
        """Tell everybody who waits for an entry that nobody will tell its outcome, and why."""
        begun, self._begun = self._begun, {}
        for durable in begun:
            if not durable.done():
                durable.set_exception(OutcomeUnknownError(f"the outcome is unknown, the exchange failed: {why}"))
                # Now it counts as looked at: whoever has stopped waiting for it is not worth a line in the log.
                durable.exception()

    # Logins.

    def authenticate(self, conversation: Conversation, name: str, secret: str) -> None:
        """Check a login beside the loop's other work."""
        if self._stopped:
            conversation.login_failed(Code.SHUTTING_DOWN)
        else:
            self._begin(self._authenticate(conversation, name, secret))

    async def _authenticate(self, conversation: Conversation, name: str, secret: str) -> None:
        try:
            user = await self.log_in(name, secret)
        except HashPoolFullError:
            conversation.login_failed(Code.TOO_MANY_ATTEMPTS)
        except NotTakenError as error:
            conversation.login_failed(NOT_TAKEN_CODES[error.why])
        except Exception:
            # Whatever it was, the client must not wait for ever for an answer.
            log.exception("a login could not be checked")
            conversation.give_up("the login could not be checked, try again")
        else:
            if user is None:
                conversation.login_failed(Code.WRONG_LOGIN)
            else:
                conversation.login_succeeded(user)

    async def log_in(self, name: str, secret: str) -> User | None:
        """The user behind a name and a password or token, with an open account; None where they do not fit."""
        # Where everybody gets in, a name is no secret: an unknown one need not cost a check against a decoy.
        if self._auto_open is not None and await self._users.find(name) is None:
            known = await self._open_at_first_sight(name, secret)
        else:
            known = await self._users.verify(name, secret)
        if known is None:
            return None
        if known.account_id not in self._sequencer.state.accounts:
            # Users and log are two databases: a crash between them, or a user from elsewhere, leaves an account to be
            # opened.
            await self._open_account(known.account_id)
        return User(known.name, known.account_id, known.role)

    async def _open_at_first_sight(self, name: str, secret: str) -> KnownUser | None:
        """A user made of an unknown name; None where somebody else just took it, or where it is no name."""
        try:
            return await self._users.add(name, secret)
        except UserExistsError:
            # Since a moment ago: another window of the same new user, or another user of the same name.
            return await self._users.verify(name, secret)
        except ValueError:
            return None

    async def _open_account(self, account_id: AccountId) -> None:
        command = OpenAccount(account_id=account_id, deposit=self._auto_open or Money(0))
        await self.carry_out(command, actor=SYSTEM, origin="login")

    def change_password(self, conversation: Conversation, user: User, old: str, new: str) -> None:
        """Check and change a password, one at a time for each connection; the outcome comes as a notice."""
        if self._stopped or conversation in self._changing:
            code = Code.SHUTTING_DOWN if self._stopped else Code.TOO_MANY_ATTEMPTS
            conversation.notify("ERROR", code, {})
            conversation.wake()
        else:
            self._changing.add(conversation)
            self._begin(self._change_password(conversation, user, old, new))

    async def _change_password(self, conversation: Conversation, user: User, old: str, new: str) -> None:
        try:
            if await self._users.verify(user.name, old) is None:
                conversation.notify("ERROR", Code.WRONG_LOGIN, {})
            else:
                await self._users.change_password(user.name, new)
                conversation.notify("INFO", Code.PASSWORD_CHANGED, {})
        except HashPoolFullError:
            conversation.notify("ERROR", Code.TOO_MANY_ATTEMPTS, {})
        except ValueError as error:
            conversation.notify("ERROR", Code.WRONG_FIELD, {"aid": "change_password", "detail": str(error)})
        except Exception:
            log.exception("a password could not be changed")
            conversation.give_up("the password could not be changed, try again")
        finally:
            self._changing.discard(conversation)
        conversation.wake()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up the logins that are being checked, and check no further ones."""
        self._stopped = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def history_differs(self, conversation: Conversation) -> None:
        """Count and log a client whose history this log does not have: it was lost, replaced, or is another's."""
        self.histories_differing += 1
        log.warning("connection %d came back with a history that this log does not have", conversation.number)

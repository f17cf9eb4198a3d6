"""Where conversations and the REST interface have commands decided and logins checked."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final

from eventstore.model import OutcomeUnknownError
from exchange.domain.commands import Command, OpenAccount
from exchange.domain.values import AccountId, Money
from exchange.gateway.access import has_account
from exchange.gateway.conversation import Conversation
from exchange.gateway.notices import Code
from exchange.gateway.surroundings import User
from exchange.server.identity.auth import Users
from exchange.server.identity.login_limits import LoginLimits, TooManyAttemptsError
from exchange.server.identity.online import Online
from exchange.server.identity.passwords import HashPoolFullError
from exchange.server.identity.tickets import Tickets
from exchange.server.identity.tokens import hash_of_token
from exchange.server.identity.users import LoginRevokedError, UnfitError, UserExistsError
from exchange.server.identity.users import User as KnownUser
from exchange.server.port.addresses import host_of_text, network_of
from exchange.server.sequencer import DurableEntry, NotTaken, Sequencer

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
        tickets: Tickets,
        *,
        limits: LoginLimits,
        online: Online,
        log_id: str,
        epoch: int,
        auto_open: Money | None,
    ) -> None:
        self.log_id = log_id
        self.epoch = epoch
        self._sequencer = sequencer
        self._users = users
        self._tickets = tickets
        self._limits = limits
        self._online = online
        users.when_revoked = self._revoked
        self._auto_open = auto_open
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun: dict[asyncio.Future[DurableEntry], None] = {}
        self._opening: dict[AccountId, asyncio.Future[DurableEntry]] = {}
        """Accounts that the state has, and the views not yet."""
        self._stopped = False
        self._changing: set[Conversation] = set()
        """Those whose change of password is under way."""
        self.logins: Counter[str] = Counter()
        """Logins since the start by outcome: `ok`, `wrong`, `too_many` and, where no account could be opened,
        `not_taken`."""
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

    def begin(self, command: Command, *, actor: str, origin: str, client_id: str = "") -> asyncio.Future[DurableEntry]:
        """Have a command decided before this returns; the future gives its entry once that is durable and published.

        Raises NotTakenError at once; the future raises OutcomeUnknownError where the append failed.
        """
        durable: asyncio.Future[DurableEntry] = asyncio.get_running_loop().create_future()

        def answer(entry: DurableEntry) -> None:
            self._begun.pop(durable, None)
            if not durable.done():
                durable.set_result(entry)

        not_taken = self._sequencer.submit(command, actor=actor, client_id=client_id, origin=origin, answer=answer)
        if not_taken is not None:
            raise NotTakenError(not_taken)
        self._begun[durable] = None
        if isinstance(command, OpenAccount):
            self._opening[command.account_id] = durable
            durable.add_done_callback(lambda _: self._opening.pop(command.account_id, None))
        return durable

    async def carry_out(self, command: Command, *, actor: str, origin: str, client_id: str = "") -> DurableEntry:
        """Have a command decided and wait until its entry is durable. Raises NotTakenError and OutcomeUnknownError."""
        return await self.begin(command, actor=actor, origin=origin, client_id=client_id)

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

    def authenticate_ticket(self, conversation: Conversation, name: str, ticket: str) -> None:
        """Check a login that came in the address: a memory's work, answered at once."""
        user = self._tickets.redeem(name, ticket)
        if self._stopped:
            conversation.login_failed(Code.SHUTTING_DOWN)
        else:
            self.logins["wrong" if user is None else "ok"] += 1
            self._answer(conversation, user)

    async def _authenticate(self, conversation: Conversation, name: str, secret: str) -> None:
        try:
            user = await self.log_in(name, secret, address=host_of_text(conversation.remote))
        except (HashPoolFullError, TooManyAttemptsError):
            conversation.login_failed(Code.TOO_MANY_ATTEMPTS)
        except NotTakenError as error:
            conversation.login_failed(NOT_TAKEN_CODES[error.why])
        except Exception:
            # Whatever it was, the client must not wait for ever for an answer.
            log.exception("a login could not be checked")
            conversation.give_up("the login could not be checked, try again")
        else:
            # At once: what could be revoked in between would not be.
            self._answer(conversation, user)

    @staticmethod
    def _answer(conversation: Conversation, user: User | None) -> None:
        if user is None:
            conversation.login_failed(Code.WRONG_LOGIN)
        elif not conversation.line.join_user(user.name, user.token_hash):
            conversation.login_failed(Code.TOO_MANY_CONNECTIONS)
        else:
            conversation.login_succeeded(user)

    async def log_in(self, name: str, secret: str, *, address: str) -> User | None:
        """The user behind a name and a password or token, with an open account where the role has one; None where
        they do not fit.

        `address` is the bare IP address that asks. Raises TooManyAttemptsError, HashPoolFullError, NotTakenError.
        """
        try:
            user = await self._log_in(name, secret, address)
        except (TooManyAttemptsError, HashPoolFullError):
            self.logins["too_many"] += 1
            raise
        except NotTakenError:
            self.logins["not_taken"] += 1
            raise
        self.logins["wrong" if user is None else "ok"] += 1
        return user

    async def _log_in(self, name: str, secret: str, address: str) -> User | None:
        holder = await self._users.verify_token(secret)
        if holder is not None and holder.name == name:
            # Before the limits: nobody who guesses at a name keeps its user from coming back.
            known: KnownUser | None = holder
            token_hash = hash_of_token(secret)
        else:
            known, token_hash = await self._by_password(name, secret, address), None
        if known is None:
            return None
        if has_account(known.role):
            seen = self._users.revocations
            await self._see_to_account(known.account_id)
            if self._users.revocations != seen:
                return await self._log_in(name, secret, address)
        return User(known.name, known.account_id, known.role, token_hash)

    async def _by_password(self, name: str, password: str, address: str) -> KnownUser | None:
        with self._limits.attempt(name, network_of(address)) as attempt:
            # Where everybody gets in, a name is no secret: an unknown one need not cost a check against a decoy.
            if self._auto_open is not None and await self._users.find(name) is None:
                known = await self._open_at_first_sight(name, password)
            else:
                known = await self._users.verify_password(name, password)
            attempt.was_right = known is not None
        return known

    def _revoked(self, name: str, token_hash: bytes | None, but: int | None) -> None:
        """A user's password or role was changed, or one token was revoked or has expired: what came in by it ends."""
        if token_hash is None:
            self._tickets.dismiss(name)
        else:
            self._tickets.revoke(name, token_hash)
        self._online.revoked(name, token_hash, but)

    async def _open_at_first_sight(self, name: str, secret: str) -> KnownUser | None:
        """A user made of an unknown name; None where somebody else just took it, or where it is no name."""
        try:
            return await self._users.add(name, secret)
        except UserExistsError:
            # Since a moment ago: another window of the same new user, or another user of the same name.
            return await self._users.verify_password(name, secret)
        except ValueError:
            return None

    async def _see_to_account(self, account_id: AccountId) -> None:
        """Open the account where there is none, and wait until the views have it.

        Users and log are two databases: a crash between them, or a user from elsewhere, leaves an account to be opened.
        """
        if account_id not in self._sequencer.state.accounts:
            self.begin(
                OpenAccount(account_id=account_id, deposit=self._auto_open or Money(0)), actor=SYSTEM, origin="login"
            )
        opening = self._opening.get(account_id)
        if opening is not None:
            # Maybe another window's, or the operator's: the state has the account before the views do. Shielded:
            # who gives up waiting must not take it from the others.
            await asyncio.shield(opening)

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
            # The password itself: a token that somebody got hold of must not be enough to take the user over.
            with self._limits.attempt(user.name, network_of(host_of_text(conversation.remote))) as attempt:
                known = await self._users.verify_password(user.name, old)
                attempt.was_right = known is not None
            if known is None:
                conversation.notify("ERROR", Code.WRONG_LOGIN, {})
            else:
                await self._users.change_own_password(known, new, connection=conversation.number)
                conversation.notify("INFO", Code.PASSWORD_CHANGED, {})
        except (HashPoolFullError, TooManyAttemptsError):
            conversation.notify("ERROR", Code.TOO_MANY_ATTEMPTS, {})
        except LoginRevokedError:
            conversation.notify("ERROR", Code.WRONG_LOGIN, {})
        except UnfitError as error:
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

"""Keeps a mirror up to date over one connection after the other.

One task does the work: connect, log in, ask again for what is still wanted, then one peek after the other, each
answered by one step. Whatever ends the connection, the task waits a little and comes back with the mirror's version, so
that one step leads from there to now. Only a refused login ends it for good.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Literal, Protocol

from websockets.exceptions import ConnectionClosed, WebSocketException

from exchange.client.addresses import Address
from exchange.client.backoff import Backoff
from exchange.client.changes import Tree
from exchange.client.endings import LoginDeferredError, SilentServerError, pause_after
from exchange.client.errors import ClosedError, LoginError, MirrorError
from exchange.client.line import Line, open_line
from exchange.client.login import WRONG_LOGIN, request_token
from exchange.client.mirror import Mirror
from exchange.client.notices import AUTH_RESULT, Notice, notices_in
from exchange.client.options import ClientOptions
from exchange.client.requests import PEEK, login_message

log = logging.getLogger("exchange.client")

LOGIN_OK: Final = 1000
TOO_MANY_ATTEMPTS: Final = 1010
SERVER_STATES: Final = range(5000, 6000)
"""Codes of a server that does not take something now and will later."""
TROUBLES: Final = (OSError, WebSocketException, MirrorError, LoginDeferredError, SilentServerError)
"""What ends a connection and not the client."""

LoginBy = Literal["password", "token"]
Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who logs in, and how."""

    user: str
    password: str
    login_by: LoginBy
    tls: ssl.SSLContext | None

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, password=***)"


class Audience(Protocol):
    """Who is told how it goes. The calls come from the task, and none of them may fail."""

    def stepped(self, frame: Tree) -> None:
        """The mirror has taken this step."""

    def messages_to_send(self) -> list[Tree]:
        """A connection is logged in: what it is to carry before anything else."""

    def connected(self) -> None:
        """The connection is ready for everything."""

    def ended(self, error: Exception) -> None:
        """There will be no further connection."""


class Follower:
    """The task, its connection, and how often it had to come back."""

    def __init__(
        self,
        credentials: Credentials,
        addresses: tuple[Address, ...],
        mirror: Mirror,
        audience: Audience,
        options: ClientOptions,
        *,
        random: Random | None,
        sleep: Sleep,
    ) -> None:
        self.is_connected = False
        """Whether there is a connection that is logged in and has asked for all that is wanted."""
        self.last_trouble: Exception | None = None
        self.resumes = 0
        self.full_steps = 0
        self._credentials = credentials
        self._addresses = addresses
        self._mirror = mirror
        self._audience = audience
        self._options = options
        self._backoff = Backoff(random=random)
        self._sleep = sleep
        self._token: str | None = None
        self._line: Line | None = None
        """The connection, from its opening until it has ended or was left."""
        self._is_logged_in = False
        self._starts_anew = False
        """Whether the mirror's place is no good to come back with."""
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    @property
    def has_started(self) -> bool:
        """Whether `start` was called."""
        return self._task is not None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End the connection and the task; several may call it at once."""
        if self._task is not None:
            if not self._is_stopping:
                # Once only: cancelled again, the task would leave its connection half closed.
                self._is_stopping = True
                self._task.cancel()
            await asyncio.wait([self._task])

    async def send(self, message: Tree) -> None:
        """Send what `messages_to_send` gives again if there is no connection, or this one ends before the answer."""
        if self._line is not None and self._is_logged_in:
            with suppress(ConnectionClosed):
                await self._line.send(message)

    async def leave_connection(self) -> None:
        """The mirror was rolled back: come back at once from where it stands now. What the connection still brings
        leads on from another picture and is not taken."""
        line = self._line
        self._forget_line()
        if line is not None:
            await line.close()

    async def _run(self) -> None:
        try:
            await self._come_back_for_ever()
        except LoginError as error:
            self._audience.ended(error)
        except Exception as error:
            log.exception("the client of %s has failed", self._credentials.user)
            failure = ClosedError(f"the client failed by an error of its own ({error!r}): make another one")
            self._audience.ended(failure)

    async def _come_back_for_ever(self) -> None:
        turn = 0
        while True:
            logins = self.resumes + self.full_steps
            try:
                await self._serve(self._addresses[turn % len(self._addresses)])
                continue  # left by a rollback: come back at once
            except TROUBLES as error:
                self.last_trouble = error
                self._starts_anew |= isinstance(error, MirrorError)
                wait_s = self._backoff.next_wait_s(addresses=len(self._addresses), pause_s=pause_after(error))
            finally:
                self._forget_line()
            turn += logins == self.resumes + self.full_steps  # an address that let us in is asked again first
            log.info("%s: %r; trying again in %.1f s", self._credentials.user, self.last_trouble, wait_s)
            await self._sleep(wait_s)

    def _forget_line(self) -> None:
        self._line, self._is_logged_in, self.is_connected = None, False, False

    async def _serve(self, address: Address) -> None:
        """One connection, until `leave_connection`. Raises what ended it before that."""
        secret = await self._secret(address)
        async with open_line(address.websocket, self._options, self._credentials.tls) as line:
            self._line = line
            try:
                await self._follow(line, secret)
            except TROUBLES:
                if self._line is line:  # else it ended because it was left
                    raise

    async def _follow(self, line: Line, secret: str) -> None:
        """Log in, ask for what is wanted, and take step after step."""
        await self._log_in(line, secret)
        self._is_logged_in = self._line is line
        for message in self._audience.messages_to_send():
            await line.send(message)
        if self._line is line:
            self.is_connected = True
            self._audience.connected()
        answer_within_s = self._options.peek_timeout_s + self._options.peek_margin_s
        while self._line is line:
            await line.send(PEEK)
            self._take(line, await line.next_step(answer_within_s))

    async def _secret(self, address: Address) -> str:
        """What to log in with: the token, where one is wanted and to be had."""
        who = self._credentials
        if who.login_by == "token" and self._token is None:
            self._token = await request_token(
                address.login, who.user, who.password, timeout_s=self._options.answer_timeout_s, tls=who.tls
            )
        return self._token or who.password

    async def _log_in(self, line: Line, secret: str) -> None:
        """Log in, and let the answer lead the mirror to now. Raises LoginError and LoginDeferredError."""
        snapshot = self._mirror.snapshot
        resume_from = None if snapshot.version is None or self._starts_anew else snapshot
        user, password = self._credentials.user, self._credentials.password
        frame, answer = await self._ask_in(line, login_message(user, secret, resume_from))
        if answer.code == WRONG_LOGIN and self._token is not None:
            self._token = None  # expired or revoked: the password may still do
            frame, answer = await self._ask_in(line, login_message(user, password, resume_from))
        if answer.code == TOO_MANY_ATTEMPTS or answer.code in SERVER_STATES:
            raise LoginDeferredError(f"the login was put off (code {answer.code}): {answer.content}")
        if answer.code != LOGIN_OK:
            raise LoginError(user, answer.code, answer.content)
        is_full = frame.get("full") is True
        if resume_from is None and not is_full:
            raise MirrorError("the first picture is not marked as full")
        if self._take(line, frame):
            self._starts_anew = False
            self.full_steps += is_full
            self.resumes += not is_full

    async def _ask_in(self, line: Line, message: dict[str, Any]) -> tuple[Tree, Notice]:
        """The answer to a login: the step, and the notice in it that says how it went."""
        await line.send(message)
        frame = await line.next_step(self._options.answer_timeout_s)
        for notice in notices_in(frame):
            if notice.notice_id == AUTH_RESULT:
                return frame, notice
        raise MirrorError("the server answered the login with a step that does not say how it went")

    def _take(self, line: Line, frame: Tree) -> bool:
        """Lead the mirror on and say so, unless the connection was left meanwhile: then the step starts from another
        picture. Raises MirrorError, and then nothing has changed."""
        if self._line is not line:
            return False
        self._mirror.apply(frame)
        self._backoff.succeeded()
        self._audience.stepped(frame)
        return True

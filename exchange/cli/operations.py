"""What the operator asks for, carried out by the running server, or on the data folder where none runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

from exchange.cli.errors import LOOK_FIRST, NotReachableError, TurnedDownError, UnknownOutcomeError
from exchange.cli.output import progress
from exchange.domain.values import money_from_decimal
from exchange.gateway.notices import Language, code_of, text_of
from exchange.server.data_folder import DataFolder, FolderLockedError

if TYPE_CHECKING:
    from exchange.cli.server_client import ServerClient
    from exchange.server.operator import Done, Operator

Result = TypeVar("Result")

OWNER_WAIT_S: Final = 10.0
"""How long to wait for a server that is starting or stopping, or for another command, to be done with the folder."""


class Receipt(NamedTuple):
    """What was done, and where the log tells of it."""

    name: str
    account_id: str
    log_seq: int | None
    """None for a user without an account."""


class Operations(Protocol):
    """What the operator can ask for, by either way.

    Each call raises TurnedDownError where the exchange refuses, and errors that `errors.status_of` knows.
    """

    def add_user(self, name: str, password: str, deposit: Decimal) -> Receipt:
        """Make a user with an open account and a first deposit, in yuan."""
        ...

    def deposit(self, name: str, amount: Decimal) -> Receipt:
        """Pay yuan into a user's account."""
        ...

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password; the former one and all tokens are void from now on."""
        ...


def operate(folder: DataFolder, language: Language, work: Callable[[Operations], Result]) -> Result:
    """Have `work` done by the folder's server, or on the folder itself where none runs.

    Waits a little for a server that is starting or stopping, and for other commands; raises NotReachableError where
    that was not long enough.
    """
    give_up_at = time.monotonic() + OWNER_WAIT_S
    while True:
        server = folder.running()
        if server is not None:
            from exchange.cli.server_client import Address, ServerClient

            return work(ThroughServer(ServerClient(Address.of(server), folder.read_admin_token(), language)))
        try:
            return work(OnFolder(folder, language))
        except FolderLockedError as error:
            # Nothing was done yet: the lock comes first. Each try takes a moment by itself, so no pause is needed.
            if time.monotonic() > give_up_at:
                raise NotReachableError(f"{error}. Waited {OWNER_WAIT_S:.0f} s, nothing was done") from error


class ThroughServer:
    """Asks the running server."""

    def __init__(self, client: ServerClient) -> None:
        self._client = client

    def add_user(self, name: str, password: str, deposit: Decimal) -> Receipt:
        """See `Operations.add_user`."""
        content = {"name": name, "password": password, "deposit": f"{deposit:f}"}
        return self._receipt("/api/v1/admin/users", content)

    def deposit(self, name: str, amount: Decimal) -> Receipt:
        """See `Operations.deposit`."""
        return self._receipt("/api/v1/admin/deposits", {"user": name, "amount": f"{amount:f}"})

    def set_password(self, name: str, password: str) -> None:
        """See `Operations.set_password`."""
        self._client.ask("PUT", f"/api/v1/admin/users/{quote(name, safe='')}/password", {"password": password})

    def _receipt(self, path: str, content: dict[str, str]) -> Receipt:
        answer = self._client.ask("POST", path, content)
        return Receipt(answer["name"], answer["account_id"], answer["log_seq"])


class OnFolder:
    """Works on the data folder, which it locks for each call."""

    def __init__(self, folder: DataFolder, language: Language) -> None:
        self._folder = folder
        self._language: Language = language

    def add_user(self, name: str, password: str, deposit: Decimal) -> Receipt:
        """See `Operations.add_user`."""
        amount = money_from_decimal(deposit)
        return _receipt(self._run(lambda operator: operator.add_user(name, password, amount)))

    def deposit(self, name: str, amount: Decimal) -> Receipt:
        """See `Operations.deposit`."""
        money = money_from_decimal(amount)
        return _receipt(self._run(lambda operator: operator.deposit(name, money)))

    def set_password(self, name: str, password: str) -> None:
        """See `Operations.set_password`."""
        self._run(lambda operator: operator.set_password(name, password))

    def _run(self, work: Callable[[Operator], Awaitable[Result]]) -> Result:
        # Imported here: with a running server none of SQLAlchemy, alembic and argon2 is needed.
        from exchange.server.offline import offline_operator
        from exchange.server.operator import RefusedError

        async def run() -> Result:
            with progress("reading the log") as told:
                async with offline_operator(self._folder, told) as operator:
                    return await work(operator)

        try:
            return asyncio.run(run())
        except KeyboardInterrupt as error:
            raise UnknownOutcomeError(f"interrupted: it may have been done or not. {LOOK_FIRST}") from error
        except RefusedError as error:
            refusal = error.refusal
            raise TurnedDownError(text_of(code_of(refusal.reason), self._language, refusal.facts)) from error


def _receipt(done: Done) -> Receipt:
    return Receipt(done.user.name, done.user.account_id, done.log_seq)

"""`exchange bots`: bots that trade on an exchange as ordinary users, so that others find a market there."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Iterable
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from exchange.cli import logins
from exchange.cli.errors import FailedError, NotReachableError, TurnedDownError, UsageError
from exchange.cli.names import read_users
from exchange.cli.operations import Operations, operate
from exchange.cli.options import (
    DEFAULT_DATA,
    CertificatesOption,
    DataOption,
    JsonLinesOption,
    Language,
    RefusalLanguageOption,
    UrlOption,
)
from exchange.cli.output import print_json_line
from exchange.cli.password import PasswordOption, PasswordStdinOption, read_password
from exchange.cli.values import parse_yuan
from exchange.domain.values import InstrumentId
from exchange.server.data_folder import DataFolder

if TYPE_CHECKING:
    from exchange.client import Client
    from exchange.feeds.bots.crew import CrewSettings

QUOTES_S: Final = 10.0
"""How long to wait for the first quotes."""
FINISHED_MAX: Final = 20
"""Finished orders and trades that a bot's client keeps: it looks at its orders every second."""


def bots(
    instruments: Annotated[
        str, typer.Option(metavar="NAMES", help="The contracts to trade, with commas, such as SHFE.cu2701,DCE.i2701.")
    ],
    url: UrlOption = None,
    user: Annotated[
        str, typer.Option(metavar="NAME", help="The bots log in as NAME-maker-1, NAME-noise-1 and so on.")
    ] = "bot",
    password: PasswordOption = None,
    password_stdin: PasswordStdinOption = False,
    deposit: Annotated[
        Decimal | None,
        typer.Option(
            parser=parse_yuan,
            metavar="YUAN",
            help="First make those of these users who are not there yet, on the exchange of the data folder.",
        ),
    ] = None,
    makers: Annotated[int, typer.Option(metavar="N", min=0, help="Market makers in every contract.")] = 1,
    noise: Annotated[int, typer.Option(metavar="N", min=0, help="Noise traders in every contract.")] = 2,
    momentum: Annotated[int, typer.Option(metavar="N", min=0, help="Momentum traders in every contract.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="The bots' dice: another seed, another market.")] = 1,
    speed: Annotated[
        float, typer.Option(metavar="X", help="1 has each bot look about once a second, 10 ten times as often.")
    ] = 1.0,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Quote around the last price, not around a random walk: where others move it."),
    ] = False,
    leave_orders: Annotated[
        bool, typer.Option("--leave-orders", help="Do not cancel the bots' orders at the end.")
    ] = False,
    ca: CertificatesOption = None,
    data: DataOption = DEFAULT_DATA,
    lang: RefusalLanguageOption = Language.EN,
    json: JsonLinesOption = False,
) -> None:
    """Let bots trade, until Ctrl-C.

    They are users like all others, with one password for all of them. docs/bots.md says what they do.
    """
    from exchange.feeds.bots.crew import CrewSettings, members

    try:
        settings = CrewSettings(makers=makers, noise=noise, momentum=momentum, seed=seed, speed=speed)
    except ValueError as error:
        raise UsageError(str(error)) from None
    wanted = tuple(dict.fromkeys(InstrumentId(name.strip()) for name in instruments.split(",") if name.strip()))
    if not wanted:
        raise UsageError("--instruments names no contract: give at least one, such as SHFE.cu2701")
    server, certificates = logins.where(url, data, ca)
    secret = read_password(password, password_stdin, f"Password for the bots of {user}")
    names = {member.name: f"{user}-{member.name}" for member in members(settings)}
    if deposit is not None:
        _make_users(data, names.values(), secret, deposit, lang)
    party = Party(server, logins.trusted(certificates), names, secret, wanted, settings)
    asyncio.run(party.trade(follow=follow, leave_orders=leave_orders, json=json))


def _make_users(data: Path, names: Iterable[str], password: str, deposit: Decimal, lang: Language) -> None:
    known = {user.name for user in read_users(data)}
    for name in names:
        if name not in known:
            operate(DataFolder(data), lang.value, partial(_add_user, name=name, password=password, deposit=deposit))


def _add_user(exchange: Operations, name: str, password: str, deposit: Decimal) -> None:
    exchange.add_user(name, password, deposit)


class Party:
    """A crew of bots that trade over the network: a client for each member."""

    def __init__(
        self,
        server: str,
        tls: ssl.SSLContext | None,
        names: dict[str, str],
        password: str,
        instruments: tuple[InstrumentId, ...],
        settings: CrewSettings,
    ) -> None:
        self._address = server.replace("http", "ws", 1)
        self._tls = tls
        self._names = names
        """The user's name of each member."""
        self._password = password
        self._instruments = instruments
        self._settings = settings

    async def trade(self, *, follow: bool, leave_orders: bool, json: bool) -> None:
        """Log in, trade until SIGINT or SIGTERM, withdraw."""
        from exchange.cli.bot_seat import ClientSeat
        from exchange.feeds.bots.bot import begin, trade, withdraw
        from exchange.feeds.bots.crew import make_bots
        from exchange.feeds.player import LoopTime

        stopping = _asked_to_stop()
        async with AsyncExitStack() as exits:
            clients = {name: await self._client(exits, user) for name, user in self._names.items()}
            made = make_bots(
                self._settings,
                self._instruments,
                lambda member, instrument_id: ClientSeat(clients[member.name], instrument_id),
                LoopTime(),
                moved=frozenset(self._instruments) if follow else frozenset(),
            )
            await begin(made)
            trading = asyncio.create_task(trade(made))
            self._tell(json, "ready", f"{len(made)} bots trade at {self._address}; Ctrl-C stops")
            await asyncio.wait((trading, stopping), return_when=asyncio.FIRST_COMPLETED)
            trading.cancel()
            await asyncio.wait((trading,))
            try:
                if not leave_orders:
                    await withdraw(made)
            finally:
                _raise_failure(trading)
        self._tell(json, "stopped", "stopped")

    async def _client(self, exits: AsyncExitStack, user: str) -> Client:
        """A client that is logged in and sees every instrument."""
        from exchange.client import Client, ClientOptions, LoginError, NotConnectedError, NotInTimeError

        options = ClientOptions(trades_max=FINISHED_MAX, finished_orders_max=FINISHED_MAX)
        client = Client(self._address, user, self._password, login_by="token", tls=self._tls, options=options)
        try:
            await exits.enter_async_context(client)
            await client.subscribe(*self._instruments)
            # The list in force comes in one step with the quotes of all that is on it.
            await client.wait_for(lambda picture: "ins_list" in picture.tree, QUOTES_S)
        except LoginError as error:
            raise TurnedDownError(f"{error.content} (user {user}). --deposit makes the bots' users") from error
        except (NotConnectedError, NotInTimeError) as error:
            raise NotReachableError(str(error)) from error
        unknown = ", ".join(each for each in self._instruments if client.quote(each) is None)
        if unknown:
            raise FailedError(f"the exchange shows no quotes of {unknown}: it must list what bots trade")
        return client

    def _tell(self, json: bool, event: str, text: str) -> None:
        if json:
            print_json_line({"event": event, "users": list(self._names.values()), "instruments": self._instruments})
        else:
            typer.echo(text)


def _raise_failure(trading: asyncio.Task[None]) -> None:
    """Raises what ended the bots, unless they were stopped."""
    from exchange.client import ClientError

    error = None if trading.cancelled() else trading.exception()
    first = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, ClientError):
        raise FailedError(str(first)) from error
    if error is not None:
        raise error


def _asked_to_stop() -> asyncio.Future[None]:
    """Done at the first SIGINT or SIGTERM; a second one ends the process as if nobody listened."""
    loop = asyncio.get_running_loop()
    asked = loop.create_future()

    def ask() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        asked.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    return asked

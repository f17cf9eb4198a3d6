"""`exchange`: all commands in one place, what they have in common, and how each of them ends."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from exchange.cli import log, users
from exchange.cli.bench import bench
from exchange.cli.bots import bots
from exchange.cli.deposit import deposit
from exchange.cli.doctor import doctor
from exchange.cli.errors import status_of, text_of
from exchange.cli.login import login, logout
from exchange.cli.looking import account, book, orders, positions, quote, trades
from exchange.cli.output import tell
from exchange.cli.replay import replay
from exchange.cli.serving import demo, serve
from exchange.cli.state import state
from exchange.cli.trading import buy, cancel, sell
from exchange.cli.watch import watch

EPILOG = (
    "Exit status: 0 done, 1 failed or damage found, 2 usage, 3 refused by the exchange, 4 server not reachable, "
    "70 outcome unknown."
)


class LogLevel(StrEnum):
    """How much is logged to standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ExplainingGroup(TyperGroup):
    """Ends every expected error with a text for the person and a status for the script, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that `ctx` names. What is not expected is a bug, and leaves with its traceback."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            status = status_of(error)
            if status is None or isinstance(error, BrokenPipeError):
                raise
            if ctx.params.get("debug"):
                logging.getLogger("exchange.cli").exception("the command ended with this")
            tell(f"error: {text_of(error)}")
            raise typer.Exit(status) from error


app = typer.Typer(
    cls=ExplainingGroup,
    name="exchange",
    no_args_is_help=True,
    epilog=EPILOG,
    # Plain text: it reads the same in a terminal, a pipe and a log, and does not load rich.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(demo)
app.command()(bots)
for command in (login, logout, buy, sell, cancel, orders, trades, positions, account, quote, book, watch):
    app.command()(command)
app.add_typer(users.app, name="user")
app.command()(deposit)
app.add_typer(log.app, name="log")
app.command()(replay)
app.command()(state)
app.command()(doctor)
app.command()(bench)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"chronex {_version()}")
        raise typer.Exit


def _version() -> str:
    try:
        return version("chronex")
    except PackageNotFoundError:
        return "from a checkout, not installed"


@app.callback()
def common(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error too.")] = False,
    log_level: Annotated[
        LogLevel, typer.Option(metavar="debug|info|warning|error", help="The least that is logged to standard error.")
    ] = LogLevel.INFO,
) -> None:
    """Chronex: a futures exchange of one's own, with a replayable log."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        stream=sys.stderr,
    )
    # Only ours: libraries tell at INFO what concerns nobody but their authors.
    logging.getLogger("exchange").setLevel(log_level.value.upper())


def main() -> None:
    """The console script."""
    app()

"""How a command is given a password: on the command line, by the environment, on standard input, or asked for."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from exchange.cli.errors import UsageError

PasswordOption = Annotated[
    str | None,
    typer.Option(
        envvar="EXCHANGE_PASSWORD",
        show_envvar=True,
        metavar="PW",
        help="The password. On the command line others may see it in the list of processes.",
    ),
]
PasswordStdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def read_password(given: str | None, from_stdin: bool, question: str, *, twice: bool = False) -> str:
    """The password by one of the four ways; `twice` has a new one typed again.

    Raises UsageError where there is none.
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if given is not None:
        return given
    if sys.stdin.isatty():
        password: str = typer.prompt(question, hide_input=True, confirmation_prompt=twice)
        return password
    raise UsageError(
        "there is no password: give --password, or --password-stdin and a line on standard input, "
        "or EXCHANGE_PASSWORD in the environment, or call this from a terminal"
    )

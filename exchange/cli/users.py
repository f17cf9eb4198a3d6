"""`exchange user`: who may log in."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.errors import FailedError, UsageError
from exchange.cli.names import read_users
from exchange.cli.operations import operate
from exchange.cli.options import DEFAULT_DATA, DataOption, JsonOption, Language, RefusalLanguageOption
from exchange.cli.output import Column, print_json, print_table, tell
from exchange.cli.password import PasswordOption, PasswordStdinOption, read_password
from exchange.cli.times import china_text, utc_text
from exchange.cli.values import parse_yuan
from exchange.server.data_folder import DataFolder
from exchange.server.identity.users import check_name

app = typer.Typer(no_args_is_help=True, help="Add and list users, set passwords, whether a server runs or not.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name to log in with.")]


@app.command()
def add(
    name: NameArgument,
    password: PasswordOption = None,
    password_stdin: PasswordStdinOption = False,
    deposit: Annotated[
        Decimal, typer.Option(parser=parse_yuan, metavar="YUAN", help="Money for the new account.")
    ] = Decimal(0),
    data: DataOption = DEFAULT_DATA,
    lang: RefusalLanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Add a user with an account.

    A password that is not given is asked for. Before there is an exchange in the folder, it is made.
    """
    _check_name(name)
    folder = DataFolder(data)
    secret = _read_password(password, password_stdin, name)
    if not folder.path.exists():
        tell(f"making a new exchange in {folder.path}")
    done = operate(folder, lang.value, lambda exchange: exchange.add_user(name, secret, deposit))
    if json:
        print_json({**done._asdict(), "deposit": f"{deposit:f}"})
    else:
        typer.echo(f"added {done.name}, account {done.account_id}, with {deposit:f} yuan; log_seq {done.log_seq}")


@app.command(name="list")
def list_users(data: DataOption = DEFAULT_DATA, json: JsonOption = False) -> None:
    """List all users."""
    check_users_exist(data)
    users = read_users(data)
    if json:
        documents = [
            {
                "name": user.name,
                "account_id": user.account_id,
                "role": user.role,
                "created_at": utc_text(user.created_at_ns),
            }
            for user in users
        ]
        print_json({"users": documents})
    else:
        print_table(
            "Users",
            (Column("name"), Column("account"), Column("role"), Column("since")),
            ((user.name, user.account_id, user.role, china_text(user.created_at_ns)) for user in users),
        )


@app.command()
def password(
    name: NameArgument,
    password: PasswordOption = None,
    password_stdin: PasswordStdinOption = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Give a user another password.

    The former one and all tokens of the user are void at once.
    """
    _check_name(name)
    check_users_exist(data)
    secret = _read_password(password, password_stdin, name)
    operate(DataFolder(data), Language.EN.value, lambda exchange: exchange.set_password(name, secret))
    typer.echo(f"{name} has another password")


def check_users_exist(data: Path) -> None:
    """Raise FailedError where no exchange with users is in this folder: a mistyped path must not become one."""
    folder = DataFolder(data)
    if not folder.users_db.is_file():
        raise FailedError(
            f"there are no users in {folder.path}: give the data folder of an exchange with --data, "
            "or make a first user with `exchange user add`"
        )


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _read_password(given: str | None, from_stdin: bool, name: str) -> str:
    """A new password for a user. Raises UsageError where there is none, or where it can be none."""
    # argon2 comes with it; not for `--help`.
    from exchange.server.identity.passwords import password_bytes

    password = read_password(given, from_stdin, f"Password for {name}", twice=True)
    try:
        password_bytes(password)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return password

"""`exchange login` and `exchange logout`: become a user of an exchange, here or elsewhere, and stop being one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli import logins, texts
from exchange.cli.errors import TurnedDownError
from exchange.cli.logins import Login
from exchange.cli.options import DEFAULT_DATA, DataOption, JsonOption, Language, LanguageOption
from exchange.cli.output import print_json
from exchange.cli.password import PasswordOption, PasswordStdinOption, read_password
from exchange.cli.server_client import ServerClient


def login(
    user: Annotated[str, typer.Argument(metavar="USER", help="The name to log in with.")],
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            envvar="EXCHANGE_URL",
            metavar="URL",
            help="The exchange, such as https://exchange.example.org:8000. "
            "[the one that runs on the data folder, else http://127.0.0.1:8000]",
        ),
    ] = None,
    password: PasswordOption = None,
    password_stdin: PasswordStdinOption = False,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM file with the certificates that count. [those of the system]"),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    lang: LanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Log in, for the commands that trade.

    The password goes to the server and nowhere else. What is kept is a token, in a file that only you can read
    (EXCHANGE_LOGIN, else ~/.config/chronex/login.json); it is void after some hours, or after `exchange logout`.
    """
    language: texts.Language = lang.value
    server, certificates = logins.where(url, data, ca)
    secret = read_password(password, password_stdin, texts.PASSWORD_FOR(language, user=user))
    nobody = Login(url=server, user=user, token="", expires_at="", certificates=certificates)
    answer = ServerClient(nobody.address(), "", language).ask(
        "POST", "/api/v1/login", {"user_name": user, "password": secret}
    )
    login = Login(
        url=server,
        user=answer["user_id"],
        token=answer["token"],
        expires_at=answer["expires_at"],
        certificates=certificates,
    )
    logins.keep(login)
    told = {"user": login.user, "url": login.url, "expires_at": login.expires_at}
    if json:
        print_json(told)
    else:
        typer.echo(texts.LOGGED_IN(language, **told))


def logout(lang: LanguageOption = Language.EN) -> None:
    """Log out: the token is void from now on, and forgotten."""
    login = logins.kept(lang.value)
    with suppress(TurnedDownError):  # a token that is void already is what was wanted
        logins.client_of(login, lang.value).ask("POST", "/api/v1/logout")
    logins.forget()
    typer.echo(texts.LOGGED_OUT(lang.value, user=login.user, url=login.url))

"""`exchange login` and `exchange logout`: become a user of an exchange, here or elsewhere, and stop being one."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from exchange.cli import logins, texts
from exchange.cli.errors import TurnedDownError
from exchange.cli.logins import Login
from exchange.cli.options import (
    DEFAULT_DATA,
    CertificatesOption,
    DataOption,
    JsonOption,
    Language,
    LanguageOption,
    UrlOption,
)
from exchange.cli.output import print_json
from exchange.cli.password import PasswordOption, PasswordStdinOption, read_password
from exchange.cli.times import china_minute


def login(
    user: Annotated[str, typer.Argument(metavar="USER", help="The name to log in with.")],
    url: UrlOption = None,
    password: PasswordOption = None,
    password_stdin: PasswordStdinOption = False,
    ca: CertificatesOption = None,
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
    client = logins.client_of(nobody, language, look=texts.LOG_IN_AGAIN(language))
    answer = client.ask("POST", "/api/v1/login", {"user_name": user, "password": secret})
    login = Login(
        url=server,
        user=answer["user_id"],
        token=answer["token"],
        expires_at=answer["expires_at"],
        certificates=certificates,
    )
    logins.keep(login)
    if json:
        print_json({"user": login.user, "url": login.url, "expires_at": login.expires_at})
    else:
        typer.echo(texts.LOGGED_IN(language, user=login.user, url=login.url, until=china_minute(login.expires_at)))


def logout(lang: LanguageOption = Language.EN) -> None:
    """Log out: the token is void from now on, and forgotten."""
    login = logins.kept(lang.value)
    with suppress(TurnedDownError):  # a token that is void already is what was wanted
        logins.client_of(login, lang.value).ask("POST", "/api/v1/logout")
    logins.forget()
    typer.echo(texts.LOGGED_OUT(lang.value, user=login.user, url=login.url))

"""Who is logged in where: what `exchange login` keeps for the commands that trade, in a file of the user's own.

The file holds a token and never a password. `EXCHANGE_LOGIN` names another file, so that one person can be several
users at once.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from exchange.cli import texts
from exchange.cli.errors import FailedError, UsageError
from exchange.cli.server_client import Address, ServerClient, any_certificate
from exchange.gateway.notices import Language
from exchange.server.data_folder import DataFolder
from exchange.server.private_files import replace_private

ANY: Final = "any"
DEFAULT_URL: Final = "http://127.0.0.1:8000"
HTTP_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A user at a server."""

    url: str
    user: str
    token: str
    expires_at: str
    """As the server said it, ISO 8601."""
    certificates: str = ""
    """A PEM file with those that count; `any` for a server on this machine; empty for those that the system trusts."""

    def address(self) -> Address:
        """Where the server is."""
        return Address(url=self.url, called=self.url, certificates=trusted(self.certificates))

    @property
    def websocket_url(self) -> str:
        """Where its WebSocket is."""
        return f"{self.url.replace('http', 'ws', 1)}/ws"


def trusted(certificates: str) -> ssl.SSLContext | None:
    """The certificates that a login names; None for the system's. Raises UsageError for a file that has none."""
    if certificates == ANY:
        return any_certificate()
    if not certificates:
        return None
    try:
        return ssl.create_default_context(cafile=certificates)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{certificates} is no PEM file with certificates: {error}") from error


def where(url: str | None, data: Path, ca: Path | None) -> tuple[str, str]:
    """(the URL of the server, which certificates count): as given, or else the data folder's server, or else the
    default address.

    A URL may as well be written as a WebSocket's. Raises UsageError for one that can be none.
    """
    if url is not None:
        return _checked(url), "" if ca is None else str(ca.absolute())
    server = DataFolder(data).running()
    if server is not None:
        return server.url, ANY if ca is None else str(ca.absolute())
    return DEFAULT_URL, ""


def _checked(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    scheme = HTTP_SCHEMES.get(parts.scheme)
    try:
        named = scheme and parts.hostname and parts.port != 0
    except ValueError:
        named = False
    if not named or parts.path.strip("/") or parts.query or parts.username:
        raise UsageError(f"{url!r} is no address of an exchange: write http://host:port or https://host:port")
    return f"{scheme}://{parts.netloc}"


def login_file() -> Path:
    """Where the login is kept."""
    named = os.environ.get("EXCHANGE_LOGIN")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "chronex" / "login.json"


def keep(login: Login) -> None:
    """Keep a login for the commands that follow."""
    path = login_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_private(path, msgspec.json.encode(login) + b"\n")
    except OSError as error:
        raise FailedError(f"the login cannot be kept in {path}: {error.strerror}") from error


def kept(language: Language) -> Login:
    """The login that is kept. Raises FailedError where there is none."""
    path = login_file()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Login)
    except FileNotFoundError:
        raise FailedError(texts.NOT_LOGGED_IN(language)) from None
    except (OSError, msgspec.DecodeError) as error:
        raise FailedError(f"{path} is no login that can be read ({error}): run `exchange login`") from error


def forget() -> None:
    """Keep no login any more."""
    login_file().unlink(missing_ok=True)


def client_of(login: Login, language: Language, *, look: str | None = None) -> ServerClient:
    """Speaks for the login; `look` says what to do when an outcome is unknown: look at the orders, if nothing else."""
    return ServerClient(
        login.address(),
        login.token,
        language,
        look=look or texts.LOOK_AT_ORDERS(language),
        log_in=texts.LOGIN_EXPIRED(language, user=login.user, url=login.url),
    )

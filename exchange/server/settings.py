"""Every setting of the server: what it does, its unit, what it may be.

A value comes from the command line or, under the name `EXCHANGE_` and the setting's in capitals, from the environment.
`docs/settings.md` is made of what stands here by settings_reference.py.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from eventstore.model import Durability
from exchange.domain.values import money_from_decimal
from exchange.server.port.site import is_loopback

ENVIRONMENT_PREFIX = "EXCHANGE_"


class SettingsError(Exception):
    """Some settings cannot be; the text has a line for each."""


def _listed(value: object) -> object:
    """A text from the environment or the command line as its comma-separated items."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _deposit(yuan: Decimal) -> Decimal:
    if yuan <= 0:
        raise ValueError("a deposit is above 0")
    money_from_decimal(yuan)
    return yuan


Names = Annotated[frozenset[str], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """The settings of one server, checked."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, use_attribute_docstrings=True, frozen=True, extra="forbid", env_ignore_empty=True
    )

    data: Path = Path("exchange-data")
    """The data folder: the log, the users, and while the server runs the files by which commands find it. Made where
    there is none."""
    market: Path | None = None
    """The market file with the contracts to list. Without one the packaged market is listed."""
    durability: Durability = Durability.FSYNC
    """What an acknowledged order survives: `fsync` a power cut, `os` the end of the process only, `memory` nothing. All
    but `fsync` are unsafe."""
    demo: bool = False
    """Bring the demo's users and its house accounts, and play recorded quotes into the book."""
    auto_open: Annotated[Decimal, AfterValidator(_deposit)] | None = None
    """Yuan. Somebody unknown who logs in becomes a user with the password given, and an account with this deposit.
    Without a value unknown users are refused."""
    language: Literal["zh", "en"] = "zh"
    """The language of the texts that clients get."""

    host: str = Field("127.0.0.1", min_length=1)
    """The address to listen on. `127.0.0.1` is reached from this machine only, `0.0.0.0` and `::` from everywhere."""
    port: int = Field(8000, ge=0, le=65535)
    """The port for HTTP and WebSocket. 0 takes a free one, which `server.json` in the data folder tells."""
    tls_cert: Path | None = None
    """PEM file with the certificate chain. With it the server speaks TLS only (https, wss)."""
    tls_key: Path | None = None
    """PEM file with the private key of `tls_cert`."""
    insecure_plain: bool = False
    """Speak plain HTTP on an address that other machines reach, although passwords and tokens can be read on the way.
    Without it, `tls_cert` and `tls_key` are demanded for every address but a loopback one."""
    hosts: Names = frozenset()
    """Names, separated by commas, under which browsers may reach the server, beside the loopback names. Without any, a
    server on a loopback address takes these only, another every name."""
    origins: Names = frozenset()
    """Sites, separated by commas, such as `https://terminal.example.org`, whose pages may call the server beside its
    own pages."""

    connections_max: int = Field(20_000, ge=1, le=1_000_000)
    """WebSocket connections at once; a further one is answered 503. Each needs a file descriptor (`ulimit -n`)."""
    connections_per_address: int = Field(10_000, ge=1, le=1_000_000)
    """Connections at once, HTTP and WebSocket together, that one IP address (of IPv6 addresses: one /64 network) may
    have; a further one is answered 429. All who come through one proxy have its address."""
    connections_per_user: int = Field(64, ge=1, le=1_000_000)
    """WebSocket connections at once that one user may be logged in on; a further login is refused."""
    unauthenticated_max: int = Field(10_000, ge=1, le=1_000_000)
    """Connections at once on which nobody has logged in: so many of WebSocket, and so many of HTTP. A further one is
    answered 503."""
    messages_per_connection: int = Field(5_000, ge=100, le=1_000_000)
    """Messages a second, on average, that are read from one connection; a long one counts once more for every 4 KiB.
    Twice as many may come at once; who sends more is read more slowly, and nothing is lost."""
    messages_per_user: int = Field(10_000, ge=100, le=1_000_000)
    """The same for all connections of one user together."""
    requests_per_user: int = Field(200, ge=1, le=1_000_000)
    """Requests a second, on average, that one user may make of the REST interface; one with a large answer counts once
    more for every 16 KiB. Twice as many may come at once; more are answered 429."""
    max_message_bytes: int = Field(65_536, ge=1_024, le=16 * 1024 * 1024)
    """Bytes of one inbound message; a longer one ends its connection with close code 1009."""
    login_deadline: float = Field(10.0, ge=1, le=3_600)
    """Seconds from the connection to its `req_login`; who is later is disconnected."""
    login_tries_per_address: int = Field(100, ge=1, le=1_000_000)
    """Wrong passwords from one IP address before each further one has to wait, 1 second at first and 60 at most; one is
    forgotten every 3 seconds of quiet. Many may share an address: a classroom, or all who come through one proxy. For
    each user name there are always 5, and one is forgotten in 10 minutes. Tokens never wait."""
    token_lifetime: float = Field(12.0, ge=0.01, le=8_760)
    """Hours for which a token from `POST /api/v1/login` logs in."""
    ping_interval: float = Field(20.0, ge=0.1, le=3_600)
    """Seconds without a sign of life after which a client is pinged."""
    ping_timeout: float = Field(10.0, ge=0.1, le=3_600)
    """Seconds a client may take for its pong; then it is disconnected."""
    peek_timeout: float = Field(30.0, ge=0.1, le=3_600)
    """Seconds after which a parked `peek_message` is answered even without news."""

    mark_interval: float = Field(0.5, ge=0.001, le=60)
    """Seconds at least between two steps that a user gets for nothing but moved market prices. Own orders, fills and
    cash never wait."""
    quote_interval: float = Field(0.005, ge=0, le=60)
    """Seconds at least between two steps with the quotes of an instrument; 0 sends each change at once."""
    commands_max: int = Field(8_192, ge=2, le=1_000_000)
    """Commands that are decided but not yet durable; one more is answered "busy" and leaves no trace."""
    cancel_reserve: int = Field(1_024, ge=1, le=999_999)
    """How many of `commands_max` are kept for cancels, so that a crowd of orders keeps nobody from leaving the
    market."""
    history_waiting_max: int = Field(16, ge=1, le=1_000)
    """Questions about the past that wait for an answer, a quarter of them of one user at most; one more is answered
    429. They are answered one after the other, beside the exchange."""
    history_timeout: float = Field(30.0, ge=0.1, le=3_600)
    """Seconds that a question about the past may take, waiting included; then it is answered 503, and asked again it
    goes on from where it was."""

    @classmethod
    def load(cls, **given: Any) -> Self:
        """The settings from the environment, with those given in front; a value of None counts as not given.

        Raises SettingsError with a line for each setting that is wrong.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            # `from None`: the lines say all that its own text does.
            raise SettingsError("\n".join(map(_line, error.errors()))) from None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: give both or none")
        if self._is_plain_in_public and not self.insecure_plain:
            raise ValueError(
                f"host {self.host} is reached from other machines, and without TLS passwords would travel unencrypted: "
                "give tls_cert and tls_key, or listen on 127.0.0.1 behind a proxy that speaks TLS, or accept it with "
                "insecure_plain (--insecure-plain)"
            )
        if self.cancel_reserve >= self.commands_max:
            raise ValueError(
                f"cancel_reserve is a part of commands_max: {self.cancel_reserve} of {self.commands_max} "
                "leaves no room for orders"
            )
        return self

    def warnings(self) -> tuple[str, ...]:
        """What is unsafe about these settings, a sentence each; to be shown wherever the server says that it runs."""
        texts = []
        if self.durability is Durability.OS:
            texts.append("unsafe: durability is 'os', a power cut loses acknowledged orders")
        if self.durability is Durability.MEMORY:
            texts.append("unsafe: durability is 'memory', a crash loses acknowledged orders and may damage the log")
        if self._is_plain_in_public:
            texts.append(
                f"unsafe: passwords travel unencrypted to {self.host}: set tls_cert and tls_key, "
                "or listen on 127.0.0.1 behind a proxy that speaks TLS"
            )
        if self._is_public and self.auto_open is not None:
            texts.append(f"unsafe: auto_open gives everybody who reaches {self.host} an account")
        if self._is_public and self.demo:
            texts.append(f"unsafe: the demo's users are served to everybody who reaches {self.host}")
        return tuple(texts)

    @property
    def _is_plain_in_public(self) -> bool:
        return self._is_public and self.tls_cert is None

    @property
    def _is_public(self) -> bool:
        return not is_loopback(self.host)


def _line(error: Any) -> str:
    """What is wrong with one setting, of a problem as pydantic tells it."""
    what = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return str(what)
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return f"{name}: there is no such setting"
    return f"{name} ({ENVIRONMENT_PREFIX}{name.upper()}): {what}, not {error['input']!r}"

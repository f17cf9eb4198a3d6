"""What a test may ask for: users, contracts, settings; each turned into what the server takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from exchange.domain.instrument import InstrumentTerms
from exchange.market.reading import MarketFile, read_market
from exchange.server.identity.users import UnfitError, check_account_id
from exchange.server.settings import Settings
from exchange.testing.script import Yuan

Market = Path | str | Sequence[InstrumentTerms] | None
"""What is listed: a market file, contracts, or None for the packaged market."""
NewUsers = Mapping[str, Yuan] | Iterable[str]
"""Names with their first deposits, or names alone."""
TimeKind = Literal["virtual", "real"]

DEPOSIT: Final = 1_000_000
"""Yuan that a user has who is given no deposit."""
USERS: Final = ("alice", "bob")
"""Who is there where nobody is named."""
SETTINGS: Final[dict[str, Any]] = {"port": 0, "language": "en", "quote_interval": 0.0}
"""Where a test's server differs from others unless it is told: every change of a quote is told at once, since virtual
time would not bring the moment for it."""


class _OwnSettings(Settings):
    """Settings that come from the test alone: the environment of whoever runs it must make no difference."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given."""
        return (init_settings,)


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings of the test's server. Raises SettingsError."""
    return _OwnSettings.load(**{**SETTINGS, **given})


def deposits_of(users: NewUsers) -> dict[str, Yuan]:
    """Each user's first deposit. Raises ValueError for one name that is not in a list."""
    if isinstance(users, str):
        raise ValueError(f"users={users!r} is one text: give a list of names, such as users=[{users!r}]")
    return dict(users) if isinstance(users, Mapping) else dict.fromkeys(users, DEPOSIT)


def listed(market: Market) -> MarketFile:
    """The contracts to list. Raises MarketFileError."""
    if market is None:
        return _packaged_market()
    if isinstance(market, Path | str):
        return read_market(Path(market))
    return MarketFile(source="the test's own contracts", instruments=tuple(market), trading_times={})


@cache
def _packaged_market() -> MarketFile:
    # Reading it takes a third of a start, and it never changes.
    return read_market()


def password_of(name: str) -> str:
    """What a user of this name logs in with."""
    return f"password of {name}"


def account_id_of(name: str) -> str:
    """The name itself where it can be an account's id, else a text that is the same in every run."""
    try:
        check_account_id(name)
    except UnfitError:
        return f"U{sha256(name.encode()).hexdigest()[:10]}"
    return name

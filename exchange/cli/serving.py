"""`exchange serve` and `exchange demo`: run the exchange until Ctrl-C."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import Language
from exchange.cli.values import parse_yuan


class DurabilityChoice(StrEnum):
    """What an acknowledged order survives."""

    FSYNC = "fsync"
    OS = "os"
    MEMORY = "memory"


def _parse_speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number: 1 is the recorded pace, 10 ten times faster") from None
    if not (isfinite(speed) and speed > 0):
        raise typer.BadParameter(f"{text} is no pace: a number above 0, where 10 plays ten times faster")
    return speed


# No defaults here: what is not given comes from the environment, and then from the settings themselves.
ServerDataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", readable=False, help="The data folder, made where there is none. [exchange-data]"
    ),
]
HostOption = Annotated[str | None, typer.Option(metavar="HOST", help="The address to listen on. [127.0.0.1]")]
PortOption = Annotated[
    int | None, typer.Option(metavar="PORT", min=0, max=65535, help="The port; 0 takes a free one. [8000]")
]
MarketOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The market file with the contracts to list. [the packaged one]")
]
AutoOpenOption = Annotated[
    Decimal | None,
    typer.Option(
        parser=parse_yuan,
        metavar="YUAN",
        help="Make an unknown user who logs in an account with this deposit. [unknown users are refused]",
    ),
]
DurabilityOption = Annotated[
    DurabilityChoice | None,
    typer.Option(
        metavar="fsync|os|memory",
        help="What an acknowledged order survives: a power cut, the end of the process, nothing. [fsync]",
    ),
]
ServerLanguageOption = Annotated[
    Language | None, typer.Option("--lang", metavar="zh|en", help="The language of clients' texts. [zh]")
]
TlsCertOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="PEM file with the certificate chain; then TLS only. [none]")
]
TlsKeyOption = Annotated[Path | None, typer.Option(metavar="FILE", help="PEM file with its private key. [none]")]
InsecurePlainOption = Annotated[
    bool,
    typer.Option(
        "--insecure-plain", help="Speak plain HTTP on an address that other machines reach. [TLS is demanded]"
    ),
]
HostsOption = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help="Names, with commas, under which browsers may call. [see docs/settings.md]"),
]
OriginsOption = Annotated[
    str | None, typer.Option(metavar="SITES", help="Sites, with commas, whose pages may call. [own pages only]")
]
BotsOption = Annotated[
    bool, typer.Option("--bots", help="Let bots trade every contract, so that all of them have a market.")
]
ServerJsonOption = Annotated[bool, typer.Option("--json", help="Print a JSON document per line instead of text.")]


def serve(
    data: ServerDataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    market: MarketOption = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Bring demo users, and play recorded quotes into the book.")
    ] = False,
    bots: BotsOption = False,
    auto_open: AutoOpenOption = None,
    durability: DurabilityOption = None,
    lang: ServerLanguageOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    insecure_plain: InsecurePlainOption = False,
    hosts: HostsOption = None,
    origins: OriginsOption = None,
    json: ServerJsonOption = False,
) -> None:
    """Run the exchange until Ctrl-C or SIGTERM.

    It says `ready` once orders are taken.

    Every setting can also come from the environment, as EXCHANGE_ and its name, such as EXCHANGE_PORT; docs/settings.md
    has all of them.
    """
    from exchange.cli.running import run
    from exchange.server.settings import Settings

    settings = Settings.load(
        data=data,
        host=host,
        port=port,
        market=market,
        demo=demo or None,
        auto_open=auto_open,
        durability=durability and durability.value,
        language=lang and lang.value,
        tls_cert=tls_cert,
        tls_key=tls_key,
        insecure_plain=insecure_plain or None,
        hosts=hosts,
        origins=origins,
    )
    raise typer.Exit(run(settings, bots=bots, json=json))


def demo(
    data: ServerDataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    insecure_plain: InsecurePlainOption = False,
    market: MarketOption = None,
    auto_open: AutoOpenOption = None,
    durability: DurabilityOption = None,
    lang: ServerLanguageOption = None,
    speed: Annotated[
        float,
        typer.Option(
            parser=_parse_speed, metavar="X", help="1 plays the recorded quotes at their pace, 10 ten times faster."
        ),
    ] = 1.0,
    bots: BotsOption = False,
    json: ServerJsonOption = False,
) -> None:
    """Run an exchange to play with.

    It brings demo users and recorded quotes to trade against, and says what to do next. The quotes come from
    https://github.com/shinnytech/tqsdk-python (Apache-2.0).
    """
    from exchange.cli.running import run
    from exchange.server.settings import Settings

    settings = Settings.load(
        data=data,
        host=host,
        port=port,
        market=market,
        demo=True,
        insecure_plain=insecure_plain or None,
        auto_open=auto_open,
        durability=durability and durability.value,
        language=lang and lang.value,
    )
    raise typer.Exit(run(settings, speed=speed, bots=bots, json=json))

"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_DATA: Final = Path("exchange-data")


class Language(StrEnum):
    """The languages of texts for users."""

    ZH = "zh"
    EN = "en"


DataOption = Annotated[
    # What cannot be read is told by the command, which knows what it wanted there.
    Path,
    typer.Option("--data", envvar="EXCHANGE_DATA", metavar="DIR", readable=False, help="The exchange's data folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="Print a JSON document per line instead of text.")]
LanguageOption = Annotated[
    Language,
    typer.Option("--lang", envvar="EXCHANGE_LANGUAGE", metavar="zh|en", help="The language of what is printed."),
]
RefusalLanguageOption = Annotated[
    Language,
    typer.Option(
        "--lang", envvar="EXCHANGE_LANGUAGE", metavar="zh|en", help="The language of the exchange's refusals."
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="EXCHANGE_URL",
        metavar="URL",
        help="The exchange, such as https://exchange.example.org:8000. "
        "[the one that runs on the data folder, else http://127.0.0.1:8000]",
    ),
]
CertificatesOption = Annotated[
    Path | None,
    typer.Option("--ca", metavar="FILE", help="PEM file with the certificates that count. [those of the system]"),
]

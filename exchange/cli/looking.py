"""`exchange orders`, `trades`, `positions`, `account`, `quote` and `book`: what the exchange shows to whoever is logged
in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote as quoted
from urllib.parse import urlencode

import typer

from exchange.cli import completion, logins, tables, texts
from exchange.cli.options import JsonOption, Language, LanguageOption
from exchange.cli.output import is_narrow, print_facts, print_json, print_table, tell
from exchange.cli.trading import InstrumentArgument

ROWS: Final = 20


class Which(StrEnum):
    """Which orders."""

    ALL = "all"
    OPEN = "open"
    FINISHED = "finished"


ContractOption = Annotated[
    str | None,
    typer.Option(
        "--contract", metavar="CONTRACT", help="Only those of a contract.", autocompletion=completion.instruments
    ),
]
LimitOption = Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most so many, the newest.")]
CursorOption = Annotated[
    str | None, typer.Option(metavar="CURSOR", help="Go on where the last call ended, which printed this.")
]


def orders(
    which: Annotated[Which, typer.Option("--which", metavar="all|open|finished", help="Which orders.")] = Which.ALL,
    contract: ContractOption = None,
    limit: LimitOption = ROWS,
    cursor: CursorOption = None,
    lang: LanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """List your orders, the newest first."""
    status = None if which is Which.ALL else which.value
    answer = _ask("/orders", lang, status=status, instrument_id=contract, limit=limit, cursor=cursor)
    _show(answer, json, lang, tables.orders(answer["orders"], lang.value, brief=is_narrow()))


def trades(
    contract: ContractOption = None,
    limit: LimitOption = ROWS,
    cursor: CursorOption = None,
    lang: LanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """List your trades, the newest first."""
    answer = _ask("/trades", lang, instrument_id=contract, limit=limit, cursor=cursor)
    _show(answer, json, lang, tables.trades(answer["trades"], lang.value, brief=is_narrow()))


def positions(lang: LanguageOption = Language.EN, json: JsonOption = False) -> None:
    """Show what you hold."""
    answer = _ask("/positions", lang)
    _show(answer, json, lang, tables.positions(answer["positions"].values(), lang.value, brief=is_narrow()))


def account(lang: LanguageOption = Language.EN, json: JsonOption = False) -> None:
    """Show your money."""
    answer = _ask("/account", lang)
    if json:
        print_json(answer)
    else:
        print_facts(tables.account_facts(answer["account"], lang.value))


def quote(
    contracts: Annotated[
        list[str],
        typer.Argument(
            metavar="CONTRACT", help="Contracts, such as SHFE.cu2701.", autocompletion=completion.instruments
        ),
    ],
    lang: LanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Show the quotes of contracts."""
    answers = [_ask(f"/quotes/{quoted(contract, safe='')}", lang) for contract in contracts]
    if json:
        print_json(answers[0] if len(answers) == 1 else answers)
    else:
        _print(tables.quotes([answer["quote"] for answer in answers], lang.value))


def book(
    contract: InstrumentArgument,
    depth: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Levels on each side.")] = 5,
    at: Annotated[
        int | None, typer.Option("--at", metavar="VERSION", min=0, help="As it was at a place in the log. [now]")
    ] = None,
    lang: LanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Show the price levels of a contract, the best in the middle."""
    answer = _ask(f"/book/{quoted(contract, safe='')}", lang, depth=depth, version=at)
    _show(answer, json, lang, tables.book(answer, lang.value))


def _ask(path: str, lang: Language, **asked: object) -> dict[str, Any]:
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    client = logins.client_of(logins.kept(lang.value), lang.value)
    answer: dict[str, Any] = client.ask("GET", f"/api/v1{path}" + (f"?{query}" if query else ""))
    return answer


def _show(answer: dict[str, Any], json: bool, lang: Language, table: tables.Table) -> None:
    if json:
        print_json(answer)
        return
    _print(table)
    if answer.get("next_cursor"):
        tell(texts.MORE(lang.value, cursor=answer["next_cursor"]))


def _print(table: tables.Table) -> None:
    print_table(*table)

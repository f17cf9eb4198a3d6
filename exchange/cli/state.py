"""`exchange state`: the exchange as it was at any place of its log. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from eventstore.sqlite_reader import SqliteReader
from exchange.cli.errors import FailedError
from exchange.cli.log_files import reading_log
from exchange.cli.names import read_users
from exchange.cli.options import DEFAULT_DATA, DataOption, JsonOption, Language, RefusalLanguageOption
from exchange.cli.output import Column, print_json, print_table, progress
from exchange.cli.picture import Reached, fold_state, fold_views, state_document, user_snapshot
from exchange.cli.times import china_text, utc_text
from exchange.cli.values import Place, parse_place
from exchange.domain.values import AccountId, decimal_text
from exchange.gateway.dialects.guide import GuideDialect
from exchange.server.identity.users import UnknownUserError


def state(
    at: Annotated[
        Place | None,
        typer.Option(
            parser=parse_place,
            metavar="LOG_SEQ|TIME",
            help="The end of the last entry at or before this place: a log_seq, or an ISO time with its zone, such as "
            "2026-10-06T14:30:00+08:00. Without it: now.",
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this user saw; an account id is taken as well.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    lang: RefusalLanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Show the exchange as it was at any place of the log.

    Accounts, positions, working orders and instruments; or one user's view. In JSON the amounts and prices of the whole
    exchange are exact, in millionths of a yuan as in the log; a user's view is worded as on /ws, in yuan.
    """
    with reading_log(data) as reader:
        _check_place(reader, at)
        if user is None:
            _whole_exchange(reader, data, at, json)
        else:
            _one_user(reader, data, at, user, GuideDialect(lang.value), json)


def _check_place(reader: SqliteReader, at: Place | None) -> None:
    head = reader.head.log_seq
    if at is not None and at.log_seq is not None and at.log_seq > head:
        raise FailedError(f"--at {at.log_seq} is behind the end of the log, which is log_seq {head}")


def _place(reader: SqliteReader, reached: Reached) -> dict[str, Any]:
    return {
        "log_id": reader.head.log_id,
        "log_seq": reached.log_seq,
        "at": utc_text(reached.at_ns) if reached.log_seq else None,
        "at_ns": reached.at_ns if reached.log_seq else None,
    }


def _heading(reached: Reached) -> str:
    if not reached.log_seq:
        return "at log_seq 0, before the first entry"
    return f"at log_seq {reached.log_seq}, {china_text(reached.at_ns)}"


def _whole_exchange(reader: SqliteReader, data: Path, at: Place | None, json: bool) -> None:
    names = {user.account_id: user.name for user in read_users(data)}
    with progress("folding the log") as told:
        folded, reached = fold_state(reader, at, told)
    document = _place(reader, reached) | state_document(folded, names)
    if json:
        print_json(document)
        return
    typer.echo(f"The exchange {_heading(reached)}; amounts in yuan")
    _print_accounts(document["accounts"])
    _print_positions(document["positions"])
    _print_orders(document["orders"])
    _print_instruments(document["instruments"])


def _one_user(reader: SqliteReader, data: Path, at: Place | None, user: str, dialect: GuideDialect, json: bool) -> None:
    accounts = {each.name: each.account_id for each in read_users(data)}
    names = {account_id: name for name, account_id in accounts.items()}
    name = user if user in accounts else names.get(AccountId(user), user)
    account_id = accounts.get(name, AccountId(user))
    with progress("folding the log") as told:
        projections, reached = fold_views(reader, at, told)
    is_open = projections.user(account_id).account is not None
    if not is_open and name not in accounts:
        raise UnknownUserError(user)
    snapshot = user_snapshot(projections, account_id, name, dialect)
    if json:
        print_json({**_place(reader, reached), "user": name, "account_id": account_id, "snapshot": snapshot})
        return
    typer.echo(f"{name} (account {account_id}) {_heading(reached)}")
    if is_open:
        typer.echo(orjson.dumps(snapshot, option=orjson.OPT_INDENT_2))
    else:
        typer.echo("the account was not opened yet")


def _right(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, right=True) for name in names)


def _yuan(amount: int | None) -> str:
    return "-" if amount is None else decimal_text(amount)


def _print_accounts(accounts: list[dict[str, Any]]) -> None:
    money = ("balance", "available", "margin", "frozen_margin", "close_profit", "position_profit", "commission")
    print_table(
        "Accounts",
        (Column("account"), Column("user"), *_right(*(name.replace("_", " ") for name in money))),
        ([each["account_id"], each["user"] or "-", *(_yuan(each[name]) for name in money)] for each in accounts),
    )


def _print_positions(positions: list[dict[str, Any]]) -> None:
    print_table(
        "Positions",
        (Column("account"), Column("instrument"), *_right("long", "short", "mark", "position profit", "margin")),
        (
            [
                each["account_id"],
                each["instrument_id"],
                each["long"]["lots"],
                each["short"]["lots"],
                *(_yuan(each[name]) for name in ("mark", "position_profit", "margin")),
            ]
            for each in positions
        ),
    )


def _print_orders(orders: list[dict[str, Any]]) -> None:
    print_table(
        "Working orders",
        (
            Column("no", right=True),
            *(Column(name) for name in ("account", "order", "instrument", "direction", "effect")),
            *_right("price", "lots left", "of"),
        ),
        (
            [
                *(
                    each[name]
                    for name in ("order_no", "account_id", "order_id", "instrument_id", "direction", "effect")
                ),
                _yuan(each["price"]),
                each["lots_left"],
                each["lots"],
            ]
            for each in orders
        ),
    )


def _print_instruments(instruments: list[dict[str, Any]]) -> None:
    prices = ("mark", "bid", "ask", "lower_limit", "upper_limit", "pre_settlement")
    print_table(
        "Instruments",
        (Column("instrument"), Column("name"), *_right(*(name.replace("_", " ") for name in prices))),
        ([each["instrument_id"], each["name"], *(_yuan(each[name]) for name in prices)] for each in instruments),
    )

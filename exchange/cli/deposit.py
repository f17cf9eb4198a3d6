"""`exchange deposit`: money for a user's account."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from exchange.cli.operations import operate
from exchange.cli.options import DEFAULT_DATA, DataOption, JsonOption, Language, RefusalLanguageOption
from exchange.cli.output import print_json
from exchange.cli.users import NameArgument, check_users_exist
from exchange.cli.values import parse_yuan
from exchange.server.data_folder import DataFolder


def deposit(
    name: NameArgument,
    amount: Annotated[
        Decimal, typer.Argument(parser=parse_yuan, metavar="YUAN", help="How much, at most six decimals.")
    ],
    data: DataOption = DEFAULT_DATA,
    lang: RefusalLanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Pay into a user's account, whether a server runs or not."""
    check_users_exist(data)
    done = operate(DataFolder(data), lang.value, lambda exchange: exchange.deposit(name, amount))
    if json:
        print_json({**done._asdict(), "deposit": f"{amount:f}"})
    else:
        typer.echo(f"paid {amount:f} yuan to {done.name}, account {done.account_id}; log_seq {done.log_seq}")

"""`exchange buy`, `sell` and `cancel`: orders of whoever is logged in."""

from __future__ import annotations

import secrets
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from exchange.cli import completion, logins, texts
from exchange.cli.options import JsonOption, Language, LanguageOption
from exchange.cli.output import print_json
from exchange.cli.values import parse_price


class TimeInForce(StrEnum):
    """How long an order waits."""

    DAY = "day"
    FAK = "fak"
    FOK = "fok"


CONDITIONS = {
    TimeInForce.DAY: ("GFD", "ANY"),
    TimeInForce.FAK: ("IOC", "ANY"),
    TimeInForce.FOK: ("IOC", "ALL"),
}
"""(time condition, volume condition) of the protocol."""

InstrumentArgument = Annotated[
    str,
    typer.Argument(
        metavar="CONTRACT", help="Exchange and contract, such as SHFE.cu2701.", autocompletion=completion.instruments
    ),
]
LotsArgument = Annotated[int, typer.Argument(metavar="LOTS", min=1, help="How many lots.")]
PriceArgument = Annotated[
    Decimal | None,
    typer.Argument(
        parser=parse_price,
        metavar="PRICE",
        help="The limit, in yuan. Without one: at the market, where the contract takes such orders.",
    ),
]
CloseOption = Annotated[bool, typer.Option("--close", help="Close lots instead of opening some.")]
CloseTodayOption = Annotated[bool, typer.Option("--close-today", help="Close lots that were opened today.")]
TimeOption = Annotated[
    TimeInForce,
    typer.Option(
        "--time",
        metavar="day|fak|fok",
        help="day: what is not filled waits; fak: fill at once and cancel the rest; fok: all at once or nothing.",
    ),
]
OrderIdOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ID",
        help="An id of your own. The same order with the same id again is never done twice. [a random one]",
    ),
]


def buy(
    contract: InstrumentArgument,
    lots: LotsArgument,
    price: PriceArgument = None,
    close: CloseOption = False,
    close_today: CloseTodayOption = False,
    time: TimeOption = TimeInForce.DAY,
    order_id: OrderIdOption = None,
    lang: LanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Buy, as the user who is logged in."""
    _insert("BUY", contract, lots, price, _effect(close, close_today), time, order_id, lang, json)


def sell(
    contract: InstrumentArgument,
    lots: LotsArgument,
    price: PriceArgument = None,
    close: CloseOption = False,
    close_today: CloseTodayOption = False,
    time: TimeOption = TimeInForce.DAY,
    order_id: OrderIdOption = None,
    lang: LanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Sell, as the user who is logged in."""
    _insert("SELL", contract, lots, price, _effect(close, close_today), time, order_id, lang, json)


def cancel(
    order_id: Annotated[
        str, typer.Argument(metavar="ORDER", help="The order's id.", autocompletion=completion.working_orders)
    ],
    lang: LanguageOption = Language.EN,
    json: JsonOption = False,
) -> None:
    """Take what is left of an order out of the market."""
    client = logins.client_of(logins.kept(lang.value), lang.value)
    _tell(client.ask("DELETE", f"/api/v1/orders/{quote(order_id, safe='')}"), lang, json)


def _effect(close: bool, close_today: bool) -> str:
    if close and close_today:
        raise typer.BadParameter("--close and --close-today exclude each other: --close-today is for lots of today")
    return "CLOSETODAY" if close_today else "CLOSE" if close else "OPEN"


def _insert(
    direction: str,
    contract: str,
    lots: int,
    price: Decimal | None,
    effect: str,
    time: TimeInForce,
    order_id: str | None,
    lang: Language,
    json: bool,
) -> None:
    exchange_id, _, instrument_id = contract.partition(".")
    if not (exchange_id and instrument_id):
        raise typer.BadParameter(f"{contract!r} names no contract: write exchange and contract, such as SHFE.cu2701")
    order: dict[str, Any] = {
        # Never left to the exchange: if the answer gets lost, only who knows the id can safely try again.
        "order_id": order_id or f"cli{secrets.token_hex(4)}",
        "exchange_id": exchange_id,
        "instrument_id": instrument_id,
        "direction": direction,
        "offset": effect,
        "volume": lots,
    }
    time_condition, order["volume_condition"] = CONDITIONS[time]
    if price is None:
        # Nothing of a market order waits.
        order |= {"price_type": "ANY", "time_condition": "IOC"}
    else:
        order |= {"price_type": "LIMIT", "limit_price": float(price), "time_condition": time_condition}
    look = texts.SAME_ID_AGAIN(lang.value, order_id=order["order_id"])
    client = logins.client_of(logins.kept(lang.value), lang.value, look=look)
    _tell(client.ask("POST", "/api/v1/orders", order), lang, json)


def _tell(order: dict[str, Any], lang: Language, json: bool) -> None:
    if json:
        print_json(order)
        return
    language: texts.Language = lang.value
    typer.echo(
        texts.ORDER_DONE(
            language,
            order_id=order["order_id"],
            side=texts.word(order["direction"], language),
            effect=texts.word(order["offset"], language),
            instrument_id=order["instrument_id"],
            lots=order["volume_orign"],
            status=texts.word(order["status"], language),
            filled=order["volume_orign"] - order["volume_left"],
        )
    )

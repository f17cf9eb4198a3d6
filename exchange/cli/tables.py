"""Orders, trades, positions, money and quotes as tables, in either language: for a command's output and for the live
screen alike. They are given as the exchange words them, in yuan. `brief` leaves out what a narrow screen has no room
for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from exchange.cli import texts
from exchange.cli.output import Column
from exchange.domain.china_time import CHINA
from exchange.gateway.notices import Language

REFUSED: Final = "REJECTED"
ABSENT: Final = "-"
"""Stands for a number that does not exist."""

_VALUED: Final = (texts.FLOAT_PROFIT, texts.POSITION_PROFIT, texts.MARGIN)
_VALUED_NAMES: Final = ("float_profit", "position_profit", "margin")
"""What follows from the market's price; the first is left out where there is little room."""

_GIVES_ROOM: Final = frozenset({texts.ORDER_ID, texts.TRADE_ID, texts.EFFECT, texts.MESSAGE})
"""Columns whose values are long now and then, and can be read also when they are not whole."""

Wire = Mapping[str, Any]


class Table(NamedTuple):
    """A table, ready to be shown."""

    title: str
    columns: list[Column]
    rows: Sequence[tuple[str, ...]]


def orders(found: Iterable[Wire], language: Language, *, brief: bool = False) -> Table:
    """Orders, in the order given."""
    columns = _columns(
        language,
        (texts.TIME, texts.ORDER_ID, texts.INSTRUMENT, texts.SIDE, texts.EFFECT),
        (texts.PRICE, texts.LOTS, texts.LEFT),
        (texts.STATUS,) if brief else (texts.STATUS, texts.MESSAGE),
    )
    return Table(texts.ORDERS(language), columns, [_order(order, language, brief) for order in found])


def _order(order: Wire, language: Language, brief: bool) -> tuple[str, ...]:
    price = order.get("limit_price")
    return (
        _time(order["insert_date_time"], brief),
        order["order_id"],
        order["instrument_id"],
        texts.word(order["direction"], language),
        texts.word(order["offset"], language),
        texts.word("ANY", language) if price is None else number(price),
        str(order["volume_orign"]),
        str(order["volume_left"]),
        texts.word(order["status"], language),
        # Of any other order the exchange's text says in its own language what the status says in this one.
        *(() if brief else (order["last_msg"] if order["status"] == REFUSED else "",)),
    )


def trades(found: Iterable[Wire], language: Language, *, brief: bool = False) -> Table:
    """Trades, in the order given."""
    columns = _columns(
        language,
        (texts.TIME, texts.TRADE_ID, texts.ORDER_ID, texts.INSTRUMENT, texts.SIDE, texts.EFFECT),
        (texts.PRICE, texts.LOTS, texts.COMMISSION),
    )
    rows = [
        (
            _time(trade["trade_date_time"], brief),
            trade["trade_id"],
            trade["order_id"],
            trade["instrument_id"],
            texts.word(trade["direction"], language),
            texts.word(trade["offset"], language),
            number(trade["price"]),
            str(trade["volume"]),
            money(trade["commission"]),
        )
        for trade in found
    ]
    return Table(texts.TRADES(language), columns, rows)


def positions(found: Iterable[Wire], language: Language, *, brief: bool = False) -> Table:
    """Positions; a flat one stays, as on the wire."""
    columns = _columns(
        language,
        (texts.INSTRUMENT,),
        (texts.LONG, texts.LONG_PRICE, texts.SHORT, texts.SHORT_PRICE, texts.LAST, *(_VALUED[brief:])),
    )
    rows = [
        (
            position["instrument_id"],
            str(position["volume_long"]),
            number(position.get("open_price_long")),
            str(position["volume_short"]),
            number(position.get("open_price_short")),
            number(position.get("last_price")),
            *(money(position[name]) for name in _VALUED_NAMES[brief:]),
        )
        for position in found
    ]
    return Table(texts.POSITIONS(language), columns, rows)


def account_facts(account: Wire, language: Language) -> list[tuple[str, str]]:
    """What belongs to an account's money, name and amount."""
    facts = (
        (texts.BALANCE, "balance"),
        (texts.AVAILABLE, "available"),
        (texts.MARGIN, "margin"),
        (texts.FROZEN_MARGIN, "frozen_margin"),
        (texts.POSITION_PROFIT, "position_profit"),
        (texts.FLOAT_PROFIT, "float_profit"),
        (texts.CLOSE_PROFIT, "close_profit"),
        (texts.COMMISSION, "commission"),
    )
    found = [(text(language), money(account.get(name))) for text, name in facts]
    risk = account.get("risk_ratio")
    return [*found, (texts.RISK(language), ABSENT if risk is None else f"{risk:.2%}")]


def quotes(found: Iterable[Wire], language: Language) -> Table:
    """Quotes with their best levels."""
    columns = _columns(
        language,
        (texts.INSTRUMENT,),
        (texts.LAST, texts.BID, texts.LOTS, texts.ASK, texts.LOTS, texts.VOLUME, texts.OPEN_INTEREST),
        (texts.TIME,),
    )
    rows = [
        (
            quote["instrument_id"],
            number(quote.get("last_price")),
            number(quote.get("bid_price1")),
            number(quote.get("bid_volume1")),
            number(quote.get("ask_price1")),
            number(quote.get("ask_volume1")),
            number(quote.get("volume")),
            number(quote.get("open_interest")),
            str(quote.get("datetime", ""))[11:19] or ABSENT,
        )
        for quote in found
    ]
    return Table(texts.QUOTES(language), columns, rows)


def book(found: Wire, language: Language) -> Table:
    """Both sides of a book as they stand on a trader's screen: asks on top, the best in the middle."""
    columns = _columns(language, (texts.SIDE,), (texts.PRICE, texts.LOTS, texts.ORDER_COUNT))
    asks = [_level(texts.ASK(language), level) for level in reversed(found["asks"])]
    bids = [_level(texts.BID(language), level) for level in found["bids"]]
    return Table(texts.BOOK(language, instrument_id=found["instrument_id"]), columns, asks + bids)


def _level(side: str, level: list[Any]) -> tuple[str, ...]:
    price, lots, orders = level
    return (side, number(price), str(lots), str(orders))


def number(value: float | None) -> str:
    """A price or a count, as short as it is: 47990, 0.5."""
    return ABSENT if value is None else f"{value:.6f}".rstrip("0").rstrip(".")


def money(value: float | None) -> str:
    """An amount of yuan, to the fen."""
    return ABSENT if value is None else f"{value:,.2f}"


def _time(at_ms: int, brief: bool) -> str:
    """The time in China, to the millisecond; in brief that of the day, to the second."""
    time = datetime.fromtimestamp(at_ms / 1000, CHINA)
    return time.strftime("%H:%M:%S") if brief else time.strftime("%m-%d %H:%M:%S.%f")[:-3]


def _columns(language: Language, *groups: Iterable[texts.Text]) -> list[Column]:
    """Columns by group: texts and numbers in turn, numbers on the right."""
    return [
        Column(text(language), right=bool(at % 2), gives_room=text in _GIVES_ROOM)
        for at, group in enumerate(groups)
        for text in group
    ]

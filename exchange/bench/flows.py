"""The orders of the benchmark: what clients send, and in which turns, so that the market stays in balance.

All orders are of one contract that closes first in, first out. Two flows:

    meeting   every client opens and closes both ways at one price, half of them beginning with a buy and half with a
              sale. Every second order rests and every second one trades with the oldest that rests: two orders to a
              trade, a hundred or fewer in the book, and every position stays as it was.
    alone     a single client against standing orders of a house: every second order trades at once, the others rest
              away from the market.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson

from exchange.bench.plan import NUMBER, Step

EXCHANGE: Final = "DCE"
CONTRACT: Final = "m2701"
INSTRUMENT_ID: Final = f"{EXCHANGE}.{CONTRACT}"
PRICE: Final = 2760
"""Yuan; the contract's previous settlement price, tick 1, band 7 %."""
DEPOSIT: Final = 1_000_000_000
"""Yuan that every user gets, so that nobody runs out of money."""
STOCK_LOTS: Final = 50
"""What every client holds on both sides before the load, so that there is something to close however orders overtake
each other."""
HOUSE_LOTS: Final = 1000
"""Lots of one standing order, the most that the contract takes."""
HOUSE_ORDERS: Final = 25
"""Standing orders of the house on either side."""
HOUSE_ORDERS_MEET: Final = 4 * HOUSE_LOTS * HOUSE_ORDERS
"""So many orders of the flow `alone` the house can meet: one in four takes a lot of the same side."""

RESTS: Final = "rest"
FILLS: Final = "fill"
MEETS: Final = "order"


class Terms(NamedTuple):
    """What tells one order of the benchmark from another."""

    direction: str
    offset: str
    price: int
    """Yuan."""
    lots: int = 1


BUY_OPEN: Final = Terms("BUY", "OPEN", PRICE)
SELL_CLOSE: Final = Terms("SELL", "CLOSE", PRICE)
SELL_OPEN: Final = Terms("SELL", "OPEN", PRICE)
BUY_CLOSE: Final = Terms("BUY", "CLOSE", PRICE)

MEETING_TURNS: Final = (
    (BUY_OPEN, SELL_CLOSE, SELL_OPEN, BUY_CLOSE),
    (SELL_OPEN, BUY_CLOSE, BUY_OPEN, SELL_CLOSE),
)
"""The turns of every even client, and of every odd one."""
MEETING_STOCK: Final = (BUY_OPEN._replace(lots=STOCK_LOTS), SELL_OPEN._replace(lots=STOCK_LOTS))
"""What every client sends first; all of it meets."""

HOUSE_STOCK: Final = HOUSE_ORDERS * (
    Terms("SELL", "OPEN", PRICE + 1, HOUSE_LOTS),
    Terms("BUY", "OPEN", PRICE - 1, HOUSE_LOTS),
)
ALONE_STOCK: Final = (Terms("BUY", "OPEN", PRICE + 1, STOCK_LOTS),)
ALONE_TURNS: Final = (
    (FILLS, Terms("BUY", "OPEN", PRICE + 1)),
    (RESTS, Terms("BUY", "OPEN", PRICE - 50)),
    (FILLS, Terms("SELL", "CLOSE", PRICE - 1)),
    (RESTS, Terms("SELL", "OPEN", PRICE + 50)),
)


def order_text(terms: Terms, order_id: str) -> str:
    """An `insert_order` as clients send it; a limit order, good for the day."""
    message = {
        "aid": "insert_order",
        "order_id": order_id,
        "exchange_id": EXCHANGE,
        "instrument_id": CONTRACT,
        "direction": terms.direction,
        "offset": terms.offset,
        "volume": terms.lots,
        "price_type": "LIMIT",
        "limit_price": terms.price,
    }
    return orjson.dumps(message).decode()


def first_texts(stock: tuple[Terms, ...]) -> tuple[str, ...]:
    """The orders by which a client gets its stock."""
    return tuple(order_text(terms, f"first-{at}") for at, terms in enumerate(stock))


def meeting_steps(client: int) -> tuple[Step, ...]:
    """The cycle of a client in the flow `meeting`."""
    turns = MEETING_TURNS[client % len(MEETING_TURNS)]
    return tuple(Step(kind=MEETS, text=order_text(terms, NUMBER)) for terms in turns)


def alone_steps() -> tuple[Step, ...]:
    """The cycle of the client in the flow `alone`."""
    return tuple(Step(kind=kind, text=order_text(terms, NUMBER)) for kind, terms in ALONE_TURNS)

"""What clients say: sensible orders, repeated ones, and nonsense, each with the answer that it must get."""

from __future__ import annotations

from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from exchange.gateway.notices import Code
from tests.simulation.client import Client
from tests.simulation.market import ALL_IDS, TRADERS, UNKNOWN_ID, Trader
from tests.simulation.network import Said

PING: Final = Said(b'{"aid":"ping"}')

NONSENSE: Final = (
    Said(b'{"aid":"abracadabra"}', Code.UNKNOWN_AID),
    Said(b"{}", Code.MALFORMED_MESSAGE),
    Said(b'{"aid":7}', Code.MALFORMED_MESSAGE),
    Said(b'{"aid":"insert_order"}', Code.WRONG_FIELD),
    Said(b'{"aid":"insert_order","order_id":' + b"9" * 400 + b"}", Code.WRONG_FIELD),
    Said(b'{"aid":"subscribe_quote","ins_list":["SIM.a1"]}', Code.WRONG_FIELD),
    Said(b'{"aid":"cancel_order","order_id":null}', Code.WRONG_FIELD),
    # A notice for who is logged in; others are answered like any login, at once.
    Said(
        b'{"aid":"req_login","bid":"elsewhere","user_name":"a","password":"b","version":"x"}', perhaps=Code.WRONG_FIELD
    ),
)
"""Answered by a notice, whether or not the connection is logged in."""

ODDITIES: Final = (
    Said(b'{"aid":"set_chart","chart_id":"c","ins_list":"SIM.a1","duration":1,"view_width":2}', Code.CHARTS_NOT_SERVED),
    Said(b'{"aid":"confirm_settlement"}'),
)
"""What leads to nothing, for who is logged in."""

OUTRAGE: Final = (
    Said(b"", close_code=1007),
    Said(b"peek_message", close_code=1007),
    Said(b'{"aid":"peek_message"', close_code=1007),
    Said(b'{"aid":"insert_order","volume":NaN}', close_code=1007),
    Said(b"[]", close_code=1003),
    Said(b"1e999999999", close_code=1003),
    Said(b'{"aid":"ping","x":' + b"[" * 40 + b"]" * 40 + b"}", close_code=1008),
)
"""Ends the connection."""

WRONG_VALUES: Final[tuple[dict[str, object], ...]] = (
    {"volume": 1.5},
    {"volume": "1"},
    {"volume": 2**63},
    {"volume": None},
    {"limit_price": None},
    {"limit_price": True},
    {"limit_price": "dear"},
    {"direction": "HOLD"},
    {"offset": "OPENED"},
    {"price_type": "limit"},
    {"time_condition": ""},
    {"volume_condition": 0},
    {"order_id": "~1"},
    {"order_id": "x" * 129},
    {"exchange_id": "NOWHERE"},
)
"""What makes an order's message one that cannot be understood."""

REFUSED_VALUES: Final[tuple[dict[str, object], ...]] = (
    {"volume": 0},
    {"volume": -1},
    {"volume": 501},
    {"limit_price": 0},
    {"limit_price": -100},
    {"limit_price": 100.25},
    {"limit_price": 1_000_000},
    {"instrument_id": UNKNOWN_ID},
    {"time_condition": "GTC"},
    {"volume_condition": "MIN", "min_volume": 1},
)
"""What makes an order one that the market refuses."""


def login(client: Client, random: Random, *, secret: str) -> Said:
    """Log in, with what the mirror holds if the client has chosen to."""
    message: dict[str, Any] = {"aid": "req_login", "user_name": client.trader.name, "password": secret}
    if random.random() < 0.5:
        message["bid"] = "qaexchange"
    if client.resumed is not None:
        message["log_id"] = client.resumed.log_id
        message["version"] = client.resumed.version
    return Said(orjson.dumps(message))


def address(client: Client, *, right: bool) -> str:
    """The query of an address that logs the client in, with what its mirror holds if it has chosen to; a wrong ticket
    lets nobody in."""
    trader = client.trader
    fields: dict[str, str | int] = {"user_id": trader.name, "token": f"ticket of {trader.name}" if right else "wrong"}
    if client.resumed is not None:
        fields["log_id"] = client.resumed.log_id
        if client.resumed.version >= 0:  # what is no version is refused here, and there is a test for that
            fields["version"] = client.resumed.version
    return urlencode(fields)


def subscribe(client: Client, wanted: tuple[str, ...]) -> Said:
    """Subscribe to these quotes, one of which may not exist."""
    unknown = Code.UNKNOWN_SUBSCRIPTION if UNKNOWN_ID in wanted else None
    return Said(orjson.dumps({"aid": "subscribe_quote", "ins_list": ",".join(wanted)}), unknown)


def order(client: Client, random: Random) -> dict[str, Any]:
    """A sensible order: near the money, closing what the mirror says is held now and then."""
    direction = random.choice(("BUY", "SELL"))
    instrument_id = random.choice(ALL_IDS[:3]) if random.random() < 0.95 else random.choice(ALL_IDS)
    message: dict[str, Any] = {
        "aid": "insert_order",
        "instrument_id": instrument_id,
        "direction": direction,
        "offset": "OPEN",
        "volume": random.randint(1, 5),
        "price_type": "LIMIT",
        "limit_price": random.randint(97, 103),
    }
    if random.random() < 0.3:
        message |= {"offset": random.choice(("CLOSE", "CLOSETODAY"))}
        held = client.branch.get("positions", {}).get(instrument_id)
        if held is not None:
            message["direction"] = "SELL" if held["volume_long"] > held["volume_short"] else "BUY"
    message |= random.choice(
        ({}, {}, {}, {"time_condition": "IOC"}, {"time_condition": "IOC", "volume_condition": "ALL"})
    )
    if random.random() < 0.1:
        del message["limit_price"]
        message["price_type"] = random.choice(("ANY", "MARKET"))
    if random.random() < 0.05:
        message |= {"price_type": "LIMIT", "limit_price": 100} | random.choice(REFUSED_VALUES)
    return message


def wrong_order(client: Client, random: Random) -> Said:
    """An order whose message cannot be understood."""
    message = order(client, random) | {"price_type": "LIMIT", "limit_price": 100}
    return Said(orjson.dumps(message | random.choice(WRONG_VALUES)), Code.WRONG_FIELD)


def foreign_order(client: Client, random: Random) -> Said:
    """An order or a cancellation in the name of somebody else."""
    other = random.choice([trader for trader in TRADERS if trader is not client.trader])
    # The account ids of others are not for clients to know; guessing a name is.
    client.quoted[other.name.encode()] = None
    message = order(client, random) if random.random() < 0.7 else {"aid": "cancel_order", "order_id": "1"}
    message |= random.choice(({"user_id": other.name}, {"user_id": client.trader.name, "account_id": other.name}))
    return Said(orjson.dumps(message), Code.OTHER_USER)


def foreign_cancel(client: Client, order_id: str, owner: Trader) -> Said:
    """The cancellation of somebody else's order in one's own name: to the exchange an id it does not know."""
    for canary in owner.canaries:
        client.quoted.update({canary: None} if canary in order_id.encode() else {})
    return Said(orjson.dumps({"aid": "cancel_order", "user_id": client.trader.name, "order_id": order_id}))

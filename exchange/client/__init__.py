"""Trade from Python: `from exchange.client import Client`, or `SyncClient` for a program without an event loop.

Begin with `client.Client`. It keeps a `Mirror` of its user's picture at the exchange, leads it on step by step, and
comes back by itself to where the mirror stands when a line is cut. docs/clients/python.md shows how to use it.
"""

from exchange.client.client import Client
from exchange.client.errors import (
    ClientError,
    ClosedError,
    InvalidRequestError,
    LoginError,
    MirrorError,
    NotConnectedError,
    NotInTimeError,
    OrderGoneError,
    OutcomeUnknownError,
    TooManyOrdersError,
    UnknownVersionError,
    WrongThreadError,
)
from exchange.client.mirror import Mirror
from exchange.client.notices import Notice
from exchange.client.options import ClientOptions
from exchange.client.picture import Picture
from exchange.client.rows import Account, Level, Order, Position, Quote, Trade
from exchange.client.sync import SyncClient, SyncOrderHandle
from exchange.client.underway import OrderHandle

__all__ = [
    "Account",
    "Client",
    "ClientError",
    "ClientOptions",
    "ClosedError",
    "InvalidRequestError",
    "Level",
    "LoginError",
    "Mirror",
    "MirrorError",
    "NotConnectedError",
    "NotInTimeError",
    "Notice",
    "Order",
    "OrderGoneError",
    "OrderHandle",
    "OutcomeUnknownError",
    "Picture",
    "Position",
    "Quote",
    "SyncClient",
    "SyncOrderHandle",
    "TooManyOrdersError",
    "Trade",
    "UnknownVersionError",
    "WrongThreadError",
]

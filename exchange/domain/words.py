"""The closed choices of an order, in the words of CTP and DIFF."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Direction(StrEnum):
    """The side of the book an order is on."""

    BUY = "BUY"
    SELL = "SELL"


class PositionEffect(StrEnum):
    """Whether a fill opens a holding or closes one; the wire calls it `offset`."""

    OPEN = "OPEN"
    CLOSE = "CLOSE"
    """Where the instrument separates today's lots from older ones: closes older ones only. Elsewhere: first in, first
    out."""
    CLOSETODAY = "CLOSETODAY"


class PriceType(StrEnum):
    """How an order's price is found."""

    LIMIT = "LIMIT"
    ANY = "ANY"
    """A market order: works at the edge of the price band."""
    BEST = "BEST"
    FIVELEVEL = "FIVELEVEL"


class TimeCondition(StrEnum):
    """How long an order works."""

    IOC = "IOC"
    GFS = "GFS"
    GFD = "GFD"
    GTD = "GTD"
    GTC = "GTC"
    GFA = "GFA"


class VolumeCondition(StrEnum):
    """How much of an order must fill at once."""

    ANY = "ANY"
    MIN = "MIN"
    ALL = "ALL"


class OrderStatus(StrEnum):
    """Where an order stands. All but `ALIVE` are final."""

    ALIVE = "ALIVE"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"


class CancelReason(StrEnum):
    """Why the rest of an order left the market."""

    REQUESTED = "REQUESTED"
    NOT_FILLED_AT_ONCE = "NOT_FILLED_AT_ONCE"
    """The rest of an IOC order (FAK)."""
    NOT_FILLED_WHOLE = "NOT_FILLED_WHOLE"
    """An order with volume condition ALL that could not fill whole (FOK)."""


class PriceRule(StrEnum):
    """Which rule gave a trade its price."""

    MIDDLE_OF_THREE = "MIDDLE_OF_THREE"
    """The middle one of bid, ask and previous trade price (rule 1.3)."""


# The words that every order is asked about. Python 3.11 looks a member up on its class by a slow descriptor, ten times
# the cost of a global name, and an order asks some twenty times.
BUY: Final = Direction.BUY
SELL: Final = Direction.SELL
OPEN: Final = PositionEffect.OPEN
CLOSETODAY: Final = PositionEffect.CLOSETODAY
LIMIT: Final = PriceType.LIMIT
IOC: Final = TimeCondition.IOC
ALIVE: Final = OrderStatus.ALIVE

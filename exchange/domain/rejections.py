"""Why a command is refused: one reason per rule, and the order in which the rules are asked."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class RejectReason(StrEnum):
    """A rule that a command broke. The numbers and texts that clients see stand in one table in the gateway."""

    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
    DUPLICATE_ORDER_ID = "DUPLICATE_ORDER_ID"
    """The id belongs to an order with other content, or is of the exchange's own making."""
    SUSPENDED = "SUSPENDED"
    """An order of a suspended account, a closing one too: what to do with its positions is the operator's decision."""
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    ORDER_KIND = "ORDER_KIND"
    """The combination of price type, time condition and volume condition is not taken."""
    ORDER_LOTS = "ORDER_LOTS"
    """The number of lots is outside what one order of this kind may hold."""
    PRICE_TICK = "PRICE_TICK"
    PRICE_BAND = "PRICE_BAND"
    CLOSABLE_LOTS = "CLOSABLE_LOTS"
    """Fewer lots are free to be closed than the order closes."""
    FUNDS = "FUNDS"

    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    ORDER_FINISHED = "ORDER_FINISHED"

    ACCOUNT_EXISTS = "ACCOUNT_EXISTS"
    AMOUNT = "AMOUNT"
    """An amount that is not positive or beyond the limit."""
    WITHDRAWABLE = "WITHDRAWABLE"
    """More was to be withdrawn than is available."""
    ACCOUNT_SUSPENDED = "ACCOUNT_SUSPENDED"
    """Money was to leave a suspended account, or it was to be suspended once more."""
    NOT_SUSPENDED = "NOT_SUSPENDED"
    """An account was to be restored that is not suspended."""
    REASON_LENGTH = "REASON_LENGTH"
    """The reason of a suspension is too long."""
    INSTRUMENT_EXISTS = "INSTRUMENT_EXISTS"
    INSTRUMENT_TERMS = "INSTRUMENT_TERMS"
    """Terms that contradict themselves, such as a lower limit above the upper."""
    POISON = "POISON"
    """Deciding the command failed inside the exchange; nothing of it was done."""


ORDER_PRECEDENCE: Final = (
    RejectReason.UNKNOWN_ACCOUNT,
    RejectReason.DUPLICATE_ORDER_ID,
    RejectReason.SUSPENDED,
    RejectReason.UNKNOWN_INSTRUMENT,
    RejectReason.ORDER_KIND,
    RejectReason.ORDER_LOTS,
    RejectReason.PRICE_TICK,
    RejectReason.PRICE_BAND,
    RejectReason.CLOSABLE_LOTS,
    RejectReason.FUNDS,
)
"""An order that breaks several rules is refused for the first of these (rule 1.2)."""

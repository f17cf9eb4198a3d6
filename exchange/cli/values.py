"""Values on the command line: amounts, places in the log, ranges, anchors. Each is checked before anything is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import typer

from exchange.domain.values import money_from_decimal
from exchange.server.times import parse_time as parse_iso_time

_ROOT = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The end of the last entry at or before a number, or at or before a time: one of the two is given."""

    log_seq: int | None = None
    at_ns: int | None = None
    """In ns since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Range:
    """The events from `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """A root that was written down elsewhere."""

    log_seq: int
    root: bytes


def parse_yuan(text: str) -> Decimal:
    """An amount that is not negative, at most six decimals."""
    try:
        yuan = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no amount: write yuan, such as 1000000 or 0.5") from None
    try:
        amount = money_from_decimal(yuan)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if amount < 0:
        raise typer.BadParameter(f"{text} is below zero: amounts are paid in")
    return yuan


def parse_price(text: str) -> Decimal:
    """A price in yuan, which may be zero or below where a contract allows it; at most six decimals."""
    try:
        price = Decimal(text)
        money_from_decimal(price)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no price: write yuan, such as 47990 or 0.5") from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return price


def parse_place(text: str) -> Place:
    """A log_seq in digits, or an ISO time with its zone."""
    return Place(log_seq=_log_seq(text)) if _is_number(text) else Place(at_ns=parse_time(text))


def parse_time(text: str) -> int:
    """ISO time with its zone, to the nanosecond, as ns since 1970 UTC."""
    try:
        return parse_iso_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_range(text: str) -> Range:
    """One log_seq, or `A..B`."""
    first, dots, last = text.partition("..")
    last = last if dots else first
    if not (_is_number(first) and _is_number(last)):
        raise typer.BadParameter(f"{text!r} is no place in the log: write a log_seq such as 17, or 17..25")
    found = Range(_log_seq(first), _log_seq(last))
    if not 1 <= found.first <= found.last:
        raise typer.BadParameter(f"{text!r} names no event: events are numbered from 1, and A..B needs A <= B")
    return found


def parse_anchor(text: str) -> Anchor:
    """`LOG_SEQ:ROOT`, the root as 64 hexadecimal digits, as `log verify` prints it."""
    log_seq, _, root = text.partition(":")
    if not _is_number(log_seq) or _ROOT.fullmatch(root) is None:
        raise typer.BadParameter(
            f"{text!r} is no anchor: write LOG_SEQ:ROOT as `exchange log verify` prints it, "
            "a number and 64 hexadecimal digits"
        )
    return Anchor(_log_seq(log_seq), bytes.fromhex(root))


def _is_number(text: str) -> bool:
    # `int` alone would also take signs, spaces and underscores.
    return text.isascii() and text.isdigit()


def _log_seq(text: str) -> int:
    if len(text) > 18:
        raise typer.BadParameter(f"{text} is beyond the end of every log")
    return int(text)

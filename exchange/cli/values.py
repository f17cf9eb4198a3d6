"""Values on the command line: amounts, places in the log, ranges, anchors. Each is checked before anything is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

import typer

from exchange.domain.values import money_from_decimal

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"[.,](\d+)")
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


def parse_place(text: str) -> Place:
    """A log_seq in digits, or an ISO time with its zone."""
    return Place(log_seq=_log_seq(text)) if _is_number(text) else Place(at_ns=parse_time(text))


def parse_time(text: str) -> int:
    """ISO time with its zone, to the nanosecond, as ns since 1970 UTC."""
    fraction = _FRACTION.search(text)
    try:
        time = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a log_seq in digits nor an ISO time such as 2026-10-06T14:30:00+08:00"
        ) from None
    if time.tzinfo is None:
        raise typer.BadParameter(
            f"the time {text} has no zone, so it names another moment in each country: "
            f"write {text}+08:00 for China or {text}Z for UTC"
        )
    # `datetime` keeps microseconds only, and the log's own times, as `log tail` prints them, have nine digits.
    fraction_ns = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    return (time - _EPOCH) // timedelta(seconds=1) * 1_000_000_000 + fraction_ns


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

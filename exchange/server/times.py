"""Moments as people and programs write them, for commands and requests that ask for one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION: Final = re.compile(r"[.,](\d+)")


def parse_time(text: str) -> int:
    """An ISO time with its zone, to the nanosecond, as ns since 1970 UTC; digits after the ninth are cut off.

    Raises ValueError, with a text for whoever wrote it.
    """
    fraction = _FRACTION.search(text)
    try:
        time = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    except ValueError:
        raise ValueError(f"{text!r} is no ISO time such as 2026-10-06T14:30:00+08:00") from None
    if time.tzinfo is None:
        raise ValueError(
            f"the time {text} has no zone, so it names another moment in each country: "
            f"write {text}+08:00 for China or {text}Z for UTC"
        )
    # `datetime` keeps microseconds only, and the log's own times have nine digits.
    fraction_ns = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    return (time - _EPOCH) // timedelta(seconds=1) * 1_000_000_000 + fraction_ns

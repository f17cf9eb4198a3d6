"""Times of the log as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from exchange.domain.china_time import CHINA


def utc_text(at_ns: int) -> str:
    """`2026-10-06T06:30:00.000000000Z`; all nine digits, so that `--at` finds the same entry again."""
    return f"{_second(at_ns, UTC).strftime('%Y-%m-%dT%H:%M:%S')}.{at_ns % 1_000_000_000:09d}Z"


def china_text(at_ns: int) -> str:
    """`2026-10-06T14:30:00.000000000+08:00`, the same moment in China."""
    return f"{_second(at_ns, CHINA).strftime('%Y-%m-%dT%H:%M:%S')}.{at_ns % 1_000_000_000:09d}+08:00"


def china_minute(time: str) -> str:
    """`2026-10-06 14:30+08:00`, of an ISO time with its zone."""
    return datetime.fromisoformat(time).astimezone(CHINA).isoformat(" ", "minutes")


def _second(at_ns: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, zone)

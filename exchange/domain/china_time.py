"""The time by which the market lives."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Final

CHINA: Final = timezone(timedelta(hours=8))
"""The zone of all six exchanges. China has had no summer time since 1991."""

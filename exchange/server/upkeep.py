"""What is done now and then beside everything else."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final, Protocol

log = logging.getLogger("exchange.upkeep")

PURGE_INTERVAL_S: Final = 60.0
"""An expired token is refused at once; removing it keeps the table small, and ends the connections that it opened."""


class Expiring(Protocol):
    """What holds things that expire."""

    async def purge_expired(self) -> int:
        """Remove what has expired; returns how many."""


async def purge_until(stopped: asyncio.Event, expiring: Expiring, interval_s: float = PURGE_INTERVAL_S) -> None:
    """Purge at once and then every `interval_s`, until `stopped` is set; a purge in hand is finished first."""
    while not stopped.is_set():
        try:
            await expiring.purge_expired()
        except Exception:
            # It costs room, and a connection may outlive its token; the next time may go well.
            log.exception("what has expired could not be removed; it is tried again in %g s", interval_s)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), interval_s)

"""The bounds and patience of a client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from exchange.client.mirror import HISTORY_MAX

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """What may be set; times in seconds. The defaults fit a server with its own defaults."""

    answer_timeout_s: float = 10.0
    """For the opening of a connection, and for the answer to a login."""
    peek_timeout_s: float = 30.0
    """After so long the server answers a peek even without news; its setting of the same name."""
    peek_margin_s: float = 10.0
    """A server that is silent for so much longer counts as cut."""
    close_timeout_s: float = 1.0
    """How long the server may take to end a connection that the client closes."""
    frame_max_bytes: int = 10 * MEBIBYTE
    """A larger step ends the connection."""
    underway_max: int = 1_000
    """Orders that may wait for the exchange's first answer, and cancels for theirs."""
    resend_within_s: float = 60.0
    """An order that was not answered before the line was cut is sent again after the resume, unless it is older."""
    history_max: int = HISTORY_MAX
    """Former versions that the mirror keeps."""
    trades_max: int | None = None
    """Trades that the mirror keeps; None keeps all that the server shows."""
    finished_orders_max: int | None = None
    """Finished orders that the mirror keeps; None keeps all that the server shows, the newest 500."""
    notices_max: int = 1_000
    """Notices that wait for whoever reads them with `notices()`; the oldest is dropped for a further one."""

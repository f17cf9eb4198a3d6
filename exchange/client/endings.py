"""Why a connection ended, and what that means for the next one."""

from __future__ import annotations

from typing import Final

from websockets.exceptions import ConnectionClosed, InvalidStatus

from exchange.client.errors import MirrorError

POLICY_PAUSE_S: Final = 10.0
"""After a server refused what we do: to go on at once would only do it again."""
TROUBLE_PAUSE_S: Final = 1.0
"""After an error of the server, or a step that did not fit: the next try may meet the same one."""

PAUSES_S: Final[dict[int, float]] = {
    1003: POLICY_PAUSE_S,  # a message that it does not take
    1007: POLICY_PAUSE_S,
    1008: POLICY_PAUSE_S,  # its policy: too many, too late, too deep
    1009: POLICY_PAUSE_S,  # a message that is too large, for it or for us
    1011: TROUBLE_PAUSE_S,  # an error of its own
    1012: 0.0,  # it restarts and will be back soon
    1013: TROUBLE_PAUSE_S,  # try again later
}
"""Seconds to wait, besides the jitter, after a connection that ended with this code; any other ending: none."""


class LoginDeferredError(Exception):
    """A login that was refused for now: too many attempts, or a state of the server that will pass."""


class SilentServerError(Exception):
    """No answer to a peek in longer than the server may take, so that the line counts as cut."""


def pause_after(error: Exception) -> float:
    """Seconds to wait, besides the jitter, before the next connection."""
    if isinstance(error, ConnectionClosed):
        return PAUSES_S.get(_close_code(error), 0.0)
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return TROUBLE_PAUSE_S if status >= 500 else POLICY_PAUSE_S
    if isinstance(error, MirrorError | LoginDeferredError):
        return TROUBLE_PAUSE_S
    return 0.0


def _close_code(error: ConnectionClosed) -> int:
    """The code of whoever ended the connection first; 1006 where it just broke."""
    first = error.sent if error.rcvd_then_sent is False else error.rcvd
    frame = first or error.rcvd or error.sent
    return frame.code if frame is not None else 1006

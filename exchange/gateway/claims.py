"""What a returning client says of its mirror, and how far it is believed.

A view's `log_id` names the log, and in its last part the user, the account, the dialect and the wording of both: only
a mirror of exactly that view can be led on by steps. Whoever answers a login or gives out a view names it by
`view_log_id`, so that a version from one place is good at every other.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, NamedTuple

from exchange.gateway.dialects import Dialect
from exchange.gateway.surroundings import User
from projections.user_view import BEFORE_ALL

CLAIM_SHOWN_MAX: Final = 2**53
"""A larger version, which a client may claim with thousands of digits, is quoted as this."""


class Claim(NamedTuple):
    """What a client says that its mirror holds; None where it says nothing."""

    log_id: str | None = None
    version: int | None = None


NO_CLAIM: Final = Claim()


class HistoryDiffersError(Exception):
    """The claim speaks of another log, or of a place that this one has not reached: history was lost or replaced."""

    def __init__(self, version: int, head: int) -> None:
        super().__init__(f"version {version} is not in this log, which ends at {head}")
        self.version = version
        self.head = head


def view_log_id(log_id: str, user: User, dialect: Dialect) -> str:
    """The `log_id` of a user's view: opaque to clients, the same in every life of the log with this `log_id`."""
    view = f"{user.account_id}/{user.name}/{dialect.wording}"
    return f"{log_id}.{sha256(view.encode()).hexdigest()[:16]}"


def believed(claim: Claim, view: str, head: int) -> int:
    """The version from which the claimed mirror can be led on; BEFORE_ALL where it must begin anew.

    `view` is the `log_id` of the view that the client is about to be given, `head` where that stands. Raises
    HistoryDiffersError; that the user, the dialect or the wording is another one is no alarm.
    """
    if claim.log_id is None or claim.version is None:
        return BEFORE_ALL
    if claim.log_id.rpartition(".")[0] != view.rpartition(".")[0] or claim.version > head:
        raise HistoryDiffersError(min(claim.version, CLAIM_SHOWN_MAX), head)
    return claim.version if claim.log_id == view and claim.version >= 0 else BEFORE_ALL

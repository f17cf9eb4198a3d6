"""The event of a refused command; an order's own refusal is an `OrderRefused`, written where orders are decided."""

from __future__ import annotations

from exchange.domain.commands import Command
from exchange.domain.events import CommandRefused, Facts
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId


def refused(
    command: Command, reason: RejectReason, facts: Facts, *, account_id: AccountId, subject: str = ""
) -> CommandRefused:
    """`subject` is what the command spoke of: an order id, an instrument."""
    return CommandRefused(
        command=type(command).__name__, account_id=account_id, subject=subject, reason=reason, facts=facts
    )

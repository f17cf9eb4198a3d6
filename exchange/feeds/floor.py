"""The exchange as a feed meets it: commands go in and are answered once durable, views come out. Like any client."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

from exchange.domain.commands import CancelOrder, Deposit, InsertOrder, OpenAccount
from exchange.domain.events import CommandRefused, Event, OrderRefused
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, InstrumentId
from projections.user_view import UserView

log = logging.getLogger("exchange.feeds")

HouseCommand = OpenAccount | Deposit | InsertOrder | CancelOrder
"""What a feed asks for: always in the name of the account that the command names."""


class NotTakenError(Exception):
    """The exchange did not even decide a command: it is busy or shutting down. Leave it alone for a while."""


class Floor(Protocol):
    """What a feed needs of the exchange around it."""

    def carry_out(self, command: HouseCommand) -> Awaitable[tuple[Event, ...]]:
        """Have a command decided before this returns, so that commands given one after the other are decided in that
        order with nobody's in between.

        What comes back gives the entry's events once they are durable and folded into the views. Raises NotTakenError,
        from the call itself.
        """

    def view(self, account_id: AccountId) -> UserView:
        """The durable view of an account; one whose `account` is None where there is no such account."""

    def terms(self, instrument_id: InstrumentId) -> InstrumentTerms | None:
        """The terms of a listed contract."""


class Outcome(NamedTuple):
    """What became of commands that were carried out together."""

    answers: list[tuple[Event, ...]]
    """The entries of those that were taken, in order."""
    complete: bool
    """Whether all were taken; the ones behind the first that was not were not tried."""


class Clerk:
    """Carries a feed's commands to the floor and keeps count of what was not done."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.refused: Counter[RejectReason] = Counter()
        self.not_taken = 0
        """Batches that were cut short because the exchange took no more commands."""

    async def carry_out(self, commands: Sequence[HouseCommand]) -> Outcome:
        """Have the commands decided one after the other and wait until all of them are durable.

        Cancelling this call leaves no batch half given: there is no waiting between two commands.
        """
        given: list[Awaitable[tuple[Event, ...]]] = []
        for command in commands:
            try:
                given.append(self._floor.carry_out(command))
            except NotTakenError as error:
                self.not_taken += 1
                log.info(
                    "%d of %d house commands were left undone: %s", len(commands) - len(given), len(commands), error
                )
                break
        answers = [await answer for answer in given]
        for events in answers:
            for event in events:
                if isinstance(event, OrderRefused | CommandRefused):
                    self._note(event)
        return Outcome(answers, len(answers) == len(commands))

    def _note(self, refusal: OrderRefused | CommandRefused) -> None:
        """Count a refusal and tell of the first one of its reason: a tape repeats its orders, and so its refusals."""
        reason = refusal.reason
        self.refused[reason] += 1
        # The exchange forgets a finished order of the house, so this says that a user took it before the cancel came.
        if reason is not RejectReason.UNKNOWN_ORDER and self.refused[reason] == 1:
            log.warning("the house was refused, which is told once per reason: %s", refusal)

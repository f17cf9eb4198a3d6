"""Durable entries become views, and views become news: folds what the log has, wakes those whom it concerns.

Policy lives here and only here: *when* somebody gets a step, never what is in it. Own orders, fills and cash at once;
who waits for quotes is woken at most every `quote_interval_s`, who waits for marks to market at most every
`mark_interval_s` after the last step, both in slices behind everybody's own news.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from typing import Final, TypeVar

from exchange.domain.events import CommandRefused, Facts, OrderRefused
from exchange.domain.rejections import RejectReason
from exchange.domain.values import AccountId, InstrumentId
from exchange.gateway.conversation import Conversation
from exchange.gateway.notices import Code, code_of
from exchange.gateway.orders import answered_refusal
from exchange.gateway.surroundings import Level
from exchange.server.port.deadlines import DeadlineLine, LoopClock, TimerHandle
from exchange.server.sequencer import DurableEntry
from projections.fold import Projections

log = logging.getLogger("exchange.publisher")

SLICE: Final = 200
"""Steps made in one pass of the loop for those who wait for quotes or marks."""

REFUSALS: Final = (OrderRefused, CommandRefused)

Key = TypeVar("Key", AccountId, InstrumentId)


class Publisher:
    """All conversations, and what each of them waits for."""

    def __init__(
        self,
        projections: Projections,
        clock: LoopClock,
        *,
        mark_interval_s: float,
        quote_interval_s: float,
        peek_timeout_s: float,
        login_deadline_s: float,
    ) -> None:
        self.projections = projections
        self._clock = clock
        self._quote_interval_s = quote_interval_s
        self._members: dict[AccountId, dict[Conversation, None]] = {}
        self._subscribers: dict[InstrumentId, dict[Conversation, None]] = {}
        self._changed_quotes: dict[InstrumentId, None] = {}
        self._quote_timer: TimerHandle | None = None
        self._due: OrderedDict[Conversation, None] = OrderedDict()
        self._marks: DeadlineLine[Conversation] = DeadlineLine(mark_interval_s, self._marks_due, clock)
        self._peeks: DeadlineLine[Conversation] = DeadlineLine(peek_timeout_s, Conversation.peek_timed_out, clock)
        self._logins: DeadlineLine[Conversation] = DeadlineLine(login_deadline_s, Conversation.login_late, clock)
        self.steps = 0
        """Steps made since the start."""
        self.refusals: Counter[RejectReason] = Counter()
        """Commands refused since the start, by the rule that they broke."""

    @property
    def parked_peeks(self) -> int:
        """Peeks that wait for news."""
        return len(self._peeks)

    def publish(self, entries: list[DurableEntry]) -> None:
        """Fold durable entries, in order, and wake the conversations of the users they touch."""
        changed: dict[AccountId, None] = {}
        for entry in entries:
            news = self.projections.apply(entry.first_log_seq, entry.events)
            changed.update(dict.fromkeys(news.accounts))
            self._plan_quotes(news.instruments)
            for event in entry.events:
                if not isinstance(event, REFUSALS):
                    continue
                self.refusals[event.reason] += 1
                if event.account_id in self._members:
                    self._tell_refusal(event)
                    # A refused cancel changes no view: the notice alone is the news.
                    changed[event.account_id] = None
        for account_id in changed:
            for conversation in tuple(self._members.get(account_id, ())):
                self._wake(conversation)

    def _wake(self, conversation: Conversation) -> None:
        """Wake one; an error of ours in wording its step must not cost the others theirs."""
        try:
            conversation.wake()
        except Exception:
            log.exception("connection %d is ended: its step could not be made", conversation.number)
            conversation.give_up("the step could not be made, connect again")

    def _tell_refusal(self, event: OrderRefused | CommandRefused) -> None:
        answered = answered_refusal(event)
        for conversation in self._members[event.account_id]:
            conversation.notify("ERROR", code_of(event.reason), event.facts, answered)

    def tell_all(self, code: Code, facts: Facts, level: Level = "WARNING") -> int:
        """A notice to everybody who is logged in; those who wait for news get it at once. Returns how many
        connections were told."""
        told = 0
        for members in self._members.values():
            for conversation in members:
                conversation.notify(level, code, facts)
                self._wake(conversation)
                told += 1
        return told

    # What conversations tell of themselves.

    def arrived(self, conversation: Conversation) -> None:
        """A client connected: it has to log in within the deadline."""
        self._logins.join(conversation)

    def login_began(self, conversation: Conversation) -> None:
        """A login came; how long its check takes is not the client's fault."""
        self._logins.leave(conversation)

    def logged_in(self, conversation: Conversation, account_id: AccountId) -> None:
        """The conversation's user is known: wake it for this account's news."""
        self._members.setdefault(account_id, {})[conversation] = None

    def subscribed(self, conversation: Conversation, added: list[InstrumentId], removed: list[InstrumentId]) -> None:
        """Wake it for these quotes, and for those no more."""
        for instrument_id in removed:
            self._forget(self._subscribers, instrument_id, conversation)
        for instrument_id in added:
            self._subscribers.setdefault(instrument_id, {})[conversation] = None

    def subscribed_elsewhere(self, conversation: Conversation) -> int:
        """How many quotes its user's other connections are woken for, all together."""
        assert conversation.user is not None, "nobody subscribes who is not logged in"
        members = self._members.get(conversation.user.account_id, ())
        return sum(len(each.subscriptions) for each in members if each is not conversation)

    def parked(self, conversation: Conversation) -> None:
        """It waits for news: not longer than the peek timeout, and for marks once their interval is over."""
        self._peeks.join(conversation)
        if conversation.holds_positions and conversation not in self._marks:
            self._marks.join(conversation)

    def stepped(self, conversation: Conversation) -> None:
        """It got a step: the next one for marks alone comes an interval later."""
        self.steps += 1
        self._peeks.leave(conversation)
        if conversation.holds_positions:
            self._marks.join(conversation)

    def marks_open(self, conversation: Conversation) -> bool:
        """Whether a step for marks alone may be made now."""
        return conversation not in self._marks

    def left(self, conversation: Conversation) -> None:
        """The conversation is over."""
        if conversation.user is not None:
            self._forget(self._members, conversation.user.account_id, conversation)
        self.subscribed(conversation, [], conversation.subscriptions)
        self._logins.leave(conversation)
        self._peeks.leave(conversation)
        self._marks.leave(conversation)
        self._due.pop(conversation, None)

    @staticmethod
    def _forget(groups: dict[Key, dict[Conversation, None]], key: Key, conversation: Conversation) -> None:
        group = groups.get(key)
        if group is not None:
            group.pop(conversation, None)
            if not group:
                del groups[key]

    # Quotes and marks: in slices, behind own news.

    def _plan_quotes(self, instruments: tuple[InstrumentId, ...]) -> None:
        for instrument_id in instruments:
            if instrument_id in self._subscribers:
                self._changed_quotes[instrument_id] = None
        if self._changed_quotes and self._quote_timer is None:
            self._quote_timer = self._clock.call_at(self._clock.time() + self._quote_interval_s, self._quotes_due)

    def _quotes_due(self) -> None:
        self._quote_timer = None
        changed, self._changed_quotes = self._changed_quotes, {}
        for instrument_id in changed:
            for conversation in self._subscribers.get(instrument_id, ()):
                self._enqueue(conversation)

    def _marks_due(self, conversation: Conversation) -> None:
        if not conversation.is_parked:
            return  # its next peek finds the interval over
        if conversation.mark_news():
            self._enqueue(conversation)
        elif conversation.holds_positions:
            self._marks.join(conversation)

    def _enqueue(self, conversation: Conversation) -> None:
        if not self._due:
            self._clock.call_soon(self._step_slice)
        self._due[conversation] = None

    def _step_slice(self) -> None:
        for _ in range(min(SLICE, len(self._due))):
            conversation, _ = self._due.popitem(last=False)
            self._wake(conversation)
        if self._due:
            self._clock.call_soon(self._step_slice)

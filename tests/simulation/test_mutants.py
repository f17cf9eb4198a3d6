"""Deliberate mistakes around the core, one line each, switched on one by one: the simulation catches every one."""

from __future__ import annotations

from typing import Final

import pytest

from tests.gateway import test_conversation, test_conversation_bad_input
from tests.server import test_publisher
from tests.simulation.rewriting import Mistake, switch_on
from tests.simulation.room import Room
from tests.simulation.run import RunFailedError, play

SEEDS: Final = 40
"""At most so many histories are played before a mistake counts as unnoticed. Without one they keep every law: they are
among those of test_simulation.py."""
STEPS: Final = 600

_SUBSCRIPTIONS: Final = "exchange.gateway.subscriptions:Subscriptions"
_CONVERSATION: Final = "exchange.gateway.conversation:Conversation"
_FLAT: Final = "exchange.gateway.dialects.flat:FlatDialect"
_STEPS: Final = "exchange.gateway.steps:Steps"
_BELIEVED: Final = "exchange.gateway.steps:believed"
_PUBLISHER: Final = "exchange.server.publisher:Publisher"
_SEQUENCER: Final = "exchange.server.sequencer:Sequencer"
_VIEW: Final = "projections.user_view:UserView"

MISTAKES: Final = {
    # What is shown, and when.
    "an entry is published before it is durable": Mistake(
        f"{_SEQUENCER}.submit", "answer))\n", "answer))\n    self.durable(self._log_seq)\n"
    ),
    "an unknown outcome counts as durable": Mistake(
        f"{_SEQUENCER}.failed", "waiting = len(self._waiting)\n", "waiting = self.durable(self._log_seq) or 0\n"
    ),
    "a logged in client's steps come unasked": Mistake(f"{_CONVERSATION}._step", "self.is_parked = False", "pass"),
    "a client that does not read gets steps": Mistake(f"{_CONVERSATION}.wake", "self._line.writable and", ""),
    # Wake-ups.
    "only the first window of a user is woken": Mistake(
        f"{_PUBLISHER}.publish",
        "tuple(self._members.get(account_id, ()))",
        "list(self._members.get(account_id, ()))[:1]",
    ),
    "who reads again is not woken": Mistake(f"{_CONVERSATION}.on_writable", "if self.is_parked", "if False"),
    "quotes wake only one of their subscribers": Mistake(
        f"{_PUBLISHER}._quotes_due",
        "self._subscribers.get(instrument_id, ())",
        "list(self._subscribers.get(instrument_id, ()))[:1]",
    ),
    "the second slice is never made": Mistake(f"{_PUBLISHER}._step_slice", "if self._due:", "if False:"),
    "a login swallows the peek that waits": Mistake(f"{_CONVERSATION}.login_succeeded", "if is_parked:", "if False:"),
    # Cursors and versions.
    "quote cursors go one too far": Mistake(
        f"{_SUBSCRIPTIONS}.take",
        "self._cursors[instrument_id] = version",
        "self._cursors[instrument_id] = version + 1",
    ),
    "own news come without the positions that only a mark moved": Mistake(
        f"{_VIEW}._valued",
        "if position.changed > since or position.mark.version > since:",
        "if position.changed > since:",
    ),
    "marks alone do not change the account": Mistake(f"{_VIEW}.changes", "(own or self.mark_news(since))", "own"),
    "a resume begins one too late": Mistake(_BELIEVED, "return claim.version if", "return claim.version + 1 if"),
    "another user's version is taken": Mistake(_BELIEVED, "claim.log_id == view and ", ""),
    "a full step forgets the quotes": Mistake(
        f"{_SUBSCRIPTIONS}.start_anew", "self._cursors = dict.fromkeys(self._cursors, BEFORE_ALL)", "pass"
    ),
    "a full step forgets the echo": Mistake(
        f"{_SUBSCRIPTIONS}.start_anew", 'self._echo = ",".join(self._cursors)', "pass"
    ),
    "quotes from before a resume stay": Mistake(f"{_STEPS}.take", "elif answers_login:", "elif False:"),
    "quotes that are not wanted any more stay": Mistake(
        f"{_SUBSCRIPTIONS}.replace", "self._dropped.update(", "dict().update("
    ),
    "rows that left the view stay in mirrors": Mistake(f"{_VIEW}._gone_since", "if gone.born <= since:", "if False:"),
    "versions from before what is remembered are led on": Mistake(f"{_VIEW}._drop", "self.floor = ", ""),
    "what was filled comes after the order that it filled": Mistake(
        f"{_FLAT}.word",
        "if parts.trades:\n        patches.append({'trades': parts.trades})\n".replace("'", '"'),
        "if False:\n        pass\n",
    ),
    "the answer to a login by the address comes unasked": Mistake(
        f"{_CONVERSATION}.login_succeeded", "if login.answered_unasked:", "if True:"
    ),
    "a login by the address is never answered": Mistake(f"{_STEPS}.has_news", "if self._login_unanswered or ", "if "),
    "a wrong ticket is answered when somebody asks": Mistake(
        f"{_CONVERSATION}.login_failed", "self._line.send(self._steps.refused_login(code, {}))", "pass"
    ),
    "a mirror of another dialect is led on": Mistake("exchange.gateway.steps:view_log_id", "/{dialect.wording}", ""),
    "a mirror of another dialect is an alarm": Mistake(
        _BELIEVED, 'claim.log_id.rpartition(".")[0] != view.rpartition(".")[0]', "claim.log_id != view"
    ),
    # Notices.
    "only the newest notice is given": Mistake(
        f"{_STEPS}._take_notices", "in self._notices]", "in list(self._notices)[-1:]]"
    ),
    "the epoch is not raised": Mistake("eventstore.memory:_recovered_tip", "disk.epoch + 1", "max(disk.epoch, 1)"),
    # Orders.
    "a busy exchange decides nevertheless": Mistake(
        f"{_SEQUENCER}.submit", "self.refused_busy += 1", "self._carry_out(command, self._at_ns)"
    ),
    "a message in another's name is obeyed": Mistake(
        f"{_CONVERSATION}._names_another", "if named not in (None, user.name, user.account_id):", "if False:"
    ),
    "an order goes to the account that it names": Mistake(
        f"{_CONVERSATION}._order",
        "insert_order(message, account_id)",
        "insert_order(message, message.user_id or account_id)",
    ),
    "the log does not know the client's id": Mistake(
        f"{_SEQUENCER}.submit", "actor, client_id, origin)", 'actor, "", origin)'
    ),
    # The log and what becomes of it.
    "recovery leaves out the last entry": Mistake(
        "exchange.server.recovery:recover", "store.read()", "store.read(until=head.log_seq - 1)"
    ),
    "first outcomes are forgotten at a restart": Mistake(
        "exchange.server.recovery:recover",
        "    return Recovered(",
        "    for a in state.accounts.values():\n"
        "        a.orders = {i: o for i, o in a.orders.items() if getattr(o, 'status', '') == 'ALIVE'}\n"
        "    return Recovered(",
    ),
    "the time falls with the clock": Mistake(
        f"{_SEQUENCER}.submit", "max(self._at_ns, self._clock_ns())", "self._clock_ns()"
    ),
    "the state hash does not see fills": Mistake(
        "exchange.decider.evolve:_fold_fill", "state.changed[held] = None", "pass"
    ),
    "the state hash of a commit is taken too early": Mistake(
        f"{_SEQUENCER}._due_state_hash", "return self._state_hash.value()", "return bytes(32)"
    ),
    # Bounds.
    "notices are kept without a bound": Mistake(f"{_STEPS}.__init__", "deque(maxlen=NOTICES_MAX)", "deque()"),
    "the inbox has no bound": Mistake(f"{_CONVERSATION}.on_text", "if len(self._inbox) >= INBOX_MAX:", "if False:"),
    "orders may take what is kept for cancels": Mistake(
        f"{_SEQUENCER}.submit", "else self._waiting_max_but_cancels", "else 10**9"
    ),
    "who left is remembered": Mistake(f"{_PUBLISHER}.left", "self._peeks.leave(conversation)", "pass"),
}


TIMING: Final = {
    "a refused cancel wakes nobody": (
        Mistake(f"{_PUBLISHER}.publish", "changed[event.account_id] = None", "pass"),
        test_publisher.test_a_refusal_that_changes_nothing_is_told_at_once,
    ),
    "marks wake nobody": (
        Mistake(f"{_PUBLISHER}.parked", "if conversation.holds_positions and", "if False and"),
        test_conversation.test_a_peek_that_waits_from_long_after_the_last_step_on_is_told_of_marks,
    ),
    "a peek that times out moves the cursor": (
        Mistake(
            f"{_CONVERSATION}.peek_timed_out",
            "self.is_parked = False",
            "self.is_parked, self._steps._cursor = False, self._news.projections.version",
        ),
        test_conversation.test_a_peek_that_times_out_leaves_the_cursor_where_it_was,
    ),
    "a timeout says what is not true yet": (
        Mistake(f"{_STEPS}.nothing", "self.version", "self._news.projections.version"),
        test_conversation.test_a_peek_that_times_out_leaves_the_cursor_where_it_was,
    ),
    "marks do not wait for their interval": (
        Mistake(f"{_PUBLISHER}.marks_open", "conversation not in self._marks", "True"),
        test_publisher.test_a_peek_that_comes_before_waits_until_the_interval_is_over,
    ),
    "who sold everything waits for marks for ever": (
        Mistake(f"{_PUBLISHER}._marks_due", "elif conversation.holds_positions:", "else:"),
        test_publisher.test_who_sold_everything_waits_for_no_marks,
    ),
    "quotes do not wait for their interval": (
        Mistake(f"{_PUBLISHER}._plan_quotes", "self._clock.time() + self._quote_interval_s", "self._clock.time()"),
        test_publisher.test_quotes_gather_for_their_interval,
    ),
    "everybody is served in one slice": (
        Mistake(f"{_PUBLISHER}._step_slice", "min(SLICE, len(self._due))", "len(self._due)"),
        test_publisher.test_many_who_watch_are_served_in_slices_behind_own_news,
    ),
    "what waits behind the end of a connection is heard": (
        Mistake(f"{_CONVERSATION}._end", "self._inbox.clear()", "pass"),
        test_conversation_bad_input.test_nothing_is_heard_behind_a_frame_that_ends_the_connection,
    ),
}
"""Mistakes that a history hardly ever meets, each with the test that has the moment made for it."""


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_caught_by_the_simulation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    switch_on(MISTAKES[name], monkeypatch.setattr)
    with pytest.raises(RunFailedError):
        play(range(SEEDS), STEPS)


@pytest.mark.parametrize("name", TIMING)
def test_every_mistake_of_a_moment_is_caught_by_its_test(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake, test = TIMING[name]
    test(Room())
    switch_on(mistake, monkeypatch.setattr)
    with pytest.raises(AssertionError):
        test(Room())

"""The one writer: stamps commands with the time, decides them one after the other, hands their entries to the log.

A command is decided the moment it arrives; what waits, and is bounded, are the entries that are decided but not yet
durable. The state is ahead of the log by these. Nobody outside sees anything of an entry before `durable` says that
the log has it, and when an append fails they are all thrown away with the process.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple, Protocol

import msgspec

from eventstore.model import NewEntry, NewEvent, StoreClosedError
from exchange.codec import COMMANDS, EVENTS, Encoded, stream_of
from exchange.decider import ExchangeState, PoisonCommandError, StateHash, execute, refuse_poison
from exchange.domain.commands import CancelOrder, Command
from exchange.domain.events import Event

log = logging.getLogger("exchange.sequencer")

STATE_HASH_INTERVAL: Final = 10_000
"""Events between two state hashes kept in the log."""
UNSETTLED_MAX: Final = 4_000
"""Changed objects that may wait for the state hash, so that no command waits for many thousands of them. Fewer are left
alone: what changes again and again, such as a busy account, is then hashed once for all of its changes."""
SETTLED_AT_ONCE: Final = 200
"""Of more, so many are settled after each commit."""


class Appender(Protocol):
    """Where decided entries go; tells by the sequencer's `durable` and `failed` what became of them."""

    def submit(self, entry: NewEntry, state_hash: bytes | None = None) -> None:
        """Take an entry that follows on the one before; never blocks."""
        ...


class NotTaken(Enum):
    """Why a command was not even decided; its client id may be used again."""

    BUSY = "BUSY"
    """Too many entries wait for the disk."""
    STOPPED = "STOPPED"
    """The exchange is shutting down, or an append failed."""


class DurableEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry that the log has: what everybody may now see."""

    first_log_seq: int
    at_ns: int
    events: tuple[Event, ...]

    @property
    def last_log_seq(self) -> int:
        """The end of the entry: the only places that a view may stand at."""
        return self.first_log_seq + len(self.events) - 1


Answer = Callable[[DurableEntry], None]
"""Called once the entry of a command is durable and folded into the views."""


class _Waiting(NamedTuple):
    entry: DurableEntry
    answer: Answer | None


class Sequencer:
    """Decides and numbers. Everything runs on one thread, the event loop's; only `appender` works beside it."""

    def __init__(
        self,
        state: ExchangeState,
        state_hash: StateHash,
        *,
        log_seq: int,
        at_ns: int,
        clock_ns: Callable[[], int],
        publish: Callable[[list[DurableEntry]], None],
        waiting_max: int,
        waiting_for_cancels: int,
        broken: Callable[[Exception], None] | None = None,
    ) -> None:
        self.state = state
        self._state_hash = state_hash
        self._log_seq = log_seq
        self._at_ns = at_ns
        self._clock_ns = clock_ns
        self._publish = publish
        self._broken = broken
        self._waiting: deque[_Waiting] = deque()
        self._waiting_max = waiting_max
        self._waiting_max_but_cancels = waiting_max - waiting_for_cancels
        self._next_state_hash = log_seq - log_seq % STATE_HASH_INTERVAL + STATE_HASH_INTERVAL
        self._appender: Appender | None = None
        self.durable_log_seq = log_seq
        """The end of what is durable and published."""
        self.refused_busy = 0
        """Commands turned away since the start because too many entries waited."""

    def start(self, appender: Appender) -> None:
        """Take commands from now on."""
        self._appender = appender

    def stop(self) -> None:
        """Take no further commands; what was decided is still answered as it becomes durable."""
        self._appender = None

    @property
    def waiting(self) -> int:
        """Entries decided but not yet durable."""
        return len(self._waiting)

    @property
    def decided_log_seq(self) -> int:
        """The end of what is decided, durable or not."""
        return self._log_seq

    @property
    def oldest_waiting_ns(self) -> int:
        """How long the oldest entry that is not durable has waited; 0 where none does."""
        return max(0, self._clock_ns() - self._waiting[0].entry.at_ns) if self._waiting else 0

    def submit(
        self, command: Command, *, actor: str, client_id: str = "", origin: str, answer: Answer | None = None
    ) -> NotTaken | None:
        """Decide a command; None means that it was taken and will be answered once its entry is durable.

        `actor` is who asks (an account id, or `operator`), `origin` where the command came in, such as `ws/12`. A
        share of the room is kept for cancels, so that a crowd of new orders cannot keep anybody from leaving the
        market.

        Raises what a broken invariant raises, after `broken` was told of it: the state is beyond repair then, nothing
        is taken any more, and the process must end.
        """
        if self._appender is None:
            return NotTaken.STOPPED
        room = self._waiting_max if isinstance(command, CancelOrder) else self._waiting_max_but_cancels
        if len(self._waiting) >= room:
            self.refused_busy += 1
            return NotTaken.BUSY
        at_ns = max(self._at_ns, self._clock_ns())
        encoded = COMMANDS.encode(command)  # first: what cannot be written must not be decided
        try:
            events = self._carry_out(command, at_ns)
        except Exception as error:
            # The state may hold events that the log will never have: nothing more can be decided on it.
            self._appender = None
            if self._broken is not None:
                self._broken(error)
            raise
        self._at_ns = at_ns
        first_log_seq = self._log_seq + 1
        self._log_seq += len(events)
        try:
            self._appender.submit(_new_entry(encoded, events, at_ns, actor, client_id, origin), self._due_state_hash())
        except StoreClosedError:
            # An append failed a moment ago, and the word of it is still on its way here. The log will not have this.
            self._appender = None
            return NotTaken.STOPPED
        self._waiting.append(_Waiting(DurableEntry(first_log_seq=first_log_seq, at_ns=at_ns, events=events), answer))
        return None

    def _carry_out(self, command: Command, at_ns: int) -> tuple[Event, ...]:
        try:
            return execute(self.state, command, at_ns)
        except PoisonCommandError:
            log.exception("deciding a %s failed; it is refused and kept in the log", type(command).__name__)
            return refuse_poison(self.state, command)

    def _due_state_hash(self) -> bytes | None:
        if self._log_seq < self._next_state_hash:
            return None
        self._next_state_hash = self._log_seq - self._log_seq % STATE_HASH_INTERVAL + STATE_HASH_INTERVAL
        return self._state_hash.value()

    def durable(self, log_seq: int) -> None:
        """The log has everything up to `log_seq`, the end of an entry: publish it, then answer those who asked."""
        reached: list[_Waiting] = []
        while self._waiting and self._waiting[0].entry.last_log_seq <= log_seq:
            reached.append(self._waiting.popleft())
        self.durable_log_seq = log_seq
        self._publish([waiting.entry for waiting in reached])
        for waiting in reached:
            if waiting.answer is not None:
                waiting.answer(waiting.entry)
        if self._state_hash.settle(0) > UNSETTLED_MAX:
            self._state_hash.settle(SETTLED_AT_ONCE)

    def failed(self) -> int:
        """An append failed: the outcome of all that waits is unknown, and the state that ran ahead must not be used
        again.

        Returns how many entries were waiting. Nothing is taken from now on.
        """
        self._appender = None
        waiting = len(self._waiting)
        self._waiting.clear()
        return waiting


def _new_entry(
    encoded: Encoded, events: tuple[Event, ...], at_ns: int, actor: str, client_id: str, origin: str
) -> NewEntry:
    return NewEntry(
        at_ns=at_ns,
        type=encoded.type,
        version=encoded.version,
        actor=actor,
        client_id=client_id,
        origin=origin,
        body=encoded.body,
        events=tuple(map(_new_event, events)),
    )


def _new_event(event: Event) -> NewEvent:
    encoded = EVENTS.encode(event)
    return NewEvent(stream=stream_of(event), type=encoded.type, version=encoded.version, payload=encoded.body)

"""Between the thread that appends and the loop that decides: what became durable is published, what failed is told.

After a failure nothing is taken any more and nobody gets an answer: the log alone tells what was kept.
"""

from __future__ import annotations

import asyncio
import logging

from eventstore.model import Head, StoreError
from eventstore.store import EventStore
from eventstore.writer import GroupCommitWriter
from exchange.gateway.notices import Code
from exchange.server.desk import Desk
from exchange.server.publisher import Publisher
from exchange.server.sequencer import Sequencer

log = logging.getLogger("exchange.appending")


class Appending:
    """The log's writer at work for one exchange: `start`, then `stop`. Made inside the running event loop."""

    writer: GroupCommitWriter

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sequencer: Sequencer
        self._publisher: Publisher
        self._desk: Desk
        self.failed: asyncio.Future[Exception] = self._loop.create_future()
        """Done when an append failed, which leaves the outcome of the entries in hand unknown, or when an invariant of
        the core does not hold: the process must end and start again from the log."""

    def start(self, store: EventStore, sequencer: Sequencer, publisher: Publisher, desk: Desk) -> None:
        """Have the sequencer take commands, and append what it decides."""
        self._sequencer, self._publisher, self._desk = sequencer, publisher, desk
        call_soon = self._loop.call_soon_threadsafe

        def durable(head: Head) -> None:
            call_soon(self._durable, head)

        def failed(error: StoreError) -> None:
            call_soon(self._append_failed, error)

        self.writer = GroupCommitWriter(store, durable, failed)
        sequencer.start(self.writer)

    async def stop(self) -> None:
        """Make durable what was decided, and publish it."""
        self._sequencer.stop()
        # What the writer's thread hands over last is called before this returns: both take the loop's one queue.
        await asyncio.to_thread(self.writer.close)

    def core_broken(self, error: Exception) -> None:
        """An invariant of the core does not hold: what the log has is whole, the state in memory is not."""
        log.critical("the core is broken and takes nothing more; start again from the log", exc_info=error)
        self._fail(error)

    def _durable(self, head: Head) -> None:
        try:
            self._sequencer.durable(head.log_seq)
        except Exception as error:
            # The views did not take what the log has: nothing may be shown from them any more, so nobody who waits
            # for an answer will get one.
            self._sequencer.failed()
            self.core_broken(error)
            self._desk.outcomes_unknown(error)

    def _append_failed(self, error: StoreError) -> None:
        waiting = self._sequencer.failed()
        log.critical(
            "an append failed, the outcome of %d entries is unknown: %s. Start again: the log tells what was kept",
            waiting,
            error,
        )
        self._fail(error)
        self._publisher.tell_all(Code.OUTCOME_UNKNOWN, {})
        self._desk.outcomes_unknown(error)

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

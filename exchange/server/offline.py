"""The exchange without a server: what the operator does to a data folder while nobody serves from it.

Commands go through the same sequencer, codec and store as in the running exchange, one at a time: each is durable
before the next is decided.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from eventstore.model import NewEntry, StoreClosedError
from eventstore.sqlite import SqliteStore
from eventstore.store import EventStore
from exchange.domain.commands import Command
from exchange.server.data_folder import DataFolder
from exchange.server.identity.auth import Users
from exchange.server.operator import OPERATOR, Operator
from exchange.server.recovery import Progress, recover
from exchange.server.sequencer import DurableEntry, Sequencer

ORIGIN = "offline"
"""The origin of commands that came without a server."""


class AppendAtOnce:
    """Appends each entry where it is submitted; when `submit` returns, the entry is durable.

    What the store raises leaves through `submit`: the state has run ahead of the log then, and must not be used again.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def submit(self, entry: NewEntry, state_hash: bytes | None = None) -> None:
        """See `Appender.submit`; this one does block."""
        self._store.append([entry], state_hash=state_hash)


@asynccontextmanager
async def offline_operator(folder: DataFolder, progress: Progress | None = None) -> AsyncIterator[Operator]:
    """The operator of a folder that nobody serves from, with an fsync for each command; the folder is made where there
    is none.

    Raises FolderLockedError when a server or another command owns the folder, and whatever opening the users database
    and recovering from the log raise. What the store raises of a command leaves the operator unusable; after an
    OutcomeUnknownError only the log, opened anew, tells what was kept.
    """
    with folder.lock():
        async with await Users.open(folder.users_db) as users:
            with closing(SqliteStore(folder.log_db)) as store:
                sequencer = _offline_sequencer(store, progress)

                async def carry_out(command: Command) -> DurableEntry:
                    return _carry_out(sequencer, store, command)

                yield Operator(users, carry_out)


def _offline_sequencer(store: EventStore, progress: Progress | None) -> Sequencer:
    recovered = recover(store, progress)
    sequencer = Sequencer(
        recovered.state,
        recovered.state_hash,
        log_seq=recovered.log_seq,
        at_ns=recovered.at_ns,
        clock_ns=time.time_ns,
        publish=_nobody_watches,
        # One command at a time, and the share for cancels is never asked for.
        waiting_max=2,
        waiting_for_cancels=1,
    )
    sequencer.start(AppendAtOnce(store))
    return sequencer


def _nobody_watches(entries: list[DurableEntry]) -> None:
    pass


def _carry_out(sequencer: Sequencer, store: EventStore, command: Command) -> DurableEntry:
    answered: list[DurableEntry] = []
    not_taken = sequencer.submit(command, actor=OPERATOR, origin=ORIGIN, answer=answered.append)
    if not_taken is not None:
        # Nothing else is under way, so it is not for want of room.
        raise StoreClosedError("an earlier append failed: open the folder anew, the log tells what was kept")
    sequencer.durable(store.head.log_seq)
    (entry,) = answered
    return entry

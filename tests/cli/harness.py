"""The command line in this process and in one of its own, and a small history to look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner, Result

from eventstore.model import NewEntry, NewEvent
from eventstore.sqlite import SqliteStore
from exchange.cli.main import app
from exchange.codec import COMMANDS, EVENTS, stream_of
from exchange.decider import ExchangeState, StateHash, execute
from exchange.domain.commands import Command, Deposit, RegisterInstrument
from exchange.domain.events import Event
from exchange.domain.values import AccountId, Money
from exchange.server.data_folder import DataFolder
from exchange.server.identity.auth import Users
from tests.support.commands import buy, cancel, open_account, sell
from tests.support.market import CU, RB
from tests.support.users import run_with_users

CHECKOUT: Final = Path(__file__).parents[2]
PROGRAM: Final = (sys.executable, "-c", "from exchange.cli.main import main; main()")
"""The console script, from the checkout."""
DEADLINE_S: Final = 60.0

START_NS: Final = 1_799_978_400_000_000_000
"""2027-01-15T10:00:00+08:00."""
SECOND_NS: Final = 1_000_000_000

HISTORY: Final[Sequence[tuple[str, Command]]] = (
    ("system", RegisterInstrument(terms=RB)),  # 1
    ("system", RegisterInstrument(terms=CU)),  # 2
    ("system", open_account("A1", 1_000_000)),  # 3 4
    ("system", open_account("A2", 500_000)),  # 5 6
    ("A1", sell("s1", 3600, 3, account="A1", instrument=RB)),  # 7
    ("A2", buy("b1", 3600, 2, account="A2", instrument=RB)),  # 8 accepted, 9 traded
    ("A2", buy("b2", 3500, 4, account="A2", instrument=RB)),  # 10
    ("A2", cancel("b2", account="A2")),  # 11
    ("A1", buy("b3", "3500.5", 1, account="A1", instrument=RB)),  # 12 refused: not on the tick
    ("system", Deposit(account_id=AccountId("A1"), amount=Money(0))),  # 13 refused
)
"""Who asked for what, one second after the other; behind each stand the log_seqs of its events."""
HEAD: Final = 13


def invoke(*arguments: object, stdin: str | None = None, **environment: str) -> Result:
    """Run `exchange` in this process."""
    return CliRunner(env=environment).invoke(app, [str(each) for each in arguments], input=stdin)


def document(*arguments: object) -> Any:
    """The JSON document of a command that must succeed."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def run(*arguments: object, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `exchange` in a process of its own, to its end."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env=os.environ | environment,
        timeout=DEADLINE_S,
        check=False,
    )


class History:
    """Writes a log entry by entry, each in a commit of its own with the state's hash."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._state = ExchangeState()
        self._state_hash = StateHash(self._state)
        self._at_ns = START_NS

    def decide(self, command: Command) -> tuple[Event, ...]:
        """The events of a command, folded into the state."""
        return execute(self._state, command, self._at_ns)

    def append(self, actor: str, command: Command, events: Sequence[Event]) -> None:
        """Write an entry, which need not be what was decided."""
        encoded = COMMANDS.encode(command)
        entry = NewEntry(
            at_ns=self._at_ns,
            type=encoded.type,
            version=encoded.version,
            actor=actor,
            client_id="",
            origin="test",
            body=encoded.body,
            events=tuple(_new_event(event) for event in events),
        )
        self._store.append([entry], state_hash=self._state_hash.value())
        self._at_ns += SECOND_NS


def _new_event(event: Event) -> NewEvent:
    encoded = EVENTS.encode(event)
    return NewEvent(stream=stream_of(event), type=encoded.type, version=encoded.version, payload=encoded.body)


def write_history(data: Path) -> None:
    """Make a data folder with `HISTORY` and the users alice (A1) and bob (A2), whose passwords are their names."""
    folder = DataFolder(data)
    folder.create()
    store = SqliteStore(folder.log_db)
    history = History(store)
    for actor, command in HISTORY:
        history.append(actor, command, history.decide(command))
    assert store.head.log_seq == HEAD
    store.close()
    run_with_users(folder.users_db, _add_users)


async def _add_users(users: Users) -> None:
    await users.add("alice", "alice", account_id="A1")
    await users.add("bob", "bob", account_id="A2")

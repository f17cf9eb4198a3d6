"""What `doctor` looks at in the log: can it be read, does everybody have an account, can the clock be right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eventstore.model import Head, StoreError
from eventstore.sqlite_reader import SqliteReader, open_reader
from exchange.cli.checks import Finding, check_clock, fail, ok, warn
from exchange.cli.errors import FailedError
from exchange.cli.names import read_users
from exchange.cli.output import Tell
from exchange.codec import EVENTS
from exchange.domain.events import AccountOpened
from exchange.server.data_folder import DataFolder

TOLD_EVERY: Final = 1000
"""Entries between two words on the progress."""
VERIFY: Final = "run `exchange log verify`; where it finds damage too, restore a backup"


def check_log(folder: DataFolder, told: Tell) -> Iterator[Finding]:
    """Read the whole log, then look at what should fit to it."""
    if not folder.log_db.exists():
        yield ok("log", "there is none yet")
        yield check_clock(None)
        return
    try:
        reader = open_reader(folder.log_db)
    except StoreError as error:
        yield fail("log", str(error), VERIFY)
        yield check_clock(None)
        return
    try:
        yield from _check_open_log(folder, reader, told)
    finally:
        reader.close()


def _check_open_log(folder: DataFolder, reader: SqliteReader, told: Tell) -> Iterator[Finding]:
    try:
        head = reader.head
        accounts = _opened_accounts(reader, head, told)
    except StoreError as error:
        yield fail("log", str(error), VERIFY)
        yield check_clock(None)
        return
    yield ok("log", f"{head.log_id} reads well to its end, log_seq {head.log_seq}")
    yield check_clock(head)
    yield from _check_users(folder, accounts)


def _opened_accounts(reader: SqliteReader, head: Head, told: Tell) -> set[str]:
    opened: set[str] = set()
    for entry in reader.read(until=head.log_seq):
        for event in entry.events:
            if event.type == AccountOpened.__name__:
                decoded = EVENTS.decode(event.type, event.version, event.payload)
                assert isinstance(decoded, AccountOpened), f"log_seq {event.log_seq} was decoded as {decoded!r}"
                opened.add(decoded.account_id)
        if entry.command_seq % TOLD_EVERY == 0:
            told(entry.last_log_seq, head.log_seq)
    return opened


def _check_users(folder: DataFolder, accounts: set[str]) -> Iterator[Finding]:
    """Users and log are two databases: a crash between the two, or a backup of one of them, can part them."""
    try:
        users = read_users(folder.path)
    except FailedError as error:
        yield fail("users", str(error), "restore a backup of users.db")
        return
    without = [user for user in users if user.account_id not in accounts]
    for user in without:
        what = f"{user.name} has the account {user.account_id}, which the log does not have"
        yield warn("users", what, "it is opened, empty, when they log in; where it had money, the log is another's")
    if not without:
        yield ok("users", f"{len(users)} users, and each has an account in the log")

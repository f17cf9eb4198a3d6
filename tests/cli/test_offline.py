"""The operator on a folder without a server: the same entries as through one, durable one by one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from eventstore.faults import Fault, FaultyStore
from eventstore.model import OutcomeUnknownError, StoreClosedError
from eventstore.sqlite import SqliteStore
from eventstore.sqlite_reader import open_reader
from exchange.domain.events import AccountOpened, Deposited
from exchange.domain.values import YUAN, Money
from exchange.server import offline
from exchange.server.data_folder import DataFolder, FolderLockedError
from exchange.server.offline import offline_operator
from exchange.server.operator import RefusedError
from exchange.server.recovery import decode_events


def head_of(folder: DataFolder) -> int:
    with closing(open_reader(folder.log_db)) as reader:
        return reader.head.log_seq


async def test_each_command_is_durable_when_it_returns(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    async with offline_operator(folder) as operator:
        added = await operator.add_user("alice", "pw", Money(5 * YUAN))
        assert (added.log_seq, head_of(folder)) == (2, 2)
        paid = await operator.deposit("alice", Money(YUAN))
        assert (paid.log_seq, paid.user, head_of(folder)) == (3, added.user, 3)
        with pytest.raises(RefusedError, match="AMOUNT"):
            await operator.deposit("alice", Money(0))
        assert head_of(folder) == 4
    with closing(open_reader(folder.log_db)) as reader:
        events = [event for entry in reader.read(until=3) for event in decode_events(entry)]
        assert [commit.last_log_seq for commit in reader.commits()] == [2, 3, 4]
    account_id = added.user.account_id
    assert events == [
        AccountOpened(account_id=account_id),
        Deposited(account_id=account_id, amount=Money(5 * YUAN)),
        Deposited(account_id=account_id, amount=Money(YUAN)),
    ]


async def test_the_next_one_goes_on_from_the_log(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    async with offline_operator(folder) as operator:
        await operator.add_user("alice", "pw", Money(0))
    async with offline_operator(folder) as operator:
        assert [user.name for user in await operator.users()] == ["alice"]
        assert (await operator.deposit("alice", Money(YUAN))).log_seq == 2


async def test_the_folder_has_one_owner(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    async with offline_operator(folder):
        with pytest.raises(FolderLockedError):
            async with offline_operator(DataFolder(tmp_path)):
                pass
    async with offline_operator(folder):
        pass


@pytest.mark.parametrize(("fault", "kept"), [(Fault.LOST, 0), (Fault.KEPT, 1)])
async def test_a_commit_that_fails_leaves_the_outcome_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, kept: int
) -> None:
    """Only the log tells, once it is opened anew; the operator must not go on."""
    folder = DataFolder(tmp_path)
    async with offline_operator(folder) as operator:
        await operator.add_user("alice", "pw", Money(0))
    stores: list[FaultyStore] = []

    def faulty(path: Path) -> FaultyStore:
        stores.append(FaultyStore(SqliteStore(path)))
        return stores[-1]

    monkeypatch.setattr(offline, "SqliteStore", faulty)
    async with offline_operator(folder) as operator:
        stores[0].fail_next(fault)
        with pytest.raises(OutcomeUnknownError):
            await operator.deposit("alice", Money(YUAN))
        with pytest.raises(StoreClosedError, match="open the folder anew"):
            await operator.deposit("alice", Money(YUAN))
    assert head_of(folder) == 1 + kept

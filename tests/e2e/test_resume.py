"""A client that comes back is led on from any version it ever saw, in this process's life or before, in one step."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from exchange.server.app import Exchange
from projections.user_view import GONE_MAX, HISTORY_MAX
from tests.support.diff_client import INSTRUMENT, DiffClient, Mirror, Tree
from tests.support.log_views import check_mirror, check_pictures, head_of
from tests.support.running import running, url_of

HISTORY_DIFFERS = 1011
DUPLICATE_ORDER_ID = 2011


async def trade(exchange: Exchange, mirror: Mirror, chance: random.Random, *, orders: int, prefix: str) -> None:
    """Alice, whose mirror this is, trades with bob: fills, cancels and refusals."""
    async with DiffClient.connect(url_of(exchange)) as alice, DiffClient.connect(url_of(exchange)) as bob:
        await alice.login("alice", mirror=mirror)
        await alice.subscribe(INSTRUMENT)
        await bob.login("bob")
        for number in range(orders):
            order_id = f"{prefix}{number}"
            await alice.insert(order_id, "BUY", 3600, chance.choice((1, 2, 3, 500)))
            await bob.insert(order_id, "SELL", 3600, chance.randint(1, 3))
            await alice.until_order(order_id)
            if chance.random() < 0.5:
                await alice.cancel(order_id)
            if chance.random() < 0.2:
                await alice.insert(f"{order_id}c", "SELL", 3590, 1, offset="CLOSETODAY")


async def come_back(exchange: Exchange, version: int, tree: Tree, log_id: str) -> Mirror:
    """A client that stands where `version` was seen; subscribes again, as clients do."""
    mirror = Mirror()
    mirror.user, mirror.version, mirror.log_id, mirror.tree = "alice", version, log_id, tree
    async with DiffClient.connect(url_of(exchange)) as client:
        await client.login(mirror=mirror)
        await client.subscribe(INSTRUMENT)
    return mirror


async def test_every_version_ever_seen_leads_to_now_also_after_restarts(tmp_path: Path) -> None:
    chance = random.Random(7)
    seen = Mirror(keeps_pictures=True)
    for life in range(3):
        async with running(tmp_path) as exchange:
            await trade(exchange, seen, chance, orders=12, prefix=f"life{life}.")
    assert seen.pictures is not None
    assert seen.log_id is not None
    assert seen.full_steps == 1
    versions = [version for version, _ in seen.pictures]
    assert versions == sorted(versions), "versions fell"
    check_pictures(seen.pictures, "alice", tmp_path)
    async with running(tmp_path) as exchange:
        for version, tree in seen.pictures:
            mirror = await come_back(exchange, version, tree, seen.log_id)
            assert mirror.full_steps == 0, f"a client at {version} was sent everything anew"
            assert mirror.codes == []
            assert mirror.version == head_of(tmp_path)
            check_mirror(mirror, tmp_path)


async def test_a_mirror_that_missed_nothing_is_led_on_by_a_step_without_changes(tmp_path: Path) -> None:
    mirror = Mirror()
    async with running(tmp_path) as exchange:
        await trade(exchange, mirror, random.Random(1), orders=3, prefix="o")
        async with DiffClient.connect(url_of(exchange)) as client:
            await client.login(mirror=mirror)
            before = mirror.tree["trade"]
            async with DiffClient.connect(url_of(exchange)) as again:
                await again.login(mirror=mirror)
            assert mirror.tree["trade"] == before
            check_mirror(mirror, tmp_path)


async def test_subscriptions_end_with_their_connection(tmp_path: Path) -> None:
    """Their quotes leave the mirror at the resume: nobody would keep them right until they are subscribed to again."""
    mirror = Mirror()
    async with running(tmp_path) as exchange:
        await trade(exchange, mirror, random.Random(1), orders=1, prefix="o")
        assert INSTRUMENT in mirror.quotes
        async with DiffClient.connect(url_of(exchange)) as client:
            await client.login(mirror=mirror)
            assert mirror.quotes == {}
            assert "ins_list" not in mirror.tree
            await client.subscribe(INSTRUMENT)
            check_mirror(mirror, tmp_path)


async def test_a_version_within_an_entry_counts_as_the_end_of_the_entry_before(tmp_path: Path) -> None:
    """An order that trades leaves several events. No picture stood between them, but a client may name the place."""
    async with running(tmp_path) as exchange:
        seen = Mirror(keeps_pictures=True)
        async with DiffClient.connect(url_of(exchange)) as alice:
            await alice.login("alice", mirror=seen)
            await alice.insert("rests", "BUY", 3600, 1)
            await alice.until_order("rests", "ALIVE")
            before, tree = seen.version, seen.tree
            await alice.insert("takes", "SELL", 3600, 1)
            await alice.until_order("takes", "FILLED")
        assert before is not None
        assert seen.log_id is not None
        assert seen.version == before + 2
        mirror = await come_back(exchange, before + 1, tree, seen.log_id)
        assert mirror.full_steps == 0
        check_mirror(mirror, tmp_path)


async def test_an_order_sent_again_gets_its_first_outcome_also_after_a_restart(tmp_path: Path) -> None:
    """Whoever asks again waits for an answer: the order is told once more, and nothing else happens."""
    mirror = Mirror()
    for life in range(3):
        async with running(tmp_path) as exchange, DiffClient.connect(url_of(exchange)) as alice:
            await alice.login("alice", mirror=mirror)
            if life == 0:
                await alice.insert("rests", "SELL", 3600, 1)
                await alice.insert("takes", "BUY", 3600, 1)
                await alice.until_order("takes", "FILLED")
            await alice.park()
            before = mirror.tree["trade"]
            await alice.insert("takes", "BUY", 3600, 1)
            step = await alice.step()
            assert step["data"][0]["trade"]["alice"]["orders"].keys() == {"takes"}
            assert mirror.tree["trade"] == before
            await alice.insert("takes", "BUY", 3600, 2)
            await alice.step()
            assert mirror.codes == [DUPLICATE_ORDER_ID] * (life + 1)
            assert mirror.tree["trade"] == before
            check_mirror(mirror, tmp_path)


@pytest.mark.parametrize("missed", [HISTORY_MAX + 100, HISTORY_MAX + GONE_MAX + 100])
async def test_a_client_that_missed_more_than_a_view_keeps_is_told_what_left_or_sent_everything(
    tmp_path: Path, missed: int
) -> None:
    """What left the view is remembered for a while. A client that comes later than that gets a full step, no alarm."""
    mirror = Mirror()
    async with running(tmp_path) as exchange, DiffClient.connect(url_of(exchange)) as busy:
        async with DiffClient.connect(url_of(exchange)) as client:
            await client.login("alice", mirror=mirror)
            await client.insert("seen", "BUY", 3600, 500)
            await client.until_order("seen", "REJECTED")
        await busy.login("alice")
        for number in range(missed):
            await busy.insert(f"{number}", "BUY", 3600, 500)
        await busy.until_order(f"{missed - 1}", "REJECTED")
    async with running(tmp_path) as exchange, DiffClient.connect(url_of(exchange)) as client:
        await client.login(mirror=mirror)
        assert mirror.full_steps == (1 if missed < HISTORY_MAX + GONE_MAX else 2)
        assert HISTORY_DIFFERS not in mirror.codes
        assert len(mirror.orders) == HISTORY_MAX
        assert "seen" not in mirror.orders
        check_mirror(mirror, tmp_path)


async def test_a_client_of_another_log_is_told_and_starts_anew(tmp_path: Path) -> None:
    mirror = Mirror()
    async with running(tmp_path / "lost") as exchange:
        await trade(exchange, mirror, random.Random(1), orders=3, prefix="o")
    async with running(tmp_path / "new") as exchange, DiffClient.connect(url_of(exchange)) as client:
        await client.login(mirror=mirror)
        assert mirror.full_steps == 2
        assert mirror.codes[-1] == HISTORY_DIFFERS
        assert mirror.notices[-1]["level"] == "WARNING"
        assert exchange.desk.histories_differing == 1
        assert mirror.orders == {}
        check_mirror(mirror, tmp_path / "new")


async def test_a_client_that_saw_more_than_the_log_has_is_told_and_starts_anew(tmp_path: Path) -> None:
    """The folder was set back to an older copy: the same log, without its end."""
    mirror, folder, copy = Mirror(), tmp_path / "data", tmp_path / "copy"
    async with running(folder) as exchange:
        await trade(exchange, mirror, random.Random(1), orders=1, prefix="kept")
    shutil.copytree(folder, copy)
    async with running(folder) as exchange:
        await trade(exchange, mirror, random.Random(2), orders=2, prefix="lost")
    assert mirror.full_steps == 1
    lost_version = mirror.version
    assert lost_version is not None
    async with running(copy) as exchange, DiffClient.connect(url_of(exchange)) as client:
        log_id, mirror.log_id = mirror.log_id, None
        mirror.version = None  # the mirror would rightly fail where versions fall
        await client.send(aid="req_login", user_name="alice", password="passw0rd", log_id=log_id, version=lost_version)
        mirror.take(await client.receive())
        assert mirror.full_steps == 2
        assert mirror.codes[-1] == HISTORY_DIFFERS
        check_mirror(mirror, copy)


async def test_another_users_mirror_is_not_led_on(tmp_path: Path) -> None:
    mirror = Mirror()
    async with running(tmp_path) as exchange:
        await trade(exchange, mirror, random.Random(1), orders=2, prefix="o")
        async with DiffClient.connect(url_of(exchange)) as client:
            await client.login("bob", mirror=mirror)
            assert mirror.full_steps == 2
            assert mirror.tree["trade"].keys() == {"bob"}
            assert HISTORY_DIFFERS not in mirror.codes, "another user is no loss of history"
            check_mirror(mirror, tmp_path)

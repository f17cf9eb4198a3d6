"""Damage is found: whatever is changed in a log, `verify` names the first event that it concerns (law 8)."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from itertools import accumulate
from pathlib import Path

import pytest

from eventstore.merkle import EMPTY_ROOT
from eventstore.model import Durability, RecordedEntry, StoreError
from eventstore.sqlite import SqliteStore
from eventstore.sqlite_reader import open_reader
from eventstore.verify import VerifyReport, verify
from tests.eventstore.log_builders import T0, entry, event, numbered_entry, tree_hash
from tests.eventstore.tampering import cut_tail, flip, unguarded


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound log: commands 1-2, 3 | 4-6 | 7, 8-9 where | ends a commit, the last one by a second writer."""
    path = tmp_path_factory.mktemp("sound") / "log.db"
    store = SqliteStore(path)
    store.append([entry(event(), event("book/2"), at_ns=T0), entry(event(), at_ns=T0 + 1)])
    store.append([entry(event("book/3"), event(type_="Returned"), event(), at_ns=T0 + 2)], state_hash=b"s" * 32)
    store.close()
    store = SqliteStore(path)
    store.append([entry(event(), at_ns=T0 + 3), entry(event(), event("book/2"), at_ns=T0 + 4)])
    store.close()
    return path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(sound, tmp_path / "log.db"))


def first_damage(path: Path) -> int:
    report = verify(path)
    assert not report.ok
    return report.findings[0].log_seq


def roots_of(path: Path) -> dict[int, bytes]:
    """The root at every log_seq, by definition, from the stored leaves."""
    with closing(sqlite3.connect(path)) as connection:
        leaves = [leaf for (leaf,) in connection.execute("SELECT leaf FROM event ORDER BY log_seq")]
    return {n: tree_hash(leaves[:n]) for n in range(len(leaves) + 1)}


def test_a_sound_log_is_good_to_its_end(path: Path) -> None:
    with closing(open_reader(path)) as reader:
        head = reader.head
    assert verify(path) == VerifyReport(
        log_id=head.log_id, log_seq=9, commands=5, commits=3, root=head.root, findings=()
    )


def test_an_empty_log_is_good(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "log.db").close()
    report = verify(tmp_path / "log.db")
    assert (report.ok, report.log_seq, report.root) == (True, 0, EMPTY_ROOT)


def test_a_log_in_use_can_be_verified(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.db")
    for n in range(1, 10):
        head = store.append([numbered_entry(n)])
        report = verify(tmp_path / "log.db")
        assert (report.ok, report.log_seq, report.root) == (True, head.log_seq, head.root)
    store.close()


def test_progress_tells_events_done_and_total(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.db", Durability.MEMORY)
    sizes = [3000, 3000, 10, 3000]
    for size in sizes:
        store.append([entry()] * size)
    store.close()
    told: list[tuple[int, int]] = []
    assert verify(tmp_path / "log.db", progress=lambda done, total: told.append((done, total))).ok
    assert told == [(6000, 9010), (9010, 9010)]


# --- every column of every table: (table, column): (the row to damage, the first event that it concerns)

DAMAGE = {
    ("event", "log_seq"): ("log_seq = 5", 5),
    ("event", "stream_id"): ("log_seq = 5", 5),
    ("event", "stream_version"): ("log_seq = 5", 5),
    ("event", "type_id"): ("log_seq = 5", 5),
    ("event", "version"): ("log_seq = 5", 5),
    ("event", "payload"): ("log_seq = 5", 5),
    ("event", "leaf"): ("log_seq = 5", 5),
    ("command", "first_log_seq"): ("first_log_seq = 4", 4),
    ("command", "command_seq"): ("first_log_seq = 4", 4),
    ("command", "event_count"): ("first_log_seq = 4", 4),
    ("command", "at_ns"): ("first_log_seq = 4", 4),
    ("command", "type"): ("first_log_seq = 4", 4),
    ("command", "version"): ("first_log_seq = 4", 4),
    ("command", "actor"): ("first_log_seq = 4", 4),
    ("command", "client_id"): ("first_log_seq = 4", 4),
    ("command", "origin"): ("first_log_seq = 4", 4),
    ("command", "body"): ("first_log_seq = 4", 4),
    ("commit", "last_log_seq"): ("last_log_seq = 6", 4),
    ("commit", "last_command_seq"): ("last_log_seq = 6", 4),
    ("commit", "at_ns"): ("last_log_seq = 6", 4),
    ("commit", "epoch"): ("last_log_seq = 6", 4),
    ("commit", "root"): ("last_log_seq = 6", 4),
    ("commit", "state_hash"): ("last_log_seq = 6", 4),
    ("commit", "seal"): ("last_log_seq = 6", 4),
    ("stream", "id"): ("name = 'book/3'", 4),
    ("stream", "name"): ("name = 'book/3'", 4),
    ("event_type", "id"): ("name = 'Returned'", 5),
    ("event_type", "name"): ("name = 'Returned'", 5),
    ("epoch", "number"): ("number = 2", 7),
    ("epoch", "after_log_seq"): ("number = 2", 7),
    ("epoch", "seal"): ("number = 2", 7),
    ("meta", "key"): ("key = 'log_id'", 0),
    ("meta", "value"): ("key = 'log_id'", 1),
    ("alembic_version", "version_num"): ("true", 0),
}


@pytest.mark.parametrize(("table", "column"), DAMAGE)
def test_a_changed_value_is_found_at_its_event(path: Path, table: str, column: str) -> None:
    where, log_seq = DAMAGE[table, column]
    flip(path, table, column, where)
    assert first_damage(path) == log_seq


def test_the_table_above_has_every_column_there_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        columns = connection.execute(
            "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
        ).fetchall()
    assert set(columns) == set(DAMAGE)


def test_a_state_hash_that_was_not_there_is_found(path: Path) -> None:
    flip(path, "commit", "state_hash", "last_log_seq = 3")
    assert first_damage(path) == 1


@pytest.mark.parametrize("log_seq", range(1, 10))
def test_any_changed_event_is_found_at_its_number(path: Path, log_seq: int) -> None:
    flip(path, "event", "payload", f"log_seq = {log_seq}")
    report = verify(path)
    assert [f.log_seq for f in report.findings] == [log_seq]
    assert report.log_seq == max(end for end in (0, 3, 6) if end < log_seq)


@pytest.mark.parametrize("log_seq", range(1, 10))
def test_any_missing_event_is_found_at_its_number(path: Path, log_seq: int) -> None:
    with unguarded(path) as connection:
        connection.execute("DELETE FROM event WHERE log_seq = ?", (log_seq,))
    assert first_damage(path) == log_seq


@pytest.mark.parametrize("first_log_seq", [1, 3, 4, 7, 8])
def test_any_missing_command_is_found_at_its_first_event(path: Path, first_log_seq: int) -> None:
    with unguarded(path) as connection:
        connection.execute("DELETE FROM command WHERE first_log_seq = ?", (first_log_seq,))
    assert first_damage(path) == first_log_seq


@pytest.mark.parametrize(("last_log_seq", "found_at"), [(3, 1), (6, 4), (9, 7)])
def test_any_missing_commit_is_found(path: Path, last_log_seq: int, found_at: int) -> None:
    with unguarded(path) as connection:
        connection.execute('DELETE FROM "commit" WHERE last_log_seq = ?', (last_log_seq,))
    assert first_damage(path) == found_at


def test_a_missing_epoch_is_found(path: Path) -> None:
    with unguarded(path) as connection:
        connection.execute("DELETE FROM epoch WHERE number = 1")
    assert first_damage(path) == 1


@pytest.mark.parametrize("table", ["stream", "event_type", "meta"])
def test_missing_names_are_found(path: Path, table: str) -> None:
    with unguarded(path) as connection:
        connection.execute(f"DELETE FROM {table}")
    assert first_damage(path) in (0, 1)


def test_an_event_behind_the_last_commit_is_found(path: Path) -> None:
    with unguarded(path) as connection:
        connection.execute("INSERT INTO event SELECT 10, stream_id, 9, type_id, 1, payload, leaf FROM event LIMIT 1")
    assert first_damage(path) == 10


def test_events_that_changed_places_are_found(path: Path) -> None:
    """Both are genuine, each told of the other's stream."""
    with unguarded(path) as connection:
        two = dict(connection.execute("SELECT log_seq, stream_id FROM event WHERE log_seq IN (4, 5)").fetchall())
        connection.executemany("UPDATE event SET stream_id = ? WHERE log_seq = ?", [(two[5], 4), (two[4], 5)])
    assert first_damage(path) == 4


def test_an_event_forged_with_its_leaf_is_found_by_the_root(path: Path) -> None:
    """Who rewrites payload and leaf together is caught by the commit: somewhere in its events, so at its first one."""
    forged = SqliteStore(path.with_name("forged.db"))
    forged.append([entry(event(), event("book/2"), at_ns=T0), entry(event(), at_ns=T0 + 1)])
    forged.append([entry(event("book/3"), event(payload=b'{"lent":false}', type_="Returned"), event(), at_ns=T0 + 2)])
    forged.close()
    with unguarded(path) as connection:
        connection.execute("ATTACH ? AS forged", (str(path.with_name("forged.db")),))
        connection.execute(
            "UPDATE event SET (payload, leaf) = (SELECT payload, leaf FROM forged.event AS f WHERE f.log_seq = 5)"
            " WHERE log_seq = 5"
        )
        connection.execute("DETACH forged")
    report = verify(path)
    assert [(f.log_seq, "root" in f.what) for f in report.findings] == [(4, True)]


def test_missing_triggers_are_reported(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER event_no_update")
    report = verify(path)
    assert [f.log_seq for f in report.findings] == [0]
    assert "event_no_update" in report.findings[0].what


def test_a_payload_that_is_no_json_is_damage_even_with_a_right_leaf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "log.db")
    store.append([entry()])
    monkeypatch.setattr("eventstore.numbering._check_json", lambda *_: None)
    store.append([entry(event(), event(payload=b"lent"))])
    store.close()
    assert first_damage(tmp_path / "log.db") == 3


# --- anchors


def test_every_right_anchor_is_agreed_with(path: Path) -> None:
    assert verify(path, anchors=roots_of(path)).ok


@pytest.mark.parametrize("end", [0, 3, 6])
def test_a_clean_cut_is_seen_only_with_an_anchor_behind_it(path: Path, end: int) -> None:
    anchors = roots_of(path)
    cut_tail(path, end)
    assert verify(path).ok, "without an anchor a clean cut cannot be seen"
    assert verify(path, anchors={n: root for n, root in anchors.items() if n <= end}).ok
    report = verify(path, anchors=anchors)
    assert [(f.log_seq, "cut off" in f.what) for f in report.findings] == [(end + 1, True)]


def test_a_log_written_anew_is_seen_only_with_an_anchor(tmp_path: Path, sound: Path) -> None:
    """Another history, sound in itself, from event 5 on."""
    anchors = roots_of(sound)
    path = tmp_path / "log.db"
    store = SqliteStore(path)
    store.append([entry(event(), event("book/2"), at_ns=T0), entry(event(), at_ns=T0 + 1)])
    store.append([entry(event("book/3"), event(), event(), at_ns=T0 + 2)])
    store.append([entry(event(), at_ns=T0 + 3), entry(event(), event("book/2"), at_ns=T0 + 4)])
    store.close()
    assert verify(path).ok
    report = verify(path, anchors={3: anchors[3], 9: anchors[9]})
    assert [(f.log_seq, "written anew" in f.what) for f in report.findings] == [(4, True)]


# --- files that SQLite cannot read


def test_a_missing_file_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no log at"):
        verify(tmp_path / "log.db")


@pytest.mark.parametrize("content", [b"", b"dear diary, " * 500, bytes(8192)])
def test_a_file_that_is_no_log_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.db").write_bytes(content)
    report = verify(tmp_path / "log.db", anchors={5: bytes(32)})
    assert [f.log_seq for f in report.findings] == [0]
    assert "SQLite cannot read on" in report.findings[0].what


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[RecordedEntry]]:
    """Enough for trees of several pages and payloads on overflow pages."""
    path = tmp_path_factory.mktemp("long") / "log.db"
    store = SqliteStore(path)
    for n in range(1, 60):
        store.append([numbered_entry(n)])
    store.append([entry(event(payload=b'"%s"' % (b"overflow" * 1500)), at_ns=T0 + 60)])
    store.append([numbered_entry(n) for n in range(130, 400)])
    entries = list(store.read())
    store.close()
    return path, entries


def test_a_malformed_page_in_the_middle_is_reported_near_its_events(
    long_log: tuple[Path, list[RecordedEntry]], tmp_path: Path
) -> None:
    whole, _entries = long_log
    path = Path(shutil.copyfile(whole, tmp_path / "log.db"))
    with closing(sqlite3.connect(path)) as connection:
        pages = connection.execute(
            "SELECT pageno, ncell FROM dbstat WHERE name = 'event' AND pagetype = 'leaf' ORDER BY path"
        ).fetchall()
    ends = list(accumulate(cells for _page, cells in pages))
    content = bytearray(path.read_bytes())
    page = pages[2][0]
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    report = verify(path)
    assert [f.log_seq for f in report.findings] == [ends[1] + 1]
    assert "malformed" in report.findings[0].what


@pytest.mark.parametrize("seed", range(8))
def test_no_flipped_byte_of_the_file_passes_as_good(
    long_log: tuple[Path, list[RecordedEntry]], tmp_path: Path, seed: int
) -> None:
    """A byte changed anywhere: `verify` reports it or nothing was changed by it, and no reading gives another entry."""
    whole, entries = long_log
    pristine = whole.read_bytes()
    path = tmp_path / "log.db"
    chance = random.Random(seed)
    for offset in chance.sample(range(len(pristine)), 60):
        content = bytearray(pristine)
        content[offset] ^= chance.randrange(1, 256)
        path.write_bytes(content)
        report = verify(path)
        served = entries_served(path)
        where = f"byte {offset} of seed {seed}"
        assert served == entries[: len(served)], where
        assert served == entries or not report.ok, where


def entries_served(path: Path) -> list[RecordedEntry]:
    """What a reader gives before it says that it cannot go on."""
    served: list[RecordedEntry] = []
    try:
        with closing(open_reader(path)) as reader:
            served.extend(reader.read())
    except StoreError:
        return served
    return served

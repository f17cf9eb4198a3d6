"""`exchange log`: what it shows of a log, and what it finds wrong with one."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eventstore.model import NewEntry, NewEvent, RecordedEntry
from eventstore.sqlite import SqliteStore
from exchange.cli import log
from exchange.server.data_folder import DataFolder
from tests.cli.harness import CHECKOUT, HEAD, HISTORY, PROGRAM, SECOND_NS, START_NS, document, invoke
from tests.eventstore.tampering import cut_tail, flip


def lines(*arguments: object) -> list[str]:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_tail_tells_who_asked_what_and_what_came_of_it(data: Path) -> None:
    assert lines("log", "tail", "-n", "6", "--data", data) == [
        "7 2027-01-15T10:00:04.000000000+08:00 A1 test order s1: SELL OPEN 3 SHFE.rb2701 @ 3600 GFD/ANY",
        "7 OrderAccepted A1 order s1: SELL OPEN 3 SHFE.rb2701 @ 3600 GFD/ANY",
        "8 2027-01-15T10:00:05.000000000+08:00 A2 test order b1: BUY OPEN 2 SHFE.rb2701 @ 3600 GFD/ANY",
        "8 OrderAccepted A2 order b1: BUY OPEN 2 SHFE.rb2701 @ 3600 GFD/ANY",
        "9 TradeExecuted trade 1: SHFE.rb2701 2 @ 3600, A2 OPEN (b1) buys, A1 OPEN (s1) sells",
        "10 2027-01-15T10:00:06.000000000+08:00 A2 test order b2: BUY OPEN 4 SHFE.rb2701 @ 3500 GFD/ANY",
        "10 OrderAccepted A2 order b2: BUY OPEN 4 SHFE.rb2701 @ 3500 GFD/ANY",
        "11 2027-01-15T10:00:07.000000000+08:00 A2 test cancel order b2",
        "11 OrderCancelled A2 order b2: 4 lots left, REQUESTED",
        "12 2027-01-15T10:00:08.000000000+08:00 A1 test order b3: BUY OPEN 1 SHFE.rb2701 @ 3500.5 GFD/ANY",
        "12 OrderRefused A1 order b3: PRICE_TICK, Order refused: the price 3500.5 is not a multiple of the tick 1",
        "13 2027-01-15T10:00:09.000000000+08:00 system test deposit 0 to A1",
        "13 CommandRefused Deposit A1: AMOUNT, The amount 0 must be above 0 and at most 999999000000",
    ]


def test_tail_words_refusals_in_the_language_asked_for(data: Path) -> None:
    assert "金额 0 无效" in lines("log", "tail", "-n", "1", "--data", data, "--lang", "zh")[-1]
    assert "金额 0 无效" in invoke("log", "tail", "-n", "1", "--data", data, EXCHANGE_LANGUAGE="zh").stdout


@pytest.mark.parametrize("count", [0, 1, 4, len(HISTORY), 1000])
def test_tail_shows_as_many_entries_as_asked_for(data: Path, count: int) -> None:
    """Entries of several events need a second look further back."""
    result = invoke("log", "tail", "-n", count, "--data", data, "--json")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    expected = range(1, len(HISTORY) + 1)[len(HISTORY) - min(count, len(HISTORY)) :]
    assert [each["command_seq"] for each in documents] == list(expected)


def test_tail_shows_what_a_newer_release_wrote_as_it_is_stored(data: Path) -> None:
    store = SqliteStore(DataFolder(data).log_db)
    entry = NewEntry(
        at_ns=START_NS + 100 * SECOND_NS,
        type="Donate",
        version=1,
        actor="A1",
        client_id="",
        origin="test",
        body=b'{"to":"A2"}',
        events=(NewEvent(stream="account/A2", type="Donated", version=1, payload=b'{"by":"A1"}'),),
    )
    store.append([entry])
    store.close()
    command, event = lines("log", "tail", "-n", "1", "--data", data)
    assert command.endswith('A1 test Donate {"to":"A2"}')
    assert event == f'{HEAD + 1} Donated {{"by":"A1"}}'


def test_follow_goes_on_with_new_entries_until_ctrl_c(data: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "log", "tail", "-n", "1", "--follow", "--json", "--data", str(data)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    assert process.stdout is not None
    with process:
        try:
            assert json.loads(process.stdout.readline())["last_log_seq"] == HEAD
            assert invoke("deposit", "alice", "5", "--data", data).exit_code == 0
            assert json.loads(process.stdout.readline())["last_log_seq"] == HEAD + 1
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_ctrl_c_ends_following_in_the_middle_of_a_line_too(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    print_entry = log._print_entry

    def interrupted(entry: RecordedEntry, *how: Any) -> None:
        print_entry(entry, *how)
        if entry.last_log_seq == HEAD + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(log, "_print_entry", interrupted)
    monkeypatch.setattr(log, "_last_entries", lambda *_: invoke("deposit", "alice", "5", "--data", data) and [])
    result = invoke("log", "tail", "--follow", "--json", "--data", data)
    assert (result.exit_code, json.loads(result.stdout)["last_log_seq"]) == (0, HEAD + 1)


def test_show_gives_the_stored_bytes_of_the_events_in_a_range(data: Path) -> None:
    entries = document("log", "show", "8..10", "--data", data)["entries"]
    assert [(each["command"], [event["log_seq"] for event in each["events"]]) for each in entries] == [
        ("InsertOrder", [8, 9]),
        ("InsertOrder", [10]),
    ]
    assert entries[0]["events"][1]["payload"]["price"] == 3_600_000_000
    assert "body" not in entries[0]


def test_show_cuts_entries_at_the_range_and_gives_the_command_on_demand(data: Path) -> None:
    [entry] = document("log", "show", "9", "--command", "--data", data)["entries"]
    assert [event["type"] for event in entry["events"]] == ["TradeExecuted"]
    assert (entry["first_log_seq"], entry["last_log_seq"], entry["actor"]) == (8, 9, "A2")
    assert entry["at"] == "2027-01-15T02:00:05.000000000Z"
    assert entry["body"]["order_id"] == "b1"


def test_show_as_text_is_json_too(data: Path) -> None:
    result = invoke("log", "show", "9", "--data", data)
    assert json.loads(result.stdout)["events"][0]["type"] == "TradeExecuted"


def test_show_takes_a_range_beyond_the_end_but_not_one_behind_it(data: Path) -> None:
    assert len(document("log", "show", f"{HEAD}..999", "--data", data)["entries"]) == 1
    result = invoke("log", "show", f"{HEAD + 1}", "--data", data)
    assert result.exit_code == 1
    assert f"the log ends at log_seq {HEAD}" in result.stderr


def test_stats_count_what_is_there(data: Path) -> None:
    stats = document("log", "stats", "--data", data)
    assert {name: stats[name] for name in ("log_seq", "commands", "commits", "state_hashes", "epoch")} == {
        "log_seq": HEAD,
        "commands": len(HISTORY),
        "commits": len(HISTORY),
        "state_hashes": len(HISTORY),
        "epoch": 1,
    }
    assert stats["streams"] == 4
    assert stats["mean_batch"] == HEAD / len(HISTORY)
    assert stats["first_at"] == "2027-01-15T02:00:00.000000000Z"
    assert stats["last_at"] == "2027-01-15T02:00:09.000000000Z"
    assert stats["commands_by_type"] == {
        "InsertOrder": 4,
        "RegisterInstrument": 2,
        "OpenAccount": 2,
        "CancelOrder": 1,
        "Deposit": 1,
    }
    assert sum(stats["events_by_type"].values()) == HEAD
    assert stats["size_bytes"] >= DataFolder(data).log_db.stat().st_size


def test_stats_as_text_say_what_the_log_does_not_know(data: Path) -> None:
    shown = lines("log", "stats", "--data", data)
    assert f"log_seq {HEAD}" in shown
    assert any(line.startswith("durability unknown") for line in shown)
    assert "OrderAccepted 3" in shown


def test_stats_of_an_empty_log(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    SqliteStore(folder.log_db).close()
    stats = document("log", "stats", "--data", tmp_path)
    assert (stats["log_seq"], stats["mean_batch"], stats["first_at"]) == (0, 0.0, None)
    assert "first entry none" in lines("log", "stats", "--data", tmp_path)
    assert lines("log", "tail", "--data", tmp_path) == []


def test_verify_prints_an_anchor_and_says_what_only_an_anchor_can_show(data: Path) -> None:
    shown = lines("log", "verify", "--data", data)
    root = document("log", "verify", "--data", data)["root"]
    assert shown[0].startswith(f"good up to log_seq {HEAD}: {len(HISTORY)} commands, {len(HISTORY)} commits")
    assert shown[1] == f"anchor: {HEAD}:{root}"
    assert "without an anchor" in shown[2]
    assert "held against 1 anchor" in lines("log", "verify", "--data", data, "--anchor", f"{HEAD}:{root}")[2]


def test_verify_names_the_place_of_a_changed_byte(data: Path) -> None:
    flip(DataFolder(data).log_db, "event", "payload", "log_seq = 9")
    result = invoke("log", "verify", "--data", data)
    assert result.exit_code == 1
    assert "damage at log_seq 9" in result.stdout
    assert "damaged at log_seq 9" in result.stderr
    findings = json.loads(invoke("log", "verify", "--data", data, "--json").stdout)["findings"]
    assert [finding["log_seq"] for finding in findings] == [9]


def test_verify_sees_a_clean_cut_only_by_an_anchor(data: Path) -> None:
    anchor = lines("log", "verify", "--data", data)[1].removeprefix("anchor: ")
    cut_tail(DataFolder(data).log_db, 11)
    assert invoke("log", "verify", "--data", data).exit_code == 0
    result = invoke("log", "verify", "--data", data, "--anchor", anchor)
    assert result.exit_code == 1
    assert "damaged at log_seq 12" in result.stderr


def test_verify_takes_several_anchors_and_names_the_first_that_differs(data: Path) -> None:
    root = document("log", "verify", "--data", data)["root"]
    wrong = f"5:{'00' * 32}"
    result = invoke("log", "verify", "--data", data, "--anchor", wrong, "--anchor", f"{HEAD}:{root}")
    assert result.exit_code == 1
    assert "the root at 5 is not the anchor's" in result.stderr


@pytest.mark.parametrize("command", [("tail",), ("show", "9"), ("stats",)])
def test_nothing_behind_damage_is_shown_as_good(data: Path, command: tuple[str, ...]) -> None:
    flip(DataFolder(data).log_db, "event", "payload", "log_seq = 9")
    result = invoke("log", *command, "--data", data)
    assert result.exit_code == 1
    assert "damaged at log_seq 9" in result.stderr
    assert "exchange log verify" in result.stderr
    assert "13" not in result.stdout


@pytest.mark.parametrize("command", [("tail",), ("show", "1"), ("stats",), ("verify",)])
def test_a_folder_without_a_log_is_no_log(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = invoke("log", *command, "--data", tmp_path / "mistyped")
    assert result.exit_code == 1
    assert "there is no log in" in result.stderr
    assert not (tmp_path / "mistyped").exists()


def test_a_file_that_is_no_log_is_told_so(tmp_path: Path) -> None:
    DataFolder(tmp_path).log_db.write_bytes(b"not a database, but long enough to look at")
    result = invoke("log", "tail", "--data", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")

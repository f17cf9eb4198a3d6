"""The packaged tapes can be read and played, say what was recorded, and damaged ones are refused."""

from __future__ import annotations

import csv
import importlib.util
import json
import lzma
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from exchange.domain.values import YUAN, Lots, Money, Price, price_from_decimal
from exchange.feeds.snapshot import Level, Snapshot, TapeError, check_snapshots
from exchange.feeds.tape import (
    PAUSE_NS,
    SESSION_BREAK_NS,
    Tape,
    TapeEntry,
    bars_of_tape,
    packed_file,
    read_tape,
    tape_entries,
    tape_names,
    waits_ns,
)
from exchange.feeds.tape_file import BAR_COLUMNS, QUOTE_COLUMNS, read_bars, read_quotes
from tests.support.recordings import FindRecording

ROOT = Path(__file__).parents[2]
TICK = Price(10 * YUAN)
SECOND = 1_000_000_000


def levels(*pairs: tuple[int, int]) -> tuple[Level, ...]:
    return tuple((Price(price * YUAN), Lots(lots)) for price, lots in pairs)


FIRST = Snapshot(
    at_ns=SECOND,
    last=Price(1000 * YUAN),
    volume=Lots(50),
    amount=Money(5_000 * YUAN),
    open_interest=Lots(10),
    bids=levels((1000, 4), (990, 2)),
    asks=levels((1010, 3), (1030, 1)),
)
SECOND_QUOTE = msgspec.structs.replace(FIRST, at_ns=2 * SECOND)


@pytest.fixture(scope="module", params=tape_names())
def tape(request: pytest.FixtureRequest) -> Tape:
    return read_tape(request.param)


def test_every_snapshot_volume_is_reached_by_the_lots_played(tape: Tape) -> None:
    before = tape.snapshots[0].volume - tape.lots[0]
    assert [before + played for played in accumulate(tape.lots)] == [snapshot.volume for snapshot in tape.snapshots]
    assert len(tape.waits_ns) == len(tape.lots) == len(tape.snapshots)


def test_a_trade_makes_every_change_of_the_last_price_also_from_pass_to_pass(tape: Tape) -> None:
    for number, (lots, snapshot) in enumerate(zip(tape.lots, tape.snapshots, strict=True)):
        if snapshot.last != tape.snapshots[number - 1].last:
            assert lots > 0, f"snapshot {number}"


def test_a_tape_names_a_contract_of_the_same_product(tape: Tape) -> None:
    assert tape.instrument_id.rstrip("0123456789") == tape.source_instrument.rstrip("0123456789")
    assert tape.instrument_id != tape.source_instrument


def test_each_tape_plays_its_own_contract() -> None:
    ids = [entry.instrument_id for entry in tape_entries()]
    assert len(set(ids)) == len(ids) == len(set(tape_names()))


@pytest.mark.parametrize(
    ("name", "snapshots", "first_lots", "lots"),
    [
        ("cu1909-ticks", 200, 1, 1 + 9020 - 7360),
        ("cu1905-minutes", 1372, 650, 163_403),
        ("cu2006-quotes", 33, 1, 1 + 46_742 - 46_670),
        ("m2007-quotes", 28, 1, 1 + 38_289 - 38_275),
        ("jd1909-minutes", 748, 1897, 301_993),
    ],
)
def test_quotes_begin_with_one_lot_and_bars_with_their_first_share(
    name: str, snapshots: int, first_lots: int, lots: int
) -> None:
    tape = read_tape(name)
    assert (len(tape.snapshots), tape.lots[0], sum(tape.lots)) == (snapshots, first_lots, lots)


def test_the_first_snapshot_of_a_tape_reads_as_recorded() -> None:
    """The first row of the recording, as its column names say."""
    assert read_tape("cu1909-ticks").snapshots[0] == Snapshot(
        at_ns=1568613693000000000,
        last=Price(47800 * YUAN),
        volume=Lots(7360),
        amount=Money(1756292000 * YUAN),
        open_interest=Lots(8240),
        bids=levels((47780, 10), (47770, 10), (47760, 85), (47750, 20), (47740, 20)),
        asks=levels((47820, 10), (47830, 10), (47850, 5), (47860, 5), (47950, 20)),
    )


def test_an_absent_level_is_left_out() -> None:
    assert read_tape("cu1909-ticks").snapshots[-1].asks == levels((47650, 10), (47730, 10), (47990, 5), (49250, 50))


def test_waits_are_the_gaps_with_breaks_of_the_trading_session_cut() -> None:
    times = [0, 500_000_000, SESSION_BREAK_NS + 499_999_999, 2 * SESSION_BREAK_NS + 499_999_999]
    snapshots = [msgspec.structs.replace(FIRST, at_ns=at_ns) for at_ns in times]
    assert waits_ns(snapshots) == (PAUSE_NS, 500_000_000, SESSION_BREAK_NS - 1, PAUSE_NS)


def test_a_day_of_minutes_has_its_three_breaks_cut() -> None:
    """01:00 to 9:00, the quarter of an hour after 10:15, and noon; the fourth pause is the one between two passes."""
    assert read_tape("cu1905-minutes").waits_ns.count(PAUSE_NS) == 4


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(TapeError, match="no tape is named 'gold'; the tapes are cu1909-ticks, cu1905-minutes"):
        read_tape("gold")


def test_only_a_tape_of_bars_is_made_of_bars() -> None:
    assert len(bars_of_tape("jd1909-minutes")) == 225
    with pytest.raises(TapeError, match="cu1909-ticks was recorded as quotes"):
        bars_of_tape("cu1909-ticks")


def test_the_packaged_files_are_small_and_their_readme_names_source_and_licence() -> None:
    folder = files("exchange.feeds") / "tapes"
    assert sum(len(packed_file(entry)) for entry in tape_entries()) < 1_000_000
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "shinnytech/tqsdk-python" in readme
    assert "Apache License 2.0" in readme
    for entry in tape_entries():
        assert f"| `{entry.name}` | `{entry.instrument_id}` | `{entry.source_instrument}`" in readme


def test_sound_snapshots_pass_the_check() -> None:
    check_snapshots("sound", [FIRST, SECOND_QUOTE], TICK)
    check_snapshots("one side", [msgspec.structs.replace(FIRST, asks=())], TICK)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"at_ns": FIRST.at_ns}, "its time 1000000000 is not after 1000000000"),
        ({"volume": Lots(49)}, "its volume fell from 50 to 49"),
        ({"amount": Money(4_999 * YUAN)}, "its turnover fell from 5000 to 4999"),
        ({"last": Price(1010 * YUAN)}, "its last price went from 1000 to 1010 without a trade"),
        ({"last": Price(1005 * YUAN), "volume": Lots(51)}, "price 1005 is not a positive multiple of the tick 10"),
        ({"last": Price(0), "volume": Lots(51)}, "price 0 is not a positive multiple"),
        ({"bids": levels((1000, 4), (995, 2))}, "price 995 is not a positive multiple"),
        ({"bids": levels((1000, 4), (1000, 2))}, "out of order or crossed: bids 1000 1000"),
        ({"bids": levels((990, 4), (1000, 2))}, "out of order or crossed: bids 990 1000"),
        ({"asks": levels((1030, 4), (1010, 2))}, "out of order or crossed: .* asks 1030 1010"),
        ({"asks": levels((1000, 4))}, "out of order or crossed: bids 1000 990, asks 1000"),
        ({"asks": levels((1010, 0))}, "a level without lots"),
        ({"asks": levels(*((1000 + 10 * level, 1) for level in range(1, 7)))}, "6 levels on one side; at most 5"),
    ],
)
def test_a_moment_no_market_could_show_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TapeError, match=f"tape bent, snapshot 1: .*{says}"):
        check_snapshots("bent", [FIRST, msgspec.structs.replace(SECOND_QUOTE, **change)], TICK)


def test_a_tape_without_snapshots_is_refused() -> None:
    with pytest.raises(TapeError, match="tape bare has no snapshots"):
        check_snapshots("bare", [], TICK)


QUOTE_LINE = "1,1000,50,5000,10," + "1000,4," + "," * 8 + "1010,3," + "," * 7


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (b"no xz at all", "its file is damaged or empty"),
        (lzma.compress(b"at_ns,last_price\n1,2\n")[:-5], "its file is damaged or empty"),
        (lzma.compress(b""), "its file is damaged or empty"),
        (lzma.compress("at_ns,最新价\n".encode()), "its file is damaged or empty"),
        (
            lzma.compress(b"at_ns,last_price\n1,2\n"),
            "its columns are at_ns, last_price; they must be at_ns, last_price, volume",
        ),
    ],
)
def test_a_damaged_file_is_refused(packed: bytes, says: str) -> None:
    with pytest.raises(TapeError, match=f"tape torn: {says}"):
        read_quotes("torn", packed)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (QUOTE_LINE.replace("50,5000", "fifty,5000"), "invalid literal for int"),
        (QUOTE_LINE.replace("50,5000", "50.5,5000"), "invalid literal for int"),
        (QUOTE_LINE.replace("1,1000,", "1,abc,"), "has a price that is no number"),
        (QUOTE_LINE.replace("1,1000,", "1,NaN,"), "price NaN is no finite number"),
        (QUOTE_LINE.replace("1,1000,", "1,1000.1234567,"), "has more decimals than the 6 that are kept"),
        (QUOTE_LINE.replace("1000,4", "1000,"), "invalid literal for int"),
        (QUOTE_LINE.replace("1000,4", ",4"), "has a price that is no number"),
        (QUOTE_LINE + ",", "argument 2 is longer"),
        ("1,2,3", "argument 2 is shorter"),
    ],
)
def test_a_damaged_line_is_refused_with_its_number(line: str, says: str) -> None:
    text = "\n".join((",".join(QUOTE_COLUMNS), QUOTE_LINE, line, ""))
    with pytest.raises(TapeError, match=f"tape torn, line 3: .*{says}"):
        read_quotes("torn", lzma.compress(text.encode()))


def test_an_impossible_bar_is_refused_with_its_line() -> None:
    text = ",".join(BAR_COLUMNS) + "\n1,1000,990,980,985,9,1,1\n"
    with pytest.raises(TapeError, match="tape torn, line 2: open, high, low, close 1000, 990, 980, 985"):
        read_bars("torn", lzma.compress(text.encode()))


# What was recorded ---------------------------------------------------------------------------------------------------


def extraction_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("extract_tapes", ROOT / "tools/extract_tapes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.realdata
@pytest.mark.parametrize("entry", tape_entries(), ids=tape_names())
def test_the_tool_makes_the_packaged_file_from_the_recording(entry: TapeEntry, recording: FindRecording) -> None:
    recording(entry.source)
    text = extraction_tool().tape_text(entry, recording("."))
    assert text.encode("ascii") == lzma.decompress(packed_file(entry))


def recorded_rows(file: Path) -> Iterator[dict[str, str]]:
    with lzma.open(file, "rt", encoding="utf-8") as rows:
        yield from csv.DictReader(rows)


def recorded_levels(values: dict[str, Any], side: str) -> tuple[Level, ...]:
    return tuple(
        (price_from_decimal(Decimal(values[f"{side}_price{level}"])), Lots(int(values[f"{side}_volume{level}"])))
        for level in range(1, 6)
        if values[f"{side}_price{level}"] not in ("''", None)
    )


@pytest.mark.realdata
def test_the_ticks_read_as_recorded(recording: FindRecording) -> None:
    rows = list(recorded_rows(recording("futures_klines/SHFE.cu1909.ticks_20190916.csv.xz")))
    snapshots = read_tape("cu1909-ticks").snapshots
    assert len(rows) == len(snapshots) == 200
    for row, snapshot in zip(rows, snapshots, strict=True):
        assert snapshot == Snapshot(
            at_ns=int(row["datetime_ns"]),
            last=price_from_decimal(Decimal(row["last_price"])),
            volume=Lots(int(row["volume"])),
            amount=Money(int(Decimal(row["amount"]) * YUAN)),
            open_interest=Lots(int(row["open_interest"])),
            bids=recorded_levels(row, "bid"),
            asks=recorded_levels(row, "ask"),
        )


@pytest.mark.realdata
@pytest.mark.parametrize("entry", [entry for entry in tape_entries() if entry.kind == "bars"], ids=lambda one: one.name)
def test_the_minutes_add_up_to_the_recorded_day(entry: TapeEntry, recording: FindRecording) -> None:
    assert entry.end is not None
    day = f"{entry.end:%Y-%m-%d} 00:00:00"
    daily = recorded_rows(recording(f"futures_klines/{entry.source_instrument}.1d.csv.xz"))
    row = next(row for row in daily if row["datetime_cn"] == day)
    minutes = bars_of_tape(entry.name)
    four = minutes[0].open, max(bar.high for bar in minutes), min(bar.low for bar in minutes), minutes[-1].close
    assert four == tuple(price_from_decimal(Decimal(row[name])) for name in ("open", "high", "low", "close"))
    assert sum(bar.volume for bar in minutes) == int(row["volume"])
    assert (minutes[0].open_oi, minutes[-1].close_oi) == (int(row["open_oi"]), int(row["close_oi"]))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["cu2006-quotes", "m2007-quotes"])
def test_the_recorded_stream_merges_to_the_last_snapshot(name: str, recording: FindRecording) -> None:
    entry = next(entry for entry in tape_entries() if entry.name == name)
    quote: dict[str, Any] = {}
    times = set()
    with lzma.open(recording(entry.source), "rt", encoding="utf-8") as lines:
        for message in (json.loads(line, parse_float=Decimal) for line in lines):
            if message["ch"] == "md>client":
                for patch in message["msg"].get("data", ()):
                    quote |= patch.get("quotes", {}).get(entry.source_instrument) or {}
            if "datetime" in quote:
                times.add(quote["datetime"])
    at = datetime.fromisoformat(quote["datetime"]).replace(tzinfo=timezone(timedelta(hours=8)))
    snapshots = read_tape(name).snapshots
    assert len(snapshots) == len(times)
    assert snapshots[-1] == Snapshot(
        at_ns=int(at.timestamp() * 1000) * 1_000_000,
        last=price_from_decimal(quote["last_price"]),
        volume=Lots(quote["volume"]),
        amount=Money(int(quote["amount"] * YUAN)),
        open_interest=Lots(quote["open_interest"]),
        bids=recorded_levels(quote, "bid"),
        asks=recorded_levels(quote, "ask"),
    )

"""Makes the packaged tapes from the recordings in the folder of test data, byte for byte, as `tapes.toml` lists them.

    python tools/extract_tapes.py            write the files of exchange/feeds/tapes
    python tools/extract_tapes.py --check    write nothing; exit with 1 where a file differs from its recording

The folder is named by EXCHANGE_TEST_DATA (default ../shared/data). Texts are equal everywhere; the packed bytes are
equal where the same release of liblzma packs them, so `--check` compares texts.
"""

from __future__ import annotations

import csv
import json
import lzma
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from exchange.feeds.tape import TapeEntry, packed_file, tape_entries  # noqa: E402  (the checkout, before an installed package)
from exchange.feeds.tape_file import BAR_COLUMNS, LEVEL_COLUMNS, QUOTE_COLUMNS  # noqa: E402

BEIJING = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017  (beside the other timezone)


def tape_text(entry: TapeEntry, data: Path) -> str:
    """The text of a tape's file, made from its recording."""
    source = data / entry.source
    if source.name.endswith(".jsonl.xz"):
        return _csv_text(QUOTE_COLUMNS, _quotes_of_stream(source, entry.source_instrument))
    if entry.kind == "quotes":
        return _csv_text(QUOTE_COLUMNS, _quotes_of_ticks(source))
    return _csv_text(BAR_COLUMNS, _bars(source, entry))


def _csv_text(columns: tuple[str, ...], rows: Iterable[Mapping[str, str]]) -> str:
    out = StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _source_rows(source: Path) -> Iterator[dict[str, str]]:
    with lzma.open(source, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _quotes_of_ticks(source: Path) -> Iterator[dict[str, str]]:
    """One row per tick; the source writes `''` for a price that is not there."""
    for row in _source_rows(source):
        values = {name: None if text == "''" else Decimal(text) for name, text in row.items() if name != "datetime_cn"}
        yield _quote_row(int(row["datetime_ns"]), values)


def _quotes_of_stream(source: Path, instrument: str) -> Iterator[dict[str, str]]:
    """One row per message of the market data server that changed the quote, merged into the quote before it."""
    quote: dict[str, Any] = {}
    with lzma.open(source, "rt", encoding="utf-8") as lines:
        for line in lines:
            recorded = json.loads(line, parse_float=Decimal)
            patches = recorded["msg"].get("data", []) if recorded["ch"] == "md>client" else []
            changes = [patch["quotes"][instrument] for patch in patches if patch.get("quotes", {}).get(instrument)]
            for change in changes:
                quote.update(change)
            if changes:
                at = datetime.fromisoformat(quote["datetime"]).replace(tzinfo=BEIJING)
                yield _quote_row(_ns(at), quote)


def _quote_row(at_ns: int, values: Mapping[str, Any]) -> dict[str, str]:
    row = {"at_ns": str(at_ns)}
    for name in ("last_price", "volume", "amount", "open_interest"):
        row[name] = _plain(values[name])
    for price, lots in (pair for side in LEVEL_COLUMNS.values() for pair in side):
        there = values[price] is not None
        row[price] = _plain(values[price]) if there else ""
        row[lots] = _plain(values[lots]) if there else ""
    return row


def _bars(source: Path, entry: TapeEntry) -> Iterator[dict[str, str]]:
    """The minutes from the entry's begin to its end."""
    if entry.begin is None or entry.end is None:
        raise SystemExit(f"tapes.toml: tape {entry.name} needs begin and end")
    begin_ns, end_ns = _ns(entry.begin), _ns(entry.end)
    for row in _source_rows(source):
        if begin_ns <= int(row["datetime_ns"]) < end_ns:
            yield {"start_ns": row["datetime_ns"], **{name: _plain(Decimal(row[name])) for name in BAR_COLUMNS[1:]}}


def _plain(value: Decimal | int) -> str:
    """The shortest decimal text: 47820.0 is 47820."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _ns(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000


def main(arguments: list[str]) -> int:
    """Writes or checks all tapes; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    data = Path(os.environ.get("EXCHANGE_TEST_DATA", ROOT / "../shared/data"))
    differing = 0
    for entry in tape_entries():
        text = tape_text(entry, data).encode("ascii")
        if arguments:
            same = lzma.decompress(packed_file(entry)) == text
            differing += not same
            print(f"{entry.file}: {'equal to' if same else 'DIFFERS from'} {entry.source}")
        else:
            packed = lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)
            (ROOT / "exchange/feeds/tapes" / entry.file).write_bytes(packed)
            print(f"{entry.file}: {len(text.splitlines()) - 1} rows, {len(packed)} bytes")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""`exchange log`: look at the log, and check it. Reads only, beside a running server or without one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Final

import orjson
import typer

from eventstore.model import RecordedEntry
from eventstore.sqlite_reader import SqliteReader
from exchange.cli.entries import entry_document, entry_lines
from exchange.cli.errors import FailedError
from exchange.cli.log_figures import LogFigures, figures_of
from exchange.cli.log_files import log_path, reading_log
from exchange.cli.options import DEFAULT_DATA, DataOption, JsonLinesOption, JsonOption, Language, RefusalLanguageOption
from exchange.cli.output import (
    Column,
    print_facts,
    print_json,
    print_json_items,
    print_json_line,
    print_table,
    progress,
)
from exchange.cli.times import china_text
from exchange.cli.values import Anchor, Range, parse_anchor, parse_range

POLL_S: Final = 0.1
"""How often `--follow` looks for new entries."""

app = typer.Typer(no_args_is_help=True, help="Look at the log and check it, whether a server runs or not.")


@app.command()
def tail(
    count: Annotated[
        int, typer.Option("-n", "--entries", metavar="N", min=0, help="How many of the last entries to show.")
    ] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new entries until Ctrl-C.")] = False,
    data: DataOption = DEFAULT_DATA,
    lang: RefusalLanguageOption = Language.EN,
    json: JsonLinesOption = False,
) -> None:
    """Show the last entries.

    A line for each command, with its time in China and who asked, then one for each of its events.
    """
    with reading_log(data) as reader:
        end = reader.head.log_seq
        for entry in _last_entries(reader, count, end):
            _print_entry(entry, lang, json)
        if follow:
            with suppress(KeyboardInterrupt):  # the way to end it, in whatever it is doing
                for entry in _new_entries(reader, end):
                    _print_entry(entry, lang, json)


def _print_entry(entry: RecordedEntry, lang: Language, json: bool) -> None:
    if json:
        print_json_line(entry_document(entry))
    else:
        for line in entry_lines(entry, lang.value):
            typer.echo(line)


def _last_entries(reader: SqliteReader, count: int, end: int) -> list[RecordedEntry]:
    """The last entries up to `end`. How many events they have is not known before they are read."""
    if not count:
        return []
    reach = 2 * count
    while True:
        after = max(end - reach, 0)
        entries = list(reader.read(after=after, until=end))
        if len(entries) >= count or not after:
            return entries[-count:]
        reach *= 4


def _new_entries(reader: SqliteReader, after: int) -> Iterator[RecordedEntry]:
    """Entries behind `after` as they come, for ever."""
    while True:
        for entry in reader.read(after=after):
            after = entry.last_log_seq
            yield entry
        time.sleep(POLL_S)


@app.command()
def show(
    where: Annotated[
        Range, typer.Argument(parser=parse_range, metavar="LOG_SEQ|A..B", help="An event, or those from A to B.")
    ],
    command: Annotated[bool, typer.Option("--command", help="Show the content of the commands too.")] = False,
    data: DataOption = DEFAULT_DATA,
    json: JsonOption = False,
) -> None:
    """Show events with all that is stored of them."""
    with reading_log(data) as reader:
        head = reader.head.log_seq
        if where.first > head:
            raise FailedError(f"there is no event {where.first}: the log ends at log_seq {head}")
        documents = (
            entry_document(entry, first=where.first, last=where.last, body=command)
            for entry in _entries_over(reader, where)
        )
        if json:
            print_json_items({}, "entries", documents)
        else:
            for document in documents:
                typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _entries_over(reader: SqliteReader, where: Range) -> Iterator[RecordedEntry]:
    """Every entry that has an event in the range, the last one whole, wherever it ends."""
    for entry in reader.read(after=where.first - 1):
        if entry.first_log_seq > where.last:
            return
        yield entry


@app.command()
def stats(data: DataOption = DEFAULT_DATA, json: JsonOption = False) -> None:
    """Count what is in the log."""
    path = log_path(data)
    with reading_log(data) as reader, progress("reading the log") as told:
        figures = figures_of(reader, path, told)
    if json:
        print_json(figures.document())
    else:
        _print_figures(figures)


def _print_figures(figures: LogFigures) -> None:
    head = figures.head
    print_facts(
        (
            ("log_id", head.log_id),
            ("log_seq", head.log_seq),
            ("root", head.root.hex()),
            ("epoch", f"{head.epoch} (how often the log was opened for writing)"),
            ("commands", figures.commands),
            ("commits", figures.commits),
            ("streams", figures.streams),
            ("mean batch", f"{figures.mean_batch:.2f} events per commit"),
            ("state hashes", f"{figures.state_hashes}"),
            ("first entry", china_text(figures.first_at_ns) if head.log_seq else "none"),
            ("last entry", china_text(head.at_ns) if head.log_seq else "none"),
            ("size on disk", f"{figures.size_bytes:,} bytes"),
            ("durability", "unknown: it is a setting of the server, and the log does not keep it"),
        )
    )
    count = Column("count", right=True)
    print_table("Events", (Column("type"), count), figures.events_by_type.items())
    print_table("Commands", (Column("type"), count), figures.commands_by_type.items())


@app.command()
def verify(
    anchor: Annotated[
        list[Anchor] | None,
        typer.Option(
            "--anchor",
            parser=parse_anchor,
            metavar="LOG_SEQ:ROOT",
            help="What an earlier verify printed and was kept elsewhere; may be given several times.",
        ),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    json: JsonOption = False,
) -> None:
    """Check the whole log against its hashes.

    Every event, command and commit. Status 1 and the log_seq where something is wrong.
    """
    from eventstore.verify import verify as verify_log

    path = log_path(data)
    anchors = {each.log_seq: each.root for each in anchor or ()}
    with progress("verifying") as told:
        report = verify_log(path, anchors=anchors, progress=told)
    if json:
        print_json(
            {
                "ok": report.ok,
                "log_id": report.log_id,
                "log_seq": report.log_seq,
                "commands": report.commands,
                "commits": report.commits,
                "root": report.root.hex(),
                "anchors": len(anchors),
                "findings": [{"log_seq": each.log_seq, "what": each.what} for each in report.findings],
            }
        )
    else:
        good = f"good up to log_seq {report.log_seq}: {report.commands} commands, {report.commits} commits"
        typer.echo(f"{good}, log {report.log_id}")
        typer.echo(f"anchor: {report.log_seq}:{report.root.hex()}")
        for each in report.findings:
            typer.echo(f"damage at log_seq {each.log_seq}: {each.what}")
        typer.echo(_what_cannot_be_seen(len(anchors)))
    if not report.ok:
        first = report.findings[0]
        raise FailedError(
            f"the log {path} is damaged at log_seq {first.log_seq}: {first.what}. "
            "Do not start a server on it; restore a backup and verify that"
        )


def _what_cannot_be_seen(anchors: int) -> str:
    if anchors:
        known = "1 anchor" if anchors == 1 else f"{anchors} anchors"
        return f"held against {known}: behind the last of them a clean cut cannot be seen"
    return (
        "without an anchor a log that was cut off cleanly behind a commit, or written anew as a whole, cannot be told "
        "from a good one: keep the anchor above outside of this machine, and give it with --anchor the next time"
    )

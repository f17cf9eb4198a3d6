"""What commands print: JSON documents and tables to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unicodedata import east_asian_width

import orjson
import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Tell = Callable[[int, int], None]
"""Told (done, total) now and then."""

WIDE: Final = 120
"""Columns of a terminal that has room for everything."""
PIPED_WIDTH: Final = 10_000
"""Columns of a table that goes into a file or another program: nothing is cut or wrapped."""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    right: bool = False
    """Whether its values, numbers, stand on the right."""
    gives_room: bool = False
    """Whether a narrow terminal takes room from it before it cuts any other."""


def print_json(document: Any) -> None:
    """Print one JSON document over several lines."""
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def print_json_line(document: Any) -> None:
    """Print a JSON document on one line, at once."""
    typer.echo(orjson.dumps(document))


def print_json_items(head: dict[str, Any], name: str, items: Iterable[Any]) -> None:
    """Print one JSON document: `head` and under `name` a list, an item per line, which may be longer than memory."""
    typer.echo(orjson.dumps(head)[:-1] + (b"," if head else b"") + orjson.dumps(name) + b":[", nl=False)
    separator = b"\n"
    for item in items:
        typer.echo(separator + orjson.dumps(item), nl=False)
        separator = b",\n"
    typer.echo(b"\n]}")


def print_table(title: str, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    """Print a table with a heading; one without rows says so in a line."""
    table = rich_table(title, columns, rows)
    if table.row_count:
        make_console().print(table)
    else:
        typer.echo(f"{title}: none")


def make_console() -> Console:
    """Standard output for tables."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)


def is_narrow() -> bool:
    """Whether standard output is a terminal where a long table has to leave something out."""
    return make_console().width < WIDE


def rich_table(
    title: str, columns: Sequence[Column], rows: Iterable[Sequence[object]], *, one_line: bool = False
) -> Table:
    """A table with a heading, to be printed or shown live.

    Where there is too little room, columns that give some are wrapped; with `one_line`, cut.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True
    )
    for column in columns:
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            # Rich takes room first from the columns that it may wrap.
            no_wrap=not column.gives_room,
            overflow="fold" if column.gives_room else "ellipsis",
        )
    cut: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis"} if one_line else {}
    for row in rows:
        # As Text: a user may be called [red].
        table.add_row(*(Text(str(value), **cut) for value in row))
    return table


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names with their values, one per line, aligned."""
    pairs = [(name, str(value)) for name, value in facts]
    width = max(_columns(name) for name, _ in pairs)
    for name, value in pairs:
        typer.echo(f"{name}{' ' * (width - _columns(name))}  {value}")


def _columns(text: str) -> int:
    """How wide a text is in a terminal, where a Chinese character takes two columns."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def tell(text: str) -> None:
    """Say something to the person at the terminal, on standard error."""
    typer.echo(text, err=True)


@contextmanager
def progress(what: str) -> Iterator[Tell]:
    """A bar with rate and time left while the block runs; nothing where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from exchange.cli.progress_bar import progress_bar

    with progress_bar(what) as told:
        yield told


def _silent(done: int, total: int) -> None:
    pass

"""Tables, JSON and progress."""

from __future__ import annotations

import io
import json
import sys

import pytest
from rich.console import Console
from rich.progress import Progress

from exchange.cli.output import Column, print_json_items, print_table, progress, rich_table
from exchange.cli.progress_bar import RateColumn


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_table_in_a_pipe_is_neither_cut_nor_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Words", (Column("word"), Column("count", right=True)), [["w" * 300, 7], ["[red]", 10]])
    title, names, rule, *rows = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert (title, names.split(), set(rule)) == ("Words", ["word", "count"], {"─"})
    assert rows == ["w" * 300 + "      7", "[red]" + " " * 295 + "     10"]


def test_in_a_narrow_terminal_the_column_that_gives_room_is_wrapped_and_no_other_is_cut() -> None:
    columns = (Column("id", gives_room=True), Column("word"), Column("count", right=True))
    shown = {}
    for one_line in (False, True):
        console = Console(width=24, file=io.StringIO())
        console.print(rich_table("Words", columns, [["i" * 30, "w" * 8, 12345]], one_line=one_line))
        shown[one_line] = [line.rstrip() for line in console.file.getvalue().splitlines()[3:]]
    assert shown[True] == [f"iiiiii…  {'w' * 8}  12345"]
    assert shown[False][0].split() == ["iiiiiii", "wwwwwwww", "12345"]
    assert "".join(line.split()[0] for line in shown[False]) == "i" * 30


def test_a_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Words", (Column("word"),), [])
    assert capsys.readouterr().out == "Words: none\n"


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("head", [{}, {"log_id": "L1"}])
def test_a_long_list_is_one_json_document(capsys: pytest.CaptureFixture[str], count: int, head: dict[str, str]) -> None:
    print_json_items(head, "items", ({"n": n} for n in range(count)))
    assert json.loads(capsys.readouterr().out) == {**head, "items": [{"n": n} for n in range(count)]}


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading") as told:
        told(1, 2)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_the_bar_shows_once_something_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress("reading") as told:
        assert "reading" not in terminal.getvalue()
        told(500, 1000)
        told(1000, 1000)
    assert "reading" in terminal.getvalue()
    assert "1000/1000" in terminal.getvalue()


def test_the_rate_is_unknown_at_first() -> None:
    bar = Progress()
    bar.add_task("reading")
    [task] = bar.tasks
    assert RateColumn().render(task).plain == ""

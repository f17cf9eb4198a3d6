"""Writes the second half of `docs/cli.md`: every command with its arguments and options, made of the commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

from typer.main import get_command

from exchange.cli.main import app

MARK: Final = "<!-- Made by `python -m exchange.cli.reference docs/cli.md`; do not edit below. -->\n"


def command_reference() -> str:
    """All commands as Markdown."""
    return "\n".join(_sections(get_command(app), "exchange"))


def with_reference(page: str) -> str:
    """The page with everything behind the mark made anew."""
    written, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK.strip()!r}: it tells where the reference begins")
    return f"{written}{MARK}\n{command_reference()}"


def _sections(command: Any, path: str) -> Iterator[str]:
    """The section of a command, and those of the commands below it. `command` is of a class that typer keeps to
    itself."""
    parts = [f"## `{path}`", cleandoc(command.help), *filter(None, [_parameters(command)])]
    yield "\n\n".join(parts) + "\n"
    for name, below in getattr(command, "commands", {}).items():
        yield from _sections(below, f"{path} {name}")


def _parameters(command: Any) -> str:
    return "\n".join(_parameter(each) for each in command.params)


def _parameter(parameter: Any) -> str:
    value = getattr(parameter, "metavar", None)
    if parameter.param_type_name == "argument":
        return f"* `{value}`: {parameter.help}"
    names = ", ".join(parameter.opts)
    name = names if parameter.is_flag or not value else f"{names} {value}"
    sources = [
        *([f"`{parameter.envvar}` in the environment"] if parameter.envvar else []),
        *([f"default `{parameter.default}`"] if value and parameter.default is not None else []),
    ]
    return f"* `{name}`: {parameter.help}" + (f" ({', '.join(sources)})" if sources else "")


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_reference(page.read_text("utf-8")), "utf-8")

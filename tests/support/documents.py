"""The pages under docs/, taken at their word: their blocks of commands and programs, as a reader would type them."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import Final, NamedTuple

CHECKOUT: Final = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(\w*)$")


class Block(NamedTuple):
    """A block of a page: indented by four spaces, or fenced with the name of its language."""

    section: str
    """The heading above it, without its signs."""
    language: str
    """Empty for an indented one."""
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page under docs/, in order."""
    found: list[Block] = []
    section, language, lines = "", None, []
    indented: list[str] = []

    def end_indented() -> None:
        if indented:
            found.append(Block(section, "", "\n".join(indented).strip("\n")))
            indented.clear()

    for line in [*(CHECKOUT / "docs" / page).read_text("utf-8").splitlines(), ""]:
        fence = _FENCE.match(line)
        if language is not None:
            if fence:
                found.append(Block(section, language, "\n".join(lines)))
                language, lines = None, []
            else:
                lines.append(line)
        elif fence:
            end_indented()
            language = fence[1]
        elif line.startswith("    ") or (indented and not line):
            indented.append(line[4:])
        else:
            end_indented()
            if line.startswith("#"):
                section = line.lstrip("# ")
    end_indented()
    return found


def make_virtual_environment(folder: Path) -> None:
    """A `.venv/bin` in the folder with the commands that the pages call: this Python, and the checkout's packages."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    python = f'PYTHONPATH="{CHECKOUT}" exec "{sys.executable}" -P'
    _make_program(programs / "python", f'{python} "$@"')
    _make_program(programs / "exchange", f'{python} -c "from exchange.cli.main import main; main()" "$@"')


def _make_program(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\n{command}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def environment(**settings: str) -> dict[str, str]:
    """The reader's environment: without the settings of an exchange of ours, with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    return kept | {"PYTHONUNBUFFERED": "1"} | settings

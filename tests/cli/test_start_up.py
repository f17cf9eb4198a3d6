"""What a command loads before it does anything: most of the server takes longer to import than `log tail` to run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.harness import CHECKOUT

HEAVY = ("alembic", "aiosqlite", "argon2", "fastapi", "pydantic_settings", "rich", "sqlalchemy", "uvicorn")
"""Not pydantic: typer loads it by itself for every command."""
RUN_AND_LIST = f"""
import sys
from exchange.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("heavy:", *(name for name in {HEAVY} if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (("--help",), []),
        (("log", "tail"), []),
        (("log", "show", "1"), []),
        (("log", "verify"), []),
        (("replay", "--verify"), []),
        (("state", "--user", "alice"), []),
        (("log", "stats"), ["rich"]),
        (("user", "list"), ["rich"]),
    ],
)
def test_commands_load_only_what_they_need(data: Path, arguments: tuple[str, ...], loaded: list[str]) -> None:
    folder = () if arguments == ("--help",) else ("--data", str(data))
    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_LIST, *arguments, *folder],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=True,
    )
    assert done.stdout.splitlines()[-1].split() == ["heavy:", *loaded]

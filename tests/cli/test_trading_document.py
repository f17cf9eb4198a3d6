"""The page on trading from the command line: every command of it does what it says, in order."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from exchange.testing import run_exchange
from tests.cli.harness import DEADLINE_S
from tests.support.documents import blocks, environment, make_virtual_environment

PAGE: Final = "clients/command-line.md"
ADDRESS: Final = "http://127.0.0.1:8000"
NEEDS_A_TERMINAL: Final = "exchange watch SHFE.cu2701"
"""Looked at in a terminal by the tests of `watch`."""
SAID: Final = {
    "exchange login": "alice is logged in",
    "exchange quote": "47820",
    "exchange book": "47780",
    "exchange buy": "first: buy to open 2 of SHFE.cu2701, filled, 2 filled",
    "exchange sell": "second: sell to open 1 of SHFE.cu2701, working, 0 filled",
    "exchange cancel": "cancelled",
    "exchange trades": "first",
    "exchange positions": "47820",
    "exchange logout": "alice is logged out",
}
"""What must stand in the output of a command that begins so."""


def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    make_virtual_environment(tmp_path)
    commands = [line for block in blocks(PAGE) for line in block.text.splitlines()]
    with run_exchange(users={"alice": 1_000_000}, time="real", language="en") as exchange:
        exchange.market.quote("SHFE.cu2701", bid=47_780, ask=47_820, lots=10)
        settings = environment(
            PATH=f"{tmp_path / '.venv' / 'bin'}:{os.environ['PATH']}",
            EXCHANGE_PASSWORD=exchange.password("alice"),
            EXCHANGE_LOGIN=str(tmp_path / "login.json"),
        )
        done = []
        for command in commands:
            if command == NEEDS_A_TERMINAL:
                continue
            asked = command.replace(ADDRESS, exchange.http_url)
            result = subprocess.run(
                asked,
                shell=True,
                cwd=tmp_path,
                env=settings,
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )
            assert result.returncode == 0, f"{command}: {result.stderr}"
            said = next((text for start, text in SAID.items() if command.startswith(start)), "")
            assert said in result.stdout, f"{command}: {result.stdout}"
            done.append(command)
    assert len(done) == len(commands) - 1 > 12

"""The page on trading from the command line: every command of it does what it says, in order."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from exchange.testing import run_exchange
from tests.cli.harness import invoke
from tests.support.documents import blocks

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
    commands = [line for block in blocks(PAGE) for line in block.text.splitlines() if line != NEEDS_A_TERMINAL]
    with run_exchange(users={"alice": 1_000_000}, time="real", language="en") as exchange:
        exchange.market.quote("SHFE.cu2701", bid=47_780, ask=47_820, lots=10)
        for command in commands:
            program, *arguments = shlex.split(command.replace(ADDRESS, exchange.http_url))
            assert program == "exchange"
            result = invoke(
                *arguments,
                EXCHANGE_PASSWORD=exchange.password("alice"),
                EXCHANGE_LOGIN=str(tmp_path / "login.json"),
            )
            assert result.exit_code == 0, f"{command}: {result.output}"
            said = next((text for start, text in SAID.items() if command.startswith(start)), "")
            assert said in result.stdout, f"{command}: {result.stdout}"
    assert len(commands) > 12

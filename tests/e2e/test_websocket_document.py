"""The page on raw WebSockets: its program runs as printed, and does what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

from exchange.testing import run_exchange
from tests.support.documents import blocks, environment, make_virtual_environment

PAGE: Final = "clients/websocket.md"
DEADLINE_S: Final = 60


def test_the_program_trades_loses_its_line_and_is_led_on(tmp_path: Path) -> None:
    make_virtual_environment(tmp_path)
    program, run_it = (block.text for block in blocks(PAGE))
    (tmp_path / "raw.py").write_text(program, "utf-8")
    with run_exchange(users={"alice": 1_000_000}, time="real", language="en") as exchange:
        exchange.market.quote("SHFE.cu2701", bid=47_780, ask=47_820, lots=10)
        settings = environment(EXCHANGE_WS=exchange.url, ALICE_PASSWORD=exchange.password("alice"))
        run = f".venv/bin/{run_it}"
        for turn in range(2):
            result = subprocess.run(
                run.split(), cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=DEADLINE_S, check=False
            )
            assert result.returncode == 0, result.stderr
            first, bought, lost, led_on, long = result.stdout.splitlines()
            assert first == "the whole picture"
            assert bought.startswith("raw-1 FILLED")
            version = re.fullmatch(r"the line is lost at version (\d+)", lost)
            assert version
            back = re.fullmatch(r"led on to version (\d+)", led_on)
            assert back
            assert int(back[1]) >= int(version[1])
            # The second run sends the same order with the same id: it gets the first outcome, and nothing more.
            assert long == "long 1", turn
        wrong = subprocess.run(
            run.split(),
            cwd=tmp_path,
            env=settings | {"ALICE_PASSWORD": "wrong"},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert (wrong.returncode, wrong.stderr) == (1, "Wrong user name or password\n")

"""Many histories of the whole exchange: every law holds in all of them, and together they reach everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.run import RunFailedError, play, run
from tests.simulation.world import World

MUST_HAPPEN: Final = (
    # The process.
    "crash",
    "crash with entries in hand",
    "crash before the loop heard of a commit",
    "shutdown",
    "append kept",
    "append lost",
    "append refused",
    "OUTCOME_UNKNOWN",
    "SHUTTING_DOWN",
    "clock set back",
    "state hash in the log",
    # Coming back.
    "drop",
    "frames lost",
    "texts lost",
    "sent again",
    "wrong secret",
    "resume led on",
    "resume led on across a restart",
    "resume with an older mirror",
    "resume inside an entry",
    "resume with a history that differs",
    "HISTORY_DIFFERS",
    "full step",
    "full step on a running connection",
    "login by the address",
    "wrong ticket",
    "resume in another dialect",
    "step in guide/2/en",
    "step in flat/1/en",
    # Steps.
    "step for marks alone",
    "one larger step for a slow reader",
    "level gone while not subscribed",
    "peek timeout",
    # Trading.
    "OrderAccepted",
    "OrderRefused",
    "OrderRepeated",
    "CommandRefused",
    "TradeExecuted",
    "Deposited",
    "Withdrawn",
    "AccountSuspended",
    "AccountRestored",
    "InstrumentRegistered",
    "cancelled REQUESTED",
    "cancelled NOT_FILLED_AT_ONCE",
    "cancelled NOT_FILLED_WHOLE",
    "partial fill",
    "closing fill",
    "self trade",
    "repeated",
    "repeated with another content",
    "BUSY",
    # Nonsense.
    "nonsense",
    "foreign order cancelled",
    "flood",
    "disconnected with 1003",
    "disconnected with 1007",
    "disconnected with 1008",
)


def test_every_law_holds_in_sixty_histories_which_reach_everything() -> None:
    seen = play(range(60), 600)
    assert [what for what in MUST_HAPPEN if not seen[what]] == []


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("first", range(10_000, 11_000, 250))
def test_every_law_holds_in_a_thousand_more_histories(first: int) -> None:
    play(range(first, first + 250), 600)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_every_law_holds_in_long_histories() -> None:
    play(range(20_000, 20_008), 4_000)


def test_a_seed_is_a_whole_history_whatever_the_hash_seed() -> None:
    program = "from tests.simulation.run import run; print(run(5, 300).trace, run(6, 300).trace)"
    root = Path(__file__).parents[2]
    traces = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    ]
    here = f"{run(5, 300).trace} {run(6, 300).trace}\n"
    assert traces == [here, here]
    assert run(5, 300).trace != run(6, 300).trace


def test_a_red_run_tells_its_seed_and_what_happened_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "drop", lambda world, client: 1 / 0)
    with pytest.raises(RunFailedError, match=r"(?s)seed 8, step \d+ of 300: ZeroDivisionError.* --seed 8 --steps 300"):
        run(8, 300)

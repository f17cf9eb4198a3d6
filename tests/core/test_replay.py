"""Replay equals live: the same log gives the same state at every event, and the same commands give the same log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given

from exchange.codec import EVENTS, Encoded
from exchange.decider import StateHash, evolve
from tests.support.checks import check_replay, reread, reread_command
from tests.support.flows import Action, Session, opening, random_session, sessions

ROOT = Path(__file__).parents[2]


def played(actions: list[Action]) -> Session:
    session = Session()
    for action in actions:
        session.play(action)
    return session


@given(sessions())
def test_the_log_leads_to_the_same_state_and_the_commands_to_the_same_log(actions: list[Action]) -> None:
    """Events are folded and commands decided again as they are read back from their bytes."""
    check_replay(played(actions))


@given(sessions())
def test_replay_has_the_state_hash_of_every_log_seq(actions: list[Action]) -> None:
    live, replay = opening(), opening()
    live_hash, replay_hash = StateHash(live), StateHash(replay)
    for entry in played(actions).entries:
        for event in entry.events:
            evolve(live, event)
            evolve(replay, reread(event))
            assert live_hash.value() == replay_hash.value()


@given(sessions())
def test_what_is_read_back_is_what_was_written(actions: list[Action]) -> None:
    for entry in played(actions).entries:
        assert reread_command(entry.command) == entry.command
        assert tuple(map(reread, entry.events)) == entry.events


def log_of(seed: int) -> list[Encoded]:
    entries = played(random_session(seed, length=150)).entries
    return [EVENTS.encode(event) for entry in entries for event in entry.events]


PROGRAM = """
import hashlib
from exchange.decider import StateHash
from tests.core.test_replay import log_of, played
from tests.support.flows import random_session

session = played(random_session(5, length=400))
log = hashlib.sha256(repr(log_of(5)).encode()).hexdigest()
print(StateHash(session.state).value().hex(), log, hash("a") % 1000)
"""


def test_processes_with_other_hash_seeds_agree() -> None:
    """Texts hash differently in each, so anything that walks over a set or sorts by hash would show."""
    found = []
    for hash_seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        program = [sys.executable, "-c", PROGRAM]
        run = subprocess.run(program, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        found.append(run.stdout.split())
    assert len({(state, log) for state, log, _ in found}) == 1
    assert len({text_hash for _, _, text_hash in found}) > 1

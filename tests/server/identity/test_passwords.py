"""How passwords are hashed: slowly, a bounded number at a time, and not twice for who comes back."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import argon2
import pytest
from argon2.profiles import CHEAPEST

from exchange.server.identity.auth import Users
from exchange.server.identity.passwords import HASHING, HashPool, HashPoolFullError, RememberedPasswords


def test_the_usual_hash_is_the_one_recommended() -> None:
    assert (HASHING.type, HASHING.memory_cost, HASHING.time_cost, HASHING.parallelism) == (argon2.Type.ID, 19456, 2, 1)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Hashing in a thread waits for it."""
    opened = threading.Event()
    hash_password = argon2.PasswordHasher.hash

    def gated(self: argon2.PasswordHasher, password: bytes) -> str:
        opened.wait()
        return hash_password(self, password)

    monkeypatch.setattr(argon2.PasswordHasher, "hash", gated)
    return opened


async def test_a_full_pool_refuses_at_once_and_takes_up_again(gate: threading.Event) -> None:
    pool = HashPool(CHEAPEST, waiting_max=3)
    waiting = [asyncio.create_task(pool.hash(b"pw")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(HashPoolFullError, match="3 passwords are being checked"):
        await pool.hash(b"pw")
    gate.set()
    assert len(set(await asyncio.gather(*waiting))) == 3
    assert (await pool.hash(b"pw")).startswith("$argon2id$")
    pool.close()


async def test_who_gives_up_waiting_gives_the_place_back(gate: threading.Event) -> None:
    pool = HashPool(CHEAPEST, threads=1, waiting_max=2)
    running, waiting = (asyncio.create_task(pool.hash(b"pw")) for _ in range(2))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    next_one = asyncio.create_task(pool.hash(b"pw"))
    gate.set()
    assert await running != await next_one
    pool.close()


async def test_closing_ends_those_who_wait(gate: threading.Event) -> None:
    pool = HashPool(CHEAPEST, threads=1)
    running, waiting = (asyncio.create_task(pool.hash(b"pw")) for _ in range(2))
    await asyncio.sleep(0)
    pool.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert (await running).startswith("$argon2id$")


async def test_a_login_that_finds_the_pool_full_is_told_so(tmp_path: Path, gate: threading.Event) -> None:
    gate.set()
    async with await Users.open(tmp_path / "users.db", hashing=CHEAPEST, hashes_waiting_max=1) as users:
        gate.clear()
        adding = asyncio.create_task(users.add("alice", "pw"))
        await asyncio.sleep(0)
        with pytest.raises(HashPoolFullError):
            await users.verify("nobody", "pw")
        gate.set()
        await adding


def test_only_the_latest_users_are_remembered() -> None:
    remembered = RememberedPasswords(size_max=2)
    for name in ("a", "b"):
        remembered.remember(name, "hash", b"pw")
    assert remembered.knows("a", "hash", b"pw")
    remembered.remember("c", "hash", b"pw")
    assert [remembered.knows(name, "hash", b"pw") for name in ("a", "b", "c")] == [True, False, True]
    assert len(remembered) == 2


def test_a_remembered_password_stands_for_one_user_and_one_hash() -> None:
    remembered = RememberedPasswords()
    remembered.remember("a", "hash", b"pw")
    assert not remembered.knows("a", "hash", b"guess")
    assert not remembered.knows("a", "another hash", b"pw")
    assert not remembered.knows("b", "hash", b"pw")

"""The tree hash against published vectors and its definition; the leaf against its fields."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.merkle import EMPTY_ROOT, Frontier, command_digest, leaf_hash
from tests.eventstore.log_builders import tree_hash

# The reference inputs of RFC 6962 implementations (google/certificate-transparency), whose tree RFC 9162 keeps.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
LEAVES = [sha256(b"\x00" + bytes.fromhex(text)).digest() for text in INPUTS]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

COMMAND: dict[str, Any] = {
    "first_log_seq": 4,
    "command_seq": 2,
    "event_count": 1,
    "at_ns": 1_700_000_000_000_000_000,
    "type_": "Lend",
    "version": 1,
    "actor": "reader/7",
    "client_id": "c1",
    "origin": "desk/2",
    "body": b"{}",
}
EVENT: dict[str, Any] = {
    "command": bytes(32),
    "log_seq": 4,
    "stream": "book/1",
    "stream_version": 3,
    "type_": "Lent",
    "version": 1,
    "payload": b"{}",
}


@pytest.mark.parametrize("size", range(9))
def test_frontier_gives_the_published_roots(size: int) -> None:
    tree = Frontier()
    tree.extend(LEAVES[:size])
    assert tree.root().hex() == ROOTS[size]
    assert tree_hash(LEAVES[:size]).hex() == ROOTS[size]


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == ROOTS[0]


@given(st.lists(st.integers(0, 40), max_size=8))
def test_frontier_agrees_with_the_definition_after_every_batch(batches: list[int]) -> None:
    tree, leaves = Frontier(), list[bytes]()
    for size in batches:
        added = [sha256(b"%d" % n).digest() for n in range(len(leaves), len(leaves) + size)]
        tree.extend(added)
        leaves += added
        assert tree.size == len(leaves)
        assert tree.root() == tree_hash(leaves)


def test_a_copy_grows_on_its_own() -> None:
    tree = Frontier()
    tree.extend(LEAVES[:3])
    twin = tree.copy()
    twin.extend(LEAVES[3:8])
    assert (tree.root().hex(), twin.root().hex()) == (ROOTS[3], ROOTS[8])
    assert (tree.size, twin.size) == (3, 8)


def test_the_encoding_of_a_command_and_a_leaf_is_fixed() -> None:
    """Every log ever written depends on these bytes: docs/adr/0004-merkle-leaves-and-verify.md."""
    command = (
        b"\x02"
        + (4).to_bytes(8, "big")  # first_log_seq
        + (2).to_bytes(8, "big")  # command_seq
        + (1).to_bytes(4, "big")  # event count
        + (1_700_000_000_000_000_000).to_bytes(8, "big")  # at_ns
        + (1).to_bytes(4, "big")  # version
        + b"\0\0\0\4" + b"\0\0\0\x08" + b"\0\0\0\2" + b"\0\0\0\6"  # lengths of the texts
        + b"Lend" + b"reader/7" + b"c1" + b"desk/2" + b"{}"
    )  # fmt: skip
    digest = sha256(command).digest()
    assert command_digest(**COMMAND) == digest
    leaf = (
        b"\x00"
        + (4).to_bytes(8, "big")  # log_seq
        + (3).to_bytes(8, "big")  # stream_version
        + (1).to_bytes(4, "big")  # version
        + b"\0\0\0\6" + b"\0\0\0\4" + b"\0\0\0\2"  # lengths of stream, type, payload
        + digest + b"book/1" + b"Lent" + b"{}"
    )  # fmt: skip
    assert leaf_hash(**{**EVENT, "command": digest}) == sha256(leaf).digest()


@pytest.mark.parametrize("field", COMMAND)
def test_every_column_of_a_command_changes_its_digest(field: str) -> None:
    assert command_digest(**changed(COMMAND, field)) != command_digest(**COMMAND)


@pytest.mark.parametrize("field", EVENT)
def test_every_column_of_an_event_changes_its_leaf(field: str) -> None:
    assert leaf_hash(**changed(EVENT, field)) != leaf_hash(**EVENT)


def changed(row: dict[str, Any], field: str) -> dict[str, Any]:
    value = row[field]
    return {**row, field: value + 1 if isinstance(value, int) else value + value[:1]}


@pytest.mark.parametrize(
    ("row", "left", "right"),
    [
        (COMMAND, "type_", "actor"),
        (COMMAND, "actor", "client_id"),
        (COMMAND, "client_id", "origin"),
        (EVENT, "stream", "type_"),
    ],
)
def test_a_character_that_moves_to_the_next_text_changes_the_hash(row: dict[str, Any], left: str, right: str) -> None:
    moved = {**row, left: row[left][:-1], right: row[left][-1] + row[right]}
    hash_of = command_digest if row is COMMAND else leaf_hash
    assert hash_of(**moved) != hash_of(**row)

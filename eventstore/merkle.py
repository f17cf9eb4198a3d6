"""Merkle tree hash over the log's events (RFC 9162, section 2.1.1), grown leaf by leaf.

The tree of n leaves splits at the largest power of two below n, so its left parts are perfect trees that never change
again. A `Frontier` keeps only the tops of these perfect trees: one for each bit set in n, the largest first. A new
leaf merges the equal-sized tops at the right end, as adding 1 carries through the set bits at the end of n.

`verify.py` states the same format a second time on purpose and shares nothing with this module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
"""The tree hash over no leaves."""

# The first byte of everything hashed tells what it is, so that no text can pass for another kind.
# 0 and 1 are the RFC's for leaves and inner nodes; 2 is ours.
_LEAF = 0
_NODE = b"\x01"
_COMMAND = 2

# Every field has a fixed width or stands behind the lengths of all texts: two different rows never give the same bytes.
_COMMAND_FIELDS = struct.Struct(">BQQIQIIIII")
_LEAF_FIELDS = struct.Struct(">BQQIIII")


def command_digest(
    first_log_seq: int,
    command_seq: int,
    event_count: int,
    at_ns: int,
    type_: str,
    version: int,
    actor: str,
    client_id: str,
    origin: str,
    body: bytes,
) -> bytes:
    """SHA-256 over every stored column of a command, 32 bytes; goes into the leaf of each of its events."""
    type_bytes, actor_bytes, client_id_bytes, origin_bytes = (
        type_.encode(),
        actor.encode(),
        client_id.encode(),
        origin.encode(),
    )
    fields = _COMMAND_FIELDS.pack(
        _COMMAND,
        first_log_seq,
        command_seq,
        event_count,
        at_ns,
        version,
        len(type_bytes),
        len(actor_bytes),
        len(client_id_bytes),
        len(origin_bytes),
    )
    return sha256(fields + type_bytes + actor_bytes + client_id_bytes + origin_bytes + body).digest()


def leaf_hash(
    command: bytes, log_seq: int, stream: str, stream_version: int, type_: str, version: int, payload: bytes
) -> bytes:
    """The leaf of one event: SHA-256 over every stored column of it and the digest of its command, 32 bytes."""
    stream_bytes, type_bytes = stream.encode(), type_.encode()
    fields = _LEAF_FIELDS.pack(
        _LEAF, log_seq, stream_version, version, len(stream_bytes), len(type_bytes), len(payload)
    )
    return sha256(fields + command + stream_bytes + type_bytes + payload).digest()


class Frontier:
    """The growing edge of the tree: appends in amortised O(1), the root in O(log n), memory O(log n)."""

    __slots__ = ("_tops", "size")

    def __init__(self) -> None:
        self.size = 0
        self._tops: list[bytes] = []

    def copy(self) -> Frontier:
        """Another frontier over the same leaves that grows on its own."""
        twin = Frontier()
        twin.size = self.size
        twin._tops = self._tops.copy()
        return twin

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes in order."""
        tops, size = self._tops, self.size
        for top in leaves:
            carry = size
            while carry & 1:
                top = sha256(_NODE + tops.pop() + top).digest()
                carry >>= 1
            tops.append(top)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """The tree hash over all leaves so far, 32 bytes."""
        if not self._tops:
            return EMPTY_ROOT
        root, *larger = reversed(self._tops)
        for top in larger:
            root = sha256(_NODE + top + root).digest()
        return root

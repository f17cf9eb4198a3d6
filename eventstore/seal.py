"""Seals: the chain over commits and epochs, for the columns that no Merkle leaf covers.

A leaf covers an event and its command. The commit's own columns (how far it reaches, epoch, state hash) are covered
by its seal, which also takes in the seal before it: a commit that was changed or taken out of the middle breaks the
chain behind it. The seals take in the log's id as well, so the rows of one log cannot pass for another's.
"""

from __future__ import annotations

import struct
from hashlib import sha256

from eventstore.model import Commit

NO_SEAL = bytes(32)
"""Stands before the first commit."""

# Continues the numbering of hashed things begun in merkle.py.
_EPOCH = 3
_COMMIT = 4

_EPOCH_FIELDS = struct.Struct(">BQQI")
_COMMIT_FIELDS = struct.Struct(">BQQQQBI")


def epoch_seal(log_id: str, epoch: int, after_log_seq: int, commit_seal_before: bytes) -> bytes:
    """The seal of an epoch that began when the log ended at `after_log_seq`, 32 bytes."""
    name = log_id.encode()
    return sha256(_EPOCH_FIELDS.pack(_EPOCH, epoch, after_log_seq, len(name)) + name + commit_seal_before).digest()


def commit_seal(log_id: str, commit: Commit, seal_before: bytes) -> bytes:
    """The seal of a commit behind the one sealed by `seal_before`, 32 bytes."""
    name = log_id.encode()
    fields = _COMMIT_FIELDS.pack(
        _COMMIT,
        commit.last_log_seq,
        commit.last_command_seq,
        commit.at_ns,
        commit.epoch,
        commit.state_hash is not None,
        len(name),
    )
    return sha256(fields + name + seal_before + commit.root + (commit.state_hash or b"")).digest()

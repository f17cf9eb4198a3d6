"""Files that only their owner may read, at no moment of their life anybody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""Owner reads and writes, nobody else anything."""


def make_private(path: Path) -> None:
    """Make an empty private file; one that is there keeps what it holds and becomes private."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    except FileExistsError:
        # Not opened: closing any descriptor of a SQLite file drops the locks that this process has on it.
        path.chmod(PRIVATE)


def replace_private(path: Path, content: bytes) -> None:
    """Put a private file with this content in the place of `path`; a reader sees the old one or the new one, whole.

    One writer at a time: the caller holds a lock.
    """
    fresh = path.with_name(path.name + ".new")
    # What a killed writer left behind may have any mode: O_EXCL makes sure that ours is a file of our own.
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
        file.write(content)
    fresh.replace(path)

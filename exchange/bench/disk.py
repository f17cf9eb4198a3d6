"""What the disk can do: write some bytes and make them durable, again and again, as a log must."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from exchange.bench.load import percentiles
from exchange.bench.plan import Percentiles

WRITES: Final = 300
SECONDS_MAX: Final = 2.0
"""A slow disk is asked less often."""
PLACE_BYTES: Final = 4 * 2**20
"""The file that is written over and over, as the exchange's write-ahead log is."""

make_durable: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
"""fdatasync; fsync on systems that do not have it."""


def write_growing(folder: Path, size: int) -> Percentiles:
    """Append `size` bytes to a file and make them durable: the file's length changes with every write."""
    content = os.urandom(size)
    return _timed(folder, lambda file, _: os.write(file, content))


def write_in_place(folder: Path, size: int) -> Percentiles:
    """Write `size` bytes over what is there and make them durable: nothing but the content changes."""
    content = os.urandom(size)
    places = max(PLACE_BYTES // size, 1)
    return _timed(folder, lambda file, turn: os.pwrite(file, content, turn % places * size), prepared=places * size)


def _timed(folder: Path, write: Callable[[int, int], object], *, prepared: int = 0) -> Percentiles:
    path = folder / "disk"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, os.urandom(prepared))
        os.fsync(file)
        latencies: list[int] = []
        end = time.perf_counter() + SECONDS_MAX
        while len(latencies) < WRITES and time.perf_counter() < end:
            begin = time.perf_counter_ns()
            write(file, len(latencies))
            make_durable(file)
            latencies.append(time.perf_counter_ns() - begin)
        return percentiles(latencies)
    finally:
        os.close(file)
        path.unlink()

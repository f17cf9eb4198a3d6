"""Run as a process of its own: append the endless log of `numbered_entry` and say after each commit what is durable.

Arguments: the log's path, how many entries a commit has, the largest file in bytes that may be written (0: no limit).
Prints `durable LOG_SEQ` per commit; after an error its kind, and the kind that the next append meets.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from eventstore.model import StoreError
from eventstore.sqlite import SqliteStore
from tests.eventstore.log_builders import numbered_entry


def main() -> None:
    path, batch, file_bytes_max = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    store = SqliteStore(path)
    if file_bytes_max:
        # Python ignores the signal, so a write beyond the limit fails as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, resource.RLIM_INFINITY))
    n = store.head.command_seq
    while True:
        entries = [numbered_entry(n + k) for k in range(1, batch + 1)]
        try:
            head = store.append(entries)
            store.housekeep(idle=True)
        except StoreError as error:
            print(type(error).__name__, flush=True)
            break
        print("durable", head.log_seq, flush=True)
        n += batch
    try:
        store.append(entries)
    except StoreError as error:
        print(type(error).__name__, flush=True)


main()

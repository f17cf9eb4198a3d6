"""The lock file beside a log: one process at a time writes.

SQLite by itself would let a second writer in between two transactions, and the SQLite bundled with Python can corrupt
a WAL that two connections write to or checkpoint. The operating system frees the lock when the process ends, however
it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from eventstore.model import LogLockedError, StoreError


class LogLock:
    """Held from creation to `release`. Raises LogLockedError when somebody else holds it."""

    def __init__(self, log_path: Path) -> None:
        path = log_path.with_name(log_path.name + ".lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"cannot open the lock file {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._leave_process_id()
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            self.release()
            raise LogLockedError(
                f"{log_path} is open for writing in process {holder}: stop that process, or open the log for reading"
            ) from error
        except OSError as error:
            self.release()
            raise StoreError(f"cannot lock {path}: {error.strerror}; is it on a full or a network disk?") from error

    def release(self) -> None:
        """Let the next writer in. The file stays: removing it would let two processes lock two files of one name."""
        os.close(self._descriptor)

    def _leave_process_id(self) -> None:
        # Only for the message to the next one; the lock itself is the kernel's. A fixed width overwrites what stood
        # there.
        os.pwrite(self._descriptor, f"{os.getpid():<31}\n".encode("ascii"), 0)

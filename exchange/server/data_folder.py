"""The data folder: which file lies where, who owns it at the moment, and how others find the server that does.

log.db users.db         the log, and the names and password hashes that stay out of it
chronex.lock            locked by the process that serves from the folder or writes to it; the content says nothing
server.json admin.token while a server runs: where it listens, and the secret that proves to it who may command it
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from exchange.server.private_files import PRIVATE, replace_private

LOCK_ATTEMPTS: Final = 20
LOCK_PAUSE_S: Final = 0.01


class FolderError(Exception):
    """The data folder cannot be used as asked; the text says what to do."""


class FolderLockedError(FolderError):
    """Another process, or another part of this one, serves from the folder or writes to it."""

    def __init__(self, path: Path, server: ServerInfo | None) -> None:
        if server is None:
            holder = "a command that is still writing, or a server that is starting: wait for it to end and try again"
        else:
            holder = f"{server}: stop it first, or use a command that speaks to the running server"
        super().__init__(f"the data folder {path} is in use by {holder}")
        self.server = server


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A running server, as `server.json` tells of it."""

    pid: int
    host: str
    """The address it listens on."""
    port: int
    scheme: str
    """`http` or `https`."""
    started_at: datetime
    """With a time zone."""
    log_id: str

    @property
    def url(self) -> str:
        """Where programs on this machine reach it."""
        # Listening on all addresses is no address to connect to.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def __str__(self) -> str:
        return f"the server at {self.url} (process {self.pid}, started {self.started_at.isoformat(' ', 'seconds')})"


class DataFolder:
    """One data folder. Making this object touches nothing on the disk: a mistyped path must not become a folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.log_db = self.path / "log.db"
        self.users_db = self.path / "users.db"
        self.lock_file = self.path / "chronex.lock"
        self.server_json = self.path / "server.json"
        self.admin_token = self.path / "admin.token"
        self._locked = False

    def create(self) -> None:
        """Make the folder, open to its owner only; one that is there stays as it is. `lock` does this by itself."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise FolderError(f"cannot make the data folder {self.path}: {error.strerror}") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Own the folder: for as long as a server serves from it, or a command writes to it while no server runs.

        The operating system gives the lock back when the process ends, however it ends. Raises FolderLockedError when
        somebody else holds it, FolderError when there cannot be such a folder.
        """
        self.create()
        descriptor = self._open_lock_file()
        try:
            self._take(descriptor)
            # A server that was killed could not withdraw what it published.
            self._remove_published()
            self._locked = True
            try:
                yield
            finally:
                self._locked = False
                self._remove_published()
        finally:
            # This unlocks. The file stays: were it removed, two processes could lock two files of one name.
            os.close(descriptor)

    def publish(self, server: ServerInfo) -> None:
        """Tell everybody who may read the folder where the server is, with a fresh admin token. Only under `lock`."""
        assert self._locked, f"{self.path} is not locked: another server may have published here"
        # The token first: whoever finds server.json goes on to read it.
        replace_private(self.admin_token, secrets.token_urlsafe(32).encode("ascii"))
        replace_private(self.server_json, msgspec.json.encode(server) + b"\n")

    def withdraw(self) -> None:
        """Take back what `publish` told, before the port is closed; the end of the lock does it at the latest."""
        assert self._locked, f"{self.path} is not locked: what is published there may be another server's"
        self._remove_published()

    def running(self) -> ServerInfo | None:
        """The server that runs on this folder now; None where there is none, or none that has published itself yet.

        Files left behind by a killed server are no sign of life: a server lives while it holds the lock. Raises
        FolderError when the files cannot be read.
        """
        content = self._read(self.server_json)
        if content is None or not self.is_locked():
            return None
        try:
            return msgspec.json.decode(content, type=ServerInfo)
        except msgspec.DecodeError as error:
            raise FolderError(
                f"{self.server_json} is not what a server writes ({error}): stop the server and start it again"
            ) from error

    def is_locked(self) -> bool:
        """Whether somebody owns the folder: a server, starting or not, or a command that writes."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who look at once do not take each other for the owner.
            return not self._try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def read_admin_token(self) -> str:
        """The secret that the running server takes for its operator's. Raises FolderError when there is none for us."""
        content = self._read(self.admin_token)
        if content is None:
            raise FolderError(f"there is no {self.admin_token}: no server runs on this folder")
        return content.decode("ascii")

    def _open_lock_file(self) -> int:
        try:
            return os.open(self.lock_file, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise FolderError(f"cannot open the lock file {self.lock_file}: {error.strerror}") from error

    def _take(self, descriptor: int) -> None:
        # `is_locked` of another process holds a shared lock for some microseconds; that must not stop a start.
        for _ in range(LOCK_ATTEMPTS):
            if self._try_lock(descriptor, fcntl.LOCK_EX):
                return
            time.sleep(LOCK_PAUSE_S)
        raise FolderLockedError(self.path, self.running())

    def _try_lock(self, descriptor: int, kind: int) -> bool:
        """Whether the lock was free and is now held by `descriptor`."""
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise FolderError(
                f"cannot lock {self.lock_file}: {error.strerror}; put the data folder on a local disk"
            ) from error
        return True

    def _remove_published(self) -> None:
        self.server_json.unlink(missing_ok=True)
        self.admin_token.unlink(missing_ok=True)

    @staticmethod
    def _read(path: Path) -> bytes | None:
        """The file's content; None where there is no such file."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise FolderError(f"{path} is for the user who started the server only: run this as that user") from error
        except OSError as error:
            raise FolderError(f"cannot read {path}: {error.strerror}") from error

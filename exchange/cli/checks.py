"""What `doctor` looks at on the machine and in the folder. Each check reads only, and says what to do."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from eventstore.model import Head
from eventstore.schema import SQLITE_MIN
from exchange.cli.times import china_text
from exchange.server.data_folder import DataFolder, FolderError, ServerInfo

PYTHON_MIN: Final = (3, 11)
DISK_FAIL_BYTES: Final = 100 * 2**20
DISK_WARN_BYTES: Final = 2**30
FILES_BESIDE_CONNECTIONS: Final = 64
"""Open files that the server needs beside one for each connection."""
CLOCK_MIN_NS: Final = 1_735_689_600 * 1_000_000_000
"""2025-01-01 UTC: a clock before this program was written was never set."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """What one check found."""

    level: Level
    subject: str
    what: str
    todo: str = ""
    """What to do about it; empty where all is well, and where `what` says it."""


def ok(subject: str, what: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, subject, what)


def warn(subject: str, what: str, todo: str) -> Finding:
    """It works, but not as it should."""
    return Finding(Level.WARN, subject, what, todo)


def fail(subject: str, what: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, subject, what, todo)


def check_python() -> Finding:
    """Whether this Python can run the exchange."""
    found = platform.python_version()
    if sys.version_info < PYTHON_MIN:
        return fail("python", found, "install Python 3.11 or newer")
    return ok("python", f"{found} on {platform.system()}")


def check_sqlite() -> Finding:
    """Whether the SQLite that comes with this Python knows the tables of the log."""
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        least = ".".join(map(str, SQLITE_MIN))
        return fail("sqlite", sqlite3.sqlite_version, f"install a Python with SQLite {least} or newer")
    return ok("sqlite", sqlite3.sqlite_version)


def check_folder(folder: DataFolder) -> Finding:
    """Whether the data folder can be written to, and by its owner only."""
    path = folder.path
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return warn("folder", f"there is no {path} yet", "`exchange serve` makes it; or give another --data")
    except OSError as error:
        return fail("folder", f"{path} cannot be looked at: {error.strerror}", "run this as its owner")
    if not stat.S_ISDIR(mode):
        return fail("folder", f"{path} is no folder", "give another --data")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return fail("folder", f"{path} cannot be written to", "run this as the owner of the folder, or give it to you")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warn("folder", f"{path} is open to other users of this machine", f"chmod 700 {path}")
    return ok("folder", f"{path} is yours alone")


def check_private_files(folder: DataFolder) -> Iterator[Finding]:
    """Whether the files with password hashes and the admin token are private."""
    for path in (folder.users_db, folder.admin_token):
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield warn("files", f"{path} can be read by other users of this machine", f"chmod 600 {path}")


def check_server(folder: DataFolder) -> tuple[Finding, ServerInfo | None]:
    """Whether a server runs on the folder; with it, where that can be told."""
    try:
        server = folder.running()
    except FolderError as error:
        return fail("server", str(error), ""), None
    if server is not None:
        return ok("server", f"{server} runs on this folder"), server
    if folder.is_locked():
        return ok("server", "another command writes to this folder now, or a server is starting"), None
    if folder.server_json.exists():
        what = f"none; {folder.server_json} was left by one that was killed, the next start removes it"
        return ok("server", what), None
    return ok("server", "none runs on this folder"), None


def check_port(server: ServerInfo | None, host: str, port: int) -> Finding:
    """Whether a server could listen there, or the one that runs already does."""
    if server is not None and server.port == port:
        return ok("port", f"{port} is the running server's")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as sock:
            # As the server does: a port whose last connections still time out is free.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except OSError as error:
        what = f"cannot listen on {host} port {port}: {error.strerror}"
        return fail("port", what, "stop the program that listens there, or give another --port")
    return ok("port", f"{host} port {port} is free")


def check_disk(folder: DataFolder) -> Finding:
    """Whether there is room for the log to grow."""
    place = next(each for each in (folder.path, *folder.path.parents) if each.exists())
    free = shutil.disk_usage(place).free
    what = f"{free / 2**30:.1f} GiB free at {place}"
    if free < DISK_FAIL_BYTES:
        return fail("disk", what, "make room: with a full disk the exchange stops taking orders")
    if free < DISK_WARN_BYTES:
        return warn("disk", what, "make room: the log only ever grows, by about half a kilobyte an event")
    return ok("disk", what)


def check_open_files(connections_max: int) -> Finding:
    """Whether the system lets the server have as many connections as the settings do."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections_max + FILES_BESIDE_CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < needed:
        room = max(soft - FILES_BESIDE_CONNECTIONS, 0)
        what = f"{soft} are allowed, so about {room} connections, where the settings allow {connections_max}"
        return warn("open files", what, f"ulimit -n {needed}, or set EXCHANGE_CONNECTIONS_MAX to {room}")
    return ok("open files", "unlimited" if soft == resource.RLIM_INFINITY else f"{soft} are allowed")


def check_clock(head: Head | None) -> Finding:
    """Whether the clock can be right. The log's time never falls: behind its last entry it stands still."""
    now_ns = time.time_ns()
    if now_ns < CLOCK_MIN_NS:
        return fail("clock", f"it says {china_text(now_ns)}", "set the clock of this machine")
    if head is not None and head.at_ns > now_ns:
        what = f"it says {china_text(now_ns)}, the log's last entry is of {china_text(head.at_ns)}"
        return warn("clock", what, "set the clock; until it has passed that, all new entries get that time")
    return ok("clock", china_text(now_ns))

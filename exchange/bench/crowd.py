"""A crowd of clients that lose their lines all at once and come back: `python -m exchange.bench.crowd`, a process of
its own with a `CrowdPlan` on standard input and what it `Saw` on standard output. It says when everybody is in, and
goes on when a line comes.

Raw sockets and one thread, as in the load generator; nobody of the crowd trades. Three times everybody connects and
logs in at once, as fast as the server lets them:

    open      with nothing, the first time ever: the exchange opens their accounts
    log in    with nothing, once more
    resume    with the version that each of them had when the line was cut
"""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
import orjson

from exchange.bench.frames import CLOSE, END_OF_HEAD, PING, PONG, UPGRADE, UPGRADED, next_frame, text_frame
from exchange.bench.plan import CrowdPlan, Saw

RECEIVE_BYTES: Final = 1 << 16
SILENCE_MAX_S: Final = 30.0
SETTLING_S: Final = 0.5
"""How long the crowd stays after its return, so that what was on its way meanwhile is answered."""
PEEK: Final = text_frame(b'{"aid":"peek_message"}')
_VERSION: Final = re.compile(rb'"version":(\d+)')
_LOG_ID: Final = re.compile(rb'"log_id":"([^"]+)"')
_FULL: Final = b'"full":true'
_CLOSED_WITH_UNREAD: Final = (1, 0)
"""SO_LINGER: the socket is reset when it is closed, as a line that is cut."""


class CrowdError(Exception):
    """The server did not let everybody in, or did not lead them from where they were: nothing was measured."""


class _Client:
    """One of the crowd. Its socket never blocks; what it sends always fits into the system's buffer."""

    def __init__(self, plan: CrowdPlan, login: str) -> None:
        self._plan = plan
        self._login: dict[str, object] = orjson.loads(login)
        self._unread = b""
        self._upgraded = False
        self.socket: socket.socket
        self.is_in = False
        self.was_full = False
        """Whether the answer to its login was the whole picture."""

    def connect(self) -> None:
        """Begin to come in."""
        self._unread, self._upgraded, self.is_in = b"", False, False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(
            socket.SOL_SOCKET,
            socket.SO_LINGER,
            b"".join(each.to_bytes(4, sys.byteorder) for each in _CLOSED_WITH_UNREAD),
        )
        begun = self.socket.connect_ex(("127.0.0.1", self._plan.port))
        if begun not in (0, errno.EINPROGRESS):
            raise CrowdError(f"cannot connect: {os.strerror(begun)}")

    def connected(self) -> None:
        """TCP is there: ask for the WebSocket, and do not wait for it."""
        failed = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise CrowdError(f"cannot connect: {os.strerror(failed)}")
        self.socket.sendall(UPGRADE % self._plan.path.encode())

    def take(self) -> None:
        """Read what came."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise CrowdError("the server ended a connection")
        self._unread += data
        if not self._upgraded:
            head, ended, rest = self._unread.partition(END_OF_HEAD)
            if not ended:
                return
            if not head.startswith(UPGRADED):
                raise CrowdError(f"the upgrade was refused: {head[:200]!r}")
            self._upgraded, self._unread = True, rest
            self.socket.sendall(text_frame(orjson.dumps(self._login)) + PEEK)
        self._take_frames()

    def _take_frames(self) -> None:
        at, data = 0, self._unread
        while (whole := next_frame(data, at)) != (0, 0):
            start, end = whole
            if data[at] == PING:
                self.socket.sendall(PONG)
            elif data[at] == CLOSE:
                raise CrowdError(f"the server ended a connection: {data[start:end]!r}")
            else:
                self._step(data[start:end])
            at = end
        self._unread = data[at:]

    def _step(self, step: bytes) -> None:
        version = _VERSION.search(step)
        if version is None:
            raise CrowdError(f"the login was refused: {step[:500]!r}")
        self._login["version"] = int(version[1])
        if not self.is_in:
            log_id = _LOG_ID.search(step)
            if log_id is None:
                raise CrowdError(f"the answer to a login has no log_id: {step[:500]!r}")
            self._login["log_id"] = log_id[1].decode()
            self.was_full = _FULL in step
            self.is_in = True
        else:
            self.socket.sendall(PEEK)

    def forget(self) -> None:
        """Come back as somebody who has nothing."""
        self._login.pop("version", None)
        self._login.pop("log_id", None)


class _Crowd:
    def __init__(self, plan: CrowdPlan) -> None:
        self._plan = plan
        self._clients = [_Client(plan, login) for login in plan.logins]
        self._selector = selectors.DefaultSelector()

    def come_in(self) -> float:
        """Everybody connects and logs in at once; returns the seconds until the last one has the answer."""
        begin = time.perf_counter()
        missing = len(self._clients)
        for client in self._clients:
            client.connect()
            self._selector.register(client.socket, selectors.EVENT_WRITE, client)
        while missing:
            for client, writable in self._ready():
                if writable:
                    client.connected()
                    self._selector.modify(client.socket, selectors.EVENT_READ, client)
                    continue
                was_in = client.is_in
                client.take()
                missing -= client.is_in and not was_in
        return time.perf_counter() - begin

    def stay_until_told(self) -> None:
        """Stay in until a line comes on standard input."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        told = False
        while not told:
            for key, _ in self._selector.select():
                if key.data is None:
                    told = True
                else:
                    key.data.take()
        self._selector.unregister(sys.stdin)

    def stay(self, seconds: float) -> None:
        """Stay in, and answer what comes."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            for key, _ in self._selector.select(left):
                key.data.take()

    def leave(self) -> None:
        """Cut all lines."""
        for client in self._clients:
            self._selector.unregister(client.socket)
            client.socket.close()

    def forget(self) -> None:
        """Everybody comes back as somebody who has nothing."""
        for client in self._clients:
            client.forget()

    @property
    def full_steps(self) -> int:
        """How many got the whole picture when they came in."""
        return sum(client.was_full for client in self._clients)

    def _ready(self) -> list[tuple[_Client, bool]]:
        ready = [
            (key.data, bool(events & selectors.EVENT_WRITE)) for key, events in self._selector.select(SILENCE_MAX_S)
        ]
        if not ready:
            raise CrowdError(f"nothing came for {SILENCE_MAX_S:g} s")
        return ready


def memory_kb(pid: int, name: str) -> int:
    """A process's memory in KiB: `VmRSS` what it has, `VmHWM` the most it ever had; 0 where nobody tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) if found else 0


def run(plan: CrowdPlan) -> Saw:
    """Come in, leave, come in again, stay, have the lines cut, come back."""
    empty_kb = memory_kb(plan.pid, "VmRSS")
    crowd = _Crowd(plan)
    opened_s = crowd.come_in()
    crowd.leave()
    crowd.forget()
    logged_in_s = crowd.come_in()
    print("everybody is in", flush=True)
    crowd.stay_until_told()
    crowd.stay(plan.calm_s)
    calm_kb = memory_kb(plan.pid, "VmRSS")
    cut_at_ns = time.perf_counter_ns()
    crowd.leave()
    resumed_s = crowd.come_in()
    crowd.stay(SETTLING_S)
    full_steps = crowd.full_steps
    peak_kb = memory_kb(plan.pid, "VmHWM")
    crowd.leave()
    return Saw(
        opened_s=opened_s,
        logged_in_s=logged_in_s,
        cut_at_ns=cut_at_ns,
        resumed_s=resumed_s,
        full_steps=full_steps,
        empty_kb=empty_kb,
        calm_kb=calm_kb,
        peak_kb=peak_kb,
    )


def main() -> None:
    """Run the plan on standard input, write what was seen to standard output, on its last line."""
    print(msgspec.json.encode(run(msgspec.json.decode(sys.stdin.buffer.readline(), type=CrowdPlan))).decode())


if __name__ == "__main__":
    main()

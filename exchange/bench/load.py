"""The load generator, a process of its own: `python -m exchange.bench.load` with a `LoadPlan` on standard input.

Raw sockets and one thread. An answer is not decoded: counting a word in it tells how many messages it answers, and
since the exchange takes each connection's messages in order, which ones.
"""

from __future__ import annotations

import gc
import os
import selectors
import socket
import sys
import time
from array import array
from collections import deque
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path
from typing import Final

import msgspec

from exchange.bench.frames import CLOSE, END_OF_HEAD, PING, PONG, UPGRADE, UPGRADED, next_frame, text_frame
from exchange.bench.plan import NUMBER, NUMBER_WIDTH, ClientPlan, LoadPlan, Measured, Percentiles

RECEIVE_BYTES: Final = 1 << 18
SILENCE_MAX_S: Final = 20.0
"""Without any answer for so long the load has failed."""


class LoadError(Exception):
    """The far side did not do what was asked of it: nothing was measured."""


class _Client:
    """One connection. Its socket blocks: it is read only when there is something, and what is written is small."""

    def __init__(self, plan: LoadPlan, own: ClientPlan) -> None:
        self.sent: deque[tuple[str, int]] = deque()
        """Kind and time of each message on its way, oldest first."""
        self._ask = text_frame(plan.ask.encode()) if plan.ask else b""
        self._shows = plan.shows.encode()
        self._fails = tuple(each.encode() for each in plan.fails)
        self._steps = cycle([(step.kind, *_cut(step.text)) for step in own.cycle])
        self._number = 0
        self._unread = b""
        self.socket = socket.create_connection(("127.0.0.1", plan.port), timeout=SILENCE_MAX_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upgrade(plan.path)
        if own.login:
            self._log_in(own.login, plan.welcome)
        self.socket.settimeout(None)

    def _upgrade(self, path: str) -> None:
        self.socket.sendall(UPGRADE % path.encode())
        head = b""
        while END_OF_HEAD not in head:
            head += self._receive()
        if not head.startswith(UPGRADED):
            raise LoadError(f"the upgrade was refused: {head[:200]!r}")

    def _log_in(self, login: str, welcome: str) -> None:
        self.socket.sendall(text_frame(login.encode()))
        answer = b""
        while next_frame(answer, 0) == (0, 0):
            answer += self._receive()
        if welcome.encode() not in answer:
            raise LoadError(f"the login was refused: {answer[:500]!r}")
        self.socket.sendall(self._ask)

    def _receive(self) -> bytes:
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise LoadError("the server ended the connection")
        return data

    def send_first(self, texts: Iterable[str]) -> None:
        """Send messages that are not measured."""
        frames = [text_frame(text.encode()) for text in texts]
        self.sent.extend([("", 0)] * len(frames))
        self.socket.sendall(b"".join(frames))

    def send_next(self, count: int, ask_again: int) -> None:
        """Send the next messages of the cycle, behind a request for news for each answer that came."""
        frames = [self._ask] * ask_again
        kinds = []
        for _ in range(count):
            kind, before, after = next(self._steps)
            frames.append(b"%b%0*d%b" % (before, NUMBER_WIDTH, self._number, after))
            kinds.append(kind)
            self._number += 1
        now = time.perf_counter_ns()
        self.sent.extend([(kind, now) for kind in kinds])
        data = b"".join(frames)
        if data:
            self.socket.sendall(data)

    def take(self) -> tuple[int, int]:
        """Read what came: how many answers, and how many messages they answer."""
        data = self._unread + self._receive()
        at = answers = answered = 0
        while (whole := next_frame(data, at)) != (0, 0):
            start, end = whole
            if data[at] == PING:
                self.socket.sendall(PONG)
            else:
                self._check(data, at, start, end)
                answers += 1
                answered += data.count(self._shows, start, end) if self._shows else 1
            at = end
        self._unread = data[at:]
        return answers, answered

    def _check(self, data: bytes, at: int, start: int, end: int) -> None:
        if data[at] == CLOSE:
            raise LoadError(f"the server ended the connection: {data[start:end]!r}")
        for each in self._fails:
            if data.find(each, start, end) >= 0:
                raise LoadError(f"an answer holds {each.decode()}: {data[start:end][:1000]!r}")


class _Load:
    """All clients of a plan, and what was measured so far."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._selector = selectors.DefaultSelector()
        self._left_to_send = plan.messages_max
        self._latencies: dict[str, array[int]] = {}
        self._each: list[tuple[int, int]] = []
        self._told_to_stop = False
        self._answers = 0
        self._clients: list[_Client] = []
        for own in plan.clients:
            client = _Client(plan, own)
            self._clients.append(client)
            self._selector.register(client.socket, selectors.EVENT_READ, client)
        if plan.until_told:
            self._selector.register(sys.stdin, selectors.EVENT_READ)

    def run(self) -> Measured:
        """Prepare, warm up, measure, and wait for what is on its way."""
        self._prepare()
        gc.disable()  # nothing here makes a cycle, and a pause would count as the server's
        for client in self._clients:
            self._send(client, self._plan.in_flight, ask_again=0)
        self._keep_going(self._plan.warm_up_s)
        self._latencies.clear()
        self._each.clear()
        self._answers = 0
        if self._plan.until_told:
            print("measuring", flush=True)
        pid = self._plan.pid
        begin, begin_busy, begin_server = time.perf_counter(), time.process_time(), cpu_seconds(pid)
        self._keep_going(self._plan.measure_s)
        seconds, busy = time.perf_counter() - begin, time.process_time() - begin_busy
        server_cpu_s, answers = cpu_seconds(pid) - begin_server, self._answers
        if not self._latencies:
            raise LoadError(f"all {self._plan.messages_max} messages were answered before the measured time began")
        latencies, self._latencies = self._latencies, {}
        each = tuple(self._each)
        self._drain()
        return Measured(
            messages=sum(map(len, latencies.values())),
            seconds=seconds,
            answers=answers,
            latencies={kind: percentiles(each) for kind, each in latencies.items()},
            busy=busy / seconds,
            server_cpu_s=server_cpu_s,
            each=each,
        )

    def close(self) -> None:
        """End all connections."""
        self._selector.close()
        for client in self._clients:
            client.socket.close()

    def _prepare(self) -> None:
        """Let every client's first messages be answered; those who have nothing else to do leave."""
        for client, own in zip(self._clients, self._plan.clients, strict=True):
            client.send_first(own.first)
        self._drain()
        for client, own in zip(tuple(self._clients), self._plan.clients, strict=True):
            if not own.cycle:
                self._selector.unregister(client.socket)
                self._clients.remove(client)
                client.socket.close()

    def _drain(self) -> None:
        """Wait until nothing is on its way."""
        on_their_way = sum(len(client.sent) for client in self._clients)
        while on_their_way:
            for client in self._ready():
                answers, answered = client.take()
                for _ in range(answered):
                    client.sent.popleft()
                on_their_way -= answered
                client.send_next(0, ask_again=answers)

    def _keep_going(self, seconds: float) -> None:
        """Answer each answer with the next messages until the time is over, or the messages are."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and not self._told_to_stop and any(client.sent for client in self._clients):
            for client in self._ready():
                answers, answered = client.take()
                now = time.perf_counter_ns()
                self._answers += answers
                for _ in range(answered):
                    kind, sent_at = client.sent.popleft()
                    self._latencies.setdefault(kind, array("q")).append(now - sent_at)
                    if self._plan.keeps_each:
                        self._each.append((now, now - sent_at))
                self._send(client, answered, ask_again=answers)

    def _send(self, client: _Client, count: int, *, ask_again: int) -> None:
        count = min(count, self._left_to_send)
        self._left_to_send -= count
        client.send_next(count, ask_again)

    def _ready(self) -> list[_Client]:
        keys = [key for key, _ in self._selector.select(SILENCE_MAX_S)]
        if not keys:
            raise LoadError(f"no answer came for {SILENCE_MAX_S:g} s")
        ready = [key.data for key in keys if key.data is not None]
        if len(ready) < len(keys):  # standard input ended
            self._selector.unregister(sys.stdin)
            self._told_to_stop = True
        return ready


def _cut(text: str) -> tuple[bytes, bytes]:
    """A message's frame before and behind its number. All numbers have one width, so the header stands."""
    before, _, after = text.partition(NUMBER)
    frame = text_frame(f"{before}{'0' * NUMBER_WIDTH}{after}".encode())
    end = len(frame) - len(after.encode())
    return frame[: end - NUMBER_WIDTH], frame[end:]


def cpu_seconds(pid: int) -> float:
    """Seconds of one core that a process has used, in steps of 10 ms; 0 where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return 0.0
    # Behind the program's name, which may hold spaces, the 12th and 13th field: of the user, of the system.
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def percentiles(latencies_ns: Iterable[int]) -> Percentiles:
    """The percentiles of at least one latency."""
    ordered = sorted(latencies_ns)

    def rank(permille: int) -> float:
        return ordered[-(-len(ordered) * permille // 1000) - 1] / 1000

    return Percentiles(p50=rank(500), p90=rank(900), p99=rank(990), p999=rank(999))


def main() -> None:
    """Run the plan on standard input, write what was measured to standard output."""
    load = _Load(msgspec.json.decode(sys.stdin.buffer.readline(), type=LoadPlan))
    try:
        measured = load.run()
    finally:
        load.close()
    sys.stdout.buffer.write(msgspec.json.encode(measured))


if __name__ == "__main__":
    main()

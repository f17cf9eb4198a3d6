"""What a load generator is told, and what it answers: JSON over its standard input and output."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

NUMBER: Final = "{number}"
"""Stands in a step's text for the number of the message, which every client counts from 0."""
NUMBER_WIDTH: Final = 8
"""Its digits."""


class Step(Struct, frozen=True, kw_only=True):
    """One message of a client's cycle."""

    kind: str
    """Latencies are counted by kind."""
    text: str
    """The message, with `NUMBER` in it."""


class ClientPlan(Struct, frozen=True, kw_only=True):
    """What one connection does."""

    login: str = ""
    """Sent first, alone; its answer holds `LoadPlan.welcome`. Empty where there is no login."""
    first: tuple[str, ...] = ()
    """Sent at once and answered before anybody's clock starts."""
    cycle: tuple[Step, ...] = ()
    """Repeated as long as the load lasts. Empty for a client that only prepares: it leaves before that."""


class LoadPlan(Struct, frozen=True, kw_only=True):
    """A closed loop: every client has `in_flight` messages on their way, and sends the next as one is answered."""

    port: int
    """On 127.0.0.1: a load generator speaks to its own machine only."""
    pid: int
    """The server's process, whose use of the cores is measured."""
    path: str
    clients: tuple[ClientPlan, ...]
    in_flight: int
    welcome: str = ""
    ask: str = ""
    """Sent after the login and again after every answer: one request for news is always outstanding. Empty: none."""
    shows: str = ""
    """Stands in an answer once for each message that it answers; empty: each answer answers one message."""
    fails: tuple[str, ...] = ()
    """What no answer may hold: a run in which something was refused measures something else."""
    warm_up_s: float
    measure_s: float
    messages_max: int
    """The load ends early after so many messages of all clients together."""
    keeps_each: bool = False
    """Whether every single latency is told as well."""
    until_told: bool = False
    """Whether the measured time ends early when standard input does; a line then tells when it begins."""


class Percentiles(Struct, frozen=True, kw_only=True):
    """Latencies in microseconds, from the moment a message was handed to the system to that when its answer was read.

    The p-th percentile is the smallest latency that at least p percent of all do not exceed.
    """

    p50: float
    p90: float
    p99: float
    p999: float


class Measured(Struct, frozen=True, kw_only=True):
    """What came of a load."""

    messages: int
    """Answered within the measured time."""
    seconds: float
    answers: int
    """Frames that came within it; one may answer several messages, or none."""
    latencies: dict[str, Percentiles]
    """By kind."""
    busy: float
    """The part of the measured time in which the load generator itself used a core: near 1 it is what was measured."""

    server_cpu_s: float
    """Seconds of one core that the server used meanwhile, all its threads together; 0 where the system does not
    tell."""
    each: tuple[tuple[int, int], ...] = ()
    """Where the plan asks for it: of every message when it was answered, on the machine's own clock that all processes
    share, and its latency, both in nanoseconds."""

    @property
    def per_second(self) -> float:
        """Messages answered per second."""
        return self.messages / self.seconds


class CrowdPlan(Struct, frozen=True, kw_only=True):
    """A crowd of clients that come in, stay, lose their lines at once and come back."""

    port: int
    """On 127.0.0.1."""
    pid: int
    """The server's process, whose memory is looked at."""
    path: str
    logins: tuple[str, ...]
    """Each client's `req_login`."""
    calm_s: float
    """How long they stay in, after they were told to go on, before their lines are cut."""


class Saw(Struct, frozen=True, kw_only=True):
    """What became of a crowd; times from the first connection attempt to the last answer."""

    opened_s: float
    logged_in_s: float
    cut_at_ns: int
    """When the lines were cut, on the machine's own clock."""
    resumed_s: float
    full_steps: int
    """How many of those who came back got the whole picture, and not the step from where they were."""
    empty_kb: int
    """The server's memory before anybody came, in KiB."""
    calm_kb: int
    """With everybody in."""
    peak_kb: int
    """The most it ever had."""

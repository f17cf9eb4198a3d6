"""An exchange without a server: the real decider and the real views, entry by entry."""

from __future__ import annotations

from typing import Final, NamedTuple

from exchange.decider import ExchangeState, execute
from exchange.domain.commands import Command
from exchange.domain.events import Event
from projections.fold import News, Projections

START_NS: Final = 1_799_978_400_000_000_000
"""2027-01-15 10:00:00 in China, when the first entry is written."""
STEP_NS: Final = 137_000_000
"""From one entry to the next."""


class LogEntry(NamedTuple):
    """What one command left in the log."""

    first_log_seq: int
    at_ns: int
    events: tuple[Event, ...]

    @property
    def version(self) -> int:
        """Its last log_seq."""
        return self.first_log_seq + len(self.events) - 1


class SmallExchange:
    """Decides commands one by one, keeps their entries as a log would, and folds them into views."""

    def __init__(self, *commands: Command) -> None:
        self.state = ExchangeState()
        self.projections = Projections()
        self.log: list[LogEntry] = []
        self.news = News((), ())
        """Of the last entry."""
        self.run(*commands)

    @property
    def version(self) -> int:
        return self.projections.version

    def run(self, *commands: Command) -> tuple[Event, ...]:
        """Decide the commands; returns the events of the last one."""
        events: tuple[Event, ...] = ()
        for command in commands:
            at_ns = START_NS + STEP_NS * len(self.log)
            events = execute(self.state, command, at_ns)
            self.log.append(LogEntry(self.version + 1, at_ns, events))
            self.news = self.projections.apply(self.version + 1, events)
        return events


def folded(log: list[LogEntry]) -> Projections:
    """The views as a server has them that starts with this log."""
    projections = Projections()
    for entry in log:
        projections.apply(entry.first_log_seq, entry.events)
    return projections

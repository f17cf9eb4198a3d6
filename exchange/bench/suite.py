"""The whole benchmark: rounds of every measurement, so that each figure and its baselines see the same minutes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from exchange.bench.core import measure_core
from exchange.bench.figures import SPREAD_MAX, Figures
from exchange.bench.machine import MEMORY_FILESYSTEMS, describe_machine, describe_source, steadiness
from exchange.bench.replaying import measure_replay
from exchange.bench.socket_load import Load, measure_load
from exchange.bench.storm import TRADERS, measure_storm
from exchange.bench.users import BenchUsers

FORMAT: Final = 1
"""Raised when figures change their meaning or names."""
BUSY_MAX: Final = 0.9
"""A load generator that uses more of a core than this may itself be what was measured."""
STEADY_LOOP: Final = "machine.steady_loop"
BASELINES: Final = (STEADY_LOOP, ".in_place.p50", ".growing.p50")
"""Ends of names: figures of the machine alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """How much is measured; times in seconds."""

    rounds: int = 5
    measure_s: float = 5.0
    warm_up_s: float = 1.0
    clients: int = 100
    in_flight: int = 8
    core_commands: int = 50_000
    crowd: int = 5_000
    """Clients whose lines are cut at once."""


QUICK: Final = BenchSettings(rounds=3, measure_s=1.0, warm_up_s=0.3, core_commands=10_000, crowd=500)
"""A first impression in a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a benchmark found."""

    figures: Figures
    document: dict[str, Any]
    """All of it, for programs and for `benchmarks/results`."""
    warnings: tuple[str, ...]
    """Why the figures should not be trusted, a sentence each."""


def run(settings: BenchSettings, told: Callable[[int, int], None] = lambda done, total: None) -> Report:
    """Run the benchmark; `told` hears (rounds done, rounds). Raises BenchError, and what else a measurement raises."""
    figures = Figures()
    begun_at = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        folder = Path(name)
        machine = describe_machine(folder)
        users = BenchUsers(folder / "users.db", max(settings.clients, TRADERS + settings.crowd))
        for done in range(settings.rounds):
            told(done, settings.rounds)
            _round(figures, settings, users, folder)
    warnings = tuple(_warnings(figures, settings, machine))
    document = {
        "format": FORMAT,
        "at": begun_at.isoformat(timespec="seconds"),
        "source": describe_source(),
        "machine": machine,
        "settings": asdict(settings),
        "warnings": list(warnings),
        "figures": figures.document(),
    }
    return Report(figures=figures, document=document, warnings=warnings)


def _round(figures: Figures, settings: BenchSettings, users: BenchUsers, folder: Path) -> None:
    figures.add(STEADY_LOOP, "ms", 1000 * steadiness())
    measure_core(figures, clients=settings.clients, commands=settings.core_commands)
    times = {"warm_up_s": settings.warm_up_s, "measure_s": settings.measure_s}
    measure_load(figures, Load(clients=1, in_flight=1, **times), users, folder)
    crowd = Load(clients=settings.clients, in_flight=settings.in_flight, **times)
    log = measure_load(figures, crowd, users, folder)
    measure_replay(figures, log)
    measure_storm(figures, users, folder, crowd=settings.crowd, calm_s=settings.measure_s)


def _warnings(figures: Figures, settings: BenchSettings, machine: dict[str, Any]) -> Iterator[str]:
    noisy = [figure for figure in figures if figure.name.endswith(BASELINES) and figure.spread > SPREAD_MAX]
    if noisy:
        spreads = ", ".join(f"{figure.name} {figure.spread:.0%}" for figure in noisy)
        yield f"the machine is noisy: what nothing of ours is in differs between the rounds, by {spreads} of its median"
    if machine["load_average"] > machine["cores"] / 2:
        yield f"other programs were running: the load average was {machine['load_average']} on {machine['cores']} cores"
    if machine["filesystem"] in MEMORY_FILESYSTEMS:
        yield f"the logs lay in memory ({machine['filesystem']}), where nothing is durable: set TMPDIR to a disk"
    if settings.rounds < 3:
        yield f"{settings.rounds} rounds have no median to speak of: take at least 3"
    for figure in figures:
        if figure.name.endswith(".client_busy") and figure.median > BUSY_MAX:
            yield f"{figure.name} is {figure.median:.2f}: the load generator may be what was measured"

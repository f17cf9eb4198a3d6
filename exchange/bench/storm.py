"""What happens when everybody's line is cut at once: how long until all are back, what it takes, who else suffers.

A crowd of users comes in and stays; one more user trades all the while, one order on its way. Then the lines of the
whole crowd are cut, and all come back at once with the versions they had. They log in by token: a password would cost
each of them 20 ms of a core.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from msgspec import structs

from exchange.bench import flows
from exchange.bench.figures import Figures
from exchange.bench.load import percentiles
from exchange.bench.plan import CrowdPlan, LoadPlan, Measured, Saw
from exchange.bench.processes import BenchError, Server, running_client, running_server
from exchange.bench.socket_load import PATH, Load, orders_plan
from exchange.bench.users import BenchUsers
from exchange.server.data_folder import DataFolder

TRADERS: Final = 2
"""Users who are none of the crowd: the one who trades, and the house that he trades with."""
CALM_MIN_S: Final = 1.0
"""Shorter, a machine that stalls for a moment would leave nothing to compare the storm with."""
WARM_UP_S: Final = 0.3
MEASURED_MAX_S: Final = 60.0
"""How long the trader's orders are timed at most."""


def measure_storm(figures: Figures, users: BenchUsers, folder: Path, *, crowd: int, calm_s: float) -> None:
    """One round, by the users from the third on. Raises BenchError, also where somebody of the crowd was not led on
    from where they were."""
    data = DataFolder(folder / "storm")
    shutil.rmtree(data.path, ignore_errors=True)
    users.move_in(data.path)
    options = ("--auto-open", str(flows.DEPOSIT))
    with running_server(data.path, *options) as server:
        plan = CrowdPlan(
            port=server.port,
            pid=server.pid,
            path=PATH,
            logins=tuple(users.logins[TRADERS : TRADERS + crowd]),
            calm_s=max(calm_s, CALM_MIN_S),
        )
        with running_client("exchange.bench.crowd", plan, Saw) as crowding:
            crowding.wait_for_line()
            with running_client("exchange.bench.load", _trader(server, users), Measured) as trading:
                trading.wait_for_line()
                crowding.tell()
                saw = crowding.result()
                traded = trading.result()
    if saw.full_steps:
        raise BenchError(f"{saw.full_steps} of {crowd} who came back got the whole picture instead of a step")
    _add(figures, crowd, saw, traded)


def _trader(server: Server, users: BenchUsers) -> LoadPlan:
    load = Load(clients=1, in_flight=1, warm_up_s=WARM_UP_S, measure_s=MEASURED_MAX_S)
    return structs.replace(orders_plan(server, load, users), keeps_each=True, until_told=True)


def _add(figures: Figures, crowd: int, saw: Saw, traded: Measured) -> None:
    figures.add("storm.clients", "clients", crowd)
    figures.add("storm.open", "s", saw.opened_s)
    figures.add("storm.log_in", "s", saw.logged_in_s)
    figures.add("storm.resume", "s", saw.resumed_s)
    figures.add("storm.memory.idle_client", "KiB", (saw.calm_kb - saw.empty_kb) / crowd)
    figures.add("storm.memory.calm", "MiB", saw.calm_kb / 1024)
    figures.add("storm.memory.peak", "MiB", saw.peak_kb / 1024)
    over_at_ns = saw.cut_at_ns + int(saw.resumed_s * 1e9)
    before = [latency for at, latency in traded.each if at < saw.cut_at_ns]
    during = [latency for at, latency in traded.each if saw.cut_at_ns <= at and at - latency < over_at_ns]
    if not before or not during:
        raise BenchError("the trader beside the crowd traded only before or only during the storm")
    calm, storm = percentiles(before), percentiles(during)
    figures.add("storm.other.calm.p50", "us", calm.p50)
    figures.add("storm.other.calm.p99", "us", calm.p99)
    figures.add("storm.other.during.p50", "us", storm.p50)
    figures.add("storm.other.during.p99", "us", storm.p99)
    figures.add("storm.other.p99_to_calm", "ratio", storm.p99 / calm.p99)

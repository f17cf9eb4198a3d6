"""Durable orders through a real WebSocket, beside what bounds them: bare echo on the same WebSocket code, and writing
the same bytes durably without a database.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import structs

from eventstore.sqlite_reader import open_reader
from exchange.bench import flows
from exchange.bench.disk import write_growing, write_in_place
from exchange.bench.figures import Figures
from exchange.bench.plan import ClientPlan, LoadPlan, Measured
from exchange.bench.processes import Server, run_load, running_echo, running_server
from exchange.bench.users import BenchUsers
from exchange.server.data_folder import DataFolder

PATH: Final = "/ws"
PEEK: Final = '{"aid":"peek_message"}'
LOGGED_IN: Final = '"code":1000'
NEW_ORDER: Final = '"exchange_order_id"'
"""Stands in a step once for every order that is new in it: what never changes of an order is told once."""
REFUSALS: Final = ('"REJECTED"', '"level":"ERROR"', '"level":"WARNING"')
MESSAGES_MAX: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A closed loop: how many clients, and how many messages each of them has on their way."""

    clients: int
    in_flight: int
    warm_up_s: float
    measure_s: float

    @property
    def name(self) -> str:
        """As its figures are named, such as `100x8`."""
        return f"{self.clients}x{self.in_flight}"

    @property
    def is_alone(self) -> bool:
        """Whether one order at a time is on its way: nobody stands in its way, and nobody trades with it."""
        return self.clients == self.in_flight == 1


def measure_load(figures: Figures, load: Load, users: BenchUsers, folder: Path) -> Path:
    """One round: echo, orders, disk, all within seconds of each other.

    Returns the log of the orders, in a data folder below `folder`, which the next round of the load replaces. Raises
    BenchError.
    """
    data = DataFolder(folder / load.name)
    shutil.rmtree(data.path, ignore_errors=True)
    users.move_in(data.path)
    with running_echo() as server:
        echo = run_load(_echo_plan(server, load))
    with running_server(data.path, "--auto-open", str(flows.DEPOSIT)) as server:
        orders = run_load(orders_plan(server, load, users))
    log = _log_shape(data.log_db)
    growing, in_place = write_growing(folder, log.commit_bytes), write_in_place(folder, log.commit_bytes)

    _add_load(figures, f"orders.{load.name}", "orders/s", orders)
    figures.add(f"orders.{load.name}.per_step", "orders", orders.messages / orders.answers)
    figures.add(f"orders.{load.name}.per_commit", "orders", log.commands / log.commits)
    _add_load(figures, f"echo.{load.name}", "echoes/s", echo)
    figures.add(f"disk.{load.name}.bytes", "bytes", log.commit_bytes)
    figures.add(f"disk.{load.name}.growing.p50", "us", growing.p50)
    figures.add(f"disk.{load.name}.in_place.p50", "us", in_place.p50)
    figures.add(f"orders.{load.name}.to_echo", "ratio", orders.per_second / echo.per_second)
    (echoed,) = echo.latencies.values()
    for kind, latencies in orders.latencies.items():
        name = f"orders.{load.name}.{kind}"
        figures.add(f"{name}.p99_to_p50", "ratio", latencies.p99 / latencies.p50)
        if load.is_alone:
            # An order takes a message there and back and one durable write: that is its limit.
            figures.add(f"{name}.p50_to_limit", "ratio", latencies.p50 / (echoed.p50 + in_place.p50))
    return data.log_db


def _add_load(figures: Figures, name: str, unit: str, measured: Measured) -> None:
    figures.add(f"{name}.per_second", unit, measured.per_second)
    for kind, latencies in measured.latencies.items():
        for percentile in ("p50", "p90", "p99", "p999"):
            figures.add(f"{name}.{kind}.{percentile}", "us", getattr(latencies, percentile))
    figures.add(f"{name}.server_cpu", "us", 1_000_000 * measured.server_cpu_s / measured.messages)
    figures.add(f"{name}.client_busy", "cores", measured.busy)


def _echo_plan(server: Server, load: Load) -> LoadPlan:
    """The orders' own texts, sent back."""
    client = ClientPlan(cycle=tuple(structs.replace(step, kind="echo") for step in flows.meeting_steps(0)))
    return LoadPlan(
        pid=server.pid,
        port=server.port,
        path=PATH,
        clients=(client,) * load.clients,
        in_flight=load.in_flight,
        warm_up_s=load.warm_up_s,
        measure_s=load.measure_s,
        messages_max=MESSAGES_MAX,
    )


def orders_plan(server: Server, load: Load, users: BenchUsers) -> LoadPlan:
    """The load of real orders: by the first users, who trade with each other; by one alone with a house."""
    return LoadPlan(
        pid=server.pid,
        port=server.port,
        path=PATH,
        clients=_alone(users) if load.is_alone else _meeting(users, load.clients),
        in_flight=load.in_flight,
        welcome=LOGGED_IN,
        ask=PEEK,
        shows=NEW_ORDER,
        fails=REFUSALS,
        warm_up_s=load.warm_up_s,
        measure_s=load.measure_s,
        messages_max=flows.HOUSE_ORDERS_MEET if load.is_alone else MESSAGES_MAX,
    )


def _alone(users: BenchUsers) -> tuple[ClientPlan, ...]:
    """The house, which leaves its orders and goes, and one client."""
    house, client = users.logins[:2]
    return (
        ClientPlan(login=house, first=flows.first_texts(flows.HOUSE_STOCK)),
        ClientPlan(login=client, first=flows.first_texts(flows.ALONE_STOCK), cycle=flows.alone_steps()),
    )


def _meeting(users: BenchUsers, clients: int) -> tuple[ClientPlan, ...]:
    """Clients who trade with each other."""
    first = flows.first_texts(flows.MEETING_STOCK)
    return tuple(
        ClientPlan(login=users.logins[at], first=first, cycle=flows.meeting_steps(at)) for at in range(clients)
    )


class _LogShape(NamedTuple):
    commands: int
    commits: int
    commit_bytes: int
    """What the file grew by with a commit, on average."""


def _log_shape(log: Path) -> _LogShape:
    """Of a log whose server has stopped."""
    reader = open_reader(log)
    try:
        commands = reader.head.command_seq
        commits = sum(1 for _ in reader.commits())
    finally:
        reader.close()
    return _LogShape(commands, commits, log.stat().st_size // commits)

"""The server's figures for Prometheus, read where they are kept at the moment that somebody asks for them.

Nothing of Prometheus runs where orders do: what is counted there are plain whole numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from eventstore.histogram import Histogram
from eventstore.writer import GroupCommitWriter
from exchange.gateway.notices import code_of
from exchange.server.api.request_counts import RequestCounts
from exchange.server.desk import Desk
from exchange.server.identity.auth import Users
from exchange.server.port.gate import WebSocketGate
from exchange.server.publisher import Publisher
from exchange.server.sequencer import Sequencer

NS_PER_S: Final = 1_000_000_000


class ServerFigures(Collector):
    """Everything that a server tells of itself; each name begins with `exchange_`."""

    def __init__(
        self,
        *,
        sequencer: Sequencer,
        writer: GroupCommitWriter,
        publisher: Publisher,
        gate: WebSocketGate,
        desk: Desk,
        users: Users,
        requests: RequestCounts,
    ) -> None:
        self._sequencer = sequencer
        self._writer = writer
        self._publisher = publisher
        self._gate = gate
        self._desk = desk
        self._users = users
        self._requests = requests

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry need not read every figure only to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All figures as they are now."""
        yield from self._log()
        yield from self._connections()
        yield from self._refusals()
        yield from self._logins()
        yield from self._http()

    def _log(self) -> Iterator[Metric]:
        sequencer = self._sequencer
        yield _gauge("head_log_seq", "The end of what is decided.", sequencer.decided_log_seq)
        yield _gauge("durable_log_seq", "The end of what is durable and shown.", sequencer.durable_log_seq)
        yield _gauge("undurable_entries", "Entries that are decided and not durable yet.", sequencer.waiting)
        yield _gauge(
            "undurable_oldest_seconds",
            "How long the oldest of them has waited.",
            sequencer.oldest_waiting_ns / NS_PER_S,
        )
        yield _histogram("commit_seconds", "How long a commit to the log takes.", self._writer.commit_seconds)
        yield _histogram("commit_entries", "Entries of a commit.", self._writer.commit_entries)

    def _connections(self) -> Iterator[Metric]:
        gate, publisher = self._gate, self._publisher
        by_endpoint = Counter(dict.fromkeys(gate.paths, 0))
        by_endpoint.update(connection.path for connection in gate.connections if connection.path)
        yield _gauges("connections", "WebSocket connections.", "endpoint", by_endpoint)
        yield _counter("connections_accepted", "WebSocket connections that were let in.", gate.accepted_total)
        yield _counter("connections_refused", "Requests for one that were turned away.", gate.refused_total)
        yield _counter("connections_cut", "Connections that were ended without ceremony.", gate.cut_total)
        yield _gauge("users_online", "Users who are logged in on any connection.", len(gate.online))
        yield _gauge("parked_peeks", "Peeks that wait for news.", publisher.parked_peeks)
        yield _counter("steps", "Steps sent to clients.", publisher.steps)
        yield _counter(
            "histories_differing",
            "Clients that came back with a history that this log does not have.",
            self._desk.histories_differing,
        )

    def _refusals(self) -> Iterator[Metric]:
        refusals = CounterMetricFamily(
            "exchange_refusals", "Commands that the rules refused.", labels=("code", "reason")
        )
        for reason, count in sorted(self._publisher.refusals.items()):
            refusals.add_metric((str(int(code_of(reason))), reason.value), count)
        yield refusals
        yield _counter(
            "refused_busy", "Commands turned away because too many were waiting.", self._sequencer.refused_busy
        )

    def _logins(self) -> Iterator[Metric]:
        logins = CounterMetricFamily("exchange_logins", "Logins by outcome.", labels=("outcome",))
        for outcome, count in sorted(self._desk.logins.items()):
            logins.add_metric((outcome,), count)
        yield logins
        yield _gauge("password_hashes", "Passwords being hashed, or waiting for that.", self._users.hashes_waiting)

    def _http(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "exchange_http_requests", "HTTP requests that were answered.", labels=("method", "route", "status")
        )
        for (method, route, status), count in sorted(self._requests.items()):
            requests.add_metric((method, route, str(status)), count)
        yield requests


class Metrics:
    """What `GET /metrics` answers."""

    def __init__(self, figures: ServerFigures) -> None:
        # Not the library's global registry: a process may hold several exchanges.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(figures)

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self._registry)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"exchange_{name}", what, value=value)


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(f"exchange_{name}", what, value=value)


def _gauges(name: str, what: str, label: str, values: Counter[str]) -> Metric:
    family = GaugeMetricFamily(f"exchange_{name}", what, labels=(label,))
    for key, value in sorted(values.items()):
        family.add_metric((key,), value)
    return family


def _histogram(name: str, what: str, histogram: Histogram) -> Metric:
    """Prometheus wants the values up to each bound, those below the bounds before included."""
    counts = tuple(accumulate(histogram.counts))
    bounds = [*map(str, histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, map(float, counts), strict=True))
    return HistogramMetricFamily(f"exchange_{name}", what, buckets=buckets, sum_value=histogram.total)

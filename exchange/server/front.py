"""The exchange's face to the network, made of its settings: WebSocket gate, HTTP application and their port."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI

from exchange.server.api.application import make_api
from exchange.server.port.gate import WebSocketGate, WebSocketSettings
from exchange.server.port.http import HttpSettings
from exchange.server.port.port import Port, TlsFiles
from exchange.server.port.site import SitePolicy
from exchange.server.settings import Settings


@dataclass(frozen=True, slots=True)
class Front:
    """What a client meets first."""

    gate: WebSocketGate
    """Closed until the exchange opens it."""
    api: FastAPI
    port: Port
    """Not started."""


def make_front(settings: Settings) -> Front:
    """Everything that the settings say of the network; to be called inside the running event loop."""
    gate = WebSocketGate(
        WebSocketSettings(
            connections_max=settings.connections_max,
            connections_per_address=settings.connections_per_address,
            connections_per_user=settings.connections_per_user,
            unauthenticated_max=settings.unauthenticated_max,
            messages_per_connection=settings.messages_per_connection,
            messages_per_user=settings.messages_per_user,
            ping_interval_s=settings.ping_interval,
            ping_timeout_s=settings.ping_timeout,
        ),
        SitePolicy.bound_to(settings.host, names=settings.hosts, origins=settings.origins),
    )
    gate.is_open = False
    http = HttpSettings(
        connections_max=settings.unauthenticated_max, connections_per_address=settings.connections_per_address
    )
    api = make_api(settings.language, gate.site.origins)
    port = Port(api, gate, host=settings.host, port=settings.port, http=http, tls=_tls_files(settings))
    return Front(gate, api, port)


def _tls_files(settings: Settings) -> TlsFiles | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return TlsFiles(certificate=settings.tls_cert, key=settings.tls_key)

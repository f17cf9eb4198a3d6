"""What the routes ask of the exchange behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from exchange.gateway.dialects import Dialect
from exchange.gateway.notices import Language
from exchange.server.api.errors import ApiError
from exchange.server.api.request_limits import RequestLimits
from exchange.server.desk import Desk
from exchange.server.history.history import History
from exchange.server.identity.auth import Users
from exchange.server.identity.tickets import Tickets
from exchange.server.metrics import Metrics
from exchange.server.operator import Operator
from exchange.server.port.gate import WebSocketGate
from exchange.server.publisher import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The parts of a running exchange that routes use."""

    is_ready: Callable[[], bool]
    """Whether commands are taken: False again when it stops, or after an append failed."""
    admin_token: Callable[[], str]
    """The token that lies in the data folder; raises FolderError where it is gone."""
    users: Users
    tickets: Tickets
    desk: Desk
    operator: Operator
    publisher: Publisher
    dialects: Mapping[str, Dialect]
    """By name, such as `flat`."""
    gate: WebSocketGate
    history: History
    metrics: Metrics
    limits: RequestLimits
    clock_ns: Callable[[], int]
    """Nanoseconds since 1970 UTC."""
    language: Language
    """Of the texts that clients get."""

    @property
    def guide(self) -> Dialect:
        """In whose words everything is answered."""
        return self.dialects["guide"]


def backend_of(request: Request) -> Backend:
    """The exchange behind this request. Raises ApiError while there is none, or while it takes nothing."""
    backend: Backend | None = request.app.state.backend
    if backend is None or not backend.is_ready():
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE, "NOT_READY", "the exchange takes no requests now, try again soon"
        )
    return backend


Behind = Annotated[Backend, Depends(backend_of)]
"""A route's parameter of this type is given the exchange."""

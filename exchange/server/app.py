"""The whole exchange, wired: home, log, state, views, users, port. The one place that knows all of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Final

from exchange.domain.commands import Command, RegisterInstrument
from exchange.domain.values import money_from_decimal
from exchange.gateway.conversation import Conversation
from exchange.gateway.dialects import Dialect
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.dialects.guide import GuideDialect
from exchange.server.api.backend import Backend
from exchange.server.api.request_limits import RequestLimits
from exchange.server.appending import Appending
from exchange.server.clock import Clock, MachineClock
from exchange.server.data_folder import ServerInfo
from exchange.server.desk import SYSTEM, Desk
from exchange.server.front import make_front
from exchange.server.history.history import History
from exchange.server.home import FolderHome, Home
from exchange.server.identity.login_limits import LoginLimits, of_address
from exchange.server.identity.tickets import Tickets
from exchange.server.metrics import Metrics, ServerFigures
from exchange.server.operator import OPERATOR, Operator
from exchange.server.port.websocket import WebSocketConnection
from exchange.server.publisher import Publisher
from exchange.server.recovery import Progress, Recovered, recover
from exchange.server.sequencer import DurableEntry, Sequencer
from exchange.server.settings import Settings
from exchange.server.upkeep import purge_until

DIALECT_PATHS: Final = {"/ws": "guide", "/ws/diff": "flat"}
"""Where each dialect is spoken."""


class Exchange:
    """A running exchange: `start`, then `stop`. Made inside the running event loop.

    It lives in the settings' data folder and keeps the machine's time, unless it is given another home or clock.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        home: Home | None = None,
        clock: Clock | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.settings = settings
        self.home = home or FolderHome(settings)
        self.clock = clock or MachineClock()
        self._progress = progress
        self._exits = AsyncExitStack()
        self._ready = False
        self.recovered_log_seq = 0
        """Where the log ended when it was opened: what was recovered."""
        self._appending = Appending()
        self.failed = self._appending.failed
        """See `Appending.failed`: the process must end and start again from the log."""

    async def start(self) -> None:
        """Recover from the log, then serve. Whatever was taken is given back before an exception leaves."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Disconnect everybody, make durable what was decided, give everything back."""
        self._ready = False
        await self._exits.aclose()

    def before_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        """Have `stop` called when the exchange stops, before anything of it is taken down."""
        self._exits.push_async_callback(stop)

    async def _start(self) -> None:
        market = self.home.read_market()
        self._exits.enter_context(self.home.lock())
        self.users = await self._exits.enter_async_context(await self.home.open_users(self.clock.time_ns))
        self._begin_upkeep()
        await self._open_port()
        self.store = await asyncio.to_thread(self.home.open_log)
        self._exits.callback(self.store.close)
        recovered = await asyncio.to_thread(recover, self.store, self._progress)
        self.recovered_log_seq = recovered.log_seq
        self._wire(recovered)
        self._appending.start(self.store, self.sequencer, self.publisher, self.desk)
        self._exits.push_async_callback(self._appending.stop)
        for terms in market.instruments:
            if terms.instrument_id not in self.sequencer.state.instruments:
                await self.desk.carry_out(RegisterInstrument(terms=terms), actor=SYSTEM, origin="market file")
        for path, dialect in DIALECT_PATHS.items():
            converse = partial(self._converse, self.dialects[dialect])
            self.gate.serve(path, converse, message_max_bytes=self.settings.max_message_bytes)
        self.api.state.backend = Backend(
            is_ready=lambda: self._ready and not self.failed.done(),
            admin_token=self.home.read_admin_token,
            users=self.users,
            desk=self.desk,
            operator=self.operator,
            publisher=self.publisher,
            history=self.history,
            tickets=self.tickets,
            dialects=self.dialects,
            gate=self.gate,
            metrics=self._metrics(),
            limits=RequestLimits(self.settings.requests_per_user, self.gate.clock.time),
            clock_ns=self.clock.time_ns,
            language=self.settings.language,
        )
        self._ready = self.gate.is_open = True
        self._publish_server()
        self._exits.callback(self.home.withdraw)

    def _metrics(self) -> Metrics:
        figures = ServerFigures(
            sequencer=self.sequencer,
            writer=self._appending.writer,
            publisher=self.publisher,
            gate=self.gate,
            desk=self.desk,
            users=self.users,
            requests=self.api.state.requests,
        )
        return Metrics(figures)

    def _begin_upkeep(self) -> None:
        stopped = asyncio.Event()
        upkeep = asyncio.create_task(purge_until(stopped, self.users), name="upkeep")

        async def stop() -> None:
            stopped.set()
            await upkeep

        self._exits.push_async_callback(stop)

    async def _open_port(self) -> None:
        """Open the port before the log is read, so that whoever watches sees a process that lives and is not ready."""
        front = make_front(self.settings)
        self.gate, self.api, self.port = front.gate, front.api, front.port
        await self.port.start()
        self._exits.push_async_callback(self.port.stop)

    def _wire(self, recovered: Recovered) -> None:
        settings = self.settings
        head = self.store.head
        self.publisher = Publisher(
            recovered.projections,
            self.clock,
            mark_interval_s=settings.mark_interval,
            quote_interval_s=settings.quote_interval,
            peek_timeout_s=settings.peek_timeout,
            login_deadline_s=settings.login_deadline,
        )
        self.sequencer = Sequencer(
            recovered.state,
            recovered.state_hash,
            log_seq=recovered.log_seq,
            at_ns=recovered.at_ns,
            clock_ns=self.clock.time_ns,
            publish=self.publisher.publish,
            broken=self._appending.core_broken,
            waiting_max=settings.commands_max,
            waiting_for_cancels=settings.cancel_reserve,
        )
        self.tickets = Tickets(self.clock.time_ns)
        self.desk = Desk(
            self.sequencer,
            self.users,
            self.tickets,
            limits=LoginLimits(self.clock.time, of_address(settings.login_tries_per_address)),
            online=self.gate.online,
            log_id=head.log_id,
            epoch=head.epoch,
            auto_open=None if settings.auto_open is None else money_from_decimal(settings.auto_open),
        )
        self._exits.push_async_callback(self.desk.stop)
        self.history = History(
            recovered.projections,
            self.home.history_worker(),
            log_id=head.log_id,
            language=settings.language,
            waiting_max=settings.history_waiting_max,
            timeout_s=settings.history_timeout,
        )
        self._exits.push_async_callback(self.history.stop)
        self.operator = Operator(self.users, self._carry_out)
        self.dialects: dict[str, Dialect] = {
            "guide": GuideDialect(settings.language),
            "flat": FlatDialect(settings.language),
        }

    async def _carry_out(self, command: Command) -> DurableEntry:
        return await self.desk.carry_out(command, actor=OPERATOR, origin="operator")

    def _converse(self, dialect: Dialect, connection: WebSocketConnection) -> Conversation:
        conversation = Conversation(connection.number, connection, self.desk, self.publisher, dialect)
        conversation.on_address(connection.query)
        return conversation

    def _publish_server(self) -> None:
        self.server = ServerInfo(
            pid=os.getpid(),
            host=self.settings.host,
            port=self.port.port,
            scheme="https" if self.settings.tls_cert else "http",
            started_at=datetime.now(UTC),
            log_id=self.desk.log_id,
        )
        self.home.publish(self.server)

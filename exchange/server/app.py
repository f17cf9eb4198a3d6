"""The whole exchange, wired: data folder, log, state, views, users, port. The one place that knows all of them."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from eventstore.model import Head, StoreError
from eventstore.sqlite import SqliteStore
from eventstore.writer import GroupCommitWriter
from exchange.domain.commands import Command, RegisterInstrument
from exchange.domain.values import money_from_decimal
from exchange.gateway.conversation import Conversation
from exchange.gateway.dialects.guide import GuideDialect
from exchange.gateway.notices import Code
from exchange.market.reading import read_market
from exchange.server.api.application import make_api
from exchange.server.api.backend import Backend
from exchange.server.auth import Users
from exchange.server.data_folder import DataFolder, ServerInfo
from exchange.server.desk import SYSTEM, Desk
from exchange.server.gate import WebSocketGate, WebSocketSettings
from exchange.server.operator import OPERATOR, Operator
from exchange.server.port import Port, TlsFiles
from exchange.server.publisher import Publisher
from exchange.server.recovery import Progress, Recovered, recover
from exchange.server.sequencer import DurableEntry, Sequencer
from exchange.server.settings import Settings
from exchange.server.site import SitePolicy
from exchange.server.websocket import WebSocketConnection

log = logging.getLogger("exchange.app")

SWITCH_INTERVAL_S = 0.001
"""How long the loop may keep the interpreter while the writer's thread waits for it. A commit asks for it some ten
times, so Python's 5 ms keep many orders waiting; at 0.1 ms a fifth of the time goes into taking turns."""


class Exchange:
    """A running exchange: `start`, then `stop`. Made inside the running event loop."""

    def __init__(self, settings: Settings, *, progress: Progress | None = None) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data)
        self._progress = progress
        self._exits = AsyncExitStack()
        self._loop = asyncio.get_running_loop()
        self._ready = False
        self.recovered_log_seq = 0
        """Where the log ended when it was opened: what was recovered."""
        self.failed: asyncio.Future[Exception] = self._loop.create_future()
        """Done when an append failed, which leaves the outcome of the entries in hand unknown, or when an invariant of
        the core does not hold: the process must end and start again from the log."""

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
        market = read_market(self.settings.market)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._exits.enter_context(self.folder.lock())
        self.users = await self._exits.enter_async_context(await Users.open(self.folder.users_db))
        await self._open_port()
        self.store = await asyncio.to_thread(SqliteStore, self.folder.log_db, self.settings.durability)
        self._exits.callback(self.store.close)
        recovered = await asyncio.to_thread(recover, self.store, self._progress)
        self.recovered_log_seq = recovered.log_seq
        self._wire(recovered)
        self._start_writer()
        for terms in market.instruments:
            if terms.instrument_id not in self.sequencer.state.instruments:
                await self.desk.carry_out(RegisterInstrument(terms=terms), actor=SYSTEM, origin="market file")
        self.gate.serve("/ws", self._converse, message_max_bytes=self.settings.max_message_bytes)
        self.api.state.backend = Backend(
            is_ready=lambda: self._ready,
            admin_token=self.folder.read_admin_token,
            users=self.users,
            desk=self.desk,
            operator=self.operator,
            publisher=self.publisher,
        )
        self._ready = self.gate.is_open = True
        self._publish_server()
        self._exits.callback(self.folder.withdraw)

    async def _open_port(self) -> None:
        """Open the port before the log is read, so that whoever watches sees a process that lives and is not ready."""
        settings = self.settings
        limits = WebSocketSettings(
            connections_max=settings.connections_max,
            ping_interval_s=settings.ping_interval,
            ping_timeout_s=settings.ping_timeout,
        )
        site = SitePolicy.bound_to(settings.host, names=settings.hosts, origins=settings.origins)
        self.gate = WebSocketGate(limits, site)
        self.gate.is_open = False
        self.api = make_api(settings.language)
        tls = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            tls = TlsFiles(certificate=settings.tls_cert, key=settings.tls_key)
        self.port = Port(self.api, self.gate, host=settings.host, port=settings.port, tls=tls)
        await self.port.start()
        self._exits.push_async_callback(self.port.stop)

    def _wire(self, recovered: Recovered) -> None:
        settings = self.settings
        head = self.store.head
        self.publisher = Publisher(
            recovered.projections,
            self._loop,
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
            clock_ns=time.time_ns,
            publish=self.publisher.publish,
            broken=self._core_broken,
            waiting_max=settings.commands_max,
            waiting_for_cancels=settings.cancel_reserve,
        )
        self.desk = Desk(
            self.sequencer,
            self.users,
            log_id=head.log_id,
            epoch=head.epoch,
            auto_open=None if settings.auto_open is None else money_from_decimal(settings.auto_open),
        )
        self._exits.push_async_callback(self.desk.stop)
        self.operator = Operator(self.users, self._carry_out)
        self.dialect = GuideDialect(settings.language)

    async def _carry_out(self, command: Command) -> DurableEntry:
        return await self.desk.carry_out(command, actor=OPERATOR, origin="operator")

    def _start_writer(self) -> None:
        call_soon = self._loop.call_soon_threadsafe

        def durable(head: Head) -> None:
            call_soon(self._durable, head)

        def failed(error: StoreError) -> None:
            call_soon(self._append_failed, error)

        self._writer = GroupCommitWriter(self.store, durable, failed)
        self._exits.push_async_callback(self._stop_writer)
        self.sequencer.start(self._writer)

    def _durable(self, head: Head) -> None:
        try:
            self.sequencer.durable(head.log_seq)
        except Exception as error:
            # The views did not take what the log has: nothing may be shown from them any more, so nobody who waits
            # for an answer will get one.
            self.sequencer.failed()
            self._core_broken(error)
            self.desk.outcomes_unknown(error)

    async def _stop_writer(self) -> None:
        """Make durable what was decided, and publish it, before anything else is taken down."""
        self.sequencer.stop()
        # What the writer's thread hands over last is called before this returns: both take the loop's one queue.
        await asyncio.to_thread(self._writer.close)

    def _core_broken(self, error: Exception) -> None:
        """An invariant of the core does not hold: what the log has is whole, the state in memory is not."""
        self._ready = False
        log.critical("the core is broken and takes nothing more; start again from the log", exc_info=error)
        if not self.failed.done():
            self.failed.set_result(error)

    def _append_failed(self, error: StoreError) -> None:
        self._ready = False
        waiting = self.sequencer.failed()
        log.critical(
            "an append failed, the outcome of %d entries is unknown: %s. Start again: the log tells what was kept",
            waiting,
            error,
        )
        self.publisher.tell_all(Code.OUTCOME_UNKNOWN, {})
        self.desk.outcomes_unknown(error)
        if not self.failed.done():
            self.failed.set_result(error)

    def _converse(self, connection: WebSocketConnection) -> Conversation:
        return Conversation(connection.number, connection, self.desk, self.publisher, self.dialect)

    def _publish_server(self) -> None:
        scheme = "https" if self.settings.tls_cert else "http"
        started_at = datetime.now(UTC)
        self.folder.publish(
            ServerInfo(
                pid=os.getpid(),
                host=self.settings.host,
                port=self.port.port,
                scheme=scheme,
                started_at=started_at,
                log_id=self.desk.log_id,
            )
        )

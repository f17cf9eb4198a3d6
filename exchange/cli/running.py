"""Runs the server for `serve` and `demo`, and prints what those who wait for it read."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import typer

from exchange.cli.guidance import DemoGuidance
from exchange.cli.output import print_facts, print_json_line, progress, tell
from exchange.domain.values import InstrumentId
from exchange.server.app import Exchange
from exchange.server.bots import HouseBots
from exchange.server.demo import Demo
from exchange.server.serve import serve
from exchange.server.settings import Settings


def run(settings: Settings, *, speed: float = 1.0, bots: bool = False, json: bool) -> int:
    """Serve until somebody stops it, with `bots` that trade; returns the exit status. Raises what keeps it from
    starting."""
    with ExitStack() as bar, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        told = bar.enter_context(progress("reading the log"))
        announcer = Announcer(settings, speed, bots, json, log_was_read=bar.close)
        status = runner.run(serve(settings, ready=announcer.ready, progress=told))
    announcer.stopped(status)
    return status


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class Announcer:
    """Says that the exchange is ready, on what, and what about it is unsafe."""

    def __init__(
        self, settings: Settings, speed: float, bots: bool, json: bool, *, log_was_read: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._speed = speed
        self._bots = bots
        self._json = json
        self._log_was_read = log_was_read
        self._begun_at = time.monotonic()

    async def ready(self, exchange: Exchange) -> None:
        """The exchange takes orders: begin the demo where it is wanted, then say so. `ready` is the last line: scripts
        wait for it."""
        self._log_was_read()
        facts = _facts(exchange, time.monotonic() - self._begun_at)
        guidance = None
        if self._settings.demo:
            demo = Demo(exchange, speed=self._speed)
            exchange.before_stop(demo.stop)
            guidance = DemoGuidance.of(await demo.start(), demo.tapes(), exchange, facts["websocket"])
        if self._bots:
            house = HouseBots(exchange, moved=frozenset(map(InstrumentId, guidance.instruments if guidance else ())))
            exchange.before_stop(house.stop)
            await house.start()
            facts["bots"] = list(house.accounts)
        if self._json:
            print_json_line({"event": "ready", **facts, **(guidance.document() if guidance else {})})
            return
        _print_facts(facts)
        for line in guidance.lines() if guidance else ():
            typer.echo(line)
        if "bots" in facts:
            typer.echo(f"bots trade every contract, under the accounts {', '.join(facts['bots'])}")
        for warning in facts["warnings"]:
            tell(f"WARNING {warning}")
        typer.echo(f"ready at {facts['url']}; Ctrl-C stops")

    def stopped(self, status: int) -> None:
        """The exchange has stopped; what a failed append left unknown the log has told already."""
        if self._json:
            print_json_line({"event": "stopped", "status": status})
        elif not status:
            typer.echo("stopped")


def _facts(exchange: Exchange, seconds: float) -> dict[str, Any]:
    """What a script may want to know of a server that is ready."""
    settings = exchange.settings
    server = exchange.server
    return {
        "url": server.url,
        "websocket": f"{server.url.replace('http', 'ws', 1)}/ws",
        "host": server.host,
        "port": server.port,
        "pid": os.getpid(),
        "data": str(settings.data.absolute()),
        "log_id": server.log_id,
        "log_seq": exchange.sequencer.durable_log_seq,
        "epoch": exchange.desk.epoch,
        "recovered": exchange.recovered_log_seq,
        "seconds": round(seconds, 3),
        "durability": settings.durability.value,
        "warnings": list(settings.warnings()),
    }


def _print_facts(facts: dict[str, Any]) -> None:
    recovered = facts["recovered"]
    log = f"recovered {recovered:,} events" if recovered else "new, nothing to recover"
    print_facts(
        (
            ("HTTP", facts["url"]),
            ("WebSocket", facts["websocket"]),
            ("data folder", facts["data"]),
            ("log", f"{facts['log_id']}, {log}, up after {facts['seconds']:.2f} s, at log_seq {facts['log_seq']}"),
            ("durability", facts["durability"]),
        )
    )

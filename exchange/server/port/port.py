"""The one port: HTTP for an ASGI application and WebSocket connections for a gate, inside the running event loop.

uvicorn's pieces are used without its `Server`, which takes over the process's signals and ends the process where
something fails; here the caller does the one, and hears of the other by an exception.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from uvicorn.lifespan.off import LifespanOff
from uvicorn.lifespan.on import LifespanOn

from exchange.server.port.addresses import address_text
from exchange.server.port.gate import WebSocketGate, protocol_class
from exchange.server.port.http import HttpConnection, HttpDoor, HttpSettings
from exchange.server.port.site import AsgiApp, SiteGuard

BACKLOG = 2048
TLS_HANDSHAKE_TIMEOUT_S = 10.0


class PortError(Exception):
    """The port cannot be opened; the text says which, why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The PEM files for TLS: the certificate chain and its private key."""

    certificate: Path
    key: Path

    def __str__(self) -> str:
        return f"the certificate {self.certificate} and the key {self.key}"


class Port:
    """An address that serves `app` and `gate`. `start` once, then `stop` once."""

    def __init__(
        self,
        app: AsgiApp,
        gate: WebSocketGate,
        *,
        host: str,
        port: int,
        http: HttpSettings | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        self.host = host
        self.port = port
        """The number of the port; after `start` never 0, which asks the system for a free one."""
        self._app = app
        self._gate = gate
        self._tls = tls
        self._door = HttpDoor(http or HttpSettings(), gate.clock, gate.addresses)
        self._servers: list[asyncio.Server] = []
        self._lifespan: LifespanOn | LifespanOff

    @property
    def address(self) -> str:
        """Host and port as they stand in a URL, such as `127.0.0.1:8000` or `[::1]:8000`."""
        return address_text((self.host, self.port))

    async def start(self) -> None:
        """Listen and serve. Raises PortError, with nothing left open, where that cannot be."""
        config = self._config()
        sockets = await bind_all(self.host, self.port)
        try:
            await self._start_app(config)
        except BaseException:
            for sock in sockets:
                sock.close()
            raise
        self.port = sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        for sock in sockets:
            self._servers.append(
                await loop.create_server(
                    lambda: HttpConnection(config, self._door.state, self._lifespan.state, door=self._door),
                    sock=sock,
                    ssl=config.ssl,
                    backlog=BACKLOG,
                    ssl_handshake_timeout=TLS_HANDSHAKE_TIMEOUT_S if config.ssl else None,
                )
            )

    async def stop(self) -> None:
        """Stop listening, disconnect everybody within the close timeouts, then let the application end."""
        for server in self._servers:
            server.close()
        await asyncio.gather(self._gate.stop(), self._door.stop())
        await self._lifespan.shutdown()

    def _config(self) -> uvicorn.Config:
        """uvicorn's settings, with everything off that the server does itself or must not do."""
        config = uvicorn.Config(
            SiteGuard(self._app, self._gate.site),
            http=HttpConnection,
            ws=protocol_class(self._gate),
            interface="asgi3",
            lifespan="auto",
            log_config=None,
            # Its warnings tell of every request that is malformed: whoever wants can write them by the million.
            log_level="error",
            access_log=False,
            # Who a client is must not depend on a header that anybody can send.
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=self._door.settings.keep_alive_s,
            workers=1,
            ssl_certfile=self._tls.certificate if self._tls else None,
            ssl_keyfile=self._tls.key if self._tls else None,
        )
        try:
            config.load()
        except OSError as error:
            raise PortError(
                f"cannot speak TLS: {error}. {self._tls} must be PEM files that belong together and that can be read."
            ) from error
        return config

    async def _start_app(self, config: uvicorn.Config) -> None:
        self._lifespan = config.lifespan_class(config)
        await self._lifespan.startup()
        if self._lifespan.should_exit:
            raise PortError("the application did not start; the log says why")


async def bind_all(host: str, port: int) -> list[socket.socket]:
    """A bound socket for every address that `host` names; with port 0 the first finds a free one, the rest follow."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise PortError(
            f"cannot listen on {host!r}: {error.strerror}. "
            "Use 127.0.0.1 for this machine only, 0.0.0.0 for all networks, or one address of this machine."
        ) from error
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in found:
        chosen = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(bind(family, (address[0], chosen, *address[2:])))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for sock in sockets:
                    sock.close()
                raise PortError(bind_failure(host, chosen, error)) from error
            # `localhost` also names ::1 on machines that have no IPv6.
            absent = error
    if not sockets:
        assert absent is not None, f"{host!r} names no address, and that was no error"
        raise PortError(bind_failure(host, port, absent)) from absent
    return sockets


def bind(family: int, address: tuple[object, ...]) -> socket.socket:
    """A socket bound to one address, closed again if that fails."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Else `::` takes the IPv4 addresses too, and 0.0.0.0 beside it fails.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def bind_failure(host: str, port: int, error: OSError) -> str:
    """What to tell whoever asked for an address that cannot be had."""
    advice = {
        errno.EADDRINUSE: "Another program listens there, maybe another exchange: stop it or choose another port.",
        errno.EACCES: "Ports below 1024 are for the administrator: choose one above.",
        errno.EADDRNOTAVAIL: "This machine does not have that address: use 127.0.0.1, 0.0.0.0 or one that it has.",
    }.get(error.errno or 0, "Choose another address or port.")
    return f"cannot listen on {address_text((host, port))}: {error.strerror or error}. {advice}"

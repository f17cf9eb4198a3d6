"""Every way in which a secret can reach the server, for the test that looks for it afterwards.

A way is an async function of the stage, listed in `WAYS`; whoever adds a route or a message that carries a secret adds
a way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import argon2
import orjson
import pytest

from exchange.domain.values import Money
from exchange.server.app import Exchange
from exchange.server.identity.passwords import PASSWORD_CHARACTERS_MAX
from exchange.server.identity.tickets import Tickets
from exchange.server.identity.users import UnfitError, UserExistsError
from tests.support.ws import BINARY, CLOSE, CONT, TEXT, RawClient, client_frame, text, upgrade_request

USER: Final = "alice"
PASSWORD: Final = "canary-4f1c-password"
OTHER: Final = "canary-9b07-other"
SECRETS: Final = (PASSWORD, OTHER)


@dataclass
class Stage:
    """An exchange with a user whose password is a canary."""

    exchange: Exchange
    token: str
    ticket: str
    patch: pytest.MonkeyPatch
    said: list[str] = field(default_factory=list)
    """What the server told others than the one who sent the secret, such as its metrics."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be found anywhere."""
        return (*SECRETS, self.token, self.ticket)

    async def connect(self, path: str = "/ws") -> RawClient:
        return await RawClient.open(self.exchange.port.port, path)

    async def says(self, *frames: bytes, path: str = "/ws") -> None:
        """Send frames on a connection of their own, and wait until everything they lead to is done."""
        async with await self.connect(path) as client:
            await client.send(b"".join(frames) + client_frame(0x8, b"\x03\xe8"))
            await client.read_to_end()
        await self.quiet()

    async def asks(self, request: bytes) -> None:
        """Send a request on a connection of its own, and wait for the answer's end."""
        async with await RawClient.connect(self.exchange.port.port) as client:
            await client.send(request)
            await client.read_head()

    async def quiet(self) -> None:
        """Wait for the desk's work on what was said."""
        while tasks := tuple(self.exchange.desk._tasks):
            for task in tasks:
                await task


def message(aid: str, **fields: Any) -> bytes:
    return text(orjson.dumps({"aid": aid, **fields}).decode())


def login(secret: str, name: str = USER, **fields: Any) -> bytes:
    return message("req_login", user_name=name, password=secret, **fields)


def change(old: str, new: str) -> bytes:
    return message("change_password", old_password=old, new_password=new)


async def right(stage: Stage) -> None:
    await stage.says(login(PASSWORD))
    assert await stage.exchange.desk.log_in(USER, PASSWORD, address="127.0.0.1") is not None


async def wrong(stage: Stage) -> None:
    await stage.says(login(OTHER), login(PASSWORD, "nobody"), login(PASSWORD * 2), login(PASSWORD[:-1]))


async def more_often_than_allowed(stage: Stage) -> None:
    await stage.says(*[login(OTHER)] * 20)


async def by_token(stage: Stage) -> None:
    await stage.says(login(stage.token))
    await stage.says(login(stage.token, "nobody"), login(stage.token[:-1]))
    await stage.exchange.users.revoke_token(stage.token)
    await stage.says(login(stage.token))


async def in_wrong_fields(stage: Stage) -> None:
    await stage.says(
        message(PASSWORD),
        login("x", PASSWORD),
        login("x", bid=PASSWORD),
        login("x", log_id=PASSWORD, version=1),
        login("x", version=PASSWORD),
        login("x", whatever=PASSWORD),
        message("subscribe_quote", ins_list=PASSWORD),
        message("cancel_order", order_id=PASSWORD),
    )
    await stage.says(
        login(PASSWORD),
        message("subscribe_quote", ins_list=PASSWORD),
        message("set_chart", chart_id=PASSWORD),
        message("confirm_settlement", user_id=PASSWORD),
        message("insert_order", user_id=PASSWORD, direction=PASSWORD),
        message("peek_message", whatever=PASSWORD),
    )


async def in_malformed_messages(stage: Stage) -> None:
    whole = orjson.dumps({"aid": "req_login", "user_name": USER, "password": PASSWORD})
    for frame in (
        client_frame(TEXT, whole[:-1]),
        client_frame(TEXT, b"[" + whole + b"]"),
        client_frame(TEXT, b"[" * 50 + whole + b"]" * 50),
        client_frame(TEXT, whole + b"\xff"),
        client_frame(BINARY, whole),
        client_frame(0x5, whole),
        client_frame(TEXT, whole + b" " * 100_000),
        client_frame(TEXT, whole[:20], fin=False) + client_frame(CONT, whole[20:]),
        client_frame(0x9, PASSWORD.encode()),
        client_frame(0x8, b"\x03\xe8" + PASSWORD.encode()),
        message("req_login", user_name=USER, password=[PASSWORD]),
        message("req_login", user_name=USER, password={"password": PASSWORD}),
        message("req_login", password=PASSWORD),
        message("req_login", user_name=[USER], password=PASSWORD),
    ):
        await stage.says(frame)


async def as_what_can_be_no_password(stage: Stage) -> None:
    half_a_pair = '{"aid":"req_login","user_name":"alice","password":"\\ud800' + PASSWORD + '"}'
    await stage.says(login(PASSWORD * PASSWORD_CHARACTERS_MAX), text(half_a_pair))


async def in_a_change_of_the_password(stage: Stage) -> None:
    await stage.says(change(PASSWORD, OTHER))
    await stage.says(
        login(PASSWORD),
        change(OTHER, PASSWORD),
        change(PASSWORD, ""),
        change(PASSWORD, OTHER * PASSWORD_CHARACTERS_MAX),
        message("change_password", old_password=[PASSWORD], new_password=OTHER),
        message("change_password", old_password=PASSWORD, new_password=OTHER, user_id=OTHER),
    )
    async with await stage.connect() as client:
        await client.send(login(PASSWORD) + change(PASSWORD, OTHER))
        await client.read_text()
        await stage.quiet()
    assert await stage.exchange.users.verify(USER, OTHER) is not None


async def by_the_operator(stage: Stage) -> None:
    await stage.exchange.operator.set_password(USER, OTHER)
    for name, password in ((USER, PASSWORD), ("bob", OTHER * PASSWORD_CHARACTERS_MAX), ("no name", OTHER)):
        with pytest.raises((UserExistsError, UnfitError)) as refused:
            await stage.exchange.operator.add_user(name, password, Money(0))
        stage.said.append(repr(refused.value))


async def in_the_address(stage: Stage) -> None:
    for query in (
        f"user_id={USER}&token={stage.ticket}",
        f"user_id={USER}&token={stage.ticket}",
        f"user_id={USER}&token={stage.token}",
        f"user_id={USER}&token={PASSWORD}",
        f"user_id={USER}&token={PASSWORD}&token={OTHER}",
        f"user_id={PASSWORD}",
        f"token={PASSWORD}&user_id=%ff",
        f"log_id={PASSWORD}&version={PASSWORD}&user_id={USER}",
    ):
        await stage.says(path=f"/ws/diff?{query}")
        await stage.says(path=f"/ws?{query}")


async def in_requests_that_are_refused(stage: Stage) -> None:
    secret = PASSWORD
    for request in (
        upgrade_request(f"/nowhere?token={secret}"),
        upgrade_request(f"/{secret}"),
        upgrade_request(Origin=f"http://{secret}.example"),
        upgrade_request(host=f"{secret}.example"),
        upgrade_request(f"/ws?token={secret}", Sec_WebSocket_Key=secret),
        upgrade_request(f"/ws?token={secret}", Sec_WebSocket_Version=secret),
        upgrade_request(Cookie=secret * 800),
        upgrade_request(Authorization=f"Bearer {secret}", Content_Length="1"),
        f"GET /nowhere?token={secret} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n".encode(),
        f"{secret} / HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        f"GET / HTTP/{secret}\r\nHost: localhost\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\n{secret}\r\n\r\n".encode(),
        f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {secret}\r\n\r\n".encode(),
    ):
        await stage.asks(request)


async def while_the_check_fails(stage: Stage) -> None:
    def fail(*_: object) -> bool:
        raise RuntimeError("the check is broken")

    stage.patch.setattr(argon2.PasswordHasher, "verify", fail)
    await stage.says(login(PASSWORD))
    assert await stage.exchange.users.verify_token(stage.token) is not None


async def while_the_users_cannot_be_read(stage: Stage) -> None:
    async with stage.exchange.users._engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE user RENAME TO lost")
    stage.exchange.users._tokens.forget_user(USER)
    await stage.says(login(PASSWORD))
    await stage.says(login(stage.token))


async def while_the_conversation_fails(stage: Stage) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the desk is broken")

    stage.patch.setattr(stage.exchange.desk, "authenticate", fail)
    stage.patch.setattr(Tickets, "redeem", fail)
    await stage.says(login(PASSWORD))
    await stage.asks(upgrade_request(f"/ws/diff?user_id={USER}&token={stage.ticket}"))


async def while_the_hash_pool_is_full(stage: Stage) -> None:
    stage.patch.setattr(stage.exchange.users._hash_pool, "_waiting_max", 0)
    await stage.says(login(PASSWORD))


async def while_the_server_stops(stage: Stage) -> None:
    async with await stage.connect() as client:
        await client.send(login(PASSWORD))
        stopping = asyncio.create_task(stage.exchange.stop())
        while (await client.read_frame())[0] != CLOSE:
            pass
    await stopping


WAYS: Final[list[Callable[[Stage], Awaitable[None]]]] = [
    right,
    wrong,
    more_often_than_allowed,
    by_token,
    in_wrong_fields,
    in_malformed_messages,
    as_what_can_be_no_password,
    in_a_change_of_the_password,
    by_the_operator,
    in_the_address,
    in_requests_that_are_refused,
    while_the_check_fails,
    while_the_users_cannot_be_read,
    while_the_conversation_fails,
    while_the_hash_pool_is_full,
    while_the_server_stops,
]


def turn_on_every_log() -> None:
    """Let every logger of every library that is loaded say all that it has."""
    logging.getLogger().setLevel(1)
    for logger in list(logging.getLogger().manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.setLevel(1)

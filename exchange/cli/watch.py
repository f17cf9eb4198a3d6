"""`exchange watch`: the user's picture as it changes, until q or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from exchange.cli import completion, logins, texts
from exchange.cli.errors import NotReachableError, TurnedDownError, UsageError
from exchange.cli.logins import Login
from exchange.cli.options import Language, LanguageOption
from exchange.cli.output import make_console
from exchange.cli.screen import screen
from exchange.gateway.notices import Language as TextLanguage

if TYPE_CHECKING:
    from rich.console import Group

    from exchange.client import Client, Notice

SHOWN_EVERY_S: Final = 0.1
"""The screen is made anew at most so often: nobody reads faster."""
SHOWN_AT_LEAST_EVERY_S: Final = 1.0
"""That a connection was lost changes no picture, and must show all the same."""
NOTICES_SHOWN: Final = 3
QUIT: Final = b"q"
KEYS_READ: Final = 64


def watch(
    contracts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONTRACT", help="Contracts whose quotes to show.", autocompletion=completion.instruments
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the picture as it is now, and end.")] = False,
    lang: LanguageOption = Language.EN,
) -> None:
    """Watch your money, positions, orders and quotes.

    Shown as they change, until q or Ctrl-C. A lost connection is made again by itself.
    """
    if not once and not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError(texts.WATCH_NEEDS_TERMINAL(lang.value))
    from exchange.client import LoginError, NotConnectedError

    login = logins.kept(lang.value)
    try:
        asyncio.run(_watch(login, contracts or [], once, lang.value))
    except LoginError as error:
        raise TurnedDownError(texts.LOGIN_EXPIRED(lang.value, user=login.user, url=login.url)) from error
    except NotConnectedError as error:
        raise NotReachableError(str(error)) from error


async def _watch(login: Login, contracts: list[str], once: bool, language: TextLanguage) -> None:
    from exchange.client import Client

    tls = login.address().certificates
    async with Client(login.websocket_url, login.user, login.token, tls=tls) as client:
        notices: deque[Notice] = deque(maxlen=NOTICES_SHOWN)
        client.on_notice(notices.append)
        if contracts:
            await client.subscribe(*contracts)
            # The exchange echoes what it gives; a contract that it does not have is told by a notice.
            await client.wait_for(lambda picture: picture.tree.get("ins_list") is not None or notices)
        if once:
            make_console().print(screen(client.picture, _heading(client, login, language), tuple(notices), language))
        else:
            await _live(client, login, notices, language)


async def _live(client: Client, login: Login, notices: deque[Notice], language: TextLanguage) -> None:
    """Show each version, at most every SHOWN_EVERY_S, until somebody ends it."""
    from rich.live import Live

    changed, ended = asyncio.Event(), asyncio.Event()
    client.on((), lambda _: changed.set())
    client.on_notice(lambda _: changed.set())
    with _keys(ended), Live(screen=True, auto_refresh=False) as live:
        while not ended.is_set():
            live.update(_shown(client, login, notices, language), refresh=True)
            changed.clear()
            await _first_of(changed, ended, timeout_s=SHOWN_AT_LEAST_EVERY_S)
            await _first_of(ended, timeout_s=SHOWN_EVERY_S)


def _shown(client: Client, login: Login, notices: deque[Notice], language: TextLanguage) -> Group:
    if client.is_connected:
        title = texts.WATCHING(language, picture=_heading(client, login, language))
    else:
        title = texts.CONNECTING(language, url=login.url)
    return screen(client.picture, title, tuple(notices), language)


def _heading(client: Client, login: Login, language: TextLanguage) -> str:
    """Whose picture it is, where, and at which version."""
    return texts.PICTURE(language, user=login.user, url=login.url, version=client.picture.version)


async def _first_of(*events: asyncio.Event, timeout_s: float | None = None) -> None:
    """Wait until one of the events is set, or the time is over."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


@contextmanager
def _keys(ended: asyncio.Event) -> Iterator[None]:
    """Hear single keys and the signals that end a program while the block runs; the terminal is as before then."""
    loop = asyncio.get_running_loop()
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def pressed() -> None:
        keys = os.read(terminal, KEYS_READ)
        if not keys or QUIT in keys:  # no bytes: the terminal is gone
            ended.set()

    tty.setcbreak(terminal)
    loop.add_reader(terminal, pressed)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)

"""`exchange watch` in a terminal of its own: what stands on the screen, what ends it, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pyte
import pytest

from exchange.testing import RunningExchange, run_exchange
from tests.cli.harness import CHECKOUT, DEADLINE_S, PROGRAM, invoke, run

CU: Final = "SHFE.cu2701"
COLUMNS, LINES = 80, 50
LEAVES_SCREEN: Final = b"\x1b[?1049l"
SHOWS_CURSOR: Final = b"\x1b[?25h"


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, *arguments: str) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (LINES, COLUMNS))
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.written = b""
        self.process = subprocess.Popen(
            [*PROGRAM, "watch", *arguments],
            cwd=CHECKOUT,
            env=_environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )

    def until(self, shown: Callable[[str], bool]) -> str:
        """The screen once it is as wanted."""
        end = time.monotonic() + DEADLINE_S
        while not shown(text := "\n".join(self._screen.display)):
            assert time.monotonic() < end, f"the screen is:\n{text}"
            self._read(1.0)
        return text

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def ended(self) -> int:
        """The exit status."""
        end = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < end, "the program goes on"
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    @property
    def settings(self) -> list[object]:
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self, within_s: float) -> bool:
        if not select.select([self._ours], [], [], within_s)[0]:
            return False
        data = os.read(self._ours, 65_536)
        self.written += data
        self._stream.feed(data)
        return True


def _environment() -> dict[str, str]:
    """Ours, but for what would tell another size than the terminal's."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return kept | {"TERM": "xterm-256color", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with (
        pytest.MonkeyPatch.context() as patch,
        run_exchange(users={"alice": 1_000_000, "bob": 1_000_000}, time="real", language="en") as running,
    ):
        patch.setenv("EXCHANGE_LOGIN", str(tmp_path_factory.mktemp("config") / "login.json"))
        password = running.password("alice")
        assert invoke("login", "alice", "--url", running.http_url, EXCHANGE_PASSWORD=password).exit_code == 0
        yield running


@pytest.fixture
def terminal(exchange: RunningExchange) -> Iterator[Terminal]:
    opened = Terminal(CU, "SHFE.none")
    try:
        yield opened
    finally:
        opened.close()


def test_the_screen_follows_the_picture_and_is_gone_after_q(exchange: RunningExchange, terminal: Terminal) -> None:
    exchange.market.quote(CU, bid=47_780, ask=47_820, lots=10)
    terminal.until(lambda text: "47780" in text and "47820" in text and "1,000,000.00" in text)
    assert invoke("buy", CU, 1, 47_820, "--id", "shown").exit_code == 0
    text = terminal.until(lambda text: "shown" in text and "filled" in text)
    assert "Unknown instruments are left out: SHFE.none" in text
    exchange.market.quote(CU, bid=47_900, ask=47_920, lots=10)
    terminal.until(lambda text: "47900" in text)
    terminal.press(b"xq")
    assert terminal.ended() == 0
    assert LEAVES_SCREEN in terminal.written
    assert SHOWS_CURSOR in terminal.written
    assert terminal.settings == terminal.before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_terminal_clean_too(terminal: Terminal, number: int) -> None:
    terminal.until(lambda text: CU in text)
    terminal.process.send_signal(number)
    assert terminal.ended() == 0
    assert terminal.written.rindex(LEAVES_SCREEN) > 0
    assert terminal.settings == terminal.before


def test_a_long_order_id_gives_the_room_that_is_missing(exchange: RunningExchange, terminal: Terminal) -> None:
    order_id = "an-id-as-long-as-it-may-be-" + "x" * 30
    assert invoke("sell", CU, 1, 50_000, "--id", order_id).exit_code == 0
    text = terminal.until(lambda text: "an-id" in text)
    (row,) = (line for line in text.splitlines() if "an-id" in line)
    time_, shown, *others = row.split()
    assert (len(time_), shown.endswith("…")) == (len("14:30:00"), True)
    assert others == [CU, "sell", "open", "50000", "1", "1", "working"]


def test_a_cut_line_is_mended(exchange: RunningExchange, terminal: Terminal) -> None:
    terminal.until(lambda text: CU in text)
    exchange.restart()
    assert invoke("buy", CU, 1, 47_000, "--id", "afterwards").exit_code == 0
    text = terminal.until(lambda text: "afterwards" in text)
    assert f"alice at {exchange.http_url}" in text


def test_an_exchange_that_is_gone_is_told_with_the_last_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_LOGIN", str(tmp_path / "login.json"))
    with run_exchange(users={"alice": 1_000_000}, time="real", language="en") as exchange:
        url = exchange.http_url
        assert invoke("login", "alice", "--url", url, EXCHANGE_PASSWORD=exchange.password("alice")).exit_code == 0
        terminal = Terminal(CU)
        try:
            terminal.until(lambda text: CU in text)
        except BaseException:
            terminal.close()
            raise
    try:
        text = terminal.until(lambda text: f"connecting to {url}" in text)
        assert CU in text
        terminal.press(b"q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


def test_without_a_terminal_it_is_asked_for_once(exchange: RunningExchange) -> None:
    refused = run("watch", CU)
    assert (refused.returncode, "--once" in refused.stderr) == (2, True)
    once = run("watch", CU, "--once")
    assert once.returncode == 0, once.stderr
    title, *_ = shown = once.stdout.splitlines()
    assert title.startswith("alice at")
    assert "q to quit" not in title
    assert any(line.startswith(CU) for line in shown)
    assert "Quotes" not in run("watch", "--once").stdout


def test_a_login_that_is_void_is_told(
    exchange: RunningExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_LOGIN", str(tmp_path / "login.json"))
    password = exchange.password("bob")
    assert invoke("login", "bob", "--url", exchange.http_url, EXCHANGE_PASSWORD=password).exit_code == 0
    kept = (tmp_path / "login.json").read_bytes()
    assert invoke("logout").exit_code == 0
    (tmp_path / "login.json").write_bytes(kept)
    result = run("watch", "--once")
    assert (result.returncode, "run `exchange login` again" in result.stderr) == (3, True)

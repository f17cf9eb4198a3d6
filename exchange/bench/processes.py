"""Child processes of a benchmark: same interpreter, same packages, ended by their ids whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

import exchange
from exchange.bench.plan import LoadPlan, Measured

PACKAGES: Final = Path(exchange.__file__).resolve().parents[1]
"""Where the packages lie that are measured: a checkout, or site-packages."""
STOP_TIMEOUT_S: Final = 30.0
LOAD_OVERHEAD_MAX_S: Final = 120.0
"""What a load may take beside its own seconds, for its logins and first orders."""


Result = TypeVar("Result")


class BenchError(Exception):
    """A part of the benchmark did not work; the text says which, with what it wrote."""


class Server(NamedTuple):
    """A server that is ready."""

    pid: int
    port: int


@contextmanager
def running_server(data: Path, *options: str) -> Iterator[Server]:
    """`exchange serve` on the folder until the block ends."""
    command = "from exchange.cli.main import main; main()"
    arguments = ("-c", command, "--log-level", "warning", "serve", "--json", "--port", "0", "--data", str(data))
    with _running(*arguments, *options) as ready:
        yield ready


@contextmanager
def running_echo() -> Iterator[Server]:
    """The echo server until the block ends."""
    with _running("-m", "exchange.bench.echo") as ready:
        yield ready


def run_load(plan: LoadPlan) -> Measured:
    """Let a load generator run the plan. Raises BenchError with what it wrote where it failed."""
    try:
        done = subprocess.run(
            _python("-m", "exchange.bench.load"),
            input=msgspec.json.encode(plan),
            capture_output=True,
            env=_environment(),
            timeout=plan.warm_up_s + plan.measure_s + LOAD_OVERHEAD_MAX_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise BenchError(f"the load generator failed: {error.stderr.decode(errors='replace')}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the load generator was not done after {error.timeout:g} s") from error
    return msgspec.json.decode(done.stdout, type=Measured)


class Waiting(Generic[Result]):
    """A client process that runs: `result` tells it to end what it does, and gives what it says last."""

    def __init__(self, process: subprocess.Popen[bytes], kind: type[Result], timeout_s: float) -> None:
        self._process = process
        self._kind = kind
        self._timeout_s = timeout_s

    def tell(self) -> None:
        """Say to it that it may go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def wait_for_line(self) -> None:
        """Wait until it says that it has come to the point where it is waited for. Raises BenchError where it ends
        instead."""
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            self.result()

    def result(self) -> Result:
        """What it says on its last line. Raises BenchError with what it wrote where it failed."""
        out, err = self._process.communicate(timeout=self._timeout_s)
        if self._process.returncode:
            raise BenchError(f"{self._process.args!r} failed: {err.decode(errors='replace')}")
        return msgspec.json.decode(out, type=self._kind)


@contextmanager
def running_client(module: str, plan: Struct, kind: type[Result]) -> Iterator[Waiting[Result]]:
    """A client process with its plan on standard input, which stays open until its result is asked for."""
    pipe = subprocess.PIPE
    command = _python("-m", module)
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=_environment())
    assert process.stdin is not None
    try:
        process.stdin.write(msgspec.json.encode(plan) + b"\n")
        process.stdin.flush()
        yield Waiting(process, kind, LOAD_OVERHEAD_MAX_S)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def _running(*arguments: str) -> Iterator[Server]:
    """A server that says on its first line, as JSON, that it is ready."""
    process = subprocess.Popen(
        _python(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=_environment()
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise BenchError(f"{' '.join(arguments)} ended with status {process.wait()} instead of being ready")
        yield Server(pid=process.pid, port=msgspec.json.decode(line)["port"])
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _python(*arguments: str) -> Sequence[str]:
    # -P: not the packages of whatever folder this was called in, but those that run here.
    return (sys.executable, "-P", *arguments)


def _environment() -> dict[str, str]:
    """Ours, without the settings of an exchange: what is measured must not depend on them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    return kept | {"PYTHONPATH": str(PACKAGES), "PYTHONUNBUFFERED": "1"}

"""The two ways to have a worker: a process of its own, or, for a log that no other process can read, a thread."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from eventstore.store import LogReader
from exchange.gateway.notices import Language
from exchange.server.history.folds import IsLate
from exchange.server.history.questions import Answer, Asked, Question, decode_answer, encode
from exchange.server.history.worker import LENGTH_BYTES, Historian, framed, late_after

GRACE_S: Final = 5.0
"""How much longer than its time an answer may take: beyond it the process hangs and is killed. Starting the process is
a part of it."""


class WorkerLostError(Exception):
    """The worker was killed, crashed or hung; the next question gets a new one."""


class Worker(Protocol):
    """Answers questions, one at a time."""

    async def ask(self, question: Question, timeout_s: float) -> Answer:
        """The answer, after about `timeout_s` at the latest. Raises WorkerLostError."""
        ...

    async def stop(self) -> None:
        """End it, also in the middle of an answer; the next question starts it anew."""
        ...


class WorkerProcess:
    """A child process, started at the first question. Its own pipe ends it should this process die."""

    def __init__(self, log_path: Path, language: Language) -> None:
        self._log_path = log_path
        self._language = language
        self._process: Process | None = None
        self._stops = 0
        """How often it was stopped."""

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return None if self._process is None else self._process.pid

    async def ask(self, question: Question, timeout_s: float) -> Answer:
        """See `Worker.ask`."""
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                return decode_answer.decode(await self._exchange(encode(Asked(question, timeout_s))))
        except (OSError, EOFError) as error:  # TimeoutError among them
            await self.stop()
            raise WorkerLostError(f"the process that reads the log for this was lost ({error!r})") from error
        except BaseException:
            # Whoever asked has gone: nobody reads the answer, which must not be taken for the next one's.
            await self.stop()
            raise

    async def _exchange(self, text: bytes) -> bytes:
        process = self._process or await self._start()
        questions, answers = process.stdin, process.stdout
        assert questions is not None, "the process was started with pipes"
        assert answers is not None, "the process was started with pipes"
        questions.write(framed(text))
        await questions.drain()
        length = int.from_bytes(await answers.readexactly(LENGTH_BYTES))
        return await answers.readexactly(length)

    async def _start(self) -> Process:
        stops = self._stops
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "exchange.server.history.worker",
            str(self._log_path),
            self._language,
            stdin=PIPE,
            stdout=PIPE,
            # The same code as here, from wherever it was imported, and from nowhere else.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            # Ctrl-C in the terminal is for the exchange, which ends this one in good order.
            start_new_session=True,
        )
        if stops != self._stops:
            raise EOFError("it was stopped while it started")
        return self._process

    async def stop(self) -> None:
        """See `Worker.stop`."""
        self._stops += 1
        process, self._process = self._process, None
        if process is not None:
            # It writes nothing but answers that nobody waits for any more.
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class WorkerThread:
    """A thread of this process. It shares the interpreter with the loop: for tests and small logs."""

    def __init__(self, open_reader: Callable[[], LogReader], language: Language) -> None:
        self._open_reader = open_reader
        self._language = language
        self._pool: ThreadPoolExecutor | None = None
        self._reader: LogReader | None = None
        self._historian: Historian | None = None
        self._stopping = False

    async def ask(self, question: Question, timeout_s: float) -> Answer:
        """See `Worker.ask`."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "history")
        is_late = late_after(timeout_s)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question, is_late)

    def _answer(self, question: Question, is_late: IsLate) -> Answer:
        self._reader = self._reader or self._open_reader()
        historian, self._historian = self._historian or Historian(self._reader, self._language), None
        answer = historian.answer(question, lambda: self._stopping or is_late())
        self._historian = historian  # not reached after an exception: it may have left half a fold behind
        return answer

    async def stop(self) -> None:
        """See `Worker.stop`."""
        pool, self._pool = self._pool, None
        if pool is not None:
            self._stopping = True
            await asyncio.to_thread(pool.shutdown)
            self._stopping = False
            self._historian = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

"""Who asks about the past waits in turn for the one worker: bounds, deadlines, and when the worker may rest."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from exchange.server.history.process import Worker, WorkerLostError
from exchange.server.history.questions import Late, Question, Told, Unreadable

log = logging.getLogger("exchange.history")

IDLE_S: Final = 60.0
"""After so long without a question the worker ends, and with it all that it keeps."""
ASKERS_MIN: Final = 4
"""So many askers it takes, at least, to fill all places."""


class HistoryError(Exception):
    """A question about the past that got no answer; the same one may get one later."""


class HistoryBusyError(HistoryError):
    """Too many questions wait for the worker, of all askers or of this one."""

    def __init__(self, waiting_max: int, whose: str = "") -> None:
        super().__init__(
            f"{waiting_max} questions {whose}about the past wait for their answers, as many as may: try again in a "
            "moment"
        )


class HistoryLateError(HistoryError):
    """The answer took too long."""


class HistoryLostError(HistoryError):
    """The worker, or what it reads, failed."""


class _Shares:
    """The questions that each asker has under way, so that one who asks without end keeps nobody else from asking."""

    def __init__(self, waiting_max: int) -> None:
        self._most = max(1, waiting_max // ASKERS_MIN)
        self._asking: Counter[str] = Counter()

    @contextmanager
    def of(self, asker: str | None) -> Iterator[None]:
        """Ask within; None is not counted. Raises HistoryBusyError where this asker has as many as one may."""
        if asker is None:
            yield
            return
        if self._asking[asker] >= self._most:
            raise HistoryBusyError(self._most, "of yours ")
        self._asking[asker] += 1
        try:
            yield
        finally:
            self._asking[asker] -= 1
            if not self._asking[asker]:
                del self._asking[asker]


class HistoryQueue:
    """The line in front of a worker, in the exchange's loop."""

    def __init__(self, worker: Worker, *, waiting_max: int, timeout_s: float, idle_s: float = IDLE_S) -> None:
        """The worker has `timeout_s` for a question, with the time that the question waits for others."""
        self._worker = worker
        self._waiting_max = waiting_max
        self._shares = _Shares(waiting_max)
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._stopped = False

    async def ask(self, question: Question, asker: str | None = None) -> Told:
        """The worker's answer. Raises HistoryError.

        An `asker` has a share of the places only; None stands for nobody in particular, who may have all.
        """
        if self._waiting >= self._waiting_max:
            raise HistoryBusyError(self._waiting_max)
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        with self._shares.of(asker):
            self._waiting += 1
            try:
                await self._my_turn(deadline)
                try:
                    return await self._answered(question, deadline)
                finally:
                    self._turn.release()
            finally:
                self._waiting -= 1

    async def stop(self) -> None:
        """Answer nothing more; a question that waits or is being answered fails."""
        self._stopped = True
        self._stay_awake()
        await self._worker.stop()
        if self._ending is not None:
            await self._ending

    async def _my_turn(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._turn.acquire()
        except TimeoutError:
            raise HistoryLateError(
                f"other questions about the past were answered for {self._timeout_s:g} s: try again later"
            ) from None

    async def _answered(self, question: Question, deadline: float) -> Told:
        loop = asyncio.get_running_loop()
        self._stay_awake()
        if self._stopped:
            raise HistoryLostError("the exchange is shutting down")
        try:
            answer = await self._worker.ask(question, max(0.0, deadline - loop.time()))
        except WorkerLostError as error:
            log.warning("a question about the past got no answer: %s", error)
            raise HistoryLostError(f"{error}: try again, another one is started") from error
        finally:
            if not self._stopped:
                self._idle = loop.call_later(self._idle_s, self._fall_asleep)
        match answer:
            case Told():
                return answer
            case Late(reached):
                raise HistoryLateError(
                    f"the log was read up to {reached} in the {self._timeout_s:g} s that there are: ask again, which "
                    "goes on from there, or have the setting history_timeout raised"
                )
            case Unreadable(why):
                log.error("a question about the past got no answer: %s", why)
                raise HistoryLostError("the log could not be read: see what the exchange has logged")

    def _stay_awake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _fall_asleep(self) -> None:
        self._idle = None
        self._ending = asyncio.get_running_loop().create_task(self._end_worker())

    async def _end_worker(self) -> None:
        async with self._turn:  # whoever asks meanwhile waits, and starts it anew
            await self._worker.stop()

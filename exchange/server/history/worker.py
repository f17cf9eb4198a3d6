"""Who answers about the past: reads the log and folds it, in a process or a thread of its own.

As a program it answers on its standard output what comes on its standard input, one question after the other, until
that ends: `python -m exchange.server.history.worker LOG LANGUAGE`.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final, assert_never, cast

import orjson

from eventstore.model import StoreError
from eventstore.sqlite_reader import open_reader
from eventstore.store import LogReader
from exchange.gateway.dialects.guide import GuideDialect
from exchange.gateway.notices import Language
from exchange.server.history.folds import IsLate, LateError, PastRows, ViewFold
from exchange.server.history.pictures import Tree, all_dialects, book, picture
from exchange.server.history.questions import (
    Answer,
    AskBook,
    AskRows,
    AskSnapshot,
    AskStep,
    Late,
    Question,
    Told,
    Unreadable,
    ViewName,
    decode_asked,
    encode,
)
from exchange.server.history.rows import Found, pick
from projections.fold import Projections
from projections.merge_patch import difference

NICENESS: Final = 10
"""How far the process stands back: where both want the same core, the exchange gets nine tenths of it."""
LENGTH_BYTES: Final = 4
"""In front of every question and answer its length, high byte first."""


class Historian:
    """Answers questions from one log, one at a time. After an exception it must not be asked again."""

    def __init__(self, reader: LogReader, language: Language) -> None:
        self._reader = reader
        self._dialects = all_dialects(language)
        self._rows_dialect = GuideDialect(language)
        self._views = ViewFold()
        self._past: PastRows | None = None
        self._step_begun: tuple[ViewName, int, Tree] | None = None
        """Where the last step begins: its view, the version asked for, and the tree there. Should the time end before
        the step does, the views stand behind it already when the question comes again."""

    def answer(self, question: Question, is_late: IsLate) -> Answer:
        """The answer; what the log is at fault for is one too."""
        try:
            match question:
                case AskSnapshot():
                    return self._snapshot(question, is_late)
                case AskStep():
                    return self._step(question, is_late)
                case AskBook():
                    return self._book(question, is_late)
                case AskRows():
                    return self._rows(question, is_late)
                case _:
                    assert_never(question)
        except LateError as error:
            return Late(error.reached)
        except StoreError as error:
            return Unreadable(str(error))

    def _snapshot(self, asked: AskSnapshot, is_late: IsLate) -> Told:
        projections = self._views_at(asked.version, asked.at_ns, is_late)
        tree = picture(projections, asked.view, self._dialects[asked.view.dialect])
        return Told(projections.version, orjson.dumps(tree))

    def _step(self, asked: AskStep, is_late: IsLate) -> Told:
        dialect = self._dialects[asked.view.dialect]
        if self._step_begun is None or self._step_begun[:2] != (asked.view, asked.after):
            projections = self._views_at(asked.after, None, is_late)
            self._step_begun = asked.view, asked.after, picture(projections, asked.view, dialect)
        before = self._step_begun[2]
        projections = self._views_at(asked.until, None, is_late)
        patch = difference(before, picture(projections, asked.view, dialect))
        return Told(projections.version, orjson.dumps(patch))

    def _book(self, asked: AskBook, is_late: IsLate) -> Told:
        projections = self._views_at(asked.version, None, is_late)
        return Told(projections.version, orjson.dumps(book(projections, asked.instrument_id, asked.depth)))

    def _rows(self, asked: AskRows, is_late: IsLate) -> Told:
        wanted, before = asked.wanted, asked.before
        found: list[Found] = []
        while True:
            if self._past is None or not self._past.covers(wanted.account_id, before, asked.version):
                self._past = PastRows(wanted.account_id, before)
            self._past.go_on(self._reader, asked.version, is_late)
            for row in pick(self._past.newest_first(before), wanted, self._rows_dialect):
                found.append(row)
                if len(found) == asked.count:
                    break
            if len(found) == asked.count or self._past.whole_from is None:
                break
            before = self._past.whole_from
        return Told(self._past.version, orjson.dumps([[*place, fields] for place, fields in found]))

    def _views_at(self, version: int, at_ns: int | None, is_late: IsLate) -> Projections:
        if self._views.is_beyond(version, at_ns):
            self._views = ViewFold()
        self._views.go_on(self._reader, version, at_ns, is_late)
        return self._views.projections


def answer_all(questions: BinaryIO, answers: BinaryIO, historian: Historian) -> None:
    """Answer until the questions end."""
    while len(head := questions.read(LENGTH_BYTES)) == LENGTH_BYTES:
        asked = decode_asked(questions.read(int.from_bytes(head)))
        answers.write(framed(encode(historian.answer(asked.question, late_after(asked.timeout_s)))))
        answers.flush()


def late_after(timeout_s: float) -> IsLate:
    """Whether so much time has passed since this call."""
    deadline = time.monotonic() + timeout_s
    return lambda: time.monotonic() > deadline


def framed(text: bytes) -> bytes:
    """With its length in front."""
    return len(text).to_bytes(LENGTH_BYTES) + text


def main() -> None:
    """The program."""
    log_path, language = sys.argv[1:]
    os.nice(NICENESS)
    # What is folded refers to nothing that refers back, and looking for such garbage takes a quarter of the time.
    gc.disable()
    # Whatever else might be printed must not come between two answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with closing(open_reader(Path(log_path))) as reader:
        answer_all(sys.stdin.buffer, answers, Historian(reader, cast(Language, language)))


if __name__ == "__main__":
    main()

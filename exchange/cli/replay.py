"""`exchange replay`: fold the whole log anew, and with `--verify` decide all of it anew. Reads only."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from exchange.cli.errors import FailedError
from exchange.cli.log_files import reading_log
from exchange.cli.options import DEFAULT_DATA, DataOption, JsonOption
from exchange.cli.output import print_facts, print_json, progress
from exchange.cli.redecide import Difference, Replayed, StoredEvent
from exchange.cli.redecide import replay as replay_log


def replay(
    verify: Annotated[
        bool, typer.Option("--verify", help="Decide every command anew and compare the events byte for byte.")
    ] = False,
    until: Annotated[
        int | None,
        typer.Option(metavar="LOG_SEQ", min=0, help="Replay to the end of the last entry at or before this place."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    json: JsonOption = False,
) -> None:
    """Fold the log anew, or decide all of it anew.

    Gives the events per second and the final state's hash, which is compared with those stored in the log. Status 1 and
    the place of the first difference where there is one.
    """
    with reading_log(data) as reader:
        head = reader.head
        if until is not None and until > head.log_seq:
            raise FailedError(f"--until {until} is behind the end of the log, which is log_seq {head.log_seq}")
        end = head.log_seq if until is None else until
        with progress("deciding anew" if verify else "replaying") as told:
            begin = time.perf_counter()
            done = replay_log(reader, until=end, redecide=verify, told=told)
            seconds = time.perf_counter() - begin
    document = _document(done, head.log_id, verify, seconds)
    if json:
        print_json(document)
    else:
        print_facts(_facts(done, document))
    if done.difference is not None:
        raise FailedError(_text(done.difference))


def _document(done: Replayed, log_id: str, verify: bool, seconds: float) -> dict[str, Any]:
    difference = done.difference
    return {
        "ok": difference is None,
        "log_id": log_id,
        "log_seq": done.log_seq,
        "events": done.log_seq,
        "commands": done.entries,
        "seconds": seconds,
        "events_per_second": done.log_seq / max(seconds, 1e-9),
        "state_hash": done.state_hash.hex(),
        "redecided": verify,
        "state_hashes_compared": done.hashes_compared,
        "difference": difference
        and {
            "log_seq": difference.log_seq,
            "what": difference.what,
            "expected": _side(difference.expected),
            "found": _side(difference.found),
        },
    }


def _side(side: StoredEvent | str | None) -> Any:
    return side.document() if isinstance(side, StoredEvent) else side


def _facts(done: Replayed, document: dict[str, Any]) -> list[tuple[str, object]]:
    how = "all decided anew, equal byte for byte" if document["redecided"] else "folded"
    return [
        ("log_seq", done.log_seq),
        ("commands", f"{done.entries}"),
        ("events", f"{done.log_seq} {how if done.difference is None else 'before the difference'}"),
        ("rate", f"{document['events_per_second']:,.0f} events/s in {document['seconds']:.2f} s"),
        ("state hash", document["state_hash"]),
        ("state hashes", f"{done.hashes_compared or 'none'} in the log to compare with"),
    ]


def _text(difference: Difference) -> str:
    return (
        f"first difference at log_seq {difference.log_seq}: {difference.what}\n"
        f"  expected: {difference.expected or 'nothing'}\n"
        f"  found:    {difference.found or 'nothing'}\n"
        "The log was written by a release that decides otherwise, or one of the two has an error."
    )

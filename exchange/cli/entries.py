"""Entries of the log as they are shown: as documents, and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from eventstore.model import RecordedEntry, RecordedEvent
from exchange.cli.describe import describe_command, describe_event
from exchange.cli.times import china_text, utc_text
from exchange.codec import COMMANDS, EVENTS, UnknownTypeError
from exchange.gateway.notices import Language


def entry_document(
    entry: RecordedEntry, *, first: int = 0, last: int | None = None, body: bool = True
) -> dict[str, Any]:
    """An entry with its events from `first` to `last`; bodies and payloads stand as they are stored, byte for byte.

    Without `body` the command's content is left out.
    """
    document: dict[str, Any] = {
        "command_seq": entry.command_seq,
        "first_log_seq": entry.first_log_seq,
        "last_log_seq": entry.last_log_seq,
        "at": utc_text(entry.at_ns),
        "at_ns": entry.at_ns,
        "actor": entry.actor,
        "client_id": entry.client_id,
        "origin": entry.origin,
        "command": entry.type,
        "command_version": entry.version,
    }
    if body:
        document["body"] = orjson.Fragment(entry.body)
    last = entry.last_log_seq if last is None else last
    document["events"] = [_event_document(event) for event in entry.events if first <= event.log_seq <= last]
    return document


def _event_document(event: RecordedEvent) -> dict[str, Any]:
    return {
        "log_seq": event.log_seq,
        "stream": event.stream,
        "stream_version": event.stream_version,
        "type": event.type,
        "version": event.version,
        "payload": orjson.Fragment(event.payload),
    }


def entry_lines(entry: RecordedEntry, language: Language) -> Iterator[str]:
    """A line for the command, then one for each of its events: where, when in China, who, what."""
    asker = entry.actor + (f" {entry.origin}" if entry.origin else "")
    yield f"{entry.first_log_seq:>10}  {china_text(entry.at_ns)}  {asker}  {_command(entry)}"
    for event in entry.events:
        yield f"{event.log_seq:>10}    {event.type}  {_event(event, language)}"


def _command(entry: RecordedEntry) -> str:
    try:
        return describe_command(COMMANDS.decode(entry.type, entry.version, entry.body))
    except UnknownTypeError:
        # Written by a newer release: to look at, the stored text serves.
        return f"{entry.type} {entry.body.decode()}"


def _event(event: RecordedEvent, language: Language) -> str:
    try:
        return describe_event(EVENTS.decode(event.type, event.version, event.payload), language)
    except UnknownTypeError:
        return event.payload.decode()

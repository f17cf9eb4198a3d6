"""Events and commands to (type, version, bytes) and back.

The bytes are JSON, so that people can read the log with SQL; whole numbers and texts only, so that equal values give
equal bytes on every machine. What was written stays as it is for ever: when a type's fields change, its version rises
and an upcaster lifts the older ones on reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast, get_args

import msgspec

from exchange.domain.commands import Command
from exchange.domain.events import CommandRefused, Event, InstrumentRegistered, TradeExecuted

T = TypeVar("T")

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the fields of one version into those of the next."""


class Encoded(NamedTuple):
    """A command or an event as the log keeps it."""

    type: str
    version: int
    body: bytes


class UnknownTypeError(Exception):
    """The log holds a type or version that this release does not know: it was written by a newer one."""

    def __init__(self, type_name: str, version: int) -> None:
        super().__init__(
            f"the log holds {type_name} in version {version}, which this release cannot read; install a newer one"
        )


class Codec(Generic[T]):
    """Encodes and decodes one closed set of types.

    `versions` names the types whose version is not 1; `upcasters` holds, for each older version of a type, the step to
    the next.
    """

    def __init__(
        self,
        types: tuple[type[Any], ...],
        versions: Mapping[str, int] | None = None,
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
    ) -> None:
        self._versions = {each.__name__: (versions or {}).get(each.__name__, 1) for each in types}
        self._written = {each: (each.__name__, self._versions[each.__name__]) for each in types}
        self._types = {each.__name__: each for each in types}
        self._decoders = {each.__name__: msgspec.json.Decoder(each) for each in types}
        self._upcasters = dict(upcasters or {})
        self._encode = msgspec.json.Encoder().encode

    def encode(self, value: T) -> Encoded:
        """The current version's bytes."""
        name, version = self._written[type(value)]
        return Encoded(name, version, self._encode(value))

    def decode(self, type_name: str, version: int, body: bytes) -> T:
        """Raises UnknownTypeError for what this release does not know, msgspec.ValidationError for fields that do not
        fit."""
        if self._versions.get(type_name) == version:
            return cast(T, self._decoders[type_name].decode(body))
        return self._decode_older(type_name, version, body)

    def _decode_older(self, type_name: str, version: int, body: bytes) -> T:
        fields: dict[str, Any] = msgspec.json.decode(body)
        while version != self._versions.get(type_name):
            upcast = self._upcasters.get((type_name, version))
            if upcast is None:
                raise UnknownTypeError(type_name, version)
            fields = upcast(fields)
            version += 1
        return cast(T, msgspec.convert(fields, self._types[type_name]))


EVENTS: Final[Codec[Event]] = Codec(get_args(Event))
COMMANDS: Final[Codec[Command]] = Codec(get_args(Command))


def stream_of(event: Event) -> str:
    """The stream an event belongs to: its instrument's for what the market did, else its account's."""
    match event:
        case TradeExecuted():
            return f"instrument/{event.instrument_id}"
        case InstrumentRegistered():
            return f"instrument/{event.terms.instrument_id}"
        case CommandRefused(account_id=""):
            return "market"
        case _:
            return f"account/{event.account_id}"

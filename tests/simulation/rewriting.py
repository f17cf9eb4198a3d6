"""Changes one line of a running function: how a deliberate mistake is switched on."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import Any, NamedTuple


class Mistake(NamedTuple):
    """A line of the exchange, and what somebody might have written there instead."""

    where: str
    """The function, such as `exchange.server.sequencer:Sequencer.submit`."""
    line: str
    """A part of its text that stands there exactly once."""
    instead: str


def switch_on(mistake: Mistake, set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Put the function with the mistake in the place of the right one; `set_attribute` is monkeypatch's.

    Fails where the line does not stand there, or more than once: the mistake must be looked for anew then.
    """
    module_name, _, path = mistake.where.partition(":")
    owner: Any = import_module(module_name)
    *outer, name = path.split(".")
    for step in outer:
        owner = getattr(owner, step)
    right = getattr(owner, name)
    assert isinstance(right, FunctionType), f"{mistake.where} is no function"
    text = textwrap.dedent(inspect.getsource(right))
    count = text.count(mistake.line)
    assert count == 1, f"{mistake.line!r} stands {count} times in {mistake.where}"
    made: dict[str, Any] = {}
    exec(compile(text.replace(mistake.line, mistake.instead), f"<mistake in {path}>", "exec"), right.__globals__, made)
    set_attribute(owner, name, made[name])

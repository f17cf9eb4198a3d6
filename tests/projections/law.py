"""Law 5: whoever has the view at N and gets the step from N to M has the view at M, for all N <= M.

The version of nothing at all, and numbers within an entry, are asked for too. Views are compared as JSON text with
sorted keys: 1, 1.0 and true are three values.
"""

from __future__ import annotations

from typing import Any

import orjson

from exchange.domain.values import InstrumentId
from exchange.gateway.dialects import Dialect
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.dialects.guide import GuideDialect
from projections.fold import Projections
from projections.merge_patch import difference, merge_patch
from tests.projections.streams import CONTRACTS, USERS, Op, lively_market

Tree = dict[str, Any]

DIALECT = GuideDialect("zh")
DIALECTS: tuple[Dialect, ...] = (DIALECT, FlatDialect("zh"))


class LawBrokenError(AssertionError):
    """A mirror and a view differ, or a picture has what no picture may have."""


def text_of(tree: Any) -> str:
    return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS).decode()


def demand_equal(mirror: Any, view: Any, where: str) -> None:
    if text_of(mirror) != text_of(view):
        raise LawBrokenError(f"{where}:\nmirror {text_of(mirror)}\nview   {text_of(view)}")


def worded(projections: Projections, name: str, since: int, dialect: Dialect = DIALECT) -> tuple[bool, list[Tree]]:
    """(whether the client begins anew, the patches), as a client reads them."""
    changes = projections.user(USERS[name]).changes(since)
    return changes.full, orjson.loads(orjson.dumps(dialect.word(changes, name)))


def stepped(mirror: Tree, projections: Projections, name: str, since: int, dialect: Dialect = DIALECT) -> Tree:
    """The mirror after the step from `since` to now."""
    full, patches = worded(projections, name, since, dialect)
    if full:
        mirror = {}
    for patch in patches:
        demand_no_null_in_new_objects(patch, mirror, name)
        mirror = merge_patch(mirror, patch)
    return mirror


def view(projections: Projections, name: str, dialect: Dialect = DIALECT) -> Tree:
    return stepped({}, projections, name, -1, dialect)


def quote(projections: Projections, instrument_id: str, since: int, dialect: Dialect = DIALECT) -> Tree:
    fragment = projections.market.quote(InstrumentId(instrument_id), since, dialect)
    return orjson.loads(fragment) if fragment is not None else {}


def demand_law(stream: list[Op], dialect: Dialect = DIALECT) -> None:
    """Play the stream and hold every view against every earlier one."""
    exchange = lively_market()
    projections = exchange.projections
    views: dict[str, list[tuple[int, Tree]]] = {name: [] for name in USERS}
    quotes: dict[str, list[tuple[int, Tree]]] = {terms.instrument_id: [] for terms in CONTRACTS}
    begin = exchange.version
    for op in [None, *stream]:
        if op is not None:
            exchange.run(op.command(exchange))
        for name, history in views.items():
            now = view(projections, name, dialect)
            demand_sound(now, name)
            for since, mirror in _with_numbers_between(history):
                led = stepped(mirror, projections, name, since, dialect)
                demand_equal(led, now, f"{name} from {since} to {exchange.version}")
            if history:  # the way that needs no versions leads to the same place
                before = history[-1][1]
                demand_equal(merge_patch(before, difference(before, now)), now, f"{name}, by the difference")
            history.append((exchange.version, now))
        for instrument_id, history in quotes.items():
            if not projections.market.knows(instrument_id):
                continue
            now = quote(projections, instrument_id, -1, dialect)
            demand_sound(now, instrument_id)
            for since, mirror in history:
                patch = quote(projections, instrument_id, since, dialect)
                demand_no_null_in_new_objects(patch, mirror, instrument_id)
                led = merge_patch(mirror, patch)
                demand_equal(led, now, f"{instrument_id} from {since} to {exchange.version}")
            history.append((exchange.version, now))
    assert begin < exchange.version or not stream


def _with_numbers_between(history: list[tuple[int, Tree]]) -> list[tuple[int, Tree]]:
    """Also every number within an entry, which counts as the end of the entry before it."""
    found: list[tuple[int, Tree]] = []
    for version, mirror in history:
        if found:
            before, mirror_before = found[-1]
            found += [(number, mirror_before) for number in range(before + 1, version)]
        found.append((version, mirror))
    return found


def demand_no_null_in_new_objects(patch: Tree, mirror: Any, where: str) -> None:
    """A client that assigns what it does not have yet, instead of merging it, would keep such a null."""
    for key, value in patch.items():
        if isinstance(value, dict):
            child = mirror.get(key) if isinstance(mirror, dict) else None
            demand_no_null_in_new_objects(value, child, f"{where}.{key}")
        elif value is None and not isinstance(mirror, dict):
            raise LawBrokenError(f"{where}.{key} is null in an object that is new to the client")


def demand_sound(picture: Any, where: str) -> None:
    """No null, which is how NaN is written, and no array anywhere in a view."""
    if isinstance(picture, dict):
        for key, value in picture.items():
            demand_sound(value, f"{where}.{key}")
    elif picture is None or isinstance(picture, list):
        raise LawBrokenError(f"{where} is {picture}")

"""What a step changed, found at the cost of the step: only where its patches reach are two pictures compared.

`reach` notes the places that patches touch; the pictures before and after share everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from projections.merge_patch import difference, same_json

Tree = dict[str, Any]
"""A picture as the wire gives it. Never changed in place: whoever keeps one keeps that picture."""
Path = tuple[str, ...]
"""The keys that lead from the root to a place."""
Reach = dict[str, Any]
"""The keys that patches touch, nested as they are; None where a value was put or deleted, so that all of it may differ.
So a reach has the shape of a patch."""

ABSENT: Final = object()


def at_path(tree: Tree, path: Path) -> Any:
    """What stands at this place; ABSENT where there is none."""
    found: Any = tree
    for key in path:
        if not isinstance(found, dict) or key not in found:
            return ABSENT
        found = found[key]
    return found


def object_at(tree: Tree, path: Path) -> Tree:
    """The object at this place; an empty one where there is none."""
    found = at_path(tree, path)
    return found if isinstance(found, dict) else {}


def reach(patches: Iterable[Tree]) -> Reach:
    """The places that these patches touch, one after the other."""
    touched: Reach = {}
    for patch in patches:
        _touch(touched, patch)
    return touched


def _touch(touched: Reach, patch: Tree) -> None:
    for key, value in patch.items():
        if not isinstance(value, dict):
            touched[key] = None
        elif touched.setdefault(key, {}) is not None:
            _touch(touched[key], value)


def way_back(before: Tree, after: Tree, touched: Reach) -> Tree:
    """The smallest patch that leads from the picture after to the one before, which differ within `touched` only."""
    patch: Tree = {}
    for key, below in touched.items():
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if old is new:
            continue
        if old is ABSENT:
            patch[key] = None
        elif isinstance(old, dict) and isinstance(new, dict):
            inner = difference(new, old) if below is None else way_back(old, new, below)
            if inner:
                patch[key] = inner
        elif not same_json(old, new):
            patch[key] = old
    return patch


def changed_paths(before: Tree, after: Tree, touched: Reach | None = None, prefix: Path = ()) -> list[Path]:
    """The paths of all values at `prefix` or below it that came, went or are others now.

    An object counts by the values in it, so an empty one does not count. With `touched`, the pictures must not differ
    anywhere else.
    """
    for key in prefix:
        if touched is None:
            break
        if key not in touched:
            return []
        touched = touched[key]
    return list(_changed(at_path(before, prefix), at_path(after, prefix), touched, prefix))


def _changed(before: Any, after: Any, touched: Reach | None, path: Path) -> Iterator[Path]:
    if before is after:
        return
    was_value, is_value = _is_value(before), _is_value(after)
    if (was_value or is_value) and not (was_value and is_value and same_json(before, after)):
        yield path
    old, new = _fields(before), _fields(after)
    # Where an object took the place of a value, or the other way round, all of it came or went.
    keys: Iterable[str] = dict.fromkeys((*old, *new)) if touched is None or not (old and new) else touched
    for key in keys:
        below = None if touched is None else touched.get(key)
        yield from _changed(old.get(key, ABSENT), new.get(key, ABSENT), below, (*path, key))


def _fields(value: Any) -> Tree:
    return value if isinstance(value, dict) else {}


def _is_value(value: Any) -> bool:
    return value is not ABSENT and not isinstance(value, dict)

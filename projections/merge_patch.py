"""JSON merge patches (RFC 7396): apply one, and find the one that leads from a document to another.

Shared with the client, so it depends on nothing of the exchange.
"""

from __future__ import annotations

from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """The document that `patch` makes of `target`; neither of the two is changed.

    What the patch does not name is shared with `target`, what it brings may be shared with `patch`: treat all three as
    frozen. So a step of several patches can be tried as a whole, and whoever still reads the former document keeps it.
    Source: RFC 7396, section 2.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge_patch(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def difference(before: Any, after: Any) -> Any:
    """The smallest patch with `merge_patch(before, patch) == after`; `{}` where two objects are equal.

    Equal means equal as JSON text: 1, 1.0 and true are three values. Raises ValueError where `after` holds a null as a
    value of an object, which no merge patch can bring.
    """
    if not isinstance(after, dict):
        return after
    known = before if isinstance(before, dict) else {}
    patch: dict[str, Any] = {key: None for key in known if key not in after}
    for key, value in after.items():
        if value is None:
            raise ValueError(f"{key!r} is null: a merge patch reads null as a deletion; leave the key out instead")
        if key not in known or not same_json(known[key], value):
            patch[key] = difference(known.get(key), value)
    return patch


def same_json(one: Any, other: Any) -> bool:
    """Whether two documents are the same JSON text, whatever the order of their keys."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)

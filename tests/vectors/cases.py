"""Merge patches with what comes of them: the appendix of RFC 7396, nulls far within, names that languages reserve."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Case(NamedTuple):
    """`patch` makes `result` of `target`."""

    name: str
    target: Any
    patch: Any
    result: Any


RFC: Final = (
    Case("a member is replaced", {"a": "b"}, {"a": "c"}, {"a": "c"}),
    Case("a member is added", {"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    Case("null deletes the only member", {"a": "b"}, {"a": None}, {}),
    Case("null deletes one member of two", {"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    Case("a text replaces an array", {"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    Case("an array replaces a text", {"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    Case("an object within is merged", {"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    Case("an array is replaced as a whole", {"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    Case("an array replaces an array", ["a", "b"], ["c", "d"], ["c", "d"]),
    Case("an array replaces an object", {"a": "b"}, ["c"], ["c"]),
    Case("null replaces a document", {"a": "foo"}, None, None),
    Case("a text replaces a document", {"a": "foo"}, "bar", "bar"),
    Case("a null that is there stays", {"e": None}, {"a": 1}, {"e": None, "a": 1}),
    Case("an object replaces an array", [1, 2], {"a": "b", "c": None}, {"a": "b"}),
    Case("a null within what is new is left out", {}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
)
"""The cases of appendix A, in its order."""

DEEP: Final = (
    Case("an empty patch changes nothing", {"a": {"b": 1}}, {}, {"a": {"b": 1}}),
    Case("an empty object within changes nothing", {"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
    Case("an empty object within is brought", {}, {"a": {}}, {"a": {}}),
    Case("an empty object replaces a number", {"a": 1}, {"a": {}}, {"a": {}}),
    Case("an object replaces a number", {"a": 1}, {"a": {"b": 2, "c": None}}, {"a": {"b": 2}}),
    Case("an object replaces an array within", {"a": [1, 2]}, {"a": {"0": 3}}, {"a": {"0": 3}}),
    Case("what is deleted need not be there", {"a": 1}, {"b": None, "c": {"d": None}}, {"a": 1, "c": {}}),
    Case(
        "a null far within deletes there and nowhere else",
        {"a": {"b": {"c": {"d": 1, "e": 2}, "f": 3}}, "g": 4},
        {"a": {"b": {"c": {"d": None}}}},
        {"a": {"b": {"c": {"e": 2}, "f": 3}}, "g": 4},
    ),
    Case(
        "nulls at every depth of what is new",
        {"x": 1},
        {"a": {"b": None, "c": {"d": None, "e": {"f": None, "g": 0}}}},
        {"x": 1, "a": {"c": {"e": {"g": 0}}}},
    ),
    Case("a branch is deleted whole", {"a": {"b": {"c": 1}}, "d": 2}, {"a": None}, {"d": 2}),
    Case("nulls within an array stay", {}, {"a": [None, {"b": None}]}, {"a": [None, {"b": None}]}),
    Case(
        "what is false or empty is no null",
        {"a": 1},
        {"a": 0, "b": False, "c": "", "d": []},
        {"a": 0, "b": False, "c": "", "d": []},
    ),
    Case(
        "numbers keep their size",
        {"a": 1},
        {"a": 1800000000123456789, "b": -0.5},
        {"a": 1800000000123456789, "b": -0.5},
    ),
)
"""1800000000123456789 is a time in nanoseconds; a program whose numbers are all floats holds the float next to it."""

NAMES: Final = (
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "length",
    "",
    "0",
    "a.b",
    "a/b",
    "订单",
)
"""Names of members that mean something else in some language, and to a merge patch nothing."""


def named(name: str) -> tuple[Case, ...]:
    """One name as a member that is added, merged into, replaced and deleted."""
    return (
        Case(f"{name!r} is added", {"a": 1}, {name: {"b": 1}}, {"a": 1, name: {"b": 1}}),
        Case(f"{name!r} is merged into", {name: {"b": 1}}, {name: {"c": 2, "b": None}}, {name: {"c": 2}}),
        Case(f"{name!r} is replaced", {name: {"b": 1}}, {name: "text"}, {name: "text"}),
        Case(f"{name!r} is deleted", {name: {"b": 1}, "a": 1}, {name: None}, {"a": 1}),
        Case(f"{name!r} is not there", {"a": 1}, {name: None, "x": {name: None}}, {"a": 1, "x": {}}),
    )


CASES: Final = RFC + DEEP + tuple(case for name in NAMES for case in named(name))

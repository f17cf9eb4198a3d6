"""RFC 7396: applying patches, and finding the patch that leads from one document to another."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.merge_patch import difference, merge_patch, same_json
from tests.support.recordings import recorded


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "b"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"a": [{"b": 1}]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, None, None),
        ({"a": 1}, "text", "text"),
        ([1, 2], {"a": 1, "b": None}, {"a": 1}),
        ({"kept": None}, {"a": 1}, {"kept": None, "a": 1}),
    ],
)
def test_a_patch_is_merged(target: Any, patch: Any, result: Any) -> None:
    before = copy.deepcopy((target, patch))
    assert same_json(merge_patch(target, patch), result)
    assert (target, patch) == before, "neither argument is changed"


@pytest.mark.realdata
@pytest.mark.parametrize("path", recorded("merge_patch/*.json"))
def test_the_cases_of_the_rfc(path: Path) -> None:
    cases = json.loads(path.read_text())
    assert cases
    for case in cases:
        assert same_json(merge_patch(case["original"], case["patch"]), case["result"]), case


def test_what_a_patch_does_not_name_is_shared() -> None:
    target = {"a": {"deep": 1}, "b": {"c": 1}}
    assert merge_patch(target, {"b": {"c": 2}})["a"] is target["a"]


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": 1, "b": 2}, {"b": 2}, {"a": None}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({}, {"a": {}}, {"a": {}}),
        ({"a": 1}, {"a": {"b": {}}}, {"a": {"b": {}}}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": 1}, {"a": 1.0}, {"a": 1.0}),
        ({"a": [1, 2]}, {"a": [1, 2.0]}, {"a": [1, 2.0]}),
        (1, {"a": 1}, {"a": 1}),
        ({"a": 1}, 7, 7),
    ],
)
def test_the_difference_is_the_smallest_patch(before: Any, after: Any, patch: Any) -> None:
    assert same_json(difference(before, after), patch)


def test_a_null_cannot_be_brought() -> None:
    with pytest.raises(ValueError, match="'a' is null"):
        difference({}, {"a": None})


values = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from((0.0, 1.0, -1.5)) | st.text("ab", max_size=2)
keys = st.sampled_from("abcd")
documents = st.recursive(
    values.filter(lambda value: value is not None),
    lambda inner: st.dictionaries(keys, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=12,
)
patches = st.recursive(values, lambda inner: st.dictionaries(keys, inner, max_size=4), max_leaves=12)


@given(documents, documents)
def test_a_difference_leads_to_the_document(before: Any, after: Any) -> None:
    assert same_json(merge_patch(before, difference(before, after)), after)


@given(documents, patches)
def test_merging_once_more_changes_nothing(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert same_json(merge_patch(once, patch), once)


@given(documents, patches)
def test_merging_follows_the_rfc_to_the_letter(target: Any, patch: Any) -> None:
    """The pseudocode of section 2, which changes its target."""

    def pseudocode(target: Any, patch: Any) -> Any:
        if not isinstance(patch, dict):
            return patch
        if not isinstance(target, dict):
            target = {}
        for name, value in patch.items():
            if value is None:
                if name in target:
                    del target[name]
            else:
                target[name] = pseudocode(target.get(name), value)
        return target

    assert same_json(merge_patch(target, patch), pseudocode(copy.deepcopy(target), patch))

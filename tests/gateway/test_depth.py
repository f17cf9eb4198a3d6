"""How deeply a message is nested is found as a slow and obvious look at every byte finds it, however it is written."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from exchange.gateway.messages import DEPTH_MAX, _is_too_deep

TEXTS = st.text(alphabet='a"\\{}[]\n', max_size=12)
TREES = st.recursive(
    TEXTS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=20,
)


def depth_of(tree: Any) -> int:
    if isinstance(tree, dict):
        return 1 + max(map(depth_of, tree.values()), default=0)
    return 1 + max(map(depth_of, tree), default=0) if isinstance(tree, list) else 0


@given(tree=TREES, wrapped=st.integers(min_value=0, max_value=DEPTH_MAX + 2), beside=st.lists(TEXTS, max_size=3))
def test_a_tree_is_too_deep_if_it_is_nested_too_deeply(tree: Any, wrapped: int, beside: list[str]) -> None:
    for number in range(wrapped):
        tree = [*beside, tree] if number % 2 else {"{" * number: beside, '"': tree}
    assert _is_too_deep(orjson.dumps(tree)) is (depth_of(tree) > DEPTH_MAX)


@given(text=st.text(alphabet='"\\{}[]:,a ', max_size=200))
def test_what_is_no_json_is_called_too_deep_only_where_it_goes_deep(text: str) -> None:
    """It is refused either way; the parser behind must not be given what goes deeper than it is to."""
    deepest, depth = 0, 0
    for character in _outside_of_texts(text):
        depth += (character in "{[") - (character in "}]")
        depth = max(depth, 0)
        deepest = max(deepest, depth)
    if deepest > 2 * DEPTH_MAX:
        assert _is_too_deep(text.encode())
    if deepest <= DEPTH_MAX and depth == 0:
        assert not _is_too_deep(text.encode())


def _outside_of_texts(text: str) -> str:
    """The characters that stand in no text of it."""
    outside, in_text, escaped = "", False, False
    for character in text:
        if in_text:
            in_text = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_text = True
        else:
            outside += character
    return outside

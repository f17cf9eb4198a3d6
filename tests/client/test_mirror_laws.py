"""Random sequences of steps: the mirror equals the merged patches, and so does every version that it keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.client import Mirror, MirrorError
from exchange.client.changes import Path, Tree, changed_paths, reach, way_back
from exchange.client.layout import layout_of
from exchange.client.mirror import HISTORY_MAX
from exchange.client.pruning import Pruning
from projections.merge_patch import difference, merge_patch, same_json
from tests.client.steps import LOG_ID, Move, full, moves, order_row, own, patches, step, trade_row
from tests.vectors.files import FOLDER


def merged(tree: Tree, data: list[Tree]) -> Tree:
    for patch in data:
        tree = merge_patch(tree, patch)
    return tree


def leaves(tree: Any, path: Path = ()) -> dict[Path, Any]:
    """Every value by its path."""
    if isinstance(tree, dict):
        return {at: value for key, inner in tree.items() for at, value in leaves(inner, (*path, key)).items()}
    return {path: tree}


@given(moves)
def test_the_mirror_equals_the_merged_patches_at_every_version_that_it_keeps(sequence: list[Move]) -> None:
    mirror, version, expected = Mirror(history_max=5), 0, {}
    kept: dict[int, Tree] = {}
    for move in sequence:
        mirror.apply(move.frame(version))
        expected, version = merged(expected, move.data), version + move.rise
        kept = {version: expected} if move.is_full else kept | {version: expected}
        assert same_json(mirror.tree, expected)
        assert mirror.version == version
        assert mirror.history == list(kept)[-6:]
        for former in mirror.history:
            assert same_json(mirror.at(former), kept[former])


@given(moves, st.data())
def test_a_rollback_to_any_kept_version_can_be_led_on_from_again(sequence: list[Move], data: st.DataObject) -> None:
    """Law 5 from the client's side: from version N the difference to any later picture leads there."""
    mirror, version = Mirror(), 0
    mirror.apply(full(version=0))
    for move in sequence:
        mirror.apply(move.frame(version))
        version += move.rise
    pictures = {each: mirror.at(each) for each in mirror.history}
    latest = mirror.snapshot
    back_to = data.draw(st.sampled_from(mirror.history))
    mirror.rollback(back_to)
    assert same_json(mirror.tree, pictures[back_to])
    assert mirror.history == [each for each in pictures if each <= back_to]
    for former in mirror.history:
        assert same_json(mirror.at(former), pictures[former])
    mirror.apply(step(difference(mirror.tree, latest.tree), version=latest.version, log_id=LOG_ID))
    assert same_json(mirror.tree, latest.tree)
    assert same_json(mirror.at(back_to), latest.tree if back_to == latest.version else pictures[back_to])


@given(moves, patches, st.integers(0, 3), st.sampled_from([None, 1, "text", [], [{}]]))
def test_a_bad_patch_anywhere_leaves_everything_as_it_was(sequence: list[Move], good: Tree, at: int, bad: Any) -> None:
    mirror, version = Mirror(), 0
    for move in sequence:
        mirror.apply(move.frame(version))
        version += move.rise
    before, pictures = mirror.snapshot, {each: mirror.at(each) for each in mirror.history}
    data = [good, good, good]
    data.insert(at, bad)
    with pytest.raises(MirrorError):
        mirror.apply(step(*data, version=version + 1))
    assert mirror.snapshot is before
    assert {each: mirror.at(each) for each in mirror.history} == pictures


@given(moves, moves)
def test_changed_paths_are_those_whose_values_differ(sequence: list[Move], more: list[Move]) -> None:
    before = merged({}, [patch for move in sequence for patch in move.data])
    after = merged(before, [patch for move in more for patch in move.data])
    old, new = leaves(before), leaves(after)
    absent = object()
    expected = {path for path in old.keys() | new.keys() if not same_json(old.get(path, absent), new.get(path, absent))}
    touched = reach(patch for move in more for patch in move.data)
    for look in (touched, None):
        assert sorted(changed_paths(before, after, look)) == sorted(expected)
        for prefix in (("a",), ("b", "c")):
            below = {path for path in expected if path[: len(prefix)] == prefix}
            assert set(changed_paths(before, after, look, prefix)) == below
    back = way_back(before, after, touched)
    assert same_json(merge_patch(after, back), before)
    assert same_json(back, difference(after, before)), "no more than what differs"


rows = st.dictionaries(
    st.sampled_from([f"o{n}" for n in range(8)]),
    st.none() | st.sampled_from(["new", "ALIVE", "FILLED", "CANCELLED"]),
    max_size=5,
)


@given(st.lists(st.tuples(rows, st.sets(st.integers(0, 8), max_size=4)), max_size=15))
def test_pruning_never_breaks_what_follows(sequence: list[tuple[dict[str, str | None], set[int]]]) -> None:
    """The server words its steps for the whole picture: what was pruned comes again in parts, and is deleted again."""
    layout = layout_of("guide", "alice")
    pruned = Mirror(prune=Pruning(layout, trades_max=2, finished_orders_max=1, spared={"o7"}))
    whole = Mirror()
    for mirror in (pruned, whole):
        mirror.apply(full(own(orders={}, trades={}), version=0))
    for version, (changes, trades) in enumerate(sequence, 1):
        orders: Tree = {}
        for order_id, change in changes.items():
            is_known = order_id in whole.tree["trade"]["alice"]["orders"] and change != "new"
            status = "ALIVE" if change == "new" else change
            if change is None:
                orders[order_id] = None
            else:
                orders[order_id] = {"status": status} if is_known else order_row(order_id, version, str(status))
        told = {f"t{n}": trade_row(f"t{n}", version) for n in trades}
        for mirror in (pruned, whole):
            mirror.apply(step(own(orders=orders, trades=told), version=version))
        small, large = pruned.tree["trade"]["alice"], whole.tree["trade"]["alice"]
        finished = [key for key, row in small["orders"].items() if row["status"] in ("FILLED", "CANCELLED")]
        assert len(set(finished) - {"o7"}) <= 1
        assert len(small["trades"]) == min(2, len(large["trades"]))
        assert all(same_json(row, large["orders"][key]) for key, row in small["orders"].items())
        assert all(same_json(row, large["trades"][key]) for key, row in small["trades"].items())
    for version in pruned.history:
        assert pruned.at(version).keys() <= whole.at(version).keys()


@pytest.mark.parametrize("dialect", ["guide", "flat"])
def test_the_mirror_follows_what_an_exchange_sent(dialect: str) -> None:
    """The vectors that every client's mirror is held to."""
    session = json.loads((FOLDER / f"steps_{dialect}.json").read_text("utf-8"))
    mirror = Mirror()
    kept: dict[int, Tree] = {}
    for row in session["frames"]:
        mirror.apply(row["frame"])
        assert same_json(mirror.tree, row["tree"])
        assert mirror.version == row["version"]
        kept = {} if row["frame"].get("full") else kept
        kept[row["version"]] = row["tree"]
        assert mirror.history == list(kept)
        assert all(same_json(mirror.at(version), tree) for version, tree in kept.items())


def test_the_mirror_merges_as_the_vectors_say() -> None:
    """Cases whose target is a tree; a mirror begins with an object."""
    cases = json.loads((FOLDER / "merge.json").read_text("utf-8"))
    used = 0
    for case in cases:
        if not (isinstance(case["target"], dict) and isinstance(case["patch"], dict)):
            continue
        mirror = Mirror(history_max=HISTORY_MAX)
        mirror.apply(step(case["target"], case["patch"]))
        begun = Mirror()
        begun.apply(step(case["target"]))
        if same_json(begun.tree, case["target"]):  # a target that a merge can make
            used += 1
            assert same_json(mirror.tree, case["result"]), case["name"]
    assert used > 5

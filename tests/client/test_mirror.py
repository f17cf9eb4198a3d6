"""The mirror: whole steps or none, former versions, and who is told of changes. No sockets."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from exchange.client import Mirror, MirrorError, UnknownVersionError
from exchange.client.changes import Path, changed_paths
from tests.client.steps import LOG_ID, full, step


def led_to(*frames: dict[str, Any], **options: Any) -> Mirror:
    mirror = Mirror(**options)
    for frame in frames:
        mirror.apply(frame)
    return mirror


def test_patches_of_a_step_are_applied_in_order() -> None:
    mirror = led_to(
        full({"quotes": {"a": {"last": 1}}}, version=5), step({"quotes": {"a": None}}, {"quotes": {"b": {}}})
    )
    assert mirror.tree == {"quotes": {"b": {}}}
    assert (mirror.version, mirror.log_id) == (5, LOG_ID)


def test_a_step_of_before_the_login_has_no_version() -> None:
    mirror = led_to(step({"notify": {"auth_result": {"code": 1001}}}))
    assert mirror.snapshot == ({"notify": {"auth_result": {"code": 1001}}}, None, None)
    assert mirror.history == []


def test_a_full_step_starts_anew() -> None:
    mirror = led_to(full({"quotes": {"a": 1}}, version=9), full({"trade": {}}, version=3, log_id="other"))
    assert mirror.snapshot == ({"trade": {}}, 3, "other")
    assert mirror.history == [3]


DEEP: dict[str, Any] = {}
for _ in range(40):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ([], "an object with aid rtn_data"),
        ({"aid": "pong"}, "an object with aid rtn_data"),
        (step() | {"data": {}}, "a list of patches"),
        (step({"trade": {"x": 1}}, ["no patch"], version=6), "a patch is an object"),
        (step({"trade": {"x": 1}}, None, version=6), "a patch is an object"),
        (step({"trade": {"x": 1}}, DEEP, version=6), "nested deeper"),
        (step({"trade": {"x": 1}}, {"a": [[[DEEP]]]}, version=6), "nested deeper"),
        (step({"trade": {"x": 1}}) | {"version": "6"}, "a version is"),
        (step({"trade": {"x": 1}}) | {"version": True}, "a version is"),
        (step({"trade": {"x": 1}}) | {"version": -1}, "a version is"),
        (step({"trade": {"x": 1}}, version=6, log_id=7), "a log_id is"),
        (step({"trade": {"x": 1}}, version=6, full="yes"), "`full` is"),
        (step({"trade": {"x": 1}}, full=True), "names its version"),
        (step({"trade": {"x": 1}}, version=4), "before the mirror's 5"),
        (step({"trade": {"x": 1}}, version=6, log_id="other"), "of the log other"),
    ],
)
def test_a_step_that_cannot_be_applied_changes_nothing(frame: Any, says: str) -> None:
    """Also where its first patches could be."""
    told: list[list[Path]] = []
    mirror = led_to(full({"trade": {"x": 0}}, version=4), step({"trade": {"y": 0}}, version=5))
    mirror.on((), told.append)
    before, history = mirror.snapshot, mirror.history
    with pytest.raises(MirrorError, match=says):
        mirror.apply(frame)
    assert mirror.snapshot is before
    assert mirror.history == history
    assert mirror.at(4) == {"trade": {"x": 0}}
    assert told == []
    mirror.apply(step({"trade": {"x": 2}}, version=6))
    assert mirror.tree == {"trade": {"x": 2, "y": 0}}


def test_a_picture_that_somebody_keeps_stays_as_it_is() -> None:
    mirror = led_to(full({"trade": {"x": 0, "kept": {"z": 1}}}, version=1))
    before = mirror.tree
    mirror.apply(step({"trade": {"x": 1}}, version=2))
    assert before == {"trade": {"x": 0, "kept": {"z": 1}}}
    assert mirror.tree["trade"]["kept"] is before["trade"]["kept"], "what a step does not touch is shared"


# Former versions.


def test_former_versions_are_kept_up_to_a_bound() -> None:
    mirror = led_to(full({"n": 0}, version=0), *(step({"n": n}, version=n) for n in range(1, 6)), history_max=2)
    assert mirror.history == [3, 4, 5]
    assert [mirror.at(version) for version in mirror.history] == [{"n": 3}, {"n": 4}, {"n": 5}]
    with pytest.raises(UnknownVersionError, match=r"no picture of version 2; .*\(3 to 5\)"):
        mirror.at(2)


def test_a_mirror_may_keep_no_former_version() -> None:
    mirror = led_to(full({"n": 0}, version=0), step({"n": 1}, version=1), step({"n": 2}), history_max=0)
    assert mirror.history == [1]
    with pytest.raises(ValueError, match="history_max is -1"):
        Mirror(history_max=-1)


def test_an_empty_mirror_has_no_history() -> None:
    with pytest.raises(UnknownVersionError, match=r"\(none\)"):
        Mirror().at(0)


def test_of_several_pictures_of_one_version_the_last_is_kept() -> None:
    mirror = led_to(
        full({"n": 0}, version=1), step({"n": 1}), step({"m": 1}), step({"n": 2}, version=2), step({"n": 3})
    )
    assert mirror.history == [1, 2]
    assert mirror.at(1) == {"n": 1, "m": 1}
    assert mirror.at(2) == {"n": 3, "m": 1}


def test_a_rollback_forgets_what_came_later_and_goes_on_from_there() -> None:
    told: list[list[Path]] = []
    mirror = led_to(full({"n": 0}, version=1), step({"n": 1}, version=2), step({"m": 1}, version=4))
    mirror.on((), told.append)
    mirror.rollback(2)
    assert mirror.snapshot == ({"n": 1}, 2, LOG_ID)
    assert mirror.history == [1, 2]
    assert told == [[("m",)]]
    mirror.apply(step({"n": 5}, version=3))
    assert (mirror.tree, mirror.history) == ({"n": 5}, [1, 2, 3])
    with pytest.raises(UnknownVersionError):
        mirror.rollback(4)


def test_there_is_no_way_back_across_a_full_step() -> None:
    mirror = led_to(full({"n": 0}, version=1), step({"n": 1}, version=2), full({"n": 2}, version=3))
    assert mirror.history == [3]


# Who is told.


def test_callbacks_are_told_what_changed_below_their_prefix_after_the_whole_step() -> None:
    mirror = led_to(full({"trade": {"alice": {"orders": {}}}, "quotes": {}}, version=1))
    orders: list[tuple[set[Path], int | None]] = []
    quotes: list[list[Path]] = []
    prefix = ("trade", "alice", "orders")
    mirror.on(prefix, lambda paths: orders.append((set(paths), mirror.version)))
    mirror.on(["quotes", "q"], quotes.append)
    mirror.apply(step({"trade": {"alice": {"orders": {"o1": {"left": 2, "status": "ALIVE"}}}}}, version=2))
    mirror.apply(step({"trade": {"alice": {"orders": {"o1": {"left": 1, "status": "ALIVE"}}}}}, version=3))
    mirror.apply(step({"trade": {"alice": {"orders": {"o1": None}}}}, version=4))
    o1 = (*prefix, "o1")
    assert orders == [
        ({(*o1, "left"), (*o1, "status")}, 2),
        ({(*o1, "left")}, 3),
        ({(*o1, "left"), (*o1, "status")}, 4),
    ]
    assert quotes == []


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"a": 1}, {"a": True}, {("a",)}),
        ({"a": 1}, {"a": 1.0}, {("a",)}),
        ({"a": 1}, {"a": {"b": 1}}, {("a",), ("a", "b")}),
        ({"a": {"b": 1}}, {"a": 1}, {("a",), ("a", "b")}),
        ({"a": {"b": {}}, "c": 1}, {"a": {"d": {}}}, {("c",)}),
        ({"a": {}}, {"a": 1}, {("a",)}),
        ({"a": [1]}, {"a": [1, 2], "b": []}, {("a",), ("b",)}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {("a", "c")}),
    ],
)
def test_values_that_came_went_or_changed_are_named(before: Any, after: Any, paths: set[Path]) -> None:
    found = changed_paths(before, after)
    assert set(found) == paths
    assert len(found) == len(paths)


def test_a_callback_can_be_taken_off_also_by_itself() -> None:
    told: list[int | None] = []
    mirror = led_to(full({"n": 0}, version=1))

    def once(paths: list[Path]) -> None:
        told.append(mirror.version)
        off()
        off()  # once more does nothing

    off = mirror.on((), once)
    mirror.on((), lambda _: told.append(None))
    mirror.apply(step({"n": 1}, version=2))
    mirror.apply(step({"n": 2}, version=3))
    assert told == [2, None, None]


def test_a_callback_that_fails_breaks_nothing_and_starves_nobody() -> None:
    failures: list[Exception] = []
    told: list[int | None] = []
    mirror = led_to(full({"n": 0}, version=1), callback_failed=failures.append)
    mirror.on((), lambda _: [].pop())
    mirror.on((), lambda _: told.append(mirror.version))
    mirror.apply(step({"n": 1}, version=2))
    assert mirror.snapshot == ({"n": 1}, 2, LOG_ID)
    assert told == [2]
    assert [type(each) for each in failures] == [IndexError]


def test_a_callbacks_failure_is_logged_where_nobody_wants_it(caplog: pytest.LogCaptureFixture) -> None:
    mirror = led_to(full({"n": 0}, version=1))
    mirror.on((), lambda _: [].pop())
    with caplog.at_level(logging.ERROR, "exchange.client"):
        mirror.apply(step({"n": 1}, version=2))
    assert "pop from empty list" in caplog.text


def test_a_text_is_no_prefix() -> None:
    with pytest.raises(TypeError, match="not the text 'quotes'"):
        Mirror().on("quotes", print)

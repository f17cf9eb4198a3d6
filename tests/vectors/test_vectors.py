"""The files are what is made now, the server's own merge follows them, and a session holds what it is there for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchange.gateway.notices import Code
from projections.merge_patch import merge_patch, same_json
from tests.simulation.client import MERGES, Merge
from tests.simulation.room import ANN, notices
from tests.vectors.cases import CASES, Case
from tests.vectors.files import DIALECTS, FOLDER, files
from tests.vectors.session import record

BYTES_MAX = 300_000


def session(dialect: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"steps_{dialect}.json").read_text(encoding="utf-8"))
    return document


def test_the_files_are_what_is_made() -> None:
    """Write them by `python -m tests.vectors`, and look at what changed: clients out there were made for the former."""
    for name, text in files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name} is not what is made"
        assert len(text.encode()) <= BYTES_MAX


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_patch_is_merged_as_the_vectors_say(case: Case) -> None:
    assert same_json(merge_patch(case.target, case.patch), case.result)


def test_no_two_cases_have_the_same_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("merge", MERGES, ids=lambda merge: merge.__name__)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_frames_lead_to_the_trees(dialect: str, merge: Merge) -> None:
    """Also by the guide's own merge, which keeps nulls within what is new."""
    tree: Any = {}
    version = None
    for row in session(dialect)["frames"]:
        for patch in row["frame"]["data"]:
            tree = merge(tree, json.loads(json.dumps(patch)))
        version = row["frame"].get("version", version)
        assert same_json(tree, row["tree"])
        assert version == row["version"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_session_has_every_kind_of_frame(dialect: str) -> None:
    frames = [row["frame"] for row in session(dialect)["frames"]]
    assert sum(frame.get("full", False) for frame in frames) == 3, "a first, a wrong claim's, and one without a claim"
    assert sum("log_id" in frame and "full" not in frame for frame in frames) == 3, "led on three times"
    assert any(frame["data"] == [] for frame in frames), "a peek that found nothing"
    assert set(notices(frames)) >= {Code.LOGIN_OK, Code.UNKNOWN_AID, Code.ORDER_LOTS, Code.HISTORY_DIFFERS}
    patches = [patch for frame in frames for patch in frame["data"]]
    quotes = [quote for patch in patches for quote in (patch.get("quotes") or {}).values()]
    assert None in quotes, "a subscription that ended"
    assert any(None in quote.values() for quote in quotes if quote), "a level that is gone"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_last_tree_is_what_a_client_without_any_past_is_given(dialect: str) -> None:
    client = record(DIALECTS[dialect])
    tree: Any = {}
    for patch in client.room.guest(dialect=DIALECTS[dialect]).logs_in(ANN).frame()["data"]:
        tree = merge_patch(tree, patch)
    assert same_json(tree, client.tree)

"""docs/protocol.md names every field of the flat tree's orders and trades, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.gateway.test_flat_dialect import ORDER, TRADE

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"


@pytest.mark.parametrize(("part", "fields"), [("orders", ORDER), ("trades", TRADE)])
def test_the_flat_tree_is_shown_as_it_is(part: str, fields: str) -> None:
    section = DOCUMENT.read_text(encoding="utf-8").partition("## The flat tree")[2]
    shown = re.search(rf'"{part}": +\{{ "<\w+>": \{{([^}}]*)\}}', section)
    assert shown is not None
    assert set(shown[1].replace(",", " ").split()) == set(fields.split())

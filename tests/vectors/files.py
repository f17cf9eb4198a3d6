"""The files of vectors: what is in them, byte for byte, and where they lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from exchange.gateway.dialects import Dialect
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.dialects.guide import GuideDialect
from tests.vectors.cases import CASES
from tests.vectors.session import record

FOLDER: Final = Path(__file__).parent
DIALECTS: Final[dict[str, Dialect]] = {"guide": GuideDialect("zh"), "flat": FlatDialect("zh")}
ABOUT: Final = (
    "What the exchange sent one client over several connections. Merge the patches of each frame's data, in order, "
    "into the tree that the frame before left (the first into {}): the result is `tree`; `version` is the last one "
    "told."
)


def files() -> dict[str, str]:
    """The text of every file by its name."""
    made = {"merge.json": _lines([case._asdict() for case in CASES])}
    for name, dialect in DIALECTS.items():
        head = json.dumps({"about": ABOUT, "dialect": name}, ensure_ascii=False)
        made[f"steps_{name}.json"] = f'{head[:-1]}, "frames": {_lines(record(dialect).frames)[:-1]}}}\n'
    return made


def _lines(rows: list[dict[str, Any]]) -> str:
    """A JSON array with a line for each of its objects, so that a change shows where it is."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"

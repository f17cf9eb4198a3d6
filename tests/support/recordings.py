"""The folder of recorded data: where it is, and which files of a known form lie in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DATA_FOLDER = Path(os.environ.get("EXCHANGE_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))

FindRecording = Callable[[str], Path]
"""What the fixture `recording` gives: the path of a recorded file, by its path in the folder."""


def recorded(pattern: str, *, without: str | None = None) -> list[Any]:
    """Parameters for one test per file that matches the pattern; one that is skipped, and says why, where there is
    none.

    `without` leaves out files beside which the same name lies with this ending instead.
    """
    found = sorted(DATA_FOLDER.glob(pattern)) if DATA_FOLDER.is_dir() else []
    if without is not None:
        ending = pattern.rsplit("*", 1)[-1]
        found = [path for path in found if not path.with_name(path.name.removesuffix(ending) + without).exists()]
    if found:
        return [pytest.param(path, id=path.name) for path in found]
    reason = f"no {pattern} in {DATA_FOLDER}; set EXCHANGE_TEST_DATA to the folder of recorded data"
    return [pytest.param(Path(), id="none", marks=pytest.mark.skip(reason=reason))]

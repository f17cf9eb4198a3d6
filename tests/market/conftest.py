from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of recordings; a test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("EXCHANGE_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
    if not (folder / "contract_specs").is_dir():
        pytest.skip(f"no recordings in {folder}; set EXCHANGE_TEST_DATA to the folder of test data")
    return folder

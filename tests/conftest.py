"""Hypothesis profiles and the folder of recorded data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.recordings import DATA_FOLDER, FindRecording

# pyproject.toml says why not by the package's entry point.
pytest_plugins = ("exchange.testing.plugin",)

# A failure must come back tomorrow, on any machine: the default profile is derandomized and keeps no database. The time
# of one example is not limited, since machines differ; pytest's timeout limits the test.
settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly", parent=settings.get_profile("ci"), derandomize=False, max_examples=2_000, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def recording() -> FindRecording:
    """Finds a file or folder of the recorded data by its path there; the test is skipped where there is none."""

    def find(path: str) -> Path:
        if not (DATA_FOLDER / path).exists():
            pytest.skip(f"no {path} in {DATA_FOLDER}; set EXCHANGE_TEST_DATA to the folder of recorded data")
        return DATA_FOLDER / path

    return find

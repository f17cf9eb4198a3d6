from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.harness import write_history


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EXCHANGE_DATA", "EXCHANGE_LANGUAGE", "EXCHANGE_PASSWORD", "EXCHANGE_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def _written_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("history") / "data"
    write_history(data)
    return data


@pytest.fixture
def data(_written_history: Path, tmp_path: Path) -> Path:
    """A data folder of one's own with the history of `harness.HISTORY`."""
    return shutil.copytree(_written_history, tmp_path / "data")

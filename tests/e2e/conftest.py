"""What every end-to-end test needs."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that this machine's programs use must not come between a test's server and its clients."""
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")

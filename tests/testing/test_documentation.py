"""Every block of `docs/testing.md` is a test that passes, for somebody who only has the package."""

from __future__ import annotations

import re
from pathlib import Path

from tests.testing.test_plugin import CHECKOUT, pytest_elsewhere


def test_the_page_s_tests_pass(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (CHECKOUT / "docs" / "testing.md").read_text("utf-8"), re.M | re.S)
    assert len(blocks) == 8
    for number, block in enumerate(blocks):
        (tmp_path / f"test_block_{number}.py").write_text(block, "utf-8")
    said = pytest_elsewhere(tmp_path)
    assert f" {len(blocks)} passed in" in said, said


def test_the_first_is_as_long_as_it_says() -> None:
    first = (CHECKOUT / "docs" / "testing.md").read_text("utf-8").split("```")[1]
    lines = [line for line in first.splitlines()[1:] if line]
    assert len(lines) <= 10

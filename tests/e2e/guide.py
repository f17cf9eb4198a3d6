"""The integration guide that client developers write against: its code is taken from the file and run as it stands.

Only this is substituted: the address `localhost:8000`, by that of the server under test. The user, the password and the
instruments are the guide's own: the server opens accounts at sight and lists the contracts that the guide names.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.recordings import DATA_FOLDER

GUIDE = DATA_FOLDER.parent / "seeds" / "websocket_guide.md"
MARKET = Path(__file__).with_name("guide_market.toml")
ADDRESS = "localhost:8000"
USER, PASSWORD = "user123", "password"
COPPER, INDEX = "SHFE.cu2501", "CFFEX.IF2501"


def code_under(heading: str, language: str) -> str:
    """All code in one language of the section with this heading; the test is skipped where there is no guide."""
    if not GUIDE.is_file():
        pytest.skip(f"no {GUIDE}: the guide lies beside the folder of recorded data, see EXCHANGE_TEST_DATA")
    text = GUIDE.read_text(encoding="utf-8")
    section = re.search(rf"^### {re.escape(heading)} .*?(?=^##)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, f"the guide has no section {heading}"
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", section[0], re.MULTILINE | re.DOTALL)
    assert blocks, f"section {heading} of the guide has no code in {language}"
    return "\n".join(blocks)


def at_address(code: str, address: str) -> str:
    """The guide's code, connecting to another server than the guide's."""
    assert code.count(ADDRESS) == 1
    return code.replace(ADDRESS, address)

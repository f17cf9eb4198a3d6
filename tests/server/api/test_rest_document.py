"""The page on trading over REST: every command of it works, in order, and the answers that it shows look like those."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx

from exchange.testing import RunningExchange, run_exchange
from tests.support.documents import CHECKOUT, blocks, environment

PAGE: Final = "clients/rest.md"
MARK: Final = "----- the end of a block -----"
"""Printed behind every block of commands."""
DEADLINE_S: Final = 60.0


def outputs(exchange: RunningExchange, folder: Path, commands: list[str]) -> list[str]:
    """What each block prints; all run in one shell, as a reader would type them."""
    data = folder / "exchange-data"
    data.mkdir()
    (data / "admin.token").write_text(exchange.admin_token)
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(f"{command}\necho\necho '{MARK}'\n" for command in commands)],
        cwd=folder,
        env=environment(EXCHANGE=exchange.http_url, ALICE_PASSWORD=exchange.password("alice")),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    printed = result.stdout.split(f"{MARK}\n")
    assert printed.pop() == ""
    return [text.strip() for text in printed]


def shape(document: Any) -> Any:
    """A document with what changes from answer to answer left out: the names of its fields, the types of its values."""
    if isinstance(document, dict):
        return {name: shape(value) for name, value in document.items()}
    return [shape(each) for each in document] if isinstance(document, list) else type(document).__name__


def test_every_command_of_the_page_works_and_answers_as_shown(tmp_path: Path) -> None:
    page = [block for block in blocks(PAGE) if block.language in ("sh", "json")]
    commands = [block.text for block in page if block.language == "sh"]
    with run_exchange(users={"alice": 1_000_000}, time="real", language="en") as exchange:
        exchange.market.quote("SHFE.cu2701", bid=47_780, ask=47_820, lots=10)
        printed = iter(outputs(exchange, tmp_path, commands))
    compared = 0
    last = ""
    for block in page:
        if block.language == "sh":
            last = next(printed)
        elif last:  # the login's answer is not shown by its command, which keeps the token
            answer = json.loads(last.splitlines()[-1])
            assert shape(answer) == shape(json.loads(block.text)), f"{block.section}: {answer}"
            compared += 1
    assert compared == 4
    assert "exchange_durable_log_seq" in last


def test_the_login_is_answered_as_shown() -> None:
    shown = next(block for block in blocks(PAGE) if block.section == "Log in" and block.language == "json")
    with run_exchange(users={"alice": 1_000}, time="real") as exchange:
        body = {"user_name": "alice", "password": exchange.password("alice")}
        answer = httpx.post(f"{exchange.http_url}/api/v1/login", json=body).json()
    assert shape(answer) == shape(json.loads(shown.text))


def test_the_page_names_every_figure() -> None:
    page = (CHECKOUT / "docs" / PAGE).read_text("utf-8")
    with run_exchange(time="real") as exchange:
        headers = {"Authorization": f"Bearer {exchange.admin_token}"}
        answer = httpx.get(f"{exchange.http_url}/metrics", headers=headers)
    told = set(re.findall(r"^# HELP (\w+)", answer.text, re.MULTILINE))
    assert told == set(re.findall(r"`(exchange_\w+)`", page))

"""Plain text beyond this machine: refused at the start, with what to do, unless it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.cli.errors import ExitStatus
from tests.cli.harness import invoke, run


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_start_in_plain_text_on_a_public_address_is_refused_before_anything_is_made(
    command: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    done = run(command, "--host", "0.0.0.0", "--port", "0", "--data", folder)
    assert done.returncode == ExitStatus.USAGE
    assert not folder.exists()
    assert "Traceback" not in done.stderr
    for words in ("0.0.0.0 is reached from other machines", "tls_cert and tls_key", "127.0.0.1", "--insecure-plain"):
        assert words in done.stderr


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_the_option_accepts_it(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr("exchange.cli.running.run", lambda settings, **_: started.append(settings) or 0)
    result = invoke(command, "--host", "0.0.0.0", "--insecure-plain", "--data", tmp_path)
    assert result.exit_code == ExitStatus.DONE, result.output
    assert started[0].insecure_plain
    assert [warning for warning in started[0].warnings() if "passwords travel unencrypted" in warning]


def test_the_environment_accepts_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr("exchange.cli.running.run", lambda settings, **_: started.append(settings) or 0)
    environment = {"EXCHANGE_HOST": "0.0.0.0", "EXCHANGE_INSECURE_PLAIN": "1"}
    result = invoke("serve", "--data", tmp_path, **environment)
    assert result.exit_code == ExitStatus.DONE, result.output
    assert started[0].host == "0.0.0.0"

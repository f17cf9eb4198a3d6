"""Exit statuses: which error ends a command how."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from eventstore.model import AppendFailedError, DamageError, LogLockedError, OutcomeUnknownError
from exchange.cli.errors import (
    ADVICE,
    STATUSES,
    ExitStatus,
    FailedError,
    NotReachableError,
    TurnedDownError,
    UnknownOutcomeError,
    UsageError,
    status_of,
    text_of,
)
from exchange.server.data_folder import FolderLockedError
from exchange.server.identity.users import UnknownUserError
from tests.cli.harness import CHECKOUT, invoke


@pytest.mark.parametrize("name", [*STATUSES, *ADVICE])
def test_every_name_in_the_tables_is_that_of_an_exception(name: str) -> None:
    module, _, class_name = name.rpartition(".")
    found = getattr(importlib.import_module(module), class_name)
    assert issubclass(found, Exception)
    assert f"{found.__module__}.{found.__qualname__}" == name


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FailedError("x"), 1),
        (UsageError("x"), 2),
        (TurnedDownError("x"), 3),
        (NotReachableError("x"), 4),
        (UnknownOutcomeError("x"), 70),
        (DamageError(3, "x"), 1),
        (LogLockedError("x"), 1),
        (AppendFailedError("x"), 1),
        (OutcomeUnknownError("x"), 70),
        (FolderLockedError(Path("x"), None), 1),
        (UnknownUserError("x"), 3),
        (PermissionError(13, "Permission denied", "x"), 1),
        (RuntimeError("a bug"), None),
        (ValueError("a bug"), None),
    ],
)
def test_an_error_leads_to_its_status(error: Exception, status: int | None) -> None:
    assert status_of(error) == status


def test_damage_comes_with_what_to_do() -> None:
    assert "damaged at log_seq 3" in text_of(DamageError(3, "gone"))
    assert "exchange log verify" in text_of(DamageError(3, "gone"))
    assert text_of(FailedError("plain")) == "plain"


def test_every_status_stands_in_the_documentation() -> None:
    page = (CHECKOUT / "docs" / "cli.md").read_text("utf-8")
    assert [f"| {status.value} |" in page for status in ExitStatus] == [True] * len(ExitStatus)


def test_an_expected_error_has_no_traceback_unless_it_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = invoke("log", "tail", "--data", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: there is no log in {tmp_path}")
    assert not caplog.records
    assert invoke("--debug", "log", "tail", "--data", tmp_path).exit_code == 1
    assert caplog.records[0].exc_info is not None


def test_the_version_is_that_of_the_installed_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.cli.main.version", lambda name: f"1.2.3 of {name}")
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, "chronex 1.2.3 of chronex\n")


def test_a_checkout_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("exchange.cli.main.version", not_installed)
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, "chronex from a checkout, not installed\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("log", "show"),
        ("log", "show", "0"),
        ("log", "tail", "-n", "-1"),
        ("log", "verify", "--anchor", "17"),
        ("state", "--at", "2027-01-15T10:00:00"),
        ("deposit", "alice", "much"),
        ("deposit", "alice", "-5"),
        ("user", "add", "alice", "--deposit", "-5"),
        ("serve", "--port", "70000"),
        ("serve", "--durability", "perhaps"),
        ("serve", "--auto-open", "0"),
        ("serve", "--tls-cert", "cert.pem"),
        ("demo", "--speed", "0"),
        ("replay", "--until", "-1"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_before_anything_is_done(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    result = invoke(*arguments, EXCHANGE_DATA=str(tmp_path / "data"), EXCHANGE_PASSWORD="pw")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert not (tmp_path / "data").exists()

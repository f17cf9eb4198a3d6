"""The pytest plugin: the fixture, its mark, and what it costs those who do not use it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from exchange.testing import RunningExchange
from exchange.testing.plugin import MARKER

CHECKOUT = Path(__file__).parents[2]

pytestmark = pytest.mark.chronex(users={"mara": 7})


def test_the_fixture_runs_an_exchange(chronex: RunningExchange) -> None:
    assert chronex.account("mara")["balance"] == 7


@pytest.mark.chronex(mark_interval=2.0, users={"nora": 9})
def test_the_mark_of_a_test_stands_in_front_of_its_module_s(chronex: RunningExchange) -> None:
    assert chronex.account("nora")["balance"] == 9
    with pytest.raises(LookupError):
        chronex.account("mara")


def python(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python elsewhere, where the package comes from the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment | {"PYTHONPATH": str(CHECKOUT)} | variables,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def pytest_elsewhere(folder: Path) -> str:
    """What pytest prints of the tests in this folder, under strict rules, with our plugin and no others."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n")
    ran = python(
        *("-m", "pytest", "-p", "exchange.testing.plugin"),
        cwd=folder,
        # Whether the package, or whatever else brings plugins, is installed makes no difference.
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    return ran.stdout + ran.stderr


STRATEGY = """
import pytest

def test_each_test_has_its_own(chronex):
    chronex.deposit("alice", 1)
    assert chronex.account("alice")["balance"] == 1_000_001

@pytest.mark.chronex(users={"alice": 1_000_000}, time="real")
def test_and_nothing_of_the_one_before(chronex):
    assert chronex.account("alice")["balance"] == 1_000_000
"""


def test_where_the_package_is_installed_pytest_finds_it_by_itself(tmp_path: Path) -> None:
    installed = tmp_path / "installed" / "chronex-0.dist-info"
    installed.mkdir(parents=True)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    found = "".join(f"{name} = {module}\n" for name, module in project["entry-points"]["pytest11"].items())
    (installed / "entry_points.txt").write_text(f"[pytest11]\n{found}")
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: chronex\nVersion: 0\n")
    (tmp_path / "test_strategy.py").write_text(STRATEGY)
    ran = python(
        # pytest-asyncio warns of settings that are not made here.
        *("-m", "pytest", "--strict-markers", "-W", "error", "-p", "no:asyncio", str(tmp_path)),
        cwd=tmp_path,
        PYTHONPATH=os.pathsep.join((str(installed.parent), str(CHECKOUT))),
    )
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_mark_is_listed_among_all_marks(pytestconfig: pytest.Config) -> None:
    marks = [line for line in pytestconfig.getini("markers") if line.startswith("chronex(")]
    assert marks == [MARKER]


def test_the_mark_says_what_it_takes(tmp_path: Path) -> None:
    (tmp_path / "test_strategy.py").write_text(
        'import pytest\n\n@pytest.mark.chronex("alice")\ndef test_one(chronex): ...\n\n'
        "@pytest.mark.chronex(colour=3)\ndef test_two(chronex): ...\n"
    )
    said = pytest_elsewhere(tmp_path)
    assert "takes named arguments only, such as users=..., not ('alice',)" in said
    assert "colour: there is no such setting" in said


def test_who_does_not_use_it_imports_nothing_of_the_server(tmp_path: Path) -> None:
    told = python("-c", "import sys, exchange.testing.plugin; print(*sys.modules)", cwd=tmp_path)
    imported = set(told.stdout.split())
    assert {"exchange.testing.plugin", "pytest"} <= imported, told.stderr
    ours = {name for name in imported if name.split(".")[0] in ("exchange", "eventstore", "projections")}
    assert ours == {"exchange", "exchange.testing", "exchange.testing.plugin"}


def test_a_name_that_the_package_does_not_have_is_an_error() -> None:
    with pytest.raises(ImportError, match="run_exchanges"):
        from exchange.testing import run_exchanges  # noqa: F401

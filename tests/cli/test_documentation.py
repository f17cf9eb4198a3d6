"""`docs/cli.md` and the help texts say what is so."""

from __future__ import annotations

import inspect
import re
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from exchange.cli.doctor import doctor
from exchange.cli.main import app
from exchange.cli.reference import command_reference, with_reference
from exchange.cli.serving import demo, serve
from exchange.server.settings import Settings
from tests.cli.harness import CHECKOUT, invoke


def test_the_page_has_the_commands_as_they_are() -> None:
    page = (CHECKOUT / "docs" / "cli.md").read_text("utf-8")
    assert page == with_reference(page), "run: python -m exchange.cli.reference docs/cli.md"


def test_a_page_without_the_mark_is_left_alone() -> None:
    with pytest.raises(ValueError, match="tells where the reference begins"):
        with_reference("# Something else\n")


def test_every_command_has_a_section_and_a_help() -> None:
    paths = re.findall(r"^## `exchange ?(.*)`$", command_reference(), re.MULTILINE)
    assert set(paths) >= {
        *("", "serve", "demo", "deposit", "replay", "state", "doctor"),
        *("user", "user add", "user list", "user password"),
        *("log", "log tail", "log show", "log stats", "log verify"),
    }
    for path in paths:
        result = invoke(*path.split(), "--help")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("Usage: exchange")


@pytest.mark.parametrize("path", ["", "user", "log"])
def test_a_group_without_a_command_shows_its_help(path: str) -> None:
    result = CliRunner().invoke(app, path.split())
    assert result.exit_code == 2
    assert "Commands:" in result.output


def option_helps(command: object) -> dict[str, str]:
    """The help of each option of a command that says a setting's default in brackets."""
    hints = get_type_hints(command, include_extras=True)
    helps = {}
    for name in inspect.signature(command).parameters:  # type: ignore[arg-type]
        if get_origin(hints[name]) is Annotated:
            info = get_args(hints[name])[1]
            assert isinstance(info, typer.models.OptionInfo)
            helps[name] = info.help or ""
    return helps


@pytest.mark.parametrize("command", [serve, demo, doctor])
def test_the_defaults_in_the_help_are_those_of_the_settings(command: object) -> None:
    settings = Settings.load()
    shown = {"data": settings.data, "host": settings.host, "port": settings.port}
    if command is not doctor:
        shown |= {"durability": settings.durability.value, "lang": settings.language}
    helps = option_helps(command)
    for name, value in shown.items():
        if name != "data" or command is not doctor:
            assert helps[name].endswith(f"[{value}]")

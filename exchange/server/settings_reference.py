"""Prints `docs/settings.md`: the reference of all settings, made of the settings themselves."""

from __future__ import annotations

from typing import Any

from exchange.server.settings import ENVIRONMENT_PREFIX, Settings

HEAD = f"""\
# Settings

Made by `python -m exchange.server.settings_reference > docs/settings.md` of the texts in `exchange/server/settings.py`.

Each setting can be given in the environment, as `{ENVIRONMENT_PREFIX}` and its name in capitals, such as
`{ENVIRONMENT_PREFIX}PORT=9000`. What is given on the command line goes before the environment.
"""


def settings_reference() -> str:
    """The reference as Markdown."""
    schema = Settings.model_json_schema()
    sections = (_section(name, each, schema["$defs"]) for name, each in schema["properties"].items())
    return "\n".join([HEAD, *sections])


def _section(name: str, setting: dict[str, Any], definitions: dict[str, Any]) -> str:
    facts = [f"Default {_shown(setting['default'])}", *_limits(setting, definitions)]
    effect = " ".join(setting["description"].split())
    return f"## `{name}`\n\n{effect}\n\n{'; '.join(facts)}.\n"


def _limits(setting: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    kind = definitions[setting["$ref"].rpartition("/")[2]] if "$ref" in setting else setting
    limits = []
    if "enum" in kind:
        limits.append("one of " + ", ".join(map(_shown, kind["enum"])))
    if "minimum" in kind:
        limits.append(f"from {_shown(kind['minimum'])} to {_shown(kind['maximum'])}")
    return limits


def _shown(value: Any) -> str:
    match value:
        case None | []:
            return "none"
        case bool():
            return "`true`" if value else "`false`"
        case float():
            return f"`{value:g}`"
        case _:
            return f"`{value}`"


if __name__ == "__main__":
    print(settings_reference(), end="")

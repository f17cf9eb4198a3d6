"""`exchange doctor`: is everything there that an exchange needs. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from exchange.cli.checks import (
    Finding,
    Level,
    check_disk,
    check_folder,
    check_open_files,
    check_port,
    check_private_files,
    check_python,
    check_server,
    check_sqlite,
)
from exchange.cli.errors import FailedError
from exchange.cli.log_checks import check_log
from exchange.cli.options import DEFAULT_DATA, DataOption, JsonOption
from exchange.cli.output import Tell, print_json, progress
from exchange.server.data_folder import DataFolder


def doctor(
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Where a server is to listen. [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", min=0, max=65535, help="Its port. [8000]")] = None,
    json: JsonOption = False,
) -> None:
    """Check this machine and the data folder.

    Each line says ok, warn or fail, and what to do. Status 1 where something does not work.
    """
    from exchange.server.settings import Settings

    # Nothing is served here: whether it may be in plain text is for the start to judge.
    settings = Settings.load(data=data, host=host, port=port, insecure_plain=True)
    with progress("reading the log") as told:
        findings = list(_findings(DataFolder(data), settings.host, settings.port, settings.connections_max, told))
    if json:
        print_json({"findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            typer.echo(f"{finding.level.value:<4}  {finding.subject:<10}  {finding.what}")
            if finding.todo:
                typer.echo(f"{'':<18}do: {finding.todo}")
    failed = sum(finding.level is Level.FAIL for finding in findings)
    if failed:
        raise FailedError(f"{failed} of {len(findings)} checks failed; what to do stands beside each")


def _findings(folder: DataFolder, host: str, port: int, connections_max: int, told: Tell) -> Iterator[Finding]:
    yield check_python()
    yield check_sqlite()
    yield (folder_itself := check_folder(folder))
    # In a folder that cannot be used the rest is not found, or cannot be looked at: it would only repeat that.
    usable = folder_itself.level is not Level.FAIL
    server = None
    if usable:
        yield from check_private_files(folder)
        finding, server = check_server(folder)
        yield finding
    yield check_port(server, host, port)
    yield check_disk(folder)
    yield check_open_files(connections_max)
    if usable:
        yield from check_log(folder, told)

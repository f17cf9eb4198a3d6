"""`exchange bench`: measure this exchange on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from exchange.cli.options import JsonOption
from exchange.cli.output import Column, print_facts, print_json, print_table, progress, tell

if TYPE_CHECKING:
    from exchange.bench.figures import Figure
    from exchange.bench.suite import BenchSettings, Report


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Few short rounds, for a first impression.")] = False,
    rounds: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=100, help="Rounds; the figures are their medians. [5]")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", min=0.1, max=20, help="Seconds that each load is measured in a round. [5]"),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the JSON document there too.")] = None,
    json: JsonOption = False,
) -> None:
    """Measure this exchange on this machine, beside what the machine can do.

    It starts servers of its own on 127.0.0.1, with logs in a temporary folder (TMPDIR), and puts them under full load:
    let nothing else run meanwhile. What is measured, and how, is told in docs/performance.md.
    """
    from exchange.bench.suite import run

    with progress("measuring, rounds") as told:
        report = run(_settings(quick, rounds, seconds), told)
    if out is not None:
        out.write_bytes(orjson.dumps(report.document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    if json:
        print_json(report.document)
    else:
        _print(report)


def _settings(quick: bool, rounds: int | None, seconds: float | None) -> BenchSettings:
    from exchange.bench.suite import QUICK, BenchSettings

    settings = QUICK if quick else BenchSettings()
    if rounds is not None:
        settings = replace(settings, rounds=rounds)
    return settings if seconds is None else replace(settings, measure_s=seconds)


def _print(report: Report) -> None:
    document = report.document
    print_facts((name, value) for part in ("source", "machine", "settings") for name, value in document[part].items())
    typer.echo()
    columns = (Column("figure"), Column("median", right=True), Column("least", right=True), Column("most", right=True))
    print_table("", (*columns, Column("unit")), map(_row, report.figures))
    for warning in report.warnings:
        tell(f"WARNING {warning}")


def _row(figure: Figure) -> tuple[str, ...]:
    values = (figure.median, min(figure.rounds), max(figure.rounds))
    return (figure.name, *map(_number, values), figure.unit)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

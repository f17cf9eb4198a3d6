"""One tiny run of the whole benchmark: it ends, and its figures make sense together."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from exchange.bench import suite
from exchange.bench.figures import Figure, Figures
from exchange.bench.suite import BenchSettings
from exchange.cli.main import app

TINY = BenchSettings(rounds=2, measure_s=0.2, warm_up_s=0.1, clients=4, in_flight=2, core_commands=400, crowd=20)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `exchange bench --quick --json` prints, and writes to a file as well."""
    out = tmp_path_factory.mktemp("bench") / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite, "QUICK", TINY)
        result = CliRunner().invoke(app, ["bench", "--quick", "--json", "--rounds", "1", "--out", str(out)])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert json.loads(out.read_text("utf-8")) == printed
    return printed


def test_the_report_says_what_was_measured_and_on_what(report: dict[str, Any]) -> None:
    assert report["format"] == suite.FORMAT
    assert report["settings"] == {
        "rounds": 1,
        "measure_s": 0.2,
        "warm_up_s": 0.1,
        "clients": 4,
        "in_flight": 2,
        "core_commands": 400,
        "crowd": 20,
    }
    assert report["source"].keys() == {"release", "commit", "changed"}
    assert report["source"]["release"]
    assert {"cpu", "cores", "system", "python", "sqlite", "filesystem"} <= report["machine"].keys()
    assert "1 rounds have no median to speak of: take at least 3" in report["warnings"]


def test_every_figure_has_a_round_and_a_unit(report: dict[str, Any]) -> None:
    for name, figure in report["figures"].items():
        assert len(figure["rounds"]) == 1, name
        assert figure["unit"], name
        assert math.isfinite(figure["median"]), name
        assert figure["min"] == figure["median"] == figure["max"] >= 0, name


def test_the_figures_and_their_baselines_are_there(report: dict[str, Any]) -> None:
    figures = report["figures"]
    for name in (
        *(f"{what}.{load}.per_second" for what in ("orders", "echo") for load in ("1x1", "4x2")),
        *(f"orders.1x1.{kind}.{p}" for kind in ("rest", "fill") for p in ("p50", "p90", "p99", "p999", "p50_to_limit")),
        *(f"orders.4x2.order.{p}" for p in ("p50", "p90", "p99", "p999", "p99_to_p50")),
        *(f"disk.{load}.{how}.p50" for load in ("1x1", "4x2") for how in ("growing", "in_place")),
        *(f"replay.{stage}.per_second" for stage in ("read", "decode", "evolve", "fold", "whole", "redecide")),
        *(f"storm.{phase}" for phase in ("open", "log_in", "resume", "memory.calm", "memory.peak")),
        *(f"storm.other.{when}.{p}" for when in ("calm", "during") for p in ("p50", "p99")),
        *(f"core.{flow}.per_second" for flow in ("meeting", "resting")),
    ):
        assert figures[name]["median"] > 0, name


def test_the_figures_fit_each_other(report: dict[str, Any]) -> None:
    def of(name: str) -> float:
        value: float = report["figures"][name]["median"]
        return value

    assert of("orders.4x2.to_echo") == pytest.approx(of("orders.4x2.per_second") / of("echo.4x2.per_second"), rel=0.01)
    limit = of("echo.1x1.echo.p50") + of("disk.1x1.in_place.p50")
    assert of("orders.1x1.fill.p50_to_limit") == pytest.approx(of("orders.1x1.fill.p50") / limit, rel=0.01)
    assert of("orders.1x1.per_step") == 1  # one order on its way, one step to show it
    assert of("orders.4x2.order.p50") <= of("orders.4x2.order.p99") <= of("orders.4x2.order.p999")
    for stage in ("evolve", "fold"):
        share = of(f"replay.{stage}.per_second") / of("replay.decode.per_second")
        assert of(f"replay.{stage}_to_decode") == pytest.approx(share, rel=0.01)
    assert of("replay.events") > 1.4 * of("orders.4x2.per_second") * TINY.measure_s  # half of the orders trade


def test_a_figure_is_told_by_the_median_of_its_rounds() -> None:
    figures = Figures()
    for value in (30.0, 10.0, 20.4444):
        figures.add("a.figure", "us", value)
    assert figures.document() == {
        "a.figure": {"unit": "us", "median": 20.44, "min": 10.0, "max": 30.0, "rounds": [30.0, 10.0, 20.44]}
    }
    assert figures["a.figure"].spread == pytest.approx(20 / 20.4444)


def test_a_figure_has_one_unit() -> None:
    figures = Figures()
    figures.add("a.figure", "us", 1.0)
    with pytest.raises(AssertionError, match=r"a\.figure is told in us and in ms"):
        figures.add("a.figure", "ms", 1.0)


def test_a_noisy_machine_is_told() -> None:
    figures = Figures()
    for value in (10.0, 10.0, 20.0):
        figures.add(suite.STEADY_LOOP, "ms", value)
        figures.add("echo.1x1.client_busy", "cores", 0.95)
    quiet = {"load_average": 0.1, "cores": 2, "filesystem": "ext4"}
    told = list(suite._warnings(figures, BenchSettings(), quiet))
    assert len(told) == 2
    assert f"{suite.STEADY_LOOP} 100%" in told[0]
    assert "the load generator may be what was measured" in told[1]
    loud = {"load_average": 1.5, "cores": 2, "filesystem": "tmpfs"}
    assert len(list(suite._warnings(figures, BenchSettings(), loud))) == 4


def test_the_options_are_bounded(tmp_path: Path) -> None:
    for option in ("--rounds=0", "--seconds=21", "--seconds=0"):
        assert CliRunner().invoke(app, ["bench", option]).exit_code == 2, option


def test_an_empty_figure_has_no_spread() -> None:
    figure = Figure("a.figure", "us")
    figure.rounds.append(0.0)
    assert figure.spread == 0

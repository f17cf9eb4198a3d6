"""On what a benchmark ran: machine, programs, source. And how steady the machine was meanwhile."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import time
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from exchange.bench.processes import PACKAGES

STEADY_LOOPS: Final = 1_000_000
MEMORY_FILESYSTEMS: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})


def describe_machine(folder: Path) -> dict[str, Any]:
    """The machine and the programs; `folder` is where the logs are written."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "filesystem": filesystem_of(folder),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        **{name: _version(name) for name in ("uvloop", "msgspec", "orjson", "websockets")},
    }


def describe_source() -> dict[str, Any]:
    """What was measured: the release, and the commit where it ran from a checkout."""
    return {"release": _release(PACKAGES), **_commit(PACKAGES)}


def steadiness() -> float:
    """Seconds that a fixed piece of work takes, which uses nothing but one core: alike in all rounds on a machine that
    does nothing else."""
    begin = time.perf_counter()
    total = 0
    for number in range(STEADY_LOOPS):
        total += number
    return time.perf_counter() - begin


def filesystem_of(folder: Path) -> str:
    """The kind of file system that holds the folder; empty where the system does not tell."""
    try:
        mounts = Path("/proc/mounts").read_text("utf-8").splitlines()
    except OSError:
        return ""
    place = folder.resolve()
    # The last of those that match best: a later mount hides an earlier one on the same place.
    best = max(
        (mount.split() for mount in mounts),
        key=lambda mount: len(mount[1]) if place.is_relative_to(mount[1]) else -1,
    )
    return best[2]


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _release(packages: Path) -> str | None:
    project = packages / "pyproject.toml"
    if not project.is_file():
        return _version("chronex")
    return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])


def _commit(checkout: Path) -> dict[str, Any]:
    """The commit of a checkout and whether files differ from it; None where this is an installed package."""
    if not (checkout / ".git").exists():
        return {"commit": None, "changed": None}
    commit = _output("git", "-C", str(checkout), "rev-parse", "HEAD")
    changed = _output(
        "git", "-C", str(checkout), "status", "--porcelain", "--", "exchange", "eventstore", "projections"
    )
    return {"commit": commit or None, "changed": bool(changed) if commit else None}


def _output(*command: str) -> str:
    """What a program prints; empty where it is not there or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

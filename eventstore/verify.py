"""Check a whole SQLite log, by a code path of its own.

The walk over the log (verify_walk.py) states everything a second time, on purpose: the SQL, the encoding of rows, the
tree, the seals. Nothing is shared with `merkle.py`, `seal.py` or the SQLite store, so a mistake there does not
confirm itself here.

What a walk cannot see by itself: a log that was cut off cleanly behind a commit, or rewritten as a whole. Both show
only against an anchor, a root that was written down elsewhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from eventstore.verify_walk import UNREADABLE, Damage, Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    log_seq: int
    """The first event that it concerns; 0 for the file as a whole."""
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a walk over the log found."""

    log_id: str
    """Empty where it cannot be read."""
    log_seq: int
    """The end of the last commit that was found good, with everything before it."""
    commands: int
    commits: int
    root: bytes
    """The tree hash at `log_seq`, recomputed, 32 bytes: an anchor for the next time."""
    findings: tuple[Finding, ...]
    """The damage by rising log_seq; empty for a sound log."""

    @property
    def ok(self) -> bool:
        """Nothing is wrong as far as this can be seen."""
        return not self.findings


def verify(
    path: Path,
    *,
    anchors: Mapping[int, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Check the log at `path`, which is never changed. Raises FileNotFoundError when there is none; all else is a
    finding.

    `anchors` are roots known from elsewhere, by their log_seq. `progress(done, total)` is told numbers of events.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no log at {path}")
    walk = Walk((anchors or {}).keys(), progress)
    findings: list[Finding] = []
    try:
        with closing(
            sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True, isolation_level=None)
        ) as connection:
            walk.run(connection)
    except Damage as damage:
        findings.append(Finding(log_seq=damage.log_seq, what=damage.what))
    except UNREADABLE as error:
        place = 0 if walk.head is None else walk.log_seq + 1
        findings.append(Finding(log_seq=place, what=f"SQLite cannot read on from here: {error}"))
    findings += _anchor_findings(anchors or {}, walk)
    return VerifyReport(
        log_id=walk.log_id.decode(),
        log_seq=walk.good.log_seq,
        commands=walk.good.commands,
        commits=walk.good.commits,
        root=walk.good.root,
        findings=tuple(sorted(findings, key=lambda finding: finding.log_seq)),
    )


def _anchor_findings(anchors: Mapping[int, bytes], walk: Walk) -> list[Finding]:
    """Where the log is another than the anchors know, as far as the walk came: at most one finding."""
    agreed = 0
    for log_seq, root in sorted(anchors.items()):
        if walk.head is not None and log_seq > walk.head:
            what = f"the log ends at {walk.head}, an anchor knows it up to {log_seq}: its tail was cut off"
            return [Finding(log_seq=walk.head + 1, what=what)]
        if walk.roots_at.get(log_seq, root) != root:
            what = f"the root at {log_seq} is not the anchor's: the log was written anew somewhere from here on"
            return [Finding(log_seq=agreed + 1, what=what)]
        agreed = log_seq
    return []

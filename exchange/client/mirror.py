"""The client's copy of the server's picture, led on by one whole step after the other. No input, no output.

After a step the mirror equals the server's picture at the step's version, so every identity of the protocol holds in
it; a step that cannot be applied changes nothing. Pictures are never changed in place: a new one shares with the former
what the step did not touch. Of the former versions the mirror keeps the patches that lead back to them, which cost what
the steps changed and not what the pictures hold.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from exchange.client.changes import Path, Reach, Tree, changed_paths, reach, way_back
from exchange.client.errors import MirrorError, UnknownVersionError
from projections.merge_patch import merge_patch

log = logging.getLogger("exchange.client")

HISTORY_MAX: Final = 100
"""Versions before the present one that a mirror keeps unless told otherwise."""
DEPTH_MAX: Final = 32
"""How deeply objects of a patch may be nested; the trees of the protocol have five levels."""

ChangeCallback = Callable[[list[Path]], object]
"""Is told the paths of the values that a step changed."""
Prune = Callable[[Tree], Tree]
"""Gives the patch that takes out of a picture what the client does not want to keep."""


class Snapshot(NamedTuple):
    """A picture and the place in the server's log that it shows."""

    tree: Tree
    version: int | None
    """None before the first login."""
    log_id: str | None


class Step(NamedTuple):
    """The fields of a `rtn_data`."""

    patches: list[Tree]
    version: int | None
    log_id: str | None
    full: bool


class _Kept(NamedTuple):
    """A former version."""

    version: int
    undo: Tree
    """The patch that leads to its picture from the picture kept after it, the last one's from the present picture."""


def log_failure(error: Exception) -> None:
    """What becomes of a callback's exception unless somebody wants it: a line in the log with its traceback."""
    log.error("a callback of the client's program failed", exc_info=error)


class Mirror:
    """One client's picture, its version, and the versions before it.

    Steps, rollbacks and callbacks belong to one thread. `snapshot` may be read in any: it is replaced as a whole, and
    what it gives never changes.
    """

    def __init__(
        self,
        *,
        history_max: int = HISTORY_MAX,
        prune: Prune | None = None,
        callback_failed: Callable[[Exception], object] = log_failure,
    ) -> None:
        if history_max < 0:
            raise ValueError(f"history_max is {history_max}: give 0 (no former versions) or more")
        self._now = Snapshot({}, None, None)
        self._kept: deque[_Kept] = deque(maxlen=history_max)
        self._prune = prune
        self._callbacks: list[tuple[Path, ChangeCallback]] = []
        self._callback_failed = callback_failed

    @property
    def snapshot(self) -> Snapshot:
        """The present picture with its version and log."""
        return self._now

    @property
    def tree(self) -> Tree:
        """The present picture. It is shared with other versions: do not change it."""
        return self._now.tree

    @property
    def version(self) -> int | None:
        """The place in the server's log that the picture shows; None before the first login."""
        return self._now.version

    @property
    def log_id(self) -> str | None:
        """Names the log, the user and the wording that the version belongs to."""
        return self._now.log_id

    def apply(self, frame: Any) -> None:
        """Take a `rtn_data` as one step: all of its patches, or nothing and a MirrorError.

        Then callbacks are told what changed. A full step starts anew and forgets the former versions: there is no way
        back across it.
        """
        step = read_step(frame)
        before = self._now
        after, touched = _stepped(before, step, self._prune)
        if step.full:
            self._kept.clear()
        elif before.version is not None:
            self._keep(before.tree, before.version, after, touched)
        self._now = after
        self._tell(before.tree, after.tree, touched)

    def on(self, prefix: Sequence[str], callback: ChangeCallback) -> Callable[[], None]:
        """Have `callback` called after each step that changed something at this path or below; returns what ends that.

        It gets the paths of the values that came, went or changed, and reads the whole new picture. An exception of
        its own reaches neither the mirror nor other callbacks: it goes to `callback_failed`, which logs it by default.
        """
        if isinstance(prefix, str):
            raise TypeError(
                f"a prefix is a sequence of keys, such as ('quotes', 'SHFE.cu2701'), not the text {prefix!r}"
            )
        entry = (tuple(prefix), callback)
        self._callbacks.append(entry)

        def off() -> None:
            if entry in self._callbacks:
                self._callbacks.remove(entry)

        return off

    # Former versions.

    @property
    def history(self) -> list[int]:
        """The versions whose pictures can still be had, oldest first, the present one last."""
        kept = [each.version for each in self._kept]
        return kept if self.version is None else [*kept, self.version]

    def at(self, version: int) -> Tree:
        """The picture as it was when the mirror left this version. Raises UnknownVersionError where none is kept."""
        if version not in self.history:
            kept = f"{self.history[0]} to {self.history[-1]}" if self.history else "none"
            raise UnknownVersionError(
                f"the mirror keeps no picture of version {version}; `history` lists those it has ({kept})"
            )
        tree = self.tree
        for former in reversed(self._kept):
            if former.version < version:
                break
            tree = merge_patch(tree, former.undo)
        return tree

    def rollback(self, version: int) -> None:
        """Go back to the picture of a former version and forget all later ones; callbacks are told what changed.

        The server can lead on from there: log in again with this `log_id` and `version`. A mirror that a connected
        client holds is rolled back by the client, which does just that.
        """
        before = self._now
        tree = self.at(version)
        while self._kept and self._kept[-1].version >= version:
            self._kept.pop()
        self._now = Snapshot(tree, version, before.log_id)
        self._tell(before.tree, tree, None)

    def _keep(self, tree: Tree, version: int, after: Snapshot, touched: Reach) -> None:
        """Keep the way back from the step's picture.

        A step may leave the version as it is (notices, subscriptions). Then the picture to keep is the newer one, and
        what led back to the version before must now lead there from that.
        """
        if after.version != version:
            self._kept.append(_Kept(version, way_back(tree, after.tree, touched)))
        elif self._kept:
            former = self._kept[-1]
            target = merge_patch(tree, former.undo)
            # Where the two differ is where this step reached, or those between them.
            undo = way_back(target, after.tree, reach([former.undo, touched]))
            self._kept[-1] = former._replace(undo=undo)

    def _tell(self, before: Tree, after: Tree, touched: Reach | None) -> None:
        for prefix, callback in tuple(self._callbacks):
            paths = changed_paths(before, after, touched, prefix)
            if not paths:
                continue
            try:
                callback(paths)
            except Exception as error:
                self._callback_failed(error)


def read_step(frame: Any) -> Step:
    """The fields of a `rtn_data`. Raises MirrorError for what cannot be one."""
    if not isinstance(frame, dict) or frame.get("aid") != "rtn_data":
        raise MirrorError(f"a step is an object with aid rtn_data, not {_shown(frame)}")
    patches = frame.get("data")
    if not isinstance(patches, list):
        raise MirrorError(f"the step's `data` is a list of patches, not {_shown(patches)}")
    for patch in patches:
        if not isinstance(patch, dict):
            raise MirrorError(f"a patch is an object, not {_shown(patch)}: the step is left out as a whole")
        if _is_deeper(patch, DEPTH_MAX):
            raise MirrorError(f"a patch is nested deeper than {DEPTH_MAX}: no server of this protocol sends such a one")
    version, log_id, full = frame.get("version"), frame.get("log_id"), frame.get("full", False)
    if version is not None and (type(version) is not int or version < 0):
        raise MirrorError(f"a version is a whole number from 0, not {_shown(version)}")
    if log_id is not None and not isinstance(log_id, str):
        raise MirrorError(f"a log_id is a text, not {_shown(log_id)}")
    if not isinstance(full, bool):
        raise MirrorError(f"`full` is true or left out, not {_shown(full)}")
    return Step(patches, version, log_id, full)


def _stepped(before: Snapshot, step: Step, prune: Prune | None) -> tuple[Snapshot, Reach]:
    """The snapshot after a step, and where it may differ. Raises MirrorError where the step does not lead on from
    `before`."""
    version = before.version if step.version is None else step.version
    if step.full and (step.version is None or step.log_id is None):
        raise MirrorError("a full step names its version and its log")
    if not step.full and before.version is not None:
        if version is not None and version < before.version:
            raise MirrorError(f"the step ends at version {version}, before the mirror's {before.version}: log in anew")
        if step.log_id not in (None, before.log_id):
            raise MirrorError(f"the step is of the log {step.log_id}, the mirror of {before.log_id}: log in anew")
    tree = before.tree
    for patch in step.patches:
        tree = merge_patch(tree, patch)
    patches = step.patches
    if prune is not None and (removed := prune(tree)):
        tree = merge_patch(tree, removed)
        patches = [*patches, removed]
    return Snapshot(tree, version, step.log_id or before.log_id), reach(patches)


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays are nested deeper than so many levels."""
    if isinstance(value, dict):
        inner: Iterable[Any] = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return False
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."

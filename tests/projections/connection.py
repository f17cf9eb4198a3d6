"""One client and its server's cursors, in a single object: the mirror, and what the server believes of it.

A step is made as the gateway makes it: everything that is news at the head, and every cursor to the head. The flags are
the mistakes that can be made here.
"""

from __future__ import annotations

from typing import Any

import orjson

from exchange.gateway.dialects import Dialect
from projections.fold import Projections
from projections.merge_patch import merge_patch
from tests.projections.law import DIALECT, Tree, demand_equal, demand_sound, quote, view
from tests.projections.streams import USERS


class Connection:
    """`mirror` and `version` are what a returning client brings along; a new one brings nothing."""

    dialect: Dialect = DIALECT
    marks_may_wait = False
    """The mistake of a step without what only marks changed, which moves the cursor all the same."""
    one_cursor_for_all = False
    """The mistake of a quote that counts as sent because others were."""
    full_forgets_quotes = False
    """The mistake of a full step that deletes the quotes and does not send them again."""
    keeps_dropped_quotes = False
    """The mistake of a subscription that ends without taking the quote away."""

    def __init__(self, name: str, mirror: Tree | None = None, version: int = -1) -> None:
        self.name = name
        self.mirror: Tree = mirror or {}
        self.version = version
        self.subscribed: dict[str, int] = {}
        self._dropped: dict[str, None] = {}
        if version >= 0:
            self.mirror = merge_patch(self.mirror, dict.fromkeys(self.dialect.connection_keys))

    def subscribe(self, instrument_ids: list[str]) -> None:
        for instrument_id, cursor in self.subscribed.items():
            if instrument_id not in instrument_ids and cursor >= 0 and not self.keeps_dropped_quotes:
                self._dropped[instrument_id] = None
        new = self.version if self.one_cursor_for_all else -1
        self.subscribed = {each: self.subscribed.get(each, new) for each in instrument_ids}

    def step(self, projections: Projections, *, with_marks: bool = True) -> None:
        changes = projections.user(USERS[self.name]).changes(self.version)
        if not with_marks and self.marks_may_wait:
            held = {row.instrument_id for row, _ in changes.positions if row.changed <= self.version}
            positions = [each for each in changes.positions if each[0].instrument_id not in held]
            changes = changes._replace(positions=positions)
        patches: list[Any] = []
        if changes.full:
            patches.append(dict.fromkeys(self.dialect.root_keys))
            self._dropped.clear()
            if not self.full_forgets_quotes:
                self.subscribed = dict.fromkeys(self.subscribed, -1)
        patches += self.dialect.word(changes, self.name)
        patches += self._quote_patches(projections)
        self.version = projections.version
        for patch in orjson.loads(orjson.dumps(patches)):
            self.mirror = merge_patch(self.mirror, patch)

    def _quote_patches(self, projections: Projections) -> list[Any]:
        quotes: Tree = dict.fromkeys(self._dropped)
        patches = [{"quotes": quotes}] if quotes else []
        self._dropped.clear()
        changed = {each: quote(projections, each, cursor, self.dialect) for each, cursor in self.subscribed.items()}
        self.subscribed = dict.fromkeys(self.subscribed, projections.version)
        return [*patches, {"quotes": {each: patch for each, patch in changed.items() if patch}}]

    def demand_mirror_is_view(self, projections: Projections) -> None:
        """Right after a step."""
        wanted = view(projections, self.name, self.dialect)
        wanted["quotes"] = {each: quote(projections, each, -1, self.dialect) for each in self.subscribed}
        demand_equal(self.mirror, wanted, f"the mirror of {self.name} at {self.version}")
        demand_sound(self.mirror, self.name)

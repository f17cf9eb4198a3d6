"""Views and quotes in the words of each endpoint: what every dialect can, and one module for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from exchange.gateway.dialects.fields import Patch
from exchange.gateway.notices import Code
from projections.quote import QuoteDialect
from projections.user_view import Changes


class Dialect(QuoteDialect, Protocol):
    """What a conversation asks of the dialect it speaks. One object serves all conversations of an endpoint."""

    @property
    def root_keys(self) -> tuple[str, ...]:
        """Every key that the root of the tree may have; a full step deletes them all before it gives the view."""
        ...

    @property
    def connection_keys(self) -> tuple[str, ...]:
        """Those that belong to a connection and not to the user's view."""
        ...

    @property
    def wording(self) -> str:
        """Names this wording: mirrors made by another one cannot be led on."""
        ...

    @property
    def business_id(self) -> str | None:
        """The `bid` that a login may name; None where any will do."""
        ...

    def text(self, code: Code, facts: Mapping[str, int | str]) -> str:
        """The text of a notice."""
        ...

    def word(self, changes: Changes, user_id: str) -> list[Patch]:
        """The patches that tell a user's changes, in the order in which a client shall apply them; none where there are
        none. `user_id` is the name of the login."""
        ...

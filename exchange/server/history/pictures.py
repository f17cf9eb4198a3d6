"""What can be told at the place where the views stand: a user's tree, the step that leads there, a book.

The words are those of a conversation: what is made here leads a mirror on that was kept by one, and the reverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from exchange.domain.values import YUAN, InstrumentId
from exchange.gateway.dialects import Dialect
from exchange.gateway.dialects.fields import Patch
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.dialects.guide import GuideDialect
from exchange.gateway.notices import Language
from exchange.server.history.questions import DialectName, ViewName
from projections.fold import Projections
from projections.levels import Ladder
from projections.merge_patch import merge_patch
from projections.quote import Quote
from projections.user_view import BEFORE_ALL

Tree = dict[str, Any]


class Step(NamedTuple):
    """Patches that lead a tree on as one."""

    full: bool
    """Whether they delete everything first: no step leads from where the client is."""
    data: list[Patch]


def all_dialects(language: Language) -> Mapping[DialectName, Dialect]:
    """Every dialect in which a tree can be asked for."""
    return {"guide": GuideDialect(language), "flat": FlatDialect(language)}


def picture(projections: Projections, view: ViewName, dialect: Dialect) -> Tree:
    """The whole tree. An account that is not open yet has one too, without content."""
    tree: Tree = {}
    for patch in dialect.word(projections.user(view.account_id).changes(BEFORE_ALL), view.user):
        tree = merge_patch(tree, patch)
    if view.instruments:
        quotes = _quotes(projections, view)
        tree["ins_list"] = _ins_list(quotes)
        if quotes:
            tree["quotes"] = {quote.terms.instrument_id: dialect.word_quote(quote, BEFORE_ALL) for quote in quotes}
    return tree


def step_since(projections: Projections, view: ViewName, dialect: Dialect, since: int) -> Step:
    """What leads the tree of version `since`, or of any number up to the next version, to where the views stand now."""
    changes = projections.user(view.account_id).changes(since)
    since = changes.since
    data: list[Patch] = [dict.fromkeys(dialect.root_keys)] if changes.full else []
    data += dialect.word(changes, view.user)
    if view.instruments:
        data += _quote_patches(projections, view, dialect, since)
    return Step(changes.full, data)


def book(projections: Projections, instrument_id: InstrumentId, depth: int) -> dict[str, Any] | None:
    """The best `depth` levels of both sides as [price in yuan, lots, orders], the best first; None where no instrument
    of this name is listed."""
    if not projections.market.knows(instrument_id):
        return None
    quote = projections.market.quotes[instrument_id]
    return {"bids": _levels(quote.bids, depth), "asks": _levels(quote.asks, depth)}


def _levels(ladder: Ladder, depth: int) -> list[list[float]]:
    return [[level.price / YUAN, level.lots, level.orders] for level in ladder.best(depth)]


def _quote_patches(projections: Projections, view: ViewName, dialect: Dialect, since: int) -> list[Patch]:
    quotes = _quotes(projections, view)
    # Not the quotes' own fragments: these are kept until the quote changes, one for each `since` that anybody names.
    worded = {quote.terms.instrument_id: dialect.word_quote(quote, since) for quote in quotes if quote.changed > since}
    patches: list[Patch] = [{"quotes": worded}] if worded else []
    if since < 0 or any(quote.born > since for quote in quotes):
        patches.append({"ins_list": _ins_list(quotes)})
    return patches


def _quotes(projections: Projections, view: ViewName) -> list[Quote]:
    """Those of the view's instruments that are listed."""
    market = projections.market
    return [market.quotes[each] for each in view.instruments if market.knows(each)]


def _ins_list(quotes: list[Quote]) -> str:
    return ",".join(quote.terms.instrument_id for quote in quotes)

"""Each way to get views wrong is switched on, and the law must see it: a law that nothing breaks proves nothing.

The mistakes are small and were all made by somebody. What a connection can do wrong is in `test_connections`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import Phase, example, given, settings
from msgspec.structs import replace

from exchange.domain.events import Fill, OrderCancelled, TradeExecuted
from exchange.gateway.dialects import Dialect, diff, fields
from exchange.gateway.dialects.diff import DiffDialect, Parts
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.dialects.guide import GuideDialect
from projections import fold, user_view
from projections.figures import position_figures
from projections.fold import Projections
from projections.marks import VersionedMark
from projections.quote import Quote
from projections.rows import OrderRow
from projections.user_view import Changes, UserView
from tests.projections.flat_story import FLAT, demand_flat_story
from tests.projections.law import DIALECTS, LawBrokenError, demand_law, text_of, view
from tests.projections.oracle import demand_story
from tests.projections.streams import CLOSED_AT_COST, USERS, Op, positions_worth_tenths, streams

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def positions_only_where_own_rows_changed(patch: Patch) -> None:
    """Derived rows looked for like all others: they do not move when a price does."""
    valued = UserView._valued

    def changed_rows(self: UserView, since: int) -> Any:
        held, changed = valued(self, since)
        return held, [(row, figures) for row, figures in changed if row.changed > since]

    patch.setattr(UserView, "_valued", changed_rows)


def account_only_where_a_held_mark_moved(patch: Patch) -> None:
    """The account's version taken from what is held now: a holding that was closed is forgotten."""
    changes = UserView.changes

    def by_marks(self: UserView, since: int) -> Changes:
        found = changes(self, since)
        return found if found.full or self.mark_news(since) else found._replace(figures=None)

    patch.setattr(UserView, "changes", by_marks)


def a_mark_written_past_its_version(patch: Patch) -> None:
    """An input of the figures that no version tells of."""

    def traded(self: VersionedMark, price: int, version: int) -> None:
        self.price = price  # type: ignore[assignment]

    patch.setattr(VersionedMark, "traded", traded)


def flat_positions_show_the_last_price(patch: Patch) -> None:
    """A field that the market feeds in a row that follows no mark."""

    def with_price(row: Any, figures: Any, user_id: str, since: int) -> dict[str, Any]:
        return {**fields.position_fields(row, figures, user_id, since), "last_price": row.mark.price / 1_000_000}

    patch.setattr(diff, "position_fields", with_price)


def lost_values_are_left_out(patch: Patch) -> None:
    """A field that lost its value, told by silence: the mirror keeps the old one."""

    def without_nulls(row: Any, figures: Any, user_id: str, since: int) -> dict[str, Any]:
        worded = fields.position_fields(row, figures, user_id, since)
        return {name: value for name, value in worded.items() if value is not None}

    patch.setattr(diff, "position_fields", without_nulls)


def first_pictures_with_nulls(patch: Patch) -> None:
    """Null where a new object just lacks a value: a client that assigns instead of merging keeps it."""
    word_prices = fields._word_prices
    patch.setattr(fields, "_word_prices", lambda worded, row, is_new: word_prices(worded, row, False))


def lost_levels_are_left_out(patch: Patch) -> None:
    """The same mistake in a quote: a level that is gone stays in the mirror."""

    def without_nulls(self: DiffDialect, quote: Quote, since: int) -> dict[str, Any]:
        return {name: value for name, value in fields.quote_fields(quote, since).items() if value is not None}

    patch.setattr(DiffDialect, "word_quote", without_nulls)


def told_once(patch: Patch, dialect: type[GuideDialect] | type[FlatDialect], field: str) -> None:
    word_order = dialect._order

    def without_field(self: Any, row: OrderRow, user_id: str, since: int) -> dict[str, Any]:
        worded = word_order(self, row, user_id, since)
        if row.born <= since:
            del worded[field]
        return worded

    patch.setattr(dialect, "_order", without_field)


def status_told_once(patch: Patch) -> None:
    """A field made of several facts that declares none of them."""
    told_once(patch, GuideDialect, "status")
    told_once(patch, FlatDialect, "status")


def rows_that_change_without_moving(patch: Patch) -> None:
    """The walk stops before them."""

    def in_place(self: UserView, order_id: Any, version: int) -> Any:
        row = self.rows[order_id]
        row.changed = version
        return row

    patch.setattr(UserView, "_touched_order", in_place)


def a_walk_that_stops_one_too_early(patch: Patch) -> None:
    """Versions off by one."""
    walk = UserView._rows_changed
    patch.setattr(UserView, "_rows_changed", lambda self, since: walk(self, since + 1))


def rows_with_the_version_of_their_own_event(patch: Patch) -> None:
    """A number within an entry is taken at its word, and a mirror of the entry before never gets the entry's begin."""

    def apply(self: Projections, first_log_seq: int, events: Any) -> fold.News:
        for log_seq, event in enumerate(events, first_log_seq):
            fold._FOLDS[type(event)](self, event, log_seq, log_seq)
        self.version += len(events)
        self._changed.clear()
        return fold.News((), self.market.end_entry(self.version))

    patch.setattr(Projections, "apply", apply)


def containers_only_where_something_is_in_them(patch: Patch) -> None:
    """A first picture without its empty containers, and no patch that brings them."""
    word, word_flat = GuideDialect.word, FlatDialect.word

    def only_with_orders(self: FlatDialect, changes: Changes, user_id: str) -> list[dict[str, Any]]:
        patches = word_flat(self, changes, user_id)
        has_orders = any(patch.get("orders") for patch in patches)
        return patches if has_orders or not changes.full else patches[1:]

    def without_empty_ones(self: GuideDialect, changes: Changes, user_id: str) -> list[dict[str, Any]]:
        patches = word(self, changes, user_id)
        if not changes.full or patches[0]["trade"][user_id]["orders"]:
            return patches
        return [{"trade": {user_id: {name: each for name, each in patches[0]["trade"][user_id].items() if each}}}]

    patch.setattr(GuideDialect, "word", without_empty_ones)
    patch.setattr(FlatDialect, "word", only_with_orders)


def quotes_that_change_past_their_version(patch: Patch) -> None:
    """One version for the quote and none for the field."""
    put = Quote._put

    def without_version(self: Quote, field: int, value: int | None, version: int) -> None:
        put(self, field, value, self.versions[field] if value is None else version)

    patch.setattr(Quote, "_put", without_version)


def fragments_kept_for_ever(patch: Patch) -> None:
    """Words of a quote that are given out again after it changed."""
    end_entry = Quote.end_entry

    def keeping(self: Quote, version: int) -> bool:
        kept = dict(self._fragments)
        shown = end_entry(self, version)
        self._fragments.update(kept)
        return shown

    patch.setattr(Quote, "end_entry", keeping)


def little_room(patch: Patch) -> None:
    patch.setattr(user_view, "HISTORY_MAX", 2)
    patch.setattr(user_view, "GONE_MAX", 2)


def rows_that_leave_without_a_word(patch: Patch) -> None:
    """What made room stays in every mirror."""
    little_room(patch)
    patch.setattr(UserView, "_gone_since", lambda self, since: [])


def a_floor_that_does_not_rise(patch: Patch) -> None:
    """What left is forgotten at last, and clients that are older still get a step."""
    little_room(patch)
    drop = UserView._drop

    def without_floor(self: UserView, order_id: Any, version: int) -> None:
        drop(self, order_id, version)
        self.floor = 0

    patch.setattr(UserView, "_drop", without_floor)


MUTANTS: Final[tuple[Mutant, ...]] = (
    positions_only_where_own_rows_changed,
    account_only_where_a_held_mark_moved,
    a_mark_written_past_its_version,
    flat_positions_show_the_last_price,
    lost_values_are_left_out,
    first_pictures_with_nulls,
    lost_levels_are_left_out,
    status_told_once,
    rows_that_change_without_moving,
    a_walk_that_stops_one_too_early,
    rows_with_the_version_of_their_own_event,
    containers_only_where_something_is_in_them,
    quotes_that_change_past_their_version,
    fragments_kept_for_ever,
    rows_that_leave_without_a_word,
    a_floor_that_does_not_rise,
)


def update_times_told_once(patch: Patch) -> None:
    """An order that changes, and says that it changed when it came."""
    told_once(patch, FlatDialect, "update_time")


def fills_told_once(patch: Patch) -> None:
    """What is filled and what remains change together; one of them is forgotten."""
    told_once(patch, FlatDialect, "filled_volume")


def trades_that_leave_as_orders(patch: Patch) -> None:
    """Two kinds of rows, one kind of farewell."""
    little_room(patch)
    parts = FlatDialect._parts

    def mixed(self: FlatDialect, changes: Changes, user_id: str) -> Parts:
        found = parts(self, changes, user_id)
        gone = {key: None for key, value in found.trades.items() if value is None}
        kept = {key: value for key, value in found.trades.items() if value is not None}
        return found._replace(orders={**found.orders, **gone}, trades=kept)

    patch.setattr(FlatDialect, "_parts", mixed)


def one_account_for_all(patch: Patch) -> None:
    """The account put where the others' rows are, under a name that changes with what is known of it."""
    word = FlatDialect.word

    def renamed(self: FlatDialect, changes: Changes, user_id: str) -> list[dict[str, Any]]:
        name = user_id if changes.since < 0 else "CNY"
        return [
            {"accounts": {name: each["accounts"][user_id]}} if user_id in each.get("accounts", {}) else each
            for each in word(self, changes, user_id)
        ]

    patch.setattr(FlatDialect, "word", renamed)


FLAT_MUTANTS: Final[tuple[Mutant, ...]] = (
    update_times_told_once,
    fills_told_once,
    trades_that_leave_as_orders,
    one_account_for_all,
)


def demand_mistake_is_seen(dialect: Dialect) -> None:
    @settings(max_examples=1_000, phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False)
    @given(streams(25))
    @example(CLOSED_AT_COST)
    def law(stream: list[Op]) -> None:
        demand_law(stream, dialect)

    with pytest.raises(LawBrokenError):
        law()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.wording)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_law_sees_the_mistake(monkeypatch: Patch, mutant: Mutant, dialect: Dialect) -> None:
    mutant(monkeypatch)
    demand_mistake_is_seen(dialect)


@pytest.mark.parametrize("mutant", FLAT_MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_law_sees_the_mistake_of_the_flat_dialect(monkeypatch: Patch, mutant: Mutant) -> None:
    mutant(monkeypatch)
    demand_mistake_is_seen(FLAT)


def volume_counted_for_both_sides(patch: Patch) -> None:
    """Every trade twice."""
    add = Quote._add
    patch.setattr(Quote, "_add", lambda self, field, amount, version: add(self, field, 2 * amount, version))


def margin_not_given_back(patch: Patch) -> None:
    """A cancelled order that goes on tying up money."""
    cancelled = UserView.order_cancelled

    def without_release(self: UserView, event: OrderCancelled, version: int) -> OrderRow:
        held = self.cash(version).frozen_margin
        row = cancelled(self, event, version)
        self.cash(version).frozen_margin = held
        return row

    patch.setattr(UserView, "order_cancelled", without_release)


def the_other_sides_commission(patch: Patch) -> None:
    """A fee that is booked on the wrong side."""
    filled = Projections._filled

    def swapped(self: Projections, trade: TradeExecuted, fill: Fill, *rest: Any) -> OrderRow:
        other = trade.seller if fill is trade.buyer else trade.buyer
        return filled(self, trade, replace(fill, commission=other.commission), *rest)

    patch.setattr(Projections, "_filled", swapped)


@pytest.mark.parametrize(
    "mutant",
    [volume_counted_for_both_sides, margin_not_given_back, the_other_sides_commission],
    ids=lambda mutant: mutant.__name__,
)
def test_the_story_sees_what_no_law_of_steps_can(monkeypatch: Patch, mutant: Mutant) -> None:
    mutant(monkeypatch)

    @settings(max_examples=1_000, phases=[Phase.generate], report_multiple_bugs=False)
    @given(streams(25))
    def told(stream: list[Op]) -> None:
        demand_story(stream)

    with pytest.raises(LawBrokenError):
        told()


def a_repetition_that_counts_as_a_change(patch: Patch) -> None:
    """Who sends an order again is told that it changed just now."""
    repeated = UserView.order_repeated

    def touched(self: UserView, order_id: Any, version: int) -> None:
        repeated(self, order_id, version)
        row = self.rows.get(order_id)
        if isinstance(row, OrderRow):
            row.changed_at_ns += version

    patch.setattr(UserView, "order_repeated", touched)


def fills_without_a_time(patch: Patch) -> None:
    """An order that fills later is as old as when it came."""
    filled = UserView.filled

    def without_time(self: UserView, trade: Any, mark: VersionedMark) -> OrderRow:
        row = self.rows[trade.fill.order_id]
        assert isinstance(row, OrderRow)
        before = row.changed_at_ns
        filled(self, trade, mark)
        row.changed_at_ns = before
        return row

    patch.setattr(UserView, "filled", without_time)


@pytest.mark.parametrize(
    "mutant", [a_repetition_that_counts_as_a_change, fills_without_a_time], ids=lambda mutant: mutant.__name__
)
def test_the_story_sees_wrong_times_of_change(monkeypatch: Patch, mutant: Mutant) -> None:
    mutant(monkeypatch)

    @settings(max_examples=1_000, phases=[Phase.generate], report_multiple_bugs=False)
    @given(streams(25))
    def told(stream: list[Op]) -> None:
        demand_flat_story(stream)

    with pytest.raises(LawBrokenError):
        told()


def test_sums_of_floats_show_in_the_last_digit(monkeypatch: Patch) -> None:
    """The test of the order of positions sees what random streams do not: profits summed after the division."""

    def float_sums(row: Any, figures: Any, user_id: str, since: int) -> dict[str, Any]:
        worded = fields.account_fields(row, figures, user_id, since)
        positions = exchange.projections.user(USERS["alice"]).positions.values()
        shown = [fields.position_fields(each, position_figures(each, each.mark), "", -1) for each in positions]
        return {**worded, "position_profit": sum(each["position_profit"] for each in shown)}

    exchange = positions_worth_tenths()
    monkeypatch.setattr(diff, "account_fields", float_sums)
    user = exchange.projections.user(USERS["alice"])
    before = text_of(view(exchange.projections, "alice"))
    user.positions = dict(reversed(user.positions.items()))
    assert text_of(view(exchange.projections, "alice")) != before

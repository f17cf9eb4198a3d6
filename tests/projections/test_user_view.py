"""One user's view: versions, news, the order of rows, and the room for history."""

from __future__ import annotations

import pytest

from exchange.domain.commands import RegisterInstrument
from exchange.domain.values import AccountId, OrderId
from projections import user_view
from projections.rows import OrderRow, TradeRow
from projections.user_view import Changes, UserView
from tests.projections.law import DIALECT
from tests.support.commands import CLOSETODAY, TRADER, buy, cancel, open_account, sell, traded
from tests.support.market import TOY
from tests.support.views import SmallExchange

MAKER = "M"


@pytest.fixture
def exchange() -> SmallExchange:
    return SmallExchange(RegisterInstrument(terms=TOY), open_account(TRADER), open_account(MAKER), open_account("X"))


def trader(exchange: SmallExchange) -> UserView:
    return exchange.projections.user(AccountId(TRADER))


def since(exchange: SmallExchange, version: int) -> Changes:
    return trader(exchange).changes(version)


def names(changes: Changes) -> list[str]:
    return [row.accepted.order_id if isinstance(row, OrderRow) else type(row).__name__ for row in changes.rows]


def test_a_view_without_an_account_has_nothing_and_no_news() -> None:
    nobody = SmallExchange().projections.user(AccountId("nobody"))
    assert not nobody.own_news(-1)
    assert not nobody.mark_news(-1)
    assert not nobody.holds_positions
    assert nobody.changes(-1) == Changes(-1, True, None, None, [], [], [])
    assert nobody.changes(0) == Changes(0, False, None, None, [], [], [])
    assert DIALECT.word(nobody.changes(0), "nobody") == []
    assert DIALECT.word(nobody.changes(-1), "nobody") == [
        {"trade": {"nobody": {"accounts": {}, "positions": {}, "orders": {}, "trades": {}}}}
    ]


def test_an_account_that_opens_later_is_told_to_who_was_there_before() -> None:
    exchange = SmallExchange()
    begin = exchange.version
    exchange.run(open_account(TRADER))
    changes = since(exchange, begin)
    assert not changes.full
    assert changes.account is not None
    assert changes.account.born == exchange.version


def test_everything_in_an_entry_has_the_version_of_its_end(exchange: SmallExchange) -> None:
    exchange.run(sell("m", 100, 3, account=MAKER))
    before = exchange.version
    exchange.run(buy("t", 100, 3))
    assert exchange.version == before + 2
    view = trader(exchange)
    rows = [*view.rows.values(), *view.positions.values()]
    assert view.account is not None
    assert {row.changed for row in rows} == {row.born for row in rows} == {exchange.version}
    assert view.account.changed == view.own_version == exchange.version
    assert exchange.projections.market.quotes[TOY.instrument_id].mark.version == exchange.version


def test_a_number_within_an_entry_counts_as_the_end_before_it(exchange: SmallExchange) -> None:
    exchange.run(sell("m", 100, 3, account=MAKER))
    before = exchange.version
    exchange.run(buy("t", 100, 3))
    assert DIALECT.word(since(exchange, before + 1), "t") == DIALECT.word(since(exchange, before), "t")


def test_rows_are_told_in_the_order_of_the_log(exchange: SmallExchange) -> None:
    exchange.run(buy("first", 99), buy("second", 98), buy("third", 97))
    before = exchange.version
    exchange.run(sell("m", 97, 1, account=MAKER), cancel("third"))
    assert names(since(exchange, before)) == ["first", "TradeRow", "third"]
    assert names(since(exchange, -1)) == ["second", "first", "TradeRow", "third"]
    assert names(since(exchange, exchange.version)) == []


def test_a_trade_between_others_is_news_by_its_mark_alone(exchange: SmallExchange) -> None:
    exchange.run(*traded(TRADER, MAKER, 100))
    before = exchange.version
    exchange.run(*traded("X", MAKER, 103))
    view = trader(exchange)
    assert exchange.news.accounts == ("X", MAKER)
    assert not view.own_news(before)
    assert view.mark_news(before)
    assert not view.mark_news(exchange.version)
    changes = view.changes(before)
    assert [row.instrument_id for row, _ in changes.positions] == [TOY.instrument_id]
    assert changes.rows == []
    assert changes.figures is not None
    assert changes.figures.position_profit == 3_000_000


def test_who_holds_nothing_follows_no_mark(exchange: SmallExchange) -> None:
    exchange.run(*traded(TRADER, MAKER, 100), *traded(MAKER, TRADER, 100, buys=CLOSETODAY, sells=CLOSETODAY))
    view = trader(exchange)
    before = exchange.version
    exchange.run(*traded("X", MAKER, 103))
    assert not view.holds_positions
    assert not view.mark_news(before)
    assert view.changes(before).figures is None


def test_news_names_whose_rows_and_which_quotes_changed(exchange: SmallExchange) -> None:
    exchange.run(sell("m", 100, 2, account=MAKER))
    assert exchange.news == ((MAKER,), (TOY.instrument_id,))
    exchange.run(buy("t", 100, 1))
    assert exchange.news == ((TRADER, MAKER), (TOY.instrument_id,))
    exchange.run(buy("t", 100, 1))
    assert exchange.news == ((TRADER,), ()), "an order that is repeated tells its outcome once more"
    exchange.run(buy("off", "100.5", 1))
    assert exchange.news == ((TRADER,), ()), "a refused order shows to its user alone"
    exchange.run(cancel("nothing"))
    assert exchange.news == ((), ())


def test_an_entry_must_follow_the_one_before(exchange: SmallExchange) -> None:
    with pytest.raises(AssertionError, match="does not follow"):
        exchange.projections.apply(exchange.version + 2, ())


def test_a_version_below_the_last_is_refused(exchange: SmallExchange) -> None:
    with pytest.raises(AssertionError, match="versions never fall"):
        trader(exchange).cash(1)


# --- Room for history -------------------------------------------------------------------------------------------------


def placed_and_cancelled(exchange: SmallExchange, *order_ids: str) -> None:
    for order_id in order_ids:
        exchange.run(buy(order_id, 90), cancel(order_id))


def test_the_oldest_finished_order_leaves_first_and_is_told_to_who_has_it(
    exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_view, "HISTORY_MAX", 2)
    exchange.run(buy("works", 80))
    placed_and_cancelled(exchange, "a", "b")
    before = exchange.version
    placed_and_cancelled(exchange, "c")
    assert names(since(exchange, -1)) == ["works", "b", "c"]
    assert since(exchange, before).gone == ["a"]
    assert since(exchange, 0).gone == [], "who never had the row needs no word of it"
    assert since(exchange, exchange.version).gone == []


def test_an_order_leaves_with_all_its_trades(exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_view, "HISTORY_MAX", 3)
    for number in range(3):
        exchange.run(sell(f"m{number}", 100, 1, account=MAKER))
    exchange.run(buy("swept", 100, 2), buy("next", 100, 1))
    assert names(since(exchange, -1)) == ["next", "TradeRow"], "one row less would have been enough"
    traded_rows = [row for row in since(exchange, -1).rows if isinstance(row, TradeRow)]
    assert [row.fill.order_id for row in traded_rows] == ["next"]


def test_trades_of_an_order_that_works_stay_and_so_does_the_newest_outcome(
    exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_view, "HISTORY_MAX", 2)
    placed_and_cancelled(exchange, "earlier", "early")
    exchange.run(buy("large", 100, 5))
    for number in range(4):
        exchange.run(sell(f"m{number}", 100, 1, account=MAKER))
    assert names(since(exchange, -1)) == ["early", *["TradeRow"] * 3, "large", "TradeRow"]
    exchange.run(sell("m4", 100, 1, account=MAKER))
    assert names(since(exchange, -1)) == [*["TradeRow"] * 4, "large", "TradeRow"]
    placed_and_cancelled(exchange, "small")
    assert names(since(exchange, -1)) == ["small"]


def test_who_was_away_too_long_begins_anew(exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_view, "HISTORY_MAX", 1)
    monkeypatch.setattr(user_view, "GONE_MAX", 2)
    versions = []
    for order_id in "abcdef":
        versions.append(exchange.version)
        placed_and_cancelled(exchange, order_id)
    assert [since(exchange, version).full for version in versions] == [True, True, True, True, False, False]
    assert DIALECT.word(since(exchange, versions[0]), "t") == DIALECT.word(since(exchange, -1), "t")
    opened = trader(exchange).born
    assert not since(exchange, opened - 1).full, "who knew the account not yet has nothing that could be gone"


def test_the_room_is_that_of_the_protocol() -> None:
    assert user_view.HISTORY_MAX == 500


@pytest.mark.parametrize("price", [100, 1_000], ids=["filled", "refused"])
def test_a_repeated_order_is_told_once_more_as_it_stands(exchange: SmallExchange, price: int) -> None:
    """Who asks again gets the first outcome as an answer, though nothing of it is new."""
    exchange.run(sell("m", 100, 2, account=MAKER), buy("t", price, 1))
    before = exchange.version
    exchange.run(buy("t", price, 1))
    (told,) = trader(exchange).changes(before).rows
    assert told is trader(exchange).rows[OrderId("t")]

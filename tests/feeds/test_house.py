"""What the house sends for a snapshot: nothing that is not needed, in an order in which no quote meets another."""

from __future__ import annotations

import pytest

from exchange.domain.commands import (
    CancelOrder,
    Command,
    Deposit,
    InsertOrder,
    OpenAccount,
    RegisterInstrument,
    Withdraw,
)
from exchange.domain.events import CommandRefused, OrderRefused, TradeExecuted
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.position import Position
from exchange.domain.values import AccountId, Lots, Money, OrderId
from exchange.domain.words import (
    BUY,
    CLOSETODAY,
    IOC,
    LIMIT,
    OPEN,
    SELL,
    Direction,
    PositionEffect,
    TimeCondition,
    VolumeCondition,
)
from exchange.feeds.floor import HouseCommand
from exchange.feeds.house import (
    HOUSE_ACCOUNTS,
    HOUSE_DEPOSIT,
    QUOTER,
    TRADERS,
    House,
    Standing,
    funding,
    house_in,
    leftovers,
    plan,
)
from exchange.feeds.snapshot import Level, Snapshot
from tests.support.market import CORN, RB, micro, price
from tests.support.trading_floor import TradingFloor

CLOSE = PositionEffect.CLOSE
GFD = TimeCondition.GFD
USER = AccountId("user")
FIRST, SECOND = TRADERS


def levels(*pairs: tuple[int, int]) -> tuple[Level, ...]:
    return tuple((price(yuan), Lots(lots)) for yuan, lots in pairs)


def moment(last: int, bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = ()) -> Snapshot:
    """A snapshot; of its volume only what the test hands to the plan matters."""
    return Snapshot(
        at_ns=0, last=price(last), volume=Lots(0), amount=Money(0), open_interest=Lots(0), bids=bids, asks=asks
    )


QUIET = moment(3600, bids=levels((3599, 10), (3598, 20)), asks=levels((3601, 10), (3602, 20)))


class Market:
    """A market of one contract, a house with its deposits, and a rich user."""

    def __init__(self, terms: InstrumentTerms = RB) -> None:
        self.terms = terms
        self.floor = TradingFloor(terms)
        self.do(*funding(self.floor.view), OpenAccount(account_id=USER, deposit=HOUSE_DEPOSIT))

    @property
    def house(self) -> House:
        return house_in(self.terms.instrument_id, self.floor.view)

    def plan(self, snapshot: Snapshot, lots: int = 0) -> list[HouseCommand]:
        return plan(self.terms, snapshot, Lots(lots), self.house)

    def do(self, *commands: Command) -> None:
        for command in commands:
            for event in self.floor.do(command):
                assert not isinstance(event, OrderRefused | CommandRefused), event

    def show(self, snapshot: Snapshot, lots: int = 0) -> list[HouseCommand]:
        """Carry out the plan for a snapshot; returns it."""
        commands = self.plan(snapshot, lots)
        self.do(*commands)
        return commands

    def user(self, direction: Direction, lots: int, yuan: int, time_condition: TimeCondition = GFD) -> None:
        self.do(self.order(USER, direction, lots, yuan, time_condition=time_condition))

    def order(
        self,
        account_id: AccountId,
        direction: Direction,
        lots: int,
        yuan: int,
        effect: PositionEffect = OPEN,
        time_condition: TimeCondition = GFD,
    ) -> InsertOrder:
        return InsertOrder(
            account_id=account_id,
            order_id=OrderId(""),
            instrument_id=self.terms.instrument_id,
            direction=direction,
            effect=effect,
            lots=Lots(lots),
            price_type=LIMIT,
            limit_price=price(yuan),
            time_condition=time_condition,
            volume_condition=VolumeCondition.ANY,
        )

    def quoted(self) -> list[tuple[Direction, int, int]]:
        """(direction, yuan, lots) of the quoter's working orders, oldest first."""
        orders = self.house.quoter.orders
        return [(order.accepted.direction, order.price // micro(1), order.lots_left) for order in orders]

    def traded(self) -> list[tuple[AccountId, AccountId, int, int]]:
        """(buyer, seller, yuan, lots) of all trades."""
        return [
            (event.buyer.account_id, event.seller.account_id, event.price // micro(1), event.lots)
            for events in self.floor.log
            for event in events
            if isinstance(event, TradeExecuted)
        ]


@pytest.fixture
def market() -> Market:
    return Market()


def own_orders(commands: list[HouseCommand], account_id: AccountId) -> list[tuple[Direction, PositionEffect, int]]:
    """(direction, effect, lots) of an account's new orders."""
    return [
        (command.direction, command.effect, command.lots)
        for command in commands
        if isinstance(command, InsertOrder) and command.account_id == account_id
    ]


# Quotes.


def test_an_empty_market_gets_the_trade_and_then_the_quotes_best_first(market: Market) -> None:
    order = market.order
    assert market.plan(moment(3601, bids=QUIET.bids, asks=QUIET.asks), lots=3) == [
        order(SECOND, SELL, 3, 3601),
        order(FIRST, BUY, 3, 3601, time_condition=IOC),
        order(QUOTER, BUY, 10, 3599),
        order(QUOTER, BUY, 20, 3598),
        order(QUOTER, SELL, 10, 3601),
        order(QUOTER, SELL, 20, 3602),
    ]


def test_what_is_shown_already_needs_nothing(market: Market) -> None:
    market.show(QUIET)
    assert market.plan(QUIET) == []


def test_a_level_that_grew_gets_the_difference_behind_what_is_there(market: Market) -> None:
    market.show(moment(3600, bids=levels((3599, 10))))
    assert market.show(moment(3600, bids=levels((3599, 14)))) == [market.order(QUOTER, BUY, 4, 3599)]
    assert market.quoted() == [(BUY, 3599, 10), (BUY, 3599, 4)]


def test_a_level_that_shrank_loses_its_newest_orders(market: Market) -> None:
    for lots in (10, 14, 20):
        market.show(moment(3600, bids=levels((3599, lots))))
    assert market.quoted() == [(BUY, 3599, 10), (BUY, 3599, 4), (BUY, 3599, 6)]
    market.show(moment(3600, bids=levels((3599, 15))))
    assert market.quoted() == [(BUY, 3599, 10), (BUY, 3599, 4), (BUY, 3599, 1)]


def test_a_level_that_shrank_below_its_oldest_order_is_quoted_anew(market: Market) -> None:
    market.show(moment(3600, bids=levels((3599, 10))))
    (oldest,) = market.house.quoter.orders
    assert market.show(moment(3600, bids=levels((3599, 7)))) == [
        CancelOrder(account_id=QUOTER, order_id=oldest.accepted.order_id),
        market.order(QUOTER, BUY, 7, 3599),
    ]


def test_quotes_that_jump_over_the_old_ones_meet_none_of_them(market: Market) -> None:
    market.show(QUIET)
    market.show(moment(3600, bids=levels((3602, 5)), asks=levels((3603, 5))))
    market.show(moment(3600, bids=levels((3590, 5)), asks=levels((3591, 5))))
    assert market.quoted() == [(BUY, 3590, 5), (SELL, 3591, 5)]
    assert market.traded() == []


def test_a_level_that_a_user_took_from_is_filled_up(market: Market) -> None:
    market.show(QUIET)
    market.user(BUY, 4, 3601)
    assert market.quoted()[2] == (SELL, 3601, 6)
    assert market.show(QUIET) == [market.order(QUOTER, SELL, 4, 3601)]


def test_quotes_meet_the_users_orders_that_reach_them(market: Market) -> None:
    """The book falls short by what a user gave, until the next plan."""
    market.user(SELL, 4, 3598)
    market.show(QUIET)
    assert market.traded() == [(QUOTER, USER, 3599, 4)]
    assert market.quoted()[0] == (BUY, 3599, 6)
    market.show(QUIET)
    assert market.quoted() == [(BUY, 3599, 6), (BUY, 3598, 20), (SELL, 3601, 10), (SELL, 3602, 20), (BUY, 3599, 4)]


# The trade.


def test_the_trade_meets_no_quote_of_before(market: Market) -> None:
    """Also where the level of its price is the same before and after: the quote is cancelled and comes again."""
    market.show(QUIET)
    market.show(moment(3601, QUIET.bids, QUIET.asks), lots=3)
    assert market.traded() == [(FIRST, SECOND, 3601, 3)]
    assert market.quoted() == [(BUY, 3599, 10), (BUY, 3598, 20), (SELL, 3602, 20), (SELL, 3601, 10)]


def test_quotes_out_of_the_way_of_the_trade_keep_their_place(market: Market) -> None:
    market.show(QUIET)
    commands = market.plan(moment(3600, QUIET.bids, QUIET.asks), lots=3)
    assert [command.account_id for command in commands] == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("last", "first_to_come"),
    [(3601, SELL), (3602, SELL), (3600, BUY), (3599, BUY), (3598, BUY)],
)
def test_the_order_that_rests_is_on_the_side_where_the_snapshot_has_its_price(
    market: Market, last: int, first_to_come: Direction
) -> None:
    first, second = market.plan(moment(last, QUIET.bids, QUIET.asks), lots=3)[:2]
    assert isinstance(first, InsertOrder)
    assert isinstance(second, InsertOrder)
    assert (first.direction, first.time_condition, second.time_condition) == (first_to_come, GFD, IOC)


def test_a_trade_where_nobody_quotes_rests_among_the_bids(market: Market) -> None:
    first = market.plan(moment(3600), lots=1)[0]
    assert isinstance(first, InsertOrder)
    assert first.direction is BUY


@pytest.mark.parametrize("terms", [RB, CORN], ids=["separate", "one bucket"])
def test_the_traders_hold_no_more_than_the_largest_trade(terms: InstrumentTerms) -> None:
    """Who has more sells, and closes before he opens, by CLOSETODAY where the contract tells today's lots apart."""
    market = Market(terms)
    last = terms.pre_settlement // micro(1)
    closing = CLOSETODAY if terms.separate_today else CLOSE
    commands = market.show(moment(last), lots=5)
    assert (own_orders(commands, FIRST), own_orders(commands, SECOND)) == ([(BUY, OPEN, 5)], [(SELL, OPEN, 5)])
    commands = market.show(moment(last), lots=3)
    assert (own_orders(commands, FIRST), own_orders(commands, SECOND)) == ([(SELL, closing, 3)], [(BUY, closing, 3)])
    commands = market.show(moment(last), lots=7)
    assert own_orders(commands, FIRST) == [(SELL, closing, 2), (SELL, OPEN, 5)]
    assert own_orders(commands, SECOND) == [(BUY, closing, 2), (BUY, OPEN, 5)]
    nets = [(trader.position.long.lots, trader.position.short.lots) for trader in market.house.traders]
    assert nets == [(0, 5), (5, 0)]


def test_a_large_trade_and_a_large_level_come_in_orders_of_the_limit() -> None:
    market = Market()
    commands = market.show(moment(3600, bids=levels((3599, 1100))), lots=1200)
    for account_id, side, sizes in ((FIRST, BUY, [500, 500, 200]), (SECOND, SELL, [500, 500, 200])):
        assert own_orders(commands, account_id) == [(side, OPEN, size) for size in sizes]
    assert own_orders(commands, QUOTER) == [(BUY, OPEN, size) for size in (500, 500, 100)]
    assert market.floor.shown(RB.instrument_id).volume == 1200


@pytest.mark.parametrize(("direction", "buyer", "seller"), [(SELL, FIRST, USER), (BUY, USER, SECOND)])
@pytest.mark.parametrize("last", [3600, 3601, 3598])
def test_users_at_the_price_of_the_trade_are_met_first(
    direction: Direction, buyer: AccountId, seller: AccountId, last: int
) -> None:
    market = Market()
    market.user(direction, 3, last)
    market.show(moment(last, bids=levels((last - 1, 5)), asks=levels((last + 1, 5))), lots=10)
    assert sorted(market.traded()) == sorted([(buyer, seller, last, 3), (FIRST, SECOND, last, 7)])


def test_a_user_in_the_way_takes_the_whole_trade_if_he_can(market: Market) -> None:
    market.user(SELL, 50, 3600)
    market.show(QUIET, lots=10)
    assert market.traded() == [(FIRST, USER, 3600, 10)]


@pytest.mark.parametrize(
    ("direction", "last", "quoted"),
    [
        pytest.param(SELL, 3601, (SELL, 3601), id="at the ask"),
        pytest.param(BUY, 3599, (BUY, 3599), id="at the bid"),
        pytest.param(BUY, 3600, (BUY, 3599), id="between"),
    ],
)
def test_what_a_user_leaves_of_the_trade_meets_no_quote_and_is_cancelled(
    market: Market, direction: Direction, last: int, quoted: tuple[Direction, int]
) -> None:
    """A user on the side of the order that rests is met before it by the one that comes second."""
    market.show(QUIET)
    market.user(direction, 4, last)
    market.show(moment(last, QUIET.bids, QUIET.asks), lots=10)
    (left,) = leftovers(market.house)
    rests = market.house.traders[0 if direction is BUY else 1].orders
    assert [order.lots_left for order in rests] == [4]
    assert sum(lots for *_, lots in market.traded()) == 10
    market.do(left)
    assert market.house.traders[0].orders == market.house.traders[1].orders == ()
    assert (*quoted, 10) in market.quoted()


def test_what_a_stopped_player_left_of_a_trade_is_cancelled_first(market: Market) -> None:
    market.do(market.order(FIRST, BUY, 5, 3601))
    (left,) = leftovers(market.house)
    commands = market.show(QUIET)
    assert commands[0] == left
    assert market.quoted() == [(BUY, 3599, 10), (BUY, 3598, 20), (SELL, 3601, 10), (SELL, 3602, 20)]


# What orders open and close.


def test_the_quoter_closes_what_users_left_it_with_and_opens_the_rest(market: Market) -> None:
    market.show(moment(3600, bids=levels((3599, 10))))
    market.user(SELL, 6, 3599)
    commands = market.show(moment(3600, bids=levels((3599, 10)), asks=levels((3601, 4), (3602, 5))))
    assert own_orders(commands, QUOTER) == [
        (BUY, OPEN, 6),
        (SELL, CLOSETODAY, 4),
        (SELL, CLOSETODAY, 2),
        (SELL, OPEN, 3),
    ]


def test_lots_under_working_orders_are_closed_again_only_once_these_are_cancelled(market: Market) -> None:
    market.show(moment(3600, bids=levels((3599, 10))))
    market.user(SELL, 6, 3599)
    market.show(moment(3600, asks=levels((3601, 4))))
    commands = market.show(moment(3600, asks=levels((3601, 4), (3602, 5))))
    assert own_orders(commands, QUOTER) == [(SELL, CLOSETODAY, 2), (SELL, OPEN, 3)]
    commands = market.show(moment(3600, asks=levels((3603, 8))))
    assert own_orders(commands, QUOTER) == [(SELL, CLOSETODAY, 6), (SELL, OPEN, 2)]


def test_a_closing_order_that_was_partly_filled_gives_back_what_is_left(market: Market) -> None:
    market.show(moment(3600, bids=levels((3599, 10))))
    market.user(SELL, 6, 3599)
    market.show(moment(3600, asks=levels((3601, 6))))
    market.user(BUY, 2, 3601)
    commands = market.show(moment(3600, asks=levels((3603, 8))))
    assert own_orders(commands, QUOTER) == [(SELL, CLOSETODAY, 4), (SELL, OPEN, 4)]


@pytest.mark.parametrize(
    ("terms", "parts"),
    [
        (RB, [(SELL, CLOSE, 3), (SELL, CLOSETODAY, 2), (SELL, OPEN, 4)]),
        (CORN, [(SELL, CLOSE, 5), (SELL, OPEN, 4)]),
    ],
    ids=["separate", "one bucket"],
)
def test_older_lots_are_closed_before_todays(
    terms: InstrumentTerms, parts: list[tuple[Direction, PositionEffect, int]]
) -> None:
    position = Position(terms.instrument_id)
    position.long.lots_history = 3
    position.long.lots_today = 2
    nobody = Standing(FIRST, (), Position(terms.instrument_id))
    house = House(Standing(QUOTER, (), position), (nobody, nobody))
    last = terms.pre_settlement // micro(1)
    commands = plan(terms, moment(last, asks=levels((last + 1, 9))), Lots(0), house)
    assert own_orders(commands, QUOTER) == parts


def test_contracts_share_nothing_but_money() -> None:
    """The other contract's orders stay, and its lots are not closed here."""
    market = Market(CORN)
    market.show(moment(3005, bids=levels((3004, 5))), lots=3)
    market.user(SELL, 2, 3004)
    market.floor.do(RegisterInstrument(terms=RB))
    commands = plan(RB, QUIET, Lots(2), house_in(RB.instrument_id, market.floor.view))
    assert {(command.instrument_id, command.effect) for command in commands if isinstance(command, InsertOrder)} == {
        (RB.instrument_id, OPEN)
    }
    market.do(*commands)
    assert market.quoted() == [(BUY, 3004, 3)]


# Money.


def test_accounts_are_opened_where_there_are_none() -> None:
    floor = TradingFloor(RB)
    assert funding(floor.view) == [
        OpenAccount(account_id=account_id, deposit=HOUSE_DEPOSIT) for account_id in HOUSE_ACCOUNTS
    ]


def test_an_account_gets_another_deposit_when_half_of_it_is_gone(market: Market) -> None:
    assert funding(market.floor.view) == []
    market.do(Withdraw(account_id=SECOND, amount=Money(HOUSE_DEPOSIT // 2)))
    assert funding(market.floor.view) == []
    market.do(Withdraw(account_id=SECOND, amount=Money(1)))
    assert funding(market.floor.view) == [Deposit(account_id=SECOND, amount=HOUSE_DEPOSIT)]


def test_money_that_margin_ties_up_counts_as_gone(market: Market) -> None:
    market.do(Withdraw(account_id=QUOTER, amount=Money(HOUSE_DEPOSIT // 2)))
    market.show(QUIET)
    assert funding(market.floor.view) == [Deposit(account_id=QUOTER, amount=HOUSE_DEPOSIT)]


def test_the_exchange_remembers_no_finished_order_of_the_house(market: Market) -> None:
    for last in (3600, 3601, 3602, 3600):
        market.show(moment(last, bids=levels((last - 1, 5)), asks=levels((last + 1, 5))), lots=9)
    remembered = {account_id: len(account.orders) for account_id, account in market.floor.state.accounts.items()}
    assert remembered == {QUOTER: 2, FIRST: 0, SECOND: 0, USER: 0}

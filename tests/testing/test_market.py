"""The scripted market: it does what the script says, users in its way are met, and it says what it cannot do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from exchange.domain.commands import SuspendAccount
from exchange.domain.events import OrderAccepted, TradeExecuted
from exchange.feeds.house import HOUSE_ACCOUNTS, QUOTER
from exchange.testing import AsyncRunningExchange, Pause, Quote, ScriptError, Trade, exchange_running
from tests.support.diff_client import INSTRUMENT, DiffClient, Tree


@pytest.fixture
async def exchange() -> AsyncIterator[AsyncRunningExchange]:
    async with exchange_running() as running:
        yield running


@pytest.fixture
async def alice(exchange: AsyncRunningExchange) -> AsyncIterator[DiffClient]:
    """Logged in, and subscribed to the instrument of these tests."""
    async with DiffClient.connect(exchange.url) as client:
        await client.login("alice", exchange.password("alice"))
        await client.subscribe(INSTRUMENT)
        yield client


def quoted(client: DiffClient) -> tuple[object, ...]:
    """(bid, its lots, ask, its lots, last price, volume) as the client sees them."""
    quote: Tree = client.mirror.quotes[INSTRUMENT]
    names = ("bid_price1", "bid_volume1", "ask_price1", "ask_volume1", "last_price", "volume")
    return tuple(quote.get(name) for name in names)


async def shows(client: DiffClient, *expected: object) -> None:
    await client.until(lambda _: quoted(client) == expected)


async def test_a_quiet_market_has_no_orders_of_its_own(exchange: AsyncRunningExchange) -> None:
    assert exchange.events(OrderAccepted) == []


async def test_quotes_are_what_the_script_says_and_nothing_else(
    exchange: AsyncRunningExchange, alice: DiffClient
) -> None:
    await exchange.market.quote(INSTRUMENT, bid=3590, ask=3592, lots=7)
    await shows(alice, 3590, 7, 3592, 7, None, 0)
    await exchange.market.quote(INSTRUMENT, bid=3580)
    await shows(alice, 3580, 10, None, None, None, 0)
    await exchange.market.quote(INSTRUMENT)
    await shows(alice, None, None, None, None, None, 0)


async def test_a_side_may_have_levels(exchange: AsyncRunningExchange, alice: DiffClient) -> None:
    await exchange.market.quote(INSTRUMENT, bid=[(3590, 1), (3589, 2)], ask=[(3591, 3), (3595, 4)])
    await shows(alice, 3590, 1, 3591, 3, None, 0)
    quote = alice.mirror.quotes[INSTRUMENT]
    levels = [quote[name] for name in ("bid_price2", "bid_volume2", "ask_price2", "ask_volume2")]
    assert levels == [3589, 2, 3595, 4]


async def test_a_trade_moves_the_price_and_leaves_the_quotes(exchange: AsyncRunningExchange, alice: DiffClient) -> None:
    await exchange.market.quote(INSTRUMENT, bid=3590, ask=[(3592, 4), (3593, 5)])
    await exchange.market.trade(INSTRUMENT, 3592, 3)
    await shows(alice, 3590, 10, 3592, 4, 3592, 3)
    await exchange.market.trade(INSTRUMENT, 3591)
    await shows(alice, 3590, 10, 3592, 4, 3591, 4)


async def test_a_user_s_order_that_a_quote_meets_is_filled(exchange: AsyncRunningExchange, alice: DiffClient) -> None:
    await alice.insert("o1", "BUY", 3591, 4)
    await alice.until_order("o1", "ALIVE")
    await exchange.market.quote(INSTRUMENT, bid=3585, ask=3590)
    await alice.until_order("o1", "FILLED")
    await shows(alice, 3585, 10, 3590, 6, 3591, 4)


async def test_a_user_takes_from_a_quote_and_a_trade_does_not_fill_it_up_again(
    exchange: AsyncRunningExchange, alice: DiffClient
) -> None:
    await exchange.market.quote(INSTRUMENT, bid=3590, ask=3592)
    await alice.insert("o1", "BUY", 3592, 4)
    await alice.until_order("o1", "FILLED")
    await exchange.market.trade(INSTRUMENT, 3591)
    await shows(alice, 3590, 10, 3592, 6, 3591, 5)
    await exchange.market.quote(INSTRUMENT, bid=3590, ask=3592)
    await shows(alice, 3590, 10, 3592, 10, 3591, 5)


async def test_a_user_in_the_way_of_a_trade_is_filled_first(exchange: AsyncRunningExchange, alice: DiffClient) -> None:
    await exchange.market.quote(INSTRUMENT, bid=3590, ask=3592)
    await alice.insert("o1", "BUY", 3591, 2)
    await alice.until_order("o1", "ALIVE")
    await exchange.market.trade(INSTRUMENT, 3591, 5)
    await alice.until_order("o1", "FILLED")
    await shows(alice, 3590, 10, 3592, 10, 3591, 5)
    accounts = {fill.account_id for trade in exchange.events(TradeExecuted) for fill in (trade.buyer, trade.seller)}
    assert QUOTER not in accounts, "its quotes are not what trades"


async def test_the_profit_of_a_holding_follows_the_market_without_further_ado(
    exchange: AsyncRunningExchange, alice: DiffClient
) -> None:
    """In virtual time an act takes as long as a step for moved prices has to wait."""
    await exchange.market.quote(INSTRUMENT, bid=3590, ask=3592)
    await alice.insert("o1", "BUY", 3592)
    await alice.until_order("o1", "FILLED")
    for price in (3600, 3620, 3601):
        await exchange.market.trade(INSTRUMENT, price)
        profit = exchange.account("alice")["float_profit"]
        await alice.until(lambda mirror, profit=profit: mirror.account["float_profit"] == profit)  # type: ignore[misc]
    assert alice.mirror.account["float_profit"] == (3601 - 3592) * 10


async def test_a_script_is_played_from_its_beginning_to_its_end(
    exchange: AsyncRunningExchange, alice: DiffClient
) -> None:
    begin = exchange.now
    await exchange.market.play(
        [
            Quote(INSTRUMENT, bid=3590, ask=3592),
            Trade(INSTRUMENT, 3592, lots=2),
            Pause(60),
            Quote(INSTRUMENT, bid=3600, ask=3602, lots=1),
            Quote("SHFE.cu2701", bid=47_990),
        ]
    )
    await shows(alice, 3600, 1, 3602, 1, 3592, 2)
    assert (exchange.now - begin).total_seconds() == 62


async def test_in_real_time_a_pause_is_one() -> None:
    async with exchange_running(time="real") as exchange:
        begin = asyncio.get_running_loop().time()
        await exchange.market.play([Quote(INSTRUMENT, bid=3590), Pause(0.05)])
        assert 0.05 <= asyncio.get_running_loop().time() - begin < 10
        with pytest.raises(ValueError, match="-1"):
            await exchange.market.act(Pause(-1))


async def test_the_house_never_runs_out_of_money(exchange: AsyncRunningExchange) -> None:
    for price in (3500, 3510) * 5:
        await exchange.market.trade(INSTRUMENT, price, 10_000)
    assert {event.account_id for event in exchange.events(OrderAccepted)} <= set(HOUSE_ACCOUNTS)


WRONG = [
    (Quote("SHFE.cu9912", bid=1), "'SHFE.cu9912' is not listed on this exchange; listed are: .*SHFE.rb2701"),
    (Quote(INSTRUMENT, bid=3590.5), "3590.5 is no price of SHFE.rb2701: give a multiple of 1 from"),
    (Quote(INSTRUMENT, bid=1), "1 is no price of .* from [0-9]+ to [0-9]+"),
    (Quote(INSTRUMENT, ask=float("nan")), "nan is no price"),
    (Quote(INSTRUMENT, bid=3590, lots=0), "0 is no number of lots"),
    (Quote(INSTRUMENT, bid=[(3590, 1.5)]), "1.5 is no number of lots"),  # type: ignore[list-item]
    (Quote(INSTRUMENT, bid=3590, ask=3590), "bids 3590 and asks 3590: give each side best first"),
    (Quote(INSTRUMENT, ask=[(3592, 1), (3591, 1)]), "bids none and asks 3592, 3591"),
    (Trade(INSTRUMENT, 3590, lots=-1), "-1 is no number of lots"),
    (Trade(INSTRUMENT, 10**8), "100000000 is no price"),
    (Pause(-1), "-1"),
]


@pytest.mark.parametrize(("act", "what"), WRONG)
async def test_what_cannot_be_done_is_said_and_leaves_the_market_as_it_was(
    exchange: AsyncRunningExchange, act: Quote | Trade | Pause, what: str
) -> None:
    await exchange.market.quote(INSTRUMENT, bid=3590)
    before = exchange.log_bytes()
    with pytest.raises(ValueError, match=what):
        await exchange.market.act(act)
    assert exchange.log_bytes() == before


async def test_what_the_exchange_refuses_is_said(exchange: AsyncRunningExchange) -> None:
    await exchange.market.quote(INSTRUMENT, bid=3590)
    await exchange.server.desk.carry_out(SuspendAccount(account_id=QUOTER, reason=""), actor="operator", origin="test")
    with pytest.raises(ScriptError, match="refused what the script demands: SUSPENDED"):
        await exchange.market.quote(INSTRUMENT, bid=3591)

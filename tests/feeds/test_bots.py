"""Bots at work on a trading floor: they make a market and keep it, bear refusals, and leave nothing behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import pytest

from exchange.codec import EVENTS
from exchange.decider import ExchangeState, execute
from exchange.domain.commands import InsertOrder, OpenAccount, SuspendAccount, Withdraw
from exchange.domain.events import OrderRefused, TradeExecuted
from exchange.domain.values import YUAN, AccountId, InstrumentId, Lots, Money, Price
from exchange.domain.words import BUY, IOC, SELL
from exchange.feeds.bots.bot import BACKOFF_MAX_S, PAUSE_MIN_S, WITHDRAW_TRIES, Bot, begin, trade, withdraw
from exchange.feeds.bots.crew import MEMBERS_MAX, CrewSettings, Member, make_bots, members
from exchange.feeds.bots.floor_seat import FloorSeat, open_accounts
from exchange.feeds.bots.maker import Maker
from exchange.feeds.bots.noise import NoiseSettings
from exchange.feeds.bots.reference import LastPrice
from exchange.feeds.bots.sight import Cancel, Decision, Place, Sight, Wish
from exchange.feeds.floor import Clerk
from tests.support.commands import open_account, order
from tests.support.playing import MARKET, loop_passes
from tests.support.trading_floor import TradingFloor, assert_conserved
from tests.support.virtual_time import VirtualTime

IRON, STEEL = InstrumentId("DCE.i2701"), InstrumentId("SHFE.rb2701")
"""Contracts that no tape plays: today's lots joint with older ones, and separate from them."""
DEPOSIT = Money(10**8 * YUAN)
HOUR_S = 3600


def account_of(member: Member) -> AccountId:
    return AccountId(f"house-{member.name}")


class Trading:
    """A crew on a floor of its own, in virtual time."""

    def __init__(self, settings: CrewSettings, *instruments: InstrumentId) -> None:
        self.floor = TradingFloor(*(MARKET[each] for each in instruments))
        self.clerk = Clerk(self.floor)
        self.accounts = [account_of(member) for member in members(settings)]
        self.time = VirtualTime(len(self.accounts) * len(instruments))
        self.bots = make_bots(settings, instruments, self._seat, self.time)

    def _seat(self, member: Member, instrument_id: InstrumentId) -> FloorSeat:
        return FloorSeat(self.floor, self.clerk, account_of(member), instrument_id)

    def orders(self) -> int:
        """How many of the crew's orders work."""
        return sum(
            len(book.bids.levels(100)) + len(book.asks.levels(100))
            for book in (listing.book for listing in self.floor.state.instruments.values())
        )

    def log_bytes(self) -> bytes:
        return b"\n".join(EVENTS.encode(event).body for events in self.floor.log for event in events)


@asynccontextmanager
async def trading(settings: CrewSettings, *instruments: InstrumentId) -> AsyncIterator[Trading]:
    """A crew that has begun; it is stopped in the end."""
    crew = Trading(settings, *instruments)
    assert await open_accounts(crew.floor, crew.clerk, crew.accounts, DEPOSIT)
    await begin(crew.bots)
    task = asyncio.create_task(trade(crew.bots))
    try:
        yield crew
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await withdraw(crew.bots)


# --- A market ---------------------------------------------------------------------------------------------------------


async def test_a_crew_keeps_a_market_for_an_hour() -> None:
    """Of 7200 looks at two markets, in each second of the hour, none found a side empty when this was written."""
    settings = CrewSettings(makers=1, noise=2, momentum=1)
    async with trading(settings, IRON, STEEL) as crew:
        two_sided = 0
        for _ in range(HOUR_S):
            await crew.time.pass_by(1)
            for instrument_id in (IRON, STEEL):
                shown = crew.floor.shown(instrument_id)
                two_sided += bool(shown.bids and shown.asks)
        assert two_sided > 0.999 * 2 * HOUR_S
        for instrument_id in (IRON, STEEL):
            assert crew.floor.shown(instrument_id).volume > 1_000
        _check_positions(crew)
        assert not crew.clerk.refused
    assert crew.orders() == 0
    assert_conserved(crew.floor.state, DEPOSIT * len(crew.accounts))


def _check_positions(crew: Trading) -> None:
    """Every account is within the limits of its kind, and everybody has traded."""
    limits = {"maker": 100, "noise": NoiseSettings().inventory_max, "momentum": 10}
    for account_id in crew.accounts:
        limit = limits[account_id.split("-")[1]]
        positions = crew.floor.state.accounts[account_id].positions
        assert set(positions) == {IRON, STEEL}
        for held in positions.values():
            assert abs(held.position.long.lots - held.position.short.lots) <= limit
            assert held.position.long.lots + held.position.short.lots <= 2 * limit


async def test_the_same_seed_gives_the_same_log_to_the_byte() -> None:
    async def log_of(seed: int) -> bytes:
        async with trading(CrewSettings(seed=seed), STEEL) as crew:
            await crew.time.pass_by(120)
        return crew.log_bytes()

    first = await log_of(1)
    assert first.count(b"\n") > 100
    assert await log_of(1) == first
    assert await log_of(2) != first


async def test_bots_never_have_more_orders_than_their_strategies_allow() -> None:
    """Looked at after every command, not only where a turn ends."""
    async with trading(CrewSettings(makers=2, noise=2, speed=3.0), STEEL) as crew:
        await crew.time.pass_by(300)
    allowed, most = {"maker": 10, "noise": 6, "momentum": 0}, Counter[str]()
    state = ExchangeState()
    for command in crew.floor.commands:
        execute(state, command, 0)
        if isinstance(command, InsertOrder):
            kind = command.account_id.split("-")[1]
            most[kind] = max(most[kind], len(state.accounts[command.account_id].orders))
    assert most == allowed, "the exchange forgets orders under its own ids when they end"


async def test_a_faster_crew_does_more_in_the_same_time() -> None:
    async def commands(speed: float) -> int:
        async with trading(CrewSettings(speed=speed), STEEL) as crew:
            await crew.time.pass_by(60)
            return len(crew.floor.commands)

    assert await commands(5.0) > 3 * await commands(1.0)


async def test_a_user_trades_with_the_bots_at_once() -> None:
    async with trading(CrewSettings(noise=0, momentum=0), IRON) as crew:
        crew.floor.do(open_account("ann"))
        for direction in (BUY, SELL):
            events = crew.floor.do(order("", direction, None, 3, account="ann", instrument=MARKET[IRON]))
            assert any(isinstance(event, TradeExecuted) for event in events)


async def test_several_makers_quote_around_one_price_and_are_no_business_of_each_other() -> None:
    """They share a walk: a few quotes that have not moved yet are met, no more."""
    async with trading(CrewSettings(makers=3, noise=0, momentum=0), STEEL) as crew:
        await crew.time.pass_by(600)
        assert crew.floor.shown(STEEL).volume < 600


async def test_makers_follow_what_others_move() -> None:
    """A price that somebody else trades at is what they quote around next."""
    crew = Trading(CrewSettings(noise=0, momentum=0), STEEL)
    assert await open_accounts(crew.floor, crew.clerk, crew.accounts, DEPOSIT)
    seat = FloorSeat(crew.floor, crew.clerk, crew.accounts[0], STEEL)
    bot = Bot("maker", Maker(LastPrice()), seat, seed=1, clock=crew.time)
    await bot.turn()
    for command in (open_account("ann"), open_account("bob")):
        crew.floor.do(command)
    crew.floor.do(order("", SELL, 3620, 50, account="ann", instrument=MARKET[STEEL]))
    crew.floor.do(order("", BUY, 3620, 75, account="bob", instrument=MARKET[STEEL], time=IOC))
    assert crew.floor.shown(STEEL).last == 3620 * YUAN
    await bot.turn()
    shown = crew.floor.shown(STEEL)
    assert 3615 * YUAN < shown.bids[0][0] < shown.asks[0][0] < 3625 * YUAN


# --- Trouble ----------------------------------------------------------------------------------------------------------


class Scripted:
    """A seat whose actions end as a test says."""

    def __init__(self, *outcomes: bool, sight: Sight | None) -> None:
        self.outcomes = list(outcomes)
        self.sight = sight
        self.acted: list[Sequence[Wish]] = []
        self.holding_up: asyncio.Future[None] | None = None

    def look(self, at_s: float) -> Sight | None:
        return self.sight

    async def act(self, sight: Sight, wishes: Sequence[Wish]) -> bool:
        if self.holding_up is not None:
            await self.holding_up
        self.acted.append(wishes)
        return self.outcomes.pop(0) if self.outcomes else True


class Always:
    """A strategy with one wish."""

    orders_max = 1

    def __init__(self, *wishes: Wish) -> None:
        self.wishes = wishes

    def decide(self, sight: Sight, dice: Random) -> Decision:
        return Decision(self.wishes, 4.0)


WISH = Place(direction=BUY, price=Price(3_500 * YUAN), lots=Lots(1), rests=True)


def a_sight() -> Sight:
    """One order of the bot's own rests."""
    floor = TradingFloor(MARKET[STEEL])
    floor.do(open_account("house-noise-1"))
    floor.do(order("", SELL, 3600, 1, account="house-noise-1", instrument=MARKET[STEEL]))
    seen = FloorSeat(floor, Clerk(floor), AccountId("house-noise-1"), STEEL).look(0.0)
    assert seen is not None
    return seen


def bot_of(seat: Scripted, *wishes: Wish, speed: float = 1.0) -> Bot:
    return Bot("b", Always(*(wishes or (WISH,))), seat, seed=1, clock=VirtualTime(1), speed=speed)


async def test_a_bot_that_is_refused_backs_off_and_comes_back() -> None:
    seat = Scripted(*[False] * 9, True, False, sight=a_sight())
    bot = bot_of(seat)
    pauses = [await bot.turn() for _ in range(11)]
    assert pauses == [1, 2, 4, 8, 16, 32, *[BACKOFF_MAX_S] * 3, 4.0, 1]


async def test_a_bot_that_sees_nothing_does_not_spin() -> None:
    bot = bot_of(Scripted(sight=None))
    assert [await bot.turn() for _ in range(8)] == [1, 2, 4, 8, 16, 32, BACKOFF_MAX_S, BACKOFF_MAX_S]


async def test_a_bot_never_looks_more_often_than_it_may() -> None:
    seat = Scripted(sight=a_sight())
    clock = VirtualTime(1)
    bot = Bot("b", Always(WISH), seat, seed=1, clock=clock, speed=1e9)
    task = asyncio.create_task(bot.run())
    await clock.pass_by(10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(seat.acted) == pytest.approx(10 / PAUSE_MIN_S, abs=2)


async def test_a_bot_that_is_stopped_in_the_middle_ends_what_it_began() -> None:
    """What it sent and has not seen yet it could not cancel."""
    seat = Scripted(sight=a_sight())
    clock = VirtualTime(1)
    bots = [Bot("b", Always(WISH), seat, seed=1, clock=clock)]
    task = asyncio.create_task(trade(bots))
    seat.holding_up = asyncio.get_running_loop().create_future()
    passing = asyncio.create_task(clock.pass_by(1.5))
    await loop_passes(10)
    task.cancel()
    await loop_passes(10)
    assert not task.done()
    assert seat.acted == []
    seat.holding_up.set_result(None)
    await asyncio.gather(task, return_exceptions=True)
    passing.cancel()
    assert seat.acted == [(WISH,)]


@pytest.mark.parametrize(("outcomes", "told"), [([True], False), ([False, True], False), ([False] * 9, True)])
async def test_a_bot_cancels_what_it_has_and_tells_where_it_cannot(
    outcomes: list[bool], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    seat = Scripted(*outcomes, sight=a_sight())
    await withdraw([bot_of(seat)])
    assert seat.acted == [[Cancel(order.order_id) for order in a_sight().orders]] * min(len(outcomes), WITHDRAW_TRIES)
    assert ("1 bots may have left orders in the market" in caplog.text) is told


async def test_a_bot_that_sees_nothing_any_more_does_not_say_that_its_orders_are_gone() -> None:
    seat = Scripted(sight=None)
    assert not await bot_of(seat).withdraw()
    assert seat.acted == []


async def test_what_fails_while_a_bot_is_stopped_does_not_go_unseen() -> None:
    seat = Scripted(sight=a_sight())
    turn = asyncio.create_task(bot_of(seat).turn())
    seat.holding_up = asyncio.get_running_loop().create_future()
    await loop_passes(5)
    turn.cancel()
    await loop_passes(5)
    seat.holding_up.set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await turn


async def test_a_busy_exchange_is_left_alone_and_gets_its_market_later() -> None:
    crew = Trading(CrewSettings(noise=0, momentum=0), STEEL)
    assert await open_accounts(crew.floor, crew.clerk, crew.accounts, DEPOSIT)
    crew.floor.room = 3
    (bot,) = crew.bots
    assert await bot.turn() == 1
    assert crew.orders() == 3
    crew.floor.room = None
    await bot.turn()
    assert crew.orders() == 10


async def test_accounts_are_opened_once_and_not_on_a_busy_exchange() -> None:
    crew = Trading(CrewSettings(), STEEL)
    crew.floor.room = 1
    assert not await open_accounts(crew.floor, crew.clerk, crew.accounts, DEPOSIT)
    crew.floor.room = None
    for _ in range(2):
        assert await open_accounts(crew.floor, crew.clerk, crew.accounts, DEPOSIT)
    opened = [command.account_id for command in crew.floor.commands if isinstance(command, OpenAccount)]
    assert opened == crew.accounts


@pytest.mark.parametrize("trouble", ["without money", "suspended"])
async def test_a_bot_whose_orders_are_refused_sends_few_of_them(trouble: str) -> None:
    settings = CrewSettings(noise=0, momentum=0)
    crew = Trading(settings, STEEL)
    assert await open_accounts(crew.floor, crew.clerk, crew.accounts, DEPOSIT)
    (account_id,) = crew.accounts
    crew.floor.do(
        Withdraw(account_id=account_id, amount=DEPOSIT)
        if trouble == "without money"
        else SuspendAccount(account_id=account_id)
    )
    task = asyncio.create_task(trade(crew.bots))
    await crew.time.pass_by(600)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    refused = sum(isinstance(event, OrderRefused) for events in crew.floor.log for event in events)
    assert 0 < refused <= 16 * 10, "ten orders, at first every few seconds, then once a minute"


# --- A crew -----------------------------------------------------------------------------------------------------------


def test_every_member_has_a_name_of_its_own() -> None:
    names = [member.name for member in members(CrewSettings(makers=2, noise=1, momentum=1))]
    assert names == ["maker-1", "maker-2", "noise-1", "momentum-1"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"makers": -1}, "-1 bots for `makers`"),
        ({"noise": MEMBERS_MAX + 1}, "0 to 50 of a kind"),
        ({"makers": 0, "noise": 0, "momentum": 0}, "does nothing"),
        ({"speed": 0.0}, "a speed of 0.0"),
        ({"speed": float("nan")}, "a speed of nan"),
        ({"speed": 101.0}, "at most 100"),
    ],
)
def test_a_crew_that_makes_no_sense_is_not_made(settings: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CrewSettings(**settings)  # type: ignore[arg-type]

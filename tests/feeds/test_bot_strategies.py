"""What strategies decide, without an exchange: in bounds whatever they see, and the same for the same sights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.values import InstrumentId, Lots, OrderId, Price
from exchange.domain.words import BUY, CLOSETODAY, OPEN, SELL, Direction, PositionEffect
from exchange.feeds.bots.maker import Maker, MakerSettings, quotes, requote
from exchange.feeds.bots.momentum import Momentum, MomentumSettings, towards
from exchange.feeds.bots.noise import Noise, NoiseSettings, whim
from exchange.feeds.bots.reference import CATCH_UP_MAX, STEP_S, LastPrice, RandomWalk
from exchange.feeds.bots.sight import Cancel, Contract, Held, OwnOrder, Place, Sight, Strategy, Wish, effects_of

TICK = 5
CONTRACT = Contract(
    instrument_id=InstrumentId("TEST.t1"),
    tick=Price(TICK),
    lower_limit=Price(900),
    upper_limit=Price(1100),
    pre_settlement=Price(1000),
)
CLOSE = PositionEffect.CLOSE


def own(order_id: str, direction: Direction, price: int, lots: int, effect: PositionEffect = OPEN) -> OwnOrder:
    return OwnOrder(order_id=OrderId(order_id), direction=direction, effect=effect, price=Price(price), lots_left=lots)


def place(direction: Direction, price: int, lots: int, *, rests: bool = True) -> Place:
    return Place(direction=direction, price=Price(price), lots=Lots(lots), rests=rests)


def sight(**fields: Any) -> Sight:
    return Sight(**{"at_s": 0.0, "contract": CONTRACT, **fields})


def holding(net: int) -> dict[str, Held]:
    return {"long": Held(lots=max(net, 0)), "short": Held(lots=max(-net, 0))}


prices = st.integers(CONTRACT.lower_limit // TICK, CONTRACT.upper_limit // TICK).map(lambda ticks: Price(ticks * TICK))
orders = st.lists(
    st.builds(
        lambda number, direction, price, lots: own(f"o{number}", direction, price, lots),
        st.integers(0, 10_000),
        st.sampled_from((BUY, SELL)),
        prices,
        st.integers(1, 9),
    ),
    max_size=14,
    unique_by=lambda order: order.order_id,
).map(tuple)


@st.composite
def sights(draw: st.DrawFn, net_max: int = 40) -> Sight:
    """Any market with the best bid below the best ask, and any orders and position of one's own."""
    bid, ask = draw(st.none() | prices), draw(st.none() | prices)
    if bid is not None and ask is not None and bid >= ask:
        bid = None
    return sight(
        at_s=draw(st.floats(0, 1e6)),
        last=draw(st.none() | prices),
        bid=bid,
        ask=ask,
        orders=draw(orders),
        **holding(draw(st.integers(-net_max, net_max))),
    )


def after(seen: Sight, wishes: tuple[Wish, ...]) -> list[OwnOrder]:
    """The orders that rest where all wishes are carried out and nothing fills."""
    resting = {order.order_id: order for order in seen.orders}
    for number, wish in enumerate(wishes):
        if isinstance(wish, Cancel):
            del resting[wish.order_id]
        elif wish.rests:
            resting[OrderId(f"new{number}")] = own(f"new{number}", wish.direction, wish.price, wish.lots)
    return list(resting.values())


def check_places(contract: Contract, wishes: tuple[Wish, ...]) -> None:
    for wish in wishes:
        if isinstance(wish, Place):
            assert wish.lots > 0
            assert contract.lower_limit <= wish.price <= contract.upper_limit


def check_inventory(seen: Sight, wishes: tuple[Wish, ...], inventory_max: int) -> None:
    """Within its limit whatever fills of that which the strategy places, alone or with all that rests."""
    resting = after(seen, wishes)
    for direction, net in ((BUY, seen.net), (SELL, -seen.net)):
        placed = sum(wish.lots for wish in wishes if isinstance(wish, Place) and wish.direction is direction)
        fills = sum(order.lots_left for order in resting if order.direction is direction)
        fills += sum(
            wish.lots for wish in wishes if isinstance(wish, Place) and wish.direction is direction and not wish.rests
        )
        assert not placed or net + fills <= inventory_max


# --- The market maker -------------------------------------------------------------------------------------------------

makers = st.builds(
    MakerSettings,
    levels=st.integers(1, 6),
    lots=st.integers(1, 9),
    spread_ticks=st.integers(1, 5),
    inventory_max=st.integers(1, 60),
    skew_ticks=st.integers(0, 6),
)


def test_quotes_lie_around_the_fair_price() -> None:
    settings = MakerSettings(levels=2, lots=3, spread_ticks=2)
    assert quotes(CONTRACT, Price(1000), 0, settings) == {
        (BUY, 995): 3,
        (BUY, 990): 3,
        (SELL, 1005): 3,
        (SELL, 1010): 3,
    }


def test_quotes_lean_against_the_position_and_end_at_its_limit() -> None:
    settings = MakerSettings(levels=2, lots=3, spread_ticks=2, inventory_max=10, skew_ticks=4)
    assert quotes(CONTRACT, Price(1000), 8, settings) == {(BUY, 980): 2, (SELL, 990): 3, (SELL, 995): 3}
    assert quotes(CONTRACT, Price(1000), 10, settings) == {(SELL, 985): 3, (SELL, 990): 3}
    assert quotes(CONTRACT, Price(1000), 2, settings) == quotes(CONTRACT, Price(1000), -2, settings)
    assert quotes(CONTRACT, Price(1000), -10, settings) == {(BUY, 1015): 3, (BUY, 1010): 3}


@pytest.mark.parametrize(("fair", "best"), [(900, (900, 910)), (1100, (1090, 1100))])
def test_at_the_limits_of_the_band_both_sides_are_quoted(fair: int, best: tuple[int, int]) -> None:
    quoted = quotes(CONTRACT, Price(fair), 0, MakerSettings(spread_ticks=2))
    bids, asks = ([price for side, price in quoted if side is direction] for direction in (BUY, SELL))
    assert (max(bids), min(asks)) == best


@given(st.integers(0, 40), st.integers(1, 60), st.integers(0, 40), st.integers(1, 7), st.integers(-60, 60), makers)
def test_quotes_never_cross_nor_leave_the_band_nor_exceed_the_inventory(
    width: int, lowest: int, at: int, tick: int, net: int, settings: MakerSettings
) -> None:
    contract = msgspec.structs.replace(
        CONTRACT, tick=Price(tick), lower_limit=Price(lowest * tick), upper_limit=Price((lowest + width) * tick)
    )
    quoted = quotes(contract, Price((lowest + min(at, width)) * tick), net, settings)
    bids, asks = ({p: lots for (side, p), lots in quoted.items() if side is direction} for direction in (BUY, SELL))
    for price in (*bids, *asks):
        assert contract.lower_limit <= price <= contract.upper_limit
        assert price % tick == 0
    assert not (bids and asks) or max(bids) + settings.spread_ticks * tick == min(asks)
    assert max(len(bids), len(asks)) <= settings.levels
    assert sum(bids.values()) <= max(settings.inventory_max - net, 0)
    assert sum(asks.values()) <= max(settings.inventory_max + net, 0)
    fits = width >= settings.spread_ticks
    assert bool(bids) is (fits and net < settings.inventory_max)
    assert bool(asks) is (fits and net > -settings.inventory_max)


def test_only_what_moved_is_replaced() -> None:
    standing = (
        own("stays", BUY, 995, 3),
        own("stays with most of its lots", BUY, 990, 2),
        own("has too few lots left", SELL, 1005, 1),
        own("is not wanted", SELL, 1015, 3),
        own("is there twice", BUY, 995, 3),
    )
    wanted = {(BUY, Price(995)): 3, (BUY, Price(990)): 3, (SELL, Price(1005)): 3, (SELL, Price(1010)): 3}
    assert requote(standing, wanted) == (
        Cancel(OrderId("has too few lots left")),
        Cancel(OrderId("is not wanted")),
        Cancel(OrderId("is there twice")),
        place(SELL, 1005, 3),
        place(SELL, 1010, 3),
    )


@given(orders, prices, st.integers(-60, 60), makers)
def test_after_a_requote_the_orders_are_the_quotes(
    standing: tuple[OwnOrder, ...], fair: Price, net: int, settings: MakerSettings
) -> None:
    wanted = quotes(CONTRACT, fair, net, settings)
    seen = sight(orders=standing, **holding(net))
    wishes = requote(standing, wanted)
    resting = after(seen, wishes)
    assert {(order.direction, order.price) for order in resting} == set(wanted)
    assert len(resting) == len(wanted) <= Maker(LastPrice(), settings).orders_max
    assert all(order.lots_left <= wanted[order.direction, order.price] for order in resting)
    check_inventory(seen, wishes, settings.inventory_max)
    kinds = [type(wish) for wish in wishes]
    assert kinds == sorted(kinds, key=lambda kind: kind is Place), "an order could meet one that is to be cancelled"


# --- References -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "price"), [(None, 1000), (1007, 1005), (1008, 1010), (870, 900), (1130, 1100)])
def test_the_last_price_on_a_tick_inside_the_band(last: int | None, price: int) -> None:
    assert LastPrice().price(sight(last=last)) == price


def test_a_walk_begins_at_the_last_price_and_keeps_its_pace() -> None:
    walk = RandomWalk("seed")
    seen = [walk.price(sight(at_s=at_s, last=950)) for at_s in (0.0, STEP_S / 2, STEP_S, STEP_S, 2 * STEP_S)]
    assert seen[0] == seen[1] == 950
    assert seen[2] == seen[3]
    assert all(abs(after - before) in (0, TICK) for before, after in pairwise(seen))


def test_a_walk_stays_on_ticks_inside_the_band_and_moves() -> None:
    walk = RandomWalk("another seed")
    path = [walk.price(sight(at_s=step * STEP_S)) for step in range(20_000)]
    assert all(price % TICK == 0 for price in path)
    assert min(path) == 920
    assert max(path) == 1080


def test_a_walk_that_nobody_looked_at_for_long_does_not_hurry_for_ever() -> None:
    walk = RandomWalk("seed")
    first = walk.price(sight())
    far = walk.price(sight(at_s=1e9))
    assert abs(far - first) <= CATCH_UP_MAX * TICK
    assert walk.price(sight(at_s=1e9)) == far


# --- The noise trader -------------------------------------------------------------------------------------------------


@given(sights(), st.integers(), st.builds(NoiseSettings, taking=st.floats(0, 1), inventory_max=st.integers(1, 45)))
def test_noise_keeps_its_bounds(seen: Sight, seed: int, settings: NoiseSettings) -> None:
    wishes = whim(seen, Random(seed), settings)
    check_places(CONTRACT, wishes)
    assert all(wish.price % TICK == 0 for wish in wishes if isinstance(wish, Place))
    if any(isinstance(wish, Place) and wish.rests for wish in wishes):
        assert len(after(seen, wishes)) <= settings.orders_max
    check_inventory(seen, wishes, settings.inventory_max)


@given(sights(), st.integers())
def test_noise_that_rests_meets_nothing(seen: Sight, seed: int) -> None:
    for wish in whim(seen, Random(seed), NoiseSettings(taking=0.0)):
        facing = seen.facing(wish.direction) if isinstance(wish, Place) else None
        if isinstance(wish, Place) and facing is not None and CONTRACT.lower_limit < facing < CONTRACT.upper_limit:
            assert wish.price < facing if wish.direction is BUY else wish.price > facing


def test_noise_does_not_take_its_own_order() -> None:
    mine = sight(bid=995, ask=1005, orders=(own("b", BUY, 995, 1), own("a", SELL, 1005, 1)))
    for seed in range(50):
        (wish,) = whim(mine, Random(seed), NoiseSettings(taking=1.0))
        assert isinstance(wish, Place)
        assert wish.rests


def test_noise_that_may_not_trade_either_way_gives_up_its_oldest_order() -> None:
    full = sight(orders=(own("first", BUY, 995, 2), own("second", SELL, 1005, 2)))
    assert whim(full, Random(0), NoiseSettings(inventory_max=2)) == (Cancel(OrderId("first")),)


def test_noise_comes_at_random_times_of_the_mean_that_is_set() -> None:
    noise, dice, at_s, sent = Noise(NoiseSettings(mean_s=2.0)), Random(7), 0.0, 0
    while at_s < 4_000:
        decision = noise.decide(sight(at_s=at_s, bid=995, ask=1005), dice)
        sent += bool(decision.wishes)
        assert decision.pause_s > 0
        at_s += decision.pause_s
    assert 1_850 < sent < 2_150


# --- The momentum trader ----------------------------------------------------------------------------------------------


def trade_along(momentum: Momentum, mids: list[int], *, pause_s: float = 1.0) -> Iterator[tuple[int, int]]:
    """(mid, net position) after each look, where every order fills whole at once."""
    net = 0
    for number, mid in enumerate(mids):
        seen = sight(at_s=number * pause_s, bid=mid - TICK, ask=mid + TICK, **holding(net))
        for wish in momentum.decide(seen, Random(number)).wishes:
            assert isinstance(wish, Place)
            assert not wish.rests
            assert wish.price == seen.facing(wish.direction)
            net += wish.lots if wish.direction is BUY else -wish.lots
        yield mid, net


SETTINGS = MomentumSettings(window=4, threshold_ticks=2, lots=2, inventory_max=5, stop_ticks=3, rest_s=10)


def test_momentum_follows_the_price_up_to_its_limit() -> None:
    rising = [1000, 1000, 1000, 1000, 1020, 1030, 1040, 1050, 1060]
    assert [net for _, net in trade_along(Momentum(SETTINGS), rising)] == [0, 0, 0, 0, 2, 4, 5, 5, 5]


def test_momentum_follows_the_price_down() -> None:
    falling = [1000, 1000, 1000, 1000, 980, 970, 960, 950]
    assert [net for _, net in trade_along(Momentum(SETTINGS), falling)] == [0, 0, 0, 0, -2, -4, -5, -5]


def test_momentum_leaves_a_quiet_market_alone() -> None:
    assert {net for _, net in trade_along(Momentum(SETTINGS), [1000, 1005] * 20)} == {0}


def test_momentum_stops_where_it_was_wrong_and_rests() -> None:
    """Long from 1020 on, it gives up at 1000, and trades again ten seconds after its last lots have gone."""
    turned = [1000, 1000, 1000, 1000, 1020, 1025, 1000, 1000, 1000, 1000, 1040, 1050, 1060, 1070]
    nets = [net for _, net in trade_along(Momentum(SETTINGS), turned)]
    assert nets[4:10] == [2, 4, 2, 0, 0, 0]
    assert set(nets[10:]) == {0}, "it still rests"
    longer = [*turned, 1080, 1090, 1100, 1110]
    assert [net for _, net in trade_along(Momentum(SETTINGS), longer)][-1] > 0


@given(st.lists(prices, max_size=60), st.builds(MomentumSettings, window=st.integers(1, 9), lots=st.integers(1, 9)))
def test_momentum_keeps_its_limit(mids: list[Price], settings: MomentumSettings) -> None:
    assert all(abs(net) <= settings.inventory_max for _, net in trade_along(Momentum(settings), list(mids)))


@given(sights(), st.integers(-40, 40))
def test_momentum_goes_no_further_than_its_target(seen: Sight, target: int) -> None:
    for wish in towards(seen, target, 5):
        assert isinstance(wish, Place)
        reached = seen.net + (wish.lots if wish.direction is BUY else -wish.lots)
        assert min(seen.net, target) <= reached <= max(seen.net, target)


def test_momentum_waits_where_a_side_is_empty_and_cancels_what_another_bot_left() -> None:
    seen = sight(bid=995, orders=(own("left", BUY, 995, 1),))
    assert Momentum().decide(seen, Random(0)).wishes == (Cancel(OrderId("left")),)


# --- All of them ------------------------------------------------------------------------------------------------------

STRATEGIES = (
    lambda: Maker(RandomWalk("seed")),
    lambda: Maker(LastPrice()),
    Noise,
    lambda: Momentum(MomentumSettings(window=3)),
)


@pytest.mark.parametrize("make", STRATEGIES)
@given(seen=st.lists(sights(), max_size=8), seed=st.integers(0, 1_000))
def test_the_same_sights_and_dice_give_the_same_decisions(make: Any, seen: list[Sight], seed: int) -> None:
    in_time = sorted(seen, key=lambda each: each.at_s)

    def decisions() -> list[Any]:
        strategy: Strategy = make()
        dice = Random(seed)
        return [strategy.decide(each, dice) for each in in_time]

    first = decisions()
    assert decisions() == first
    assert all(decision.pause_s >= 0 for decision in first)


# --- Effects ----------------------------------------------------------------------------------------------------------


def test_an_order_closes_where_it_can_and_opens_elsewhere() -> None:
    seen = sight(long=Held(lots=9, free_today=4, free_history=3), short=Held(lots=1, free_today=0, free_history=1))
    wishes = (place(SELL, 1005, 3), place(SELL, 1010, 3), place(SELL, 1015, 3), place(BUY, 995, 1), place(BUY, 990, 1))
    assert [effect for _, effect in effects_of(seen, wishes)] == [CLOSETODAY, CLOSE, OPEN, CLOSE, OPEN]


def test_what_a_cancel_gives_back_is_free_for_the_order_behind_it() -> None:
    seen = sight(orders=(own("c", SELL, 1005, 3, CLOSETODAY), own("o", SELL, 1010, 3)), long=Held(lots=3))
    cancels = (Cancel(OrderId("o")), Cancel(OrderId("c")))
    after_both = [*effects_of(seen, (*cancels, place(SELL, 1000, 3)))]
    assert after_both[-1][1] is CLOSETODAY
    after_one = [*effects_of(seen, (cancels[0], place(SELL, 1000, 3)))]
    assert after_one[-1][1] is OPEN

"""A bar becomes quotes that tell the bar again."""

from __future__ import annotations

import csv
import lzma
from collections.abc import Sequence
from decimal import Decimal
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.values import YUAN, Lots, Multiplier, Price, price_from_decimal
from exchange.feeds.bars import MINUTE_NS, Bar, lots_on_path, path, snapshots_of_bars
from exchange.feeds.snapshot import Snapshot, check_snapshots
from exchange.feeds.tape import bars_of_tape, tape_entries
from tests.support.recordings import FindRecording

START_NS = 1_552_568_400_000_000_000
TICK = Price(10 * YUAN)
BAR_TAPES = [entry for entry in tape_entries() if entry.kind == "bars"]


def yuan(amount: int) -> Price:
    return Price(amount * YUAN)


def bar(open_: int, high: int, low: int, close: int, volume: int, start_ns: int = START_NS) -> Bar:
    return Bar(
        start_ns=start_ns,
        open=yuan(open_),
        high=yuan(high),
        low=yuan(low),
        close=yuan(close),
        volume=Lots(volume),
        open_oi=Lots(100),
        close_oi=Lots(104),
    )


def play(one: Bar, tick: Price = TICK) -> list[Snapshot]:
    return list(snapshots_of_bars([one], price_tick=tick, multiplier=Multiplier(5)))


def prices(snapshots: Sequence[Snapshot]) -> list[int]:
    return [snapshot.last // YUAN for snapshot in snapshots]


def assert_tell_the_bar(snapshots: Sequence[Snapshot], one: Bar, tick: Price, volume_before: int = 0) -> None:
    lasts = [snapshot.last for snapshot in snapshots]
    assert (lasts[0], max(lasts), min(lasts), lasts[-1]) == (one.open, one.high, one.low, one.close)
    assert snapshots[-1].volume - volume_before == one.volume
    assert snapshots[-1].at_ns == one.start_ns + MINUTE_NS
    assert all(one.start_ns < snapshot.at_ns for snapshot in snapshots)
    assert snapshots[-1].open_interest == one.close_oi
    for snapshot in snapshots:
        (best_bid, _), (best_ask, _) = snapshot.bids[0], snapshot.asks[0]
        assert best_ask - best_bid == tick
        assert snapshot.last in (best_bid, best_ask)
        if one.low != one.high:
            assert one.low <= best_bid < best_ask <= one.high


def traded(snapshots: Sequence[Snapshot]) -> dict[Price, int]:
    """Lots by price."""
    lots: dict[Price, int] = {}
    volume = 0
    for snapshot in snapshots:
        lots[snapshot.last] = lots.get(snapshot.last, 0) + snapshot.volume - volume
        volume = snapshot.volume
    return lots


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low = draw(st.integers(min_value=10, max_value=5_000))
    high = draw(st.integers(min_value=low, max_value=low + 50))
    open_, close = draw(st.integers(low, high)), draw(st.integers(low, high))
    return bar(open_ * 10, high * 10, low * 10, close * 10, draw(st.integers(min_value=3, max_value=5_000)))


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (bar(1000, 1050, 980, 1030, 10), [1000, 980, 1050, 1030]),
        (bar(1030, 1050, 980, 1000, 10), [1030, 1050, 980, 1000]),
        (bar(1000, 1050, 1000, 1050, 10), [1000, 1050]),
        (bar(1050, 1050, 1000, 1000, 10), [1050, 1000]),
        (bar(1000, 1050, 980, 1000, 10), [1000, 980, 1050, 1000]),
        (bar(1000, 1000, 1000, 1000, 10), [1000]),
    ],
    ids=["rose", "fell", "only rose", "only fell", "came back", "stood"],
)
def test_the_path_visits_low_and_high_in_the_direction_of_the_bar(one: Bar, expected: list[int]) -> None:
    assert [price // YUAN for price in path(one)] == expected
    assert prices(play(one)) == expected


@pytest.mark.parametrize(
    ("volume", "points", "expected"),
    [
        (10, 4, (2, 2, 2, 4)),
        (8, 4, (2, 2, 2, 2)),
        (7, 4, (1, 1, 1, 4)),
        (3, 4, (0, 1, 1, 1)),
        (1, 2, (0, 1)),
        (0, 1, (0,)),
        (5, 1, (5,)),
    ],
)
def test_the_volume_is_shared_and_the_close_takes_the_remainder(
    volume: int, points: int, expected: tuple[int, ...]
) -> None:
    assert lots_on_path(Lots(volume), points) == expected


def test_a_bar_becomes_these_quotes() -> None:
    """1000, 980, 1050, 1030: the lower half of the bar is bid, the upper half was bought at the ask."""
    quotes = play(bar(1000, 1050, 980, 1030, 60))
    assert [(quote.at_ns - START_NS) // 1_000_000_000 for quote in quotes] == [15, 30, 45, 60]
    assert [quote.volume for quote in quotes] == [15, 30, 45, 60]
    assert [(quote.bids[0][0] // YUAN, quote.asks[0][0] // YUAN) for quote in quotes] == [
        (1000, 1010),
        (980, 990),
        (1040, 1050),
        (1020, 1030),
    ]
    assert quotes[0].bids == tuple(
        (yuan(price), lots) for price, lots in zip(range(1000, 950, -10), (2, 4, 6, 8, 10), strict=True)
    )
    assert quotes[0].asks == tuple(
        (yuan(price), lots) for price, lots in zip(range(1010, 1060, 10), (2, 4, 6, 8, 10), strict=True)
    )
    assert [quote.open_interest for quote in quotes] == [100, 100, 100, 104]
    assert quotes[-1].amount == (1000 + 980 + 1050 + 1030) * 15 * 5 * YUAN


def test_volume_and_turnover_run_on_from_bar_to_bar() -> None:
    first, second = bar(1000, 1000, 1000, 1000, 4), bar(1000, 1010, 1000, 1010, 6, START_NS + MINUTE_NS)
    quotes = list(snapshots_of_bars([first, second], price_tick=TICK, multiplier=Multiplier(5)))
    assert [quote.volume for quote in quotes] == [4, 7, 10]
    assert [quote.amount // YUAN for quote in quotes] == [20_000, 35_000, 50_150]


def test_a_quiet_minute_still_shows_a_book() -> None:
    (quote,) = play(bar(1000, 1000, 1000, 1000, 0))
    assert (quote.volume, quote.amount) == (0, 0)
    assert [lots for _, lots in quote.bids + quote.asks] == [1] * 10


def test_levels_at_or_below_zero_are_left_out() -> None:
    (quote,) = play(bar(30, 30, 30, 30, 60))
    assert [price // YUAN for price, _ in quote.bids] == [20, 10]


@pytest.mark.parametrize(
    ("four", "volume", "says"),
    [
        ((1000, 990, 980, 985), 9, "open, high, low, close 1000, 990, 980, 985"),
        ((1000, 1010, 980, 970), 9, "open and close must lie between low and high"),
        ((1000, 990, 1010, 1000), 9, "open and close must lie between low and high"),
        ((1000, 1050, 980, 1030), 2, "2 lots cannot move the price 3 times"),
        ((1000, 1000, 1000, 1000), -1, "-1 lots"),
    ],
)
def test_a_bar_no_minute_can_have_is_refused(four: tuple[int, int, int, int], volume: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        bar(*four, volume)


@given(bars())
def test_any_bar_is_told_again_by_its_quotes(one: Bar) -> None:
    snapshots = play(one)
    check_snapshots("one bar", snapshots, TICK)
    assert_tell_the_bar(snapshots, one, TICK)
    lots = traded(snapshots)
    assert sum(lots.values()) == one.volume
    assert all(lots[price] > 0 for price in (one.high, one.low, one.close) if price != one.open)
    if one.volume >= len(snapshots):
        assert lots[one.open] > 0


@pytest.mark.parametrize("name", [entry.name for entry in BAR_TAPES])
def test_every_packaged_bar_is_told_again_by_its_quotes(name: str) -> None:
    entry = next(entry for entry in BAR_TAPES if entry.name == name)
    minutes = bars_of_tape(name)
    assert_all_told_again(minutes, entry.price_tick)
    quotes = tuple(snapshots_of_bars(minutes, price_tick=entry.price_tick, multiplier=entry.multiplier))
    check_snapshots(name, quotes, entry.price_tick)
    assert quotes[-1].volume == sum(minute.volume for minute in minutes)


@pytest.mark.realdata
def test_every_recorded_minute_is_told_again_by_its_quotes(recording: FindRecording) -> None:
    files = sorted(recording("futures_klines").glob("*.1m.csv.xz"))
    assert files
    for file in files:
        with lzma.open(file, "rt", encoding="utf-8") as rows:
            minutes = [recorded_bar(row) for row in csv.DictReader(rows)]
        tick = gcd(*(price for one in minutes for price in (one.open, one.high, one.low, one.close)))
        assert_all_told_again(minutes, Price(tick))


def recorded_bar(row: dict[str, str]) -> Bar:
    four = [price_from_decimal(Decimal(row[name])) for name in ("open", "high", "low", "close")]
    volume, open_oi, close_oi = (Lots(int(row[name])) for name in ("volume", "open_oi", "close_oi"))
    start_ns = int(row["datetime_ns"])
    return Bar(
        start_ns=start_ns,
        open=four[0],
        high=four[1],
        low=four[2],
        close=four[3],
        volume=volume,
        open_oi=open_oi,
        close_oi=close_oi,
    )


def assert_all_told_again(minutes: Sequence[Bar], tick: Price) -> None:
    for minute in minutes:
        snapshots = list(snapshots_of_bars([minute], price_tick=tick, multiplier=Multiplier(1)))
        assert_tell_the_bar(snapshots, minute, tick)

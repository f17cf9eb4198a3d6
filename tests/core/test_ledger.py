"""The worked examples of the rules, to the last digit (rules 7 and 8, profile CTP)."""

from __future__ import annotations

from exchange.domain.values import AccountId
from tests.support.commands import CLOSE, CLOSETODAY, ask, bid, buy, cancel, last_trade, open_account, sell, traded
from tests.support.decider import Scenario, given, held_overnight
from tests.support.market import RB, fee_pair, margin, micro, terms


def test_the_main_example_until_the_settlement() -> None:
    """Rule 8, rows 0 to 2: buy open 5 at 3610, filled, marked at 3620, 2 of them sold at 3625, marked at 3620."""
    scenario = given(
        last_trade(3610, RB), open_account("A", 1_000_000), buy("a1", 3610, 5, account="A", instrument=RB)
    ).then_figures(
        "A",
        close_profit=0,
        commission=0,
        position_profit=0,
        float_profit=0,
        margin=0,
        frozen_margin=18050,
        frozen_commission="18.05",
        balance=1_000_000,
        available="981931.95",
    )
    scenario.given(ask("m1", 3610, 5, instrument=RB), last_trade(3620, RB)).then_figures(
        "A",
        close_profit=0,
        commission="18.05",
        position_profit=500,
        float_profit=500,
        margin=18050,
        frozen_margin=0,
        frozen_commission=0,
        balance="1000481.95",
        available="981931.95",
    )
    scenario.given(
        last_trade(3625, RB),
        sell("a2", 3625, 2, account="A", effect=CLOSETODAY, instrument=RB),
        bid("m2", 3625, 2, instrument=RB),
        last_trade(3620, RB),
    ).then_figures(
        "A",
        close_profit=300,
        commission="32.55",
        position_profit=300,
        float_profit=300,
        margin=10830,
        balance="1000567.45",
        available="989437.45",
    )


def test_the_main_example_after_the_roll() -> None:
    """Rule 8, rows 4 to 6: 3 older lots opened at 3610 and settled at 3615, the balance of the day before."""
    settled = terms(
        "SHFE.rb2701",
        multiplier=10,
        pre_settlement=3615,
        band=(3326, 3904),
        fees=(RB.fees.open, RB.fees.close, RB.fees.closetoday),
        separate_today=True,
    )
    scenario = Scenario(settled).given(
        open_account("A", 0), held_overnight("A", 3, opened=3610, basis=3615, instrument=settled)
    )
    scenario.state.accounts[AccountId("A")].cash.pre_balance = micro("1000417.45")
    scenario.then_figures(
        "A",
        close_profit=0,
        commission=0,
        position_profit=0,
        float_profit=150,
        margin=10845,
        balance="1000417.45",
        available="989572.45",
    )
    scenario.given(traded("A", "M", 3605, 1, settled), last_trade(3600, settled)).then_figures(
        "A",
        close_profit=0,
        commission="3.605",
        position_profit=-500,
        float_profit=-350,
        margin=14450,
        balance="999913.845",
        available="985463.845",
    ).then_position(
        "A",
        settled,
        long=True,
        cost_today=micro(36050),
        cost_history=micro(144500 - 36050),
        open_cost_today=micro(36050),
        open_cost_history=micro(144350 - 36050),
    )
    scenario.given(
        last_trade(3602, settled),
        sell("a2", 3602, 2, account="A", effect=CLOSE, instrument=settled),
        bid("m2", 3602, 2, instrument=settled),
        last_trade(3600, settled),
    ).then_figures(
        "A",
        close_profit=-260,
        commission="10.809",
        position_profit=-200,
        float_profit=-150,
        margin=7220,
        balance="999946.641",
        available="992726.641",
    ).then_position("A", settled, long=True, lots_today=1, lots_history=1, open_cost_history=micro(72150 - 36050))


def test_the_example_of_forced_liquidation() -> None:
    """Rule 7, example L: 4 lots bought at 3610 fall to 3580; closing one of them makes the account whole."""
    scenario = given(open_account("A", 15_000), traded("A", "M", 3610, 4, RB), last_trade(3580, RB)).then_figures(
        "A", margin=14440, position_profit=-1200, commission="14.44", balance="13785.56", available="-654.44"
    )
    scenario.given(
        sell("a2", 3580, 1, account="A", effect=CLOSETODAY, instrument=RB), bid("m1", 3580, 1, instrument=RB)
    ).then_figures(
        "A",
        commission="21.6",
        close_profit=-300,
        position_profit=-900,
        balance="13778.40",
        margin=10830,
        available="2948.40",
    )


def test_both_sides_of_a_trade_win_what_the_other_loses() -> None:
    """Rule 8: A buys 5 at 3610 from B; marked at 3615, A has won 250 and B has lost as much."""
    scenario = given(
        open_account("A", 1_000_000), open_account("B", 1_000_000), traded("A", "B", 3610, 5, RB), last_trade(3615, RB)
    )
    scenario.then_figures("A", position_profit=250, balance="1000231.95")
    scenario.then_figures("B", position_profit=-250, balance="999731.95")


def test_the_margin_of_today_s_lots_stays_at_their_open_price() -> None:
    """Rule 4, price type OPEN: au2106 x 1000, 8 %, bought at 396.16; the mark moves, the margin does not."""
    au = terms(
        "SHFE.au2106",
        multiplier=1000,
        tick="0.02",
        pre_settlement="391.74",
        band=("370.00", "414.00"),
        margin_rates=margin("0.08"),
        fees=(fee_pair(by_volume=10), fee_pair(by_volume=10), fee_pair()),
        separate_today=True,
    )
    scenario = Scenario(au).given(open_account("A", 100_000), traded("A", "M", "396.16", 1, au))
    for mark in ("396.16", "400.00", "380.00"):
        scenario.given(last_trade(mark, au)).then_figures("A", margin="31692.80", commission=10)


def test_long_and_short_lots_of_one_contract_are_charged_both() -> None:
    given(open_account("A", 1_000_000), traded("A", "M", 3600, 2, RB), traded("M", "A", 3610, 1, RB)).then_figures(
        "A", margin=7200 + 3610, position_profit=200
    )


def test_frozen_amounts_reduce_what_is_available_and_nothing_else() -> None:
    """Rule 3; all of it comes back with the cancel."""
    scenario = given(open_account("A", 1_000_000), traded("A", "M", 3600, 2, RB)).then_figures(
        "A", balance="999992.8", margin=7200, available="992792.8"
    )
    scenario.given(buy("a1", 3500, 1, account="A", instrument=RB)).then_figures(
        "A", balance="999992.8", margin=7200, available="989289.3"
    )
    scenario.given(cancel("a1", "A")).then_figures("A", balance="999992.8", margin=7200, available="992792.8")

"""Margin, equity, requirement, bankruptcy and liquidation against numbers done by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import (
    LONG,
    SHORT,
    TierTable,
    bankruptcy_move,
    bankruptcy_price,
    borrowed_amount,
    effective_leverage,
    equity,
    hedge_liquidation_price,
    initial_margin,
    liquidation_move,
    liquidation_price,
    maintenance_margin,
    margin_for_liquidation_price,
    margin_ratio,
    max_quantity,
    notional,
    order_cost,
    pnl,
    position_value,
    price_move,
    tiered_hedge_liquidation_prices,
    tiered_liquidation_price,
)

# Amounts 0, 50 and 1 300; whole-position requirement jumps from 200 to 250 at 50 000.
TABLE = TierTable.marginal([0, 50_000, 250_000, 1e6], [0.004, 0.005, 0.01], [125, 100, 50])
WHOLE = TierTable([0, 50_000, 250_000, 1e6], [0.004, 0.005, 0.01], [125, 100, 50])


def test_margin_of_a_thousand_at_ten_times_controls_ten_thousand() -> None:
    assert position_value(1_000, 10) == 10_000
    assert borrowed_amount(1_000, 10) == 9_000
    assert initial_margin(10_000, 10) == 1_000


def test_leverage_of_one_borrows_nothing() -> None:
    assert borrowed_amount(1_000, 1) == 0


def test_effective_leverage_rises_as_a_position_loses() -> None:
    assert effective_leverage(10_000, 1_000) == 10
    assert effective_leverage(9_500, 500) == 19


def test_effective_leverage_and_margin_ratio_are_infinite_when_nothing_is_left() -> None:
    assert effective_leverage(9_000, [0, -10]) == pytest.approx([math.inf, math.inf])
    assert margin_ratio(36, [0, -10, 72]) == pytest.approx([math.inf, math.inf, 0.5])


def test_margin_ratio_is_infinite_even_when_nothing_is_left_and_nothing_required() -> None:
    assert margin_ratio(0, 0) == math.inf


def test_maintenance_margin_may_be_zero_but_not_less() -> None:
    assert maintenance_margin(50_000, 0.005, maintenance_amount=250) == 0
    with pytest.raises(ValueError, match=r"^maintenance_amount must be at most"):
        maintenance_margin(50_000, 0.005, maintenance_amount=250.5)


def test_equity_is_margin_plus_unrealised_pnl() -> None:
    assert equity(LONG, 50_000, 48_000, 0.1, 500) == pytest.approx(300)
    assert equity(SHORT, 50_000, 48_000, 0.1, 500) == pytest.approx(700)
    assert equity(LONG, 8_000, 10_000, 1_000, 0.01, inverse=True) == pytest.approx(0.035)


def test_maintenance_margin_subtracts_the_amount_of_the_tier() -> None:
    assert maintenance_margin(5_000, 0.004) == 20
    assert maintenance_margin(300_000, 0.01, maintenance_amount=1_300) == 1_700


def test_bankruptcy_move_is_one_over_leverage() -> None:
    assert bankruptcy_move(LONG, [1, 2, 10, 125]) == pytest.approx([-1, -0.5, -0.1, -0.008])
    assert bankruptcy_move(SHORT, [1, 2, 10, 125]) == pytest.approx([1, 0.5, 0.1, 0.008])
    assert bankruptcy_move([LONG, SHORT], 4, inverse=True) == pytest.approx([-1 / 5, 1 / 3])


@pytest.mark.parametrize("leverage", [2, 10, 125])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_bankruptcy_price_lies_one_bankruptcy_move_from_entry(side: int, leverage: float) -> None:
    margin = initial_margin(notional(50_000, 0.1), leverage)
    price = bankruptcy_price(side, 50_000, 0.1, margin)
    assert price_move(50_000, price) == pytest.approx(bankruptcy_move(side, leverage))


def test_a_closing_fee_brings_bankruptcy_nearer() -> None:
    assert bankruptcy_price(LONG, 10_000, 1, 200, closing_fee_rate=0.0006) == pytest.approx(
        9_800 / 0.9994
    )


@pytest.mark.parametrize(
    ("side", "expected"),
    [(LONG, 4_500 / 0.0996), (SHORT, 5_500 / 0.1004)],
    ids=["long-10x", "short-10x"],
)
def test_liquidation_price_matches_hand_calculation(side: int, expected: float) -> None:
    assert liquidation_price(side, 50_000, 0.1, 500, 0.004) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_liquidation_price_without_maintenance_margin_is_bankruptcy_price(
    side: int, *, inverse: bool
) -> None:
    margin = 0.002 if inverse else 500
    position = (side, 50_000, 1_000 if inverse else 0.1, margin)
    assert liquidation_price(*position, 0.0, inverse=inverse) == bankruptcy_price(
        *position, inverse=inverse
    )


def test_contract_size_scales_the_quantity() -> None:
    assert liquidation_price(LONG, 50_000, 100, 500, 0.004, contract_size=0.001) == pytest.approx(
        liquidation_price(LONG, 50_000, 0.1, 500, 0.004)
    )


def test_long_without_leverage_has_no_liquidation_price() -> None:
    assert liquidation_price(LONG, 100, 1, 100, 0.005) == 0
    assert liquidation_price(LONG, 100, 1, 150, 0.005) == 0
    assert bankruptcy_price(LONG, 100, 1, 100) == 0


def test_inverse_short_without_leverage_has_no_liquidation_price() -> None:
    assert liquidation_price(SHORT, 100, 1, 0.01, 0.005, inverse=True) == math.inf
    assert liquidation_price(SHORT, 100, 1, 0.015, 0.005, inverse=True) == math.inf


@pytest.mark.parametrize(
    ("inverse", "entry", "quantity"),
    [(True, 27_708.9, 273_600), (False, 81_769.5, 3.446), (False, 0.1, 0.7), (True, 3.3, 77)],
)
def test_a_rounding_error_of_the_margin_leaves_a_paid_position_without_liquidation_price(
    inverse: bool, entry: float, quantity: float
) -> None:
    value = notional(entry, quantity, inverse=inverse)
    side, none = (SHORT, math.inf) if inverse else (LONG, 0.0)
    margins = [np.nextafter(value, 0), value, np.nextafter(value, math.inf)]
    for rate in (0.005, 0.0):
        prices = liquidation_price(side, entry, quantity, margins, rate, inverse=inverse)
        tiered = tiered_liquidation_price(
            side, entry, quantity, margins, TierTable.flat(rate), inverse=inverse
        )
        assert prices == pytest.approx([none] * 3, abs=0)
        assert tiered == pytest.approx([none] * 3, abs=0)
    assert bankruptcy_price(side, entry, quantity, margins, inverse=inverse) == pytest.approx(
        [none] * 3, abs=0
    )
    # What lacks a millionth of its notional still has a price.
    lacking = liquidation_price(side, entry, quantity, value * (1 - 1e-6), 0.005, inverse=inverse)
    assert 0 < lacking < math.inf


def test_every_linear_short_and_every_inverse_long_has_a_liquidation_price() -> None:
    margins = np.array([0.0, 1.0, 1e9])
    linear = np.asarray(liquidation_price(SHORT, 100, 1, margins, 0.005))
    inverse = np.asarray(liquidation_price(LONG, 100, 1, margins, 0.005, inverse=True))
    assert np.isfinite(linear).all()
    assert (inverse > 0).all()


def test_extreme_margin_gives_no_liquidation_and_no_warning() -> None:
    with np.errstate(all="raise"):
        assert liquidation_price(LONG, 100, 1e-300, 1e300, 0.005) == 0
        assert liquidation_price(SHORT, 100, 1e-300, 1e300, 0.005, inverse=True) == math.inf


def test_margin_below_the_requirement_puts_liquidation_on_the_profitable_side() -> None:
    assert liquidation_price(LONG, 100, 1, 0.5, 0.01) > 100
    assert liquidation_price(SHORT, 100, 1, 0.5, 0.01) < 100


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_liquidation_move_leads_to_the_liquidation_price_of_the_initial_margin(
    side: int, *, inverse: bool
) -> None:
    for leverage in (2, 10, 125):
        margin = initial_margin(notional(300, 2, inverse=inverse), leverage)
        fee = {"closing_fee_rate": 0.0006, "inverse": inverse}
        price = liquidation_price(side, 300, 2, margin, 0.004, **fee)
        assert price_move(300, price) == pytest.approx(
            liquidation_move(side, leverage, 0.004, **fee), rel=1e-12
        )


def test_liquidation_move_of_a_position_that_is_paid_in_full() -> None:
    assert liquidation_move(LONG, 1, 0.0) == -1
    assert liquidation_move(SHORT, 1, 0.004, inverse=True) == math.inf


def test_a_position_below_its_requirement_at_entry_has_a_move_of_the_other_sign() -> None:
    assert liquidation_move(LONG, 200, 0.01) > 0
    assert liquidation_move(SHORT, 200, 0.01) < 0


def test_ten_times_leverage_is_liquidated_before_a_fall_of_ten_per_cent() -> None:
    assert bankruptcy_move(LONG, 10) < liquidation_move(LONG, 10, 0.004) < 0


# Cross margin, and requirements measured elsewhere


def test_cross_margin_adds_other_profits_and_subtracts_other_requirements() -> None:
    # 500 + 100 - 40 backs it: P = (0.1 * 50 000 - 560) / (0.1 * 0.996)
    price = liquidation_price(LONG, 50_000, 0.1, 500, 0.004, other_pnl=100, other_requirement=40)
    assert price == pytest.approx(4_440 / 0.0996)


def test_cross_margin_may_be_lost_at_every_price() -> None:
    kept = {"other_pnl": -10_000}
    assert liquidation_price(SHORT, 50_000, 0.1, 500, 0.004, **kept) == 0
    assert liquidation_price(LONG, 50_000, 1_000, 0.01, 0.004, inverse=True, other_pnl=-1) == (
        math.inf
    )


def test_the_amount_of_the_tier_is_subtracted_from_a_requirement_at_the_entry_price() -> None:
    # 400 + P - 20 000 = 0.005 * 20 000 - 50
    price = liquidation_price(
        LONG, 20_000, 1, 400, 0.005, maintenance_amount=50, requirement_price=20_000
    )
    assert price == pytest.approx(19_650)


def test_requirement_at_the_entry_price_gives_the_short_formula() -> None:
    # 20 000 * (1 - 1/50 + 0.005) = 19 700; 10 * (1 + 1/5 - 0.01) = 11.9
    long = liquidation_price(LONG, 20_000, 1, 400, 0.005, requirement_price=20_000)
    short = liquidation_price(SHORT, 10, 1, 2, 0.01, requirement_price=10)
    assert (long, short) == pytest.approx((19_700, 11.9))


def test_requirement_at_the_entry_price_of_an_inverse_contract() -> None:
    # 1 / (1 / 8 000 + (0.01 - 0.00125) / 1 000) = 7 476.64
    price = liquidation_price(LONG, 8_000, 1_000, 0.01, 0.01, requirement_price=8_000, inverse=True)
    assert price == pytest.approx(1_000 / 0.13375)


def test_requirement_frozen_at_the_mark_gives_a_price_that_moves_with_it() -> None:
    # Equity 11.634761395 less 0.46 % of 74.741 over 0.002 below 37 370.5
    price = liquidation_price(
        LONG,
        37_355.5,
        0.002,
        11.604761395,
        0.004,
        closing_fee_rate=0.0006,
        requirement_price=37_370.5,
    )
    assert price == pytest.approx(31_725.023602417, abs=1e-6)


def test_requirement_at_a_price_of_its_own_takes_the_tier_of_the_notional_there() -> None:
    # 300 000 at entry needs 1 700 in the third tier: 30 000 * (1 - 1/10) + 170
    price = tiered_liquidation_price(LONG, 30_000, 10, 30_000, TABLE, requirement_price=30_000)
    assert price == pytest.approx(27_170)


# Tier tables


def test_tier_is_the_one_at_the_liquidation_price_and_not_at_entry() -> None:
    # Long of 10 from 26 000 with 26 000: 10 P - 234 000 = 0.005 * 10 P - 50 in the second tier,
    # P = 233 950 / 9.95, while the third tier at entry would give 232 700 / 9.9.
    price = tiered_liquidation_price(LONG, 26_000, 10, 26_000, TABLE)
    assert price == pytest.approx(233_950 / 9.95)
    assert TABLE.tier_number(260_000) == 3
    assert TABLE.tier_number(10 * price) == 2


def test_a_short_rises_into_a_higher_tier() -> None:
    # Short of 10 from 24 000 with 24 000: 264 000 - 10 P = 0.01 * 10 P - 1 300
    price = tiered_liquidation_price(SHORT, 24_000, 10, 24_000, TABLE)
    assert price == pytest.approx(265_300 / 10.1)


def test_an_inverse_table_has_bounds_in_coins() -> None:
    # 60 000 USD from 30 000 are 2 coins, 1 coin backs: n (1.01) - 0.005 = 1 + 2 above one coin.
    coins = TierTable.marginal([0, 1, 10], [0.005, 0.01])
    price = tiered_liquidation_price(LONG, 30_000, 60_000, 1, coins, inverse=True)
    assert price == pytest.approx(60_000 / (3.005 / 1.01))


def test_a_jump_of_the_requirement_can_put_the_price_on_a_bound() -> None:
    # Short of 1 from 40 000 with 10 220: at 50 000 equity 220 keeps 200 and not 250.
    price = tiered_liquidation_price(SHORT, 40_000, 1, 10_220, WHOLE)
    assert price == 50_000


def test_a_long_is_relieved_by_a_jump_and_dies_below_it() -> None:
    # Long of 1 from 60 000 with 10 220: at 50 000 equity 220 is below 250: dead at 49 780 / 0.995.
    price = tiered_liquidation_price(LONG, 60_000, 1, 10_220, WHOLE)
    assert price == pytest.approx(49_780 / 0.995)
    # With 10 260 it passes the bound alive and dies in the first tier.
    assert tiered_liquidation_price(LONG, 60_000, 1, 10_260, WHOLE) == pytest.approx(49_740 / 0.996)


def test_a_jump_on_the_way_to_a_profit_is_not_the_liquidation_price() -> None:
    # From 49 990 with 2 to spare it lives at entry; above 50 000 its 212 would have to be 250.
    margin = 0.004 * 49_990 + 2
    assert equity(LONG, 49_990, 50_001, 1, margin) < WHOLE.maintenance_margin(50_001)
    price = tiered_liquidation_price(LONG, 49_990, 1, margin, WHOLE)
    assert price == pytest.approx((49_990 - margin) / 0.996)
    prices = tiered_liquidation_price(LONG, 49_990, 1, [margin, 10_000, 49_990], WHOLE)
    assert prices == pytest.approx([price, 39_990 / 0.996, 0])
    # The third tier from 250 000 leaves 800 of the 1 250 that a long below it needs.
    deep = tiered_liquidation_price(LONG, 249_900, 1, 1_300, WHOLE)
    assert deep == pytest.approx(248_600 / 0.995)


def test_the_way_down_from_the_entry_may_lead_through_a_narrow_tier() -> None:
    # Above 50 000 its 410 would have to be 2 500; at 49 900 it keeps 310 for 199.60, so it dies in
    # the first tier, at (49 990 - 400) / 0.999.
    narrow = TierTable([0, 49_900, 50_000, 1e6], [0.001, 0.004, 0.05])
    price = tiered_liquidation_price(LONG, 49_990, 1, 400, narrow)
    assert price == pytest.approx(49_590 / 0.999)


def test_the_way_starts_at_the_mark_price_where_one_is_given() -> None:
    margin = 0.004 * 49_990 + 2
    low, high = (49_990 - margin) / 0.996, (49_990 - margin) / 0.995
    prices = tiered_liquidation_price(
        LONG, 49_990, 1, margin, WHOLE, mark_price=[49_990, 49_995, 51_000, 50_001]
    )
    # The last mark is dead already, and lives again above the same price.
    assert prices == pytest.approx([low, low, high, high])
    # Without a jump in between, and at a fixed requirement, the mark changes nothing but the shape.
    continuous = tiered_liquidation_price(LONG, 49_990, 1, margin, TABLE, mark_price=[1, 1e6])
    assert continuous == pytest.approx(
        [tiered_liquidation_price(LONG, 49_990, 1, margin, TABLE)] * 2
    )
    fixed = tiered_liquidation_price(
        LONG, 49_990, 1, margin, WHOLE, mark_price=[1, 1e6], requirement_price=49_990
    )
    assert fixed == pytest.approx([49_990 - 2] * 2)


def test_a_position_below_its_requirement_at_entry_has_a_price_on_the_profitable_side() -> None:
    # 240 of equity at 60 000 for 300: alive from 59 760 / 0.995 upwards
    price = tiered_liquidation_price(LONG, 60_000, 1, 240, WHOLE)
    assert price == pytest.approx(59_760 / 0.995)
    # 199 for 199.96 at 49 990 lives above 49 991, dies at 50 000, and lives again from 50 041.2
    price = tiered_liquidation_price(LONG, 49_990, 1, 199, WHOLE)
    assert price == pytest.approx(49_791 / 0.995)


def test_fully_paid_positions_have_no_tiered_liquidation_price() -> None:
    assert tiered_liquidation_price(LONG, 100, 1, 100, TABLE) == 0
    assert tiered_liquidation_price(SHORT, 100, 1, 0.01, TABLE, inverse=True) == math.inf


def test_extreme_margin_on_a_tier_table_gives_no_warning() -> None:
    with np.errstate(all="raise"):
        assert tiered_liquidation_price(LONG, 100, 1e-300, 1e300, TABLE) == 0
        assert tiered_liquidation_price(SHORT, 100, 1e-300, 1e300, TABLE, inverse=True) == math.inf


def test_closing_fee_must_leave_room_below_the_highest_rate() -> None:
    with pytest.raises(ValueError, match="closing_fee_rate must") as caught:
        tiered_liquidation_price(LONG, 1, 1, 1, TierTable.flat(0.75), closing_fee_rate=[0.1, 0.25])
    assert str(caught.value) == (
        "closing_fee_rate must be below 0.25, what the highest rate of the table leaves, "
        "was 0.25 at index 1; give it as a decimal, 0.0005 for 0.05 %"
    )


def test_a_long_whose_gain_would_meet_a_jump_still_dies_below_its_entry() -> None:
    # 71 at a notional of 151 is below 0.9 * 151 - 40 = 95.9; from 150 down to 100 it lives, with
    # 20 against 0.5 * 100 - 40 = 10; then 70 + n - 150 = 0.1 n, so n = 80 / 0.9.
    table = TierTable([0, 100, 151, 1_000], [0.1, 0.5, 0.9], None, [0, 40, 40])
    price = tiered_liquidation_price(LONG, 100, 1.5, 70, table)
    assert price == pytest.approx(80 / 0.9 / 1.5)
    # With 55 it dies in the middle tier: 55 + n - 150 = 0.5 n - 40, so n = 110.
    assert tiered_liquidation_price(LONG, 100, 1.5, 55, table) == pytest.approx(110 / 1.5)


# Hedge mode


def test_hedge_price_matches_hand_calculation() -> None:
    # 10 000 - 2 * 50 000 + 52 000 = -38 000 over 0.01 + 0.005 - 2 + 1 = -0.985
    price = hedge_liquidation_price(50_000, 2, 52_000, 1, 10_000, 0.005)
    assert price == pytest.approx(38_000 / 0.985)


def test_hedge_price_counts_other_positions_amounts_and_contracts() -> None:
    # 9 000 + 1 500 - 700 + 200 = 10 000, as above
    price = hedge_liquidation_price(
        50_000, 200, 52_000, 100, 9_000, 0.005,
        other_pnl=1_500, other_requirement=700, maintenance_amount=200, contract_size=0.01,
    )  # fmt: skip
    assert price == pytest.approx(38_000 / 0.985)


def test_a_larger_short_leg_is_liquidated_above() -> None:
    # 10 000 - 50 000 + 104 000 = 64 000 over 0.005 + 0.02 + 1
    price = hedge_liquidation_price(
        50_000, 1, 52_000, 2, 10_000, 0.005, short_maintenance_margin_rate=0.01
    )
    assert price == pytest.approx(64_000 / 1.025)


def test_equal_legs_without_requirement_have_no_price_or_every_price() -> None:
    assert hedge_liquidation_price(100, 1, 110, 1, 5, 0.0) == 0  # 5 + 10 are locked in
    assert hedge_liquidation_price(120, 1, 100, 1, 5, 0.0) == math.inf  # 20 are lost, 5 are there


@pytest.mark.parametrize(("rates", "name"), [((0.75, 0.1), ""), ((0.1, 0.75), "short_")])
def test_hedge_rates_must_leave_room_for_the_fee(rates: tuple[float, float], name: str) -> None:
    rate, short_rate = rates
    with pytest.raises(ValueError, match="must be below 1") as caught:
        hedge_liquidation_price(
            1, 1, 1, 1, 1, rate, short_maintenance_margin_rate=short_rate, closing_fee_rate=0.25
        )
    assert str(caught.value) == (
        f"{name}maintenance_margin_rate plus closing_fee_rate must be below 1, was 1; "
        "give both as decimals, 0.004 for 0.4 %"
    )


def test_a_nearly_closed_hedge_dies_upwards_by_its_requirement() -> None:
    # Above the bound 6 600 - 0.079 P are left: 2 000 + 0.02 P - 0.05 * 1.98 P + 4 600.
    table = TierTable.marginal([0, 50_000, 250_000], [0.004, 0.05])
    low, high = tiered_hedge_liquidation_prices(50_000, 1, 50_000, 0.98, 3_000, table, 50_000)
    assert low == 0
    assert high == pytest.approx(6_600 / 0.079)


def test_many_hedges_at_once_each_die_in_the_tiers_of_their_own_legs() -> None:
    # Amounts 0, 4 and 26.5. First: 26.3 + 2 (P - 100) - (P - 100) = 0.2 * 2 P - 26.5 + 0.01 P, so
    # 0.59 P = 47.2. Second: 43.5 - (P - 100) = 0.2 * 2 P - 26.5 + 0.05 P - 4, so 1.45 P = 174.
    table = TierTable.marginal([0, 100, 150, 1_000], [0.01, 0.05, 0.2])
    low, high = tiered_hedge_liquidation_prices(
        100, [2, 1], 100, [1, 2], [26.3, 43.5], table, [90, 80]
    )
    assert np.asarray(low) == pytest.approx([80, 0])
    assert np.asarray(high) == pytest.approx([math.inf, 120])
    # The same in coins: the short leg gains where 1 / P rises.
    low, high = tiered_hedge_liquidation_prices(
        0.01, [1, 2], 0.01, [2, 1], [26.3, 43.5], table, [1 / 90, 1 / 80], inverse=True
    )
    assert np.asarray(low) == pytest.approx([0, 1 / 120])
    assert np.asarray(high) == pytest.approx([1 / 80, math.inf])
    # The same in contracts of 0.01, with 30 - 2 - 1.7 and 40 + 5 - 1.5 behind them.
    low, high = tiered_hedge_liquidation_prices(
        100, [200, 100], 100, [100, 200], [30, 40], table, [90, 80],
        other_pnl=[-2, 5], other_requirement=[1.7, 1.5], contract_size=0.01,
    )  # fmt: skip
    assert np.asarray(low) == pytest.approx([80, 0])
    assert np.asarray(high) == pytest.approx([math.inf, 120])


def test_a_dead_hedge_is_liquidated_at_the_mark() -> None:
    assert tiered_hedge_liquidation_prices(100, 1, 90, 1, 5, TABLE, 95) == (95, 95)


# What an order and a position tie up


def test_order_cost_is_margin_and_both_fees() -> None:
    # 10 000 / 50 + 7.5 + 9 800 * 0.00075
    assert order_cost(LONG, 10_000, 1, 50, 0, exit_fee_rate=0.00075) == pytest.approx(207.35)
    assert order_cost(LONG, 10_000, 1, 50, 0.00075) == pytest.approx(214.85)
    assert order_cost(SHORT, 10_000, 1, 50, 0.00075) == pytest.approx(207.5 + 10_200 * 0.00075)


def test_inverse_order_cost_is_in_coins() -> None:
    # 5 coins: 0.2 of margin, 0.00275 to open, and 5.2 coins at 1 923.08 to close
    cost = order_cost(LONG, 2_000, 100, 25, 0.00055, contract_size=100, inverse=True)
    assert cost == pytest.approx(0.2 + 0.00275 + 5.2 * 0.00055)


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_the_fee_for_closing_is_charged_at_the_bankruptcy_price(
    side: int, *, inverse: bool
) -> None:
    margin = initial_margin(notional(300, 2, inverse=inverse), 8)
    bust = bankruptcy_price(side, 300, 2, margin, inverse=inverse)
    fee = 0.0006 * float(notional(bust, 2, inverse=inverse))
    cost = order_cost(side, 300, 2, 8, 0, exit_fee_rate=0.0006, inverse=inverse)
    assert cost == pytest.approx(margin + fee)


def test_order_cost_without_the_closing_fee_is_margin_and_one_fee() -> None:
    cost = order_cost(LONG, 107.415, 1, 20, 0.0006, exit_fee_rate=0)
    assert cost == pytest.approx(5.435199)


def test_largest_quantity_costs_the_whole_balance() -> None:
    quantity = max_quantity(LONG, 10_000, 50, 214.85, fee_rate=0.00075)
    assert quantity == pytest.approx(1)
    assert max_quantity(SHORT, 2_000, 25, 1, contract_size=100, inverse=True) == pytest.approx(500)


def test_tier_limits_the_largest_quantity() -> None:
    assert max_quantity(LONG, 50_000, 100, 1e6, tiers=TABLE) == 5  # 250 000 at most
    assert max_quantity(LONG, 50_000, 100, 1_000, tiers=TABLE) == 2
    assert max_quantity(LONG, 50_000, 100, 1e6, tiers=TABLE, contract_size=0.01) == 500
    # A contract of 100 is 0.05 coins at 2 000.
    assert max_quantity(
        SHORT, 2_000, 100, 1e6, tiers=TABLE, contract_size=100, inverse=True
    ) == pytest.approx(5e6)
    with pytest.raises(ValueError, match=r"^leverage must be at most 125"):
        max_quantity(LONG, 50_000, 126, 1_000, tiers=TABLE)


def test_a_negative_balance_opens_nothing() -> None:
    assert max_quantity(LONG, 50_000, 10, -5) == 0


def test_a_rebate_above_the_margin_is_rejected() -> None:
    with pytest.raises(ValueError, match="fee_rate must") as caught:
        max_quantity(LONG, 100, 100, 5, fee_rate=-0.1)
    assert str(caught.value) == (
        "fee_rate must be a rebate smaller than the margin, was -0.1; check the rate"
    )
    # 50 of margin, and a fifth of 100 and of 150 back
    with pytest.raises(ValueError, match=r"^fee_rate must be a rebate smaller"):
        max_quantity(SHORT, 100, 2, 5, fee_rate=-0.2)


def test_hedge_profit_and_requirement_meet_at_its_price() -> None:
    price = hedge_liquidation_price(50_000, 2, 52_000, 1, 10_000, 0.005)
    value = 10_000 + pnl(LONG, 50_000, price, 2) + pnl(SHORT, 52_000, price, 1)
    assert value == pytest.approx(maintenance_margin(3 * price, 0.005))


@pytest.mark.parametrize("table", [TABLE, WHOLE], ids=["continuous", "jumps"])
def test_a_table_of_closing_fees_gives_each_its_own_price(table: TierTable) -> None:
    fees = np.array([[0.0, 0.0005], [0.001, 0.002], [0.01, 0.02]])
    prices = tiered_liquidation_price(LONG, 50_000, 6, 30_000, table, closing_fee_rate=fees)
    alone = [
        tiered_liquidation_price(LONG, 50_000, 6, 30_000, table, closing_fee_rate=fee)
        for fee in fees.flat
    ]
    assert np.ravel(prices) == pytest.approx(alone)
    assert len(set(alone)) == fees.size


def test_equal_legs_with_less_than_one_unit_left_are_not_dead() -> None:
    # 1 of margin and 0.5 lost
    assert hedge_liquidation_price(100, 1, 99.5, 1, 1, 0.0) == 0


def test_the_maximum_in_the_message_is_that_of_the_position_that_breaks_it() -> None:
    with pytest.raises(ValueError, match=r"was 126 at index 1; that maximum is 125$"):
        initial_margin([100_000, 1], [100, 126], tiers=TABLE)


def test_equal_legs_without_requirement_stay_alive_at_every_mark_without_a_warning() -> None:
    with np.errstate(all="raise"):
        limits = tiered_hedge_liquidation_prices(100, 1, 110, 1, 5, TierTable.flat(0.0), 100)
    assert limits == (0, math.inf)


def test_a_requirement_fixed_at_a_price_is_that_of_the_notional_there() -> None:
    # Linear: value 100 000, requirement 0.5 % less 50 = 450, fee 100; 10 000 - 550 = 2 * 4 725.
    assert tiered_liquidation_price(
        LONG, 50_000, 2, 10_000, TABLE, closing_fee_rate=0.001, requirement_price=50_000
    ) == pytest.approx(45_275)
    # Inverse: value 2 coins, requirement 1 % less 0.005 = 0.015, fee 0.002; 0.183 coins to lose.
    coins = TierTable.marginal([0, 1, 10], [0.005, 0.01])
    assert tiered_liquidation_price(
        LONG,
        50_000,
        100_000,
        0.2,
        coins,
        closing_fee_rate=0.001,
        requirement_price=50_000,
        inverse=True,
    ) == pytest.approx(100_000 / 2.183)


def test_from_an_inverse_mark_the_first_price_that_a_loss_meets_counts() -> None:
    # A short with margin 0.1 from 1 coin: equity is N - 0.9. Requirement 0.5 % up to 1 coin and
    # 20 % of all above, so it is dead where N is 1 to 1.125, and below 0.9 / 0.995.
    jump = TierTable([0, 1, 10], [0.005, 0.2])
    near = [
        tiered_liquidation_price(SHORT, 50_000, 50_000, 0.1, jump, mark_price=mark, inverse=True)
        for mark in (40_000, 52_000)
    ]
    assert near == pytest.approx([50_000 / 1.125, 50_000 * 0.995 / 0.9])


# The margin for a liquidation price


def test_margin_for_a_liquidation_price_by_hand() -> None:
    # A loss of 0.1 * 10 000, and 0.4 % of 4 000.
    table = TierTable.flat(0.004)
    assert margin_for_liquidation_price(LONG, 50_000, 0.1, 40_000, table) == pytest.approx(1_016)
    # 0.4 % and 0.05 % of 6 000; other positions have won 100 and need 40.
    margin = margin_for_liquidation_price(
        SHORT,
        50_000,
        0.1,
        60_000,
        table,
        closing_fee_rate=0.0005,
        other_pnl=100,
        other_requirement=40,
    )
    assert margin == pytest.approx(1_000 + 24 + 3 - 100 + 40)


@given(
    st.sampled_from([LONG, SHORT]),
    st.booleans(),
    st.floats(0.01, 0.99),
    st.floats(0.1, 40),
    st.sampled_from([0.0, 0.0006]),
)
def test_the_margin_for_a_liquidation_price_leads_there(
    side: int, inverse: bool, distance: float, quantity: float, fee_rate: float
) -> None:
    bounds = [0, 50_000, 250_000, 1e6]
    table = TierTable.marginal(np.array(bounds) / (1e4 if inverse else 1), [0.004, 0.005, 0.01])
    wanted = 50_000 * (1 - distance) ** side
    size = quantity * 50_000 if inverse else quantity
    more = {"closing_fee_rate": fee_rate, "inverse": inverse}
    margin = margin_for_liquidation_price(side, 50_000, size, wanted, table, **more)
    found = tiered_liquidation_price(side, 50_000, size, margin, table, **more)
    assert found == pytest.approx(wanted, rel=1e-9)


@given(st.sampled_from([LONG, SHORT]), st.booleans(), st.floats(-3, 3), st.floats(-3, 3))
def test_the_margin_for_the_end_of_a_position_without_margin_is_zero(
    side: int, inverse: bool, price_power: float, size_power: float
) -> None:
    # Rounding errors make it a little less than zero, which is no margin and no error.
    table = TierTable.marginal([0, 1, 100, 1e4], [0.004, 0.005, 0.01])
    entry, quantity = 10**price_power, 10**size_power
    end = tiered_liquidation_price(side, entry, quantity, 0, table, inverse=inverse)
    assert margin_for_liquidation_price(side, entry, quantity, end, table, inverse=inverse) == 0


def test_a_price_behind_a_jump_of_the_requirement_is_refused() -> None:
    # 95 coins need 5 % above 1 000 and 1 % below: a margin for 10 ends the long at 10.53 or before.
    table = TierTable([0, 1_000, 1e9], [0.01, 0.05])
    with pytest.raises(ValueError, match=r"a price that some margin leads to, was 10\.5; the req"):
        margin_for_liquidation_price(LONG, 20, 95, 10.5, table)
    assert margin_for_liquidation_price(LONG, 20, 95, 9, table) == pytest.approx(95 * 11.09)
    with pytest.raises(ValueError, match=r"some margin leads to, was 0\.095"):
        margin_for_liquidation_price(SHORT, 0.05, 95, 0.0951, table, inverse=True)


def test_a_price_that_needs_no_margin_is_refused() -> None:
    table = TierTable.flat(0.004)
    with pytest.raises(ValueError, match="must be a price at which the position needs margin"):
        margin_for_liquidation_price(LONG, 100, 1, 120, table)
    with pytest.raises(ValueError, match=r"^liquidation_price must be positive and finite, was 0;"):
        margin_for_liquidation_price(LONG, 100, 1, 0, table)

"""Margin, equity, requirement, bankruptcy and liquidation against numbers done by hand."""

import math

import numpy as np
import pytest

from leverage import (
    LONG,
    SHORT,
    bankruptcy_move,
    bankruptcy_price,
    borrowed_amount,
    effective_leverage,
    equity,
    initial_margin,
    liquidation_move,
    liquidation_price,
    maintenance_margin,
    margin_ratio,
    notional,
    position_value,
    price_move,
)


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
    assert bankruptcy_move([1, 2, 10, 125]) == pytest.approx([1, 0.5, 0.1, 0.008])


@pytest.mark.parametrize("leverage", [2, 10, 125])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_bankruptcy_price_lies_one_bankruptcy_move_from_entry(side: int, leverage: float) -> None:
    margin = initial_margin(notional(50_000, 0.1), leverage)
    price = bankruptcy_price(side, 50_000, 0.1, margin)
    assert price_move(50_000, price) == pytest.approx(-side * bankruptcy_move(leverage))


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


def test_liquidation_move_is_negative_for_a_long_and_positive_for_a_short() -> None:
    assert liquidation_move(LONG, 50_000, 45_000) == -0.1
    assert liquidation_move(SHORT, 50_000, 55_000) == pytest.approx(0.1)


def test_liquidation_move_of_a_position_that_cannot_be_liquidated() -> None:
    assert liquidation_move(LONG, 50_000, 0.0) == -1
    assert liquidation_move(SHORT, 50_000, math.inf) == math.inf


def test_liquidation_move_has_one_result_for_each_side() -> None:
    assert liquidation_move([LONG, SHORT], 50_000, 45_000) == pytest.approx([-0.1, -0.1])


def test_ten_times_leverage_is_liquidated_before_a_fall_of_ten_per_cent() -> None:
    price = liquidation_price(LONG, 50_000, 0.1, 500, 0.004)
    assert -bankruptcy_move(10) < liquidation_move(LONG, 50_000, price) < 0

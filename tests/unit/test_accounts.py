"""Margin levels, free margin and haircuts against numbers done by hand."""

import math

import numpy as np
import pytest

from leverage import (
    LONG,
    SHORT,
    collateral_value,
    equity,
    free_margin,
    initial_margin,
    margin_level,
    margin_level_price,
    notional,
)


def test_margin_level_is_equity_over_used_margin() -> None:
    # 1.5 BTC from 30 000 at 5x uses 9 000; at 28 133.3 the equity is 10 000 - 2 800.05.
    used = initial_margin(notional(30_000, 1.5), 5)
    value = equity(LONG, 30_000, 28_133.3, 1.5, 10_000)
    assert margin_level(value, used) == pytest.approx(7_199.95 / 9_000)


def test_no_used_margin_and_no_debt_are_an_infinite_level() -> None:
    assert margin_level([5, 0], 0) == pytest.approx([math.inf, math.inf])


def test_free_margin_may_be_negative() -> None:
    assert free_margin(3_000, [1_000, 4_000]) == pytest.approx([2_000, -1_000])


def test_margin_level_of_assets_over_what_is_owed() -> None:
    assert margin_level(300, 90 + 10) == 3
    assert margin_level(0.3, 0.1) == pytest.approx(3)


def test_call_price_of_a_long() -> None:
    # Equity 0.8 * 4 000 = 3 200 is left when the price has lost 6 800.
    assert margin_level_price(LONG, 20_000, 1, 5, 10_000, 0.8) == pytest.approx(13_200)


def test_call_price_of_a_short_whose_used_margin_floats() -> None:
    # At P the equity is 5 000 - 0.2 (P - 50 000) and the used margin 0.04 P:
    # 15 000 - 0.2 P = 0.8 * 0.04 P, so P = 15 000 / 0.232.
    price = margin_level_price(SHORT, 50_000, 0.2, 5, 5_000, 0.8, floating_margin=True)
    assert price == pytest.approx(15_000 / 0.232)
    fixed = margin_level_price(SHORT, 50_000, 0.2, 5, 5_000, 0.8)
    assert fixed == pytest.approx(50_000 + (5_000 - 1_600) / 0.2)
    assert price < fixed


@pytest.mark.parametrize("floating", [False, True], ids=["fixed", "floating"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_margin_level_at_its_price_is_the_level(side: int, *, floating: bool) -> None:
    price = margin_level_price(side, 100, 3, 4, 150, 0.4, floating_margin=floating)
    used = initial_margin(notional(price if floating else 100, 3), 4)
    assert margin_level(equity(side, 100, price, 3, 150), used) == pytest.approx(0.4)


def test_lower_leverage_uses_more_margin_and_is_called_sooner() -> None:
    two, five = (margin_level_price(LONG, 20_000, 1, level, 10_000, 0.8) for level in (2, 5))
    assert two > five


def test_stop_out_at_a_level_of_one_leaves_the_used_margin() -> None:
    assert margin_level_price(LONG, 100_000, 1, 100, 3_000, 1) == pytest.approx(98_000)
    assert margin_level_price(SHORT, 100_000, 1, 100, 3_000, 1) == pytest.approx(102_000)


def test_prices_that_do_not_exist_are_zero() -> None:
    assert margin_level_price(LONG, 100, 1, 5, 1_000, 0.8) == 0  # richer than its position
    assert margin_level_price(SHORT, 100, 1, 5, -1_000, 0.8) == 0  # lost at every price


def test_a_level_that_grows_with_the_equity_is_rejected() -> None:
    with pytest.raises(ValueError, match="level must") as caught:
        margin_level_price(LONG, 100, 1, 2, 50, 2, floating_margin=True)
    assert str(caught.value) == (
        "level must be below the leverage for a long with a floating margin, was 2; lower it"
    )


def test_haircuts_reduce_what_is_owned_and_not_what_is_owed() -> None:
    assert collateral_value([1_000, 5_000, -200], [0, 0.02, 0.5]) == pytest.approx(5_700)
    assert collateral_value(4_999.137289089901, 0.02245) == pytest.approx(4_886.906656949836)
    assert collateral_value(4_998.721054420551, 0.02245) == pytest.approx(4_886.50, abs=0.005)
    assert collateral_value([[1, 2], [3, 4]], 0.5) == pytest.approx([1.5, 3.5])
    assert collateral_value(100, 1) == 0


def test_levels_beyond_the_largest_float_are_infinite_without_a_warning() -> None:
    with np.errstate(all="raise"):
        assert margin_level(1e300, 1e-300) == math.inf

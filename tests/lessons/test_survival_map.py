"""The survival map: three ways to one chance, all extremes, words for everyone."""

import numpy as np
import pytest
from explorers_opened import set_all

from leverage import LONG, SHORT
from leverage.history import load_daily
from leverage.lessons.charts.risk_charts import share_liquidated
from leverage.lessons.explorers.survival_map import PATHS, SurvivalMap
from leverage.survival import liquidation_probability


@pytest.fixture(scope="module")
def shared():
    return SurvivalMap()


def test_the_formula_is_that_of_the_survival_module(shared):
    set_all(shared, side=LONG, leverage=10, days=30, volatility_pct=77, watched="all the time")
    expected = liquidation_probability(LONG, 10, 0.004, 0.77, 720, drift=0.77**2 / 2)
    assert shared._odds.chance == pytest.approx(expected)
    row = np.interp(expected, shared._odds.grid[:, 29], np.geomspace(1, 125, 97))
    assert row == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize(("watched", "hours"), [("every hour", 1), ("once a day", 24)])
def test_monte_carlo_agrees_with_the_formula_that_watches_as_often(side, watched, hours):
    odds = SurvivalMap(side=side, leverage=8, days=20, watched=watched)._odds
    formula = liquidation_probability(
        side, 8, 0.004, 0.77, 480, drift=0.77**2 / 2, step_hours=hours
    )
    # Four standard errors, and what the correction for looking once a day leaves.
    assert abs(odds.estimate - formula) < 4 * odds.standard_error + 0.01


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize(("leverage", "days"), [(2, 30), (10, 1), (125, 60)])
def test_history_is_the_share_of_starting_days_that_were_liquidated(side, leverage, days):
    shown = SurvivalMap(side=side, leverage=leverage, days=days)._odds.lived
    assert shown == pytest.approx(share_liquidated(load_daily("BTC"), side, leverage, days, 0.004))


def test_more_leverage_more_days_or_more_volatility_never_lower_the_chance(shared):
    set_all(shared, side=LONG, leverage=10, days=30, volatility_pct=60, watched="all the time")
    grid = shared._odds.grid
    assert (np.diff(grid, axis=0) >= 0).all()
    assert (np.diff(grid, axis=1) >= 0).all()
    shared.volatility_pct.value = 90
    assert (shared._odds.grid >= grid).all()


def test_lines_of_equal_chance_fall_with_the_days(shared):
    set_all(shared, side=LONG, volatility_pct=77, watched="all the time")
    half = shared._odds.leverage_at(0.5)
    assert np.isfinite(half).all()
    assert (np.diff(half) < 0).all()
    # 2 Phi(-0.6745) is one half: 1 / (1 - 0.996 exp(-0.6745 * 0.77 * sqrt(10 / 365)))
    assert half[9] == pytest.approx(11.63, rel=0.01)


def test_an_unleveraged_long_has_no_liquidation_price_and_says_so():
    survival = SurvivalMap(leverage=1)
    assert "has no liquidation price: nothing is borrowed." in survival.sentence
    assert survival._odds.estimate == survival._odds.lived == survival._odds.chance == 0


def test_the_standard_error_is_that_of_the_number_of_paths(shared):
    set_all(shared, leverage=10, days=30, watched="every hour")
    share = shared._odds.estimate
    assert shared._odds.standard_error == pytest.approx((share * (1 - share) / PATHS) ** 0.5)
    assert f"standard error {shared._odds.standard_error * 100:.2f}" in shared.sentence

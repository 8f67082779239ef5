"""Closed-form probabilities of touching, against exact limits, quadrature and laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import LONG, SHORT, liquidation_price
from leverage.survival import (
    HOURS_PER_YEAR,
    first_touch,
    liquidation_probability,
    touch_probability,
)
from leverage.survival._normal import scaled_erfc, tail, tail_times_exp

FOR_EVER = 1e12

volatilities = st.floats(0.05, 3.0)
hours = st.floats(0.0, 50_000.0)
drifts = st.floats(-3.0, 3.0)
lower_prices = st.floats(0.05, 0.999)
upper_prices = st.floats(1.001, 20.0)
levels = st.one_of(lower_prices, upper_prices)


def test_the_three_known_probabilities_hold_with_hourly_looks() -> None:
    # A 10x long with 0.5 % maintenance, a stop and a target, 1 000 hours at 60 % a year.
    liquidation = liquidation_price(LONG, 1, 1, 0.1, 0.005)
    assert liquidation == pytest.approx(0.904523, abs=5e-7)
    found = touch_probability(1, [liquidation, 0.94, 1.12], 0.6, 1_000, step_hours=1)
    assert found == pytest.approx([0.6390, 0.7702, 0.5306], abs=1e-4)


def test_without_log_drift_the_reflection_principle_holds() -> None:
    # A drift of half the variance leaves no log drift: twice the tail of the normal distribution.
    sigma, time = 0.8, 500 / HOURS_PER_YEAR
    expected = math.erfc(math.log(100 / 90) / (sigma * math.sqrt(2 * time)))
    found = touch_probability(100, 90, sigma, 500, drift=sigma**2 / 2)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("level", "expected"), [(150.0, 100 / 150), (400.0, 0.25), (50.0, 1.0)])
def test_a_fair_price_that_is_given_for_ever_reaches_a_multiple_with_one_over_it(
    level: float, expected: float
) -> None:
    assert touch_probability(100, level, 0.6, FOR_EVER) == pytest.approx(expected, abs=1e-9)


def test_a_fair_price_leaves_a_range_in_proportion_to_the_distances() -> None:
    found = first_touch(100, 94, 112, 0.6, FOR_EVER)
    assert found == pytest.approx((12 / 18, 6 / 18, 0.0), abs=1e-12)


def touched_by_quadrature(log_level: float, spread: float, steps: int) -> float:
    """Carry the density of the untouched paths from look to look, on a grid above the level."""
    grid = np.linspace(log_level, log_level + 12 * spread * math.sqrt(steps), 1_501)
    width = grid[1] - grid[0]
    weights = np.full(len(grid), width)
    weights[[0, -1]] /= 2

    def density(move: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * ((move + spread**2 / 2) / spread) ** 2) / (
            spread * math.sqrt(2 * math.pi)
        )

    kernel = density(grid[:, np.newaxis] - grid[np.newaxis, :]) * weights
    alive = density(grid)
    for _ in range(steps - 1):
        alive = kernel @ alive
    return 1.0 - float(alive @ weights)


@pytest.mark.parametrize(("distance", "steps"), [(0.05, 50), (0.15, 50), (0.10, 200)])
def test_the_shift_for_rare_looks_agrees_with_exact_quadrature(distance: float, steps: int) -> None:
    spread = 0.8 / math.sqrt(HOURS_PER_YEAR / 4)
    exact = touched_by_quadrature(-distance, spread, steps)
    found = touch_probability(1, math.exp(-distance), 0.8, 4 * steps, step_hours=4)
    all_the_time = touch_probability(1, math.exp(-distance), 0.8, 4 * steps)
    assert found == pytest.approx(exact, abs=2e-3)
    assert abs(float(found) - exact) < abs(float(all_the_time) - exact) / 20


@settings(deadline=None)
@given(levels, volatilities, hours, drifts, st.sampled_from([0.0, 1.0, 8.0]))
def test_touching_is_a_probability_that_grows_with_time(
    level: float, sigma: float, time: float, drift: float, step: float
) -> None:
    times = time * np.array([0.0, 0.5, 1.0, 2.0])
    found = touch_probability(1, level, sigma, times, drift=drift, step_hours=step)
    assert found[0] == 0
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= -1e-12).all()


@settings(deadline=None)
@given(st.booleans(), st.floats(0.001, 2.0), volatilities, hours, drifts)
def test_touching_is_less_likely_further_away_and_with_fewer_looks(
    up: bool, distance: float, sigma: float, time: float, drift: float
) -> None:
    prices = np.exp((1 if up else -1) * distance * np.array([1.0, 1.1, 1.5]))
    often = touch_probability(1, prices, sigma, time, drift=drift)
    seldom = touch_probability(1, prices, sigma, time, drift=drift, step_hours=8)
    assert (np.diff(often) <= 1e-12).all()
    assert (seldom <= often + 1e-12).all()


@settings(deadline=None)
@given(levels, volatilities, hours)
def test_touching_grows_with_the_volatility_of_a_fair_price(
    level: float, sigma: float, time: float
) -> None:
    found = touch_probability(1, level, sigma * np.array([0.5, 1.0, 2.0]), time)
    assert (np.diff(found) >= -1e-12).all()


@settings(deadline=None)
@given(lower_prices, upper_prices, volatilities, hours, drifts)
def test_first_touches_sum_to_one_and_never_exceed_touches(
    lower: float, upper: float, sigma: float, time: float, drift: float
) -> None:
    found = first_touch(1, lower, upper, sigma, time, drift=drift)
    assert all(0 <= share <= 1 for share in found)
    assert sum(found) == pytest.approx(1, abs=1e-12)
    below = touch_probability(1, lower, sigma, time, drift=drift)
    above = touch_probability(1, upper, sigma, time, drift=drift)
    assert found.lower <= below + 1e-11
    assert found.upper <= above + 1e-11
    # Either is touched exactly when one of them is touched first.
    assert found.lower + found.upper >= max(below, above) - 1e-11


@settings(deadline=None)
@given(lower_prices, upper_prices, st.floats(0.05, 2.5), hours, drifts)
def test_a_price_upside_down_touches_the_other_level_first(
    lower: float, upper: float, sigma: float, time: float, drift: float
) -> None:
    # 1 / S is such a price too, with the growth sigma^2 - mu.
    found = first_touch(1, lower, upper, sigma, time, drift=drift)
    other = first_touch(1, 1 / upper, 1 / lower, sigma, time, drift=sigma**2 - drift)
    assert other.lower == pytest.approx(found.upper, abs=1e-10)
    assert other.upper == pytest.approx(found.lower, abs=1e-10)


@settings(deadline=None)
@given(lower_prices, volatilities, hours, drifts)
def test_with_the_other_level_out_of_reach_the_first_touch_is_the_touch(
    lower: float, sigma: float, time: float, drift: float
) -> None:
    found = first_touch(1, lower, 1e250, sigma, time, drift=drift)
    assert found.lower == pytest.approx(
        touch_probability(1, lower, sigma, time, drift=drift), abs=1e-10
    )


def test_both_series_agree_where_one_takes_over_from_the_other() -> None:
    # The change comes where the variance is half the squared width of the range.
    width = math.log(112 / 94)
    change = 0.5 * width**2 / 0.6**2 * HOURS_PER_YEAR
    before, after = (
        first_touch(100, 94, 112, 0.6, change * factor, drift=[-2.0, 0.0, 2.0])
        for factor in (1 - 1e-13, 1 + 1e-13)
    )
    assert before.lower == pytest.approx(after.lower, abs=1e-11)
    assert before.upper == pytest.approx(after.upper, abs=1e-11)


def test_extreme_inputs_give_probabilities_and_no_warning() -> None:
    rng = np.random.default_rng(5)
    count = 20_000
    sigma = np.exp(rng.uniform(np.log(1e-4), np.log(10), count))
    time = np.exp(rng.uniform(np.log(1e-3), np.log(1e6), count))
    drift = rng.uniform(-10, 10, count)
    upper = 1 + np.exp(rng.uniform(-6, 6, count))
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        found = np.array(first_touch(1, 1 / upper, upper, sigma, time, drift=drift))
        single = touch_probability(1, upper, sigma, time, drift=drift)
    for values in (found, single):
        assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
def test_the_survival_map_is_the_chance_of_touching_the_liquidation_price(
    side: int, *, inverse: bool
) -> None:
    leverage, time = np.array([[3.0], [10.0], [50.0]]), np.array([24.0, 168.0])
    found = liquidation_probability(side, leverage, 0.004, 0.6, time, inverse=inverse)
    price = liquidation_price(side, 1.0, 1.0, 1 / leverage, 0.004, inverse=inverse)
    assert found.shape == (3, 2)
    assert found == pytest.approx(touch_probability(1, price, 0.6, time))
    assert (np.diff(found, axis=0) > 0).all()


def test_a_position_without_a_liquidation_price_survives() -> None:
    assert liquidation_probability(LONG, 1, 0.0, 0.6, 8_760) == 0
    assert liquidation_probability(SHORT, 1, 0.004, 0.6, 8_760, inverse=True) == 0


def test_a_position_below_its_requirement_at_entry_is_liquidated_at_once() -> None:
    assert liquidation_probability([LONG, SHORT], 100, 0.02, 0.6, 1) == pytest.approx([1, 1])


def test_the_entry_price_itself_is_touched_at_once() -> None:
    assert touch_probability(100, 100, 0.6, 1) == 1


def test_one_number_in_gives_one_number_out() -> None:
    assert isinstance(touch_probability(100, 90, 0.6, 1), float)
    assert isinstance(first_touch(100, 90, 110, 0.6, 1).neither, float)
    assert isinstance(liquidation_probability(LONG, 10, 0.004, 0.6, 1), float)


def test_the_normal_tail_is_exact_to_twelve_digits() -> None:
    z = np.linspace(-8, 37, 2_001)
    exact = np.array([0.5 * math.erfc(value / math.sqrt(2)) for value in z])
    assert tail(z) == pytest.approx(exact, rel=1e-12, abs=0)
    assert tail_times_exp(np.zeros_like(z), z) == pytest.approx(exact, rel=1e-12, abs=0)


def test_the_scaled_tail_falls_like_one_over_x_far_out() -> None:
    far = np.array([1e3, 1e8, 1e300])
    assert scaled_erfc(far) * far * math.sqrt(math.pi) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lower_price": 105}, r"^lower_price must be below the entry price, was 105; "),
        ({"upper_price": 100}, r"^upper_price must be above the entry price, was 100; "),
        ({"volatility": 60}, r"^volatility must be above 0 and up to 10, was 60; looks like per"),
        ({"hours": -1}, r"^hours must be zero or more, was -1; "),
        ({"drift": float("nan")}, r"^drift must be a number, was nan; "),
        ({"step_hours": -1}, r"^step_hours must be zero or more, was -1; give 1 for hourly"),
        ({"hours": [1, 2], "volatility": [0.1] * 3}, r"^volatility and hours must have matching"),
    ],
)
def test_a_wrong_argument_is_named_with_its_rule(change: dict, message: str) -> None:
    arguments = {
        "entry_price": 100,
        "lower_price": 94,
        "upper_price": 112,
        "volatility": 0.6,
        "hours": 10,
    }
    with pytest.raises(ValueError, match=message):
        first_touch(**{**arguments, **change})

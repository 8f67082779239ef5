"""Rounding to ticks, lots and digits, where floats like 0.1 would mislead."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import LONG, SHORT, displayed_price, round_price, round_quantity
from leverage._grid import down_to, nearest_to, up_to


@pytest.mark.parametrize(
    ("direction", "expected"), [("nearest", 1_544.15), ("up", 1_544.2), ("down", 1_544.15)]
)
def test_a_price_goes_to_a_multiple_of_the_tick(direction: str, expected: float) -> None:
    assert round_price(1_544.1506, 0.05, direction=direction) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("direction", ["nearest", "up", "down"])
@pytest.mark.parametrize("tick", [0.1, 0.05, 0.01, 0.0005, 0.3, 2.5, 10, 1e-8])
def test_a_price_on_the_grid_stays_in_every_direction(tick: float, direction: str) -> None:
    for count in (1, 3, 7, 1_234, 987_654):
        price = count * tick  # carries a rounding error for most ticks
        exact = float(count * Fraction(str(tick)))
        assert round_price(price, tick, direction=direction) == exact  # type: ignore[arg-type]


def test_rounded_prices_have_no_stray_digits() -> None:
    assert str(round_price(913.1048, 0.05, direction="up")) == "913.15"
    assert str(round_price(0.1 + 0.2, 0.1)) == "0.3"


def test_a_tick_that_is_no_decimal_still_gives_its_multiples() -> None:
    assert round_price([1.0, 1.01], 1 / 3).tolist() == [1.0, 1.0]
    assert round_price(1.0, 1 / 7) == 1.0
    assert round_price(100.0, [1 / 3, 0.05, 1 / 7]).tolist() == pytest.approx([100] * 3, rel=1e-15)
    assert round_price(3e-20, 1e-20) == pytest.approx(3e-20)


def test_quantities_go_down_so_that_no_more_is_bought_than_intended() -> None:
    assert round_quantity(0.12399, 0.001) == 0.123
    assert round_quantity(0.0009, 0.001) == 0
    assert round_quantity(0.1231, 0.001, direction="up") == 0.124


def test_displayed_liquidation_prices_are_rounded_against_the_position() -> None:
    # Exact 5 739.0835 and 2 191.3867, shown 5 739.50 (long) and 2 191.35 (short).
    assert displayed_price(LONG, 5_739.0835, 0.5) == 5_739.5
    assert displayed_price(SHORT, 2_191.3867, 0.05) == 2_191.35


def test_displayed_no_liquidation_stays_what_it_is() -> None:
    assert displayed_price([LONG, SHORT], [0.0, math.inf], 0.1) == pytest.approx([0, math.inf])


def test_only_a_rounding_error_below_a_step_counts_as_the_step() -> None:
    assert round_quantity(1.9999999999, 1) == 2
    assert round_quantity(1.9995, 1) == 1
    assert round_quantity(1e12 + 0.995, 1) == 1e12


STEPS = st.sampled_from([1e-15, 1.2e-13, 1e-9, 1e-8, 0.0005, 0.01, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0])


@given(st.integers(1, 10**9), st.sampled_from([0, 0.25, 0.5, 0.75]), STEPS)
def test_numbers_and_arrays_are_rounded_by_one_rule(count: int, part: float, step: float) -> None:
    value = (count + part) * step
    for one, direction in ((nearest_to, "nearest"), (up_to, "up"), (down_to, "down")):
        single = one(value, step)
        assert round_price(value, step, direction=direction) == single  # type: ignore[arg-type]
        assert round_quantity([value], step, direction=direction).tolist() == [single]  # type: ignore[arg-type, union-attr]


@given(st.integers(1, 10**9), st.sampled_from([0, 0.25, 0.5, 0.75]), STEPS)
def test_a_multiple_is_the_float_closest_to_its_decimal(
    count: int, part: float, step: float
) -> None:
    exact = Fraction(str(step)) * count
    value = float(exact + Fraction(part) * Fraction(str(step)))
    above = exact + Fraction(str(step))
    assert down_to(value, step) == float(exact)
    assert up_to(value, step) == float(above if part else exact)
    assert nearest_to(value, step) == float(above if part >= 0.5 else exact)


def test_halfway_goes_up_whatever_the_float_of_the_price() -> None:
    # 1.015 / 0.01 is 101.49999999999999, 1.005 / 0.01 is 100.49999999999999.
    assert round_price([1.005, 1.015, 1.025], 0.01).tolist() == [1.01, 1.02, 1.03]
    assert round_price([0.5, 1.5, 2.5], 1).tolist() == [1, 2, 3]

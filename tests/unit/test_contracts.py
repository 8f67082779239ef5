"""Notional, profit, return, average entry, break-even and target against numbers done by hand."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import (
    LONG,
    SHORT,
    average_entry_price,
    break_even_price,
    net_pnl,
    notional,
    pnl,
    position_from_fills,
    price_move,
    recovery_return,
    roe,
    round_trip_cost,
    target_price,
)


def test_linear_notional_is_price_times_quantity_times_contract_size() -> None:
    assert notional(20_000, 0.5) == 10_000
    assert notional(0.03491, 1_141, contract_size=10) == pytest.approx(398.3231, rel=1e-12)


def test_inverse_notional_is_face_over_price_in_base_currency() -> None:
    assert notional(8_000, 1_000, inverse=True) == 0.125
    assert notional(40_000, 2, contract_size=100, inverse=True) == 0.005


@pytest.mark.parametrize(
    ("side", "exit_price", "expected"),
    [(LONG, 21_000, 500.0), (LONG, 19_000, -500.0), (SHORT, 21_000, -500.0), (SHORT, 19_000, 500)],
    ids=["long-up", "long-down", "short-up", "short-down"],
)
def test_linear_pnl_matches_hand_calculation(side: int, exit_price: float, expected: float) -> None:
    assert pnl(side, 20_000, exit_price, 0.5) == expected


def test_inverse_pnl_is_in_base_currency() -> None:
    assert pnl(LONG, 40_000, 50_000, 10_000, inverse=True) == pytest.approx(0.05, rel=1e-15)
    assert pnl(SHORT, 40_000, 50_000, 100, contract_size=100, inverse=True) == pytest.approx(-0.05)


def test_inverse_pnl_keeps_its_digits_when_the_price_hardly_moves() -> None:
    entry, exit_ = 65_432.1, 65_432.1000001
    exact = 1_000_000 * (1 / Fraction(entry) - 1 / Fraction(exit_))
    assert pnl(LONG, entry, exit_, 1_000_000, inverse=True) == pytest.approx(
        float(exact), rel=1e-14
    )


def test_unchanged_price_gives_plain_zero_for_a_short() -> None:
    assert str(pnl(SHORT, 100, 100, 2)) == "0.0"
    assert str(pnl(SHORT, [100, 100], 100, 2)) == "[0. 0.]"


def test_price_move_is_a_decimal_of_where_the_price_started() -> None:
    assert price_move(20_000, 21_000) == 0.05
    assert price_move(20_000, 19_000) == -0.05


def test_no_liquidation_price_is_a_move_of_everything_or_without_end() -> None:
    assert price_move(20_000, [0.0, np.inf]).tolist() == [-1, np.inf]  # type: ignore[union-attr]


def test_five_per_cent_at_ten_times_leverage_is_half_the_margin() -> None:
    assert roe(LONG, 10_000, 10_500, 10) == 0.5
    assert roe(SHORT, 10_000, 10_500, 10) == -0.5


def test_roe_is_the_pnl_over_the_initial_margin_at_entry() -> None:
    linear = pnl(LONG, 100, 105, 3) / (notional(100, 3) / 10)
    inverse = pnl(LONG, 100, 105, 3, inverse=True) / (notional(100, 3, inverse=True) / 10)
    assert roe(LONG, 100, 105, 10) == pytest.approx(linear)
    assert roe(LONG, 100, 105, 10, inverse=True) == pytest.approx(inverse)


def test_average_entry_price_weights_fills_by_size() -> None:
    assert average_entry_price([100, 120], [1, 3]) == 115


def test_inverse_average_entry_price_is_the_harmonic_mean() -> None:
    assert average_entry_price([10_000, 15_000], [50, 50], inverse=True) == pytest.approx(12_000)


def test_average_entry_price_works_along_the_last_axis() -> None:
    averages = average_entry_price([[100, 120], [100, 140]], [1, 3])
    assert averages == pytest.approx([115, 130])
    # 4 over 1/100 + 3/150, and 4 over 1/100 + 3/300
    averages = average_entry_price([[100, 150], [100, 300]], [1, 3], inverse=True)
    assert averages == pytest.approx([4 / 0.03, 4 / 0.02])
    # 2 over 1/100 + 1/100, and 4 over 2/100 + 2/100
    averages = average_entry_price(100, [[1, 1], [2, 2]], inverse=True)
    assert averages == pytest.approx([100, 100])


def test_average_entry_price_of_one_fill_is_its_price() -> None:
    assert average_entry_price(123.0, 4) == 123


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_profit_at_break_even_price_pays_both_fees(side: int, *, inverse: bool) -> None:
    price = break_even_price(side, 50_000, 0.0005, inverse=inverse)
    fees = round_trip_cost(50_000, price, 3, 0.0005, inverse=inverse)
    assert pnl(side, 50_000, price, 3, inverse=inverse) == pytest.approx(fees, rel=1e-9)


def test_break_even_price_without_fee_is_the_entry_price() -> None:
    assert break_even_price([LONG, SHORT], 50_000, 0.0) == pytest.approx([50_000, 50_000])


def test_a_rebate_moves_the_break_even_price_to_the_losing_side() -> None:
    assert break_even_price(LONG, 50_000, -0.0001) < 50_000


def test_target_price_is_for_a_linear_contract_unless_told_otherwise() -> None:
    # Half of a tenth: 5 % of the price, or of the amount of coins.
    assert target_price(LONG, 100, 10, 0.5) == pytest.approx(105)
    assert target_price(SHORT, 100, 10, 0.5) == pytest.approx(95)
    assert target_price(LONG, 100, 10, 0.5, inverse=True) == pytest.approx(100 / 0.95)


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("wanted", [-0.8, 0.0, 0.25, 1.5])
def test_target_price_inverts_roe(side: int, wanted: float, *, inverse: bool) -> None:
    price = target_price(side, 7_000, 5, wanted, inverse=inverse)
    assert roe(side, 7_000, price, 5, inverse=inverse) == pytest.approx(wanted, abs=1e-12)


def test_losing_half_needs_a_doubling() -> None:
    assert recovery_return(0.5) == 1
    assert recovery_return([0.0, 0.2, 0.9]) == pytest.approx([0, 0.25, 9])


@pytest.mark.parametrize(
    "price",
    [100, 100.0, Decimal(100), Fraction(100), np.int64(100), np.float32(100), np.array(100)],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_single_number_gives_a_float(price: object) -> None:
    result = notional(price, 2)  # type: ignore[arg-type]
    assert type(result) is float
    assert result == 200


def test_lists_tuples_and_arrays_give_arrays() -> None:
    for prices in ([100, 200], (100, 200), np.array([100, 200])):
        result = notional(prices, 2)
        assert isinstance(result, np.ndarray)
        assert result.tolist() == [200, 400]


def test_an_empty_array_gives_an_empty_array() -> None:
    assert np.asarray(pnl(LONG, [], [], 1)).shape == (0,)


def test_arguments_are_not_changed() -> None:
    prices = np.array([100.0, 200.0])
    result = average_entry_price(prices, 1)
    notional(prices, 2)
    assert prices.tolist() == [100, 200]
    assert result == 150


# Displayed variants


def test_displayed_break_even_has_the_entry_fee_only() -> None:
    displayed = break_even_price([LONG, SHORT], [44_525, 100], [0.0004, 0.001], exit_fee_rate=0)
    assert displayed == pytest.approx([44_542.81, 99.9])
    assert break_even_price(LONG, 100, 0.001, exit_fee_rate=0) < break_even_price(LONG, 100, 0.001)


def test_break_even_with_what_was_booked_before() -> None:
    # (100 + 0.5 / 2) / 0.999 and (100 - 0.5 / 2) / 1.001
    booked = {"realised_pnl": -0.5, "quantity": 2, "exit_fee_rate": 0.001}
    assert break_even_price(LONG, 100, 0, **booked) == pytest.approx(100.25 / 0.999)
    assert break_even_price(SHORT, 100, 0, **booked) == pytest.approx(99.75 / 1.001)


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_break_even_with_the_entry_fee_booked_is_the_exact_break_even(
    side: int, *, inverse: bool
) -> None:
    fee = 0.0005 * float(notional(80, 3, contract_size=10, inverse=inverse))
    price = break_even_price(
        side,
        80,
        0,
        exit_fee_rate=0.0005,
        realised_pnl=-fee,
        quantity=3,
        contract_size=10,
        inverse=inverse,
    )
    assert price == pytest.approx(break_even_price(side, 80, 0.0005, inverse=inverse))


def test_a_long_that_booked_more_than_its_cost_has_no_break_even_price() -> None:
    booked = {"realised_pnl": 150, "quantity": 1}
    assert break_even_price(LONG, 100, 0.001, **booked) == 0
    assert break_even_price(SHORT, 100, 0.001, **booked, inverse=True) == np.inf


def test_what_was_booked_needs_the_size_that_is_open() -> None:
    with pytest.raises(ValueError, match="quantity must be given together with realised_pnl"):
        break_even_price(LONG, 100, 0.001, realised_pnl=1)


@pytest.mark.parametrize(("side", "cost", "inverse"), [(SHORT, -100.0, False), (LONG, -0.01, True)])
def test_a_cost_that_no_price_can_earn_is_rejected(
    side: int, cost: float, *, inverse: bool
) -> None:
    with pytest.raises(ValueError, match="realised_pnl must") as caught:
        break_even_price(side, 100, 0, realised_pnl=cost, quantity=1, inverse=inverse)
    assert str(caught.value) == (
        "realised_pnl must be a cost below the notional at entry, which is all that this position "
        f"can earn, was {cost:g}; check its sign and its currency"
    )


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_a_target_net_of_fees_leaves_the_return_that_was_asked_for(
    side: int, *, inverse: bool
) -> None:
    fees = {"exit_fee_rate": 0.0002, "inverse": inverse}
    price = target_price(side, 30_000, 10, 0.5, fee_rate=0.0005, **fees)
    earned = net_pnl(side, 30_000, price, 3, 0.0005, **fees)
    margin = notional(30_000, 3, inverse=inverse) / 10
    assert earned / margin == pytest.approx(0.5, rel=1e-12)


def test_a_target_net_of_fees_by_hand() -> None:
    # 0.1 BTC from 30 000 at 10x: 150 USDT net of 1.5 and 0.05 % of the exit: P = 31 515 / 0.9995.
    assert target_price(LONG, 30_000, 10, 0.5, fee_rate=0.0005) == pytest.approx(31_515 / 0.9995)
    assert target_price(SHORT, 30_000, 10, 0.5, fee_rate=0.0005) == pytest.approx(28_485 / 1.0005)


# Positions from fills


def test_adds_average_reductions_realise_and_flips_begin_anew() -> None:
    # 2 at 100 and 1 at 130 average 110; 1 closed at 140 earns 30, 2 closed at 120 earn 20.
    left = position_from_fills([100, 130, 140, 120], [2, 1, -1, -4])
    assert (left.side, left.quantity, left.entry_price) == (SHORT, 2, 120)
    assert left.realised_by_fill == (0, 0, 30, 20)
    assert left.realised_pnl == 50


def test_a_short_is_the_mirror_of_a_long() -> None:
    long = position_from_fills([100, 130, 140], [2, 1, -1])
    short = position_from_fills([100, 130, 140], [-2, -1, 1])
    assert (long.side, short.side) == (LONG, SHORT)
    assert long.entry_price == short.entry_price == 110
    assert long.realised_pnl == -short.realised_pnl == 30


def test_inverse_fills_average_by_coins_and_realise_coins() -> None:
    # 50 at 10 000 and 50 at 15 000 average 12 000; 100 closed at 16 000: 100 / 12 000 - 100 / 16 000.
    left = position_from_fills([10_000, 15_000, 16_000], [50, 50, -100], inverse=True)
    assert left.side == 0
    assert np.isnan(left.entry_price)
    assert left.realised_pnl == pytest.approx(100 / 12_000 - 100 / 16_000, rel=1e-14)


def test_fees_and_funding_are_kept_apart_from_the_profit() -> None:
    left = position_from_fills([100, 110], [1, -1], fees=[0.05, 0.055], funding=[-0.01, 0.02])
    assert (left.realised_pnl, left.fees) == (10, pytest.approx(0.105))
    assert left.funding == pytest.approx(0.01)
    assert left.net_pnl == pytest.approx(10 - 0.105 + 0.01)


def test_quantities_that_add_up_to_nothing_leave_nothing() -> None:
    # As floats, 0.1 + 0.2 - 0.3 leaves 5.6e-17.
    left = position_from_fills([100, 100, 110], [0.1, 0.2, -0.3])
    assert (left.side, left.quantity) == (0, 0)
    again = position_from_fills([100, 100, 110, 50], [0.1, 0.2, -0.3, 1])
    assert (again.side, again.entry_price) == (LONG, 50)


def test_a_contract_size_multiplies_the_profit() -> None:
    assert position_from_fills([100, 110], [5, -5], contract_size=0.001).realised_pnl == (
        pytest.approx(0.05)
    )


def test_labels_of_fills_must_be_one() -> None:
    prices = pd.Series([100.0, 110.0], index=[1, 2])
    assert position_from_fills(prices, pd.Series([1.0, -1.0], index=[1, 2])).realised_pnl == 10
    with pytest.raises(ValueError, match="signed_quantities must have the index of prices"):
        position_from_fills(prices, pd.Series([1.0, -1.0], index=[2, 1]))


@pytest.mark.parametrize(
    ("prices", "sizes", "message"),
    [
        ([], [], "prices must hold one price for each of at least one fill, had shape (0,); "),
        ([[100]], [[1]], "prices must hold one price for each of at least one fill, had shape "),
        ([100, 110], [1, 0], "signed_quantities must be other than 0, was 0 at index 1; leave out"),
    ],
)
def test_what_is_no_list_of_fills_is_refused(prices: Any, sizes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=" must ") as caught:
        position_from_fills(prices, sizes)
    assert str(caught.value).startswith(message)


@given(
    st.lists(
        st.tuples(st.integers(1, 10_000), st.integers(-50, 50).filter(bool)),
        min_size=1,
        max_size=20,
    ),
    st.booleans(),
)
def test_realised_and_open_profit_together_are_those_of_all_fills(
    fills: list[tuple[int, int]], inverse: bool
) -> None:
    prices = [price / 10 for price, _ in fills]
    sizes = [size / 100 for _, size in fills]
    left = position_from_fills(prices, sizes, inverse=inverse)
    last = Fraction(100)
    exact = sum(
        Fraction(str(size)) * (1 / price - 1 / last if inverse else last - price)
        for size, price in zip(sizes, (Fraction(str(p)) for p in prices), strict=True)
    )
    open_pnl = (
        pnl(left.side, left.entry_price, 100, left.quantity, inverse=inverse)
        if (left.side)
        else 0.0
    )
    assert left.realised_pnl + open_pnl == pytest.approx(float(exact), rel=1e-9, abs=1e-9)

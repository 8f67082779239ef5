"""Position sizes, odds and drawdowns against numbers done by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import (
    LONG,
    SHORT,
    break_even_win_rate,
    drawdown,
    expectancy,
    growth_rate,
    initial_margin,
    kelly_fraction,
    kelly_leverage,
    leverage_for_stop,
    liquidation_price,
    losing_streak_probability,
    loss_at_stop,
    max_drawdown,
    net_pnl,
    notional,
    quantity_for_risk,
    r_multiples,
    recovery_return,
    reward_to_risk,
    stop_against_liquidation,
)


def test_quantity_for_risk_without_fees_is_risk_over_distance() -> None:
    assert quantity_for_risk(LONG, 50_000, 49_000, 100) == pytest.approx(0.1)
    assert quantity_for_risk(SHORT, 50_000, 50_500, 100) == pytest.approx(0.2)
    assert quantity_for_risk(LONG, 50_000, 49_000, 100, contract_size=0.01) == pytest.approx(10)


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize(("side", "stop"), [(LONG, 48_000), (SHORT, 53_000)])
def test_the_stop_loses_the_risk_amount_with_both_fees(
    side: int, stop: float, *, inverse: bool
) -> None:
    quantity = quantity_for_risk(
        side, 50_000, stop, 7, fee_rate=0.0002, exit_fee_rate=0.0005, inverse=inverse,
        contract_size=10,
    )  # fmt: skip
    loss = net_pnl(
        side, 50_000, stop, quantity, 0.0002, exit_fee_rate=0.0005, inverse=inverse,
        contract_size=10,
    )  # fmt: skip
    assert loss == pytest.approx(-7)


@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize(("side", "stop"), [(LONG, 48_000), (SHORT, 53_000)])
def test_at_the_leverage_for_a_stop_liquidation_comes_at_the_stop(
    side: int, stop: float, *, inverse: bool
) -> None:
    chosen = leverage_for_stop(side, 50_000, stop, 0.005, closing_fee_rate=0.0006, inverse=inverse)
    margin = initial_margin(notional(50_000, 3, inverse=inverse), chosen)
    price = liquidation_price(
        side, 50_000, 3, margin, 0.005, closing_fee_rate=0.0006, inverse=inverse
    )
    assert price == pytest.approx(stop)


def test_leverage_for_a_stop_matches_hand_calculation() -> None:
    # Each 50 000 needs 2 500 to fall to 47 500, and 237.50 that must be left there.
    assert leverage_for_stop(LONG, 50_000, 47_500, 0.005) == pytest.approx(50_000 / 2_737.5)


def test_leverage_for_a_very_wide_stop_is_below_one() -> None:
    assert leverage_for_stop(SHORT, 100, 250, 0.005) < 1


def test_a_stop_beyond_liquidation_never_acts() -> None:
    assert stop_against_liquidation(LONG, 100, [96, 90, 85], 90) == pytest.approx([0.4, 1, 1.5])
    assert stop_against_liquidation(SHORT, 100, 104, 110) == pytest.approx(0.4)


def test_without_liquidation_any_stop_comes_first() -> None:
    assert stop_against_liquidation(LONG, 100, 40, 0.0) == pytest.approx(0.6)
    assert stop_against_liquidation(SHORT, 100, 140, math.inf) == 0


def test_a_stop_may_be_nearer_to_its_liquidation_than_one_unit_of_money() -> None:
    # 0.25 of the way of 0.5 from 2 to 1.5
    assert stop_against_liquidation(LONG, 2, 1.875, 1.5) == 0.25


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_stop_at_the_entry_price_is_no_stop(side: int) -> None:
    with pytest.raises(ValueError, match=r"^stop_price must be below the entry price"):
        quantity_for_risk(side, 100, 100, 1, fee_rate=0.001)


def test_liquidation_at_the_entry_price_leaves_no_room_either() -> None:
    with pytest.raises(ValueError, match=r"^liquidation_price must be on the losing side"):
        stop_against_liquidation(SHORT, 100, 110, 100)


def test_liquidation_on_the_profitable_side_leaves_no_room_for_a_stop() -> None:
    with pytest.raises(ValueError, match="liquidation_price must") as caught:
        stop_against_liquidation(LONG, 100, 90, 101)
    assert str(caught.value) == (
        "liquidation_price must be on the losing side of the entry price, was 101; "
        "a position that is liquidated at once has no use for a stop"
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: quantity_for_risk(LONG, 100, 99.9, 1, fee_rate=-0.01),
        lambda: reward_to_risk(LONG, 100, 99.9, 110, fee_rate=-0.01),
    ],
    ids=["quantity", "reward"],
)
def test_a_rebate_that_pays_for_the_loss_is_rejected(call: object) -> None:
    with pytest.raises(ValueError, match="fee_rate must") as caught:
        call()  # type: ignore[operator]
    assert str(caught.value) == (
        "fee_rate must be a rebate smaller than the loss at the stop, was -0.01; check the rate"
    )


def test_a_rebate_that_equals_the_loss_is_rejected() -> None:
    # From 3 to 1 a long loses 2 and is paid half of 3 and half of 1.
    with pytest.raises(ValueError, match=r"^fee_rate must be a rebate smaller"):
        quantity_for_risk(LONG, 3, 1, 1, fee_rate=-0.5)
    with pytest.raises(ValueError, match=r"^fee_rate must be a rebate smaller"):
        reward_to_risk(LONG, 3, 1, 5, fee_rate=-0.5)


def test_reward_to_risk_of_long_and_short() -> None:
    assert reward_to_risk(LONG, 100, 98, 106) == pytest.approx(3)
    assert reward_to_risk(SHORT, 100, 102, 94) == pytest.approx(3)
    # 6 - 0.206 of profit over 2 + 0.198 of loss
    assert reward_to_risk(LONG, 100, 98, 106, fee_rate=0.001) == pytest.approx(5.794 / 2.198)
    # In coins a face of 1 gains 1/100 - 1/125 and loses 1/80 - 1/100.
    assert reward_to_risk(LONG, 100, 80, 125, inverse=True) == pytest.approx(0.002 / 0.0025)


def test_fees_can_eat_the_whole_target() -> None:
    assert reward_to_risk(LONG, 100, 99, 100.1, fee_rate=0.001) < 0


def test_break_even_win_rate_has_no_expectancy() -> None:
    assert break_even_win_rate(2) == pytest.approx(1 / 3)
    assert expectancy(break_even_win_rate(2), 2, 1) == pytest.approx(0)
    assert kelly_fraction(break_even_win_rate(2), 2) == pytest.approx(0)


def test_expectancy_of_a_record_is_the_mean_of_its_trades() -> None:
    assert expectancy(0.5, 250, 100) == np.mean([200, -100, -100, 300])


def test_a_record_of_nothing_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"^equities must hold at least one moment, was empty;"):
        drawdown([])


def test_r_multiples_measure_results_by_their_risk() -> None:
    assert r_multiples([250, -100], [100, 50]) == pytest.approx([2.5, -2])


def test_kelly_fraction_matches_hand_calculation() -> None:
    assert kelly_fraction(0.55, 1) == pytest.approx(0.1)
    assert kelly_fraction(0.4, 2) == pytest.approx(0.1)
    assert kelly_fraction(0.5, 0.5) == pytest.approx(-0.5)


def test_kelly_fraction_maximises_growth() -> None:
    shares = np.linspace(0, 0.9, 9_001)
    growth = 0.55 * np.log1p(1.5 * shares) + 0.45 * np.log1p(-shares)
    assert kelly_fraction(0.55, 1.5) == pytest.approx(shares[growth.argmax()], abs=1e-4)


def test_growth_is_greatest_at_the_kelly_leverage_and_nil_at_twice_it() -> None:
    best = kelly_leverage(0.2, 0.4)
    assert best == pytest.approx(1.25)
    assert growth_rate(best, 0.2, 0.4) == pytest.approx(0.2**2 / 0.4**2 / 2)
    assert growth_rate(2 * best, 0.2, 0.4) == pytest.approx(0)
    values = np.asarray(growth_rate(np.linspace(1, 3, 201), 0.2, 0.4))
    assert values.argmax() == 25


def test_drawdown_is_measured_from_the_highest_equity_so_far() -> None:
    assert drawdown([100, 120, 90, 150, 75, 0]) == pytest.approx([0, 0, 0.25, 0, 0.5, 1])
    assert max_drawdown([[100, 50, 200], [100, 110, 99]]) == pytest.approx([0.5, 0.1])
    assert max_drawdown(5) == 0
    assert str(drawdown([1, 2])) == "[0. 0.]"


def test_recovering_a_drawdown_takes_more_than_it_lost() -> None:
    assert recovery_return(max_drawdown([100, 60])) == pytest.approx(2 / 3)


def streaks_counted(win_rate: float, streak: int, trades: int) -> float:
    """Add up the probabilities of all outcomes with such a streak."""
    total = 0.0
    for outcome in itertools.product("WL", repeat=trades):
        if "L" * streak in "".join(outcome):
            wins = outcome.count("W")
            total += win_rate**wins * (1 - win_rate) ** (trades - wins)
    return total


@pytest.mark.parametrize("win_rate", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(("streak", "trades"), [(1, 1), (1, 4), (2, 2), (2, 7), (3, 9), (5, 4)])
def test_losing_streaks_agree_with_counting_all_outcomes(
    win_rate: float, streak: int, trades: int
) -> None:
    assert losing_streak_probability(win_rate, streak, trades) == pytest.approx(
        streaks_counted(win_rate, streak, trades), abs=1e-12
    )


@given(st.floats(0, 1), st.integers(1, 8), st.integers(1, 60))
def test_longer_streaks_are_never_likelier(win_rate: float, streak: int, trades: int) -> None:
    shorter, longer = (
        losing_streak_probability(win_rate, length, trades) for length in (streak, streak + 1)
    )
    assert longer + 1e-12 >= 0
    assert longer <= shorter + 1e-12


# The loss at the stop


def test_loss_at_the_stop_by_hand() -> None:
    # Filled at 49 000 * 0.999 = 48 951; 0.1 * 1 049 and 0.0005 of 5 000 and 4 895.1.
    loss = loss_at_stop(LONG, 50_000, 49_000, 0.1, fee_rate=0.0005, slippage=0.001)
    assert loss == pytest.approx(104.9 + 2.5 + 2.44755)
    # A short is filled above its stop: 51 000 * 1.001 = 51 051.
    loss = loss_at_stop(SHORT, 50_000, 51_000, 0.1, exit_fee_rate=0.001, slippage=0.001)
    assert loss == pytest.approx(105.1 + 5.1051)


def test_steps_round_the_exit_against_you_and_the_quantity_down() -> None:
    # 48 951.3 goes to 48 951 for a long and 51 048.7 to 51 049 for a short; 0.1239 to 0.123.
    steps = {"tick_size": 1, "lot_size": 0.001}
    long = loss_at_stop(LONG, 50_000, 48_951.3, 0.1239, **steps)
    short = loss_at_stop(SHORT, 50_000, 51_048.7, 0.1239, **steps)
    assert long == pytest.approx(0.123 * 1_049)
    assert short == pytest.approx(0.123 * 1_049)


@given(
    st.sampled_from([LONG, SHORT]),
    st.booleans(),
    st.floats(0.001, 0.5),
    st.floats(0, 0.004),
    st.floats(0, 0.02),
    st.sampled_from([None, 0.5, 1]),
    st.sampled_from([None, 0.001, 0.1]),
)
def test_the_quantity_for_a_risk_never_loses_more_at_the_stop(
    side: int,
    inverse: bool,
    distance: float,
    fee_rate: float,
    slippage: float,
    tick_size: float | None,
    lot_size: float | None,
) -> None:
    more = {
        "fee_rate": fee_rate,
        "slippage": slippage,
        "tick_size": tick_size,
        "lot_size": lot_size,
        "inverse": inverse,
    }
    stop = 1_000 * (1 - side * distance)
    risk = 0.05 if inverse else 50
    quantity = quantity_for_risk(side, 1_000, stop, risk, **more)
    if lot_size is not None and quantity == 0:
        return
    loss = loss_at_stop(side, 1_000, stop, quantity, **more)
    assert loss <= risk * (1 + 1e-9)
    if lot_size is None:
        assert loss == pytest.approx(risk, rel=1e-9)

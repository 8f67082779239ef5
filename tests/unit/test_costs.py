"""Fees and funding against numbers done by hand."""

import pytest

from leverage import (
    LONG,
    SHORT,
    borrowing_interest,
    fee_share_of_margin,
    funding_payment,
    funding_rate,
    initial_margin,
    net_pnl,
    notional,
    rollover_cost,
    round_trip_cost,
    trading_fee,
)


def test_fee_is_charged_on_the_notional() -> None:
    assert trading_fee(10_000, 0.0005) == 5


def test_a_negative_fee_rate_is_a_rebate() -> None:
    assert trading_fee(10_000, -0.0001) == -1


def test_round_trip_pays_the_fee_on_entry_and_on_exit() -> None:
    assert round_trip_cost(50_000, 52_000, 0.1, 0.0005) == pytest.approx(5.1)


def test_exit_may_have_another_fee_rate() -> None:
    cost = round_trip_cost(50_000, 52_000, 0.1, 0.0002, exit_fee_rate=0.0005)
    assert cost == pytest.approx(1 + 2.6)
    assert round_trip_cost(50_000, 52_000, 0.1, 0.0002, exit_fee_rate=0) == pytest.approx(1)


def test_inverse_round_trip_is_paid_in_base_currency() -> None:
    cost = round_trip_cost(10_000, 20_000, 100, 0.001, contract_size=100, inverse=True)
    assert cost == pytest.approx(0.001 * (1 + 0.5))


def test_fee_share_of_margin_grows_with_leverage() -> None:
    assert fee_share_of_margin([1, 10, 100], 0.0005) == pytest.approx([0.001, 0.01, 0.1])


def test_fee_share_of_margin_is_a_round_trip_at_an_unchanged_price() -> None:
    cost = round_trip_cost(50_000, 50_000, 0.1, 0.0005)
    margin = initial_margin(notional(50_000, 0.1), 20)
    assert fee_share_of_margin(20, 0.0005) == pytest.approx(cost / margin)


@pytest.mark.parametrize(
    ("side", "rate", "expected"),
    [(LONG, 0.0001, -6.9), (SHORT, 0.0001, 6.9), (LONG, -0.0001, 6.9), (SHORT, -0.0001, -6.9)],
    ids=["long-pays", "short-receives", "long-receives", "short-pays"],
)
def test_funding_flows_from_long_to_short_when_the_rate_is_positive(
    side: int, rate: float, expected: float
) -> None:
    assert funding_payment(side, 69_000, 1, rate) == pytest.approx(expected)


def test_inverse_funding_is_paid_in_base_currency() -> None:
    assert funding_payment(LONG, 50_000, 100, 0.0001, contract_size=100, inverse=True) == (
        pytest.approx(-0.00002)
    )


def test_a_funding_rate_of_zero_gives_plain_zero() -> None:
    assert str(funding_payment(LONG, 69_000, 1, 0)) == "0.0"


def test_net_profit_is_gross_less_fees_plus_funding() -> None:
    # 0.1 * 2 000 = 200, fees 0.0002 * 5 000 + 0.0005 * 5 200 = 3.6, funding paid 1.5
    profit = net_pnl(LONG, 50_000, 52_000, 0.1, 0.0002, exit_fee_rate=0.0005, funding=-1.5)
    assert profit == pytest.approx(200 - 3.6 - 1.5)
    assert net_pnl(SHORT, 50_000, 52_000, 0.1, 0.0002) == pytest.approx(-200 - 2.04)


def test_inverse_net_profit_is_in_coins() -> None:
    profit = net_pnl(LONG, 10_000, 20_000, 100, 0.001, contract_size=100, inverse=True)
    assert profit == pytest.approx(1 - 0.5 - 0.0015)


@pytest.mark.parametrize(
    ("premium", "expected"),
    [
        (0.0001, 0.0001),  # the interest itself
        (0.0006, 0.0001),  # 0.0006 - 0.0005: the last premium that the clamp takes back
        (0.0010, 0.0005),  # 0.0010 - 0.0005
        (-0.0004, 0.0001),  # -0.0004 + 0.0005
        (-0.0010, -0.0005),  # -0.0010 + 0.0005
        (0.0300, 0.0200),  # the cap
        (-0.0300, -0.0200),
    ],
)
def test_funding_rate_is_the_interest_until_the_premium_leaves_the_clamp(
    premium: float, expected: float
) -> None:
    assert funding_rate(premium, 0.0001, cap_rate=0.02) == pytest.approx(expected)


def test_funding_rate_without_clamp_is_the_premium() -> None:
    assert funding_rate([0.03, -0.03], 0.0001, clamp_rate=0) == pytest.approx([0.03, -0.03])


def test_an_hour_that_has_begun_costs_a_full_hour_of_interest() -> None:
    assert borrowing_interest(1_000, 0.0001, [0, 0.5, 1, 1.5]) == pytest.approx([0, 0.1, 0.1, 0.2])


def test_rollover_is_charged_for_full_intervals() -> None:
    assert rollover_cost(10_000, 0.0001, [3.9, 4, 74]) == pytest.approx([0, 1, 18])
    assert rollover_cost(10_000, 0.0001, 74, opening_rate=0.0001) == pytest.approx(19)
    assert rollover_cost(10_000, 0.0001, 74, interval_hours=8) == pytest.approx(9)


def test_rounding_errors_of_hours_neither_add_nor_lose_an_interval() -> None:
    assert borrowing_interest(1, 0.1, 3 * (0.1 + 0.2) / 0.3) == pytest.approx(0.3)
    assert borrowing_interest(1, 0.1, [1e-9, 24 + 1e-6]) == pytest.approx([0.1, 2.5])
    assert rollover_cost(1, 0.1, 0.3, interval_hours=0.1) == pytest.approx(0.3)
    assert rollover_cost(1, 0.1, 8 - 1e-6) == pytest.approx(0.1)

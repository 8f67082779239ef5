"""Fees and funding against numbers done by hand."""

import pytest

from leverage import (
    LONG,
    SHORT,
    fee_share_of_margin,
    funding_payment,
    initial_margin,
    notional,
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

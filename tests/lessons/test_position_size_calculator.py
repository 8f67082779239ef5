"""The position-size calculator: right sizes, a loud warning before a useless stop, all extremes."""

import math

import pytest
from explorers_opened import plain, set_all
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import LONG, SHORT, liquidation_price, net_pnl
from leverage.lessons.explorers.position_size_calculator import PositionSizeCalculator

LARGEST_AMOUNT = PositionSizeCalculator.account.high
LARGEST_DISTANCE_PCT = PositionSizeCalculator.stop_pct.high
LARGEST_FEE_PCT = PositionSizeCalculator.fee_pct.high
LARGEST_LEVERAGE = PositionSizeCalculator.leverage.high
LARGEST_RISK_PCT = PositionSizeCalculator.risk_pct.high
SMALLEST_ACCOUNT = PositionSizeCalculator.account.low
SMALLEST_DISTANCE_PCT = PositionSizeCalculator.stop_pct.low
SMALLEST_PRICE = PositionSizeCalculator.entry_price.low
SMALLEST_RISK_PCT = PositionSizeCalculator.risk_pct.low


@pytest.fixture(scope="module")
def shared():
    return PositionSizeCalculator()


def test_the_working_of_the_first_plan_is_the_hand_checked_one():
    rows = {name: plain(text) for name, text in PositionSizeCalculator().rows.items()}
    assert rows == {
        "Risk amount = account × risk": "10 000.00 × 1.00 % = 100.00 USDT",
        "Loss of one coin at the stop": "|50 000.00 − 48 000.00| = 2 000.00",
        "Fees of one coin": "0.050 % × (50 000.00 + 48 000.00) = 49.00",
        # 100 / 2049
        "Quantity = risk / (loss + fees)": "100.00 / (2 000.00 + 49.00) = 0.0488043 BTC",
        "Notional = quantity × entry": "0.0488043 × 50 000.00 = 2 440.21 USDT",
        "Margin = notional / leverage": "2 440.21 / 10 = 244.02 USDT",
        "Liquidation price": "45 180.72 USDT per BTC",
        # 50 000 / (0.004 * 48 000 + 2 000)
        "Largest leverage for this stop": "22.81×",
        # (48 000 - 45 180.72) / 50 000
        "From stop to liquidation, % of entry": "5.64 %",
        # (4 000 - 0.0005 * 104 000) / 2 049
        "Reward to risk after fees": "1.93",
        "Win rate at which that breaks even": "34.2 %",
        "Left out": "funding, slippage, tiers, and rounding to the venue's smallest step",
    }


def test_leverage_changes_the_margin_and_neither_size_nor_loss():
    calculator = PositionSizeCalculator()
    before = dict(calculator.rows)
    calculator.leverage.value = 20
    changed = {name for name, text in calculator.rows.items() if text != before[name]}
    assert changed == {
        "Margin = notional / leverage",
        "Liquidation price",
        "From stop to liquidation, % of entry",
    }


def test_liquidation_before_the_stop_is_said_loudly_and_taken_back():
    calculator = PositionSizeCalculator(leverage=25)
    assert calculator.is_liquidated_first
    assert '<p role="alert"' in calculator.html
    assert "<strong>Liquidated before the stop.</strong>" in calculator.html
    assert "the stop at 48 000.00 never acts" in plain(calculator.html)
    assert "At most 22.81× reaches this stop." in calculator.sentence
    assert calculator._picture._alarm.get_visible()
    calculator.leverage.value = 10
    assert not calculator.is_liquidated_first
    assert 'role="alert"' not in calculator.html
    assert not calculator._picture._alarm.get_visible()


def test_a_margin_above_the_account_is_an_alert_with_the_least_leverage():
    calculator = PositionSizeCalculator(risk_pct=10, stop_pct=1, fee_pct=0, leverage=5)
    assert '<p role="alert"' in calculator.html
    assert "Not enough money." in calculator.sentence
    assert "Take 10.00× or more" in calculator.sentence


@settings(max_examples=settings.default.max_examples * 40 // 100, deadline=None)
@given(
    side=st.sampled_from([LONG, SHORT]),
    account=st.floats(SMALLEST_ACCOUNT, LARGEST_AMOUNT),
    risk_pct=st.floats(SMALLEST_RISK_PCT, LARGEST_RISK_PCT),
    entry_price=st.floats(SMALLEST_PRICE, LARGEST_AMOUNT),
    stop_pct=st.floats(SMALLEST_DISTANCE_PCT, LARGEST_DISTANCE_PCT),
    leverage=st.integers(1, LARGEST_LEVERAGE),
    fee_pct=st.floats(0, LARGEST_FEE_PCT),
)
def test_the_stop_costs_the_risk_amount_and_is_named_late_where_it_is(
    shared, side, account, risk_pct, entry_price, stop_pct, leverage, fee_pct
):
    set_all(
        shared,
        side=side,
        account=account,
        risk_pct=risk_pct,
        entry_price=entry_price,
        stop_pct=stop_pct,
        leverage=leverage,
        fee_pct=fee_pct,
    )
    plan = shared._plan
    stop = entry_price * (1 - side * stop_pct / 100)
    gained = net_pnl(side, entry_price, stop, plan.quantity, fee_pct / 100)
    assert math.isclose(gained, -account * risk_pct / 100, rel_tol=1e-9)
    margin = plan.quantity * entry_price / leverage
    level = liquidation_price(side, entry_price, plan.quantity, margin, 0.004)
    if not math.isclose(level, stop, rel_tol=1e-9):
        assert shared.is_liquidated_first == (side * (stop - level) < 0)

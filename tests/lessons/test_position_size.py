"""The position-size calculator: right sizes, a loud warning before a useless stop, all extremes."""

import io
import itertools
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leverage import LONG, SHORT, liquidation_price, net_pnl
from leverage.lessons import figures
from leverage.lessons.explorers.position_size_calculator import (
    LARGEST_AMOUNT,
    LARGEST_DISTANCE_PCT,
    LARGEST_FEE_PCT,
    LARGEST_LEVERAGE,
    LARGEST_RISK_PCT,
    SMALLEST_ACCOUNT,
    SMALLEST_DISTANCE_PCT,
    SMALLEST_PRICE,
    SMALLEST_RISK_PCT,
    PositionSizeCalculator,
)


def plain(text):
    return text.replace("\u202f", " ")


def set_all(explorer, **values):
    with explorer.hold():
        for name, value in values.items():
            getattr(explorer, name).value = value


def check_all_is_said(explorer):
    text = plain(explorer.html + explorer.description)
    assert not re.search(r"\b(nan|inf|None|not a number|infinite)\b", text), text
    assert len(figures.check_description(explorer.description)) > 50
    assert Image.open(io.BytesIO(explorer.png())).size == (700, 400)


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


def test_a_stop_that_not_even_an_unleveraged_short_reaches_is_named():
    calculator = PositionSizeCalculator(
        side=SHORT, leverage=1, stop_pct=90, maintenance_margin_rate=0.2
    )
    assert calculator.is_liquidated_first
    assert "Not even 1× reaches this stop." in calculator.sentence


def test_a_margin_above_the_account_is_an_alert_with_the_least_leverage():
    calculator = PositionSizeCalculator(risk_pct=10, stop_pct=1, fee_pct=0, leverage=5)
    assert '<p role="alert"' in calculator.html
    assert "Not enough money." in calculator.sentence
    assert "Take 10.00× or more" in calculator.sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("side", SHORT),
        ("account", 2_500.0),
        ("risk_pct", 2.5),
        ("entry_price", 0.000012),
        ("stop_pct", 1.5),
        ("target_pct", 20.0),
        ("leverage", 3),
        ("fee_pct", 0.1),
    ],
)
def test_every_control_changes_the_picture_or_the_words(name, value):
    calculator = PositionSizeCalculator()
    before, words = calculator.png(), calculator.html
    getattr(calculator, name).value = value
    assert calculator.html != words
    # A larger account with the same shares of it is the same picture.
    assert (calculator.png() != before) == (name != "account")


def test_no_combination_of_extremes_breaks_the_arithmetic_or_the_picture(shared):
    for side, account, risk, entry, stop, target, leverage, fee in itertools.product(
        [LONG, SHORT],
        [SMALLEST_ACCOUNT, LARGEST_AMOUNT],
        [SMALLEST_RISK_PCT, LARGEST_RISK_PCT],
        [SMALLEST_PRICE, LARGEST_AMOUNT],
        [SMALLEST_DISTANCE_PCT, LARGEST_DISTANCE_PCT],
        [SMALLEST_DISTANCE_PCT, LARGEST_DISTANCE_PCT],
        [1, LARGEST_LEVERAGE],
        [0.0, LARGEST_FEE_PCT],
    ):
        set_all(
            shared,
            side=side,
            account=account,
            risk_pct=risk,
            entry_price=entry,
            stop_pct=stop,
            target_pct=target,
            leverage=leverage,
            fee_pct=fee,
        )
        check_all_is_said(shared)


@settings(max_examples=40, deadline=None)
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


def test_not_a_number_is_said_and_the_next_number_works():
    calculator = PositionSizeCalculator()
    calculator.account.value = math.nan
    assert "Enter a number for: Account (USDT)." in calculator.html
    calculator.account.value = 500
    assert "Enter a number" not in calculator.html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": 0}, "side must be 1"),
        ({"account": 0}, "account must be a number from 1 to"),
        ({"risk_pct": 101}, "risk_pct must be a number from 0.1 to 100, was 101"),
        ({"entry_price": -1}, "entry_price must be a number"),
        ({"stop_pct": 0}, "stop_pct must be a number from 0.1 to 90"),
        ({"target_pct": 95}, "target_pct must be a number from 0.1 to 90"),
        ({"leverage": 126}, "leverage must be a number from 1 to 125, was 126"),
        ({"fee_pct": True}, "fee_pct must be a number"),
        ({"maintenance_margin_rate": 1}, "maintenance_margin_rate must be from 0 to below 1"),
    ],
)
def test_impossible_arguments_are_refused_with_the_rule(arguments, message):
    with pytest.raises(ValueError, match=message):
        PositionSizeCalculator(**arguments)


def test_every_control_has_a_label_and_a_tooltip(shared):
    for control in shared._controls.values():
        assert control.description
        assert control.tooltip
        assert control.tabbable is not False


def test_currency_names_are_escaped_in_the_page():
    calculator = PositionSizeCalculator(base="<b>", quote="A&B")
    assert "<b>" not in calculator.html
    assert "A&amp;B per &lt;b&gt;" in calculator.html

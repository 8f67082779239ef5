"""Every error of the core: it names the argument, the rule, what was received and what to do."""

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

import leverage as lv
from leverage import _validate

TABLE = lv.TierTable.marginal([0, 100, 1_000], [0.005, 0.01], [50, 20])
VALID: dict[str, Any] = {
    "side": 1,
    "price": 100.0,
    "start_price": 100.0,
    "signed_quantities": [1.0, -2.0],
    "fees": 0.1,
    "slippage": 0.001,
    "end_price": 110.0,
    "prices": [100.0, 110.0],
    "entry_price": 100.0,
    "exit_price": 110.0,
    "mark_price": 105.0,
    "liquidation_price": 90.0,
    "quantity": 2.0,
    "quantities": [1.0, 2.0],
    "contract_size": 1.0,
    "notional": 200.0,
    "margin": 20.0,
    "leverage": 10.0,
    "equity": 20.0,
    "maintenance_margin": 1.0,
    "maintenance_margin_rate": 0.005,
    "maintenance_amount": 0.0,
    "closing_fee_rate": 0.0005,
    "fee_rate": 0.0005,
    "exit_fee_rate": 0.0005,
    "funding_rate": 0.0001,
    "target_roe": 0.2,
    "loss": 0.2,
    "tick_size": 0.1,
    "lot_size": 0.001,
    "direction": "up",
    "lower_bounds": [0.0, 100.0],
    "maintenance_margin_rates": [0.01, 0.02],
    "tiers": TABLE,
    "other_pnl": 5.0,
    "other_requirement": 1.0,
    "requirement_price": 100.0,
    "long_entry_price": 100.0,
    "long_quantity": 2.0,
    "short_entry_price": 105.0,
    "short_quantity": 1.0,
    "short_maintenance_margin_rate": 0.005,
    "balance": 50.0,
    "used_margin": 20.0,
    "level": 0.8,
    "values": [100.0, 50.0],
    "haircut": 0.02,
    "realised_pnl": -1.0,
    "funding": -1.0,
    "premium": 0.0002,
    "interest_rate": 0.0001,
    "clamp_rate": 0.0005,
    "cap_rate": 0.02,
    "borrowed": 1_000.0,
    "hours": 74.0,
    "interval_hours": 4.0,
    "position_cost": 10_000.0,
    "rollover_rate": 0.0001,
    "opening_rate": 0.0001,
    "stop_price": 95.0,
    "target_price": 120.0,
    "risk_amount": 10.0,
    "reward_to_risk": 2.0,
    "win_rate": 0.4,
    "average_win": 2.0,
    "average_loss": 1.0,
    "profits": [2.0, -1.0],
    "risks": 1.0,
    "expected_return": 0.1,
    "volatility": 0.6,
    "equities": [100.0, 120.0, 90.0],
    "streak": 5,
    "trades": 100,
    "positions": lv.Positions([1, -1], [100.0, 110.0], [1.0, 1.0], TABLE, coin=["BTC", "ETH"]),
    "moves": [-0.1, 0.1],
    "shocks": [-0.1, 0.1],
    "notionals": [100.0, -50.0],
    "volatilities": 0.04,
    "correlations": [[1.0, 0.5], [0.5, 1.0]],
    "returns": [[0.01, 0.02], [-0.02, -0.01], [0.03, 0.01]],
}

# Argument, a value that breaks its rule, and the whole message.
BROKEN_RULES = [
    ("side", 0, "side must be 1 (long) or -1 (short), was 0; use LONG or SHORT"),
    ("side", 0.5, "side must be 1 (long) or -1 (short), was 0.5; use LONG or SHORT"),
    ("side", -2, "side must be 1 (long) or -1 (short), was -2; use LONG or SHORT"),
    ("side", float("nan"), "side must be 1 (long) or -1 (short), was nan; use LONG or SHORT"),
    (
        "side",
        [1, -1, 0],
        "side must be 1 (long) or -1 (short), was 0 at index 2; use LONG or SHORT",
    ),
    ("side", True, "side must be 1 (long) or -1 (short), was True; use LONG or SHORT"),
    ("side", "long", "side must be 1 (long) or -1 (short), was 'long'; use LONG or SHORT"),
    (
        "price",
        0,
        "price must be positive, was 0; give a price in quote currency per unit of base currency",
    ),
    (
        "prices",
        [100, -5],
        "prices must be positive, was -5 at index 1; "
        "give a price in quote currency per unit of base currency",
    ),
    (
        "entry_price",
        -0.25,
        "entry_price must be positive, was -0.25; "
        "give a price in quote currency per unit of base currency",
    ),
    (
        "exit_price",
        0.0,
        "exit_price must be positive, was 0; "
        "give a price in quote currency per unit of base currency",
    ),
    (
        "mark_price",
        -1,
        "mark_price must be positive, was -1; "
        "give a price in quote currency per unit of base currency",
    ),
    (
        "liquidation_price",
        -1,
        "liquidation_price must be zero or more, was -1; give what liquidation_price returned",
    ),
    ("quantity", -0.1, "quantity must be positive, was -0.1; use side=-1 for a short position"),
    ("quantity", 0, "quantity must be positive, was 0; use side=-1 for a short position"),
    (
        "quantities",
        [[1, 2], [3, -4]],
        "quantities must be positive, was -4 at index (1, 1); use side=-1 for a short position",
    ),
    (
        "contract_size",
        0,
        "contract_size must be positive, was 0; give the amount that one contract stands for",
    ),
    (
        "notional",
        -200,
        "notional must be zero or more, was -200; "
        "give the size of the position; its direction belongs in side",
    ),
    (
        "margin",
        -5,
        "margin must be zero or more, was -5; give the collateral put up, without profit or loss",
    ),
    ("leverage", 0.5, "leverage must be 1 or more, was 0.5; give 10 for 10x"),
    ("leverage", -10, "leverage must be 1 or more, was -10; give 10 for 10x"),
    (
        "equity",
        float("inf"),
        "equity must be finite, was inf; check the calculation it came from",
    ),
    (
        "maintenance_margin",
        -1,
        "maintenance_margin must be zero or more, was -1; "
        "give the requirement as an amount of money",
    ),
    (
        "maintenance_margin_rate",
        5,
        "maintenance_margin_rate must be from 0 to below 1, was 5; "
        "looks like per cent: give 0.05 for 5 %",
    ),
    (
        "maintenance_margin_rate",
        -0.004,
        "maintenance_margin_rate must be from 0 to below 1, was -0.004; give 0.004 for 0.4 %",
    ),
    (
        "maintenance_amount",
        -50,
        "maintenance_amount must be zero or more, was -50; give the amount that the tier subtracts",
    ),
    (
        "closing_fee_rate",
        -0.0005,
        "closing_fee_rate must be from 0 to below 1, was -0.0005; give 0.0005 for 0.05 %",
    ),
    (
        "fee_rate",
        5,
        "fee_rate must be between -1 and 1, was 5; looks like per cent: give 0.05 for 5 %",
    ),
    (
        "fee_rate",
        -1,
        "fee_rate must be between -1 and 1, was -1; "
        "give 0.0005 for 0.05 %, a negative rate for a rebate",
    ),
    (
        "exit_fee_rate",
        [0.1, 2],
        "exit_fee_rate must be between -1 and 1, was 2 at index 1; "
        "looks like per cent: give 0.02 for 2 %",
    ),
    (
        "funding_rate",
        -3,
        "funding_rate must be between -1 and 1, was -3; looks like per cent: give -0.03 for -3 %",
    ),
    (
        "funding_rate",
        1,
        "funding_rate must be between -1 and 1, was 1; "
        "give 0.0001 for 0.01 %, a negative rate when shorts pay",
    ),
    (
        "target_roe",
        float("-inf"),
        "target_roe must be finite, was -inf; check the calculation it came from",
    ),
    ("loss", 50, "loss must be from 0 to below 1, was 50; looks like per cent: give 0.5 for 50 %"),
    (
        "loss",
        1,
        "loss must be from 0 to below 1, was 1; "
        "give 0.2 for a loss of 20 %; nothing makes good a total loss",
    ),
    (
        "tick_size",
        0,
        "tick_size must be positive, was 0; give the step between two prices, 0.1 for one decimal",
    ),
    (
        "lot_size",
        -1,
        "lot_size must be positive, was -1; give the step between two quantities, 0.001 for three decimals",
    ),
    (
        "direction",
        "sideways",
        "direction must be 'nearest' or 'up' or 'down', was 'sideways'; give one of them",
    ),
    (
        "signed_quantities",
        [1, float("inf")],
        "signed_quantities must be finite, was inf at index 1; check the calculation it came from",
    ),
    ("fees", float("inf"), "fees must be finite, was inf; check the calculation it came from"),
    (
        "slippage",
        -0.1,
        "slippage must be from 0 to below 1, was -0.1; give 0.001 for 0.1 % of the stop",
    ),
    (
        "start_price",
        0,
        "start_price must be positive, was 0; give a price in quote currency per unit of base currency",
    ),
    (
        "end_price",
        -1,
        "end_price must be zero or more, was -1; give a price, or what liquidation_price returned",
    ),
    (
        "lower_bounds",
        [-1, 1],
        "lower_bounds must be zero or more, was -1 at index 0; give the notional at which each tier begins",
    ),
    (
        "maintenance_margin_rates",
        [0.4, 1],
        "maintenance_margin_rates must be from 0 to below 1, was 1 at index 1; give 0.004 for 0.4 %",
    ),
    (
        "tiers",
        [0.1],
        "tiers must be a TierTable, was [0.1]; make one with TierTable.from_rows or TierTable.flat",
    ),
    (
        "other_pnl",
        float("inf"),
        "other_pnl must be finite, was inf; check the calculation it came from",
    ),
    (
        "other_requirement",
        -1,
        "other_requirement must be zero or more, was -1; give the maintenance margin of all other positions",
    ),
    (
        "requirement_price",
        0,
        "requirement_price must be positive, was 0; give a price in quote currency per unit of base currency",
    ),
    (
        "long_entry_price",
        -1,
        "long_entry_price must be positive, was -1; give a price in quote currency per unit of base currency",
    ),
    (
        "long_quantity",
        0,
        "long_quantity must be positive, was 0; give the size of each leg; a single leg has liquidation_price",
    ),
    (
        "short_entry_price",
        0,
        "short_entry_price must be positive, was 0; give a price in quote currency per unit of base currency",
    ),
    (
        "short_quantity",
        -2,
        "short_quantity must be positive, was -2; give the size of each leg; a single leg has liquidation_price",
    ),
    (
        "short_maintenance_margin_rate",
        1.4,
        "short_maintenance_margin_rate must be from 0 to below 1, was 1.4; looks like per cent: give 0.014 for 1.4 %",
    ),
    (
        "balance",
        float("-inf"),
        "balance must be finite, was -inf; check the calculation it came from",
    ),
    (
        "used_margin",
        -1,
        "used_margin must be zero or more, was -1; give the margin that open positions tie up",
    ),
    (
        "level",
        -0.8,
        "level must be from 0 to 10, was -0.8; give 0.8 for a margin level of 80 %",
    ),
    (
        "level",
        80,
        "level must be from 0 to 10, was 80; looks like per cent: give 0.8 for 80 %",
    ),
    (
        "values",
        [1, float("inf")],
        "values must be finite, was inf at index 1; check the calculation it came from",
    ),
    (
        "haircut",
        2,
        "haircut must be from 0 to 1, was 2; looks like per cent: give 0.02 for 2 %",
    ),
    (
        "realised_pnl",
        float("inf"),
        "realised_pnl must be finite, was inf; check the calculation it came from",
    ),
    (
        "funding",
        float("inf"),
        "funding must be finite, was inf; check the calculation it came from",
    ),
    (
        "premium",
        5,
        "premium must be between -1 and 1, was 5; looks like per cent: give 0.05 for 5 %",
    ),
    (
        "interest_rate",
        -1,
        "interest_rate must be between -1 and 1, was -1; give 0.0001 for 0.01 % per interval",
    ),
    (
        "clamp_rate",
        -0.1,
        "clamp_rate must be from 0 to below 1, was -0.1; give 0.0005 for 0.05 %",
    ),
    (
        "cap_rate",
        1,
        "cap_rate must be from 0 to below 1, was 1; give 0.02 for 2 %",
    ),
    (
        "borrowed",
        -1,
        "borrowed must be zero or more, was -1; give the amount borrowed",
    ),
    (
        "hours",
        -1,
        "hours must be zero or more, was -1; give the time since opening in hours",
    ),
    (
        "interval_hours",
        0,
        "interval_hours must be positive, was 0; give 4 for a fee every four hours",
    ),
    (
        "position_cost",
        -1,
        "position_cost must be zero or more, was -1; give the size times the entry price",
    ),
    (
        "rollover_rate",
        2,
        "rollover_rate must be from 0 to below 1, was 2; looks like per cent: give 0.02 for 2 %",
    ),
    (
        "opening_rate",
        -0.1,
        "opening_rate must be from 0 to below 1, was -0.1; give 0.0001 for 0.01 %",
    ),
    (
        "stop_price",
        0,
        "stop_price must be positive, was 0; give a price in quote currency per unit of base currency",
    ),
    (
        "stop_price",
        105,
        "stop_price must be below the entry price for a long and above it for a short, was 105; check side and stop",
    ),
    (
        "target_price",
        -1,
        "target_price must be positive, was -1; give a price in quote currency per unit of base currency",
    ),
    (
        "target_price",
        100,
        "target_price must be above the entry price for a long and below it for a short, was 100; check side and target",
    ),
    (
        "risk_amount",
        0,
        "risk_amount must be positive, was 0; give the loss you accept, as a positive amount",
    ),
    (
        "reward_to_risk",
        0,
        "reward_to_risk must be positive, was 0; give 2 when the target is twice as far as the stop",
    ),
    (
        "win_rate",
        55,
        "win_rate must be from 0 to 1, was 55; looks like per cent: give 0.55 for 55 %",
    ),
    (
        "win_rate",
        -0.1,
        "win_rate must be from 0 to 1, was -0.1; give 0.55 for 55 %",
    ),
    (
        "average_win",
        -1,
        "average_win must be zero or more, was -1; give the mean profit of the winning trades",
    ),
    (
        "average_loss",
        -1,
        "average_loss must be zero or more, was -1; give the mean loss of the losing trades, as a positive number",
    ),
    (
        "profits",
        [1, float("inf")],
        "profits must be finite, was inf at index 1; check the calculation it came from",
    ),
    (
        "risks",
        0,
        "risks must be positive, was 0; give the amount that each trade put at risk",
    ),
    (
        "expected_return",
        18,
        "expected_return must be between -10 and 10, was 18; looks like per cent: give 0.18 for 18 %",
    ),
    (
        "volatility",
        60,
        "volatility must be above 0 and up to 10, was 60; looks like per cent: give 0.6 for 60 %",
    ),
    (
        "volatility",
        0,
        "volatility must be above 0 and up to 10, was 0; give 0.6 for 60 % a year",
    ),
    (
        "equities",
        [float("inf")],
        "equities must be finite, was inf at index 0; check the calculation it came from",
    ),
    (
        "equities",
        [0, 1],
        "equities must be positive at the start, was 0; begin where there is something to lose",
    ),
    (
        "streak",
        0,
        "streak must be a whole number from 1 to 1000000, was 0; give the length of the losing streak",
    ),
    (
        "trades",
        2.5,
        "trades must be a whole number from 1 to 1000000, was 2.5; give the number of trades",
    ),
    (
        "positions",
        [1],
        "positions must be Positions, was [1]; make them with Positions(side, entry_price, quantity, tiers, coin=...)",
    ),
    (
        "moves",
        -1,
        "moves must be above -1, was -1; give -0.1 for a fall of 10 %",
    ),
    (
        "shocks",
        float("inf"),
        "shocks must be finite, was inf; check the calculation it came from",
    ),
    (
        "notionals",
        float("inf"),
        "notionals must be finite, was inf; check the calculation it came from",
    ),
    (
        "volatilities",
        40,
        "volatilities must be from 0 to 10, was 40; looks like per cent: give 0.4 for 40 %",
    ),
    (
        "correlations",
        [[1, 2], [2, 1]],
        "correlations must be from -1 to 1, was 2 at index (0, 1); give a matrix with ones on its diagonal",
    ),
    (
        "returns",
        [[1, float("inf")]],
        "returns must be finite, was inf at index (0, 1); check the calculation it came from",
    ),
]

# Values that are no number for any argument, and how the message goes on after its name.
NOT_NUMBERS = [
    (True, "must be a number, was True; give the number itself, not True or False"),
    (np.True_, "must be a number, was True; give the number itself, not True or False"),
    ([True, 2], "must be a number, was True at index 0; give the number itself, not True or False"),
    ("10x", "must be a number, was '10x'; turn text into a number first"),
    (np.array(["1"]), "must be a number, was '1' at index 0; turn text into a number first"),
    (None, "must be a number, was None; give an int, a float or an array of them"),
    (..., "must be a number, was Ellipsis; give an int, a float or an array of them"),
    (1 + 2j, "must be a number, was (1+2j); give an int, a float or an array of them"),
    ({}, "must be a number, was {}; give an int, a float or an array of them"),
    (float("nan"), "must be a number, was nan; fill in or drop missing values first"),
    (Decimal("nan"), "must be a number, was nan; fill in or drop missing values first"),
    (
        [1.0, None],
        "must be a number, was None at index 1; give an int, a float or an array of them",
    ),
    (
        pd.Series([1.0, np.nan]),
        "must be a number, was nan at index 1; fill in or drop missing values first",
    ),
    (
        pd.Series([1.0, None], dtype="Float64"),
        "must be a number, was nan at index 1; fill in or drop missing values first",
    ),
    (
        [1.0, pd.NA],
        "must be a number, was <NA> at index 1; give an int, a float or an array of them",
    ),
    (
        [[1.0, 2.0], [3.0]],
        "must be a number, was [1.0, 2.0] at index 0; make all rows of the array equally long",
    ),
    (
        np.ma.masked_array([1.0, 2.0], [False, True]),
        "must be complete, has masked values; fill in or drop them",
    ),
    (float("inf"), "must be finite, was inf; check the calculation it came from"),
    (10**400, "must be finite, was too large for a float; check the calculation it came from"),
]

FLAGS = {"inverse", "floating_margin"}
NO_NUMBERS = {"tiers", "positions", "direction"}
# Arguments whose length means something, so that a longer array is another error.
SHAPED = {"positions", "bounds", "lower_bounds", "correlations", "returns"}
FUNCTIONS = [value for name in lv.__all__ if inspect.isfunction(value := getattr(lv, name))]


def arguments_of(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in FLAGS]


ARGUMENTS = [(function, name) for function in FUNCTIONS for name in arguments_of(function)]


def has_default(function: Callable[..., Any], name: str, value: Any) -> bool:
    return inspect.signature(function).parameters[name].default is value


def call(function: Callable[..., Any], **changed: Any) -> Any:
    """Call with valid arguments, apart from those given."""
    names = arguments_of(function)
    return function(**{name: VALID[name] for name in names} | changed)


def error_of(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Call a function that must raise, and give the whole message."""
    with pytest.raises(ValueError, match=" must ") as caught:
        function(*args, **kwargs)
    return str(caught.value)


def error_or_nothing(function: Callable[..., Any], name: str, value: Any) -> str:
    try:
        call(function, **{name: value})
    except ValueError as error:
        return str(error)
    return ""


def argument_id(value: Any) -> str:
    return value.__name__ if callable(value) else str(value)


@pytest.mark.parametrize("function", FUNCTIONS, ids=argument_id)
def test_valid_arguments_raise_nothing(function: Callable[..., Any]) -> None:
    result = call(function)
    assert isinstance(result, lv.FilledPosition) or not np.isnan(result).any()


@pytest.mark.parametrize(("name", "value", "message"), BROKEN_RULES)
def test_a_broken_rule_is_reported_with_the_whole_message(
    name: str, value: Any, message: str
) -> None:
    functions = [function for function, argument in ARGUMENTS if argument == name]
    assert message in {error_or_nothing(function, name, value) for function in functions}


def test_every_argument_of_the_core_has_its_message_tested() -> None:
    assert {name for name, *_ in BROKEN_RULES} == {name for _, name in ARGUMENTS}


def test_every_rule_belongs_to_an_argument_of_the_core() -> None:
    assert {name for _, name in ARGUMENTS} - NO_NUMBERS <= set(_validate._RULES)


def test_each_kind_of_rule_has_its_words_and_its_interval() -> None:
    smallest, largest, below_one = 5e-324, 1.7976931348623157e308, 1 - 2**-53
    plain, decimal = (False, False, False), (True, False, False)
    made = [
        (_validate._positive("a"), ("positive", smallest, largest, "a", *plain)),
        (_validate._zero_or_more("a"), ("zero or more", 0, largest, "a", *plain)),
        (_validate._any_number("a"), ("a finite number", -largest, largest, "a", *plain)),
        (_validate._share("a"), ("from 0 to below 1", 0, below_one, "a", *decimal)),
        (
            _validate._signed_rate("a"),
            ("between -1 and 1", -below_one, below_one, "a", *decimal),
        ),
        (_validate._decimal(2, 3, "near", "a"), ("near", 2, 3, "a", *decimal)),
        (
            _validate._count(0, 1e6, "a"),
            ("a whole number from 0 to 1000000", 0, 1e6, "a", False, False, True),
        ),
    ]
    for rule, expected in made:
        assert rule == _validate.Rule(*expected)


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("win_rate", 100, "looks like per cent: give 1 for 100 %"),
        ("win_rate", 100.5, "give 0.55 for 55 %"),
        ("win_rate", 1.5, "looks like per cent: give 0.015 for 1.5 %"),
        ("win_rate", -2, "give 0.55 for 55 %"),
        ("expected_return", -1_000, "looks like per cent: give -10 for -1000 %"),
        ("expected_return", 1_000, "looks like per cent: give 10 for 1000 %"),
        ("expected_return", 1_001, "give 0.1 for 10 % a year"),
    ],
)
def test_a_value_looks_like_per_cent_where_a_hundredth_of_it_would_be_allowed(
    name: str, value: float, advice: str
) -> None:
    assert _validate._RULES[name].advice_on(value) == advice


@pytest.mark.parametrize(("value", "message"), NOT_NUMBERS)
def test_what_is_not_a_finite_number_is_rejected_with_the_whole_message(
    value: Any, message: str
) -> None:
    assert error_of(lv.initial_margin, 1_000, value) == f"leverage {message}"


@pytest.mark.parametrize(
    ("function", "name", "value"),
    [
        (function, name, value)
        for function, name in ARGUMENTS
        for value in (True, "1", None, float("nan"))
        if not has_default(function, name, value)
    ],
    ids=argument_id,
)
def test_every_argument_of_every_function_is_checked(
    function: Callable[..., Any], name: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be "):
        call(function, **{name: value})


@pytest.mark.parametrize(
    ("function", "name"),
    [(f, name) for f in FUNCTIONS for name in inspect.signature(f).parameters if name in FLAGS],
    ids=argument_id,
)
@pytest.mark.parametrize("value", ["no", 1, None], ids=repr)
def test_flags_must_be_true_or_false(function: Callable[..., Any], name: str, value: Any) -> None:
    assert (
        error_of(call, function, **{name: value})
        == f"{name} must be True or False, was {value!r}; give one of the two"
    )


@pytest.mark.parametrize(
    "function",
    [f for f in FUNCTIONS if len(arguments_of(f)) > 1 and not SHAPED & set(arguments_of(f))],
    ids=argument_id,
)
def test_mismatched_shapes_are_named(function: Callable[..., Any]) -> None:
    first, second = arguments_of(function)[:2]
    arrays = {
        name: np.repeat(np.ravel(VALID[name])[0], length)
        for name, length in ((first, 3), (second, 2))
    }
    assert error_of(call, function, **arrays) == (
        f"{first} and {second} must have matching shapes, were (3,) and (2,); "
        "give arrays of equal length, or single numbers"
    )


def test_shapes_clash_between_any_two_arguments() -> None:
    with pytest.raises(
        ValueError, match=r"^entry_price and margin must .* were \(3,\) and \(2,\);"
    ):
        lv.liquidation_price(1, [1, 2, 3], 1, [1, 2], 0.005)


def test_maintenance_amount_of_another_tier_is_rejected() -> None:
    assert error_of(lv.maintenance_margin, [100_000, 300_000], 0.01, maintenance_amount=1_300) == (
        "maintenance_amount must be at most notional * maintenance_margin_rate, "
        "was 1300 at index 0; give the rate and the amount of the tier that holds this notional"
    )


def test_requirement_and_closing_fee_together_stay_below_the_notional() -> None:
    assert error_of(lv.liquidation_price, 1, 100, 1, 10, 0.75, closing_fee_rate=0.5) == (
        "maintenance_margin_rate plus closing_fee_rate must be below 1, was 1.25; "
        "give both as decimals, 0.004 for 0.4 %"
    )
    assert "must be below 1, was 1;" in error_of(
        lv.liquidation_price, 1, 100, 1, 10, 0.75, closing_fee_rate=0.25
    )


@pytest.mark.parametrize(
    ("side", "target_roe", "inverse"),
    [(1, -10, False), (-1, 10, False), (1, 12, True), (-1, -10, True)],
    ids=["linear-long", "linear-short", "inverse-long", "inverse-short"],
)
def test_return_that_no_price_gives_is_rejected(
    side: int, target_roe: float, *, inverse: bool
) -> None:
    assert error_of(lv.target_price, side, 100, 10, target_roe, inverse=inverse) == (
        f"target_roe must be a return that some price gives, was {target_roe}; "
        "keep its size below the leverage"
    )


def test_average_of_no_fills_is_rejected() -> None:
    assert error_of(lv.average_entry_price, [], []) == (
        "prices must hold at least one fill, was empty; give the fills to average"
    )


def test_misspelt_keyword_is_python_s_own_error() -> None:
    with pytest.raises(TypeError, match="contract_sise"):
        lv.notional(1, 1, contract_sise=2)  # type: ignore[call-arg]

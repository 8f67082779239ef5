"""What every function of the core does around its formula: labels, limits of floats, slips."""

import inspect
import math
import tomllib
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import leverage as lv
from leverage import LONG, SHORT, CourseWarning, TierTable, survival

TABLE = TierTable.marginal([0, 50_000, 250_000, 1e6], [0.004, 0.005, 0.01], [125, 100, 50])
BOOK = {
    "side": pd.Series([1.0, -1.0, 1.0], index=["a", "b", "c"]),
    "entry_price": pd.Series([100.0, 200.0, 300.0], index=["a", "b", "c"]),
    "quantity": pd.Series([1.0, 2.0, 3.0], index=["a", "b", "c"]),
    "margin": pd.Series([10.0, 50.0, 60.0], index=["a", "b", "c"]),
}
# Functions whose last axis is no axis of rows, or that take no single numbers.
NOT_BY_ROW = {
    lv.average_entry_price,
    lv.position_from_fills,
    lv.collateral_value,
    lv.max_drawdown,
    lv.maintenance_amounts,
    lv.drawdown,
}
VALUES: dict[str, tuple[float, float, float]] = {
    "side": (1, -1, 1),
    "stop_price": (90, 220, 250),
    "level_price": (90, 220, 250),
    "lower_price": (90, 180, 250),
    "upper_price": (120, 220, 350),
    "hours": (8, 24, 240),
    "target_price": (120, 150, 400),
    "liquidation_price": (80, 250, 200),
    "leverage": (10, 5, 4),
    "win_rate": (0.4, 0.5, 0.6),
    "streak": (2, 3, 4),
    "trades": (10, 20, 30),
    "loss": (0.1, 0.2, 0.3),
    "target_roe": (0.1, 0.2, 0.3),
    "volatility": (0.5, 0.6, 0.7),
    "expected_return": (0.1, 0.2, 0.3),
    "level": (0.5, 0.8, 0.9),
    "maintenance_margin_rate": (0.004, 0.005, 0.01),
    "fee_rate": (0.0005, 0.0002, 0.0001),
    "funding_rate": (0.0001, -0.0001, 0.0002),
    "premium": (0.0001, -0.0001, 0.0002),
    "interest_rate": (0.0001, 0.0001, 0.0001),
    "rollover_rate": (0.0001, 0.0002, 0.0001),
    "tick_size": (0.1, 0.5, 1),
    "lot_size": (0.1, 0.5, 1),
}


def required(function: Callable[..., Any]) -> list[str]:
    """Names of the arguments without a default."""
    parameters = inspect.signature(function).parameters.values()
    return [one.name for one in parameters if one.default is one.empty]


BY_ROW = [
    function
    for name in lv.__all__
    if inspect.isfunction(function := getattr(lv, name))
    and function not in NOT_BY_ROW
    and function.__module__ != "leverage.portfolio"
] + [survival.touch_probability, survival.liquidation_probability, survival.first_touch]


def columns(function: Callable[..., Any]) -> dict[str, Any]:
    """Three rows of arguments, as arrays; a tier table stays one."""
    return {
        name: TABLE if name == "tiers" else np.array(VALUES.get(name, (100.0, 200.0, 300.0)))
        for name in required(function)
    }


@pytest.mark.parametrize("function", BY_ROW, ids=lambda function: function.__name__)
def test_series_in_give_series_out_with_their_index(function: Callable[..., Any]) -> None:
    plain = columns(function)
    index = pd.Index(["x", "y", "z"])
    labelled = {
        name: value if name == "tiers" else pd.Series(value, index=index)
        for name, value in plain.items()
    }
    expected, result = function(**plain), function(**labelled)
    pairs = (
        zip(expected, result, strict=True) if isinstance(result, tuple) else [(expected, result)]
    )
    for numbers, series in pairs:
        assert isinstance(series, pd.Series)
        assert series.index.equals(index)
        assert series.tolist() == numbers.tolist()


@pytest.mark.parametrize(
    "function",
    [function for function in BY_ROW if len({*required(function)} - {"tiers"}) > 1],
    ids=lambda function: function.__name__,
)
def test_two_indexes_are_refused_whatever_their_order_and_length(
    function: Callable[..., Any],
) -> None:
    plain = {name: value for name, value in columns(function).items() if name != "tiers"}
    whole = {name: pd.Series(value, index=list("xyz")) for name, value in plain.items()}
    first, second, *_ = plain
    for other in (whole[second].iloc[::-1], whole[second].iloc[:1], whole[second].iloc[1:]):
        arguments = columns(function) | whole | {second: other}
        with pytest.raises(ValueError, match=f"^{second} must have the index of {first}, in the "):
            function(**arguments)


def test_one_series_beside_numbers_and_arrays_keeps_its_index() -> None:
    result = lv.pnl(LONG, BOOK["entry_price"], [110, 190, 330], 1)
    assert isinstance(result, pd.Series)
    assert result.to_dict() == {"a": 10, "b": -10, "c": 30}
    with pytest.raises(ValueError, match=r"^exit_price must be one number, or one for each row"):
        lv.pnl(LONG, BOOK["entry_price"], [[110], [190]], 1)


def test_a_series_that_is_reduced_gives_a_number() -> None:
    assert lv.average_entry_price(BOOK["entry_price"], BOOK["quantity"]) == pytest.approx(1400 / 6)
    assert type(lv.max_drawdown(BOOK["entry_price"])) is float


def test_methods_of_a_tier_table_keep_the_index_too() -> None:
    value = BOOK["entry_price"] * 1_000
    for method in (TABLE.maintenance_margin, TABLE.tier_number, TABLE.max_leverage):
        result = method(value)
        assert isinstance(result, pd.Series)
        assert result.tolist() == method(value.to_numpy()).tolist()
        assert result.index.equals(value.index)


@pytest.mark.parametrize("function", BY_ROW, ids=lambda function: function.__name__)
def test_a_data_frame_is_refused(function: Callable[..., Any]) -> None:
    plain = columns(function)
    name = next(name for name in plain if name != "tiers")
    with pytest.raises(ValueError, match=rf"^{name} must be numbers, .* was a DataFrame; give one"):
        function(**plain | {name: pd.DataFrame({"x": plain[name]})})


# Limits of floats

EXTREMES = [1e308, 1e200, 1e-200, 1e-308, 1e-320]


@pytest.mark.parametrize("function", BY_ROW, ids=lambda function: function.__name__)
@given(data=st.data())
def test_numbers_near_the_limits_of_a_float_give_a_result_or_a_sentence(
    function: Callable[..., Any], data: st.DataObject
) -> None:
    arguments = {
        name: TABLE
        if name == "tiers"
        else data.draw(st.sampled_from([*EXTREMES, *VALUES.get(name, (100.0,))]), label=name)
        for name in required(function)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            result = function(**arguments)
        except ValueError as error:
            assert " must be " in str(error)  # noqa: PT017 - either end is right
            return
    assert not np.isnan(result).any()


def test_a_product_beyond_all_floats_is_named_by_its_largest_factor() -> None:
    with pytest.raises(ValueError, match="price must be of a size") as caught:
        lv.notional(1e308, 1e10)
    assert str(caught.value) == (
        "price must be of a size that can be multiplied and divided, was 1e+308, and the result is "
        "larger than any float; check the units of what you give"
    )


@pytest.mark.parametrize(
    "number",
    [
        2**53 + 1,
        -(2**53) - 1,
        10**17 + 1,
        np.int64(2**53 + 1),
        np.uint64(2**53 + 1),
        Decimal(2**53 + 1),
        [1, 2**53 + 1],
        np.array([2**60 + 1]),
    ],
    ids=repr,
)
def test_a_whole_number_that_a_float_would_change_is_refused(number: Any) -> None:
    with pytest.raises(ValueError, match="equity must be a number that a float can hold, was"):
        lv.free_margin(number, 1)


@pytest.mark.parametrize("number", [2**53, 2**60, 10**18, np.array([2**60]), Decimal(10) ** 18])
def test_a_large_whole_number_that_a_float_holds_is_taken(number: Any) -> None:
    assert np.all(np.asarray(lv.free_margin(number, 0)) == np.asarray(number, dtype=np.float64))


@pytest.mark.parametrize(
    "text",
    ["100", np.str_("100"), b"100", np.bytes_(b"100"), [np.str_("1")], np.timedelta64(5, "s")],
)
def test_text_and_times_are_no_numbers_even_as_scalars_of_numpy(text: Any) -> None:
    with pytest.raises(ValueError, match="price must be a number, was "):
        lv.notional(text, 1)


# Signs of zero


@pytest.fixture(params=[0.0, -0.0], ids=["plus", "minus"])
def zero_of_maximum(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Let `maximum` give one sign of zero; WebAssembly keeps -0.0 in maximum(-0.0, 0.0)."""
    real = np.maximum

    def signed(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        return np.where(found == 0, request.param, found)

    signed.accumulate = real.accumulate  # type: ignore[attr-defined]
    monkeypatch.setattr(np, "maximum", signed)
    return float(request.param)


@pytest.mark.usefixtures("zero_of_maximum")
@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
@pytest.mark.parametrize("side", [LONG, SHORT], ids=["long", "short"])
def test_no_price_is_zero_or_plus_infinity_whatever_the_sign_of_zero(
    side: int, *, inverse: bool
) -> None:
    more = {"inverse": inverse}
    never = 0.0 if side == LONG else math.inf
    rich = 1e6
    found = [
        lv.liquidation_price(side, 100, 1, rich, 0.004, **more),
        lv.tiered_liquidation_price(side, 100, 1, rich, TABLE, **more),
        lv.bankruptcy_price(side, 100, 1, rich, **more),
    ]
    # A linear short and an inverse long die whatever backs them.
    if (side == LONG) != inverse:
        assert [str(price) for price in found] == [str(never)] * 3
        assert str(
            lv.tiered_liquidation_price(side, 100, 1, 0.01 if inverse else 100, TABLE, **more)
        ) == str(never)
    assert all(math.copysign(1, price) > 0 for price in found)
    hedged = lv.hedge_liquidation_price(100, 2, 100, 1, rich, 0.004, **more)
    assert math.copysign(1, hedged) > 0
    low, high = lv.tiered_hedge_liquidation_prices(100, 2, 100, 1, rich, TABLE, 100, **more)
    assert math.copysign(1, low) > 0
    assert math.copysign(1, high) > 0
    if (side == LONG) != inverse:
        booked = {"realised_pnl": 1e9, "quantity": 1, **more}
        assert str(lv.break_even_price(side, 100, 0.0005, **booked)) == str(never)


# Slips of per cent


def highest(*words: str) -> float:
    """Largest known fact of the venues whose name ends so."""

    def facts() -> Iterator[float]:
        for path in (Path(lv.__file__).parent / "venues").glob("*.toml"):
            data = tomllib.loads(path.read_text(encoding="utf-8"))
            for product in data.get("products", {}).values():
                for name, fact in product.get("facts", {}).items():
                    # What changed with time is a list of facts.
                    for one in fact if isinstance(fact, list) else [fact]:
                        if any(w in name for w in words) and isinstance(one["value"], float):
                            yield one["value"]

    return max(facts())


def test_the_warnings_begin_above_what_a_venue_of_the_course_charges() -> None:
    fee, rollover = highest("taker_fee", "maker_fee"), highest("opening_fee", "rollover_fee")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lv.trading_fee(10_000, fee)
        lv.rollover_cost(10_000, rollover, 8, opening_rate=rollover)
    with pytest.warns(CourseWarning, match=r"^fee_rate is .* above 0.4 %"):
        lv.trading_fee(10_000, fee * 1.01)
    with pytest.warns(CourseWarning, match=r"^rollover_rate is "):
        lv.rollover_cost(10_000, rollover * 1.01, 8)


def test_other_slips_of_per_cent_are_warned_of_above_what_is_known() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lv.funding_payment(LONG, 100, 1, [0.0025, -0.0025])
        lv.liquidation_price(LONG, 100, 1, 20, 0.15)
        TierTable([0, 1, 2], [0.15, 0.6])
        lv.loss_at_stop(LONG, 100, 90, 1, slippage=0.04)
    for call, message in (
        (
            lambda: lv.funding_payment(LONG, 100, 1, 0.01),
            r"^funding_rate is 0.01.* give 0.0001 for",
        ),
        (
            lambda: lv.funding_payment(LONG, 100, 1, [0.001, -0.03]),
            r"^funding_rate is -0.03, which",
        ),
        (lambda: lv.liquidation_price(LONG, 100, 1, 20, 0.4), r"^maintenance_margin_rate is 0.4, "),
        (lambda: TierTable.flat(0.5), r"^maintenance_margin_rates is 0.5, which is 50 %"),
        (lambda: TierTable([0, 1, 2], [0.4, 0.5]), "give 0.004 for 0.4 %"),
        (lambda: lv.quantity_for_risk(LONG, 100, 90, 1, slippage=0.1), "^slippage is 0.1, which"),
    ):
        with pytest.warns(CourseWarning, match=message):
            call()


@pytest.mark.filterwarnings("default::leverage.CourseWarning")
def test_a_slip_of_per_cent_is_warned_of_where_it_was_written() -> None:
    with pytest.warns(CourseWarning) as caught:
        assert lv.trading_fee(10_000, 0.05) == 500
    assert [Path(one.filename).name for one in caught] == [Path(__file__).name]
    assert str(caught[0].message) == (
        "fee_rate is 0.05, which is 5 %: above 0.4 %, the most that a venue of the course charges; "
        "give 0.0005 for 0.05 %"
    )


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (function, name)
        for function in (getattr(lv, one) for one in lv.__all__)
        if inspect.isfunction(function)
        for name in inspect.signature(function).parameters
        if name
        in {"fee_rate", "exit_fee_rate", "closing_fee_rate", "opening_rate", "rollover_rate"}
        and function.__module__ != "leverage.portfolio"
    ],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_every_fee_is_watched_for_per_cent(function: Callable[..., Any], name: str) -> None:
    arguments = {
        key: value if key == "tiers" else value[0] for key, value in columns(function).items()
    }
    with pytest.warns(CourseWarning, match=f"^{name} is 0.05, which is 5 %"):
        function(**arguments | {name: 0.05})

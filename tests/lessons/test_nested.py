"""Answers that are dictionaries and lists: right ones pass, the first difference is named."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage.lessons import CheckFailed
from leverage.lessons.checks import Check
from leverage.lessons.goals import AnswerError
from leverage.lessons.nested import first_mismatch, to_plain

RIGHT = [{"side": "sell", "amount": 0.02, "reduceOnly": True}]

plain_data = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts),
    max_leaves=8,
)


class EqualsEverything:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def said(answer: object, *, hidden: bool = False) -> str:
    check = Check("ch03_c_long", {"f": lambda: answer, "x": answer})
    if hidden:
        check.hidden()
    with pytest.raises(CheckFailed) as caught:
        check.data("f", (), RIGHT, hint="Close it.", hints={"side": "A long is sold."})
    return str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        RIGHT,
        ({"reduceOnly": np.True_, "amount": Fraction(1, 50), "side": np.str_("sell")},),
        [{"side": "sell", "amount": 0.02 + 1e-12, "reduceOnly": True}],
    ],
)
def test_a_right_answer_passes_in_any_order_of_keys_and_any_number_type(answer: object) -> None:
    check = Check("ch03_c_long", {"f": lambda: answer, "x": answer})
    assert check.data("f", (), RIGHT) == check.data("x", None, RIGHT)


@pytest.mark.usefixtures("second_try")
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            [{"side": "buy", "amount": 0.02, "reduceOnly": True}],
            "f()[0][\"side\"] is 'buy'; expected 'sell'.\nHint: A long is sold.",
        ),
        (
            [{"side": "sell", "amount": 0.04, "reduceOnly": True}],
            'f()[0]["amount"] is 0.04; expected 0.02.\nHint: Close it.',
        ),
        (
            [{"side": "sell", "amount": 0.02, "reduceOnly": 0}],
            'f()[0]["reduceOnly"] is 0; expected True.',
        ),
        (
            [{"side": "sell", "amount": 0.02}],
            "f()[0] has no key 'reduceOnly'; its keys are: side, amount.",
        ),
        (
            [{"side": "sell", "amount": 0.02, "reduceOnly": True, "price": 1}],
            "f()[0] has a key 'price' that is not asked for.",
        ),
        ([], "f() has 0 parts; expected 1."),
        (RIGHT[0], "f() is a dictionary; expected a list with 1 part."),
        ("sell", "f() is 'sell'; expected a list with 1 part."),
        (None, "returned None: end every path"),
        (
            [{"side": "sell", "amount": float("nan"), "reduceOnly": True}],
            'What stands at [0]["amount"] is nan',
        ),
        ([{1: "sell"}], "A key at [0] is 1; write keys as texts in quotes."),
        (EqualsEverything(), "What stands there is an object of type EqualsEverything"),
        ([EqualsEverything()], "What stands at [0] is an object of type EqualsEverything"),
        ([[[[[[[[1]]]]]]]], "nested too deep"),
    ],
)
def test_the_first_difference_is_named_with_its_place(answer: object, message: str) -> None:
    assert message in said(answer)


@pytest.mark.parametrize(
    "answer",
    [
        ({"side": "Sell", "amount": Fraction(1, 50), "reduceOnly": 1},),
        np.array([{"side": "sell.", "amount": 0.02, "reduceOnly": np.True_}]),
        pd.Series([{"side": "SELL", "amount": np.float32(0.02), "reduceOnly": 1.0}]),
    ],
)
def test_the_same_data_counts_in_any_dress(answer: object) -> None:
    Check("ch03_c_long", {"f": lambda: answer}).data("f", (), RIGHT)


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (np.array(["a", "b"]), ["a", "b"]),
        (pd.Series(["a", None, "b"]), ["a", None, "b"]),
        (np.array([1.0, math.nan]), [1.0, None]),
        (pd.DataFrame({"n": [1, 2]}), {"n": [1.0, 2.0]}),
        (pd.DataFrame({"n": [1]}, index=pd.Index(["x"], name="k")), {"k": ["x"], "n": [1.0]}),
        (range(2), [0.0, 1.0]),
    ],
)
def test_arrays_series_and_tables_are_plain_data(answer: object, plain: object) -> None:
    assert to_plain(answer) == plain


def test_a_blank_counts_as_not_answered_yet() -> None:
    assert "not answered yet" in said([{"side": ..., "amount": 0.02, "reduceOnly": True}])


def test_hidden_checks_show_neither_answer_nor_expectation() -> None:
    text = said([{"side": "buy", "amount": 0.02, "reduceOnly": True}], hidden=True)
    assert "f: side is not right." in text
    assert "A long is sold." in text
    assert "'sell'" not in text


def test_an_error_inside_the_function_is_told_as_in_other_checks() -> None:
    check = Check("ch03_c_long", {"f": lambda: 1 / 0})
    with pytest.raises(CheckFailed, match="ZeroDivisionError"):
        check.data("f", (), RIGHT)


@given(plain_data)
def test_plain_data_equals_itself_and_nothing_of_another_kind(data: object) -> None:
    mine = to_plain(data)
    assert first_mismatch(mine, to_plain(data), 1e-6) is None
    assert first_mismatch([mine], {"a": mine}, 1e-6) is not None


def test_what_is_no_plain_data_is_refused() -> None:
    with pytest.raises(AnswerError, match="function"):
        to_plain({"side": len})

"""Laws that hold for any number a learner gives or reads."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage.lessons import CheckFailed
from leverage.lessons.checks import Check
from leverage.lessons.plain import NotPlainError, to_array, to_number
from leverage.lessons.wording import THIN_SPACE, format_number, format_pair

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
PRICES = st.floats(1e-8, 1e8)
SIGNED = PRICES | PRICES.map(lambda price: -price)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.decimals()
    | st.just(...)
    | st.sampled_from([len, object, np, np.array(["a"]), b"1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=6,
)


def checked(answer, expected, **options):
    Check("ch01_a_value", {"x": answer}).value("x", expected, **options)


def verdict(run, names):
    try:
        run(Check("ch01_a_value", names))
    except CheckFailed as failed:
        return str(failed)
    return "right"


def sentence_or_number(convert, value):
    try:
        return not np.isnan(convert(value)).any()
    except NotPlainError as problem:
        return bool(problem.kind and problem.advice and "\n" not in str(problem))


def read(text):
    return float(text.replace(THIN_SPACE, ""))


@settings(deadline=None)
@given(FINITE)
def test_formatted_numbers_read_back_as_themselves(value):
    assert math.isclose(read(format_number(value)), value, rel_tol=1e-6, abs_tol=0.0)


@settings(deadline=None)
@given(st.integers(-(10**14), 10**14))
def test_whole_numbers_are_written_in_full(value):
    text = format_number(value)
    assert int(text.replace(THIN_SPACE, "")) == value
    assert all(len(group) == 3 for group in text.lstrip("-").split(THIN_SPACE)[1:])


@settings(deadline=None)
@given(FINITE, FINITE)
def test_two_different_numbers_are_never_written_alike(left, right):
    if left != right:
        assert len(set(format_pair(left, right))) == 2


@settings(deadline=None)
@given(SIGNED)
def test_the_exact_answer_passes_in_every_number_type(value):
    for answer in (
        value,
        Decimal(value),
        Fraction(value),
        np.float64(value),
        np.array([value]),
        np.array([value], dtype=object),
    ):
        checked(answer, value)
        checked([answer], [value])


@settings(deadline=None)
@given(SIGNED, st.floats(-0.9e-6, 0.9e-6))
def test_answers_within_the_tolerance_pass_at_any_size(value, error):
    checked(value * (1 + error), value)


@settings(deadline=None)
@given(SIGNED, st.floats(1.1e-6, 10) | st.floats(-10, -1.1e-6))
def test_answers_beyond_the_tolerance_fail_at_any_size(value, error):
    with pytest.raises(CheckFailed):
        checked(value * (1 + error), value)


@settings(deadline=None)
@given(SIGNED)
def test_flipped_signs_and_per_cent_are_recognised_at_any_size(value):
    for answer, says in [
        (-value, "sign is flipped"),
        (value * 100, "100 times too large"),
        (value / 100, "100 times too small"),
    ]:
        with pytest.raises(CheckFailed, match=says):
            checked(answer, value)


@settings(deadline=None)
@given(SIGNED, SIGNED)
def test_hidden_messages_are_the_same_whatever_the_numbers(answer, expected):
    check = Check("ch01_a_value", {"x": answer})
    check.hidden()
    if not math.isclose(answer, expected, rel_tol=0.02) and not any(
        math.isclose(answer, expected * factor, rel_tol=1e-5) for factor in (-1, 100, 0.01)
    ):
        with pytest.raises(CheckFailed) as failed:
            check.value("x", expected, hint="Look again")
        assert str(failed.value) == (
            "✗ 1.A value: not yet.\nA check with other numbers did not pass.\nHint: Look again."
        )


@settings(max_examples=settings.default.max_examples * 300 // 100, deadline=None)
@given(ANYTHING)
def test_any_object_is_a_number_or_gets_a_sentence(value):
    for convert in (to_number, to_array):
        assert sentence_or_number(convert, value)


@settings(max_examples=settings.default.max_examples * 200 // 100, deadline=None)
@given(ANYTHING)
def test_any_answer_to_any_check_passes_or_fails_with_a_message(value):
    names = {"x": value, "f": lambda number: value}
    for run in (
        lambda check: check.value("x", 3),
        lambda check: check.value("x", [1, 2]),
        lambda check: check.value("x", True),
        lambda check: check.value("x", "long"),
        lambda check: check.result("f", (1,), 3),
        lambda check: check.raises("f", (1,), ValueError),
        lambda check: check.order("x", ["b", "a"]),
        lambda check: check.number("x", low=0),
        lambda check: check.text("x", min_words=2),
    ):
        assert verdict(run, names).startswith(("right", "✗ 1.A value: not "))

"""What a learner reads when an answer is right, wrong, odd or missing."""

import subprocess
import sys
import warnings
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from leverage.lessons import AuthorError, CheckFailed, checks, progress
from leverage.lessons.wording import THIN_SPACE

RESULT = """check.result("position_value", (1_000, 10), 10_000, unit="USD",
    hint="Leverage multiplies the margin", mistakes={100: "You divided by the leverage"})"""
HIDDEN = "check.hidden()\n" + RESULT
RIGHT = "def position_value(margin, leverage):\n    return margin * leverage"


def returning(expression):
    return f"def position_value(margin, leverage):\n    return {expression}"


def plain_spaces(text):
    return text.replace(THIN_SPACE, " ")


def test_right_answer_prints_one_line_with_its_points(run):
    ran = run(RIGHT, RESULT)
    assert ran.error is None
    assert ran.printed == "✓ 1.A value: correct. 2 of 2 points.\n"


@pytest.mark.usefixtures("second_try")
def test_wrong_answer_says_what_came_what_was_expected_and_the_next_step(run):
    ran = run(returning("margin / leverage"), RESULT)
    assert isinstance(ran.error, CheckFailed)
    assert plain_spaces(ran.message).splitlines() == [
        "✗ 1.A value: not yet.",
        "position_value(1000, 10) returned 100 USD; expected 10 000 USD.",
        "Hint: You divided by the leverage.",
    ]


def test_unknown_item_is_checked_without_points(run):
    assert run(RIGHT, RESULT, item="ch99_z_new").printed == "✓ 99.Z new: correct.\n"


@pytest.mark.parametrize("content", [None, "not JSON", "[]", '{"chapters": 1}'])
def test_missing_course_data_never_breaks_a_check(run, monkeypatch, tmp_path, content):
    monkeypatch.undo()
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    monkeypatch.setenv("LEVERAGE_LESSON_DATA", str(tmp_path))
    if content is not None:
        (tmp_path / "course.json").write_text(content, encoding="utf-8")
    assert run(RIGHT, RESULT).printed == "✓ 1.A value: correct.\n"


class Side(IntEnum):
    LONG = 1


@pytest.mark.parametrize(
    "answer",
    [
        1,
        1.0,
        Decimal("1.0"),
        Fraction(2, 2),
        Side.LONG,
        np.int8(1),
        np.uint64(1),
        np.float32(1),
        np.float64(1),
        np.longdouble(1),
        np.array(1),
        np.array([1.0]),
        np.array([Decimal(1)], dtype=object),
        pd.Series([1], index=["a"]),
        pd.Series([1], dtype="Int64"),
        pd.DataFrame({"x": [1.0]}),
        1.0000001,
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_way_to_write_the_right_number_passes(run, answer):
    assert run("", 'check.value("x", 1)', x=answer).error is None


@pytest.mark.parametrize(
    "answer",
    [
        [1, 2.5],
        (1, Decimal("2.5")),
        np.array([1, 2.5]),
        np.array([1, Fraction(5, 2)], dtype=object),
        np.ma.array([1, 2.5]),
        pd.Series([1, 2.5], index=[7, 3]),
        pd.Index([1, 2.5]),
        pd.DataFrame({"x": [1, 2.5]}),
        [np.float32(1), np.array([2.5])],
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "expected", [[1, 2.5], np.array([1, 2.5]), pd.Series([1, 2.5])], ids=["list", "array", "Series"]
)
def test_every_way_to_write_the_right_numbers_passes(run, answer, expected):
    assert run("", 'check.value("x", right)', x=answer, right=expected).error is None


def test_ranges_and_tables_pass_where_arrays_of_their_shape_are_expected(run):
    assert run("x = range(3)", 'check.value("x", [0, 1, 2])').error is None
    table = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    assert run("", 'check.value("x", [[1, 3], [2, 4]])', x=table).error is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("True", "x is True; give one number, not True or False"),
        ("np.True_", "not True or False"),
        ("np.array([True])", "an array of True and False"),
        ("float('nan')", "x is nan (not a number); look for 0 / 0"),
        ("np.array([float('nan')])", "nan (not a number)"),
        ("float('inf')", "x is infinity; expected 900 USD. Look for a division by zero"),
        ("None", "x is None; give one number"),
        ("'900'", "x is a text ('900'); give one number without quotes"),
        ("np.str_('900')", "a text ('900')"),
        ("b'900'", "a text of bytes"),
        ("900 + 0j", "a complex number; look for a square root"),
        ("np.complex128(900)", "a complex number"),
        ("lambda: 900", "the function <lambda> and not its result; call it"),
        ("len", "the function len and not its result"),
        ("float", "the function float and not its result"),
        ("[900]", "a list with 1 value; give one number without the brackets"),
        ("900,", "a tuple with 1 value; give one number without the comma"),
        ("[900, 1]", "a list with 2 values; give one number"),
        ("np.array([900, 1])", "an array with 2 numbers; give one number"),
        ("pd.Series([900, 1])", "a Series with 2 numbers"),
        ("pd.DataFrame({'a': [900, 1]})", "a table with 2 numbers"),
        ("{'x': 900}", "a dictionary; give one number, not a dictionary"),
        ("{900}", "a set, which has no order"),
        ("(n for n in [900])", "a generator"),
        ("map(int, '9')", "a map object; put list(...) around it"),
        ("np", "a module"),
        ("pd.NA", "a missing value"),
        ("pd.Timestamp(0)", "an object of type Timestamp"),
        ("10 ** 400", "too large"),
        ("np.array([])", "an array with 0 numbers"),
        ("object()", "an object of type object; give one number of type int or float"),
    ],
)
@pytest.mark.usefixtures("second_try")
def test_odd_answers_get_one_sentence_that_says_what_to_do(run, answer, says):
    ran = run(f"x = {answer}", 'check.value("x", 900, unit="USD")')
    assert isinstance(ran.error, CheckFailed)
    assert says in ran.message
    assert ran.message.startswith("✗ 1.A value: not yet.\n")
    assert len(ran.message.splitlines()) == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("5", "x is one number; expected a list of 3 numbers"),
        ("[1, 2]", "x is a list of 2 numbers; expected a list of 3 numbers"),
        ("[[1, 2, 3]]", "of shape 1 by 3; expected a list of 3 numbers"),
        ("[1, '2', 3]", "holds a text ('2') at [1]; give one number without quotes"),
        ("[1, True, 3]", "holds True at [1]"),
        ("[1, None, 3]", "holds None at [1]"),
        ("[1, float('nan'), 3]", "holds nan (not a number) at [1]"),
        ("np.array([1, np.nan, 3])", "holds nan (not a number) at [1]"),
        (
            "pd.Series([1, None, 3], dtype='Int64')",
            "at [1]; look for 0 / 0, or for a missing value",
        ),
        ("[1, pd.NA, 3]", "holds a missing value (NAType) at [1]"),
        ("[[1], [2, 3]]", "rows have different lengths"),
        ("[[[[[1]]]]]", "nested too deep"),
        ("np.array(['1', '2', '3'])", "an array of texts"),
        ("np.array([1j, 2, 3])", "an array of complex numbers"),
        ("np.ma.array([1, 2, 3], mask=[0, 1, 0])", "masked values"),
        ("None", "give a list of 3 numbers"),
        ("pd.Series(pd.to_datetime(['2024-01-01'] * 3))", "an array of dates"),
        ("[1, 2, 4]", "1 of 3 numbers not right yet; number [2] is 4; expected 3"),
    ],
)
@pytest.mark.usefixtures("second_try")
def test_odd_arrays_get_one_sentence_that_names_the_place(run, answer, says):
    ran = run(f"x = {answer}", 'check.value("x", [1, 2, 3])')
    assert isinstance(ran.error, CheckFailed)
    assert says in ran.message


def test_a_list_that_contains_itself_is_refused(run):
    ran = run("x = []\nx.append(x)", 'check.value("x", [1])')
    assert isinstance(ran.error, CheckFailed)


HOSTILE = """
class Chameleon:
    def __eq__(self, other): return True
    def __float__(self): return 900.0
    def __array__(self, *args, **kwargs): return np.array(900.0)
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __abs__(self): return 0.0
    def __bool__(self): return True
    __hash__ = None
    @property
    def __class__(self): return float
class Float(float):
    def __float__(self): return 900.0
    def __eq__(self, other): return True
    __hash__ = None
class Int(int):
    def __float__(self): return 900.0
    def __int__(self): return 900
    def __index__(self): return 900
class NumPy(np.float64):
    def __float__(self): return 900.0
    def __array__(self, *args, **kwargs): return np.array(900.0)
class Array(np.ndarray):
    def __array__(self, *args, **kwargs): return np.array(900.0)
    def astype(self, *args, **kwargs): return np.array(900.0)
class Series(pd.Series):
    def to_numpy(self, *args, **kwargs): return np.array(900.0)
class Text(str):
    def __eq__(self, other): return True
    def strip(self): return "b"
    def lower(self): return "b"
    __hash__ = None
class Broken:
    def __repr__(self): raise RuntimeError("no")
    def __eq__(self, other): raise RuntimeError("no")
"""


@pytest.mark.parametrize(
    "answer",
    [
        "Chameleon()",
        "[Chameleon()]",
        "np.array([Chameleon()], dtype=object)",
        "Float(1)",
        "Int(1)",
        "NumPy(1)",
        "np.array(1.0).view(Array)",
        "Series([1.0])",
        "Broken()",
    ],
)
@pytest.mark.parametrize("expected", ["900", "[900]"])
def test_objects_that_claim_to_be_right_do_not_pass(run, answer, expected):
    ran = run(f"{HOSTILE}\nx = {answer}", f'check.value("x", {expected})')
    assert isinstance(ran.error, CheckFailed)


@pytest.mark.parametrize(
    "check",
    [
        'check.option("x")',
        'check.order("x", ["b", "a"])',
        'check.number("x", low=0, high=1)',
        'check.table("x", pd.DataFrame({"a": [1]}))',
        'check.value("x", True)',
        'check.value("x", "long")',
        'check.text("x")',
        'check.that(x == 5, "x is not 5")',
        'check.choice("x", lambda x: () if x == 5 else ["x is not 5"])',
    ],
)
@pytest.mark.parametrize("answer", ["Chameleon()", "Broken()"])
def test_objects_that_claim_to_be_right_pass_no_kind_of_check(run, check, answer):
    item = "ch01_q1" if "option" in check else "ch01_a_value"
    ran = run(f"{HOSTILE}\nx = {answer}", check, item=item)
    assert ran.error is not None or check.startswith("check.that(x")
    if ran.error is None:
        assert answer == "Chameleon()"  # `that` decides on what the author's condition gave


@pytest.mark.usefixtures("second_try")
def test_texts_that_claim_to_be_right_do_not_pass(run):
    ran = run(f"{HOSTILE}\nx = Text('a')", 'check.option("x")', item="ch01_q1")
    assert "margin alone" in ran.message
    ran = run(f"{HOSTILE}\nx = Text('short')", 'check.value("x", "long")')
    assert "expected 'long'" in ran.message


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("", "position_value is not there yet: write your answer, run its cell"),
        ("position_value = ...", "position_value is still ...: replace the ..."),
        (returning("..."), "replace the ... with your answer"),
        (returning("margin * ..."), "position_value still holds ...: replace every ..."),
        (
            "def position_value(margin, leverage):\n    raise NotImplementedError()",
            "position_value still raises NotImplementedError: replace that line",
        ),
    ],
)
@pytest.mark.parametrize("check", [RESULT, HIDDEN], ids=["visible", "hidden"])
def test_unanswered_exercises_are_said_to_be_unanswered(run, answer, says, check):
    ran = run(answer, check)
    assert isinstance(ran.error, CheckFailed)
    assert ran.message.startswith("✗ 1.A value: not answered yet.\n")
    assert says in ran.message


@pytest.mark.parametrize("answer", ["x = ...", "x = [..., 2]", "x = (1, [...])"])
def test_blanks_left_in_a_value_are_found_at_any_depth(run, answer):
    assert "not answered yet" in run(answer, 'check.value("x", [1, 2])').message


def test_a_name_misspelt_by_the_learner_is_offered(run):
    ran = run(RIGHT.replace("position_value", "positionvalue"), RESULT)
    assert "Is it the one you called positionvalue?" in ran.message
    ran = run("Borrowed = 9", 'check.value("borrowed", 9)')
    assert "Is it the one you called Borrowed?" in ran.message


@pytest.mark.parametrize(
    "given",
    [
        "from leverage import liquidation_price as position_values",
        "import math as position_values",
        "from collections import OrderedDict as position_values",
        "position_values = np.add",
        "position_values = len",
    ],
)
def test_an_imported_name_is_never_offered_as_the_learners(run, given):
    message = run(given, RESULT).message
    assert "position_value is not there yet" in message
    assert "Is it the one" not in message


def test_builtins_do_not_answer_for_a_missing_name(run):
    assert "sum is not there yet" in run("", 'check.result("sum", ([1, 2],), 3)').message


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("position_value = 3", "position_value is not a function"),
        ("def position_value(margin):\n    return 1", "too many positional arguments"),
        ("def position_value(a, b, c):\n    return 1", "missing a required argument: 'c'"),
        (returning("margin / 0"), "stopped with ZeroDivisionError: division by zero, in line 2"),
        (returning("margn * 2"), "stopped with NameError: name 'margn' is not defined"),
        (returning("position_value(margin, leverage)"), "calls itself without end"),
        (returning("exit()"), "use return instead of exit() or quit()"),
        (returning("[].append(1)"), "returned None: end every path of your function with return"),
        (returning("print(margin * leverage)"), "did you print instead of return?"),
        ("def position_value(a, b):\n    yield a", "use return instead of yield"),
        ("async def position_value(a, b):\n    return a", "write def instead of async def"),
        (returning("lambda: margin"), "and not its result; call it"),
        (returning("len"), "returned the function len and not its result"),
        (returning("str(margin)"), "returned a text ('1000'); give one number without quotes"),
        (returning("(margin, leverage)"), "returned a tuple with 2 values"),
        (
            "class position_value:\n    def __init__(self, a, b): pass",
            "an object of type position_value",
        ),
        (
            "def position_value(a, b):\n    raise KeyboardInterrupt",
            "look for a loop that never ends",
        ),
        ("def position_value(a, b):\n    assert a < 0, 'negative'", "AssertionError: negative"),
    ],
)
def test_functions_that_fail_get_one_sentence(run, answer, says):
    ran = run(answer, RESULT)
    assert isinstance(ran.error, CheckFailed)
    assert says in ran.message
    assert ran.error.__suppress_context__


def test_waiting_for_input_is_not_taken_for_a_missing_answer(run):
    answer = """
    class StdinNotImplementedError(NotImplementedError): pass
    def position_value(a, b):
        raise StdinNotImplementedError
    """
    assert "waits for input()" in run(answer, RESULT).message


def test_an_error_that_cannot_show_itself_still_gets_a_sentence(run):
    answer = """
    class Rude(Exception):
        def __str__(self): raise RuntimeError
    def position_value(a, b):
        raise Rude
    """
    assert "stopped with Rude, in line 5" in run(answer, RESULT).message


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("-10_000", "the sign is flipped"),
        ("1_000_000", "100 times too large: did you multiply by 100?"),
        ("100", "You divided by the leverage"),
        ("100.0000001", "You divided by the leverage"),
        ("9_999.9", "close but not the same: a rounded number, or a step that is nearly right"),
        ("12_345", "Leverage multiplies the margin"),
    ],
)
def test_known_mistakes_are_named(run, answer, says):
    assert says in run(returning(answer), RESULT).message


def test_per_cent_for_decimal_and_rounding_are_named_without_being_listed(run):
    assert "100 times too large" in run("x = 0.4", 'check.value("x", 0.004)').message
    assert "100 times too small" in run("x = 0.4", 'check.value("x", 40)').message
    assert "rounded" in run("x = 33.33", 'check.value("x", 100 / 3, unit="%")').message
    assert "rounded" in run("x = 0.3333", 'check.value("x", 1 / 3)').message
    arrays = run("x = [5, 10]", 'check.value("x", [0.05, 0.1])')
    assert "100 times too large" in arrays.message


@pytest.mark.parametrize(
    ("answer", "unit", "says"),
    [
        (0.05, "%", "100 times too small: is it a decimal where per cent is asked?"),
        (500, "%", "100 times too large: was it in per cent already?"),
        (0.05, "", "100 times too small: is it a decimal where per cent is asked?"),
        (500, "", "100 times too large: is it per cent where a decimal is asked (5 % is 0.05)?"),
        (0.05, "USD", "100 times too small: did you divide by 100?"),
        (500, "x", "100 times too large: did you multiply by 100?"),
    ],
)
def test_an_answer_off_by_100_is_explained_in_the_words_of_its_unit(run, answer, unit, says):
    assert says in run(f"x = {answer}", f'check.value("x", 5, unit="{unit}")').message


@pytest.mark.parametrize("answer", [15_151, 15_150, 15_155])
def test_an_answer_off_by_more_than_a_ten_thousandth_is_not_called_close(run, answer):
    message = run(f"x = {answer}", 'check.value("x", 15_151.515152, hint="h")').message
    assert ("close" in message) == (answer == 15_151)
    assert message.endswith("h.")


def test_hints_are_shown_without_marks_of_markdown_and_with_every_product(run):
    check = 'check.value("x", 5, hint="Use the *side*: `2*x*y`, a*b or 2 * x * y, `x <= 3`")'
    message = run("x = 4", check).message
    assert message.endswith("Hint: Use the side: 2*x*y, a*b or 2 * x * y, x <= 3.")
    message = run("", 'check.that(1 > 2, "The *margin* is `m`")').message
    assert message.endswith("The margin is m.")


def test_a_mistake_recognised_without_being_listed_keeps_the_hint_of_the_exercise(run):
    message = run("x = -5", 'check.value("x", 5, hint="Shorts gain when prices fall")').message
    assert "sign is flipped. Shorts gain when prices fall." in message
    message = run("x = -5", 'check.value("x", 5, hint="h", mistakes={-5: "Listed"})').message
    assert message.endswith("Hint: Listed.")


def test_mistakes_of_arrays_are_tuples(run):
    check = 'check.value("x", [1, 2], mistakes={(2, 1): "The order is reversed"})'
    assert "Hint: The order is reversed." in run("x = [2, 1]", check).message


@pytest.mark.parametrize(
    ("answer", "expected", "shown"),
    [
        ("1234567.5", "10", "1 234 567.5"),
        ("0.000012", "0.000013", "0.000012; expected 0.000013"),
        ("0.0001", "0.0004", "0.0001; expected 0.0004"),
        ("50000.00000001", "1", "50 000"),
        ("1e-15", "1", "1e-15"),
        ("3e20", "1", "3e+20"),
        ("-2500", "1", "-2 500"),
    ],
)
@pytest.mark.usefixtures("second_try")
def test_numbers_in_messages_are_readable_and_keep_small_values(run, answer, expected, shown):
    message = run(f"x = {answer}", f'check.value("x", {expected})').message
    assert shown in plain_spaces(message)


@pytest.mark.usefixtures("second_try")
def test_numbers_that_differ_never_look_alike_in_a_message(run):
    check = 'check.value("x", 98_000, rel=0)'
    assert "98 000.0000001; expected 98 000" in plain_spaces(
        run("x = 98_000.0000001", check).message
    )


def test_expected_zero_forgives_rounding_noise_and_nothing_larger(run):
    assert run("x = 1e-12", 'check.value("x", 0)').error is None
    assert run("x = 0.000012", 'check.value("x", 0)').error is not None
    noisy = "def f(price): return price * 3 - price - price - price + 1e-8"
    assert run(noisy, 'check.result("f", (98_000,), 0)').error is None
    assert run("x = 0.4", 'check.value("x", 0, abs_tol=0.5)').error is None


@pytest.mark.parametrize(
    "answer", ["[True, False, True]", "np.array([1, 0, 1]) > 0", "pd.Series([1, 0, 1]) == 1"]
)
def test_true_and_false_count_as_one_and_zero_where_these_are_asked(run, answer):
    test = 'check.value("x", [1, 0, 1])'
    assert run(f"import pandas as pd\nx = {answer}", test).error is None
    assert run("def f(): return True", 'check.result("f", (), 1)').error is None
    assert "not True or False" in run("x = True", 'check.value("x", 1)').message
    assert "not True or False" in run("def f(): return True", 'check.result("f", (), 2)').message


def test_a_function_that_rounds_is_told_so_by_the_visible_check(run):
    test = 'check.result("f", (20_000, 10, 0.01), 22_000 / 1.01)'
    right = "def f(entry, leverage, rate): return entry * (1 + 1 / leverage) / (1 + rate)"
    assert run(right, test).error is None
    rounded = right.replace("return ", "return round(") + ", 2)"
    assert "The value is rounded: give the full number." in run(rounded, test).message


def test_mistakes_that_are_the_same_word_are_refused(run):
    for mistakes in ('{"Short": "a", "short.": "b"}', '{"Long": "a"}'):
        ran = run("x = 5", f'check.value("x", "long", mistakes={mistakes})')
        assert isinstance(ran.error, AuthorError)


def test_infinite_expected_values_want_the_same_infinity(run):
    assert run("x = float('inf')", 'check.value("x", float("inf"))').error is None
    for answer in ("-float('inf')", "1e308", "float('nan')"):
        assert run(f"x = {answer}", 'check.value("x", float("inf"))').error is not None


def test_truth_values_and_words_are_compared_as_such(run):
    for answer in ("np.True_", "1", "1.0", "np.int64(1)"):
        assert run(f"x = {answer}", 'check.value("x", True)').error is None
    for answer in ("' long '", "'Long'", "'LONG.'", "np.str_('long')"):
        assert run(f"x = {answer}", 'check.value("x", "long")').error is None
    assert "is True, which is not right" in run("x = 1", 'check.value("x", False)').message
    assert "give True or False" in run("x = 2", 'check.value("x", True)').message
    assert "give a text in quotes" in run("x = 1", 'check.value("x", "long")').message
    assert "is 'short'; expected 'long'" in run("x = 'short'", 'check.value("x", "long")').message


@pytest.mark.parametrize(
    "answer",
    [
        returning("margin / leverage"),
        returning("str(margin)"),
        returning("[margin, leverage]"),
        returning("print(margin)"),
        returning("{}[margin]"),
        returning("margin * leverage + 777_000"),
        returning("np.array([margin, 777])"),
        "def position_value(margin):\n    return margin",
        "def position_value(margin, leverage):\n    raise ValueError(margin, leverage, 777)",
    ],
)
def test_hidden_checks_tell_no_argument_value_or_expectation(run, answer):
    check = """
    check.hidden()
    check.result("position_value", (7_654, 32), 244_928, unit="USD", hint="Think again")
    """
    ran = run(answer, check)
    assert isinstance(ran.error, CheckFailed)
    assert "Hint: Think again." in ran.message
    told = plain_spaces(ran.message + ran.printed).replace(" ", "")
    for secret in ("7654", "7_654", "32", "244928", "239.1", "777", "USD"):
        assert secret not in told


@pytest.mark.parametrize(
    "check",
    [
        'check.order("x", ["b", "a", "q"])',
        'check.number("x", low=777)',
        'check.text("x", min_words=777)',
        'check.raises("f", (777,), ValueError)',
        'check.table("t", pd.DataFrame({"a": [777]}))',
        'check.value("x", 777)',
    ],
)
def test_every_kind_of_hidden_check_keeps_its_secrets(run, check):
    answer = "x = 5\nt = pd.DataFrame({'a': [1]})\ndef f(x): return x"
    ran = run(answer, f"check.hidden()\n{check}")
    assert isinstance(ran.error, CheckFailed)
    assert "777" not in ran.message
    assert "'q'" not in ran.message


def test_warnings_and_prints_of_an_answer_do_not_reach_standard_error(run, capfd):
    answer = """
    import logging, sys, warnings
    def position_value(margin, leverage):
        warnings.warn("old", FutureWarning)
        print("debug", file=sys.stderr)
        print("seen")
        np.float64(1) / np.float64(0)
        return margin * leverage
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ran = run(answer, RESULT)
    assert ran.error is None
    assert "seen" in ran.printed
    assert capfd.readouterr().err == ""


def test_an_answer_that_prints_without_end_is_cut_short(run):
    answer = returning("[print('x' * 1000) for _ in range(500)] and margin * leverage")
    ran = run(answer, RESULT)
    assert ran.error is None
    assert len(ran.printed) < 5_000


def test_an_answer_cannot_change_the_arguments_of_later_calls(run):
    answer = "def f(prices):\n    prices.append(9)\n    return len(prices) - 1"
    check = """
    prices = [1, 2]
    check.result("f", (prices,), 2)
    check.result("f", (prices,), 2)
    """
    assert run(answer, check).error is None


def test_first_failing_check_ends_the_cell(run):
    ran = run("x = 1\ny = 1", 'check.value("x", 2, hint="first")\ncheck.value("y", 2)')
    assert "first" in ran.message
    assert "y is" not in ran.message


@pytest.mark.usefixtures("second_try")
def test_a_failure_that_the_cell_swallows_still_fails(run):
    check = """
    try:
        check.value("x", 2)
    except AssertionError:
        pass
    """
    assert "x is 1; expected 2" in run("x = 1", check).message


def test_raises_wants_the_named_error(run):
    check = 'check.raises("f", (-1,), ValueError, hint="Refuse it")'
    assert run("def f(x): raise ValueError('x must be positive')", check).error is None
    returned = run("def f(x): return x", check).message
    assert "f(-1) returned -1; it should raise ValueError here.\nHint: Refuse it." in returned
    other = run("def f(x): return [][x]", check).message
    assert "IndexError: list index out of range" in other
    assert "It should raise ValueError here" in other
    assert "not answered yet" in run("def f(x): raise NotImplementedError", check).message
    assert "not answered yet" in run("def f(x): return ...", check).message
    wrong_call = run("def f(): pass", 'check.raises("f", (-1,), TypeError)').message
    assert "too many positional arguments" in wrong_call


@pytest.mark.parametrize(
    "answer",
    ["['b', 'a', 'c']", "('B', ' a ', 'c')", "'bac'", "'b, a, c'", "np.array(list('bac'))"],
)
def test_orders_of_lines_may_be_written_in_several_ways(run, answer):
    assert run(f"o = {answer}", 'check.order("o", ["b", "a", "c"])').error is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("['b', 'c', 'a']", "The first line fits; line 2 of o is not in its place yet"),
        ("['a', 'b', 'c']", "Hint: That is the alphabet"),
        ("['b', 'a']", "o has 2 lines; c is missing"),
        ("['b', 'a', 'c', 'c']", "o has c more often than needed"),
        ("['b', 'a', 'z']", "o has 'z', which does not belong there"),
        ("5", "o is 5; give a list such as ['a', 'b'] with the letters a to c"),
        ("['margin', 'b', 'a']", "o has 'margin', which does not belong there; give the letters"),
        ("[2, 1, 3]", "o has 2, which does not belong there; give the letters a to c"),
        ("[True, 'a', 'c']", "give a list such as"),
        ("[None]", "give a list such as"),
        ("...", "not answered yet"),
    ],
)
def test_wrong_orders_of_lines_are_explained(run, answer, says):
    check = 'check.order("o", ["b", "a", "c"], mistakes={"abc": "That is the alphabet"})'
    ran = run(f"o = {answer}", check)
    assert isinstance(ran.error, CheckFailed)
    assert says in ran.message


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("5", "give a list such as ['A', 'B'] with the letters A to E."),
        ("[4, 2, 5, 1, 3]", "o has 4, which does not belong there; give the letters A to E."),
        ("['d', 'b', 'e', 'a']", "o has 4 lines; C is missing."),
        ("list('dbeaca')", "o has A more often than needed."),
        ("['D', 'B', 'e', 'f', 'C']", "o has 'f', which does not belong there"),
    ],
)
def test_messages_on_orders_use_the_letters_of_the_lines(run, answer, says):
    assert says in run(f"o = {answer}", 'check.order("o", list("DBEAC"))').message
    assert run("o = list('dbeac')", 'check.order("o", list("DBEAC"))').error is None


def test_labels_that_are_no_row_of_letters_or_numbers_are_listed(run):
    assert "with A, C, D." in run("o = 5", 'check.order("o", ["D", "A", "C"])').message
    assert "[1, 2] with the numbers 1 to 3." in run("o = 5", 'check.order("o", [2, 1, 3])').message
    assert "with a, b10." in run("o = 5", 'check.order("o", ["b10", "a"])').message


def test_orders_of_numbered_lines_and_several_right_orders_are_known(run):
    assert run("o = [2, 1.0, np.int64(3)]", 'check.order("o", [2, 1, 3])').error is None
    several = 'check.order("o", [[2, 1, 3], [1, 2, 3]])'
    assert run("o = [1, 2, 3]", several).error is None
    assert run("o = [3, 2, 1]", several).error is not None


def test_form_of_a_number_is_checked_within_its_range(run):
    check = 'check.number("x", low=0, high=100, unit="USD")'
    for answer in ("0", "100", "np.float64(3.5)"):
        assert run(f"x = {answer}", check).error is None
    out = plain_spaces(run("x = 1_000", check).message)
    assert "x is 1 000 USD; give a number from 0 USD to 100 USD." in out
    assert "without quotes" in run("x = '3'", check).message
    assert "infinite" in run("x = float('inf')", 'check.number("x")').message
    assert "from 1 on" in run("x = 0", 'check.number("x", low=1)').message
    assert "up to 1" in run("x = 2", 'check.number("x", high=1)').message


def test_a_per_cent_below_one_is_accepted_with_a_question(run):
    check = 'check.number("x", low=0, high=100, unit="%")'
    ran = run("x = 0.05", check)
    assert ran.error is None
    assert ran.printed.splitlines()[1] == "That means 0.05 %. Did you mean 5?"
    for answer in ("0", "1", "9.64"):
        assert "Did you mean" not in run(f"x = {answer}", check).printed
    below_1 = run("x = 0.5", 'check.number("x", low=0, high=1, unit="%")')
    assert "Did you mean" not in below_1.printed
    assert "Did you mean" not in run("x = 0.5", 'check.number("x", unit="USD")').printed


def test_a_negative_number_is_asked_for_without_its_sign(run):
    message = run("x = -5", 'check.number("x", low=0, high=100, unit="%")').message
    assert "x is -5 %; give a number from 0 % to 100 %, without a sign." in message
    assert "sign" not in run("x = -5", 'check.number("x", low=-1, high=1)').message


def test_a_free_choice_is_right_when_nothing_is_wrong_with_it(run):
    seen = []

    def judge(answer):
        seen.append(answer)
        sides = [order["side"] for order in answer]
        return [f"side {side} is unknown" for side in sides if side not in ("buy", "sell")]

    check = 'check.choice("x", judge, hint="Read the sides.")'
    assert run("x = ({'side': 'buy', 'amount': np.int64(2)},)", check, judge=judge).error is None
    assert seen == [[{"side": "buy", "amount": 2.0}]]
    wrong = run("x = [{'side': 'up'}, {'side': 'in'}, {'side': 'sell'}]", check, judge=judge)
    assert "side up is unknown. And 1 more thing." in wrong.message
    assert "Hint: Read the sides." in wrong.message
    hidden = run("x = [{'side': 'up'}]", f"check.hidden()\n{check}", judge=judge)
    assert "side up is unknown." in hidden.message


@pytest.mark.parametrize("answer", ["...", "[...]", "{'a': ...}", "print", "{1: 2}", "object()"])
def test_a_free_choice_that_is_no_plain_data_never_reaches_its_judge(run, answer):
    ran = run(f"x = {answer}", 'check.choice("x", lambda answer: 1 / 0)')
    assert isinstance(ran.error, CheckFailed)
    assert isinstance(run("pass", 'check.choice("x", lambda answer: ())').error, CheckFailed)


def test_form_of_a_text_is_checked_by_its_words(run):
    check = 'check.text("x", min_words=3)'
    assert run("x = 'Leverage multiplies losses.'", check).error is None
    assert "x has 2 words; write at least 3 words" in run("x = 'a b - !'", check).message
    assert "not answered yet" in run("x = 'YOUR ANSWER HERE'", check).message
    assert "write a text in quotes" in run("x = 3", check).message


def test_tables_are_compared_by_column_name_and_row_order(run):
    right = pd.DataFrame({"price": [1.0, 2.0], "side": ["long", "short"], "gap": [None, 1.0]})
    good = right[["gap", "side", "price"]].assign(extra=1, price=[1, 2 + 1e-9])
    check = 'check.table("t", right, hint="h")'
    assert run("", check, t=good, right=right).error is None
    for wrong, says in [
        (right.drop(columns="side"), "t has no column side; its columns are: price, gap"),
        (right.head(1), "t has 1 row; expected 2"),
        (right.iloc[::-1], "The rows of t are right, in another order."),
        (right.iloc[::-1].assign(price=[1.0, 3.0]), "t, column price, row 1 is 3; expected 2"),
        (right.assign(side=["long", "long"]), "column side, row 1 is 'long'; expected 'short'"),
        (right.assign(gap=[0.0, 1.0]), "column gap, row 0 is 0; expected missing"),
        (right.assign(price=["1", "2"]), "is '1'; expected 1"),
        (right["price"], "t is one column; give the whole table."),
        (right["price"] > 1, "is a column of True and False; put it in the brackets, right[...]."),
        ((right["price"] > 1).to_numpy(), "is a column of True and False; put it in the brackets"),
        ((right["price"] > 1).astype("boolean"), "is a column of True and False; put it in"),
        ([1.0, 2.0], "t is a list; give a table."),
        (5, "t is of type int; give a pandas DataFrame"),
        ({"price": [1, 2]}, "is a dictionary; make a table of it"),
    ]:
        ran = run("", check, t=wrong, right=right)
        assert isinstance(ran.error, CheckFailed)
        assert says in ran.message


def test_a_table_with_blanks_left_in_it_is_not_answered_yet(run):
    table = pd.DataFrame({"a": [1, ...], "b": [..., 4]})
    expected = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    message = run("", 'check.table("x", goal)', x=table, goal=expected).message
    assert "not answered yet" in message
    assert "x still has a blank (...) in it" in message


def test_a_sorted_table_with_the_right_rows_and_labels_is_told_so(run):
    trades = pd.DataFrame({"coin": ["BTC", "ETH", "SOL"], "pnl": [-3.0, -1.0, -2.0]}, [1, 4, 7])
    check = 'check.table("t", trades)'
    message = run("t = trades.sort_values('pnl')", check, trades=trades).message
    assert "The rows of t are right, in another order." in message
    hidden = run("t = trades.sort_values('pnl')", f"check.hidden()\n{check}", trades=trades)
    assert "The rows of t are right, in another order." in hidden.message


def test_the_table_for_the_brackets_is_named_only_where_there_is_one(run):
    trades = pd.DataFrame({"pnl": [1, 2]})
    check = 'check.table("t", trades.head(1))'
    names = {"trades": trades, "other": trades.copy()}
    assert "in the brackets, table[...]." in run("t = trades.pnl > 1", check, **names).message
    assert "brackets, trades[...]." in run("t = trades.pnl > 1", check, trades=trades).message


@pytest.mark.usefixtures("second_try")
def test_row_labels_of_tables_count_where_the_expected_table_has_its_own(run):
    right = pd.DataFrame({"price": [1.0, 2.0]}, index=["BTC", "ETH"])
    check = 'check.table("t", right)'
    assert run("", check, t=right.copy(), right=right).error is None
    ran = run("", check, t=right.reset_index(drop=True), right=right)
    assert "t, row labels, row 0 is 0; expected 'BTC'" in ran.message


def test_conditions_must_be_true_and_not_merely_truthy(run):
    assert run("", 'check.that(np.float64(1) < 2, "h")').error is None
    assert run("", 'check.that(1 > 2, "Below one")').message.endswith("Below one.")
    for condition in ("1", "'yes'", "np.array([True, True])", "None"):
        assert "neither True nor False" in run("", f'check.that({condition}, "h")').message


def test_plain_results_of_a_call_can_be_used_in_a_condition(run):
    check = """
    value = check.call("position_value", (1_000, 10))
    check.that(type(value) is float and value > 0, "Positive")
    """
    assert run(RIGHT, check).error is None
    assert "without quotes" in run(returning("'a'"), check).message


@pytest.mark.parametrize(
    "checks",
    [
        'check.value("x", float("nan"))',
        'check.value("x", [1, None])',
        'check.value("x", object())',
        'check.value("x", 1, mistakes={float("nan"): "h"})',
        'check.value("x", 1, mistakes={"two": "h"})',
        'check.value("x", 1, rel=-1)',
        'check.value("x", 1, abs_tol=float("nan"))',
        'check.value("x", 1, unit=3)',
        'check.value("x")',
        'check.value("x", 1, hnt="h")',
        "check.value(1, 1)",
        'check.result("f", 5, 1)',
        'check.raises("f", (1,), "ValueError")',
        'check.order("x", [])',
        'check.order("x", 5)',
        'check.number("x", low="a")',
        'check.number("x", low=float("nan"))',
        'check.table("x", [1])',
        'check.option("ch99_q9")',
        'check.vlue("x", 1)',
        "check.hidden()",
        "pass",
        'check.call("f", (1,))',
    ],
)
def test_mistakes_of_the_author_are_not_blamed_on_the_learner(run, checks):
    ran = run("x = 1\ndef f(x): return x", checks)
    assert isinstance(ran.error, AuthorError)
    assert not isinstance(ran.error, CheckFailed)
    assert "ch01_a_value" in ran.message
    assert "mistake in the exercise, not in your answer" in ran.message
    assert progress.read_record() == {}


@pytest.mark.parametrize("item", ["", None, 3])
def test_an_exercise_without_an_id_is_the_authors_mistake(run, item):
    assert isinstance(run("", "pass", item=item).error, AuthorError)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("borrowed + 1", "borrowed is not there yet: write your answer"),
        ("blank * 2", "A blank (...) or NotImplementedError is still there"),
        ("text / 2", "The check stopped with TypeError"),
        ("raise SystemExit", "The check stopped with SystemExit"),
    ],
)
def test_errors_of_the_test_cell_itself_become_a_sentence(run, statement, says):
    ran = run("blank = ...\ntext = 'a'", f"{statement}\ncheck.value('text', 1)")
    assert isinstance(ran.error, CheckFailed)
    assert says in ran.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("text / 2", "kept stopped with TypeError: unsupported operand"),
        ("texts", "kept stopped with NameError: name 'texts' is not defined, in line 2"),
        ("texts", "a text, such as a column's name, needs quotes"),
        ("...  + 1", "A blank (...) or NotImplementedError is still there"),
    ],
)
def test_an_error_in_a_function_that_the_test_cell_calls_is_placed_in_the_function(run, body, says):
    ran = run(f"text = 'a'\ndef kept(x): return {body}", "y = [kept(x) for x in [1]]")
    assert isinstance(ran.error, CheckFailed)
    assert says in ran.message
    assert "Run the chapter's cells" not in ran.message


def test_interrupting_a_test_cell_stays_an_interrupt(run):
    with pytest.raises(KeyboardInterrupt):
        run("", "raise KeyboardInterrupt")


def test_every_attempt_is_recorded_with_its_hint(run):
    run(returning("margin / leverage"), RESULT)
    entry = progress.read_record()["ch01_a_value"]
    assert (entry["attempts"], entry["tries"], entry["passed"]) == (1, 1, False)
    assert entry["hint"] == "You divided by the leverage"
    run(RIGHT, RESULT)
    entry = progress.read_record()["ch01_a_value"]
    assert (entry["attempts"], entry["tries"], entry["passed"], entry["hint"]) == (2, 1, True, "")


def test_the_first_failure_keeps_what_was_expected_and_gives_the_hint(run):
    ran = run(returning("margin / leverage"), RESULT)
    assert plain_spaces(ran.message).splitlines() == [
        "✗ 1.A value: not yet.",
        "position_value(1000, 10) returned 100 USD, which is not right.",
        "Hint: You divided by the leverage.",
    ]


@pytest.mark.parametrize(
    ("answers", "check", "kept", "said"),
    [
        (["x = 1", "x = 2"], 'check.value("x", 7_654)', "7 654", "expected 7 654"),
        (["x = [1, 2]", "x = [3, 2]"], 'check.value("x", [7_654, 2])', "7 654", "expected 7 654"),
        (["x = 'a'", "x = 'b'"], 'check.value("x", "upper")', "upper", "expected 'upper'"),
        (
            ["x = [{'side': 'a'}]", "x = [{'side': 'b'}]"],
            'check.data("x", None, [{"side": "sell"}])',
            "sell",
            "expected 'sell'",
        ),
        (
            ["x = pd.DataFrame({'a': [1.0]})", "x = pd.DataFrame({'a': [2.0]})"],
            'check.table("x", pd.DataFrame({"a": [7_654.0]}))',
            "7 654",
            "expected 7 654",
        ),
    ],
)
def test_what_was_expected_shows_from_the_second_different_answer_on(
    run, answers, check, kept, said
):
    for _ in range(3):  # the same answer checked again is no other try
        assert kept not in plain_spaces(run(answers[0], check).message)
    assert said in plain_spaces(run(answers[1], check).message)
    assert said in plain_spaces(run(answers[0], check).message)


def test_a_second_try_counts_where_no_record_can_be_kept(run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LEVERAGE_PROGRESS", str(tmp_path / "file" / "progress.json"))
    assert "expected" not in run("x = 1", 'check.value("x", 3)').message
    assert "expected 3" in run("x = 2", 'check.value("x", 3)').message


def test_graded_runs_say_at_once_what_was_expected(run, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert "expected 3" in run("x = 1", 'check.value("x", 3)').message


def test_what_is_no_answer_yet_is_no_try(run):
    for answer in ("", "x = ..."):
        assert "not answered yet" in run(answer, 'check.value("x", 3)').message
    assert "expected" not in run("x = 1", 'check.value("x", 3)').message


def test_a_pass_on_the_page_says_that_its_hidden_test_is_open_until_it_is_scored(run):
    check, right = 'check.value("x", 3)', "x = 3"
    passed = run(right, check, item="ch02_a_rate")
    assert passed.printed == "✓ 2.A rate: passes here, the hidden test is still open.\n"
    ran = run(right, f"check.hidden()\n{check}", item="ch02_a_rate")
    assert ran.printed == "✓ 2.A rate: correct. 1 of 1 point.\n"
    progress.settle_items({"ch02_a_rate": False})
    assert "still open" in run(right, check, item="ch02_a_rate").printed
    progress.settle_items({"ch02_a_rate": True})
    assert "correct" in run(right, check, item="ch02_a_rate").printed


def test_mistakes_are_met_relatively(run):
    check = 'check.value("x", 0.5, mistakes={0: "You gave up.", 100: "Per cent."})'
    assert "You gave up" not in run("x = 1e-200", check).message
    assert "You gave up" in run("x = 0", check).message
    assert "Per cent" in run("x = 100 * (1 + 1e-9)", check).message
    tiny = 'check.value("x", 0.5, abs_tol=1, mistakes={1e-12: "Tiny."})'
    assert "Tiny" not in run("x = 3e-12 + 5", tiny).message
    endless = 'check.value("x", 0.5, mistakes={float("inf"): "No end.", 7: "Seven."})'
    assert "No end" in run("x = float('inf')", endless).message
    assert "Seven" in run("x = 7", endless).message
    listed = 'check.value("x", [1, 2], mistakes={(2, 0): "Turned."})'
    assert "Turned" in run("x = [2, 0]", listed).message
    assert "Turned" not in run("x = [2, 1e-30]", listed).message


@pytest.mark.parametrize(
    "mistakes",
    [
        '{100: "a", 100.00000001: "b"}',
        '{7: "the right one"}',
        '{(1, 2): "a", (1, 2.0000000001): "b"}',
    ],
)
def test_two_mistakes_that_one_answer_matches_are_the_authors(run, mistakes):
    expected = "[7, 8]" if "(" in mistakes else "7"
    ran = run("x = 3", f'check.value("x", {expected}, mistakes={mistakes})')
    assert isinstance(ran.error, AuthorError)
    assert "give each mistake its own value" in ran.message


def test_running_an_unanswered_exercise_is_no_attempt(run):
    assert "not answered yet" in run("", RESULT).message
    assert progress.read_record() == {}


@pytest.fixture
def shell(tmp_path):
    shell = InteractiveShell()
    shell.history_manager.enabled = False
    shell.run_cell("from leverage.lessons import exercise")
    yield shell
    shell.history_manager.end_session()


CELL = f'with exercise("ch01_a_value") as check:\n    {RESULT}'


def test_notebooks_show_the_message_and_no_traceback(shell, capsys):
    shell.run_cell(returning("margin / leverage"))
    capsys.readouterr()
    result = shell.run_cell(CELL)
    shown = capsys.readouterr()
    assert isinstance(result.error_in_exec, CheckFailed)
    assert shown.out.strip() == str(result.error_in_exec)
    assert "Traceback" not in shown.out + shown.err
    assert shown.err == ""


def test_notebooks_show_the_learners_own_line_where_it_failed(shell, capsys):
    shell.run_cell("#\ndef position_value(margin, leverage):\n    return margin / 0")
    result = shell.run_cell(CELL)
    assert "in line 3 (return margin / 0)." in str(result.error_in_exec)


def test_notebooks_show_nothing_but_the_verdict_of_a_right_answer(shell, capsys):
    shell.run_cell(RIGHT)
    capsys.readouterr()
    result = shell.run_cell(CELL)
    assert result.success
    assert result.result is None
    assert capsys.readouterr().out == "✓ 1.A value: correct. 2 of 2 points.\n"


def test_notebooks_turn_an_untouched_chapter_into_sentences(shell, capsys):
    result = shell.run_cell(CELL)
    assert "position_value is not there yet" in str(result.error_in_exec)


def test_lessons_import_without_plotting_tables_or_widgets():
    code = (
        "import sys, leverage.lessons\n"
        "heavy = {'pandas', 'matplotlib', 'ipywidgets', 'IPython'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lessons_have_no_names_beyond_those_listed():
    import leverage.lessons as lessons

    assert set(lessons.__all__) <= set(dir(lessons))
    with pytest.raises(AttributeError, match="no attribute 'explore'"):
        _ = lessons.explore


def test_a_verdict_prints_on_a_terminal_without_the_sign():
    code = "from leverage.lessons.wording import say; say('✓ 1.A: correct.')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout.decode().strip() == "? 1.A: correct."


class Recorder:
    """An observer that writes down what it is told, and goes on after a failure if asked to."""

    def __init__(self, *, goes_on: bool) -> None:
        self.said: list[tuple[str, bool]] = []
        self.goes_on = goes_on

    cells = None

    def passed(self, *, hidden: bool) -> None:
        self.said.append(("passed", hidden))

    def failed(self, failure: CheckFailed, *, hidden: bool) -> bool:
        self.said.append((str(failure), hidden))
        return self.goes_on


@pytest.mark.parametrize("goes_on", [False, True])
def test_an_observer_is_told_of_every_check_and_may_go_on(goes_on: bool) -> None:
    recorder = Recorder(goes_on=goes_on)
    checks.observe(recorder)
    try:
        check = checks.Check("ch01_a", {"margin": 100.0, "side": 2.0})
        check.value("margin", 100)
        check.hidden()
        if goes_on:
            check.value("side", 1, hint="One.")
            check.value("margin", 100)
        else:
            with pytest.raises(CheckFailed):
                check.value("side", 1, hint="One.")
    finally:
        checks.observe(None)
    said = [(text if text == "passed" else "failed", hidden) for text, hidden in recorder.said]
    wanted = [("passed", False), ("failed", True)]
    assert said == ([*wanted, ("passed", True)] if goes_on else wanted)

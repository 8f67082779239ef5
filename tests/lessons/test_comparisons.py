"""A comparison with the solution accepts every right answer and finds every wrong one."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage.lessons.agreement import moved, same
from leverage.lessons.checks import AuthorError, Check, CheckFailed
from leverage.lessons.samples import Sampler, draw_samples


def compare(solution, answer, draw, **options):
    """Return what a learner reads of a comparison; nothing where the answer passes."""
    check = Check("ch99_a_value", {"answer": answer})
    check.hidden()
    try:
        check.compare("answer", lambda: {"answer": solution}, draw, **options)
    except CheckFailed as failure:
        return str(failure)
    return ""


def draw_trade(pick):
    return (
        pick.one_of(1, -1),
        pick.number(0.00001, 1e5),
        pick.number(1, 125),
        pick.number(0, 0.1),
    )


def price(side, entry, leverage, rate):
    return entry * (1 - side / leverage) / (1 - side * rate)


def draw_prices(pick):
    return pick.one_of(1, -1), pick.number(90, 110), pick.several(lambda: pick.number(90, 110))


def first_hit(side, trigger, prices):
    return next((p for p in prices if side * (trigger - p) >= 0), 0)


# ---- right answers


@pytest.mark.parametrize(
    "answer",
    [
        lambda s, e, x, r: (e - s * e / x) / (1 - s * r),
        lambda s, e, x, r: e / (1 - s * r) - s * e / x / (1 - s * r),
        lambda s, e, x, r: (1_000 * x / e * e - s * 1_000) / (1_000 * x / e * (1 - s * r)),
        lambda s, e, x, r: np.float64(price(s, e, x, r)),
        lambda s, e, x, r: pd.Series([price(s, e, x, r)]),
        lambda s, e, x, r: Fraction(e) * (1 - s / Fraction(x)) / (1 - s * Fraction(r)),
    ],
)
def test_a_right_formula_in_another_order_passes(answer):
    assert compare(price, answer, draw_trade) == ""


def test_a_difference_of_large_numbers_may_carry_their_rounding():
    def draw(pick):
        entry = pick.number(0.00001, 1e5)
        return pick.number(0.01, 1e5), entry, entry * (1 + pick.number(-1e-6, 1e-6))

    def solution(notional, entry, end):
        return notional * (end - entry) / entry

    assert compare(solution, lambda n, e, x: n * x / e - n, draw) == ""


def test_where_rounding_decides_a_comparison_either_side_is_right():
    def draw(pick):
        quantity, entry = pick.number(0.001, 1e4) * 1.1, pick.number(0.001, 1e4) * 1.1
        return quantity, entry, quantity * entry

    assert compare(lambda q, e, limit: q * e >= limit, lambda q, e, x: e >= x / q, draw) == ""


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (lambda x: x > 1, lambda x: int(x > 1)),
        (lambda x: int(x > 1), lambda x: x > 1),
        (lambda x: x > 1, lambda x: np.bool_(x > 1)),
        (lambda x: "long" if x > 1 else "short", lambda x: "Long." if x > 1 else " SHORT"),
        (lambda x: [x, 2 * x], lambda x: np.array([x, 2 * x])),
        (lambda x: (x, "up"), lambda x: [x, "up"]),
        (lambda x: [math.nan, x], lambda x: pd.Series([x, x]).where([False, True])),
        (lambda x: {"price": x}, lambda x: {"price": np.float64(x)}),
        (lambda x: None if x < 1 else x, lambda x: x if x >= 1 else None),
        (lambda x: math.inf if x < 1 else x, lambda x: float("inf") if x < 1 else x),
    ],
)
def test_the_same_result_in_another_dress_passes(solution, answer):
    assert compare(solution, answer, lambda pick: (pick.number(0.5, 2),)) == ""


def test_what_the_solution_refuses_must_be_refused_in_the_same_way():
    def solution(side):
        if side not in (1, -1):
            raise ValueError("side")
        return float(side)

    def other_words(side):
        if abs(side) != 1:
            raise ValueError
        return side

    def draw(pick):
        return (pick.one_of(1, -1, 0, 2, 1.5),)

    assert compare(solution, other_words, draw) == ""
    assert "should refuse with ValueError" in compare(solution, float, draw)
    assert "ZeroDivisionError" in compare(solution, lambda side: 1 / 0, draw)


# ---- wrong answers


@pytest.mark.parametrize(
    "answer",
    [
        lambda s, e, x, r: price(s, e, x, r) + 0.05 * (e > 50_000),  # half a tick
        lambda s, e, x, r: price(s, e, int(x), r),
        lambda s, e, x, r: price(s, e, min(x, 124), r),
        lambda s, e, x, r: price(s, e, x, max(r, 0.0001)),
        lambda s, e, x, r: price(s, e, x, r) if x > 1 else e,
        lambda s, e, x, r: price(1, e, x, r),
    ],
)
def test_a_subtle_mistake_is_found(answer):
    assert "not yet" in compare(price, answer, draw_trade)


@pytest.mark.parametrize(
    "answer",
    [
        lambda s, t, ps: next((p for p in ps if s * (t - p) > 0), 0),  # the tie
        lambda s, t, ps: ([p for p in ps if s * (t - p) >= 0] or [0])[
            -1
        ],  # the last, not the first
        lambda s, t, ps: max([p for p in ps if s * (t - p) >= 0], default=0),  # the best
        lambda s, t, ps: next((p for p in ps[1:] if s * (t - p) >= 0), 0),
        lambda s, t, ps: next((p for p in sorted(ps) if s * (t - p) >= 0), 0),
    ],
)
def test_a_mistake_about_lists_and_ties_is_found(answer):
    assert "not yet" in compare(first_hit, answer, draw_prices)


@pytest.mark.parametrize("finite", [0.0, 1e300, -1.0])
def test_infinity_is_no_number_of_any_size(finite):
    def solution(x):
        return math.inf if x < 0.5 else x

    says = compare(
        solution,
        lambda x: finite if x < 0.5 else x,
        lambda pick: (pick.number(0, 1),),
        mistakes={"endless": lambda x: math.inf},
    )
    assert "not yet" in says
    assert "endless" not in says


def test_an_answer_beside_a_pole_is_found():
    def solution(x, limit):
        return 1.0 if x == limit else math.inf

    def draw(pick):
        x = pick.number(1, 2)
        return x, pick.one_of(x, pick.number(1, 2))

    assert "not yet" in compare(solution, lambda x, limit: 2.0 if x == limit else math.inf, draw)


def test_an_empty_list_is_drawn_unless_the_author_asks_for_more():
    def fragile(side, trigger, prices):
        prices[0]
        return first_hit(side, trigger, prices)

    assert "stopped with IndexError" in compare(first_hit, fragile, draw_prices)
    full = compare(
        first_hit,
        fragile,
        lambda pick: (1, 100.0, pick.several(lambda: pick.number(90, 110), least=1)),
    )
    assert full == ""


def test_an_answer_that_changes_its_input_is_found():
    def rude(side, trigger, prices):
        hit = first_hit(side, trigger, prices)
        prices.sort()
        return hit

    assert "changes what it is given" in compare(first_hit, rude, draw_prices)


def test_an_answer_that_remembers_earlier_calls_is_found():
    seen = []

    def remembers(side, trigger, prices):
        seen.append(trigger)
        return first_hit(side, trigger, prices) + (len(seen) > 300)

    assert "gives another result when it is called again" in compare(
        first_hit, remembers, draw_prices
    )


# ---- what a learner reads


def test_a_failure_names_the_kind_and_no_number():
    kinds = {"For a short, look at the rate again.": lambda side, *rest: side < 0}
    text = compare(price, lambda s, e, x, r: e * (1 - s / x) / (1 - r), draw_trade, kinds=kinds)
    assert text == (
        "✗ 99.A value: not yet.\nA check with other numbers did not pass.\n"
        "Hint: For a short, look at the rate again."
    )


@pytest.mark.filterwarnings("error")
def test_a_warning_shows_no_number_that_was_drawn(capsys):
    def warns(x):
        warnings.warn(f"x is {x}", UserWarning, stacklevel=2)
        return 2 * x

    def draw(pick):
        warns(number := pick.number(1, 5))
        return (number,)

    assert compare(warns, warns, draw) == ""
    assert "not yet" in compare(warns, lambda x: x, draw, mistakes={"half": warns})
    assert capsys.readouterr().err == ""


def test_a_kind_is_not_named_where_others_fail_too():
    kinds = {"For a short.": lambda side, *rest: side < 0}
    text = compare(price, lambda s, e, x, r: e, draw_trade, kinds=kinds, hint="In general.")
    assert "For a short" not in text
    assert "Hint: In general." in text


def test_a_known_mistake_is_named_where_it_explains_every_failure():
    mistakes = {"Bankruptcy.": lambda s, e, x, r: e * (1 - s / x)}
    assert "Bankruptcy." in compare(
        price, lambda s, e, x, r: e - s * e / x, draw_trade, mistakes=mistakes
    )
    assert "Bankruptcy." not in compare(
        price, lambda s, e, x, r: e - s * e / x - 0.01, draw_trade, mistakes=mistakes
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda s, e, x, r: round(price(s, e, x, r), 2), "The value is rounded"),
        (lambda s, e, x, r: -price(s, e, x, r), "the sign is flipped"),
        (lambda s, e, x, r: 100 * price(s, e, x, r), "100 times too large"),
        (lambda s, e, x, r: None, "returned None"),
        (lambda s, e, x, r: ..., "not answered yet"),
        (lambda s, e, x: e, "does not fit a call with 4 arguments"),
        (lambda s, e, x, r: 1 / (x - 1), "stopped with ZeroDivisionError"),
        (lambda s, e, x, r: "far", "returned a text"),
    ],
)
def test_a_slip_of_any_exercise_is_named(answer, says):
    assert says in compare(price, answer, draw_trade)


def test_what_is_no_function_is_called_so():
    assert "is not a function" in compare(price, 5.0, draw_trade)


# ---- mistakes of an author


@pytest.mark.parametrize(
    ("solution", "draw", "says"),
    [
        (lambda x: 1 / x, lambda pick: (pick.one_of(0, 1),), "the solution stops with"),
        (lambda x: x, lambda pick: 5, "returns all arguments"),
        (lambda x: x, lambda pick: (pick.number(2, 1),), "low <= high"),
    ],
)
def test_an_author_reads_what_is_wrong_with_a_comparison(solution, draw, says):
    with pytest.raises(AuthorError, match=says):
        compare(solution, solution, draw)


def test_a_comparison_is_refused_where_its_numbers_would_show():
    check = Check("ch99_a_value", {"f": abs})
    with pytest.raises(AuthorError, match=r"below check\.hidden"):
        check.compare("f", lambda: {"f": abs}, lambda pick: (1,))
    check.hidden()
    with pytest.raises(AuthorError, match="defines no g"):
        check.compare("g", lambda: {"f": abs}, lambda pick: (1,))


# ---- the drawn inputs


def test_the_same_item_draws_the_same_and_another_item_others():
    one, again, other = (draw_samples(name, draw_trade, 50) for name in ("a", "a", "b"))
    assert one == again
    assert one != other


def test_a_warning_of_a_drawn_number_does_not_reach_the_page(recwarn):
    def told(rate):
        warnings.warn("a maintenance margin rate of 40 %", stacklevel=1)
        return rate

    def draw(pick):
        return (told(pick.number(0, 1)),)

    assert compare(told, told, draw) == ""
    assert compare(told, lambda rate: 2 * rate, draw, mistakes={"Twice": told}) != ""
    assert not list(recwarn)


def test_limits_ties_short_numbers_and_many_magnitudes_are_drawn():
    pairs = [
        s.args for s in draw_samples("a", lambda p: (p.number(1e-5, 1e5), p.number(1e-5, 1e5)), 400)
    ]
    first = [x for x, _ in pairs]
    assert min(first) == 1e-5
    assert max(first) == 1e5
    assert any(x == y for x, y in pairs)
    assert {math.floor(math.log10(x)) for x in first} >= set(range(-5, 5))
    assert any(
        f"{x:.1e}" == f"{x:.15e}"[:3] + f"{x:e}"[-4:] or float(f"{x:.1e}") == x for x in first
    )


def test_lists_are_drawn_empty_single_and_long_with_repeats_and_in_order():
    lists = [
        s.args[0] for s in draw_samples("a", lambda p: (p.several(lambda: p.number(1, 2)),), 400)
    ]
    assert {0, 1, 2, 12} <= {len(part) for part in lists}
    assert any(len(set(part)) < len(part) for part in lists)
    assert any(len(part) > 3 and part == sorted(part) for part in lists)
    assert any(len(part) > 3 and part == sorted(part, reverse=True) for part in lists)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(0, 10**6))
@settings(max_examples=settings.default.max_examples * 50 // 100)
def test_every_draw_stays_within_its_limits(low, width, seed):
    pick = Sampler(str(seed))
    assert all(low <= pick.number(low, low + width) <= low + width for _ in range(20))
    assert all(3 <= pick.whole(3, 7) <= 7 for _ in range(20))
    assert sorted(pick.shuffled("abc")) == ["a", "b", "c"]


def test_a_hair_leaves_equal_inputs_equal_and_limits_where_they_are():
    args = (2.0, [2.0, 3.0], {"a": 5.0}, 7)
    new = moved(args, 1e-3, 0, frozenset({5.0}))
    assert new[0] == new[1][0] != 2.0
    assert new[1][1] != 3.0
    assert new[2:] == ({"a": 5.0}, 7)
    assert not same(list(new[1]), [2.0, 3.0], 1e-9)


def test_a_solution_warns_nobody_of_inputs_that_were_drawn(recwarn):
    def warning_price(*args):
        warnings.warn("a rate of 12 % is high", UserWarning, stacklevel=2)
        return price(*args)

    assert compare(warning_price, price, draw_trade) == ""
    assert not recwarn.list

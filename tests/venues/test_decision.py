"""The decision matrix: scores between worst and best, weights that only count by their ratio, and
turning points at which the leader really changes."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage.venues import (
    FACTORS,
    load_venue,
    platform_factors,
    scaled_scores,
    score_factors,
    turning_points,
    venue_names,
    weighted_scores,
)

UNIT = st.integers(0, 20).map(lambda step: step / 20)
MATRICES = st.integers(2, 5).flatmap(
    lambda columns: st.tuples(
        st.lists(st.lists(UNIT, min_size=columns, max_size=columns), min_size=2, max_size=6),
        st.lists(st.integers(0, 10), min_size=columns, max_size=columns).filter(any),
    )
)


@pytest.fixture(scope="module")
def factors() -> pd.DataFrame:
    return platform_factors(notional=1_000_000)


def test_factors_are_those_of_the_facts(factors: pd.DataFrame) -> None:
    assert list(factors.index) == list(venue_names())
    assert list(factors) == list(FACTORS)
    assert factors.loc["binance", "max_leverage"] == 75
    assert math.isnan(factors.loc["gemini", "taker_fee_rate"])
    for name in venue_names():
        venue = load_venue(name)
        product = venue.product(venue.main_product)
        fee = product.fact("taker_fee_rate")
        if fee.is_known:
            assert factors.loc[name, "taker_fee_rate"] == fee.number()
        assert factors.loc[name, "incidents"] == len(venue.incidents)
        assert 0 < factors.loc[name, "known_share"] < 1


def test_a_larger_position_never_gets_more_leverage() -> None:
    small, large = (platform_factors(notional=n)["max_leverage"] for n in (10_000, 5_000_000))
    both = small.notna() & large.notna()
    assert both.sum() >= 4
    assert (large[both] <= small[both]).all()


def test_low_fees_and_few_incidents_score_high(factors: pd.DataFrame) -> None:
    scores = score_factors(factors)
    assert scores.loc["primexbt", "taker_fee_rate"] == 1
    assert scores.loc["bitget", "taker_fee_rate"] == 0
    assert scores.loc["primexbt", "incidents"] == 1
    assert scores.loc["gemini", "incidents"] == 0
    assert ((scores >= 0) & (scores <= 1)).all(axis=None)


@pytest.mark.parametrize("unknown", [0.0, 0.5, 1.0])
def test_an_unknown_value_scores_what_was_chosen(factors: pd.DataFrame, unknown: float) -> None:
    assert score_factors(factors, unknown=unknown).loc["gemini", "taker_fee_rate"] == unknown


def test_equal_values_score_one_and_unknown_ones_do_not_shift_the_scale() -> None:
    assert scaled_scores([7, 7, math.nan], unknown=0.25).tolist() == [1, 1, 0.25]
    assert scaled_scores([math.nan, math.nan], unknown=0.5).tolist() == [0.5, 0.5]
    assert scaled_scores([1, 3, math.nan, 2]).tolist() == [0, 1, 0, 0.5]
    assert scaled_scores([1, 3, 2], best="lowest").tolist() == [1, 0, 0.5]


@given(MATRICES, st.floats(0.001, 1_000))
def test_only_the_ratio_of_weights_counts(
    matrix: tuple[list[list[float]], list[int]], factor: float
) -> None:
    scores, weights = matrix
    one = weighted_scores(scores, weights)
    assert weighted_scores(scores, np.array(weights) * factor) == pytest.approx(one)
    assert (one >= np.min(scores, axis=1) - 1e-12).all()
    assert (one <= np.max(scores, axis=1) + 1e-12).all()


@settings(max_examples=settings.default.max_examples * 150 // 100)
@given(MATRICES)
def test_beyond_its_turning_point_a_rival_leads_and_before_it_does_not(
    matrix: tuple[list[list[float]], list[int]],
) -> None:
    scores, weights = matrix
    totals = weighted_scores(scores, weights)
    leader = int(np.argmax(totals))
    found = {turn.factor: turn for turn in turning_points(scores, weights)}
    for place, now in enumerate(weights):
        turn = found.get(place)
        ends = (0.0, 10.0) if turn is None else (turn.weight,)
        for end in ends:
            halfway = [float(w) for w in weights]
            halfway[place] = now + (end - now) * 0.5
            if sum(halfway):
                at = weighted_scores(scores, halfway)
                assert at[leader] >= at.max() - 1e-9
        if turn is not None:
            level = [float(w) for w in weights]
            level[place] = turn.weight
            at = weighted_scores(scores, level)
            assert turn.leader == leader != turn.rival
            assert at[turn.rival] == pytest.approx(at[leader])
            level[place] += math.copysign(0.5, turn.weight - now)
            if level[place] >= 0 and sum(level) and abs(turn.weight - now) > 1e-9:
                beyond = weighted_scores(scores, level)
                assert beyond[turn.rival] > beyond[leader]


def test_turning_points_come_smallest_change_first_and_within_the_limit() -> None:
    scores = [[1, 0, 0.5], [0.2, 0.6, 0.5]]
    turns = turning_points(scores, [3, 1, 9])
    assert [turn.factor for turn in turns] == [0, 1]
    assert [turn.weight for turn in turns] == pytest.approx([0.75, 4])
    assert [turn.factor for turn in turning_points(scores, [3, 1, 9], largest=3.9)] == [0]


def test_a_factor_on_which_all_agree_turns_nothing() -> None:
    assert turning_points([[1, 0.5], [0, 0.5]], [1, 1]) == [
        turn for turn in turning_points([[1, 0.5], [0, 0.5]], [1, 1]) if turn.factor == 0
    ]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "weights must hold one weight for each column"),
        ([0, 0], "weights must be zero or more and not all zero"),
        ([1, -1], "weights must be zero or more"),
        ([1, math.nan], "weights must be zero or more"),
        ([1, math.inf], "weights must be zero or more"),
    ],
)
def test_impossible_weights_are_refused_with_the_rule(weights: list[float], message: str) -> None:
    for function in (weighted_scores, turning_points):
        with pytest.raises(ValueError, match=message):
            function([[1, 0], [0, 1]], weights)


def test_impossible_scores_are_refused_with_the_rule() -> None:
    with pytest.raises(ValueError, match="scores must be finite"):
        weighted_scores([[1, math.nan]], [1, 1])
    with pytest.raises(ValueError, match="values must be finite or NaN"):
        scaled_scores([1, math.inf])
    with pytest.raises(ValueError, match="unknown must be a score from 0 to 1, was 2"):
        scaled_scores([1, 2], unknown=2)
    with pytest.raises(ValueError, match="best must be"):
        scaled_scores([1, 2], best="cheapest")
    with pytest.raises(ValueError, match="notional"):
        platform_factors(notional=-5)

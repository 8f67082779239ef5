"""The platform comparer: right rankings, gates before weights, all extremes, words for everyone."""

import itertools
import math
import re

import pytest
from explorers_opened import check_all_is_said, set_all

from leverage.lessons.explorers.platform_comparer import NOT_CHECKED, PlatformComparer
from leverage.venues import (
    load_venue,
    places,
    platform_factors,
    score_factors,
    venue_names,
    weighted_scores,
)

LARGEST_WEIGHT = PlatformComparer.fees.high

WEIGHTS = ("fees", "leverage", "facts", "record")


@pytest.fixture(scope="module")
def shared() -> PlatformComparer:
    return PlatformComparer()


def test_the_ranking_is_that_of_the_decision_matrix():
    explorer = PlatformComparer(fees=7, leverage=1, facts=3, record=2, notional=1_000_000)
    scores = score_factors(platform_factors(notional=1_000_000))
    totals = dict(zip(scores.index, weighted_scores(scores, [7, 1, 3, 2]), strict=True))
    expected = sorted(totals, key=lambda name: -totals[name])
    assert explorer.ranking == [load_venue(name).name for name in expected]
    first = next(iter(explorer.rows.values()))
    assert first.startswith(f"{max(totals.values()):.3f}")


def test_what_turns_the_ranking_really_turns_it():
    explorer = PlatformComparer()
    before = explorer.ranking
    factor, way, weight, rival = re.search(
        r"a weight of (.+) (above|below) (\d+\.\d\d) instead of 5 puts (\w+) first",
        explorer.sentence,
    ).groups()
    control = next(
        getattr(explorer, name)
        for name in WEIGHTS
        if explorer.declared[name].label.casefold() == factor
    )
    beyond, short = math.floor(float(weight)), math.ceil(float(weight))
    if way == "above":
        beyond, short = short, beyond
    control.value = beyond
    assert explorer.ranking[0] == rival != before[0]
    control.value = short
    assert explorer.ranking[0] == before[0]


def test_a_venue_of_which_access_is_unknown_says_so_beside_its_score(shared):
    set_all(shared, residence="EU/EEA")
    words = {name.partition(". ")[2]: row for name, row in shared.rows.items() if ". " in name}
    assert words["Bybit"].endswith("; open there: unknown")
    assert words["Kraken"].endswith("; open there: not refused")
    for venue in ("Binance", "Bitget", "MEXC", "Gemini"):
        assert shared.rows[venue].startswith("out: ")
    assert shared.ranking[0] == "Bybit"
    assert "Whether Bybit is open there is unknown." in shared.sentence
    set_all(shared, residence=NOT_CHECKED)
    assert not any("open there" in row for row in shared.rows.values())


def test_a_venue_that_refuses_a_place_is_out_whatever_the_weights(shared):
    for weights in itertools.product([0, LARGEST_WEIGHT], repeat=4):
        set_all(shared, **dict(zip(WEIGHTS, weights, strict=True)), residence="EU/EEA")
        assert "PrimeXBT" not in shared.ranking
        assert shared.rows["PrimeXBT"] == "out: PrimeXBT does not serve EU/EEA"
    set_all(shared, residence=NOT_CHECKED)
    assert len(shared.rows) == len(venue_names())


def test_where_no_venue_is_left_that_is_said_loudly():
    explorer = PlatformComparer(residence="New York")
    assert explorer.ranking == []
    assert explorer.sentence.startswith("No venue is left.")
    assert 'role="alert"' in explorer.html
    explorer.residence.value = NOT_CHECKED
    assert 'role="status"' in explorer.html


def test_weights_that_are_all_zero_compare_nothing_and_say_so():
    explorer = PlatformComparer(fees=0, leverage=0, facts=0, record=0)
    assert explorer.sentence.startswith("All weights are zero.")
    assert 'role="alert"' in explorer.html
    check_all_is_said(explorer)


def test_venues_that_are_level_are_called_level():
    explorer = PlatformComparer(fees=0, leverage=10, facts=0, record=0, notional=100_000)
    assert "level with" in explorer.sentence
    assert "Weight on a factor in which they differ decides between them." in explorer.sentence


def test_an_unknown_value_is_named_and_its_score_is_the_readers_choice():
    explorer = PlatformComparer(fees=10, leverage=0, facts=0, record=0)
    assert explorer.rows["7. Gemini"] == "0.000 (unknown: fees, leverage at size)"
    explorer.unknown_score.value = 1.0
    assert "1.000 (unknown: fees" in "".join(explorer.rows.values())
    assert "Gemini" in explorer.ranking[:2]


@pytest.mark.parametrize("residence", places())
def test_every_place_has_an_answer(shared, residence):
    set_all(shared, residence=residence)
    check_all_is_said(shared)
    assert len(shared.rows) == len(venue_names())

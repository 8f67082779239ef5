"""The platform comparer: right rankings, gates before weights, all extremes, words for everyone."""

import base64
import io
import itertools
import re

import pytest
from PIL import Image

from leverage.lessons import figures
from leverage.lessons.explorers.platform_comparer import (
    LARGEST_WEIGHT,
    NOT_CHECKED,
    SIZES,
    UNKNOWN_SCORES,
    PlatformComparer,
)
from leverage.venues import (
    load_venue,
    places,
    platform_factors,
    score_factors,
    venue_names,
    weighted_scores,
)

WEIGHTS = ("fees", "leverage", "facts", "record")


@pytest.fixture(scope="module")
def shared() -> PlatformComparer:
    return PlatformComparer()


def set_all(explorer, **values):
    with explorer.hold():
        for name, value in values.items():
            getattr(explorer, name).value = value


def check_all_is_said(explorer):
    text = explorer.html + explorer.description
    assert not re.search(r"\b(nan|inf|None)\b", text), text
    assert len(figures.check_description(explorer.description)) > 50
    assert Image.open(io.BytesIO(explorer.png())).size == (700, 430)


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
    assert "a weight of low fees below 1.30 instead of 5 puts Bybit first" in explorer.sentence
    explorer.fees.value = 1
    assert explorer.ranking[0] == "Bybit" != before[0]
    explorer.fees.value = 2
    assert explorer.ranking[0] == before[0]


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


def test_no_combination_of_extremes_breaks_the_arithmetic_or_the_picture(shared):
    for weights, notional, residence, unknown in itertools.product(
        itertools.product([0, LARGEST_WEIGHT], repeat=4),
        (SIZES[0], SIZES[-1]),
        (NOT_CHECKED, "EU/EEA", "New York"),
        UNKNOWN_SCORES[::2],
    ):
        values = dict(zip(WEIGHTS, weights, strict=True))
        set_all(shared, **values, notional=notional, residence=residence, unknown_score=unknown)
        check_all_is_said(shared)


@pytest.mark.parametrize("residence", places())
def test_every_place_has_an_answer(shared, residence):
    set_all(shared, residence=residence)
    check_all_is_said(shared)
    assert len(shared.rows) == len(venue_names())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, 9) for name in WEIGHTS),
        ("notional", 10_000_000),
        ("residence", "EU/EEA"),
        ("unknown_score", 1.0),
    ],
)
def test_every_control_changes_the_picture_and_the_words(name, value):
    explorer = PlatformComparer()
    picture, words = explorer.png(), explorer.html
    getattr(explorer, name).value = value
    assert explorer.png() != picture
    assert explorer.html != words


def test_labels_stay_inside_the_picture(shared):
    for weights in itertools.product([0, LARGEST_WEIGHT], repeat=4):
        set_all(shared, **dict(zip(WEIGHTS, weights, strict=True)), unknown_score=1.0)
        picture = shared._picture
        for label in (*picture._name_texts, *picture._totals, picture._title):
            x, _ = label.get_transform().transform(label.position)
            left = x - label.width() * {"left": 0, "right": 1}[label.align]
            assert left >= 0
            assert left + label.width() <= 700


def test_controls_keep_to_their_limits(shared):
    shared.fees.value = 99
    assert shared.fees.value == LARGEST_WEIGHT
    shared.fees.value = -1
    assert shared.fees.value == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fees": 11}, "fees must be a number from 0 to 10, was 11"),
        ({"record": -1}, "record must be a number"),
        ({"notional": 5}, "notional must be one of 10000, 100000"),
        ({"residence": "Atlantis"}, "residence must be one of Not checked, EU/EEA"),
        ({"unknown_score": 0.3}, r"unknown_score must be one of 0\.0, 0\.5, 1\.0"),
    ],
)
def test_impossible_arguments_are_refused_with_the_rule(arguments, message):
    with pytest.raises(ValueError, match=message):
        PlatformComparer(**arguments)


def test_every_control_has_a_label_and_a_tooltip(shared):
    for control in shared._controls.values():
        assert control.description
        assert control.tooltip
        assert not control.disabled


def test_the_bundle_has_a_live_view_and_a_still_with_words():
    explorer = PlatformComparer()
    data, metadata = explorer._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == explorer.png()
    assert data["text/plain"] == explorer.description
    assert metadata["image/png"] == {"alt": explorer.description, "width": 700, "height": 430}


def test_the_same_values_give_the_same_still():
    explorer = PlatformComparer()
    still = explorer.png()
    set_all(explorer, fees=1, residence="EU/EEA")
    set_all(explorer, fees=5, residence=NOT_CHECKED)
    assert explorer.png() == still

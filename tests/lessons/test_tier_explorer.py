"""The tier explorer: the table's own limits, all extremes, words for everyone."""

import base64
import io
import itertools
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leverage.lessons import figures
from leverage.lessons.explorers.tier_explorer import (
    _MARKETS,
    LARGEST_LEVERAGE,
    LARGEST_NOTIONAL,
    LARGEST_PRICE,
    SMALLEST_NOTIONAL,
    SMALLEST_PRICE,
    TierExplorer,
)
from leverage.venues import load_venue

MARKETS = range(len(_MARKETS))


def plain(text):
    return text.replace("\u202f", " ")


@pytest.fixture(scope="module")
def shared() -> TierExplorer:
    return TierExplorer()


def set_all(explorer, **values):
    with explorer.hold():
        for name, value in values.items():
            getattr(explorer, name).value = value


def check_all_is_said(explorer):
    text = plain(explorer.html + explorer.description)
    assert not re.search(r"\b(nan|inf|None|not a number|infinite)\b", text), text
    assert len(figures.check_description(explorer.description)) > 50
    assert Image.open(io.BytesIO(explorer.png())).size == (700, 400)


def test_the_first_result_is_the_hand_checked_one():
    explorer = TierExplorer()
    assert {name: plain(text) for name, text in explorer.rows.items()} == {
        "Notional": "1 000 000 USDT",
        "Maximum of the first tier, the advertised one": "150×",
        "Tier": "3 of 12",
        "Maximum leverage at this size": "75×",
        "Margin at that maximum": "13 333 USDT",
        "Maintenance margin rate": "0.65 %",
        "Requirement": "5 000 USDT",
        "Largest position at 100×": "800 000 USDT",
        "Table of": "2026-09-29",
    }
    assert plain(explorer.sentence) == (
        "Refused: 100× on 1 000 000 USDT. It lies in tier 3 of 12, where the maximum is 75×: it "
        "needs 13 333 USDT of margin, not 10 000 USDT."
    )
    assert 'role="alert"' in explorer.html


def test_the_maximum_itself_is_allowed_and_one_more_is_refused():
    explorer = TierExplorer(leverage=75)
    assert explorer.is_allowed
    assert explorer.sentence.startswith("Allowed: 75×")
    assert 'role="status"' in explorer.html
    explorer.leverage.value = 76
    assert not explorer.is_allowed


def test_a_table_that_counts_coins_moves_with_the_price():
    mexc = [entry[1] for entry in _MARKETS].index("mexc")
    explorer = TierExplorer(market=mexc, notional=70_000, leverage=400, price=50_000)
    assert explorer.is_allowed
    assert explorer.rows["Size, as this table counts it"] == "1.40 BTC"
    explorer.price.value = 40_000
    assert not explorer.is_allowed
    assert "95.24×" in explorer.sentence


def test_where_the_reading_of_a_table_is_unknown_both_results_are_given():
    bitget = [entry[1] for entry in _MARKETS].index("bitget")
    words = plain(TierExplorer(market=bitget).rows["Requirement"])
    assert words == "4 800 USDT to 5 000 USDT (how the venue reads its table was not found)"


def test_beyond_the_table_nothing_is_invented():
    bybit = [entry[1] for entry in _MARKETS].index("bybit")
    explorer = TierExplorer(market=bybit, notional=5_000_000, leverage=2)
    assert not explorer.is_allowed
    assert explorer.sentence.startswith("Beyond the table: 2×")
    assert "the part of the table that is known" in explorer.sentence.lower()
    assert "Requirement" not in explorer.rows
    explorer.market.value, explorer.notional.value = 0, LARGEST_NOTIONAL
    assert "The table ends at a smaller size." in explorer.sentence


def test_a_table_without_a_stated_end_says_so():
    kraken = [entry[1] for entry in _MARKETS].index("kraken")
    explorer = TierExplorer(market=kraken, leverage=2, notional=1e9)
    assert explorer.is_allowed
    assert explorer.rows["Largest position at 2×"] == "no end is stated"
    explorer.leverage.value = 51
    assert explorer.rows["Largest position at 51×"] == "none: no tier allows it"


@settings(max_examples=60, deadline=None)
@given(
    market=st.sampled_from(MARKETS),
    notional=st.floats(SMALLEST_NOTIONAL, LARGEST_NOTIONAL),
    leverage=st.integers(1, LARGEST_LEVERAGE),
    price=st.floats(0.01, LARGEST_PRICE),
)
def test_allowed_means_what_the_tier_table_of_the_core_allows(
    shared, market, notional, leverage, price
):
    set_all(shared, market=market, notional=notional, leverage=leverage, price=price)
    check_all_is_said(shared)
    _, venue, product, symbol, as_of = _MARKETS[market]
    (data,) = (
        t
        for t in load_venue(venue).product(product).tier_tables
        if (t.symbol, t.as_of, t.used) == (symbol, as_of, True)
    )
    notional = shared.notional.value
    size = notional / price if data.unit == data.base else notional
    expected = size <= data.cap and leverage <= data.table("whole").max_leverage(size)
    assert shared.is_allowed == expected


def test_no_combination_of_extremes_breaks_the_arithmetic_or_the_picture(shared):
    for market, notional, leverage, price in itertools.product(
        MARKETS,
        (SMALLEST_NOTIONAL, 3_000_000.0, LARGEST_NOTIONAL),
        (1, LARGEST_LEVERAGE),
        (SMALLEST_PRICE, LARGEST_PRICE),
    ):
        set_all(shared, market=market, notional=notional, leverage=leverage, price=price)
        check_all_is_said(shared)
        picture = shared._picture
        for label in (picture._maximum_text, picture._point_text, picture._title):
            if not label.get_visible():
                continue
            x, _ = label.get_transform().transform(label.position)
            left = x - label.width() * {"left": 0, "right": 1}[label.align]
            assert left >= 0, (market, notional, leverage, label.text)
            assert left + label.width() <= 700, (market, notional, leverage, label.text)


@pytest.mark.parametrize(
    ("name", "value"),
    [("market", 3), ("notional", 5e7), ("leverage", 20)],
)
def test_every_control_changes_the_picture_and_the_words(name, value):
    explorer = TierExplorer()
    picture, words = explorer.png(), explorer.html
    getattr(explorer, name).value = value
    assert explorer.png() != picture
    assert explorer.html != words


def test_not_a_number_is_said_and_the_next_number_works():
    explorer = TierExplorer()
    explorer.price.value = math.nan
    assert "Enter a number for: Price of a coin." in explorer.html
    explorer.price.value = 20_000
    assert "Enter a number" not in explorer.html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"market": 99}, "market must be a number from 0 to 7, was 99"),
        ({"notional": 10}, "notional must be a number"),
        ({"leverage": 501}, "leverage must be a number from 1 to 500, was 501"),
        ({"price": 0}, "price must be a number"),
    ],
)
def test_impossible_arguments_are_refused_with_the_rule(arguments, message):
    with pytest.raises(ValueError, match=message):
        TierExplorer(**arguments)


def test_every_control_has_a_label_and_a_tooltip(shared):
    for control in shared._controls.values():
        assert control.description
        assert control.tooltip
        assert not control.disabled


def test_the_bundle_has_a_live_view_and_a_still_with_words():
    explorer = TierExplorer()
    data, metadata = explorer._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == explorer.png()
    assert data["text/plain"] == explorer.description
    assert metadata["image/png"] == {"alt": explorer.description, "width": 700, "height": 400}


def test_the_same_values_give_the_same_still():
    explorer = TierExplorer()
    still = explorer.png()
    set_all(explorer, market=5, leverage=3)
    set_all(explorer, market=0, leverage=100)
    assert explorer.png() == still

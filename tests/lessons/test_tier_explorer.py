"""The tier explorer: the table's own limits, all extremes, words for everyone."""

import pytest
from explorers_opened import check_all_is_said, plain, set_all
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage.lessons.explorers.tier_explorer import _MARKETS, TierExplorer
from leverage.venues import load_venue

LARGEST_LEVERAGE = TierExplorer.leverage.high
LARGEST_NOTIONAL = TierExplorer.notional.high
LARGEST_PRICE = TierExplorer.price.high
SMALLEST_NOTIONAL = TierExplorer.notional.low

MARKETS = range(len(_MARKETS))


@pytest.fixture(scope="module")
def shared() -> TierExplorer:
    return TierExplorer()


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
        "Confidence": "read once",
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


@settings(max_examples=settings.default.max_examples * 60 // 100, deadline=None)
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

"""The leverage explorer: right numbers, all extremes, words for everyone, no wasted work."""

import itertools
import math

import pytest
from explorers_opened import check_all_is_said, plain, set_all
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import LONG, SHORT, liquidation_price
from leverage.lessons.explorers.leverage_explorer import LeverageExplorer

LARGEST_AMOUNT = LeverageExplorer.margin.high
LARGEST_LEVERAGE = LeverageExplorer.leverage.high
LARGEST_MOVE_PCT = LeverageExplorer.move_pct.high
SMALLEST_MARGIN = LeverageExplorer.margin.low
SMALLEST_PRICE = LeverageExplorer.entry_price.low

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def shared_explorer():
    return LeverageExplorer()


def test_the_first_result_is_the_hand_checked_one():
    rows = {name: plain(text) for name, text in LeverageExplorer().rows.items()}
    assert rows == {
        "Mark price": "52 500.00 USDT per BTC",
        "Position value at entry": "10 000.00 USDT",
        "Borrowed": "9 000.00 USDT",
        "Profit or loss (PnL)": "+500.00 USDT",
        "Return on margin (ROE)": "+50.0 %",
        "Equity": "1 500.00 USDT",
        "Maintenance margin": "42.00 USDT",
        "Liquidation price": "45 180.72 USDT per BTC",
        "Distance to liquidation, from the mark price": "−13.94 %",
        "Effective leverage (notional / equity)": "7.0×",
    }


def test_a_short_gains_when_the_price_falls():
    explorer = LeverageExplorer(side=SHORT, move_pct=-5)
    assert plain(explorer.rows["Profit or loss (PnL)"]) == "+500.00 USDT"
    assert plain(explorer.rows["Liquidation price"]).startswith("54 780.88")


def test_setting_a_value_in_code_updates_picture_and_words():
    explorer = LeverageExplorer()
    picture, sentence = explorer.png(), explorer.sentence
    explorer.leverage.value = 20
    assert explorer.png() != picture
    assert explorer.sentence != sentence
    assert "A 20× long" in explorer.sentence
    assert explorer.rows["Return on margin (ROE)"].startswith("+100.0")


def test_a_liquidated_position_is_said_loudly_in_words_and_picture():
    explorer = LeverageExplorer(leverage=20, move_pct=-5)
    assert explorer.is_liquidated
    assert explorer.sentence.startswith("Liquidated. A 20× long")
    assert "no more than the maintenance margin" in explorer.sentence
    assert "The venue closes it at 47 690.76, 4.62 % from entry" in plain(explorer.sentence)
    assert '<p role="alert"' in explorer.html
    assert "<strong>Liquidated.</strong>" in explorer.html
    assert "the whole margin may be lost" in explorer.html
    assert explorer._picture._alarm.get_visible()
    explorer.move_pct.value = 5
    assert not explorer.is_liquidated
    assert 'role="alert"' not in explorer.html
    assert not explorer._picture._alarm.get_visible()


def test_after_liquidation_the_table_says_what_is_passed_and_what_is_only_supposed():
    explorer = LeverageExplorer(leverage=20, move_pct=-10)
    rows = {name: plain(text) for name, text in explorer.rows.items()}
    assert rows["Distance to liquidation, from the mark price"] == "passed"
    assert rows["Profit or loss (PnL)"] == "−2 000.00 USDT (if it were still open)"
    assert rows["Return on margin (ROE)"] == "−200.0 % (if it were still open)"
    assert rows["Equity"] == "−1 000.00 USDT (if it were still open)"
    explorer.move_pct.value = 0
    assert "open" not in "".join(explorer.rows.values())


def test_at_the_entry_price_nothing_is_gained_or_lost():
    explorer = LeverageExplorer(move_pct=0)
    assert "the entry price, it has neither gained nor lost." in explorer.sentence
    explorer.move_pct.value = -1
    assert "it has lost 100.00 USDT, a return on margin of −10.0" in explorer.sentence


def test_bars_are_labelled_in_the_unit_of_their_axis():
    explorer = LeverageExplorer()
    texts = [plain(label.text) for label in explorer._picture._bar_texts]
    assert texts == ["100 %", "▲ 150 %", "4.2 %"]
    explorer.leverage.value, explorer.move_pct.value = 125, 50
    assert [plain(label.text) for label in explorer._picture._bar_texts] == [
        "100 %",
        "6 350 % ↑",
        "75 %",
    ]


def test_labels_of_bars_do_not_overlap_at_any_extreme(shared_explorer):
    for side, leverage, move_pct in itertools.product(
        [LONG, SHORT], [1, LARGEST_LEVERAGE], [-LARGEST_MOVE_PCT, 0.0, LARGEST_MOVE_PCT]
    ):
        set_all(shared_explorer, side=side, leverage=leverage, move_pct=move_pct)
        spans = []
        for label in shared_explorer._picture._bar_texts:
            x, _ = label.get_transform().transform(label.position)
            spans.append((x - label.width() / 2, x + label.width() / 2))
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))


def test_an_unleveraged_long_has_no_liquidation_price_and_says_so():
    explorer = LeverageExplorer(leverage=1, move_pct=-50)
    assert explorer.rows["Liquidation price"] == "none"
    assert "No price above zero liquidates it." in explorer.sentence


def test_effective_leverage_is_not_invented_once_the_equity_is_gone():
    explorer = LeverageExplorer(leverage=20, move_pct=-10)
    assert explorer.rows["Effective leverage (notional / equity)"] == "none: no equity is left"


@settings(max_examples=settings.default.max_examples * 40 // 100, deadline=None)
@given(
    side=st.sampled_from([LONG, SHORT]),
    margin=st.floats(SMALLEST_MARGIN, LARGEST_AMOUNT),
    leverage=st.integers(1, LARGEST_LEVERAGE),
    entry_price=st.floats(SMALLEST_PRICE, LARGEST_AMOUNT),
    move_pct=st.floats(-LARGEST_MOVE_PCT, LARGEST_MOVE_PCT),
)
def test_liquidated_means_the_mark_price_is_at_or_beyond_the_liquidation_price(
    shared_explorer, side, margin, leverage, entry_price, move_pct
):
    set_all(
        shared_explorer,
        side=side,
        margin=margin,
        leverage=leverage,
        entry_price=entry_price,
        move_pct=move_pct,
    )
    check_all_is_said(shared_explorer)
    quantity = margin * leverage / entry_price
    level = liquidation_price(side, entry_price, quantity, margin, 0.004)
    mark_price = entry_price * (1 + move_pct / 100)
    if not math.isclose(mark_price, level, rel_tol=1e-9):
        assert shared_explorer.is_liquidated == (side * (mark_price - level) < 0)


def test_the_chart_widens_to_keep_the_mark_price_in_view():
    explorer = LeverageExplorer(move_pct=0)
    explorer.chart_range.value = 5
    near = explorer._picture._chart.get_xlim()
    explorer.move_pct.value = 30
    assert explorer._picture._chart.get_xlim()[1] >= 50
    explorer.move_pct.value = 0
    assert explorer._picture._chart.get_xlim() == near

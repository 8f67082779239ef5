"""The leverage explorer: right numbers, all extremes, words for everyone, no wasted work."""

import base64
import io
import itertools
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leverage import LONG, SHORT, liquidation_price
from leverage.lessons import figures
from leverage.lessons.explorers.leverage_explorer import (
    LARGEST_AMOUNT,
    LARGEST_LEVERAGE,
    LARGEST_MOVE_PCT,
    SMALLEST_MARGIN,
    SMALLEST_PRICE,
    LeverageExplorer,
)

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def plain(text):
    return text.replace("\u202f", " ")


@pytest.fixture(scope="module")
def shared_explorer():
    return LeverageExplorer()


def set_all(explorer, **values):
    with explorer.hold():
        for name, value in values.items():
            getattr(explorer, name).value = value


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("side", SHORT),
        ("margin", 2_500.0),
        ("leverage", 3),
        ("entry_price", 0.000012),
        ("move_pct", -3.3),
        ("chart_range", 50),
    ],
)
def test_every_control_changes_the_picture(name, value):
    explorer = LeverageExplorer()
    before = explorer.png()
    getattr(explorer, name).value = value
    assert explorer.png() != before


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


EXTREMES = list(
    itertools.product(
        [LONG, SHORT],
        [SMALLEST_MARGIN, LARGEST_AMOUNT],
        [1, 2, LARGEST_LEVERAGE],
        [SMALLEST_PRICE, LARGEST_AMOUNT],
        [-LARGEST_MOVE_PCT, -20.0, 0.0, LARGEST_MOVE_PCT],
        [5, 50],
    )
)


def check_all_is_said(explorer):
    text = plain(explorer.html + explorer.description)
    assert not re.search(r"\b(nan|inf|None|not a number|infinite)\b", text), text
    assert len(figures.check_description(explorer.description)) > 50
    width, height = Image.open(io.BytesIO(explorer.png())).size
    assert (width, height) == (700, 400)


def test_no_combination_of_extremes_breaks_the_arithmetic_or_the_picture(shared_explorer):
    for side, margin, leverage, entry_price, move_pct, chart_range in EXTREMES:
        set_all(
            shared_explorer,
            side=side,
            margin=margin,
            leverage=leverage,
            entry_price=entry_price,
            move_pct=move_pct,
            chart_range=chart_range,
        )
        check_all_is_said(shared_explorer)


@settings(max_examples=40, deadline=None)
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


@pytest.mark.parametrize("rate", [0.0, 0.004, 0.01, 0.5, 0.999])
def test_any_maintenance_rate_works_even_one_that_liquidates_at_once(rate):
    for leverage in (1, 50, 125):
        explorer = LeverageExplorer(maintenance_margin_rate=rate, leverage=leverage, move_pct=0)
        assert explorer.is_liquidated == (rate * leverage >= 1)
        check_all_is_said(explorer)


def test_controls_keep_to_their_limits(shared_explorer):
    shared_explorer.leverage.value = 500
    assert shared_explorer.leverage.value == LARGEST_LEVERAGE
    shared_explorer.margin.value = -3
    assert shared_explorer.margin.value == SMALLEST_MARGIN
    shared_explorer.entry_price.value = 0
    assert shared_explorer.entry_price.value == SMALLEST_PRICE
    shared_explorer.move_pct.value = -100
    assert shared_explorer.move_pct.value == -LARGEST_MOVE_PCT


def test_not_a_number_is_said_and_the_next_number_works():
    explorer = LeverageExplorer()
    picture = explorer.png()
    explorer.margin.value = math.nan
    assert "Enter a number for: Margin (USDT)." in explorer.html
    assert explorer.png() == picture
    explorer.margin.value = 1_000
    assert "Enter a number" not in explorer.html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": 0}, "side must be 1"),
        ({"margin": 0}, "margin must be a number from 1 to 1e"),
        ({"margin": math.nan}, "margin must be a number"),
        ({"margin": "10"}, "margin must be a number"),
        ({"leverage": 126}, "leverage must be a number from 1 to 125, was 126"),
        ({"leverage": True}, "leverage must be a number"),
        ({"entry_price": -1}, "entry_price must be a number"),
        ({"move_pct": 51}, "move_pct must be a number from -50 to 50, was 51"),
        ({"maintenance_margin_rate": 1}, "maintenance_margin_rate must be from 0 to below 1"),
    ],
)
def test_impossible_arguments_are_refused_with_the_rule(arguments, message):
    with pytest.raises(ValueError, match=message):
        LeverageExplorer(**arguments)


def test_every_control_has_a_label_and_a_tooltip(shared_explorer):
    for control in shared_explorer._controls.values():
        assert control.description
        assert control.tooltip
        assert not control.disabled
        assert control.tabbable is not False


def test_the_table_has_row_headers_and_a_caption(shared_explorer):
    assert "<caption" in shared_explorer.html
    assert shared_explorer.html.count('<th scope="row"') == len(shared_explorer.rows)


def test_currency_names_are_escaped_in_the_page():
    explorer = LeverageExplorer(base="<b>", quote="A&B")
    assert "<b>" not in explorer.html
    assert "A&amp;B per &lt;b&gt;" in explorer.html


def test_hold_draws_once_for_several_changes():
    explorer = LeverageExplorer()
    draws = explorer.redraws
    set_all(explorer, leverage=20, margin=500, move_pct=1)
    assert explorer.redraws == draws + 1
    assert "A 20× long" in explorer.sentence


def test_a_change_back_inside_hold_draws_nothing():
    explorer = LeverageExplorer()
    draws = explorer.redraws
    with explorer.hold():
        explorer.leverage.value = 20
        explorer.leverage.value = 10
    assert explorer.redraws == draws


def test_the_chart_widens_to_keep_the_mark_price_in_view():
    explorer = LeverageExplorer(move_pct=0)
    explorer.chart_range.value = 5
    near = explorer._picture._chart.get_xlim()
    explorer.move_pct.value = 30
    assert explorer._picture._chart.get_xlim()[1] >= 50
    explorer.move_pct.value = 0
    assert explorer._picture._chart.get_xlim() == near


def test_the_bundle_has_a_live_view_and_a_still_with_words():
    explorer = LeverageExplorer()
    data, metadata = explorer._repr_mimebundle_()
    assert data[WIDGET_VIEW]["model_id"] == explorer.widget.model_id
    assert base64.b64decode(data["image/png"]) == explorer.png()
    assert data["text/plain"] == explorer.description
    assert metadata["image/png"] == {"alt": explorer.description, "width": 700, "height": 400}


def test_the_same_values_give_the_same_still():
    explorer = LeverageExplorer()
    still = explorer.png()
    explorer.leverage.value = 99
    explorer.leverage.value = 10
    assert explorer.png() == still
    assert LeverageExplorer().png() == still


def test_show_prints_the_description_where_nothing_can_be_displayed(capsys):
    explorer = LeverageExplorer()
    explorer.show()
    shown = capsys.readouterr().out
    assert (
        " ".join(shown.split(" ")).replace("\n", " ").strip() == f"Figure: {explorer.description}"
    )
    assert max(map(len, shown.splitlines())) <= 80


def test_labels_stay_inside_the_picture_at_every_extreme(shared_explorer):
    for side, margin, leverage, entry_price, move_pct, chart_range in EXTREMES:
        set_all(
            shared_explorer,
            side=side,
            margin=margin,
            leverage=leverage,
            entry_price=entry_price,
            move_pct=move_pct,
            chart_range=chart_range,
        )
        picture = shared_explorer._picture
        for label in (picture._liquidation_text, picture._mark_text, picture._title):
            x, _ = label.get_transform().transform(label.position)
            left = x - label.width() * {"left": 0, "right": 1}[label.align]
            assert left >= 0
            assert left + label.width() <= 700

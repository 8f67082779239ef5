"""Figures: colours, words, numbers, and the same bytes every time."""

import base64
import io
import math
import subprocess
import sys

import IPython.display
import matplotlib
import matplotlib.pyplot as plt
import matplotlib.style
import numpy as np
import pytest
from PIL import Image

from leverage import LONG, SHORT
from leverage.lessons import figures, wording
from leverage.lessons.charts import basic_charts as charts

TWELVE_WORDS = "Line chart. Equity falls from 500 USDT to zero, at 45 000 USDT."


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast_on_white(colour):
    return 1.05 / (luminance(colour) + 0.05)


@pytest.fixture
def shown(monkeypatch):
    """Pretend a kernel runs and collect what is displayed."""
    outputs = []
    monkeypatch.setattr(figures, "in_notebook", lambda: True)
    monkeypatch.setattr(
        IPython.display, "display", lambda data, **options: outputs.append((data, options))
    )
    return outputs


def every_chart():
    return {
        "equity of a long": charts.plot_equity(LONG, 50_000, 0.1, 500, 0.004),
        "equity of a short": charts.plot_equity(SHORT, 50_000, 0.1, 500, 0.004),
        "equity of an unleveraged long": charts.plot_equity(LONG, 50_000, 0.1, 5_000, 0.004),
        "equity at a tiny price": charts.plot_equity(LONG, 0.000012, 1e9, 240, 0.01),
        "table of returns, long": charts.plot_roe_table([-0.1, -0.05, 0.05, 0.1], [1, 3, 10, 20]),
        "two traders, one liquidated": charts.plot_two_traders(
            [50_000, 49_000, 47_000, 54_000], 1_000, (3, 20), 0.004
        ),
        "two traders, nobody liquidated": charts.plot_two_traders(
            [50_000, 49_900, 50_100], 1_000, (1, 2), 0.004
        ),
        "recovery": charts.plot_recovery(),
    }


@pytest.fixture(scope="module")
def drawn_charts():
    return every_chart()


def test_line_colours_stand_out_from_white():
    for meaning in figures._LINES:
        assert contrast_on_white(figures.COLOURS[meaning]) >= 3, meaning


def test_text_has_the_contrast_that_small_text_needs():
    assert contrast_on_white(figures.COLOURS["text"]) >= 7


def test_long_and_short_differ_in_style_as_well_as_in_colour():
    long, short = figures.line_style("long"), figures.line_style("short")
    assert long["color"] != short["color"]
    assert long["linestyle"] != short["linestyle"]


def test_an_unknown_meaning_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"meaning must be one of long, .* was 'profit'"):
        figures.line_style("profit")


def test_course_style_leaves_the_users_style_alone():
    with matplotlib.rc_context({"font.size": 31}):
        with figures.course_style():
            assert matplotlib.rcParams["font.size"] == 9.5
        assert matplotlib.rcParams["font.size"] == 31


def test_course_style_is_what_matplotlib_makes_of_its_style_file():
    with matplotlib.rc_context({"figure.max_open_warning": 7, "lines.linewidth": 31}):
        with matplotlib.style.context(["default", str(figures.STYLE_FILE)]):
            wanted = dict(matplotlib.rcParams)
        with figures.course_style():
            assert dict(matplotlib.rcParams) == wanted
            matplotlib.rcParams["lines.linewidth"] = 13
        assert matplotlib.rcParams["lines.linewidth"] == 31


def test_the_cycle_never_relies_on_colour_alone():
    with figures.course_style():
        cycle = list(matplotlib.rcParams["axes.prop_cycle"])
    assert len({str(entry["linestyle"]) for entry in cycle}) == len(cycle)
    assert {entry["color"] for entry in cycle} <= set(figures.COLOURS.values())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10_000, "10 000.00"),
        (-1234.5, "−1 234.50"),
        (0.0, "0.00"),
        (-0.0, "0.00"),
        (-0.004, "0.00"),
        (math.inf, "infinite"),
        (-math.inf, "−infinite"),
        (math.nan, "not a number"),
    ],
)
def test_amounts_have_thin_grouping_and_a_true_minus(value, text):
    assert wording.format_amount(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (98_000, "98 000.00"),
        (45_180.7229, "45 180.72"),
        (3.14159265, "3.14159"),
        (2, "2.00"),
        (0.1, "0.10"),
        (0.000012, "0.000012"),
        (0, "0.00"),
    ],
)
def test_prices_keep_the_digits_that_matter(price, text):
    assert wording.format_price(price).replace("\u202f", " ") == text


@pytest.mark.parametrize("text", ["", "   ", "Line chart.", "one two three four five six seven"])
def test_a_description_that_says_too_little_is_refused(text):
    with pytest.raises(ValueError, match="text must be a description of at least 12 words, has"):
        figures.describe(figures.new_figure(), text)


def test_digits_grouped_by_thin_spaces_count_as_one_word():
    with pytest.raises(ValueError, match="has 4"):
        figures.check_description("Equity falls to 45\u202f000\u202f000\u202f000.")


def test_a_description_must_be_text():
    with pytest.raises(ValueError, match="text must be a description in words, was int"):
        figures.describe(figures.new_figure(), 12)


def test_axes_instead_of_a_figure_are_refused_with_advice():
    with pytest.raises(
        ValueError, match=r"figure must be a Matplotlib Figure, was Axes.*ax\.figure"
    ):
        figures.describe(figures.new_figure().subplots(), TWELVE_WORDS)


def test_outside_a_notebook_the_description_is_printed(capsys):
    figures.describe(figures.new_figure(), TWELVE_WORDS)
    assert capsys.readouterr().out == f"Figure: {TWELVE_WORDS}\n"


def test_describe_gives_one_output_with_picture_words_and_alternative_text(shown, capsys):
    assert figures.describe(figures.new_figure(), f"  {TWELVE_WORDS}\n") is None
    ((data, options),) = shown
    assert set(data) == {"image/png", "text/plain"}
    assert data["text/plain"] == TWELVE_WORDS
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert options["raw"] is True
    assert options["metadata"]["image/png"] == {"alt": TWELVE_WORDS, "width": 700, "height": 400}
    assert capsys.readouterr().out == f"Figure: {TWELVE_WORDS}\n"


def test_a_pyplot_figure_is_closed_so_that_it_is_not_shown_twice(shown, capsys):
    figure, _ = plt.subplots()
    figures.describe(figure, TWELVE_WORDS)
    assert not plt.fignum_exists(figure.number)
    assert len(shown) == 1


def test_the_same_figure_gives_the_same_bytes_without_time_or_program():
    first = figures.figure_png(charts.plot_recovery())
    with matplotlib.rc_context({"savefig.bbox": "tight", "savefig.facecolor": "red"}):
        second = figures.figure_png(charts.plot_recovery())
    assert first == second
    assert b"tEXt" not in first
    assert b"tIME" not in first


def test_a_picture_is_what_savefig_draws_and_its_figure_stays_as_it_was():
    path = [50_000, 48_500, 46_500, 45_000, 47_500]
    figure, twin = (charts.plot_two_traders(path, 1_000, (2, 10), 0.004) for _ in range(2))
    before = (figure.canvas, figure.dpi, figure.get_facecolor(), tuple(figure.get_size_inches()))
    ours = io.BytesIO(figures.figure_png(figure))
    after = (figure.canvas, figure.dpi, figure.get_facecolor(), tuple(figure.get_size_inches()))
    assert after == before
    theirs = io.BytesIO()
    with figures.course_style():
        twin.savefig(theirs, format="png", dpi=twin.dpi * figures.PNG_SCALE)
    pixels = [np.asarray(Image.open(file).convert("RGBA")) for file in (ours, theirs)]
    assert np.array_equal(*pixels)


def test_charts_leave_pyplot_alone(drawn_charts):
    assert plt.get_fignums() == []


def test_every_chart_labels_both_axes_in_sentence_case_with_a_unit(drawn_charts):
    for name, figure in drawn_charts.items():
        labels = [axes.get_ylabel() for axes in figure.axes] + [figure.axes[-1].get_xlabel()]
        for label in labels:
            assert label[0].isupper(), name
            assert label == "Day" or label.endswith(")"), name


def test_every_chart_has_a_title_that_is_its_message(drawn_charts):
    for name, figure in drawn_charts.items():
        assert len(figure.axes[0].get_title(loc="left").split()) >= 4, name


def test_no_label_is_clipped_and_no_text_is_small(drawn_charts):
    for name, figure in drawn_charts.items():
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        for axes in figure.axes:
            for text in axes.texts:
                box = text.get_window_extent(renderer)
                assert figure.bbox.x0 - 1 <= box.x0, (name, text.get_text())
                assert box.x1 <= figure.bbox.x1 + 1, (name, text.get_text())
                assert figure.bbox.y0 - 1 <= box.y0, (name, text.get_text())
                assert box.y1 <= figure.bbox.y1 + 1, (name, text.get_text())
                assert text.get_fontsize() >= 9


def test_labels_do_not_overlap_each_other(drawn_charts):
    for name, figure in drawn_charts.items():
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        for axes in figure.axes:
            boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in axes.texts]
            for index, (first, box) in enumerate(boxes):
                for second, other in boxes[index + 1 :]:
                    assert not box.overlaps(other), (name, first, second)


def test_the_equity_chart_labels_entry_liquidation_and_bankruptcy(drawn_charts):
    texts = [text.get_text() for text in drawn_charts["equity of a long"].axes[0].texts]
    assert "Entry\n50\u202f000.00" in texts
    assert "Liquidation\n45\u202f180.72" in texts
    assert "Bankruptcy\n45\u202f000.00" in texts


def test_a_position_without_liquidation_price_has_no_liquidation_line(drawn_charts):
    texts = [
        text.get_text() for text in drawn_charts["equity of an unleveraged long"].axes[0].texts
    ]
    assert not any(text.startswith("Liquidation") for text in texts)


def test_two_traders_says_who_is_liquidated_and_when(drawn_charts):
    texts = [text.get_text() for text in drawn_charts["two traders, one liquidated"].axes[1].texts]
    assert "Ben, 20×: liquidated, day 2" in texts
    assert "Ana, 3×: 1\u202f240.00 USDT" in texts


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: charts.plot_roe_table([0.1, 0.2], []), "leverages must hold 1 to 4 lines"),
        (lambda: charts.plot_roe_table([0.1], [2]), "moves must hold 2 or more numbers"),
        (lambda: charts.plot_two_traders([100], 1, (1, 2), 0.01), "prices must hold one price"),
        (lambda: figures.new_figure(panels=0), "panels must be 1 or more, was 0"),
    ],
)
def test_charts_refuse_what_they_cannot_draw_and_say_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_importing_the_figures_module_loads_no_plotting_library():
    code = (
        "import sys, leverage.lessons.figures; "
        "print(sorted({'matplotlib', 'IPython', 'ipywidgets', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"

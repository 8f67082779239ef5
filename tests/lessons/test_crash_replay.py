"""The crash replay: extremes do not break it, its words are right, and its picture follows."""

import io
import itertools
import re

import pytest
from explorers_opened import plain
from PIL import Image

from leverage import LONG, SHORT
from leverage.crashes import base_rates, survival_table, tail_table
from leverage.history import load_daily, log_returns
from leverage.lessons import CrashReplay, figures
from leverage.lessons.charts import crash_charts as charts
from leverage.lessons.explorers.crash_replay import EVENTS

LARGEST_LEVERAGE = CrashReplay.leverage.high


@pytest.fixture(scope="module")
def shared():
    return CrashReplay()


def test_every_crash_has_words_and_a_picture_at_the_ends_of_every_control(shared):
    ends = itertools.product(
        (LONG, SHORT), (1, LARGEST_LEVERAGE), ("isolated", "cross"), ((0, -24), (0.5, 0), (30, 24))
    )
    for event, (side, leverage, mode, (stop, hour)) in zip(
        itertools.cycle(EVENTS), ends, strict=False
    ):
        with shared.hold():
            shared.event.value, shared.side.value = event, side
            shared.leverage.value, shared.mode.value = leverage, mode
            shared.stop_pct.value, shared.entry_hour.value = stop, hour
        text = plain(shared.html + shared.description)
        assert not re.search(r"\b(nan|inf|None|not a number|infinite)\b", text), text
        assert shared.rows["Outcome"] in ("liquidated", "stopped", "open")
        assert 1 <= len(shared.hours) <= 6
    for event in EVENTS:
        shared.event.value = event
        low, high = shared._picture._prices.get_ylim()
        vertices = shared._picture._range.get_xy()[:, 1]
        assert low < vertices.min() < vertices.max() < high
    assert Image.open(io.BytesIO(shared.png())).size == (700, 560)


def test_black_thursday_took_a_long_at_two():
    shown = CrashReplay(leverage=2)
    assert "Liquidated." in shown.sentence
    assert "in the hour from 13 March, 02:00 UTC" in plain(shown.sentence)
    assert plain(shown.rows["Account at the end"]) == "9 000 USDT"
    assert plain(shown.rows["Lived below a leverage of (isolated, no stop)"]) == "1.90×"
    assert list(shown.hours)[-1] == "13 Mar 02:00"
    assert len(figures.check_description(shown.description)) > 50


def test_cross_margin_lives_longer_and_loses_more():
    shown = CrashReplay(leverage=10, mode="cross")
    assert shown.rows["Outcome"] == "open"
    shown.leverage.value = 25
    assert shown.rows["Outcome"] == "liquidated"
    assert plain(shown.rows["Account at the end"]) == "0 USDT"
    assert plain(shown.rows["Lived below a leverage of (cross, no stop)"]) == "19.04×"


def test_a_stop_is_told_for_both_paths_of_the_price():
    shown = CrashReplay(leverage=10, stop_pct=8)
    words = plain(shown.sentence)
    assert "at 7 299.76 if the price passed every value on its way, −800 USDT" in words
    assert "would have been too late: liquidated, −1 000 USDT" in words
    shown.leverage.value = 2
    assert "as bad as 5 550.00" in plain(shown.sentence)
    assert plain(shown.rows["Account at the end, if prices jumped"]) == "9 399 USDT"


def test_a_short_in_a_crash_gains():
    shown = CrashReplay(event=("2024-08-05", "ETH"), side=SHORT, leverage=5)
    assert shown.rows["Outcome"] == "open"
    assert "+644 USDT" in plain(shown.sentence)


def test_a_change_of_a_control_draws_another_picture_and_a_repeated_value_none():
    shown = CrashReplay()
    before, drawn = shown.png(), shown.redraws
    shown.entry_hour.value = 12
    assert shown.png() != before
    shown.entry_hour.value = 12
    assert shown.redraws == drawn + 1


# The charts of the chapter


def test_the_survival_chart_has_a_row_for_every_crash_and_coin():
    table = survival_table()
    axes = charts.plot_survival(table, title="Fifteen crashes").axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [f"{date} {symbol}" for date, symbol in table.index]
    low, high = axes.get_xlim()
    assert low < table[["long", "short"]].min().min()
    assert table[["long", "short"]].max().max() < high


def test_the_base_rate_chart_shows_per_cent_of_days():
    leverages = [2, 10, 100]
    shares = {"long": base_rates(LONG, leverages), "short": base_rates(SHORT, leverages)}
    axes = charts.plot_base_rates(leverages, shares, title="Base rates").axes[0]
    assert axes.lines[0].get_ydata().tolist() == pytest.approx((shares["long"] * 100).tolist())
    assert axes.get_ylabel() == "Days that liquidate (% of days)"


def test_the_tail_chart_compares_seen_with_expected():
    table = tail_table(log_returns(load_daily("BTC")), [1, 3, 5])
    axes = charts.plot_tails(table, title="Tails").axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [
        table["seen"].astype(float).tolist(),
        table["expected"].tolist(),
    ]
    assert axes.get_yscale() == "log"

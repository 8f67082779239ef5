"""The charts of chapter 02: their numbers are those of the helpers, and they refuse what misleads."""

import numpy as np
import pandas as pd
import pytest

from leverage.lessons.charts.platform_charts import (
    plot_fee_drag,
    plot_max_leverage,
    plot_sensitivity,
)
from leverage.lessons.figures import figure_png
from leverage.venues import load_venue, turning_points, weighted_scores


def tiers(venue, product):
    return load_venue(venue).product(product).tiers("BTC")


SCORES = pd.DataFrame({"fees": [1, 0.2], "record": [0, 0.6]}, index=["x", "y"])
WEIGHTS = {"fees": 3, "record": 1}


def test_the_stairs_are_those_of_the_tier_table():
    data = tiers("binance", "usdt_futures")
    (line,) = plot_max_leverage({"Binance": data}, entry_price=50_000).axes[0].lines
    x, y = line.get_data()
    assert list(x[1::2]) == [tier.upper for tier in data.tiers]
    assert list(y[::2]) == [tier.max_leverage for tier in data.tiers]


def test_a_table_in_coins_is_drawn_in_quote_currency():
    data = tiers("mexc", "futures")
    (line,) = plot_max_leverage({"MEXC": data}, entry_price=98_000).axes[0].lines
    assert line.get_xdata()[1] == pytest.approx(1.5 * 98_000)


def test_a_table_without_leverages_or_too_many_tables_are_refused():
    unstated = next(
        table
        for table in load_venue("bybit").product("linear").tier_tables
        if not table.states_leverage
    )
    with pytest.raises(ValueError, match="must state every maximum leverage"):
        plot_max_leverage({"Bybit": unstated}, entry_price=1)
    with pytest.raises(ValueError, match="tables must hold 1 to 4"):
        plot_max_leverage({}, entry_price=1)


def test_the_fee_drag_is_two_fees_times_the_leverage():
    axes = plot_fee_drag({"taker": 0.0005, "maker": 0.0002}, mark=10).axes[0]
    x, y = axes.lines[0].get_data()
    assert y == pytest.approx(2 * np.asarray(x) * 0.0005 * 100)
    assert [text.get_text() for text in axes.texts][-1].replace("\u202f", " ") == "10×: 1.0 %"
    with pytest.raises(ValueError, match="fee_rates must hold 1 to 4"):
        plot_fee_drag({})


def test_the_sensitivity_marks_the_turning_point():
    axes = plot_sensitivity(SCORES, WEIGHTS, "record").axes[0]
    (turn,) = (t for t in turning_points(SCORES, list(WEIGHTS.values())) if t.factor == 1)
    texts = [text.get_text() for text in axes.texts]
    assert f"turns at {turn.weight:.2f}" in texts
    assert {"x", "y"} <= set(texts)
    first = axes.lines[0].get_ydata()
    assert first[10] == pytest.approx(weighted_scores(SCORES, [3, 1])[0])


def test_a_factor_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="factor must be one of fees, record, was 'speed'"):
        plot_sensitivity(SCORES, WEIGHTS, "speed")


def test_the_same_figure_gives_the_same_bytes():
    first, second = (figure_png(plot_sensitivity(SCORES, WEIGHTS, "fees")) for _ in range(2))
    assert first == second

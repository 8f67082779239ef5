"""The trade list, the tables and the figures of chapter 04."""

import numpy as np
import pandas as pd
import pytest

from leverage import LONG, SHORT
from leverage.history import load_daily, load_hourly_window
from leverage.lessons.charts import risk_charts as risk
from leverage.lessons.trades import breakout_trades

DAYS = pd.date_range("2024-01-01", periods=6, tz="UTC")


def bars(*rows, index=DAYS):
    """Make daily bars from (open, high, low, close)."""
    return pd.DataFrame(
        list(rows), columns=["open", "high", "low", "close"], index=index[: len(rows)]
    )


RISE = [(100, 100, 100, 100), (101, 101, 101, 101), (102, 102, 102, 102)]


def test_a_close_above_the_days_before_buys_at_the_next_open():
    (trade,) = breakout_trades(bars(*RISE, (103, 104, 102, 103)), lookback=1).to_dict("records")
    assert (trade["side"], trade["entry"], trade["opened"]) == (LONG, 103, DAYS[3])
    assert trade["stop"] == pytest.approx(103 * 0.95)
    assert (trade["exit"], trade["why"]) == (103, "no data")


def test_a_close_below_the_days_before_sells_short():
    fall = bars((102,) * 4, (101,) * 4, (100,) * 4, (99, 99, 88, 89))
    (trade,) = breakout_trades(fall, lookback=1).to_dict("records")
    assert trade["side"] == SHORT
    assert trade["exit"] == pytest.approx(99 * 0.90)
    assert trade["why"] == "target"


def test_a_day_that_opens_beyond_the_stop_fills_at_its_open():
    gap = bars(*RISE, (103, 103, 103, 103), (90, 91, 89, 90))
    (trade,) = breakout_trades(gap, lookback=1).to_dict("records")
    assert (trade["exit"], trade["why"]) == (90, "stop")
    assert risk.r_of(pd.DataFrame([trade]))[0] == pytest.approx(-13 / (103 * 0.05))


def test_the_stop_counts_where_one_day_holds_stop_and_target():
    wild = bars(*RISE, (103, 120, 90, 110))
    (trade,) = breakout_trades(wild, lookback=1).to_dict("records")
    assert trade["why"] == "stop"
    assert trade["exit"] == pytest.approx(103 * 0.95)


def test_a_gap_in_the_days_ends_a_trade_and_makes_no_signal():
    days = DAYS[[0, 1, 2, 3, 5]]
    (trade,) = breakout_trades(
        bars(*RISE, (103, 104, 102, 103), (200, 200, 200, 200), index=days), lookback=1
    ).to_dict("records")
    assert (trade["closed"], trade["exit"], trade["why"]) == (days[3], 103, "no data")


def test_trades_of_real_history_do_not_overlap_and_lose_one_r_at_most():
    trades = breakout_trades(load_daily("BTC"))
    assert len(trades) > 200
    assert (trades["opened"].iloc[1:].to_numpy() > trades["closed"].iloc[:-1].to_numpy()).all()
    assert risk.r_of(trades).min() >= -1 - 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lookback": 0}, "lookback must be 1 or more, was 0"),
        ({"stop_distance": 5}, "stop_distance must be between 0 and 1, was 5"),
        ({"target_distance": 0}, "target_distance must be between 0 and 1"),
    ],
)
def test_impossible_rules_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        breakout_trades(bars(*RISE), **arguments)


def test_a_window_is_liquidated_when_its_worst_price_reaches_the_level():
    held = bars((100, 101, 95, 99), (100, 103, 90, 101), (100, 111, 96, 100))
    # 10x: liquidated at 100 * 0.9 / 0.996 = 90.36 and above 100 * 1.1 / 1.004 = 109.56
    assert risk.share_liquidated(held, LONG, 10, 1, 0.004) == pytest.approx(1 / 3)
    assert risk.share_liquidated(held, LONG, 10, 2, 0.004) == 1
    assert risk.share_liquidated(held, SHORT, 10, 1, 0.004) == pytest.approx(1 / 3)
    assert risk.share_liquidated(held, SHORT, 10, 3, 0.004) == 1


def test_windows_across_a_gap_are_left_out():
    days = DAYS[[0, 1, 3]]
    held = bars((100, 101, 95, 99), (100, 103, 96, 101), (100, 111, 1, 100), index=days)
    assert risk.extreme_moves(held, LONG, 2).tolist() == [0.95]
    with pytest.raises(ValueError, match="days_held must be from 1 to 3, was 4"):
        risk.extreme_moves(held, LONG, 4)


def test_a_day_at_10x_is_liquidated_as_often_as_counted_by_hand_in_the_history():
    """91 of 2 130 days reach the level of a 10x long; counted from the bundled days, 2026-11-22."""
    days = load_daily("BTC")
    level = 0.9 / 0.996
    by_hand = int((days["low"] / days["open"] <= level).sum())
    assert by_hand == 91
    assert risk.share_liquidated(days, LONG, 10, 1, 0.004) == by_hand / len(days)


def test_history_has_fatter_tails_than_the_formula_at_low_leverage():
    table = risk.liquidation_shares(load_daily("BTC"), (3, 20), 7, 0.004)
    assert table.loc["3x", "history (%)"] > 10 * table.loc["3x", "formula, all the time (%)"]
    assert table.loc["20x", "history (%)"] < table.loc["20x", "formula, all the time (%)"]
    assert (table["formula, once a day (%)"] < table["formula, all the time (%)"]).all()


def test_bitcoin_and_ether_move_together_around_every_crash_that_has_both():
    found = risk.crash_correlations()
    assert list(found.index) == [
        "2024-03-05",
        "2024-04-13",
        "2024-08-05",
        "2024-12-05",
        "2024-12-09",
    ]
    assert found.min() > 0.5
    assert found.max() < 1


@pytest.mark.parametrize(
    ("results", "longest"),
    [([], 0), ([1.0, 2.0], 0), ([-1.0], 1), ([-1.0, 0.0, -1.0, 3.0, -1.0, -1.0], 3)],
)
def test_the_longest_losing_streak_counts_zero_as_a_loss(results, longest):
    assert risk.longest_losing_streak(results) == longest


def labels(figure):
    return [text.get_text().replace("\u202f", " ") for axes in figure.axes for text in axes.texts]


def test_the_stop_chart_names_the_largest_leverage_of_each_stop():
    figure = risk.plot_stop_and_liquidation([0.01, 0.04], 0.004)
    assert "Stop 4 % away: at most 22.8×" in labels(figure)
    assert "Stop 1 % away: at most 71.6×" in labels(figure)
    with pytest.raises(ValueError, match="stops must be decimals above 0 and below 1"):
        risk.plot_stop_and_liquidation([4], 0.004)


def test_the_crash_chart_says_how_far_beyond_the_stop_the_price_went():
    figure = risk.plot_stop_in_a_crash(
        load_hourly_window("2020-03-12"), opened="2020-03-12 10:00", stop_distance=0.05
    )
    assert "Low of that hour 5 550.00,\n4.9 planned losses below the entry" in labels(figure)


def test_the_running_result_marks_the_longest_streak_and_the_deepest_fall():
    figure = risk.plot_running_result([2.0, -1.0, -1.0, -1.5, 3.0, -1.0])
    assert "3 losses in a row" in labels(figure)
    assert "Deepest fall 3.5 R" in labels(figure)
    assert "in a row" not in "".join(labels(risk.plot_running_result([1.0, 2.0])))


def test_the_kelly_chart_shows_growth_and_ruin_at_half_full_and_twice():
    assert labels(risk.plot_kelly()) == [
        "half Kelly: 75 %",
        "Kelly: 100 %",
        "twice Kelly: 0 %",
        "half Kelly: 12.5 %",
        "Kelly: 50 %",
        "twice Kelly: 100 %",
    ]


def test_the_chart_of_bets_labels_what_ten_positions_have():
    figure = risk.plot_bets([0.0, 0.64])
    assert "correlation 0.64: ten have 82 %" in labels(figure)
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    assert drawn[0][3] == pytest.approx(50)
    assert np.allclose(drawn[1][[0, 9]], [100, 82.2], atol=0.1)
    with pytest.raises(ValueError, match="correlations must hold 1 to 4 lines, has 0"):
        risk.plot_bets([])

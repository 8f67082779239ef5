"""Moves, survivable leverage, replays, base rates and tails: by hand, by law, and by each other."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leverage import LONG, SHORT, liquidation_price
from leverage.crashes import (
    MAINTENANCE_RATE,
    PLAIN_RULES,
    Stake,
    base_rates,
    crash_bars,
    replay,
    survivable_leverage,
    survival_table,
    tail_table,
    worst_move,
)
from leverage.history import (
    crash_windows,
    find_outages,
    load_daily,
    load_hourly_window,
    log_returns,
)
from leverage.history.candle_files import to_daily
from leverage.lessons.charts.risk_charts import extreme_moves, plot_stop_in_a_crash
from leverage.lessons.trades import breakout_trades
from leverage.paper import PaperExchange

SIDES = st.sampled_from([LONG, SHORT])
PRICES = st.floats(1e-6, 1e6)


def bars_of(*rows, start="2024-01-01", step="h"):
    index = pd.date_range(start, periods=len(rows), freq=step, tz="UTC", name="time")
    return pd.DataFrame(rows, index=index, columns=["open", "high", "low", "close"], dtype=float)


@pytest.fixture(scope="module")
def black_thursday():
    return crash_bars("2020-03-12")


# Worst moves


def test_a_fall_runs_from_the_best_price_before_to_the_low():
    bars = bars_of(
        (100, 110, 99, 105), (105, 106, 80, 90), (90, 130, 88, 128), (128, 129, 110, 112)
    )
    fall = worst_move(LONG, bars)
    assert fall.change == pytest.approx(80 / 110 - 1)
    assert (fall.start_price, fall.end_price, fall.hours) == (110, 80, 2)
    assert (fall.start, fall.end) == (bars.index[0], bars.index[1])
    rise = worst_move(SHORT, bars)
    assert rise.change == pytest.approx(130 / 80 - 1)
    assert (rise.start_price, rise.end_price, rise.hours) == (80, 130, 2)


def test_an_hours_own_high_is_not_where_its_fall_starts():
    assert worst_move(LONG, bars_of((100, 200, 90, 95))).change == pytest.approx(-0.1)


def test_the_fastest_hour_stays_within_one_hour():
    bars = bars_of((100, 110, 99, 105), (105, 106, 80, 90), (90, 91, 60, 61))
    assert worst_move(LONG, bars, hours=1).change == pytest.approx(60 / 90 - 1)
    assert worst_move(LONG, bars, hours=2).change == pytest.approx(60 / 106 - 1)
    assert worst_move(LONG, bars, hours=3).change == pytest.approx(60 / 110 - 1)


def test_a_missing_hour_counts_as_time():
    quiet = (104, 105, 103, 104)
    bars = bars_of((100, 110, 99, 105), quiet, quiet, (90, 91, 60, 61)).iloc[[0, 1, 3]]
    assert worst_move(LONG, bars, hours=2).change == pytest.approx(60 / 90 - 1)
    assert worst_move(LONG, bars, hours=3).change == pytest.approx(60 / 105 - 1)
    assert worst_move(LONG, bars, hours=4).change == pytest.approx(60 / 110 - 1)


def test_a_market_that_only_rises_has_a_fall_of_nothing():
    bars = bars_of((100, 110, 100, 110), (110, 120, 110, 120))
    assert worst_move(LONG, bars).change == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, bars_of((1, 1, 1, 1))), "side must be"),
        ((LONG, bars_of((1, 1, 1, 1)).iloc[:0]), "bars must hold at least one row"),
    ],
)
def test_a_move_without_side_or_bars_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        worst_move(*arguments)


def test_a_move_must_have_time_for_one_bar():
    with pytest.raises(ValueError, match=r"hours must be as long as a bar, was 0\.5"):
        worst_move(LONG, bars_of((1, 1, 1, 1)), hours=0.5)


# Bars that are not what they should be


GOOD = bars_of((100, 110, 90, 95), (95, 96, 50, 60), (60, 70, 55, 65), (65, 66, 60, 62))


def without_a_price():
    bars = GOOD.copy()
    bars.iloc[1, 2] = math.nan
    return bars


def with_a_price_of(price):
    bars = GOOD.copy()
    bars.iloc[1, 2] = price
    return bars


BAD_BARS = {
    "newest first": (GOOD[::-1], r"must rise in time: row 1 is at .* sort the rows"),
    "an hour twice": (GOOD.iloc[[0, 1, 1, 2]], "the same as row 1.* drop duplicates"),
    "no price": (without_a_price(), "must have positive prices, low was nan in row 1"),
    "a price of zero": (with_a_price_of(0.0), "must have positive prices, low was 0 in row 1"),
    "a price below zero": (with_a_price_of(-5.0), "low was -5 in row 1"),
    "a low above the close": (with_a_price_of(80.0), "a low at or below open and close"),
    "no times": (GOOD.reset_index(drop=True), "an index of times, had one of numbers"),
    "no column": (GOOD.drop(columns="low"), "columns open, high, low, close, of which low is"),
    "no bars": (GOOD.iloc[:0], "at least"),
}


@pytest.mark.parametrize(("bars", "message"), BAD_BARS.values(), ids=BAD_BARS)
@pytest.mark.parametrize(
    "use",
    [
        lambda bars: worst_move(LONG, bars),
        lambda bars: base_rates(LONG, [10], bars),
        lambda bars: replay({"BTC": bars}, {"BTC": Stake(LONG, 100)}, balance=100),
        lambda bars: replay({"BTC": bars}, {"BTC": Stake(LONG, 100)}, balance=100, jumps=True),
        lambda bars: log_returns(bars),
        lambda bars: find_outages(bars.assign(volume=1.0)),
        lambda bars: to_daily(bars.assign(volume=1.0)),
        lambda bars: PaperExchange(bars, rules=PLAIN_RULES),
        lambda bars: breakout_trades(bars, lookback=1),
        lambda bars: extreme_moves(bars, LONG, 1),
        lambda bars: plot_stop_in_a_crash(bars, opened="2024-01-01", stop_distance=0.1),
    ],
    ids=[
        "worst_move",
        "base_rates",
        "replay",
        "replay of jumps",
        "log_returns",
        "find_outages",
        "to_daily",
        "exchange",
        "breakout_trades",
        "extreme_moves",
        "plot_stop_in_a_crash",
    ],
)
def test_whatever_takes_bars_refuses_them_with_a_sentence(use, bars, message):
    with pytest.raises(ValueError, match=message):
        use(bars)


def test_outages_are_found_only_where_volumes_are_known():
    with pytest.raises(ValueError, match="hourly must have a column volume"):
        find_outages(GOOD)


def test_two_bars_around_an_outage_last_what_the_caller_says():
    two = GOOD.iloc[[0, 2]]
    assert worst_move(LONG, two).hours == 4
    assert worst_move(LONG, two, timeframe="1h").hours == 3
    assert len(log_returns(two)) == 1
    assert log_returns(two, timeframe="1h").empty


def test_a_base_rate_of_no_leverage_is_refused():
    with pytest.raises(ValueError, match="leverages must hold at least one"):
        base_rates(LONG, [], GOOD)


# Survivable leverage


@given(SIDES, PRICES, st.floats(0.01, 0.9), st.floats(0, 0.05))
def test_at_the_survivable_leverage_the_worst_price_is_the_liquidation_price(
    side, entry, move, rate
):
    worst = entry * (1 - side * move)
    leverage = survivable_leverage(side, entry, worst, rate)
    level = liquidation_price(side, entry, 1.0, entry / leverage, rate)
    assert level == pytest.approx(worst, rel=1e-9)


@given(SIDES, st.floats(0.01, 0.5), st.floats(0.51, 0.9))
def test_a_deeper_move_leaves_less_leverage(side, near, far):
    lived = survivable_leverage(side, 100.0, [100 * (1 - side * m) for m in (near, far)])
    assert lived[0] > lived[1]


def test_any_leverage_lives_where_the_price_only_went_the_right_way():
    assert survivable_leverage(LONG, 100, 120) == math.inf
    assert survivable_leverage(SHORT, 100, 80) == math.inf
    assert survivable_leverage(LONG, 100, 100, 0.0) == math.inf


# The table of all crashes and the paper exchange


def test_every_bundled_crash_and_coin_has_a_row():
    expected = [(window.date, symbol) for window in crash_windows() for symbol in window.symbols]
    assert survival_table().index.tolist() == expected
    assert len({date for date, _ in expected}) == 15


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_paper_exchange_agrees_on_either_side_of_the_survivable_leverage(side):
    table = survival_table()
    name = "long" if side == LONG else "short"
    for (date, symbol), limit in table[name].items():
        bars = {symbol: crash_bars(date, symbol)}
        for factor, outcome in ((0.999, "open"), (1.001, "liquidated")):
            leverage = limit * factor
            told = replay(bars, {symbol: Stake(side, 1_000 * leverage, leverage)}, balance=1_000)
            assert told.endings[symbol].outcome == outcome, (date, symbol, leverage)


def test_in_cross_margin_the_whole_wallet_counts(black_thursday):
    limit = survival_table().loc[("2020-03-12", "BTC"), "long"]
    for factor, outcome in ((0.999, "open"), (1.001, "liquidated")):
        stake = Stake(LONG, 5_000 * limit * factor, 50)
        told = replay({"BTC": black_thursday}, {"BTC": stake}, balance=5_000, mode="cross")
        assert told.endings["BTC"].outcome == outcome


def test_a_liquidation_is_told_with_its_hour_price_and_loss(black_thursday):
    told = replay({"BTC": black_thursday}, {"BTC": Stake(LONG, 10_000, 10)}, balance=3_000)
    ending = told.endings["BTC"]
    assert ending.outcome == "liquidated"
    assert ending.time == pd.Timestamp("2020-03-12 10:00", tz="UTC")
    level = liquidation_price(LONG, 7_934.52, 1.0, 793.452, MAINTENANCE_RATE)
    assert ending.price == pytest.approx(level, rel=1e-6)
    assert told.equity == pytest.approx(2_000, abs=0.01)
    assert told.table["equity"].iloc[9] == pytest.approx(
        3_000 + 10_000 * (black_thursday["close"].iloc[9] / 7_934.52 - 1), abs=0.01
    )


def test_a_position_that_lives_is_worth_its_last_price(black_thursday):
    told = replay({"BTC": black_thursday}, {"BTC": Stake(SHORT, 10_000, 5)}, balance=3_000)
    last = black_thursday["close"].iloc[-1]
    assert told.endings["BTC"].outcome == "open"
    assert told.endings["BTC"].time == black_thursday.index[-1]
    assert told.equity == pytest.approx(3_000 + 10_000 * (1 - last / 7_934.52), abs=0.01)
    assert list(told.table.columns) == ["BTC", "equity"]
    assert told.table["BTC"].tolist() == black_thursday["close"].tolist()


def test_a_stop_fills_at_its_price_or_at_the_worst_of_its_bar(black_thursday):
    stake = Stake(LONG, 10_000, 5, stop=0.15)
    smooth, harsh = (
        replay({"BTC": black_thursday}, {"BTC": stake}, balance=3_000, jumps=jumps).endings["BTC"]
        for jumps in (False, True)
    )
    assert smooth.outcome == "stopped"
    assert smooth.price == pytest.approx(7_934.52 * 0.85, rel=1e-6)
    assert harsh.time == smooth.time
    assert (harsh.outcome, harsh.price) == ("liquidated", 5_550)


def test_a_real_gap_fills_a_stop_at_the_first_price_after_it():
    bars = crash_bars("2019-09-24")
    entry = bars["open"].iloc[0]
    stake = Stake(LONG, 10_000, 5, stop=1 - 8_500 / entry)
    ending = replay({"BTC": bars}, {"BTC": stake}, balance=2_000).endings["BTC"]
    assert (ending.outcome, ending.price) == ("stopped", 8_298.67)
    assert ending.time == pd.Timestamp("2019-09-24 19:00", tz="UTC")


def test_the_stop_of_a_short_waits_above():
    bars = crash_bars("2024-12-05", "ETH")
    stake = Stake(SHORT, 10_000, 5, stop=0.04)
    ending = replay({"ETH": bars}, {"ETH": stake}, balance=2_000).endings["ETH"]
    assert ending.outcome == "stopped"
    assert ending.price == pytest.approx(bars["open"].iloc[0] * 1.04, rel=1e-6)


def test_cross_margin_carries_a_loss_over_and_a_rescue_as_well():
    stakes = {"BTC": Stake(LONG, 8_000), "ETH": Stake(LONG, 8_000)}
    told = {
        (date, mode): replay(
            {asset: crash_bars(date, asset) for asset in stakes}, stakes, balance=1_600, mode=mode
        )
        for date in ("2024-04-13", "2024-12-09")
        for mode in ("isolated", "cross")
    }
    outcomes = {key: [e.outcome for e in one.endings.values()] for key, one in told.items()}
    assert outcomes["2024-04-13", "isolated"] == ["open", "liquidated"]
    assert outcomes["2024-04-13", "cross"] == ["liquidated", "liquidated"]
    assert outcomes["2024-12-09", "isolated"] == ["open", "liquidated"]
    assert outcomes["2024-12-09", "cross"] == ["open", "open"]
    assert told["2024-04-13", "cross"].equity == pytest.approx(0, abs=1e-6)


def test_a_venues_rules_charge_its_fees(black_thursday):
    stake = {"BTC": Stake(LONG, 1_000, 1)}
    plain = replay({"BTC": black_thursday}, stake, balance=3_000)
    binance = replay({"BTC": black_thursday}, stake, balance=3_000, rules="binance")
    assert plain.equity - binance.equity == pytest.approx(1_000 * 0.0005, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "portfolio"}, "mode must be"),
        ({"balance": 0}, "balance must be positive"),
        ({"stakes": {}}, "stakes must name assets"),
        ({"stakes": {"DOGE": Stake(LONG, 100)}}, "stakes must name assets"),
    ],
)
def test_a_replay_that_cannot_be_made_is_refused(black_thursday, change, message):
    arguments = {"bars": {"BTC": black_thursday}, "stakes": {"BTC": Stake(LONG, 100)}, "balance": 1}
    with pytest.raises(ValueError, match=message):
        replay(**arguments | change)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": 0, "value": 100}, "side must be"),
        ({"side": 1, "value": 0}, "value must be positive"),
        ({"side": 1, "value": 100, "leverage": 0.5}, "leverage must be 1 or more"),
        ({"side": 1, "value": 100, "stop": 5}, "stop must be between 0 and 1, was 5; give 0.05"),
    ],
)
def test_a_stake_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stake(**arguments)


def test_an_entry_outside_the_window_is_refused():
    assert crash_bars("2024-08-05", entry_hour=-24).index[0].day == 4
    with pytest.raises(ValueError, match="entry_hour must lie in the window"):
        crash_bars("2024-08-05", entry_hour=24 * 4)
    with pytest.raises(ValueError, match="entry_hour must lie in the window"):
        crash_bars("2024-08-05", entry_hour=-25)


# Base rates and tails


def test_a_base_rate_is_a_share_of_days_counted_by_hand():
    days = bars_of((100, 111, 90.2, 100), (200, 201, 170, 180), (50, 54, 49, 53), step="D")
    assert base_rates(LONG, [10], days).tolist() == [2 / 3]
    assert base_rates(SHORT, [10], days).tolist() == [1 / 3]
    assert base_rates(LONG, [1, 2], days).tolist() == [0, 0]


def test_more_leverage_never_has_a_lower_base_rate():
    for side in (LONG, SHORT):
        rates = base_rates(side, [2, 5, 10, 20, 50, 100, 125])
        assert (np.diff(rates) > 0).all()


def test_tails_are_counted_in_both_directions_and_expected_by_the_normal_law():
    returns = [0.0] * 98 + [1.0, -1.0]
    table = tail_table(returns, [1, 5])
    assert table["seen"].tolist() == [2, 2]
    assert table["expected"].tolist() == pytest.approx([31.73105, 5.733e-5], rel=1e-4)
    assert table["years"].iloc[0] == pytest.approx(1 / 0.3173105 / 365, rel=1e-6)


def test_real_days_lie_in_the_tails_more_often_than_the_normal_law_says():
    table = tail_table(log_returns(load_daily("BTC")), [1, 3, 5, 12])
    assert (table["seen"] > table["expected"]).tolist() == [False, True, True, True]


def test_returns_that_do_not_differ_have_no_tails():
    with pytest.raises(ValueError, match="two or more different values"):
        tail_table([0.01, 0.01], [2])


def test_a_position_that_is_only_made_smaller_lives_on():
    rows = [(50_000, 50_000, 47_800, 47_800), (47_800, 60_000, 47_800, 60_000)]
    told = replay(
        {"BTC": bars_of(*rows)},
        {"BTC": Stake(LONG, 5_000_000, 20)},
        balance=500_000,
        rules="binance",
    )
    ending = told.endings["BTC"]
    assert (ending.outcome, ending.cuts, ending.price) == ("open", 1, 60_000)
    assert told.equity == pytest.approx(1_043_546, abs=1)


def test_a_position_that_is_made_smaller_may_be_liquidated_in_the_end():
    """Cutting it down cancels its stop, as every forced close does."""
    rows = [(50_000, 50_000, 47_800, 47_800), (47_800, 47_900, 46_000, 46_000)]
    stake = Stake(LONG, 5_000_000, 20, stop=0.06)
    told = replay({"BTC": bars_of(*rows)}, {"BTC": stake}, balance=500_000, rules="binance")
    ending = told.endings["BTC"]
    assert (ending.outcome, ending.cuts > 0) == ("liquidated", True)


def test_assets_of_different_hours_and_lengths_end_alike_in_any_order():
    quiet = (100, 100, 100, 100)
    btc = bars_of(quiet, quiet, quiet, (100, 100, 94, 95), *[(95, 95, 95, 95)] * 5)
    eth = bars_of((50, 50, 40, 41), (41, 42, 41, 42), start="2024-01-01 02:00", step="4h")
    bars = {"BTC": btc.drop(btc.index[5]), "ETH": eth}
    stakes = {"BTC": Stake(LONG, 500, 20), "ETH": Stake(LONG, 500, 10)}
    told = [
        replay({a: bars[a] for a in order}, {a: stakes[a] for a in order}, balance=200)
        for order in (["BTC", "ETH"], ["ETH", "BTC"])
    ]
    assert told[0].endings == told[1].endings
    assert {a: e.outcome for a, e in told[0].endings.items()} == dict.fromkeys(bars, "liquidated")
    assert told[0].endings["ETH"].time == eth.index[0]
    assert told[0].table.index[0] == eth.index[0]
    columns = ["BTC", "ETH", "equity"]
    assert told[0].table[columns].equals(told[1].table[columns])
    assert told[0].table["ETH"].iloc[-1] == 42


def test_a_replay_leaves_the_bundled_bars_alone():
    before = load_hourly_window("2020-03-12")
    replay({"BTC": crash_bars("2020-03-12")}, {"BTC": Stake(LONG, 100)}, balance=100, jumps=True)
    pd.testing.assert_frame_equal(load_hourly_window("2020-03-12"), before)

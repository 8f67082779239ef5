"""Crashes and base rates as they were published or counted, recomputed with the helpers.

Falls: the table of crashes gathered on 2026-11-22 from public candle files of Binance's spot
market, confidence "verified" for prices; the UTC days named there, first price before the low to
the low. Base rates: counted on 2026-11-22 on the 2,130 bundled days of bitcoin, 0.4 % maintenance,
no fees, position opened at 00:00 UTC and held for the day.
"""

import pandas as pd
import pytest

from leverage import LONG, SHORT
from leverage.crashes import base_rates, worst_move
from leverage.history import load_daily, load_hourly_window

FALLS = [
    ("2020-03-12", "BTC", 2, 7_966.17, 3_782.13, -52.52, 26),
    ("2021-04-18", "BTC", 1, 60_499, 50_931.3, -15.81, 3),
    ("2021-05-19", "BTC", 1, 43_584.9, 30_000, -31.17, 13),
    ("2021-09-07", "BTC", 1, 52_920, 42_843.05, -19.04, 12),
    ("2021-12-04", "BTC", 1, 53_859.1, 42_000.3, -22.02, 5),
    ("2022-06-13", "BTC", 1, 26_895.84, 21_925.77, -18.48, 23),
    ("2024-03-05", "BTC", 1, 69_000, 59_005, -14.49, 4),
    ("2024-03-05", "ETH", 1, 3_822.04, 3_200, -16.28, 4),
    ("2024-04-13", "BTC", 1, 67_929, 60_660.57, -10.7, 16),
    ("2024-08-05", "BTC", 1, 58_305.59, 49_000, -15.96, 6),
    ("2024-08-05", "ETH", 1, 2_697.44, 2_111, -21.74, 1),
    ("2024-12-05", "BTC", 1, 104_088, 90_500, -13.05, 19),
    ("2024-12-09", "ETH", 1, 4_006.17, 3_509, -12.41, 21),
]

# leverage: share of days in per cent, long and short, to the digits that were stated
BASE_RATES = {
    2: (0, 0, 0.005),
    10: (4.27, 4.08, 0.005),
    20: (18.87, 17.84, 0.005),
    50: (55.2, 54.9, 0.05),
    100: (83.4, 80.9, 0.05),
    125: (89.0, 87.3, 0.05),
}


@pytest.mark.parametrize(("date", "symbol", "days", "start", "low", "percent", "hours"), FALLS)
def test_falls_are_those_of_the_gathered_candles(date, symbol, days, start, low, percent, hours):
    bars = load_hourly_window(date, symbol)
    first = pd.Timestamp(date, tz="UTC")
    day = bars[(bars.index >= first) & (bars.index < first + pd.Timedelta(days=days))]
    fall = worst_move(LONG, day)
    assert (fall.start_price, fall.end_price) == (start, low)
    assert fall.change * 100 == pytest.approx(percent, abs=0.005)
    # The table counts from bar to bar, the helper to the end of the last one.
    assert fall.hours == hours + 1


def test_there_are_as_many_days_as_the_count_names():
    assert len(load_daily("BTC")) == 2_130


@pytest.mark.parametrize("leverage", BASE_RATES)
def test_base_rates_are_the_counted_ones(leverage):
    long, short, tolerance = BASE_RATES[leverage]
    assert base_rates(LONG, [leverage])[0] * 100 == pytest.approx(long, abs=tolerance)
    assert base_rates(SHORT, [leverage])[0] * 100 == pytest.approx(short, abs=tolerance)

"""Bars are read as libraries give them, and what cannot be read is named."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leverage.bars import read_bars, read_ticks
from leverage.paper import PaperExchange

HOUR = 3_600_000
START = 1_600_000_000_000
ROWS = [[START + n * HOUR, 100 + n, 110 + n, 90 + n, 105 + n, 10.0] for n in range(30)]
TIMES = [row[0] for row in ROWS]
NAMES = ["Open", "High", "Low", "Close", "Volume"]


def frame(names=NAMES, **options):
    index = pd.to_datetime(TIMES, unit="ms", utc=True)
    return pd.DataFrame([row[1:] for row in ROWS], columns=names, index=index, **options)


def same(bars):
    return bars.time.tolist() == TIMES and bars.prices.tolist() == [row[1:5] for row in ROWS]


@pytest.mark.parametrize("names", [NAMES, [n.lower() for n in NAMES], [n.upper() for n in NAMES]])
def test_columns_are_found_in_any_spelling(names):
    bars = read_bars(frame(names))
    assert same(bars)
    assert bars.volume.tolist() == [10.0] * 30


@pytest.mark.parametrize("label", ["Date", "datetime", "Timestamp", "time"])
def test_time_stamps_are_found_in_a_column(label):
    table = frame().rename_axis(label).reset_index()
    assert same(read_bars(table))


def test_an_object_with_capital_columns_is_read():
    columns = {name: [row[n + 1] for row in ROWS] for n, name in enumerate(NAMES)}
    assert same(read_bars(SimpleNamespace(Date=np.array(TIMES), **columns)))


def test_a_table_without_names_is_read_as_rows():
    assert same(read_bars(pd.DataFrame(ROWS)))


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("kind", ["rows", "column"])
def test_time_stamps_are_read_in_the_unit_that_they_can_only_have(unit, kind):
    scaled = [[row[0] * unit, *row[1:]] for row in ROWS]
    if kind == "rows":
        bars = read_bars(scaled)
    else:
        table = frame()
        table["timestamp"] = [round(row[0]) for row in scaled]
        bars = read_bars(table)
    assert same(bars)
    assert bars.length == HOUR


def test_small_numbers_stay_milliseconds():
    days = [[n * 24 * HOUR, 1.0] for n in range(20)]
    assert read_ticks(days).time.tolist() == [row[0] for row in days]


@pytest.mark.parametrize(("early", "late"), [(1e-3, 1.0), (1.0, 1e3), (1e3, 1e6), (1e-3, 1e6)])
def test_time_stamps_of_two_units_are_refused(early, late):
    mixed = [[row[0] * (early if n < 9 else late), *row[1:]] for n, row in enumerate(ROWS)]
    with pytest.raises(ValueError, match="must all count in one unit, were from 1"):
        read_bars(mixed)
    table = frame()
    table["timestamp"] = [round(row[0]) for row in mixed]
    with pytest.raises(ValueError, match="in one unit"):
        read_bars(table)
    with pytest.raises(ValueError, match="in one unit"):
        PaperExchange(ROWS, balance=1, funding=[(row[0], 0.0001) for row in mixed])


def test_hours_from_the_first_days_to_years_later_are_milliseconds():
    hours = [[n * HOUR, 1.0] for n in range(0, 40_000)]
    assert read_ticks(hours).time[-1] == hours[-1][0]


@pytest.mark.parametrize("kind", ["index", "column", "dates", "numbers"])
def test_a_missing_time_stamp_is_named_with_its_row(kind):
    table = frame()
    stamps = table.index.to_series().reset_index(drop=True)
    stamps[3] = pd.NaT
    if kind == "index":
        table.index = pd.DatetimeIndex(stamps)
    elif kind == "numbers":
        table["timestamp"] = [float("nan") if n == 3 else t for n, t in enumerate(TIMES)]
    else:
        table["timestamp"] = list(stamps) if kind == "column" else stamps.astype(object).to_numpy()
    with pytest.raises(
        ValueError, match=r"a time stamp in every row, had (NaT|nan) in row 3; fill"
    ):
        read_bars(table)


def test_columns_that_are_missing_are_named():
    with pytest.raises(ValueError, match="of which low, close are missing among open, high, price"):
        read_bars(pd.DataFrame({"open": [1.0], "high": [1.0], "price": [1.0]}))


def test_a_table_of_several_symbols_is_refused_by_its_columns():
    table = frame()
    table.columns = pd.MultiIndex.from_product([NAMES, ["BTC-USD"]])
    with pytest.raises(
        ValueError, match=r"are missing among .*BTC-USD.*; rename them, or select one symbol"
    ):
        read_bars(table)


def test_text_for_a_time_is_refused_with_the_text():
    table = frame().rename_axis("Date").reset_index()
    table["Date"] = "yesterday"
    with pytest.raises(ValueError, match="yesterday"):
        read_bars(table)


def test_histories_that_never_trade_together_are_refused():
    late = [[row[0] + 100 * HOUR, *row[1:]] for row in ROWS]
    for feeds in (
        {"BTC/USDT:USDT": ROWS, "ETH/USDT:USDT": late},
        {"BTC/USDT:USDT": late, "ETH/USDT:USDT": ROWS},
    ):
        with pytest.raises(
            ValueError, match=r"bars of .* must overlap with those of .*, ended at 2020"
        ):
            PaperExchange(feeds, balance=1)
    just = [[row[0] + 29 * HOUR, *row[1:]] for row in ROWS]
    assert (
        PaperExchange({"BTC/USDT:USDT": ROWS, "ETH/USDT:USDT": just}, balance=1).now == just[0][0]
    )

"""The parsers of the two sources, one known defect at a time, on a few lines each."""

import numpy as np
import pandas as pd
import pytest

from leverage.history.candle_files import parse_close_times, parse_newest_first, to_daily

HEAD = "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount"
ADDRESS = "https://an.address"


def row(stamp: str, date: str, prices: str = "100,110,90,105", volume: str = "5") -> str:
    return f"{stamp},{date},BTC/USDT,{prices},{volume},500,9"


# Newest first: milliseconds and seconds, two forms of the date, one hour twice, a gap of two hours.
ROWS = [
    row("1596333600000", "2020-08-02 02:00:00", "103,108,99,104"),
    row("1596322800000", "2020-08-01 23:00:00", "101.25,110,95,103", "7.123"),
    row("1596322800.0", "2020-08-01 11-PM", "101.2,110,95,103", "7.1"),
    row("1596319200.0", "2020-08-01 10-PM"),
]


def first_file(*rows: str, address: bool = True) -> str:
    return "\n".join([*([ADDRESS] if address else []), HEAD, *rows, ""])


@pytest.mark.parametrize("address", [True, False])
def test_the_address_in_the_first_line_is_skipped(address: bool) -> None:
    candles = parse_newest_first(first_file(*ROWS, address=address))
    assert len(candles.hourly) == 3
    assert candles.defects["address lines"] == int(address)


def test_rows_come_out_oldest_first() -> None:
    candles = parse_newest_first(first_file(*ROWS))
    assert candles.hourly.index.is_monotonic_increasing
    assert candles.defects["rows newest first"] == 4
    assert parse_newest_first(first_file(*ROWS[::-1])).defects["rows newest first"] == 0


def test_stamps_in_seconds_and_in_milliseconds_mean_the_same() -> None:
    candles = parse_newest_first(first_file(*ROWS))
    assert [str(time) for time in candles.hourly.index] == [
        "2020-08-01 22:00:00+00:00",
        "2020-08-01 23:00:00+00:00",
        "2020-08-02 02:00:00+00:00",
    ]
    assert candles.defects["stamps in milliseconds"] == 2
    assert candles.defects["stamps in seconds"] == 2


def test_both_forms_of_the_date_are_read() -> None:
    candles = parse_newest_first(first_file(*ROWS))
    assert candles.defects["dates as 2020-08-01 23:00:00"] == 2
    assert candles.defects["dates as 2020-08-01 11-PM"] == 2
    assert candles.defects["dates against their stamp"] == 0


@pytest.mark.parametrize(("hour", "text"), [(0, "12-AM"), (1, "01-AM"), (12, "12-PM")])
def test_midnight_and_noon_are_told_apart(hour: int, text: str) -> None:
    stamp = 1596240000 + 3_600 * hour
    candles = parse_newest_first(first_file(row(f"{stamp}.0", f"2020-08-01 {text}")))
    assert candles.defects["dates against their stamp"] == 0


def test_the_stamp_wins_over_a_date_that_contradicts_it() -> None:
    wrong = row("1506373200.0", "2017-09-25 05-PM")
    candles = parse_newest_first(first_file(wrong))
    assert candles.hourly.index[0] == pd.Timestamp("2017-09-25 21:00", tz="UTC")
    assert candles.defects["dates against their stamp"] == 1


def test_of_a_repeated_hour_the_row_with_more_digits_stays() -> None:
    candles = parse_newest_first(first_file(*ROWS))
    assert candles.defects["repeated hours"] == 1
    kept = candles.hourly.loc[pd.Timestamp("2020-08-01 23:00", tz="UTC")]
    assert (kept["open"], kept["volume"]) == (101.25, 7.123)


def test_missing_hours_stay_missing_and_are_counted() -> None:
    candles = parse_newest_first(first_file(*ROWS))
    assert candles.defects["missing hours"] == 2
    assert pd.Timestamp("2020-08-02 00:00", tz="UTC") not in candles.hourly.index


def test_a_bar_with_an_impossible_price_is_dropped() -> None:
    corrupt = row("1596315600.0", "2020-08-01 09-PM", "16199.91,16199.91,4261.32,4308.83")
    candles = parse_newest_first(first_file(*ROWS, corrupt))
    assert candles.defects["impossible bars"] == 1
    assert candles.hourly["high"].max() == 110
    assert candles.hourly.index[0] == pd.Timestamp("2020-08-01 22:00", tz="UTC")


def test_the_wildest_real_hour_is_no_defect() -> None:
    # 2020-03-13 02:00: the low is 28 % below the high.
    wild = row("1584064800.0", "2020-03-13 02-AM", "5007.3,5278,3782.13,4900")
    assert parse_newest_first(first_file(wild)).defects["impossible bars"] == 0


@pytest.mark.parametrize(
    ("prices", "volume"),
    [
        ("100,99,90,105", "5"),
        ("100,110,101,105", "5"),
        ("100,110,-90,105", "5"),
        ("100,110,90,105", "-1"),
        ("100,110,90,nan", "5"),
        ("100,110,90,105", "inf"),
    ],
)
def test_a_bar_that_contradicts_itself_is_refused(prices: str, volume: str) -> None:
    with pytest.raises(ValueError, match=r"a bar must start at a full hour and have low <= open"):
        parse_newest_first(first_file(row("1596319200.0", "2020-08-01 10-PM", prices, volume)))


def test_a_bar_off_the_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="full hour"):
        parse_newest_first(first_file(row("1596319260.0", "2020-08-01 10-PM")))


def test_unreadable_dates_numbers_and_columns_are_named() -> None:
    with pytest.raises(ValueError, match="date must be written as %Y-%m-%d %I-%p"):
        parse_newest_first(first_file(row("1596319200.0", "1 August 2020")))
    with pytest.raises(ValueError, match="open must hold numbers"):
        parse_newest_first(first_file(row("1596319200.0", "2020-08-01 10-PM", "a,2,3,4")))
    with pytest.raises(ValueError, match="Volume BTC are missing among"):
        parse_newest_first("unix,date,symbol,open,high,low,close\n1,2,3,4,5,6,7\n")
    with pytest.raises(ValueError, match="Close Time must hold dates"):
        parse_close_times("Close Time,Open,High,Low,Close,Volume\nsoon,1,1,1,1,1\n")
    with pytest.raises(ValueError, match="at least one bar, was empty"):
        parse_close_times("Close Time,Open,High,Low,Close,Volume\n")


def test_close_times_become_the_beginning_of_their_hour() -> None:
    text = (
        "Close Time,Open,High,Low,Close,Volume\n"
        "2024-01-01 00:59:59.999,100,110,90,105,5\n"
        "2024-01-01 02:59:59.999,105,111,91,106,5\n"
    )
    candles = parse_close_times(text)
    assert [time.hour for time in candles.hourly.index] == [0, 2]
    assert candles.defects["missing hours"] == 1


def test_a_repeated_close_time_is_refused() -> None:
    line = "2024-01-01 00:59:59.999,100,110,90,105,5\n"
    with pytest.raises(ValueError, match="hours must not repeat, 1 did"):
        parse_close_times("Close Time,Open,High,Low,Close,Volume\n" + line + line)


def test_a_day_joins_its_hours_and_says_how_many_there_were() -> None:
    times = pd.date_range("2020-08-01 22:00", periods=4, freq="h", tz="UTC", name="time")
    hourly = pd.DataFrame(
        {
            "open": [10.0, 11.0, 12.0, 13.0],
            "high": [15.0, 12.0, 19.0, 14.0],
            "low": [9.0, 8.0, 11.0, 7.0],
            "close": [11.0, 12.0, 13.0, 10.0],
            "volume": [1.0, 2.0, 3.0, 4.0],
        },
        index=times,
    )
    daily = to_daily(hourly)
    assert daily.to_numpy().tolist() == [[10, 15, 8, 12, 3, 2], [12, 19, 7, 10, 7, 2]]
    assert (np.diff(daily.index) == pd.Timedelta(days=1)).all()

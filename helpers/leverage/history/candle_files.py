"""Read the two files of hourly candles that the bundled history is made from, defects and all.

Both parsers give the same clean frame: one row for each hour in which there is a bar, oldest first,
with the columns open, high, low, close (quote currency per coin) and volume (coins), and an index
of the hours' beginnings in UTC. Hours without a bar stay out: an outage is a fact, not a defect.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from leverage._pandas import pd
from leverage.bars import read_bars

COLUMNS = ["open", "high", "low", "close", "volume"]

_HOUR = pd.Timedelta(hours=1)
# Stamps in milliseconds are above this, stamps in seconds below it, from 1973 to 5138.
_MILLISECONDS_FROM = 1e11
# An hour whose price more than doubles or halves is no trade of a liquid market.
_LARGEST_RANGE = 2.0


@dataclass(frozen=True)
class Candles:
    """Clean hourly bars and what was wrong with their file.

    Attributes
    ----------
    hourly : DataFrame
        Open, high, low, close and volume by hour, UTC.
    defects : mapping
        How often each known defect was met, by its name.
    """

    hourly: pd.DataFrame
    defects: Mapping[str, int]


def parse_newest_first(text: str) -> Candles:
    r"""Read the file that runs from 2017-08 to 2022-06.

    Its first line is an address, its newest row comes first, some time stamps are in milliseconds
    and some in seconds, its text dates have two formats and contradict the stamp in 91 rows (the
    stamp wins: with it every row follows its neighbour without a jump in price), one hour stands
    there twice (the row with more digits stays), and the first hour has an impossible open and high
    (the row is dropped).

    Parameters
    ----------
    text : str
        The whole file.

    Returns
    -------
    Candles
        Clean bars, and the count of each defect.

    Raises
    ------
    ValueError
        If the columns are not the expected ones, a number or date cannot be read, or a bar
        contradicts itself.

    Examples
    --------
    >>> candles = parse_newest_first(
    ...     "https://address\n"
    ...     "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount\n"
    ...     "1596326400000,2020-08-02 00:00:00,BTC/USDT,11801.17,11801.2,11780,11790,9,9,9\n"
    ...     "1596322800.0,2020-08-01 11-PM,BTC/USDT,11783.3,11820.61,11731.71,11801.17,5,5,NULL\n"
    ... )
    >>> candles.hourly.index[0].isoformat(), candles.defects["stamps in seconds"]
    ('2020-08-01T23:00:00+00:00', 1)
    """
    address, _, body = text.partition("\n")
    has_address = "://" in address
    frame = pd.read_csv(io.StringIO(body if has_address else text), dtype=str)
    _need_columns(frame, ["unix", "date", "open", "high", "low", "close", "Volume BTC"])
    stamps = _numbers(frame["unix"])
    in_milliseconds = stamps >= _MILLISECONDS_FROM
    seconds = np.where(in_milliseconds, stamps / 1_000.0, stamps)
    hourly = _price_columns(frame.rename(columns={"Volume BTC": "volume"}))
    hourly.index = pd.to_datetime(seconds, unit="s", utc=True).rename("time")
    written, with_clock = _text_dates(frame["date"])
    newest_first = bool((np.diff(seconds) <= 0).all()) and len(frame) > 1
    repeated = hourly.index.duplicated(keep="first")
    hourly = hourly[~repeated].sort_index()
    wild = (hourly["low"] > 0) & (hourly["high"] > _LARGEST_RANGE * hourly["low"])
    hourly = hourly[~wild]
    _check_bars(hourly)
    return Candles(
        hourly,
        MappingProxyType(
            {
                "address lines": int(has_address),
                "rows newest first": len(frame) if newest_first else 0,
                "stamps in milliseconds": int(in_milliseconds.sum()),
                "stamps in seconds": int((~in_milliseconds).sum()),
                "dates as 2020-08-01 23:00:00": int(with_clock.sum()),
                "dates as 2020-08-01 11-PM": int((~with_clock).sum()),
                "dates against their stamp": int((written != hourly_index(seconds)).sum()),
                "repeated hours": int(repeated.sum()),
                "impossible bars": int(wild.sum()),
                "missing hours": _missing(hourly),
            }
        ),
    )


def parse_close_times(text: str) -> Candles:
    r"""Read the files of 2024, whose only stamp is the last millisecond of each hour.

    Parameters
    ----------
    text : str
        The whole file.

    Returns
    -------
    Candles
        Clean bars by the beginning of the hour, and the count of missing hours.

    Raises
    ------
    ValueError
        If the columns are not the expected ones, a number or date cannot be read, a bar
        contradicts itself, or an hour is repeated.

    Examples
    --------
    >>> candles = parse_close_times(
    ...     "Close Time,Open,High,Low,Close,Volume\n"
    ...     "2024-01-01 00:59:59.999,42283.58,42554.57,42261.02,42475.23,1271.68\n"
    ... )
    >>> candles.hourly.index[0].isoformat()
    '2024-01-01T00:00:00+00:00'
    """
    frame = pd.read_csv(io.StringIO(text), dtype=str)
    _need_columns(frame, ["Close Time", "Open", "High", "Low", "Close", "Volume"])
    hourly = _price_columns(frame.rename(columns=str.lower))
    try:
        closed = pd.to_datetime(frame["Close Time"], utc=True)
    except (ValueError, TypeError) as error:
        raise ValueError(f"Close Time must hold dates, but {error}; check the file") from None
    hourly.index = pd.DatetimeIndex(closed.dt.floor("h"), name="time").as_unit("s")
    repeated = int(hourly.index.duplicated().sum())
    if repeated:
        raise ValueError(f"hours must not repeat, {repeated} did; check the file")
    hourly = hourly.sort_index()
    _check_bars(hourly)
    return Candles(hourly, MappingProxyType({"missing hours": _missing(hourly)}))


def to_daily(hourly: pd.DataFrame) -> pd.DataFrame:
    """Join hourly bars to bars of UTC days; days without a bar stay out.

    Parameters
    ----------
    hourly : DataFrame
        Hourly bars as the parsers give them.

    Returns
    -------
    DataFrame
        Open, high, low, close and volume of each day, and `hours`: how many bars it is made of.
    """
    read_bars(hourly, "hourly", timeframe="1h")
    grouped = hourly.groupby(_bar_times(hourly).floor("D"))
    daily = grouped.agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    daily["hours"] = grouped.size()
    return daily.rename_axis("time")


def hourly_index(seconds: np.ndarray) -> pd.DatetimeIndex:
    """Return seconds since 1970 as times in UTC."""
    return pd.DatetimeIndex(pd.to_datetime(seconds, unit="s", utc=True))


def _text_dates(dates: pd.Series[str]) -> tuple[pd.DatetimeIndex, np.ndarray]:
    with_clock = dates.str.contains(":", regex=False).to_numpy(dtype=bool)
    read = pd.Series(pd.NaT, index=dates.index, dtype="datetime64[ns, UTC]")
    for chosen, form in ((with_clock, "%Y-%m-%d %H:%M:%S"), (~with_clock, "%Y-%m-%d %I-%p")):
        try:
            read[chosen] = pd.to_datetime(dates[chosen], format=form, utc=True)
        except ValueError as error:
            raise ValueError(f"date must be written as {form}, but {error}") from None
    return pd.DatetimeIndex(read), with_clock


def _need_columns(frame: pd.DataFrame, names: list[str]) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ValueError(
            f"the file must have the columns {', '.join(names)}; {', '.join(missing)} are "
            f"missing among {', '.join(map(str, frame.columns))}"
        )


def _numbers(column: pd.Series[str]) -> np.ndarray:
    try:
        return column.to_numpy(dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{column.name} must hold numbers, but {error}") from None


def _price_columns(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: _numbers(frame[name]) for name in COLUMNS})


def _check_bars(hourly: pd.DataFrame) -> None:
    if hourly.empty:
        raise ValueError("the file must hold at least one bar, was empty; check the file")
    prices = hourly[["open", "high", "low", "close"]]
    good = (
        hourly.notna().all(axis=1)
        & (hourly < np.inf).all(axis=1)
        & (prices > 0).all(axis=1)
        & (hourly["low"] == prices.min(axis=1))
        & (hourly["high"] == prices.max(axis=1))
        & (hourly["volume"] >= 0)
        & (_bar_times(hourly) == _bar_times(hourly).floor("h"))
    )
    if not good.all():
        worst = hourly[~good].iloc[0]
        raise ValueError(
            f"a bar must start at a full hour and have low <= open, close <= high, all positive; "
            f"{worst.name} had {worst.to_dict()}"
        )


def _bar_times(bars: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(bars.index)


def _missing(hourly: pd.DataFrame) -> int:
    return int((hourly.index[-1] - hourly.index[0]) / _HOUR) + 1 - len(hourly)

"""Bars as they come: one door for every function that takes them.

Whatever is wrong with prices or times is refused here, with a sentence that says where and what to
do: nothing is sorted, filled in or dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from leverage._validate import BoolArray, FloatArray, shown

IntArray: TypeAlias = npt.NDArray[np.int64]
MINUTE = 60_000

_COLUMNS = ("open", "high", "low", "close")
_STAMPS = ("timestamp", "datetime", "date", "time")
# Sizes of time stamps: as seconds, these are 1985, the years 5138 and 3 million, and far beyond.
_FIRST_SECOND, _FIRST_MILLI, _FIRST_MICRO, _FIRST_NANO = 5e8, 1e11, 1e14, 1e17
_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": MINUTE, "s": 1_000}


@dataclass(frozen=True)
class Bars:
    """Checked bars of one symbol.

    Attributes
    ----------
    time : ndarray of int64
        Start of each bar in milliseconds since 1970.
    prices : ndarray, shape (n, 4)
        Open, high, low, close, in quote currency per unit of base currency.
    volume : ndarray
        Traded in each bar, in base currency.
    length : int
        Milliseconds that a bar lasts; 0 for ticks.
    """

    time: IntArray
    prices: FloatArray
    volume: FloatArray
    length: int


def length_of(timeframe: str) -> int:
    """Milliseconds that a bar of a timeframe lasts.

    Examples
    --------
    >>> length_of("1h"), length_of("3d")
    (3600000, 259200000)
    """
    number, unit = timeframe[:-1], timeframe[-1:]
    if not (number.isdecimal() and int(number) and unit in _UNITS):
        raise ValueError(
            f"timeframe must be a number and one of {', '.join(_UNITS)}, was {timeframe!r}; give "
            '"1h" for an hour'
        )
    return int(number) * _UNITS[unit]


def timeframe_of(length: int) -> str:
    """Timeframe of bars that last so many milliseconds.

    Examples
    --------
    >>> timeframe_of(86_400_000), timeframe_of(5_400_000)
    ('1d', '90m')
    """
    unit = next((unit for unit, one in _UNITS.items() if length % one == 0), "s")
    return f"{length // _UNITS[unit]}{unit}"


def begin_of(length: int) -> int:
    """Return a moment at which a bar of a timeframe begins, in milliseconds: weeks on a Monday.

    Examples
    --------
    >>> begin_of(length_of("1h")), begin_of(length_of("1w")) // length_of("1d")
    (0, 4)
    """
    # 1970 began on a Thursday.
    return 4 * _UNITS["d"] if length % _UNITS["w"] == 0 else 0


def read_bars(feed: Any, name: str = "bars", timeframe: str | None = None) -> Bars:
    """Check bars and bring them into one form.

    Parameters
    ----------
    feed : Bars, list of rows, array, DataFrame or object with such columns
        Rows of time stamp, open, high, low, close and perhaps volume; or columns of these names,
        small or capital, with a ``DatetimeIndex`` or a column ``timestamp``, ``datetime``,
        ``date`` or ``time``. Numbers are milliseconds since 1970, or seconds, micro- or
        nanoseconds where they would else lie before 1973 (and after its first days) or after 5138.
    name : str, default "bars"
        What the feed is called in messages.
    timeframe : str, optional
        What a bar lasts, such as ``"1h"``. If left out it is the most frequent step, which is too
        long where a few bars stand around an outage, and a minute for a single bar.

    Returns
    -------
    Bars
        Times in milliseconds, prices, volumes.

    Raises
    ------
    ValueError
        If a price is not a positive number, a bar's high and low do not enclose its open and
        close, time does not rise, or bars overlap.

    Examples
    --------
    >>> bars = read_bars([[0, 10, 12, 9, 11, 5], [60_000, 11, 11, 10, 10, 3]])
    >>> bars.length, bars.prices[1].tolist()
    (60000, [11.0, 11.0, 10.0, 10.0])
    >>> read_bars([[0, 10, 9, 9, 10, 5]])
    Traceback (most recent call last):
    ValueError: bars must have a high at or above open and close, was 9 below 10 \
in row 0 (1970-01-01T00:00:00.000Z); repair or drop the bar
    """
    if isinstance(feed, Bars):
        return feed
    time, table, volume = _columns(feed, name)
    _check_time(time, name)
    _check_prices(table, time, name)
    opening, high, low, close = table.T
    _refuse_rows(
        high < np.maximum(opening, close),
        name,
        "a high at or above open and close",
        high,
        np.maximum(opening, close),
        "below",
        time,
    )
    _refuse_rows(
        low > np.minimum(opening, close),
        name,
        "a low at or below open and close",
        low,
        np.minimum(opening, close),
        "above",
        time,
    )
    wrong = ~np.isfinite(volume) | (volume < 0)
    _refuse_rows(wrong, name, "a volume of zero or more", volume, volume, "", time)
    length = _usual_step(time) if timeframe is None else length_of(timeframe)
    steps = np.diff(time)
    off = steps % length != 0
    if off.any():
        row = int(np.argmax(off))
        raise ValueError(
            f"{name} must not overlap and start at multiples of their length ({length} ms): row "
            f"{row + 1} starts {int(steps[row])} ms after row {row}, at {_when(int(time[row + 1]))}; "
            "give bars of one length"
        )
    return Bars(time, np.ascontiguousarray(table), volume, length)


def read_ticks(feed: Any, name: str = "ticks") -> Bars:
    """Check ticks, rows of time stamp and price, and hold them as bars of one price each.

    Parameters
    ----------
    feed : Bars, list of rows or array
        Rows of time stamp and price, as for :func:`read_bars`.
    name : str, default "ticks"
        What the feed is called in messages.

    Returns
    -------
    Bars
        With the length 0.

    Raises
    ------
    ValueError
        If a price is not a positive number, or time does not rise.

    Examples
    --------
    >>> read_ticks([[0, 10], [250, 11]]).prices[1].tolist()
    [11.0, 11.0, 11.0, 11.0]
    """
    if isinstance(feed, Bars):
        return feed
    table = _rows_as_table(feed, name)
    if table.shape[1] < 2:
        raise ValueError(
            f"{name} must have rows of time stamp and price, had {table.shape[1]} columns"
        )
    time = _as_milliseconds(table[:, 0], name)
    _check_time(time, name)
    prices = np.repeat(table[:, 1:2], 4, axis=1)
    _check_prices(prices, time, name)
    volume = table[:, 2] if table.shape[1] > 2 else np.zeros(len(time))
    return Bars(time, prices, np.ascontiguousarray(volume), 0)


def _when(milliseconds: int) -> str:
    return f"{np.datetime64(milliseconds, 'ms')}Z"


def _named(feed: Any) -> dict[str, Any]:
    """Columns of a table or an object by their names in small letters; none for plain rows."""
    labels = getattr(feed, "columns", None)
    if labels is not None and not any(isinstance(label, str) for label in labels):
        # Rows in a table without names, or one with a name and a symbol for every column.
        labels = [label for label in labels if isinstance(label, tuple)]
    if labels is None:
        wanted = (*_COLUMNS, *_STAMPS, "volume", "index")
        spelled = [s for w in wanted for s in (w.capitalize(), w) if hasattr(feed, s)]
        return {label.lower(): getattr(feed, label) for label in spelled}
    found = {}
    for label in sorted(labels, key=lambda one: str(one).islower()):
        found[str(label).lower()] = feed[label]
    return found


def _columns(feed: Any, name: str) -> tuple[IntArray, FloatArray, FloatArray]:
    named = {} if isinstance(feed, (list, tuple, np.ndarray)) else _named(feed)
    missing = [column for column in _COLUMNS if column not in named]
    if named and missing and hasattr(feed, "columns"):
        raise ValueError(
            f"{name} must have the columns {', '.join(_COLUMNS)}, of which {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing among "
            f"{', '.join(str(label) for label in feed.columns)}; rename them, or select one symbol"
        )
    if not missing:
        prices = np.column_stack([_float_column(named[column], name) for column in _COLUMNS])
        volume = named.get("volume")
        return (
            _stamps(feed, named, name),
            prices,
            np.zeros(len(prices)) if volume is None else _float_column(volume, name),
        )
    table = _rows_as_table(feed, name)
    if table.shape[1] < 5:
        raise ValueError(
            f"{name} must have rows of time stamp, open, high, low and close, had "
            f"{table.shape[1]} columns; give ccxt's OHLCV rows or a DataFrame with those columns"
        )
    volume = table[:, 5].copy() if table.shape[1] > 5 else np.zeros(len(table))
    return _as_milliseconds(table[:, 0], name), table[:, 1:5], volume


def _usual_step(time: IntArray) -> int:
    """Length of a bar: the most frequent step, the shorter of two that are equally frequent."""
    if time.size == 1:
        return MINUTE
    steps, counts = np.unique(np.diff(time), return_counts=True)
    return int(steps[np.argmax(counts)])


def _stamps(feed: Any, named: dict[str, Any], name: str) -> IntArray:
    for column in _STAMPS:
        if column in named:
            return _as_milliseconds(np.asarray(named[column]), name)
    index = getattr(feed, "index", None)
    if index is None:
        raise ValueError(f"{name} must have time stamps; add a column timestamp or a DatetimeIndex")
    stamps = np.asarray(index)
    if stamps.dtype.kind not in "MO":
        raise ValueError(
            f"{name} must have an index of times, had one of numbers; make a DatetimeIndex, or add a "
            "column timestamp in milliseconds"
        )
    return _as_milliseconds(stamps, name)


def _as_milliseconds(stamps: npt.NDArray[Any], name: str) -> IntArray:
    is_missing = stamps != stamps if stamps.dtype.kind in "fMO" else np.zeros(0, dtype=bool)
    if is_missing.any():
        raise ValueError(
            f"{name} must have a time stamp in every row, had {stamps[is_missing][0]} in row "
            f"{int(np.argmax(is_missing))}; fill in or drop missing ones"
        )
    if stamps.dtype.kind == "O" and stamps.size and hasattr(stamps.flat[0], "timestamp"):
        return np.array([round(stamp.timestamp() * 1000) for stamp in stamps], dtype=np.int64)
    if stamps.dtype.kind == "M":
        return stamps.astype("datetime64[ms]").astype(np.int64)
    try:
        numbers = stamps.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must have time stamps as numbers since 1970 or as dates, the first was "
            f"{stamps.flat[0]!r}; turn text into dates first"
        ) from None
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"{name} must have a time stamp in every row; fill in or drop missing ones"
        )
    return np.round(numbers * milliseconds_in(numbers)).astype(np.int64)


def milliseconds_in(numbers: FloatArray) -> float:
    """Milliseconds that one counts in rising time stamps of this size; see :func:`read_bars`.

    Raises
    ------
    ValueError
        If the first and the last are of different units.

    Examples
    --------
    >>> milliseconds_in(np.array([1.6e9])), milliseconds_in(np.array([1.6e12]))
    (1000.0, 1.0)
    """
    if not numbers.size:
        return 1.0
    first, last = float(numbers[0]), float(numbers.max())
    sizes = (_FIRST_SECOND, _FIRST_MILLI, _FIRST_MICRO, _FIRST_NANO)
    if first >= _FIRST_SECOND and any(first < size <= last for size in sizes):
        raise ValueError(
            f"time stamps must all count in one unit, were from {shown(first)} to {shown(last)}; give "
            "seconds, milliseconds, micro- or nanoseconds since 1970"
        )
    if last >= _FIRST_NANO:
        return 1e-6
    if last >= _FIRST_MICRO:
        return 1e-3
    return 1000.0 if first >= _FIRST_SECOND and last < _FIRST_MILLI else 1.0


def _rows_as_table(feed: Any, name: str) -> FloatArray:
    try:
        table = np.array(feed, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be rows of numbers, all of one length") from None
    if table.ndim != 2 or not table.size:
        raise ValueError(f"{name} must hold at least one row, had the shape {table.shape}")
    return table


def _float_column(column: Any, name: str) -> FloatArray:
    try:
        return np.array(column, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers; turn text into numbers first") from None


def _check_time(time: IntArray, name: str) -> None:
    if not time.size:
        raise ValueError(f"{name} must hold at least one row, was empty")
    back = np.diff(time) <= 0
    if back.any():
        row = int(np.argmax(back))
        what = "the same" if time[row] == time[row + 1] else "before it"
        raise ValueError(
            f"{name} must rise in time: row {row + 1} is at {_when(int(time[row + 1]))}, {what} as "
            f"row {row} ({_when(int(time[row]))}); sort the rows and drop duplicates"
        )


def _check_prices(table: FloatArray, time: IntArray, name: str) -> None:
    wrong = ~np.isfinite(table) | (table <= 0)
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        raise ValueError(
            f"{name} must have positive prices, {_COLUMNS[column]} was "
            f"{shown(float(table[row, column]))} in row {row} ({_when(int(time[row]))}); repair or "
            "drop the row"
        )


def _refuse_rows(
    wrong: BoolArray,
    name: str,
    rule: str,
    value: FloatArray,
    other: FloatArray,
    relation: str,
    time: IntArray,
) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        against = f" {relation} {shown(float(other[row]))}" if relation else ""
        raise ValueError(
            f"{name} must have {rule}, was {shown(float(value[row]))}{against} in row {row} "
            f"({_when(int(time[row]))}); repair or drop the bar"
        )

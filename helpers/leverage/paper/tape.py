"""History as the exchange replays it: bars or ticks become rows of prices, one row for a moment.

A bar becomes four rows: open, its two extremes, close. A rising bar (close at or above open) is taken
to have touched its low first, a falling bar its high. Inside a bar the price moves in a straight line
from row to row; into a new bar, and out of an outage, it jumps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from .._validate import BoolArray, FloatArray, shown
from .exchange_errors import BadFeed
from .formats import iso

Path: TypeAlias = Literal["auto", "OLHC", "OHLC"]
PATHS = ("auto", "OLHC", "OHLC")
TICKS_A_BAR = 4
MINUTE = 60_000
IntArray: TypeAlias = npt.NDArray[np.int64]

_COLUMNS = ("open", "high", "low", "close")


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


@dataclass(frozen=True)
class Track:
    """Prices of one symbol at every row of the tape.

    Attributes
    ----------
    last, mark, index : ndarray
        The three prices; a symbol without a tick at a row keeps its last one.
    is_open : ndarray of bool
        False where the history has no bar: an outage.
    is_joined : ndarray of bool
        True where the price came in a straight line from the row before.
    bar : ndarray of int64
        Number of the bar that a row belongs to, -1 before the first.
    bars : Bars
        What the rows were made of.
    """

    last: FloatArray
    mark: FloatArray
    index: FloatArray
    is_open: BoolArray
    is_joined: BoolArray
    bar: IntArray
    bars: Bars


@dataclass(frozen=True)
class Tape:
    """All symbols on one clock.

    Attributes
    ----------
    time : ndarray of int64
        Milliseconds since 1970, rising.
    tracks : mapping of str to Track
        By symbol.
    length : int
        Milliseconds of the shortest bar; a minute for ticks.
    """

    time: IntArray
    tracks: Mapping[str, Track]
    length: int


def read_bars(feed: Any, name: str = "bars") -> Bars:
    """Check bars and bring them into one form.

    Parameters
    ----------
    feed : Bars, list of rows, array, DataFrame or object with such columns
        Rows of time stamp (milliseconds), open, high, low, close and perhaps volume; or columns of
        these names with a ``DatetimeIndex``, or a column ``timestamp`` or ``time``.
    name : str, default "bars"
        What the feed is called in messages.

    Returns
    -------
    Bars
        Times in milliseconds, prices, volumes.

    Raises
    ------
    BadFeed
        If a price is not a positive number, a bar's high and low do not enclose its open and
        close, time does not rise, or bars overlap.

    Examples
    --------
    >>> bars = read_bars([[0, 10, 12, 9, 11, 5], [60_000, 11, 11, 10, 10, 3]])
    >>> bars.length, bars.prices[1].tolist()
    (60000, [11.0, 11.0, 10.0, 10.0])
    >>> read_bars([[0, 10, 9, 9, 10, 5]])
    Traceback (most recent call last):
    leverage.paper.exchange_errors.BadFeed: bars must have a high at or above open and close, was 9 below 10 \
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
    length = _usual_step(time)
    steps = np.diff(time)
    off = steps % length != 0
    if off.any():
        row = int(np.argmax(off))
        raise BadFeed(
            f"{name} must not overlap and start at multiples of their length ({length} ms): row "
            f"{row + 1} starts {int(steps[row])} ms after row {row}, at {iso(int(time[row + 1]))}; "
            "give bars of one length"
        )
    return Bars(time, np.ascontiguousarray(table), volume, length)


def read_ticks(feed: Any, name: str = "ticks") -> Bars:
    """Check ticks, rows of time stamp and price, and hold them as bars of one price each.

    Parameters
    ----------
    feed : Bars, list of rows or array
        Rows of time stamp (milliseconds) and price.
    name : str, default "ticks"
        What the feed is called in messages.

    Returns
    -------
    Bars
        With the length 0.

    Raises
    ------
    BadFeed
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
        raise BadFeed(
            f"{name} must have rows of time stamp and price, had {table.shape[1]} columns"
        )
    time = _as_milliseconds(table[:, 0], name)
    _check_time(time, name)
    prices = np.repeat(table[:, 1:2], 4, axis=1)
    _check_prices(prices, time, name)
    volume = table[:, 2] if table.shape[1] > 2 else np.zeros(len(time))
    return Bars(time, prices, np.ascontiguousarray(volume), 0)


def make_tape(
    last: Mapping[str, Bars],
    mark: Mapping[str, Bars],
    index: Mapping[str, Bars],
    path: Path = "auto",
) -> Tape:
    """Lay the bars of all symbols out as rows on one clock.

    Parameters
    ----------
    last : mapping of str to Bars
        Traded prices by symbol.
    mark, index : mapping of str to Bars
        The same for mark and index prices; the traded price stands in for a missing one.
    path : {"auto", "OLHC", "OHLC"}, default "auto"
        Which extreme of a bar comes first.

    Returns
    -------
    Tape
        Four rows for a bar, one for a tick and one for each bar that is missing.

    Raises
    ------
    BadFeed
        If the time stamps of mark or index differ from those of the traded price.

    Examples
    --------
    >>> bars = read_bars([[0, 10, 12, 9, 11, 5], [120_000, 11, 11, 10, 10, 3]])
    >>> tape = make_tape({"BTC": bars}, {}, {})
    >>> tape.tracks["BTC"].last.tolist()
    [10.0, 9.0, 12.0, 11.0, 11.0, 11.0, 10.0, 10.0]
    """
    for kind, feeds in (("mark", mark), ("index", index)):
        for symbol, bars in feeds.items():
            if symbol not in last:
                raise BadFeed(f"{kind} must be for symbols of bars, was for {symbol!r}")
            if not np.array_equal(bars.time, last[symbol].time):
                raise BadFeed(
                    f"{kind} of {symbol} must have the time stamps of its bars, had {bars.time.size} "
                    f"from {iso(int(bars.time[0]))} against {last[symbol].time.size} from "
                    f"{iso(int(last[symbol].time[0]))}"
                )
    strips = {
        symbol: _strip(bars, mark.get(symbol), index.get(symbol), path)
        for symbol, bars in last.items()
    }
    first = max(int(strip["time"][0]) for strip in strips.values())
    clock = _common_clock([strip["time"] for strip in strips.values()])
    # Nothing can be traded before every symbol has a price.
    clock = clock[clock >= first]
    tracks = {symbol: _on_clock(strip, clock, last[symbol]) for symbol, strip in strips.items()}
    lengths = [bars.length for bars in last.values() if bars.length]
    return Tape(clock, tracks, min(lengths, default=MINUTE))


def _strip(
    bars: Bars, mark: Bars | None, index: Bars | None, path: Path
) -> dict[str, npt.NDArray[Any]]:
    """Rows of one symbol on its own clock."""
    count = bars.time.size
    if not bars.length:
        price = bars.prices[:, 3]
        return {
            "time": bars.time,
            "last": price,
            "mark": price if mark is None else mark.prices[:, 3],
            "index": price if index is None else index.prices[:, 3],
            "is_open": np.ones(count, dtype=bool),
            "is_joined": np.zeros(count, dtype=bool),
            "bar": np.arange(count),
        }
    opening, _, _, close = bars.prices.T
    low_first = close >= opening if path == "auto" else np.full(count, path == "OLHC")
    order = np.where(low_first[:, None], [0, 2, 1, 3], [0, 1, 2, 3])
    third = bars.length // 3
    offsets = np.array([0, third, 2 * third, bars.length - 1])
    rows = {
        "time": (bars.time[:, None] + offsets).ravel(),
        "last": np.take_along_axis(bars.prices, order, axis=1).ravel(),
        "is_open": np.ones(4 * count, dtype=bool),
        "is_joined": np.tile([False, True, True, True], count),
        "bar": np.repeat(np.arange(count), TICKS_A_BAR),
    }
    for kind, other in (("mark", mark), ("index", index)):
        rows[kind] = (
            rows["last"]
            if other is None
            else np.take_along_axis(other.prices, order, axis=1).ravel()
        )
    numbers = (bars.time - bars.time[0]) // bars.length
    is_missing = np.ones(int(numbers[-1]) + 1, dtype=bool)
    is_missing[numbers] = False
    missing = bars.time[0] + np.flatnonzero(is_missing) * bars.length
    return rows if not missing.size else _with_outages(rows, missing, bars)


def _common_clock(clocks: list[IntArray]) -> IntArray:
    """All moments of several clocks, each once."""
    if all(np.array_equal(clocks[0], clock) for clock in clocks[1:]):
        return clocks[0]
    moments = np.sort(np.concatenate(clocks))
    return cast(IntArray, moments[np.concatenate([[True], np.diff(moments) > 0])])


def _with_outages(
    rows: dict[str, npt.NDArray[Any]], missing: IntArray, bars: Bars
) -> dict[str, npt.NDArray[Any]]:
    """Add a closed row at the start of every missing bar; prices stay at what they were."""
    time = np.concatenate([rows["time"], missing])
    order = np.argsort(time, kind="stable")
    before = TICKS_A_BAR * np.searchsorted(bars.time, missing) - 1
    merged = {
        name: np.concatenate([rows[name], rows[name][before]])[order]
        for name in ("last", "mark", "index", "bar")
    }
    closed = np.zeros(missing.size, dtype=bool)
    merged["is_open"] = np.concatenate([rows["is_open"], closed])[order]
    merged["is_joined"] = np.concatenate([rows["is_joined"], closed])[order]
    merged["time"] = time[order]
    return merged


def _on_clock(strip: dict[str, npt.NDArray[Any]], clock: IntArray, bars: Bars) -> Track:
    """Bring the rows of a symbol onto the common clock."""
    place = np.searchsorted(strip["time"], clock, side="right") - 1
    own = strip["time"][place] == clock
    last = strip["last"][place]
    same = {"mark": strip["mark"] is strip["last"], "index": strip["index"] is strip["last"]}
    ended = clock > bars.time[-1] + max(bars.length - 1, 0)
    return Track(
        last=last,
        mark=last if same["mark"] else strip["mark"][place],
        index=last if same["index"] else strip["index"][place],
        is_open=strip["is_open"][place] & ~(ended & bool(bars.length)),
        is_joined=strip["is_joined"][place] & own,
        bar=strip["bar"][place].astype(np.int64),
        bars=bars,
    )


def _columns(feed: Any, name: str) -> tuple[IntArray, FloatArray, FloatArray]:
    if all(hasattr(feed, column) for column in _COLUMNS):
        prices = np.column_stack(
            [_float_column(getattr(feed, column), name) for column in _COLUMNS]
        )
        volume = getattr(feed, "volume", None)
        return (
            _stamps(feed, name),
            prices,
            np.zeros(len(prices)) if volume is None else _float_column(volume, name),
        )
    table = _rows_as_table(feed, name)
    if table.shape[1] < 5:
        raise BadFeed(
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


def _stamps(feed: Any, name: str) -> IntArray:
    for column in ("timestamp", "time"):
        if hasattr(feed, column):
            return _as_milliseconds(np.asarray(getattr(feed, column)), name)
    index = getattr(feed, "index", None)
    if index is None:
        raise BadFeed(f"{name} must have time stamps; add a column timestamp or a DatetimeIndex")
    return _as_milliseconds(np.asarray(index), name)


def _as_milliseconds(stamps: npt.NDArray[Any], name: str) -> IntArray:
    if stamps.dtype.kind == "O" and stamps.size and hasattr(stamps.flat[0], "timestamp"):
        return np.array([round(stamp.timestamp() * 1000) for stamp in stamps], dtype=np.int64)
    if stamps.dtype.kind == "M":
        return stamps.astype("datetime64[ms]").astype(np.int64)
    try:
        numbers = stamps.astype(np.float64)
    except (TypeError, ValueError):
        raise BadFeed(f"{name} must have time stamps in milliseconds since 1970") from None
    if not np.isfinite(numbers).all():
        raise BadFeed(f"{name} must have a time stamp in every row; fill in or drop missing ones")
    return np.round(numbers).astype(np.int64)


def _rows_as_table(feed: Any, name: str) -> FloatArray:
    try:
        table = np.array(feed, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadFeed(f"{name} must be rows of numbers, all of one length") from None
    if table.ndim != 2 or not table.size:
        raise BadFeed(f"{name} must hold at least one row, had the shape {table.shape}")
    return table


def _float_column(column: Any, name: str) -> FloatArray:
    try:
        return np.array(column, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadFeed(f"{name} must hold numbers; turn text into numbers first") from None


def _check_time(time: IntArray, name: str) -> None:
    if not time.size:
        raise BadFeed(f"{name} must hold at least one row, was empty")
    back = np.diff(time) <= 0
    if back.any():
        row = int(np.argmax(back))
        what = "the same" if time[row] == time[row + 1] else "before it"
        raise BadFeed(
            f"{name} must rise in time: row {row + 1} is at {iso(int(time[row + 1]))}, {what} as "
            f"row {row} ({iso(int(time[row]))}); sort the rows and drop duplicates"
        )


def _check_prices(table: FloatArray, time: IntArray, name: str) -> None:
    wrong = ~np.isfinite(table) | (table <= 0)
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        raise BadFeed(
            f"{name} must have positive prices, {_COLUMNS[column]} was "
            f"{shown(float(table[row, column]))} in row {row} ({iso(int(time[row]))}); repair or "
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
        raise BadFeed(
            f"{name} must have {rule}, was {shown(float(value[row]))}{against} in row {row} "
            f"({iso(int(time[row]))}); repair or drop the bar"
        )


def view(prices: npt.NDArray[Any]) -> memoryview:
    """View of an array that gives plain numbers, faster than the array does.

    Examples
    --------
    >>> view(np.array([10.0, 11.0]))[1]
    11.0
    """
    buffer: Any = np.ascontiguousarray(prices)
    return memoryview(buffer)


def checked_path(path: str) -> Path:
    """Return the path if it is one there is.

    Examples
    --------
    >>> checked_path("OLHC")
    'OLHC'
    """
    if path not in PATHS:
        raise BadFeed(f"path must be one of {', '.join(PATHS)}, was {path!r}; choose one")
    return cast(Path, path)

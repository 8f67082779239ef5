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

from leverage._validate import BoolArray, FloatArray
from leverage.bars import MINUTE, Bars, IntArray
from leverage.paper.exchange_errors import BadFeed
from leverage.paper.formats import iso

Path: TypeAlias = Literal["auto", "OLHC", "OHLC"]
PATHS = ("auto", "OLHC", "OHLC")
TICKS_A_BAR = 4


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
        Four rows for a bar, one for a tick and two for each bar that is missing.

    Raises
    ------
    BadFeed
        If the time stamps of mark or index differ from those of the traded price, or one history
        ends before another begins.

    Examples
    --------
    >>> from leverage.bars import read_bars
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
    latest = max(strips, key=lambda symbol: int(strips[symbol]["time"][0]))
    first = int(strips[latest]["time"][0])
    for symbol, strip in strips.items():
        if strip["time"][-1] < first:
            raise BadFeed(
                f"bars of {symbol} must overlap with those of {latest}, ended at "
                f"{iso(int(strip['time'][-1]))} before these begin at {iso(first)}; give histories of "
                "one time"
            )
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
    """Add closed rows at both ends of every missing bar; prices stay at what they were."""
    before = TICKS_A_BAR * np.repeat(np.searchsorted(bars.time, missing), 2) - 1
    missing = (missing[:, None] + np.array([0, bars.length - 1])).ravel()
    time = np.concatenate([rows["time"], missing])
    order = np.argsort(time, kind="stable")
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

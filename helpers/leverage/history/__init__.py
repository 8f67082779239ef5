"""Real prices of BTC and ETH: daily bars, hourly bars around crashes, outages, and data cards.

All of it is bundled and small; `make history` makes it anew from its sources, and puts the whole
hourly series into a local cache. Times are UTC. Missing hours and days stay missing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leverage._places import own_place
from leverage.bars import read_bars

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SYMBOLS",
    "CrashWindow",
    "DataCard",
    "cache_folder",
    "crash_windows",
    "crashes",
    "data_card",
    "find_outages",
    "load_daily",
    "load_hourly",
    "load_hourly_window",
    "log_returns",
    "outages",
    "point_bars",
    "published_points",
]

SYMBOLS = ("BTC", "ETH")
WINDOW_DAYS = 4

_DATA = files(__package__) / "data"
# A longer gap is the end of one source and the start of another, not an outage.
_LONGEST_OUTAGE = np.timedelta64(7, "D")
_HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class CrashWindow:
    """A crash with hourly bars around it.

    Attributes
    ----------
    date : str
        The UTC day of the crash, as `load_hourly_window` takes it.
    title : str
        What it is called here.
    symbols : tuple of str
        Symbols that there are bars of.
    start, end : Timestamp
        First hour of the window and the first hour after it, UTC.
    """

    date: str
    title: str
    symbols: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp


@dataclass(frozen=True)
class DataCard:
    """Where bundled prices come from, what they cover, and what was left out.

    Attributes
    ----------
    symbol : str
        ``"BTC"`` or ``"ETH"``.
    source, span, dropped, kept, licence, rebuild : str
        One or a few sentences each.
    defects : mapping
        How often each defect was met in the source, as the build counted it.
    """

    symbol: str
    source: str
    span: str
    dropped: str
    kept: str
    licence: str
    rebuild: str
    defects: Mapping[str, int]

    def __str__(self) -> str:
        """Return the card as Markdown."""
        lines = [f"**Data card: {self.symbol}**", ""]
        for name in ("source", "span", "dropped", "kept", "licence", "rebuild"):
            lines.append(f"- {name.capitalize()}: {getattr(self, name)}")
        counted = ", ".join(f"{name} {count}" for name, count in self.defects.items())
        return "\n".join([*lines, f"- Counted in the source: {counted}"])


def load_daily(symbol: str = "BTC") -> pd.DataFrame:
    """Return daily bars.

    Parameters
    ----------
    symbol : {"BTC", "ETH"}
        BTC runs from 2017-08 to 2022-06 and through 2024, ETH through 2024. In between there are no
        rows.

    Returns
    -------
    DataFrame
        Index `time`: the beginning of each UTC day. Columns open, high, low, close (USDT), volume
        (coins) and hours: of how many hourly bars the day is made. Days with fewer than 24 are
        those with an outage and the first and last day of a source.

    Raises
    ------
    ValueError
        If the symbol is not bundled.

    Examples
    --------
    >>> day = load_daily("BTC").loc["2020-03-12"]
    >>> float(day["open"]), float(day["low"]), float(day["close"])
    (7934.52, 4410.0, 4800.0)
    """
    return _bundled("daily", _known(symbol)).copy()


def crash_windows() -> tuple[CrashWindow, ...]:
    """Return the crashes that there are hourly bars around, oldest first.

    Examples
    --------
    >>> crash_windows()[2].title, crash_windows()[2].symbols
    ('Black Thursday', ('BTC',))
    """
    from leverage._pandas import pd

    return tuple(
        CrashWindow(
            row["date"],
            row["title"],
            tuple(row["symbols"].split()),
            pd.Timestamp(row["start"], tz="UTC"),
            pd.Timestamp(row["start"], tz="UTC") + pd.Timedelta(days=WINDOW_DAYS),
        )
        for row in _crash_rows().to_dict("records")
    )


def load_hourly_window(date: str, symbol: str = "BTC") -> pd.DataFrame:
    """Return the hourly bars of four days around a crash.

    Parameters
    ----------
    date : str
        The day of the crash, as in `crash_windows`.
    symbol : {"BTC", "ETH"}
        ETH for the crashes of 2024 only.

    Returns
    -------
    DataFrame
        Index `time`: the beginning of each hour, UTC. Columns open, high, low, close (USDT) and
        volume (coins). Hours without a bar are missing.

    Raises
    ------
    ValueError
        If there is no window of that date, or no bars of that symbol in it.

    Examples
    --------
    >>> bars = load_hourly_window("2020-03-12")
    >>> len(bars), float(bars["low"].min())
    (96, 3782.13)
    """
    windows = {window.date: window for window in crash_windows()}
    if date not in windows:
        raise ValueError(
            f"date must be the day of a bundled crash, was {date!r}; give one of "
            f"{', '.join(windows)}"
        )
    window = windows[date]
    if _known(symbol) not in window.symbols:
        raise ValueError(
            f"symbol must be {' or '.join(window.symbols)} for {date}, was {symbol!r}; the sources "
            "have no other bars of those days"
        )
    bars = _bundled("hourly", symbol)
    return bars[(bars.index >= window.start) & (bars.index < window.end)].copy()


def crashes() -> pd.DataFrame:
    """Return what was reported about each crash that there is a window of.

    Returns
    -------
    DataFrame
        Index `date`. Columns title, reported_usd (liquidations as reported, NaN if unknown), note,
        source, address, source_date and confidence ("verified" or "secondary").

    Examples
    --------
    >>> crashes().loc["2021-05-19", "confidence"]
    'secondary'
    """
    from leverage._pandas import pd

    table = _crash_rows().set_index("date").drop(columns=["symbols", "start"])
    return table.assign(reported_usd=pd.to_numeric(table["reported_usd"], errors="raise"))


def outages(symbol: str = "BTC") -> pd.DataFrame:
    """Return every spell without trading in the whole hourly source.

    Parameters
    ----------
    symbol : {"BTC", "ETH"}
        Whose source.

    Returns
    -------
    DataFrame
        Columns start, end (first hour after it), hours and kind, as `find_outages` gives them.

    Examples
    --------
    >>> longest = outages("BTC").sort_values("hours").iloc[-1]
    >>> longest["start"].isoformat(), int(longest["hours"]), longest["kind"]
    ('2018-02-08T01:00:00+00:00', 33, 'no trades')
    """
    from leverage._pandas import pd

    text = (_DATA / "outages.csv").read_text(encoding="utf-8")
    table = pd.read_csv(StringIO(text), parse_dates=["start", "end"])
    own = table[table["symbol"] == _known(symbol)]
    return own.drop(columns="symbol").reset_index(drop=True)


def find_outages(hourly: pd.DataFrame) -> pd.DataFrame:
    """Find the spells without trading in hourly bars.

    Parameters
    ----------
    hourly : DataFrame
        Hourly bars with a UTC index and the columns open, high, low, close and volume.

    Returns
    -------
    DataFrame
        Columns start, end (first hour after it), hours and kind: ``"missing"`` where the source has
        no bar, ``"no trades"`` where it has a flat bar without volume. Gaps of more than seven days
        are where a source ends, and are left out.

    Examples
    --------
    The exchange was down for two hours in the middle of this window:

    >>> find_outages(load_hourly_window("2021-04-18"))[["hours", "kind"]].values.tolist()
    [[2, 'missing']]
    """
    from leverage._pandas import pd

    if "volume" not in hourly:
        raise ValueError(
            "hourly must have a column volume, had none; it tells idle hours from others"
        )
    read_bars(hourly, "hourly", timeframe="1h")
    spells = []
    times = hourly.index
    for before, after in pairwise(times):
        if _HOUR < after - before <= _LONGEST_OUTAGE:
            spells.append((before + _HOUR, after, "missing"))
    idle = ((hourly["volume"] == 0) & (hourly["high"] == hourly["low"])).to_numpy(dtype=bool)
    starts = idle & ~np.r_[False, idle[:-1] & (np.diff(times) == _HOUR)]
    spell = np.cumsum(starts)
    for number in range(1, int(spell[-1]) + 1 if len(spell) else 1):
        hours = times[idle & (spell == number)]
        spells.append((hours[0], hours[-1] + _HOUR, "no trades"))
    spells.sort()
    return pd.DataFrame(
        {
            "start": pd.to_datetime([start for start, _, _ in spells], utc=True),
            "end": pd.to_datetime([end for _, end, _ in spells], utc=True),
            "hours": np.array([(end - start) / _HOUR for start, end, _ in spells], dtype=np.int64),
            "kind": pd.Series([kind for _, _, kind in spells], dtype=str),
        }
    )


def load_hourly(symbol: str = "BTC") -> pd.DataFrame:
    """Return the whole hourly series from the local cache.

    Parameters
    ----------
    symbol : {"BTC", "ETH"}
        Whose bars.

    Returns
    -------
    DataFrame
        As `load_hourly_window` gives it, for all hours of the sources.

    Raises
    ------
    FileNotFoundError
        If the series has not been built on this computer.
    """
    path = cache_folder() / f"hourly_{_known(symbol)}.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"the hourly series of {symbol} is not in {cache_folder()}; `make history` builds it "
            "there (it needs the package index once), or use load_daily and load_hourly_window"
        )
    return _read_bars(path.read_text(encoding="utf-8"))


def cache_folder() -> Path:
    """Return where the whole hourly series is kept: ``$LEVERAGE_HISTORY`` or a folder at home."""
    return own_place("LEVERAGE_HISTORY", "history")


def log_returns(bars: pd.DataFrame, *, timeframe: str | None = None) -> pd.Series[float]:
    """Return the log return of each bar's close over the close before, never across a gap.

    Parameters
    ----------
    bars : DataFrame
        Bars at equal distances, with gaps or without.
    timeframe : str, optional
        What a bar lasts, such as ``"1d"``; the most frequent step if left out.

    Returns
    -------
    Series
        ln(close / close before), for bars whose predecessor is exactly one step earlier.

    Raises
    ------
    ValueError
        If there are fewer than two bars, or something is wrong with them (`leverage.bars`).

    Examples
    --------
    >>> float(log_returns(load_daily("BTC")).min().round(3))
    -0.503
    """
    from leverage._pandas import pd

    if len(bars) < 2:
        raise ValueError(f"bars must be at least two, were {len(bars)}; give a longer history")
    read = read_bars(bars, timeframe=timeframe)
    adjacent = np.diff(read.time) == read.length
    returns = np.diff(np.log(read.prices[:, 3]))
    return pd.Series(returns[adjacent], index=bars.index[1:][adjacent], name="log_return")


def data_card(symbol: str = "BTC") -> DataCard:
    """Return where the prices come from, what they cover, and what was left out.

    Parameters
    ----------
    symbol : {"BTC", "ETH"}
        Whose prices.

    Returns
    -------
    DataCard
        Its text form is Markdown.

    Examples
    --------
    >>> print(data_card("ETH").span)
    2024-01-01 to 2024-12-31: 366 days of 8784 hourly bars; all times UTC
    """
    built = json.loads((_DATA / "card.json").read_text(encoding="utf-8"))[_known(symbol)]
    pins = [pin for pin in source_pins().values() if symbol in pin["members"]]
    daily = load_daily(symbol)
    gap = np.flatnonzero(np.diff(daily.index) > _LONGEST_OUTAGE) + 1
    parts = np.split(daily.index, gap)
    spans = [f"{part[0]:%Y-%m-%d} to {part[-1]:%Y-%m-%d}" for part in parts]
    defects = built["defects"]
    dropped = [
        f"{defects[name]} {words}"
        for name, words in (
            ("repeated hours", "repeated hour (the row with more digits stays)"),
            ("impossible bars", "first hour with an impossible open and high"),
        )
        if defects.get(name)
    ]
    partial = int((daily["hours"] < 24).sum())
    return DataCard(
        symbol=symbol,
        source="; ".join(
            f"{pin['package']} {pin['version']} (source archive on the Python package index, "
            f"SHA-256 {pin['archive_sha256'][:12]}…), {pin['origin']}"
            for pin in pins
        ),
        span=(
            f"{' and '.join(spans)}: {len(daily)} days of {built['hours']} hourly bars; "
            "all times UTC"
        ),
        dropped=", ".join(dropped) if dropped else "nothing",
        kept=(
            f"{built['missing']} missing hours as gaps and {built['idle']} flat hours without "
            f"volume, both outages; {partial} days of fewer than 24 hours"
        ),
        licence=" ".join(dict.fromkeys(pin["licence"] for pin in pins))
        + " Bundled here: daily bars and hours around crashes, for teaching.",
        rebuild="make history",
        defects=defects,
    )


@cache
def published_points() -> pd.DataFrame:
    """Four prices of 10 October 2025 for each of seven coins, which is all that is bundled of it.

    Returns
    -------
    DataFrame
        By symbol: first price of the day, its high, the low after it and the last, in USDT on
        Binance's spot market, the hours from high to low, and where they were read
        (30 November 2026). Between the points nothing is known: the bars that are bundled end in
        December 2024, because no package was found that carries later ones.

    Examples
    --------
    >>> fallen = published_points().query("low < 0.5 * high")
    >>> list(fallen.index)
    ['XRP', 'DOGE', 'ADA', 'LINK']
    """
    from leverage._pandas import pd

    text = (_DATA / "points_2025-10-10.csv").read_text(encoding="utf-8")
    return pd.read_csv(StringIO(text), index_col="symbol")


def point_bars(symbol: str = "BTC") -> pd.DataFrame:
    """Two bars through the published points of 10 October 2025, for a replay.

    Parameters
    ----------
    symbol : str, default "BTC"
        One of those of `published_points`.

    Returns
    -------
    DataFrame
        From the first price up to the high, and from there to the low and the last price. The
        prices and their order are published; the times are not, and stand at 00:00 and 12:00 UTC.

    Raises
    ------
    ValueError
        If there are no points of the symbol.

    Examples
    --------
    >>> point_bars("BTC")[["open", "low", "close"]].to_numpy().tolist()
    [[121662.41, 121662.41, 122550.0], [122550.0, 102000.0, 112774.5]]
    """
    from leverage._pandas import pd

    points = published_points()
    if symbol not in points.index:
        raise ValueError(
            f"symbol must be one of {', '.join(points.index)}, was {symbol!r}; only these have points"
        )
    columns = ["open", "high", "low", "close"]
    first, high, low, last = points.loc[symbol, columns].to_numpy(dtype=float).tolist()
    return pd.DataFrame(
        {
            "open": [first, high],
            "high": [high, high],
            "low": [first, low],
            "close": [high, last],
        },
        pd.date_range("2025-10-10", periods=2, freq="12h", tz="UTC", name="time"),
    )


@cache
def source_pins() -> dict[str, dict[str, Any]]:
    """Return the pinned archives and members that `make history` reads."""
    return tomllib.loads((_DATA / "sources.toml").read_text(encoding="utf-8"))


def _known(symbol: str) -> str:
    if symbol not in SYMBOLS:
        raise ValueError(
            f"symbol must be {' or '.join(SYMBOLS)}, was {symbol!r}; only these are bundled"
        )
    return symbol


@cache
def _bundled(kind: str, symbol: str) -> pd.DataFrame:
    return _read_bars((_DATA / f"{kind}_{symbol}.csv").read_text(encoding="utf-8"))


def _read_bars(text: str) -> pd.DataFrame:
    from leverage._pandas import pd

    bars = pd.read_csv(StringIO(text), index_col="time")
    bars.index = pd.DatetimeIndex(pd.to_datetime(bars.index, utc=True), name="time").as_unit("s")
    return bars


def _crash_rows() -> pd.DataFrame:
    from leverage._pandas import pd

    text = (_DATA / "crashes.csv").read_text(encoding="utf-8")
    return pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)

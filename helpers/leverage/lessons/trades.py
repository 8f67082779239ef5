"""A list of trades made from price history by a rule that leaves nothing to choose afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leverage.bars import read_bars
from leverage.contracts import LONG

if TYPE_CHECKING:
    import pandas as pd


def breakout_trades(
    bars: pd.DataFrame,
    *,
    lookback: int = 20,
    stop_distance: float = 0.05,
    target_distance: float = 0.10,
) -> pd.DataFrame:
    """Trade breakouts of daily closes, one position at a time, each with a stop and a target.

    A close above every close of the `lookback` days before it buys at the next day's open; a close
    below them sells short. Stop and target are orders at fixed distances from the entry price.

    Parameters
    ----------
    bars : DataFrame
        Daily open, high, low and close with the days as index, oldest first.
    lookback : int, default 20
        Days that the close must exceed. At least 1.
    stop_distance, target_distance : float
        Distance of stop and target from the entry price, as a decimal of it.

    Returns
    -------
    DataFrame
        A row for each trade: opened, side (1 or -1), entry, stop, exit (prices), closed, and why
        ("stop", "target", or "no data" where the bars end or have a gap).

    Notes
    -----
    A stop fills at its price, or at the day's open when the day begins beyond it. Where one day
    holds both stop and target, the stop counts. Fees and funding are left out.

    Examples
    --------
    >>> import pandas as pd
    >>> closes = [100, 101, 102, 103, 115]
    >>> days = pd.date_range("2024-01-01", periods=5)
    >>> bars = pd.DataFrame({"open": closes, "high": closes, "low": closes, "close": closes}, days)
    >>> breakout_trades(bars, lookback=1)[["side", "entry", "exit", "why"]]
       side  entry   exit     why
    0     1    103  113.3  target
    """
    from leverage._pandas import pd

    if lookback < 1:
        raise ValueError(f"lookback must be 1 or more, was {lookback}; give a number of days")
    for name, distance in (("stop_distance", stop_distance), ("target_distance", target_distance)):
        if not 0 < distance < 1:
            raise ValueError(f"{name} must be between 0 and 1, was {distance!r}; give 0.05 for 5 %")
    read_bars(bars, timeframe="1d")
    closes = bars["close"]
    highest = closes.rolling(lookback).max().shift(1)
    lowest = closes.rolling(lookback).min().shift(1)
    signal = (closes > highest).astype(int) - (closes < lowest).astype(int)
    follows = bars.index.to_series().diff() == pd.Timedelta(days=1)
    unbroken = follows.rolling(lookback + 1).sum() == lookback + 1
    trades, day = [], 0
    while day < len(bars) - 1:
        side = int(signal.iloc[day])
        if not (side and unbroken.iloc[day] and follows.iloc[day + 1]):
            day += 1
            continue
        trade, day = _follow(bars, follows, day + 1, side, stop_distance, target_distance)
        trades.append(trade)
    columns = ["opened", "side", "entry", "stop", "exit", "closed", "why"]
    return pd.DataFrame(trades, columns=columns)


def _follow(
    bars: pd.DataFrame,
    follows: pd.Series,
    first: int,
    side: int,
    stop_distance: float,
    target_distance: float,
) -> tuple[dict[str, object], int]:
    """Follow one trade from its first day; return it and the place of its last day."""
    entry = bars["open"].iloc[first]
    stop = entry * (1 - side * stop_distance)
    target = entry * (1 + side * target_distance)
    trade = {"opened": bars.index[first], "side": side, "entry": entry, "stop": stop}
    last = first
    for day in range(first, len(bars)):
        if day > first and not follows.iloc[day]:
            break
        last = day
        opened, low, high = (bars[name].iloc[day] for name in ("open", "low", "high"))
        worst, best = (low, high) if side == LONG else (high, low)
        ends = {"closed": bars.index[day]}
        if side * (worst - stop) <= 0:
            late = min(opened, stop) if side == LONG else max(opened, stop)
            return trade | ends | {"exit": late, "why": "stop"}, day
        if side * (best - target) >= 0:
            return trade | ends | {"exit": target, "why": "target"}, day
    ends = {"closed": bars.index[last], "exit": bars["close"].iloc[last], "why": "no data"}
    return trade | ends, last

"""Figures and small tables of chapter 04: stops, trade lists, Kelly, correlation, survival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leverage.bars import read_bars
from leverage.contracts import LONG
from leverage.lessons.figures import (
    COLOURS,
    FILLS,
    course_style,
    finish_axes,
    hours_since,
    label_point,
    line_style,
    new_figure,
    styled,
)
from leverage.lessons.wording import format_amount, format_date, format_percent, format_price
from leverage.margin import liquidation_price
from leverage.portfolio import correlation
from leverage.sizing import leverage_for_stop
from leverage.survival import liquidation_probability

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.figure import Figure

_POINTS = 201
_LARGEST_LEVERAGE = 125.0
_MOST_POSITIONS = 20
_HOURS_A_DAY = 24
_DAYS_A_YEAR = 365


def plot_stop_and_liquidation(stops: Sequence[float], maintenance_margin_rate: float) -> Figure:
    """Draw the fall that liquidates a long against leverage, and which stops come before it.

    Parameters
    ----------
    stops : sequence of float
        Distances of stops below the entry, as decimals of it.
    maintenance_margin_rate : float
        Maintenance margin divided by notional, as a decimal.

    Examples
    --------
    >>> plot_stop_and_liquidation([0.04], 0.004).axes[0].get_xlabel()
    'Leverage (×)'
    """
    if not stops or not all(0 < stop < 1 for stop in stops):
        raise ValueError(
            f"stops must be decimals above 0 and below 1, was {stops!r}; give 0.04 for 4 %"
        )
    from matplotlib.ticker import FixedLocator, NullLocator

    leverages = np.geomspace(2, _LARGEST_LEVERAGE, _POINTS)
    level = liquidation_price(LONG, 1.0, 1.0, 1 / leverages, maintenance_margin_rate)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", xlim=(2, _LARGEST_LEVERAGE * 1.02), ylim=(0.3, 60))
        axes.plot(leverages, (1 - np.asarray(level)) * 100, **line_style("liquidation"))
        axes.plot(leverages, 100 / leverages, **line_style("bankruptcy"))
        label_point(axes, "1/L: the margin is gone", 45, 100 / 45, offset=(8, 8))
        label_point(axes, "Liquidation", 100, 0.6, offset=(-10, -4), align="right")
        for stop in stops:
            limit = float(leverage_for_stop(LONG, 1.0, 1 - stop, maintenance_margin_rate))
            axes.plot([2, min(limit, _LARGEST_LEVERAGE)], [stop * 100] * 2, **line_style("gain"))
            axes.plot([limit, _LARGEST_LEVERAGE], [stop * 100] * 2, **line_style("loss"))
            axes.plot([limit], [stop * 100], marker="o", color=COLOURS["text"], zorder=4)
            name = f"Stop {format_percent(stop, 0)} away: at most {format_amount(limit, 1)}×"
            label_point(axes, name, 2.2, stop * 100, offset=(0, 4), vertical="bottom")
        finish_axes(axes, x_label="Leverage (×)", y_label="Fall from the entry price (%)")
        x_ticks, y_ticks = (2, 5, 10, 20, 50, 100), (0.5, 1, 2, 4, 10, 20, 50)
        for axis, ticks in ((axes.xaxis, x_ticks), (axes.yaxis, y_ticks)):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title("Left of each dot the stop acts; right of it liquidation comes first")
    return figure


def plot_stop_in_a_crash(bars: pd.DataFrame, *, opened: str, stop_distance: float) -> Figure:
    """Draw the range of every hour of a crash and the stop of a long opened in it.

    Parameters
    ----------
    bars : DataFrame
        Hourly open, high, low and close, with UTC times as index.
    opened : str
        Hour at whose open the long is bought, such as ``"2020-03-12 10:00"``.
    stop_distance : float
        Distance of the stop below the entry, as a decimal of it.
    """
    import pandas as pd

    read_bars(bars, timeframe="1h")
    start = pd.Timestamp(opened, tz="UTC")
    shown = bars.loc[start - pd.Timedelta(hours=6) : start + pd.Timedelta(hours=20)]
    hours = hours_since(shown.index, start)
    entry, lowest = (float(bars[name].loc[start]) for name in ("open", "low"))
    stop = entry * (1 - stop_distance)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.vlines(hours, shown["low"], shown["high"], color=COLOURS["mark"], linewidth=3)
        for name, price in (("entry", entry), ("loss", stop)):
            axes.axhline(price, **line_style(name))
        label_point(
            axes,
            f"Bought at {format_price(entry)}",
            20,
            entry,
            offset=(0, 3),
            align="right",
            vertical="bottom",
        )
        label_point(
            axes,
            f"Stop {format_price(stop)}",
            20,
            stop,
            offset=(0, 3),
            align="right",
            vertical="bottom",
        )
        beyond = (entry - lowest) / (entry - stop)
        axes.plot([0], [lowest], marker="v", color=COLOURS["loss"], markersize=9)
        losses = f"{format_amount(beyond, 1)} planned losses below the entry"
        text = f"Low of that hour {format_price(lowest)},\n{losses}"
        label_point(axes, text, 0, lowest, offset=(10, 0), vertical="top")
        finish_axes(
            axes,
            x_label=f"Hours from {format_date(start, clock=True)}",
            y_label="Price in each hour (USDT per BTC)",
        )
        axes.set_title("Within one hour the price went far beyond the stop")
    return figure


def r_of(trades: pd.DataFrame) -> pd.Series:
    """Return the R multiple of each trade of a list with side, entry, stop and exit.

    Examples
    --------
    >>> import pandas as pd
    >>> trades = pd.DataFrame({"side": [-1], "entry": [200], "stop": [210], "exit": [185]})
    >>> r_of(trades).tolist()
    [1.5]
    """
    gained = trades["side"] * (trades["exit"] - trades["entry"])
    return gained / (trades["entry"] - trades["stop"]).abs()


def longest_losing_streak(results: npt.ArrayLike) -> int:
    """Return the largest number of losses in a row; a result of zero counts as a loss.

    Examples
    --------
    >>> longest_losing_streak([1.0, -1.0, -1.0, 2.0, -1.0])
    2
    """
    longest, run = _streak(np.asarray(results, dtype=float))
    return run if longest >= 0 else 0


def plot_running_result(results: npt.ArrayLike) -> Figure:
    """Draw the running sum of trades in R, its highest value so far and the longest losing streak.

    Parameters
    ----------
    results : array_like
        R multiples in the order of the trades.

    Examples
    --------
    >>> plot_running_result([2.0, -1.0, -1.0, 2.0]).axes[0].get_ylabel()
    'Running result (R)'
    """
    values = np.concatenate([[0.0], np.cumsum(np.asarray(results, dtype=float))])
    trades = np.arange(values.size)
    highest = np.maximum.accumulate(values)
    first, run = _streak(np.asarray(results, dtype=float))
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.fill_between(trades, values, highest, color=FILLS["orange"], alpha=0.35, linewidth=0)
        axes.plot(trades, highest, **line_style("index"))
        axes.plot(trades, values, **line_style("gain"))
        deepest = int((highest - values).argmax())
        fall = format_amount(float((highest - values).max()), 1)
        late = deepest > values.size * 0.6
        label_point(
            axes,
            f"Deepest fall {fall} R",
            deepest,
            float(values[deepest]),
            offset=(0, -8),
            align="right" if late else "left",
            vertical="top",
        )
        if run > 0:
            part = slice(first, first + run + 1)
            axes.plot(trades[part], values[part], color=COLOURS["loss"], linewidth=4)
            label_point(
                axes,
                f"{run} losses in a row",
                first + run / 2,
                float(highest[first]),
                offset=(0, 6),
                vertical="bottom",
            )
        axes.margins(y=0.12)
        finish_axes(axes, x_label="Trades so far", y_label="Running result (R)", zero_line=True)
        axes.set_title("A method that earns spends most of its time below its best")
    return figure


def plot_kelly() -> Figure:
    """Draw growth, and the chance of ever losing half the capital, against size in Kelly's unit.

    Notes
    -----
    For small bets adjusted all the time: growth in units of its best is k(2 - k), and the chance
    of ever falling to one half is 0.5 to the power 2/k - 1, certain from k = 2 on.

    Examples
    --------
    >>> len(plot_kelly().axes)
    2
    """
    k = np.linspace(0.02, 2.5, _POINTS)
    halved = np.where(k < 2, 0.5 ** np.maximum(2 / k - 1, 0.0), 1.0)
    with course_style():
        figure = new_figure(panels=2)
        top, bottom = figure.subplots(2, 1, sharex=True)
        top.plot(k, k * (2 - k) * 100, **line_style("gain"))
        bottom.plot(k, halved * 100, **line_style("loss"))
        for multiple, name in ((0.5, "half Kelly"), (1.0, "Kelly"), (2.0, "twice Kelly")):
            growth = multiple * (2 - multiple)
            chance = 0.5 ** (2 / multiple - 1) if multiple < 2 else 1.0
            for axes, value in ((top, growth), (bottom, chance)):
                axes.plot([multiple], [value * 100], marker="o", color=COLOURS["text"])
            above = multiple == 2
            label_point(
                top,
                f"{name}: {format_percent(growth, 0)}",
                multiple,
                growth * 100,
                offset=(8, 8) if above else (6 if multiple < 1 else -38, -8),
                vertical="bottom" if above else "top",
            )
            text = f"{name}: {format_percent(chance, 0 if chance >= 0.5 else 1)}"
            label_point(bottom, text, multiple, chance * 100, offset=(8, -4), vertical="top")
        finish_axes(top, x_label="", y_label="Growth (% of the best)", zero_line=True)
        finish_axes(
            bottom,
            x_label="Size (multiples of Kelly's fraction)",
            y_label="Chance of ever losing half (%)",
        )
        top.set_title("Beyond Kelly more risk earns less, and ruin comes quickly nearer")
    return figure


def plot_bets(correlations: Sequence[float]) -> Figure:
    """Draw the volatility of equal positions together against their number.

    Parameters
    ----------
    correlations : sequence of float
        Correlations between any two positions, 0 to 1; at most four.

    Examples
    --------
    >>> plot_bets([0.0, 0.8]).axes[0].get_xlabel()
    'Number of equal positions'
    """
    counts = np.arange(1, _MOST_POSITIONS + 1)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        for rho, style in styled("correlations", correlations):
            together = np.sqrt((1 + (counts - 1) * rho) / counts) * 100
            axes.plot(counts, together, color=COLOURS["long"], linestyle=style, marker="o", ms=3)
            label_point(
                axes,
                f"correlation {format_amount(rho)}: ten have "
                f"{format_percent(float(together[min(9, _MOST_POSITIONS - 1)]) / 100, 0)}",
                _MOST_POSITIONS,
                float(together[-1]),
                offset=(0, 6) if rho == max(correlations) else (0, -6),
                align="right",
                vertical="bottom" if rho == max(correlations) else "top",
            )
        finish_axes(
            axes, x_label="Number of equal positions", y_label="Volatility together (% of one)"
        )
        axes.set_ylim(0, 105)
        axes.set_xticks([1, 5, 10, 15, 20])
        axes.set_title("What moves together cannot be diversified away")
    return figure


def crash_correlations() -> pd.Series:
    """Return the correlation of hourly BTC and ETH returns around each crash that has both.

    Examples
    --------
    >>> bool(crash_correlations().between(0, 1).all())
    True
    """
    import pandas as pd

    from leverage.history import SYMBOLS, crash_windows, load_hourly_window, log_returns

    found = {
        window.date: correlation(
            np.column_stack([log_returns(load_hourly_window(window.date, s)) for s in SYMBOLS])
        )[0, 1]
        for window in crash_windows()
        if set(window.symbols) == set(SYMBOLS)
    }
    return pd.Series(found, name="correlation of BTC and ETH, hour by hour")


def share_liquidated(
    bars: pd.DataFrame, side: int, leverage: float, days_held: int, maintenance_margin_rate: float
) -> float:
    """Return the share of starting days from which a position was liquidated in time.

    Parameters
    ----------
    bars : DataFrame
        Daily open, high, low and close with the days as index; windows with a gap are left out.
    side : {1, -1}
        1 for a long position, -1 for a short position.
    leverage : float
        Chosen leverage; isolated margin, no fees and no funding.
    days_held : int
        Days that the position is held, the first included. At least 1.
    maintenance_margin_rate : float
        Maintenance margin divided by notional, as a decimal.

    Notes
    -----
    Positions open at the day's first price. Lows (for a long) and highs (for a short) decide.
    Windows overlap, so they are no independent trials.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=3)
    >>> prices = {"open": [100, 90, 95], "high": [101, 96, 99], "low": [95, 88, 94], "close": 95}
    >>> bars = pd.DataFrame(prices, days)
    >>> share_liquidated(bars, 1, 10, 2, 0.004)
    0.5
    """
    extremes = extreme_moves(bars, side, days_held)
    level = float(liquidation_price(side, 1.0, 1.0, 1 / leverage, maintenance_margin_rate))
    return float((side * (extremes - level) <= 0).mean())


def extreme_moves(bars: pd.DataFrame, side: int, days_held: int) -> npt.NDArray[np.float64]:
    """Return, for each unbroken window, its worst price for the side over its first open price."""
    import pandas as pd

    read_bars(bars, timeframe="1d")
    if not 1 <= days_held <= len(bars):
        raise ValueError(
            f"days_held must be from 1 to {len(bars)}, was {days_held}; give a number of days"
        )
    worst = bars["low"] if side == LONG else bars["high"]
    rolling = worst.rolling(days_held)
    reached = (rolling.min() if side == LONG else rolling.max()).shift(1 - days_held)
    last = bars.index.to_series().shift(1 - days_held)
    whole = last - bars.index.to_series() == pd.Timedelta(days=days_held - 1)
    return np.asarray((reached / bars["open"])[whole], dtype=float)


def liquidation_shares(
    bars: pd.DataFrame, leverages: Sequence[float], days_held: int, maintenance_margin_rate: float
) -> pd.DataFrame:
    """Compare the formula with history: chances of liquidation of a long, in per cent.

    Parameters
    ----------
    bars : DataFrame
        Daily open, high, low and close with the days as index.
    leverages : sequence of float
        A row for each leverage.
    days_held : int
        Days that the position is held.
    maintenance_margin_rate : float
        Maintenance margin divided by notional, as a decimal.

    Returns
    -------
    DataFrame
        The formula with the history's own volatility and no direction, watched all the time and
        once a day, and the share of starting days in the history.
    """
    import pandas as pd

    from leverage.history import log_returns

    volatility = float(log_returns(bars).std() * _DAYS_A_YEAR**0.5)
    rows: dict[str, dict[str, float]] = {}
    for leverage in leverages:
        rule: dict[str, Any] = {
            "maintenance_margin_rate": maintenance_margin_rate,
            "volatility": volatility,
            "hours": days_held * _HOURS_A_DAY,
            "drift": volatility**2 / 2,
        }
        always = liquidation_probability(LONG, leverage, **rule)
        daily = liquidation_probability(LONG, leverage, step_hours=_HOURS_A_DAY, **rule)
        lived = share_liquidated(bars, LONG, leverage, days_held, maintenance_margin_rate)
        rows[f"{leverage:g}x"] = {
            "formula, all the time (%)": float(always) * 100,
            "formula, once a day (%)": float(daily) * 100,
            "history (%)": lived * 100,
        }
    return pd.DataFrame(rows).T.round(2)


def _streak(results: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Return where the longest run of losses begins and how long it is; (-1, 0) without one."""
    best, run = (-1, 0), 0
    for place, result in enumerate(results):
        run = 0 if result > 0 else run + 1
        if run > best[1]:
            best = (place - run + 1, run)
    return best

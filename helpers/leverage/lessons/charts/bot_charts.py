"""The charts of chapter 06: a bot's run beside its market, and a backtest that peeks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from leverage.lessons.figures import (
    course_style,
    finish_axes,
    hours_since,
    label_point,
    line_style,
    new_figure,
)
from leverage.lessons.wording import format_amount, format_date

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from leverage.bots import BotRun

_LOOKS = ("gain", "loss", "mark", "index")


def average_rule_returns(
    closes: pd.Series,
    window: int,
    *,
    delay: int = 1,
    fee_rate: float = 0.0,
    funding_rate: float = 0.0,
) -> pd.Series:
    """Return the daily returns of holding a coin while it stands above its average.

    Parameters
    ----------
    closes : Series
        Closing prices, by day.
    window : int
        Days in the average.
    delay : int, default 1
        Days between the close that decides and the first return that is earned. 0 looks ahead:
        it earns the very move that it decided on.
    fee_rate : float, default 0.0
        Fee of each purchase and sale, as a decimal of its value.
    funding_rate : float, default 0.0
        Funding paid for each day of holding, as a decimal of the value.

    Examples
    --------
    >>> import pandas as pd
    >>> average_rule_returns(pd.Series([10.0, 10, 12, 12, 6]), 2).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    >>> average_rule_returns(pd.Series([10.0, 10, 12, 12, 6]), 2, delay=0).round(9).tolist()
    [0.0, 0.0, 0.2, 0.0, 0.0]
    >>> average_rule_returns(pd.Series([10.0, 10, 12, 12, 6]), 2, fee_rate=0.01).tolist()
    [0.0, 0.0, 0.0, -0.01, -0.01]
    """
    held = (closes > closes.rolling(window).mean()).astype(float).shift(delay).fillna(0.0)
    costs = fee_rate * held.diff().abs().fillna(0.0) + funding_rate * held
    # Adding zero turns a negative zero into zero.
    return (held * closes.pct_change()).fillna(0.0) - costs + 0.0


def plot_run(run: BotRun, *, title: str) -> Figure:
    """Draw the price above and the bot's equity below, day by day.

    Parameters
    ----------
    run : BotRun
        What the runner returned.
    title : str
        The message of the picture.
    """
    days = hours_since(run.table.index) / 24
    with course_style():
        figure = new_figure(panels=2)
        above, below = figure.subplots(2, 1, sharex=True)
        above.plot(days, run.table["price"], **line_style("mark"))
        below.plot(days, run.table["equity"], **line_style("gain"))
        below.axhline(run.start_equity, **line_style("zero"))
        label_point(below, "Start", 0.99, run.start_equity, offset=(0, 4), align="right",
                    vertical="bottom", x_in_axes=True)  # fmt: skip
        if run.liquidations:
            gone = int(np.argmax(run.table["equity"].to_numpy() <= 0))
            below.axvline(days[gone], **line_style("liquidation"))
            label_point(below, "Liquidated", days[gone], 0.5, y_in_axes=True)
        above.set_title(title)
        finish_axes(above, x_label="", y_label="Price (USDT per BTC)")
        finish_axes(
            below, x_label=f"Days since {format_date(run.table.index[0])}", y_label="Equity (USDT)"
        )
        below.set_ylim(bottom=min(0.0, float(run.table["equity"].min())))
    return figure


def plot_growth(returns: Mapping[str, pd.Series], *, title: str) -> Figure:
    """Draw what 1 becomes by each series of daily returns, on a logarithmic scale.

    Parameters
    ----------
    returns : mapping of str to Series
        Daily returns as decimals, by name; at most four.
    title : str
        The message of the picture.
    """
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.set_yscale("log")
        for look, (name, series) in zip(_LOOKS, returns.items(), strict=False):
            grown = np.cumprod(1 + series.to_numpy())
            days = hours_since(series.index) / 24
            axes.plot(days, grown, **line_style(look))
            end = format_amount(grown[-1], 0 if grown[-1] >= 100 else 1)
            label_point(axes, f"{name}: {end}", days[-1], grown[-1])
            # Room for the labels beside the ends of the lines, without ticks.
            axes.set_xlim(0, days[-1] * 1.3)
            axes.set_xticks(np.arange(0, days[-1], 250 if days[-1] > 700 else 50))
        first = format_date(next(iter(returns.values())).index[0])
        finish_axes(axes, x_label=f"Days since {first}", y_label="Growth of 1 (times, log scale)")
        axes.yaxis.set_major_formatter(_growth_text)
        axes.set_title(title)
    return figure


def _growth_text(value: float, _position: float | None = None) -> str:
    return format_amount(value, 0 if value >= 1 else 1)

"""The chart of chapter 03: a replayed market with the levels of a trade and its fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leverage.lessons.figures import (
    COLOURS,
    course_style,
    finish_axes,
    hours_since,
    label_point,
    line_style,
    new_figure,
)
from leverage.lessons.wording import format_date, format_price

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = {
    "entry": "Entry",
    "stop": "Stop-loss",
    "target": "Take-profit",
    "liquidation": "Liquidation",
}
_LOOKS = {"entry": "entry", "stop": "loss", "target": "gain", "liquidation": "liquidation"}


def plot_trade(
    bars: pd.DataFrame,
    levels: Mapping[str, float],
    fills: Sequence[Mapping[str, Any]] = (),
    *,
    title: str = "The trade in its market: hourly range, levels and fills",
) -> Figure:
    """Draw the range of every bar, the levels of a trade, and where its orders filled.

    Parameters
    ----------
    bars : DataFrame
        Columns ``high``, ``low`` and ``close`` in quote currency per unit of base currency, with a
        time index in UTC.
    levels : mapping of str to float
        Prices by name: any of ``entry``, ``stop``, ``target``, ``liquidation``.
    fills : sequence of mapping, optional
        Trades with ``timestamp`` in ms, ``side`` and ``price``, as ``fetch_my_trades`` gives them.
    title : str
        The message of the picture.

    Raises
    ------
    ValueError
        If there are no bars, or a level has an unknown name.

    Examples
    --------
    >>> import pandas as pd
    >>> hours = pd.date_range("2024-08-04", periods=3, freq="h", tz="UTC")
    >>> bars = pd.DataFrame({"high": [62, 61, 60], "low": [60, 59, 57], "close": [61, 60, 58]}, hours)
    >>> plot_trade(bars, {"entry": 61, "stop": 58}).axes[0].get_ylabel()
    'Price (USDT per BTC)'
    """
    if len(bars) == 0:
        raise ValueError("bars must hold at least one bar, had none; give a replayed market")
    unknown = sorted(set(levels) - set(_NAMES))
    if unknown:
        raise ValueError(
            f"levels must have the names {', '.join(_NAMES)}, had {unknown[0]!r}; use one of these"
        )
    start = bars.index[0]
    hours = hours_since(bars.index)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        low, high = bars["low"].to_numpy(), bars["high"].to_numpy()
        axes.fill_between(
            hours, low, high, step="post", color=COLOURS["mark"], alpha=0.25, linewidth=0
        )
        # A bar's close is the price at its end, where the next bar begins.
        ends = np.append(hours[1:], hours[-1] + (hours[-1] - hours[-2] if hours.size > 1 else 1.0))
        axes.plot(ends, bars["close"].to_numpy(), **line_style("mark"))
        axes.set_xlim(hours[0], ends[-1])
        for name, price in levels.items():
            _draw_level(axes, name, float(price))
        for fill in fills:
            _draw_fill(axes, fill, start.timestamp())
        finish_axes(
            axes,
            x_label=f"Hours since {format_date(start, clock=True)}",
            y_label="Price (USDT per BTC)",
        )
        axes.set_title(title)
    return figure


def _draw_level(axes: Axes, name: str, price: float) -> None:
    axes.axhline(price, **line_style(_LOOKS[name]), zorder=1.8)
    label_point(
        axes,
        f"{_NAMES[name]} {format_price(price)}",
        0.99,
        price,
        offset=(0, 3),
        align="right",
        vertical="bottom",
        x_in_axes=True,
    )


def _draw_fill(axes: Axes, fill: Mapping[str, Any], start: float) -> None:
    bought = fill["side"] == "buy"
    axes.plot(
        [(fill["timestamp"] / 1_000 - start) / 3_600],
        [fill["price"]],
        marker="^" if bought else "v",
        color=COLOURS["long" if bought else "short"],
        markersize=9,
        linestyle="none",
        clip_on=False,  # a fill in the first minute stands on the axis
        zorder=3,
    )

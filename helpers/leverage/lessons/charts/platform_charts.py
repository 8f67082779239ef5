"""Ready-made figures of chapter 02: tiers, fee drag, and how a ranking depends on a weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leverage.costs import fee_share_of_margin
from leverage.lessons.figures import (
    COLOURS,
    course_style,
    finish_axes,
    label_point,
    line_style,
    new_figure,
    styled,
)
from leverage.lessons.wording import format_percent
from leverage.venues import turning_points, weighted_scores

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from leverage.venues import TierData

_SMALLEST, _LARGEST = 10_000.0, 2_000_000_000.0
_LARGEST_LEVERAGE = 125.0
_LARGEST_WEIGHT = 10.0


def plot_max_leverage(
    tables: Mapping[str, TierData], *, entry_price: float, sizes: Sequence[float] = ()
) -> Figure:
    """Draw the maximum leverage over the notional as one staircase for each tier table.

    Parameters
    ----------
    tables : mapping of str to TierData
        At most four tables by the name to show. A table in coins is turned into quote currency.
    entry_price : float
        Price in quote currency per coin, for tables that count coins.
    sizes : sequence of float
        Notional values to mark with a vertical line.

    Examples
    --------
    >>> from leverage.venues import load_venue
    >>> tiers = load_venue("binance").product("usdt_futures").tiers("BTC")
    >>> plot_max_leverage({"Binance": tiers}, entry_price=50_000).axes[0].get_ylabel()
    'Maximum leverage (×)'
    """
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        for (name, data), style in styled("tables", tables.items()):
            unit_price = entry_price if data.unit == data.base else 1.0
            x: list[float] = []
            y: list[float] = []
            for tier in data.tiers:
                if tier.max_leverage is None:
                    raise ValueError(
                        f"the table of {name} must state every maximum leverage; use another one"
                    )
                x += [tier.lower * unit_price, min(tier.upper * unit_price, _LARGEST)]
                y += [tier.max_leverage] * 2
            axes.plot(
                np.maximum(x, _SMALLEST), y, color=COLOURS["text"], linestyle=style, linewidth=1.8
            )
            label_point(axes, name, _SMALLEST, y[0], offset=(4, 4), vertical="bottom")
        for size in sizes:
            axes.axvline(size, color=COLOURS["index"], linewidth=0.8)
        finish_axes(axes, x_label="Notional (USD or USDT)", y_label="Maximum leverage (×)")
        axes.set(xscale="log", yscale="log", xlim=(_SMALLEST, _LARGEST), ylim=(0.9, 800))
        axes.set_xticks(
            [10**power for power in range(4, 10)],
            ["10 k", "100 k", "1 M", "10 M", "100 M", "1 000 M"],
        )
        ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500]
        axes.set_yticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_title("The advertised leverage is that of the smallest positions")
    return figure


def plot_fee_drag(fee_rates: Mapping[str, float], *, mark: float | None = None) -> Figure:
    """Draw what opening and closing costs, as per cent of the margin, over the leverage.

    Parameters
    ----------
    fee_rates : mapping of str to float
        At most four fee rates as decimals of the notional, by the name to show.
    mark : float, optional
        Leverage to mark with a point on the first line.

    Examples
    --------
    >>> plot_fee_drag({"taker, 0.05 %": 0.0005}).axes[0].get_xlabel()
    'Leverage (×)'
    """
    leverages = np.linspace(1, _LARGEST_LEVERAGE, 125)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        for (name, rate), style in styled("fee_rates", fee_rates.items()):
            share = np.asarray(fee_share_of_margin(leverages, rate)) * 100
            axes.plot(leverages, share, color=COLOURS["cost"], linestyle=style)
            label_point(axes, name, _LARGEST_LEVERAGE, float(share[-1]), offset=(4, 0))
        if mark is not None:
            first = float(np.asarray(fee_share_of_margin(mark, next(iter(fee_rates.values())))))
            axes.plot([mark], [first * 100], marker="o", color=COLOURS["cost"])
            text = f"{mark:g}×: {format_percent(first)}"
            label_point(axes, text, mark, first * 100, offset=(-8, 6), align="right")
        finish_axes(
            axes, x_label="Leverage (×)", y_label="Round trip (% of margin)", zero_line=True
        )
        axes.set_xlim(1, _LARGEST_LEVERAGE)
        axes.set_title("The fee is a share of the notional, so leverage multiplies it")
    return figure


def plot_sensitivity(scores: pd.DataFrame, weights: Mapping[str, float], factor: str) -> Figure:
    """Draw every venue's weighted score over the weight of one factor, the others unchanged.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores from 0 to 1: one row for each venue, labelled with its name, one column for each
        factor.
    weights : mapping of str to float
        Weight of each column.
    factor : str
        Column whose weight runs from 0 to 10.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = pd.DataFrame({"fees": [1, 0.2], "record": [0, 0.6]}, index=["x", "y"])
    >>> plot_sensitivity(scores, {"fees": 3, "record": 1}, "record").axes[0].get_xlabel()
    'Weight of record'
    """
    if factor not in scores or factor not in weights:
        raise ValueError(
            f"factor must be one of {', '.join(map(str, scores))}, was {factor!r}; choose one"
        )
    columns = [str(name) for name in scores]
    given = np.array([float(weights[name]) for name in columns])
    place = columns.index(factor)
    sweep = np.linspace(0, _LARGEST_WEIGHT, 101)
    table = scores.to_numpy(float)
    rows = []
    for weight in sweep:
        trial = given.copy()
        trial[place] = weight
        rows.append(weighted_scores(table, trial) if trial.sum() else np.full(len(table), np.nan))
    lines = np.array(rows)
    leader = int(np.argmax(weighted_scores(table, given)))
    turns = [t for t in turning_points(table, given, largest=_LARGEST_WEIGHT) if t.factor == place]
    strong = {leader: "-"} | ({turns[0].rival: "--"} if turns else {})
    with course_style():
        figure = new_figure(height=4.4)
        axes = figure.subplots()
        ends = []
        for row, label in enumerate(scores.index):
            look: dict[str, Any] = (
                {"color": COLOURS["text"], "linestyle": strong[row], "linewidth": 2.2}
                if row in strong
                else {"color": COLOURS["index"], "linestyle": "-", "linewidth": 0.9}
            )
            axes.plot(sweep, lines[:, row], **look)
            ends.append((float(lines[-1, row]), str(label)))
        _label_ends(axes, _LARGEST_WEIGHT, ends)
        axes.axvline(given[place], **line_style("mark") | {"linewidth": 1.0})
        label_point(axes, "weight now", given[place], 0.015, y_in_axes=True, vertical="bottom")
        if turns:
            axes.axvline(turns[0].weight, **line_style("liquidation") | {"color": COLOURS["index"]})
            text = f"turns at {turns[0].weight:.2f}"
            label_point(axes, text, turns[0].weight, 0.985, y_in_axes=True, vertical="top")
        finish_axes(axes, x_label=f"Weight of {factor}", y_label="Weighted score (0 to 1)")
        axes.set_xlim(0, _LARGEST_WEIGHT)
        axes.set_title("A ranking is an answer to a question of weights")
    return figure


def _label_ends(axes: Axes, x: float, ends: list[tuple[float, str]]) -> None:
    """Label lines at their right ends, pushed apart where they would overlap."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.052
    height = -np.inf
    for value, name in sorted(ends):
        height = max(value, height + gap)
        label_point(axes, name, x, height, offset=(5, 0))

"""The charts of chapter 08: which leverage lived, how often a day is enough, and fat tails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from leverage.lessons.figures import (
    COLOURS,
    course_style,
    finish_axes,
    label_point,
    line_style,
    new_figure,
)
from leverage.lessons.wording import format_amount

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_LEVERAGES = (2, 5, 10, 25, 50, 125)


def plot_survival(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw, for every crash, the leverage below which a long and a short lived.

    Parameters
    ----------
    table : DataFrame
        As `leverage.crashes.survival_table` gives it.
    title : str
        The message of the picture.
    """
    places = np.arange(len(table))[::-1]
    with course_style():
        figure = new_figure(height=0.27 * len(table) + 1.4)
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.hlines(places, table["long"], table["short"], color=COLOURS["grid"], linewidth=1.5)
        for side, marker in (("long", "^"), ("short", "v")):
            axes.plot(
                table[side],
                places,
                marker=marker,
                color=COLOURS[side],
                markersize=8,
                linestyle="none",
            )
            label_point(
                axes,
                f"{side.capitalize()}s lived below",
                table[side].iloc[0],
                places[0],
                offset=(0, 9),
                align="center",
                vertical="bottom",
            )
        finish_axes(axes, x_label="Leverage (×, log scale)", y_label="")
        axes.set_yticks(places, [f"{date} {symbol}" for date, symbol in table.index])
        axes.set_ylim(-0.7, len(table) + 0.4)
        axes.set_xlim(1.5, 260)
        _leverage_ticks(axes.xaxis)
        axes.set_title(title)
    return figure


def plot_base_rates(
    leverages: Sequence[float], shares: dict[str, npt.NDArray[np.float64]], *, title: str
) -> Figure:
    """Draw the share of days that liquidate, over leverage, for both sides.

    Parameters
    ----------
    leverages : sequence of float
        Leverages.
    shares : dict of str to ndarray
        ``long`` and ``short``: shares as decimals, one for each leverage.
    title : str
        The message of the picture.
    """
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.set_xscale("log")
        for side, values in shares.items():
            axes.plot(leverages, values * 100, **line_style(side))
        top = len(leverages) // 2
        label_point(axes, "Long (solid)", leverages[top], shares["long"][top] * 100,
                    offset=(-8, 6), align="right", vertical="bottom")  # fmt: skip
        label_point(axes, "Short (dashed)", leverages[top], shares["short"][top] * 100,
                    offset=(8, -8), vertical="top")  # fmt: skip
        finish_axes(
            axes,
            x_label="Leverage (×, log scale)",
            y_label="Days that liquidate (% of days)",
            zero_line=True,
        )
        _leverage_ticks(axes.xaxis)
        axes.set_title(title)
    return figure


def plot_tails(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw how many days were seen beyond each distance, and how many the normal model expects.

    Parameters
    ----------
    table : DataFrame
        As `leverage.crashes.tail_table` gives it.
    title : str
        The message of the picture.
    """
    sigmas = table.index.to_numpy(dtype=float)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.set_yscale("log")
        _tail(axes, sigmas, table["seen"].to_numpy(dtype=float), "gain", "o", "Seen")
        _tail(axes, sigmas, table["expected"].to_numpy(dtype=float), "loss", "s", "Expected")
        finish_axes(
            axes,
            x_label="Distance from the mean (standard deviations)",
            y_label="Days at least that far (log scale)",
        )
        axes.set_ylim(1e-8, 3_000)
        axes.set_yticks([1e-8, 1e-6, 1e-4, 1e-2, 1, 100])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title(title)
    return figure


def _tail(
    axes: Axes,
    sigmas: npt.NDArray[np.float64],
    days: npt.NDArray[np.float64],
    look: str,
    marker: str,
    name: str,
) -> None:
    axes.plot(sigmas, days, marker=marker, **line_style(look))
    place = int(np.flatnonzero(days > 1e-8)[-1])
    label_point(axes, name, sigmas[place], days[place], offset=(8, 8), vertical="bottom")


def _leverage_ticks(axis: Axis) -> None:
    axis.set_ticks(_LEVERAGES)
    axis.set_ticks([], minor=True)
    axis.set_major_formatter(lambda value, _: f"{format_amount(value, 0)}×")

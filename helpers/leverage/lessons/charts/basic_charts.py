"""Ready-made figures of the lessons: each shows one message and returns a Matplotlib figure.

Show them with `describe(figure, text)`, so that the message also stands there in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leverage.contracts import LONG, recovery_return, roe
from leverage.lessons.figures import (
    COLOURS,
    course_style,
    finish_axes,
    label_point,
    line_style,
    new_figure,
    styled,
)
from leverage.lessons.wording import format_amount, format_percent, format_price
from leverage.margin import (
    bankruptcy_price,
    equity,
    liquidation_price,
    maintenance_margin,
    position_value,
)

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 201
_LABEL_GAP = 0.055
_LARGEST_LOSS = 0.8


def plot_equity(
    side: int,
    entry_price: float,
    quantity: float,
    margin: float,
    maintenance_margin_rate: float,
    *,
    quote: str = "USDT",
) -> Figure:
    """Draw the equity of one position against the mark price, down to liquidation and bankruptcy.

    Parameters
    ----------
    side : {1, -1}
        1 for a long position, -1 for a short position.
    entry_price : float
        Entry price, in quote currency per unit of base currency.
    quantity : float
        Size, in base currency.
    margin : float
        Isolated margin, in quote currency.
    maintenance_margin_rate : float
        Maintenance margin divided by notional, as a decimal.
    quote : str
        Name of the quote currency.

    Examples
    --------
    >>> figure = plot_equity(1, 50_000, 0.1, 500, 0.004)
    >>> figure.axes[0].get_xlabel()
    'Mark price (USDT per BTC)'
    """
    bankruptcy = float(bankruptcy_price(side, entry_price, quantity, margin))
    liquidation = float(
        liquidation_price(side, entry_price, quantity, margin, maintenance_margin_rate)
    )
    low, high = _price_range(entry_price, bankruptcy)
    marks = np.linspace(max(low, high * 1e-9), high, _POINTS)
    name = "long" if side == LONG else "short"
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        _draw_equity(
            axes, marks, equity(side, entry_price, marks, quantity, margin), side, liquidation
        )
        required = maintenance_margin(quantity * marks, maintenance_margin_rate)
        axes.plot(marks, required, color=COLOURS["liquidation"], linewidth=1.2)
        finish_axes(
            axes,
            x_label=f"Mark price ({quote} per BTC)",
            y_label=f"Equity ({quote})",
            zero_line=True,
        )
        axes.set_xlim(low, high)
        label_point(
            axes,
            "Maintenance margin",
            0.99 if side == LONG else 0.01,
            float(np.asarray(required)[-1 if side == LONG else 0]),
            offset=(0, 3),
            align="right" if side == LONG else "left",
            vertical="bottom",
            x_in_axes=True,
        )
        _mark_price_line(axes, "entry", entry_price, "Entry", at=0.8, to=side)
        _mark_price_line(axes, "liquidation", liquidation, "Liquidation", at=0.93, to=side)
        _mark_price_line(axes, "bankruptcy", bankruptcy, "Bankruptcy", at=0.72, to=-side)
        axes.set_title(
            f"A {name} is liquidated before its equity reaches zero"
            if low < liquidation < high
            else f"Equity of a {name}"
        )
    return figure


def plot_roe_table(moves: Sequence[float], leverages: Sequence[float]) -> Figure:
    """Draw a table of return on margin, moves by leverages, as one line for each leverage.

    Parameters
    ----------
    moves : sequence of float
        Price moves as decimals, such as ``[-0.1, -0.05, 0.05, 0.1]``.
    leverages : sequence of float
        At most four leverages.

    Notes
    -----
    Fees, funding and the maintenance margin are left out; the line at -100 % is where the margin
    is gone.

    Examples
    --------
    >>> figure = plot_roe_table([-0.1, 0.1], [1, 10])
    >>> figure.axes[0].get_ylabel()
    'Return on margin, ROE (%)'
    """
    if len(moves) < 2:
        raise ValueError(f"moves must hold 2 or more numbers, has {len(moves)}; add a price move")
    x = np.sort(np.asarray(moves, dtype=float))
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        ends = []
        for leverage, style in styled("leverages", sorted(leverages)):
            returns = np.asarray(roe(LONG, 1.0, 1.0 + x, leverage)) * 100
            axes.plot(x * 100, returns, color=COLOURS["long"], linestyle=style, marker="o", ms=4)
            ends.append((float(returns[-1]), f"{leverage:g}×"))
        axes.axhline(-100, **line_style("bankruptcy"))
        low, high = axes.get_ylim()
        heights = _spread([value for value, _ in ends], (high - low) * _LABEL_GAP)
        for (value, name), height in zip(ends, heights, strict=True):
            text = f"{name}: {format_percent(value / 100, 0, signed=True)}"
            label_point(axes, text, float(x[-1]) * 100, height, offset=(8, 0))
        finish_axes(
            axes,
            x_label="Move of the price (%)",
            y_label="Return on margin, ROE (%)",
            zero_line=True,
        )
        label_point(
            axes,
            f"{format_percent(-1, 0)}: the margin is gone",
            0.99,
            -100,
            offset=(0, 4),
            align="right",
            vertical="bottom",
            x_in_axes=True,
        )
        axes.set_xticks(x * 100)
        axes.set_title("Leverage multiplies the return of every price move")
    return figure


def plot_two_traders(
    prices: Sequence[float],
    margin: float,
    leverages: tuple[float, float],
    maintenance_margin_rate: float,
    *,
    names: tuple[str, str] = ("Ana", "Ben"),
    quote: str = "USDT",
) -> Figure:
    """Draw two traders with the same view, margin and entry but different leverage.

    Parameters
    ----------
    prices : sequence of float
        Mark price on each day; both go long on the first.
    margin : float
        Isolated margin of each, in quote currency.
    leverages : tuple of float
        Leverage of the first and of the second trader.
    maintenance_margin_rate : float
        Maintenance margin divided by notional, as a decimal.
    names : tuple of str
        Names of the traders.
    quote : str
        Name of the quote currency.

    Notes
    -----
    After liquidation the equity is drawn as zero: the isolated margin is treated as lost in full.
    Between two days the price may have gone further; only the given prices are looked at.

    Examples
    --------
    >>> figure = plot_two_traders([100, 96, 91, 104], 1_000, (2, 10), 0.004)
    >>> len(figure.axes)
    2
    """
    path = np.asarray(prices, dtype=float)
    if path.ndim != 1 or path.size < 2:
        raise ValueError(
            f"prices must hold one price for each of 2 or more steps, has shape {path.shape}; "
            "give a list of mark prices"
        )
    steps = np.arange(path.size)
    traders = [
        _Trader.follow(path, margin, leverage, maintenance_margin_rate, name)
        for name, leverage in zip(names, leverages, strict=True)
    ]
    with course_style():
        figure = new_figure(panels=2)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.1])
        top.plot(steps, path, **line_style("mark"))
        rising = path[-1] >= path[-2]
        _label_end(top, f"Mark price {format_price(float(path[-1]))}", path, above=bool(rising))
        best = max(float(trader.equity[-1]) for trader in traders)
        for trader, style in styled("leverages", traders):
            colour = COLOURS["long"]
            bottom.plot(steps, trader.equity, color=colour, linestyle=style)
            if 0 < trader.liquidation_price < math.inf:
                top.axhline(trader.liquidation_price, **line_style("liquidation"))
                label_point(
                    top,
                    f"{trader.name}: liquidation {format_price(trader.liquidation_price)}",
                    0.01,
                    trader.liquidation_price,
                    offset=(0, -4),
                    vertical="top",
                    x_in_axes=True,
                )
            if trader.end is None:
                amount = f"{format_amount(float(trader.equity[-1]))} {quote}"
                above = float(trader.equity[-1]) == best
                _label_end(bottom, f"{trader.name}: {amount}", trader.equity, above=above)
            else:
                bottom.plot([trader.end], [0], marker="X", color=COLOURS["text"], markersize=9)
                text = f"{trader.name}: liquidated, day {trader.end}"
                late = trader.end > path.size * 0.6
                label_point(
                    bottom,
                    text,
                    trader.end,
                    0.0,
                    offset=(-8 if late else 6, 8),
                    align="right" if late else "left",
                    vertical="bottom",
                )
        finish_axes(top, x_label="", y_label=f"Mark price ({quote} per BTC)")
        finish_axes(bottom, x_label="Day", y_label=f"Equity ({quote})", zero_line=True)
        bottom.xaxis.get_major_locator().set_params(integer=True)
        top.margins(y=0.18)
        bottom.margins(y=0.15)
        one_is_out = sum(trader.end is not None for trader in traders) == 1
        top.set_title(
            "Same view, same margin: leverage decides who is still there at the end"
            if one_is_out
            else "Same view, same margin, different leverage"
        )
    return figure


@dataclass(frozen=True)
class _Trader:
    """One trader's position along a price path, in quote currency."""

    name: str
    liquidation_price: float
    equity: npt.NDArray[np.float64]
    end: int | None

    @classmethod
    def follow(
        cls,
        path: npt.NDArray[np.float64],
        margin: float,
        leverage: float,
        maintenance_margin_rate: float,
        name: str,
    ) -> _Trader:
        """Follow equity until liquidation, and zero from there on."""
        entry_price = float(path[0])
        quantity = float(position_value(margin, leverage)) / entry_price
        level = float(
            liquidation_price(LONG, entry_price, quantity, margin, maintenance_margin_rate)
        )
        worth = np.array(equity(LONG, entry_price, path, quantity, margin), dtype=float)
        hits = np.flatnonzero(path <= level)
        end = int(hits[0]) if hits.size else None
        if end is not None:
            worth[end:] = 0.0
        return cls(f"{name}, {leverage:g}×", level, worth, end)


def plot_recovery() -> Figure:
    """Draw the gain that makes good a loss, which is always larger than the loss.

    Examples
    --------
    >>> plot_recovery().axes[0].get_xlabel()
    'Loss (%)'
    """
    x = np.linspace(0, _LARGEST_LOSS, _POINTS)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.plot(x * 100, np.asarray(recovery_return(x)) * 100, **line_style("gain"))
        axes.plot(x * 100, x * 100, **line_style("index"))
        for loss in (0.2, 0.5, 0.75):
            gain = float(recovery_return(loss))
            axes.plot([loss * 100], [gain * 100], marker="o", color=COLOURS["gain"])
            label_point(
                axes,
                f"Lose {format_percent(loss, 0)}, need {format_percent(gain, 0, signed=True)}",
                loss * 100,
                gain * 100,
                offset=(-8, 6),
                align="right",
                vertical="bottom",
            )
        label_point(
            axes,
            "If equal gains and losses cancelled",
            _LARGEST_LOSS * 100,
            _LARGEST_LOSS * 100,
            offset=(0, -14),
            align="right",
            vertical="top",
        )
        finish_axes(axes, x_label="Loss (%)", y_label="Gain needed to recover (%)", zero_line=True)
        axes.set_title("The larger the loss, the faster the gain needed to recover grows")
    return figure


def _price_range(entry_price: float, bankruptcy: float) -> tuple[float, float]:
    reach = abs(entry_price - bankruptcy)
    if reach == 0 or not math.isfinite(reach):
        return entry_price * 0.5, entry_price * 1.5
    if bankruptcy < entry_price:
        return max(0.0, bankruptcy - 0.45 * reach), entry_price + reach
    return max(0.0, entry_price - reach), bankruptcy + 0.45 * reach


def _draw_equity(
    axes: Axes,
    marks: npt.NDArray[np.float64],
    worth: float | npt.NDArray[np.float64],
    side: int,
    liquidation: float,
) -> None:
    """Draw equity in the side's look while the position lives, thin and grey beyond."""
    alive = marks >= liquidation if side == LONG else marks <= liquidation
    values = np.asarray(worth)
    gone = np.where(alive, np.nan, values)
    axes.plot(marks, gone, color=COLOURS["index"], linestyle="--", linewidth=1)
    living = np.where(alive, values, np.nan)
    axes.plot(marks, living, **line_style("long" if side == LONG else "short"))


def _mark_price_line(
    axes: Axes, meaning: str, price: float, name: str, *, at: float, to: int
) -> None:
    """Draw a labelled vertical line at a price, unless it is outside the picture."""
    low, high = axes.get_xlim()
    if not low <= price <= high or price == 0:
        return
    axes.axvline(price, **line_style(meaning), zorder=1.8)
    label_point(
        axes,
        f"{name}\n{format_price(price)}",
        price,
        at,
        offset=(5.0 * to, 0),
        align="left" if to > 0 else "right",
        y_in_axes=True,
    )


def _label_end(axes: Axes, text: str, values: npt.NDArray[np.float64], *, above: bool) -> None:
    """Label the end of a line that runs over steps."""
    label_point(
        axes,
        text,
        values.size - 1,
        float(values[-1]),
        offset=(0, 8 if above else -8),
        align="right",
        vertical="bottom" if above else "top",
    )


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights that keep their order and lie at least `gap` apart, each moved little.

    >>> _spread([0.0, 1.0, 10.0], 2.0)
    [-0.5, 1.5, 10.0]
    """
    order = sorted(range(len(heights)), key=heights.__getitem__)
    groups: list[list[int]] = []
    places: list[float] = []
    for index in order:
        groups.append([index])
        places.append(heights[index])
        while len(groups) > 1 and (
            places[-1] - places[-2] < gap * (len(groups[-1]) + len(groups[-2])) / 2
        ):
            merged = groups[-2] + groups[-1]
            groups[-2:] = [merged]
            places[-2:] = [sum(heights[i] for i in merged) / len(merged)]
    spread = [0.0] * len(heights)
    for group, place in zip(groups, places, strict=True):
        for number, index in enumerate(group):
            spread[index] = place + gap * (number - (len(group) - 1) / 2)
    return spread

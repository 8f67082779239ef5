"""Figures of chapter 05: what two margin modes, tiers and venue rules do to the same positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leverage.lessons.figures import (
    COLOURS,
    course_style,
    finish_axes,
    label_point,
    line_style,
    new_figure,
    styled,
)
from leverage.lessons.wording import format_price
from leverage.margin import initial_margin, liquidation_price, tiered_liquidation_price
from leverage.portfolio import (
    Positions,
    cross_liquidation_prices,
    portfolio_equity,
    portfolio_requirement,
)
from leverage.tiers import TierTable

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

_POINTS = 401
_MOVES_PCT = (-25.0, 10.0)
_SHOCKS_PCT = (-30.0, 10.0)


def plot_two_ends(
    side: int,
    entry_price: float,
    quantity: float,
    behind: Mapping[str, float],
    maintenance_margin_rate: float,
) -> Figure:
    """Draw the equity behind one position against its price, once for each margin mode.

    Parameters
    ----------
    side : {1, -1}
        1 for a long position, -1 for a short position.
    entry_price : float
        Entry price, in quote currency per unit of base currency.
    quantity : float
        Size, in base currency.
    behind : mapping of str to float
        What stands behind the position, in quote currency, by name of the mode; at most four.
    maintenance_margin_rate : float
        Maintenance margin divided by notional, as a decimal.

    Examples
    --------
    >>> figure = plot_two_ends(1, 50_000, 0.2, {"isolated": 1_000, "cross": 1_964}, 0.004)
    >>> figure.axes[0].get_ylabel()
    'Equity, requirement (USDT)'
    """
    ends = {
        name: float(liquidation_price(side, entry_price, quantity, margin, maintenance_margin_rate))
        for name, margin in behind.items()
    }
    far = max(abs(end - entry_price) for end in ends.values()) * 1.12
    marks = np.linspace(entry_price - side * far, entry_price + side * far * 0.15, _POINTS)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        required = maintenance_margin_rate * quantity * marks
        axes.plot(marks, required, color=COLOURS["liquidation"], linewidth=1.2)
        for (name, margin), style in styled("behind", behind.items()):
            own = margin + side * quantity * (marks - entry_price)
            colour = COLOURS["long" if side > 0 else "short"]
            axes.plot(marks, own, color=colour, linestyle=style)
            label_point(
                axes,
                name,
                entry_price,
                margin,
                offset=(-8 * side, 6),
                align="right" if side > 0 else "left",
            )
            axes.axvline(ends[name], **line_style("liquidation"))
            label_point(
                axes,
                format_price(ends[name]),
                ends[name],
                0.97,
                offset=(5 * side, 0),
                align="left" if side > 0 else "right",
                vertical="top",
                y_in_axes=True,
            )
        axes.axvline(entry_price, **line_style("entry"))
        finish_axes(
            axes,
            x_label="Mark price (USDT per BTC)",
            y_label="Equity, requirement (USDT)",
            zero_line=True,
        )
        axes.set_ylim(-0.25 * max(behind.values()), 1.35 * max(behind.values()))
        label_point(
            axes,
            "Requirement",
            float(marks[-1]),
            float(required[-1]),
            offset=(0, 4),
            align="right" if side > 0 else "left",
            vertical="bottom",
        )
        axes.set_title("Same slope, same requirement: only what stands behind it differs")
    return figure


def plot_account_modes(positions: Positions, leverage: float, balance: float) -> Figure:
    """Draw what is left of an account when all prices move together, isolated and in cross margin.

    Parameters
    ----------
    positions : Positions
        Open positions in linear contracts.
    leverage : float
        Chosen leverage of all; it sets the isolated margins.
    balance : float
        Money in the account before the trades, in quote currency.

    Notes
    -----
    A margin that is liquidated counts as lost in full. The move is one step from entry; a path that
    comes back is another story.

    Examples
    --------
    >>> book = Positions([1, 1], [50_000, 2_500], [0.2, 4], TierTable.flat(0.004), coin=["BTC", "ETH"])
    >>> figure = plot_account_modes(book, 10, 3_000)
    >>> figure.axes[0].get_ylabel()
    'Left of the account (USDT)'
    """
    moves = np.linspace(*_MOVES_PCT, _POINTS) / 100
    entries = np.asarray(positions.entry_price)
    marks = entries * (1 + moves[:, None])
    isolated = _isolated_left(positions, marks, leverage, balance)
    own = np.asarray(portfolio_equity(positions, marks, balance))
    cross = np.where(own > np.asarray(portfolio_requirement(positions, marks)), own, 0.0)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.plot(moves * 100, isolated, color=COLOURS["long"], linestyle="-")
        axes.plot(moves * 100, cross, color=COLOURS["short"], linestyle="--")
        finish_axes(
            axes,
            x_label="Move of all prices together (%)",
            y_label="Left of the account (USDT)",
            zero_line=True,
        )
        axes.set_xlim(*_MOVES_PCT)
        label_point(
            axes,
            "Isolated margin",
            _MOVES_PCT[0],
            float(isolated[0]),
            offset=(6, 8),
            vertical="bottom",
        )
        label_point(axes, "Cross margin", _MOVES_PCT[0], 0.0, offset=(6, 8), vertical="bottom")
        axes.set_title("Cross margin lives longer, and then loses all of it")
    return figure


def plot_contagion(positions: Positions, prices: Sequence[float], balance: float) -> Figure:
    """Draw the cross liquidation price of one position against the price move of another.

    Parameters
    ----------
    positions : Positions
        Open positions on one collateral.
    prices : sequence of float
        Mark prices before the move.
    balance : float
        Wallet balance without profit or loss, in the settlement currency.

    Examples
    --------
    >>> book = Positions([1, 1], [50_000, 2_500], [0.2, 4], TierTable.flat(0.004), coin=["BTC", "ETH"])
    >>> figure = plot_contagion(book, [50_000, 2_500], 3_000)
    >>> figure.axes[0].get_xlabel()
    'Move of the ETH price (%)'
    """
    moves = np.linspace(*_SHOCKS_PCT, _POINTS)
    marks = np.tile(np.asarray(prices, dtype=float), (_POINTS, 1))
    marks[:, 1] *= 1 + moves / 100
    levels = cross_liquidation_prices(positions, marks, balance)[:, 0]
    mark = float(prices[0])
    alive = levels < mark if positions.side[0] > 0 else levels > mark
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.axhline(mark, **line_style("mark"))
        axes.plot(moves[alive], levels[alive], **line_style("liquidation"))
        finish_axes(axes, x_label="Move of the ETH price (%)", y_label="BTC price (USDT per BTC)")
        axes.set_xlim(*_SHOCKS_PCT)
        label_point(
            axes,
            "BTC mark price, unchanged",
            1.0,
            mark,
            offset=(-4, 6),
            align="right",
            vertical="bottom",
            x_in_axes=True,
        )
        label_point(
            axes,
            "BTC liquidation price, cross",
            float(moves[_POINTS // 2]),
            float(levels[_POINTS // 2]),
            offset=(-10, -6),
            align="right",
            vertical="top",
        )
        axes.margins(y=0.12)
        axes.set_title("A loss in ETH moves the end of BTC")
    return figure


def plot_tier_choice(
    side: int,
    entry_price: float,
    quantity: float,
    margin: float,
    tiers: TierTable,
    *,
    base: str = "BTC",
) -> Figure:
    """Draw equity against two requirements: of the tier at entry, and of the tier at each price.

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
    tiers : TierTable
        The venue's table.
    base : str
        Name of the coin.

    Examples
    --------
    >>> table = TierTable.marginal([0, 3e5, 8e5, 1e7], [0.004, 0.01, 0.05])
    >>> figure = plot_tier_choice(1, 50_000, 20, 500_000, table)
    >>> len(figure.axes[0].lines)
    5
    """
    value = quantity * entry_price
    rate, amount = tiers.maintenance_margin_rate(value), tiers.maintenance_amount(value)
    right = float(tiered_liquidation_price(side, entry_price, quantity, margin, tiers))
    wrong = float(
        liquidation_price(
            side, entry_price, quantity, margin, rate, maintenance_amount=float(amount)
        )
    )
    span = max(abs(right - wrong) * 3.5, right * 0.004)
    middle = (right + wrong) / 2
    marks = np.linspace(middle - span, middle + span, _POINTS)
    own = margin + side * quantity * (marks - entry_price)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.plot(marks, own, **line_style("long" if side > 0 else "short"))
        axes.plot(marks, tiers.maintenance_margin(quantity * marks), color=COLOURS["text"])
        axes.plot(marks, rate * quantity * marks - amount, color=COLOURS["index"], linestyle="--")
        for price, text, height in ((right, "tier there", 0.9), (wrong, "tier at entry", 0.78)):
            axes.axvline(price, **line_style("liquidation"))
            left_of = price < middle
            label_point(
                axes,
                f"{text}: {format_price(price)}",
                price,
                height,
                offset=(-5 if left_of else 5, 0),
                align="right" if left_of else "left",
                y_in_axes=True,
            )
        finish_axes(
            axes, x_label=f"Mark price (USDT per {base})", y_label="Equity, requirement (USDT)"
        )
        axes.set_xlim(float(marks[0]), float(marks[-1]))
        low, high = sorted((float(tiers.maintenance_margin(quantity * right)), 0.0))
        axes.set_ylim(low - high * 0.4, high * 3.2)
        ends = (
            (own, "Equity"),
            (np.asarray(tiers.maintenance_margin(quantity * marks)), "Requirement"),
        )
        for line, text in ends:
            inside = int(np.argmin(abs(line - high * 2.6))) if text == "Equity" else _POINTS // 12
            label_point(
                axes,
                text,
                float(marks[inside]),
                float(line[inside]),
                offset=(6, -2) if text == "Equity" else (0, 6),
                vertical="top" if text == "Equity" else "bottom",
            )
        label_point(
            axes,
            "Of the tier at entry",
            float(marks[_POINTS // 12]),
            float((rate * quantity * marks - amount)[_POINTS // 12]),
            offset=(0, -6),
            vertical="top",
        )
        axes.set_title("The requirement that counts is that of the tier at the liquidation price")
    return figure


def plot_price_by_leverage(
    prices: Mapping[str, Sequence[float]], leverages: Sequence[float], entry_price: float
) -> Figure:
    """Draw liquidation prices of the same long over the chosen leverage, one line for each rule.

    Parameters
    ----------
    prices : mapping of str to sequence of float
        Liquidation prices by name of the rule, one for each leverage; at most four rules.
    leverages : sequence of float
        Chosen leverages, rising.
    entry_price : float
        Entry price, drawn as a line.

    Examples
    --------
    >>> figure = plot_price_by_leverage({"cross": [30_000, 30_000]}, [2, 10], 50_000)
    >>> len(figure.axes[0].lines)
    2
    """
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        axes.axhline(entry_price, **line_style("entry"))
        for (name, values), style in styled("prices", prices.items()):
            axes.plot(leverages, values, color=COLOURS["text"], linestyle=style, marker="o", ms=4)
            label_point(axes, name, leverages[-1], float(values[-1]), offset=(8, 0))
        label_point(axes, "Entry", leverages[-1], entry_price, offset=(8, 0))
        finish_axes(axes, x_label="Chosen leverage (×)", y_label="Liquidation price (USDT per BTC)")
        axes.set_xticks(list(leverages))
        axes.set_title("Leverage up: the end comes nearer, stays, or moves away")
    return figure


def _isolated_left(
    positions: Positions, marks: npt.NDArray[np.float64], leverage: float, balance: float
) -> npt.NDArray[np.float64]:
    """Return what is left in isolated margin at each row of prices."""
    left = np.full(marks.shape[0], float(balance))
    for column, table in enumerate(positions.tiers):
        side, entry = positions.side[column], positions.entry_price[column]
        quantity = positions.quantity[column]
        margin = float(initial_margin(quantity * entry, leverage))
        profit = side * quantity * (marks[:, column] - entry)
        need = np.asarray(table.maintenance_margin(quantity * marks[:, column]))
        left += np.where(margin + profit > need, profit, -margin)
    return left

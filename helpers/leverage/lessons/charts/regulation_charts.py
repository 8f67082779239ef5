"""The charts of chapter 07: mechanisms by place, a trade under two regimes, an option's payoff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leverage.jurisdictions import rules_for
from leverage.lessons.figures import (
    COLOURS,
    FILLS,
    course_style,
    finish_axes,
    hours_since,
    label_point,
    line_style,
    new_figure,
)
from leverage.lessons.wording import format_amount, format_date
from leverage.paper import PaperExchange, Rules
from leverage.venues.provenance import earliest_date

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from leverage.jurisdictions import LegalRule

_COLUMNS = {
    "crypto futures/perpetual": "futures,\nperpetuals",
    "crypto CFD": "CFDs",
    "spot margin": "spot\nmargin",
    "options": "options",
    "spot (unlevered)": "spot,\nno leverage",
}
_CELLS = {
    "ban": ("ban", FILLS["orange"]),
    "number cap": ("", FILLS["sky"]),
    "licence rule": ("licence", FILLS["yellow"]),
    "none": ("no limit", FILLS["neutral"]),
    "unknown": ("?", "white"),
}
_LOOKS = ("gain", "loss", "mark", "index")


@dataclass(frozen=True)
class RegimeRun:
    """A trade that was held to the end of its feed, or to its close by force.

    Attributes
    ----------
    table : DataFrame
        By time, four ticks a bar: price, and equity in the currency of the account.
    closed_at : float
        Price at which the position was closed by force; NaN if it was not.
    equity : float
        Equity at the end; below zero it is owed.
    paid_by_venue : float
        What negative balance protection paid.
    """

    table: pd.DataFrame
    closed_at: float
    equity: float
    paid_by_venue: float


def run_regime(
    bars: pd.DataFrame, rules: Rules, *, quantity: float, leverage: float, balance: float
) -> RegimeRun:
    """Open a position at the first price of a feed on the paper exchange, and hold it.

    Parameters
    ----------
    bars : DataFrame
        Open, high, low and close, with a time index.
    rules : Rules
        The regime.
    quantity : float
        Size in coins: positive for a long, negative for a short.
    leverage : float
        Leverage to set.
    balance : float
        Money in the account, in its currency. It all stands behind the position.

    Examples
    --------
    >>> import pandas as pd
    >>> prices = [50_000, 50_000, 20_000]
    >>> days = pd.date_range("2026-01-01", periods=3, tz="UTC")
    >>> gap = pd.DataFrame({n: prices for n in ("open", "high", "low", "close")}, index=days)
    >>> held = run_regime(gap, Rules.retail(), quantity=0.04, leverage=2, balance=1_000)
    >>> held.equity, held.paid_by_venue, held.closed_at
    (0.0, 200.0, 20000.0)
    """
    import pandas as pd

    exchange = PaperExchange(bars, rules=rules, balance=balance)
    symbol = exchange.symbols[0]
    exchange.set_leverage(leverage, symbol)
    exchange.create_order(symbol, "market", "buy" if quantity > 0 else "sell", abs(quantity))
    rows = [(exchange.now, exchange.last_price(symbol), exchange.equity())]
    while exchange.step():
        rows.append((exchange.now, exchange.last_price(symbol), exchange.equity()))
    closed = exchange.fetch_my_liquidations(symbol)
    table = pd.DataFrame(rows, columns=["time", "price", "equity"])
    paid = [p for p in exchange.postings() if p["cause"] == "negative balance protection"]
    return RegimeRun(
        table.assign(time=pd.to_datetime(table["time"], unit="ms", utc=True)).set_index("time"),
        float(closed[0]["price"]) if closed else float("nan"),
        exchange.equity(),
        float(sum(posting["amount"] for posting in paid)),
    )


def plot_mechanisms(places: Sequence[str]) -> Figure:
    """Draw which mechanism limits which product where: a cell for each, unknown ones empty.

    Parameters
    ----------
    places : sequence of str
        Rows of the picture, from the top.
    """
    from matplotlib.patches import Rectangle

    with course_style():
        figure = new_figure(height=0.27 * len(places) + 1.1)
        axes = figure.subplots()
        for row, place in enumerate(places):
            for column, product in enumerate(_COLUMNS):
                text, fill, hatch = _mechanism_cell(rules_for(place, product, client="retail"))
                corner = (column - 0.5, row - 0.5)
                axes.add_patch(
                    Rectangle(corner, 1, 1, facecolor=fill, edgecolor=COLOURS["grid"], hatch=hatch)
                )
                axes.text(column, row, text, ha="center", va="center", fontsize=8)
        axes.set_xlabel("plain: read at its source · hatched: second-hand · year of the source")
        axes.set_xlim(-0.5, len(_COLUMNS) - 0.5)
        axes.set_ylim(len(places) - 0.5, -0.5)
        axes.set_xticks(range(len(_COLUMNS)), list(_COLUMNS.values()))
        axes.set_yticks(range(len(places)), list(places))
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def plot_regimes(replays: Mapping[str, RegimeRun]) -> Figure:
    """Draw the price above, and below the equity of one trade under each regime.

    Parameters
    ----------
    replays : mapping of str to RegimeRun
        By name; at most four, of the same feed.
    """
    with course_style():
        figure = new_figure(panels=2)
        above, below = figure.subplots(2, 1, sharex=True)
        first = next(iter(replays.values())).table
        above.plot(hours_since(first.index), first["price"], **line_style("mark"))
        for look, (name, run) in zip(_LOOKS, replays.items(), strict=False):
            hours = hours_since(run.table.index)
            below.plot(hours, run.table["equity"], **line_style(look))
            label_point(below, name, hours[-1], run.equity)
            if not np.isnan(run.closed_at):
                at = int(np.argmax(run.table["equity"].to_numpy() == run.equity))
                below.plot(hours[at], run.equity, "x", color=COLOURS["text"], markersize=9)
        # Room for the names beside the ends of the lines, without ticks.
        below.set_xlim(0, hours[-1] * 1.35)
        below.set_xticks(np.arange(0, hours[-1] + 1, 24))
        finish_axes(above, x_label="", y_label="Price (USD per BTC)")
        finish_axes(
            below,
            x_label=f"Hours since {format_date(first.index[0], clock=True)}; × closed by force",
            y_label="Equity (USD)",
            zero_line=True,
        )
    return figure


def option_profit(
    price: float | np.ndarray, strike: float, premium: float, *, bought: bool, kind: str = "call"
) -> float | np.ndarray:
    """Return profit or loss of one option at its end, in the currency of the price.

    Parameters
    ----------
    price : float or ndarray
        Price of the coin when the option ends.
    strike, premium : float
        Price at which it may be exercised, and what was paid for it.
    bought : bool
        Whether it was bought; if not, it was written.
    kind : {"call", "put"}
        Right to buy, or to sell.

    Examples
    --------
    >>> option_profit(70_000, 60_000, 3_000, bought=True)
    7000.0
    >>> option_profit(70_000, 60_000, 3_000, bought=False)
    -7000.0
    """
    sign = 1 if kind == "call" else -1
    profit = np.maximum(sign * (np.asarray(price, dtype=float) - strike), 0.0) - premium
    signed = profit if bought else -profit
    return signed if signed.ndim else float(signed)


def plot_option(strike: float, premium: float, *, low: float, high: float) -> Figure:
    """Draw profit and loss of one call at its end, for its buyer and for its writer.

    Parameters
    ----------
    strike, premium : float
        Price at which it may be exercised, and what was paid for it.
    low, high : float
        Range of prices shown.
    """
    prices = np.linspace(low, high, 201)
    with course_style():
        figure = new_figure()
        axes = figure.subplots()
        for look, name, bought in [("gain", "Bought", True), ("loss", "Written: no floor", False)]:
            profit = option_profit(prices, strike, premium, bought=bought)
            axes.plot(prices, profit, **line_style(look))
            end = option_profit(high, strike, premium, bought=bought)
            label_point(axes, name, high, float(end))
        axes.axvline(strike + premium, **line_style("entry"))
        label_point(axes, f"break-even {format_amount(strike + premium, 0)}", strike + premium, 0.97,
                    y_in_axes=True, align="right", offset=(-6, 0))  # fmt: skip
        label_point(axes, "the most its buyer can lose", low, -premium,
                    offset=(6, -10))  # fmt: skip
        axes.set_xlim(low, high + (high - low) * 0.25)
        axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
        finish_axes(
            axes,
            x_label="Price of the coin when the option ends (USD)",
            y_label="Profit or loss (USD)",
            zero_line=True,
        )
    return figure


def _mechanism_cell(rules: Sequence[LegalRule]) -> tuple[str, str, str]:
    """Give text, fill and hatching for one cell: those of the most open rule that is known.

    The text ends in the year of the source; hatching marks what nobody read at its source.
    """
    order = ("none", "licence rule", "number cap", "ban", "unknown")
    known = [rule for rule in rules if rule.is_known]
    unread = all(rule.confidence == "background" for rule in known)
    rule = min(known or rules, key=lambda rule: order.index(rule.mechanism))
    text, fill = _CELLS[rule.mechanism]
    if rule.mechanism == "number cap":
        text = rule.limit.replace("unknown", "cap, ?")
    if known and unread:
        return f"{text} (unread)", "white", ""
    if not rule.is_known:
        return text, fill, ""
    start = earliest_date(rule.as_of)
    year = "undated" if start is None else str(start.year)
    first_hand = rule.confidence in ("verified", "read once")
    return f"{text} · {year}", fill, "" if first_hand else "////"

"""How an axis writes its numbers. Importing this module loads Matplotlib."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import Formatter

from leverage.lessons.wording import format_amount


class Grouped(Formatter):
    """Writes an axis' numbers with thin grouping, with as many decimals as its ticks need.

    Examples
    --------
    >>> from leverage.lessons.figures import new_figure
    >>> axes = new_figure().subplots()
    >>> axes.set_xticks([0, 0.5, 1])[0].get_loc()
    0
    >>> axes.xaxis.set_major_formatter(Grouped())
    >>> axes.xaxis.get_major_formatter().format_ticks([0, 0.5, 1])
    ['0.0', '0.5', '1.0']
    """

    def __call__(self, value: float, pos: int | None = None) -> str:
        """Write one number."""
        return self.format_ticks([value])[0]

    def format_ticks(self, values: Any) -> list[str]:
        """Write the numbers of all ticks: asking the axis for its ticks takes milliseconds."""
        axis: Any = self.axis
        decimals = places_between(axis.get_majorticklocs())
        return [format_amount(value, decimals) for value in values]


def places_between(ticks: Any) -> int:
    """Return how many decimals tell these ticks apart.

    Examples
    --------
    >>> places_between([1.0, 1.25]), places_between([10.0])
    (2, 0)
    """
    step = float(abs(ticks[1] - ticks[0])) if len(ticks) > 1 else 1.0
    decimals = 0
    while decimals < 12 and abs(round(step, decimals) - step) > step * 1e-6:
        decimals += 1
    return decimals

"""The chart of chapter 09: a plan's equity in unseen periods, and its losses in crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

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
    from matplotlib.figure import Figure

    from leverage.plans import CheckLine, PlanReport

_LOOKS = ("gain", "loss", "mark")


def plot_report(report: PlanReport, *, title: str) -> Figure:
    """Draw the equity in every unseen period above, and the loss in every crash below.

    Parameters
    ----------
    report : PlanReport
        What `leverage.plans.report_on` returned.
    title : str
        The message of the picture.
    """
    limit = 100 * report.plan.total_loss_limit
    with course_style():
        figure = new_figure(panels=2)
        above, below = figure.subplots(2, 1)
        longest = 0
        for look, done in zip(_LOOKS, report.runs, strict=True):
            grown = 100 * done.run.table["equity"].to_numpy() / done.run.start_equity
            above.plot(np.arange(1, len(grown) + 1), grown, **line_style(look))
            label_point(above, done.period, len(grown), grown[-1])
            longest = max(longest, len(grown))
        above.axhline(100, **line_style("zero"))
        above.axhline(100 - limit, **line_style("liquidation"))
        label_point(above, f"{format_amount(limit, 0)} % below the start", 1, 100 - limit,
                    vertical="bottom")  # fmt: skip
        above.set_xlim(0, longest * 1.15)
        above.set_title(title)
        finish_axes(above, x_label="Days in the period", y_label="Equity (% of the start)")
        losses = [100 * test.loss for test in report.crashes]
        colours = [COLOURS["long" if test.side > 0 else "short"] for test in report.crashes]
        hatches = ["" if test.side > 0 else "//" for test in report.crashes]
        below.bar(np.arange(len(losses)), losses, color=colours, hatch=hatches, edgecolor="white")
        marks = np.arange(0, len(losses), max(1, len(losses) // 5))
        below.axhline(100 * report.plan.risk_per_trade, **line_style("entry"))
        label_point(below, "Planned loss", len(losses) - 0.5, 100 * report.plan.risk_per_trade,
                    align="right", vertical="bottom", offset=(0, 3))  # fmt: skip
        finish_axes(below, x_label="Crash (date; plain bars long, hatched short)",
                    y_label="Loss (% of equity)", zero_line=True)  # fmt: skip
        below.set_xticks(marks, [report.crashes[mark].date for mark in marks], fontsize=7)
    return figure


def checklist_table(lines: tuple[CheckLine, ...]) -> pd.DataFrame:
    """Return a checklist as a table of words, with as many digits as each number needs.

    Parameters
    ----------
    lines : tuple of CheckLine
        What `leverage.plans.checklist` returned.
    """
    rows = [
        {
            "step": line.step,
            "line": line.line,
            "value": line.value
            if isinstance(line.value, str)
            else f"{line.value:,.4g}"
            if abs(line.value) < 1_000
            else f"{line.value:,.0f}",
            "unit": line.unit,
            "fine": "yes" if line.fine else "NO",
        }
        for line in lines
    ]
    return pd.DataFrame(rows).set_index(["step", "line"])

"""Bars, lines and labels that move: what the explorers' pictures are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from leverage.lessons.canvas import Label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def new_bar(x: float, *, height: float = 0.0, **look: Any) -> Rectangle:
    """Return a bar that stands at `x`, to be added to axes."""
    return Rectangle((x - 0.36, 0), 0.72, height, linewidth=1.4, **look)


def new_line(axes: Axes, **look: Any) -> Line2D:
    """Return an empty line of the axes; it leaves their limits alone."""
    return axes.add_line(Line2D([], [], **look))


def new_title(figure: Figure) -> Label:
    """Return the line above a picture that says what it shows now."""
    return Label(figure, figure.transSubfigure, position=(0.012, 0.985), vertical="top", size=10.5)


def place_beside(label: Label, axes: Axes, x: float, y: float, *, prefer: int) -> None:
    """Put a label beside a vertical line: on the preferred side (1 is right) if there is room."""
    low, high = axes.get_xlim()
    room = {1: high - x, -1: x - low}
    gap = (high - low) * 0.01
    needed = gap + label.width() / axes.bbox.width * (high - low)
    side = prefer if room[prefer] >= needed else -prefer
    label.position = (x + side * gap, y)
    label.align = "left" if side == 1 else "right"

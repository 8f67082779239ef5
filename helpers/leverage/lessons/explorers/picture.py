"""The picture of an explorer: a figure with fixed places, and the artists that move in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from leverage.lessons.canvas import Label
from leverage.lessons.figures import course_style, new_figure
from leverage.lessons.wording import format_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

A = TypeVar("A", bound=Artist)
P = TypeVar("P", bound=Patch)

WHITE = "#FFFFFF"


class Picture(ABC):
    """A figure with what moves in it; shapes are drawn as they were made, labels over them.

    A subclass makes axes and moving artists in `_make`, with the methods below, and moves them in
    a method `show`.

    Attributes
    ----------
    title : Label
        The line above the picture that says what it shows now.
    """

    height = 4.0
    """In inches; the width is that of the page."""

    def __init__(self) -> None:
        self.figure = new_figure(height=self.height)
        self._shapes: list[Artist] = []
        self._labels: list[Label] = []
        with course_style():
            self._make()
        self.title = self.label(
            self.figure.transSubfigure,
            position=(0.012, 0.985),
            vertical="top",
            size=10.5,
            ground=None,
        )

    @abstractmethod
    def _make(self) -> None:
        """Make the axes, what stands still and what moves."""

    @property
    def artists(self) -> list[Artist]:
        """What moves, in drawing order."""
        return [*self._shapes, *self._labels]

    def panels(
        self, rows: int, columns: int, box: tuple[float, float, float, float], **grid: Any
    ) -> Any:
        """Return axes at fixed places: a layout worked out from tick labels would move them.

        Parameters
        ----------
        rows, columns : int
            How many.
        box : tuple of float
            Left, right, bottom and top of all, as shares of the figure.
        **grid
            ``wspace``, ``hspace``, ``width_ratios``, ``height_ratios``, ``sharex``, ``sharey``.
        """
        self.figure.set_layout_engine("none")
        shared = {name: grid.pop(name) for name in ("sharex", "sharey") if name in grid}
        grid |= dict(zip(("left", "right", "bottom", "top"), box, strict=True))
        return self.figure.subplots(rows, columns, gridspec_kw=grid, **shared)

    def line(self, axes: Axes, **look: Any) -> Line2D:
        """Return a moving line of the axes, empty at first; it leaves their limits alone."""
        return self.shape(axes.add_line(Line2D([], [], **look)))

    def bar(self, axes: Axes, x: float, **look: Any) -> Rectangle:
        """Return a moving bar that stands at `x`, without height at first."""
        return self.patch(axes, Rectangle((x - 0.36, 0), 0.72, 0.0, linewidth=1.4, **look))

    def patch(self, axes: Axes, patch: P) -> P:
        """Add a moving patch to the axes and return it."""
        axes.add_patch(patch)
        return self.shape(patch)

    def shape(self, artist: A) -> A:
        """Note an artist as moving and return it."""
        self._shapes.append(artist)
        return artist

    def label(self, transform: Transform, **look: Any) -> Label:
        """Return a moving label on a white ground."""
        made = Label(self.figure, transform, **{"ground": WHITE} | look)
        self._labels.append(made)
        return made


def place_beside(label: Label, axes: Axes, x: float, y: float, *, prefer: int) -> None:
    """Put a label beside a vertical line: on the preferred side (1 is right) if there is room."""
    low, high = axes.get_xlim()
    room = {1: high - x, -1: x - low}
    gap = (high - low) * 0.01
    needed = gap + label.width() / axes.bbox.width * (high - low)
    side = prefer if room[prefer] >= needed else -prefer
    label.position = (x + side * gap, y)
    label.align = "left" if side == 1 else "right"


def label_bar(label: Label, height: float, *, low: float, top: float) -> None:
    """Write a bar's height in per cent over it, or at `top` with an arrow if it ends beyond."""
    shown = max(0.0, min(top, height))
    label.position = (label.position[0], shown + 3)
    arrow = " ↑" if height > shown else " ↓" if height < low else ""
    label.text = format_percent(height / 100, 0 if abs(height) >= 10 else 1) + arrow

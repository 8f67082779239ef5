"""What every explorer is: controls, a picture that follows them at once, and the result in words.

An explorer is displayed by naming it in the last line of a cell, or by `show()`. Where no kernel
runs, a still picture with its description stands in.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any

from ipywidgets import HTML, Box, Layout, VBox

from leverage.contracts import LONG, SHORT
from leverage.lessons.canvas import BlitCanvas
from leverage.lessons.figures import COLOURS, in_notebook, picture_bundle
from leverage.lessons.wording import say, wrapped


class Explorer(ABC):
    """Controls, a picture and words that always show the controls' latest values.

    A subclass makes the controls and the canvas, and says in `_show` how they hang together.

    Parameters
    ----------
    controls : mapping of str to widget
        Every control by name; each has a `value` and a `description`.
    canvas : BlitCanvas
        The picture.

    Attributes
    ----------
    widget : ipywidgets.VBox
        Controls, picture and words, to place in a layout of your own.
    redraws : int
        How often the picture was drawn.

    Notes
    -----
    While the kernel is busy the front end keeps only a control's newest value, so a fast drag
    never queues up work. In the kernel a change that leaves the values as they were draws nothing,
    and `hold` draws once for several changes.
    """

    def __init__(self, controls: Mapping[str, Any], canvas: BlitCanvas) -> None:
        self._controls = dict(controls)
        self._canvas = canvas
        self._result = HTML(layout=Layout(max_width=canvas.image.layout.max_width))
        self._holds = 0
        self._shown: tuple[Any, ...] | None = None
        self.redraws = 0
        panel = Box(
            list(self._controls.values()),
            layout=Layout(
                display="flex",
                flex_flow="row wrap",
                max_width=canvas.image.layout.max_width,
            ),
        )
        self.widget = VBox([panel, canvas.image, self._result])
        for control in self._controls.values():
            control.observe(self._on_change, names="value")
        self._refresh()

    @property
    def sentence(self) -> str:
        """The result in words."""
        return " ".join(self._sentences())

    @abstractmethod
    def _sentences(self) -> list[str]:
        """Give the result in words, the most important sentence first."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What the picture shows, in words."""

    @property
    def html(self) -> str:
        """The words below the picture, as HTML."""
        return str(self._result.value)

    @abstractmethod
    def _show(self, values: Mapping[str, Any]) -> str:
        """Move the artists to the values; return the words below the picture as HTML."""

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Draw once, at the end of the `with` block, however many controls change inside it."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._refresh()

    def show(self) -> None:
        """Display the explorer; outside a notebook print its description."""
        if in_notebook():
            from IPython.display import display

            display(self)
        else:
            say(wrapped(f"Figure: {self.description}"))

    def png(self) -> bytes:
        """Return the picture as it is now, as PNG."""
        return bytes(self._canvas.image.value) or self._canvas.png()

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        figure = self._canvas.figure
        width, height = (round(side * 100) for side in figure.get_size_inches())
        data, metadata = picture_bundle(self.png(), self.description, width=width, height=height)
        view = self.widget._repr_mimebundle_()
        return {**view, **data}, metadata

    def _on_change(self, _change: object) -> None:
        self._refresh()

    def _refresh(self) -> None:
        values = {name: control.value for name, control in self._controls.items()}
        latest = tuple(values.values())
        if self._holds or latest == self._shown:
            return
        for name, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                label = self._controls[name].description
                self._result.value = alert("Not a number.", f"Enter a number for: {label}.")
                self._shown = None
                return
        self._shown = latest
        words = self._show(values)
        # The picture goes first: whoever sees the new words sees the picture that belongs to them.
        self._canvas.refresh()
        self._result.value = words
        self.redraws += 1


def status(words: str) -> str:
    """Give the HTML of the result in words, which a screen reader reads out when it changes."""
    return f'<p role="status" style="margin:0.3em 0;line-height:1.5">{escape(words)}</p>'


def alert(loud: str, words: str) -> str:
    """Give the HTML of a warning that a screen reader reads out at once."""
    return (
        '<p role="alert" style="margin:0.3em 0;line-height:1.5;padding:0.4em 0.6em;'
        f'border:2px dashed {COLOURS["loss"]}"><strong>{loud}</strong> {escape(words)}</p>'
    )


def table(caption: str, rows: Mapping[str, str]) -> str:
    """Give the HTML of a table of names and values."""
    cells = "".join(
        '<tr><th scope="row" style="text-align:left;font-weight:normal;padding-right:1.5em">'
        f'{escape(name)}</th><td style="text-align:right">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return (
        '<table style="border-collapse:collapse;line-height:1.5">'
        f'<caption style="text-align:left;font-style:italic;white-space:nowrap">{caption}</caption>{cells}</table>'
    )


def check_side(side: int) -> None:
    """Refuse a start value that is neither long nor short."""
    if side not in (LONG, SHORT):
        raise ValueError(f"side must be 1 (long) or -1 (short), was {side!r}")


def check_within(name: str, value: float, low: float, high: float) -> None:
    """Refuse a start value that the control does not offer."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(
            f"{name} must be a number from {low:g} to {high:g}, was {value!r}; "
            "choose a value in this range"
        )

"""What every explorer is: controls, a picture that follows them at once, and the result in words.

An explorer is displayed by naming it in the last line of a cell, or by `show()`. Where no kernel
runs, a still picture with its description stands in.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any, ClassVar

from ipywidgets import HTML, Box, Layout, VBox

from leverage.lessons.canvas import BlitCanvas
from leverage.lessons.explorers.controls import Control
from leverage.lessons.explorers.picture import Picture
from leverage.lessons.figures import COLOURS, in_notebook, picture_bundle
from leverage.lessons.wording import say, wrapped

MAINTENANCE_MARGIN_RATE = 0.004
"""Maintenance margin divided by notional, where an explorer has no venue's table."""

_LATER_SECTIONS = ("Attributes", "Raises", "Notes", "Examples")


class Explorer(ABC):
    """Controls, a picture and words that always show the controls' latest values.

    A subclass declares its controls (see `controls`), makes the picture, and says in `_follow` how
    the picture follows the controls. Each control is a keyword argument, and an attribute whose
    `value` can be read and set; signature and documentation of the subclass are made from them.

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

    label_width: ClassVar[str] = "8.5em"
    control_width: ClassVar[str] = "340px"
    declared: ClassVar[Mapping[str, Control[Any]]] = {}
    """The controls by name, as the class declares them."""
    _picture: Any

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = {name: each for name, each in vars(cls).items() if isinstance(each, Control)}
        cls.declared = {**cls.declared, **own}
        cls.__doc__ = _documented(cls)
        cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]  # read by inspect

    def __init__(self, **start: Any) -> None:
        unknown = [name for name in start if name not in self.declared]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no control {unknown[0]!r}; "
                f"its controls are {', '.join(self.declared)}"
            )
        self._controls: dict[str, Any] = {
            name: control.build(start.get(name, control.start), self)
            for name, control in self.declared.items()
        }
        self._picture = self._new_picture()
        self._canvas = BlitCanvas(self._picture.figure, self._picture.artists)
        width = self._canvas.image.layout.max_width
        self._result = HTML(layout=Layout(max_width=width))
        self._holds = 0
        self._shown: tuple[Any, ...] | None = None
        self.redraws = 0
        flow = Layout(display="flex", flex_flow="row wrap", max_width=width)
        panel = Box(list(self._controls.values()), layout=flow)
        self.widget = VBox([panel, self._canvas.image, self._result])
        for widget in self._controls.values():
            widget.observe(lambda _change: self._refresh(), names="value")
        self._refresh()

    @abstractmethod
    def _new_picture(self) -> Picture:
        """Return the picture, with nothing shown yet."""

    @abstractmethod
    def _follow(self) -> None:
        """Work out what the controls now mean and move the picture's artists there."""

    @abstractmethod
    def _sentences(self) -> list[str]:
        """Give the result in words, the most important sentence first."""

    @property
    def _is_loud(self) -> bool:
        """Whether the first sentence is an alarm."""
        return False

    def _tables(self) -> str:
        """Give what stands below the sentences, as HTML."""
        return ""

    @property
    @abstractmethod
    def description(self) -> str:
        """What the picture shows, in words."""

    @property
    def sentence(self) -> str:
        """The result in words."""
        return " ".join(self._sentences())

    @property
    def html(self) -> str:
        """The words below the picture, as HTML."""
        return str(self._result.value)

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

    def _words(self) -> str:
        loud, *rest = self._sentences()
        said = alert(loud, " ".join(rest)) if self._is_loud else status(" ".join([loud, *rest]))
        return said + self._tables()

    def _refresh(self) -> None:
        latest = tuple(control.value for control in self._controls.values())
        if self._holds or latest == self._shown:
            return
        for control in self._controls.values():
            if isinstance(control.value, float) and not math.isfinite(control.value):
                words = f"Enter a number for: {control.description}."
                self._result.value = alert("Not a number.", words)
                self._shown = None
                return
        self._shown = latest
        self._follow()
        words = self._words()
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
        f'border:2px dashed {COLOURS["loss"]}"><strong>{escape(loud)}</strong> {escape(words)}</p>'
    )


def result_table(
    caption: str, rows: Mapping[str, str | tuple[str, ...]], heads: tuple[str, ...] = ()
) -> str:
    """Give the HTML of a table of names and values; `heads` name the columns of values."""
    head = "".join(
        f'<th scope="col" style="text-align:right">{escape(name)}</th>' for name in heads
    )
    body = "".join(
        '<tr><th scope="row" style="text-align:left;font-weight:normal">'
        f"{escape(name)}</th>{''.join(map(_value_cell, (cells,) if isinstance(cells, str) else cells))}</tr>"
        for name, cells in rows.items()
    )
    return (
        '<table style="border-collapse:collapse;line-height:1.5">'
        '<caption style="text-align:left;font-style:italic;white-space:nowrap">'
        f"{escape(caption)}</caption>{f'<tr><td></td>{head}</tr>' if heads else ''}{body}</table>"
    )


def _value_cell(text: str) -> str:
    return f'<td style="text-align:right;padding:0 0 0 1.5em">{escape(text)}</td>'


def _documented(cls: type[Explorer]) -> str | None:
    """Return the class's docstring with its controls at the end of the section *Parameters*."""
    if cls.__doc__ is None or not cls.declared:
        return cls.__doc__
    places = [cls.__doc__.find(f"    {name}\n    ---") for name in _LATER_SECTIONS]
    place = min((at for at in places if at >= 0), default=len(cls.__doc__))
    before, after = cls.__doc__[:place].rstrip(), cls.__doc__[place:]
    heading = (
        "\n" if "    Parameters\n    ---" in before else "\n\n    Parameters\n    ----------\n"
    )
    entries = "\n".join(f"    {each.documentation(cls)}" for each in cls.declared.values())
    return f"{before}{heading}{entries}\n\n{after}"


def _signature(cls: type[Explorer]) -> inspect.Signature:
    """Return the signature of a class: its own parameters, then its controls."""
    own = list(inspect.signature(cls.__init__).parameters.values())[1:]
    kept = [each for each in own if each.kind is not each.VAR_KEYWORD]
    return inspect.Signature(
        kept
        + [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=each.start,
                annotation=type(each.start),
            )
            for name, each in cls.declared.items()
        ]
    )

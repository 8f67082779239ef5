"""Colours by meaning, the course's figure style, and figures that say in words what they show.

Importing this module loads neither Matplotlib nor IPython: both are loaded when first needed.
"""

from __future__ import annotations

import base64
import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from leverage.lessons.wording import say, wrapped

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

T = TypeVar("T")

STYLE_FILE = Path(__file__).with_name("course.mplstyle")

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "long": "#0072B2",
        "gain": "#0072B2",
        "short": "#D55E00",
        "loss": "#D55E00",
        "mark": "#000000",
        "index": "#595959",
        "entry": "#595959",
        "liquidation": "#CC79A7",
        "bankruptcy": "#000000",
        "cost": "#009E73",
        "zero": "#595959",
        "grid": "#DDDDDD",
        "text": "#262626",
    }
)
"""Okabe and Ito's colours by what they mean. Text is always dark: labels need more contrast."""

FILLS: Mapping[str, str] = MappingProxyType(
    {"sky": "#56B4E9", "orange": "#E69F00", "yellow": "#F0E442", "neutral": "#E6E6E6"}
)
"""Colours for outlined areas only: too pale on white for a line."""

_LINES: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "long": ("-", 2.0),
        "gain": ("-", 2.0),
        "short": ("--", 2.0),
        "loss": ("--", 2.0),
        "mark": ("-", 2.5),
        "index": ("-", 1.0),
        "entry": ("-", 1.0),
        "liquidation": (":", 2.0),
        "bankruptcy": ("-.", 1.5),
        "cost": ("-", 2.0),
        "zero": ("-", 1.0),
    }
)

_STYLES = ("-", "--", ":", "-.")

PNG_SCALE = 1.5
"""Pixels of a stored picture for each pixel of its size on the page, for sharp text."""

_PANEL_WIDTH, _PANEL_HEIGHT, _EXTRA_HEIGHT = 7.0, 4.0, 2.6
_LEAST_WORDS = 12


def line_style(meaning: str) -> dict[str, Any]:
    """Return colour, line style and width for a line with a meaning, to pass on to Matplotlib.

    Parameters
    ----------
    meaning : str
        What the line stands for: ``long``, ``short``, ``mark``, ``liquidation`` …

    Examples
    --------
    >>> line_style("liquidation")
    {'color': '#CC79A7', 'linestyle': ':', 'linewidth': 2.0}
    """
    if meaning not in _LINES:
        raise ValueError(
            f"meaning must be one of {', '.join(_LINES)}, was {meaning!r}; "
            "choose what the line stands for"
        )
    style, width = _LINES[meaning]
    return {"color": COLOURS[meaning], "linestyle": style, "linewidth": width}


def styled(name: str, given: Iterable[T]) -> list[tuple[T, str]]:
    """Pair one to four things to draw with line styles, which differ without colour.

    Parameters
    ----------
    name : str
        Name of the argument that holds them, for the message.
    given : iterable
        What to draw, a line each.

    Examples
    --------
    >>> styled("leverages", [2, 10])
    [(2, '-'), (10, '--')]
    """
    lines = list(given)
    if not 1 <= len(lines) <= len(_STYLES):
        raise ValueError(
            f"{name} must hold 1 to {len(_STYLES)} lines, has {len(lines)}; "
            "choose those that matter"
        )
    return list(zip(lines, _STYLES, strict=False))


@contextmanager
def course_style() -> Iterator[None]:
    """Make figures inside the `with` block in the course's style, whatever the user's own style.

    Examples
    --------
    >>> import matplotlib
    >>> with course_style():
    ...     matplotlib.rcParams["lines.linewidth"]
    2.0
    """
    import matplotlib

    settings = _course_settings()
    now: Any = matplotlib.rcParams
    before = [(name, now._get(name)) for name in dict.keys(now) if name != "backend"]
    for name, value in settings:
        now._set(name, value)
    try:
        yield
    finally:
        for name, value in before:
            now._set(name, value)


@cache
def _course_settings() -> tuple[tuple[str, Any], ...]:
    """Return the settings that the course's style makes, as Matplotlib has checked them.

    Reading and checking them takes milliseconds, and every figure needs them several times.
    """
    import matplotlib.style

    with matplotlib.rc_context():
        now: Any = matplotlib.rcParams
        untouched = {name: object() for name in dict.keys(now) if name != "backend"}
        for name, mark in untouched.items():
            now._set(name, mark)
        use_course_style()
        return tuple(
            (name, now._get(name)) for name, mark in untouched.items() if now._get(name) is not mark
        )


def use_course_style() -> None:
    """Make all later figures of this session in the course's style."""
    import matplotlib.style

    matplotlib.style.use(["default", str(STYLE_FILE)])


def new_figure(
    panels: int = 1, *, width: float = _PANEL_WIDTH, height: float | None = None
) -> Figure:
    """Return an empty figure in the course's style and size, without pyplot's global state.

    Parameters
    ----------
    panels : int, default 1
        Number of panels one above the other; each after the first adds 2.6 inches.
    width, height : float
        Size in inches; by default 7 wide, and as high as its panels need.

    Notes
    -----
    Axes take the style that is active when they are made: make them inside `course_style()`.

    Examples
    --------
    >>> tuple(new_figure(panels=2).get_size_inches().tolist())
    (7.0, 6.6)
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if panels < 1:
        raise ValueError(f"panels must be 1 or more, was {panels}; give the number of panels")
    if height is None:
        height = _PANEL_HEIGHT + _EXTRA_HEIGHT * (panels - 1)
    with course_style():
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
    return figure


def hours_since(times: pd.Index, start: pd.Timestamp | None = None) -> npt.NDArray[np.float64]:
    """Return moments as hours from `start`, or from the first of them, for an axis."""
    first: Any = times[0] if start is None else start
    return np.asarray((times - first).total_seconds(), dtype=np.float64) / 3_600


def group_thousands(axis: Axis) -> None:
    """Write an axis' numbers with thin grouping, with as many decimals as its ticks need."""
    from leverage.lessons.ticks import Grouped

    axis.set_major_formatter(Grouped())


def finish_axes(axes: Axes, *, x_label: str, y_label: str, zero_line: bool = False) -> None:
    """Label both axes (sentence case, unit in brackets), group numbers, draw the zero line.

    Parameters
    ----------
    axes : Axes
        The axes to finish.
    x_label, y_label : str
        Labels such as ``Mark price (USDT per BTC)``.
    zero_line : bool, default False
        Draw a line at zero, as every figure of profit and loss needs.
    """
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    group_thousands(axes.xaxis)
    group_thousands(axes.yaxis)
    if zero_line:
        axes.axhline(0, **line_style("zero"), zorder=1.5)


def label_point(
    axes: Axes,
    text: str,
    x: float,
    y: float,
    *,
    offset: tuple[float, float] = (6, 0),
    align: str = "left",
    vertical: str = "center",
    x_in_axes: bool = False,
    y_in_axes: bool = False,
) -> Annotation:
    """Write a label beside a point or a line, on a white ground that keeps it legible.

    Parameters
    ----------
    axes : Axes
        Where to write.
    text : str
        The label.
    x, y : float
        The point, in data units, or from 0 to 1 where `x_in_axes` or `y_in_axes` is true.
    offset : tuple of float, default (6, 0)
        Distance of the text from the point, in typographic points.
    align, vertical : str
        Which edge of the text the point is at.
    """
    return axes.annotate(
        text,
        (x, y),
        xycoords=(
            "axes fraction" if x_in_axes else "data",
            "axes fraction" if y_in_axes else "data",
        ),
        xytext=offset,
        textcoords="offset points",
        ha=align,
        va=vertical,
        fontsize=9,
        color=COLOURS["text"],
        annotation_clip=False,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0},
        zorder=5,
    )


def check_description(text: str) -> str:
    """Return a description in one line; refuse one that is empty or says too little.

    Examples
    --------
    >>> check_description("A line chart.")
    Traceback (most recent call last):
    ...
    ValueError: text must be a description of at least 12 words, has 3; say what kind of chart \
it is, the axes and their range, the trend, and the point that matters with its number
    """
    if not isinstance(text, str):
        raise ValueError(
            f"text must be a description in words, was {type(text).__name__}; give a string"
        )
    # Thin spaces group digits: 45 180 is one word.
    words = [word for word in re.split(r"[ \t\r\n]+", text) if word]
    if len(words) < _LEAST_WORDS:
        raise ValueError(
            f"text must be a description of at least {_LEAST_WORDS} words, has {len(words)}; "
            "say what kind of chart it is, the axes and their range, the trend, "
            "and the point that matters with its number"
        )
    return " ".join(words)


_draws = True


@contextmanager
def without_pictures() -> Iterator[None]:
    """Draw no picture meanwhile: a figure is only described.

    For programs that run a notebook many times and have its pictures already.

    Examples
    --------
    >>> with without_pictures():
    ...     figure_png(new_figure())
    b''
    """
    global _draws
    before, _draws = _draws, False
    try:
        yield
    finally:
        _draws = before


def pictures_are_drawn() -> bool:
    """Tell whether pictures are drawn, which `without_pictures` suspends."""
    return _draws


def figure_png(figure: Figure) -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes.

    Nothing that differs between runs or programs is written beside the picture. Without pictures
    there are no bytes.
    """
    if not _draws:
        return b""
    with course_style():
        return _drawn(figure)


def _drawn(figure: Figure) -> bytes:
    """Draw a figure, in the style that is active."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas, dpi, face = figure.canvas, figure.dpi, figure.get_facecolor()
    # `savefig` would draw a figure with a layout twice, first to find the places.
    drawing: Any = FigureCanvasAgg(figure)
    try:
        figure.set_facecolor("white")
        figure.set_dpi(dpi * PNG_SCALE)
        drawing.draw()
        size = drawing.get_width_height()
    finally:
        figure.set_dpi(dpi)
        figure.set_facecolor(face)
        figure.set_canvas(canvas)
    # On white nothing is transparent, and three channels are written faster than four.
    picture = Image.frombytes("RGB", size, drawing.buffer_rgba(), "raw", "RGBX", 0, 1)
    buffer = io.BytesIO()
    picture.save(buffer, format="png", compress_level=2)
    return buffer.getvalue()


def picture_bundle(
    png: bytes, text: str, *, width: int, height: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return data and metadata of one output: a picture, and its description as its plain text.

    Parameters
    ----------
    png : bytes
        The picture; where it is empty the description stands alone.
    text : str
        The description; also the picture's alternative text.
    width, height : int
        Size on the page in CSS pixels.
    """
    if not png:
        return {"text/plain": text}, {}
    data = {"image/png": base64.b64encode(png).decode("ascii"), "text/plain": text}
    metadata = {"image/png": {"alt": text, "width": width, "height": height}}
    return data, metadata


def in_notebook() -> bool:
    """Tell whether a Jupyter kernel runs this code, so that pictures can be displayed."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def describe(figure: Figure, text: str) -> None:
    """Display a figure together with what it shows, in words.

    The description is the picture's alternative text and its plain-text form, and is printed
    below it, so that it reaches everyone and a test can compare it. Outside a notebook only the
    words are printed.

    Parameters
    ----------
    figure : Figure
        The figure, made with pyplot or without.
    text : str
        Kind of chart; axes and range; the trend; the point that matters, with its number.
        20 to 50 words are a good length; fewer than 12 are refused.

    Examples
    --------
    >>> describe(
    ...     new_figure(),
    ...     "Empty chart. It has no axes and no lines: an example of words.",
    ... )
    Figure: Empty chart. It has no axes and no lines: an example of words.
    """
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure):
        raise ValueError(
            f"figure must be a Matplotlib Figure, was {type(figure).__name__}; "
            "give fig of `fig, ax = plt.subplots()`, or ax.figure"
        )
    text = check_description(text)
    if in_notebook():
        from IPython.display import display

        width, height = (round(side * figure.dpi) for side in figure.get_size_inches())
        data, metadata = picture_bundle(figure_png(figure), text, width=width, height=height)
        display(data, metadata=metadata, raw=True)
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        # An open pyplot figure would be displayed a second time at the end of the cell.
        pyplot.close(figure)
    say(wrapped(f"Figure: {text}"))

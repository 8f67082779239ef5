"""A picture that is kept is the one that would be drawn, and any change of the figure draws it.

`test_pictures.py` runs this file in an interpreter of its own, as a grader is: pictures are kept by
all that takes part in drawing, and other tests leave their traces there.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import matplotlib
import pytest
from matplotlib import colors, lines
from matplotlib.figure import Figure

from classroom.grading.integrity import Integrity, Watched
from classroom.grading.pictures import Pictures
from classroom.grading.runner import make_shell
from leverage import lessons
from leverage.lessons import canvas, figures, wording
from leverage.lessons.charts.basic_charts import plot_equity

DRAWN = b"drawn"


def make() -> Figure:
    """A chart such as given cells draw."""
    return plot_equity(
        1, entry_price=50_000, quantity=0.2, margin=1_000, maintenance_margin_rate=0.004
    )


def shown(
    pictures: Pictures,
    change: Callable[[Figure], object] = lambda figure: None,
    draw: Callable[[Figure], bytes] = lambda figure: DRAWN,
) -> bytes:
    """The picture of a changed figure."""
    return pictures.of(changed(change), draw)


def changed(change: Callable[[Figure], object]) -> Figure:
    """A chart after a change, which nobody else holds."""
    figure = make()
    change(figure)
    return figure


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Pictures:
    """The chart's picture, learnt once and kept as plain data."""
    monkeypatch.setattr(figures, "kept", None)
    monkeypatch.setattr(canvas, "kept", None)
    figures.figure_png(make())  # what is loaded with the first picture is there before it counts
    drawing = Pictures()
    drawing.learn()
    shown(drawing, draw=figures._draw)
    drawing.end_of_statement()
    learnt = json.loads(json.dumps(drawing.learnt()))
    assert len(learnt) == 1
    drawing.keep(learnt)
    return drawing


def test_a_kept_picture_has_the_bytes_of_a_drawn_one(pictures: Pictures) -> None:
    assert shown(pictures) == figures._draw(make())


CHANGES: dict[str, Callable[[Figure], object]] = {
    "a point by one pixel": lambda figure: (
        figure.axes[0]
        .lines[0]
        .set_ydata([value + 1 for value in figure.axes[0].lines[0].get_ydata()])
    ),
    "a colour": lambda figure: figure.axes[0].lines[0].set_color("#0072B3"),
    "a label": lambda figure: figure.axes[0].set_xlabel("Mark price"),
    "a limit": lambda figure: figure.axes[0].set_xlim(0, 1),
    "a tick": lambda figure: figure.axes[0].set_xticks([45_000]),
    "the resolution": lambda figure: figure.set_dpi(101),
    "the size": lambda figure: figure.set_size_inches(7.0, 4.01),
    "the ground": lambda figure: figure.axes[0].set_facecolor("#FEFEFE"),
    "a formatter of their own": lambda figure: figure.axes[0].xaxis.set_major_formatter(
        lambda value, _: "x"
    ),
    "a drawing method of one line": lambda figure: setattr(
        figure.axes[0].lines[0], "draw", lambda renderer: None
    ),
    "a class of their own": lambda figure: setattr(
        figure.axes[0].lines[0], "__class__", type("Own", (lines.Line2D,), {})
    ),
    "something called while it draws": lambda figure: figure.canvas.mpl_connect(
        "draw_event", print
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_figure_that_differs_is_drawn(
    pictures: Pictures, change: Callable[[Figure], object]
) -> None:
    assert shown(pictures, change) == DRAWN


PATCHES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a setting": lambda patch: patch.setitem(matplotlib.rcParams, "path.simplify", False),
    "a method that draws": lambda patch: patch.setattr(lines.Line2D, "draw", print),
    "a method of a base class": lambda patch: patch.setattr(Figure, "draw", print),
    "a table of a class": lambda patch: patch.setitem(
        lines.Line2D._lineStyles, "-", "_draw_dotted"
    ),
    "a named colour": lambda patch: patch.setitem(colors._colors_full_map, "white", "#000000"),
    "the course's own drawing": lambda patch: patch.setattr(figures, "PNG_SCALE", 2.0),
    "how numbers are written": lambda patch: patch.setattr(wording, "format_amount", str),
}


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
def test_everything_is_drawn_where_drawing_has_changed(
    pictures: Pictures,
    patch: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert shown(pictures) != DRAWN
    with monkeypatch.context() as patched:
        patch(patched)
        assert shown(pictures) == DRAWN


def test_everything_is_drawn_once_a_function_has_been_given_other_code(pictures: Pictures) -> None:
    shell = make_shell()
    integrity = Integrity(shell, Watched(shell), lambda what: None)
    pictures.unchanged = lambda: integrity.codes_kept
    assert shown(pictures) != DRAWN

    def other() -> int:
        return 1

    other.__defaults__ = ()
    assert shown(pictures) == DRAWN


def test_a_figure_that_later_code_could_look_at_is_drawn(pictures: Pictures) -> None:
    held: list[object] = []
    assert shown(pictures, lambda figure: held.append(figure.axes[0])) == DRAWN
    held.clear()
    assert shown(pictures) != DRAWN


def test_the_picture_of_a_figure_that_stays_in_use_is_not_kept(pictures: Pictures) -> None:
    pictures.keep({})
    pictures.learn()
    held: list[Figure] = []
    shown(pictures, held.append)
    pictures.end_of_statement()
    assert pictures.learnt() == {}


EXPLORERS = {
    "BotBench": {"leverage": 5},
    "CrashReplay": {"leverage": 20},
    "LeverageExplorer": {"leverage": 20},
    "LiquidationMap": {"leverage": 20},
    "MarginModeExplorer": {"leverage": 20},
    "PlatformComparer": {"fees": 1},
    "PositionSizeCalculator": {"leverage": 5},
    "SurvivalMap": {"days": 60},
    "TierExplorer": {"leverage": 50},
}
"""Explorers, each with a change."""


@pytest.mark.parametrize(("name", "change"), EXPLORERS.items(), ids=EXPLORERS)
def test_an_explorer_shows_the_picture_that_it_would_draw(
    monkeypatch: pytest.MonkeyPatch, name: str, change: dict[str, object]
) -> None:
    kind = getattr(lessons, name)
    monkeypatch.setattr(canvas, "kept", None)
    drawn = kind()
    kept = Pictures()
    kept.learn()
    learnt = kind()
    kept.end_of_statement()
    kept.keep(kept.learnt())
    explorer = kind()
    assert explorer.png() == learnt.png() == drawn.png()
    works_its_layout_out = name == "BotBench"  # with the first drawing, for good
    assert explorer._canvas.backgrounds_drawn == works_its_layout_out
    for changed in (explorer, drawn):
        for control, value in change.items():
            getattr(changed, control).value = value
    assert explorer.png() == drawn.png() != learnt.png()
    assert explorer._canvas.backgrounds_drawn >= 1

"""What ACCESSIBILITY.md says of explorers and colours holds, for every explorer there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from explorers_opened import NAMES, opened
from matplotlib.text import Text

from leverage.lessons.explorers.explorer import Explorer
from leverage.lessons.figures import COLOURS, FILLS

STATEMENT = Path(__file__).resolve().parents[2] / "ACCESSIBILITY.md"
UNNAMED = {"Play"}


@pytest.fixture(scope="module", params=NAMES)
def explorer(request: pytest.FixtureRequest) -> Explorer:
    return opened(request.param)


def inside(widget: object) -> Iterator[object]:
    """Yield a widget and all widgets inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from inside(child)


def test_every_control_of_an_explorer_has_a_label(explorer: Explorer) -> None:
    controls = [w for w in inside(explorer.widget) if hasattr(w, "description")]
    unlabelled = {
        type(one).__name__
        for one in controls
        if not one.description and type(one).__name__ != "HTML"
    }
    assert unlabelled <= UNNAMED
    assert len(controls) > 2


def test_an_explorer_says_its_result_in_a_sentence_and_in_a_table(
    explorer: Explorer,
) -> None:
    words = "".join(str(getattr(widget, "value", "")) for widget in inside(explorer.widget))
    assert re.search(r'<p role="(status|alert)"', words)
    assert "<table" in words
    assert "<caption" in words
    assert '<th scope="row"' in words


def test_an_explorer_describes_its_picture(explorer: Explorer) -> None:
    assert len(explorer.description.split()) >= 12


def test_an_explorer_has_no_text_below_eight_points_and_a_half(
    explorer: Explorer,
) -> None:
    texts = explorer._canvas.figure.findobj(Text)
    sizes = {text.get_text(): text.get_fontsize() for text in texts if text.get_text()}
    assert sizes
    assert min(sizes.values()) >= 8.5, sizes


def contrast_on_white(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    weights = (0.2126, 0.7152, 0.0722)
    return 1.05 / (sum(w * c for w, c in zip(weights, linear, strict=True)) + 0.05)


def test_the_statement_prints_the_contrast_of_every_colour_that_carries_meaning() -> None:
    text = STATEMENT.read_text(encoding="utf-8")
    printed = dict(re.findall(r"\| `(#[0-9A-F]{6})` \| ([\d.]+) \|", text))
    meanings = {colour for meaning, colour in COLOURS.items() if meaning != "grid"}
    assert set(printed) == meanings
    for colour, contrast in printed.items():
        assert float(contrast) == pytest.approx(contrast_on_white(colour), abs=0.05), colour
        assert float(contrast) >= 3
    for fill in ("sky", "orange", "yellow"):
        assert f"`{FILLS[fill]}`" in text

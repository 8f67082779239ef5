"""The widget canvas: what it draws is what Matplotlib would draw, only sooner."""

import io

import numpy as np
import pytest
from PIL import Image

from leverage.lessons.canvas import BlitCanvas, Label, encode_png
from leverage.lessons.figures import COLOURS, new_figure


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.fixture
def scene():
    figure = new_figure()
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    (line,) = axes.plot([0, 1], [0, 1], color=COLOURS["gain"], linewidth=6)
    return BlitCanvas(figure, [line]), axes, line


def test_the_picture_follows_the_artist(scene):
    canvas, _, line = scene
    canvas.refresh()
    before = bytes(canvas.image.value)
    line.set_ydata([1, 0])
    canvas.refresh()
    assert bytes(canvas.image.value) != before
    assert canvas.frames == 2
    assert canvas.bytes_sent == len(before) + len(canvas.image.value)


def test_a_refresh_without_a_change_sends_nothing(scene):
    canvas, _, _ = scene
    canvas.refresh()
    canvas.refresh()
    assert canvas.frames == 1


def test_a_moved_artist_leaves_no_trace(scene):
    canvas, _, line = scene
    first = canvas.png()
    line.set_ydata([1, 0])
    canvas.png()
    line.set_ydata([0, 1])
    assert canvas.png() == first


def test_the_picture_is_what_a_full_drawing_gives(scene):
    canvas, _, line = scene
    fast = pixels(canvas.png())
    line.set_animated(False)
    canvas._agg.draw()
    full = np.asarray(canvas._agg.buffer_rgba())[..., :3].astype(int)
    assert np.abs(fast - full).mean() < 0.5
    # Fixed lines that a full drawing puts above the artist are below it here: a few pixels.
    assert (np.abs(fast - full).max(axis=2) > 70).mean() < 0.001


def test_an_invisible_artist_is_not_drawn(scene):
    canvas, _, line = scene
    line.set_visible(False)
    hidden = canvas.png()
    line.set_visible(True)
    assert canvas.png() != hidden


def test_the_background_is_drawn_once_for_many_frames(scene):
    canvas, _, line = scene
    for height in np.linspace(0, 1, 20):
        line.set_ydata([0, height])
        canvas.refresh()
    assert canvas.backgrounds_drawn == 1


def test_new_limits_draw_a_new_background_and_old_ones_are_kept(scene):
    canvas, axes, _ = scene
    canvas.refresh()
    first = bytes(canvas.image.value)
    axes.set_xlim(0, 2)
    canvas.refresh()
    axes.set_xlim(0, 1)
    canvas.refresh()
    assert canvas.backgrounds_drawn == 2
    assert bytes(canvas.image.value) == first


def test_only_a_few_backgrounds_are_kept(scene):
    canvas, axes, _ = scene
    for limit in range(1, 31):
        axes.set_xlim(0, limit)
        canvas.png()
    assert canvas.backgrounds_drawn == 30
    assert len(canvas._backgrounds) == 8


def test_a_new_size_or_resolution_gives_a_picture_of_that_size(scene):
    canvas, _, _ = scene
    assert pixels(canvas.png()).shape == (400, 700, 3)
    canvas.figure.set_size_inches(5, 3)
    assert pixels(canvas.png()).shape == (300, 500, 3)
    canvas.figure.dpi = 200
    assert pixels(canvas.png()).shape == (600, 1000, 3)


@pytest.mark.parametrize("colour", sorted({*COLOURS.values(), "#FFFFFF"}))
def test_white_and_the_courses_colours_survive_encoding_exactly(colour):
    rgb = bytes.fromhex(colour[1:])
    png = encode_png(memoryview(rgb * 0 + (rgb + b"\xff") * 64), 8, 8)
    assert (pixels(png) == list(rgb)).all()


def test_the_picture_is_small(scene):
    canvas, _, _ = scene
    assert len(canvas.png()) < 40_000


def test_the_image_has_no_tooltip_because_the_front_end_would_fail(scene):
    canvas, _, _ = scene
    assert canvas.image.tooltip is None


@pytest.mark.parametrize("align", ["left", "center", "right"])
@pytest.mark.parametrize("vertical", ["top", "center", "bottom"])
def test_a_label_is_drawn_on_the_side_it_is_aligned_to(align, vertical):
    figure = new_figure()
    label = Label(
        figure, figure.transSubfigure, position=(0.5, 0.5), align=align, vertical=vertical
    )
    label.text = "Liquidation\n45 180.72"
    dark = np.argwhere(pixels(BlitCanvas(figure, [label]).png()).sum(axis=2) < 300)
    middle_y, middle_x = (dark.min(axis=0) + dark.max(axis=0)) / 2
    sides = {"left": 1, "center": 0, "right": -1}
    assert np.sign(round((middle_x - 350) / 10)) == sides[align]
    assert np.sign(round((middle_y - 200) / 10)) == {"top": 1, "center": 0, "bottom": -1}[vertical]


def test_a_label_tells_how_wide_it_is():
    figure = new_figure()
    label = Label(figure, figure.transSubfigure)
    label.text = "Mark"
    short = label.width()
    label.text = "Mark price"
    assert label.width() > short > 10


def test_an_empty_label_draws_nothing():
    figure = new_figure()
    label = Label(figure, figure.transSubfigure, position=(0.5, 0.5), ground="#000000")
    assert (pixels(BlitCanvas(figure, [label]).png()) == 255).all()

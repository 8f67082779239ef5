"""A figure in a notebook widget that is redrawn in milliseconds.

Axes, ticks and fixed lines are drawn once and kept as a background; a change draws only the moving
artists over it. Moving text is drawn by Pillow, some twenty times as fast as by Matplotlib. The
picture is then mapped to a small palette of the course's colours and encoded as PNG, several times
faster and smaller than in full colour. `ipywidgets.Image` shows it, so no further front-end package
is needed. `benchmarks/explorer_latency.py` measures all of it.
"""

from __future__ import annotations

import io
import math
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from ipywidgets import Image as ImageWidget
from ipywidgets import Layout
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

from leverage.lessons.figures import COLOURS, FILLS, pictures_are_drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

_BACKGROUNDS_KEPT = 8
_SHADES = 24
_NEAREST = 8
_LINE_HEIGHT = 1.25
_GROUND_ALPHA = 217


@cache
def _palette() -> Any:
    """Return a palette image: white, the course's colours, and their blends with white.

    The blends serve the soft edges of lines and text. Entries nearer than eight steps to an
    earlier one are left out, so that white and the pure colours stay exactly what they are.
    """
    pure = [(255, 255, 255), *(_rgb(colour) for colour in (*COLOURS.values(), *FILLS.values()))]
    entries: list[tuple[int, int, int]] = []
    for shade in range(_SHADES, 0, -1):
        for colour in pure:
            entry = _blend(colour, shade / _SHADES)
            gaps = [max(abs(a - b) for a, b in zip(entry, e, strict=True)) for e in entries]
            if not gaps or min(gaps) >= (1 if shade == _SHADES else _NEAREST):
                entries.append(entry)
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for entry in entries[:256] for channel in entry])
    return palette


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _blend(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 + share * (channel - 255)) for channel in colour)
    return red, green, blue


@cache
def _font(size: float, bold: bool) -> ImageFont.FreeTypeFont:
    path = findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal"))
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def encode_png(rgba: memoryview, width: int, height: int) -> bytes:
    """Encode an opaque RGBA picture as a PNG with the course's palette.

    Parameters
    ----------
    rgba : memoryview
        Pixels, four bytes each, row by row. Alpha is ignored.
    width, height : int
        Size in pixels.
    """
    picture = Image.frombytes("RGB", (width, height), rgba, "raw", "RGBX", 0, 1)
    buffer = io.BytesIO()
    indexed = picture.quantize(palette=_palette(), dither=Image.Dither.NONE)
    indexed.save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


class Label(Artist):
    """Text that is drawn fast, for labels that move with every change.

    Parameters
    ----------
    figure : Figure
        The figure it belongs to.
    transform : Transform
        Coordinates of `position`, such as ``axes.transData``.
    position : tuple of float, default (0, 0)
        Where the text is placed.
    align : {"left", "center", "right"}, default "left"
        Which edge of the text is at the position.
    vertical : {"top", "center", "bottom"}, default "bottom"
        Which edge of the text is at the position.
    size : float, default 9
        Size of the letters, in typographic points.
    bold : bool, default False
        Bold letters.
    ground, edge : str, optional
        Colours of the ground behind the text and of a frame around it.

    Notes
    -----
    Lines are separated by newlines. To change a label, set `text`, `position` or `align`.
    """

    def __init__(
        self,
        figure: Figure,
        transform: Transform,
        *,
        position: tuple[float, float] = (0.0, 0.0),
        align: str = "left",
        vertical: str = "bottom",
        size: float = 9.0,
        bold: bool = False,
        ground: str | None = None,
        edge: str | None = None,
    ) -> None:
        super().__init__()
        self.set_figure(figure)
        self.set_transform(transform)
        self.text = ""
        self.position = position
        self.align = align
        self.vertical = vertical
        self._size = size
        self._bold = bold
        self._ground = ground
        self._edge = edge

    def width(self) -> int:
        """Return the width of the text as it is now, in pixels."""
        return int(self._pixels().shape[1])

    def draw(self, renderer: Any) -> None:
        """Draw the text; Matplotlib calls this."""
        if not (self.text and self.get_visible()):
            return
        pixels = self._pixels()
        height, width = pixels.shape[:2]
        x, y = self.get_transform().transform(self.position)
        left = x - width * {"left": 0.0, "center": 0.5, "right": 1.0}[self.align]
        bottom = y - height * {"bottom": 0.0, "center": 0.5, "top": 1.0}[self.vertical]
        context = renderer.new_gc()
        renderer.draw_image(context, round(left), round(bottom), pixels)
        context.restore()

    def _pixels(self) -> npt.NDArray[np.uint8]:
        figure = cast("Figure", self.figure)
        font = _font(self._size * figure.dpi / 72, self._bold)
        return _text_pixels(self.text, font, self.align, self._ground, self._edge)


@lru_cache(maxsize=512)
def _text_pixels(
    text: str, font: ImageFont.FreeTypeFont, align: str, ground: str | None, edge: str | None
) -> npt.NDArray[np.uint8]:
    """Return text as RGBA rows from the bottom up, as Matplotlib's renderers expect."""
    pad = 8.0 if edge else 2.0 if ground else 0.0
    lines = text.split("\n")
    line_height = font.size * _LINE_HEIGHT
    width = math.ceil(max(map(font.getlength, lines)) + 2 * pad)
    height = math.ceil(line_height * len(lines) + 2 * pad)
    backdrop = (*_rgb(ground), _GROUND_ALPHA) if ground else (*_rgb(COLOURS["text"]), 0)
    picture = Image.new("RGBA", (width, height), backdrop)
    pen = ImageDraw.Draw(picture)
    if edge:
        pen.rectangle((0, 0, width - 1, height - 1), outline=edge, width=3)
    anchor = {"left": "ls", "center": "ms", "right": "rs"}[align]
    x = {"left": pad, "center": width / 2, "right": width - pad}[align]
    for number, line in enumerate(lines):
        baseline = pad + line_height * number + font.size
        pen.text((x, baseline), line, fill=COLOURS["text"], font=font, anchor=anchor)
    return np.ascontiguousarray(np.asarray(picture)[::-1])


class BlitCanvas:
    """Show a figure in an image widget and redraw only the artists that move.

    Parameters
    ----------
    figure : Figure
        A figure made without pyplot. Its layout is fixed when the background is first drawn.
    artists : sequence of Artist
        What moves, in drawing order. Everything else is background.

    Attributes
    ----------
    image : ipywidgets.Image
        The widget to display. ipywidgets 8 gives it no alternative text (and its `tooltip`
        breaks the view), so state in words beside it what it shows.
    frames, bytes_sent, backgrounds_drawn : int
        Pictures sent to the front end, their size in bytes, and how often the slow part ran.

    Notes
    -----
    A change of an axis' limits or of the figure's size or resolution draws a new background; the
    last eight are kept. Nothing else of the background may change.

    Examples
    --------
    >>> from leverage.lessons.figures import new_figure
    >>> figure = new_figure()
    >>> axes = figure.subplots()
    >>> line, = axes.plot([0, 1], [0, 1])
    >>> canvas = BlitCanvas(figure, [line])
    >>> canvas.refresh()
    >>> line.set_ydata([1, 0])
    >>> canvas.refresh()
    >>> canvas.frames, canvas.backgrounds_drawn
    (2, 1)
    """

    def __init__(self, figure: Figure, artists: Sequence[Artist]) -> None:
        self.figure = figure
        self.artists = list(artists)
        for artist in self.artists:
            artist.set_animated(True)
            artist.set_in_layout(False)
        self._agg: Any = FigureCanvasAgg(figure)
        self._backgrounds: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self.frames = 0
        self.bytes_sent = 0
        self.backgrounds_drawn = 0
        width = round(figure.get_size_inches()[0] * 100)
        self.image = ImageWidget(format="png", layout=Layout(width="100%", max_width=f"{width}px"))

    def refresh(self) -> None:
        """Draw the artists as they are now and show the picture if it changed."""
        data = self.png()
        if data != self.image.value:
            self.image.value = data
            self.frames += 1
            self.bytes_sent += len(data)

    def png(self) -> bytes:
        """Return the picture as it is now, as PNG; no bytes where no pictures are drawn."""
        if not pictures_are_drawn():
            return b""
        self._restore_background()
        for artist in self.artists:
            if artist.get_visible():
                self.figure.draw_artist(artist)
        width, height = self._agg.get_width_height()
        return encode_png(self._agg.buffer_rgba(), width, height)

    def _restore_background(self) -> None:
        key = self._view()
        background = self._backgrounds.get(key)
        if background is None:
            self._agg.draw()
            self.figure.set_layout_engine("none")
            background = self._agg.copy_from_bbox(self.figure.bbox)
            self.backgrounds_drawn += 1
            if len(self._backgrounds) == _BACKGROUNDS_KEPT:
                self._backgrounds.popitem(last=False)
            self._backgrounds[key] = background
        else:
            self._backgrounds.move_to_end(key)
            self._agg.restore_region(background)

    def _view(self) -> tuple[object, ...]:
        size = (*self.figure.get_size_inches(), self.figure.dpi)
        return size + tuple((*axes.get_xlim(), *axes.get_ylim()) for axes in self.figure.axes)

"""What the tests of explorers share: opening one, setting controls, and what it must always say."""

import io
import re

from PIL import Image

from leverage import lessons
from leverage.history import load_hourly_window
from leverage.lessons import figures
from leverage.lessons.explorers.explorer import Explorer
from leverage.paper import PaperExchange

NAMES = sorted(name for name, home in lessons._HOME_OF.items() if home.startswith("explorers."))


def opened(name: str, **start: object) -> Explorer:
    """Open an explorer as it stands in its chapter."""
    made = getattr(lessons, name)
    if name == "TradingTerminal":
        bars = load_hourly_window("2024-08-05")
        return made(PaperExchange(bars, venue="binance", balance=1_000), **start)
    return made(**start)


def plain(text):
    return text.replace("\u202f", " ")


def set_all(explorer, **values):
    with explorer.hold():
        for name, value in values.items():
            getattr(explorer, name).value = value


def check_all_is_said(explorer):
    """Check that words and picture are whole, whatever the controls say."""
    text = plain(explorer.html + explorer.description)
    assert not re.search(r"\b(nan|inf|None|not a number|infinite)\b", text), text
    assert len(figures.check_description(explorer.description)) > 50
    size = Image.open(io.BytesIO(explorer.png())).size
    assert size == (700, round(explorer._picture.height * 100))
    for label in explorer._picture._labels:
        if label.text and label.get_visible():
            x, _ = label.get_transform().transform(label.position)
            left = x - label.width() * {"left": 0, "center": 0.5, "right": 1}[label.align]
            assert left >= 0, label.text
            assert left + label.width() <= 700, label.text

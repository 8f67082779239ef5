"""Every explorer in a real browser: a key press changes the value, the picture and the words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import ANSWER_MS, Notebook, Trouble, open_notebook, picture

if TYPE_CHECKING:
    from binder_environment import Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

EXPLORERS = [
    ("01_basics", "LeverageExplorer"),
    ("02_platforms", "TierExplorer"),
    ("02_platforms", "PlatformComparer"),
    ("04_risk_management", "PositionSizeCalculator"),
    ("04_risk_management", "SurvivalMap"),
    ("05_margin_modes", "MarginModeExplorer"),
    ("05_margin_modes", "LiquidationMap"),
    ("06_trading_bots", "BotBench"),
    ("08_crashes", "CrashReplay"),
]
WORDS = "[role=status], [role=alert]"


@pytest.fixture(scope="module")
def opened() -> dict[str, Notebook]:
    """The notebook that is open, by chapter."""
    return {}


def open_chapter(
    chapter: str, opened: dict[str, Notebook], page: Page, server: Server, trouble: Trouble
) -> Notebook:
    """Open a chapter's student notebook, unless it is open, and run the cell that loads names."""
    if chapter not in opened:
        # Leaving a page aborts its last requests; that is no trouble of the next one.
        seen = len(trouble.seen)
        page.goto("about:blank")
        del trouble.seen[seen:]
        path = f"course/{chapter}/{chapter}.ipynb"
        notebook = open_notebook(page, server, path, workspace=chapter)
        notebook.run(notebook.indexes("code", r"(^|\n)from leverage\.lessons import")[0])
        opened.clear()
        opened[chapter] = notebook
    return opened[chapter]


@pytest.mark.parametrize(("chapter", "name"), EXPLORERS, ids=[name for _, name in EXPLORERS])
def test_a_key_press_changes_the_value_the_picture_and_the_words(
    chapter: str,
    name: str,
    opened: dict[str, Notebook],
    page: Page,
    lab_server: Server,
    trouble: Trouble,
) -> None:
    notebook = open_chapter(chapter, opened, page, lab_server, trouble)
    (place,) = notebook.indexes("code", rf"^{name}\(")
    notebook.run(place)
    shown = notebook.cell(place).locator(".jp-OutputArea")
    image, words = shown.locator("img.widget-image"), shown.locator(WORDS)
    image.wait_for(timeout=ANSWER_MS)
    sentence, before = words.inner_text(), picture(image)
    assert before[0] > 300
    # The first slider and the number beside it: a logarithmic slider's own value is an exponent.
    sliders, choice = shown.get_by_role("slider"), shown.get_by_role("combobox").first
    has_slider = sliders.count() > 0
    control = sliders.first if has_slider else choice

    def value() -> str:
        return (
            shown.locator(".widget-readout").first.inner_text()
            if has_slider
            else choice.input_value()
        )

    first = value()
    control.focus()
    # In a list the arrow keys are JupyterLab's own until Enter has opened it.
    for key in ["ArrowRight"] if has_slider else ["Enter", "ArrowDown", "Enter"]:
        page.keyboard.press(key)
    words.get_by_text(sentence, exact=True).wait_for(state="detached", timeout=ANSWER_MS)
    assert value() != first
    assert words.inner_text() != sentence
    assert picture(image) != before
    notebook.wait_for_kernel()
    assert trouble.seen == []


def test_the_trading_terminal_is_worked_by_the_keyboard_alone(
    opened: dict[str, Notebook], page: Page, lab_server: Server, trouble: Trouble
) -> None:
    notebook = open_chapter("03_getting_started", opened, page, lab_server, trouble)
    notebook.run(notebook.indexes("code", r"^bars = load_hourly_window")[0])
    (place,) = notebook.indexes("code", r"(?m)^TradingTerminal\(")
    notebook.run(place)
    shown = notebook.cell(place).locator(".jp-OutputArea")
    image, status = shown.locator("img.widget-image"), shown.locator("[role=status]")
    image.wait_for(timeout=ANSWER_MS)
    for button, key, expected in [
        ("Send order", "Space", "You are long"),
        ("Step 1 hour", "Enter", "00:59 UTC"),
        ("Close position", "Space", "You hold no position"),
    ]:
        before = picture(image)
        shown.get_by_role("button", name=button).focus()
        page.keyboard.press(key)
        status.get_by_text(expected).wait_for(timeout=ANSWER_MS)
        assert picture(image) != before
    assert shown.get_by_text("Before you send it").count() == 1
    assert trouble.seen == []


def test_a_list_is_opened_by_space_and_chosen_from_by_arrows_and_enter(
    opened: dict[str, Notebook], page: Page, lab_server: Server, trouble: Trouble
) -> None:
    notebook = open_chapter("06_trading_bots", opened, page, lab_server, trouble)
    (place,) = notebook.indexes("code", r"^BotBench\(")
    notebook.run(place)
    shown = notebook.cell(place).locator(".jp-OutputArea")
    image, status = shown.locator("img.widget-image"), shown.locator("[role=status]")
    image.wait_for(timeout=ANSWER_MS)
    before = picture(image)
    shown.get_by_role("combobox", name="Bot").focus()
    for key in ("Space", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    status.get_by_text("Martingale at 1×").wait_for(timeout=ANSWER_MS)
    assert picture(image) != before
    assert trouble.seen == []

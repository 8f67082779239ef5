"""A real browser on JupyterLab in the environment that Binder would build."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "environment"))

from binder_environment import Server, built_environment, lab_server
from pages import Trouble

from leverage.lessons.browser import find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["built_environment", "lab_server"]

SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"
WINDOW = {"width": 1280, "height": 900}
REMEDY = (
    "no browser was found; install chromium (Debian: apt-get install chromium), or set CHROMIUM "
    "to a browser's path"
)
QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def trouble() -> Trouble:
    """What goes wrong in the page while the tests of a module run."""
    return Trouble()


@pytest.fixture(scope="module")
def page(lab_server: Server, trouble: Trouble) -> Iterator[Page]:
    """A page of a new browser that knows nothing yet."""
    program = find_browser()
    if program is None:
        pytest.fail(REMEDY)
    from playwright.sync_api import sync_playwright

    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, headless=True, args=[*QUIET, *root]
        )
        context = browser.new_context(viewport=WINDOW)
        page = context.new_page()
        trouble.watch(page, lab_server)
        yield page
        context.close()
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    """Keep a picture of the page when a test fails."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.failed and page is not None and not page.is_closed():
        SCREENSHOTS.mkdir(exist_ok=True)
        file = SCREENSHOTS / f"{re.sub(r'[^a-z0-9_]+', '-', item.name)}.png"
        page.screenshot(path=file)
        report.sections.append(("screenshot", f"tests/browser/screenshots/{file.name}"))
    return report

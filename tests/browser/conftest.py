"""A real browser on JupyterLab in the environment that Binder would build."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "environment"))

from binder_environment import Server, built_environment, lab_server
from pages import WINDOW, Trouble, new_browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["built_environment", "lab_server"]

SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"


@pytest.fixture(scope="module")
def trouble() -> Trouble:
    """What goes wrong in the page while the tests of a module run."""
    return Trouble()


@pytest.fixture(scope="module")
def page(lab_server: Server, trouble: Trouble) -> Iterator[Page]:
    """A page of a new browser that knows nothing yet."""
    with new_browser() as browser:
        page = browser.new_context(viewport=WINDOW).new_page()
        trouble.watch(page, lab_server)
        yield page


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

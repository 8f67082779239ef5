"""JupyterLab as a learner sees it: what the browser tests read, press and type."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from leverage.lessons.browser import find_browser

if TYPE_CHECKING:
    from binder_environment import Server
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response

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
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
START_MS = 60_000
RUN_MS = 120_000
ANSWER_MS = 30_000


@contextmanager
def new_browser() -> Iterator[Browser]:
    """A new browser that knows nothing yet."""
    program = find_browser()
    if program is None:
        pytest.fail(REMEDY)
    from playwright.sync_api import sync_playwright

    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, headless=True, args=[*QUIET, *root]
        )
        yield browser
        browser.close()


@dataclass
class Trouble:
    """What went wrong in the page without stopping it."""

    seen: list[str] = field(default_factory=list)

    def watch(self, page: Page, server: Server) -> None:
        """Collect errors of scripts, the console and requests, and requests to other machines."""
        page.on("pageerror", lambda error: self.seen.append(f"script error: {error}"))
        page.on("console", self._console)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)
        page.on("request", lambda request: self._asked(request, server))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.seen.append(f"console error: {message.text}")

    def _failed(self, request: Request) -> None:
        self.seen.append(f"request failed: {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.seen.append(f"answer {response.status}: {response.url}")

    def _asked(self, request: Request, server: Server) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            self.seen.append(f"request to another machine: {request.url}")


class Notebook:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: Page, server: Server, path: str) -> None:
        self.page, self.path = page, path
        self.cells: list[dict[str, Any]] = server.ask(f"api/contents/{path}")["content"]["cells"]

    # ---- which cell

    def index(self, grade_id: str) -> int:
        """Return the place of the graded cell with this id."""
        ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in self.cells]
        assert grade_id in ids, f"{self.path} has no cell {grade_id}"
        return ids.index(grade_id)

    def is_folded(self, index: int) -> bool:
        """Tell whether a cell shows one line of its code."""
        return bool(self.cells[index]["metadata"].get("jupyter", {}).get("source_hidden"))

    def indexes(self, kind: str, pattern: str) -> list[int]:
        """Return the places of the cells of a kind whose source matches a pattern."""
        found = [
            number
            for number, cell in enumerate(self.cells)
            if cell["cell_type"] == kind and re.search(pattern, cell["source"])
        ]
        assert found, f"{self.path} has no {kind} cell with {pattern!r}"
        return found

    def tests_of(self, answer: int) -> list[int]:
        """Return the places of the test cells that follow an answer cell."""
        found = []
        for number, cell in enumerate(self.cells[answer + 1 :], answer + 1):
            graded = cell["metadata"].get("nbgrader", {})
            if not graded.get("grade") or graded.get("solution"):
                break
            found.append(number)
        return found

    def cell(self, index: int) -> Locator:
        """Return a cell, scrolled into view."""
        found = self.page.locator(f'{PANEL} .jp-Cell[data-windowed-list-index="{index}"]')
        found.scroll_into_view_if_needed(timeout=ANSWER_MS)
        return found

    # ---- what a learner does

    def wait_for_kernel(self) -> None:
        """Wait until the kernel has nothing to do."""
        status = self.page.locator("#jp-main-statusbar").get_by_text("| Idle")
        status.wait_for(timeout=RUN_MS)

    def run_all(self) -> None:
        """Choose Run, Run All Cells, and wait until every code cell has run."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        code = sum(
            cell["cell_type"] == "code" and not self.is_folded(number)
            for number, cell in enumerate(self.cells)
        )
        self.page.wait_for_function(
            """([panel, code]) => {
                const prompts = [...document.querySelectorAll(
                    `${panel} .jp-CodeCell .jp-InputPrompt`)];
                return prompts.filter(p => /^\\[\\d+\\]:$/.test(p.textContent)).length === code;
            }""",
            arg=[PANEL, code],
            timeout=RUN_MS,
        )
        self.wait_for_kernel()

    def run(self, index: int) -> None:
        """Run one cell with Shift and Enter; a folded one stays folded."""
        cell = self.cell(index)
        if self.is_folded(index):
            self._run_folded(cell)
            return
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(
            "([node, before]) => /\\d/.test(node.textContent) && node.textContent !== before",
            arg=[prompt.element_handle(), before],
            timeout=ANSWER_MS,
        )

    def _run_folded(self, cell: Locator) -> None:
        outputs = cell.locator(".jp-OutputArea-child")
        outputs.evaluate_all("nodes => nodes.forEach(node => node.dataset.old = 1)")
        cell.click(position={"x": 2, "y": 2})  # its edge: a click on its line would open it
        self.page.keyboard.press("Shift+Enter")
        new = cell.locator(".jp-OutputArea-child:not([data-old])")
        new.first.wait_for(state="attached", timeout=ANSWER_MS)
        self.wait_for_kernel()

    def type_into(self, index: int, code: str) -> None:
        """Replace what a cell holds by typed code."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(code)

    def output(self, index: int) -> str:
        """Return the text below a cell that has printed something."""
        outputs = self.cell(index).locator(".jp-OutputArea-output")
        outputs.first.wait_for(state="attached", timeout=ANSWER_MS)
        return "\n".join(outputs.all_text_contents())

    def validate(self) -> str:
        """Press nbgrader's button Validate; return what its dialog says."""
        self.page.locator(f"{PANEL} .jp-NotebookPanel-toolbar").get_by_text("Validate").click()
        dialog = self.page.locator(".jp-Dialog")
        dialog.wait_for(timeout=RUN_MS)
        text = dialog.inner_text()
        dialog.get_by_role("button", name="Ok").click()
        dialog.wait_for(state="detached", timeout=ANSWER_MS)
        return text


def open_notebook(page: Page, server: Server, path: str, *, workspace: str = "") -> Notebook:
    """Open a notebook and wait for its kernel.

    The address is the one that a Binder link leads to, or, in a workspace of its own, one at which
    nothing that was open before is opened again.
    """
    place = f"workspaces/{workspace}/" if workspace else ""
    page.goto(f"{server.url}lab/{place}tree/{path}?token={server.token}", timeout=START_MS)
    page.locator(f"{PANEL} .jp-Cell").first.wait_for(timeout=START_MS)
    notebook = Notebook(page, server, path)
    notebook.wait_for_kernel()
    return notebook


def picture(image: Locator) -> tuple[int, str]:
    """Return a picture's width in pixels and a fingerprint of its bytes."""
    width, print_ = image.evaluate(
        """async image => {
            const bytes = await (await fetch(image.src)).arrayBuffer();
            const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
            return [image.naturalWidth, Array.from(digest).join(" ")];
        }"""
    )
    return int(width), str(print_)

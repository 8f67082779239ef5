"""A learner who opens a chapter sees questions and checks of one line, and no answer before a try."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pages import ANSWER_MS, PANEL, Notebook, Trouble, open_notebook

from classroom.authoring.bank import read_bank
from classroom.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from binder_environment import Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CHAPTER = "01_basics"


@pytest.fixture(scope="module")
def notebook(page: Page, lab_server: Server) -> Notebook:
    """The chapter, opened and never run."""
    return open_notebook(page, lab_server, f"course/{CHAPTER}/{CHAPTER}.ipynb", workspace="secret")


def visible_text(notebook: Notebook, index: int) -> str:
    """Return what a cell shows, once JupyterLab has drawn it (it draws what comes into view)."""
    cell = notebook.cell(index)
    notebook.page.wait_for_function(
        "node => node.innerText.trim()", arg=cell.element_handle(), timeout=ANSWER_MS
    )
    return cell.inner_text()


def test_a_check_shows_its_name_and_nothing_that_it_expects(notebook: Notebook) -> None:
    checks = notebook.indexes("code", r"^# Check ")
    assert len(checks) > 20
    for number in checks:
        source = notebook.cells[number]["source"]
        shown = visible_text(notebook, number)
        assert source.split("\n")[0] in shown
        assert "exercise(" not in shown
        assert not re.search(r"\d[\d_]{2,}", shown), shown
        assert notebook.cell(number).locator(".cm-content").count() == 0


def test_a_figure_shows_its_picture_and_not_its_code(notebook: Notebook, trouble: Trouble) -> None:
    notebook.run_all()
    for number in notebook.indexes("code", r"(?m)^describe\("):
        assert "describe" not in visible_text(notebook, number)
        assert notebook.cell(number).locator("img").count() == 1
    assert trouble.seen == []


def test_the_expected_value_shows_with_the_second_answer_and_then_the_solution(
    notebook: Notebook, root: Path
) -> None:
    (chapter,) = Project(root).select([CHAPTER])
    wrong = [a.code for a in read_bank(chapter) if a.exercise == "ch01_c" and not a.right]
    answer = notebook.index("ch01_c")
    check = notebook.index("ch01_c_liquidation")
    said = []
    for code in ["bankruptcy_by_hand = 1", *wrong]:
        notebook.type_into(answer, code)
        notebook.run(answer)
        notebook.run(check)
        said.append(notebook.output(check))
    wrong_numbers = [text for text in dict.fromkeys(said) if " returned " in text]
    assert "which is not right" in wrong_numbers[0]
    assert "expected" not in wrong_numbers[0]
    assert "expected" in wrong_numbers[-1]
    assert 'show_solution("1.C")' in wrong_numbers[-1]
    assert (
        notebook.page.locator(f"{PANEL} .jp-OutputArea-output").filter(has_text="Traceback").count()
        == 0
    )

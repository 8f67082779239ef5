"""A learner opens chapter 01 in JupyterLab, runs it, answers, checks and looks a term up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pages import ANSWER_MS, PANEL, Notebook, Trouble, open_notebook, picture
from playwright.sync_api import expect

from classroom.authoring.bank import Answer, read_bank
from classroom.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from binder_environment import Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CHAPTER = "01_basics"
PATH = f"course/{CHAPTER}/{CHAPTER}.ipynb"


@pytest.fixture(scope="module")
def notebook(page: Page, lab_server: Server) -> Notebook:
    """The chapter's student notebook, opened and run from top to bottom."""
    opened = open_notebook(page, lab_server, PATH)
    opened.run_all()
    return opened


@pytest.fixture(scope="module")
def answers(root: Path) -> list[Answer]:
    """The answers of the chapter's bank to its first exercise that is more than a prediction."""
    (chapter,) = Project(root).select([CHAPTER])
    bank = [answer for answer in read_bank(chapter) if "predict" not in answer.exercise]
    return [answer for answer in bank if answer.exercise == bank[0].exercise]


def run_check(notebook: Notebook, number: int) -> str:
    """Run a test cell; return what it says."""
    notebook.run(number)
    return notebook.output(number)


def test_an_untouched_notebook_runs_to_its_end(notebook: Notebook) -> None:
    graded = [
        number
        for number, cell in enumerate(notebook.cells)
        if cell["metadata"].get("nbgrader", {}).get("grade") and cell["cell_type"] == "code"
    ]
    assert graded
    for number in graded:
        assert "not answered yet" in notebook.output(number), notebook.cells[number]["source"]
    outputs = notebook.page.locator(f"{PANEL} .jp-OutputArea-output")
    assert outputs.filter(has_text="Traceback").count() == 0


def test_every_figure_is_shown_with_its_description(notebook: Notebook) -> None:
    for number in notebook.indexes("code", r"\bdescribe\("):
        image = notebook.cell(number).locator(".jp-RenderedImage img")
        assert picture(image)[0] > 300
        assert "Figure: " in notebook.output(number)


def test_a_wrong_answer_shows_its_hint_and_a_right_one_passes(
    notebook: Notebook, answers: list[Answer]
) -> None:
    place = notebook.index(answers[0].exercise)
    tests = notebook.tests_of(place)
    assert tests
    wrong = [answer for answer in answers if not answer.right]
    right = next(answer for answer in answers if answer.right)
    for answer in wrong:
        notebook.type_into(place, answer.code)
        notebook.run(place)
        said = "\n".join(run_check(notebook, number) for number in tests)
        if (
            " ".join(answer.hint.split()) in said
        ):  # a wrong answer that only a hidden test tells apart stays quiet
            break
    else:
        pytest.fail(f"no wrong answer to {answers[0].exercise} shows its hint")
    assert "✗" in said
    assert "Traceback" not in said
    notebook.type_into(place, right.code)
    notebook.run(place)
    for number in tests:
        passed = run_check(notebook, number)
        assert passed.startswith("✓")
        assert "correct" in passed or "the hidden test is still open" in passed


def test_validate_names_the_cells_that_fail_and_no_others(
    notebook: Notebook, answers: list[Answer]
) -> None:
    answered = notebook.tests_of(notebook.index(answers[0].exercise))
    dialog = notebook.validate()
    assert "Validation Results" in dialog
    assert "The following cell failed:" in dialog
    for number, cell in enumerate(notebook.cells):
        graded = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and graded.get("grade"):
            called = f'exercise("{graded["grade_id"]}")'
            assert (called in dialog) == (number not in answered), called


def test_learners_find_no_tools_for_instructors(notebook: Notebook) -> None:
    menus = notebook.page.locator("#jp-menu-panel").get_by_role("menuitem").all_inner_texts()
    assert "Run" in menus
    assert "Nbgrader" not in menus
    assert notebook.page.get_by_text("Create Assignment").count() == 0


def test_a_term_opens_the_glossary_at_its_entry(notebook: Notebook, lab_server: Server) -> None:
    page = notebook.page
    glossary = Notebook(page, lab_server, "course/glossary.ipynb")
    entries = [cell["source"].splitlines()[0].removeprefix("## ") for cell in glossary.cells]
    names = [entry.casefold() for entry in entries]
    link = re.compile(r"\[\*\*(?P<words>[^*\]]+)\*\*\]\(\.\./glossary\.ipynb#")
    linked = [
        (names.index(match["words"].casefold()), match["words"], number)
        for number in notebook.indexes("markdown", link.pattern)
        for match in link.finditer(notebook.cells[number]["source"])
        if match["words"].casefold() in names
    ]
    # From the middle of the alphabet: to be seen, its entry must have been scrolled to.
    entry, words, number = sorted(linked)[len(linked) // 2]
    notebook.cell(number).get_by_role("link", name=words, exact=True).click()
    page.get_by_role("tab", name="glossary.ipynb").wait_for(timeout=ANSWER_MS)
    # JupyterLab adds a sign for its link to every heading.
    exactly = re.compile(f"^{re.escape(entries[entry])}¶?$")
    heading = page.locator(f"{PANEL} h2").filter(has_text=exactly)
    heading.wait_for(timeout=ANSWER_MS)
    expect(heading, "the glossary is open, but not at the term").to_be_in_viewport(
        timeout=ANSWER_MS
    )


def test_nothing_went_wrong_in_the_page_and_nothing_left_the_machine(
    notebook: Notebook, trouble: Trouble
) -> None:
    notebook.wait_for_kernel()
    assert trouble.seen == []

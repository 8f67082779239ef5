"""Pages, reviews, formula sheet and flash cards of a small course."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from classroom.authoring.build import build, read_course
from classroom.authoring.cards import HEADER, as_html, flash_cards
from classroom.authoring.check import (
    CHECKS_OF,
    TEXT_CHECKS,
    Finding,
    check,
    formulas_are_listed,
    read_all,
    terms_are_explained,
)
from classroom.authoring.formulas import read_formulas, unlisted
from classroom.authoring.typography import with_units
from classroom.cli import main
from classroom.errors import ClassroomError
from classroom.project import Page, Project, Review

PAGE = """\
---
kernelspec: {display_name: Python 3 (ipykernel), language: python, name: python3}
---

# Questions

## First

```{code-cell} ipython3
base = 21
```

+++

### "A double is a half."

Twice {{ base }} USD is {{ 2 * base }} USD; see {see:double}.

{in:01_small|1.A Double}
"""

REVIEW = """\
---
kernelspec: {display_name: Python 3 (ipykernel), language: python, name: python3}
course:
  number: 1
  title: Again
  minutes: 5
  builds_on: [01_small]
  promise: You can still double.
---
{header}

```{code-cell} ipython3
:locked: true

from leverage.lessons import exercise
```

## Questions

+++

{quiz:mixed}

+++

## Where they come from

{origins}
"""

REVIEW_QUIZ = """\
mixed:
  - id: rv01_q1
    objectives: LO1.1
    question: What is twice {{ 4 + 4 }}?
    options:
      a: {text: Ten, feedback: You added two.}
      b: {text: "{{ 2 * 8 }}", feedback: Yes.}
    answer: b
"""


@pytest.fixture(scope="module")
def whole_once(
    tmp_path_factory: pytest.TempPathFactory,
    root: Path,
    write_course: Callable[[Path, Path], Project],
) -> Project:
    """The small course with a page, a review and a formula sheet, built; tests copy it."""
    project = write_course(tmp_path_factory.mktemp("whole") / "small", root)
    sources = project.root / "solutions"
    (sources / "misconceptions.md").write_text(PAGE, encoding="utf-8")
    (sources / "review_1").mkdir()
    (sources / "review_1" / "review_1.md").write_text(REVIEW, encoding="utf-8")
    (sources / "review_1" / "quiz.yml").write_text(REVIEW_QUIZ, encoding="utf-8")
    project.formulas_text.write_text("01_small: [pnl, survival.first_touch]\n", encoding="utf-8")
    build(project, project.texts(), say=lambda _: None)
    return project


@pytest.fixture
def whole(tmp_path: Path, whole_once: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    folder = tmp_path / "whole"
    shutil.copytree(whole_once.root, folder)
    monkeypatch.setenv("LEVERAGE_LESSON_DATA", str(Project(folder).lesson_data))
    return Project(folder)


def text_of(path: Path) -> str:
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def in_texts(project: Project) -> list[Finding]:
    """Return what the texts alone show to be out of order, without running anything."""
    course, found = read_all(project, project.texts())
    assert course is not None
    for lesson in course.all.values():
        for look in CHECKS_OF.get(type(lesson.chapter), TEXT_CHECKS):
            found += look(lesson)
    return [*found, *terms_are_explained(course), *formulas_are_listed(course)]


# ---------------------------------------------------------------- pages and reviews


def test_everything_written_as_a_text_is_built_and_up_to_date_afterwards(whole: Project) -> None:
    assert build(whole, whole.texts(), say=lambda _: None) == []
    problems = [f.problem for f in check(whole, whole.texts(), say=lambda _: None)]
    assert problems
    assert all("states a formula but is not" in problem for problem in problems), problems


def test_a_page_shows_computed_numbers_links_and_no_outputs(whole: Project) -> None:
    path = Page(whole.root, "misconceptions").student_notebook
    assert path == whole.root / "course" / "misconceptions.ipynb"
    text = text_of(path)
    assert "Twice 21\u00a0USD is 42\u00a0USD" in text
    assert "(glossary.ipynb#cell-id=term-double)" in text
    assert "[1. Small, *1.A Double*](01_small/01_small.ipynb#cell-id=" in text
    assert not any(cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells)


def test_a_review_is_released_without_answers_and_names_its_sources(whole: Project) -> None:
    review = Review(whole.root, "review_1")
    text = text_of(review.student_notebook)
    assert "# Review 1. Again" in text
    assert "What is twice 8?" in text
    assert "- `b`: 16" in text
    assert "| R1.Q1 | Compute the double of a number. | [1. Small](../01_small/" in text
    assert 'rv01_q1 = "b"' not in text
    assert 'rv01_q1 = "b"' in text_of(review.solution_notebook)


def test_reviews_are_not_chapters(whole: Project) -> None:
    assert [chapter.name for chapter in whole.chapters()] == ["01_small"]
    assert "Again" not in (whole.root / "README.md").read_text(encoding="utf-8")
    data = (whole.lesson_data / "course.json").read_text(encoding="utf-8")
    assert data.index('"reviews"') < data.index('"rv01_q1"')


def test_a_review_is_found_by_its_name_and_a_page_only_where_pages_are_meant(
    whole: Project,
) -> None:
    assert [text.name for text in whole.select(["review_1"])] == ["review_1"]
    assert [text.name for text in whole.select(["misconceptions"], pages=True)] == [
        "misconceptions"
    ]
    with pytest.raises(ClassroomError, match="there is no chapter 'misconceptions'"):
        whole.select(["misconceptions"])


def test_a_page_that_someone_worked_in_is_kept_aside_once(whole: Project) -> None:
    path = Page(whole.root, "misconceptions").student_notebook
    edit(whole.root / "solutions" / "misconceptions.md", "is a half", "is a third")
    build(whole, whole.texts(), say=lambda _: None)
    assert not (whole.cache / "replaced").exists()
    edit(path, "is a third", "is my note")
    build(whole, whole.texts(), say=lambda _: None)
    assert "is a third" in text_of(path)
    kept = list((whole.cache / "replaced").iterdir())
    assert len(kept) == 1
    assert "is my note" in text_of(kept[0])


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("misconceptions.md", "1.A Double", "1.Z", "no section that begins with '1.Z'"),
        ("misconceptions.md", "{in:01_small|", "{in:02_big|", "no chapter '02_big'"),
        ("misconceptions.md", "{see:double}", "**double**", "is bold but no term"),
        ("misconceptions.md", "{see:double}", "{term:double}", "explained more than once"),
        ("review_1/quiz.yml", "    objectives: LO1.1\n", "", "must name the one objective"),
        ("review_1/quiz.yml", "LO1.1", "LO9.9", "unknown objective LO9.9"),
        (
            "review_1/quiz.yml",
            "    objectives",
            "    points: 2\n    objectives",
            "carries no points",
        ),
        ("01_small/01_small.md", "A {term:double} is", "A **double** is", "is bold but no term"),
        ("01_small/01_small.md", "A {term:double} is", "A double is", "does not explain"),
        ("01_small/01_small.md", "Twice {{", "A {term:double}, twice {{", "more than once"),
    ],
)
def test_a_mistake_in_a_text_is_found(
    whole: Project, file: str, old: str, new: str, message: str
) -> None:
    edit(whole.root / "solutions" / file, old, new)
    assert any(message in finding.problem for finding in in_texts(whole)), message


def test_two_questions_in_a_row_about_one_chapter_are_found(whole: Project) -> None:
    path = whole.root / "solutions" / "review_1" / "quiz.yml"
    again = REVIEW_QUIZ.split("mixed:\n")[1].replace("rv01_q1", "rv01_q2")
    path.write_text(REVIEW_QUIZ + again, encoding="utf-8")
    assert any("two questions in a row" in finding.problem for finding in in_texts(whole))


def test_the_command_builds_pages_and_reviews_too(
    whole: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(whole.root)
    assert main(["build"]) == 0
    said = capsys.readouterr().out
    for name in ("01_small", "review_1", "misconceptions"):
        assert f"{name}: up to date" in said


# ---------------------------------------------------------------- formula sheet


def test_an_entry_shows_formula_units_function_and_a_computed_number(whole: Project) -> None:
    text = text_of(whole.formula_sheet)
    entry = text.split("### PnL\n", 1)[1].split("\n### ", 1)[0]
    assert r"s\,q\,k\,(X - E) \quad\text{(linear)}" in entry
    assert "Computed by `leverage.pnl`" in entry
    assert "| `quantity` | " in entry
    assert ">>> pnl(" in entry
    assert "Computed by `leverage.survival.first_touch`" in text
    assert "[chapter 1. Small](01_small/01_small.ipynb)" in text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("01_small: [no_such]", "no function 'no_such' in leverage"),
        ("01_small: [pnl, pnl]", "'pnl' is listed twice"),
        ("02_big: [pnl]", "'02_big' is no chapter"),
        ("01_small: [correlation]", "lacks .*a formula|lacks Notes"),
        ("- pnl", "expected chapters"),
    ],
)
def test_a_mistake_in_the_list_of_formulas_is_one_sentence(
    whole: Project, names: str, message: str
) -> None:
    whole.formulas_text.write_text(names, encoding="utf-8")
    with pytest.raises(ClassroomError, match=message):
        read_formulas(whole)


def test_a_worked_number_that_the_function_does_not_give_stops_the_build(
    whole: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import leverage

    def pnl(side: float) -> float:
        r"""Profit.

        Parameters
        ----------
        side : float
            Side.

        Returns
        -------
        float
            Profit.

        Notes
        -----
        .. math:: s

        Examples
        --------
        >>> 1 + 1
        3
        """
        return side

    monkeypatch.setattr(leverage, "pnl", pnl)
    with pytest.raises(ClassroomError, match="does not give what its docstring says"):
        read_formulas(whole)


def test_a_formula_that_is_on_no_list_is_found(whole: Project) -> None:
    missing = unlisted(read_formulas(whole))
    assert "roe" in missing
    assert "pnl" not in missing
    problem = "leverage.roe states a formula but is not on the formula sheet"
    assert problem in [finding.problem for finding in in_texts(whole)]


# ---------------------------------------------------------------- flash cards


def rows_of(content: bytes) -> list[list[str]]:
    lines = content.decode("utf-8").splitlines()
    assert tuple(lines[: len(HEADER)]) == HEADER
    return list(csv.reader(lines[len(HEADER) :], strict=True))


def test_the_cards_hold_term_formula_and_belief(whole: Project) -> None:
    rows = rows_of(whole.flash_cards.read_bytes())
    fronts = [row[0] for row in rows]
    assert all(len(row) == 3 for row in rows)
    assert fronts[0] == "Double"
    assert any(front.startswith("Formula: PnL") for front in fronts)
    belief = next(row for row in rows if "A double is a half." in row[0])
    assert "Twice 21\u00a0USD is 42\u00a0USD" in belief[1]
    assert belief[2] == "leverage_course::belief leverage_course::01_small"


def test_no_card_holds_a_question_of_a_quiz(whole: Project) -> None:
    text = whole.flash_cards.read_text(encoding="utf-8")
    assert "What is twice" not in text


def test_cards_without_a_page_of_beliefs_are_terms_and_formulas(whole: Project) -> None:
    course = read_course(whole)
    rows = rows_of(flash_cards(course.glossary, read_formulas(whole), None))
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("a < b & *c*", "a &lt; b &amp; <i>c</i>"),
        ("`x < y`", "<code>x &lt; y</code>"),
        ("$a*b*c$", r"\(a*b*c\)"),
        ("[1. Basics, *Predict*](x.ipynb)", "1. Basics, <i>Predict</i>"),
        ("one\ntwo\n\nthree", "one two<br><br>three"),
    ],
)
def test_cards_show_markdown_as_anki_reads_it(markdown: str, expected: str) -> None:
    assert as_html(markdown) == expected


# ---------------------------------------------------------------- numbers and units


@pytest.mark.parametrize(
    "text",
    [
        "`5 USD`",
        "$5 %$",
        "{{ 5 % x }}",
        "[5](a 5 USD b)",
        "## 5 USD",
        "5 USDs",
        "5 apples",
    ],
)
def test_what_is_no_number_with_a_unit_stays(text: str) -> None:
    assert with_units(text) == text


def test_a_number_and_its_unit_stay_together() -> None:
    text = "5 USD, {{ x }} USDT, 283 million USD (4 %), 8 hours"
    assert with_units(text).split(" ") == [
        "5\u00a0USD,",
        "{{",
        "x",
        "}}\u00a0USDT,",
        "283\u00a0million\u00a0USD",
        "(4\u00a0%),",
        "8\u00a0hours",
    ]

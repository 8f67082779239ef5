"""`classroom check` reports every finding, each with its place and what to do."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from classroom.authoring.check import Finding, check
from classroom.project import Project


def findings(project: Project) -> list[Finding]:
    return check(project, project.chapters(), say=lambda _: None)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def text_of(project: Project) -> Path:
    return project.chapters()[0].text


def test_a_built_course_has_no_findings(built: Project) -> None:
    assert findings(built) == []


def test_every_finding_is_reported_not_only_the_first(built: Project) -> None:
    text, bank = text_of(built), built.chapters()[0].bank
    edit(text, "is twice a number.", "is **twice** a number.")
    edit(text, "## Recap", "##### Recap")
    edit(bank, "hint: You added 2", "hint: You subtracted 2")
    edit(bank, "return 42", "return 2 * number")
    problems = " | ".join(finding.problem for finding in findings(built))
    for expected in (
        "**twice** is bold but no term",
        "jumps from level 3 to level 5",
        "'adds two' fails without its hint 'You subtracted 2'",
        "'fits the example' passes every test",
        "the file is not what the build makes from its text",
    ):
        assert expected in problems


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        (":objectives: LO1.1\n", "", "ch01_a_value", "earns points but serves no objective"),
        (', "objectives": "LO1.2"', "", "LO1.2", "no graded item practises this objective"),
        ("    check.hidden()\n", "", "ch01_a_value", "would show its values"),
        ('exercise("ch01_a_value")', 'exercise("ch01_a")', "ch01_a_value", "which item it is"),
        ("A {term:double} is", "A double is", "double", "does not explain the term 'double'"),
        (
            "## 1.B Why",
            "![](x.png)\n\n## 1.B Why",
            "line",
            "an image has no alternative text",
        ),
        (
            "    return 2 * number\n",
            "    return 3 * number\n",
            "",
            "the cell fails with CheckFailed",
        ),
    ],
)
def test_a_mistake_in_the_text_is_found_at_its_place(
    built: Project, old: str, new: str, place: str, problem: str
) -> None:
    edit(text_of(built), old, new)
    found = [f for f in findings(built) if problem in f.problem]
    assert found, problem
    assert place in found[0].place + found[0].file
    assert found[0].remedy


def test_a_long_cell_is_found(built: Project) -> None:
    lines = "\n".join(f"x{i} = {i}" for i in range(25))
    edit(text_of(built), "base = 21", f"base = 21\n{lines}")
    assert any("27 lines, more than 20" in f.problem for f in findings(built))


def test_a_picture_without_words_is_found(built: Project) -> None:
    code = "base = 21\nfrom PIL import Image\nImage.new('RGB', (2, 2))"
    edit(text_of(built), "base = 21", code)
    from classroom.authoring.build import build

    build(built, built.chapters(), say=lambda _: None)
    assert any("the picture has no description" in f.problem for f in findings(built))


def test_an_incomplete_bank_is_found(built: Project) -> None:
    bank = built.chapters()[0].bank
    head, _, _ = bank.read_text(encoding="utf-8").partition("## wrong: fits")
    bank.write_text(head, encoding="utf-8")
    assert any("1 wrong answers, fewer than 3" in f.problem for f in findings(built))


def test_a_solution_in_course_is_found(built: Project) -> None:
    path = built.chapters()[0].student_notebook
    edit(path, "return ... * number", "return 2 * number")
    problems = [f.problem for f in findings(built)]
    assert "it shows a line of the solution: 'return 2 * number'" in problems


def test_a_hidden_test_in_course_is_found(built: Project) -> None:
    path = built.chapters()[0].student_notebook
    with path.open(encoding="utf-8") as file:
        notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if "check.result" in cell.source:
            cell.source += '\n    check.result("double", (-0.5,), -1.0, hint="Twice the number, below zero too.")'
    nbformat.write(notebook, path)
    assert any(
        "it shows a line of the solution: 'check.result" in f.problem for f in findings(built)
    )


def test_a_machine_path_and_a_time_stamp_are_found(built: Project) -> None:
    edit(
        text_of(built),
        "## 1.B Why",
        "Seen at 2026-11-22T10:11:12 in /home/somebody/x.\n\n## 1.B Why",
    )
    from classroom.authoring.build import build

    build(built, built.chapters(), say=lambda _: None)
    problems = " ".join(f.problem for f in findings(built))
    assert "names a path of a machine: /home/somebody" in problems
    assert "holds a time stamp: 2026-11-22T10:11:12" in problems


def test_a_cell_that_depends_on_an_answer_is_found(built: Project) -> None:
    edit(text_of(built), "## Recap", "```{code-cell} ipython3\nfour = double(2)\n```\n\n## Recap")
    from classroom.authoring.build import build

    build(built, built.chapters(), say=lambda _: None)
    found = [f for f in findings(built) if "the untouched notebook stops here" in f.problem]
    assert len(found) == 1
    assert found[0].file == "course/01_small/01_small.ipynb"


def test_an_unreadable_chapter_does_not_hide_other_findings(built: Project) -> None:
    edit(text_of(built), "  minutes: 5\n", "")
    (built.root / "solutions" / "glossary.yml").write_text("- term: x\n  id: x\n", encoding="utf-8")
    problems = [str(finding) for finding in findings(built)]
    assert any("glossary.yml" in p and "lacks chapter, definition" in p for p in problems)


def test_an_extra_file_in_course_is_found(built: Project) -> None:
    (built.root / "course" / "01_small" / "notes.txt").write_text("x", encoding="utf-8")
    found = findings(built)
    assert [(f.file, f.problem) for f in found] == [
        ("course/01_small/notes.txt", "the build does not make this file")
    ]

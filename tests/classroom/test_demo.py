"""`classroom demo` grades a whole class as the texts say it must be graded, and as stock does."""

from __future__ import annotations

from pathlib import Path

import pytest
from committed import committed_course

from classroom.cli import main
from classroom.marking.demo import Row, Student, make_class
from classroom.project import Project


def test_a_class_has_every_kind_of_student(root: Path) -> None:
    project = Project(root)
    chapter = project.select(["01_basics"])[0]
    students = {s.id: s for s in make_class(committed_course().lesson(chapter))}
    assert len(students) >= 12
    assert {
        "perfect", "blank", "other_right_1", "wrong_1", "wrong_2", "wrong_3", "late",
        "no_notebook", "syntax_error", "infinite_loop", "deleted_test", "deleted_answer",
    } <= set(students)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "late", "feedback"),
    [(4.0, 0.0, True), (5.0, 60.0, True), (5.0, 0.0, False), (None, 0.0, True)],
)
def test_a_difference_in_score_lateness_or_feedback_is_seen(
    given: float | None, late: float, feedback: bool
) -> None:
    student = Student("a", "story", 5.0)
    assert Row(student, 5.0, 0.0, True).agrees
    assert not Row(student, given, late, feedback).agrees
    assert not Row(student, 5.0, 0.0, True, "cannot be graded").agrees


def test_a_small_class_is_graded_as_expected(
    built: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(built.root)
    assert main(["demo", "01_small"]) == 0
    out = capsys.readouterr().out
    assert "All 13 students got what was expected." in out
    assert "Stock nbgrader gave 3 of them the same points" in out
    grades = (built.root / "class" / "demo" / "grades_01_small.csv").read_text(encoding="utf-8")
    assert "01_small" in grades


def test_a_class_of_chapter_01_is_graded_as_expected(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert main(["demo", "01_basics", "--folder", str(tmp_path / "demo")]) == 0
    out = capsys.readouterr().out
    assert "students got what was expected." in out
    assert "Stock nbgrader gave 3 of them the same points" in out

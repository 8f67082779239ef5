"""The course's own Execute and a stock kernel agree, cell by cell, on every answer of the texts.

Every chapter's solution is graded, and every answer of its bank is compared with a stock kernel.
"""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat import from_dict
from nbgrader.utils import determine_grade

from classroom.bank import Answer, read_bank
from classroom.build import Course, lesson_environment, read_course
from classroom.grading import Grader, Outcome, Release, Submission
from classroom.project import Chapter, Project
from classroom.texts import Lesson
from classroom.trial import try_answers

PROJECT = Project(Path(__file__).resolve().parents[2])
CHAPTERS = [pytest.param(chapter, id=chapter.name) for chapter in PROJECT.chapters()]


@pytest.fixture(scope="module")
def course() -> Course:
    """The course as its texts say."""
    return read_course(PROJECT)


def with_answer(release: Release, exercise: str, source: str) -> Submission:
    """The release's own solution with another answer to one exercise."""
    names = (exercise, f"{exercise}_answer")
    cells = tuple(
        dataclasses.replace(cell, source=source)
        if cell.kind == "answer" and cell.grade_id in names
        else cell
        for cell in release.cells
    )
    return dataclasses.replace(release, cells=cells).reference()


def submissions(release: Release, answers: list[Answer]) -> Iterator[Submission]:
    """One submission per answer, named by its number."""
    for number, answer in enumerate(answers):
        made = with_answer(release, answer.exercise, answer.code)
        yield dataclasses.replace(made, student=str(number))


def without_pictures(release: Release) -> Release:
    """The release without the given cells that only show something: they take most of the time."""
    shows = {
        cell.id
        for cell in release.cells
        if cell.kind == "given"
        and all(isinstance(statement, ast.Expr) for statement in ast.parse(cell.source).body)
    }
    cells = tuple(cell for cell in release.cells if cell.id not in shows)
    return dataclasses.replace(release, cells=cells)


def stock_results(lesson: Lesson, answers: list[Answer]) -> dict[str, dict[str, bool]]:
    """What a stock kernel says to each answer: by number of the answer, by test."""
    by_exercise: dict[str, list[Answer]] = {}
    for answer in answers:
        by_exercise.setdefault(answer.exercise, []).append(answer)
    number_of = {id(answer): str(number) for number, answer in enumerate(answers)}
    results: dict[str, dict[str, bool]] = {}
    with lesson_environment(read_course(PROJECT)) as environment:
        for trial in try_answers(lesson, by_exercise, environment):
            name = number_of.get(id(trial.answer), f"reference {trial.answer.exercise}")
            results[name] = {outcome.item: outcome.passed for outcome in trial.outcomes}
    return results


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_solution_gets_all_points(chapter: Chapter) -> None:
    release = Release.from_source(chapter.solution_notebook)
    with Grader(release, workers=1, allow_limits_only=True) as grader:
        assert grader.unsound == ()
        assert grader.modes == {}, "a test could not be decided outside the student's process"
        outcome = grader.grade(release.reference())
    assert outcome.verdict.points == release.auto_points
    assert not outcome.verdict.tampering
    assert stock_grades(outcome) == own_grades(outcome)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_own_and_stock_execute_agree_on_every_answer(chapter: Chapter, course: Course) -> None:
    answers = list(read_bank(chapter))
    stock = stock_results(course.lesson(chapter), answers)
    release = without_pictures(Release.from_source(chapter.solution_notebook))
    with Grader(release, workers=2, allow_limits_only=True) as grader:
        graded = grader.run(submissions(release, answers))
        outcomes = {outcome.student: outcome for outcome in graded}
    for number, answer in enumerate(answers):
        own = {cell.grade_id: cell.passed for cell in outcomes[str(number)].verdict.cells}
        said = stock[str(number)]
        assert {name: own[name] for name in said} == said, (answer.place, answer.title)
    for outcome in outcomes.values():
        assert not outcome.verdict.tampering, outcome.verdict.tampering
        assert stock_grades(outcome) == own_grades(outcome)


def own_grades(outcome: Outcome) -> dict[str, float | None]:
    """What the verdict says of each graded cell."""
    return {cell.grade_id: cell.points for cell in outcome.verdict.cells}


def stock_grades(outcome: Outcome) -> dict[str, float | None]:
    """What stock nbgrader reads in an executed notebook."""
    assert outcome.notebook is not None
    notebook = from_dict(json.loads(json.dumps(outcome.notebook)))
    graded = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]
    return {cell.metadata.nbgrader.grade_id: determine_grade(cell)[0] for cell in graded}

"""Compares the course's own Execute with a stock kernel, for the tests named after it.

Those that compare every answer of a bank take minutes, so the chapters are shared out over two
files, which can run at the same time.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat import from_dict
from nbgrader.utils import determine_grade

from classroom.authoring.bank import Answer, read_bank
from classroom.authoring.build import lesson_environment, read_course
from classroom.authoring.texts import Lesson
from classroom.authoring.trial import try_answers
from classroom.grading import Grader, Outcome, Release, Submission, read_release
from classroom.project import Chapter, Project

PROJECT = Project(Path(__file__).resolve().parents[2])
CHAPTERS = [pytest.param(chapter, id=chapter.name) for chapter in PROJECT.chapters()]


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


def compare_answers(chapter: Chapter) -> None:
    """Grade every answer of a chapter's bank both ways; tests must say the same of each."""
    answers = list(read_bank(chapter))
    stock = stock_results(read_course(PROJECT).lesson(chapter), answers)
    release = read_release(chapter.solution_notebook)
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

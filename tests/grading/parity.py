"""Compares the course's own Execute with a stock kernel, for the tests named after it.

Those that compare every answer of a bank take minutes, so the chapters are shared out over two
files, which can run at the same time.
"""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from nbformat import from_dict
from nbgrader.utils import determine_grade

from classroom.authoring.bank import Answer, read_bank
from classroom.authoring.build import lesson_environment, read_course
from classroom.authoring.texts import Lesson
from classroom.authoring.trial import Trial, try_answers
from classroom.grading import Grader, Outcome, Release, Submission, read_release
from classroom.project import Chapter, Project

PROJECT = Project(Path(__file__).resolve().parents[2])
CHAPTERS = [pytest.param(chapter, id=chapter.name) for chapter in PROJECT.chapters()]


def with_answers(release: Release, sources: Mapping[str, str]) -> Submission:
    """The release's own solution with other answers to some exercises."""
    cells = tuple(
        dataclasses.replace(cell, source=sources[cell.grade_id.removesuffix("_answer")])
        if cell.kind == "answer" and cell.grade_id.removesuffix("_answer") in sources
        else cell
        for cell in release.cells
    )
    return dataclasses.replace(release, cells=cells).reference()


def in_turns(answers: list[Answer]) -> list[dict[str, Answer]]:
    """The answers, by exercise: the first to every exercise, the second to every exercise, …

    No exercise of the course depends on another one's answer, so that one submission can try an
    answer to each; if one did, the verdict would differ from that of the stock kernel, which tries
    one at a time.
    """
    turns: list[dict[str, Answer]] = []
    for answer in answers:
        free = next((turn for turn in turns if answer.exercise not in turn), None)
        if free is None:
            turns.append(free := {})
        free[answer.exercise] = answer
    return turns


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


def stock_results(lesson: Lesson, answers: list[Answer]) -> Iterator[Trial]:
    """What a stock kernel says to each answer, and to the reference solution of its exercise."""
    by_exercise: dict[str, list[Answer]] = {}
    for answer in answers:
        by_exercise.setdefault(answer.exercise, []).append(answer)
    with lesson_environment(read_course(PROJECT)) as environment:
        yield from try_answers(lesson, by_exercise, environment)


def compare_answers(chapter: Chapter) -> None:
    """Grade every answer of a chapter's bank both ways; tests must say the same of each."""
    answers = list(read_bank(chapter))
    turns = in_turns(answers)
    release = without_pictures(read_release(chapter.solution_notebook))
    batch = [
        dataclasses.replace(
            with_answers(release, {name: answer.code for name, answer in turn.items()}),
            student=str(number),
        )
        for number, turn in enumerate(turns)
    ]
    with Grader(release, workers=2, allow_limits_only=True) as grader:
        outcomes = {int(outcome.student): outcome for outcome in grader.run(batch)}
    for outcome in outcomes.values():
        assert not outcome.verdict.tampering, outcome.verdict.tampering
        assert stock_grades(outcome) == own_grades(outcome)
    compared = 0
    for trial in stock_results(read_course(PROJECT).lesson(chapter), answers):
        for number, turn in enumerate(turns):
            if turn.get(trial.answer.exercise) is trial.answer:
                own = {cell.grade_id: cell.passed for cell in outcomes[number].verdict.cells}
                said = {outcome.item: outcome.passed for outcome in trial.outcomes}
                assert {name: own[name] for name in said} == said, trial.answer
                compared += 1
    assert compared == len(answers)


def own_grades(outcome: Outcome) -> dict[str, float | None]:
    """What the verdict says of each graded cell."""
    return {cell.grade_id: cell.points for cell in outcome.verdict.cells}


def stock_grades(outcome: Outcome) -> dict[str, float | None]:
    """What stock nbgrader reads in an executed notebook."""
    assert outcome.notebook is not None
    notebook = from_dict(json.loads(json.dumps(outcome.notebook)))
    graded = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]
    return {cell.metadata.nbgrader.grade_id: determine_grade(cell)[0] for cell in graded}

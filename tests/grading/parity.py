"""Compares the course's own Execute with a stock kernel, for the tests named after it.

Those that compare every answer of a bank take minutes, so the chapters are shared out over two
files, which can run at the same time.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Iterable, Mapping

import pytest
from committed import PROJECT, committed_course
from nbformat import from_dict
from nbgrader.utils import determine_grade

from classroom.authoring.bank import Answer, all_answers
from classroom.authoring.build import lesson_environment
from classroom.authoring.check import answers_are_in_order
from classroom.authoring.trial import assigned_names, try_answers
from classroom.grading import Grader, Outcome, Release, Submission, read_release
from classroom.project import Chapter

CHAPTERS = [pytest.param(chapter, id=chapter.name) for chapter in PROJECT.chapters()]
REVIEWS = [pytest.param(review, id=review.name) for review in PROJECT.reviews()]


def with_answers(release: Release, sources: Mapping[str, str]) -> Submission:
    """The release's own solution with other answers to some exercises."""
    cells = tuple(
        dataclasses.replace(cell, source=sources[cell.grade_id.removesuffix("_answer")])
        if cell.kind == "answer" and cell.grade_id.removesuffix("_answer") in sources
        else cell
        for cell in release.cells
    )
    return dataclasses.replace(release, cells=cells).reference()


PLAN = {"ch09_a", "ch09_b", "ch09_h"}
"""Exercises whose tests run the plan that all of them make."""


def in_turns(answers: Iterable[Answer]) -> list[dict[str, Answer]]:
    """The answers, by exercise: the first to every exercise, the second to every exercise, …

    One submission can try an answer to each, where none depends on another one's answer. The plan
    of the capstone is one answer in parts, of which a submission tries one.
    """
    turns: list[dict[str, Answer]] = []
    for answer in answers:
        parts = PLAN if answer.exercise in PLAN else {answer.exercise}
        free = next((turn for turn in turns if not parts & turn.keys()), None)
        if free is None:
            turns.append(free := {})
        free[answer.exercise] = answer
    return turns


def imported(tree: ast.Module) -> set[str]:
    """The names that a cell imports."""
    found = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for node in found for alias in node.names}


def called(tree: ast.Module) -> set[str]:
    """The names of which a cell calls a method and uses no result, as `exchange.step()`."""
    lines = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Expr)]
    return {line.partition(".")[0] for line in lines if re.match(r"\w+\.", line)}


def without_shows(release: Release, answers: Iterable[Answer]) -> Release:
    """The release without what its given cells only show: no answer and no test needs it.

    Every submission would compute it again. The stock kernel runs every cell; where a cell is
    missing here that a verdict needs, the two do not agree.
    """
    trees = {cell.id: ast.parse(cell.source) for cell in release.cells if cell.cell_type == "code"}
    modules = set().union(*map(imported, trees.values()))
    needed = set(re.findall(r"\w+", "\n".join(answer.code for answer in answers)))
    kept = []
    for cell in reversed(release.cells):
        if tree := trees.get(cell.id):
            made = {*assigned_names(cell.source), *imported(tree), *(called(tree) - modules)}
            if cell.kind == "given" and not made & needed:
                continue
            needed |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        kept.append(cell)
    return dataclasses.replace(release, cells=tuple(reversed(kept)))


def compare_answers(text: Chapter) -> None:
    """Grade every answer of a text's bank and quizzes both ways.

    In a stock kernel it must score as stated, and our tests must say the same of it.
    """
    course = committed_course()
    lesson = course.lesson(text)
    answers = all_answers(lesson)
    with lesson_environment(course) as environment:
        trials = list(try_answers(lesson, answers, environment))
    findings = list(answers_are_in_order(lesson, trials))
    assert not findings, "\n".join(map(str, findings))
    every = [answer for group in answers.values() for answer in group]
    turns = in_turns(every)
    release = without_shows(read_release(text.solution_notebook), every)
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
    trial_of = {id(trial.answer): trial for trial in trials}
    for number, turn in enumerate(turns):
        own = {cell.grade_id: cell.passed for cell in outcomes[number].verdict.cells}
        for answer in turn.values():
            said = {outcome.item: outcome.passed for outcome in trial_of[id(answer)].outcomes}
            assert {name: own[name] for name in said} == said, (answer.place, answer.title)


def own_grades(outcome: Outcome) -> dict[str, float | None]:
    """What the verdict says of each graded cell."""
    return {cell.grade_id: cell.points for cell in outcome.verdict.cells}


def stock_grades(outcome: Outcome) -> dict[str, float | None]:
    """What stock nbgrader reads in an executed notebook."""
    assert outcome.notebook is not None
    notebook = from_dict(json.loads(json.dumps(outcome.notebook)))
    graded = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]
    return {cell.metadata.nbgrader.grade_id: determine_grade(cell)[0] for cell in graded}

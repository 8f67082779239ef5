"""Run a chapter with other answers than the reference solution and see what its tests say."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nbformat
from nbformat import NotebookNode

from classroom.authoring.bank import Answer
from classroom.authoring.execute import KernelSession, error_of, start_session
from classroom.authoring.reference import comparisons, definitions, needed_definitions
from classroom.authoring.survey import Survey, functions_of, noted_tests, own
from classroom.authoring.texts import Lesson
from classroom.errors import ClassroomError


@dataclass(frozen=True)
class ItemResult:
    """What one test said."""

    item: str
    passed: bool
    message: str


@dataclass(frozen=True)
class Trial:
    """What all tests of an exercise said to one answer."""

    answer: Answer
    outcomes: tuple[ItemResult, ...]
    survey: Survey | None = None
    """Of the reference solution: what the comparisons with it ask."""
    compared: bool = False
    """Whether a test that failed compares with the solution."""
    differs: bool = True
    """Whether it differs from the solution where it is compared."""

    def points(self, lesson: Lesson) -> float:
        """Points that the answer earns."""
        worth = {item.id: item.points for item in lesson.items}
        return sum(worth[outcome.item] for outcome in self.outcomes if outcome.passed)

    @property
    def messages(self) -> str:
        """All messages of failed tests, one below the other."""
        return "\n".join(outcome.message for outcome in self.outcomes if not outcome.passed)


def grade_id(cell: NotebookNode) -> str:
    """Return a cell's grade_id, or an empty text."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def is_answer(cell: NotebookNode) -> bool:
    """Tell whether students write in this cell."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """Tell whether this cell is an autograded test."""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("grade")) and not meta.get("solution")


def assigned_names(source: str) -> list[str]:
    r"""Return the names that a cell's top level defines.

    >>> assigned_names("a, b = 1, 2\ndef f(): pass\nc: int = 3")
    ['a', 'b', 'f', 'c']
    """
    names: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return names


def run_test(session: KernelSession, item: str, source: str) -> ItemResult:
    """Run one test; it passes when it ends without an error."""
    error = error_of(session.source(source))
    return ItemResult(
        item, error is None, "" if error is None else f"{error.ename}: {error.evalue}"
    )


@dataclass(frozen=True)
class ReachedExercise:
    """An autograded exercise, with the kernel as a student has it on arriving there."""

    session: KernelSession
    exercise: str
    cell: NotebookNode
    tests: Mapping[str, str]
    """Sources of the exercise's tests, hidden parts included, by item."""
    place: str

    def ask(self, function: str, tests: object) -> Any:
        """Return what a function of `survey` says of tests in this kernel."""
        call = f"import_module('classroom.authoring.survey').{function}({tests!r}, globals())"
        outputs = self.session.source(
            f"from importlib import import_module\nprint(import_module('json').dumps({call}))"
        )
        if (error := error_of(outputs)) is not None:
            raise ClassroomError(
                f"{self.place}: a comparison cannot be measured: {error.ename}: {error.evalue}"
            )
        printed = "".join(o.text for o in outputs if o.get("name") == "stdout")
        return json.loads(printed.splitlines()[-1])  # tests print their verdicts above

    def survey(self) -> Survey:
        """Measure the comparisons of the exercise; the kernel has the reference solution."""
        functions = functions_of(self.cell.source)
        noted, wanted = noted_tests(self.tests)
        if not noted:
            return Survey(functions)
        said = self.ask("survey", noted)
        found = {place: set(outcomes) for place, outcomes in said["found"].items()}
        parts = needed_definitions(said["compared"], definitions([self.cell.source]))
        compared = frozenset(part.name for part in parts if isinstance(part, ast.FunctionDef))
        problems = tuple(said["problems"])
        return Survey(
            functions, compared.intersection(functions), own(wanted, functions), found, problems
        )

    def answer(self, code: str) -> NotebookNode | None:
        """Run an answer in place of the reference solution; return the error that stopped it."""
        for variable in assigned_names(self.cell.source):
            self.session.source(f"globals().pop({variable!r}, None);")
        return error_of(self.session.source(code))


def walk(
    lesson: Lesson, environment: Mapping[str, str], *, timeout: int = 30
) -> Iterator[ReachedExercise]:
    """Run the chapter's reference solution from top to bottom and stop at each exercise."""
    tests: dict[str, dict[str, str]] = {}
    sources = {grade_id(cell): cell.source for cell in lesson.notebook.cells if is_test(cell)}
    for item in lesson.items:
        if item.id in sources:
            tests.setdefault(item.exercise, {})[item.id] = sources[item.id]
    with start_session(timeout=timeout, environment=environment) as session:
        for cell in lesson.notebook.cells:
            if cell.cell_type != "code" or is_test(cell):
                continue
            name = grade_id(cell)
            exercise = name if name in tests else name.removesuffix("_answer")
            if not is_answer(cell) or exercise not in tests:
                session.run(nbformat.from_dict(cell))
                continue
            place = f"{lesson.chapter.text.name}:{lesson.lines[cell['id']]}"
            stop = ReachedExercise(session, exercise, cell, tests[exercise], place)
            yield stop
            stop.answer(cell.source)


def try_answers(
    lesson: Lesson,
    answers: Mapping[str, Sequence[Answer]],
    environment: Mapping[str, str],
) -> Iterator[Trial]:
    """Try every answer at its exercise.

    Yields one trial per answer. The reference solution itself is tried as an answer titled
    `reference solution`.
    """
    for stop in walk(lesson, environment):
        source = stop.cell.source
        reference = Answer(stop.exercise, "reference solution", source, True, "", 0, stop.place)
        for answer in [*answers.get(stop.exercise, ()), reference]:
            stop.answer(answer.code)
            outcomes = [run_test(stop.session, item, code) for item, code in stop.tests.items()]
            failed = [stop.tests[outcome.item] for outcome in outcomes if not outcome.passed]
            compared = [source for source in failed if any(comparisons(source))]
            yield Trial(
                answer,
                tuple(outcomes),
                stop.survey() if answer is reference else None,
                bool(compared),
                not compared or stop.ask("differs", compared),
            )

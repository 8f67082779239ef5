"""Run a chapter with other answers than the reference solution and see what its tests say."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from classroom.bank import Answer
from classroom.execute import Session, error_of, start_session
from classroom.texts import Lesson


@dataclass(frozen=True)
class Outcome:
    """What one test said."""

    item: str
    passed: bool
    message: str


@dataclass(frozen=True)
class Trial:
    """What all tests of an exercise said to one answer."""

    answer: Answer
    outcomes: tuple[Outcome, ...]

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


def run_test(session: Session, item: str, source: str) -> Outcome:
    """Run one test; it passes when it ends without an error."""
    error = error_of(session.source(source))
    return Outcome(item, error is None, "" if error is None else f"{error.ename}: {error.evalue}")


def try_answers(
    lesson: Lesson,
    answers: Mapping[str, Sequence[Answer]],
    environment: Mapping[str, str],
    *,
    timeout: int = 30,
) -> Iterator[Trial]:
    """Run the chapter's reference solution from top to bottom and, at each exercise, every answer.

    Yields one trial per answer. The reference solution itself is tried as an answer titled
    `reference solution`.
    """
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
            reference = Answer(exercise, "reference solution", cell.source, True, "", 0, place)
            for answer in [*answers.get(exercise, ()), reference]:
                for variable in assigned_names(cell.source):
                    session.source(f"globals().pop({variable!r}, None);")
                session.source(answer.code)
                outcomes = [run_test(session, item, code) for item, code in tests[exercise].items()]
                yield Trial(answer, tuple(outcomes))

"""`classroom score`: a self-paced learner's own score, hidden tests included.

The learner's notebook is only read. Its answers run in a kernel of their own together with the
tests of the chapter's text, so edited or deleted test cells do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nbformat
from nbformat import NotebookNode

from classroom.authoring.build import lesson_environment, read_course
from classroom.authoring.execute import KernelDiedError, error_of, start_session
from classroom.authoring.texts import Item, Lesson
from classroom.authoring.trial import ItemResult, grade_id, is_answer, is_test, run_test
from classroom.errors import ClassroomError
from classroom.project import Chapter, Project, relative
from leverage.lessons.manifest import ChapterFacts
from leverage.lessons.progress import mastery, settle_items
from leverage.lessons.wording import item_label

CELL_SECONDS = 30
UNWRITTEN = "YOUR ANSWER HERE"


@dataclass(frozen=True)
class Score:
    """What a learner's notebook earns in one chapter."""

    lesson: Lesson
    outcomes: dict[str, ItemResult]
    stopped: dict[str, str]
    """What stopped an answer cell, by exercise: `SyntaxError: invalid syntax`."""
    notes: tuple[str, ...] = ()

    @property
    def autograded(self) -> tuple[Item, ...]:
        """Items that tests decide."""
        return tuple(item for item in self.lesson.items if item.kind != "manual")

    @property
    def passed(self) -> frozenset[str]:
        """Ids of the items that passed."""
        return frozenset(name for name, outcome in self.outcomes.items() if outcome.passed)

    @property
    def points(self) -> float:
        """Points earned in autograded items."""
        return sum(item.points for item in self.autograded if item.id in self.passed)

    @property
    def possible(self) -> float:
        """Points of all autograded items."""
        return sum(item.points for item in self.autograded)


def read_notebook(path: Path, root: Path) -> NotebookNode:
    """Read a learner's notebook; what is wrong with it becomes one sentence."""
    name = relative(path, root)
    chapter = path.parent.name
    fresh = (
        "Your file is untouched. To start afresh, move it aside and run "
        f"'classroom build {chapter} --force'"
    )
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ClassroomError(
            f"{name} does not exist; make it with 'classroom build {chapter}'"
        ) from None
    except UnicodeDecodeError:
        raise ClassroomError(
            f"{name} is not a text file (not UTF-8), so no notebook. {fresh}"
        ) from None
    except OSError as error:
        raise ClassroomError(f"{name} cannot be read: {error.strerror}") from None
    try:
        notebook = nbformat.reads(content, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises a different type for each way to be broken
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ClassroomError(f"{name} is not a Jupyter notebook ({reason}). {fresh}") from None
    return notebook


def score_chapter(
    lesson: Lesson,
    notebook: NotebookNode,
    name: str,
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
) -> Score:
    """Run a learner's notebook with the chapter's own tests."""
    submitted = {grade_id(cell) for cell in notebook.cells if is_answer(cell)}
    known = {grade_id(cell) for cell in lesson.notebook.cells if is_answer(cell)}
    if not submitted & known:
        raise ClassroomError(
            f"{name} has lost the metadata that marks its answer cells, so no answer can be found. "
            "Your file is untouched. Copy your answers into a fresh notebook: move this one aside, "
            f"run 'classroom build {lesson.chapter.name} --force' and paste them there"
        )
    notes = []
    if missing := sorted(known - submitted):
        notes.append(
            "These answer cells are missing and count as unanswered: "
            + ", ".join(map(item_label, missing))
            + "."
        )
    tests = {grade_id(cell): cell for cell in lesson.notebook.cells if is_test(cell)}
    present = [
        grade_id(cell) for cell in notebook.cells if is_test(cell) and grade_id(cell) in tests
    ]
    outcomes: dict[str, ItemResult] = {}
    stopped: dict[str, str] = {}
    try:
        with start_session(
            folder=folder,
            timeout=CELL_SECONDS,
            environment={**environment, "NBGRADER_EXECUTION": "score"},
        ) as session:
            for cell in notebook.cells:
                if cell.cell_type != "code":
                    continue
                name_of_cell = grade_id(cell)
                if is_test(cell):
                    if name_of_cell in tests:
                        outcomes[name_of_cell] = run_test(
                            session, name_of_cell, tests[name_of_cell].source
                        )
                    continue
                error = error_of(session.run(nbformat.from_dict(cell)))
                if error is None or error.ename == "NotImplementedError":
                    continue
                if error.ename == "CellTimeoutError":
                    notes.append(
                        f"A cell{named_cell(name_of_cell)} ran longer than {CELL_SECONDS} s and was stopped."
                    )
                elif is_answer(cell):
                    exercise = name_of_cell.removesuffix("_answer")
                    stopped[exercise] = f"{error.ename}: {' '.join(error.evalue.split())}"
            for name_of_test in tests.keys() - set(present):
                outcomes[name_of_test] = run_test(session, name_of_test, tests[name_of_test].source)
    except KernelDiedError:
        notes.append("The kernel died on the way; what ran before counts, the rest is zero.")
    unwritten = [
        item_label(grade_id(cell))
        for cell in notebook.cells
        if is_answer(cell) and cell.cell_type == "markdown" and UNWRITTEN in cell.source
    ]
    if unwritten:
        notes.append(f"Nothing is written yet in {', '.join(unwritten)}.")
    return Score(lesson, outcomes, stopped, tuple(notes))


def named_cell(name: str) -> str:
    """Return ` of 1.A` for a known cell, nothing for others."""
    return f" of {item_label(name)}" if name else ""


def score_report(score: Score) -> str:
    """Return the score as a text for the learner."""
    lesson = score.lesson
    lines = [
        f"{lesson.chapter.number}. {lesson.title}: {score.points:g} of {score.possible:g} points"
    ]
    for exercise in dict.fromkeys(item.exercise for item in score.autograded):
        items = [item for item in score.autograded if item.exercise == exercise]
        total = sum(item.points for item in items)
        if not total:
            continue
        earned = sum(item.points for item in items if item.id in score.passed)
        mark = "✓" if earned == total else "✗"
        safety = " (safety)" if any(item.safety for item in items) else ""
        lines.append(f"  {mark} {item_label(exercise):<12} {earned:g} of {total:g}{safety}")
        if exercise in score.stopped and earned < total:
            lines.append(
                f"      The answer cell stopped with {score.stopped[exercise]}. Mend it first."
            )
        for item in items:
            outcome = score.outcomes.get(item.id)
            if outcome is not None and not outcome.passed:
                message = outcome.message.removeprefix("CheckFailed: ").strip()
                lines += [f"      {line}" for line in message.splitlines() if line.strip()]
    manual = [item_label(item.id) for item in lesson.items if item.kind == "manual"]
    if manual:
        lines.append(
            f"  Marked by hand, not counted here: {', '.join(manual)}. Compare your text with "
            f"{relative(lesson.chapter.solution_notebook, lesson.chapter.root)}."
        )
    result = mastery(cast(ChapterFacts, lesson.as_data()), score.passed)
    safety = (
        f"{result.safety_passed} of {result.safety_total} safety items"
        if result.safety_total
        else "no safety items in this chapter"
    )
    lines.append(
        f"  Mastery (80 % of the points and all safety items): "
        f"{'yes' if result.mastered else 'not yet'}, {safety}."
    )
    revisit: dict[str, list[str]] = {}
    for item in score.autograded:
        if item.points and item.id not in score.passed:
            for objective in item.objectives:
                exercises = revisit.setdefault(objective, [])
                if item_label(item.exercise) not in exercises:
                    exercises.append(item_label(item.exercise))
    if revisit:
        lines.append("  To revisit:")
    for objective, exercises in sorted(revisit.items()):
        lines.append(f"    {objective} {lesson.objectives[objective]} ({', '.join(exercises)})")
    return "\n".join([*lines, *(f"  Note: {note}" for note in score.notes)])


def score(
    project: Project, chapters: Sequence[Chapter], *, say: Callable[[str], None] = print
) -> list[Score]:
    """Score the learner's notebooks of some chapters and print a report for each."""
    course = read_course(project)
    notebooks = [read_notebook(chapter.student_notebook, project.root) for chapter in chapters]
    scores = []
    with lesson_environment(course) as environment:
        for chapter, notebook in zip(chapters, notebooks, strict=True):
            name = relative(chapter.student_notebook, project.root)
            folder = chapter.student_notebook.parent
            lesson = course.lesson(chapter)
            scores.append(score_chapter(lesson, notebook, name, environment, folder=folder))
            settle_items({item.id: item.id in scores[-1].passed for item in scores[-1].autograded})
            say(score_report(scores[-1]))
    return scores

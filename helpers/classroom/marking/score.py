"""`classroom score`: a self-paced learner's own score, hidden tests included.

The learner's notebook is only read, and put in order as `classroom grade` does it. It runs in a
kernel of its own, with the learner's own rights, together with the tests of the chapter's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nbformat

from classroom.authoring.build import lesson_environment, notebook_bytes, read_course
from classroom.authoring.execute import KernelDiedError, error_of, start_session
from classroom.authoring.texts import Item, Lesson
from classroom.authoring.trial import ItemResult, run_test
from classroom.errors import ClassroomError
from classroom.grading import Submission
from classroom.grading.reading import release_of
from classroom.grading.repair import Prepared, UnreadableError, is_blank, prepared_notebook
from classroom.project import Chapter, Project, relative
from leverage.lessons.manifest import ChapterFacts
from leverage.lessons.progress import mastery, settle_items
from leverage.lessons.wording import item_label, sentence

CELL_SECONDS = 30


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


def read_notebook(lesson: Lesson) -> Prepared:
    """Read a learner's notebook, put in order as `classroom grade` does; mistakes are sentences."""
    chapter = lesson.chapter
    path, name = chapter.student_notebook, relative(chapter.student_notebook, chapter.root)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ClassroomError(
            f"{name} does not exist; make it with 'classroom build {chapter.name}'"
        ) from None
    except OSError as error:
        raise ClassroomError(f"{name} cannot be read: {error.strerror}") from None
    release = release_of(chapter.solution_notebook, notebook_bytes(lesson.notebook))
    submission = Submission("", ((f"{release.notebook}.ipynb", content),))
    try:
        return prepared_notebook(release, submission)
    except UnreadableError as error:
        raise ClassroomError(
            f"{name} cannot be scored: {error}. Your file is untouched. To start afresh, move it "
            f"aside and run 'classroom build {chapter.name} --force'"
        ) from None


def score_chapter(
    lesson: Lesson,
    notebook: Prepared,
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
) -> Score:
    """Run a learner's notebook with the chapter's own tests."""
    notes = list(notebook.repairs)
    outcomes: dict[str, ItemResult] = {}
    stopped: dict[str, str] = {}
    try:
        with start_session(
            folder=folder,
            timeout=CELL_SECONDS,
            environment={**environment, "NBGRADER_EXECUTION": "score"},
        ) as session:
            for cell in notebook.cells:
                own = cell.release
                if cell.cell_type != "code":
                    continue
                name = own.grade_id if own is not None else ""
                source = cell.source.encode("utf-8", "replace").decode()  # half a character
                if own is not None and own.kind == "test":
                    outcomes[name] = run_test(session, name, source)
                    continue
                error = error_of(session.run(nbformat.v4.new_code_cell(source)))
                if error is None or error.ename == "NotImplementedError":
                    continue
                if error.ename == "CellTimeoutError":
                    notes.append(
                        f"A cell{named_cell(name)} ran longer than {CELL_SECONDS} s and was stopped"
                    )
                elif own is not None and own.kind == "answer":
                    exercise = name.removesuffix("_answer")
                    stopped[exercise] = f"{error.ename}: {' '.join(error.evalue.split())}"
    except KernelDiedError:
        notes.append("The kernel ended on the way; what ran before counts, the rest is zero")
    unwritten = [
        item_label(cell.release.grade_id)
        for cell in notebook.cells
        if cell.release is not None and cell.release.kind == "manual" and is_blank(cell)
    ]
    if unwritten:
        notes.append(f"Nothing is written yet in {', '.join(unwritten)}")
    return Score(lesson, outcomes, stopped, tuple(map(sentence, notes)))


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
    lessons = [course.lesson(chapter) for chapter in chapters]
    notebooks = [read_notebook(lesson) for lesson in lessons]
    scores = []
    with lesson_environment(course) as environment:
        for lesson, notebook in zip(lessons, notebooks, strict=True):
            folder = lesson.chapter.student_notebook.parent
            scores.append(score_chapter(lesson, notebook, environment, folder=folder))
            settle_items({item.id: item.id in scores[-1].passed for item in scores[-1].autograded})
            say(score_report(scores[-1]))
    return scores

"""`classroom demo`: a whole class, end to end, on made submissions.

Release → submit → grade → feedback → CSV → report, then a table of expected against given scores.
What is expected comes from the texts and the banks, never from the grader. A few honest students
are graded by stock nbgrader too, and compared cell by cell.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from classroom.authoring.bank import Answer, all_answers
from classroom.authoring.build import read_course
from classroom.authoring.student_notebooks import course_config
from classroom.authoring.texts import Lesson
from classroom.authoring.trial import grade_id, is_answer
from classroom.errors import ClassroomError
from classroom.grading import Limits
from classroom.grading.model import CANNOT_BE_GRADED, GRADED
from classroom.marking.grade import grade, outputs
from classroom.marking.gradebook import Gradebook
from classroom.marking.room import room_of
from classroom.project import Chapter, Project, relative
from leverage.lessons.wording import item_label

MARKER = ".made-by-classroom-demo"
DUE = datetime(2026, 1, 15, 18, 0)
CELL_SECONDS = 4
STOCK_STUDENTS = 3
"""Honest students that stock nbgrader grades as well, at two to three seconds each."""
INFINITE_LOOP = "while True:\n    pass"
SYNTAX_ERROR = "def broken(:\n    return"


@dataclass(frozen=True)
class Student:
    """One made student: what they hand in and what it should earn."""

    id: str
    story: str
    expected: float
    """Points that autograding should give."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Code of answer cells, by grade_id; other answer cells keep their stub."""
    without: tuple[str, ...] = ()
    """Cells that the student deleted, by grade_id."""
    hands_in: bool = True
    late: timedelta = timedelta(0)

    @property
    def honest(self) -> bool:
        """Whether nothing is wrong with the notebook but its answers."""
        return self.hands_in and not self.without and self.id.startswith(("perfect", "wrong"))


@dataclass(frozen=True)
class Row:
    """Expected against given for one student."""

    student: Student
    given: float | None
    late_seconds: float
    feedback: bool
    verdict: str = GRADED

    @property
    def agrees(self) -> bool:
        """Whether everything came out as expected."""
        return (
            self.given == self.student.expected
            and self.late_seconds == self.student.late.total_seconds()
            and self.feedback
            and (self.verdict == CANNOT_BE_GRADED) == (not self.student.hands_in)
        )


def answer_cells(lesson: Lesson) -> dict[str, NotebookNode]:
    """Return the code cells that students complete, by exercise."""
    return {
        grade_id(cell).removesuffix("_answer"): cell
        for cell in lesson.notebook.cells
        if is_answer(cell) and cell.cell_type == "code"
    }


def make_class(lesson: Lesson) -> list[Student]:
    """Make the students of the demonstration class."""
    cells = answer_cells(lesson)
    bank = all_answers(lesson)
    auto = [item for item in lesson.items if item.kind != "manual"]
    worth = {e: sum(i.points for i in auto if i.exercise == e) for e in {i.exercise for i in auto}}
    full = sum(worth.values())
    perfect = {grade_id(cell): cell.source for cell in cells.values()}
    wrong: dict[str, list[Answer]] = {e: [a for a in bank.get(e, ()) if not a.right] for e in worth}
    right: dict[str, list[Answer]] = {e: [a for a in bank.get(e, ()) if a.right] for e in worth}

    def with_answers(chosen: Mapping[str, str]) -> dict[str, str]:
        return {**perfect, **{grade_id(cells[e]): code for e, code in chosen.items()}}

    students = [
        Student("perfect", "the reference solution everywhere", full, perfect),
        Student("blank", "handed in untouched", 0.0),
    ]
    for number in range(max((len(a) for a in right.values()), default=0)):
        chosen = {e: a[number].code for e, a in right.items() if number < len(a)}
        story = f"other right answer {number + 1} in {len(chosen)} exercises"
        students.append(Student(f"other_right_{number + 1}", story, full, with_answers(chosen)))
    for number in range(max((len(a) for a in wrong.values()), default=0)):
        picked = {e: a[number] for e, a in wrong.items() if number < len(a)}
        lost = sum(worth[e] - answer.points for e, answer in picked.items())
        story = f"typical wrong answer {number + 1} in {len(picked)} exercises"
        code = {e: answer.code for e, answer in picked.items()}
        students.append(Student(f"wrong_{number + 1}", story, full - lost, with_answers(code)))
    first = max(worth, key=lambda e: (worth[e], e))
    others = [e for e in cells if e in worth and worth[e] and e != first]
    test_of_first = next(item.id for item in auto if item.exercise == first)
    half = others[: len(others) // 2]
    students += [
        Student("late", "perfect, two hours late", full, perfect, late=timedelta(hours=2)),
        Student("no_notebook", "handed in a folder without the notebook", 0.0, hands_in=False),
        Student(
            "syntax_error",
            f"a syntax error in {item_label(first)}",
            full - worth[first],
            with_answers({first: SYNTAX_ERROR}),
        ),
        Student(
            "infinite_loop",
            f"an infinite loop in {item_label(first)}",
            full - worth[first],
            with_answers({first: INFINITE_LOOP}),
        ),
        Student(
            "deleted_test",
            f"deleted the test {item_label(test_of_first)}; it comes back",
            full,
            perfect,
            without=(test_of_first,),
        ),
        Student(
            "deleted_answer",
            f"deleted the answer cell of {item_label(first)}",
            full - worth[first],
            perfect,
            without=(grade_id(cells[first]),),
        ),
        Student(
            "half",
            f"answered {len(half)} exercises, left the others",
            sum(worth[e] for e in half),
            {grade_id(cells[e]): cells[e].source for e in half},
        ),
    ]
    return students


def submission(released: NotebookNode, student: Student) -> NotebookNode:
    """Return what a student hands in: the released notebook with their answers."""
    notebook = nbformat.from_dict(released)
    notebook.cells = [cell for cell in notebook.cells if grade_id(cell) not in student.without]
    for cell in notebook.cells:
        if is_answer(cell) and grade_id(cell) in student.answers:
            cell.source = student.answers[grade_id(cell)]
        elif is_answer(cell) and cell.cell_type == "markdown" and student.answers:
            cell.source = f"My answer, {student.id}."
    return notebook


class DemoClass:
    """A class folder of its own, with nbgrader's layout."""

    def __init__(self, project: Project, folder: Path) -> None:
        from nbgrader.apps import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory

        self.folder = folder
        config = course_config(project)
        config.CourseDirectory.root = str(folder)
        config.CourseDirectory.source_directory = "source"
        config.CourseDirectory.release_directory = "release"
        for step in ("submitted", "autograded", "feedback"):
            config.CourseDirectory[f"{step}_directory"] = step
        config.CourseDirectory.db_url = f"sqlite:///{folder / 'gradebook.db'}"
        config.SandboxedExecute.sandbox = False  # stock is what ours is compared with
        self.room = room_of(config, folder)
        self.api: Any = NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
        self.api.coursedir.log.setLevel("ERROR")

    def release(self, chapter: Chapter) -> NotebookNode:
        """Release a chapter and return the student notebook."""
        source = self.folder / "source" / chapter.name
        source.mkdir(parents=True)
        if not chapter.solution_notebook.exists():
            raise ClassroomError(
                f"{relative(chapter.solution_notebook, chapter.root)} does not exist; run 'classroom build'"
            )
        shutil.copy(chapter.solution_notebook, source)
        self.expect(self.api.generate_assignment(chapter.name), f"release of {chapter.name}")
        with self.api.gradebook as gradebook:
            gradebook.update_or_create_assignment(chapter.name, duedate=DUE)
        path = self.folder / "release" / chapter.name / f"{chapter.name}.ipynb"
        return nbformat.read(path, as_version=4)

    @staticmethod
    def expect(result: Mapping[str, Any], what: str) -> None:
        """Turn a failed step of nbgrader into a sentence."""
        if not result["success"]:
            detail = str(result.get("error") or result.get("log") or "").strip().splitlines()
            raise ClassroomError(
                f"nbgrader's {what} failed: {detail[-1] if detail else 'no reason given'}"
            )

    def submit(self, chapter: Chapter, released: NotebookNode, student: Student) -> None:
        """Put a student's work where nbgrader's collect puts it."""
        folder = self.folder / "submitted" / student.id / chapter.name
        folder.mkdir(parents=True)
        moment = DUE + student.late if student.late else DUE - timedelta(hours=1)
        (folder / "timestamp.txt").write_text(f"{moment:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")
        if student.hands_in:
            nbformat.write(submission(released, student), folder / f"{chapter.name}.ipynb")

    def rows(self, chapter: Chapter, students: Sequence[Student]) -> list[Row]:
        """Read back what the gradebook says of the students."""
        with Gradebook.open(self.room.gradebook, self.room.course, chapter.name) as book:
            layout = book.layout()
            standings = {one.student: one for one in book.standings(layout)} if layout else {}
            records = {record.student: record for record in book.records()}
        rows = []
        for student in students:
            record, standing = records.get(student.id), standings.get(student.id)
            handed_in = standing.handed_in if standing else None
            late = max(timedelta(0), handed_in - DUE) if handed_in else timedelta(0)
            rows.append(
                Row(
                    student,
                    record.score if record else None,
                    late.total_seconds(),
                    self.room.page(student.id, chapter.name).exists(),
                    record.verdict if record else "",
                )
            )
        return rows

    def scores(self, chapter: Chapter) -> dict[tuple[str, str], float | None]:
        """Return the tests' points of everybody, by student and cell."""
        with self.api.gradebook as gradebook:
            return {
                (work.student.id, grade.name): grade.auto_score
                for work in gradebook.find_assignment(chapter.name).submissions
                for notebook in work.notebooks
                for grade in notebook.grades
            }


def compare_with_stock(
    project: Project, folder: Path, chapter: Chapter, students: Sequence[Student], ours: DemoClass
) -> tuple[int, list[str]]:
    """Grade some students with stock nbgrader; return how many cells were compared, and which differ."""
    stock = DemoClass(project, folder)
    released = stock.release(chapter)
    for student in students:
        stock.submit(chapter, released, student)
        stock.expect(stock.api.autograde(chapter.name, student.id), f"autograde of {student.id}")
    theirs, mine = stock.scores(chapter), ours.scores(chapter)
    return len(theirs), [
        f"{student}, {item_label(cell)}: stock gave {points}, we gave {mine[student, cell]}"
        for (student, cell), points in theirs.items()
        if mine[student, cell] != points
    ]


def prepare(folder: Path, root: Path) -> None:
    """Empty the demonstration's folder; refuse one that something else made."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise ClassroomError(
            f"{relative(folder, root)} is not empty and was not made by 'classroom demo'; "
            "give another folder with --folder"
        )
    try:
        shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None
        folder.mkdir(parents=True)
        (folder / MARKER).write_text(
            "This folder is made anew by every 'classroom demo'.\n", encoding="utf-8"
        )
    except OSError as error:
        raise ClassroomError(f"cannot write {relative(folder, root)}: {error.strerror}") from None


def class_table(rows: Sequence[Row]) -> str:
    """Return expected against given as a text table."""

    def shown(points: float | None) -> str:
        return "-" if points is None else f"{points:g}"

    head = ("student", "expected", "given", "late", "", "what they did")
    body = [
        (
            row.student.id,
            shown(row.student.expected),
            shown(row.given),
            str(timedelta(seconds=row.late_seconds)) if row.late_seconds else "",
            "ok" if row.agrees else "DIFFERS",
            row.student.story,
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
        for line in [head, *body]
    )


def demo(
    project: Project,
    chapter: Chapter,
    folder: Path,
) -> list[Row]:
    """Run the demonstration class and return expected against given for every student."""
    lesson = read_course(project).lesson(chapter)
    students = make_class(lesson)
    folder = folder.resolve()
    prepare(folder, project.root)
    ours = DemoClass(project, folder)
    # SQLAlchemy and nbformat warn about nbgrader's own code, several times per submission.
    warnings.filterwarnings("ignore", module=r"nbgrader\.|nbformat\.")
    shown = relative(folder, project.root)
    print(f"A class in {shown}/: releasing {chapter.name}, {len(students)} submissions …")
    released = ours.release(chapter)
    for student in students:
        ours.submit(chapter, released, student)
    limits = Limits(cell_seconds=CELL_SECONDS)
    grade(chapter, find=lambda: ours.room, limits=limits)
    outputs(ours.room, chapter)
    rows = ours.rows(chapter, students)
    print(class_table(rows))
    manual = sum(item.points for item in lesson.items if item.kind == "manual")
    if manual:
        print(f"({manual:g} more points are marked by hand.)")
    differing = [row.student.id for row in rows if not row.agrees]
    if differing:
        print(f"{len(differing)} of {len(rows)} differ: {', '.join(differing)}")
    else:
        print(f"All {len(rows)} students got what was expected.")
    honest = [student for student in students if student.honest][:STOCK_STUDENTS]
    cells, found = compare_with_stock(project, folder / "stock", chapter, honest, ours)
    for difference in found:
        print(difference)
    if found:
        raise ClassroomError(f"stock nbgrader grades {len(found)} of {cells} cells otherwise")
    print(f"The class is in {shown}/; what is named above lies there.")
    print(f"Stock nbgrader gave {len(honest)} of them the same points in all {cells} cells.")
    return rows

"""`classroom build`: texts → executed instructor notebooks → student notebooks.

The build is deterministic to the byte. It works in a scratch folder and moves the results into
place only when everything went well, so a failed build leaves the course as it was.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from classroom.authoring.cards import flash_cards
from classroom.authoring.execute import KernelDiedError, error_of, start_session
from classroom.authoring.formulas import formula_sheet, read_formulas
from classroom.authoring.glossary import Explanation, Glossary, glossary_notebook, read_glossary
from classroom.authoring.student_notebooks import generate, note_cells, was_worked_in
from classroom.authoring.texts import Lesson, binder_link, read_lesson
from classroom.errors import ClassroomError
from classroom.grading import CellResult, Grader, Outcome, Release
from classroom.grading.reading import asks_answers_directly, learner_names, release_of
from classroom.markers import solved_source
from classroom.project import Chapter, Page, Project, Review, relative

README_BEGIN = "<!-- chapters: made by `classroom build` from solutions/ -->"
README_END = "<!-- end of chapters -->"
# Modules beside this one that decide what a notebook holds; all others may change without a build.
MAKERS = (
    "build",
    "execute",
    "reference",
    "release_steps",
    "student_notebooks",
    "texts",
    "typography",
)

Step = Callable[[int, int], None]


@dataclass(frozen=True)
class Course:
    """All texts of the course, read."""

    project: Project
    glossary: Glossary
    lessons: Mapping[str, Lesson]
    """The chapters, by the name of their folder."""
    extras: Mapping[str, Lesson] = field(default_factory=dict)
    """Reviews and pages, which lead to chapters."""

    def lesson(self, chapter: Chapter) -> Lesson:
        """Return the lesson of a chapter, a review or a page."""
        return self.all[chapter.name]

    @property
    def all(self) -> Mapping[str, Lesson]:
        """Everything that is written as a text."""
        return {**self.lessons, **self.extras}

    @property
    def reviews(self) -> Mapping[str, Lesson]:
        """The mixed reviews."""
        return {n: x for n, x in self.extras.items() if isinstance(x.chapter, Review)}


def read_course(project: Project) -> Course:
    """Read every text of the course."""
    glossary = read_glossary(project.glossary_text)
    lessons = {c.name: read_lesson(project, c, glossary) for c in project.chapters()}
    extras = {c.name: read_lesson(project, c, glossary, lessons) for c in project.reviews()}
    known = {**lessons, **extras}
    extras |= {c.name: read_lesson(project, c, glossary, known) for c in project.pages()}
    return Course(project, glossary, lessons, extras)


def as_json(data: Any) -> bytes:
    """Return data as JSON text that does not change from run to run."""
    return (json.dumps(data, indent=1, ensure_ascii=False, sort_keys=False) + "\n").encode()


def notebook_bytes(notebook: NotebookNode) -> bytes:
    """Return a notebook as the bytes of its file."""
    text = str(nbformat.writes(notebook, version=4))
    return (text.rstrip("\n") + "\n").encode()


def lesson_data(course: Course) -> dict[Path, bytes]:
    """Return the data files that the checks read at run time, by path."""
    chapters = {name: lesson.as_data() for name, lesson in course.lessons.items()}
    reviews = {name: lesson.as_data() for name, lesson in course.reviews.items()}
    quizzes = {
        question.id: {"answer": question.answer, "feedback": question.feedback}
        for lesson in course.all.values()
        for question in lesson.questions
    }
    folder = course.project.lesson_data
    return {
        folder / "course.json": as_json({"chapters": chapters, "reviews": reviews}),
        folder / "quizzes.json": as_json(quizzes),
    }


def solutions_by_exercise(course: Course) -> dict[str, str]:
    """Return the solved code of every exercise, for learners who work alone."""
    return {
        str(meta["grade_id"]).removesuffix("_answer"): solved_source(cell.source)
        for lesson in course.all.values()
        for cell in lesson.notebook.cells
        for meta in [cell.metadata.get("nbgrader", {})]
        if cell.cell_type == "code" and meta.get("solution")
    }


def shared_files(course: Course, made: Mapping[Path, bytes] | None = None) -> dict[Path, bytes]:
    """Return the generated files that belong to no single chapter, by path.

    The flash cards repeat the page of common beliefs: as it is in `made`, else as it is on disk.
    """
    project = course.project
    explained = {
        term: Explanation(name, lesson.label, place)
        for name, lesson in course.lessons.items()
        for term, place in lesson.terms.items()
    }
    files = lesson_data(course)
    files[project.solved] = as_json(solutions_by_exercise(course))
    formulas = read_formulas(project)
    cell_of = {formula.name.replace("_", "-"): formula.cell_id for formula in formulas}
    glossary = glossary_notebook(course.glossary, explained, cell_of)
    files[project.glossary_notebook] = notebook_bytes(glossary)
    if formulas:
        titles = {name: lesson.label for name, lesson in course.lessons.items()}
        sheet = formula_sheet(formulas, course.glossary, titles)
        files[project.formula_sheet] = notebook_bytes(sheet)
    beliefs = read_page(project, "misconceptions", made or {})
    files[project.flash_cards] = flash_cards(course.glossary, formulas, beliefs)
    readme = project.root / "README.md"
    if readme.exists():
        files[readme] = readme_with_chapters(readme.read_text(encoding="utf-8"), course).encode()
    return files


def read_page(project: Project, name: str, made: Mapping[Path, bytes]) -> NotebookNode | None:
    """Return a page's notebook: as it was made, else as it is on disk; None if there is none."""
    path = Page(project.root, name).student_notebook
    content = made.get(path) or (path.read_bytes() if path.exists() else None)
    return None if content is None else nbformat.reads(content.decode(), as_version=4)


def readme_with_chapters(text: str, course: Course) -> str:
    """Return README's text with a fresh table of chapters between its two markers."""
    if README_BEGIN not in text or README_END not in text:
        raise ClassroomError(
            f"README.md has lost the lines {README_BEGIN!r} and {README_END!r}, between which the "
            "table of chapters is written; put them back"
        )
    rows = ["| Chapter | Minutes | Points | Run it |", "|---|---:|---:|---|"]
    for lesson in course.lessons.values():
        path = relative(lesson.chapter.student_notebook, course.project.root)
        link = binder_link(course.project.repository, path)
        rows.append(
            f"| [{lesson.chapter.number}. {lesson.title}]({path}) | {lesson.minutes} "
            f"| {lesson.points:g} | [Binder]({link}) |"
        )
    before, rest = text.split(README_BEGIN, 1)
    after = rest.split(README_END, 1)[1]
    return f"{before}{README_BEGIN}\n\n" + "\n".join(rows) + f"\n\n{README_END}{after}"


@contextmanager
def lesson_environment(course: Course) -> Iterator[dict[str, str]]:
    """Give the environment in which kernels read the lesson data of these very texts."""
    with tempfile.TemporaryDirectory(prefix="classroom-data-") as folder:
        for path, content in lesson_data(course).items():
            (Path(folder) / path.name).write_bytes(content)
        yield {"LEVERAGE_LESSON_DATA": folder}


def execute(course: Course, lesson: Lesson, step: Step = lambda done, of: None) -> NotebookNode:
    """Run a lesson's cells and fill in its computed numbers; return the instructor notebook.

    Raises
    ------
    ClassroomError
        If a cell fails: the reference solution of a chapter has to run from top to bottom.
    """
    where = relative(lesson.chapter.text, lesson.chapter.root)
    notebook = nbformat.from_dict(lesson.notebook)
    with (
        lesson_environment(course) as environment,
        start_session(
            environment=environment, kernel_name=notebook.metadata.kernelspec.name
        ) as session,
    ):
        for number, cell in enumerate(notebook.cells):
            step(number, len(notebook.cells))
            place = f"{where}:{lesson.lines[cell['id']]}"
            if cell.cell_type == "markdown":
                try:
                    cell.source = session.evaluate(cell.source)
                except ValueError as error:
                    raise ClassroomError(f"{place}: {error}; mend it") from None
                continue
            try:
                failure = error_of(session.run(cell))
            except KernelDiedError:
                raise ClassroomError(
                    f"{place}: the kernel died while this cell ran; does it use too much memory?"
                ) from None
            if failure is not None:
                raise ClassroomError(
                    f"{place}: the cell fails with {failure.ename}: {failure.evalue}\n"
                    "Mend the cell or the function that it calls, then build again."
                )
        step(len(notebook.cells), len(notebook.cells))
    return notebook


def render(course: Course, lesson: Lesson, step: Step = lambda done, of: None) -> dict[Path, bytes]:
    """Return both notebooks of a chapter, or that of a page, by the path where they belong."""
    return files_from(course, lesson.chapter, execute(course, lesson, step))


def files_from(course: Course, chapter: Chapter, notebook: NotebookNode) -> dict[Path, bytes]:
    """Return what `render` returns, from an instructor notebook that was executed."""
    if isinstance(chapter, Page):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        note_cells(notebook)
        return {chapter.student_notebook: notebook_bytes(notebook)}
    content = notebook_bytes(notebook)
    with tempfile.TemporaryDirectory(prefix="classroom-build-") as folder:
        source = Path(folder) / "solutions" / chapter.name
        source.mkdir(parents=True)
        (source / f"{chapter.name}.ipynb").write_bytes(content)
        for extra in chapter.source.iterdir():
            if extra.is_file() and extra.suffix in {".csv", ".png", ".svg", ".json"}:
                shutil.copy(extra, source / extra.name)
        made = generate(course.project, source.parent, Path(folder) / "course", chapter.name)
        files = {
            chapter.student_notebook.parent / path.name: path.read_bytes()
            for path in sorted(made.parent.iterdir())
        }
    released = nbformat.reads(files[chapter.student_notebook].decode(), as_version=4)
    files[chapter.student_notebook] = notebook_bytes(released)
    return {chapter.solution_notebook: content, **files}


def digest(content: bytes) -> str:
    """Return a short fingerprint of some bytes."""
    return hashlib.sha256(content).hexdigest()[:20]


def fingerprint(course: Course, lesson: Lesson) -> str:
    """Return a fingerprint of everything that a chapter's notebooks are made from."""
    project, chapter = course.project, lesson.chapter
    helpers = project.root / "helpers"
    paths = [p for p in chapter.source.iterdir() if p.is_file() and p.suffix != ".ipynb"]
    paths = [chapter.text] if isinstance(chapter, Page) else paths
    paths = [path for path in paths if path != chapter.bank]
    paths += [
        p
        for p in (helpers / "leverage").rglob("*")
        if p.suffix in {".py", ".mplstyle", ".toml", ".csv"}
    ]
    settings = [project.root / "nbgrader_config.py", project.root / "pyproject.toml"]
    paths += [p for p in [project.glossary_text, *settings] if p.exists()]
    paths += [Path(__file__).with_name(f"{name}.py") for name in MAKERS]
    paths += [Path(__file__).parents[1] / "markers.py"]
    parts = [f"{relative(p, project.root)} {digest(p.read_bytes())}" for p in sorted(paths)]
    parts += [f"notebook {digest(notebook_bytes(lesson.notebook))}"]
    parts += [
        f"{name} {digest(content)}"
        for name, content in sorted((p.name, c) for p, c in lesson_data(course).items())
    ]
    packages = ("ipykernel", "ipywidgets", "matplotlib", "nbgrader", "numpy", "pandas")
    parts += [f"{name} {importlib.metadata.version(name)}" for name in packages]
    return digest("\n".join([*parts, sys.version]).encode())


def read_build_record(project: Project) -> dict[str, Any]:
    """Return what the last build recorded; nothing if it cannot be read."""
    try:
        record = json.loads((project.cache / "build.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def is_current(project: Project, recorded: Any, inputs: str) -> bool:
    """Tell whether a chapter was built from these inputs and its files are still the same."""
    if not isinstance(recorded, dict) or recorded.get("inputs") != inputs:
        return False
    outputs = recorded.get("outputs", {})
    return bool(outputs) and all(
        (project.root / name).exists() and digest((project.root / name).read_bytes()) == value
        for name, value in outputs.items()
    )


def keep_aside(project: Project, path: Path, new: bytes) -> Path | None:
    """Keep a copy of a student notebook that somebody worked in before it is replaced."""
    if (
        path.suffix != ".ipynb"
        or not path.exists()
        or "course" not in path.relative_to(project.root).parts[:1]
    ):
        return None
    old = path.read_bytes()
    try:
        if old == new or not was_worked_in(nbformat.reads(old.decode(), as_version=4)):
            return None
    except Exception:  # noqa: S110  # whatever does not read as a notebook is kept as well
        pass
    copy = project.cache / "replaced" / f"{path.stem}-{digest(old)}.ipynb"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(old)
    return copy


def write_files(files: Mapping[Path, bytes], root: Path) -> list[Path]:
    """Write files so that each is either old or new, never half; return those that changed."""
    changed = [
        path for path, content in files.items() if not path.exists() or path.read_bytes() != content
    ]
    staged: list[tuple[Path, Path]] = []
    try:
        for path in changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            staged.append((Path(name), path))
            with os.fdopen(handle, "wb") as file:
                file.write(files[path])
            Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        for temporary, path in staged:
            temporary.replace(path)
    except OSError as error:
        raise ClassroomError(
            f"cannot write {relative(Path(str(error.filename or path)), root)}: {error.strerror}; "
            "check that the folder can be written and that the disk has room"
        ) from None
    finally:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)
    return changed


def refuse_undecidable(course: Course, files: Mapping[Path, bytes]) -> None:
    """Raise `ClassroomError` for a test that cannot be decided outside the student's process.

    There it meets copies of plain values and functions to call, not the student's own objects.
    Tests that name the answer in a check are safe; others are tried with the chapter's solution.
    """
    doubtful: dict[str, Release] = {}
    for lesson in course.all.values():
        path = lesson.chapter.solution_notebook
        if path in files:
            release = release_of(path, files[path])
            learner = learner_names(release.cells)
            if any(asks_answers_directly(test, learner) for test in release.tests):
                doubtful[lesson.chapter.name] = release
    if not doubtful or sys.platform != "linux":
        return
    with Grader(next(iter(doubtful.values())), workers=1, allow_limits_only=True) as grader:
        for name, release in doubtful.items():
            grader.take(release)
            refused = undecided(release, grader.grade(release.reference()))
            if refused is not None:
                lesson = course.all[name]
                where = relative(lesson.chapter.text, lesson.chapter.root)
                raise ClassroomError(
                    f"{where}:{lesson.lines[release.cell(refused.grade_id).id]}: the test "
                    f"{refused.grade_id} does not accept the chapter's own solution when it is "
                    f"graded, outside the student's process ({refused.sentence}). Compare numbers, "
                    "texts, lists, tables or what a function returns, not objects of a class that "
                    "the student writes"
                )


def undecided(release: Release, outcome: Outcome) -> CellResult | None:
    """Return the first test that uses answers directly and did not pass."""
    learner = learner_names(release.cells)
    return next(
        (
            result
            for result in outcome.verdict.cells
            if result.kind == "test"
            and not result.passed
            and asks_answers_directly(release.cell(result.grade_id), learner)
        ),
        None,
    )


def build(
    project: Project,
    chapters: Sequence[Chapter],
    *,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Build chapters, reviews and pages that changed, and the files that all chapters share.

    Returns the paths that changed on disk.
    """
    course = read_course(project)
    record = read_build_record(project)
    files: dict[Path, bytes] = {}
    fresh: dict[str, Any] = {}
    for chapter in chapters:
        lesson = course.lesson(chapter)
        inputs = fingerprint(course, lesson)
        if not force and is_current(project, record.get(chapter.name), inputs):
            say(f"{chapter.name}: up to date")
            continue
        began = time.perf_counter()
        total = len(lesson.notebook.cells)
        with tqdm(
            total=total,
            desc=chapter.name,
            unit="cell",
            leave=False,
            disable=None,
        ) as bar:
            made = render(course, lesson, lambda done, of, bar=bar: bar.update(done - bar.n))  # type: ignore[misc]
        files |= made
        outputs = {relative(path, project.root): digest(content) for path, content in made.items()}
        fresh[chapter.name] = {"inputs": inputs, "outputs": outputs}
        say(
            f"{chapter.name}: {total} cells, {lesson.points:g} points, {time.perf_counter() - began:.1f} s"
        )
    refuse_undecidable(course, files)
    for path, content in files.items():
        copy = keep_aside(project, path, content)
        if copy is not None:
            say(
                f"{relative(path, project.root)} had been worked in; a copy is in {relative(copy, project.root)}"
            )
    changed = write_files({**files, **shared_files(course, files)}, project.root)
    if fresh:
        record_file = {project.cache / "build.json": as_json({**record, **fresh})}
        write_files(record_file, project.root)
    for path in changed:
        say(f"wrote {relative(path, project.root)}")
    return changed

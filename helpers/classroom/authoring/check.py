"""`classroom check`: every finding about the course, each with the place and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from classroom.authoring.bank import all_answers
from classroom.authoring.build import Course, lesson_environment, render, shared_files
from classroom.authoring.execute import error_of, start_session
from classroom.authoring.formulas import read_formulas, unlisted
from classroom.authoring.glossary import read_glossary
from classroom.authoring.mutants import Tally, tally_chapter
from classroom.authoring.texts import HEADING_OR_TERM, Lesson, read_lesson
from classroom.authoring.trial import Trial, grade_id, is_answer, is_test, try_answers
from classroom.errors import ClassroomError
from classroom.grading.repair import bound_names
from classroom.markers import BEGIN_HIDDEN, HIDDEN, SECRET_WORDS, SOLUTION, STUB, VISIBLE, numbered
from classroom.project import Chapter, Page, Project, Review, relative
from leverage.lessons.own_work import handed_on_to, imported_functions
from leverage.lessons.wording import counted

MINIMUM_RIGHT = 1
MINIMUM_WRONG = 3
LONGEST_CELL = 20
SHORTEST_DESCRIPTION = 12

BOLD = re.compile(r"\*\*(?!\s)([^*\n]+?)(?<!\s)\*\*")
HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$", re.MULTILINE)
MACHINE_PATH = re.compile(
    r"(?<![\w.])(?:/(?:home|root|Users|tmp|work|mnt|srv)/[\w.-]+|[A-Za-z]:\\\\?Users)"
)
TIME_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")


@dataclass(frozen=True)
class Finding:
    """Something to mend: where it is, what is wrong, and what to do."""

    file: str
    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = f" [{self.place}]" if self.place else ""
        return f"{self.file}{place}: {self.problem}. {self.remedy}."


def text_place(lesson: Lesson, cell: NotebookNode) -> str:
    """Return where a cell stands in the chapter's text."""
    name = grade_id(cell)
    return f"line {lesson.lines[cell['id']]}" + (f", {name}" if name else "")


def where(lesson: Lesson) -> str:
    """Return the path of a lesson's text, as people type it."""
    return relative(lesson.chapter.text, lesson.chapter.root)


# ---------------------------------------------------------------- the text


def headings_in_order(lesson: Lesson) -> Iterator[Finding]:
    """One H1, and no heading level is skipped."""
    level, titles = 0, 0
    for cell in lesson.notebook.cells:
        if not is_text(cell):
            continue
        text = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
        for match in HEADING.finditer(text):
            depth = len(match[1])
            titles += depth == 1
            if depth > level + 1:
                yield Finding(
                    where(lesson),
                    text_place(lesson, cell),
                    f"the heading {match[2]!r} jumps from level {level} to level {depth}",
                    f"Use level {level + 1}",
                )
            level = depth
    if titles != 1:
        yield Finding(
            where(lesson),
            "",
            f"the chapter has {titles} headings of level 1",
            "Keep only the {header}",
        )


def bold_is_for_terms(lesson: Lesson) -> Iterator[Finding]:
    """Bold marks a term where it is explained, and nothing else."""
    for cell in lesson.notebook.cells:
        if not is_text(cell):
            continue
        text = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$", "", cell.source, flags=re.DOTALL)
        text = re.sub(r"\[\*\*[^\]]+\*\*\]\(\.\./glossary\.ipynb#[^)]+\)", "", text)
        for match in BOLD.finditer(text):
            yield Finding(
                where(lesson),
                text_place(lesson, cell),
                f"{match[0]} is bold but no term",
                "Write {term:id} for a term of the glossary, or *italics* for emphasis",
            )


def terms_are_explained(course: Course) -> Iterator[Finding]:
    """Every term of the glossary is explained in the chapter that it names."""
    for entry in course.glossary.entries.values():
        lesson = course.lessons.get(entry.chapter)
        if lesson is None:
            problem = f"{entry.id!r} names the chapter {entry.chapter!r}, which does not exist"
            yield Finding(
                "solutions/glossary.yml", entry.id, problem, "Name the folder of a chapter"
            )
        elif entry.id not in lesson.terms:
            yield Finding(
                "solutions/glossary.yml",
                entry.id,
                f"{entry.chapter} does not explain the term {entry.term!r}",
                f"Write {{term:{entry.id}}} where it is explained, or change the entry's chapter",
            )
    places: dict[str, list[str]] = {}
    for lesson in course.all.values():
        for cell in lesson.notebook.cells:
            for match in HEADING_OR_TERM.finditer(cell.source if is_text(cell) else ""):
                if match["term"]:
                    place = f"{where(lesson)}, {text_place(lesson, cell)}"
                    places.setdefault(match["term"], []).append(place)
    for term, found in places.items():
        if len(found) > 1:
            yield Finding(
                "solutions/glossary.yml",
                term,
                f"the term is explained more than once: {'; '.join(found)}",
                f"Keep {{term:{term}}} where it is explained first, and write {{see:{term}}} after",
            )


def formulas_are_listed(course: Course) -> Iterator[Finding]:
    """Every public function that states a formula is on the formula sheet."""
    if course.project.formulas_text.exists():
        for name in unlisted(read_formulas(course.project)):
            yield Finding(
                relative(course.project.formulas_text, course.project.root),
                name,
                f"leverage.{name} states a formula but is not on the formula sheet",
                "Add its name to the chapter that explains it",
            )


def is_text(cell: NotebookNode) -> bool:
    """Tell whether a cell holds text of the lesson, neither code nor a model answer."""
    return bool(cell.cell_type == "markdown" and not is_answer(cell))


def objectives_are_graded(lesson: Lesson) -> Iterator[Finding]:
    """Every objective has an item that earns points, and every such item serves an objective."""
    graded = {name for item in lesson.items if item.points > 0 for name in item.objectives}
    for name in lesson.objectives:
        if name not in graded:
            yield Finding(
                where(lesson),
                name,
                "no graded item practises this objective",
                f"Add ':objectives: {name}' to a test",
            )
    for item in lesson.items:
        if item.points > 0 and not item.objectives:
            yield Finding(
                where(lesson),
                item.id,
                "this item earns points but serves no objective",
                "Add ':objectives: …'",
            )


def review_is_mixed(lesson: Lesson) -> Iterator[Finding]:
    """Every question of a review serves one objective; neighbours come from different chapters."""
    before = ""
    for item in lesson.items:
        if item.points:
            yield Finding(
                where(lesson), item.id, "a review carries no points", "Write ':points: 0'"
            )
        if len(item.objectives) != 1:
            yield Finding(
                where(lesson),
                item.id,
                "the question must name the one objective that it reviews",
                "Add ':objectives: LO1.1'",
            )
            continue
        chapter = item.objectives[0].partition(".")[0]
        if chapter == before:
            yield Finding(
                where(lesson),
                item.id,
                f"two questions in a row are about {chapter}.*",
                "Move one of them: mixed questions ask which method fits",
            )
        before = chapter


def cells_are_short(lesson: Lesson) -> Iterator[Finding]:
    """No lesson cell is longer than a screen; longer code belongs to helpers/."""
    for cell in lesson.notebook.cells:
        if cell.cell_type == "code" and not is_test(cell) and not is_answer(cell):
            length = len(cell.source.splitlines())
            if length > LONGEST_CELL:
                yield Finding(
                    where(lesson),
                    text_place(lesson, cell),
                    f"the cell has {length} lines, more than {LONGEST_CELL}",
                    "Move code to helpers/ or split the cell",
                )


def tests_name_themselves(lesson: Lesson) -> Iterator[Finding]:
    """A test uses its own id, shows something, and keeps hidden values out of its messages."""
    for cell in lesson.notebook.cells:
        if not is_test(cell):
            continue
        name, place = grade_id(cell), text_place(lesson, cell)
        if f'exercise("{name}")' not in cell.source:
            yield Finding(
                where(lesson),
                place,
                "the test does not say which item it is",
                f'Open it with: with exercise("{name}") as check:',
            )
        visible, hidden = stripped(cell.source, VISIBLE), stripped(cell.source, HIDDEN)
        if not any("check." in line for line in visible):
            yield Finding(
                where(lesson),
                place,
                "students would see no check in this test",
                f"Put at least one check above {BEGIN_HIDDEN}",
            )
        if hidden and not hidden[0].startswith("check.hidden()"):
            yield Finding(
                where(lesson),
                place,
                "the hidden part would show its values in messages",
                f"Make check.hidden() the first line below {BEGIN_HIDDEN}",
            )


def bank_is_complete(lesson: Lesson) -> Iterator[Finding]:
    """Every autograded exercise has another right answer and enough wrong ones."""
    bank = relative(lesson.chapter.bank, lesson.chapter.root)
    answers = all_answers(lesson)
    for exercise in dict.fromkeys(i.exercise for i in lesson.items if i.kind == "test"):
        right = sum(answer.right for answer in answers.get(exercise, ()))
        wrong = sum(not answer.right for answer in answers.get(exercise, ()))
        if right < MINIMUM_RIGHT:
            yield Finding(
                bank, exercise, "no other right answer", "Add '## right: …' with its code"
            )
        if wrong < MINIMUM_WRONG:
            problem = f"{wrong} wrong answers, fewer than {MINIMUM_WRONG}"
            yield Finding(bank, exercise, problem, "Add '## wrong: …' with hint and code")


# ---------------------------------------------------------------- what runs


def answers_score_as_stated(lesson: Lesson, trials: Iterable[Trial]) -> Iterator[Finding]:
    """Right answers earn full marks; wrong ones what the bank says, and show their hint."""
    for trial in trials:
        answer = trial.answer
        full = sum(item.points for item in lesson.items_of(answer.exercise))
        earned, failed = trial.points(lesson), squash(trial.messages)
        problem = remedy = ""
        if answer.right and failed:
            problem = (
                f"the right answer {answer.title!r} earns {earned:g} of {full:g} points: {failed}"
            )
            remedy = "Mend the answer or the test"
        elif not answer.right and not failed:
            problem = f"the wrong answer {answer.title!r} passes every test"
            remedy = "Make a hidden test reject it"
        elif not answer.right and squash(answer.hint) not in failed:
            problem = (
                f"the wrong answer {answer.title!r} fails without its hint {answer.hint!r}; "
                f"it shows: {failed}"
            )
            remedy = "Add the mistake to the test's mistakes= or mend the hint"
        elif not answer.right and earned != answer.points:
            problem = (
                f"the wrong answer {answer.title!r} earns {earned:g} points, "
                f"the bank says {answer.points:g}"
            )
            remedy = f"Write 'points: {earned:g}' or make another test reject it"
        if problem:
            yield Finding(answer.place, answer.exercise, problem, remedy)


def is_handed_on(code: str, imported: Mapping[str, str]) -> bool:
    """Tell whether an answer leaves its question to a function of the course."""
    return any(handed_on_to(name, lambda _: code, {}, imported) for name in bound_names(code))


def comparisons_ask_enough(lesson: Lesson, trials: Iterable[Trial]) -> Iterator[Finding]:
    """Comparisons with the solution reach all of it, and tell every wrong answer from it."""
    imported: dict[str, str] = {}
    for cell in lesson.notebook.cells:
        imported |= imported_functions(cell.source) if cell.cell_type == "code" else {}
    for trial in trials:
        answer = trial.answer
        for problem in trial.survey.problems() if trial.survey else ():
            remedy = "Widen what the comparison draws (check.compare)"
            yield Finding(where(lesson), answer.exercise, problem, remedy)
        if answer.right or not trial.compared or trial.differs:
            continue
        if not is_handed_on(answer.code, imported):
            yield Finding(
                answer.place,
                answer.exercise,
                f"the wrong answer {answer.title!r} equals the solution in all drawn inputs",
                "Widen what the comparison draws (check.compare)",
            )


def answers_are_in_order(lesson: Lesson, trials: Sequence[Trial]) -> Iterator[Finding]:
    """Everything that the trials of a chapter's answers show."""
    yield from answers_score_as_stated(lesson, trials)
    yield from comparisons_ask_enough(lesson, trials)


def told_in_numbers(trials: Sequence[Trial], tallies: Sequence[Tally]) -> str:
    """Return what the tests of a chapter ask, in one line."""
    surveys = [trial.survey for trial in trials if trial.survey and trial.survey.functions]
    asked = sum(len(survey.functions) for survey in surveys)
    compared = sum(len(survey.compared) for survey in surveys)
    reached, wanted = (
        sum(part) for part in zip((0, 0), *(s.branches for s in surveys), strict=True)
    )
    right = sum(trial.answer.right for trial in trials if not trial.survey)
    wrong = sum(not trial.answer.right for trial in trials)
    rejected, tried = sum(t.rejected for t in tallies), sum(t.tried for t in tallies)
    return (
        f"{compared} of {counted(asked, 'function')} compared with the solution, "
        f"{reached} of {wanted} outcomes of its branches reached; "
        f"{rejected} of {counted(tried, 'mutant')} rejected; "
        f"bank: {right} right, {wrong} wrong"
    )


def squash(text: str) -> str:
    """Return a text with every run of white space made one blank."""
    return " ".join(text.replace("\u202f", " ").split())


def run_untouched(lesson: Lesson, environment: Mapping[str, str]) -> NotebookNode:
    """Return the student notebook as it is after running every cell."""
    notebook = nbformat.read(lesson.chapter.student_notebook, as_version=4)
    with start_session(timeout=60, environment=environment) as session:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                session.run(cell)
    return notebook


def untouched_notebook_runs(lesson: Lesson, notebook: NotebookNode) -> Iterator[Finding]:
    """In the student notebook every error comes from a stub or a graded cell, and nothing scores."""
    file = relative(lesson.chapter.student_notebook, lesson.chapter.root)
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        error = error_of(cell.outputs)
        place = f"cell {number + 1}" + (f", {grade_id(cell)}" if grade_id(cell) else "")
        if is_test(cell):
            if error is None:
                yield Finding(
                    file, place, "this test passes without an answer", "Make it fail closed"
                )
            elif error.ename != "CheckFailed":
                yield Finding(
                    file,
                    place,
                    f"an unanswered exercise shows {error.ename}: {error.evalue}",
                    "Make the check say it in a sentence",
                )
        elif error is not None and not (is_answer(cell) and error.ename == "NotImplementedError"):
            yield Finding(
                file,
                place,
                f"the untouched notebook stops here with {error.ename}: {error.evalue}",
                "Later cells must not depend on a learner's answer",
            )


# ---------------------------------------------------------------- what is released


def files_are_current(course: Course, files: dict[Path, bytes]) -> Iterator[Finding]:
    """Every generated file is what the build makes from its text."""
    root = course.project.root
    for path, content in files.items():
        if not path.exists():
            yield Finding(
                relative(path, root), "", "the generated file is missing", "Run: make build"
            )
        elif not same_content(path.read_bytes(), content):
            place = first_difference(path.read_bytes(), content)
            yield Finding(
                relative(path, root),
                place,
                "the file is not what the build makes from its text",
                "Run: make build",
            )
    made = {path.resolve() for path in files}
    for path in sorted((root / "course").rglob("*")):
        known = path.name.startswith(".") or ".ipynb_checkpoints" in path.parts or path.is_dir()
        if not known and path.resolve() not in made:
            yield Finding(
                relative(path, root),
                "",
                "the build does not make this file",
                "Remove it; course/ is generated",
            )


def same_content(old: bytes, new: bytes) -> bool:
    """Tell whether two files are the same to the byte, pictures of notebooks apart.

    Another system may draw a picture one pixel differently; its description is compared.
    """
    return old == new or without_picture_data(old) == without_picture_data(new)


def without_picture_data(content: bytes) -> bytes:
    """Return a notebook's bytes with every picture taken out; other files as they are."""
    return re.sub(rb'"image/(png|jpeg)": "[^"]*"', b'"image"', content)


def first_difference(old: bytes, new: bytes) -> str:
    """Name the first cell in which two notebooks differ."""
    try:
        cells = [json.loads(content)["cells"] for content in (old, new)]
    except (ValueError, KeyError, TypeError):
        return ""
    for number, (one, other) in enumerate(zip(*cells, strict=False)):
        if one != other:
            return f"cell {number + 1}"
    return f"cell {min(map(len, cells)) + 1}"


def nothing_leaks(lesson: Lesson) -> Iterator[Finding]:
    """No solution, hidden test, mark scheme, machine path or time stamp reaches course/."""
    path = lesson.chapter.student_notebook
    if not path.exists():
        return
    file = relative(path, lesson.chapter.root)
    secrets = secret_lines(lesson)
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(notebook.cells):
        place = f"cell {number + 1}" + (f", {grade_id(cell)}" if grade_id(cell) else "")
        for marker in SECRET_WORDS:
            if marker in cell.source:
                yield Finding(file, place, f"it still holds {marker!r}", "Run: make build")
        for line in map(str.strip, cell.source.splitlines()):
            if line in secrets.get(grade_id(cell), ()):
                yield Finding(
                    file, place, f"it shows a line of the solution: {line!r}", "Run: make build"
                )
        text = json.dumps(dict(cell.metadata)) + cell.source
        if match := MACHINE_PATH.search(text):
            yield Finding(
                file, place, f"it names a path of a machine: {match[0]}", "Use a relative path"
            )
        if match := TIME_STAMP.search(text):
            yield Finding(
                file, place, f"it holds a time stamp: {match[0]}", "Remove it from the text"
            )
        if cell.get("outputs"):
            yield Finding(file, place, "it holds outputs", "Run: make build")


def stripped(source: str, part: str) -> list[str]:
    """Return the lines inside a marked part of a cell without blanks around them."""
    return [line.strip() for line in numbered(source, part).values() if line.strip()]


def secret_lines(lesson: Lesson) -> dict[str, set[str]]:
    """Return, for each graded cell, the lines that students must not see there."""
    secrets: dict[str, set[str]] = {}
    for cell in lesson.notebook.cells:
        name = grade_id(cell)
        if is_answer(cell) and cell.cell_type == "markdown":
            secrets[name] = {line.strip() for line in cell.source.splitlines() if line.strip()}
        elif is_answer(cell):
            shown = set(stripped(cell.source, VISIBLE))
            shown |= {line.removeprefix("# ") for line in stripped(cell.source, STUB)}
            secrets[name] = set(stripped(cell.source, SOLUTION)) - shown
        elif is_test(cell):
            hidden = set(stripped(cell.source, HIDDEN))
            secrets[name] = hidden - set(stripped(cell.source, VISIBLE))
    return secrets


def figures_are_described(lesson: Lesson) -> Iterator[Finding]:
    """Every picture in the executed notebook carries a description in words."""
    path = lesson.chapter.solution_notebook
    if not path.exists():
        return
    file = relative(path, lesson.chapter.root)
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if not any(kind.startswith("image/") for kind in data):
                continue
            description = "".join(data.get("text/plain", ""))
            if description.startswith("<") or len(description.split()) < SHORTEST_DESCRIPTION:
                yield Finding(
                    file,
                    f"cell {number + 1}",
                    f"the picture has no description (its text is {description[:60]!r})",
                    "Show it with describe(figure, '20 to 50 words with the number that matters')",
                )


def pictures_in_markdown_have_words(lesson: Lesson) -> Iterator[Finding]:
    """Every embedded image has alternative text."""
    for cell in lesson.notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(", cell.source):
            yield Finding(
                where(lesson),
                text_place(lesson, cell),
                "an image has no alternative text",
                "Write it between the brackets: ![words](file)",
            )


# ---------------------------------------------------------------- all together

TEXT_CHECKS: tuple[Callable[[Lesson], Iterable[Finding]], ...] = (
    headings_in_order,
    bold_is_for_terms,
    pictures_in_markdown_have_words,
    objectives_are_graded,
    cells_are_short,
    tests_name_themselves,
    bank_is_complete,
    nothing_leaks,
    figures_are_described,
)

REVIEW_CHECKS = (
    *(look for look in TEXT_CHECKS if look is not objectives_are_graded),
    review_is_mixed,
)
PAGE_CHECKS = (
    headings_in_order,
    bold_is_for_terms,
    pictures_in_markdown_have_words,
    cells_are_short,
    nothing_leaks,
)
CHECKS_OF: Mapping[type[Chapter], tuple[Callable[[Lesson], Iterable[Finding]], ...]] = {
    Review: REVIEW_CHECKS,
    Page: PAGE_CHECKS,
}


def text_is_in_order(lesson: Lesson) -> Iterator[Finding]:
    """Everything about a text, and what was made from it, that can be told without running it."""
    for look in CHECKS_OF.get(type(lesson.chapter), TEXT_CHECKS):
        yield from look(lesson)


def course_is_in_order(course: Course) -> Iterator[Finding]:
    """Everything that concerns all chapters together."""
    yield from terms_are_explained(course)
    yield from formulas_are_listed(course)


def read_all(project: Project, chapters: Sequence[Chapter]) -> tuple[Course | None, list[Finding]]:
    """Read every text; what cannot be read becomes a finding and the rest is still checked."""
    findings: list[Finding] = []
    try:
        glossary = read_glossary(project.glossary_text)
    except ClassroomError as error:
        return None, [as_finding(error)]
    lessons: dict[str, Lesson] = {}
    extras: dict[str, Lesson] = {}
    numbered = project.chapters()
    for chapter in project.texts():
        try:
            if chapter in numbered:
                lessons[chapter.name] = read_lesson(project, chapter, glossary)
            else:
                extras[chapter.name] = read_lesson(
                    project, chapter, glossary, {**lessons, **extras}
                )
        except ClassroomError as error:
            if chapter in chapters:
                findings.append(as_finding(error))
    return Course(project, glossary, lessons, extras), findings


def as_finding(error: ClassroomError) -> Finding:
    """Turn a sentence about a text into a finding."""
    match = re.match(
        r"(?P<file>[^\s:]+\.(?:md|yml))(?::(?P<line>\d+))?:? (?P<rest>.*)", str(error), re.DOTALL
    )
    if match is None:
        return Finding("course", "", str(error), "Mend it and check again")
    place = f"line {match['line']}" if match["line"] else ""
    return Finding(match["file"], place, match["rest"].rstrip("."), "Mend it and check again")


def check(
    project: Project, chapters: Sequence[Chapter], *, say: Callable[[str], None] = print
) -> list[Finding]:
    """Check chapters and return every finding, not only the first."""
    course, findings = read_all(project, chapters)
    if course is None:
        return findings
    files: dict[Path, bytes] = {}
    complete = len(course.all) == len(project.texts())
    for chapter in chapters:
        if chapter.name not in course.all:
            continue
        lesson = course.lesson(chapter)
        before, trials, tallies = len(findings), list[Trial](), list[Tally]()
        try:
            files |= render(course, lesson)
            findings += text_is_in_order(lesson)
            with lesson_environment(course) as environment:
                trials = list(try_answers(lesson, all_answers(lesson), environment))
                findings += answers_are_in_order(lesson, trials)
                tallies = list(tally_chapter(lesson, environment))
                if chapter.student_notebook.exists():
                    findings += untouched_notebook_runs(lesson, run_untouched(lesson, environment))
        except ClassroomError as error:
            findings.append(as_finding(error))
        found = len(findings) - before
        asked = f"; {told_in_numbers(trials, tallies)}" if trials else ""
        say(f"{chapter.name}: {'no findings' if not found else f'{found} findings'}{asked}")
    if complete and len(chapters) == len(project.texts()):
        findings += files_are_current(course, {**files, **shared_files(course, files)})
        findings += course_is_in_order(course)
    else:
        made = {path: content for path, content in files.items() if path.suffix == ".ipynb"}
        findings += stale(course, made)
    return findings


def stale(course: Course, files: dict[Path, bytes]) -> Iterator[Finding]:
    """Yield the findings of `files_are_current` that concern only `files`."""
    names = {relative(path, course.project.root) for path in files}
    yield from (f for f in files_are_current(course, files) if f.file in names)

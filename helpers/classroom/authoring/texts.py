"""From a chapter's text to an unexecuted instructor notebook.

A chapter is one MyST Markdown text. Authors use a short notation; this module turns it into
nbgrader's cell metadata, expands the placeholders, and gives every cell a stable id:

===============================  ====================================================================
`:answer: ch01_a`                a code cell that students complete
`:test: ch01_a_value`            a test; with `:points:`, `:objectives:` and, for some, `:safety:`
`:locked: true`                  a cell that students cannot change
`+++ {"answer": …, "points": …}` a Markdown answer, marked by hand
`{header}`                       title, promise, minutes, points, links
`{objectives}`, `{recap}`        the objectives; their answers, with the exercises that practise them
`{quiz:check}`                   the questions of that group in quiz.yml
`{points:ch01_a}`                the points of an exercise, in words; says which are safety items
`{term:margin}`, `{see:margin}`  a link into the glossary, bold where the term is explained
`{in:01_basics|Predict}`         a link to a chapter, or to the section that begins with these words
`{origins}`                      in a review: where each question comes from
`{{ price:,.2f }}`               a number computed by the notebook (left for the execution step)
===============================  ====================================================================
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode

from classroom.authoring.glossary import Glossary, Place
from classroom.authoring.reference import with_solution
from classroom.authoring.sources import complaint, read_text, read_yaml
from classroom.authoring.typography import with_units
from classroom.errors import ClassroomError
from classroom.grading.repair import bound_names
from classroom.markers import BEGIN_HIDDEN, MarkerError, student_source
from classroom.project import Chapter, Page, Project, Review, relative
from leverage.lessons.own_work import handed_on_to, imported_functions
from leverage.lessons.wording import counted, item_label

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
CELL_OPTIONS = {"answer", "course", "test", "points", "objectives", "safety", "locked", "tags"}
REVIEW_MATTER = {"number", "title", "minutes", "builds_on", "promise"}
FRONT_MATTER = REVIEW_MATTER | {"objectives", "answers"}
ITEM_ID = re.compile(r"(ch|rv)\d\d(_[a-z0-9]+)+")
PLACEHOLDER = re.compile(r"\{(quiz|points|term|see|in):([^{}|]+)(?:\|([^{}]+))?\}")
FENCE = re.compile(r"^\s*(```|~~~)")
HEADING = re.compile(r"^#{2,}\s+(.+?)\s*$", re.MULTILINE)
HEADING_OR_TERM = re.compile(
    r"^#{1,6}\s+(?P<heading>.+?)\s*$"
    r"|\[\*\*[^\]]+\*\*\]\([./]*glossary\.ipynb#cell-id=term-(?P<term>[^)]+)\)",
    re.MULTILINE,
)
DRAWS = re.compile(r"^describe\(", re.MULTILINE)
POINTS_IN_HEADING = re.compile(r"\s*\([^()]*\bpoints?\b[^()]*\)$")


@dataclass(frozen=True)
class Item:
    """Something that earns points: a test, a quiz question, or an answer marked by hand."""

    id: str
    exercise: str
    points: float
    safety: bool
    objectives: tuple[str, ...]
    kind: str
    section: str
    hidden: bool = False
    """Whether a part of its test is hidden, so that passing on the page settles nothing."""
    course: tuple[str, ...] = ()
    """Functions of the course that may answer it."""

    def as_data(self) -> dict[str, Any]:
        """Return the item as it stands in course.json (without its id)."""
        points = int(self.points) if float(self.points).is_integer() else self.points
        data = {
            "exercise": self.exercise,
            "points": points,
            "safety": self.safety,
            "objectives": list(self.objectives),
            "kind": self.kind,
            "section": self.section,
        }
        data |= {"hidden": True} if self.hidden else {}
        return data | ({"course": list(self.course)} if self.course else {})


@dataclass(frozen=True)
class Question:
    """One multiple-choice question of quiz.yml."""

    id: str
    group: str
    points: float
    objectives: tuple[str, ...]
    question: str
    options: Mapping[str, tuple[str, str]]
    answer: str

    @property
    def feedback(self) -> dict[str, str]:
        """Feedback of each option, by letter."""
        return {letter: feedback for letter, (_, feedback) in self.options.items()}


@dataclass(frozen=True)
class Lesson:
    """A chapter's text, read: its notebook, its items, and where each cell came from."""

    chapter: Chapter
    title: str
    minutes: int
    promise: str
    builds_on: tuple[str, ...]
    objectives: Mapping[str, str]
    notebook: NotebookNode
    items: tuple[Item, ...]
    questions: tuple[Question, ...]
    terms: Mapping[str, Place]
    """Where each term is explained, by the term's id."""
    headings: Mapping[str, str] = field(default_factory=dict)
    """The cell with the last heading above each graded cell, by the cell's grade_id."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """First line of each cell in the chapter's text, by cell id."""

    @property
    def label(self) -> str:
        """Number and title, as links name the chapter or review."""
        review = "Review " if isinstance(self.chapter, Review) else ""
        return f"{review}{self.chapter.number}. {self.title}"

    @property
    def points(self) -> float:
        """All points of the chapter, those marked by hand included."""
        return sum(item.points for item in self.items)

    def items_of(self, exercise: str) -> tuple[Item, ...]:
        """Return the items that belong to one exercise."""
        return tuple(item for item in self.items if item.exercise == exercise)

    def as_data(self) -> dict[str, Any]:
        """Return the chapter as it stands in course.json."""
        return {
            "number": self.chapter.number,
            "title": self.title,
            "minutes": self.minutes,
            "promise": self.promise,
            "objectives": dict(self.objectives),
            "items": {
                item.id: {**item.as_data(), "cell": self.headings.get(item.id, "")}
                for item in self.items
            },
        }


def listed(words: Sequence[str]) -> str:
    """Join words as people do: with commas, and "and" before the last.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def binder_link(repository: str, path: str) -> str:
    """Return the address that opens `path` of the repository on Binder.

    >>> binder_link("owner/name", "course/01_basics/01_basics.ipynb")
    'https://mybinder.org/v2/gh/owner/name/HEAD?urlpath=lab/tree/course/01_basics/01_basics.ipynb'
    """
    return f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath=lab/tree/{path}"


def read_quiz(chapter: Chapter) -> dict[str, tuple[Question, ...]]:
    """Read a chapter's quiz.yml, or nothing where the chapter has none."""
    if not chapter.quiz.exists():
        return {}
    where = relative(chapter.quiz, chapter.root)
    data = read_yaml(chapter.quiz, chapter.root) or {}
    if not isinstance(data, dict):
        raise ClassroomError(f"{where}: expected groups of questions (warmup:, check:) at the top")
    groups: dict[str, tuple[Question, ...]] = {}
    for group, entries in data.items():
        questions = []
        for entry in entries or ():
            try:
                options = {
                    str(letter): (str(option["text"]).strip(), str(option["feedback"]).strip())
                    for letter, option in entry["options"].items()
                }
                question = Question(
                    id=str(entry["id"]),
                    group=str(group),
                    points=float(entry.get("points", 0)),
                    objectives=split_names(entry.get("objectives", "")),
                    question=str(entry["question"]).strip(),
                    options=options,
                    answer=str(entry["answer"]),
                )
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                name = entry.get("id", "?") if isinstance(entry, dict) else "?"
                raise ClassroomError(
                    f"{where}: question {name} of {group} is incomplete ({error!r}); each needs id, "
                    "question, options (letter: {text, feedback}) and answer"
                ) from None
            if question.answer not in options or len(options) < 2:
                raise ClassroomError(
                    f"{where}: question {question.id} has the answer {question.answer!r} but the "
                    f"options {', '.join(options)}; name one of at least two options"
                )
            questions.append(question)
        groups[str(group)] = tuple(questions)
    return groups


def split_names(value: Any) -> tuple[str, ...]:
    """Split `LO1.1, LO1.2` (or a list) into names."""
    names = value if isinstance(value, list) else str(value or "").split(",")
    return tuple(str(name).strip() for name in names if str(name).strip())


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Apply `change` to the lines of a Markdown text that are not inside a code fence."""
    parts: list[str] = []
    plain: list[str] = []
    fence = ""
    for line in text.split("\n"):
        match = FENCE.match(line)
        if match and (not fence or match[1] == fence):
            if not fence:
                if plain:
                    parts.append(change("\n".join(plain)))
                    plain = []
                fence = match[1]
            else:
                fence = ""
            parts.append(line)
        elif fence:
            parts.append(line)
        else:
            plain.append(line)
    if plain:
        parts.append(change("\n".join(plain)))
    return "\n".join(parts)


class _Reader:
    """Reads one chapter's text; keeps the state that the steps share."""

    def __init__(
        self,
        project: Project,
        chapter: Chapter,
        glossary: Glossary,
        chapters: Mapping[str, Lesson],
    ) -> None:
        self.project = project
        self.chapter = chapter
        self.glossary = glossary
        self.chapters = chapters
        self.where = relative(chapter.text, chapter.root)
        self.course: dict[str, tuple[str, ...]] = {}
        self.imported: dict[str, str] = {}
        self.items: list[Item] = []
        self.answers: list[str] = []
        self.section = ""
        self.seen: dict[str, int] = {}
        self.slugs: dict[str, int] = {}
        self.heading = chapter.name.replace("_", "-")
        self.below = 0
        self.lines: dict[str, int] = {}
        self.quiz = read_quiz(chapter)

    def fail(self, line: int, message: str) -> ClassroomError:
        return ClassroomError(f"{self.where}:{line}: {message}")

    def parse(self) -> tuple[NotebookNode, list[int]]:
        """Parse the MyST text into raw cells and the line of each."""
        from jupytext.myst import MystMetadataParsingError, myst_to_notebook

        if not self.chapter.text.exists():
            raise ClassroomError(
                f"{self.where} does not exist; a chapter needs its text beside its folder's name"
            )
        text = read_text(self.chapter.text, self.chapter.root)
        if not re.match(r"---\s*\n", text):
            raise ClassroomError(
                f"{self.where}:1: the text must open with its front matter between two lines '---' "
                "(kernelspec: and course:)"
            )
        fence = unclosed_fence(text)
        if fence:
            raise self.fail(fence, "this code fence is never closed; add the closing ``` line")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                notebook = myst_to_notebook(text, add_source_map=True)
        except (MystMetadataParsingError, yaml.YAMLError) as error:
            raise ClassroomError(
                f"{self.where}: a cell's options cannot be read ({' '.join(str(error).split())}); "
                "write them as ':name: value' lines, or as JSON after '+++'"
            ) from None
        lines = [line + 1 for line in notebook.metadata.pop("source_map")]
        return notebook, lines

    def front_matter(self, notebook: NotebookNode) -> dict[str, Any]:
        """Check and return the `course:` part of the front matter."""
        if isinstance(self.chapter, Page):
            return {"title": self.chapter.name, "minutes": 0, "promise": "", "objectives": {}}
        course = notebook.metadata.get("course")
        if not isinstance(course, dict):
            raise self.fail(1, "the front matter has no 'course:' part")
        review = isinstance(self.chapter, Review)
        fields = REVIEW_MATTER if review else FRONT_MATTER
        wrong = complaint(course, fields, fields)
        if wrong:
            raise self.fail(1, f"the front matter's 'course:' part {wrong}")
        if course["number"] != self.chapter.number:
            raise self.fail(
                1, f"course.number is {course['number']} but the folder is {self.chapter.name}"
            )
        if review:
            return {**course, "objectives": self.objectives_reviewed(course)}
        if not isinstance(course["objectives"], dict) or not course["objectives"]:
            raise self.fail(1, "course.objectives must list at least one 'LOn.m: sentence'")
        answers = course["answers"]
        if not isinstance(answers, dict) or set(answers) != set(course["objectives"]):
            raise self.fail(
                1,
                "course.answers must answer each objective in one line; the objectives are "
                + ", ".join(course["objectives"]),
            )
        return dict(course)

    def objectives_reviewed(self, course: dict[str, Any]) -> dict[str, str]:
        """Return the objectives of the chapters that a review builds on."""
        objectives: dict[str, str] = {}
        for name in course["builds_on"] or ():
            objectives.update(self.lesson(name, 1).objectives)
        return objectives

    def lesson(self, name: str, line: int) -> Lesson:
        """Return a chapter that was read before this text."""
        if name not in self.chapters:
            known = ", ".join(self.chapters) or "none: only reviews and pages lead to chapters"
            raise self.fail(line, f"there is no chapter {name!r} to lead to; there are {known}")
        return self.chapters[name]

    def link(self, name: str, section: str | None, line: int) -> str:
        """Return a link to a chapter, or to its section that begins with some words."""
        lesson = self.lesson(name, line)
        path = f"{self.chapter.up}{name}/{name}.ipynb"
        if section is None:
            return f"[{lesson.label}]({path})"
        known = headings(lesson.notebook.cells)
        found = [(text, cell) for text, cell in known if text.startswith(section)]
        if not found:
            raise self.fail(
                line,
                f"{name} has no section that begins with {section!r}; it has "
                + ", ".join(repr(text) for text, _ in known),
            )
        text, cell = found[0]
        return f"[{lesson.label}, *{text}*]({path}#cell-id={cell})"

    def cell_id(self, cell: NotebookNode) -> str:
        """Return a graded cell's own id, or one made of the heading above and a number.

        A heading's cell is `sizing`, the second ungraded cell below it `sizing_2`: what a cell
        says may be mended without any link to it breaking.
        """
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade_id"):
            return str(meta["grade_id"]).replace("_", "-")
        if cell.cell_type == "markdown" and (found := HEADING.search(without_fences(cell.source))):
            base = slug(found[1])
            times = self.slugs[base] = self.slugs.get(base, 0) + 1
            self.heading, self.below = base if times == 1 else f"{base}__{times}", 0
            return self.heading
        self.below += 1
        name = f"{self.heading}_{self.below}"
        if meta:
            meta["grade_id"] = f"{self.chapter.prefix}_given_{name.replace('-', '_')}"
        return name

    def claim(self, name: str, line: int) -> str:
        """Check an item's id and that it is used once."""
        prefix = self.chapter.prefix
        if not ITEM_ID.fullmatch(name) or not name.startswith(f"{prefix}_"):
            raise self.fail(
                line,
                f"the id {name!r} must look like {prefix}_a or {prefix}_a_value "
                "(lower case, this chapter's number)",
            )
        if name in self.seen:
            raise self.fail(
                line, f"the id {name!r} is already used at line {self.seen[name]}; ids are unique"
            )
        self.seen[name] = line
        return name

    def objectives_of(
        self, names: tuple[str, ...], course: dict[str, Any], line: int
    ) -> tuple[str, ...]:
        unknown = [name for name in names if name not in course["objectives"]]
        if unknown:
            raise self.fail(
                line,
                f"unknown objective {', '.join(unknown)}; the chapter has "
                + ", ".join(course["objectives"]),
            )
        return names

    def expand(
        self, cell: NotebookNode, line: int, course: dict[str, Any]
    ) -> Iterator[NotebookNode]:
        """Turn one raw cell into the notebook's cells."""
        options = dict(cell.metadata)
        cell.metadata = NotebookNode()
        unknown = sorted(set(options) - CELL_OPTIONS)
        if unknown:
            raise self.fail(
                line,
                f"unknown cell option {', '.join(unknown)}; known are {', '.join(sorted(CELL_OPTIONS))}",
            )
        if options.get("tags"):
            cell.metadata["tags"] = list(options["tags"])
        if cell.cell_type == "markdown":
            for heading in HEADING.findall(cell.source):
                self.section = re.sub(r"\s*\(?\{points:[^}]*\}\)?", "", heading)
        group = re.fullmatch(r"\{quiz:(\w+)\}", cell.source.strip())
        if cell.cell_type == "markdown" and group:
            yield from self.quiz_cells(group[1], line, course)
            return
        if cell.cell_type == "code":
            self.imported |= imported_functions(cell.source)
        if "answer" in options and cell.cell_type == "markdown":
            self.manual_answer(cell, options, line, course)
        elif "answer" in options:
            name = self.claim(str(options["answer"]), line)
            set_nbgrader(cell, name, solution=True)
            self.answers.append(cell.source)
            self.course[name] = self.course_functions(cell, options)
        elif "test" in options:
            self.test(cell, options, line, course)
        elif options.get("locked"):
            set_nbgrader(cell, "", locked=True)  # gets its id with its place
        if DRAWS.search(cell.source) and cell.cell_type == "code":
            fold(cell, "Figure")
        yield cell

    def points_of(self, options: Mapping[str, Any], line: int) -> float:
        points = options.get("points")
        if isinstance(points, bool) or not isinstance(points, int | float) or points < 0:
            raise self.fail(line, f"':points:' must be a number from 0 up, was {points!r}")
        return float(points)

    def manual_answer(
        self, cell: NotebookNode, options: Mapping[str, Any], line: int, course: dict[str, Any]
    ) -> None:
        name = self.claim(str(options["answer"]), line)
        points = self.points_of(options, line)
        objectives = self.objectives_of(split_names(options.get("objectives")), course, line)
        set_nbgrader(cell, name, solution=True, grade=True, points=points)
        self.items.append(
            Item(
                name, name, points, bool(options.get("safety")), objectives, "manual", self.section
            )
        )

    def course_functions(self, cell: NotebookNode, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the functions of the course that may answer an exercise.

        Those that `:course:` names, and what the chapter's own solution hands the question on to.
        """
        allowed = list(split_names(options.get("course")))
        for name in bound_names(cell.source):
            used = handed_on_to(name, lambda _: cell.source, {}, self.imported)
            allowed += [used] * bool(used)
        if allowed:
            cell.metadata["course_functions"] = list(dict.fromkeys(allowed))
        return tuple(dict.fromkeys(allowed))

    def test(
        self, cell: NotebookNode, options: Mapping[str, Any], line: int, course: dict[str, Any]
    ) -> None:
        name = self.claim(str(options["test"]), line)
        points = self.points_of(options, line)
        objectives = self.objectives_of(split_names(options.get("objectives")), course, line)
        exercise = max(
            (known for known in self.seen if known != name and name.startswith(f"{known}_")),
            key=len,
            default=None,
        )
        if exercise is None:
            raise self.fail(
                line,
                f"the test {name} has no answer cell above it; give that cell ':answer: "
                f"{name.rsplit('_', 1)[0]}'",
            )
        try:
            cell.source = with_solution(cell.source, self.answers)
        except (MarkerError, SyntaxError):
            pass  # `read_lesson` says in which line
        except ValueError as fault:
            raise self.fail(line, f"{name}: {fault}") from None
        set_nbgrader(cell, name, grade=True, locked=True, points=points)
        cell.metadata["tags"] = sorted({*cell.metadata.get("tags", []), "raises-exception"})
        self.items.append(
            Item(
                name,
                exercise,
                points,
                bool(options.get("safety")),
                objectives,
                "test",
                self.section,
                hidden=BEGIN_HIDDEN in cell.source,
                course=self.course.get(exercise, ()),
            )
        )
        fold(cell, f"Check {item_label(name)}")

    def quiz_cells(self, group: str, line: int, course: dict[str, Any]) -> Iterator[NotebookNode]:
        """Expand a group of quiz.yml: for each question its text, an answer cell and a test."""
        where = relative(self.chapter.quiz, self.chapter.root)
        if group not in self.quiz:
            raise self.fail(
                line,
                f"{{quiz:{group}}} asks for a group that {where} lacks; it has "
                f"{', '.join(self.quiz) or 'none'}",
            )
        for question in self.quiz[group]:
            name = self.claim(question.id, line)
            self.objectives_of(question.objectives, course, line)
            points = f" ({counted(question.points, 'point')})" if question.points else ""
            options = "\n".join(f"- `{key}`: {text}" for key, (text, _) in question.options.items())
            yield new_cell(
                "markdown", f"### {item_label(name)}{points}\n\n{question.question}\n\n{options}"
            )
            letters = ", ".join(f'"{letter}"' for letter in question.options)
            answer = new_cell(
                "code",
                f"# One of the letters {letters}\n"
                "### BEGIN SOLUTION\n"
                f'{name} = "{question.answer}"\n'
                "### STUDENT STUB\n"
                f"# {name} = ...\n"
                "### END SOLUTION",
            )
            set_nbgrader(answer, f"{name}_answer", solution=True)
            yield answer
            test = new_cell(
                "code", f'with exercise("{name}") as check:\n    check.option("{name}")'
            )
            test.metadata["tags"] = ["raises-exception"]
            set_nbgrader(test, name, grade=True, locked=True, points=question.points)
            fold(test, f"Check {item_label(name)}")
            yield test
            self.items.append(
                Item(name, name, question.points, False, question.objectives, "quiz", self.section)
            )

    def markdown(self, text: str, line: int) -> str:
        """Expand the placeholders of one Markdown cell."""

        def replace(match: re.Match[str]) -> str:
            kind, name, shown = match[1], match[2].strip(), match[3]
            if kind == "quiz":
                raise self.fail(line, "{quiz:…} must stand alone in its Markdown cell")
            if kind == "points":
                items = [item for item in self.items if item.exercise == name]
                if not items:
                    raise self.fail(line, f"{{points:{name}}}: there is no exercise {name}")
                safety = ", safety" if any(item.safety for item in items) else ""
                return counted(sum(item.points for item in items), "point") + safety
            if kind == "in":
                return self.link(name, shown, line)
            if name not in self.glossary.entries:
                raise self.fail(
                    line,
                    f"{{{kind}:{name}}}: solutions/glossary.yml has no entry with the id {name!r}",
                )
            entry = self.glossary.entries[name]
            words = shown or entry.term
            link = f"{self.chapter.up}glossary.ipynb#{entry.fragment}"
            return f"[**{words}**]({link})" if kind == "term" else f"[{words}]({link})"

        return outside_fences(text, lambda part: with_units(PLACEHOLDER.sub(replace, part)))

    def blocks(self, course: dict[str, Any]) -> dict[str, str]:
        """Return the generated blocks by placeholder."""
        if isinstance(self.chapter, Page):
            return {}
        if isinstance(self.chapter, Review):
            return self.review_blocks(course)
        chapters = {chapter.name: chapter for chapter in self.project.chapters()}
        builds_on = []
        for name in course["builds_on"] or ():
            if name not in chapters:
                raise self.fail(1, f"course.builds_on names {name!r}, which is no chapter")
            title = chapter_title(chapters[name])
            builds_on.append(f"[{int(name[:2])}. {title}](../{name}/{name}.ipynb)")
        total = sum(item.points for item in self.items)
        path = relative(self.chapter.student_notebook, self.chapter.root)
        facts = [f"{course['minutes']} min", counted(total, "point")]
        facts += [f"builds on {listed(builds_on)}"] if builds_on else []
        facts += ["runs offline", f"[open on Binder]({binder_link(self.project.repository, path)})"]
        header = (
            f"# {self.chapter.number}. {course['title']}\n\n{str(course['promise']).strip()}\n\n"
            + " · ".join(facts)
        )
        objectives = "\n".join(f"- *{key}* {text}" for key, text in course["objectives"].items())
        recap = []
        for key in course["objectives"]:
            practised: list[str] = []
            for item in self.items:
                if key in item.objectives and item_label(item.exercise) not in practised:
                    practised.append(item_label(item.exercise))
            answer = str(course["answers"][key]).strip()
            recap.append(
                f"- *{key}* {answer} Practised in {', '.join(practised) or 'no exercise'}."
            )
        return {"{header}": header, "{objectives}": objectives, "{recap}": "\n".join(recap)}

    def review_blocks(self, course: dict[str, Any]) -> dict[str, str]:
        """Return the generated blocks of a review by placeholder."""
        path = relative(self.chapter.student_notebook, self.chapter.root)
        asked = [item for item in self.items if item.objectives]
        names = list(course["builds_on"] or ())
        first, last = (names[0][:2], names[-1][:2]) if names else ("", "")
        facts = [
            f"{course['minutes']} min",
            "no points",
            f"mixes chapters {first} to {last}",
            "runs offline",
            f"[open on Binder]({binder_link(self.project.repository, path)})",
        ]
        header = (
            f"# Review {self.chapter.number}. {course['title']}\n\n"
            f"{str(course['promise']).strip()}\n\n" + " · ".join(facts)
        )
        rows = ["| Question | Asks you to | Look again at |", "|---|---|---|"]
        for item in asked:
            for objective in item.objectives:
                owner = next(n for n in names if objective in self.chapters[n].objectives)
                text = course["objectives"][objective]
                rows.append(
                    f"| {item_label(item.exercise)} | {text} | {self.link(owner, None, 1)} |"
                )
        return {"{header}": header, "{origins}": "\n".join(rows)}

    def read(self) -> Lesson:
        raw, lines = self.parse()
        course = self.front_matter(raw)
        expanded: list[tuple[NotebookNode, int]] = []
        for cell, line in zip(raw.cells, lines, strict=True):
            for new in self.expand(cell, line, course):
                expanded.append((new, line))
        blocks = self.blocks(course)
        cells = []
        for cell, line in expanded:
            if cell.cell_type == "markdown":
                lines_of_cell = [blocks.get(part, part) for part in cell.source.split("\n")]
                cell.source = self.markdown("\n".join(lines_of_cell), line)
            cell["id"] = self.cell_id(cell)
            if cell["id"] in self.lines:
                raise self.fail(line, f"two cells have the id {cell['id']!r}; reword the heading")
            self.lines[cell["id"]] = line
            cells.append(cell)
        notebook = nbformat.v4.new_notebook(
            cells=cells,
            metadata={
                "kernelspec": dict(raw.metadata.get("kernelspec", KERNELSPEC)),
                "language_info": {"name": "python", "pygments_lexer": "ipython3"},
            },
        )
        return Lesson(
            chapter=self.chapter,
            title=str(course["title"]),
            minutes=int(course["minutes"]),
            promise=str(course["promise"]).strip(),
            builds_on=tuple(course.get("builds_on") or ()),
            objectives={str(k): str(v) for k, v in course["objectives"].items()},
            notebook=notebook,
            items=tuple(self.items),
            questions=tuple(q for group in self.quiz.values() for q in group),
            terms=explained_terms(cells),
            headings=headings_above(cells),
            lines=self.lines,
        )


def slug(heading: str) -> str:
    """Return the first words of a heading as an id.

    >>> slug("1.A Position value (2 points, safety)"), slug("Why it matters: the 2022 *crash*")
    ('1-a-position-value', 'why-it-matters-the-2022')
    """
    words = re.findall(r"[a-z0-9]+", POINTS_IN_HEADING.sub("", heading).lower())
    return "-".join(words[:5])[:40] or "section"


def headings(cells: Sequence[NotebookNode]) -> list[tuple[str, str]]:
    """Return the headings below the title, each with the id of its cell."""
    return [
        (POINTS_IN_HEADING.sub("", text), cell["id"])
        for cell in cells
        if cell.cell_type == "markdown"
        for text in HEADING.findall(without_fences(cell.source))
    ]


def explained_terms(cells: Sequence[NotebookNode]) -> dict[str, Place]:
    """Return where each term is explained first: the place of its bold link to the glossary."""
    terms: dict[str, Place] = {}
    section = ""
    for cell in cells:
        if cell.cell_type != "markdown":
            continue
        for match in HEADING_OR_TERM.finditer(without_fences(cell.source)):
            if match["heading"]:
                section = POINTS_IN_HEADING.sub("", match["heading"])
            else:
                terms.setdefault(match["term"], Place(section, cell["id"]))
    return terms


def headings_above(cells: Sequence[NotebookNode]) -> dict[str, str]:
    """Return the id of the last cell with a heading above each graded cell, by grade_id."""
    above: dict[str, str] = {}
    heading = ""
    for cell in cells:
        if cell.cell_type == "markdown" and HEADING.search(without_fences(cell.source)):
            heading = cell["id"]
        if "nbgrader" in cell.metadata:
            above[cell.metadata["nbgrader"]["grade_id"]] = heading
    return above


def without_fences(text: str) -> str:
    """Return a Markdown text with its code fences made empty."""
    return re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)


def unclosed_fence(text: str) -> int | None:
    """Return the line of a code fence that is never closed, or None."""
    opened: tuple[str, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"^(`{3,}|~{3,})(.*)$", line)
        if not match:
            continue
        if opened is None:
            opened = (match[1], number)
        elif match[1].startswith(opened[0]) and not match[2].strip():
            opened = None
        elif match[2].startswith("{code-cell}"):
            return opened[1]
    return opened[1] if opened else None


def chapter_title(chapter: Chapter) -> str:
    """Return a chapter's title from its front matter."""
    match = re.search(r"^  title: *(.+)$", chapter.text.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1].strip().strip("\"'") if match else chapter.name


def new_cell(kind: str, source: str) -> NotebookNode:
    """Return a new cell without an id of its own."""
    make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
    return make(source)


def fold(cell: NotebookNode, title: str) -> None:
    """Let a cell show one line, its title, and its output: in JupyterLab, Notebook and pages."""
    cell.source = f"# {title}\n{cell.source}"
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["tags"] = sorted({*cell.metadata.get("tags", []), "hide-input"})


def is_folded(cell: NotebookNode) -> bool:
    """Tell whether `fold` gave a cell its first line."""
    return "source_hidden" in cell.metadata.get("jupyter", {})


def set_nbgrader(
    cell: NotebookNode,
    grade_id: str,
    *,
    solution: bool = False,
    grade: bool = False,
    locked: bool = False,
    points: float | None = None,
) -> None:
    """Give a cell nbgrader's metadata."""
    meta: dict[str, Any] = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        meta["points"] = int(points) if float(points).is_integer() else points
    if locked:
        cell.metadata["editable"] = False
        cell.metadata["deletable"] = False
    if solution or grade:
        cell.metadata["deletable"] = False
    cell.metadata["nbgrader"] = meta


def read_lesson(
    project: Project,
    chapter: Chapter,
    glossary: Glossary,
    chapters: Mapping[str, Lesson] | None = None,
) -> Lesson:
    """Read a text; a mistake in it raises a sentence with file and line.

    Reviews and pages lead to `chapters` (and reviews), which were read before.
    """
    lesson = _Reader(project, chapter, glossary, chapters or {}).read()
    where = relative(chapter.text, chapter.root)
    for cell in lesson.notebook.cells:
        line = lesson.lines[cell["id"]]
        try:
            shown = student_source(cell.source)
        except MarkerError as error:
            marked = cell.source.split("\n")[error.line - 1]
            below = chapter.text.read_text(encoding="utf-8").split("\n")[line - 1 :]
            line += below.index(marked) if marked in below else 0
            raise ClassroomError(f"{where}:{line}: {error}") from None
        if cell.cell_type != "code":
            continue
        try:
            for source in dict.fromkeys((cell.source, shown)):
                if not source.lstrip().startswith(("%", "!")):
                    ast.parse(source)
        except SyntaxError as error:
            raise ClassroomError(
                f"{where}:{line + (error.lineno or 1) - is_folded(cell)}: the code does not parse ({error.msg}); "
                "mend the cell (its solution and its student stub must both parse)"
            ) from None
    return lesson

"""The third target of the build: a book to read, beside student and instructor notebooks.

A page of the book is the student notebook with the outputs of its given cells. So nothing of a
solution or a hidden test can be in it: outputs come from the instructor notebook, and only those
of cells that learners are given. Checks are left out, since nobody can run them in a book.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from classroom.authoring.build import (
    Course,
    build,
    execute,
    fingerprint,
    notebook_bytes,
    read_course,
    write_files,
)
from classroom.authoring.lite import make_lab
from classroom.authoring.texts import Lesson, binder_link
from classroom.authoring.trial import is_answer, is_test
from classroom.errors import ClassroomError
from classroom.project import Page, Project, relative
from leverage._extras import needs
from leverage.lessons import LeverageExplorer

LINK = re.compile(r"(?P<open>\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<goal>[^()\s]+)\)")
FENCE = re.compile(r"(?P<code>```.*?```|`[^`\n]*`)", re.DOTALL)
FIGURE = re.compile(
    r"^(describe\(|# Figure$|\w*(Explorer|Map|Comparer|Terminal|Bench|Replay)\()", re.M
)
# Cells that read the learner's own record, which a book has not.
OWN_RECORD = re.compile(r"^(show_progress|revisit|draw)\(", re.M)
EMPTY_ANSWER = '<div class="empty-answer" role="note">Your answer goes here, in the notebook.</div>'


@dataclass(frozen=True)
class Site:
    """Where the parts of the published site are, seen from its front page."""

    repository: str
    """Owner and name on GitHub."""

    @property
    def address(self) -> str:
        """Where GitHub Pages publishes it."""
        owner, name = self.repository.split("/")
        own = f"{owner}.github.io".lower()
        return f"https://{own}/" if name.lower() == own else f"https://{own}/{name}/"


def site_of(project: Project) -> Site:
    """Return the site of the repository that publishes it: of a fork, where a fork's runner does."""
    return Site(os.environ.get("GITHUB_REPOSITORY") or project.repository)


def anchor(name: str, cell_id: str) -> str:
    """Return the anchor of a cell, one of its kind in the whole book.

    >>> anchor("01_basics", "explore"), anchor("glossary", "term-margin")
    ('01-basics-explore', 'term-margin')
    """
    if name == "glossary":
        return cell_id
    return f"{name.replace('_', '-')}-{cell_id}"


@dataclass(frozen=True)
class PageSource:
    """A notebook that becomes a page: what learners get, and the outputs of given cells by id."""

    name: str
    notebook: NotebookNode
    outputs: Mapping[str, list[NotebookNode]]
    where: Callable[[str], str]
    """File and line of the text that made a cell."""


def links_to(text: str) -> Iterator[str]:
    """Give the goals of all Markdown links outside code."""
    for number, part in enumerate(FENCE.split(text)):
        if number % 2 == 0:
            yield from (found["goal"] for found in LINK.finditer(part))


class Pages:
    """All pages of the book together, so that each link is held against what there is."""

    def __init__(self, project: Project, sources: Mapping[str, PageSource]) -> None:
        self.project = project
        self.sources = sources
        self.cells = {
            name: {cell["id"] for cell in source.notebook.cells} for name, source in sources.items()
        }
        self.wanted = {
            goal
            for source in sources.values()
            for cell in source.notebook.cells
            if cell.cell_type == "markdown"
            for link in links_to(cell.source)
            for goal in [self.goal(link, source.name)]
            if goal is not None
        }

    def goal(self, link: str, name: str) -> tuple[str, str] | None:
        """Return the page and the cell that a link leads to; None if it leads out of the book."""
        path, _, fragment = link.partition("#")
        page = Path(path).stem if path.endswith(".ipynb") else ("" if path else name)
        if not page:
            return None
        return page, fragment.removeprefix("cell-id=")

    def link(self, link: str, source: PageSource, place: str) -> str:
        """Return a link of a notebook as it is in the book; raise for one that leads nowhere."""
        if re.match(r"[a-z]+:", link):
            return link
        goal = self.goal(link, source.name)
        if goal is None:
            found = self.project.root / "course" / Path(link).name
            if not found.is_file():
                raise ClassroomError(f"{place}: the link {link} leads to no file; mend it")
            return found.name
        page, cell = goal
        if page not in self.sources or (cell and cell not in self.cells[page]):
            raise ClassroomError(f"{place}: the link {link} leads nowhere; mend it")
        return f"#{anchor(page, cell)}" if cell else f"{page}.ipynb"

    def markdown(self, cell: NotebookNode, source: PageSource) -> str:
        """Return the text of a Markdown cell with the links and anchors of the book."""
        place = source.where(cell["id"])

        def replaced(found: re.Match[str]) -> str:
            return f"{found['open']}({self.link(found['goal'], source, place)})"

        parts = FENCE.split(cell.source)
        text = "".join(p if k % 2 else LINK.sub(replaced, p) for k, p in enumerate(parts))
        if (source.name, cell["id"]) in self.wanted:
            return f"({anchor(source.name, cell['id'])})=\n{text}"
        return text

    def page(self, source: PageSource, doors: str) -> NotebookNode:
        """Return the notebook that Sphinx reads: a page of the book."""
        cells: list[NotebookNode] = []
        for cell in source.notebook.cells:
            if is_test(cell):
                continue
            if cell.cell_type == "markdown":
                text = EMPTY_ANSWER if is_answer(cell) else self.markdown(cell, source)
                cells.append(nbformat.v4.new_markdown_cell(text, id=cell["id"]))
                continue
            if (source.name, cell["id"]) in self.wanted:
                label = f"({anchor(source.name, cell['id'])})="
                cells.append(nbformat.v4.new_markdown_cell(label, id=f"{cell['id']}-anchor"))
            cells.append(self.code(cell, source))
        first = cells[0]
        head, _, rest = first.source.partition("\n")
        while not head.startswith("# "):  # an anchor may stand above the title
            more, _, rest = rest.partition("\n")
            head = f"{head}\n{more}"
        first.source = f"{head}\n\n{doors}\n{rest}"
        kernel = source.notebook.metadata.kernelspec
        return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})

    def code(self, cell: NotebookNode, source: PageSource) -> NotebookNode:
        """Return a code cell with its outputs, if it was given; figures must be there."""
        made = nbformat.v4.new_code_cell(cell.source, id=cell["id"])
        if is_answer(cell) or OWN_RECORD.search(cell.source):
            made.metadata.tags = ["answer"] * is_answer(cell)
            return made
        place = source.where(cell["id"])
        outputs = source.outputs.get(cell["id"], [])
        for output in outputs:
            if output.output_type == "error":
                raise ClassroomError(
                    f"{place}: the cell fails with {output.ename}: {output.evalue}; mend it and "
                    "build again"
                )
        alts = [
            output.metadata.get("image/png", {}).get("alt", "")
            for output in outputs
            if "image/png" in output.get("data", {})
        ]
        if FIGURE.search(cell.source) and not alts and outputs:
            raise ClassroomError(f"{place}: the cell should draw a figure, and its output has none")
        if alts:
            made.metadata.mystnb = {"image": {"alt": " ".join(alts)}}
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden")
        made.metadata.tags = ["hide-input"] if hidden else []
        made.outputs = [as_shown(output) for output in outputs]
        return made


def as_shown(output: NotebookNode) -> NotebookNode:
    """Return an output with its own text left out where a picture or a table says it."""
    shown = nbformat.from_dict(output)
    data = shown.get("data", {})
    if len(data) > 1:
        data.pop("text/plain", None)
    return shown


def doors(site: Site, path: str) -> str:
    """Return the ways to work with a page: in the browser, on Binder, on a computer."""
    ways = {
        "Run in the browser": f"lab/lab/index.html?path={path.removeprefix('course/')}",
        "Binder": binder_link(site.repository, path),
        "Download": path,
    }
    links = "\n".join(
        f'<a class="door" href="{href}"{" download" * (name == "Download")}>{name}</a>'
        for name, href in ways.items()
    )
    return f'<nav class="doors" aria-label="Work with this page">\n{links}\n</nav>\n'


def lesson_place(lesson: Lesson) -> Callable[[str], str]:
    """Return what names the line of a lesson's text that made a cell."""
    text = relative(lesson.chapter.text, lesson.chapter.root)
    return lambda cell_id: f"{text}:{lesson.lines.get(cell_id, 1)}"


def made_place(path: Path, project: Project) -> Callable[[str], str]:
    """Return what names the cell of a generated page, which has a source without lines."""
    return lambda cell_id: f"{relative(path, project.root)}, {cell_id}"


def read(path: Path) -> NotebookNode:
    """Read a notebook of the course."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise ClassroomError(f"{path.name} is not built; run: make build") from None


def in_step(lesson: Lesson) -> bool:
    """Tell whether a lesson's instructor notebook holds the code that its text has now."""
    path = lesson.chapter.solution_notebook
    if not (path.exists() and lesson.chapter.student_notebook.exists()):
        return False

    def code(notebook: NotebookNode) -> list[tuple[str, str]]:
        return [(c["id"], c.source) for c in notebook.cells if c.cell_type == "code"]

    return code(read(path)) == code(lesson.notebook)


def executed_page(course: Course, lesson: Lesson) -> NotebookNode:
    """Run a page without exercises, whose outputs are not committed; a run is kept in the cache."""
    kept = course.project.cache / "book-runs" / f"{lesson.chapter.name}.json"
    inputs = fingerprint(course, lesson)
    try:
        record = json.loads(kept.read_text(encoding="utf-8"))
        if record["inputs"] == inputs:
            return nbformat.from_dict(record["notebook"])
    except (OSError, ValueError, KeyError):
        pass
    notebook = execute(course, lesson)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"inputs": inputs, "notebook": notebook}), encoding="utf-8")
    return notebook


def lesson_source(course: Course, lesson: Lesson) -> PageSource:
    """Return a chapter, a review or a page with the outputs of its given cells."""
    chapter = lesson.chapter
    solved = (
        executed_page(course, lesson)
        if isinstance(chapter, Page)
        else read(chapter.solution_notebook)
    )
    outputs = {cell["id"]: cell.outputs for cell in solved.cells if cell.cell_type == "code"}
    return PageSource(chapter.name, read(chapter.student_notebook), outputs, lesson_place(lesson))


def book_sources(course: Course) -> dict[str, PageSource]:
    """Return every page of the book by its name."""
    project = course.project
    sources = {name: lesson_source(course, lesson) for name, lesson in course.all.items()}
    for path, text in (
        (project.glossary_notebook, project.glossary_text),
        (project.formula_sheet, project.formulas_text),
    ):
        sources[path.stem] = PageSource(path.stem, read(path), {}, made_place(text, project))
    return sources


def book_files(course: Course, folder: Path) -> dict[Path, bytes]:
    """Return the files that Sphinx reads, by path below `folder`."""
    project = course.project
    site = site_of(project)
    pages = Pages(project, book_sources(course))
    files: dict[Path, bytes] = {}
    for name, source in pages.sources.items():
        lesson = course.all.get(name)
        path = (
            lesson.chapter.student_notebook if lesson else project.root / "course" / f"{name}.ipynb"
        )
        page = pages.page(source, doors(site, relative(path, project.root)))
        files[folder / f"{name}.ipynb"] = notebook_bytes(page)
    files[folder / project.flash_cards.name] = project.flash_cards.read_bytes()
    for path in sorted((project.root / "book").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files[folder / path.relative_to(project.root / "book")] = path.read_bytes()
    files[folder / "_static" / "preview.png"] = LeverageExplorer().png()
    for name, path in (
        ("instructors", project.root / "solutions" / "INSTRUCTORS.md"),
        ("accessibility", project.root / "ACCESSIBILITY.md"),
    ):
        files[folder / f"{name}.md"] = guide(path, site).encode()
    return files


def guide(path: Path, site: Site) -> str:
    """Return a page of the repository; its links to files lead to the book or to GitHub."""
    pages = {"ACCESSIBILITY.md": "accessibility.md", "INSTRUCTORS.md": "instructors.md"}

    def replaced(found: re.Match[str]) -> str:
        goal = found["goal"]
        if re.match(r"[a-z]+:|#", goal):
            return found[0]
        name = Path(goal).name
        href = pages.get(name, f"https://github.com/{site.repository}/blob/HEAD/{goal}")
        return f"{found['open']}({href})"

    return LINK.sub(replaced, path.read_text(encoding="utf-8"))


def reference_files(folder: Path) -> dict[Path, bytes]:
    """Return the pages of the API reference: one for each public module, made from docstrings."""
    import leverage

    names = sorted(
        f"leverage.{found.name}"
        for found in pkgutil.iter_modules(leverage.__path__)
        if not found.name.startswith("_")
    )
    files = {}
    for name in names:
        module = importlib.import_module(name)
        lines = [f"# `{name}`", "", "```{eval-rst}", f".. automodule:: {name}", "   :members:"]
        # A package names in __all__ what it offers from its modules; what belongs to another
        # package is shown there.
        offered = getattr(module, "__all__", ())
        homes = {x: getattr(getattr(module, x), "__module__", name) for x in offered}
        others = sorted(x for x, home in homes.items() if not f"{home}.".startswith(f"{name}."))
        lines += ["   :imported-members:"] * bool(offered)
        lines += [f"   :exclude-members: {', '.join(others)}"] * bool(others) + ["```", ""]
        files[folder / f"{name}.md"] = "\n".join(lines).encode()
    listed = "\n".join(names)
    files[folder / "index.md"] = (
        "# The functions\n\nMade from the docstrings: what a function takes and gives, its formula, "
        "where that comes from, and an example.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    ).encode()
    return files


def make_site(project: Project, target: Path) -> None:
    """Build the book in `target`; whatever is not in order ends in `ClassroomError`.

    A text whose notebook is not in step with it is built first, so that a chapter that does not
    execute is named with its line.
    """
    try:
        needs("site", "sphinx", "myst_nb", "latex2mathml", "jupyterlite_core")
    except ModuleNotFoundError as error:
        raise ClassroomError(str(error)) from None
    course = read_course(project)
    late = [lesson.chapter for lesson in course.all.values() if not in_step(lesson)]
    if late:
        build(project, late)
        course = read_course(project)
    folder = project.cache / "book"
    files = book_files(course, folder) | reference_files(folder / "reference")
    for path in [p for p in folder.rglob("*") if p.is_file() and p not in files]:
        path.unlink()
    write_files(files, project.root)
    made = project.cache / "book-made" / "html"
    known = {made / p.relative_to(folder).with_suffix(".html") for p in files}
    known |= {made / "genindex.html", made / "search.html"}
    for path in [p for p in made.rglob("*.html") if p not in known]:
        path.unlink()  # a page of an earlier build
    run_sphinx(project, folder, made)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(made, target, ignore=shutil.ignore_patterns(".buildinfo", "_sources"))
    shutil.copytree(project.root / "course", target / "course")
    make_lab(project, target / "lab")
    (target / "sitemap.xml").write_text(sitemap(target, site_of(project)), encoding="utf-8")


def sitemap(target: Path, site: Site) -> str:
    """Return the list of pages that search engines read.

    Made here, since an incremental build of Sphinx knows only the pages that changed.
    """
    paths = sorted(path.relative_to(target) for path in target.rglob("*.html"))
    pages = [path.as_posix() for path in paths if path.parts[0] not in {"_static", "lab"}]
    rows = "\n".join(f"<url><loc>{site.address}{name}</loc></url>" for name in pages)
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return (
        f'{head}\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}\n</urlset>\n'
    )


def run_sphinx(project: Project, folder: Path, target: Path) -> None:
    """Call Sphinx; a warning is an error, and all of them are shown."""
    site = site_of(project)
    variables = {
        "SITE_ADDRESS": site.address,
        "SITE_REPOSITORY": f"https://github.com/{site.repository}",
    }
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "2"]
    command += [
        "-b",
        "html",
        "-d",
        str(project.cache / "book-made" / "trees"),
        str(folder),
        str(target),
    ]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ClassroomError(f"the book has faults:\n{done.stderr.strip()}")

"""The formula sheet: names from solutions/formulas.yml, all the rest from docstrings.

Each entry shows what its function's docstring says: meaning, formula, arguments and result with
their units, source, and the first worked number, which is computed anew when the sheet is made.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import nbformat
from nbformat import NotebookNode

from classroom.authoring.glossary import Glossary
from classroom.authoring.sources import read_yaml
from classroom.authoring.texts import outside_fences
from classroom.authoring.typography import with_units
from classroom.errors import ClassroomError
from classroom.project import Project, relative

SECTION = re.compile(r"^(?P<name>[A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
MATH = re.compile(
    r"^( *)\.\. math::(?P<same> [^\n]+)?(?P<more>(?:\n(?:\1 +[^\n]+|(?= *\n)))*)", re.M
)
FIELD_WORDS = {"pnl": "PnL", "roe": "ROE"}


@dataclass(frozen=True)
class Formula:
    """One function of the helpers that computes a formula."""

    name: str
    module: str
    """The package that a learner imports it from."""
    chapter: str
    meaning: str
    formula: str
    """LaTeX, without dollar signs."""
    symbols: str
    """What stands before the formula in the docstring, as Markdown."""
    takes: Mapping[str, str]
    """Arguments that must be given, with their units."""
    gives: str
    source: str
    example_text: str
    example: str
    """Code of the first worked number, as at a Python prompt, with its result."""

    @property
    def heading(self) -> str:
        """The name in words."""
        words = [FIELD_WORDS.get(word, word) for word in self.name.split("_")]
        words[0] = words[0] if words[0] in FIELD_WORDS.values() else words[0].capitalize()
        return " ".join(words)

    @property
    def cell_id(self) -> str:
        """The id of the formula's cell."""
        return f"formula-{self.name.replace('_', '-')}"


def read_formulas(project: Project) -> tuple[Formula, ...]:
    """Read formulas.yml and the docstrings that it names; nothing where the course has none.

    Raises
    ------
    ClassroomError
        If a name is no function, a docstring lacks a part, or its worked number is wrong.
    """
    path = project.formulas_text
    if not path.exists():
        return ()
    where = relative(path, project.root)
    data = read_yaml(path, project.root) or {}
    if not isinstance(data, dict) or not all(isinstance(names, list) for names in data.values()):
        raise ClassroomError(f"{where}: expected chapters, each with a list of functions")
    chapters = {chapter.name for chapter in project.chapters()}
    formulas: dict[str, Formula] = {}
    for chapter, names in data.items():
        if chapter not in chapters:
            raise ClassroomError(f"{where}: {chapter!r} is no chapter; name its folder")
        for name in names:
            if name in formulas:
                raise ClassroomError(f"{where}: {name!r} is listed twice; keep it in one chapter")
            formulas[name] = read_formula(str(name), str(chapter), where)
    return tuple(formulas.values())


def read_formula(name: str, chapter: str, where: str) -> Formula:
    """Read one function's docstring."""
    package, _, short = f"leverage.{name}".rpartition(".")
    try:
        function = getattr(importlib.import_module(package), short)
    except (ImportError, AttributeError):
        raise ClassroomError(
            f"{where}: there is no function {name!r} in leverage; name one that exists"
        ) from None
    text = inspect.getdoc(function) or ""
    parts = docstring_parts(text)
    before, math, _ = split_math(parts.get("Notes", ""))
    lacking = [
        part for part in ("Parameters", "Returns", "Notes", "Examples") if not parts.get(part)
    ]
    if lacking or not math:
        raise ClassroomError(
            f"{where}: the docstring of {package}.{short} lacks "
            f"{', '.join(lacking) or 'a formula (.. math::) in its Notes'}; write it there"
        )
    example_text, example = first_example(function, parts["Examples"], where)
    returns = fields(parts["Returns"])
    return Formula(
        name=short,
        module=package,
        chapter=chapter,
        meaning=as_markdown(parts[""].split("\n\n")[0]),
        formula=math,
        symbols=as_markdown(before),
        takes={n: t for (n, kind), t in fields(parts["Parameters"]).items() if needed(kind)},
        gives=next(iter(returns.values())),
        source=as_markdown(parts.get("References", "")),
        example_text=as_markdown(example_text),
        example=example,
    )


def docstring_parts(text: str) -> dict[str, str]:
    """Split a docstring at its underlined headings; what comes before has the name ''."""
    pieces = SECTION.split(text)
    names = ["", *pieces[1::2]]
    return {name: part.strip("\n") for name, part in zip(names, pieces[0::2], strict=True)}


def fields(text: str) -> dict[tuple[str, str], str]:
    """Read `name : type` lines with their indented texts (a type alone in Returns)."""
    found: dict[tuple[str, str], str] = {}
    for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE):
        head, _, body = block.partition("\n")
        if head.strip():
            name, _, kind = head.partition(" : ")
            found[name.strip(), kind.strip()] = as_markdown(inspect.cleandoc(body))
    return {(name, kind): body for (name, kind), body in found.items()}


def needed(kind: str) -> bool:
    """Tell whether an argument of this type must be given."""
    return "default" not in kind and "optional" not in kind


def split_math(text: str) -> tuple[str, str, str]:
    r"""Split at the first displayed formula: text before, LaTeX, text after.

    >>> split_math("With rate :math:`f`:\n\n.. math:: N f\n\nNo more.")
    ('With rate :math:`f`:', 'N f', 'No more.')
    """
    match = MATH.search(text)
    if match is None:
        return text, "", ""
    latex = " ".join(f"{match['same'] or ''}{match['more']}".split())
    return text[: match.start()].strip(), latex, text[match.end() :].strip()


def as_markdown(text: str) -> str:
    r"""Return reStructuredText of a docstring as Markdown, one line for each paragraph.

    >>> as_markdown("A :func:`leverage.roe` of\n``inf`` or :math:`N_E`.")
    'A `roe` of `inf` or $N_E$.'
    """
    text = MATH.sub(
        lambda match: f"\n\n$${' '.join(((match['same'] or '') + match['more']).split())}$$\n\n",
        text,
    )
    text = re.sub(r":math:`([^`]*)`", r"$\1$", text)
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    text = text.replace("``", "`")
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    return "\n\n".join(part for part in paragraphs if part)


def first_example(function: Callable[..., Any], text: str, where: str) -> tuple[str, str]:
    """Compute the first worked number; return the words above it, and code with result.

    Raises
    ------
    ClassroomError
        If the docstring has no example, or its result is not what the function computes.
    """
    pieces = doctest.DocTestParser().parse(text)
    words = ""
    lines: list[str] = []
    chosen: list[doctest.Example] = []
    for piece in pieces:
        if isinstance(piece, str):
            words = piece.strip() if not chosen and piece.strip() else words
            continue
        chosen.append(piece)
        source = piece.source.rstrip("\n").split("\n")
        lines += [f"{'>>>' if n == 0 else '...'} {line}" for n, line in enumerate(source)]
        if piece.want:
            lines.append(piece.want.rstrip("\n"))
            break
    name = getattr(function, "__name__", "")
    module = inspect.getmodule(function)
    test = doctest.DocTest(chosen, dict(vars(module)), name, None, None, None)
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    if result.failed or not chosen or not chosen[-1].want:
        raise ClassroomError(
            f"{where}: the first example of {name} does not give what its docstring says: "
            + " ".join("".join(said).split())
        )
    return words, "\n".join(lines)


def unlisted(formulas: Iterable[Formula]) -> list[str]:
    """Return the public functions of `leverage` that state a formula but are not among these."""
    leverage = importlib.import_module("leverage")
    listed = {formula.name for formula in formulas}
    stated = [
        name
        for name in leverage.__all__
        if inspect.isfunction(getattr(leverage, name))
        and ".. math::" in (inspect.getdoc(getattr(leverage, name)) or "")
    ]
    return [name for name in stated if name not in listed]


def formula_sheet(
    formulas: Iterable[Formula], glossary: Glossary, titles: Mapping[str, str]
) -> NotebookNode:
    """Return the formula sheet as a notebook of Markdown cells.

    `titles` gives number and title of each chapter, by folder.
    """
    formulas = tuple(formulas)
    chapters = list(dict.fromkeys(formula.chapter for formula in formulas))
    intro = [
        "# Formula sheet",
        f"{len(formulas)} formulas, each with its units, the function that computes it, a worked "
        "number and the chapter that explains it. "
        "Rates, moves and returns are decimals: 0.05 is 5 %. "
        "For a long the side is 1, for a short it is −1.",
        "Text and numbers come from the functions themselves; every worked number was computed "
        "when this page was made. `help(liquidation_price)` shows all that a function takes.",
        "## Symbols",
        "\n".join(symbol_table(glossary)),
    ]
    cells = [nbformat.v4.new_markdown_cell(with_units("\n\n".join(intro)), id="formula-sheet")]
    for chapter in chapters:
        here = [formula for formula in formulas if formula.chapter == chapter]
        links = ", ".join(f"[{f.heading}](#cell-id={f.cell_id})" for f in here)
        text = (
            f"## {titles[chapter]}\n\n{links}.\n\n"
            f"Explained in [chapter {titles[chapter]}]({chapter}/{chapter}.ipynb)."
        )
        cells.append(nbformat.v4.new_markdown_cell(text, id=f"formulas-{chapter[:2]}"))
        cells += [formula_cell(formula, glossary) for formula in here]
    metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def symbol_table(glossary: Glossary) -> list[str]:
    """Return the symbols of the glossary as a table; formulas among them stay out."""
    rows = ["| Symbol | Means | Unit |", "|---|---|---|"]
    known = [e for e in glossary.entries.values() if re.fullmatch(r"\S( = .*)?", e.symbol)]
    for entry in sorted(known, key=lambda entry: entry.symbol.casefold()):
        link = f"[{entry.term}](glossary.ipynb#{entry.fragment})"
        rows.append(f"| {entry.symbol} | {link} | {entry.unit or 'none'} |")
    return rows


def formula_cell(formula: Formula, glossary: Glossary) -> NotebookNode:
    """Return one entry of the sheet."""
    term = glossary.entries.get(formula.name.replace("_", "-"))
    word = f" ([glossary](glossary.ipynb#{term.fragment}))" if term else ""
    takes = [f"| `{name}` | {text} |" for name, text in formula.takes.items()]
    parts = [
        f"### {formula.heading}",
        f"{formula.meaning}{word}",
        formula.symbols,
        f"$${formula.formula}$$",
        f"Computed by `{formula.module}.{formula.name}`. Gives: {formula.gives}",
        "\n".join(["| Takes | What and in which unit |", "|---|---|", *takes]),
        formula.example_text,
        f"```python\n{formula.example}\n```",
        f"Source: {formula.source}" if formula.source else "",
    ]
    text = "\n\n".join(part for part in parts if part)
    return nbformat.v4.new_markdown_cell(outside_fences(text, with_units), id=formula.cell_id)

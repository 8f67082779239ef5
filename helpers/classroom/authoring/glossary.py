"""The glossary: read from solutions/glossary.yml, written as a notebook for learners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from classroom.authoring.sources import complaint, read_yaml
from classroom.authoring.typography import with_units
from classroom.errors import ClassroomError

NEEDED_FIELDS = {"term", "id", "definition", "chapter"}
KNOWN_FIELDS = NEEDED_FIELDS | {"unit", "symbol", "see"}


@dataclass(frozen=True)
class GlossaryTerm:
    """One term of the glossary."""

    id: str
    term: str
    definition: str
    chapter: str
    unit: str = ""
    symbol: str = ""
    see: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The term as a heading: its first letter in upper case."""
        return self.term[:1].upper() + self.term[1:]

    @property
    def cell_id(self) -> str:
        """The id of the entry's cell in the glossary notebook."""
        return f"term-{self.id}"

    @property
    def fragment(self) -> str:
        """What leads to the entry in JupyterLab, also when the glossary is not open yet.

        A heading's own anchor is looked up before the headings of a new page are drawn.
        """
        return f"cell-id={self.cell_id}"


@dataclass(frozen=True)
class Place:
    """A place in a notebook that links can lead to."""

    section: str
    """The last heading above the place."""
    cell_id: str


@dataclass(frozen=True)
class Explanation:
    """Where the course explains a term."""

    folder: str
    chapter: str
    """Number and title of the chapter."""
    place: Place

    @property
    def link(self) -> str:
        """A link from the glossary to the explanation."""
        path = f"{self.folder}/{self.folder}.ipynb#cell-id={self.place.cell_id}"
        return f"[{self.chapter}, *{self.place.section}*]({path})"


@dataclass(frozen=True)
class Glossary:
    """All terms, by id."""

    entries: Mapping[str, GlossaryTerm]


def read_glossary(path: Path) -> Glossary:
    """Read glossary.yml; a mistake in it raises a sentence that names the entry."""
    name = f"{path.parent.name}/{path.name}"
    if not path.exists():
        return Glossary({})
    data = read_yaml(path, path.parents[1]) or []
    if not isinstance(data, list):
        raise ClassroomError(f"{name}: expected a list of terms ('- term: …')")
    entries: dict[str, GlossaryTerm] = {}
    for number, raw in enumerate(data, 1):
        if not isinstance(raw, dict):
            raise ClassroomError(f"{name}: entry {number} is not a term ('- term: …'): {raw!r}")
        entry = _checked_term(raw, number, name)
        if entry.id in entries:
            raise ClassroomError(f"{name}: the id {entry.id!r} is used twice")
        entries[entry.id] = entry
    for entry in entries.values():
        for other in entry.see:
            if other not in entries:
                raise ClassroomError(f"{name}: {entry.id!r} points to {other!r}, which is no entry")
    return Glossary(entries)


def _checked_term(raw: dict[str, Any], number: int, name: str) -> GlossaryTerm:
    given = {key for key, value in raw.items() if value}
    wrong = complaint(given, NEEDED_FIELDS, KNOWN_FIELDS)
    if wrong:
        entry = raw.get("id") or raw.get("term") or "unnamed"
        raise ClassroomError(f"{name}: entry {number} ({entry}) {wrong}")
    return GlossaryTerm(
        id=str(raw["id"]),
        term=str(raw["term"]),
        definition=" ".join(str(raw["definition"]).split()),
        chapter=str(raw["chapter"]),
        unit=str(raw.get("unit") or ""),
        symbol=str(raw.get("symbol") or ""),
        see=tuple(str(other) for other in raw.get("see") or ()),
    )


def glossary_notebook(
    glossary: Glossary, explained: Mapping[str, Explanation], formulas: Mapping[str, str]
) -> NotebookNode:
    """Return the glossary as a notebook of Markdown cells.

    `explained` says where the course explains each term, and `formulas` which cell of the formula
    sheet computes it, if one does; both by the term's id.
    """
    intro = (
        "# Glossary\n\n"
        f"{len(glossary.entries)} terms, in alphabetical order. "
        "Each leads to the section that explains it, and the section leads back here."
    )
    cells = [nbformat.v4.new_markdown_cell(intro, id="glossary")]
    for entry in sorted(glossary.entries.values(), key=lambda entry: entry.heading.casefold()):
        parts = [f"## {entry.heading}", entry.definition]
        notes = []
        if entry.symbol:
            notes.append(f"Symbol: {entry.symbol}.")
        if entry.unit:
            notes.append(f"Unit: {entry.unit}.")
        if entry.see:
            links = (glossary.entries[other] for other in entry.see)
            notes.append("See " + ", ".join(f"[{o.term}](#{o.fragment})" for o in links) + ".")
        if entry.id in explained:
            notes.append(f"Explained in {explained[entry.id].link}.")
        if entry.id in formulas:
            notes.append(
                f"On the [formula sheet](formula_sheet.ipynb#cell-id={formulas[entry.id]})."
            )
        parts += [" ".join(notes)] * bool(notes)
        text = with_units("\n\n".join(parts))
        cells.append(nbformat.v4.new_markdown_cell(text, id=entry.cell_id))
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        },
    )

"""Finds a submission's notebook and puts it in order before it runs.

The release says what every graded cell is: its text where students must not change it, its type,
its points and its place. Only the students' own texts are taken from what they handed in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from classroom.grading.model import Release, ReleaseCell, Submission
from classroom.grading.notebook_file import (
    LARGEST,
    LARGEST_SOURCE,
    MOST_CELLS,
    MOST_OUTPUTS,
    notebook_json,
    raw_cells,
)
from classroom.grading.reading import learner_names, source_text, statements
from classroom.markers import TEXT_STUB

LARGEST_TEXT = 5_000_000
"""Characters of all cells together."""
DEEPEST = 20
"""Levels of a cell's metadata."""
PNG = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/]*={0,2}")
"""A PNG picture in base64."""
LARGEST_PICTURE = 2_000_000
MOST_NOTEBOOKS = 10
LARGEST_ANSWER = 20_000
"""Characters of a cell that is looked at to find an answer which lost its metadata."""


class UnreadableError(Exception):
    """A submission that holds no notebook; two sentences, for the student and the instructor."""

    def __init__(self, student: str, instructor: str) -> None:
        super().__init__(instructor)
        self.student, self.instructor = student, instructor


@dataclass
class WorkCell:
    """One cell of the notebook that will run."""

    cell_type: str
    source: str
    metadata: dict[str, Any]
    id: str
    release: ReleaseCell | None = None
    answered_below: bool = False
    """Left as it was given, with a text of the student's own right below."""
    pictures: dict[str, str] = field(default_factory=dict)
    """Pictures (PNG in base64) that were handed in with a given cell, by their description."""


@dataclass
class Prepared:
    """A submission ready to run."""

    cells: list[WorkCell]
    data: list[tuple[str, bytes]]
    repairs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tampering: list[str] = field(default_factory=list)
    choice: str = ""
    """Which of several notebooks was taken."""


def prepared_notebook(release: Release, submission: Submission) -> Prepared:
    """Return the submission's notebook as it will run, or raise `UnreadableError`."""
    notes = [f"{problem}" for problem in submission.problems]
    repairs: list[str] = []
    tampering: list[str] = []
    name, document, choice = choose_notebook(release, submission, repairs)
    notes += [choice] * bool(choice)
    given = submitted_cells(document, repairs, notes)
    cells = match_cells(release, given, repairs, tampering)
    cells = in_order(release, cells, repairs)
    notes += answers_below(cells)
    unique_ids(cells)
    data = [
        (other, content)
        for other, content in submission.files
        if other != name and not other.lower().endswith(".ipynb") and is_safe_name(other)
    ]
    return Prepared(cells, data, repairs, notes, tampering, choice)


def is_safe_name(name: str) -> bool:
    """Tell whether a file's name stays inside the folder.

    >>> is_safe_name("data/prices.csv"), is_safe_name("../x"), is_safe_name("/etc/x")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name and bool(name)


# The file


def choose_notebook(
    release: Release, submission: Submission, repairs: list[str]
) -> tuple[str, dict[str, Any], str]:
    """Return name and content of the notebook to grade, and a sentence on those left.

    Of several it is the one with most answers.
    """
    wanted = f"{release.notebook}.ipynb"
    files = dict(submission.files)
    found = sorted(name for name in files if name.lower().endswith(".ipynb"))
    if not found:
        refused = f" ({submission.problems[0]})" if submission.problems else ""
        raise UnreadableError(
            f"No notebook was found in what you handed in; hand in {wanted}.",
            f"the submission holds no notebook{refused}",
        )
    if len(found) == 1 and found[0] == wanted:
        return wanted, read_document(wanted, files[wanted]), ""
    readable: list[tuple[int, bool, int, str, dict[str, Any]]] = []
    problem: UnreadableError | None = None
    for name in found[:MOST_NOTEBOOKS]:
        try:
            document = read_document(name, files[name])
        except UnreadableError as error:
            problem = error if problem is None or name == wanted else problem
            continue
        rank = (-answers_in(release, document), name != wanted, -known_cells(release, document))
        readable.append((*rank, name, document))
    if not readable:
        assert problem is not None
        raise problem
    best, *others = sorted(readable, key=lambda item: item[:4])
    answers, _, known, name, document = best
    if known == 0:
        raise UnreadableError(
            f"The notebook {shown_name(name)} is not the one of this assignment; hand in {wanted}.",
            f"{shown_name(name)} has no cell of this assignment",
        )
    if name != wanted:
        repairs.append(f"took {shown_name(name)} for {wanted}")
    if len(found) == 1:
        return name, document, ""
    left = [f"{shown_name(other[3])} ({answers_text(-other[0])})" for other in others]
    left += [
        f"{shown_name(other)} (not read)"
        for other in found
        if other not in {item[3] for item in readable}
    ]
    more = ", ".join(left)
    return (
        name,
        document,
        (
            f"{len(found)} notebooks were handed in: {shown_name(name)} was graded "
            f"({answers_text(-answers)}), {more} was not"
        ),
    )


def answers_text(number: int) -> str:
    """Return a number of answers in words.

    >>> answers_text(1), answers_text(0)
    ('1 answer', '0 answers')
    """
    return f"{number} answer{'' if number == 1 else 's'}"


def answers_in(release: Release, document: Mapping[str, Any]) -> int:
    """Count the answers that somebody has written in a notebook."""
    cells = match_cells(release, submitted_cells(document, [], []), [], [])
    return sum(
        cell.release is not None
        and cell.release.kind in ("answer", "manual")
        and not is_blank(cell)
        for cell in cells
    )


def shown_name(name: str) -> str:
    """Return a file's name as it may stand in a sentence."""
    return re.sub(r"[^\w./ -]", "?", name)[:80]


def known_cells(release: Release, document: Mapping[str, Any]) -> int:
    """Count the cells of a notebook that belong to a release."""
    known = {cell.grade_id for cell in release.cells if cell.grade_id}
    texts = {cell.released.strip() for cell in release.cells if len(cell.released.strip()) > 20}
    return sum(
        grade_id_of(cell) in known
        or source_text(cell.get("source", cell.get("input"))).strip() in texts
        for cell in raw_cells(document)
        if isinstance(cell, dict)
    )


def read_document(name: str, content: bytes) -> dict[str, Any]:
    """Return a notebook file's JSON, or say what the file is instead."""
    where = shown_name(name)
    again = "Open it in Jupyter, save it, and hand it in again."
    if not content.strip():
        raise UnreadableError(f"{where} is empty. {again}", f"{where} is empty")
    try:
        document = notebook_json(content)
    except UnicodeDecodeError:
        raise UnreadableError(
            f"{where} is no notebook: it is not a text in UTF-8. {again}",
            f"{where} is not UTF-8 (it begins with {content[:8]!r})",
        ) from None
    except RecursionError:
        raise UnreadableError(
            f"{where} is no notebook. {again}", f"{where} is JSON nested without end"
        ) from None
    except MemoryError:
        raise UnreadableError(
            f"{where} is too large to be read. Clear its outputs in Jupyter, save it, and hand it"
            " in again.",
            f"{where} is too large to be read ({len(content) / 1e6:.0f} MB; {LARGEST / 1e6:.0f} MB"
            " are read)",
        ) from None
    except ValueError as error:
        blank = b"\xef\xbb\xbf\xff\xfe\0 \r\n\t"
        if content.lstrip(blank)[:1] == b"{" and content.rstrip(blank)[-1:] != b"}":
            raise UnreadableError(
                f"{where} is cut off: its end is missing. {again}",
                f"{where} is cut off after {len(content)} bytes",
            ) from None
        raise UnreadableError(
            f"{where} is no notebook: it is not JSON. {again}", f"{where} is not JSON ({error})"
        ) from None
    if not isinstance(document, dict) or not raw_cells(document):
        raise UnreadableError(
            f"{where} is no notebook: it has no cells. {again}",
            f"{where} is JSON but no notebook, or a notebook without cells",
        )
    return document


# The cells


@dataclass
class _Given:
    """One cell as it was handed in."""

    cell_type: str
    source: str
    metadata: dict[str, Any]
    grade_id: str
    id: str
    outputs: Any = None


def grade_id_of(cell: Mapping[str, Any]) -> str:
    """Return a cell's grade_id, or an empty text."""
    metadata = cell.get("metadata")
    meta = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = meta.get("grade_id") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else ""


def submitted_cells(
    document: Mapping[str, Any], repairs: list[str], notes: list[str]
) -> list[_Given]:
    """Return the cells of a notebook of any format as plain texts."""
    version = document.get("nbformat")
    if version != 4:
        repairs.append(f"read the notebook format {shown_name(str(version))} as format 4")
    given: list[_Given] = []
    room = LARGEST_TEXT
    cells = raw_cells(document)
    if len(cells) > MOST_CELLS:
        notes.append(f"only the first {MOST_CELLS} cells were read")
    for cell in cells[:MOST_CELLS]:
        if not isinstance(cell, dict):
            notes.append("left out a cell that is no cell")
            continue
        kind = cell.get("cell_type")
        source = source_text(cell.get("source", cell.get("input", "")))
        source = source.replace("\r\n", "\n").replace("\r", "\n")
        if kind == "heading":  # of notebook format 3
            kind, source = "markdown", f"# {source}"
        if kind not in ("code", "markdown", "raw"):
            notes.append("left out a cell of an unknown type")
            continue
        if len(source) > min(LARGEST_SOURCE, room):
            notes.append("cut a cell's text that was too long")
            source = source[: min(LARGEST_SOURCE, room)]
        room -= len(source)
        metadata = cell.get("metadata")
        name = cell.get("id")
        given.append(
            _Given(
                kind,
                source,
                dict(metadata) if isinstance(metadata, dict) else {},
                grade_id_of(cell),
                name if isinstance(name, str) else "",
                cell.get("outputs"),
            )
        )
    return given


def match_cells(
    release: Release, given: Sequence[_Given], repairs: list[str], tampering: list[str]
) -> list[WorkCell]:
    """Tell which submitted cell is which of the release, and restore what is the release's."""
    partner = partners(release, given, repairs)
    cells: list[WorkCell] = []
    for number, cell in enumerate(given):
        own = partner.get(number)
        if own is None:
            metadata = {key: value for key, value in cell.metadata.items() if key != "nbgrader"}
            cells.append(WorkCell(cell.cell_type, cell.source, kept_metadata(metadata), cell.id))
            continue
        cells.append(restored(own, cell, repairs, tampering))
    present = {id(cell.release) for cell in cells if cell.release is not None}
    insert_missing(release, cells, present, repairs)
    return cells


def kept_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata without what may upset a reader of the executed notebook."""
    try:
        text = json.dumps(metadata, allow_nan=False)
    except (ValueError, RecursionError):
        return {}
    return dict(metadata) if len(text) < 10_000 and is_flat(metadata, DEEPEST) else {}


def is_flat(data: Any, deepest: int) -> bool:
    """Tell whether JSON data is nested to a depth at most, so that nobody stumbles over it.

    >>> is_flat({"a": [1, {}]}, 3), is_flat([[[]]], 2)
    (True, False)
    """
    if not isinstance(data, dict | list):
        return True
    parts = data.values() if isinstance(data, dict) else data
    return deepest > 0 and all(is_flat(part, deepest - 1) for part in parts)


def restored(own: ReleaseCell, cell: _Given, repairs: list[str], tampering: list[str]) -> WorkCell:
    """Return a cell of the release with the student's text where that is asked for."""
    name = own.grade_id or own.id
    if cell.cell_type != own.cell_type:
        repairs.append(f"made {name} a {own.cell_type} cell again (it was {cell.cell_type})")
    meta = cell.metadata.get("nbgrader")
    if own.points and isinstance(meta, dict):
        points = meta.get("points", own.points)
        if points != own.points:
            tampering.append(f"changed the points of {name} to {shown_name(str(points))}")
    if not own.locked:
        source = cell.source
    else:
        source = own.source if own.kind == "test" else own.released
        if cell.source.strip() not in (own.released.strip(), own.source.strip()):
            repairs.append(f"restored the text of the locked cell {name}")
    pictures = handed_pictures(cell.outputs) if own.kind == "given" else {}
    return WorkCell(own.cell_type, source, dict(own.metadata), own.id, own, pictures=pictures)


def handed_pictures(outputs: Any) -> dict[str, str]:
    """Return the described pictures among a cell's outputs: PNG in base64, by the description."""
    found: dict[str, str] = {}
    for output in outputs[:MOST_OUTPUTS] if isinstance(outputs, list) else []:
        data = output.get("data") if isinstance(output, dict) else None
        if isinstance(data, dict):
            words, png = (source_text(data.get(kind)) for kind in ("text/plain", "image/png"))
            if words and len(png) <= LARGEST_PICTURE and PNG.fullmatch(png.replace("\n", "")):
                found[words] = png
    return found


def partners(
    release: Release, given: Sequence[_Given], repairs: list[str]
) -> dict[int, ReleaseCell]:
    """Return for each submitted cell the cell of the release that it is."""
    partner: dict[int, ReleaseCell] = {}
    by_name = {cell.grade_id: cell for cell in release.cells if cell.grade_id}
    copies: dict[str, list[int]] = {}
    for number, cell in enumerate(given):
        if cell.grade_id in by_name:
            copies.setdefault(cell.grade_id, []).append(number)
    for name, numbers in copies.items():
        chosen = numbers[0]
        if len(numbers) > 1:
            own = by_name[name]
            edited = [
                number
                for number in numbers
                if given[number].source.strip() not in ("", own.released.strip())
            ]
            chosen = (edited or numbers)[-1 if own.kind == "answer" else 0]
            repairs.append(f"found {len(numbers)} cells named {name} and took one of them")
        partner[chosen] = by_name[name]
    taken = {id(cell) for cell in partner.values()}
    free = [n for n, cell in enumerate(given) if n not in partner and not cell.grade_id]
    free += [n for n, cell in enumerate(given) if cell.grade_id and cell.grade_id not in by_name]
    lost = [cell for cell in release.cells if id(cell) not in taken]
    for find in (same_text, same_id, same_names):
        for own in list(lost):
            found = next((n for n in free if find(own, given[n])), None)
            if found is None:
                continue
            partner[found] = own
            free.remove(found)
            lost.remove(own)
            if own.grade_id:
                repairs.append(f"recognised {own.grade_id}, which had lost its metadata")
    match_between(release, given, partner, free, lost, repairs)
    return partner


def same_text(own: ReleaseCell, cell: _Given) -> bool:
    """Tell whether a cell has the text that was released."""
    text = own.released.strip()
    return bool(text) and cell.source.strip() == text and text not in (TEXT_STUB,)


def same_id(own: ReleaseCell, cell: _Given) -> bool:
    """Tell whether a cell has the id of the released one."""
    return bool(cell.id) and cell.id == own.id and not cell.id.isdigit()


def same_names(own: ReleaseCell, cell: _Given) -> bool:
    """Tell whether a cell stores the names that an answer is to store."""
    if own.kind != "answer":
        return False
    wanted = learner_names([own])
    if not wanted or len(cell.source) > LARGEST_ANSWER or cell.cell_type != "code":
        return False
    if not any(name in cell.source for name in wanted):
        return False
    bound = bound_names(cell.source)
    if bound:
        return wanted <= bound
    return all(re.search(rf"^\s*(def\s+)?{re.escape(n)}\b", cell.source, re.M) for n in wanted)


@lru_cache(maxsize=2 * MOST_CELLS)
def bound_names(source: str) -> frozenset[str]:
    """Return the names that a student's cell binds; each cell is read once, it may be compared often."""
    return learner_names([ReleaseCell("", "answer", "", "code", source, "")])


def match_between(
    release: Release,
    given: Sequence[_Given],
    partner: dict[int, ReleaseCell],
    free: list[int],
    lost: list[ReleaseCell],
    repairs: list[str],
) -> None:
    """Match an answer that lost its metadata by its place, where only one cell fits there."""
    place = {id(cell): number for number, cell in enumerate(release.cells)}
    for own in list(lost):
        if own.kind not in ("answer", "manual"):
            continue
        before = [n for n, cell in partner.items() if place[id(cell)] < place[id(own)]]
        after = [n for n, cell in partner.items() if place[id(cell)] > place[id(own)]]
        low, high = max(before, default=-1), min(after, default=len(given))
        between = [n for n in free if low < n < high and given[n].cell_type == own.cell_type]
        if len(between) == 1:
            partner[between[0]] = own
            free.remove(between[0])
            lost.remove(own)
            repairs.append(f"recognised {own.grade_id} by its place; it had lost its metadata")


def insert_missing(
    release: Release, cells: list[WorkCell], present: set[int], repairs: list[str]
) -> None:
    """Put back cells of the release that code or points depend on, each after its neighbour."""
    where = {id(cell.release): cell for cell in cells if cell.release is not None}
    previous: WorkCell | None = None
    for own in release.cells:
        if id(own) in present:
            previous = where[id(own)]
            continue
        needed = own.kind in ("test", "manual") or (own.kind == "given" and own.grade_id)
        if own.kind == "answer":
            repairs.append(f"the answer cell {own.grade_id} is missing and counts as unanswered")
            continue
        if not needed:
            continue
        source = own.source if own.kind == "test" else own.released
        made = WorkCell(own.cell_type, source, dict(own.metadata), own.id, own)
        position = 0 if previous is None else index_of(cells, previous) + 1
        cells.insert(position, made)
        previous = made
        if own.kind != "manual":
            repairs.append(f"put the deleted cell {own.grade_id or own.id} back")
        else:
            repairs.append(f"put the deleted cell {own.grade_id} back, without an answer")


def is_blank(cell: WorkCell) -> bool:
    """Tell whether a cell of the release was handed in as it was given, or empty."""
    assert cell.release is not None
    return cell.source.strip() in ("", cell.release.released.strip())


def answers_below(cells: Sequence[WorkCell]) -> list[str]:
    """Mark answers by hand that were left, with a cell of the student's own right below; say which."""
    notes = []
    for cell, below in pairwise(cells):
        own = cell.release
        left = own is not None and own.kind == "manual" and is_blank(cell)
        if own is not None and left and below.release is None and below.source.strip():
            cell.answered_below = True
            notes.append(
                f"{own.grade_id} was left as it was given; the answer may be the cell below"
            )
    return notes


def index_of(cells: Sequence[WorkCell], cell: WorkCell) -> int:
    """Return where a cell stands."""
    return next(number for number, other in enumerate(cells) if other is cell)


def in_order(release: Release, cells: list[WorkCell], repairs: list[str]) -> list[WorkCell]:
    """Put the cells in the release's order where the submitted order cannot work."""
    place = {id(cell): number for number, cell in enumerate(release.cells)}
    if works(release, cells, place):
        return cells
    groups: list[list[WorkCell]] = [[]]
    for cell in cells:
        if cell.release is not None:
            groups.append([])
        groups[-1].append(cell)
    first, rest = groups[0], groups[1:]
    rest.sort(key=lambda group: place[id(group[0].release)])
    repairs.append("put the cells in the order of the assignment")
    return [*first, *(cell for group in rest for cell in group)]


def works(release: Release, cells: Sequence[WorkCell], place: Mapping[int, int]) -> bool:
    """Tell whether every test comes after the answers it needs, and these after the set-up."""
    position = {
        place[id(cell.release)]: number
        for number, cell in enumerate(cells)
        if cell.release is not None
    }
    setup: list[int] = []
    answers: list[int] = []
    for number, own in enumerate(release.cells):
        here = position.get(number)
        if own.cell_type != "code" or here is None:
            continue
        if own.kind == "given" and not answers and statements(own.source):
            setup.append(here)
        elif own.kind == "answer":
            if any(other > here for other in setup):
                return False
            answers.append(here)
        elif own.kind == "test" and (
            any(other > here for other in setup) or (answers and answers[-1] > here)
        ):
            return False
    return True


def unique_ids(cells: Sequence[WorkCell]) -> None:
    """Give every cell an id of its own, as the notebook format asks."""
    used: set[str] = set()
    for number, cell in enumerate(cells):
        name = cell.id if re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", cell.id) else f"cell-{number}"
        while name in used:
            name = f"{name[:50]}-{number}"
        used.add(name)
        cell.id = name

"""Reads what is graded: the instructor's notebook as a `Release`, a folder as a `Submission`."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import stat
import symtable
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from classroom import markers
from classroom.errors import ClassroomError
from classroom.grading.model import Release, ReleaseCell, Submission

LARGEST_FILE = 100_000_000
MOST_FILES = 2_000
_PURE = frozenset((
    "abs", "dict", "enumerate", "float", "int", "len", "list", "max", "min", "range", "round",
    "sorted", "str", "sum", "tuple", "zip",
))  # fmt: skip
"""Functions of Python that change nothing."""
_NOT_RELEASED = (".md", ".yml", ".pyc")


def released_source(source: str, kind: str, cell_type: str) -> str:
    """Return what students get of a cell."""
    text = markers.visible_source(source)
    if kind not in ("answer", "manual"):
        return text
    stub = markers.CODE_STUB if cell_type == "code" else markers.TEXT_STUB
    return markers.student_source(text, stub) if markers.BEGIN_SOLUTION in text else stub


def checksum(source: str, cell_type: str, meta: Mapping[str, Any]) -> str:
    """Return nbgrader's checksum of a cell."""
    solution, grade = bool(meta.get("solution")), bool(meta.get("grade"))
    locked = not solution and (grade or bool(meta.get("locked")))
    parts = [source, cell_type, str(grade), str(solution), str(locked), str(meta["grade_id"])]
    if grade:
        parts.append(str(float(meta["points"])))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def kind_of(cell_type: str, meta: Mapping[str, Any]) -> str:
    """Name what a cell is for, by nbgrader's metadata.

    >>> kind_of("code", {"grade": True, "solution": False}), kind_of("markdown", {})
    ('test', 'text')
    """
    if meta.get("task") or (meta.get("grade") and (meta.get("solution") or cell_type != "code")):
        return "manual"
    if cell_type != "code":
        return "text"
    if meta.get("grade"):
        return "test"
    return "answer" if meta.get("solution") else "given"


def source_text(source: Any) -> str:
    """Return a cell's text, which may be stored as one text or as a list of lines."""
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return ""


def read_release(path: Path) -> Release:
    """Read an instructor notebook such as `solutions/01_basics/01_basics.ipynb`.

    The other files of its folder are what students get besides; texts, quizzes and banks are never
    taken.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ClassroomError(f"{path} does not exist; run 'classroom build {path.stem}'") from None
    return release_of(path, content)


def release_of(path: Path, content: bytes) -> Release:
    """Return what `read_release` returns for a notebook of this content at this path."""
    try:
        cells = tuple(_release_cells(path, json.loads(content)["cells"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ClassroomError(f"{path} is no instructor notebook ({error})") from None
    graded = [cell.grade_id for cell in cells if cell.grade_id]
    twice = sorted({name for name in graded if graded.count(name) > 1})
    if twice:
        raise ClassroomError(f"{path} names more than one cell {twice[0]}; grade_ids are unique")
    return Release(path.parent.name, path.stem, cells, tuple(sorted(_data_files(path.parent))))


def _release_cells(path: Path, cells: Sequence[Mapping[str, Any]]) -> Iterator[ReleaseCell]:
    for number, cell in enumerate(cells):
        metadata = {key: value for key, value in cell["metadata"].items() if key != "execution"}
        meta = metadata.get("nbgrader") or {}
        cell_type, source = cell["cell_type"], source_text(cell["source"])
        kind = kind_of(cell_type, meta)
        grade_id = str(meta.get("grade_id", ""))
        try:
            released = source if meta.get("task") else released_source(source, kind, cell_type)
        except markers.MarkerError as error:
            place = f"cell {number + 1}{f' ({grade_id})' * bool(grade_id)}, line {error.line}"
            raise ClassroomError(f"{path}, {place}: {error}") from None
        locked = kind == "test" or (kind in ("given", "text") and bool(meta.get("locked")))
        if grade_id:
            stub = source if kind == "test" else released
            metadata["nbgrader"] = {
                **meta,
                "cell_type": cell_type,
                "checksum": checksum(stub, cell_type, meta),
            }
            metadata["deletable"] = False
            if locked:
                metadata["editable"] = False
        yield ReleaseCell(
            str(cell.get("id") or f"cell-{number}"),
            kind,
            grade_id,
            cell_type,
            source,
            released,
            float(meta.get("points", 0) or 0) if kind in ("test", "manual") else 0.0,
            locked,
            metadata,
        )


def _data_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        if path.is_file() and not hidden and path.suffix not in (".ipynb", *_NOT_RELEASED):
            yield name.as_posix(), path.read_bytes()


def read_submission(student: str, folder: Path) -> Submission:
    """Read what a student handed in, without following any link."""
    files: list[tuple[str, bytes]] = []
    problems: list[str] = []
    room = LARGEST_FILE
    try:
        root = os.lstat(folder)
    except OSError:
        return Submission(student)
    if not stat.S_ISDIR(root.st_mode):
        what = "a link" if stat.S_ISLNK(root.st_mode) else "no folder"
        return Submission(student, (), (f"the submission is {what} and was not read",))
    for name, path, mode, size in _walk(folder, ""):
        shown = re.sub(r"[^\w./ -]", "?", name)[:80]
        if len(files) >= MOST_FILES:
            problems.append(f"only the first {MOST_FILES} files were read")
            break
        if stat.S_ISLNK(mode):
            problems.append(f"{shown} is a link and was not followed")
        elif not stat.S_ISREG(mode):
            problems.append(f"{shown} is no ordinary file and was not read")
        elif size > room:
            problems.append(f"{shown} is too large ({size // 1_000_000} MB) and was not read")
        else:
            content = _read_regular(path, room)
            if content is None:
                problems.append(f"{shown} could not be read")
            else:
                room -= len(content)
                files.append((name, content))
    return Submission(student, tuple(files), tuple(problems))


def _walk(folder: Path, prefix: str, depth: int = 0) -> Iterator[tuple[str, Path, int, int]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name in (".ipynb_checkpoints", "__pycache__"):
            continue
        try:
            info = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        name = prefix + entry.name
        if stat.S_ISDIR(info.st_mode):
            if depth < 20:
                yield from _walk(Path(entry.path), name + "/", depth + 1)
        else:
            if stat.S_ISREG(info.st_mode) and info.st_nlink > 1:
                # A second name of a file may be the gradebook's or another student's.
                yield name, Path(entry.path), stat.S_IFLNK, 0
                continue
            yield name, Path(entry.path), info.st_mode, info.st_size


def _read_regular(path: Path, room: int) -> bytes | None:
    """Read a file; None where it is a link or no ordinary file by now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        try:
            return file.read(room + 1)[:room]
        except OSError:
            return None


def learner_names(cells: Sequence[ReleaseCell]) -> frozenset[str]:
    """Return the names whose values depend on answers, as far as the cells' text shows.

    A name that an answer cell binds or changes is the student's; so is a name that a given cell
    computes from one.
    """
    names: set[str] = set()
    modules: set[str] = set()
    for cell in cells:
        if cell.cell_type != "code" or cell.kind == "test":
            continue
        for statement in statements(cell.source):
            bound, read, changed = _touched(statement)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                modules |= bound
            elif cell.kind in ("answer", "manual"):
                names |= bound | changed
            elif read & (names - modules):
                names |= bound
    return frozenset(names - modules)


def statements(source: str) -> list[ast.stmt]:
    r"""Return the top-level statements of a cell; magics are left out.

    >>> len(statements("%matplotlib inline\nx = 1\n!ls"))
    1
    """
    lines = ["" if line.lstrip()[:1] in ("%", "!", "?") else line for line in source.split("\n")]
    if source.lstrip().startswith("%%"):
        return []
    try:
        return ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # not Python, half a character, or nested without end


def _touched(statement: ast.stmt) -> tuple[set[str], set[str], set[str]]:
    """Return the names of the notebook that a statement binds, reads, and may change in place.

    What is local to a function is no name of the notebook.
    """
    bound: set[str] = set()
    read: set[str] = set()
    scopes = [symtable.symtable(ast.unparse(statement), "cell", "exec")]
    for scope in scopes:
        scopes += scope.get_children()
        for name in scope.get_symbols():
            if scope is scopes[0] or name.is_global():
                here = name.is_assigned() or name.is_imported() or name.is_namespace()
                bound |= {name.get_name()} if here else set()
                read |= {name.get_name()} if name.is_referenced() else set()
    changed: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            inner: ast.expr = node
            while isinstance(inner, ast.Attribute | ast.Subscript):
                inner = inner.value
            if isinstance(inner, ast.Name):
                changed.add(inner.id)
    changed &= read
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        for part in [receiver, *call.args]:
            if isinstance(part, ast.Name):
                changed.add(part.id)
    return bound, read, changed


def asks_answers_directly(test: ReleaseCell, learner: frozenset[str]) -> bool:
    """Tell whether a test uses a student's object itself, and not by its name in a check."""
    nodes = [node for part in statements(test.source) for node in ast.walk(part)]
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return any(isinstance(n, ast.Name) and n.id in learner - own for n in nodes)


def own_statements(cells: Sequence[ReleaseCell], learner: frozenset[str]) -> list[str]:
    """Return what the judge runs itself: the given code that does not depend on answers."""
    kept = []
    for cell in cells:
        if cell.cell_type != "code" or cell.kind == "test":
            continue
        for statement in statements(cell.source):
            bound, read, changed = _touched(statement)
            imports = isinstance(statement, ast.Import | ast.ImportFrom)
            if imports or (cell.kind == "given" and not (read | bound | changed) & learner):
                kept.append(ast.unparse(statement))
    return kept


def shown_at_the_end(cells: Sequence[ReleaseCell]) -> dict[str, tuple[str, ast.Expr]]:
    """Return, by the text of a given cell, what runs of it and the call at its end that only shows.

    Such a call is one of the lessons'; what is worked out for it comes from the course and from
    functions that change nothing.
    """
    course: dict[str, str] = {}
    found: dict[str, tuple[str, ast.Expr]] = {}
    for cell in cells:
        body = statements(cell.source) if cell.cell_type == "code" and cell.kind != "test" else []
        for part in body:
            if isinstance(part, ast.ImportFrom) and (part.module or "").startswith("leverage"):
                course |= {alias.asname or alias.name: str(part.module) for alias in part.names}
        last = body[-1] if cell.kind == "given" and body else None
        before = body[-2].end_lineno or 0 if len(body) > 1 else 0
        if isinstance(last, ast.Expr) and before < last.lineno and _only_shows(last, course):
            found[cell.source] = "\n".join(cell.source.split("\n")[: last.lineno - 1]), last
    return found


def _only_shows(statement: ast.Expr, course: Mapping[str, str]) -> bool:
    called = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
    names = [part.id if isinstance(part, ast.Name) else "" for part in called]
    texts = [
        isinstance(part, ast.Attribute) and isinstance(part.value, ast.Constant) for part in called
    ]
    return (
        isinstance(statement.value, ast.Call)
        and course.get(names[0], "").startswith("leverage.lessons")
        and all(map(lambda name, text: text or name in course or name in _PURE, names, texts))
        and not any(isinstance(n, ast.NamedExpr | ast.Lambda) for n in ast.walk(statement))
    )

"""`classroom update`: a newer course, with every answer where it belongs.

Answers are found by the ids of cells, so that the texts around them may be new. What is replaced is
copied to a folder in course/ first, which JupyterLab shows. A git checkout fetches; what was unpacked
from a handout takes the newer handout.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from classroom.desk.archives import open_archive
from classroom.errors import ClassroomError
from classroom.grading.reading import source_text
from classroom.marking.room import write_if_new, write_whole
from classroom.project import Project
from leverage.lessons.wording import counted, item_label

RELEASED = "released.json"
"""In a handout: a hash of each cell as it was given, by notebook and id."""
COPIES = "before_update_"
"""How the names of folders begin that hold what an update replaced."""
OURS = ("helpers", "course", "binder")
"""Folders that an update writes into; all else of a handout lies beside them."""
Cell = dict[str, Any]
Hashes = Mapping[str, str]


@dataclass(frozen=True)
class Carried:
    """What became of a learner's work in one notebook."""

    name: str
    kept: tuple[str, ...] = ()
    """Answers that stand in the new notebook, by the names of their cells."""
    moved: tuple[str, ...] = ()
    """Of those, the ones that stand elsewhere now."""
    gone: tuple[str, ...] = ()
    """Answers that the new course does not ask for."""
    own: int = 0
    """Cells that the learner added, kept."""
    changed: tuple[str, ...] = ()
    """Given cells that both sides changed: the new text stands."""


# ---- one notebook


def cell_hash(source: str) -> str:
    """Return a short hash of a cell's text."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def cell_hashes(content: bytes) -> dict[str, str]:
    """Return a hash of each cell of a notebook, by id."""
    return {cell_id(cell): cell_hash(source_text(cell["source"])) for cell in cells_in(content)}


def cells_in(content: bytes) -> list[Cell]:
    """Return the cells of a notebook's file; none where it is no notebook."""
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, KeyError, TypeError):
        return []
    return [cell for cell in cells if isinstance(cell, dict) and "source" in cell]


def cell_id(cell: Cell) -> str:
    """Return what names a cell over versions: nbgrader's name, else its id."""
    given = cell.get("metadata", {}).get("nbgrader") or {}
    return str(given.get("grade_id") or cell.get("id", ""))


def is_answer_cell(cell: Cell) -> bool:
    """Tell whether a cell asks for an answer."""
    return bool((cell.get("metadata", {}).get("nbgrader") or {}).get("solution"))


def is_locked(cell: Cell) -> bool:
    """Tell whether a learner must not change a cell."""
    given = cell.get("metadata", {})
    return given.get("editable") is False or bool((given.get("nbgrader") or {}).get("locked"))


def carried_over(
    name: str, mine: bytes, new: bytes, released: Hashes | None
) -> tuple[bytes, Carried, list[Cell]]:
    """Return the new notebook with a learner's work in it.

    Parameters
    ----------
    name : str
        The notebook's name, for the account.
    mine, new : bytes
        The learner's notebook and the new one.
    released : mapping or None
        Hashes of the cells as the learner got them; None where nobody knows them.

    Returns
    -------
    tuple
        The notebook's file, what became of the work, and the answers that found no place.
    """
    document = json.loads(new)
    places = {cell_id(cell): index for index, cell in enumerate(document["cells"])}
    given = {
        name: cell_hash(source_text(document["cells"][i]["source"])) for name, i in places.items()
    }
    old = given if released is None else released
    kept, moved, changed, homeless = [], [], [], []
    added: dict[int, list[Cell]] = {}
    last, seen = -1, set()
    for cell in cells_in(mine):
        key, source = cell_id(cell), source_text(cell["source"])
        first = key not in seen
        seen.add(key)
        if first and key in places:
            last = places[key]
            target = document["cells"][last]
            if cell_hash(source) in (old.get(key, given[key]), given[key]) or is_locked(target):
                continue
            if is_answer_cell(target) or given[key] == old.get(key):
                target["source"] = source
                kept.append(key)
                if heading_of(cells_in(mine), key) != heading_of(document["cells"], key):
                    moved.append(key)
            else:
                changed.append(key)
        elif is_answer_cell(cell) and first:
            if cell_hash(source) != old.get(key):
                homeless.append(cell)
        elif released is not None and (not first or key not in old):
            added.setdefault(last, []).extend([_own(cell)] * bool(source.strip()))
    document["cells"] = [
        one
        for index in range(-1, len(document["cells"]))
        for one in (*([document["cells"][index]] if index >= 0 else []), *added.get(index, []))
    ]
    answers = [key for key in kept if is_answer_cell(_cell(document["cells"], key))]
    account = Carried(
        name, tuple(answers), tuple(key for key in moved if key in answers), (),
        sum(map(len, added.values())), tuple(changed),
    )  # fmt: skip
    return _file(document), account, homeless


def heading_of(cells: Iterable[Cell], key: str) -> str:
    """Return the heading above a cell, without its number."""
    found = ""
    for cell in cells:
        if cell_id(cell) == key:
            break
        for line in source_text(cell["source"]).splitlines():
            if cell.get("cell_type") == "markdown" and line.startswith("#"):
                found = re.sub(r"^#+\s*", "", line)
    return found


def _own(cell: Cell) -> Cell:
    kind = str(cell["cell_type"])
    made: Cell = {"cell_type": kind, "id": uuid.uuid4().hex[:8], "metadata": {}}
    made["source"] = source_text(cell["source"])
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _cell(cells: Iterable[Cell], key: str) -> Cell:
    return next(cell for cell in cells if cell_id(cell) == key)


def _file(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


# ---- all notebooks


def carry_all(
    mine: Mapping[str, bytes],
    new: Mapping[str, bytes],
    released: Mapping[str, Hashes] | None,
) -> tuple[dict[str, bytes], list[Carried]]:
    """Return all notebooks that hold a learner's work, renewed, and an account of each.

    An answer whose cell stands in another notebook now goes there.
    """
    made: dict[str, bytes] = {}
    accounts: dict[str, Carried] = {}
    homeless: list[tuple[str, Cell]] = []
    for path, content in sorted(mine.items()):
        old = None if released is None else released.get(path, {})
        if path not in new:
            answers = [c for c in cells_in(content) if is_answer_cell(c)]
            lost = [
                c
                for c in answers
                if cell_hash(source_text(c["source"])) != (old or {}).get(cell_id(c))
            ]
            homeless += [(path, cell) for cell in lost]
            accounts[path] = Carried(Path(path).stem)
            continue
        made[path], accounts[path], left = carried_over(Path(path).stem, content, new[path], old)
        homeless += [(path, cell) for cell in left]
    for path, cell in homeless:
        key = cell_id(cell)
        home = next((p for p, content in new.items() if key in cell_hashes(content)), None)
        account = accounts[path]
        if home is None:
            accounts[path] = replace(account, gone=(*account.gone, key))
            continue
        document = json.loads(made.get(home, new[home]))
        _cell(document["cells"], key)["source"] = source_text(cell["source"])
        made[home] = _file(document)
        accounts[path] = replace(account, moved=(*account.moved, key), kept=(*account.kept, key))
    return made, list(accounts.values())


def account_line(account: Carried) -> str:
    """Return one line on a notebook.

    >>> account_line(Carried("01_basics", ("ch01_a_answer", "ch01_b_answer"), ("ch01_b_answer",), ("ch01_z",), 1))
    '01_basics: kept 1.A, 1.B; moved 1.B; no longer asked 1.Z; 1 of your own cells'
    """

    def named(keys: Iterable[str]) -> str:
        return ", ".join(item_label(key.removesuffix("_answer")) for key in keys)

    parts = [
        f"kept {named(account.kept)}" if account.kept else "",
        f"moved {named(account.moved)}" if account.moved else "",
        f"no longer asked {named(account.gone)}" if account.gone else "",
        f"{account.own} of your own cells" if account.own else "",
        f"{len(account.changed)} changed on both sides: yours in the copy"
        if account.changed
        else "",
    ]
    return f"{account.name}: {'; '.join(filter(None, parts)) or 'no answers in it'}"


# ---- the commands


def update(
    project: Project, archive: Path | None = None, *, say: Callable[[str], None] = print
) -> list[Carried]:
    """Renew the course and return what became of the learner's work.

    Parameters
    ----------
    project : Project
        A git checkout, or what was unpacked from a handout.
    archive : Path, optional
        The newer handout, where there is no git.
    say : callable
        Shows a line.

    Raises
    ------
    ClassroomError
        If there is nothing to update from, or something else was changed; then nothing is.
    """
    if (project.root / ".git").exists():
        if archive is not None:
            raise ClassroomError(
                "this is a git checkout: run 'classroom update' without an archive, and it fetches"
            )
        return _update_checkout(project, say)
    if archive is None:
        raise ClassroomError(
            "this is no git checkout; give the newer handout: 'classroom update handout.zip'"
        )
    return _update_handout(project, archive, say)


def _update_checkout(project: Project, say: Callable[[str], None]) -> list[Carried]:
    root = project.root
    before = _git(root, "rev-parse", "--short", "HEAD")
    upstream = _git(root, "rev-parse", "--abbrev-ref", "@{upstream}", why=(
        "this branch follows no other; 'git branch --set-upstream-to=origin/main' names one"
    ))  # fmt: skip
    _git(root, "fetch", "--quiet", why="the newer version could not be fetched")
    after = _git(root, "rev-parse", "--short", upstream)
    if before == after:
        say(f"This is the newest version: {_named(root, before)}.")
        return []
    _git(root, "merge-base", "--is-ancestor", "HEAD", upstream, why=(
        f"this checkout has commits that {upstream} does not have; merge them with git"
    ))  # fmt: skip
    touched = _git(root, "diff", "--name-only", "-z", "HEAD").split("\0")
    touched = [name for name in touched if name]
    others = [n for n in touched if not (n.startswith("course/") and n.endswith(".ipynb"))]
    if others:
        raise ClassroomError(
            f"files of the course were changed: {', '.join(others[:4])}; commit them, or put them "
            f"back with 'git restore {others[0]}'. Nothing was changed"
        )
    mine = {name: (root / name).read_bytes() for name in touched if (root / name).exists()}
    released = {name: cell_hashes(_git_file(root, name)) for name in mine}
    tell_class(project, before, upstream, say)
    _copied(project, mine, say)
    if touched:
        _git(root, "restore", "--staged", "--worktree", "--", *touched)
    try:
        _git(root, "merge", "--ff-only", "--quiet", upstream, why="git could not update")
    except ClassroomError:
        for name, content in mine.items():
            write_whole(root / name, content)
        raise
    made, accounts = carry_all(mine, notebooks_in(root), released)
    for name, content in made.items():
        write_whole(root / name, content)
    _tell(accounts, f"{_named(root, before)} → {_named(root, after)}", say)
    return accounts


def _update_handout(project: Project, archive: Path, say: Callable[[str], None]) -> list[Carried]:
    root = project.root
    with open_archive(archive) as files:
        tops = {file.parts[0] for file in files}
        inner = 1 if len(tops) == 1 else 0
        found = {"/".join(file.parts[inner:]): file.read() for file in files}
    new = {name: c for name, c in found.items() if "/" not in name or name.split("/")[0] in OURS}
    if "nbgrader_config.py" not in new or not any(name.startswith("course/") for name in new):
        raise ClassroomError(f"{archive.name} is no handout of this course; nothing was changed")
    released = _released(root / RELEASED)
    mine = notebooks_in(root)
    if released is not None:
        mine = {n: c for n, c in mine.items() if cell_hashes(c) != dict(released.get(n, {}))}
    made, accounts = carry_all(
        mine, {name: c for name, c in new.items() if name.endswith(".ipynb")}, released
    )
    _copied(project, mine, say)
    for name, content in {**new, **made}.items():
        write_if_new(root / name, content)
    for path in sorted((root / "helpers").rglob("*.py")):
        if path.relative_to(root).as_posix() not in new:
            path.unlink()
    _tell(accounts, f"Taken from {archive.name}", say)
    return accounts


def _released(path: Path) -> dict[str, Hashes] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {str(name): dict(cells) for name, cells in found.items()}


def notebooks_in(root: Path) -> dict[str, bytes]:
    """Return the notebooks of course/ by path: no checkpoints of JupyterLab, no copies of ours."""
    home = root / "course"
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(home.glob("**/*.ipynb"))
        if ".ipynb_checkpoints" not in path.parts
        and not path.relative_to(home).parts[0].startswith(COPIES)
    }


def _copied(project: Project, files: Mapping[str, bytes], say: Callable[[str], None]) -> None:
    """Copy notebooks to a folder that JupyterLab shows."""
    if not files:
        return
    stem = f"{COPIES}{date.today()}"
    names = (stem if number == 1 else f"{stem}_{number}" for number in range(1, 1_000))
    place = next(p for name in names if not (p := project.root / "course" / name).exists())
    for name, content in files.items():
        write_whole(place / Path(name).name, content)
    was = "it was" if len(files) == 1 else "they were"
    say(f"{counted(len(files), 'notebook')} of yours, copied as {was} to course/{place.name}/")


def _tell(accounts: Iterable[Carried], versions: str, say: Callable[[str], None]) -> None:
    say(f"{versions}.")
    for account in accounts:
        say(account_line(account))
    say("Close and open notebooks that are open in JupyterLab, and restart their kernels.")


def tell_class(project: Project, before: str, upstream: str, say: Callable[[str], None]) -> None:
    """Say which version a class that is being graded was released from, and keep it."""
    root = project.root
    handed = {path.parent.name for path in (root / "class" / "submitted").glob("*/*/*")}
    names = _git(root, "diff", "--name-only", "HEAD", upstream, "--", "solutions").split()
    tests = sorted({Path(name).stem for name in names if name.endswith(".ipynb")} & handed)
    if tests:
        line = (
            f"{', '.join(tests)}: released from {_named(root, before)}, updated on {date.today()}"
        )
        with (root / "class" / "updates.log").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        say(
            f"A class is being graded here, and the tests of {', '.join(tests)} change. Its work was "
            f"released from {_named(root, before)}: 'git switch --detach {before}' grades with that."
        )


def _named(root: Path, commit: str) -> str:
    return _git(root, "show", "--no-patch", "--format=%h of %cs", commit)


def _git(root: Path, *arguments: str, why: str = "git failed") -> str:
    """Run git and return what it printed; what it says when it fails becomes one sentence."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ClassroomError(
            "git is not installed; install it from your system's packages"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.split())[:200]
        raise ClassroomError(f"{why} ({said})" if said else why)
    return done.stdout.strip()


def _git_file(root: Path, name: str) -> bytes:
    return subprocess.run(
        ["git", "show", f"HEAD:{name}"], cwd=root, capture_output=True, check=True
    ).stdout

"""A learner's own record: what was passed, how many attempts it took, what to revisit.

The record is one JSON file on the learner's computer: `$LEVERAGE_PROGRESS`, or
`~/.leverage-course/progress.json`. Nothing is sent anywhere. It is never written while nbgrader
runs a notebook, and a place that cannot be written never stops a lesson.
"""

import atexit
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leverage._places import home_folder, in_browser, own_place
from leverage.lessons import manifest
from leverage.lessons.manifest import ChapterFacts, ItemFacts
from leverage.lessons.wording import counted, item_label, say, sentence, wrapped

MASTERY_SHARE = 0.8
_DEFAULT_PLACE = "~/.leverage-course/progress.json"
_LOCK_WAIT_S = 5.0
_LOCK_PAUSE_S = 0.005
_REPLACE_TRIES = 20
_HINT_LIMIT = 500

_said: set[str] = set()
_unwritten: list[Callable[[dict[str, Any]], None]] = []
"""Changes that could not be written; they go with the next one, or when the kernel ends."""
_tried: dict[str, tuple[int, str]] = {}
"""Different wrong answers of this session by item, and the mark of the last."""


@dataclass(frozen=True)
class Mastery:
    """What a set of passed items is worth in one chapter.

    Attributes
    ----------
    points, possible : float
        Points earned and points possible on the autograded items; answers marked by hand count
        in neither.
    safety_passed, safety_total : int
        Items marked *safety* that were passed, and how many there are.
    mastered : bool
        At least 80 % of the points, and every safety item.
    missing : tuple of str
        Ids of the autograded items not passed, in the chapter's order.
    """

    points: float
    possible: float
    safety_passed: int
    safety_total: int
    mastered: bool
    missing: tuple[str, ...]


def mastery(chapter: ChapterFacts, passed_ids: Collection[str]) -> Mastery:
    """Score one chapter from the ids of the items passed.

    Parameters
    ----------
    chapter : ChapterFacts
        The chapter as in `course.json`: its `items` carry `points`, `safety` and `kind`.
    passed_ids : collection of str
        Ids of the items passed; ids that the chapter does not list are ignored.

    Returns
    -------
    Mastery
        Mastered means at least 80 % of the autograded points and all safety items. A chapter with
        nothing to score is not held against the learner.

    Examples
    --------
    >>> items = {"ch01_a": {"points": 4}, "ch01_b": {"points": 1, "safety": True}}
    >>> mastery({"items": items}, {"ch01_a"}).mastered
    False
    >>> mastery({"items": items}, {"ch01_a", "ch01_b"}).points
    5.0
    """
    graded = {key: item for key, item in chapter.get("items", {}).items() if _autograded(item)}
    passed = {key: item for key, item in graded.items() if key in passed_ids}
    points, possible = _points(passed), _points(graded)
    safety, safety_passed = _safety(graded), _safety(passed)
    enough = points >= MASTERY_SHARE * possible - 1e-9
    return Mastery(
        points=points,
        possible=possible,
        safety_passed=safety_passed,
        safety_total=safety,
        mastered=enough and safety_passed == safety,
        missing=tuple(key for key in graded if key not in passed),
    )


def progress_file() -> Path:
    """Return where the record is kept: `$LEVERAGE_PROGRESS` or a file in the learner's folder.

    Where the system knows no home folder, that is in the folder of the notebook, and the learner
    is told; in the browser it is on the drive that the browser keeps.
    """
    return own_place("LEVERAGE_PROGRESS", "progress.json")


def _place_name() -> str:
    """Name the record's place without naming this computer's folders, where they are the usual."""
    if os.environ.get("LEVERAGE_PROGRESS", "").strip():
        return "the file that LEVERAGE_PROGRESS names"
    return str(progress_file()) if in_browser() or not home_folder() else _DEFAULT_PLACE


def _say_odd_place(path: Path) -> None:
    if not os.environ.get("LEVERAGE_PROGRESS", "").strip() and not home_folder():
        _note_once(f"Note: this computer names no home folder; your progress is kept in {path}.")


def record(item_id: str, *, passed: bool, hint: str = "", answer: str = "") -> None:
    """Add one attempt at an item to the record; never raises, never writes while grading.

    Parameters
    ----------
    item_id : str
        Id of the graded cell.
    passed : bool
        Whether this attempt passed. An item once passed stays passed.
    hint : str
        What the check said; kept until the item is passed.
    answer : str
        Mark of a wrong answer, from `answer_mark`; another mark than the last is another try.
    """
    if is_graded():
        return
    if answer:
        _tried[item_id] = tries_with(item_id, answer), answer
    _update(lambda entries: _add_attempt(entries, item_id, passed, hint, answer))


def answer_mark(words: str) -> str:
    """Return a mark by which a wrong answer is known again; it does not tell the answer."""
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def tries_with(item_id: str, answer: str) -> int:
    """Return how many different wrong answers an item has had, this one included.

    Where the record cannot be kept, those of this session count.
    """
    entry = _whole_entry(_quiet_entries().get(item_id))
    known: list[tuple[int, str]] = [
        (entry["tries"], entry["answer"]),
        _tried.get(item_id, (0, "")),
    ]
    return max(tries + int(answer not in ("", last)) for tries, last in known)


def is_graded() -> bool:
    """Tell whether a grader runs this notebook: then nothing is recorded and nothing kept back."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def is_settled(item_id: str) -> bool:
    """Tell whether `classroom score` has seen the item pass, hidden test included."""
    return bool(_whole_entry(_quiet_entries().get(item_id))["settled"])


def settle_items(results: Mapping[str, bool]) -> None:
    """Note what `classroom score` found, hidden tests included, by item id."""

    def change(entries: dict[str, Any]) -> None:
        for item_id, passed in results.items():
            if item_id in entries or passed:
                entry = _whole_entry(entries.get(item_id))
                entry["settled"] = passed
                entry["passed"] = entry["passed"] or passed
                entries[item_id] = entry

    _update(change)


def note_shown(item_ids: Iterable[str]) -> None:
    """Note that the solution of these items was shown; what had passed before is not touched."""

    def change(entries: dict[str, Any]) -> None:
        for item_id in item_ids:
            entry = _whole_entry(entries.get(item_id))
            entry["shown"] = entry["shown"] or not entry["passed"]
            entries[item_id] = entry

    _update(change)


def read_record() -> dict[str, dict[str, Any]]:
    """Return the record by item id: `passed`, `attempts`, the last `hint` and more; {} when empty.

    A file that is not a record is set aside under another name, and the learner is told.
    """
    try:
        return _entries(_read_file(progress_file()))
    except (OSError, ValueError) as error:
        _note_unusable(error)
        return {}


def show_progress(chapter: str | int | None = None) -> None:
    """Print points, safety items and mastery of each chapter, and what to revisit.

    Parameters
    ----------
    chapter : str or int, optional
        One chapter only: its number (4) or its folder ("04_liquidation").

    Raises
    ------
    ValueError
        If the course has no such chapter.
    """
    entries = read_record()
    chapters = manifest.load_chapters()
    chosen = chosen_chapters(chapters, chapter)
    lines = [f"Your progress, kept only on this computer, in {_place_name()}.", ""]
    if not chosen:
        lines += _without_course(entries)
    else:
        lines += _progress_table(chosen, entries)
        lines += _to_revisit(chosen, entries)
        lines += _solutions_shown(chosen, entries)
        lines += ["", *_hidden_ones(chosen, entries)]
    say("\n".join(lines))


def forget_progress() -> None:
    """Delete the record from this computer, and say so."""
    path = progress_file()
    _tried.clear()
    _unwritten.clear()
    try:
        path.unlink()
    except FileNotFoundError:
        say(f"There was no progress to forget: {path} does not exist.")
    except OSError as error:
        say(f"Your progress could not be deleted: {path} ({_reason(error)}).")
    else:
        say(f"Your progress is deleted: {path} is gone.")


def _autograded(item: ItemFacts) -> bool:
    return item.get("kind", "test") != "manual"


def _points(items: Mapping[str, ItemFacts]) -> float:
    return float(sum(item.get("points", 0) for item in items.values()))


def _safety(items: Mapping[str, ItemFacts]) -> int:
    return sum(bool(item.get("safety", False)) for item in items.values())


def _add_attempt(
    entries: dict[str, Any], item_id: str, passed: bool, hint: str, answer: str
) -> None:
    entry = _whole_entry(entries.get(item_id))
    entry["attempts"] += 1
    entry["tries"] += bool(answer) and answer != entry["answer"]
    entry["answer"] = answer or entry["answer"]
    entry["passed"] = entry["passed"] or passed
    entry["hint"] = "" if passed else hint[:_HINT_LIMIT]
    entries[item_id] = entry


def _whole_entry(raw: object) -> dict[str, Any]:
    entry = dict(raw) if isinstance(raw, dict) else {}
    for name in ("attempts", "tries"):
        count = entry.get(name)
        entry[name] = count if isinstance(count, int) and count > 0 else 0
    for name in ("passed", "settled", "shown"):
        entry[name] = entry.get(name) is True
    for name in ("hint", "answer"):
        entry[name] = entry[name] if isinstance(entry.get(name), str) else ""
    return entry


def _quiet_entries() -> Mapping[str, Any]:
    """Return the record's entries as they are, or none; what is wrong is told when it is kept."""
    try:
        items = json.loads(progress_file().read_text(encoding="utf-8-sig"))["items"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return items if isinstance(items, dict) else {}


def _entries(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(key): _whole_entry(raw) for key, raw in data["items"].items()}


def _update(change: Callable[[dict[str, Any]], None]) -> None:
    _unwritten.append(change)
    try:
        _write_changes()
    except (OSError, ValueError) as error:
        _note_unusable(error)


def _write_changes() -> None:
    path = progress_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(path):
        data = _read_file(path)
        for change in _unwritten:
            change(data["items"])
        _write_file(path, data)
    _unwritten.clear()
    _say_odd_place(path)


@atexit.register
def _write_the_rest() -> None:
    if _unwritten:
        with suppress(OSError, ValueError):  # it was noted when it happened
            _write_changes()


def _read_file(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {"version": 1, "items": {}}
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict) and isinstance(data.get("items"), dict):
        return data
    _set_aside(path)
    return {"version": 1, "items": {}}


def _set_aside(path: Path) -> None:
    kept = path.with_name(f"{path.name}.unreadable")
    number = 2
    while kept.exists():
        kept = path.with_name(f"{path.name}.{number}.unreadable")
        number += 1
    path.replace(kept)
    say(f"Note: {path} could not be read as a progress record. It is kept as {kept}.")


def _write_file(path: Path, data: Mapping[str, Any]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(data, sort_keys=True))  # with indent it takes ten times as long
            file.write("\n")
        _replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _replace(source: Path, target: Path) -> None:
    for attempt in range(_REPLACE_TRIES):
        try:
            source.replace(target)
            return
        except PermissionError:  # Windows, while another notebook reads the file
            if os.name != "nt" or attempt == _REPLACE_TRIES - 1:
                raise
            time.sleep(0.01)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the record alone, by a lock of the operating system: it ends with its holder.

    The holder deletes the lock file; whoever got the lock of a deleted one opens the next.
    """
    if in_browser():  # it has no locks, and one kernel writes at a time
        yield
        return
    lock = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        with _opened(lock, deadline) as number:
            if _lock(number, deadline) and _is_still(lock, number):
                try:
                    yield
                finally:
                    with suppress(OSError):  # Windows deletes no open file: then it stays
                        lock.unlink()
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"another notebook has held {lock} for {_LOCK_WAIT_S:g} s")


@contextmanager
def _opened(lock: Path, deadline: float) -> Iterator[int]:
    while True:
        try:
            number = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
            break
        except PermissionError:  # Windows, while the holder is deleting it
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_PAUSE_S)
    try:
        yield number
    finally:
        os.close(number)


def _lock(number: int, deadline: float) -> bool:
    while not _try_lock(number):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOCK_PAUSE_S)
    return True


def _is_still(lock: Path, number: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(number))
    except FileNotFoundError:
        return False


def _try_lock(number: int) -> bool:
    """Take the lock if nobody has it; a file system that knows no locks gives it to everybody."""
    try:
        if sys.platform == "win32":
            import msvcrt  # there is one of the two, by system

            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system that knows no locks
        return True
    return True


def _note_unusable(error: OSError | ValueError) -> None:
    _note_once(
        f"Note: your progress cannot be kept in {progress_file()} ({_reason(error)}). Lessons go"
        " on without it, and what you did is written as soon as it can be. To keep it elsewhere,"
        " set LEVERAGE_PROGRESS to a file that you can write."
    )


def _note_once(words: str) -> None:
    if words not in _said:
        _said.add(words)
        say(words)


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def chosen_chapters(
    chapters: Mapping[str, ChapterFacts], chapter: str | int | None
) -> list[tuple[str, ChapterFacts]]:
    """Return the chapter that was asked for, or all; ValueError names those that there are."""
    if chapter is None:
        return list(chapters.items())
    wanted = str(chapter).strip()
    chosen = [
        (name, known)
        for name, known in chapters.items()
        if wanted == name or (wanted.isdigit() and int(wanted) == _chapter_number(name, known))
    ]
    if not chosen:
        known_names = ", ".join(chapters) or "none, because the course is not built yet"
        raise ValueError(
            f"chapter must be the number or the folder of a chapter, was {chapter!r}; "
            f"the chapters are: {known_names}"
        )
    return chosen


def _chapter_number(name: str, chapter: ChapterFacts) -> int | None:
    if "number" in chapter:
        return int(chapter["number"])
    digits = name.split("_")[0]
    return int(digits) if digits.isdigit() else None


def numbered_title(name: str, chapter: ChapterFacts) -> str:
    """Return a chapter's number and title."""
    number = _chapter_number(name, chapter)
    title = chapter.get("title", name)
    return title if number is None else f"{number}. {title}"


def _progress_table(
    chosen: list[tuple[str, ChapterFacts]], entries: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    rows = [("Chapter", "Points", "Safety items", "Mastery")]
    rows += [_progress_row(name, chapter, entries) for name, chapter in chosen]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _progress_row(
    name: str, chapter: ChapterFacts, entries: Mapping[str, Mapping[str, Any]]
) -> tuple[str, str, str, str]:
    score = mastery(chapter, _passed(entries))
    title = numbered_title(name, chapter)
    by_hand = _by_hand(chapter)
    if not score.possible and not score.safety_total:
        return title, f"none to earn{by_hand}", "none", "not scored"
    points = f"{score.points:g} of {score.possible:g}{by_hand}"
    safety = f"{score.safety_passed} of {score.safety_total}" if score.safety_total else "none"
    by = ", by the visible checks" if _open_items(chapter, entries) else ""
    return title, points, safety, f"yes{by}" if score.mastered else "not yet"


def _open_items(chapter: ChapterFacts, entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the items that passed on the page and whose hidden test nobody has run since."""
    return [
        key
        for key, item in chapter.get("items", {}).items()
        if item.get("hidden") and key in entries
        if entries[key]["passed"] and not entries[key]["settled"]
    ]


def _solutions_shown(
    chosen: list[tuple[str, ChapterFacts]], entries: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    shown = [
        item_label(str(item.get("exercise", key)))
        for _, chapter in chosen
        for key, item in chapter.get("items", {}).items()
        if key in entries and entries[key]["shown"]
    ]
    return ["", f"Solutions shown: {', '.join(dict.fromkeys(shown))}."] if shown else []


def _by_hand(chapter: ChapterFacts) -> str:
    items = chapter.get("items", {})
    points = _points({key: item for key, item in items.items() if not _autograded(item)})
    verb = "is" if points == 1 else "are"
    return f" ({points:g} more {verb} marked by hand)" if points else ""


def _hidden_ones(
    chosen: list[tuple[str, ChapterFacts]], entries: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Name the command that runs the hidden checks of the chapters worked on, if any is open."""
    worked_on = [
        (name, chapter)
        for name, chapter in chosen
        if any(key in entries for key in chapter.get("items", {}))
    ]
    keys = [key for _, chapter in worked_on for key in chapter.get("items", {})]
    scored = any(key in entries and entries[key]["settled"] for key in keys)
    if scored and not any(_open_items(chapter, entries) for _, chapter in worked_on):
        return ["Hidden tests of what passed are settled: 'classroom score' has run them."]
    if in_browser():
        return [
            "Counted here: the checks you can see. Hidden tests do not run in the browser: download",
            "your notebook, hand it in, or run 'classroom score' where the course is installed.",
        ]
    numbers = " ".join(name.partition("_")[0] for name, _ in worked_on or chosen)
    return [
        "Counted here: the checks you can see.",
        f"Run 'classroom score {numbers}' for the hidden ones: only they settle mastery.",
    ]


def _passed(entries: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {key for key, entry in entries.items() if entry["passed"]}


def _to_revisit(
    chosen: list[tuple[str, ChapterFacts]], entries: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    lines: list[str] = []
    for name, chapter in chosen:
        missing = mastery(chapter, _passed(entries)).missing
        tried = [item_id for item_id in missing if item_id in entries]
        if tried or (missing and any(key in entries for key in chapter.get("items", {}))):
            lines += ["", f"To revisit in {numbered_title(name, chapter)}:"]
            for item_id in tried:
                lines += _advice(chapter, item_id, entries[item_id])
            untried = len(missing) - len(tried)
            if untried:
                lines.append(f"- Not tried yet: {counted(untried, 'item')}.")
    return lines


def _advice(chapter: ChapterFacts, item_id: str, entry: Mapping[str, Any]) -> list[str]:
    item = chapter.get("items", {})[item_id]
    safety = ", a safety item" if item.get("safety") else ""
    tries = counted(entry["attempts"], "attempt")
    section = f" Section: {sentence(item['section'])}" if item.get("section") else ""
    lines = [f"- {item_label(item_id)}{safety}, {tries}.{section}"]
    texts = chapter.get("objectives", {})
    for objective in item.get("objectives", []):
        lines.append(f"  {objective}: {sentence(texts.get(objective, 'no text'))}")
    if entry["hint"]:
        lines.append(f"  Last hint: {sentence(' '.join(entry['hint'].split()))}")
    return [wrapped(line) for line in lines]


def _without_course(entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not entries:
        return ["Nothing is recorded yet. Run the checks of a chapter, then come back."]
    lines = ["The list of chapters is not installed, so points cannot be shown."]
    for item_id, entry in sorted(entries.items()):
        state = "passed" if entry["passed"] else "not yet"
        lines.append(f"- {item_label(item_id)}: {state}, {counted(entry['attempts'], 'attempt')}.")
    return lines

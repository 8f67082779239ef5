"""Facts about chapters, exercises and quizzes, as the course build wrote them.

The two files live in `leverage/lessons/data`, or in the folder `$LEVERAGE_LESSON_DATA`, which the
build sets while the files are still being made. A lesson must work without them, so a missing,
unreadable or malformed file reads as an empty course.
"""

import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NotRequired, TypedDict

_DATA = Path(__file__).with_name("data")


class ItemFacts(TypedDict, total=False):
    """One graded cell: a test, a quiz question, or an answer marked by hand."""

    exercise: str
    points: float
    safety: bool
    hidden: bool
    objectives: list[str]
    kind: str
    section: str
    cell: str
    course: list[str]


class ChapterFacts(TypedDict):
    """One chapter; `items` maps the id of each graded cell to its facts."""

    number: NotRequired[int]
    title: NotRequired[str]
    minutes: NotRequired[int]
    promise: NotRequired[str]
    objectives: NotRequired[dict[str, str]]
    items: NotRequired[dict[str, ItemFacts]]


class Quiz(TypedDict):
    """The right option of a question and the feedback on every option.

    With a salt, the answer is a hash of the right option, and the feedback on an option is sealed
    by that option (`leverage.lessons.quizzes.sealed`).
    """

    answer: str
    feedback: dict[str, str]
    salt: NotRequired[str]


def load_chapters() -> dict[str, ChapterFacts]:
    """Return the chapters of the course by folder name, in their order; {} when there are none."""
    return _load("chapters")


def load_reviews() -> dict[str, ChapterFacts]:
    """Return the mixed reviews by folder name, in their order; {} when there are none."""
    return _load("reviews")


def _load(kind: str) -> dict[str, ChapterFacts]:
    chapters = _read_data("course.json").get(kind)
    if not isinstance(chapters, Mapping):
        return {}
    kept: dict[str, Any] = {
        str(name): chapter
        for name, chapter in chapters.items()
        if isinstance(chapter, Mapping) and isinstance(chapter.get("items", {}), Mapping)
    }
    return dict(sorted(kept.items(), key=lambda pair: pair[0]))


def load_quizzes() -> dict[str, Quiz]:
    """Return the quiz questions by id; {} when there are none."""
    found: dict[str, Quiz] = {}
    for name, quiz in _read_data("quizzes.json").items():
        if isinstance(quiz, Mapping) and {"answer", "feedback"} <= quiz.keys():
            one = Quiz(answer=str(quiz["answer"]), feedback=dict(quiz["feedback"]))
            found[str(name)] = Quiz(**one, salt=str(quiz["salt"])) if "salt" in quiz else one
    return found


def items(chapters: Mapping[str, ChapterFacts]) -> Iterator[tuple[str, str, ItemFacts]]:
    """Yield (chapter folder, item id, item) for every graded cell of the chapters."""
    for name, chapter in chapters.items():
        for item_id, item in chapter.get("items", {}).items():
            yield name, item_id, item


def find_item(item_id: str) -> ItemFacts | None:
    """Return the facts of one graded cell, or None when the course does not list it."""
    everything = {**load_chapters(), **load_reviews()}
    return next((item for _, known, item in items(everything) if known == item_id), None)


def _read_data(name: str) -> dict[str, Any]:
    try:
        path = Path(os.environ.get("LEVERAGE_LESSON_DATA") or _DATA, name)
        found = path.stat()
        return _read_version(path, (found.st_mtime_ns, found.st_size, found.st_ino))
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=8)
def _read_version(path: Path, version: tuple[int, ...]) -> dict[str, Any]:
    """Read each version of a file once: every check asks for it."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return data if isinstance(data, dict) else {}

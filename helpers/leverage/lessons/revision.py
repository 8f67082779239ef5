"""What to look at again, from the learner's own record: safety items, objectives, reviews.

Everything is read from the record on this computer; nothing is sent anywhere.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leverage.lessons import manifest
from leverage.lessons.manifest import ChapterFacts, ItemFacts
from leverage.lessons.progress import chosen_chapters, mastery, numbered_title, read_record
from leverage.lessons.wording import counted, item_label, sentence

MANY_ATTEMPTS = 4
_MARKS = re.compile(r"([\\`*_{}\[\]<>|$#~])")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")

Entries = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Advice:
    """A text with links, as a notebook shows it; in a terminal it is plain text.

    Attributes
    ----------
    markdown : str
        The text in Markdown.
    """

    markdown: str

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        plain = _LINK.sub(r"\1", self.markdown)
        plain = re.sub(r"^#+ ", "", plain, flags=re.MULTILINE)
        return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", plain)


def revisit(chapter: str | int | None = None) -> Advice:
    """Say what to look at again, from the record of your checks on this computer.

    Parameters
    ----------
    chapter : str or int, optional
        One chapter only: its number (4) or its folder ("04_risk_management").

    Returns
    -------
    Advice
        Safety items that are open, then each chapter that was begun with the objectives whose
        checks have not passed, questions of mixed reviews, and what comes next. Each with a link.

    Raises
    ------
    ValueError
        If the course has no such chapter.
    """
    entries = read_record()
    chapters = manifest.load_chapters()
    chosen = dict(chosen_chapters(chapters, chapter))
    if not chapters:
        return Advice("The list of chapters is not installed, so there is nothing to lead to.")
    begun = {name: known for name, known in chosen.items() if _begun(known, entries)}
    lines: list[str] = []
    if begun:
        lines += _safety_open(begun, entries)
        for name, known in begun.items():
            lines += _chapter(name, known, entries)
    else:
        lines += ["Nothing is recorded here yet. Run the checks of a chapter, then come back."]
    if chapter is None:
        lines += _reviews(chapters, entries)
        lines += _next(chapters, entries)
    return Advice("\n".join(lines).strip())


def draw(seed: int | None = None) -> Advice:
    """Draw an exercise that you have passed before, to be done again from an empty cell.

    Parameters
    ----------
    seed : int, optional
        The same seed draws the same exercise from the same record.

    Returns
    -------
    Advice
        The exercise with its link and its objectives; a sentence when nothing is passed yet.
    """
    entries = read_record()
    passed = [
        (name, known, item_id, item)
        for name, known in manifest.load_chapters().items()
        for item_id, item in known.get("items", {}).items()
        if entries.get(item_id, {}).get("passed") and item.get("points", 0) > 0
    ]
    if not passed:
        return Advice("No exercise is passed yet, so none can be drawn.")
    name, known, item_id, item = random.Random(seed).choice(passed)  # noqa: S311  (no secret)
    texts = known.get("objectives", {})
    aims = " ".join(sentence(texts[key]) for key in item.get("objectives", []) if key in texts)
    return Advice(f"Do again: {_link(name, item_id, item)}. {aims}".strip())


def _begun(chapter: ChapterFacts, entries: Entries) -> bool:
    return any(key in entries for key in chapter.get("items", {}))


def _open_items(chapter: ChapterFacts, entries: Entries) -> dict[str, ItemFacts]:
    items = chapter.get("items", {})
    passed = {key for key, entry in entries.items() if entry["passed"]}
    return {key: items[key] for key in mastery(chapter, passed).missing}


def _safety_open(begun: Mapping[str, ChapterFacts], entries: Entries) -> list[str]:
    lines = [
        f"- {_link(name, key, item)}{_tries(entries.get(key), hint=False)}"
        for name, known in begun.items()
        for key, item in _open_items(known, entries).items()
        if item.get("safety")
    ]
    return ["#### Safety items that are open", "", *lines, ""] if lines else []


def _chapter(name: str, chapter: ChapterFacts, entries: Entries) -> list[str]:
    score = mastery(chapter, {key for key, entry in entries.items() if entry["passed"]})
    title = f"[{numbered_title(name, chapter)}]({_path(name)})" if _path(name) else ""
    state = "mastered, by the visible checks" if score.mastered else "not mastered yet"
    lines = [
        f"#### {title or numbered_title(name, chapter)}",
        "",
        f"{score.points:g} of {counted(score.possible, 'point')}, {state}.",
        "",
    ]
    missing = _open_items(chapter, entries)
    tried = {key: item for key, item in missing.items() if key in entries}
    texts = chapter.get("objectives", {})
    for objective in dict.fromkeys(
        o for item in tried.values() for o in item.get("objectives", [])
    ):
        lines.append(f"- {objective}: {sentence(texts.get(objective, 'no text'))}")
        for key, item in tried.items():
            if objective in item.get("objectives", []):
                lines.append(f"  - {_link(name, key, item)}{_tries(entries[key])}")
    for key, item in tried.items():
        if not item.get("objectives"):
            lines.append(f"- {_link(name, key, item)}{_tries(entries[key])}")
    untried = [(k, x) for k, x in missing.items() if k not in entries and x.get("points", 0)]
    if untried:
        first = _link(name, *untried[0])
        lines.append(f"- Not tried yet: {counted(len(untried), 'item')}, the first is {first}.")
    hard = [
        (key, chapter["items"][key])
        for key in chapter.get("items", {})
        if entries.get(key, {}).get("passed") and entries[key]["attempts"] >= MANY_ATTEMPTS
    ]
    lines += [
        f"- Passed after {counted(entries[key]['attempts'], 'attempt')}, worth another look: "
        f"{_link(name, key, item)}."
        for key, item in hard
    ]
    return [*lines, ""]


def _reviews(chapters: Mapping[str, ChapterFacts], entries: Entries) -> list[str]:
    lines = []
    for name, review in manifest.load_reviews().items():
        for key, item in review.get("items", {}).items():
            if key not in entries or entries[key]["passed"]:
                continue
            owners = [
                (owner, known)
                for owner, known in chapters.items()
                if set(item.get("objectives", [])) & set(known.get("objectives", {}))
            ]
            where = ", ".join(
                f"[{numbered_title(n, c)}]({_path(n)})" if _path(n) else numbered_title(n, c)
                for n, c in owners
            )
            again = f" Look again at {where}." if where else ""
            lines.append(f"- {_link(name, key, item)}{_tries(entries[key])}{again}")
    return ["#### Questions of the mixed reviews", "", *lines, ""] if lines else []


def _next(chapters: Mapping[str, ChapterFacts], entries: Entries) -> list[str]:
    for name, chapter in chapters.items():
        if not _begun(chapter, entries):
            title = numbered_title(name, chapter)
            shown = f"[{title}]({_path(name)})" if _path(name) else title
            minutes = chapter.get("minutes", 0)
            time = f", {minutes} minutes" if minutes else ""
            return ["#### Not begun yet", "", f"{shown}{time}."]
    return []


def _tries(entry: Mapping[str, Any] | None, *, hint: bool = True) -> str:
    if entry is None:
        return ": not tried yet."
    said = f" Last hint: {sentence(_plain(entry['hint']))}" if hint and entry["hint"] else ""
    return f": {counted(entry['attempts'], 'attempt')}, not passed.{said}"


def _plain(text: str) -> str:
    """Return a text on one line that Markdown shows as it is."""
    readable = text.encode("utf-8", "replace").decode("utf-8")
    return _MARKS.sub(r"\\\1", " ".join(readable.split()))


def _link(name: str, item_id: str, item: ItemFacts) -> str:
    section = item.get("section", "")
    label = item_label(item.get("exercise") or item_id)
    words = section if section.startswith(label) else f"{label} ({section})" if section else label
    path, cell = _path(name), item.get("cell", "")
    shown = _plain(words)
    return f"[{shown}]({path}{f'#cell-id={cell}' if cell else ''})" if path else shown


def _path(name: str) -> str:
    """Return the way to a chapter's notebook from the notebook that runs; '' if there is none."""
    for up in ("", "../"):
        path = f"{up}{name}/{name}.ipynb"
        if Path(path).is_file():
            return path
    return ""

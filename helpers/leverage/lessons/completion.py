"""A sheet to print that says what a learner has done, made from the learner's own record.

Nothing is sent anywhere: one HTML file that needs nothing else, and a PDF where a browser is there.
It says what it is: a summary of a file that its owner could change, and no certificate.
"""

from __future__ import annotations

import datetime
import html
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leverage.lessons import manifest
from leverage.lessons.browser import find_browser, print_pdf
from leverage.lessons.progress import Mastery, mastery, progress_file, read_record
from leverage.lessons.wording import counted, say

LONGEST_NAME = 80
_FILE = "completion"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Leverage, computed: what was done</title>
<style>
@page {{ size: A4; margin: 2cm }}
body {{ font: 11pt/1.5 serif; color: #262626; max-width: 42em; margin: 2em auto; padding: 0 1em }}
h1 {{ font-size: 20pt; margin-bottom: 0 }}
.name {{ font-size: 16pt; overflow-wrap: anywhere }}
table {{ border-collapse: collapse; width: 100%; margin: 1em 0 }}
th, td {{ text-align: left; padding: .25em .5em; border-bottom: 1px solid #bbb }}
td.number, th.number {{ text-align: right }}
.note {{ border: 1px solid #595959; padding: .5em 1em }}
</style>
</head>
<body>
<h1>Leverage, computed</h1>
<p>A course on crypto leverage trading. What was done, up to {date}, by</p>
<p class="name">{name}</p>
<p>{summary}</p>
<table>
<caption>Points of the checks that a learner sees, by chapter</caption>
<thead><tr><th scope="col">Chapter</th><th scope="col" class="number">Points</th>
<th scope="col" class="number">Safety items</th><th scope="col">Mastered</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>A chapter is mastered with 80 % of its points and all its safety items.
Answers that are marked by hand are not counted here, and neither are hidden checks: only
<code>classroom score</code> runs those.</p>
<div class="note">
<p>This sheet was made by its owner, on the owner's computer, from a file that its owner can change.
Nobody has verified it.
It is no certificate of competence, no licence and no qualification to give advice.
It does not say that trading with leverage is suitable for anybody: most who try it lose money.</p>
</div>
</body>
</html>
"""


def completion_sheet(
    name: str,
    folder: str | Path | None = None,
    *,
    pdf: bool = True,
    date: datetime.date | None = None,
) -> tuple[Path, ...]:
    """Write a sheet to print about what you have done: HTML, and PDF where a browser is there.

    Parameters
    ----------
    name : str
        What stands on the sheet: 1 to 80 characters.
    folder : str or Path, optional
        Where to write; beside your progress record if left out.
    pdf : bool, default True
        Also print a PDF, if a Chromium-like browser is installed. It works without a network.
    date : datetime.date, optional
        Day on the sheet; today if left out.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    ValueError
        If the name is empty or too long.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     written = completion_sheet("Ada", folder, pdf=False)  # doctest: +ELLIPSIS
    Your sheet is written: completion.html, in ...
    """
    page = sheet_html(name, read_record(), manifest.load_chapters(), date or _today())
    place = progress_file().parent if folder is None else Path(folder)
    target = place / f"{_FILE}.html"
    try:
        place.mkdir(parents=True, exist_ok=True)
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ValueError(
            f"folder must be a place where files can be made, was {str(place)!r} "
            f"({error.strerror}); give another folder"
        ) from None
    where = "beside your progress record" if folder is None else f"in {folder}"
    if not pdf:
        say(f"Your sheet is written: {target.name}, {where}.")
        return (target,)
    browser = find_browser()
    reason = "no Chromium-like browser was found" if browser is None else ""
    printed = target.with_suffix(".pdf")
    if browser is not None:
        reason = print_pdf(target, printed, browser)
    if reason:
        say(
            f"Your sheet is written: {target.name}, {where}. There is no PDF: {reason}. Open the "
            "page in a browser of yours and print it from there."
        )
        return (target,)
    say(f"Your sheet is written: {target.name} and {printed.name}, {where}.")
    return target, printed


def sheet_html(
    name: str,
    record: Mapping[str, Mapping[str, Any]],
    chapters: Mapping[str, manifest.ChapterFacts],
    date: datetime.date,
) -> str:
    """Return the sheet as one HTML page that loads nothing.

    Parameters
    ----------
    name : str
        What stands on the sheet; written as text, whatever characters it holds.
    record : mapping
        As `read_record` gives it.
    chapters : mapping
        As `manifest.load_chapters` gives them.
    date : datetime.date
        Day on the sheet.
    """
    passed = {key for key, entry in record.items() if entry["passed"]}
    scores = {key: (chapter, mastery(chapter, passed)) for key, chapter in chapters.items()}
    counted_in = [score for _, score in scores.values() if score.possible]
    rows = "\n".join(_sheet_row(key, chapter, score) for key, (chapter, score) in scores.items())
    return _PAGE.format(
        date=f"{date.day} {date:%B %Y}",
        name=html.escape(_clean(name)),
        summary=html.escape(_sheet_summary(counted_in)),
        rows=rows or '<tr><td colspan="4">The list of chapters is not installed.</td></tr>',
    )


def _today() -> datetime.date:
    return datetime.datetime.now(tz=datetime.UTC).astimezone().date()


def _clean(name: object) -> str:
    """Return a name without characters that hide, move or reverse what stands beside them."""
    if not isinstance(name, str):
        raise ValueError(f"name must be a text, was {name!r}; write it in quotes")
    kept = "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else " " for c in name)
    kept = " ".join(kept.split())
    if not kept:
        raise ValueError("name must be a text with something to read, was empty; write your name")
    if len(kept) > LONGEST_NAME:
        raise ValueError(
            f"name must have at most {LONGEST_NAME} characters, has {len(kept)}; write a shorter one"
        )
    return kept


def _sheet_summary(scores: list[Mastery]) -> str:
    points, possible = sum(s.points for s in scores), sum(s.possible for s in scores)
    if not points:
        return "Nothing is recorded yet: no check has been passed on this computer."
    mastered = sum(score.mastered for score in scores)
    safe, safety = sum(s.safety_passed for s in scores), sum(s.safety_total for s in scores)
    return (
        f"{points:g} of {possible:g} points, {safe} of {counted(safety, 'safety item')}, and "
        f"{mastered} of {counted(len(scores), 'chapter')} mastered, by the checks that a learner sees."
    )


def _sheet_row(key: str, chapter: manifest.ChapterFacts, score: Mastery) -> str:
    number = chapter.get("number")
    title = chapter.get("title", key)
    shown = title if number is None else f"{number}. {title}"
    state = "yes" if score.mastered and score.possible else "not yet" if score.possible else "–"
    return (
        f'<tr><th scope="row">{html.escape(str(shown))}</th>'
        f'<td class="number">{score.points:g} of {score.possible:g}</td>'
        f'<td class="number">{score.safety_passed} of {score.safety_total}</td>'
        f"<td>{state}</td></tr>"
    )

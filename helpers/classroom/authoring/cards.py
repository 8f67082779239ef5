"""Flash cards that Anki imports: terms, formulas and common beliefs.

They come from the glossary, the formula sheet and the page of common beliefs, never from graded
questions. Anki replaces a card of an earlier import that has the same front.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from classroom.authoring.formulas import Formula
from classroom.authoring.glossary import Glossary, GlossaryTerm

# Anki reads these lines as settings of the import.
HEADER = (
    "#separator:Comma",
    "#html:true",
    "#notetype:Basic",
    "#deck:Leverage, computed",
    "#columns:Front,Back,Tags",
    "#tags column:3",
)
BELIEF = re.compile(r"^### (?P<claim>[\"“].+[\"”])\s*\n+(?P<answer>.+)", re.DOTALL)
INLINE = re.compile(
    r"\$\$(?P<block>.+?)\$\$|\$(?P<math>[^$\n]+)\$|`(?P<code>[^`]+)`"
    r"|\[(?P<words>[^\]]+)\]\([^)]+\)|\*(?P<em>[^*\n]+)\*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Card:
    """One flash card; both sides are HTML, tags are words without blanks."""

    front: str
    back: str
    tags: tuple[str, ...]


def flash_cards(
    glossary: Glossary, formulas: Iterable[Formula], beliefs: NotebookNode | None
) -> bytes:
    """Return all cards as the bytes of a CSV file."""
    cards = [term_card(entry) for entry in glossary.entries.values()]
    cards += [formula_card(formula) for formula in formulas]
    cards += belief_cards(beliefs) if beliefs is not None else []
    text = io.StringIO()
    text.write("\n".join(HEADER) + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows((card.front, card.back, " ".join(card.tags)) for card in cards)
    return text.getvalue().encode()


def term_card(entry: GlossaryTerm) -> Card:
    """Return the card of a term."""
    notes = [f"Symbol: {entry.symbol}."] * bool(entry.symbol)
    notes += [f"Unit: {entry.unit}."] * bool(entry.unit)
    back = as_html("\n\n".join([entry.definition, " ".join(notes)]).strip())
    return Card(as_html(entry.heading), back, ("leverage_course::term", chapter_tag(entry.chapter)))


def formula_card(formula: Formula) -> Card:
    """Return the card of a formula."""
    back = [
        formula.symbols,
        f"$${formula.formula}$$",
        f"{formula.gives} Computed by `{formula.module}.{formula.name}`.",
        formula.example_text,
    ]
    example = "<br>".join(html.escape(line, quote=False) for line in formula.example.split("\n"))
    text = as_html("\n\n".join(part for part in back if part))
    return Card(
        as_html(f"Formula: {formula.heading}\n\n{formula.meaning}"),
        f"{text}<br><br><code>{example}</code>",
        ("leverage_course::formula", chapter_tag(formula.chapter)),
    )


def belief_cards(page: NotebookNode) -> Iterator[Card]:
    """Yield a card for each common belief of the page; its last paragraph leads to a chapter."""
    for cell in page.cells:
        match = BELIEF.match(cell.source)
        if cell.cell_type != "markdown" or match is None:
            continue
        answer, _, link = match["answer"].strip().rpartition("\n\n")
        chapter = re.search(r"\]\((\d\d_\w+)/", link)
        tags = ["leverage_course::belief", *([chapter_tag(chapter[1])] if chapter else [])]
        front = as_html(f"What is wrong with this sentence?\n\n{match['claim']}")
        yield Card(front, as_html(f"{answer}\n\n{link}"), tuple(tags))


def chapter_tag(chapter: str) -> str:
    """Return the tag of a chapter, from its folder."""
    return f"leverage_course::{chapter}"


def as_html(text: str) -> str:
    r"""Return a short Markdown text as HTML with formulas as Anki reads them; links lose their address.

    >>> as_html("A *long* of $q$ & `pnl`:\n\n$$s\\,q$$\n\n[Basics](01.ipynb)")
    'A <i>long</i> of \\(q\\) &amp; <code>pnl</code>:<br><br>\\[s\\,q\\]<br><br>Basics'
    """

    def inline(match: re.Match[str]) -> str:
        if match["block"]:
            return rf"\[{match['block']}\]"
        if match["math"]:
            return rf"\({match['math']}\)"
        if match["code"]:
            return f"<code>{match['code']}</code>"
        return INLINE.sub(inline, match["words"]) if match["words"] else f"<i>{match['em']}</i>"

    safe = html.escape(text, quote=False)
    paragraphs = re.split(r"\n\s*\n", INLINE.sub(inline, safe))
    return "<br><br>".join(" ".join(part.split("\n")) for part in paragraphs)

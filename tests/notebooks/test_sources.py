"""A source that is named in a lesson can be found, or the lesson says that it cannot."""

import re
from pathlib import Path

import pytest

SOURCE = re.compile(
    r"read (on )?\d{1,2} November 2026|, undated\)|support (article )?\d{6,}", re.IGNORECASE
)
FOUND = re.compile(r"\]\(https?://|no address|address was recorded|addresses (of|were)")
SOLUTIONS = Path(__file__).parents[2] / "solutions"
TEXTS = sorted({*SOLUTIONS.glob("*/*.md"), *SOLUTIONS.glob("[a-z]*.md")})


def unfindable(text: str) -> list[str]:
    """Return the first lines of paragraphs that name a source without saying where it is."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [
        paragraph.strip().splitlines()[0]
        for paragraph in re.split(r"\n\s*\n", prose)
        if any(SOURCE.search(line) and not line.endswith(":") for line in paragraph.splitlines())
        and not FOUND.search(paragraph)
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_source_is_linked_or_the_text_says_that_no_address_was_recorded(path: Path) -> None:
    assert unfindable(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Bo paid 5 (a page, read 22 November 2026).", 1),
        ("Bo paid 5 ([a page](https://a.example/b), read 22 November 2026).", 0),
        ("Bo paid 5 (a page, read 22 November 2026, no address recorded).", 0),
        ("Kraken support 360022632452 says so.", 1),
        ("Further reading, all read on 22 November 2026:", 0),
    ],
)
def test_source_without_an_address_is_found(text: str, names: int) -> None:
    assert len(unfindable(text)) == names

"""Feedback pages: one HTML file per student that needs nothing else, and gives no test away.

Of a test, a page shows what students were given and the sentence of the check that failed, never
the hidden part or what it printed. Outputs are those that the student handed in, because an answer
could repeat in a later cell what a hidden test passed to it. Everything that comes from a student
is cleaned, and the page forbids scripts and requests, so it is safe to open.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

from classroom.grading import Release
from classroom.grading.notebook_file import notebook_json, raw_cells
from classroom.grading.reading import source_text
from classroom.markers import BEGIN_HIDDEN, HIDDEN, numbered
from classroom.marking.gradebook import Record, Standing
from classroom.marking.room import Room, exchange_files, write_if_new
from leverage.lessons.wording import item_label

SHORTEST_SECRET = 20
"""Characters of a hidden line that cannot stand elsewhere by chance."""
LONGEST_OUTPUT = 20_000
"""Characters of one text output that a page shows."""
LARGEST_PICTURE = 2_000_000
LONGEST_TEXT = 20_000
"""Characters of a text cell that is shown with its formatting; a longer one is shown as text."""
MOST_FORMULAS, LONGEST_FORMULA = 60, 500
DEEPEST = 100
"""Elements inside one another that HTML may have; the parser takes minutes for thousands."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff]"
)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TAGS = frozenset(
    re.findall(
        r"\w+",
        "a abbr b blockquote br caption code col colgroup dd del details div dl dt em h1 h2 h3 h4 h5"
        " h6 hr i img kbd li ol p pre s span strong sub summary sup table tbody td tfoot th thead tr"
        " ul",
    )
)
UNCLOSED = frozenset(["br", "col", "dd", "dt", "hr", "img", "li", "p", "td", "th", "tr"])
"""Elements that need no end."""
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#262626;max-width:52rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.25rem;margin-top:2rem}
table{border-collapse:collapse;margin:.5rem 0}td,th{border:1px solid #ccc;padding:.2rem .6rem;text-align:left}
pre{background:#f6f6f6;padding:.6rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
img{max-width:100%}
.answer,.test,.hand{border-left:4px solid #595959;padding-left:.8rem;margin:1rem 0}
.test.full{border-color:#0072B2}.test.part,.test.none{border-color:#D55E00}
.points{font-weight:600}.hint{white-space:pre-line}.note{background:#fff6e0;padding:.6rem}
.comment{background:#eef5fb;padding:.6rem}summary{cursor:pointer}
"""


# ---- text, code and outputs


def escaped(text: str) -> str:
    r"""Return a text as HTML, for an element or an attribute.

    Characters that would make it look like another text, such as those that turn the direction of
    writing round, are shown as a replacement.

    >>> escaped('<a title="x">\u202egnirts')
    '&lt;a title=&quot;x&quot;&gt;\ufffdgnirts'
    """
    return html.escape(plainly(text), quote=True)


def plainly(text: str) -> str:
    """Return a text without characters that cannot be seen and change how others look."""
    return UNSEEN.sub("\ufffd", text)


@cache
def markdown_renderer() -> Any:
    """Return the renderer of text cells: tables and formulas, no pictures from elsewhere."""
    import mistune

    class Renderer(mistune.HTMLRenderer):  # type: ignore[misc]  # mistune has no types
        def inline_math(self, text: str) -> str:
            return formula(text.strip())

        def block_math(self, text: str) -> str:
            return f"<p>{formula(text.strip())}</p>\n"

    return mistune.create_markdown(
        renderer=Renderer(escape=False), plugins=["table", "math", "strikethrough"]
    )


@lru_cache(maxsize=4_096)
def rendered(source: str) -> str:
    """Return a text cell as clean HTML; as plain text where it is too much to be read."""
    if len(source) > LONGEST_TEXT or source.count("$") > 2 * MOST_FORMULAS:
        return plain(source)
    return clean(str(markdown_renderer()(source)))


@cache
def _cleaner() -> Any:
    import bleach

    def allowed(tag: str, name: str, value: str) -> bool:
        if tag == "img" and name == "src":
            return bool(re.match(r"data:image/(png|jpeg|gif|svg\+xml);base64,", value))
        if tag == "a" and name == "href":
            return bool(re.match(r"(https?:|mailto:|#)", value))
        return name in ("alt", "title", "colspan", "rowspan", "start")

    return bleach.Cleaner(
        tags=TAGS, attributes=allowed, protocols=["http", "https", "mailto", "data"],
        strip=True, strip_comments=True,
    )  # fmt: skip


@lru_cache(maxsize=4_096)
def clean(text: str) -> str:
    """Return HTML without scripts, styles and pictures from elsewhere.

    >>> clean('<b onclick="x()">1</b><script>y()</script><img src="https://a/b.png">')
    '<b>1</b>y()<img>'
    """
    text = plainly(text)
    if depth_of(text) > DEEPEST:
        return plain(text)
    return str(_cleaner().clean(text))


def depth_of(text: str) -> int:
    """Return how many elements of HTML stand inside one another at most.

    >>> depth_of("<div><b>1</b><br><i>2</i></div>")
    2
    """
    depth = deepest = 0
    for closing, name in re.findall(r"<(/?)([a-zA-Z]+)", text):
        if name.lower() not in UNCLOSED:
            depth = max(depth - 1, 0) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest


@lru_cache(maxsize=512)
def formula(tex: str) -> str:
    """Return a formula as a picture whose alternative text is its TeX; as code where that fails."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if len(tex) > LONGEST_FORMULA:
        return f"<code>{escaped(tex)}</code>"
    picture = io.BytesIO()
    try:
        with rc_context({"svg.hashsalt": "feedback", "font.size": 12}):
            figure = Figure(figsize=(0.1, 0.1))
            figure.text(0, 0, f"${tex}$")
            figure.savefig(
                picture, format="svg", bbox_inches="tight", pad_inches=0.02, transparent=True,
                metadata={"Date": None, "Creator": None},
            )  # fmt: skip
    except (ValueError, RuntimeError):  # what Matplotlib's TeX does not know
        return f"<code>{escaped(tex)}</code>"
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{escaped(tex)}">'


@cache
def _highlighter() -> tuple[Any, Any]:
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return PythonLexer(), HtmlFormatter(nowrap=True)


@lru_cache(maxsize=4_096)
def code(source: str) -> str:
    """Return Python code as HTML with colours."""
    from pygments import highlight

    return f"<pre>{highlight(plainly(source[:LONGEST_OUTPUT]), *_highlighter())}</pre>"


def plain(text: str) -> str:
    """Return a text output as HTML, shortened in the middle where it is very long."""
    text = ANSI.sub("", text)
    if len(text) > LONGEST_OUTPUT:
        half = LONGEST_OUTPUT // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
    return f"<pre>{escaped(text)}</pre>" if text.strip() else ""


def joined(value: Any) -> str:
    """Return a notebook's text, which may be stored as lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def picture(kind: str, data: str, words: str) -> str:
    """Return a picture with its description, or nothing if it is none."""
    if kind == "image/svg+xml":
        data = base64.b64encode(data.encode("utf-8", "replace")).decode("ascii")
    data = re.sub(r"\s+", "", data)
    if len(data) > LARGEST_PICTURE or not re.fullmatch(r"[A-Za-z0-9+/=]+", data):
        return "<p>(a picture that cannot be shown)</p>"
    alt = "" if words.startswith("<") else escaped(words)
    return f'<p><img src="data:{kind};base64,{data}" alt="{alt}"></p>'


def output_html(output: Mapping[str, Any]) -> str:
    """Return one output of a cell as HTML."""
    kind = output.get("output_type")
    if kind == "stream":
        return plain(joined(output.get("text")))
    if kind == "error":
        return plain(f"{output.get('ename', '')}: {output.get('evalue', '')}")
    data = output.get("data")
    if not isinstance(data, dict):
        return ""
    words = joined(data.get("text/plain"))
    for name in ("image/png", "image/jpeg", "image/svg+xml"):
        if name in data:
            return picture(name, joined(data[name]), words)
    if "text/html" in data and len(joined(data["text/html"])) <= 10 * LONGEST_OUTPUT:
        return clean(joined(data["text/html"]))
    return plain(words)


# ---- the page


def handed_outputs(notebook: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """Return the outputs that a student handed in, as HTML, by the source of their cell."""
    found: dict[str, list[str]] = {}
    cells = notebook.get("cells", []) if isinstance(notebook, Mapping) else []
    for cell in cells if isinstance(cells, list) else []:
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        if isinstance(outputs, list):
            shown = "".join(output_html(o) for o in outputs[:50] if isinstance(o, dict))
            found.setdefault(joined(cell.get("source")), []).append(shown)
    return found


def points_text(got: float, of: float) -> str:
    """Return points for people.

    >>> points_text(1, 2), points_text(1, 1)
    ('1 of 2 points', '1 of 1 point')
    """
    return f"{got:g} of {of:g} point{'' if of == 1 else 's'}"


class FeedbackPage:
    """Makes the feedback pages of one chapter; what students have in common is rendered once."""

    def __init__(self, release: Release) -> None:
        self.title = release.assignment
        self.cells = {cell.grade_id: cell for cell in release.cells if cell.grade_id}
        self.order = [cell.grade_id for cell in release.graded]

    def html(
        self,
        record: Record | None,
        standing: Standing,
        graded: Mapping[str, Any] | None,
        handed: Mapping[str, Any] | None,
    ) -> str:
        """Return a student's page.

        Parameters
        ----------
        record : Record or None
            How the submission was graded; None if stock nbgrader graded it.
        standing : Standing
            Grades in force, manual ones included, and comments.
        graded : mapping or None
            The executed notebook.
        handed : mapping or None
            The notebook as it was handed in, for its outputs.
        """
        body = [*self._head(record, standing), *self._overview(record, standing)]
        if graded is not None:
            body.append("<h2>Your notebook</h2>")
            body += self._notebook(record, standing, graded, handed_outputs(handed))
        from pygments.formatters import HtmlFormatter

        colours = HtmlFormatter().get_style_defs("pre")
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escaped(self.title)}: feedback</title>"
            f"<style>{STYLE}{colours}</style></head><body>\n"
            + "\n".join(body)
            + "\n</body></html>\n"
        )

    def _head(self, record: Record | None, standing: Standing) -> Iterable[str]:
        yield f"<h1>Feedback on {escaped(self.title)}</h1>"
        total = sum(maximum for _, maximum in standing.cells.values())
        yield (
            f"<p>For {escaped(standing.student)}. "
            f'<span class="points">{points_text(standing.final, total)}.</span></p>'
        )
        if standing.penalty:
            yield f"<p>Handed in late: {standing.penalty:g} points were taken off.</p>"
        if standing.waiting:
            names = ", ".join(escaped(item_label(n)) for n in self.order if n in standing.waiting)
            yield f"<p>Still to be marked by hand: {names}.</p>"
        if record is not None and record.for_student:
            yield f'<p class="note">{escaped(record.for_student)}</p>'

    def _overview(self, record: Record | None, standing: Standing) -> Iterable[str]:
        yield "<table><thead><tr><th>Item</th><th>Points</th><th>What to look at</th></tr></thead><tbody>"
        for name in self.order:
            got, of = standing.cells.get(name, (0.0, float(self.cells[name].points)))
            if of == 0 and got == 0:
                continue
            label = escaped(item_label(name))
            hint = escaped(self._hint(record, name))
            yield (
                f'<tr><td><a href="#{escaped(name)}">{label}</a></td>'
                f"<td>{'– of' if name in standing.waiting else f'{got:g} of'} {of:g}</td>"
                f'<td class="hint">{hint}</td></tr>'
            )
        yield "</tbody></table>"

    @staticmethod
    def _hint(record: Record | None, name: str) -> str:
        cell = record.cells.get(name) if record is not None else None
        return cell.hint if cell is not None else ""

    def _notebook(
        self,
        record: Record | None,
        standing: Standing,
        graded: Mapping[str, Any],
        outputs: dict[str, list[str]],
    ) -> Iterable[str]:
        for cell in graded.get("cells", []):
            meta = cell.get("metadata", {}).get("nbgrader", {})
            known = self.cells.get(meta.get("grade_id", ""))
            source = joined(cell.get("source"))
            if known is not None and known.kind == "test":
                yield self._test(known, record, standing)
                continue
            if known is not None and source == known.source and known.source != known.released:
                source = known.released  # a cell that came back from the solutions
            if cell.get("cell_type") == "markdown":
                shown = rendered(source)
            elif cell.get("cell_type") == "code":
                mine = outputs.get(source)
                shown = code(source) + (mine.pop(0) if mine else "")
            else:
                shown = plain(source)
            if known is not None and known.kind in ("answer", "manual"):
                shown = self._answer(known, shown, standing)
            yield shown

    def _test(self, cell: Any, record: Record | None, standing: Standing) -> str:
        got, of = standing.cells.get(cell.grade_id, (0.0, float(cell.points)))
        kind = "full" if got >= of else "part" if got > 0 else "none"
        hint = self._hint(record, cell.grade_id)
        said = f'<p class="hint">{escaped(hint)}</p>' if hint else ""
        worth = points_text(got, of) if of else "no points"
        return (
            f'<div class="test {kind}" id="{escaped(cell.grade_id)}"><p class="points">'
            f"{escaped(item_label(cell.grade_id))}: {worth}</p>{said}"
            f"<details><summary>The test, as you have it</summary>{code(cell.released)}</details></div>"
        )

    def _answer(self, cell: Any, shown: str, standing: Standing) -> str:
        comment = standing.comments.get(cell.grade_id, "")
        said = f'<div class="comment">{rendered(comment)}</div>' if comment else ""
        if cell.kind == "answer":
            return f'<div class="answer">{shown}{said}</div>'
        got, of = standing.cells.get(cell.grade_id, (0.0, float(cell.points)))
        waits = cell.grade_id in standing.waiting
        worth = "to be marked by hand" if waits else points_text(got, of)
        return (
            f'<div class="hand" id="{escaped(cell.grade_id)}"><p class="points">'
            f"{escaped(item_label(cell.grade_id))}: {worth}</p>{shown}{said}</div>"
        )


def read_json(content: bytes) -> Mapping[str, Any] | None:
    """Return a notebook from its file's bytes, or None if it is none."""
    with suppress(ValueError, RecursionError, MemoryError):
        found = notebook_json(content)
        if isinstance(found, dict):
            return found
    return None


def checked_notebook(content: bytes, release: Release) -> Mapping[str, Any] | None:
    """Return an executed notebook as far as a student's page may show it; None where it is none.

    Anybody may have written in `class/autograded`: a cell that is none, or shows a hidden part under
    another name than its test's, is left out.
    """
    found = read_json(content)
    tests = {cell.grade_id for cell in release.tests}
    hidden = {
        line.strip()
        for cell in release.tests
        for line in numbered(cell.source, HIDDEN).values()
        if len(line.strip()) > SHORTEST_SECRET
    }
    hidden -= {line.strip() for cell in release.cells for line in cell.released.splitlines()}
    cells = []
    for cell in raw_cells(found):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            continue
        lines = {line.strip() for line in source_text(cell.get("source")).splitlines()}
        secret = lines & hidden or any(BEGIN_HIDDEN in line for line in lines)
        meta = cell.get("metadata")
        meta = meta.get("nbgrader") if isinstance(meta, dict) else None
        name = meta.get("grade_id") if isinstance(meta, dict) else None
        if name in tests or not secret:
            cells.append({**cell, "metadata": {"nbgrader": {"grade_id": name}} if name else {}})
    return {"cells": cells} if cells else None


def write_feedback(
    room: Room,
    release: Release,
    standings: Sequence[Standing],
    records: Mapping[str, Record],
) -> int:
    """Write the page of every student who handed in; return how many pages are new or changed."""
    page = FeedbackPage(release)
    chapter = release.assignment
    written = 0
    for standing in standings:
        if standing.score is None:
            continue
        record = records.get(standing.student)
        graded = handed = None
        with suppress(OSError):
            path = room.graded(standing.student, chapter)
            graded = checked_notebook(path.read_bytes(), release)
        submission = room.read(standing.student, chapter)
        if record is None or submission.digest == record.submission:
            content = dict(submission.files).get(f"{release.notebook}.ipynb")
            handed = None if content is None else read_json(content)
        text = page.html(record, standing, graded, handed)
        target = room.page(standing.student, chapter)
        for name, content in exchange_files(submission.files).items():
            write_if_new(target.parent / name, content)
        written += write_if_new(target, text.encode("utf-8", "replace"))
    return written

"""Makes a graded notebook safe to open where the gradebook and a terminal are: in Formgrader.

Formgrader shows the autograded notebook as a page of the instructor's own server. Whatever came
from a student must not run there. So a notebook is rewritten before it is written: outputs keep
kinds that cannot run, text cells stay as they are when the page made of them holds known elements
only and are shown as their source otherwise, and metadata keep what nbgrader and we put there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from classroom.grading import Release
from classroom.marking.feedback import LARGEST_PICTURE, LONGEST_OUTPUT, LONGEST_TEXT, clean, joined

MOST_OUTPUTS = 50
"""Outputs of one cell that are kept; a page with thousands cannot be read or opened."""
UNSHOWN = "(an output that cannot be shown here; it is in the notebook that was handed in)"
NOTE = "This text holds HTML or links that a marking page does not show; here is its source."
LONG_NOTE = "This text is too long to be shown with its formatting; here is its source."

_NBGRADER_KEYS = frozenset(
    ["cell_type", "checksum", "grade", "grade_id", "locked", "points", "schema_version", "solution",
     "task"]
)  # fmt: skip

_WORD = re.compile(r"[\w.:-]{1,200}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PICTURES = ("image/png", "image/jpeg", "image/gif")
# MathJax commands that make links, styles, names or requests.
_TEX = re.compile(
    r"\\(href|url|style|class|cssid|data|html\w*|require|unicode|includegraphics|csname|bbox|def"
    r"|let|(re)?newcommand|newenvironment|mmltoken)",
    re.IGNORECASE,
)
_TAG = re.compile(
    r'</(?P<end>[a-z][a-z0-9]*)\s*>|<(?P<tag>[a-z][a-z0-9]*)(?P<rest>(?:\s+[a-z-]+(?:="[^"<>]*")?)*)'
    r"\s*/?>"
)
_ATTRIBUTE = re.compile(r'([a-z-]+)(?:="([^"<>]*)")?')
_ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        "a b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img input kbd li ol"
        " p pre s span strong sub summary sup table tbody td th thead tr ul",
    )
)
_VALUES = {
    ("a", "href"): r"(https?://|mailto:|#)[^\s]*",
    ("img", "src"): r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/]+={0,2}",
    ("input", "type"): r"checkbox",
    ("input", "disabled"): r"",
    ("input", "checked"): r"",
    ("ol", "start"): r"\d+",
    **{(f"h{level}", "id"): r".*" for level in range(1, 7)},
    ("td", "style"): r"text-align: ?(left|right|center)",
    ("th", "style"): r"text-align: ?(left|right|center)",
}
_ANYWHERE = {
    "alt": r".*",
    "title": r".*",
    # what nbconvert itself writes: colours of code, links of headings, lists of things to do
    "class": r"(highlight|anchor-link|task-list-item(-checkbox)?|language-\w+|[a-z][a-z0-9]{0,2})?",
}


def marked_notebook(
    notebook: Mapping[str, Any], given: Collection[str], names: Collection[str] | None
) -> dict[str, Any]:
    """Return a graded notebook as Formgrader may show it.

    Parameters
    ----------
    notebook : mapping
        The executed notebook, with all that a student wrote and what it put out.
    given : collection of str
        Sources of the chapter's own cells, which may hold any HTML.
    names : collection of str, optional
        The chapter's `grade_id`s: other cells lose their nbgrader metadata. Every name that is a
        word counts if left out.
    """
    return {
        "cells": [_cell(cell, given, names) for cell in notebook["cells"]],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def own_sources(release: Release) -> frozenset[str]:
    """Return the sources of a chapter's own cells, as authors and as students have them."""
    return frozenset(text for cell in release.cells for text in (cell.source, cell.released))


def _cell(
    cell: Mapping[str, Any], given: Collection[str], names: Collection[str] | None
) -> dict[str, Any]:
    kind, source = cell.get("cell_type"), joined(cell.get("source"))
    shown: dict[str, Any] = {"metadata": _cell_metadata(cell.get("metadata"), names)}
    if _WORD.fullmatch(str(cell.get("id", ""))):
        shown["id"] = cell["id"]
    if kind == "code":
        count = cell.get("execution_count")
        outputs = cell.get("outputs")
        return {
            **shown,
            "cell_type": "code",
            "source": source,
            "execution_count": count if type(count) is int else None,
            "outputs": [safe_output(o) for o in outputs or () if isinstance(o, Mapping)][
                :MOST_OUTPUTS
            ],
        }
    shown |= {"cell_type": "markdown", "source": source}
    pictures = _attachments(cell.get("attachments"))
    if kind == "markdown":
        if pictures:
            shown["attachments"] = pictures
        if source in given:
            return shown
    return {
        **shown,
        "source": safe_text(source, pictures) if kind == "markdown" else as_source(source),
    }


def _cell_metadata(metadata: Any, names: Collection[str] | None) -> dict[str, Any]:
    found = metadata if isinstance(metadata, Mapping) else {}
    kept: dict[str, Any] = {}
    tags = found.get("tags")
    if isinstance(tags, list):
        kept["tags"] = [tag for tag in tags if isinstance(tag, str) and _WORD.fullmatch(tag)]
    hidden = found.get("jupyter")
    if isinstance(hidden, Mapping) and hidden.get("source_hidden") is True:
        kept["jupyter"] = {"source_hidden": True}
    meta = found.get("nbgrader")
    name = str(meta.get("grade_id", "")) if isinstance(meta, Mapping) else ""
    if isinstance(meta, Mapping) and (_WORD.fullmatch(name) if names is None else name in names):
        kept["nbgrader"] = {
            key: value
            for key, value in meta.items()
            if key in _NBGRADER_KEYS
            and (isinstance(value, int | float) or _WORD.fullmatch(str(value)))
        }
    return kept


# ---- texts


def safe_text(source: str, attachments: dict[str, dict[str, str]] | None = None) -> str:
    r"""Return a Markdown text as it is, or as its own source where the page of it could do harm.

    >>> safe_text("The *stop* at $E(1 - d)$, see [ESMA](https://www.esma.europa.eu).")
    'The *stop* at $E(1 - d)$, see [ESMA](https://www.esma.europa.eu).'
    >>> print(safe_text("<img src=x onerror='grade()'>"))
    *This text holds HTML or links that a marking page does not show; here is its source.*
    <BLANKLINE>
    ```text
    <img src=x onerror='grade()'>
    ```
    """
    if len(source) > LONGEST_TEXT:
        return as_source(source, LONG_NOTE)
    return source if _is_safe(source, attachments or {}) else as_source(source)


def as_source(source: str, note: str = NOTE) -> str:
    """Return a Markdown text that shows another text letter by letter."""
    text = source[:LONGEST_OUTPUT]
    fence = "`" * (3 + max(map(len, re.findall("`+", text)), default=0))
    shown = f"*{note}*\n\n{fence}text\n{text}\n{fence}"
    return shown if _is_safe(shown, {}, tex=False) else f"*{note}* (It cannot be shown either.)"


def _is_safe(source: str, attachments: dict[str, dict[str, str]], *, tex: bool = True) -> bool:
    """Tell whether the page that nbconvert makes of a text holds known elements only."""
    if tex and _TEX.search(source):
        return False
    # Half a second that only a class with text answers needs.
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, attachments=attachments)  # as nbconvert's exporter
    try:
        page = MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # whatever nbconvert cannot read, Formgrader could not show
        return False
    at = page.find("<")
    while at >= 0:
        tag = _TAG.match(page, at)
        if tag is None or not _is_known(tag):
            return False
        at = page.find("<", tag.end())
    return True


def _is_known(tag: re.Match[str]) -> bool:
    name = tag["end"] or tag["tag"]
    if name not in _ELEMENTS:
        return False
    for attribute, value in _ATTRIBUTE.findall(tag["rest"] or ""):
        allowed = _VALUES.get((name, attribute), _ANYWHERE.get(attribute))
        if allowed is None or not re.fullmatch(allowed, value, re.DOTALL):
            return False
    return True


def _attachments(found: Any) -> dict[str, dict[str, str]]:
    kept: dict[str, dict[str, str]] = {}
    for name, kinds in found.items() if isinstance(found, Mapping) else ():
        pictures = {
            kind: data
            for kind, data in (kinds.items() if isinstance(kinds, Mapping) else ())
            if kind in _PICTURES and _is_picture(data)
        }
        if pictures:
            kept[str(name)] = pictures
    return kept


def _is_picture(data: Any) -> bool:
    return isinstance(data, str) and len(data) <= LARGEST_PICTURE and bool(_BASE64.fullmatch(data))


# ---- outputs


def safe_output(output: Mapping[str, Any]) -> dict[str, Any]:
    """Return an output with nothing in it that a page would run or fetch."""
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": joined(output.get("text"))}
    if kind == "error":
        trace = output.get("traceback")
        lines = [line for line in trace if isinstance(line, str)] if isinstance(trace, list) else []
        return {
            "output_type": "error",
            "ename": str(output.get("ename", "")),
            "evalue": str(output.get("evalue", "")),
            "traceback": lines,
        }
    found = output.get("data")
    data = _safe_data(found if isinstance(found, Mapping) else {})
    shown: dict[str, Any] = {"output_type": "display_data", "data": data, "metadata": {}}
    if kind == "execute_result":
        count = output.get("execution_count")
        shown |= {
            "output_type": "execute_result",
            "execution_count": count if type(count) is int else None,
        }
    return shown


def _safe_data(found: Mapping[str, Any]) -> dict[str, str]:
    data: dict[str, str] = {}
    for kind, value in found.items():
        text = joined(value)
        if kind in _PICTURES:
            text = re.sub(r"\s+", "", text)
            if _is_picture(text):
                data[kind] = text
        elif kind in _CLEANERS and len(text) <= 10 * LONGEST_OUTPUT:
            safe = _CLEANERS[kind](text)
            if safe:
                data[kind] = safe
    words = joined(found.get("text/plain"))
    return {"text/plain": words or UNSHOWN, **data}


def _safe_html(text: str) -> str:
    return "" if _TEX.search(text) else clean(text)


def _safe_latex(text: str) -> str:
    return "" if "<" in text or _TEX.search(text) else text


_CLEANERS: Mapping[str, Callable[[str], str]] = {
    "text/html": _safe_html,
    "text/latex": _safe_latex,
    "text/markdown": safe_text,
}

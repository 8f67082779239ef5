"""What a student wrote or put out never runs on the page where it is marked."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from classroom.marking.marked_notebook import as_source, marked_notebook, safe_output, safe_text

HARMFUL = [
    "<img src=x onerror=alert(1)>",
    "<IMG SRC=x ONERROR=alert(1)>",
    "text <svg onload=alert(1)></svg>",
    "<script>alert(1)</script>",
    "<details open ontoggle=alert(1)><summary>a</summary></details>",
    "<a href='javascript:alert(1)'>a</a>",
    '<a href="javascript:alert(1)">a</a>',
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a][b]\n\n[b]: javascript:alert(1)",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](page.html)",
    "[a](//elsewhere.example)",
    "<javascript:alert(1)>",
    "![a](https://elsewhere.example/a.png)",
    "![a](a.svg)",
    "![a](attachment:none.png)",
    '![a](x "b\\" onerror=\\"alert(1)")',
    '<div style="background:url(https://elsewhere.example)">a</div>',
    '<div class="nbgrader_cell">a</div>',
    '<span id="score">a</span>',
    '<form action="/api"><input type="text"></form>',
    '<iframe src="https://elsewhere.example"></iframe>',
    '<meta http-equiv="refresh" content="0;url=https://elsewhere.example">',
    '<base href="https://elsewhere.example/">',
    '<link rel="stylesheet" href="https://elsewhere.example">',
    "<style>*{display:none}</style>",
    "<!-- a --!><script>alert(1)</script>",
    "<math><mtext></p><img src=x onerror=alert(1)>",
    "```mermaid\ngraph TD; A[<img src=x onerror=alert(1)>]\n```",
    r"$\href{javascript:alert(1)}{a}$",
    r"$\HREF{javascript:alert(1)}{a}$",
    r"$\style{background:url(https://elsewhere.example)}{a}$",
    r"$\let\a=\href \a{javascript:alert(1)}{a}$",
]
HONEST = [
    "I stop at **48 500**: the loss is $E(1 - d)$ and $a<b$.",
    "$$ \\frac{1}{L} - m \\approx 9.6\\,\\% $$",
    "| a | b |\n|:--|--:|\n| 1 | 2 |\n",
    "# Size\n\n> a rule\n\n- one\n- two\n\n1. first\n2. second\n\n- [ ] to do\n- [x] done",
    "```python\nif 1 < 2:\n    print('a')\n```",
    "one<br>two, H<sub>2</sub>O, <b>bold</b>",
    "price < 3 and price > 2 & so on <- there, 5 $ and 6 $",
    "see <https://www.esma.europa.eu> and [a](https://a.example/?b=1&c=2 'title')",
    "Ümlaut 漢字 🙂\n\n***\n\n~~gone~~",
    "",
]


@pytest.mark.parametrize("text", HARMFUL)
def test_a_text_that_could_do_harm_is_shown_as_its_source(text: str) -> None:
    assert safe_text(text) == as_source(text)


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text


@pytest.mark.parametrize("text", ["`" * 9 + "\n<script>", "~~~\n```\n<b onclick=x>", "a" * 30_000])
def test_a_source_cannot_leave_its_fence(text: str) -> None:
    shown = as_source(text)
    page, _ = HTMLExporter().from_notebook_node(new_notebook(cells=[new_markdown_cell(shown)]))
    body = page[page.index("<body") :]
    assert "<script>" not in body.split("jp-RenderedMarkdown")[1]
    assert "<b onclick" not in body


def marked(*cells: NotebookNode) -> dict[str, Any]:
    return marked_notebook(new_notebook(cells=list(cells)), {"<a id='ours'></a>Given."}, {"ch01_a"})


def data_of(kind: str, value: Any) -> dict[str, Any]:
    return safe_output({"output_type": "display_data", "data": {kind: value}})["data"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("application/javascript", "alert(1)"),
        ("text/javascript", "alert(1)"),
        ("image/svg+xml", "<svg onload=alert(1)></svg>"),
        ("application/vnd.jupyter.widget-view+json", {"model_id": "a"}),
        ("application/json", {"a": "</script><script>alert(1)</script>"}),
        ("text/latex", "<img src=x onerror=alert(1)>"),
        ("text/latex", r"$\href{javascript:alert(1)}{a}$"),
        ("text/html", r"$\href{javascript:alert(1)}{a}$"),
        ("image/png", '"><script>alert(1)</script>'),
        ("image/jpeg", ["a", 1, "<"]),
        ("text/unheard-of", "<b>"),
    ],
)
def test_an_output_that_a_page_would_run_is_named_instead(kind: str, value: Any) -> None:
    assert list(data_of(kind, value)) == ["text/plain"]


def test_html_that_was_put_out_keeps_its_table_and_loses_what_runs() -> None:
    table = "<table><tr><td onclick='a()'>1</td></tr></table><script>b()</script><img src=x>"
    found = data_of("text/html", table)["text/html"]
    assert "<td>1</td>" in found
    assert "onclick" not in found
    assert "<script" not in found
    assert "src=" not in found


def test_markdown_that_was_put_out_is_judged_like_a_text_cell() -> None:
    assert data_of("text/markdown", "a *b*")["text/markdown"] == "a *b*"
    assert "```text" in data_of("text/markdown", HARMFUL[0])["text/markdown"]


def test_pictures_streams_and_errors_stay() -> None:
    assert data_of("image/png", "aGFsbG8=\n")["image/png"] == "aGFsbG8="
    stream = safe_output(dict(new_output("stream", text="<b>a</b>")))
    assert stream == {"output_type": "stream", "name": "stdout", "text": "<b>a</b>"}
    error = safe_output(dict(new_output("error", ename="E", evalue="v", traceback=["a", "b"])))
    assert error["traceback"] == ["a", "b"]


def test_metadata_keep_only_what_is_known_and_harmless() -> None:
    cell = new_markdown_cell(
        "a",
        metadata={
            "nbgrader": {"grade_id": "ch01_a", "points": 2, "comment": "<script>", "grade": True},
            "tags": ["ok", '"><script>alert(1)</script>'],
            "jupyter": {"source_hidden": True},
            "other": {"a": 1},
        },
    )
    other = new_markdown_cell("a", metadata={"nbgrader": {"grade_id": "ch99", "grade": True}})
    found = marked(cell, other)
    assert found["cells"][0]["metadata"] == {
        "nbgrader": {"grade_id": "ch01_a", "points": 2, "grade": True},
        "tags": ["ok"],
        "jupyter": {"source_hidden": True},
    }
    assert found["cells"][1]["metadata"] == {}
    assert set(found["metadata"]) == {"kernelspec", "language_info"}


def test_a_given_text_stays_and_a_raw_cell_is_shown_as_its_source() -> None:
    given, raw = marked(
        new_markdown_cell("<a id='ours'></a>Given."), new_raw_cell("<script>alert(1)</script>")
    )["cells"]
    assert given["source"] == "<a id='ours'></a>Given."
    assert raw["cell_type"] == "markdown"
    assert raw["source"] == as_source("<script>alert(1)</script>")


def test_attachments_are_pictures_or_go() -> None:
    picture = new_markdown_cell("![a](attachment:a.png)")
    picture["attachments"] = {"a.png": {"image/png": "aGFsbG8="}}
    trick = new_markdown_cell("![a](attachment:a.png)")
    trick["attachments"] = {"a.png": {'image/png" onerror="alert(1)': "aGFsbG8="}}
    vector = new_markdown_cell("![a](attachment:a.svg)")
    vector["attachments"] = {"a.svg": {"image/svg+xml": "aGFsbG8="}}
    kept, gone, drawn = marked(picture, trick, vector)["cells"]
    assert kept["source"] == picture.source
    assert kept["attachments"] == picture["attachments"]
    assert "attachments" not in gone
    assert "```text" in gone["source"]
    assert "attachments" not in drawn
    assert "```text" in drawn["source"]


def test_a_marked_notebook_is_a_valid_notebook() -> None:
    cell = new_code_cell("1", outputs=[new_output("execute_result", {"text/plain": "1"})])
    nbformat.validate(nbformat.from_dict(marked(cell, new_markdown_cell(HARMFUL[0]))))

"""A page of the book is what learners get with the outputs of given cells, and nothing more."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from classroom.authoring.book import EMPTY_ANSWER, Pages, PageSource, Site, doors, guide, site_of
from classroom.errors import ClassroomError
from classroom.project import Project

PICTURE = nbformat.v4.new_output(
    "display_data",
    {"image/png": "aGk=", "text/plain": "A line."},
    metadata={"image/png": {"alt": "A line."}},
)


def markdown(cell_id: str, text: str, **nbgrader: object) -> NotebookNode:
    metadata = {"nbgrader": nbgrader} if nbgrader else {}
    return nbformat.v4.new_markdown_cell(text, id=cell_id, metadata=metadata)


def code(cell_id: str, text: str, **nbgrader: object) -> NotebookNode:
    metadata = {"nbgrader": nbgrader} if nbgrader else {}
    return nbformat.v4.new_code_cell(text, id=cell_id, metadata=metadata)


def source(
    *cells: NotebookNode,
    name: str = "01_basics",
    outputs: dict[str, list[NotebookNode]] | None = None,
) -> PageSource:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[markdown("top", "# Top"), *cells], metadata=kernel)
    return PageSource(
        name, notebook, outputs or {}, lambda cell_id: f"solutions/{name}.md:{cell_id}"
    )


def page(root: Path, made: PageSource, *others: PageSource) -> NotebookNode:
    sources = {one.name: one for one in (made, *others)}
    return Pages(Project(root), sources).page(made, "DOORS")


def test_given_cells_have_their_outputs_and_answers_none(root: Path) -> None:
    said = nbformat.v4.new_output("stream", text="10")
    made = page(
        root,
        source(
            code("given", "print(10)"),
            code("answer", "x = ...", solution=True),
            code("check", "check.value('x', 7)", grade=True),
            markdown("essay", "YOUR ANSWER HERE", solution=True, grade=True),
            outputs={"given": [said], "answer": [said], "check": [said]},
        ),
    )
    assert [cell["id"] for cell in made.cells] == ["top", "given", "answer", "essay"]
    assert made.cells[1].outputs == [said]
    assert made.cells[2].outputs == []
    assert made.cells[2].metadata.tags == ["answer"]
    assert made.cells[3].source == EMPTY_ANSWER


def test_the_learners_own_record_is_not_in_the_book(root: Path) -> None:
    said = nbformat.v4.new_output("stream", text="Your progress")
    made = page(root, source(code("own", "show_progress()"), outputs={"own": [said]}))
    assert made.cells[1].outputs == []


def test_the_ways_to_work_with_a_page_stand_below_its_title(root: Path) -> None:
    assert page(root, source()).cells[0].source == "# Top\n\nDOORS\n"
    ways = doors(Site("owner/name"), "course/01_basics/01_basics.ipynb")
    for goal in (
        '"lab/lab/index.html?path=01_basics/01_basics.ipynb"',
        "mybinder.org/v2/gh/owner/name/HEAD?urlpath=lab/tree/course/01_basics/01_basics.ipynb",
        '"course/01_basics/01_basics.ipynb" download>',
    ):
        assert goal in ways


def test_a_link_to_a_cell_leads_to_a_real_anchor(root: Path) -> None:
    glossary = source(markdown("term-margin", "## Margin"), name="glossary")
    text = source(markdown("a", "[margin](../glossary.ipynb#cell-id=term-margin) `[x](y.z)`"))
    assert page(root, text, glossary).cells[1].source == "[margin](#term-margin) `[x](y.z)`"
    assert page(root, glossary, text).cells[1].source == "(term-margin)=\n## Margin"


def test_a_linked_code_cell_has_an_anchor_before_it(root: Path) -> None:
    made = page(root, source(markdown("a", "[see](#cell-id=b)"), code("b", "1")))
    assert [cell.source for cell in made.cells[1:]] == [
        "[see](#01-basics-b)",
        "(01-basics-b)=",
        "1",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "../glossary.ipynb#cell-id=term-none",
        "../none.ipynb",
        "#cell-id=none",
        "none.csv",
        "none.png",
    ],
)
def test_a_link_that_leads_nowhere_is_named_with_file_and_line(root: Path, link: str) -> None:
    glossary = source(name="glossary")
    with pytest.raises(ClassroomError, match=r"^solutions/01_basics\.md:a: the link .* leads"):
        page(root, source(markdown("a", f"[gone]({link})")), glossary)


def test_a_cell_that_failed_is_named_with_file_and_line(root: Path) -> None:
    failed = nbformat.v4.new_output("error", ename="NameError", evalue="no x", traceback=[])
    with pytest.raises(
        ClassroomError, match=r"^solutions/01_basics\.md:a: the cell fails with NameE"
    ):
        page(root, source(code("a", "x"), outputs={"a": [failed]}))


def test_a_figure_that_is_missing_is_named_with_file_and_line(root: Path) -> None:
    text = nbformat.v4.new_output("stream", text="A line.")
    made = source(code("a", "# Figure\ndescribe(plot())"), outputs={"a": [text]})
    with pytest.raises(
        ClassroomError, match=r"^solutions/01_basics\.md:a: the cell should draw a fig"
    ):
        page(root, made)


def test_a_figure_keeps_its_description(root: Path) -> None:
    made = page(root, source(code("a", "# Figure"), outputs={"a": [PICTURE]}))
    assert made.cells[1].metadata.mystnb == {"image": {"alt": "A line."}}
    assert dict(made.cells[1].outputs[0].data) == {"image/png": "aGk="}


def test_a_fork_publishes_at_its_own_address(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert site_of(Project(root)).repository == Project(root).repository
    monkeypatch.setenv("GITHUB_REPOSITORY", "Ada/course")
    assert site_of(Project(root)).address == "https://ada.github.io/course/"
    assert Site("ada/Ada.github.io").address == "https://ada.github.io/"


def test_a_guides_links_to_files_lead_to_the_repository(tmp_path: Path) -> None:
    path = tmp_path / "A.md"
    path.write_text("[a](solutions/x.md) [b](../ACCESSIBILITY.md) [c](https://d.e) [f](#g)")
    assert guide(path, Site("owner/name")) == (
        "[a](https://github.com/owner/name/blob/HEAD/solutions/x.md) [b](accessibility.md) "
        "[c](https://d.e) [f](#g)"
    )

"""The build makes both notebooks, the same to the byte, and only what changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from classroom.authoring.build import build
from classroom.errors import ClassroomError
from classroom.project import Project


def edit(project: Project, old: str, new: str) -> None:
    path = project.chapters()[0].text
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def snapshot(project: Project) -> dict[str, bytes]:
    return {
        str(path.relative_to(project.root)): path.read_bytes()
        for path in sorted(project.root.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }


def run(project: Project, **options: bool) -> list[str]:
    said: list[str] = []
    build(project, project.chapters(), say=said.append, **options)
    return said


def cells(path: Path) -> dict[str, nbformat.NotebookNode]:
    with path.open(encoding="utf-8") as file:
        return {cell["id"]: cell for cell in nbformat.read(file, as_version=4).cells}


def test_two_builds_are_the_same_to_the_byte(built: Project) -> None:
    before = snapshot(built)
    run(built, force=True)
    assert snapshot(built) == before


def test_an_unchanged_chapter_is_not_built_again(built: Project) -> None:
    assert run(built) == ["01_small: up to date"]


def test_a_changed_text_is_built_again(built: Project) -> None:
    edit(built, "A {term:double} is twice a number.", "A {term:double} is twice any number.")
    assert "wrote course/01_small/01_small.ipynb" in run(built)


def test_a_changed_bank_does_not_build_again(built: Project) -> None:
    bank = built.chapters()[0].bank
    bank.write_text(bank.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert run(built) == ["01_small: up to date"]


def test_a_hand_edited_student_notebook_is_rebuilt_and_a_copy_is_kept(built: Project) -> None:
    path = built.chapters()[0].student_notebook
    work = path.read_text(encoding="utf-8").replace("return ... * number", "return 3 * number")
    path.write_text(work, encoding="utf-8")
    said = run(built)
    kept = list((built.cache / "replaced").iterdir())
    assert [copy.read_text(encoding="utf-8") for copy in kept] == [work]
    assert any("had been worked in; a copy is in .cache/replaced/" in line for line in said)


def test_nobody_worked_in_what_a_fresh_clone_or_a_pull_brought(built: Project) -> None:
    shutil.rmtree(built.cache)
    edit(built, "## Recap", "## Recapitulation")
    assert not [line for line in run(built) if "worked in" in line]


def test_running_and_saving_a_notebook_is_no_work_but_one_letter_is(built: Project) -> None:
    path = built.chapters()[0].student_notebook
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["execution_count"] = 1
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["ran"]}]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert not [line for line in run(built) if "worked in" in line]
    notebook["cells"][0]["source"] += "!"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert [line for line in run(built) if "worked in" in line]


def test_ids_stay_when_words_change_and_links_with_them(built: Project) -> None:
    before = set(cells(built.chapters()[0].solution_notebook))
    edit(built, "base = 21", "base = 21  # a typo was mended")
    edit(built, "Twice", "Two times")
    run(built)
    assert set(cells(built.chapters()[0].solution_notebook)) == before


def test_two_cells_never_share_an_id(built: Project) -> None:
    edit(built, "## Recap", "## Recap\n\n+++\n\n## Recap")
    run(built)
    assert {"recap", "recap__2"} <= set(cells(built.chapters()[0].solution_notebook))


def test_the_instructor_notebook_keeps_solutions_outputs_and_computed_numbers(
    built: Project,
) -> None:
    chapter = built.chapters()[0]
    found = cells(chapter.solution_notebook)
    assert "return 2 * number" in found["ch01-a"].source
    assert "correct" in found["ch01-a-value"].outputs[0].text
    numbers = next(c.source for c in found.values() if c.source.startswith("Twice"))
    assert numbers.startswith("Twice 21 is 42.0; a thousand times is −21\u202f000.")


def test_the_student_notebook_has_the_stub_and_no_hidden_test(built: Project) -> None:
    found = cells(built.chapters()[0].student_notebook)
    assert found["ch01-a"].source == "def double(number):\n    return ... * number"
    assert "hidden" not in found["ch01-a-value"].source
    assert found["ch01-b"].source == "YOUR ANSWER HERE"
    assert found["ch01-q1-answer"].source.endswith("ch01_q1 = ...")
    assert all(not cell.get("outputs") for cell in found.values())


def test_the_recap_answers_each_objective_and_names_where_it_was_practised(built: Project) -> None:
    found = cells(built.chapters()[0].student_notebook).values()
    recap = next(cell.source for cell in found if cell.source.startswith("## Recap"))
    assert "- *LO1.1* The double of 21 is 42. Practised in 1.A, 1.Q1." in recap


def test_a_heading_names_points_and_safety(built: Project) -> None:
    found = cells(built.chapters()[0].student_notebook).values()
    assert any("## 1.A Double (2 points, safety)" in cell.source for cell in found)


def test_a_notebook_names_no_version_of_python(built: Project) -> None:
    chapter = built.chapters()[0]
    for path in (chapter.solution_notebook, chapter.student_notebook):
        metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
        assert "version" not in metadata["language_info"]


def test_the_lesson_data_names_every_item_with_its_points(built: Project) -> None:
    data = json.loads((built.lesson_data / "course.json").read_text(encoding="utf-8"))
    items = data["chapters"]["01_small"]["items"]
    assert {name: item["points"] for name, item in items.items()} == {
        "ch01_a_value": 2,
        "ch01_b": 3,
        "ch01_q1": 1,
    }
    assert items["ch01_a_value"]["safety"] is True
    assert items["ch01_q1"]["section"] == "Check yourself"


def test_the_readme_lists_the_chapter_with_minutes_points_and_binder_link(built: Project) -> None:
    row = next(
        line
        for line in (built.root / "README.md").read_text(encoding="utf-8").splitlines()
        if "01_small" in line
    )
    assert "| 5 | 6 |" in row
    assert "HEAD?urlpath=lab/tree/course/01_small/01_small.ipynb" in row


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("return 2 * number\n", "return 2 * nmber\n", "the cell fails with CheckFailed"),
        ("{{ base:.0f }}", "{{ bases:.0f }}", "name 'bases' is not defined"),
        ("def double(number):", "def double(number:", "the code does not parse"),
        ("{term:double}", "{term:triple}", "has no entry with the id 'triple'"),
        ("{quiz:check}", "{quiz:other}", "asks for a group that solutions/01_small/quiz.yml lacks"),
        (":test: ch01_a_value", ":test: ch01_z_value", "has no answer cell above it"),
        (":points: 2", ":points: two", "':points:' must be a number"),
        (":objectives: LO1.1\n\n", ":objectives: LO9.9\n\n", "unknown objective LO9.9"),
        (":locked: true", ":lockd: true", "unknown cell option lockd"),
        ('+++ {"answer"', '+++ {"answer', "a cell's options cannot be read"),
        ("### END SOLUTION", "### END", "has no ### END SOLUTION below it"),
        ("### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TESTS: less", "a mark stands alone"),
        ("  minutes: 5\n", "", "lacks minutes"),
        ("    LO1.2: Because", "    LO1.3: Because", "must answer each objective in one line"),
        ("{{ 2 * base:,.1f }}", "{{ 2 * }}", "is not an expression"),
    ],
)
def test_a_broken_text_is_one_sentence_and_nothing_is_written(
    built: Project, old: str, new: str, sentence: str
) -> None:
    before = snapshot(built)
    edit(built, old, new)
    with pytest.raises(ClassroomError) as caught:
        run(built)
    assert sentence in str(caught.value)
    assert "01_small.md" in str(caught.value)
    changed = {name for name, content in snapshot(built).items() if before.get(name) != content}
    assert changed == {"solutions/01_small/01_small.md"}


CLASS = """class Twice:
    ### BEGIN SOLUTION
    pass
    ### END SOLUTION
"""


def test_a_test_that_only_the_students_process_could_decide_is_refused(built: Project) -> None:
    edit(built, "def double(number):", f"{CLASS}\ndef double(number):")
    edit(
        built,
        "    check.hidden()\n",
        "    check.hidden()\n    check.that(isinstance(Twice(), Twice), 'x')\n",
    )
    text = built.chapters()[0].text.read_text(encoding="utf-8").split("\n")
    line = text.index(":test: ch01_a_value") + 1
    before = snapshot(built)
    with pytest.raises(
        ClassroomError, match=rf"01_small\.md:{line}: the test ch01_a_value does not"
    ):
        run(built)
    assert snapshot(built) == before


def test_a_missing_kernel_is_one_sentence(built: Project) -> None:
    edit(built, "name: python3}", "name: no_such_kernel}")
    with pytest.raises(ClassroomError, match="'no_such_kernel', which is not installed; install"):
        run(built)


def test_a_folder_that_cannot_be_written_is_one_sentence_and_nothing_is_half_written(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    real = tempfile.mkstemp

    def refuse(*args: object, **options: object) -> object:
        if str(options.get("dir", "")).endswith("course/01_small"):
            raise PermissionError(13, "Permission denied", str(options["dir"]))
        return real(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    before = snapshot(small)
    with pytest.raises(ClassroomError, match="cannot write course/01_small: Permission denied"):
        run(small)
    assert snapshot(small) == before

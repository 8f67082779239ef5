"""The command `classroom`: names, exit codes, and one sentence for what a person can mend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from classroom.cli import main, parser
from classroom.project import Project


@pytest.fixture
def inside(built: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(built.root)
    return built


def test_build_check_and_score_end_with_zero_when_all_is_well(inside: Project) -> None:
    assert main(["build"]) == 0
    assert main(["check"]) == 0
    assert main(["score"]) == 0


@pytest.mark.parametrize(
    "name", ["01_small", "1", "01", "small", "course/01_small", "01_small.ipynb"]
)
def test_a_chapter_may_be_named_in_several_ways(inside: Project, name: str) -> None:
    assert [chapter.name for chapter in inside.select([name])] == ["01_small"]


def test_an_unknown_chapter_is_one_sentence_with_a_suggestion(
    inside: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "01_smal"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert (
        "there is no chapter '01_smal'; did you mean 01_small? The chapters are: 01_small" in error
    )


def test_check_ends_with_one_when_something_is_found(
    inside: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    inside.chapters()[0].student_notebook.unlink()
    assert main(["check"]) == 1
    assert "the generated file is missing. Run: make build." in capsys.readouterr().out


def test_a_broken_text_ends_with_two(inside: Project, capsys: pytest.CaptureFixture[str]) -> None:
    inside.chapters()[0].text.write_text("no front matter", encoding="utf-8")
    assert main(["build"]) == 2
    assert "01_small.md:1: the text must open with its front matter" in capsys.readouterr().err


def test_outside_a_checkout_the_installed_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    from classroom.project import find_project

    monkeypatch.chdir(tmp_path)
    assert find_project().root == root


def test_every_command_has_a_help_text() -> None:
    text = parser().format_help()
    ours = ("lab", "build", "check", "score", "grade", "demo", "doctor")
    for command in (*ours, "collect", "giveback", "grade-one", "autograder", "handout", "update"):
        assert command in text


def test_the_command_starts_without_the_slow_grammar() -> None:
    code = "import sys; from classroom.cli import main; main(['doctor']); print(sys.modules['rfc3987_syntax'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("None")


def test_doctor_names_what_is_missing_and_how_to_get_it(
    inside: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    inside.chapters()[0].student_notebook.unlink()
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "MISSING  notebook 01_small" in out
    assert "to mend it: run 'classroom build 01_small'" in out


def test_demo_refuses_a_folder_that_it_did_not_make(
    inside: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = inside.root / "precious"
    precious.mkdir()
    (precious / "file.txt").write_text("keep me", encoding="utf-8")
    assert main(["demo", "1", "--folder", str(precious)]) == 2
    assert "was not made by 'classroom demo'" in capsys.readouterr().err
    assert (precious / "file.txt").read_text(encoding="utf-8") == "keep me"


def test_a_file_that_cannot_be_written_is_one_sentence(
    inside: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "class/demo")

    monkeypatch.setattr("classroom.marking.demo.demo", refuse)
    assert main(["demo", "1"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot read or write class/demo: Permission denied; check" in error

"""One hand-in in, one result out: in the published formats, by the very scripts that are shipped."""

from __future__ import annotations

import io
import json
import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hand_in_archives import notebook, written
from small_class import WRONG, SmallClass

from classroom.cli import main
from classroom.desk.autograder import autograder_archive
from classroom.desk.single import RESULT_FORMS, grade_single
from classroom.errors import ClassroomError
from classroom.project import Project

# Gradescope: gradescope-autograders.readthedocs.io/en/latest/specs, section Output format;
# PrairieLearn: docs/externalGrading.md, section Grading results. Both read on 2026-11-30.
FORMATS = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
GRADESCOPE = {
    "type": "object",
    "additionalProperties": False,
    "anyOf": [{"required": ["score"]}, {"required": ["tests"]}],
    "properties": {
        "score": {"type": "number"},
        "execution_time": {"type": "number"},
        "output": {"type": "string"},
        "output_format": FORMATS,
        "test_output_format": FORMATS,
        "test_name_format": FORMATS,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "leaderboard": {"type": "array"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": FORMATS,
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": FORMATS,
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "visibility": VISIBILITY,
                    "extra_data": {"type": "object"},
                },
            },
        },
    },
}
PRAIRIELEARN = {
    "type": "object",
    "oneOf": [
        {
            "required": ["score"],
            "properties": {"gradable": {"const": True}, "score": {"minimum": 0, "maximum": 1}},
        },
        {"required": ["gradable"], "properties": {"gradable": {"const": False}}},
    ],
    "properties": {
        "message": {"type": "string"},
        "output": {"type": "string"},
        "format_errors": {"type": ["string", "array"], "items": {"type": "string"}},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "description": {"type": "string"},
                    "points": {"type": "number"},
                    "max_points": {"type": "number"},
                    "message": {"type": "string"},
                    "output": {"type": "string"},
                },
            },
        },
    },
}
# schemas/infoQuestion.json: what is required, and what externalGradingOptions may hold.
QUESTION = {
    "type": "object",
    "required": ["uuid", "title", "topic", "type"],
    "properties": {
        "uuid": {"pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"},
        "type": {"const": "v3"},
        "gradingMethod": {"enum": ["Internal", "External", "Manual"]},
        "externalGradingOptions": {
            "type": "object",
            "required": ["image"],
            "additionalProperties": False,
            "properties": {
                "enabled": {"type": "boolean"},
                "image": {"type": "string"},
                "entrypoint": {"type": ["string", "array"]},
                "serverFilesCourse": {"type": "array"},
                "timeout": {"type": "integer", "maximum": 600},
                "enableNetworking": {"type": "boolean"},
                "environment": {"type": "object"},
            },
        },
    },
}  # fmt: skip
SCHEMAS: dict[str, Mapping[str, Any]] = {
    "json": {"type": "object", "required": ["points", "max_points", "tests"]},
    "gradescope": GRADESCOPE,
    "prairielearn": PRAIRIELEARN,
}
HAND_INS = {
    "right": notebook(),
    "wrong": notebook(WRONG["double"]),
    "half a page": notebook("def double(number):\n    return 2 * number if number < 100 else 7"),
    "no notebook": b"%PDF",
    "kills itself": notebook("import os\nos._exit(1)"),
}
POINTS = {"right": 5, "wrong": 0, "half a page": 2, "no notebook": 0, "kills itself": 0}
SECRET = "4711"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, root: Path) -> dict[tuple[str, str], Any]:
    """Each hand-in graded once, in every format."""
    home = tmp_path_factory.mktemp("single")
    small = SmallClass(home / "course", root)
    found = {}
    for name, content in HAND_INS.items():
        source = written(home / name / "01_small.ipynb", content)
        outcome = grade_single(small.chapter, source, home / "json")
        from classroom.grading import read_release

        release = read_release(small.chapter.solution_notebook)
        for form, made in RESULT_FORMS.items():
            found[name, form] = made(release, outcome)
        assert json.loads((home / "json").read_text()) == found[name, "json"]
    return found


@pytest.mark.parametrize("form", SCHEMAS)
@pytest.mark.parametrize("name", HAND_INS)
def test_every_result_is_of_the_published_form_and_holds_no_hidden_number(
    results: dict[tuple[str, str], Any], name: str, form: str
) -> None:
    result = results[name, form]
    jsonschema.validate(result, SCHEMAS[form])
    assert SECRET not in json.dumps(result)


@pytest.mark.parametrize("name", HAND_INS)
def test_all_formats_say_the_same_points(results: dict[tuple[str, str], Any], name: str) -> None:
    assert results[name, "json"]["points"] == POINTS[name]
    assert results[name, "gradescope"]["score"] == POINTS[name]
    assert sum(test["score"] for test in results[name, "gradescope"]["tests"]) == POINTS[name]
    assert sum(test["max_score"] for test in results[name, "gradescope"]["tests"]) == 5
    prairielearn = results[name, "prairielearn"]
    assert prairielearn.get("score", 0) == POINTS[name] / 5
    assert prairielearn["gradable"] is (name != "no notebook")
    assert "4 more points are given by hand" in json.dumps(prairielearn)


def test_the_command_ends_with_zero_whenever_a_result_was_written(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = SmallClass(tmp_path / "course", root)
    monkeypatch.chdir(small.project.root)
    (tmp_path / "empty").mkdir()
    given = ["--chapter", "1", "-o", str(tmp_path / "out" / "r.json")]
    assert main(["grade-one", str(tmp_path / "empty"), *given]) == 0
    assert json.loads((tmp_path / "out" / "r.json").read_text())["points"] == 0
    (tmp_path / "out" / "r.json").unlink()
    assert main(["grade-one", str(tmp_path / "gone.ipynb"), *given]) == 2
    assert "there is no notebook" in capsys.readouterr().err
    assert not (tmp_path / "out" / "r.json").exists()
    assert not (small.project.root / "class" / "gradebook.db").exists(), "no database"


def test_a_machine_that_cannot_isolate_writes_no_result(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SmallClass(tmp_path / "course", root)
    source = written(tmp_path / "a.ipynb", notebook())
    with pytest.raises(ClassroomError):
        grade_single(small.chapter, source, tmp_path / "r.json", level="bubblewrap")
    assert not (tmp_path / "r.json").exists()


# ---- the archives


CHAPTER = "00_start_here"


def unpacked(content: bytes, folder: Path) -> list[str]:
    """Unpack an archive as the systems do, and return the names in it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
        for entry in archive.infolist():
            (folder / entry.filename).chmod(entry.external_attr >> 16)
        return archive.namelist()


def solved(root: Path) -> bytes:
    """The chapter's own solution as a hand-in."""
    from classroom.grading import read_release

    chapter = Project(root).select([CHAPTER])[0]
    return dict(read_release(chapter.solution_notebook).reference().files)[f"{CHAPTER}.ipynb"]


def run(command: list[str], place: Path, **more: str) -> None:
    """Run a script where nothing of this repository is at hand."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        command, cwd=place, env={**kept, "HOME": str(place), "PIP_NO_INDEX": "1", **more},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def nothing_else(names: list[str]) -> None:
    """Assert that an archive holds no class, no other chapter and no author's text."""
    solutions = {name.partition("solutions/")[2] for name in names if "solutions/" in name}
    assert solutions == {f"{CHAPTER}/{CHAPTER}.ipynb"}
    assert not [name for name in names if "/class/" in name or ".git/" in name]


@pytest.mark.environment
def test_gradescopes_scripts_install_and_grade_in_a_clean_folder(
    tmp_path: Path, root: Path
) -> None:
    project = Project(root)
    content = autograder_archive(project, project.select([CHAPTER])[0], "gradescope")
    names = unpacked(content, tmp_path / "source")
    nothing_else(names)
    assert {"setup.sh", "run_autograder"} <= set(names), "both at the root of the archive"
    # What the lock pins is here already; pip looks, and fetches nothing.
    venv.create(tmp_path / "venv", with_pip=True)
    packages = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    for old in packages.glob("setuptools*"):  # Python 3.11 brings its own
        shutil.rmtree(old)
    (packages / "here.pth").write_text("\n".join(site.getsitepackages()))
    run(["bash", str(tmp_path / "source" / "setup.sh")], tmp_path, AUTOGRADER_ROOT=str(tmp_path))
    assert (packages / "classroom" / "cli.py").exists()
    (tmp_path / "run_autograder").write_bytes((tmp_path / "source" / "run_autograder").read_bytes())
    (tmp_path / "run_autograder").chmod(0o755)
    written(tmp_path / "submission" / f"{CHAPTER}.ipynb", solved(root))
    (tmp_path / "results").mkdir()
    run([str(tmp_path / "run_autograder")], tmp_path, AUTOGRADER_ROOT=str(tmp_path))
    result = json.loads((tmp_path / "results" / "results.json").read_text())
    jsonschema.validate(result, GRADESCOPE)
    assert result["score"] == sum(test["max_score"] for test in result["tests"]) > 0


def test_prairielearns_script_grades_in_the_folders_of_its_container(
    tmp_path: Path, root: Path
) -> None:
    project = Project(root)
    content = autograder_archive(project, project.select([CHAPTER])[0], "prairielearn")
    names = unpacked(content, tmp_path / "course")
    nothing_else(names)
    question = tmp_path / "course" / "questions" / CHAPTER
    info = json.loads((question / "info.json").read_text())
    jsonschema.validate(info, QUESTION)
    assert info["externalGradingOptions"]["entrypoint"] == "/grade/tests/run.sh"
    grade = tmp_path / "grade"
    (question / "tests").rename(written(grade / "data" / "data.json", "{}").parents[1] / "tests")
    written(grade / "student" / f"{CHAPTER}.ipynb", solved(root))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run([str(grade / "tests" / "run.sh")], tmp_path, GRADE_ROOT=str(grade), PATH=path)
    result = json.loads((grade / "results" / "results.json").read_text())
    jsonschema.validate(result, PRAIRIELEARN)
    assert result["score"] == 1
    assert (
        "pip install --no-cache-dir --require-hashes"
        in (tmp_path / "course" / "image" / "Dockerfile").read_text()
    )


def test_the_same_chapter_makes_the_same_archive(root: Path) -> None:
    project = Project(root)
    chapter = project.select([CHAPTER])[0]
    assert autograder_archive(project, chapter, "gradescope") == autograder_archive(
        project, chapter, "gradescope"
    )

"""What learners get: it works when it is unpacked, and shows no solution and no hidden test."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from classroom.desk.handout import handout, refuse_changed, sealed_quizzes
from classroom.errors import ClassroomError
from classroom.markers import SECRET_WORDS
from classroom.project import Chapter, Project, find_project
from leverage.lessons import manifest
from leverage.lessons.quizzes import judge_option

QUIZZES = "helpers/leverage/lessons/data/quizzes.json"


@pytest.fixture(scope="module")
def files(root: Path) -> dict[str, bytes]:
    """A handout of two chapters, by name without its folder."""
    project = Project(root)
    with zipfile.ZipFile(io.BytesIO(handout(project, project.select(["0", "1"])))) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def test_no_solution_no_hidden_test_and_no_history_is_in_a_handout(files: dict[str, bytes]) -> None:
    assert not [name for name in files if re.search(r"(^|/)(solutions|class|\.git|tests)/", name)]
    assert {name for name in files if name.startswith("course/0")} == {
        "course/00_start_here/00_start_here.ipynb", "course/01_basics/01_basics.ipynb",
    }  # fmt: skip
    notebooks = b"".join(content for name, content in files.items() if name.endswith(".ipynb"))
    for mark in (*(word.encode() for word in SECRET_WORDS), b"check.compare"):
        assert mark not in notebooks


def test_every_link_of_its_readme_leads_somewhere(files: dict[str, bytes]) -> None:
    text = files["README.md"].decode()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert len(links) > 5
    assert [link for link in links if link not in files] == []
    assert "solutions/" not in text


def test_the_answers_of_its_quizzes_cannot_be_read_and_are_judged_the_same(
    files: dict[str, bytes], root: Path
) -> None:
    clear = json.loads((root / QUIZZES).read_text(encoding="utf-8"))
    closed = json.loads(files[QUIZZES])
    assert clear.keys() == closed.keys()
    assert len({quiz["salt"] for quiz in closed.values()}) == len(closed)
    for name in list(clear)[:12]:
        for option, said in clear[name]["feedback"].items():
            assert judge_option(closed[name], option) == judge_option(clear[name], option)
            assert said not in json.dumps(closed[name], ensure_ascii=False)
        assert judge_option(closed[name], "z") == judge_option(clear[name], "z")
        assert judge_option(closed[name], ...).unanswered
        assert closed[name]["answer"] not in clear[name]["feedback"]


def test_the_hash_of_an_answer_is_another_in_every_handout() -> None:
    quiz = {"q": manifest.Quiz(answer="a", feedback={"a": "Yes.", "b": "No."})}
    assert sealed_quizzes(quiz)["q"]["answer"] != sealed_quizzes(quiz)["q"]["answer"]


def test_a_notebook_that_somebody_worked_in_is_refused(built: Project) -> None:
    chapter = built.chapters()[0]
    refuse_changed(chapter)
    book = json.loads(chapter.student_notebook.read_text(encoding="utf-8"))
    book["cells"][-1]["source"] = "my own answer"
    chapter.student_notebook.write_text(json.dumps(book), encoding="utf-8")
    with pytest.raises(ClassroomError, match="somebody worked in it"):
        refuse_changed(chapter)


def test_commands_that_need_solutions_say_that_this_is_a_handout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "course" / "01_basics").mkdir(parents=True)
    (tmp_path / "course" / "01_basics" / "01_basics.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "nbgrader_config.py").touch()
    monkeypatch.chdir(tmp_path / "course")
    project = find_project()
    assert project.root == tmp_path
    assert project.released_one("1") == Chapter(tmp_path, "01_basics")
    with pytest.raises(ClassroomError, match="this is a handout"):
        project.select(["1"])


@pytest.mark.environment
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_lab_opens_an_unpacked_handout(files: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in files.items():
        path = tmp_path / "leverage-course" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    home = tmp_path / "leverage-course"
    # What the lock pins is here already; pip looks, and fetches nothing.
    venv.create(home / ".venv", with_pip=True)
    packages = next((home / ".venv" / "lib").glob("python*/site-packages"))
    for old in packages.glob("setuptools*"):  # Python 3.11 brings its own
        shutil.rmtree(old)
    (packages / "zz_here.pth").write_text("\n".join(site.getsitepackages()))
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    place = kept | {"HOME": str(tmp_path), "PIP_NO_INDEX": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        ["make", "lab", "CHAPTER=01_basics", f"PYTHON={sys.executable}"],
        cwd=home, env=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            said = []
            for line in server.stdout:
                said.append(line)
                if line.startswith("JupyterLab: "):
                    break
            assert "01_basics/01_basics.ipynb?token=" in said[-1], "".join(said)
            address = re.sub(r"/lab/tree/.*\?", "/api/contents/?", said[-1].split()[-1])
            assert "glossary.ipynb" in read_when_up(address)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=20)


def read_when_up(address: str) -> str:
    """What a server answers, as soon as it does."""
    import time

    for _ in range(240):
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"nobody answers at {address}")

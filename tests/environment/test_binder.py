"""Binder finds its files, builds the environment from them, and opens the course in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
from pathlib import Path

import pytest
from binder_environment import Environment, Server, copy_repository

from classroom.project import Project

pytestmark = pytest.mark.environment

BINDER_LINK = re.compile(
    r"https://mybinder\.org/v2/gh/(?P<slug>[^/\s]+/[^/\s]+)/HEAD"
    r"(?:\?urlpath=(?P<path>[^)\s\"]*))?"
)


@pytest.fixture(scope="module")
def clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's files, as a clone would have them."""
    return copy_repository(root, tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def dockerfile(clone: Path) -> str:
    """The Dockerfile that repo2docker makes for the repository."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def place(dockerfile: str, line: str) -> int:
    """Return where a line of the Dockerfile begins."""
    lines = dockerfile.splitlines()
    assert line in lines, f"repo2docker's Dockerfile has no line: {line}"
    return lines.index(line)


def test_binder_chooses_its_python_buildpack(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from repo2docker.app import Repo2Docker

    monkeypatch.chdir(clone)
    app = Repo2Docker()
    chosen = next(pack for pack in app.buildpacks if pack(base_image=app.base_image).detect())
    assert chosen.__name__ == "PythonBuildPack"


def test_binder_takes_the_python_of_runtime_txt(clone: Path, dockerfile: str) -> None:
    wanted = (clone / "binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert wanted == "python-3.12"
    # repo2docker escapes names in its build context: "-2d" is "-", "-2e" is ".".
    assert "environment-2epy-2d3-2e12" in dockerfile


def test_the_packages_are_installed_before_the_repository_is_copied(dockerfile: str) -> None:
    pins = "COPY --chown=0:0 src/binder/requirements.txt ${REPO_DIR}/binder/requirements.txt"
    pip = "RUN ${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir "
    install = pip + '-r "binder/requirements.txt"'
    everything = "COPY --chown=0:0 src/ ${REPO_DIR}/"
    assert place(dockerfile, pins) < place(dockerfile, install) < place(dockerfile, everything)
    assert dockerfile.count("/bin/pip install") == 1, "more is installed than the pinned packages"


def test_post_build_runs_last_and_stops_at_the_first_error(clone: Path, dockerfile: str) -> None:
    everything = "COPY --chown=0:0 src/ ${REPO_DIR}/"
    assert place(dockerfile, everything) < place(dockerfile, "RUN ./binder/postBuild")
    script = (clone / "binder" / "postBuild").read_text(encoding="utf-8")
    assert script.startswith("#!/usr/bin/env bash\n")
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands[0] == "set -euo pipefail"


def test_the_server_of_the_built_environment_answers(lab_server: Server) -> None:
    assert "started" in lab_server.ask("api/status")


def test_every_student_notebook_is_where_binder_opens_it(root: Path, lab_server: Server) -> None:
    notebooks = [chapter.student_notebook for chapter in Project(root).chapters()]
    assert notebooks
    for notebook in notebooks:
        path = notebook.relative_to(root).as_posix()
        assert lab_server.ask(f"api/contents/{path}?content=0")["type"] == "notebook"


def test_a_kernel_of_the_built_environment_imports_the_helpers(
    built_environment: Environment, lab_server: Server
) -> None:
    code = "import leverage, leverage.lessons, classroom; print(leverage.__file__)"
    where = built_environment.checkout / "helpers" / "leverage" / "__init__.py"
    assert lab_server.run(code).strip() == str(where)


def test_learners_see_no_news_and_of_nbgrader_only_validate(lab_server: Server) -> None:
    page = lab_server.page("lab")
    found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    disabled = json.loads(found[1])["disabledExtensions"]
    assert "@jupyterlab/apputils-extension:announcements" in disabled
    tools = ("assignment-list", "course-list", "create-assignment", "formgrader", "menu")
    assert {f"@jupyter/nbgrader:{tool}" for tool in tools} <= set(disabled)
    assert "@jupyter/nbgrader:validate-assignment" not in disabled


def test_a_saved_notebook_keeps_its_widgets(lab_server: Server) -> None:
    settings = lab_server.ask("lab/api/settings/@jupyter-widgets/jupyterlab-manager:plugin")
    assert settings["schema"]["properties"]["saveState"]["default"] is True


def test_the_doctor_finds_everything_in_the_built_environment(
    built_environment: Environment,
) -> None:
    done = subprocess.run(
        [str(built_environment.programs / "classroom"), "doctor"],
        cwd=built_environment.checkout,
        env=built_environment.variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_binder_link_opens_a_file_of_this_repository(root: Path, lab_server: Server) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    links = list(BINDER_LINK.finditer(text))
    assert text.count("mybinder.org/v2") == len(links), "a link to Binder is not of the usual form"
    assert links
    opened = set()
    for link in links:
        assert link["slug"] == Project(root).repository, link[0]
        if link["path"] is None:
            continue
        address = urllib.parse.unquote(link["path"])
        assert address.startswith("lab/tree/"), link[0]
        path = address.removeprefix("lab/tree/")
        try:
            lab_server.ask(f"api/contents/{path}?content=0")
        except urllib.error.HTTPError as error:
            pytest.fail(f"{link[0]} names no file of the repository: {error}")
        opened.add(path)
    chapters = Project(root).chapters()
    assert {c.student_notebook.relative_to(root).as_posix() for c in chapters} <= opened

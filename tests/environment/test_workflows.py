"""What GitHub runs has no more rights than it needs, and publishes what was tried here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
# Who may write what: everything else only reads.
RIGHTS = {
    ("pages", "deploy"): {"pages": "write", "id-token": "write"},
    ("release", "publish"): {"id-token": "write"},
}


def read(path: Path) -> dict[Any, Any]:
    """Read a workflow; YAML takes the key `on` for a truth value."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_ends_in_time(path: Path) -> None:
    for name, job in read(path)["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 60, name


@pytest.mark.parametrize("name", ["ci", "pages", "release"])
def test_a_workflow_reads_and_only_who_publishes_may_write(name: str) -> None:
    workflow = read(FOLDER / f"{name}.yml")
    assert workflow["permissions"] == {"contents": "read"}
    for job, steps in workflow["jobs"].items():
        assert steps.get("permissions", {}) == RIGHTS.get((name, job), {}), job


def test_the_pages_are_what_make_site_makes(root: Path) -> None:
    workflow = read(FOLDER / "pages.yml")
    assert workflow[True]["push"]["branches"] == ["main"]
    steps = workflow["jobs"]["build"]["steps"]
    assert "make site" in [step.get("run") for step in steps]
    assert re.search(r"^site: ", (root / "Makefile").read_text(encoding="utf-8"), re.M)
    assert steps[-1]["with"]["path"] == "_site"


def test_a_release_keeps_no_password(root: Path) -> None:
    text = (FOLDER / "release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "password" not in re.sub(r"#.*", "", text)


def test_the_citation_names_the_version_and_the_repository_of_the_project(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["repository-code"] == project["urls"]["Repository"]
    assert set(citation) >= {"cff-version", "title", "message", "authors", "date-released"}

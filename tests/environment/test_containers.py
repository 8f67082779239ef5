"""The container, the devcontainer and the jobs around them use the one lock and give nothing away."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

# The JSON schema of devcontainer.json at containers.dev: the part that a build by
# Dockerfile may hold.
DEVCONTAINER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["build"],
    "properties": {
        "name": {"type": "string"},
        "build": {
            "type": "object",
            "required": ["dockerfile"],
            "additionalProperties": False,
            "properties": {
                "dockerfile": {"type": "string"},
                "context": {"type": "string"},
                "target": {"type": "string"},
                "args": {"type": "object"},
            },
        },
        "postCreateCommand": {"type": ["string", "array", "object"]},
        "forwardPorts": {"type": "array", "items": {"type": ["integer", "string"]}},
        "portsAttributes": {"type": "object"},
        "customizations": {"type": "object"},
    },
}


def stages(root: Path) -> dict[str, str]:
    """The text of each stage of the Dockerfile, by name."""
    text = re.sub(r"(?m)^#.*\n", "", (root / "Dockerfile").read_text(encoding="utf-8"))
    parts = re.split(r"(?m)^FROM (\S+) AS (\w+)\n", text)
    return dict(zip(parts[2::3], parts[3::3], strict=True))


def test_the_devcontainer_is_of_its_published_form_and_builds_a_stage_that_exists(
    root: Path,
) -> None:
    found = json.loads((root / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, DEVCONTAINER)
    assert (root / ".devcontainer" / found["build"]["dockerfile"]).resolve() == root / "Dockerfile"
    assert found["build"]["target"] in stages(root)


def test_every_stage_installs_the_lock_of_binder_and_copies_what_exists(root: Path) -> None:
    found = stages(root)
    assert list(found) == ["base", "grader", "learner"], "who names no stage gets the learner's"
    assert "--require-hashes -r binder/requirements.txt" in found["base"]
    copied = re.findall(r"(?m)^COPY (.+) \S+$", "\n".join(found.values()))
    for name in " ".join(copied).split():
        assert (root / name).exists(), name
    for stage in ("grader", "learner"):
        assert "bash binder/postBuild" in found[stage]


def test_no_layer_of_the_learners_image_holds_a_solution(root: Path) -> None:
    found = stages(root)
    assert "solutions" not in found["base"] + found["learner"]
    assert "COPY . ." not in found["base"] + found["learner"]
    ignored = (root / ".dockerignore").read_text().split()
    assert {"class", ".git", ".venv"} <= set(ignored)


@pytest.mark.parametrize("name", ["dependabot.yml", "workflows/ci.yml"])
def test_what_runs_elsewhere_is_yaml_and_names_folders_that_exist(root: Path, name: str) -> None:
    found = yaml.safe_load((root / ".github" / name).read_text(encoding="utf-8"))
    for entry in found.get("updates", ()):
        assert (root / entry["directory"].lstrip("/")).is_dir()
    assert "updates" in found or "pip-audit" in json.dumps(found["jobs"]["audit"])


def test_every_exception_of_the_audit_has_a_reason(root: Path) -> None:
    lines = (root / ".github" / "audit-exceptions.txt").read_text().splitlines()
    for line in lines:
        assert not line or line.startswith("#") or re.fullmatch(r"[A-Z]+-\S+  .{20,}", line)

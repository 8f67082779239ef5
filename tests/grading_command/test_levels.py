"""`classroom doctor` says how students' code can be isolated here, and which extras are missing."""

from __future__ import annotations

import pytest

import classroom.grading.sandbox
from classroom.doctor import extra_state, sandbox_states
from classroom.grading import LevelReport


def test_doctor_lists_every_level_and_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = (
        LevelReport("namespaces", False, "the kernel refuses", "ask for user namespaces"),
        LevelReport("landlock", True, "", ""),
        LevelReport("limits", True, "", ""),
    )
    monkeypatch.setattr(classroom.grading.sandbox, "available_levels", lambda: reports)
    first, second, third = sandbox_states()
    assert (first.state, first.found, first.remedy) == (
        "optional", "the kernel refuses", "ask for user namespaces",
    )  # fmt: skip
    assert (second.name, second.state, third.state) == ("grading sandbox landlock", "ok", "ok")


def test_doctor_names_the_extra_that_a_missing_package_belongs_to() -> None:
    missing = extra_state("no_such_package", "cluster", "a cluster needs it")
    assert missing.state == "optional"
    assert missing.remedy == '.venv/bin/python -m pip install -e ".[cluster]"'
    assert extra_state("json", "cluster", "").ok

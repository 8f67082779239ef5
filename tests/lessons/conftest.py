"""Every lesson test keeps its progress in a folder of its own, never in the home folder."""

import contextlib
import io
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances

from leverage.lessons import exercise, manifest, progress

sys.path.insert(0, str(Path(__file__).resolve().parent))

COURSE = {
    "01_basics": {
        "number": 1,
        "title": "Basics",
        "objectives": {"LO1.1": "Compute the position value.", "LO1.2": "Compute what is borrowed"},
        "items": {
            "ch01_a_value": {
                "points": 2,
                "safety": False,
                "objectives": ["LO1.1"],
                "kind": "test",
                "section": "Your turn A",
            },
            "ch01_b_borrowed": {
                "points": 2,
                "safety": True,
                "objectives": ["LO1.2"],
                "kind": "test",
                "section": "Your turn B",
            },
            "ch01_q1": {"points": 1, "safety": False, "objectives": ["LO1.1"], "kind": "quiz"},
            "ch01_decide": {"points": 50, "safety": True, "objectives": [], "kind": "manual"},
        },
    },
    "02_margin": {
        "number": 2,
        "title": "Margin",
        "objectives": {},
        "items": {"ch02_a_rate": {"points": 1, "kind": "test", "hidden": True}},
    },
}
QUIZZES = {
    "ch01_q1": {
        "answer": "b",
        "feedback": {
            "a": "That is the margin alone.",
            "b": "Yes: margin times leverage",
            "c": "That is the borrowed part.",
        },
    }
}


class Ran(NamedTuple):
    """What a test cell printed and the error that ended it."""

    printed: str
    error: BaseException | None

    @property
    def message(self) -> str:
        return str(self.error)


@pytest.fixture(autouse=True)
def _own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("LEVERAGE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(progress, "_said", set())
    monkeypatch.setattr(progress, "_tried", {})
    monkeypatch.setattr(progress, "_unwritten", [])
    monkeypatch.chdir(tmp_path)  # where no solutions are above


@pytest.fixture(autouse=True)
def _no_widget_left():
    kept = set(_instances)  # of fixtures that serve several tests
    yield
    for name in _instances.keys() - kept:  # ipywidgets would hold every picture to the end
        _instances[name].close()


@pytest.fixture(autouse=True)
def _small_course(monkeypatch):
    monkeypatch.setattr(manifest, "load_chapters", lambda: COURSE)
    monkeypatch.setattr(manifest, "load_quizzes", lambda: QUIZZES)


@pytest.fixture
def second_try(monkeypatch):
    """Let every wrong answer be the second one, for which a check says what was expected."""
    monkeypatch.setattr(progress, "tries_with", lambda item_id, answer: 2)


@pytest.fixture(scope="session")
def run() -> Callable[..., Ran]:
    """Run a learner's answer, then a test cell, in one notebook namespace."""

    def run_cells(answer: str, checks: str, item: str = "ch01_a_value", **names: Any) -> Ran:
        space = {"exercise": exercise, "np": np, "pd": pd, **names}
        exec(compile(textwrap.dedent(answer), "<answer>", "exec"), space)
        body = textwrap.indent(textwrap.dedent(checks).strip(), "    ")
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(f"with exercise({item!r}) as check:\n{body}", space)
        except Exception as error:
            return Ran(printed.getvalue(), error)
        return Ran(printed.getvalue(), None)

    return run_cells

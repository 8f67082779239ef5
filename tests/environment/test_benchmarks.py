"""Benchmarks run from a shell that knows nothing of the environment, as README calls them."""

from __future__ import annotations

import ast
from importlib.metadata import entry_points
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "benchmarks").glob("*.py"))
PROGRAMS = {point.name for point in entry_points(group="console_scripts")}


@pytest.mark.parametrize("script", [pytest.param(path, id=path.stem) for path in SCRIPTS])
def test_a_benchmark_calls_the_environments_programs_through_its_interpreter(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    lists = [node.elts for node in ast.walk(tree) if isinstance(node, ast.List | ast.Tuple)]
    first = {
        parts[0].value for parts in lists if len(parts) > 1 and isinstance(parts[0], ast.Constant)
    }
    named = {name for name in first if isinstance(name, str)} & PROGRAMS
    assert not named, f"write [sys.executable, '-m', …] for {', '.join(named)}: not on every PATH"

"""Run the core's tests against thousands of small mistakes, and say how many they notice.

`make mutate` starts anew; `make mutate MODULE=rounding` tries the mutants of one module again, with
the tests as they are now. Everything is written to .cache/mutation. The settings stand in
`[tool.mutmut]` of pyproject.toml.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / ".cache" / "mutation"
COPIED = {
    "helpers/leverage": "src/leverage",
    "tests/unit": "tests/unit",
    "tests/properties": "tests/properties",
    "tests/conftest.py": "tests/conftest.py",
    "pyproject.toml": "pyproject.toml",
}
# It asks which modules import which, and mutmut adds imports of its own.
LEFT_OUT = ("test_imports.py", "__pycache__", "lessons")
# Exit codes of pytest, as mutmut stores them; all others are time limits.
OUTCOMES = {0: "survived", 1: "killed", 3: "killed", 33: "untested", None: "not run"}


def lay_out(module: str | None) -> None:
    """Copy what is mutated and the tests; without a module, forget all former results."""
    for name in ("src", "tests", "mutants/tests") if module else (".",):
        shutil.rmtree(BENCH / name, ignore_errors=True)
    for source, target in COPIED.items():
        place = BENCH / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns(*LEFT_OUT))
        else:
            shutil.copy2(ROOT / source, place)


def report() -> str:
    """Write the outcomes of each module that was run as a table in Markdown."""
    kinds = ("killed", "survived", "timed out", "untested", "not run")
    total: Counter[str] = Counter()
    lines = [
        "| Module | Mutants | Killed | Survived | Timed out | Untested | Not run | Score |",
        "|---|---|---|---|---|---|---|---|",
    ]
    counts = {}
    for path in sorted((BENCH / "mutants/src/leverage").glob("*.py.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].values()
        count = Counter(OUTCOMES.get(code, "timed out") for code in codes)
        if count["not run"] < count.total():
            counts[path.name.removesuffix(".py.meta")] = count
    for count in counts.values():
        total += count
    for name, count in [*((f"`{name}`", count) for name, count in counts.items()), ("all", total)]:
        caught = count["killed"] + count["timed out"]
        score = caught / max(count.total() - count["not run"], 1)
        cells = [name, count.total(), *(count[kind] for kind in kinds), f"{score:.1%}"]
        lines.append(f"| {' | '.join(str(cell).replace('%', ' %') for cell in cells)} |")
    return "\n".join(lines)


def main(module: str | None = None) -> int:
    """Run mutmut in one process; show the table."""
    lay_out(module)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1"]
    if module:
        command.append(f"leverage.{module}.*")
    os.nice(10)
    done = subprocess.run(command, cwd=BENCH, check=False)
    print(report())
    print("\nShow one: cd .cache/mutation && ../../.venv/bin/mutmut results, then mutmut show NAME")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))

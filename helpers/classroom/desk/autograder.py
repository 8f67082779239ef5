"""`classroom autograder`: one chapter's grader for Gradescope or PrairieLearn, as one archive.

It holds the helpers, the lock, and one instructor notebook with its hidden tests: nothing of a
class, and no other chapter. The scripts call `classroom grade-one`. Paths and file names are those
of the two systems' documentation (see `classroom.desk.single`).
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from string import Template

from classroom.desk.archives import packed
from classroom.grading.reading import read_release
from classroom.marking.room import write_whole
from classroom.project import Chapter, Project

PACKAGE = ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT", "binder/requirements.txt")
"""What an installation needs beside helpers/."""
LONGEST_RUN_S = 330
"""PrairieLearn's limit for one hand-in: the grader's own 300 s and its start."""

SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, while it builds the image.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
course=$root/source/course
if [ ! -x "$root/venv/bin/python" ]; then
  for python in python3.13 python3.12 python3.11; do
    "$python" -m venv "$root/venv" 2>/dev/null && break
    rm -rf "$root/venv"
  done
fi
if [ ! -x "$root/venv/bin/python" ]; then
  apt-get update
  apt-get install -y python3.12-venv || apt-get install -y python3.11-venv
  "$(command -v python3.12 || command -v python3.11)" -m venv "$root/venv"
fi
"$root/venv/bin/python" -m pip install --quiet --require-hashes -r "$course/binder/requirements.txt"
"$root/venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation "$course"
"$root/venv/bin/python" -m compileall -q "$root/venv/lib" || true
chmod 700 "$course/solutions"
"""
RUN_GRADESCOPE = Template("""#!/usr/bin/env bash
# Gradescope runs this for each hand-in.
set -euo pipefail
root=$${AUTOGRADER_ROOT:-/autograder}
cd "$$root/source/course"
exec "$$root/venv/bin/classroom" grade-one "$$root/submission" --chapter $chapter \\
  --format gradescope -o "$$root/results/results.json"
""")
RUN_PRAIRIELEARN = Template("""#!/usr/bin/env bash
# PrairieLearn runs this for each hand-in, in the image that Dockerfile describes.
set -euo pipefail
root=$${GRADE_ROOT:-/grade}
mkdir -p "$$root/results"
chmod 700 "$$root/tests/course/solutions"
cd "$$root/tests/course"
exec classroom grade-one "$$root/student" --chapter $chapter \\
  --format prairielearn -o "$$root/results/results.json"
""")
DOCKERFILE = """# The image for PrairieLearn's external grader: build it, push it, name it in info.json.
FROM python:3.12-slim
COPY course /course
RUN pip install --no-cache-dir --require-hashes -r /course/binder/requirements.txt \\
 && pip install --no-cache-dir --no-deps --no-build-isolation /course \\
 && python -m compileall -q /usr/local/lib/python3.12/site-packages/leverage
"""
QUESTION = Template("""<pl-question-panel>
  <p>Hand in your notebook <code>$chapter.ipynb</code>.</p>
  <pl-file-upload file-names="$chapter.ipynb"></pl-file-upload>
</pl-question-panel>
<pl-submission-panel>
  <pl-external-grader-results></pl-external-grader-results>
</pl-submission-panel>
""")


def autograder_archive(project: Project, chapter: Chapter, system: str) -> bytes:
    """Return the archive of a chapter's grader for `gradescope` or `prairielearn`."""
    course = {f"course/{name}": content for name, content in package_files(project).items()}
    tests = {f"course/{name}": content for name, content in _hidden_tests(chapter).items()}
    tests["course/nbgrader_config.py"] = (project.root / "nbgrader_config.py").read_bytes()
    named = {"chapter": chapter.name}
    if system == "gradescope":
        files = course | tests
        files["setup.sh"] = SETUP.encode()
        files["run_autograder"] = RUN_GRADESCOPE.substitute(named).encode()
        return packed(files)
    question = f"questions/{chapter.name}"
    files = {f"image/{name}": content for name, content in course.items()}
    files["image/Dockerfile"] = DOCKERFILE.encode()
    files |= {f"{question}/tests/{name}": content for name, content in tests.items()}
    files[f"{question}/tests/run.sh"] = RUN_PRAIRIELEARN.substitute(named).encode()
    files[f"{question}/question.html"] = QUESTION.substitute(named).encode()
    files[f"{question}/info.json"] = json.dumps(question_info(project, chapter), indent=2).encode()
    return packed(files)


def write_autograder(project: Project, chapter: Chapter, system: str, target: Path) -> None:
    """Write the archive and say what the tests in it can give."""
    points = read_release(chapter.solution_notebook).auto_points
    write_whole(target, autograder_archive(project, chapter, system))
    print(
        f"{target}: the grader of {chapter.name} for {NAMES[system]}; tests give {points:g} points."
    )


NAMES = {"gradescope": "Gradescope", "prairielearn": "PrairieLearn"}


def question_info(project: Project, chapter: Chapter) -> dict[str, object]:
    """Return what PrairieLearn wants to know of a question; the image is yours to name."""
    title = f"Leverage, computed: {chapter.name}"
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{project.repository}/{chapter.name}")),
        "title": title,
        "topic": "Leverage",
        "type": "v3",
        "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True,
            "image": "YOUR-REGISTRY/leverage-grader",
            "entrypoint": "/grade/tests/run.sh",
            "timeout": LONGEST_RUN_S,
        },
    }


def package_files(project: Project) -> dict[str, bytes]:
    """Return what installs the helpers: their sources, and what `pip` asks for."""
    helpers = (path for path in sorted((project.root / "helpers").rglob("*")) if path.is_file())
    files = {
        path.relative_to(project.root).as_posix(): path.read_bytes()
        for path in helpers
        if "__pycache__" not in path.parts and not any(p.endswith(".egg-info") for p in path.parts)
    }
    return files | {name: (project.root / name).read_bytes() for name in PACKAGE}


def _hidden_tests(chapter: Chapter) -> dict[str, bytes]:
    release = read_release(chapter.solution_notebook)
    home = f"solutions/{chapter.name}"
    notebook = chapter.solution_notebook
    data = {f"{home}/{name}": content for name, content in release.data}
    return {f"{home}/{notebook.name}": notebook.read_bytes(), **data}

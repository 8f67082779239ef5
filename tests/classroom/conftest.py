"""A small course of one chapter, for tests of the commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from classroom.authoring.build import build
from classroom.project import Project

TEXT = '''\
---
kernelspec: {display_name: Python 3 (ipykernel), language: python, name: python3}
course:
  number: 1
  title: Small
  minutes: 5
  builds_on: []
  promise: You can double a number.
  objectives:
    LO1.1: Compute the double of a number.
    LO1.2: Say why.
  answers:
    LO1.1: The double of {{ base }} is {{ 2 * base }}.
    LO1.2: Because two halves make a whole.
---
{header}

+++

## What you learn

{objectives}

A {term:double} is twice a number.

```{code-cell} ipython3
:locked: true

from leverage.lessons import exercise
base = 21
```

Twice {{ base:.0f }} is {{ 2 * base:,.1f }}; a thousand times is {{ -1000 * base:,.0f }}.

## 1.A Double ({points:ch01_a})

```{code-cell} ipython3
:answer: ch01_a

def double(number):
    ### BEGIN SOLUTION
    return 2 * number
    ### STUDENT STUB
    # return ... * number
    ### END SOLUTION
```

```{code-cell} ipython3
:test: ch01_a_value
:points: 2
:safety: true
:objectives: LO1.1

"""1.A: the double is right."""
with exercise("ch01_a_value") as check:
    check.result("double", (21,), 42, hint="Twice the number.", mistakes={23: "You added 2."})
    ### BEGIN HIDDEN TESTS
    check.hidden()
    check.result("double", (-0.5,), -1.0, hint="Twice the number, below zero too.")
    ### END HIDDEN TESTS
```

## 1.B Why (by hand)

+++ {"answer": "ch01_b", "points": 3, "objectives": "LO1.2"}

Because two halves make a whole. Rubric: 3 points for a reason.

+++

## Check yourself

+++

{quiz:check}

+++

## Recap

{recap}
'''

QUIZ = """\
check:
  - id: ch01_q1
    points: 1
    objectives: LO1.1
    question: What is twice two?
    options:
      a: {text: Three, feedback: You added one.}
      b: {text: Four, feedback: Two and two.}
      c: {text: Twenty-two, feedback: You wrote the digits side by side.}
    answer: b
"""

BANK = """\
# ch01_a

## right: adds it to itself

```python
def double(number):
    return number + number
```

## wrong: adds two
hint: You added 2

```python
def double(number):
    return number + 2
```

## wrong: fits the example
hint: below zero too

```python
def double(number):
    return 42
```

## wrong: forgets the number
hint: Twice the number

```python
def double(number):
    return 2
```
"""

GLOSSARY = """\
- term: double
  id: double
  definition: Two times a number.
  chapter: 01_small
"""

README = """\
# Small course

<!-- chapters: made by `classroom build` from solutions/ -->
<!-- end of chapters -->
"""


def write_small_course(folder: Path, root: Path) -> Project:
    """Write the small course's texts into `folder`."""
    chapter = folder / "solutions" / "01_small"
    chapter.mkdir(parents=True)
    (folder / "course").mkdir()
    (folder / "helpers" / "leverage" / "lessons" / "data").mkdir(parents=True)
    (chapter / "01_small.md").write_text(TEXT, encoding="utf-8")
    (chapter / "quiz.yml").write_text(QUIZ, encoding="utf-8")
    (chapter / "bank.md").write_text(BANK, encoding="utf-8")
    (folder / "solutions" / "glossary.yml").write_text(GLOSSARY, encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(root / name, folder)
    return Project(folder)


@pytest.fixture(scope="session")
def write_course() -> Callable[[Path, Path], Project]:
    """What writes the small course's texts, for tests that add to them."""
    return write_small_course


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Project:
    """The small course, built; tests copy it."""
    project = write_small_course(tmp_path_factory.mktemp("built") / "small", root)
    build(project, project.chapters(), say=lambda _: None)
    return project


@pytest.fixture
def small(tmp_path: Path, root: Path) -> Project:
    """The small course's texts, not built."""
    return write_small_course(tmp_path / "small", root)


@pytest.fixture
def built(tmp_path: Path, built_once: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the small course, built, with its own lesson data in force."""
    folder = tmp_path / "built"
    shutil.copytree(built_once.root, folder)
    project = Project(folder)
    monkeypatch.setenv("LEVERAGE_LESSON_DATA", str(project.lesson_data))
    return project

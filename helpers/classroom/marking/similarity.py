"""Answers of one exercise that are nearly the same: places to look, never a proof of anything.

Two answers count as alike when their normal forms are equal: comments, layout and docstrings are
gone, and every name that the answer itself introduces is replaced by its order of appearance. A
short answer is left out, because most people would write it alike; one of middle length is listed
only where few wrote it and it is no published answer.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LONG = 40
"""Nodes of the syntax tree beyond those given; a formula of two lines has about 20."""
MIDDLE = 20
RARE = 0.1
"""Share of the class that may have a middle-sized answer in common before it counts as usual."""


@dataclass(frozen=True)
class Group:
    """Students whose answers to one exercise have the same normal form."""

    exercise: str
    students: tuple[str, ...]
    size: int
    """Nodes of the syntax tree that they share beyond what was given."""
    known: str = ""
    """What the answer equals: the reference solution, or an answer of the bank."""
    exact: bool = False
    """Whether the texts are equal too, names and comments included."""


def normal_form(code: str) -> str | None:
    r"""Return what stays of an answer without its names and layout; None if it does not parse.

    >>> a = normal_form("def f(x):\n    half = x / 2  # half\n    return half")
    >>> a == normal_form("def f(value):\n    y = value/2\n    return y")
    True
    >>> a == normal_form("def f(x):\n    return x / 2"), normal_form("def f(:")
    (False, None)
    """
    tree = parsed_code(code)
    if tree is None:
        return None
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        for name in names_introduced(node):
            names.setdefault(name, f"_{len(names)}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg, node.annotation = names.get(node.arg, node.arg), None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.dump(tree)


def parsed_code(code: str) -> ast.Module | None:
    """Return the syntax tree without docstrings, or None if the code does not parse."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [
                part
                for part in body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]  # it has a list of statements
    return tree


def names_introduced(node: ast.AST) -> Iterable[str]:
    """Return the names that a node brings in: arguments and assigned variables.

    Names of functions stay, because the exercise gives them.
    """
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    return []


def count_nodes(code: str) -> int:
    """Count the nodes of an answer's syntax tree; 0 if it does not parse.

    >>> count_nodes("x = 1"), count_nodes("x = (")
    (5, 0)
    """
    tree = parsed_code(code)
    return 0 if tree is None else sum(1 for _ in ast.walk(tree))


def groups(
    exercise: str,
    answers: Mapping[str, str],
    given: str,
    known: Mapping[str, str] | None = None,
) -> list[Group]:
    """Return the groups of two or more students with nearly the same answer, largest code first.

    Parameters
    ----------
    exercise : str
        Name of the exercise.
    answers : mapping
        Code by student.
    given : str
        What everybody was given: the stub.
    known : mapping, optional
        Published answers by name, such as the reference solution, to say when a group has one.
    """
    by_form: dict[str, list[str]] = {}
    own: dict[str, int] = {}
    floor = count_nodes(given)
    for student, code in sorted(answers.items()):
        form = normal_form(code)
        if form is None:
            continue
        if form not in own:
            own[form] = count_nodes(code) - floor
        by_form.setdefault(form, []).append(student)
    titles = {form: name for name, code in (known or {}).items() if (form := normal_form(code))}
    found = []
    for form, students in by_form.items():
        rare = form not in titles and len(students) <= max(2, RARE * len(answers))
        if len(students) > 1 and own[form] >= (MIDDLE if rare else LONG):
            exact = len({answers[student].strip() for student in students}) == 1
            title = titles.get(form, "")
            found.append(Group(exercise, tuple(students), own[form], title, exact=exact))
    return sorted(found, key=lambda group: (-group.size, group.students))


def all_groups(
    answers: Mapping[str, Mapping[str, str]],
    stubs: Mapping[str, str],
    known: Mapping[str, Mapping[str, str]],
) -> Sequence[Group]:
    """Return the groups of all exercises; `answers` holds code by exercise and student."""
    return [
        group
        for exercise, of_students in answers.items()
        for group in groups(exercise, of_students, stubs.get(exercise, ""), known.get(exercise))
    ]

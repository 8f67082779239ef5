"""Put the chapter's own solution into the hidden part of the tests that compare with it.

An author writes `check.compare("name", solution, …)` below `check.hidden()`. The build defines
`solution` there: a function that holds the definitions of all answers on which `name` depends,
and returns them by name. So a stock nbgrader that runs the test decides the same.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator

from classroom.markers import HIDDEN, numbered

SOLUTION = "solution"


def comparisons(source: str) -> Iterator[tuple[str, int]]:
    """Yield each name that a test compares with the solution, with the line of the call.

    Raises
    ------
    ValueError
        Where a comparison does not begin `check.compare("name", solution, …`.

    >>> list(comparisons('check.compare("double", solution, lambda pick: (pick.number(1, 2),))'))
    [('double', 1)]
    """
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "check.compare"):
            continue
        match node.args[:2]:
            case [ast.Constant(value=str(name)), ast.Name(id="solution")]:
                yield name, node.lineno
            case _:
                raise ValueError('a comparison begins check.compare("name", solution, …')


def definitions(answers: Iterable[str]) -> dict[str, ast.stmt]:
    """Return what the answer cells of a chapter define or import, by name, in their order."""
    found: dict[str, ast.stmt] = {}
    for answer in answers:
        for node in ast.parse(answer).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = node
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = (alias.asname or alias.name.partition(".")[0] for alias in node.names)
                found |= dict.fromkeys(names, node)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for part in (part for target in targets for part in ast.walk(target)):
                    if isinstance(part, ast.Name):
                        found[part.id] = node
    return found


def needed_definitions(names: Iterable[str], known: dict[str, ast.stmt]) -> list[ast.stmt]:
    """Return the definitions that some names depend on, in the order of the text."""
    wanted, rest = set(), list(names)
    while rest:
        name = rest.pop()
        if name in known and name not in wanted:
            wanted.add(name)
            rest += [part.id for part in ast.walk(known[name]) if isinstance(part, ast.Name)]
    return list(dict.fromkeys(node for name, node in known.items() if name in wanted))


def with_solution(source: str, answers: Iterable[str]) -> str:
    """Return a test with the solution defined below `check.hidden()`, if it compares with it.

    Raises
    ------
    ValueError
        Where it compares above `check.hidden()`, or compares what no answer above it defines.
    """
    if "check.compare(" not in source:
        return source
    hidden = numbered(source, HIDDEN)
    start = next((n for n, line in hidden.items() if line.strip() == "check.hidden()"), None)
    compared = dict(comparisons(source))
    if start is None or any(line not in hidden for line in compared.values()):
        raise ValueError("check.compare belongs below check.hidden(), in the hidden part")
    known = definitions(answers)
    missing = [name for name in compared if not isinstance(known.get(name), ast.FunctionDef)]
    if missing:
        raise ValueError(f"no answer cell above defines the function {', '.join(missing)}")
    body = "\n\n".join(ast.unparse(node) for node in needed_definitions(compared, known))
    block = f"def {SOLUTION}():\n{textwrap.indent(body, '    ')}\n    return locals()\n"
    lines = source.split("\n")
    indent = lines[start - 1][: len(lines[start - 1]) - len(lines[start - 1].lstrip())]
    return "\n".join([*lines[:start], textwrap.indent(block, indent), *lines[start:]])

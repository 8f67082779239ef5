"""Tell whether an answer works the question out, or hands it on to a function of the course.

`return recovery_return(loss)` shows that somebody found the function, not that they can compute it.
An exercise may allow that; where it does not, its checks say so.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterator, Mapping

_WRAPPERS = frozenset(["abs", "float", "int", "round"])
_DEEPEST = 5


def imported_functions(source: str) -> dict[str, str]:
    """Return the names that a text imports from the course's arithmetic, and what they are there.

    A name of a module stands for all of it: its value is empty.

    Examples
    --------
    >>> imported_functions("import leverage as lv; from leverage.sizing import recovery_return as r")
    {'lv': '', 'r': 'recovery_return'}
    """
    found: dict[str, str] = {}
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.ImportFrom) and _is_arithmetic(node.module or ""):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _is_arithmetic(alias.name):
                    found[alias.asname or alias.name.partition(".")[0]] = ""
    return found


def handed_on_to(
    name: str,
    source_of: Callable[[str], str],
    names: Mapping[str, object],
    imported: Mapping[str, str] | None = None,
) -> str:
    r"""Return the course's function to which an answer hands its question on; "" if to none.

    Parameters
    ----------
    name : str
        The learner's function or variable.
    source_of : callable
        Gives the text of the cell that stored a name; "" where it is not known.
    names : mapping
        The notebook's names.
    imported : mapping, optional
        Names known to come from the course, as `imported_functions` gives them.

    Examples
    --------
    >>> cells = {"f": "from leverage import roe\ndef f(a):\n    x = roe(a, 1)\n    return float(x)"}
    >>> handed_on_to("f", lambda name: cells.get(name, ""), {})
    'roe'
    """
    seen: set[str] = set()
    asked = [name]
    while asked and len(seen) < _DEEPEST:
        one = asked.pop()
        seen.add(one)
        source = source_of(one)
        known = {**(imported or {}), **imported_functions(source)}
        for called in _given_by(_parsed(source), one):
            root, _, rest = called.partition(".")
            if root in known and (known[root] or rest):
                return known[root] or rest.rpartition(".")[2]
            value = None if root in known else names.get(root)
            if isinstance(value, types.ModuleType) and _is_arithmetic(value.__name__) and rest:
                return rest.rpartition(".")[2]
            if isinstance(value, types.FunctionType) and not rest:
                if _is_arithmetic(str(value.__module__)):
                    return value.__name__
                if root not in seen:
                    asked.append(root)
    return ""


def _is_arithmetic(module: str) -> bool:
    return module.partition(".")[0] == "leverage" and not module.startswith("leverage.lessons")


def _parsed(source: str) -> ast.Module:
    lines = ["" if line.lstrip()[:1] in ("%", "!", "?") else line for line in source.split("\n")]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _given_by(tree: ast.Module, name: str) -> set[str]:
    """Return what the values of a name are called from, as far as nothing is done with them."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            found |= _returned(node)
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            value = node.value.body if isinstance(node.value, ast.Lambda) else node.value
            found |= _outermost(value, {})
            found |= {_dotted(value)} if not isinstance(value, ast.Call) else set()
    return found - {""}


def _returned(function: ast.FunctionDef) -> set[str]:
    kept: dict[str, set[str]] = {}
    inner: dict[str, ast.FunctionDef] = {}
    found: set[str] = set()
    for node in _own_parts(function):
        if isinstance(node, ast.FunctionDef):
            inner[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    kept[target.id] = _outermost(node.value, kept)
        elif isinstance(node, ast.Return) and node.value is not None:
            found |= _outermost(node.value, kept)
    return (found - inner.keys()).union(*(_returned(inner[name]) for name in found & inner.keys()))


def _own_parts(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the parts of a function, without those of functions inside it."""
    parts = list(ast.iter_child_nodes(function))
    for node in parts:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            parts += ast.iter_child_nodes(node)


def _outermost(value: ast.expr, kept: Mapping[str, set[str]]) -> set[str]:
    """Return the name of the function whose result a value is, unchanged but for its form."""
    while True:
        if isinstance(value, ast.UnaryOp):
            value = value.operand
        elif (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id in _WRAPPERS
            and value.args
        ):
            value = value.args[0]
        elif isinstance(value, ast.Name):
            return kept.get(value.id, set())
        elif isinstance(value, ast.IfExp):
            return _outermost(value.body, kept) | _outermost(value.orelse, kept)
        else:
            return {_dotted(value.func)} if isinstance(value, ast.Call) else set()


def _dotted(value: ast.expr) -> str:
    if isinstance(value, ast.Name):
        return value.id
    if isinstance(value, ast.Attribute) and (before := _dotted(value.value)):
        return f"{before}.{value.attr}"
    return ""

"""What became of the notebook's cells: which ended in an error before they stored an answer.

A cell that stops with an error stores nothing, and an older value of the same name stays. A check
must not judge that older value, nor say that nothing was written. So the cells that the learner
runs are followed through IPython's `post_run_cell`; where there is no IPython, nothing is
followed and nothing changes.
"""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from leverage.lessons.wording import safe_repr, shortened

_MISSING = object()
_MESSAGE_LIMIT = 100
_NAME = r"[^\W\d]\w*"
_DEFINITION = re.compile(rf"(?:async\s+def|def|class)\s+({_NAME})")
_ASSIGNMENT = re.compile(
    rf"\s*({_NAME}(?:\s*,\s*{_NAME})*)(?:[\[.][^=\n]*)?\s*(?::[^=\n]*)?(?:[-+*/%@&|^]|//|\*\*)?=(?!=)"
)
_IMPORT = re.compile(r"(?:from\s+\S+\s+)?import\s+(.+)")


@dataclass(frozen=True)
class StoppedCell:
    """A cell that stopped with an error.

    Attributes
    ----------
    error : str
        Type and message: "SyntaxError (invalid syntax)".
    stub : bool
        True when the stub's own `NotImplementedError` stopped it.
    source : str
        The cell's text.
    names : tuple of str
        Names that the cell was to store and did not.
    """

    error: str
    stub: bool
    source: str
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """What to tell the learner."""
        if "'ellipsis'" in self.error:
            return (
                "The cell before this one still holds ...: replace every ... with your answer,"
                " run both again."
            )
        return (
            f"The cell before this one stopped with {self.error}, so nothing new was stored:"
            " read its last red line, mend it, run both again."
        )

    def is_about(self, name: str) -> bool:
        """Tell whether the cell was meant to store `name`, as far as its text shows."""
        if f"name {name!r} is not defined" in self.error:
            return False
        if name in self.names or re.search(rf"\b{re.escape(name)}\b", self.source):
            return True
        return not self.names or bool(difflib.get_close_matches(name, self.names, 1, 0.85))


class CellRecord(Protocol):
    """What a check asks about the notebook's cells."""

    def started_check(self) -> None:
        """Note that the running cell is a test: its error is a verdict and not a stop."""

    def stop_of(self, name: str) -> StoppedCell | None:
        """Return the stop that kept `name` from being stored, unless it was stored since."""

    def last_stop(self, name: str) -> StoppedCell | None:
        """Return the stop of the cell run last, if that cell may have been to store `name`."""

    def is_imported(self, name: str) -> bool:
        """Tell whether the notebook got `name` by an import."""

    def source_of(self, name: str) -> str:
        """Return the text of the cell that stored `name`; "" where it is not known."""


@dataclass
class CellWatch:
    """Follows the cells of one IPython shell."""

    shell: Any
    _stopped: dict[str, tuple[StoppedCell, object, str | None]] = field(default_factory=dict)
    _imported: set[str] = field(default_factory=set)
    _sources: dict[str, str] = field(default_factory=dict)
    _last: StoppedCell | None = None
    _checking: bool = False

    def started_check(self) -> None:
        """Note that the running cell is a test: its error is a verdict and not a stop."""
        self._checking = True

    def stop_of(self, name: str) -> StoppedCell | None:
        """Return the stop that kept `name` from being stored, unless it was stored since."""
        stop, before, _ = self._stopped.get(name, (None, None, None))
        if stop is None or self.shell.user_ns.get(name, _MISSING) is not before:
            return None
        return None if stop.stub and before is _MISSING else stop

    def last_stop(self, name: str) -> StoppedCell | None:
        """Return the stop of the cell run last, if that cell may have been to store `name`."""
        stop = self._last
        return stop if stop is not None and not stop.stub and stop.is_about(name) else None

    def is_imported(self, name: str) -> bool:
        """Tell whether the notebook got `name` by an import."""
        return name in self._imported

    def source_of(self, name: str) -> str:
        """Return the text of the cell that stored `name`; "" where it is not known."""
        return self._sources.get(name, "")

    def after_cell(self, result: Any) -> None:
        """Take note of a cell that has run; `result` is IPython's `ExecutionResult`."""
        was_check, self._checking = self._checking, False
        info = getattr(result, "info", None)
        if was_check or info is None:
            return
        source, cell_id = str(info.raw_cell), getattr(info, "cell_id", None)
        error = result.error_before_exec or result.error_in_exec
        if error is None:
            self._last = None
            self._note_success(source, cell_id)
        else:
            self._note_stop(source, cell_id, error, before_run=result.error_before_exec is not None)

    def _note_success(self, source: str, cell_id: str | None) -> None:
        stored, imported = _bound(source)
        self._imported = (self._imported - set(stored)) | set(imported)
        self._sources |= dict.fromkeys(stored, source)
        for name, (_, _, stopped_cell) in list(self._stopped.items()):
            if name in stored or name in imported or (cell_id and cell_id == stopped_cell):
                del self._stopped[name]

    def _note_stop(
        self, source: str, cell_id: str | None, error: BaseException, *, before_run: bool
    ) -> None:
        line = 0 if before_run else _line_in_cell(error, self.shell.user_ns)
        stored, names = _bound(source, before=line)[0], _bound(source, after=line)[0]
        for name in set(stored) - set(names):
            self._stopped.pop(name, None)
        stub = isinstance(error, NotImplementedError)
        self._last = StoppedCell(_error_words(error), stub, source, tuple(names))
        for name in names:
            self._stopped[name] = self._last, self.shell.user_ns.get(name, _MISSING), cell_id


_watch: CellWatch | None = None


def watch(names: Mapping[str, object] | None = None) -> CellWatch | None:
    """Follow the cells of the running IPython shell, from now on and once.

    Parameters
    ----------
    names : mapping, optional
        The caller's global names; None is returned where they are not those of the notebook.

    Returns
    -------
    CellWatch or None
        None outside IPython.
    """
    global _watch
    shell = _shell()
    if shell is None:
        return None
    if _watch is None or _watch.shell is not shell:
        _watch = CellWatch(shell)
        _watch.after_cell(shell.last_execution_result)
        shell.events.register("post_run_cell", _watch.after_cell)
    return _watch if names is None or shell.user_ns is names else None


def _shell() -> Any:
    interactive: Any = sys.modules.get("IPython.core.interactiveshell")
    if interactive is None or not interactive.InteractiveShell.initialized():
        return None
    return interactive.InteractiveShell.instance()


def _bound(
    source: str, *, before: int | None = None, after: int = 0
) -> tuple[list[str], list[str]]:
    r"""Return the names that a cell's top level binds, and those it imports.

    Only statements that end above line `before`, or that end at line `after` or below it, count.

    >>> _bound("import math as m\nx = y = 1\ndef f(a):\n    b = a\nfor i in [1]:\n    t['c'] = i")
    (['x', 'y', 'f', 'i', 't'], ['m'])
    >>> _bound("price_change = -4%\ndef f(a)\n    b = a"), _bound("x = 1\ny = 1 / 0", after=2)
    ((['price_change', 'f'], []), (['y'], []))
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _bound_in_text(source) if before is None or before > 0 else ([], [])
    stored: list[str] = []
    imported: list[str] = []
    for statement in body:
        end = statement.end_lineno or statement.lineno
        if end < after or (before is not None and end >= before):
            continue
        for node in _outside_functions(statement):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                stored.append(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                imported += [alias.asname or alias.name.partition(".")[0] for alias in node.names]
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                stored.append(node.id)
            elif isinstance(node, ast.Attribute | ast.Subscript):
                stored += _changed(node)
    return list(dict.fromkeys(stored)), imported


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a statement without entering what has names of its own."""
    yield node
    own_names = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    comprehensions = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    if not isinstance(node, own_names + comprehensions):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _changed(node: ast.Attribute | ast.Subscript) -> list[str]:
    """Return the name of the object that an assignment such as `trades["fee"] = …` changes."""
    if not isinstance(node.ctx, ast.Store):
        return []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute | ast.Subscript):
        inner = inner.value
    return [inner.id] if isinstance(inner, ast.Name) else []


def _bound_in_text(source: str) -> tuple[list[str], list[str]]:
    """Do as `_bound` for a text that is not Python, line by line."""
    stored: list[str] = []
    imported: list[str] = []
    in_definition = False
    for line in source.splitlines():
        indented = line[:1].isspace()
        in_definition = in_definition and (indented or not line.strip())
        if in_definition and indented:
            continue
        text = line.strip()
        if definition := _DEFINITION.match(text):
            stored.append(definition[1])
            in_definition = True
        elif assignment := _ASSIGNMENT.match(text):
            while assignment:
                stored += re.findall(_NAME, assignment[1])
                assignment = _ASSIGNMENT.match(text, assignment.end())
        elif given := _IMPORT.match(text):
            imported += re.findall(rf"({_NAME})\s*(?:,|$)", given[1])
    return list(dict.fromkeys(stored)), imported


def _line_in_cell(error: BaseException, names: Mapping[str, object]) -> int:
    """Return the line of the cell's own top level where the error arose; 0 when not known."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals is names and frame.f_code.co_name == "<module>":
            return trace.tb_lineno
        trace = trace.tb_next
    return 0


def _error_words(error: BaseException) -> str:
    kind = type(error).__name__
    message = getattr(error, "msg", None) if isinstance(error, SyntaxError) else None
    try:
        text = shortened(message or str(error), _MESSAGE_LIMIT)
    except Exception:
        text = safe_repr(error)
    return f"{kind} ({text})" if text else kind

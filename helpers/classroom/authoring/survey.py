"""Measure on the solution itself whether a comparison with it asks enough.

The tests of an exercise that compare with the solution are run once more in the chapter's kernel,
with a solution that notes each condition, choice and branch. What the drawn inputs leave out is
then said in sentences by `Survey.problems`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from classroom.authoring.reference import SOLUTION, comparisons, definitions
from classroom.markers import solution_lines
from leverage.lessons import checks
from leverage.lessons.agreement import Refused, expected_of, same
from leverage.lessons.goals import AnswerError
from leverage.lessons.rehearsal import Rehearsed, rehearse
from leverage.lessons.samples import Sample

TRUTH, REACHED, CHOSEN = "_truth_of_the_survey", "_reached_by_the_survey", "_chosen_in_the_survey"
CHOOSERS = ("max", "min", "maximum", "minimum", "clip")

Places = dict[str, set[str]]
"""What was noted, or is wanted, at each place of a solution."""


# ---- a solution that notes what happens in it


class _Noting(ast.NodeTransformer):
    """Wraps what decides in one function, and begins each of its blocks with a note."""

    def __init__(self, function: str, wanted: Places) -> None:
        self._function, self._wanted, self._count = function, wanted, 0

    def _place(self, text: str, *outcomes: str) -> ast.Constant:
        self._count += 1
        place = f"{self._function}, {self._count}: {text}"
        self._wanted[place] = set(outcomes)
        return ast.Constant(place)

    def _truth(self, node: ast.expr) -> ast.expr:
        """Wrap a condition, but not what joins conditions that are wrapped themselves."""
        if isinstance(node, ast.BoolOp):
            node.values = [self._truth(value) for value in node.values]
            return node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            node.operand = self._truth(node.operand)
            return node
        if isinstance(node, ast.Compare):
            return self.visit_Compare(node)
        place = self._place(ast.unparse(node), "true", "false")
        return _call(TRUTH, place, self.visit(node))

    def _block(self, body: list[ast.stmt], text: str) -> list[ast.stmt]:
        note = _call(REACHED, self._place(text, "reached"))
        return [ast.Expr(note), *self._visited(body)]

    def _visited(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [self.visit(node) for node in body]

    def visit_Compare(self, node: ast.Compare) -> ast.expr:  # named by ast
        place = self._place(ast.unparse(node), "true", "false")
        self.generic_visit(node)
        return _call(TRUTH, place, node)

    def visit_If(self, node: ast.If) -> ast.If:
        text = f"if {ast.unparse(node.test)}"
        node.test = self._truth(node.test)
        node.body = self._block(node.body, f"the branch of '{text}'")
        node.orelse = self._visited(node.orelse)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.IfExp:
        node.test = self._truth(node.test)
        node.body, node.orelse = self.visit(node.body), self.visit(node.orelse)
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        node.test = self._truth(node.test)
        node.body, node.orelse = self._visited(node.body), self._visited(node.orelse)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        text = f"the loop over {ast.unparse(node.iter)}"
        node.iter = self.visit(node.iter)
        node.body, node.orelse = self._block(node.body, text), self._visited(node.orelse)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        node.iter = self.visit(node.iter)
        node.ifs = [self._truth(test) for test in node.ifs]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        node.body = self._block(node.body, "a branch of 'except'")
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.match_case:
        node.body = self._block(node.body, f"the branch of 'case {ast.unparse(node.pattern)}'")
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        text, name = ast.unparse(node), ast.unparse(node.func).rpartition(".")[2]
        if name == "where" and len(node.args) == 3:
            node.args = [self._truth(node.args[0]), *map(self.visit, node.args[1:])]
            return node
        starred = any(isinstance(part, ast.Starred) for part in node.args)
        options = [f"gives {ast.unparse(part)}" for part in node.args]
        self.generic_visit(node)
        if name not in CHOOSERS or len(options) < 2 or starred or node.keywords:
            return node
        return _call(CHOSEN, self._place(text, *options), node.func, *node.args)


def _call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(function, ast.Load()), list(arguments), [])


def noting(test: str) -> tuple[str, Places]:
    r"""Return a test whose `solution` notes what happens in it, and what is wanted of it.

    >>> code, wanted = noting("def solution():\n def f(x):\n  return max(x, 0)\n return locals()")
    >>> {place: sorted(outcomes) for place, outcomes in wanted.items()}
    {'f, 1: max(x, 0)': ['gives 0', 'gives x']}
    """
    tree, wanted = ast.parse(test), Places()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == SOLUTION:
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    _Noting(inner.name, wanted).generic_visit(inner)
    return ast.unparse(ast.fix_missing_locations(tree)), wanted


class Notes:
    """What a noting solution noted so far."""

    def __init__(self) -> None:
        self.found = Places()

    def truth(self, place: str, value: Any) -> Any:
        """Note whether a condition was true; of an array, whether any part was, and any not."""
        said = self.found.setdefault(place, set())
        parts = np.asarray(value if hasattr(value, "dtype") else bool(value), dtype=bool)
        said |= {"true"} if parts.any() else set()
        said |= {"false"} if not parts.all() else set()
        return value

    def reached(self, place: str) -> None:
        """Note that a block was reached."""
        self.found.setdefault(place, set()).add("reached")

    def chosen(self, place: str, function: Callable[..., Any], *options: Any) -> Any:
        """Note which of its arguments a function such as `max` gave, where they differ."""
        value = function(*options)
        texts = [f"gives {ast.unparse(part)}" for part in _arguments(place)]
        for text, option in zip(texts, options, strict=True):
            others = [other for other in options if other is not option]
            if np.any((value == option) & ~np.all([option == other for other in others], axis=0)):
                self.found.setdefault(place, set()).add(text)
        return value


def _arguments(place: str) -> list[ast.expr]:
    call = ast.parse(place.partition(": ")[2], mode="eval").body
    return call.args if isinstance(call, ast.Call) else []


# ---- in the chapter's kernel


def survey(tests: Mapping[str, str], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return as JSON data what the comparisons of some noting tests draw and reach.

    It runs in the chapter's kernel, after the solution of the exercise.
    """
    notes, taken = Notes(), dict[str, list[Rehearsed]]()
    space = {**names, TRUTH: notes.truth, REACHED: notes.reached, CHOSEN: notes.chosen}
    for item, source in tests.items():
        for one in rehearse(item, space, partial(exec, source)):
            taken.setdefault(one.name, []).append(one)
    found = {place: sorted(said) for place, said in notes.found.items()}
    return {
        "found": found,
        "problems": [text for name in taken for text in parameter_problems(name, taken[name])],
        "compared": list(taken),
    }


def parameter_problems(name: str, compared: Sequence[Rehearsed]) -> Iterator[str]:
    """Yield what is wrong with how the parameters of a function vary in all its comparisons."""
    samples = [sample for one in compared for sample in one.drawn.samples]
    no_effect = {parameter for one in compared for parameter in one.no_effect}
    function = compared[0].solution
    for number, parameter in enumerate(inspect.signature(function).parameters):
        if len({repr(s.args[number]) for s in samples if number < len(s.args)}) < 2:
            yield f"{parameter} of {name} has the same value in all drawn inputs"
            continue
        effect = _has_effect(function, number, samples)
        if effect and parameter in no_effect:
            yield f"{parameter} of {name} stands under no_effect and changes a result"
        elif not effect and parameter not in no_effect:
            yield f"{parameter} of {name} changes no result in the drawn inputs"


def _has_effect(function: Callable[..., Any], number: int, samples: list[Sample]) -> bool:
    """Tell whether another value of one argument changes a result somewhere."""
    apart = (len(samples) + 1) // 2
    for place, sample in enumerate(samples):
        args, other = sample.args, samples[(place + apart) % len(samples)].args
        if number < min(len(args), len(other)):
            before = expected_of(function, args)
            with suppress(AnswerError):  # two draws mixed may lie outside what the text allows
                after = expected_of(function, (*args[:number], other[number], *args[number + 1 :]))
                if not isinstance(after, Refused) and not same(after, before, 1e-9):
                    return True
    return False


class _AllChecks:
    """An observer that asks every check of a test, and notes whether a hidden one failed."""

    cells = None
    hidden_failed = False

    def passed(self, *, hidden: bool) -> None:
        pass

    def failed(self, failure: checks.CheckFailed, *, hidden: bool) -> bool:
        self.hidden_failed = self.hidden_failed or hidden
        return True

    def call_each(self, function: object, cases: object) -> None:
        return None

    def drawn(self, item_id: str, number: int) -> None:
        return None


def differs(tests: Iterable[str], names: Mapping[str, Any]) -> bool:
    """Tell whether a hidden check of some tests, asked in any case, rejects the answers given."""
    observer: Any = _AllChecks()
    checks.observe(observer)
    try:
        for source in tests:
            try:
                exec(source, dict(names))  # noqa: S102  # the author's own text
            except Exception:  # noqa: S112  # whatever a wrong answer does
                continue
        return bool(observer.hidden_failed)
    finally:
        checks.observe(None)


# ---- what follows from it


@dataclass(frozen=True)
class Survey:
    """The comparisons of one exercise, measured."""

    functions: tuple[str, ...]
    """Functions that the exercise asks for."""
    compared: frozenset[str] = frozenset()
    wanted: Places = field(default_factory=dict)
    found: Places = field(default_factory=dict)
    of_parameters: tuple[str, ...] = ()
    """What is wrong with how parameters vary."""

    @property
    def branches(self) -> tuple[int, int]:
        """How many outcomes of conditions, choices and branches were reached, and of how many."""
        reached = sum(len(self.wanted[p] & self.found.get(p, set())) for p in self.wanted)
        return reached, sum(map(len, self.wanted.values()))

    def problems(self) -> Iterator[str]:
        """Yield what the drawn inputs leave out."""
        for place, outcomes in self.wanted.items():
            for outcome in sorted(outcomes - self.found.get(place, set())):
                yield f"no drawn input makes the solution's {place} {outcome}"
        yield from self.of_parameters


def noted_tests(tests: Mapping[str, str]) -> tuple[dict[str, str], Places]:
    """Return the noting tests of an exercise that compare, and what is wanted of its functions."""
    noted, wanted = {}, Places()
    for item, source in tests.items():
        if any(comparisons(source)):
            noted[item], more = noting(source)
            wanted |= more
    return noted, wanted


def functions_of(answer: str) -> tuple[str, ...]:
    """Return the functions of an answer cell that students write, in part or whole."""
    theirs = solution_lines(answer)
    return tuple(
        name
        for name, node in definitions([answer]).items()
        if isinstance(node, ast.FunctionDef)
        and theirs.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    )


def own(places: Places, functions: Iterable[str]) -> Places:
    """Return the places that lie in some functions."""
    names = set(functions)
    return {place: what for place, what in places.items() if place.partition(",")[0] in names}

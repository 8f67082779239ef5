"""`classroom mutants`: whether tests notice a small mistake in a reference solution.

Every reference solution is copied with one small mistake at a time: another operator, a lost sign,
a constant one off, per cent for a decimal, swapped arguments. The exercise's tests, hidden parts
included, should reject every copy. A copy that passes is either a gap in the tests or means the
same as the solution; in the second case the bank says so by holding it as a right answer.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from tqdm import tqdm

from classroom.authoring.bank import all_answers
from classroom.authoring.build import lesson_environment, read_course
from classroom.authoring.texts import Lesson
from classroom.authoring.trial import ReachedExercise, run_test, walk
from classroom.markers import solution_lines, visible_source
from classroom.project import Chapter, Project

GOAL = 0.95
CELL_SECONDS = 10
LARGEST_COUNT = 100
# These ask for an answer of some form, or for a choice: a small change makes another right one.
FORM_ONLY = ("number", "text", "choice")

_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_NAMES = {"min": "max", "max": "min", "LONG": "SHORT", "SHORT": "LONG", "any": "all", "all": "any"}
_ANY_ORDER = ("min", "max", "print")
_METHODS = {"min": "max", "max": "min", "idxmin": "idxmax", "idxmax": "idxmin", "mean": "sum"}


@dataclass(frozen=True)
class Mutant:
    """A copy of a reference solution with one small mistake."""

    exercise: str
    line: int
    """Line in the answer cell."""
    before: str
    after: str
    code: str


@dataclass(frozen=True)
class TriedMutant:
    """What the tests said to a mutant."""

    mutant: Mutant
    noticed_by: str
    """``"visible"``, ``"hidden"``, ``"nothing"``, or ``"bank"`` if the bank holds it as right."""


@dataclass(frozen=True)
class Tally:
    """Mutants of one exercise."""

    exercise: str
    verdicts: tuple[TriedMutant, ...]

    def count(self, noticed_by: str) -> int:
        """How many mutants were noticed that way."""
        return sum(verdict.noticed_by == noticed_by for verdict in self.verdicts)

    @property
    def tried(self) -> int:
        """Mutants that are mistakes: all but those that the bank holds as right answers."""
        return len(self.verdicts) - self.count("bank")

    @property
    def rejected(self) -> int:
        """Mutants that a visible or a hidden check rejects."""
        return self.count("visible") + self.count("hidden")


def same_meaning_key(code: str) -> str:
    """Return a text that two answers share if they differ only in layout and comments."""
    return ast.dump(ast.parse(code))


def make_mutants(exercise: str, source: str) -> list[Mutant]:
    """Return every copy of an answer cell with one small mistake in its solution.

    >>> [m.after for m in make_mutants("ch01_a", "x = a - 1")]
    ['-(a - 1)', '(a - 1) * 100', '(a - 1) / 100', 'a + 1', '2', '0', '100', '0.01']
    """
    tree = ast.parse(source)
    inside = solution_lines(source)
    mutants: dict[str, Mutant] = {}
    original = same_meaning_key(source)
    unordered = {id(node) for parent in ast.walk(tree) for node in _without_order(parent)}
    for number, node in enumerate(ast.walk(tree)):
        if getattr(node, "lineno", 0) not in inside:
            continue
        for change in _changes(node, ordered=id(node) not in unordered):
            copied = copy.deepcopy(tree)
            twin = next(islice(ast.walk(copied), number, None))
            after = ast.unparse(change(twin))
            code = ast.unparse(ast.fix_missing_locations(copied))
            key = same_meaning_key(code)
            if key != original and key not in mutants:
                line = int(getattr(node, "lineno", 0))
                mutants[key] = Mutant(
                    exercise, line, ast.unparse(_statement_shown(node)), after, code
                )
    return list(mutants.values())


Change = Callable[[ast.AST], ast.AST]


def _statement_shown(node: ast.AST) -> ast.AST:
    """Return the part of a node that its mistakes change."""
    if isinstance(node, ast.Return | ast.Assign) and node.value is not None:
        return node.value
    return node


def _without_order(node: ast.AST) -> list[ast.expr]:
    """Return the parts of a node in which the order of elements says nothing."""
    if isinstance(node, ast.Compare):
        pairs = zip(node.ops, node.comparators, strict=True)
        return [part for test, part in pairs if isinstance(test, ast.In | ast.NotIn)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return [node] if node.func.id in _ANY_ORDER else []
    return []


def _changes(node: ast.AST, *, ordered: bool = True) -> Iterator[Change]:
    """Give the mistakes for one node: each changes its copy and returns what to show of it."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for operator in _OPERATORS.get(type(node.op), ()):
            yield _set("op", operator())
    elif isinstance(node, ast.UnaryOp):
        yield _unsign
    elif isinstance(node, ast.BoolOp):
        yield _set("op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.Compare):
        for place, comparison in enumerate(node.ops):
            for other in _COMPARISONS.get(type(comparison), ()):
                yield _compare_with(place, other)
    elif isinstance(node, ast.Constant):
        yield from (_set("value", value) for value in _other_constants(node.value))
    elif isinstance(node, ast.Name) and node.id in _NAMES:
        yield _set("id", _NAMES[node.id])
    elif isinstance(node, ast.Attribute) and node.attr in _METHODS:
        yield _set("attr", _METHODS[node.attr])
    elif isinstance(node, ast.Call) and ordered:
        for place in range(len(node.args) - 1):
            yield _swap("args", place)
    elif isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load) and ordered:
        for place in range(len(node.elts) - 1):
            yield _swap("elts", place)
    elif isinstance(node, ast.IfExp):
        yield _swap_branches
    elif isinstance(node, ast.Return | ast.Assign) and _gives_number(node.value):
        yield from (_wrap(template) for template in ("-({})", "({}) * 100", "({}) / 100"))


def _gives_number(value: ast.expr | None) -> bool:
    """Tell whether an expression looks like arithmetic: its sign and its scale can be wrong."""
    return isinstance(value, ast.BinOp | ast.UnaryOp | ast.Call)


def _other_constants(value: object) -> tuple[object, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int | float):
        # One more or less matters where something is counted; a price is a tenth off.
        counted = isinstance(value, int) and abs(value) <= LARGEST_COUNT
        near = (value + 1, value - 1) if counted else (value * 1.1, value * 0.9)
        return (*near, *((value * 100, value / 100) if value else ()))
    return ()


def _set(field: str, value: object) -> Change:
    def change(node: ast.AST) -> ast.AST:
        setattr(node, field, value)
        return node

    return change


def _unsign(node: ast.AST) -> ast.AST:
    # Unary plus leaves the value, and `not not x` gives the other truth value.
    assert isinstance(node, ast.UnaryOp)
    if isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
    else:
        node.op = ast.UAdd()
    return node


def _compare_with(place: int, comparison: type[ast.cmpop]) -> Change:
    def change(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Compare)
        node.ops[place] = comparison()
        return node

    return change


def _swap(field: str, place: int) -> Change:
    def change(node: ast.AST) -> ast.AST:
        parts = getattr(node, field)
        parts[place], parts[place + 1] = parts[place + 1], parts[place]
        return node

    return change


def _swap_branches(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.IfExp)
    node.body, node.orelse = node.orelse, node.body
    return node


def _wrap(template: str) -> Change:
    def change(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Return | ast.Assign)
        assert node.value is not None
        node.value = ast.parse(template.format(ast.unparse(node.value)), mode="eval").body
        return node.value

    return change


def is_form_only(tests: Mapping[str, str]) -> bool:
    """Tell whether tests only ask for an answer of some form, as after a prediction."""
    used = {
        node.func.attr
        for source in tests.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "check"
    }
    return used <= {*FORM_ONLY, "hidden"}


def try_mutant(stop: ReachedExercise, mutant: Mutant) -> TriedMutant:
    """Run an exercise's tests on a mutant: the visible parts first, then all of them."""
    stop.answer(mutant.code)
    visible = {item: visible_source(source) for item, source in stop.tests.items()}
    for noticed_by, tests in (("visible", visible), ("hidden", stop.tests)):
        if not all(run_test(stop.session, item, code).passed for item, code in tests.items()):
            return TriedMutant(mutant, noticed_by)
    return TriedMutant(mutant, "nothing")


def tally_chapter(
    lesson: Lesson,
    environment: Mapping[str, str],
    step: Callable[[str], None] = lambda exercise: None,
) -> Iterator[Tally]:
    """Try the mutants of every exercise of a chapter whose answers can be wrong."""
    answers = all_answers(lesson)
    quizzes = {question.id for question in lesson.questions}
    for stop in walk(lesson, environment, timeout=CELL_SECONDS):
        # `classroom check` tries every option of a quiz already.
        if stop.exercise in quizzes or is_form_only(stop.tests):
            continue
        step(stop.exercise)
        right = {
            same_meaning_key(answer.code)
            for answer in answers.get(stop.exercise, ())
            if answer.right
        }
        verdicts = []
        for mutant in make_mutants(stop.exercise, stop.cell.source):
            if same_meaning_key(mutant.code) in right:
                verdicts.append(TriedMutant(mutant, "bank"))
            else:
                verdicts.append(try_mutant(stop, mutant))
        yield Tally(stop.exercise, tuple(verdicts))


def mutant_report(tallies: Sequence[Tally]) -> str:
    """Return a Markdown table of all exercises, and every mutant that nothing noticed."""
    rows = [
        "| Exercise | Mutants | Rejected by a visible check | by a hidden one | Passed | Share |"
    ]
    rows.append("|---|---|---|---|---|---|")
    visible, hidden, nothing = (
        sum(tally.count(kind) for tally in tallies) for kind in ("visible", "hidden", "nothing")
    )
    for name, tried, counts in [
        *(
            (t.exercise, t.tried, (t.count("visible"), t.count("hidden"), t.count("nothing")))
            for t in tallies
        ),
        ("all", visible + hidden + nothing, (visible, hidden, nothing)),
    ]:
        share = f"{(counts[0] + counts[1]) / tried:.1%}" if tried else "none"
        cells = [name, str(tried), *map(str, counts), share.replace("%", " %")]
        rows.append("| " + " | ".join(cells) + " |")
    survivors = [v.mutant for t in tallies for v in t.verdicts if v.noticed_by == "nothing"]
    if survivors:
        rows += ["", "Not noticed:", ""]
        rows += [f"- {m.exercise}, line {m.line}: `{m.before}` → `{m.after}`" for m in survivors]
    return "\n".join(rows)


def mutants(project: Project, chapters: Sequence[Chapter]) -> bool:
    """Try all mutants of the chapters, print the report, and tell whether the goal is reached."""
    course = read_course(project)
    tallies: list[Tally] = []
    with lesson_environment(course) as environment, tqdm(unit=" exercises", leave=False) as bar:
        for chapter in chapters:
            for tally in tally_chapter(course.lesson(chapter), environment, bar.set_description):
                tallies.append(tally)
                bar.update()
    tried = sum(tally.tried for tally in tallies)
    if not tried:
        print("There is nothing to try: these chapters have no exercise whose answer can be wrong.")
        return True
    share = sum(tally.rejected for tally in tallies) / tried
    print(mutant_report(tallies))
    reached = share >= GOAL
    verdict = "reached" if reached else "missed: a hidden test should reject what is listed above"
    print(
        f"\n{share:.1%} of {tried} small mistakes are rejected; the goal of {GOAL:.0%} is {verdict}."
    )
    return reached

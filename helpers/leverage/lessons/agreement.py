"""Tell whether an answer agrees with the solution, and if not, what kind of mistake it is.

An answer agrees where it is what the solution gives, but for rounding. How far rounding can lead
is asked of the problem itself: the solution is called again with inputs moved by a hair. Where a
hair decides on which side of a comparison a computed number falls, either side is right; equal
inputs stay equal and limits stay limits, so an answer with `>` for `>=` is still found out.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from leverage.lessons import calls, nested, plain
from leverage.lessons.calls import CallResult
from leverage.lessons.goals import AnswerError, Subject
from leverage.lessons.nested import Plain
from leverage.lessons.samples import Sample, Sampler, draw_samples

_HAIR = 1e-13
_WIDER = 1e-10
_LINEAR = 0.05
_HAIRS = 8.0
_MOVES = 4
_DECIMALS = 9

_DOUBTED = 6
"""Failures that may yet turn out to be rounding; after these a difference is a difference."""
_MISTAKES_OF_AN_AUTHOR = (ArithmeticError, LookupError, AttributeError, NameError, TypeError)

Function = Callable[..., Any]


@dataclass(frozen=True)
class Refused:
    """The solution refuses these arguments with an error of this kind."""

    kind: type[BaseException]


Expected = Plain | Refused
_NOTHING = Refused(BaseException)
"""What an answer gives that stops, or that gives nothing of use."""
Failure = tuple[int, Expected, Expected]
"""Number of a sample, what the solution gives there, and what the answer gives."""


@contextmanager
def _in_silence() -> Iterator[None]:
    """Drop warnings: they would show a number that was drawn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def expected_of(solution: Function, args: tuple[Any, ...]) -> Expected:
    """Return what the solution gives for some arguments, which it may not change.

    What it warns of is for nobody: drawn arguments go to the ends of what is allowed.
    """
    try:
        with _in_silence():
            value = solution(*(args if calls.is_fixed(args) else calls.copied(args)))
    except Exception as error:
        return Refused(type(error))
    return value if type(value) is float and value == value else nested.to_plain(value)


@dataclass(frozen=True)
class Drawn:
    """Inputs of a comparison, and what the solution gives for each."""

    samples: Sequence[Sample]
    rights: Sequence[Expected]


@_in_silence()
def drawn_for(
    item_id: str, draw: Callable[[Sampler], Sequence[Any]], solution: Function, count: int
) -> Drawn:
    """Draw the inputs of a comparison and ask the solution.

    Raises
    ------
    ValueError
        Where the solution stops with an error that is no refusal, or `draw` draws nothing.
    """
    samples = draw_samples(item_id, draw, count)
    rights = [expected_of(solution, sample.args) for sample in samples]
    for sample, right in zip(samples, rights, strict=True):
        if isinstance(right, Refused) and issubclass(right.kind, _MISTAKES_OF_AN_AUTHOR):
            raise ValueError(f"the solution stops with {right.kind.__name__} at {sample.args!r}")
    return Drawn(samples, rights)


def leaves(value: Expected) -> Iterator[Plain | Refused]:
    """Yield the numbers, texts and truth values of a result, with the shape that holds them."""
    if isinstance(value, list):
        yield f"list of {len(value)}"
        for part in value:
            yield from leaves(part)
    elif isinstance(value, dict):
        yield f"dict of {sorted(value)}"
        for key in sorted(value):
            yield from leaves(value[key])
    else:
        yield value


def _is_float(value: object) -> bool:
    return type(value) is float


def same_leaf(mine: object, right: object, rel: float, noise: float = 0.0) -> bool:
    """Tell whether a single value is the expected one.

    >>> same_leaf(1.0, True, 1e-9), same_leaf(" Long.", "long", 1e-9), same_leaf(2.0, "2", 1e-9)
    (True, True, False)
    """
    if isinstance(mine, bool | float) and isinstance(right, bool | float):
        one, other = float(mine), float(right)
        if not (math.isfinite(one) and math.isfinite(other)):
            return one == other
        return abs(one - other) <= max(rel * abs(other), noise)
    return mine == right if isinstance(mine, Refused) else plain.same_word(mine, right)


def same(mine: Expected, right: Expected, rel: float, noise: Sequence[float] = ()) -> bool:
    """Tell whether two results agree; `noise` are absolute tolerances, one for each leaf."""
    ours, theirs = list(leaves(mine)), list(leaves(right))
    if len(ours) != len(theirs):
        return False
    slack = noise if len(noise) == len(theirs) else [0.0] * len(theirs)
    return all(
        same_leaf(one, other, rel, room)
        for one, other, room in zip(ours, theirs, slack, strict=True)
    )


def moved(value: Any, size: float, turn: int, kept: frozenset[float] | None) -> Any:
    """Return arguments with every float moved by a part `size` of itself, equal ones alike.

    `kept` are left where they are; None moves all, and equal ones apart.
    """
    count = 0

    def move(part: Any) -> Any:
        nonlocal count
        if type(part) is float:
            count += 1
            if kept is not None and part in kept:
                return part
            key = hash((part, turn)) if kept is not None else hash((count, part, turn))
            return part * (1.0 + (size if key >> 3 & 1 else -size) * (0.5 + (key & 7) / 8))
        if type(part) in (list, tuple):
            return type(part)(move(inner) for inner in part)
        if type(part) is dict:
            return {key: move(inner) for key, inner in part.items()}
        if isinstance(part, np.ndarray) and part.dtype.kind == "f":
            return np.array([move(float(x)) for x in part.flat]).reshape(part.shape)
        return part

    return move(value)


def rounding_noise(solution: Function, sample: Sample, right: Expected) -> list[float]:
    """Return how far rounding may move each leaf of a result.

    A leaf that jumps when the inputs move by a hair gets no room here.
    """
    centre = list(leaves(right))
    spread = {size: [0.0] * len(centre) for size in (_HAIR, _WIDER)}
    for size, turn in ((size, turn) for size in spread for turn in range(_MOVES)):
        found = list(leaves(expected_of(solution, moved(sample.args, size, turn, None))))
        if len(found) != len(centre):
            return [0.0] * len(centre)
        for place, (one, other) in enumerate(zip(found, centre, strict=True)):
            if isinstance(one, float) and isinstance(other, float) and math.isfinite(other):
                gap = abs(one - other)
                spread[size][place] = max(spread[size][place], gap)
    pairs = zip(spread[_HAIR], spread[_WIDER], strict=True)
    return [_HAIRS * hair if hair <= _LINEAR * wider < math.inf else 0.0 for hair, wider in pairs]


def agrees(mine: Expected, right: Expected, solution: Function, sample: Sample, rel: float) -> bool:
    """Tell whether a result is the solution's own, up to rounding."""
    if type(mine) is float and type(right) is float and same_leaf(mine, right, rel):
        return True
    if isinstance(right, list | dict) and mine == right:
        return True
    if same(mine, right, rel):
        return True
    if isinstance(mine, Refused) or isinstance(right, Refused):
        return False
    if calls.same_data(moved(sample.args, _WIDER, 0, None), sample.args):
        return False  # nothing to move: the same again would say the same
    if same(mine, right, rel, rounding_noise(solution, sample, right)):
        return True
    return any(
        same(mine, expected_of(solution, moved(sample.args, _HAIR, turn, sample.kept)), rel)
        for turn in range(_MOVES)
    )


@dataclass(frozen=True)
class Comparison:
    """A learner's function beside the solution, on the same samples.

    `kinds` tells by a hint which arguments belong to a kind, `mistakes` by a hint what a wrong
    function gives; both take the arguments of a call.
    """

    subject: Subject
    solution: Function
    drawn: Drawn
    kinds: Mapping[str, Function]
    mistakes: Mapping[str, Function]
    rel: float
    crash: Callable[[BaseException, Subject], AnswerError]

    @_in_silence()
    def problem(self, results: Sequence[CallResult]) -> AnswerError | None:
        """Return what is wrong with the results, in a sentence that tells no number; or None.

        What follows the results for all samples are those of the first calls made again,
        backwards.
        """
        rights = self.drawn.rights
        failing: list[Failure] = []
        crash: AnswerError | None = None
        for number, (right, result) in enumerate(zip(rights, results, strict=False)):
            try:
                mine = self._given(result, right)
            except AnswerError as stopped:
                if stopped.unanswered:
                    return stopped
                failing.append((number, right, _NOTHING))
                crash = crash or stopped
            else:
                if not self._agrees(mine, right, number, sure=len(failing) >= _DOUBTED):
                    failing.append((number, right, mine))
        if failing:
            hint = self._hint(failing)
            problem = crash or AnswerError("", note=recognised(failing))
            problem.hint = problem.hint or hint
            return problem
        name = self.subject.name
        if any(result.changed for result in results):
            text = f"{name} changes what it is given: work on a copy, such as list(prices)."
            return AnswerError(text, hidden=text, alone=True)
        again = range(len(results) - len(self.drawn.samples))
        for number, result in zip(reversed(again), results[len(self.drawn.samples) :], strict=True):
            right = rights[number]
            with suppress(AnswerError):
                if self._agrees(self._given(result, right), right, number):
                    continue
            text = f"{name} gives another result when it is called again with the same arguments:"
            text += " it may depend on nothing else."
            return AnswerError(text, hidden=text, alone=True)
        return None

    def _agrees(self, mine: Expected, right: Expected, number: int, *, sure: bool = False) -> bool:
        if sure:
            return same(mine, right, self.rel)
        return agrees(mine, right, self.solution, self.drawn.samples[number], self.rel)

    def _given(self, result: CallResult, right: Expected) -> Expected:
        """Return what the answer gives, as plain data; raise `AnswerError` where that is nothing."""
        if isinstance(right, Refused):
            if isinstance(result.error, right.kind):
                return right
            if result.error is None:
                kind = right.kind.__name__
                text = f"{self.subject.name} accepts an argument that it should refuse with {kind}."
                raise AnswerError(text, hidden=text)
        if result.error is not None:
            raise self.crash(result.error, self.subject)
        value = result.value
        if (right is None and value is None) or (type(value) is float and value == value):
            return value
        number = _is_float(right) and type(value) not in (bool, np.bool_)
        mine: Plain = self.subject.plain(
            value, result.printed, plain.to_number if number else nested.to_plain
        )
        return mine

    def _hint(self, failing: Sequence[Failure]) -> str:
        """Return the hint of the mistake that explains every failure, or of their common kind."""
        for text, wrong in self.mistakes.items():
            if all(self._explains(wrong, number, mine) for number, _, mine in failing):
                return text
        numbers = {number for number, _, _ in failing}
        for text, belongs in self.kinds.items():
            inside = {n for n, sample in enumerate(self.drawn.samples) if belongs(*sample.args)}
            if numbers <= inside and len(inside) < len(self.drawn.samples):
                return text
        return ""

    def _explains(self, wrong: Function, number: int, mine: Expected) -> bool:
        sample = self.drawn.samples[number]
        there = expected_of(wrong, sample.args)
        return not isinstance(there, Refused) and agrees(mine, there, wrong, sample, self.rel)


def recognised(failing: Sequence[Failure]) -> str:
    """Name a slip that explains every failure without knowing the problem: sign, per cent, rounding."""
    pairs = [(mine, right) for _, right, mine in failing if _is_float(mine) and _is_float(right)]
    if len(pairs) < len(failing):
        return ""
    mine, right = np.array(pairs, dtype=float).T
    slips = (
        (-right, "The size is right and the sign is flipped."),
        (100 * right, "This is 100 times too large: is it per cent where a decimal is asked?"),
        (right / 100, "This is 100 times too small: is it a decimal where per cent is asked?"),
    )
    for there, text in slips:
        if np.allclose(mine, there, rtol=1e-9, atol=0.0):
            return text
    for decimals in range(_DECIMALS):
        if np.allclose(mine, np.round(right, decimals), rtol=1e-12, atol=1e-12):
            return "The value is rounded: give the full number."
    return ""

"""What an answer is measured against, and how a wrong one is put into words."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from leverage.lessons import plain
from leverage.lessons.plain import FloatArray, NotPlainError
from leverage.lessons.wording import code_value, counted, format_pair, shortened, with_unit

HIDDEN = "A check with other numbers did not pass."
_NUMBER_AT_ZERO = 1e-9
_NOISE_PER_SIZE = 1e-12
_LARGEST_NOISE = 1e-6
_NEARLY = 1e-4
_ROUNDED = 5e-3
_MISTAKE_REL = 1e-6


class AnswerError(Exception):
    """Internal: the answer failed; carries what to say.

    `first` is said instead of `detail` until the second try: it keeps what was expected. `hint`
    replaces the hint of the check, `note` goes before it; `alone` leaves hints out.
    """

    def __init__(
        self,
        detail: str,
        *,
        first: str = "",
        hidden: str = HIDDEN,
        hint: str = "",
        note: str = "",
        unanswered: bool = False,
        alone: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail, self.hidden, self.hint, self.note = detail, hidden, hint, note
        self.first = first or detail
        self.unanswered, self.alone = unanswered, alone


def unequal(said: str, expected: str, more: str = "", **others: Any) -> AnswerError:
    """Say what an answer is, and from the second try on what was expected instead.

    >>> error = unequal("x is 3", "4")
    >>> error.first, error.detail
    ('x is 3, which is not right.', 'x is 3; expected 4.')
    """
    first = f"{said}, which is not right.{more}"
    return AnswerError(
        f"{said}; expected {expected}.{more}" if expected else f"{said}.",
        first=first if expected else "",
        **others,
    )


@dataclass(frozen=True)
class Subject:
    """What a message is about: a variable, or a call with its arguments."""

    name: str
    shown: str
    is_call: bool

    @property
    def verb(self) -> str:
        """How the message goes on: a call returned, a variable is."""
        return "returned" if self.is_call else "is"

    def plain(self, value: object, printed: str, convert: Any, **options: Any) -> Any:
        """Convert an answer to plain numbers, or say what it is instead."""
        if plain.holds_blank(value):
            text = f"{self.name} {self.verb} ...: replace the ... with your answer."
            raise AnswerError(text, hidden=text, unanswered=True)
        if value is None and self.is_call:
            raise self._returned_none(printed)
        try:
            return convert(value, **options)
        except NotPlainError as problem:
            advice = f"{problem.advice}."
            raise AnswerError(
                f"{self.shown} {self.verb} {problem.shown}; {advice}",
                hidden=f"{self.name} {self.verb} {problem.kind}; {advice}",
                unanswered=problem.unanswered,
            ) from None

    def _returned_none(self, printed: str) -> AnswerError:
        if printed.strip():
            rest = "returned None: did you print instead of return? Write return"
            rest += " in front of the result."
            shown = f"{self.shown} printed {shortened(printed, 40)!r} and {rest}"
            return AnswerError(shown, hidden=f"{self.name} printed a result and {rest}")
        rest = "returned None: end every path of your function with return and the result."
        return AnswerError(f"{self.shown} {rest}", hidden=f"{self.name} {rest}")


class Goal:
    """What an answer is measured against."""

    def judge(self, answer: object, subject: Subject, printed: str = "") -> Any:
        """Return the answer as a plain value, or raise `AnswerError`."""
        raise NotImplementedError


@dataclass(frozen=True)
class WordGoal(Goal):
    """A truth value or a word is expected."""

    expected: bool | str
    unit: str
    mistakes: list[tuple[Any, str]]

    def judge(self, answer: object, subject: Subject, printed: str = "") -> bool | str:
        """Return the answer as a truth value or a text, or raise `AnswerError`."""
        given: bool | str = subject.plain(answer, printed, self._convert)
        if not plain.same_word(given, self.expected):
            shown = f"{subject.shown} {subject.verb} {given!r}"
            known = (text for wrong, text in self.mistakes if plain.same_word(given, wrong))
            raise unequal(shown, repr(self.expected), hint=next(known, ""))
        return given

    def _convert(self, answer: object) -> bool | str:
        if isinstance(self.expected, str):
            if not issubclass(type(answer), str):
                raise _other_kind(answer, "a text", "give a text in quotes")
            return str.__str__(cast(str, answer)).strip()
        answer = plain.numbers_for_truths(answer)
        if not issubclass(type(answer), int | float | np.number) or answer not in (0, 1):
            raise _other_kind(answer, "True or False", "give True or False, without quotes")
        return bool(answer)


@dataclass(frozen=True)
class NumberGoal(Goal):
    """A number or an array of numbers is expected, within a tolerance."""

    expected: FloatArray
    unit: str
    mistakes: list[tuple[FloatArray, str]]
    rel: float
    abs_tol: float
    largest: float

    def judge(self, answer: object, subject: Subject, printed: str = "") -> float | FloatArray:
        """Return the answer as a float or an array, or raise `AnswerError`."""
        if (subject.is_call or self.expected.ndim) and np.isin(self.expected, (0, 1)).all():
            answer = plain.numbers_for_truths(answer)
        if self.expected.ndim == 0:
            number = subject.plain(answer, printed, plain.to_number)
            given = np.asarray(number, dtype=float)
        else:
            wanted = f"a list of {counted(self.expected.shape[0], 'number')}"
            if self.expected.ndim > 1:
                wanted = f"a table of numbers of shape {_shape(self.expected.shape)}"
            given = subject.plain(answer, printed, plain.to_array, wanted=wanted)
        if given.shape != self.expected.shape:
            raise self._wrong_shape(given, subject)
        close = self._close(given, self.expected)
        if not close.all():
            raise self._wrong(given, ~close, subject)
        return float(given) if given.ndim == 0 else given

    def _close(self, given: FloatArray, expected: FloatArray) -> Any:
        at_zero = self.abs_tol or min(
            max(_NUMBER_AT_ZERO, _NOISE_PER_SIZE * self.largest), _LARGEST_NOISE
        )
        size = np.where(np.isinf(expected), 0.0, np.abs(expected))
        tolerance = np.where(expected == 0, at_zero, np.maximum(self.rel * size, self.abs_tol))
        finite = np.isfinite(given) & np.isfinite(expected)
        with np.errstate(invalid="ignore", over="ignore"):
            return np.where(finite, np.abs(given - expected) <= tolerance, given == expected)

    def same(self, given: FloatArray, other: FloatArray) -> bool:
        """Tell whether two arrays agree within the tolerance."""
        return given.shape == other.shape and bool(self._close(given, other).all())

    def _wrong_shape(self, given: FloatArray, subject: Subject) -> AnswerError:
        have, need = _shape_words(given), _shape_words(self.expected)
        shown = f"{subject.shown} {subject.verb} {have}; expected {need}."
        return AnswerError(
            shown, hidden=f"{subject.name} {subject.verb} the wrong count of numbers."
        )

    def _wrong(self, given: FloatArray, off: Any, subject: Subject) -> AnswerError:
        place = tuple(int(i) for i in np.argwhere(off)[0]) if given.ndim else ()
        texts = format_pair(float(given[place]), float(self.expected[place]))
        received, expected = (with_unit(text, self.unit) for text in texts)
        if not given.ndim:
            shown = f"{subject.shown} {subject.verb} {received}"
        else:
            where = "[" + ", ".join(str(i) for i in place) + "]"
            shown = (
                f"{subject.shown}: {int(off.sum())} of {counted(given.size, 'number')} not right yet;"
                f" number {where} is {received}"
            )
        more = ""
        if math.isinf(given[place]) and math.isfinite(self.expected[place]):
            more = " Look for a division by zero."
        return unequal(
            shown, expected, more, hint=self.mistake(given), note=self._recognised(given)
        )

    def mistake(self, given: FloatArray) -> str:
        """Return what the mistake tells that gives this very answer; "" if none does.

        A known mistake is met relatively, however small the numbers are.
        """
        for wrong, text in self.mistakes:
            if _alike(given, wrong, max(self.rel, _MISTAKE_REL)):
                return text
        return ""

    def _recognised(self, given: FloatArray) -> str:
        if not self.expected.any() or not np.isfinite(self.expected).all():
            return ""
        if self.same(given, -self.expected):
            return "The size is right and the sign is flipped."
        if self.same(given, self.expected * 100):
            return f"This is 100 times too large: {self._factor_advice(large=True)}"
        if self.same(given, self.expected / 100):
            return f"This is 100 times too small: {self._factor_advice(large=False)}"
        return self._rounded(given)

    def _factor_advice(self, *, large: bool) -> str:
        if self.unit not in ("", "%"):
            return f"did you {'multiply' if large else 'divide'} by 100?"
        if not large:
            return "is it a decimal where per cent is asked?"
        if self.unit == "%":
            return "was it in per cent already?"
        return "is it per cent where a decimal is asked (5 % is 0.05)?"

    def _rounded(self, given: FloatArray) -> str:
        if np.allclose(given, self.expected, rtol=_ROUNDED, atol=0.0):
            for decimals in range(9):
                if np.array_equal(given, np.round(self.expected, decimals)):
                    return "The value is rounded: give the full number."
        if np.allclose(given, self.expected, rtol=_NEARLY, atol=0.0):
            return (
                "This is close but not the same: a rounded number, or a step that is nearly right."
            )
        return ""


def _alike(given: FloatArray, wrong: FloatArray, rel: float) -> bool:
    """Tell whether two arrays are the same but for a relative difference; zero is zero alone."""
    if given.shape != wrong.shape:
        return False
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(given - wrong) <= rel * np.abs(wrong)
    finite = np.isfinite(given) & np.isfinite(wrong)
    return bool((near & finite | (given == wrong)).all())


def same_mistakes(goal: WordGoal | NumberGoal) -> tuple[str, str] | None:
    """Return two mistakes of a check that one answer would match, or a mistake and "expected"."""

    def same(one: Any, other: Any, more: float) -> bool:
        if isinstance(goal, WordGoal):
            return plain.same_word(one, other)
        return _alike(one, other, more * max(goal.rel, _MISTAKE_REL))

    for number, (wrong, text) in enumerate(goal.mistakes):
        if same(wrong, goal.expected, 1):
            return text, "expected"
        for other, another in goal.mistakes[number + 1 :]:
            if same(wrong, other, 2) and text != another:
                return text, another
    return None


def _other_kind(answer: object, wanted: str, advice: str) -> NotPlainError:
    problem = plain.explain(answer, wanted)
    if problem.unanswered:
        return problem
    kind = type(answer).__name__
    if issubclass(type(answer), int | float) or plain.is_routine(answer):
        shown = problem.shown if plain.is_routine(answer) else code_value(answer)
        return NotPlainError(f"of type {kind}", advice, shown=shown)
    return NotPlainError(problem.kind, advice, shown=problem.shown)


def largest(values: Iterable[Any]) -> float:
    """Return the largest finite size among numbers and arrays; 0 when there is none."""
    sizes = [0.0]
    for value in values:
        try:
            array = np.abs(plain.to_array(value))
        except NotPlainError:
            continue
        sizes += [float(array[np.isfinite(array)].max(initial=0.0))]
    return max(sizes)


def _shape(shape: tuple[int, ...]) -> str:
    return " by ".join(str(length) for length in shape)


def _shape_words(array: FloatArray) -> str:
    if array.ndim < 2:
        return f"a list of {counted(array.size, 'number')}" if array.ndim else "one number"
    return f"a table of numbers of shape {_shape(array.shape)}"

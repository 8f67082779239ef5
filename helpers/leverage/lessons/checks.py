"""Checks of learners' answers: every failure is one clear message that says what to do.

A test cell reads

    with exercise("ch01_a_value") as check:
        check.result("position_value", (1_000, 10), 10_000, unit="USD", hint="…")

Answers are named by a text and looked up in the notebook, so that a missing name gets a sentence
instead of a `NameError`. They are turned into plain floats first (`plain`), then compared. The
first check that fails ends the cell with `CheckFailed`. A mistake of the exercise itself raises
`AuthorError`: either way the cell fails, so nothing passes by accident.
"""

import copy
import difflib
import inspect
import io
import linecache
import math
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from . import manifest, plain, progress
from .plain import FloatArray, NotPlainError
from .quizzes import judge
from .wording import (
    code_call,
    code_value,
    counted,
    format_number,
    format_pair,
    item_label,
    say,
    sentence,
    shortened,
    with_unit,
)

if TYPE_CHECKING:
    import pandas as pd

_PRINT_LIMIT = 2_000
_NUMBER_AT_ZERO = 1e-9
_NOISE_PER_SIZE = 1e-12
_LARGEST_NOISE = 1e-6
_HIDDEN = "A check with other numbers did not pass."


class CheckFailed(AssertionError):  # noqa: N818 - the name learners see
    """An answer is not right yet; the message is all that a learner needs to read.

    IPython and Jupyter show the message alone, without a traceback; `str()` of the exception is
    the same text.
    """

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


class AuthorError(Exception):
    """The exercise is wrong, not the answer; the message names the mistake."""


class _AnswerError(Exception):
    """Internal: the answer failed; carries what to say.

    `hint` replaces the hint of the check, `note` goes before it.
    """

    def __init__(
        self,
        detail: str,
        *,
        hidden: str = _HIDDEN,
        hint: str = "",
        note: str = "",
        unanswered: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail, self.hidden, self.hint, self.note = detail, hidden, hint, note
        self.unanswered = unanswered


@dataclass(frozen=True)
class _Outcome:
    """What a learner's function did: a value, what it printed, or the error that ended it."""

    value: object = None
    printed: str = ""
    error: BaseException | None = None


class _Printed(io.StringIO):
    """Keeps the first part of what a function prints, so that an endless print does no harm."""

    def write(self, text: str, /) -> int:
        room = _PRINT_LIMIT - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)


def exercise(item_id: str) -> "Exercise":
    """Open the checks of one graded cell.

    Parameters
    ----------
    item_id : str
        Id of the graded cell, as in its metadata: "ch01_a_value".

    Returns
    -------
    Exercise
        A context manager; `with exercise(...) as check` gives the `Check`.

    Raises
    ------
    CheckFailed
        On leaving the block, if a check did not pass or the cell stopped with an error.
    AuthorError
        If no check ran, or if a check was given something it cannot use.

    Examples
    --------
    >>> borrowed = 9_000.0
    >>> with exercise("ch01_b_borrowed") as check:  # doctest: +SKIP
    ...     check.value("borrowed", 9_000, unit="USD", hint="The lender gives the rest.")
    ✓ 1.B borrowed: correct. 1 of 1 point.
    """
    return Exercise(item_id, sys._getframe(1).f_globals)


class Exercise:
    """Runs the checks of one graded cell, reports the verdict and records the attempt.

    Parameters
    ----------
    item_id : str
        Id of the graded cell.
    names : mapping
        Where the learner's objects are looked up: the notebook's names.
    """

    def __init__(self, item_id: str, names: Mapping[str, object]) -> None:
        if not isinstance(item_id, str) or not item_id.strip():
            raise AuthorError(
                f"exercise(item_id): item_id must be the id of the test cell, was {item_id!r}"
            )
        self.item_id = item_id
        self._names = names
        self._check: Check | None = None

    def __enter__(self) -> "Check":
        self._check = Check(self.item_id, self._names)
        return self._check

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        check = cast(Check, self._check)
        if isinstance(error, AuthorError | KeyboardInterrupt):
            return
        if check._failure is not None:
            progress.record(self.item_id, passed=False, hint=check._said)
            if error is check._failure:
                return
            raise check._failure from None
        if error is not None:
            failure = check._stopped(error, trace)
            if isinstance(failure, CheckFailed):
                progress.record(self.item_id, passed=False, hint=check._said)
            raise failure from None
        if check._count == 0:
            raise AuthorError(_author(self.item_id, "no check ran in this cell"))
        progress.record(self.item_id, passed=True)
        say("\n".join([_success(self.item_id), *check._notes]))


class Check:
    """The checks of one graded cell.

    Every check takes the *name* of the learner's variable or function. Numbers are compared with
    relative tolerance `rel` (1e-6), or absolutely with `abs_tol` where that is larger. Where the
    expected number is 0 and `abs_tol` is 0, the tolerance is 1e-9, or 1e-12 of the largest number
    passed to the function, at most 1e-6; give `abs_tol` where that does not suit the unit.

    Checks return the learner's answer as plain floats, for use in `that`.
    """

    def __init__(self, item_id: str, names: Mapping[str, object]) -> None:
        self._item_id, self._names = item_id, names
        self._count = 0
        self._hidden = False
        self._failure: CheckFailed | None = None
        self._said = ""
        self._notes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AuthorError(_author(self._item_id, f"there is no check.{name}"))

    def hidden(self) -> None:
        """From here on messages carry only the hint: no argument, value or expectation."""
        self._hidden = True

    def value(
        self,
        name: str,
        expected: Any,
        *,
        unit: str = "",
        hint: str = "",
        mistakes: Mapping[Any, str] | None = None,
        rel: float = 1e-6,
        abs_tol: float = 0.0,
    ) -> Any:
        """Check a variable.

        Parameters
        ----------
        name : str
            Name of the learner's variable.
        expected : number, sequence, array, Series, bool or str
            The right answer, in `unit`.
        unit : str
            Unit of the answer, for the message.
        hint : str
            What to think of next.
        mistakes : mapping, optional
            Wrong answers (a number, or a tuple for an array) and what each one tells. A flipped
            sign, per cent for a decimal, the reverse, and a rounded result are known already.
        rel, abs_tol : float
            Relative tolerance, and absolute tolerance in `unit`.
        """
        goal = self._goal(expected, unit, hint, mistakes, rel, abs_tol, ())
        with self._answering(hint):
            return goal.judge(self._find(name), _Subject(name, name, is_call=False))

    def result(
        self,
        name: str,
        args: Sequence[Any],
        expected: Any,
        *,
        kwargs: Mapping[str, Any] | None = None,
        unit: str = "",
        hint: str = "",
        mistakes: Mapping[Any, str] | None = None,
        rel: float = 1e-6,
        abs_tol: float = 0.0,
    ) -> Any:
        """Check what a function returns for given arguments.

        Parameters
        ----------
        name : str
            Name of the learner's function.
        args : tuple
            Positional arguments; each call gets a copy.
        expected, unit, hint, mistakes, rel, abs_tol
            As for `value`.
        kwargs : mapping, optional
            Keyword arguments.
        """
        args, kwargs = self._arguments(args, kwargs)
        goal = self._goal(expected, unit, hint, mistakes, rel, abs_tol, [*args, *kwargs.values()])
        with self._answering(hint):
            outcome, subject = self._run(name, args, kwargs)
            if outcome.error is not None:
                raise self._crash(outcome.error, subject)
            return goal.judge(outcome.value, subject, outcome.printed)

    def call(
        self,
        name: str,
        args: Sequence[Any] = (),
        *,
        kwargs: Mapping[str, Any] | None = None,
        hint: str = "",
    ) -> Any:
        """Return what a function gives as a float or an array of floats, for use in `that`.

        It fails as `result` does when the function stops or gives no number. It is no check of
        its own: a cell needs at least one that decides.
        """
        args, kwargs = self._arguments(args, kwargs)
        with self._answering(hint, counts=False):
            outcome, subject = self._run(name, args, kwargs)
            if outcome.error is not None:
                raise self._crash(outcome.error, subject)
            array = subject.plain(outcome.value, outcome.printed, plain.to_array)
            return float(array) if array.ndim == 0 else array

    def raises(
        self,
        name: str,
        args: Sequence[Any],
        error: type[BaseException] | tuple[type[BaseException], ...],
        *,
        kwargs: Mapping[str, Any] | None = None,
        hint: str = "",
    ) -> None:
        """Check that a function refuses arguments by raising `error`."""
        args, kwargs = self._arguments(args, kwargs)
        wanted = error if isinstance(error, tuple) else (error,)
        if not wanted or not all(isinstance(kind, type) for kind in wanted):
            self._author(f"check.raises: error must be an exception class, was {error!r}")
        names = " or ".join(kind.__name__ for kind in wanted)
        with self._answering(hint):
            outcome, subject = self._run(name, args, kwargs)
            if outcome.error is None:
                if plain.holds_blank(outcome.value):
                    subject.plain(outcome.value, "", plain.to_number)
                returned = plain.plain_repr(outcome.value)
                advice = f"it should raise {names} here"
                raise _AnswerError(
                    f"{subject.shown} returned {returned}; {advice}.",
                    hidden=f"{name} accepted an argument that it should refuse with {names}.",
                )
            if not isinstance(outcome.error, wanted):
                problem = self._crash(outcome.error, subject)
                if not problem.unanswered:
                    problem.detail += f" It should raise {names} here."
                raise problem

    def option(self, name: str) -> None:
        """Check the answer to the quiz question of this name, and print the option's feedback."""
        quizzes = manifest.load_quizzes()
        quiz = quizzes.get(name) or quizzes.get(self._item_id)
        if quiz is None:
            self._author(
                f"check.option: no quiz question {name!r} in quizzes.json; build the course"
            )
        if quiz["answer"] not in quiz["feedback"]:
            self._author(f"check.option: {name} has no option {quiz['answer']!r}, its answer")
        with self._answering(""):
            verdict = judge(quiz, self._find(name, blank=False))
            if not verdict.option:
                raise _AnswerError(verdict.text, hidden=verdict.text, unanswered=verdict.unanswered)
            text = f"You answered {verdict.option}. {sentence(verdict.text)}"
            if not verdict.right:
                raise _AnswerError(text, hidden=text)
            self._notes.append(text)

    def order(
        self,
        name: str,
        expected: Sequence[Any],
        *,
        hint: str = "",
        mistakes: Mapping[Any, str] | None = None,
    ) -> None:
        """Check lines put in order.

        Parameters
        ----------
        name : str
            Name of the learner's list of letters or line numbers.
        expected : sequence, or sequence of sequences
            The right order, or every right order where there are several.
        hint : str
            What to think of next.
        mistakes : mapping, optional
            Wrong orders (tuples, or one text as "bac") and what each one tells.
        """
        orders = [_labels(order) for order in _orders(expected)]
        if not orders or any(order is None or not order for order in orders):
            self._author(
                f"check.order: expected must be letters or whole numbers, was {expected!r}"
            )
        rights = cast(list[list[str]], orders)
        known = {tuple(_labels(key) or ()): text for key, text in (mistakes or {}).items()}
        with self._answering(hint):
            answer = self._find(name)
            problem = _order_problem(name, answer, rights)
            if problem is not None:
                problem.hint = known.get(tuple(_labels(answer) or ()), "")
                raise problem

    def number(
        self,
        name: str,
        *,
        low: float | None = None,
        high: float | None = None,
        unit: str = "",
        hint: str = "",
    ) -> float:
        """Check only the form of an answer: one finite number, from `low` to `high`."""
        for label, bound in (("low", low), ("high", high)):
            if bound is not None and not math.isfinite(self._number_of(bound, label)):
                self._author(f"check.number: {label} must be finite, was {bound!r}")
        with self._answering(hint):
            subject = _Subject(name, name, is_call=False)
            answer: float = subject.plain(self._find(name), "", plain.to_number)
            shown = with_unit(format_number(answer), unit)
            if math.isinf(answer):
                raise _AnswerError(f"{name} is infinite; give a finite number.")
            if (low is not None and answer < low) or (high is not None and answer > high):
                raise _AnswerError(f"{name} is {shown}; give a number {_range(low, high, unit)}.")
            return answer

    def text(self, name: str, *, min_words: int = 1, hint: str = "") -> str:
        """Check only the form of an answer: a text of at least `min_words` words."""
        with self._answering(hint):
            answer = self._find(name)
            if not issubclass(type(answer), str):
                what = "a function" if plain.is_routine(answer) else plain.plain_repr(answer)
                raise _AnswerError(f"{name} is {what}; write a text in quotes.")
            text = str.__str__(cast(str, answer))
            if text.strip().upper() == "YOUR ANSWER HERE":
                text = ""
            words = len([word for word in text.split() if any(map(str.isalnum, word))])
            if words < min_words:
                need = counted(min_words, "word")
                raise _AnswerError(
                    f"{name} has {counted(words, 'word')}; write at least {need}.",
                    unanswered=words == 0,
                )
            return text

    def table(
        self,
        name: str,
        expected: "pd.DataFrame",
        *,
        hint: str = "",
        rel: float = 1e-6,
    ) -> None:
        """Check a pandas table: columns by name, in any order; rows in the order expected.

        Columns beyond the expected ones are ignored. Row labels count only where `expected` has
        labels of its own. A missing value is right only where one is expected.
        """
        import pandas as pd

        if not isinstance(expected, pd.DataFrame) or expected.empty:
            self._author("check.table: expected must be a DataFrame with rows and columns")
        with self._answering(hint):
            answer = self._find(name)
            if type(answer) is not pd.DataFrame:
                raise _not_a_table(name, answer)
            if any(
                value is Ellipsis for column in answer for value in answer[[column]].to_numpy().flat
            ):
                raise _AnswerError(
                    f"{name} still has a blank (...) in it; replace it by your answer.",
                    unanswered=True,
                )
            _compare_tables(name, answer, expected, rel)

    def that(self, condition: object, hint: str) -> None:
        """Check a condition of the author's own; it must be True or False."""
        if type(condition) not in (bool, np.bool_):
            kind = type(condition).__name__
            problem = f"A condition of this check is neither True nor False but of type {kind}."
            with self._answering(hint):
                raise _AnswerError(problem, hidden=problem)
        with self._answering(""):
            if not bool(condition):
                text = sentence(hint) or "A condition of this exercise does not hold."
                raise _AnswerError(text, hidden=text)

    # What follows finds answers, runs functions and words failures.

    def _author(self, mistake: str) -> NoReturn:
        raise AuthorError(_author(self._item_id, mistake))

    def _answering(self, hint: str, *, counts: bool = True) -> "_Answering":
        return _Answering(self, hint, counts)

    def _number_of(self, value: Any, label: str) -> float:
        try:
            return plain.to_number(value)
        except NotPlainError as problem:
            self._author(f"{label} must be a number, was {problem.shown}")

    def _goal(
        self,
        expected: Any,
        unit: str,
        hint: str,
        mistakes: Mapping[Any, str] | None,
        rel: float,
        abs_tol: float,
        inputs: Iterable[Any],
    ) -> "_Goal":
        if not (isinstance(unit, str) and isinstance(hint, str)):
            self._author(f"unit and hint must be texts, were {unit!r} and {hint!r}")
        if not (0 <= rel < 1 and 0 <= abs_tol < math.inf):
            self._author(
                f"rel must be from 0 to below 1 and abs_tol positive: {rel!r}, {abs_tol!r}"
            )
        if isinstance(expected, bool | np.bool_ | str):
            kind = str if isinstance(expected, str) else bool
            return _WordGoal(kind(expected), unit, dict(mistakes or {}))
        try:
            right = plain.to_array(expected)
            wrong = [(plain.to_array(key), text) for key, text in (mistakes or {}).items()]
        except NotPlainError as problem:
            self._author(f"expected or a key of mistakes is {problem.shown}; give numbers")
        return _NumberGoal(right, unit, wrong, rel, abs_tol, _largest([*inputs, expected]))

    def _arguments(
        self, args: Any, kwargs: Mapping[str, Any] | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not isinstance(args, tuple | list):
            self._author(f"args must be a tuple such as ({args!r},), was {args!r}")
        return tuple(args), dict(kwargs or {})

    def _find(self, name: str, *, blank: bool = True) -> object:
        if not isinstance(name, str):
            self._author(f"give the name of the answer as a text, not {name!r}")
        if name not in self._names:
            raise _missing_name(name, self._names)
        value = self._names[name]
        if blank and plain.holds_blank(value):
            text = f"{name} is still ...: replace the ... with your answer, run that cell"
            text += " and then this one."
            raise _AnswerError(text, hidden=text, unanswered=True)
        return value

    def _run(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[_Outcome, "_Subject"]:
        function = self._find(name)
        subject = _Subject(name, code_call(name, args, kwargs), is_call=True)
        if not callable(function):
            text = f"{name} is not a function; the exercise asks for one: def {name}(...)."
            raise _AnswerError(text, hidden=text)
        _refuse_signature(function, subject, args, kwargs)
        outcome = _call(function, _copied(args), _copied(kwargs))
        if outcome.printed and not self._hidden:
            say(outcome.printed.rstrip("\n"))
        return outcome, subject

    def _crash(self, error: BaseException, subject: "_Subject") -> _AnswerError:
        return _crash(error, subject, self._names)

    def _fail(self, problem: _AnswerError, hint: str) -> CheckFailed:
        state = "not answered yet" if problem.unanswered else "not yet"
        lines = [f"✗ {item_label(self._item_id)}: {state}."]
        lines.append(problem.hidden if self._hidden else problem.detail)
        hint = problem.hint or f"{sentence(problem.note)} {sentence(hint)}".strip()
        if hint:
            lines.append(f"Hint: {sentence(hint)}")
        self._said = hint or lines[1]
        self._failure = CheckFailed("\n".join(lines))
        return self._failure

    def _stopped(self, error: BaseException, trace: TracebackType | None) -> Exception:
        """Turn an error of the test cell itself into a message for the learner."""
        if _is_ours(error, trace):
            return AuthorError(
                _author(self._item_id, f"the check stopped with {_error_text(error)}")
            )
        name = getattr(error, "name", None) if type(error) is NameError else None
        if name:
            return self._fail(_missing_name(str(name), self._names), "")
        if isinstance(error, NotImplementedError) or "ellipsis" in _error_text(error).lower():
            text = "A blank (...) or NotImplementedError is still there: write your answer,"
            text += " run its cell, then this one."
            return self._fail(_AnswerError(text, hidden=text, unanswered=True), "")
        advice = "Run the chapter's cells from the top, then look at your answer again."
        return self._fail(
            _AnswerError(
                f"The check stopped with {_error_text(error)}. {advice}",
                hidden=f"The check stopped with {type(error).__name__}. {advice}",
            ),
            "",
        )


class _Answering:
    """Counts a check and turns a failed one into the `CheckFailed` that the learner sees."""

    def __init__(self, check: Check, hint: str, counts: bool) -> None:
        self._check, self._hint, self._counts = check, hint, counts

    def __enter__(self) -> None:
        if self._check._failure is not None:
            raise self._check._failure from None
        self._check._count += self._counts

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, _AnswerError):
            raise self._check._fail(error, self._hint) from None


@dataclass(frozen=True)
class _Subject:
    """What a message is about: a variable, or a call with its arguments."""

    name: str
    shown: str
    is_call: bool

    @property
    def verb(self) -> str:
        return "returned" if self.is_call else "is"

    def plain(self, value: object, printed: str, convert: Any, **options: Any) -> Any:
        """Convert an answer to plain numbers, or say what it is instead."""
        if plain.holds_blank(value):
            text = f"{self.name} {self.verb} ...: replace the ... with your answer."
            raise _AnswerError(text, hidden=text, unanswered=True)
        if value is None and self.is_call:
            raise self._returned_none(printed)
        try:
            return convert(value, **options)
        except NotPlainError as problem:
            advice = f"{problem.advice}."
            raise _AnswerError(
                f"{self.shown} {self.verb} {problem.shown}; {advice}",
                hidden=f"{self.name} {self.verb} {problem.kind}; {advice}",
                unanswered=problem.unanswered,
            ) from None

    def _returned_none(self, printed: str) -> _AnswerError:
        if printed.strip():
            rest = "returned None: did you print instead of return? Write return"
            rest += " in front of the result."
            shown = f"{self.shown} printed {shortened(printed, 40)!r} and {rest}"
            return _AnswerError(shown, hidden=f"{self.name} printed a result and {rest}")
        rest = "returned None: end every path of your function with return and the result."
        return _AnswerError(f"{self.shown} {rest}", hidden=f"{self.name} {rest}")


class _Goal:
    """What an answer is measured against."""

    def judge(self, answer: object, subject: _Subject, printed: str = "") -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class _WordGoal(_Goal):
    """A truth value or a word is expected."""

    expected: bool | str
    unit: str
    mistakes: dict[Any, str]

    def judge(self, answer: object, subject: _Subject, printed: str = "") -> bool | str:
        given: bool | str = subject.plain(answer, printed, self._convert)
        if given != self.expected:
            shown = f"{subject.shown} {subject.verb} {given!r}; expected {self.expected!r}."
            raise _AnswerError(shown, hint=self.mistakes.get(given, ""))
        return given

    def _convert(self, answer: object) -> bool | str:
        if isinstance(self.expected, str):
            if not issubclass(type(answer), str):
                raise _other_kind(answer, "a text", "give a text in quotes")
            return str.__str__(cast(str, answer)).strip()
        if type(answer) not in (bool, np.bool_):
            raise _other_kind(answer, "True or False", "give True or False, without quotes")
        return bool(answer)


@dataclass(frozen=True)
class _NumberGoal(_Goal):
    """A number or an array of numbers is expected, within a tolerance."""

    expected: FloatArray
    unit: str
    mistakes: list[tuple[FloatArray, str]]
    rel: float
    abs_tol: float
    largest: float

    def judge(self, answer: object, subject: _Subject, printed: str = "") -> float | FloatArray:
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

    def _same(self, given: FloatArray, other: FloatArray) -> bool:
        return given.shape == other.shape and bool(self._close(given, other).all())

    def _wrong_shape(self, given: FloatArray, subject: _Subject) -> _AnswerError:
        have, need = _shape_words(given), _shape_words(self.expected)
        shown = f"{subject.shown} {subject.verb} {have}; expected {need}."
        return _AnswerError(
            shown, hidden=f"{subject.name} {subject.verb} the wrong count of numbers."
        )

    def _wrong(self, given: FloatArray, off: Any, subject: _Subject) -> _AnswerError:
        place = tuple(int(i) for i in np.argwhere(off)[0]) if given.ndim else ()
        texts = format_pair(float(given[place]), float(self.expected[place]))
        received, expected = (with_unit(text, self.unit) for text in texts)
        if not given.ndim:
            detail = f"{subject.shown} {subject.verb} {received}; expected {expected}."
        else:
            where = "[" + ", ".join(str(i) for i in place) + "]"
            detail = (
                f"{subject.shown}: {int(off.sum())} of {counted(given.size, 'number')} not right yet;"
                f" number {where} is {received}; expected {expected}."
            )
        if math.isinf(given[place]) and math.isfinite(self.expected[place]):
            detail += " Look for a division by zero."
        listed = [text for wrong, text in self.mistakes if self._same(given, wrong)]
        return _AnswerError(detail, hint="".join(listed[:1]), note=self._recognised(given))

    def _recognised(self, given: FloatArray) -> str:
        if not self.expected.any() or not np.isfinite(self.expected).all():
            return ""
        if self._same(given, -self.expected):
            return "The size is right and the sign is flipped."
        if self._same(given, self.expected * 100):
            return "This is 100 times too large: is it per cent where a decimal is asked (5 % is 0.05)?"
        if self._same(given, self.expected / 100):
            return "This is 100 times too small: is it a decimal where per cent is asked?"
        return self._rounded(given)

    def _rounded(self, given: FloatArray) -> str:
        if np.allclose(given, self.expected, rtol=5e-3, atol=0.0):
            for decimals in range(9):
                if np.array_equal(given, np.round(self.expected, decimals)):
                    return "The value is rounded: give the full number."
            return "This is close: look for a rounded or a mistyped number on the way."
        return ""


def _author(item_id: str, mistake: str) -> str:
    return (
        f"{item_id}: {mistake}. This is a mistake in the exercise, not in your answer:"
        " please report it."
    )


def _success(item_id: str) -> str:
    line = f"✓ {item_label(item_id)}: correct."
    item = manifest.find_item(item_id)
    points = item.get("points", 0) if item else 0
    return f"{line} {points:g} of {counted(points, 'point')}." if points else line


def _missing_name(name: str, names: Mapping[str, object]) -> _AnswerError:
    text = f"{name} is not there yet: write your answer, run its cell, then run this one."
    known = [key for key in names if isinstance(key, str) and not key.startswith("_")]
    near = [key for key in known if key.lower() == name.lower()]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    if near:
        text += f" Is it the one you called {near[0]}?"
    return _AnswerError(text, hidden=text, unanswered=True)


def _refuse_signature(
    function: Any, subject: _Subject, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    try:
        signature = inspect.signature(function)
    except Exception:
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        given = counted(len(args) + len(kwargs), "argument")
        takes = f"{subject.name}{shortened(str(signature), 60)}"
        problem = f"Your function is {takes}; it does not fit a call with {given}"
        fault = f"({error}). Change its first line as the exercise describes."
        raise _AnswerError(
            f"{problem}, {subject.shown} {fault}", hidden=f"{problem} {fault}"
        ) from None


def _call(function: Any, args: Any, kwargs: Any) -> _Outcome:
    """Call a learner's function; what it prints or warns of must not spoil the verdict."""
    printed = _Printed()
    try:
        with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
            warnings.simplefilter("ignore")
            value = function(*args, **kwargs)
    except BaseException as error:
        return _Outcome(printed=printed.getvalue(), error=error)
    return _Outcome(value=value, printed=printed.getvalue())


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def _crash(error: BaseException, subject: _Subject, names: Mapping[str, object]) -> _AnswerError:
    text, line = _error_text(error), _line_of(error, names)
    special = _special_end(error)
    if special:
        return _AnswerError(
            f"{subject.shown} {special}{line}.", hidden=f"{subject.name} {special}{line}."
        )
    if isinstance(error, NotImplementedError):
        unanswered = f"{subject.name} still raises NotImplementedError: replace that line"
        unanswered += " with your answer, run that cell and then this one."
        return _AnswerError(unanswered, hidden=unanswered, unanswered=True)
    if isinstance(error, TypeError) and "ellipsis" in text.lower():
        unanswered = f"{subject.name} still holds ...: replace every ... with your answer{line}."
        return _AnswerError(unanswered, hidden=unanswered, unanswered=True)
    return _AnswerError(
        f"{subject.shown} stopped with {text}{line}.",
        hidden=f"{subject.name} stopped with {type(error).__name__}{line}.",
    )


def _special_end(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "calls itself without end (RecursionError): give it a case that stops"
    if isinstance(error, KeyboardInterrupt):
        return "was stopped before it finished: look for a loop that never ends"
    if isinstance(error, SystemExit):
        return "tried to leave Python: use return instead of exit() or quit()"
    if isinstance(error, EOFError) or type(error).__name__ == "StdinNotImplementedError":
        return "waits for input(): use the function's arguments instead"
    return ""


def _error_text(error: BaseException) -> str:
    kind = type(error).__name__
    try:
        message = shortened(str(error), 200)
    except Exception:
        message = ""
    return f"{kind}: {message}" if message else kind


def _line_of(error: BaseException, names: Mapping[str, object]) -> str:
    """Say where in the learner's own code the error arose."""
    trace, own = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_globals is names:
            own = trace
        trace = trace.tb_next
    if own is None:
        return ""
    code = own.tb_frame.f_code
    source = linecache.getline(code.co_filename, own.tb_lineno).strip()
    return f", in line {own.tb_lineno}" + (f" ({shortened(source)})" if source else "")


def _is_ours(error: BaseException, trace: TracebackType | None) -> bool:
    """Tell an error of the checks or of their use from one of the learner's making."""
    if isinstance(error, TypeError) and str(error).startswith("Check."):
        return True
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    home = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return str(home).startswith("leverage.lessons.")


def _other_kind(answer: object, wanted: str, advice: str) -> NotPlainError:
    problem = plain.explain(answer, wanted)
    if problem.unanswered:
        return problem
    kind = type(answer).__name__
    if issubclass(type(answer), int | float) or plain.is_routine(answer):
        shown = problem.shown if plain.is_routine(answer) else code_value(answer)
        return NotPlainError(f"of type {kind}", advice, shown=shown)
    return NotPlainError(problem.kind, advice, shown=problem.shown)


def _largest(values: Iterable[Any]) -> float:
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


def _range(low: float | None, high: float | None, unit: str) -> str:
    texts = [None if end is None else with_unit(format_number(end), unit) for end in (low, high)]
    if texts[0] is None:
        return f"up to {texts[1]}"
    return f"from {texts[0]} on" if texts[1] is None else f"from {texts[0]} to {texts[1]}"


def _orders(expected: Any) -> list[Any]:
    if not isinstance(expected, list | tuple):
        return [expected]
    several = bool(expected) and all(isinstance(order, list | tuple) for order in expected)
    return list(expected) if several else [expected]


def _labels(order: Any) -> list[str] | None:
    """Return the labels of the lines as texts, or None when they are no labels."""
    kind = type(order)
    if issubclass(kind, str):
        text = str.__str__(order)
        parts: list[Any] = text.replace(",", " ").split()
        parts = list(parts[0]) if len(parts) == 1 else parts
    elif issubclass(kind, list | tuple | range):
        parts = list(order)
    elif issubclass(kind, np.ndarray) or plain._is_pandas(order):
        parts = np.asarray(order).reshape(-1).tolist()
    else:
        return None
    labels = [_label(part) for part in parts]
    return None if None in labels else cast(list[str], labels)


def _label(part: Any) -> str | None:
    if issubclass(type(part), str):
        return str.__str__(part).strip().lower()
    if type(part) is bool:
        return None
    try:
        number = plain.to_number(part)
    except NotPlainError:
        return None
    return str(int(number)) if math.isfinite(number) and number == int(number) else None


def _order_problem(name: str, answer: object, rights: list[list[str]]) -> _AnswerError | None:
    given, right = _labels(answer), rights[0]
    asked = ", ".join(sorted(right, key=lambda label: (len(label), label)))
    if given is None:
        what = "a function" if plain.is_routine(answer) else plain.plain_repr(answer)
        example = [int(label) if label.isdigit() else label for label in sorted(right)[:2]]
        return _AnswerError(f"{name} is {what}; give a list such as {example!r} with {asked}.")
    if given in rights:
        return None
    wanted = set().union(*map(set, rights))
    strange = [label for label in given if label not in wanted]
    repeated = [label for label in given if given.count(label) > right.count(label)]
    absent = [label for label in right if label not in given]
    if strange:
        return _AnswerError(
            f"{name} has {shortened(strange[0], 20)!r}, which does not belong there."
        )
    if repeated and len(given) >= len(right):
        return _AnswerError(f"{name} has {repeated[0]} more often than needed.")
    if absent:
        return _AnswerError(f"{name} has {counted(len(given), 'line')}; {absent[0]} is missing.")
    same = max(_same_start(given, order) for order in rights)
    start = f"The first {counted(same, 'line')} fit; line" if same > 1 else "Line"
    start = "The first line fits; line" if same == 1 else start
    return _AnswerError(f"{start} {same + 1} of {name} is not in its place yet.")


def _same_start(given: list[str], order: list[str]) -> int:
    for i, (mine, right) in enumerate(zip(given, order, strict=False)):
        if mine != right:
            return i
    return min(len(given), len(order))


def _not_a_table(name: str, answer: object) -> _AnswerError:
    if plain.is_routine(answer):
        what, advice = "a function", "call it and keep the table that it returns"
    elif type(answer) is dict:
        what, advice = "a dictionary", "make a table of it with pd.DataFrame(...)"
    else:
        what, advice = f"of type {type(answer).__name__}", "give a pandas DataFrame"
    text = f"{name} is {what}; {advice}."
    return _AnswerError(text, hidden=text)


def _compare_tables(
    name: str, answer: "pd.DataFrame", expected: "pd.DataFrame", rel: float
) -> None:
    import pandas as pd

    missing = [str(column) for column in expected.columns if column not in answer.columns]
    if missing:
        have = ", ".join(map(str, answer.columns)) or "none"
        raise _AnswerError(
            f"{name} has no column {missing[0]}; its columns are: {shortened(have)}.",
            hidden=f"{name} lacks a column.",
        )
    if len(answer) != len(expected):
        raise _AnswerError(
            f"{name} has {counted(len(answer), 'row')}; expected {len(expected)}.",
            hidden=f"{name} has the wrong count of rows.",
        )
    if not isinstance(expected.index, pd.RangeIndex):
        _compare_column(name, "row labels", answer.index, expected.index, rel)
    for column in expected.columns:
        mine = answer[column]
        if isinstance(mine, pd.DataFrame):
            raise _AnswerError(f"{name} has the column {column} more than once.")
        _compare_column(name, f"column {column}", mine, expected[column], rel)


def _compare_column(name: str, what: str, mine: Any, right: Any, rel: float) -> None:
    pairs = zip(_cells(mine), _cells(right), strict=True)
    for row, (given, wanted) in enumerate(pairs):
        if _same_cell(given, wanted, rel):
            continue
        shown = [_cell_text(cell) for cell in (given, wanted)]
        if isinstance(given, float) and isinstance(wanted, float):
            shown = list(format_pair(given, wanted))
        raise _AnswerError(
            f"{name}, {what}, row {row} is {shown[0]}; expected {shown[1]}.",
            hidden=f"{name}: a value in a column is not right.",
        )


def _cells(column: Any) -> list[float | str | None]:
    return [_cell(value) for value in column.tolist()]


def _cell(value: object) -> float | str | None:
    """Return a table's cell as a float, a text, or None for a missing value."""
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(cast(str, value)).strip()
    if kind is bool:
        return str(value)
    try:
        return plain.to_number(value)
    except NotPlainError as problem:
        if problem.missing or value is None:
            return None
        shows_itself = issubclass(kind, date | timedelta | tuple)
        return plain.plain_repr(value) if shows_itself else problem.kind


def _same_cell(given: float | str | None, wanted: float | str | None, rel: float) -> bool:
    if isinstance(given, float) and isinstance(wanted, float):
        goal = _NumberGoal(np.asarray(wanted), "", [], rel, 0.0, 1.0)
        return goal._same(np.asarray(given), goal.expected)
    return type(given) is type(wanted) and given == wanted


def _cell_text(cell: float | str | None) -> str:
    if cell is None:
        return "missing"
    return format_number(cell) if isinstance(cell, float) else repr(cell)

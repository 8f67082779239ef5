"""Checks of learners' answers: every failure is one clear message that says what to do.

A test cell reads

    with exercise("ch01_a_value") as check:
        check.result("position_value", (1_000, 10), 10_000, unit="USD", hint="…")

Answers are named by a text and looked up in the notebook, so that a missing name gets a sentence
instead of a `NameError`. They are turned into plain floats first (`plain`), then compared
(`goals`, `orders`, `tables`). The first check that fails ends the cell with `CheckFailed`. A
mistake of the exercise itself raises `AuthorError`: either way the cell fails, so nothing passes
by accident.
"""

import difflib
import math
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

import numpy as np

from leverage.lessons import calls, cells, manifest, nested, orders, plain, progress, solutions
from leverage.lessons.agreement import Comparison, Drawn, drawn_for
from leverage.lessons.calls import CallResult
from leverage.lessons.goals import (
    AnswerError,
    Goal,
    NumberGoal,
    Subject,
    WordGoal,
    largest,
    same_mistakes,
)
from leverage.lessons.own_work import handed_on_to
from leverage.lessons.plain import NotPlainError
from leverage.lessons.quizzes import judge_option
from leverage.lessons.samples import Sampler
from leverage.lessons.tables import compare_tables, not_a_table
from leverage.lessons.wording import (
    code_call,
    counted,
    format_number,
    item_label,
    say,
    sentence,
    unmarked,
    with_unit,
    wrapped,
)

if TYPE_CHECKING:
    import pandas as pd

_CALLED_AGAIN = 10
"""One call in so many is made again."""
_NAMES_OF_IPYTHON = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})


class CheckFailed(AssertionError):  # noqa: N818 - the name learners see
    """An answer is not right yet; the message is all that a learner needs to read.

    IPython and Jupyter show the message alone, without a traceback; `str()` of the exception is
    the same text.
    """

    def _render_traceback_(self) -> list[str]:
        return wrapped(str(self)).splitlines()


class AuthorError(Exception):
    """The exercise is wrong, not the answer; the message names the mistake."""


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


class Observer(Protocol):
    """Follows the checks where they are graded; the way of a grader into this module.

    Attributes
    ----------
    cells : CellRecord
        What became of the cells whose answers are checked.
    """

    @property
    def cells(self) -> cells.CellRecord:
        """What became of the cells whose answers are checked."""

    def passed(self, *, hidden: bool) -> None:
        """Take note of a check that passed; `hidden` is True where messages carry only a hint."""

    def failed(self, failure: CheckFailed, *, hidden: bool) -> bool:
        """Take note of a check that did not pass; return True to go on with the next check."""

    def call_each(
        self, function: object, cases: Sequence[tuple[Any, ...]]
    ) -> list[CallResult] | None:
        """Call a learner's function once for each tuple of arguments; None to leave it to us."""

    def drawn(self, item_id: str, number: int) -> Drawn | None:
        """Return the inputs of a cell's comparison, drawn before; None to have them drawn."""


_observer: Observer | None = None


def observe(observer: Observer | None) -> None:
    """Let an observer follow every check of this process from now on; None ends that.

    Examples
    --------
    >>> class Counter:
    ...     cells, seen = None, 0
    ...     def passed(self, *, hidden): Counter.seen += 1
    ...     def failed(self, failure, *, hidden): return False
    ...     def call_each(self, function, cases): return None
    ...     def drawn(self, item_id, number): return None
    >>> observe(Counter())
    >>> Check("ch01_a", {"margin": 100.0}).value("margin", 100)
    100.0
    >>> Counter.seen
    1
    >>> observe(None)
    """
    global _observer
    _observer = observer


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
        self._cells = _observer.cells if _observer is not None else cells.watch(names)
        if self._cells is not None:
            self._cells.started_check()

    def __enter__(self) -> "Check":
        self._check = Check(self.item_id, self._names, self._cells)
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
            self._record_failure(check)
            if error is check._failure:
                return
            raise check._failure from None
        if error is not None:
            failure = check._stopped(error, trace)
            if isinstance(failure, CheckFailed):
                self._record_failure(check)
            raise failure from None
        if check._count == 0:
            raise AuthorError(_author(self.item_id, "no check ran in this cell"))
        progress.record(self.item_id, passed=True)
        say(wrapped("\n".join([_success(self.item_id, check._hidden), *check._notes])))

    def _record_failure(self, check: "Check") -> None:
        if check._attempted:  # running an untouched notebook is no attempt
            progress.record(self.item_id, passed=False, hint=check._said, answer=check._answer)


class Check:
    """The checks of one graded cell.

    Every check takes the *name* of the learner's variable or function. Numbers are compared with
    relative tolerance `rel` (1e-6), or absolutely with `abs_tol` where that is larger. Where the
    expected number is 0 and `abs_tol` is 0, the tolerance is 1e-9, or 1e-12 of the largest number
    passed to the function, at most 1e-6; give `abs_tol` where that does not suit the unit.

    Checks return the learner's answer as plain floats, for use in `that`.
    """

    def __init__(
        self, item_id: str, names: Mapping[str, object], followed: cells.CellRecord | None = None
    ) -> None:
        self._item_id, self._names, self._cells = item_id, names, followed
        self._count = 0
        self._hidden = False
        self._compared = 0
        self._failure: CheckFailed | None = None
        self._attempted = True
        self._said = ""
        self._answer = ""
        self._notes: list[str] = []
        self._own_work: set[str] = set()
        """Answers that are known to be worked out, not handed on."""

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
            return goal.judge(self._find(name), Subject(name, name, is_call=False))

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
        rel: float = 1e-9,
        abs_tol: float = 0.0,
    ) -> Any:
        """Check what a function returns for given arguments.

        A function is held to more digits than a variable (`rel` is 1e-9), so that one that rounds
        is told so at once, as the comparison with the solution would tell it later.

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

    def compare(
        self,
        name: str,
        solution: Callable[[], Mapping[str, Any]],
        draw: Callable[[Sampler], Sequence[Any]],
        *,
        hint: str = "",
        kinds: Mapping[str, Callable[..., bool]] | None = None,
        mistakes: Mapping[str, Callable[..., Any]] | None = None,
        no_effect: Sequence[str] = (),
        rel: float = 1e-9,
        count: int = 300,
    ) -> None:
        """Compare a function with the chapter's own solution on many drawn arguments.

        The answer must agree but for rounding, refuse what the solution refuses, leave its
        arguments as they are, and give the same when it is called again.

        Parameters
        ----------
        name : str
            Name of the learner's function.
        solution : callable
            `solution`, which the build defines in the hidden part of the test.
        draw : callable
            Takes a `Sampler` and returns the arguments of one call, as a tuple.
        hint : str
            What to think of next, where nothing below fits.
        kinds : mapping, optional
            Hints, each with a function of the arguments that tells whether they are of a kind;
            the first kind to which every failing call belongs gives the hint.
        mistakes : mapping, optional
            Hints, each with the wrong function that it is about; the first that explains every
            failing call gives the hint.
        no_effect : sequence of str, optional
            Parameters that change no result; `classroom check` asks of all others that they do.
        rel : float
            Relative tolerance beyond what rounding may do.
        count : int
            Calls.

        Examples
        --------
        >>> check = Check("ch01_a_value", {"twice": lambda x: x + x})
        >>> check.hidden()
        >>> check.compare("twice", lambda: {"twice": lambda x: 2 * x}, lambda pick: (pick.number(0, 1),))
        """
        if not self._hidden:
            self._author("check.compare belongs below check.hidden()")
        right = solution().get(name)
        if right is None:
            self._author(f"check.compare: the solution defines no {name}")
        drawn = _observer.drawn(self._item_id, self._compared) if _observer is not None else None
        self._compared += 1
        try:
            drawn = drawn or drawn_for(self._item_id, draw, right, count)
        except ValueError as fault:
            self._author(f"check.compare: {fault}")
        samples = drawn.samples
        cases = [
            sample.args
            for sample in [*samples, *reversed(samples[: -(-len(samples) // _CALLED_AGAIN)])]
        ]
        with self._answering(hint):
            function = self._function(name)
            subject = Subject(name, name, is_call=True)
            calls.refuse_signature(function, subject, cases[0], {})
            each = _observer.call_each(function, cases) if _observer is not None else None
            results = calls.call_each(function, cases) if each is None else each
            comparison = Comparison(
                subject, right, drawn, kinds or {}, mistakes or {}, rel, self._crash
            )
            problem = comparison.problem(results)
            if problem is not None:
                raise problem

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
                raise AnswerError(
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
        if "salt" not in quiz and quiz["answer"] not in quiz["feedback"]:
            self._author(f"check.option: {name} has no option {quiz['answer']!r}, its answer")
        with self._answering(""):
            verdict = judge_option(quiz, self._find(name, blank=False))
            if not verdict.option:
                raise AnswerError(verdict.text, hidden=verdict.text, unanswered=verdict.unanswered)
            text = f"You answered {verdict.option}. {sentence(unmarked(verdict.text))}"
            if not verdict.right:
                raise AnswerError(text, hidden=text)
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
        rights = [orders.labels(order) for order in orders.several(expected)]
        if not rights or not all(rights):
            self._author(
                f"check.order: expected must be letters or whole numbers, was {expected!r}"
            )
        known = {orders.folded(key): text for key, text in (mistakes or {}).items()}
        with self._answering(hint):
            answer = self._find(name)
            problem = orders.order_problem(name, answer, cast(list[list[str]], rights))
            if problem is not None:
                problem.hint = known.get(orders.folded(answer), "")
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
            subject = Subject(name, name, is_call=False)
            answer: float = subject.plain(self._find(name), "", plain.to_number)
            shown = with_unit(format_number(answer), unit)
            if math.isinf(answer):
                raise AnswerError(f"{name} is infinite; give a finite number.")
            if (low is not None and answer < low) or (high is not None and answer > high):
                sign = ", without a sign" if answer < 0 and low is not None and low >= 0 else ""
                wanted = f"{_range(low, high, unit)}{sign}"
                raise AnswerError(f"{name} is {shown}; give a number {wanted}.")
            if unit == "%" and 0 < answer < 1 and (high is None or answer * 100 <= high):
                meant = format_number(answer * 100)
                self._notes.append(f"That means {shown}. Did you mean {meant}?")
            return answer

    def text(self, name: str, *, min_words: int = 1, hint: str = "") -> str:
        """Check only the form of an answer: a text of at least `min_words` words."""
        with self._answering(hint):
            answer = self._find(name)
            if not issubclass(type(answer), str):
                what = "a function" if plain.is_routine(answer) else plain.plain_repr(answer)
                raise AnswerError(f"{name} is {what}; write a text in quotes.")
            text = str.__str__(cast(str, answer))
            if text.strip().upper() == "YOUR ANSWER HERE":
                text = ""
            words = len([word for word in text.split() if any(map(str.isalnum, word))])
            if words < min_words:
                need = counted(min_words, "word")
                raise AnswerError(
                    f"{name} has {counted(words, 'word')}; write at least {need}.",
                    unanswered=words == 0,
                )
            return text

    def table(
        self, name: str, expected: "pd.DataFrame", *, hint: str = "", rel: float = 1e-6
    ) -> None:
        """Check a pandas table: columns by name, in any order; rows in the order expected.

        Columns beyond the expected ones are ignored. Row labels count only where `expected` has
        labels of its own. A missing value is right only where one is expected.
        """
        from leverage._pandas import pd

        if not isinstance(expected, pd.DataFrame) or expected.empty:
            self._author("check.table: expected must be a DataFrame with rows and columns")
        with self._answering(hint):
            answer = self._find(name)
            if type(answer) is not pd.DataFrame:
                raise not_a_table(name, answer, self._names)
            if any(
                value is Ellipsis for column in answer for value in answer[[column]].to_numpy().flat
            ):
                raise AnswerError(
                    f"{name} still has a blank (...) in it; replace it by your answer.",
                    unanswered=True,
                )
            compare_tables(name, answer, expected, rel)

    def data(
        self,
        name: str,
        args: Sequence[Any] | None,
        expected: Any,
        *,
        hint: str = "",
        hints: Mapping[str, str] | None = None,
        rel: float = 1e-6,
    ) -> Any:
        """Check dictionaries and lists: what a function returns, or what a variable holds.

        Parameters
        ----------
        name : str
            Name of the learner's function, or of a variable if `args` is None.
        args : tuple or None
            Positional arguments; each call gets a copy.
        expected : dict, list, str, bool, None or number
            The right answer, nested as needed; lists and tuples are the same.
        hint : str
            What to think of next.
        hints : mapping, optional
            By key of a dictionary: what a wrong value there tells. It replaces `hint`.
        rel : float
            Relative tolerance of numbers.

        Returns
        -------
        object
            The learner's answer as plain dictionaries, lists, texts and floats.
        """
        right = nested.to_plain(expected)
        with self._answering(hint):
            if args is None:
                subject, value, printed = Subject(name, name, is_call=False), self._find(name), ""
            else:
                outcome, subject = self._run(name, self._arguments(args, None)[0], {})
                if outcome.error is not None:
                    raise self._crash(outcome.error, subject)
                value, printed = outcome.value, outcome.printed
            mine = subject.plain(value, printed, nested.to_plain)
            problem = nested.structure_problem(subject.shown, name, mine, right, rel, hints or {})
            if problem is not None:
                raise problem
            return mine

    def choice(self, name: str, judge: Callable[[Any], Sequence[str]], *, hint: str = "") -> Any:
        """Check a free choice: every answer in which `judge` finds nothing wrong is right.

        Parameters
        ----------
        name : str
            Name of the learner's variable: a dictionary, a list, a text or a number.
        judge : callable
            Takes the answer as plain data and returns sentences that say what is wrong with it.
        hint : str
            What to think of next.

        Returns
        -------
        object
            The answer as plain dictionaries, lists, texts and floats.
        """
        with self._answering(hint):
            subject = Subject(name, name, is_call=False)
            mine = subject.plain(self._find(name), "", nested.to_plain)
            problems = judge(mine)
            if problems:
                first, *others = problems
                more = f" And {counted(len(others), 'more thing')}." if others else ""
                text = f"{sentence(unmarked(first))}{more}"
                raise AnswerError(text, hidden=text)
            return mine

    def that(self, condition: object, hint: str) -> None:
        """Check a condition of the author's own; it must be True or False."""
        if type(condition) not in (bool, np.bool_):
            kind = type(condition).__name__
            problem = f"A condition of this check is neither True nor False but of type {kind}."
            with self._answering(hint):
                raise AnswerError(problem, hidden=problem)
        with self._answering(""):
            if not bool(condition):
                text = sentence(unmarked(hint)) or "A condition of this exercise does not hold."
                raise AnswerError(text, hidden=text)

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
    ) -> "Goal":
        if not (isinstance(unit, str) and isinstance(hint, str)):
            self._author(f"unit and hint must be texts, were {unit!r} and {hint!r}")
        if not (0 <= rel < 1 and 0 <= abs_tol < math.inf):
            self._author(
                f"rel must be from 0 to below 1 and abs_tol positive: {rel!r}, {abs_tol!r}"
            )
        if isinstance(expected, bool | np.bool_ | str):
            kind = str if isinstance(expected, str) else bool
            words = WordGoal(kind(expected), unit, list((mistakes or {}).items()))
            return self._with_own_mistakes(words)
        try:
            right = plain.to_array(expected)
            wrong = [(plain.to_array(key), text) for key, text in (mistakes or {}).items()]
        except NotPlainError as problem:
            self._author(f"expected or a key of mistakes is {problem.shown}; give numbers")
        return self._with_own_mistakes(
            NumberGoal(right, unit, wrong, rel, abs_tol, largest([*inputs, expected]))
        )

    def _with_own_mistakes(self, goal: WordGoal | NumberGoal) -> Goal:
        twins = same_mistakes(goal)
        if twins is not None:
            self._author(f"one answer matches two of {twins}; give each mistake its own value")
        return goal

    def _arguments(
        self, args: Any, kwargs: Mapping[str, Any] | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not isinstance(args, tuple | list):
            self._author(f"args must be a tuple such as ({args!r},), was {args!r}")
        return tuple(args), dict(kwargs or {})

    def _find(self, name: str, *, blank: bool = True) -> object:
        if not isinstance(name, str):
            self._author(f"give the name of the answer as a text, not {name!r}")
        stop = self._cells.stop_of(name) if self._cells is not None else None
        if stop is not None:
            raise _stopped_cell(stop)
        if name not in self._names:
            raise self._missing(name)
        value = self._names[name]
        if blank and plain.holds_blank(value):
            text = f"{name} is still ...: replace the ... with your answer, run that cell"
            text += " and then this one."
            raise AnswerError(text, hidden=text, unanswered=True)
        self._refuse_what_is_handed_on(name)
        return value

    def _refuse_what_is_handed_on(self, name: str) -> None:
        """Refuse an answer that is the course's own function, where the exercise does not allow it."""
        facts = manifest.find_item(self._item_id)
        if self._cells is None or facts is None or name in self._own_work:
            return
        self._own_work.add(name)
        function = handed_on_to(name, self._cells.source_of, self._names)
        if function and function not in facts.get("course", ()):
            text = f"{name} leaves the question to {function}, a function of the course;"
            text += " this exercise asks you to work it out yourself."
            raise AnswerError(text, hidden=text)

    def _missing(self, name: str) -> AnswerError:
        stop = None
        if self._cells is not None:
            stop = self._cells.stop_of(name) or self._cells.last_stop(name)
        if stop is not None:
            return _stopped_cell(stop)
        text = f"{name} is not there yet: write your answer, run its cell, then run this one."
        known = [key for key in self._names if self._is_own(key)]
        near = [key for key in known if key.lower() == name.lower()]
        near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        if near:
            text += f" Is it the one you called {near[0]}?"
        return AnswerError(text, hidden=text, unanswered=True)

    def _is_own(self, key: object) -> bool:
        """Tell whether a name of the notebook may be the learner's: neither given nor imported."""
        if not isinstance(key, str) or key.startswith("_") or key in _NAMES_OF_IPYTHON:
            return False
        if self._cells is not None and self._cells.is_imported(key):
            return False
        value = self._names[key]
        if issubclass(type(value), types.FunctionType):
            return cast(types.FunctionType, value).__globals__ is self._names
        if plain.is_routine(value):
            home = getattr(value, "__module__", None)
            return isinstance(value, type) and home == self._names.get("__name__", "builtins")
        return not issubclass(type(value), types.ModuleType)

    def _function(self, name: str) -> Callable[..., object]:
        function = self._find(name)
        if not callable(function):
            text = f"{name} is not a function; the exercise asks for one: def {name}(...)."
            raise AnswerError(text, hidden=text)
        return function

    def _run(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[CallResult, "Subject"]:
        function = self._function(name)
        subject = Subject(name, code_call(name, args, kwargs), is_call=True)
        calls.refuse_signature(function, subject, args, kwargs)
        outcome = calls.call(function, calls.copied(args), calls.copied(kwargs))
        if outcome.printed and not self._hidden:
            say(outcome.printed.rstrip("\n"))
        return outcome, subject

    def _crash(self, error: BaseException, subject: "Subject") -> AnswerError:
        return calls.crash(error, subject, self._names)

    def _fail(self, problem: AnswerError, hint: str) -> CheckFailed:
        state = "not answered yet" if problem.unanswered else "not yet"
        lines = [f"✗ {item_label(self._item_id)}: {state}."]
        self._answer = "" if problem.unanswered else progress.answer_mark(problem.detail)
        graded = progress.is_graded()
        tries = 0 if graded else progress.tries_with(self._item_id, self._answer)
        keeps = tries < solutions.TRIES and not graded
        lines.append(problem.hidden if self._hidden else problem.first if keeps else problem.detail)
        hint = problem.hint or f"{sentence(problem.note)} {sentence(hint)}".strip()
        # Running a page that nobody has answered yet gives no hint away.
        hint = "" if problem.alone or problem.unanswered else unmarked(hint)
        if hint:
            lines.append(f"Hint: {sentence(hint)}")
        self._said = hint or lines[1]
        if not self._hidden:
            lines += solutions.offer(self._item_id, tries)
        self._attempted = not problem.unanswered
        self._failure = CheckFailed("\n".join(lines))
        return self._failure

    def _stopped(self, error: BaseException, trace: TracebackType | None) -> Exception:
        """Turn an error of the test cell itself into a message for the learner."""
        if _is_ours(error, trace):
            return AuthorError(
                _author(self._item_id, f"the check stopped with {calls.error_text(error)}")
            )
        function = calls.function_of(trace, self._names)
        name = getattr(error, "name", None) if type(error) is NameError else None
        if name and not function:
            return self._fail(self._missing(str(name)), "")
        if isinstance(error, NotImplementedError) or "ellipsis" in calls.error_text(error).lower():
            text = "A blank (...) or NotImplementedError is still there: write your answer,"
            text += " run its cell, then this one."
            return self._fail(AnswerError(text, hidden=text, unanswered=True), "")
        if function:
            subject = Subject(function, function, is_call=True)
            return self._fail(self._crash(error, subject), "")
        advice = "Run the chapter's cells from the top, then look at your answer again."
        return self._fail(
            AnswerError(
                f"The check stopped with {calls.error_text(error)}. {advice}",
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
    ) -> bool | None:
        check = self._check
        if error is None:
            if self._counts and _observer is not None:
                _observer.passed(hidden=check._hidden)
            return None
        if not isinstance(error, AnswerError):
            return None
        failure = check._fail(error, self._hint)
        if _observer is None or not _observer.failed(failure, hidden=check._hidden):
            raise failure from None
        check._failure = None
        return True


def _author(item_id: str, mistake: str) -> str:
    return (
        f"{item_id}: {mistake}. This is a mistake in the exercise, not in your answer:"
        " please report it."
    )


def _success(item_id: str, ran_hidden: bool) -> str:
    item = manifest.find_item(item_id) or {}
    points = item.get("points", 0)
    if item.get("hidden") and not ran_hidden and not progress.is_settled(item_id):
        return f"✓ {item_label(item_id)}: passes here, the hidden test is still open."
    line = f"✓ {item_label(item_id)}: correct."
    return f"{line} {points:g} of {counted(points, 'point')}." if points else line


def _stopped_cell(stop: cells.StoppedCell) -> AnswerError:
    return AnswerError(stop.text, hidden=stop.text, unanswered=True, alone=True)


def _is_ours(error: BaseException, trace: TracebackType | None) -> bool:
    """Tell an error of the checks or of their use from one of the learner's making."""
    if isinstance(error, TypeError) and str(error).startswith("Check."):
        return True
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    home = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return str(home).startswith("leverage.lessons.")


def _range(low: float | None, high: float | None, unit: str) -> str:
    texts = [None if end is None else with_unit(format_number(end), unit) for end in (low, high)]
    if texts[0] is None:
        return f"up to {texts[1]}"
    return f"from {texts[0]} on" if texts[1] is None else f"from {texts[0]} to {texts[1]}"

"""Call a learner's function and put whatever ends it into one sentence."""

import copy
import inspect
import io
import linecache
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from leverage.lessons.goals import AnswerError, Subject
from leverage.lessons.wording import counted, shortened

_PRINT_LIMIT = 2_000


@dataclass(frozen=True)
class CallResult:
    """What a learner's function did: a value, what it printed, or the error that ended it."""

    value: object = None
    printed: str = ""
    error: BaseException | None = None
    changed: bool = False
    """Whether the function changed its arguments; only `call_each` looks."""


class _Printed(io.StringIO):
    """Keeps the first part of what a function prints, so that an endless print does no harm."""

    def write(self, text: str, /) -> int:
        room = _PRINT_LIMIT - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)


def refuse_signature(
    function: Any, subject: Subject, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Raise `AnswerError` if the function does not take these arguments."""
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
        raise AnswerError(
            f"{problem}, {subject.shown} {fault}", hidden=f"{problem} {fault}"
        ) from None


def call(function: Any, args: Any, kwargs: Any) -> CallResult:
    """Call a learner's function; what it prints or warns of must not spoil the verdict."""
    printed = _Printed()
    try:
        with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
            warnings.simplefilter("ignore")
            value = function(*args, **kwargs)
    except BaseException as error:
        return CallResult(printed=printed.getvalue(), error=error)
    return CallResult(value=value, printed=printed.getvalue())


def call_each(function: Any, cases: Sequence[tuple[Any, ...]]) -> list[CallResult]:
    """Call a learner's function once for each tuple of arguments, of which it gets copies."""
    results: list[CallResult] = []
    printed = _Printed()
    with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
        warnings.simplefilter("ignore")
        for case in cases:
            args = case if is_fixed(case) else copied(case)
            value, stopped = None, None
            try:
                value = function(*args)
            except BaseException as error:
                stopped = error
            changed = args is not case and not same_data(args, case)
            results.append(CallResult(value, printed.getvalue(), stopped, changed))
            if isinstance(stopped, KeyboardInterrupt):
                break
    return results + results[-1:] * (len(cases) - len(results))


_FIXED = frozenset({float, int, bool, str, type(None)})


def is_fixed(args: tuple[Any, ...]) -> bool:
    """Tell whether no function can change any of these arguments."""
    return _FIXED.issuperset(map(type, args))


def same_data(one: Any, other: Any) -> bool:
    """Tell whether two copies of a call's arguments still hold the same.

    >>> same_data(([1.0, 2.0],), ([1.0, 2.0],)), same_data(([1.0],), ([1.0, 2.0],))
    (True, False)
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_data, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same_data, one.values(), other.values()))
    if hasattr(one, "equals"):  # a table or a Series
        return bool(one.equals(other))
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and all(map(same_data, one.flat, other.flat))
    try:
        return bool(one == other or (one != one and other != other))
    except Exception:
        return True


def copied(value: Any) -> Any:
    """Return a deep copy where there is one, so that a call cannot change later ones."""
    kind = type(value)
    if kind in _FIXED:
        return value
    if kind in (list, tuple):
        return kind(map(copied, value))
    if kind is dict:
        return {key: copied(part) for key, part in value.items()}
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def crash(error: BaseException, subject: Subject, names: Mapping[str, object]) -> AnswerError:
    """Put the error that ended a learner's function into a sentence.

    With its line, where that may be told: what a hidden check asked could stand in it.
    """
    text, line = error_text(error), _line_of(error, names)
    special = _special_end(error)
    if special:
        return AnswerError(f"{subject.shown} {special}{line}.", hidden=f"{subject.name} {special}.")
    if isinstance(error, NotImplementedError):
        unanswered = f"{subject.name} still raises NotImplementedError: replace that line"
        unanswered += " with your answer, run that cell and then this one."
        return AnswerError(unanswered, hidden=unanswered, unanswered=True)
    if isinstance(error, TypeError) and "ellipsis" in text.lower():
        unanswered = f"{subject.name} still holds ...: replace every ... with your answer"
        return AnswerError(f"{unanswered}{line}.", hidden=f"{unanswered}.", unanswered=True)
    advice = ""
    if type(error) is NameError and error.name:
        advice = " Check the spelling; a text, such as a column's name, needs quotes."
    return AnswerError(
        f"{subject.shown} stopped with {text}{line}.{advice}",
        hidden=f"{subject.name} stopped with {type(error).__name__}.{advice}",
    )


def function_of(trace: TracebackType | None, names: Mapping[str, object]) -> str:
    """Name the learner's function that ended a test cell with an error; "" if none did.

    The trace begins in the test cell itself, which lives among the same names, and so do its
    comprehensions.
    """
    while trace is not None:
        trace = trace.tb_next
        if trace is not None and trace.tb_frame.f_globals is names:
            name = trace.tb_frame.f_code.co_name
            if not name.startswith("<"):
                return name
    return ""


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


def error_text(error: BaseException) -> str:
    """Return the error's type and message, for a message to the learner."""
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

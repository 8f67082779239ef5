"""Turn whatever a learner gives into plain floats, or say what it is and what to do.

Answers are compared only after this step, on values of our own. An object that claims to equal
everything, or that answers `float()` with what we hope to see, is refused by its type: only
the number types of Python, NumPy and pandas are read, and through their own methods.
"""

import math
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from leverage.lessons.wording import counted, safe_repr, shortened

FloatArray = npt.NDArray[np.float64]

_NUMPY_SCALARS = frozenset(
    kind for kind in np.sctypeDict.values() if issubclass(kind, np.integer | np.floating)
)
_EXACT = _NUMPY_SCALARS | {Decimal, Fraction}
_LAZY: tuple[type, ...] = (map, filter, zip, enumerate, type({}.values()), type({}.keys()))
_ROUTINES = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, np.ufunc, type)
_NAN = "nan (not a number)"
_NAN_ADVICE = "look for 0 / 0, or for a missing value in the calculation"
_DEEPEST = 4
_LONGEST = 1_000_000


class NotPlainError(Exception):
    """The answer is not a finite number, or not an array of them.

    Attributes
    ----------
    kind : str
        What was received, without its value: "a text".
    shown : str
        What was received, with its value: "a text ('900')".
    advice : str
        What to do, as the second half of a sentence.
    unanswered : bool
        True when the blank (`...`) is still there.
    missing : bool
        True for NaN and for the missing values of pandas.
    """

    def __init__(
        self,
        kind: str,
        advice: str,
        *,
        shown: str = "",
        unanswered: bool = False,
        missing: bool = False,
    ) -> None:
        super().__init__(f"{shown or kind}; {advice}")
        self.kind, self.shown, self.advice = kind, shown or kind, advice
        self.unanswered, self.missing = unanswered, missing


def to_number(value: object, *, wanted: str = "one number") -> float:
    """Return the float that a learner's answer stands for.

    Parameters
    ----------
    value : object
        int, float, Decimal, Fraction, a NumPy number, or an array, Series or table with one number.
    wanted : str
        What the exercise asks for, used in the advice.

    Returns
    -------
    float
        The number, possibly infinite; never NaN.

    Raises
    ------
    NotPlainError
        For anything else: bool, text, None, complex, NaN, a function, several numbers.

    Examples
    --------
    >>> to_number(Fraction(1, 8)), to_number(np.array([2]))
    (0.125, 2.0)
    >>> to_number("900")
    Traceback (most recent call last):
    leverage.lessons.plain.NotPlainError: a text ('900'); give one number without quotes
    """
    kind = type(value)
    if _is_truth(value):
        raise NotPlainError(
            "True or False", f"give {wanted}, not True or False", shown=str(bool(value))
        )
    if issubclass(kind, int | float) or kind in _EXACT:
        return _real(value)
    if issubclass(kind, np.ndarray) or is_pandas(value):
        return _only_number(to_array(value), kind.__name__, wanted)
    if kind in (list, tuple):
        raise _sequence_for_number(cast("list[object] | tuple[object, ...]", value), wanted)
    raise explain(value, wanted)


def to_array(value: object, *, wanted: str = "a list of numbers") -> FloatArray:
    """Return the answer as an array of floats of the shape in which it was given.

    Lists, tuples, ranges, arrays, Series, Index and DataFrame are read; so is a single number,
    as an array without dimensions.

    Raises
    ------
    NotPlainError
        If the answer, or any of its elements, is not a number; the element is named.

    Examples
    --------
    >>> to_array([1, Decimal("2.5")])
    array([1. , 2.5])
    """
    if is_pandas(value):
        value = _pandas_values(value)
    if issubclass(type(value), np.ndarray):
        return _from_array(cast("npt.NDArray[Any]", value))
    if issubclass(type(value), list | tuple | range):
        return _from_rows(value)
    return np.asarray(to_number(value, wanted=wanted), dtype=float)


def as_word(word: str) -> str:
    """Return a word as it counts: without capitals, blanks around it and a full stop.

    >>> as_word(" Long."), as_word("out of date")
    ('long', 'out of date')
    """
    return word.strip().rstrip(".").casefold()


def same_word(mine: object, right: object) -> bool:
    """Tell whether two texts, two truth values (also 0 and 1), or two missing values agree.

    >>> same_word("Long.", "long"), same_word(1.0, True), same_word(2.0, "2")
    (True, True, False)
    """
    if isinstance(mine, str) and isinstance(right, str):
        return as_word(mine) == as_word(right)
    if isinstance(mine, bool | float) and isinstance(right, bool | float):
        return mine == right
    return mine is None and right is None


def numbers_for_truths(value: Any) -> Any:
    """Return an answer with 1 and 0 in place of True and False, also in lists and arrays.

    >>> numbers_for_truths([True, 0.5])
    [1, 0.5]
    """
    if _is_truth(value):
        return int(value)
    if type(value) in (list, tuple):
        return [int(part) if _is_truth(part) else part for part in value]
    if is_pandas(value) or type(value) is np.ndarray:
        array = np.asarray(value)
        return array.astype(int) if array.dtype.kind == "b" else value
    return value


def _is_truth(value: object) -> bool:
    return type(value) is bool or issubclass(type(value), np.bool_)


def explain(value: object, wanted: str = "one number") -> NotPlainError:
    """Return the sentence for an answer of a type that is never a number."""
    kind = type(value)
    name = shortened(kind.__name__, 40)
    if value is Ellipsis:
        return NotPlainError("still ...", "replace the ... with your answer", unanswered=True)
    if value is None:
        return NotPlainError("None", f"give {wanted}")
    if issubclass(kind, str):
        return NotPlainError(
            "a text",
            f"give {wanted} without quotes",
            shown=f"a text ({shortened(str.__repr__(cast(str, value)), 40)})",
        )
    if issubclass(kind, bytes):
        return NotPlainError("a text of bytes", f"give {wanted} without quotes")
    if issubclass(kind, complex | np.complexfloating):
        return NotPlainError(
            "a complex number", "look for a square root or a fractional power of a negative number"
        )
    if issubclass(kind, types.CoroutineType):
        cast("types.CoroutineType[Any, Any, Any]", value).close()
        return NotPlainError("a coroutine", "write def instead of async def")
    if issubclass(kind, types.GeneratorType):
        return NotPlainError("a generator", "use return instead of yield, or list(...) around it")
    if issubclass(kind, _LAZY):
        return NotPlainError(f"a {name} object", "put list(...) around it")
    if kind in (set, frozenset):
        return NotPlainError("a set, which has no order", "use square brackets: a list")
    if issubclass(kind, dict):
        return NotPlainError("a dictionary", f"give {wanted}, not a dictionary")
    if issubclass(kind, types.ModuleType):
        return NotPlainError("a module", f"give {wanted}")
    if issubclass(kind, _ROUTINES):
        routine = shortened(str(getattr(value, "__name__", "it")), 40)
        return NotPlainError(
            "a function",
            "call it: put its arguments in parentheses behind its name",
            shown=f"the function {routine} and not its result",
        )
    if is_missing(value):
        return NotPlainError(
            "a missing value", f"give {wanted}", shown=f"a missing value ({name})", missing=True
        )
    return NotPlainError(f"an object of type {name}", f"give {wanted} of type int or float")


def is_routine(value: object) -> bool:
    """Tell whether the object is something a learner may have forgotten to call."""
    return issubclass(type(value), _ROUTINES)


def holds_blank(value: object, depth: int = 0) -> bool:
    """Tell whether a blank (`...`) is left in the answer, also inside a list or a tuple."""
    if type(value) in (list, tuple) and depth <= _DEEPEST:
        parts = cast("list[object]", value)[:1000]
        return any(holds_blank(part, depth + 1) for part in parts)
    return value is Ellipsis


def _real(value: Any) -> float:
    kind = type(value)
    try:
        number = _converted(value, kind)
    except OverflowError:
        raise NotPlainError(
            "a number too large to compute with", "check the formula for a power"
        ) from None
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise NotPlainError(_NAN, _NAN_ADVICE, missing=True)
    return number


def _converted(value: Any, kind: type) -> float:
    if kind in _EXACT:
        return float(value)
    convert: Callable[[Any], Any] = int.__int__ if issubclass(kind, int) else float.__float__
    return float(convert(value))


def _only_number(array: FloatArray, name: str, wanted: str) -> float:
    if array.size != 1:
        what = {"DataFrame": "a table", "Series": "a Series"}.get(name, "an array")
        shown = f"{what} with {counted(array.size, 'number')}"
        raise NotPlainError(what, f"give {wanted}", shown=shown)
    return float(array.reshape(-1)[0])


def _sequence_for_number(value: list[object] | tuple[object, ...], wanted: str) -> NotPlainError:
    if holds_blank(value):
        return explain(...)
    what = "a list" if type(value) is list else "a tuple"
    advice = f"give {wanted}"
    if len(value) == 1:
        advice += " without the brackets" if type(value) is list else " without the comma"
    return NotPlainError(what, advice, shown=f"{what} with {counted(len(value), 'value')}")


def _from_array(value: npt.NDArray[Any]) -> FloatArray:
    if issubclass(type(value), np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise NotPlainError("an array with masked values", "fill the masked values first")
    array = np.array(value, subok=False)
    if array.dtype.kind in "iuf":
        plain = array.astype(float)
        return _without_nan(plain)
    if array.dtype.kind == "O":
        flat = [
            _element(part, _index_words(i, array.shape)) for i, part in enumerate(array.reshape(-1))
        ]
        return np.array(flat, dtype=float).reshape(array.shape)
    kinds = {
        "b": ("an array of True and False", "give numbers"),
        "c": ("an array of complex numbers", "look for a root of a negative number"),
        "U": ("an array of texts", "give numbers without quotes"),
        "S": ("an array of texts", "give numbers without quotes"),
        "M": ("an array of dates", "give numbers"),
        "m": ("an array of durations", "give numbers"),
    }
    what, advice = kinds.get(array.dtype.kind, ("an array of records", "give numbers"))
    raise NotPlainError(what, advice)


def _without_nan(array: FloatArray) -> FloatArray:
    missing = np.isnan(array)
    if missing.any():
        place = _index_words(int(np.flatnonzero(missing)[0]), array.shape)
        what = f"an array that holds {_NAN}" if place else _NAN
        shown = f"{what} at {place}" if place else what
        raise NotPlainError(what, _NAN_ADVICE, shown=shown, missing=True)
    return array


def _from_rows(value: Any, depth: int = 0) -> FloatArray:
    if depth >= _DEEPEST:
        raise NotPlainError(
            "a list nested too deep", "use one pair of square brackets per dimension"
        )
    parts = list(value)
    if len(parts) > _LONGEST:
        raise NotPlainError("a very long list", "check the loop that fills it")
    plain: list[Any] = []
    for i, part in enumerate(parts):
        if issubclass(type(part), list | tuple | range):
            plain.append(_from_rows(part, depth + 1))
        elif issubclass(type(part), np.ndarray) or is_pandas(part):
            array = to_array(part)
            plain.append(array.reshape(()) if array.size == 1 else array)
        else:
            plain.append(_element(part, f"[{i}]"))
    if len({np.shape(part) for part in plain}) > 1:
        raise NotPlainError(
            "a list whose rows have different lengths", "give every row the same length"
        )
    return np.array(plain, dtype=float)


def _element(part: object, place: str) -> float:
    try:
        return to_number(part)
    except NotPlainError as problem:
        if problem.unanswered:
            raise
        raise NotPlainError(
            f"a list that holds {problem.kind}",
            problem.advice,
            shown=f"a list that holds {problem.shown} at {place}",
        ) from None


def _index_words(flat_index: int, shape: tuple[int, ...]) -> str:
    if not shape:
        return ""
    return "[" + ", ".join(str(int(i)) for i in np.unravel_index(flat_index, shape)) + "]"


def _pandas() -> Any:
    return sys.modules.get("pandas")


def is_pandas(value: object) -> bool:
    """Tell whether the object is a Series, an Index or a table of pandas itself."""
    pandas = _pandas()
    if pandas is None:
        return False
    kind = type(value)
    indexes = (pandas.Index, pandas.RangeIndex)
    return kind in (pandas.Series, pandas.DataFrame, *indexes)


def _pandas_values(value: Any) -> npt.NDArray[Any]:
    array = value.to_numpy()
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return cast("npt.NDArray[Any]", array)


def is_missing(value: Any) -> bool:
    """Tell whether the object stands for no value in an array or a table: NaN, NA or NaT."""
    if issubclass(type(value), float | np.floating):
        return bool(value != value)
    pandas = _pandas()
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def plain_repr(value: object) -> str:
    """Return a short text that shows an answer in a message."""
    return shortened(safe_repr(value), 60)

"""What every public function of the arithmetic does around its formula.

Series of pandas in, Series out with their index; numbers beyond what a float holds end in a
sentence. pandas is recognised by what a Series has and never imported.
"""

import sys
from collections.abc import Callable
from functools import wraps
from inspect import signature
from threading import local
from types import FunctionType
from typing import Any

import numpy as np

from leverage._validate import has_labels, same_labels, shown

_WITHOUT_LABELS = frozenset(
    {float, int, bool, str, type(None), list, tuple, np.float64, np.ndarray}
)


class _Inside(local):
    """Whether this thread is inside a guarded function, whose own calls need no guard."""

    yes = False


_inside = _Inside()


def guard(names: dict[str, Any], *, labels: bool = True) -> None:
    """Wrap the public functions of a module, and the public methods of its classes.

    Called once at the end of a module with its ``globals()``, so that no function is forgotten.

    Parameters
    ----------
    names : dict
        The module's names, which are changed.
    labels : bool, default True
        Whether Series become Series. Functions whose last axis is no axis of rows leave it out.
    """
    for name, value in list(names.items()):
        if name.startswith("_") or getattr(value, "__module__", "") != names["__name__"]:
            continue
        if isinstance(value, FunctionType):
            names[name] = _guarded(value, labels)
        elif isinstance(value, type):
            for part, method in list(vars(value).items()):
                if isinstance(method, FunctionType) and not part.startswith("_"):
                    setattr(value, part, _guarded(method, labels))


def _guarded(function: Callable[..., Any], labels: bool) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if _inside.yes:
            return function(*args, **kwargs)
        if labels:
            for value in (*args, *kwargs.values()):
                if type(value) not in _WITHOUT_LABELS and has_labels(value):
                    return _labelled(function, _named(function, args, kwargs))
        return _computed(function, args, kwargs)

    return guarded


def _named(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    return signature(function).bind(*args, **kwargs).arguments


def _computed(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    _inside.yes = True
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            return function(*args, **kwargs)
    except (FloatingPointError, OverflowError):
        name, number = _furthest(_named(function, args, kwargs))
        raise ValueError(
            f"{name} must be of a size that can be multiplied and divided, was {shown(number)}, "
            "and the result is larger than any float; check the units of what you give"
        ) from None
    finally:
        _inside.yes = False


def _furthest(arguments: dict[str, Any]) -> tuple[str, float]:
    """Name and value of the argument that is furthest from 1 in size."""
    found = ("the numbers", 1.0)
    for name, value in arguments.items():
        try:
            sizes = abs(np.asarray(value, dtype=np.float64))
        except (TypeError, ValueError):
            continue
        for number in (sizes.max(), sizes[sizes > 0].min(initial=np.inf)) if sizes.size else ():
            if 0 < number < np.inf and abs(np.log(number)) > abs(np.log(found[1])):
                found = (name, float(number))
    return found


def _labelled(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Compute with the values of the Series, and give the result their index."""
    index = same_labels(arguments)
    rows = (len(index),)
    plain = dict(arguments)
    for name, value in arguments.items():
        if has_labels(value):
            plain[name] = value.to_numpy()
        elif isinstance(value, list | tuple | np.ndarray) and np.shape(value) not in ((), rows):
            raise ValueError(
                f"{name} must be one number, or one for each row, beside a Series of {rows[0]}, "
                f"had shape {np.shape(value)}; give a Series with the same index"
            )
    result = _computed(function, (), plain)
    series = sys.modules["pandas"].Series

    def with_index(values: Any) -> Any:
        return series(values, index=index) if np.shape(values) == rows else values

    if not isinstance(result, tuple):
        return with_index(result)
    parts = map(with_index, result)
    return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)

"""Hold a function of anybody against the published numbers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leverage.vectors.rows import Vector

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "side": ("side", "direction"),
    "qty": ("qty", "quantity", "amount", "size", "contracts"),
    "contract_size": ("contract_size",),
    "entry_price": ("entry_price", "entry", "open_rate", "open_price"),
    "leverage": ("leverage",),
    "wallet_balance": ("wallet_balance", "margin", "collateral", "balance"),
    "mm_rate": ("mm_rate", "maintenance_margin_rate", "mmr"),
    "maintenance_amount": ("maintenance_amount", "cum"),
    "fee_rate": ("fee_rate", "taker_fee_rate", "closing_fee_rate"),
    "mark_price": ("mark_price", "mark"),
}
"""Names under which a function may ask for a column of the set."""


@dataclass(frozen=True)
class Mismatch:
    """A row on which a function does not give the published number.

    Attributes
    ----------
    vector : Vector
        The row.
    got : float
        What the function returned; NaN if it was no number.
    error : str
        What it raised, if anything.
    not_taken : tuple of str
        Inputs of the row, other than zeros, that it has no parameter for: often the reason.
    """

    vector: Vector
    got: float
    error: str = ""
    not_taken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What became of a function on the rows that it could be asked.

    Attributes
    ----------
    agreed : tuple of Vector
        Rows within their tolerance; a negative control belongs here when it does *not* come out.
    differed : tuple of Mismatch
        Rows on which it gives another number, or fails.
    left_out : tuple of (Vector, str)
        Rows without an input that the function needs, and its name.
    """

    agreed: tuple[Vector, ...]
    differed: tuple[Mismatch, ...]
    left_out: tuple[tuple[Vector, str], ...]


def check_function(function: Callable[..., Any], vectors: Iterable[Vector]) -> Report:
    """Ask a function for published numbers, and say where it differs.

    Parameters
    ----------
    function : callable
        It is called with keywords: the columns of the set under the names of ``SYNONYMS``, or
        names in `other_inputs`, as far as it has such parameters. One that takes a parameter
        `row` gets all inputs as a dictionary instead. `side` is 1 for a long and -1 for a short.
    vectors : iterable of Vector
        Rows to ask, from :func:`load_vectors`.

    Returns
    -------
    Report
        Every row in one of its three lists.

    Raises
    ------
    ValueError
        If Python does not know the parameters of the function.

    Examples
    --------
    >>> from leverage.vectors import load_vectors
    >>> def funding(side, qty, mark_price, funding_rate):
    ...     return -side * qty * mark_price * funding_rate
    >>> report = check_function(funding, load_vectors("funding"))
    >>> [row.id for row in report.agreed][:1], report.left_out[0][1]
    (['BIN-062'], 'mark_price')
    """
    try:
        signature = inspect.signature(function)
    except ValueError:
        raise ValueError(
            f"function must have parameters that Python knows, was {function!r}; wrap it in a "
            "function of your own"
        ) from None
    parameters = signature.parameters
    agreed: list[Vector] = []
    differed: list[Mismatch] = []
    left_out: list[tuple[Vector, str]] = []
    for vector in vectors:
        arguments, missing = _arguments(parameters, vector)
        if missing:
            left_out.append((vector, missing))
            continue
        not_taken = _not_taken(arguments, vector)
        call = signature.bind_partial()
        call.arguments |= arguments
        try:
            got = float(function(*call.args, **call.kwargs))
        except Exception as error:  # a stranger's function may raise anything
            words = f"{type(error).__name__}: {error}"
            differed.append(Mismatch(vector, math.nan, words, not_taken))
            continue
        close = abs(got - vector.expected) <= vector.tolerance
        if math.isfinite(got) and close == vector.reproduced:
            agreed.append(vector)
        else:
            differed.append(Mismatch(vector, got, "", not_taken))
    return Report(tuple(agreed), tuple(differed), tuple(left_out))


def _not_taken(arguments: Mapping[str, Any], vector: Vector) -> tuple[str, ...]:
    if "row" in arguments:
        return ()
    columns = {name: column for column, names in SYNONYMS.items() for name in names}
    taken = {columns.get(name, name) for name in arguments}
    return tuple(n for n, v in vector.inputs.items() if n not in taken | {"venue"} and v != 0)


def _arguments(
    parameters: Mapping[str, inspect.Parameter], vector: Vector
) -> tuple[dict[str, Any], str]:
    """Return the keywords of a call, and the name of an input that the row lacks."""
    if "row" in parameters:
        return {"row": dict(vector.inputs) | {"quantity": vector.quantity}}, ""
    columns = {name: column for column, names in SYNONYMS.items() for name in names}
    arguments: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        column = columns.get(name, name)
        if column in vector.inputs:
            arguments[name] = vector.inputs[column]
        elif parameter.default is parameter.empty:
            return {}, name
    return arguments, ""

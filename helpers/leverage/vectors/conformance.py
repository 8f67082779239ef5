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
    """

    vector: Vector
    got: float
    error: str = ""


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

    Examples
    --------
    >>> from leverage.vectors import load_vectors
    >>> def funding(side, qty, mark_price, funding_rate):
    ...     return -side * qty * mark_price * funding_rate
    >>> report = check_function(funding, load_vectors("funding"))
    >>> [row.id for row in report.agreed][:1], report.left_out[0][1]
    (['BIN-062'], 'mark_price')
    """
    parameters = inspect.signature(function).parameters
    agreed: list[Vector] = []
    differed: list[Mismatch] = []
    left_out: list[tuple[Vector, str]] = []
    for vector in vectors:
        arguments, missing = _arguments(parameters, vector)
        if missing:
            left_out.append((vector, missing))
            continue
        try:
            got = float(function(**arguments))
        except Exception as error:  # a stranger's function may raise anything
            differed.append(Mismatch(vector, math.nan, f"{type(error).__name__}: {error}"))
            continue
        close = abs(got - vector.expected) <= vector.tolerance
        if close == vector.reproduced:
            agreed.append(vector)
        else:
            differed.append(Mismatch(vector, got))
    return Report(tuple(agreed), tuple(differed), tuple(left_out))


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

"""The rows of the conformance set, with numbers as numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO
from types import MappingProxyType
from typing import Any

VERSION = "1.1"
"""Version of the set: the first number changes when a column does, the second with the rows."""

LICENCE = "MIT for the compilation; the numbers are facts"

_TEXT = ("venue", "contract_type", "margin_mode")
_NUMBERS = (
    "qty",
    "contract_size",
    "entry_price",
    "leverage",
    "wallet_balance",
    "mm_rate",
    "maintenance_amount",
    "fee_rate",
)
_SIDES = {"long": 1, "short": -1}
_FOLDER = files(__package__)


@dataclass(frozen=True)
class Vector:
    """One published number and the inputs that it follows from.

    Attributes
    ----------
    id : str
        Stable key; the prefix names the venue.
    quantity : str
        What is stated, such as ``"liquidation_price"``.
    expected, tolerance : float
        The number as published, and half a unit of its last digit or of its rounding.
    inputs : mapping of str to value
        Columns that are not blank, and the names of `other_inputs` beside them; `side` is 1 or -1.
    reproduced : bool
        False for a negative control: a number that is wrong and must not come out.
    source, note : str
        Where the number stands, and why the row matters.
    """

    id: str
    quantity: str
    expected: float
    tolerance: float
    inputs: Mapping[str, Any]
    reproduced: bool
    source: str
    note: str


@cache
def vector_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a row of the file, all of whose cells are text.

    Examples
    --------
    >>> vector_schema()["title"]
    'A published number of leverage arithmetic'
    """
    return dict(json.loads((_FOLDER / "vectors.schema.json").read_text(encoding="utf-8")))


@cache
def load_vectors(quantity: str | None = None) -> tuple[Vector, ...]:
    """Load the published numbers, or those of one quantity.

    Parameters
    ----------
    quantity : str, optional
        Such as ``"liquidation_price"``; all quantities if left out.

    Returns
    -------
    tuple of Vector
        In the order of the file.

    Raises
    ------
    ValueError
        If no row states such a quantity.

    Examples
    --------
    >>> row = load_vectors("break_even_price")[0]
    >>> row.id, row.expected, row.inputs["side"]
    ('BIN-019', 2.349356735, 1)
    """
    text = (_FOLDER / "vectors.csv").read_text(encoding="utf-8")
    rows = tuple(_vector(row) for row in csv.DictReader(StringIO(text)))
    names = tuple(dict.fromkeys(row.quantity for row in rows))
    if quantity is None:
        return rows
    if quantity not in names:
        raise ValueError(
            f"quantity must be one that rows state, was {quantity!r}; give one of {', '.join(names)}"
        )
    return tuple(row for row in rows if row.quantity == quantity)


def _vector(row: Mapping[str, str]) -> Vector:
    inputs: dict[str, Any] = {name: row[name] for name in _TEXT}
    inputs |= {name: float(row[name]) for name in _NUMBERS if row[name] not in ("", "n/a")}
    if row["side"] in _SIDES:
        inputs["side"] = _SIDES[row["side"]]
    inputs |= json.loads(row["other_inputs"] or "{}")
    return Vector(
        id=row["id"],
        quantity=row["quantity"],
        expected=float(row["expected"]),
        tolerance=float(row["tolerance"]),
        inputs=MappingProxyType(inputs),
        reproduced=row["reproduced"] == "yes",
        source=row["source"],
        note=row["note"],
    )

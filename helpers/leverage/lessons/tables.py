"""Tables of learners: columns by name, rows in order, and what else may have been given."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from leverage.lessons import plain
from leverage.lessons.goals import AnswerError, NumberGoal, unequal
from leverage.lessons.plain import NotPlainError
from leverage.lessons.wording import counted, format_number, format_pair, shortened

if TYPE_CHECKING:
    import pandas as pd

Cell = float | str | bool | None


def not_a_table(name: str, answer: object, names: Mapping[str, object]) -> AnswerError:
    """Say what was given in place of a table; `names` holds the tables of the notebook."""
    kind = type(answer)
    column = cast(Any, answer) if plain.is_pandas(answer) or kind is np.ndarray else None
    truths = column is not None and column.ndim == 1 and column.dtype in (np.bool_, "boolean")
    if plain.is_routine(answer):
        what, advice = "a function", "call it and keep the table that it returns"
    elif kind is dict:
        what, advice = "a dictionary", "make a table of it with pd.DataFrame(...)"
    elif truths:
        table = _table_of(column, names)
        what, advice = "a column of True and False", f"put it in the brackets, {table}[...]"
    elif plain.is_pandas(answer):
        what, advice = "one column", "give the whole table"
    elif kind in (list, tuple):
        what, advice = f"a {kind.__name__}", "give a table"
    else:
        what, advice = f"of type {kind.__name__}", "give a pandas DataFrame"
    text = f"{name} is {what}; {advice}."
    return AnswerError(text, hidden=text)


def _table_of(answer: Any, names: Mapping[str, object]) -> str:
    """Name the one table of the notebook with as many rows as the answer, else any table."""
    from leverage._pandas import pd

    fitting = [
        key
        for key, value in names.items()
        if type(value) is pd.DataFrame and len(value) == len(answer) and not key.startswith("_")
    ]
    return fitting[0] if len(fitting) == 1 else "table"


def compare_tables(name: str, answer: "pd.DataFrame", expected: "pd.DataFrame", rel: float) -> None:
    """Raise `AnswerError` at the first difference from the expected table."""
    from leverage._pandas import pd

    labelled = not isinstance(expected.index, pd.RangeIndex)
    if labelled and expected.index.name in answer.columns:
        answer = answer.set_index(expected.index.name)
    missing = [str(column) for column in expected.columns if column not in answer.columns]
    if missing:
        have = ", ".join(map(str, answer.columns)) or "none"
        raise AnswerError(
            f"{name} has no column {missing[0]}; its columns are: {shortened(have)}.",
            hidden=f"{name} lacks a column.",
        )
    if len(answer) != len(expected):
        raise AnswerError(
            f"{name} has {counted(len(answer), 'row')}; expected {len(expected)}.",
            hidden=f"{name} has the wrong count of rows.",
        )
    for column in expected.columns:
        if isinstance(answer[column], pd.DataFrame):
            raise AnswerError(f"{name} has the column {column} more than once.")
    try:
        if labelled:
            _compare_column(name, "row labels", answer.index, expected.index, rel)
        for column in expected.columns:
            _compare_column(name, f"column {column}", answer[column], expected[column], rel)
    except AnswerError:
        mine, right = (_sorted_rows(table, expected, labelled) for table in (answer, expected))
        pairs = [pair for rows in zip(mine, right, strict=True) for pair in zip(*rows, strict=True)]
        if all(_same_cell(given, wanted, rel) for given, wanted in pairs):
            text = f"The rows of {name} are right, in another order."
            raise AnswerError(text, hidden=text) from None
        raise


def _sorted_rows(
    table: "pd.DataFrame", expected: "pd.DataFrame", labelled: bool
) -> list[tuple[Cell, ...]]:
    """Return the expected columns of a table as rows in an order of their own."""
    columns = [_plain_cells(table[column]) for column in expected.columns]
    if labelled:
        columns.append(_plain_cells(table.index))
    return sorted(zip(*columns, strict=True), key=lambda row: [_rank(cell) for cell in row])


def _rank(cell: Cell) -> tuple[int, float, str]:
    if isinstance(cell, float | bool):
        return 0, float(cell), ""
    return (2, 0.0, "") if cell is None else (1, 0.0, cell)


def _compare_column(name: str, what: str, mine: Any, right: Any, rel: float) -> None:
    pairs = zip(_plain_cells(mine), _plain_cells(right), strict=True)
    for row, (given, wanted) in enumerate(pairs):
        if _same_cell(given, wanted, rel):
            continue
        shown = [_cell_text(cell) for cell in (given, wanted)]
        if isinstance(given, float) and isinstance(wanted, float):
            shown = list(format_pair(given, wanted))
        raise unequal(
            f"{name}, {what}, row {row} is {shown[0]}",
            shown[1],
            hidden=f"{name}: a value in a column is not right.",
        )


def _plain_cells(column: Any) -> list[Cell]:
    return [_plain_cell(value) for value in column.tolist()]


def _plain_cell(value: object) -> Cell:
    """Return a table's cell as a float, a text, a truth value, or None where it is missing."""
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(cast(str, value)).strip()
    if kind is bool:
        return cast(bool, value)
    try:
        return plain.to_number(value)
    except NotPlainError as problem:
        if problem.missing or value is None:
            return None
        shows_itself = issubclass(kind, date | timedelta | tuple)
        return plain.plain_repr(value) if shows_itself else problem.kind


def _same_cell(given: Cell, wanted: Cell, rel: float) -> bool:
    if isinstance(given, float) and isinstance(wanted, float):
        goal = NumberGoal(np.asarray(wanted), "", [], rel, 0.0, 1.0)
        return goal.same(np.asarray(given), goal.expected)
    return plain.same_word(given, wanted)


def _cell_text(cell: Cell) -> str:
    if cell is None:
        return "missing"
    return format_number(cell) if isinstance(cell, float) else repr(cell)

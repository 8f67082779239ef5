"""Hold a function against the published numbers: ``python -m leverage.vectors check module:name``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from leverage._command import run_and_exit
from leverage.vectors.conformance import Report, check_function
from leverage.vectors.rows import LICENCE, VERSION, load_vectors, vector_schema


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words of the command line ask.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; those of the process if left out.

    Returns
    -------
    int
        0 if the function agrees wherever it could be asked, 1 if it differs, 2 if it could not be
        asked at all.

    Examples
    --------
    >>> main(["check", "leverage:roi", "--quantity", "roe"])
    'leverage:roi' names nothing: leverage has no 'roi'
    2
    """
    parser = argparse.ArgumentParser(prog="python -m leverage.vectors")
    commands = parser.add_subparsers(dest="command", required=True)
    ask = commands.add_parser("check", help="hold a function against the published numbers")
    ask.add_argument(
        "function", metavar="module:function", help="such as my_bot.margin:liquidation"
    )
    ask.add_argument(
        "--quantity", default="liquidation_price", help="what it computes (default: %(default)s)"
    )
    ask.add_argument("--venue", help="only rows of this venue")
    commands.add_parser("schema", help="print the JSON Schema of a row")
    options = parser.parse_args(arguments)
    if options.command == "schema":
        print(json.dumps(vector_schema(), indent=1))
        return 0
    try:
        function = _function(options.function)
        vectors = load_vectors(options.quantity)
        chosen = [v for v in vectors if options.venue in (None, v.inputs["venue"])]
        report = check_function(function, chosen)
    except ValueError as error:
        print(error)
        return 2
    if not chosen:
        venues = ", ".join(dict.fromkeys(v.inputs["venue"] for v in vectors))
        print(
            f"venue must be one with rows of {options.quantity}, was {options.venue!r}; "
            f"give one of {venues}"
        )
    return _show(report, options.function, options.quantity)


def _function(name: str) -> Callable[..., Any]:
    module, _, rest = name.partition(":")
    if not module or not rest:
        raise ValueError(f"{name!r} must be written as module:function, such as my_bot:liquidation")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:  # a stranger's module may raise anything
        words = f"{type(error).__name__}: {error}"
        raise ValueError(f"{name!r} cannot be imported: {words}") from error
    for part in rest.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{name!r} names nothing: {module} has no {part!r}")
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(f"{name!r} must be a function, was {found!r}")
    return found  # type: ignore[no-any-return]  # anything callable


def _show(report: Report, name: str, quantity: str) -> int:
    for difference in report.differed:
        row = difference.vector
        got = difference.error or f"{difference.got:.10g}"
        control = "" if row.reproduced else " (a wrong number, which must not come out)"
        print(f"{row.id}: {got} instead of {row.expected:.10g} ± {row.tolerance:g}{control}")
        print(f"    {row.source}")
        if difference.not_taken:
            print(f"    it does not take {', '.join(difference.not_taken)}")
    lacking = sorted({missing for _, missing in report.left_out})
    if lacking:
        print(f"{len(report.left_out)} rows left out, for want of {', '.join(lacking)}.")
    asked = len(report.agreed) + len(report.differed)
    print(
        f"{name} agrees with {len(report.agreed)} of {asked} published numbers of {quantity} "
        f"(set {VERSION}; {LICENCE})."
    )
    return 2 if not asked else 1 if report.differed else 0


if __name__ == "__main__":
    run_and_exit(main)

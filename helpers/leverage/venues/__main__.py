"""List the facts that have grown old: ``python -m leverage.venues --older-than 90``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date

from leverage.venues.law import LAW
from leverage.venues.loader import venue_names
from leverage.venues.overview import ageing_facts, facts_older_than


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the facts older than a number of days as a table, and how many they are.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; those of the process if left out.

    Returns
    -------
    int
        0: old facts are a finding, not a failure.

    Examples
    --------
    >>> main(["--older-than", "100000", "--on", "2026-11-22", "--dated-only"])
    ... # doctest: +ELLIPSIS
    0 of ... facts are older than 100000 days on 2026-11-22.
    0
    """
    parser = argparse.ArgumentParser(prog="python -m leverage.venues", description=__doc__)
    parser.add_argument(
        "--older-than",
        type=_age_argument,
        default=90,
        metavar="DAYS",
        help="age allowed (default: 90)",
    )
    parser.add_argument(
        "--on",
        type=_day_argument,
        default=None,
        metavar="DATE",
        help="day to count to (default: today)",
    )
    parser.add_argument(
        "--venue",
        action="append",
        choices=(*venue_names(), LAW),
        help="only this venue, or the law of places; may be repeated",
    )
    parser.add_argument(
        "--dated-only", action="store_true", help="leave out facts whose source has no date"
    )
    options = parser.parse_args(arguments)
    names = options.venue or (*venue_names(), LAW)
    day = options.on or date.today()
    old = facts_older_than(options.older_than, on=day, venues=names)
    rows = [
        ("undated" if age is None else str(age), fact.venue, fact.name, fact.as_of, fact.confidence)
        for age, fact in old
        if age is not None or not options.dated_only
    ]
    if rows:
        print(_in_columns([("days", "venue", "fact", "as of", "confidence"), *rows]))
    total = sum(len(ageing_facts(name)) for name in names)
    print(f"{len(rows)} of {total} facts are older than {options.older_than} days on {day}.")
    return 0


def _in_columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _age_argument(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number of days, was {text!r}")
    return int(text)


def _day_argument(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be YYYY-MM-DD, was {text!r}") from None


if __name__ == "__main__":
    raise SystemExit(main())

"""Look after the facts about venues: ``python -m leverage.venues --older-than 90`` and others.

=========================================  ====================================================
``python -m leverage.venues``              lists the facts older than 90 days
``python -m leverage.venues --weak``       lists those that are not verified
``python -m leverage.venues export``       prints all facts as one JSON document with its schema
``python -m leverage.venues refresh``      fetches tiers and fees from the venues into an overlay
=========================================  ====================================================
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from leverage._command import run_and_exit
from leverage.venues.export import exported
from leverage.venues.fetching import FetchError
from leverage.venues.loader import LAW, overlay_folder, venue_names
from leverage.venues.overview import (
    ageing_facts,
    confidence_on,
    facts_older_than,
    stake,
    weak_facts,
)
from leverage.venues.refresh import FactChange, change_table, refresh


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words of the command line ask.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; those of the process if left out.

    Returns
    -------
    int
        0: facts that need a look are a finding, not a failure.

    Examples
    --------
    >>> main(["--older-than", "100000", "--on", "2026-11-22", "--dated-only"])
    ... # doctest: +ELLIPSIS
    0 of ... facts are older than 100000 days on 2026-11-22.
    0
    """
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    if options.command == "refresh":
        return _refresh(options)
    if options.command == "export":
        if options.venues or options.venue:
            parser.error("export is one document of all venues, so it takes no venue")
        print(json.dumps(exported(options.on or date.today()), ensure_ascii=False, indent=1))
        return 0
    return _list(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m leverage.venues",
        description="List the facts that need a look, those first whose mistakes cost most.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("export", "refresh"),
        help="export: print all facts as one JSON document; refresh: fetch tiers and fees",
    )
    parser.add_argument(
        "venues", nargs="*", metavar="VENUE", help="which to refresh (default: all of them)"
    )
    parser.add_argument(
        "--brackets",
        type=Path,
        metavar="WHEEL",
        help="freqtrade wheel, for a venue whose brackets need a key",
    )
    parser.add_argument(
        "--yes", action="store_true", help="believe changes of more than a factor of two"
    )
    parser.add_argument(
        "--older-than", type=_age_argument, metavar="DAYS", help="age allowed (default: 90)"
    )
    parser.add_argument(
        "--weak", action="store_true", help="list facts that are not verified, whatever their age"
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
    return parser


def _refresh(options: argparse.Namespace) -> int:
    names = [*options.venues, *(options.venue or ())] or list(venue_names())
    strange = [name for name in names if name not in venue_names()]
    if strange:
        print(f"{strange[0]!r} is no venue; there are {', '.join(venue_names())}")
        return 2
    found: dict[str, tuple[FactChange, ...] | str] = {}
    for name in names:
        try:
            found[name] = refresh(
                name,
                confirm=lambda words: options.yes or _said_yes(words),
                brackets=options.brackets,
            )
        except FetchError as error:
            found[name] = str(error).removeprefix(f"{name}: ")
    print(change_table(found))
    kept = sum(isinstance(result, tuple) for result in found.values())
    print(f"\n{kept} of {len(names)} venues fetched; what was kept is in {overlay_folder()}.")
    return 0 if kept else 1


def _said_yes(words: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{words}. Believe it? [y/N] ").strip().lower() in ("y", "yes")


def _list(options: argparse.Namespace) -> int:
    names = options.venue or (*venue_names(), LAW)
    day = options.on or date.today()
    limit = 90 if options.older_than is None and not options.weak else options.older_than
    found = (
        weak_facts(on=day, venues=names)
        if options.weak
        else facts_older_than(limit, on=day, venues=names)
    )
    rows = [
        (
            stake(fact),
            "undated" if age is None else str(age),
            fact.venue,
            fact.name,
            fact.as_of,
            confidence_on(fact, day),
        )
        for age, fact in found
        if (age is not None or not options.dated_only)
        and (limit is None or age is None or age > limit)
    ]
    if rows:
        heads = ("stake", "days", "venue", "fact", "as of", "confidence")
        print(_in_columns([heads, *rows]))
    total = sum(len(ageing_facts(name)) for name in names)
    what = " and ".join(
        [
            *(["not verified"] if options.weak else []),
            *([f"older than {limit} days"] if limit is not None else []),
        ]
    )
    print(f"{len(rows)} of {total} facts are {what} on {day}.")
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
    run_and_exit(main)

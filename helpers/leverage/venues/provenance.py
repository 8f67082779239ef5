"""Where a fact was read, when, and how sure that makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

UNDATED = "undated"
KINDS = ("authority", "venue", "record", "press", "guide")
FIRST_HAND = ("authority", "venue", "record")
CONFIDENCES = (
    "verified",
    "fetched",
    "read once",
    "derived",
    "secondary",
    "disputed",
    "background",
)
"""From the surest to what nobody read; :func:`confidence` says which is which."""

FRESH_DAYS = 548
"""Days, 18 months, before or after its date in which a text of whoever makes the rule stands alone."""


@dataclass(frozen=True)
class Source:
    """One text or answer in which a fact was read.

    Attributes
    ----------
    name : str
        Title, number or file, as its publisher gives it.
    kind : {"authority", "venue", "record", "press", "guide"}
        Who speaks: who makes the law, the venue in its own text, an answer of the venue's
        interface that was recorded, somebody else, or the guide that this course grew out of.
    by : str
        Publisher. Two sources are independent when their publishers differ.
    shown : str
        Date that the source itself bears: ``YYYY``, ``YYYY-MM``, ``YYYY-MM-DD``, ``about YYYY``
        or ``undated``.
    read : datetime.date
        Day on which it was read.
    address : str
        Where it is found, if it is on the web.
    """

    name: str
    kind: str
    by: str
    shown: str
    read: date
    address: str = ""


def read_sources(data: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Source]:
    """Return the sources of a file by their keys.

    Examples
    --------
    >>> rows = {"faq": {"name": "FAQ 1", "kind": "venue", "by": "x", "read": date(2026, 11, 30)}}
    >>> read_sources(rows)["faq"].shown
    'undated'
    """
    return {key: Source(**{"shown": UNDATED, **row}) for key, row in data.items()}


def confidence(
    sources: Iterable[Source],
    *,
    on: date | str,
    known: bool = True,
    derived: bool = False,
    against: Iterable[Source] = (),
) -> str:
    """Say how sure a fact is, from what is recorded of it and nothing else.

    Parameters
    ----------
    sources : iterable of Source
        Those that state the fact, or from which it follows.
    on : datetime.date or str
        Day to which ages are counted.
    known : bool, default True
        False for a fact that was looked for and not found.
    derived : bool, default False
        Whether the fact was worked out from the sources instead of read in them.
    against : iterable of Source
        Those that state something else about the same time.

    Returns
    -------
    str
        ``"background"`` if nobody read it, or it is unknown; ``"disputed"`` if a source
        contradicts it; ``"derived"``; ``"fetched"`` if the venue's interface answered it here;
        ``"verified"`` with two independent sources of which one is first hand, or with a text of
        who makes the rule whose date is within 18 months of the day; ``"read once"`` with a
        first-hand source that is further away, undated or a recorded answer; else
        ``"secondary"``.

    Examples
    --------
    >>> page = Source("FAQ 1", "venue", "Kraken", "undated", date(2026, 11, 30))
    >>> press = Source("news", "press", "CoinDesk", "2026-03", date(2026, 11, 30))
    >>> for found in [[page], [press], [page, press]]:
    ...     print(confidence(found, on="2026-11-30"))
    read once
    secondary
    verified
    >>> confidence([page], on="2026-11-30", against=[press])
    'disputed'
    """
    rows = tuple(sources)
    if not known or not (rows or derived):
        return "background"
    if tuple(against):
        return "disputed"
    if derived:
        return "derived"
    if any(row.kind == "record" and row.by == "fetched" for row in rows):
        return "fetched"
    first_hand = [row for row in rows if row.kind in FIRST_HAND]
    if not first_hand:
        return "secondary"
    ages = [age_in_days(row.shown, on) for row in first_hand if row.kind != "record"]
    fresh = any(age is not None and abs(age) <= FRESH_DAYS for age in ages)
    return "verified" if fresh or len({row.by for row in rows}) > 1 else "read once"


def newest(sources: Iterable[Source]) -> str:
    """Return the newest date that sources show, as written; ``"undated"`` if none shows one.

    Examples
    --------
    >>> newest([Source("a", "press", "a", day, date(2026, 11, 30)) for day in ("2025", "undated")])
    '2025'
    """
    shown = [row.shown for row in sources if row.shown != UNDATED]
    return max(shown, key=lambda day: earliest_date(day) or date.min, default=UNDATED)


def oldest(dates: Iterable[str]) -> str:
    """Return the oldest date as written; one that is undated may be the oldest of all.

    Examples
    --------
    >>> oldest(["2025", "about 2024"]), oldest(["2025", "undated"])
    ('about 2024', 'undated')
    """
    return min(dates, key=lambda day: earliest_date(day) or date.min)


def in_words(sources: Iterable[Source]) -> str:
    """Return the names of sources, as a list in one line.

    Examples
    --------
    >>> in_words([Source(name, "press", name, "2025", date(2026, 11, 30)) for name in "ab"])
    'a; b'
    """
    return "; ".join(row.name for row in sources)


def weakest(*confidences: str) -> str:
    """Return the least of several confidences: what a result built on all of them has.

    Examples
    --------
    >>> weakest("verified", "background", "derived")
    'background'
    """
    return max(confidences, key=CONFIDENCES.index)


def earliest_date(as_of: str) -> date | None:
    """First day that a date as written in the data can mean; None if it is undated.

    Parameters
    ----------
    as_of : str
        ``"2025-09-26"``, ``"2025-09"``, ``"2025"``, ``"about 2025"`` or ``"undated"``.

    Returns
    -------
    datetime.date or None
        The first day of the day, month or year.

    Examples
    --------
    >>> earliest_date("about 2025"), earliest_date("2025-09"), earliest_date("undated")
    (datetime.date(2025, 1, 1), datetime.date(2025, 9, 1), None)
    """
    if as_of == "undated":
        return None
    parts = as_of.removeprefix("about ").split("-")
    year, month, day = (int(part) for part in [*parts, "1", "1"][:3])
    return date(year, month, day)


def as_date(name: str, value: date | str | None) -> date | None:
    """Return a date given as such or as text; None stays None.

    Examples
    --------
    >>> as_date("on", "2025-09-02")
    datetime.date(2025, 9, 2)
    """
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a date, was {value!r}; give datetime.date(2025, 9, 2) or '2025-09-02'"
        ) from None


def age_in_days(as_of: str, on: date | str) -> int | None:
    """Count the days from the first day that a date as written can mean; None if it is undated.

    Parameters
    ----------
    as_of : str
        ``"2025-09-26"``, ``"2025-09"``, ``"2025"``, ``"about 2025"`` or ``"undated"``.
    on : datetime.date or str
        Day to which the age is counted.

    Raises
    ------
    ValueError
        If `on` is not a date.

    Examples
    --------
    >>> [age_in_days(day, "2026-11-22") for day in ["2026-02-24", "2026", "undated"]]
    [271, 325, None]
    """
    day = as_date("on", on)
    if day is None:
        raise ValueError("on must be a date, was None; give datetime.date.today()")
    start = earliest_date(as_of)
    return None if start is None else (day - start).days


def checked_days(days: int) -> int:
    """Return an age in days that may be allowed, or raise `ValueError`.

    Examples
    --------
    >>> checked_days(90)
    90
    """
    if isinstance(days, bool) or not isinstance(days, int) or days < 0:
        raise ValueError(f"days must be a whole number from 0 up, was {days!r}; give 90")
    return days

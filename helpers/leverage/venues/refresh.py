"""Facts fetched from the venues into an overlay of one's own; the bundled files stay as they are."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from math import isinf, isnan, nan
from pathlib import Path

from leverage._extras import extra_command
from leverage.venues.fetching import (
    READERS,
    Fetched,
    FetchedTiers,
    FetchError,
    read_answer,
    read_brackets,
)
from leverage.venues.loader import load_venue, overlay_folder
from leverage.venues.provenance import earliest_date
from leverage.venues.records import TierData, UnknownFactError, Venue

_COLUMNS = ("maximum leverage", "end", "maintenance rate")
LARGE_FACTOR = 2.0
"""A number that changed by more than this factor is believed only after a yes."""
_LARGE_WORDS = ": more than twice or less than half"


@dataclass(frozen=True)
class FactChange:
    """One number that a venue's interface gives otherwise than the facts in use.

    Attributes
    ----------
    venue, what : str
        Whose it is, and what.
    before, now : float
        The number in use (NaN if there was none), and the one that was fetched.
    """

    venue: str
    what: str
    before: float
    now: float

    @property
    def is_large(self) -> bool:
        """Whether it changed by more than a factor of two; a new number did not change."""
        if isnan(self.before) or self.what.endswith("number of tiers"):
            return False
        low, high = sorted((abs(self.before), abs(self.now)))
        return high > LARGE_FACTOR * low if low else high > 0

    def __str__(self) -> str:
        unit = "x" if self.what.endswith(("maximum leverage", "max leverage")) else ""
        before = "new:" if isnan(self.before) else f"{self.before:g}{unit} →"
        return f"{self.venue} {self.what} {before} {self.now:g}{unit}"


def fetch_facts(venue: str, *, brackets: Path | None = None) -> tuple[Fetched, str]:
    """Ask a venue's public interface.

    Parameters
    ----------
    venue : str
        One of :func:`leverage.venues.venue_names`.
    brackets : Path, optional
        A freqtrade wheel, for a venue whose brackets need a key.

    Returns
    -------
    Fetched and str
        What it said, and by which software it was asked.

    Raises
    ------
    FetchError
        If there is no such interface, no network or no ccxt, or the answer cannot be believed.

    Examples
    --------
    >>> fetch_facts("gemini")
    Traceback (most recent call last):
    leverage.venues.fetching.FetchError: gemini: no public interface gives its tiers and fees; \
they are kept by hand, and the bundled facts stay
    """
    if venue not in READERS:
        raise FetchError(
            f"{venue}: no public interface gives its tiers and fees; they are kept by hand, and the "
            "bundled facts stay"
        )
    reader = READERS[venue]
    if not reader.ccxt_name:
        if brackets is None:
            raise FetchError(
                f"{venue}: its brackets need a key, so they come from a freqtrade wheel; get one "
                "with `pip download --no-deps freqtrade` and give it with --brackets"
            )
        return _no_older(read_brackets(venue, brackets), brackets), brackets.name
    try:
        import ccxt
    except ImportError:
        raise FetchError(
            f"{venue}: ccxt is not installed; in the folder of the course, "
            f"{extra_command('live')} brings it"
        ) from None
    exchange = getattr(ccxt, reader.ccxt_name)({"timeout": 20_000})
    try:
        answers = reader.ask(exchange)
    except ccxt.NetworkError as error:
        raise FetchError(
            f"{venue}: no answer from the network ({type(error).__name__}); the bundled facts stay"
        ) from None
    except ccxt.BaseError as error:
        raise FetchError(
            f"{venue}: refused {reader.endpoint} ({error}); the bundled facts stay"
        ) from None
    return read_answer(venue, answers), f"ccxt {ccxt.__version__}"


def _no_older(fetched: Fetched, path: Path) -> Fetched:
    bundled = load_venue(fetched.venue).product(fetched.product)
    known = earliest_date(bundled.tiers(fetched.tables[0].symbol).as_of)
    if known and fetched.dated and fetched.dated < known:
        raise FetchError(
            f"{fetched.venue}: the brackets in {path.name} are of {fetched.dated}, older than the "
            f"bundled ones of {known}, which stay; get a newer wheel with "
            "`pip download --no-deps freqtrade`"
        )
    return fetched


def fact_changes(fetched: Fetched, *, live: bool = True) -> tuple[FactChange, ...]:
    """List what differs from the facts in use: fees, and the tiers of each symbol.

    Parameters
    ----------
    fetched : Fetched
        What a venue said.
    live : bool, default True
        Compare with an earlier overlay where there is one; False for the bundled facts alone.
    """
    product = _in_use(fetched.venue, live).product(fetched.product)
    tables = []
    for table in fetched.tables:
        try:
            old: TierData | None = product.tiers(table.symbol)
        except UnknownFactError:
            old = None
        tables += _table_changes(fetched.venue, table, old)
    told = {(change.before, change.now) for change in tables}
    found = []
    for name, (value, _) in fetched.numbers.items():
        fact = product.fact(name)
        before = fact.number() if fact.is_known else nan
        change = FactChange(fetched.venue, name.replace("_", " "), before, value)
        # A maximum that its own table has told is not told twice.
        if name in fetched.rates or not (isnan(before) or (before, value) in told):
            found.append(change)
    return tuple(change for change in [*found, *tables] if change.before != change.now)


def _in_use(venue: str, live: bool) -> Venue:
    """Return the facts in use; an overlay that cannot be used is about to be replaced."""
    try:
        return load_venue(venue, live=live)
    except ValueError:
        return load_venue(venue)


def _table_changes(venue: str, table: FetchedTiers, old: TierData | None) -> list[FactChange]:
    before = (
        []
        if old is None
        else [(t.max_leverage, t.upper, t.maintenance_margin_rate) for t in old.tiers]
    )
    now = [(row[3], row[1], row[2]) for row in table.tiers]
    found = [FactChange(venue, f"{table.symbol} number of tiers", len(before) or nan, len(now))]
    blank = (None, None, None)
    for number, (was, is_now) in enumerate(zip_longest(before, now, fillvalue=blank), start=1):
        where = table.symbol if number == 1 else f"{table.symbol} tier {number}"
        for name, old_value, value in zip(_COLUMNS, was, is_now, strict=True):
            if (value is not None and was is not blank) or number == 1:
                found.append(
                    FactChange(
                        venue,
                        f"{where} {name}",
                        nan if old_value is None else old_value,
                        nan if value is None else value,
                    )
                )
    return found


def refresh(
    venue: str,
    *,
    confirm: Callable[[str], bool],
    brackets: Path | None = None,
    ask: Callable[..., tuple[Fetched, str]] = fetch_facts,
    now: datetime | None = None,
) -> tuple[FactChange, ...]:
    """Fetch a venue's facts into the overlay, and say what changed.

    Parameters
    ----------
    venue : str
        One of :func:`leverage.venues.venue_names`.
    confirm : callable
        Asked, with a sentence, whether a number that changed by more than a factor of two is to be
        believed.
    brackets : Path, optional
        As for `fetch_facts`.
    ask : callable, default fetch_facts
        What asks the venue.
    now : datetime, optional
        Time of the answer; the present if left out.

    Returns
    -------
    tuple of FactChange
        What differs from the facts that were in use.

    Raises
    ------
    FetchError
        If nothing was fetched, a large change was not confirmed, or the folder cannot be written.
        Nothing is written then.
    """
    fetched, software = ask(venue, brackets=brackets)
    found = fact_changes(fetched)
    for change in found:
        if change.is_large and not confirm(f"{change}{_LARGE_WORDS}"):
            raise FetchError(f"{change} was not confirmed; nothing of {venue} was kept")
    moment = now or datetime.now(UTC)
    text = overlay_text(fetched, software, moment)
    tomllib.loads(text)  # what cannot be read again is never kept
    folder = overlay_folder()
    path = folder / f"{venue}.toml"
    unfinished = path.with_suffix(".new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise FetchError(
            f"{venue}: what was fetched cannot be kept ({error}); name another folder with "
            "LEVERAGE_FACTS; what was in use stays"
        ) from None
    return found


def overlay_text(fetched: Fetched, software: str, moment: datetime) -> str:
    """Write what was fetched as a venue's file holds it, with endpoint, time and software.

    Examples
    --------
    >>> table = FetchedTiers("BTCUSDT", "BTC", "USDT", "notional", ((0.0, 1e6, 0.005, 100.0),))
    >>> said = Fetched("x", "linear", "GET x", {}, (table,))
    >>> print(overlay_text(said, "ccxt 4", datetime(2026, 12, 1, 9, tzinfo=UTC))[:60])
    # Fetched 2026-12-01 09:00 UTC by ccxt 4; not bundled, not p
    """
    day = (fetched.dated or moment.date()).isoformat()
    dated = f" of {day}" if fetched.dated else ""
    name = f"{fetched.endpoint}{dated}, {moment:%Y-%m-%d %H:%M} UTC, by {software}"
    lines = [
        f"# Fetched {moment:%Y-%m-%d %H:%M} UTC by {software}; not bundled, not proofread.",
        "",
        f"fetched = {day}",
        "",
        "[sources]",
        f'fetched = {{ name = "{name}", kind = "record", by = "fetched", shown = "{day}", '
        f"read = {moment.date()} }}",
        "",
        f"[products.{fetched.product}.facts]",
    ]
    lines += [
        f'{fact} = {{ value = {_toml_number(value)}, unit = "{unit}", since = {day}, '
        'sources = ["fetched"] }'
        for fact, (value, unit) in fetched.numbers.items()
    ]
    for table in fetched.tables:
        rows = ",\n".join(f"  [{', '.join(map(_toml_number, row))}]" for row in table.tiers)
        lines += [
            "",
            f"[[products.{fetched.product}.tier_tables]]",
            f'symbol = "{table.symbol}"',
            f'base = "{table.base}"',
            f'unit = "{table.unit}"',
            f'bounds = "{table.bounds}"',
            "complete = true",
            "used = true",
            'sources = ["fetched"]',
            f'note = "Fetched: {name}."',
            f"tiers = [\n{rows},\n]",
        ]
    return "\n".join(lines) + "\n"


def _toml_number(value: float) -> str:
    return "inf" if isinf(value) else repr(value)


def change_table(found: Mapping[str, tuple[FactChange, ...] | str]) -> str:
    """Put what became of each venue into a table for a terminal or a pull request.

    Examples
    --------
    >>> change = FactChange("x", "BTCUSDT maximum leverage", 125.0, 150.0)
    >>> large = FactChange("x", "taker fee rate", 0.0001, 0.0004)
    >>> print(change_table({"x": (change, large), "y": "kept by hand"}))
    | Venue | What changed |
    |---|---|
    | x | BTCUSDT maximum leverage 125x → 150x |
    | x | taker fee rate 0.0001 → 0.0004: more than twice or less than half |
    | y | kept by hand |
    """
    rows = ["| Venue | What changed |", "|---|---|"]
    for venue, result in found.items():
        if isinstance(result, str):
            rows.append(f"| {venue} | {result} |")
            continue
        for change in result:
            words = f"{change}{_LARGE_WORDS if change.is_large else ''}"
            rows.append(f"| {venue} | {words.removeprefix(venue + ' ')} |")
        if not result:
            rows.append(f"| {venue} | nothing |")
    return "\n".join(rows)

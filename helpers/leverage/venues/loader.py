"""Read the venues' files: one TOML file for each, and the rules that were in force on a day."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from math import inf
from types import MappingProxyType
from typing import Any

from .model import (
    UNKNOWN,
    Claim,
    Fact,
    PlaceRule,
    Product,
    Tier,
    TierData,
    Value,
    Venue,
    earliest_date,
)

LAW = "law"

_FOLDER = files(__package__)


@dataclass(frozen=True)
class LegalRule:
    """What the law of one place says about one product for one kind of client.

    Attributes
    ----------
    place, authority, product, clients : str
        Whose rule it is and what it is about, in the words of the table.
    max_leverage : float
        Largest leverage for retail clients; ``inf`` if the rule has no number.
    status : {"allowed", "restricted", "licence needed", "banned"}
        What it comes to.
    since, negative_balance_protection, close_out_rule : str
        As known; empty or ``"unknown"`` if not.
    source, address, as_of, confidence : str
        Where it was read, the date of the source, and how sure it is.
    """

    place: str
    authority: str
    product: str
    clients: str
    max_leverage: float
    status: str
    since: str
    negative_balance_protection: str
    close_out_rule: str
    source: str
    address: str
    as_of: str
    confidence: str

    def as_fact(self) -> Fact:
        """Return the rule as one fact, for lists of facts and their age."""
        return Fact(
            LAW,
            f"{self.place}.{self.product}.{self.clients}",
            self.status,
            self.source,
            self.as_of,
            self.confidence,
        )


@cache
def venue_names() -> tuple[str, ...]:
    """Names of all venues that there is a file for, in alphabetical order.

    Returns
    -------
    tuple of str
        What :func:`load_venue` accepts.

    Examples
    --------
    >>> venue_names()
    ('binance', 'bitget', 'bybit', 'gemini', 'kraken', 'mexc', 'primexbt')
    """
    names = [entry.name for entry in _FOLDER.iterdir()]
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_venue(name: str, *, on: date | str | None = None) -> Venue:
    """Load what is known about a venue.

    Parameters
    ----------
    name : str
        One of :func:`venue_names`.
    on : datetime.date or str, optional
        Day whose rules are wanted, as a date or ``"YYYY-MM-DD"``. Rules with a first or last day
        are those in force then, and tier tables seen only later are left out. The newest of
        everything if left out.

    Returns
    -------
    Venue
        Frozen records in which each fact has its source, date and confidence.

    Raises
    ------
    ValueError
        If there is no such venue, or `on` is not a date.

    Examples
    --------
    >>> for day in ["2025-09-01", "2025-09-02"]:
    ...     rule = load_venue("bybit", on=day).fact("linear.liquidation_rule")
    ...     print(day, rule.value, rule.confidence)
    2025-09-01 maintenance at entry verified
    2025-09-02 maintenance at mark derived
    """
    if name not in venue_names():
        raise ValueError(
            f"name must be a venue with a file, was {name!r}; give one of "
            f"{', '.join(venue_names())}"
        )
    return _venue(name, as_date("on", on))


def chosen(venues: Iterable[str] | str | None) -> tuple[str, ...]:
    """Return the names asked for, each once; all names for None.

    Examples
    --------
    >>> chosen("kraken"), chosen(["mexc", "binance", "mexc"])
    (('kraken',), ('mexc', 'binance'))
    """
    if venues is None:
        return venue_names()
    return (venues,) if isinstance(venues, str) else tuple(dict.fromkeys(venues))


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


@cache
def legal_rules() -> tuple[LegalRule, ...]:
    """Rules of 20 places on leveraged crypto products, in the order of their table.

    Returns
    -------
    tuple of LegalRule
        Each with its source, date and confidence. A rule that could not be found is not there.

    Examples
    --------
    >>> rule = next(r for r in legal_rules() if r.place == "Australia" and r.clients == "retail")
    >>> rule.product, rule.max_leverage, rule.status, rule.confidence
    ('crypto CFD', 2.0, 'restricted', 'verified')
    """
    with (_FOLDER / "jurisdictions.csv").open(encoding="utf-8") as lines:
        return tuple(
            LegalRule(
                place=row["jurisdiction"],
                authority=row["authority"],
                product=row["product"],
                clients=row["client_type"],
                max_leverage=float(row["retail_max_leverage"] or inf),
                status=row["status"],
                since=row["since"],
                negative_balance_protection=row["negative_balance_protection"],
                close_out_rule=row["close_out_rule"],
                source=row["source_title"],
                address=row["source_address"],
                as_of=row["source_date"] or "undated",
                confidence=row["confidence"],
            )
            for row in csv.DictReader(lines)
        )


def places() -> tuple[str, ...]:
    """Places that the table of rules knows, in its order.

    Examples
    --------
    >>> places()[:3]
    ('EU/EEA', 'United Kingdom', 'United States (federal)')
    """
    return tuple(dict.fromkeys(rule.place for rule in legal_rules()))


def claims() -> tuple[Claim, ...]:
    """List what the introductory guide says of each venue, and what sources say.

    Returns
    -------
    tuple of Claim
        Every cell of its seven rows that sources were found for, or looked for.

    Examples
    --------
    >>> for claim in claims()[:1]:
    ...     print(claim.venue, "|", claim.claim, "|", claim.verdict)
    binance | up to 125x on futures | out of date
    """
    return tuple(claim for name in venue_names() for claim in load_venue(name).claims)


@cache
def _venue(name: str, on: date | None) -> Venue:
    data = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return Venue(
        id=data["id"],
        name=data["name"],
        gathered=data["gathered"],
        on=on,
        facts=_facts(name, "", data["facts"], on),
        products=tuple(_product(name, id, part, on) for id, part in data["products"].items()),
        main_product=data["main_product"],
        controls=_listed(name, "control", data.get("controls", ())),
        incidents=_listed(name, "incident", data.get("incidents", ())),
        places=tuple(_place(name, row) for row in data["jurisdictions"] if _in_force(row, on)),
        claims=tuple(Claim(venue=name, **row) for row in data["claims"]),
    )


def _product(venue: str, id: str, data: Mapping[str, Any], on: date | None) -> Product:
    tables = (_tiers(venue, id, row) for row in data.get("tier_tables", ()))
    return Product(
        venue=venue,
        id=id,
        name=data["name"],
        facts=_facts(venue, f"{id}.", data["facts"], on),
        tier_tables=tuple(table for table in tables if _seen_by(table.as_of, on)),
    )


def _facts(venue: str, prefix: str, data: Mapping[str, Any], on: date | None) -> Mapping[str, Fact]:
    facts = {}
    for name, versions in data.items():
        rows = versions if isinstance(versions, list) else [versions]
        (row,) = (row for row in rows if _in_force(row, on))
        facts[name] = _fact(venue, f"{prefix}{name}", row)
    return MappingProxyType(facts)


def _fact(venue: str, name: str, row: Mapping[str, Any]) -> Fact:
    value: Value = tuple(row["value"]) if isinstance(row["value"], list) else row["value"]
    return Fact(
        venue=venue,
        name=name,
        value=value,
        source=row["source"],
        as_of=row["as_of"],
        confidence=row["confidence"],
        unit=row.get("unit", ""),
        note=row.get("note", ""),
    )


def _listed(venue: str, kind: str, rows: Iterable[Mapping[str, Any]]) -> tuple[Fact, ...]:
    return tuple(
        _fact(venue, f"{kind}.{row.get('date', number)}", row)
        for number, row in enumerate(rows, start=1)
    )


def _place(venue: str, row: Mapping[str, Any]) -> PlaceRule:
    return PlaceRule(
        fact=_fact(venue, f"jurisdiction.{row['place']}", row),
        place=row["place"],
        products=tuple(row.get("products", ())),
        clients=row.get("clients", "all"),
        max_leverage=float(row.get("max_leverage", inf)),
    )


def _tiers(venue: str, product: str, row: Mapping[str, Any]) -> TierData:
    rest = {key: value for key, value in row.items() if key != "tiers"}
    return TierData(
        venue=venue, product=product, tiers=tuple(_tier(cells) for cells in row["tiers"]), **rest
    )


def _tier(cells: list[Any]) -> Tier:
    lower, upper, rate, *rest = cells
    max_leverage, amount = (
        None if cell is None or cell == UNKNOWN else float(cell) for cell in [*rest, None][:2]
    )
    return Tier(float(lower), float(upper), float(rate), max_leverage, amount)


def _in_force(row: Mapping[str, Any], on: date | None) -> bool:
    if on is None:
        return "until" not in row
    return bool(row.get("since", date.min) <= on < row.get("until", date.max))


def _seen_by(as_of: str, on: date | None) -> bool:
    start = earliest_date(as_of)
    return on is None or start is None or start <= on

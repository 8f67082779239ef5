"""Read the venues' files: one TOML file for each, with what was in force on a day."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from math import inf
from types import MappingProxyType
from typing import Any

from leverage.venues.records import (
    UNKNOWN,
    Claim,
    Fact,
    PlaceRule,
    Product,
    Tier,
    TierData,
    Value,
    Venue,
    as_date,
    earliest_date,
)

_FOLDER = files(__package__)


@cache
def venue_names() -> tuple[str, ...]:
    """Names of all venues that there is a file for, in alphabetical order.

    Returns
    -------
    tuple of str
        What :func:`load_venue` accepts.

    Examples
    --------
    >>> venue_names()[:3]
    ('binance', 'bitget', 'bybit')
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
        places=tuple(
            _place_rule(name, row) for row in data["jurisdictions"] if _row_holds(row, on)
        ),
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
        (row,) = (row for row in rows if _row_holds(row, on))
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


def _place_rule(venue: str, row: Mapping[str, Any]) -> PlaceRule:
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


def _row_holds(row: Mapping[str, Any], on: date | None) -> bool:
    if on is None:
        return "until" not in row
    return bool(row.get("since", date.min) <= on < row.get("until", date.max))


def _seen_by(as_of: str, on: date | None) -> bool:
    start = earliest_date(as_of)
    return on is None or start is None or start <= on

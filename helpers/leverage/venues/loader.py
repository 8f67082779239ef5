"""Read the venues' files: one TOML file for each, with what was in force on a day."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict

from leverage._places import own_place
from leverage._validate import checked_choice
from leverage.venues.fetching import FetchedTiers, check_believable
from leverage.venues.provenance import (
    UNDATED,
    Source,
    as_date,
    confidence,
    earliest_date,
    in_words,
    newest,
    read_sources,
)
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
)

LAW = "law"
"""Stem of the file with the rules of places, and what lists call it."""

_FOLDER = files(__package__)
_KINDS = (".contract", ".settlement")


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
    stems = {name.removesuffix(".toml") for name in names if name.endswith(".toml")}
    return tuple(sorted(stems - {LAW}))


def load_venue(
    name: str, *, on: date | str | None = None, place: str = "", live: bool = False
) -> Venue:
    """Load what is known about a venue.

    Parameters
    ----------
    name : str
        One of :func:`venue_names`.
    on : datetime.date or str, optional
        Day whose rules are wanted, as a date or ``"YYYY-MM-DD"``. Rules with a first or last day
        are those in force then, tier tables seen only later are left out, all is unknown before the
        oldest source about the venue, and what has no first day and was read only later has the
        confidence ``"background"``. The newest of everything if left out.
    place : str, optional
        Where the client lives, one of :func:`places`. Some venues have other margins, tiers and
        limits for a place; where one has none of its own, those of no place in particular hold.
    live : bool, default False
        Use what ``python -m leverage.venues refresh`` fetched, where it did; those facts have the
        confidence ``"fetched"``, and their source says endpoint, time and software.

    Returns
    -------
    Venue
        Frozen records in which each fact has its source, date and confidence.

    Raises
    ------
    ValueError
        If there is no such venue or place, `on` is not a date, or what was fetched cannot be used.

    Examples
    --------
    >>> for day in ["2025-09-01", "2025-09-02"]:
    ...     rule = load_venue("bybit", on=day).fact("linear.liquidation_rule")
    ...     print(day, rule.value, rule.confidence)
    2025-09-01 maintenance at entry verified
    2025-09-02 maintenance at mark derived
    >>> for place in ["", "EU/EEA"]:
    ...     tiers = load_venue("kraken", place=place).product("futures_linear").tiers("BTC")
    ...     print(tiers.tiers[0].maintenance_margin_rate, tiers.tiers[0].max_leverage)
    0.01 50.0
    0.05 10.0
    """
    if name not in venue_names():
        raise ValueError(
            f"name must be a venue with a file, was {name!r}; give one of "
            f"{', '.join(venue_names())}"
        )
    if place:
        checked_choice("place", place, list(_places()))
    day = as_date("on", on)
    path = overlay_folder() / f"{name}.toml"
    if not live or not path.is_file():
        return _bundled_venue(name, day, place)
    state = path.stat()
    return _live_venue(name, day, place, path, (state.st_mtime_ns, state.st_size))


def facts_in_use(*, live: bool = True) -> str:
    """Say which facts a result rests on: the bundled ones, or which were fetched and when.

    Parameters
    ----------
    live : bool, default True
        As for :func:`load_venue`.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> facts_in_use(live=False)
    'Facts as bundled.'
    """
    if not live:
        return "Facts as bundled."
    fetched = [
        f"{venue.name} {venue.gathered}"
        for venue in (load_venue(name, live=True) for name in venue_names())
        if (overlay_folder() / f"{venue.id}.toml").is_file()
    ]
    if not fetched:
        return (
            "Nothing was fetched, so facts are as bundled; "
            "`python -m leverage.venues refresh` fetches."
        )
    return f"Facts fetched: {', '.join(fetched)}; as bundled for the others."


def overlay_folder() -> Path:
    """Return where fetched facts are kept: ``$LEVERAGE_FACTS`` or a folder at home.

    Examples
    --------
    >>> overlay_folder().is_absolute()
    True
    """
    return own_place("LEVERAGE_FACTS", "facts").absolute()


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
def _places() -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule["place"] for rule in _data(LAW)["rules"]))


def _data(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def _bundled_venue(name: str, on: date | None, place: str) -> Venue:
    return _venue(name, _data(name), on, place)


@cache
def _live_venue(
    name: str, on: date | None, place: str, path: Path, _state: tuple[int, int]
) -> Venue:
    try:
        overlay = tomllib.loads(path.read_text(encoding="utf-8"))
        data = _with_overlay(_data(name), overlay)
        before = on is not None and on < overlay["fetched"]
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be used ({type(error).__name__}: {error}); delete it, or fetch it "
            f"again with `python -m leverage.venues refresh {name}`"
        ) from error
    return _bundled_venue(name, on, place) if before else _venue(name, data, on, place)


def _with_overlay(data: dict[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return a venue's data with fetched facts after its own, which end on the day of fetching."""
    day = overlay["fetched"]
    data["sources"] |= overlay["sources"]
    data["gathered"] = max(data["gathered"], day)
    for id, part in overlay["products"].items():
        product = data["products"][id]
        numbers = {name: float(row["value"]) for name, row in part["facts"].items()}
        tables = part.get("tier_tables", ())
        check_believable(numbers, [_fetched_tiers(row) for row in tables])
        for name, row in part["facts"].items():
            _ = [data["sources"][key] for key in row["sources"]]
            old = product["facts"][name]
            rows = old if isinstance(old, list) else [old]
            product["facts"][name] = [
                *(
                    each if "until" in each or "places" in each else {**each, "until": day}
                    for each in rows
                ),
                row,
            ]
        product.setdefault("tier_tables", []).extend(tables)
    return data


def _fetched_tiers(row: Mapping[str, Any]) -> FetchedTiers:
    tiers = tuple(tuple(map(float, cells)) for cells in row["tiers"])
    return FetchedTiers(
        **{key: row[key] for key in ("symbol", "base", "unit", "bounds")}, tiers=tiers
    )


def _venue(name: str, data: Mapping[str, Any], on: date | None, place: str) -> Venue:
    file = _File(name, data["gathered"], on, place, read_sources(data["sources"]))
    return Venue(
        id=data["id"],
        name=data["name"],
        gathered=data["gathered"],
        on=on,
        place=place,
        facts=file.facts("", data["facts"]),
        products=tuple(file.product(id, part) for id, part in data["products"].items()),
        main_product=data["main_product"],
        controls=file.listed("control", data.get("controls", ())),
        incidents=file.listed("incident", data.get("incidents", ())),
        places=tuple(file.place_rule(row) for row in data["jurisdictions"] if file.in_force(row)),
        claims=tuple(file.claim(row) for row in data["claims"]),
    )


class _Provenance(TypedDict):
    """What is said of the sources of a fact, a tier table or a claim."""

    source: str
    as_of: str
    confidence: str
    sources: tuple[Source, ...]
    against: tuple[Source, ...]
    derived: bool


@dataclass(frozen=True)
class _File:
    """A venue's file, read for a day and a place."""

    venue: str
    gathered: date
    on: date | None
    place: str
    sources: Mapping[str, Source]

    def in_force(self, row: Mapping[str, Any]) -> bool:
        if self.on is None:
            return "until" not in row
        if self.on < self.oldest and "since" not in row:
            return False
        return bool(row.get("since", date.min) <= self.on < row.get("until", date.max))

    @cached_property
    def oldest(self) -> date:
        """Date of the oldest source; nothing is known of earlier days."""
        dates = [earliest_date(source.shown) for source in self.sources.values()]
        return min(day for day in dates if day is not None)

    def here(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the rows made for the place; those for no place in particular if there are none."""
        own = [row for row in rows if self.place in row.get("places", ())]
        return own or [row for row in rows if "places" not in row]

    def provenance(self, row: Mapping[str, Any]) -> _Provenance:
        sources, against = (
            tuple(self.sources[key] for key in row.get(kind, ())) for kind in ("sources", "against")
        )
        derived, known = row.get("derived", False), row.get("value") != UNKNOWN
        if sources:
            source, as_of = in_words(sources), newest(sources)
        elif derived:
            source, as_of = "follows from the kind of product", self.gathered.isoformat()
        elif known:
            source, as_of = "background knowledge, not read in a source", UNDATED
        else:
            source, as_of = "not found in the copies read", self.gathered.isoformat()
        return {
            "source": source,
            "as_of": as_of,
            "confidence": confidence(
                sources,
                on=self.on or self.gathered,
                known=known and ("since" in row or not self.read_later(sources)),
                derived=derived,
                against=against,
            ),
            "sources": sources,
            "against": against,
            "derived": derived,
        }

    def read_later(self, sources: Iterable[Source]) -> bool:
        """Whether every source bears a date after the day that is asked for."""
        dates = [earliest_date(source.shown) for source in sources]
        return self.on is not None and bool(dates) and all(d and d > self.on for d in dates)

    def fact(self, name: str, row: Mapping[str, Any]) -> Fact:
        value: Value = tuple(row["value"]) if isinstance(row["value"], list) else row["value"]
        return Fact(
            venue=self.venue,
            name=name,
            value=value,
            unit=row.get("unit", ""),
            note=row.get("note", ""),
            since=row.get("since"),
            until=row.get("until"),
            **self.provenance(row),
        )

    def facts(self, prefix: str, data: Mapping[str, Any]) -> Mapping[str, Fact]:
        return MappingProxyType(
            {name: self.version(f"{prefix}{name}", rows) for name, rows in data.items()}
        )

    def version(self, name: str, rows: Any) -> Fact:
        """Return the version of a fact for the day and the place; unknown before its first day."""
        versions = rows if isinstance(rows, list) else [rows]
        if name.endswith(_KINDS):  # what a product is does not change
            return self.fact(name, versions[-1])
        held = self.here([row for row in versions if self.in_force(row)])
        if not held:
            return self.fact(name, {"value": UNKNOWN, "note": f"Nothing is known of {self.on}."})
        (row,) = held
        return self.fact(name, row)

    def product(self, id: str, data: Mapping[str, Any]) -> Product:
        rows = self.here_by_symbol(data.get("tier_tables", ()))
        tables = (self.tiers(id, row) for row in rows)
        return Product(
            venue=self.venue,
            id=id,
            name=data["name"],
            facts=self.facts(f"{id}.", data["facts"]),
            tier_tables=tuple(table for table in tables if self.seen(table.as_of)),
        )

    def here_by_symbol(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        own = {row["symbol"] for row in rows if self.place in row.get("places", ())}
        return [
            row
            for row in rows
            if (self.place in row["places"] if "places" in row else row["symbol"] not in own)
        ]

    def seen(self, as_of: str) -> bool:
        start = earliest_date(as_of) or self.oldest
        return self.on is None or start <= self.on

    def listed(self, kind: str, rows: Iterable[Mapping[str, Any]]) -> tuple[Fact, ...]:
        return tuple(
            self.fact(f"{kind}.{row.get('date', number)}", row)
            for number, row in enumerate(rows, start=1)
        )

    def place_rule(self, row: Mapping[str, Any]) -> PlaceRule:
        return PlaceRule(
            fact=self.fact(f"jurisdiction.{row['place']}", row),
            place=row["place"],
            products=tuple(row.get("products", ())),
            clients=row.get("clients", "all"),
            max_leverage=float(row.get("max_leverage", inf)),
        )

    def tiers(self, product: str, row: Mapping[str, Any]) -> TierData:
        return TierData(
            venue=self.venue,
            product=product,
            tiers=tuple(_tier(cells) for cells in row["tiers"]),
            **{key: row[key] for key in ("symbol", "base", "unit", "bounds", "complete", "used")},
            note=row.get("note", ""),
            **self.provenance(row),
        )

    def claim(self, row: Mapping[str, Any]) -> Claim:
        known = self.provenance({**row, "value": row["verdict"]})
        return Claim(
            venue=self.venue,
            **{key: row[key] for key in ("topic", "claim", "verdict", "finding")},
            source=known["source"],
            as_of=known["as_of"],
            confidence=known["confidence"],
        )


def _tier(cells: list[Any]) -> Tier:
    lower, upper, rate, *rest = cells
    max_leverage, amount = (
        None if cell is None or cell == UNKNOWN else float(cell) for cell in [*rest, None][:2]
    )
    return Tier(float(lower), float(upper), float(rate), max_leverage, amount)

"""The rules of places on leveraged crypto products: one row for each, with source and date."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from math import inf, isnan, nan
from typing import Any

from leverage._validate import shown
from leverage.venues.loader import LAW
from leverage.venues.provenance import (
    Source,
    confidence,
    earliest_date,
    in_words,
    newest,
    read_sources,
)
from leverage.venues.records import UNKNOWN, Fact, PlaceRule, Product, Venue

MECHANISMS = ("number cap", "ban", "licence rule")
LEGAL_PRODUCTS = {
    "linear": "crypto futures/perpetual",
    "inverse": "crypto futures/perpetual",
    "spot margin": "spot margin",
    "cfd": "crypto CFD",
}
"""What the law calls a product, by the contract of a venue's product."""

CLIENTS = {
    "retail": ("retail", "all"),
    "professional": (
        "professional",
        "all",
        "wholesale",
        "accredited",
        "qualified",
        "corporate",
        "institutional",
        "eligible contract participant",
    ),
}
"""How the table's words for its clients begin, by the kind of client that they are about."""

_PARENT = {"New York": "United States (federal)"}


@dataclass(frozen=True)
class LegalRule:
    """What the law of one place says about one product for one kind of client.

    Attributes
    ----------
    place, authority, product, clients : str
        Whose rule it is and what it is about, in the words of the table.
    max_leverage : float
        Largest leverage that the row names; ``inf`` if the rule has no number, NaN if its number
        is unknown.
    mechanism : {"number cap", "ban", "licence rule", "none", "unknown"}
        How the rule limits leverage: by a number, by closing the way, or by who may offer it and
        to whom. ``"none"`` for a row that says that a rule does not reach these clients.
    status : {"allowed", "restricted", "licence needed", "banned", "unknown"}
        What it comes to.
    since, until, negative_balance_protection, close_out_rule : str
        As known; empty or ``"unknown"`` if not. `until` is the first day on which it no longer held.
    source, address, as_of, confidence : str
        Names of its sources, the address of one, their newest date, and how sure that makes it.
    note : str
        Conditions, and what was looked for and not found.
    sources : tuple of Source
        What it was read in; none for a rule that is only believed.
    """

    place: str
    authority: str
    product: str
    clients: str
    max_leverage: float
    mechanism: str
    status: str
    since: str
    until: str
    negative_balance_protection: str
    close_out_rule: str
    source: str
    address: str
    as_of: str
    confidence: str
    note: str
    sources: tuple[Source, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether there is a rule: false for the answer that nothing was found."""
        return self.status != UNKNOWN

    @property
    def first_day(self) -> date | None:
        """First day on which the rule held; None if it was not found."""
        return None if self.since in ("", UNKNOWN) else earliest_date(self.since)

    @property
    def limit(self) -> str:
        """The leverage that the row names in words: a number, no number, or unknown."""
        if isnan(self.max_leverage):
            return UNKNOWN
        if self.status == "banned":
            return "none allowed"
        return "no number" if self.max_leverage == inf else f"{shown(self.max_leverage)}x"

    @property
    def question(self) -> str:
        """What to ask before relying on the row.

        Examples
        --------
        >>> rule = next(r for r in legal_rules() if r.place == "South Korea" and "fut" in r.product)
        >>> rule.question
        'FSC: which text says that crypto futures/perpetual for retail is banned? Nobody read one.'
        """
        claim = f"{self.product} for {self.clients} is {self.status}"
        if not self.is_known:
            return (
                f"Authority of {self.place}: which rule holds for {self.product} and "
                f"{self.clients} clients, and since when? Venue: which licence there covers it?"
            )
        if self.confidence == "background":
            return f"{self.authority}: which text says that {claim}? Nobody read one."
        if self.confidence == "secondary":
            return f"{self.authority}: does the official text say that {claim}? {self.source} does."
        return f"{self.authority}: is it still so that {claim}? The source is {self.as_of}."

    def concerns(self, client: str) -> bool:
        """Whether the rule is about ``"retail"`` or ``"professional"`` clients.

        Examples
        --------
        >>> [rule.clients for rule in legal_rules()[:2] if rule.concerns("professional")]
        ['professional']
        """
        return self.clients.startswith(CLIENTS[client])

    def holds(self, on: date | None) -> bool:
        """Whether the rule held on a day, as far as its first day is known; None is today."""
        if on is None:
            return not self.until
        ended = earliest_date(self.until) if self.until else None
        begun = self.first_day is None or self.first_day <= on
        return begun and (ended is None or on < ended)

    def as_fact(self) -> Fact:
        """Return the rule as one fact, for lists of facts and their age."""
        return Fact(
            LAW,
            f"{self.place}.{self.product}.{self.clients}",
            self.status,
            self.source,
            self.as_of,
            self.confidence,
            note=self.note,
            sources=self.sources,
        )


GATHERED = date(2026, 11, 30)
"""Day on which the sources of the rules were last read."""


@cache
def legal_rules(on: date | None = None) -> tuple[LegalRule, ...]:
    """Rules of 20 places on leveraged crypto products, in the order of their file.

    Parameters
    ----------
    on : datetime.date, optional
        Day whose rules are wanted; those in force now if left out.

    Returns
    -------
    tuple of LegalRule
        Each with its sources, their dates and how sure they make it. A rule that could not be
        found is not there.

    Examples
    --------
    >>> rule = next(r for r in legal_rules() if r.place == "Australia" and r.clients == "retail")
    >>> rule.product, rule.max_leverage, rule.status, rule.confidence
    ('crypto CFD', 2.0, 'restricted', 'verified')
    """
    data = tomllib.loads((files(__package__) / f"{LAW}.toml").read_text(encoding="utf-8"))
    sources = read_sources(data["sources"])
    rules = (_rule(row, sources) for row in data["rules"])
    return tuple(rule for rule in rules if rule.holds(on))


def _rule(row: Mapping[str, Any], sources: Mapping[str, Source]) -> LegalRule:
    read = tuple(sources[key] for key in row.get("sources", ()))
    cap = row.get("max_leverage", inf)
    return LegalRule(
        **{key: row[key] for key in ("place", "authority", "product", "clients")},
        max_leverage=nan if cap == UNKNOWN else float(cap),
        mechanism=row["mechanism"],
        status=row["status"],
        since=row.get("since", ""),
        until=row.get("until", ""),
        negative_balance_protection=row.get("negative_balance_protection", ""),
        close_out_rule=row.get("close_out_rule", ""),
        source=in_words(read) or "background",
        address=next((source.address for source in read if source.address), ""),
        as_of=newest(read),
        confidence=confidence(read, on=GATHERED),
        note=row.get("note", ""),
        sources=read,
    )


def places() -> tuple[str, ...]:
    """Places that the table of rules knows, in its order.

    Examples
    --------
    >>> places()[:3]
    ('EU/EEA', 'United Kingdom', 'United States (federal)')
    """
    return tuple(dict.fromkeys(rule.place for rule in legal_rules()))


def with_wider(place: str) -> tuple[str, ...]:
    """Return a place and the wider one whose rules hold there too.

    Examples
    --------
    >>> with_wider("New York"), with_wider("Japan")
    (('New York', 'United States (federal)'), ('Japan',))
    """
    return (place, _PARENT[place]) if place in _PARENT else (place,)


def place_rules(venue: Venue, product: Product, place: str, client: str) -> tuple[PlaceRule, ...]:
    """Return what a venue does with a product for one kind of client of a place.

    Examples
    --------
    >>> from leverage.venues import load_venue
    >>> kraken = load_venue("kraken")
    >>> [rule.fact.value for rule in place_rules(kraken, kraken.products[0], "New York", "retail")]
    ['refused', 'refused']
    """
    return tuple(
        rule
        for rule in venue.places
        if rule.place in with_wider(place)
        and (not rule.products or product.id in rule.products)
        and rule.clients in ("all", client)
    )

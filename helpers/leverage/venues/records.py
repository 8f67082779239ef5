"""What is known about a venue: frozen records, each fact with its source, date and confidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from math import inf
from typing import Literal, TypeAlias, TypeVar

from leverage._validate import shown
from leverage.tiers import TierTable
from leverage.venues.provenance import Source, age_in_days, earliest_date

T = TypeVar("T")
Value: TypeAlias = str | float | bool | tuple[str, ...]

UNKNOWN = "unknown"
NOT_APPLICABLE = "not applicable"
PLACE_WORDS = ("refused", "suspended", "not authorised", "unknown", "limited", "served")
"""What a venue's file may say of a place."""

VERDICTS = ("right", "out of date", "needs a condition", "wrong", "unknown")


class UnknownFactError(ValueError):
    """Arithmetic needs a fact that is unknown; the message names it and its venue.

    Attributes
    ----------
    venue : str
        Name of the venue's data, as in ``load_venue(venue)``.
    fact : str
        Name of the missing fact, as in ``load_venue(venue).fact(fact)``.

    Examples
    --------
    >>> print(UnknownFactError("gemini", "perpetual.maintenance_limit"))
    perpetual.maintenance_limit of gemini must be known for this, was "unknown"; find it and add \
it to gemini.toml with source and date, or leave the venue out
    """

    def __init__(self, venue: str, fact: str, note: str = "") -> None:
        self.venue = venue
        self.fact = fact
        about = f" ({note.rstrip('.')})" if note else ""
        super().__init__(
            f'{fact} of {venue} must be known for this, was "unknown"{about}; find it and add it '
            f"to {venue}.toml with source and date, or leave the venue out"
        )


@dataclass(frozen=True)
class Fact:
    """One fact about a venue.

    Attributes
    ----------
    venue, name : str
        Where it stands: the venue's data and the dotted name in it.
    value : str, float, bool or tuple of str
        The fact; ``"unknown"`` if looked for and not found, ``"not applicable"`` if the product
        has no such thing. Rates are decimals.
    source, as_of : str
        Names of its sources in one line, and the newest date that one of them shows.
    confidence : str
        How sure that makes it, as `leverage.venues.provenance.confidence` says.
    unit, note : str
        Unit of a number; conditions and disagreements.
    sources, against : tuple of Source
        What it was read in or worked out from, and what says something else.
    derived : bool
        Whether it was worked out instead of read.
    since, until : datetime.date or None
        First day on which it held, and first day on which it no longer did, where known.

    Examples
    --------
    >>> fact = Fact("mexc", "futures.taker_fee_rate", 0.0004, "a page", "2026-10", "secondary")
    >>> fact.number(), fact.age(date(2026, 10, 31))
    (0.0004, 30)
    """

    venue: str
    name: str
    value: Value
    source: str
    as_of: str
    confidence: str
    unit: str = ""
    note: str = ""
    sources: tuple[Source, ...] = ()
    against: tuple[Source, ...] = ()
    derived: bool = False
    since: date | None = None
    until: date | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is a value: neither unknown nor not applicable."""
        return self.value not in (UNKNOWN, NOT_APPLICABLE)

    def known(self) -> Value:
        """Return the value, or raise `UnknownFactError` if it is unknown."""
        if self.value == UNKNOWN:
            raise UnknownFactError(self.venue, self.name, self.note)
        if self.value == NOT_APPLICABLE:
            raise ValueError(
                f"{self.name} of {self.venue} must apply to the product, was {self.value!r} "
                f"({self.note.rstrip('.')}); use another product"
            )
        return self.value

    def number(self) -> float:
        """Return the value as a float, or raise `UnknownFactError` if it is unknown."""
        value = self.known()
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(
                f"{self.name} of {self.venue} must be a number, was {value!r}; read its value"
            )
        return float(value)

    def words(self) -> str:
        """Return the value as a word or sentence, or raise `UnknownFactError` if it is unknown."""
        value = self.known()
        return ", ".join(value) if isinstance(value, tuple) else str(value)

    def age(self, on: date | str) -> int | None:
        """Days from the earliest day that `as_of` can mean to a date; None if undated."""
        return age_in_days(self.as_of, on)


@dataclass(frozen=True)
class Tier:
    """One row of a venue's tier table; None stands for what the venue's table does not say.

    Attributes
    ----------
    lower, upper : float
        Bounds of the size, in the unit of the table; `upper` is ``inf`` if none is stated.
    maintenance_margin_rate : float
        Decimal of the notional.
    max_leverage : float or None
        Largest leverage that may be set for this size.
    maintenance_amount : float or None
        What the venue subtracts from rate times notional, in the unit of the table.
    """

    lower: float
    upper: float
    maintenance_margin_rate: float
    max_leverage: float | None
    maintenance_amount: float | None


@dataclass(frozen=True)
class TierData:
    """A tier table as a venue published it, with its provenance.

    Attributes
    ----------
    venue, product, symbol, base : str
        What it is for; `base` is the coin (``"BTC"`` for XBT as well).
    unit : str
        Currency of the bounds.
    bounds : {"notional", "quantity"}
        Whether the tier follows the notional at the mark price or the quantity alone.
    complete : bool
        Whether all tiers of the symbol are here.
    used : bool
        Whether arithmetic may use the table; if not, the note says why.
    tiers : tuple of Tier
        The rows, from the smallest size up.
    source, as_of, confidence, note, sources, against, derived
        As for :class:`Fact`.
    """

    venue: str
    product: str
    symbol: str
    base: str
    unit: str
    bounds: str
    complete: bool
    used: bool
    tiers: tuple[Tier, ...]
    source: str
    as_of: str
    confidence: str
    note: str = ""
    sources: tuple[Source, ...] = ()
    against: tuple[Source, ...] = ()
    derived: bool = False

    @property
    def cap(self) -> float:
        """Largest size in the table, in its unit."""
        return self.tiers[-1].upper

    @property
    def states_leverage(self) -> bool:
        """Whether every row has a maximum leverage."""
        return all(tier.max_leverage is not None for tier in self.tiers)

    @property
    def states_amounts(self) -> bool:
        """Whether every row has a maintenance amount."""
        return all(tier.maintenance_amount is not None for tier in self.tiers)

    def table(self, reading: Literal["given", "whole", "marginal"]) -> TierTable:
        """Return the rows as a table of the core, read as `TierTable.from_rows` says."""
        return TierTable.from_rows(
            (
                {
                    "min_notional": tier.lower,
                    "max_notional": tier.upper,
                    "mmr": tier.maintenance_margin_rate,
                    "max_leverage": tier.max_leverage,
                    "maintenance_amount": tier.maintenance_amount,
                }
                for tier in self.tiers
            ),
            reading=reading,
        )

    def as_fact(self) -> Fact:
        """Sum the table up as one fact, for lists of facts and their age."""
        count = len(self.tiers)
        upper = "no stated end" if self.cap == inf else f"{shown(self.cap)} {self.unit}"
        return Fact(
            self.venue,
            f"{self.product}.tiers.{self.symbol}",
            f"{count} {'tier' if count == 1 else 'tiers'} to {upper}",
            self.source,
            self.as_of,
            self.confidence,
            self.unit,
            self.note,
            self.sources,
            self.against,
            self.derived,
        )


@dataclass(frozen=True)
class Product:
    """One thing to trade on a venue, with its own rules.

    Attributes
    ----------
    venue, id, name : str
        Where it stands, its key in the data, and how the venue calls it.
    facts : mapping of str to Fact
        By name, without the product's key in front.
    tier_tables : tuple of TierData
        All that are known for the day asked for, older ones included.

    Examples
    --------
    >>> from leverage.venues import load_venue
    >>> futures = load_venue("binance").product("usdt_futures")
    >>> futures.fact("taker_fee_rate").number(), futures.fact("taker_fee_rate").confidence
    (0.0005, 'secondary')
    >>> futures.tiers("BTC").tiers[0].max_leverage
    150.0
    """

    venue: str
    id: str
    name: str
    facts: Mapping[str, Fact]
    tier_tables: tuple[TierData, ...] = ()

    def fact(self, name: str) -> Fact:
        """Return a fact by name; raise `ValueError` with the names there are."""
        return _named(self.facts, name, f"{self.venue}, {self.id}")

    def tiers(self, asset: str) -> TierData:
        """Return the newest table for a coin or symbol that arithmetic may use.

        Raises
        ------
        UnknownFactError
            If there is none for the day that the venue was loaded for.
        """
        tables = [t for t in self.tier_tables if t.used and asset in (t.base, t.symbol)]
        if not tables:
            raise UnknownFactError(self.venue, f"{self.id}.tiers.{asset}")
        # max() keeps the first of equals, and later in the file is newer.
        return max(reversed(tables), key=lambda table: earliest_date(table.as_of) or date.min)

    def all_facts(self) -> Iterator[Fact]:
        """Give every fact of the product, its tier tables last."""
        yield from self.facts.values()
        for table in self.tier_tables:
            yield table.as_fact()


@dataclass(frozen=True)
class PlaceRule:
    """What a venue does for people of one place.

    Attributes
    ----------
    fact : Fact
        Its value is one of ``PLACE_WORDS``: ``"refused"`` by the venue itself, ``"suspended"``
        from a day on, ``"not authorised"`` there while the venue does not turn people away,
        ``"unknown"``, ``"limited"`` or ``"served"``.
    place : str
        As in :func:`leverage.venues.places`.
    products : tuple of str
        Keys of the products it is about; empty for all.
    clients : str
        ``"retail"`` or ``"all"``.
    max_leverage : float
        Largest leverage there; ``inf`` if no number is stated.
    """

    fact: Fact
    place: str
    products: tuple[str, ...] = ()
    clients: str = "all"
    max_leverage: float = inf


@dataclass(frozen=True)
class Claim:
    """What the introductory guide says in a venue's row, and what sources say.

    Attributes
    ----------
    venue, topic, claim : str
        The row, the cell and its content.
    verdict : {"right", "out of date", "needs a condition", "wrong", "unknown"}
        Judged at the end of 2026.
    finding, source, as_of, confidence : str
        What sources say, and which.
    """

    venue: str
    topic: str
    claim: str
    verdict: str
    finding: str
    source: str
    as_of: str
    confidence: str


@dataclass(frozen=True)
class Venue:
    """A trading venue as dated data.

    Attributes
    ----------
    id, name : str
        Key of the data and name of the venue.
    gathered : datetime.date
        Day on which the sources were read.
    on : datetime.date or None
        Day whose rules these are; None for the newest.
    place : str
        Residence whose rules these are; empty for those of no place in particular.
    facts : mapping of str to Fact
        Facts about the venue as a whole.
    products : tuple of Product
        What can be traded.
    main_product : str
        Key of the product that a short overview shows.
    controls, incidents : tuple of Fact
        Security controls as documented; incidents, oldest first.
    places : tuple of PlaceRule
        Who may trade what.
    claims : tuple of Claim
        What the introductory guide says of the venue.

    Examples
    --------
    >>> from leverage.venues import load_venue
    >>> kraken = load_venue("kraken")
    >>> [product.id for product in kraken.products]
    ['spot_margin', 'futures_linear', 'futures_inverse']
    >>> kraken.fact("spot_margin.close_out_level").number()
    0.4
    """

    id: str
    name: str
    gathered: date
    on: date | None
    place: str
    facts: Mapping[str, Fact]
    products: tuple[Product, ...]
    main_product: str
    controls: tuple[Fact, ...]
    incidents: tuple[Fact, ...]
    places: tuple[PlaceRule, ...]
    claims: tuple[Claim, ...]

    def product(self, id: str) -> Product:
        """Return a product by its key; raise `ValueError` with the keys there are."""
        return _named({product.id: product for product in self.products}, id, self.id)

    def fact(self, name: str) -> Fact:
        """Return a fact by its dotted name, ``"kyc"`` or ``"spot_margin.call_level"``."""
        product, _, rest = name.rpartition(".")
        return self.product(product).fact(rest) if product else _named(self.facts, rest, self.id)

    def all_facts(self) -> Iterator[Fact]:
        """Give every fact of the venue, in the order of its file; claims are not facts."""
        yield from self.facts.values()
        for product in self.products:
            yield from product.all_facts()
        yield from self.controls
        yield from self.incidents
        for rule in self.places:
            scope = f"{rule.place}.{'+'.join(rule.products)}" if rule.products else rule.place
            yield replace(rule.fact, name=f"jurisdiction.{scope}")


def _named(things: Mapping[str, T], name: str, place: str) -> T:
    if name not in things:
        raise ValueError(
            f"name must be one of those of {place}, was {name!r}; give one of {', '.join(things)}"
        )
    return things[name]

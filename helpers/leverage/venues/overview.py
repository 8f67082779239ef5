"""All facts of all venues in one table, and which of them have grown old."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from leverage.venues.access import CLOSED
from leverage.venues.law import legal_rules
from leverage.venues.loader import LAW, chosen, load_venue
from leverage.venues.provenance import as_date, checked_days, confidence
from leverage.venues.records import UNKNOWN, Fact, Product, Venue

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = ("max_leverage", "max_leverage_holds_to", "taker_fee_rate", "maker_fee_rate")
_LEVELS = ("funding_interval_hours", "call_level", "close_out_level")
_WORDS = ("contract", "settlement", "margin_modes", "liquidation_rule", "tier_method")


def venue_table(*, compact: bool = False, on: date | str | None = None) -> pd.DataFrame:
    """Put what is known about the venues into a table.

    Parameters
    ----------
    compact : bool, default False
        One row for each venue, with its main product, instead of one for each fact.
    on : datetime.date or str, optional
        Day whose rules are wanted, and to which ages are counted. The newest rules, aged to the
        day they were gathered, if left out.

    Returns
    -------
    pandas.DataFrame
        Tidy: ``venue``, ``product`` (empty for the venue as a whole), ``fact``, ``value``,
        ``unit``, ``confidence``, ``source``, ``as_of``, ``age_days`` (missing if undated),
        ``note``. Compact: numbers as such, NaN where unknown, and text ``"unknown"``; rates are
        decimals.

    Raises
    ------
    ValueError
        If `on` is not a date.

    Examples
    --------
    >>> table = venue_table().query("venue == 'bitget' and product == 'usdt_futures'")
    >>> fact = table.query("fact == 'max_leverage'").iloc[0]
    >>> fact["value"], fact["confidence"], fact["as_of"], int(fact["age_days"])
    (150, 'verified', '2025-09-26', 430)
    >>> venue_table(compact=True)[["venue", "max_leverage", "max_leverage_holds_to"]].head(1)
         venue  max_leverage  max_leverage_holds_to
    0  binance         150.0               300000.0
    """
    from leverage._pandas import pd

    day = as_date("on", on)
    loaded = [load_venue(name, on=day) for name in chosen(None)]
    if compact:
        return pd.DataFrame([_compact_row(venue) for venue in loaded])
    table = pd.DataFrame(
        [row for venue in loaded for row in _fact_rows(venue, day or venue.gathered)]
    )
    return table.astype({"age_days": "Int64"})


def facts_older_than(
    days: int, *, on: date | str, venues: Iterable[str] | str | None = None
) -> list[tuple[int | None, Fact]]:
    """List the facts that are older than a number of days, the costliest mistakes first.

    Parameters
    ----------
    days : int
        Age that a fact may have. Zero or more.
    on : datetime.date or str
        Day to which ages are counted.
    venues : str or iterable of str, optional
        Names from :func:`venue_names`, and ``"law"`` for the rules of places; all of them if left
        out.

    Returns
    -------
    list of (int or None, Fact)
        Age in days and fact, by `stake` and then by age. Undated facts have no age; they count as
        old and come first. Incidents are history and do not grow old.

    Raises
    ------
    ValueError
        If `days` is negative, `on` is not a date or there is no such venue.

    Examples
    --------
    >>> old = facts_older_than(365, on="2026-11-22", venues=["bitget"])
    >>> [(age, fact.name) for age, fact in old if age is not None and "tiers.BTC" in fact.name]
    [(422, 'usdt_futures.tiers.BTCUSDT')]
    """
    limit = checked_days(days)
    return _by_stake((age, fact) for age, fact in _aged(on, venues) if age is None or age > limit)


def weak_facts(
    *, on: date | str, venues: Iterable[str] | str | None = None
) -> list[tuple[int | None, Fact]]:
    """List the facts that are not verified on a day, the costliest mistakes first.

    Parameters
    ----------
    on, venues
        As for :func:`facts_older_than`.

    Returns
    -------
    list of (int or None, Fact)
        As :func:`facts_older_than` gives them: what one source says once, what rests on press or
        on nothing, what is worked out, and what sources dispute.

    Raises
    ------
    ValueError
        If `on` is not a date or there is no such venue.

    Examples
    --------
    >>> weak = weak_facts(on="2026-11-30", venues="mexc")
    >>> [(fact.name, fact.confidence) for _, fact in weak][:2]
    [('jurisdiction.United States (federal)', 'background'), ('jurisdiction.India', 'secondary')]
    """
    sure = ("verified", "fetched")
    return _by_stake(
        (age, fact) for age, fact in _aged(on, venues) if confidence_on(fact, on) not in sure
    )


def confidence_on(fact: Fact, on: date | str) -> str:
    """Return how sure a fact is on a day: a dated rule that stood alone loses that with time.

    Examples
    --------
    >>> fact = load_venue("bitget").fact("usdt_futures.max_leverage")
    >>> confidence_on(fact, "2026-11-30"), confidence_on(fact, "2027-11-30")
    ('verified', 'read once')
    """
    return confidence(
        fact.sources,
        on=on,
        known=fact.value != UNKNOWN,
        derived=fact.derived,
        against=fact.against,
    )


STAKES = ("access", "loss", "cost", "other")
"""What a mistake in a fact can cost a learner, from the most to the least."""

_LOSS = re.compile(
    r"tiers|tier_method|liquidation_rule|trigger_price|margin_modes|maintenance|close_out_level"
    r"|negative_balance_protection|auto_deleveraging|max_leverage$"
)
_COST = re.compile(r"fee|funding|interest|carrying_cost|rollover|max_leverage|call_level")


def stake(fact: Fact) -> str:
    """Say what a mistake in a fact can cost: whether one may trade, how much is lost, what is paid.

    Examples
    --------
    >>> kraken = load_venue("kraken")
    >>> [stake(kraken.fact(f"spot_margin.{name}")) for name in ("close_out_level", "taker_fee_rate")]
    ['loss', 'cost']
    """
    if fact.venue == LAW or fact.name.startswith("jurisdiction."):
        return "access"
    if _LOSS.search(fact.name):
        return "loss"
    return "cost" if _COST.search(fact.name) else "other"


def _aged(on: date | str, venues: Iterable[str] | str | None) -> Iterator[tuple[int | None, Fact]]:
    for name in (*chosen(None), LAW) if venues is None else chosen(venues):
        for fact in ageing_facts(name):
            yield fact.age(on), fact


def _by_stake(aged: Iterable[tuple[int | None, Fact]]) -> list[tuple[int | None, Fact]]:
    def order(pair: tuple[int | None, Fact]) -> tuple[int, bool, int]:
        age, fact = pair
        return STAKES.index(stake(fact)), age is not None, -(age or 0)

    return sorted(aged, key=order)


def ageing_facts(name: str) -> list[Fact]:
    """Return the facts of a venue, or of the law, that may stop being true: no incidents.

    Examples
    --------
    >>> len(ageing_facts("bitget")) == sum(1 for _ in load_venue("bitget").all_facts()) - 1
    True
    """
    if name == LAW:
        return [rule.as_fact() for rule in legal_rules()]
    venue = load_venue(name)
    return [fact for fact in venue.all_facts() if fact not in venue.incidents]


def _fact_rows(venue: Venue, day: date) -> Iterator[dict[str, Any]]:
    products = {product.id for product in venue.products}
    for fact in venue.all_facts():
        head, _, rest = fact.name.partition(".")
        product, name = (head, rest) if head in products else ("", fact.name)
        yield {
            "venue": venue.id,
            "product": product,
            "fact": name,
            "value": _plain_value(fact),
            "unit": fact.unit,
            "confidence": fact.confidence,
            "source": fact.source,
            "as_of": fact.as_of,
            "age_days": fact.age(day),
            "note": fact.note,
        }


def _plain_value(fact: Fact) -> str | float | bool:
    return ", ".join(fact.value) if isinstance(fact.value, tuple) else fact.value


def _compact_row(venue: Venue) -> dict[str, Any]:
    product = venue.product(venue.main_product)
    closed = [rule.place for rule in venue.places if rule.fact.value in CLOSED]
    return {
        "venue": venue.id,
        "name": venue.name,
        "main_product": product.id,
        **{name: _plain_value(product.fact(name)) for name in _WORDS},
        **{name: _number_or_nan(product, name) for name in (*_NUMBERS, *_LEVELS)},
        "max_leverage_confidence": product.fact("max_leverage").confidence,
        "max_leverage_as_of": product.fact("max_leverage").as_of,
        "holds_to_unit": product.fact("max_leverage_holds_to").unit or UNKNOWN,
        "products": ", ".join(each.id for each in venue.products),
        "kyc": _plain_value(venue.fact("kyc")),
        "supported_assets_claimed": _plain_value(venue.fact("supported_assets_claimed")),
        "closed_places": ", ".join(dict.fromkeys(closed)),
        "incidents": len(venue.incidents),
        "unknown_facts": sum(fact.value == UNKNOWN for fact in venue.all_facts()),
        "facts": sum(1 for _ in venue.all_facts()),
        "gathered": venue.gathered.isoformat(),
    }


def _number_or_nan(product: Product, name: str) -> float:
    fact = product.fact(name)
    return fact.number() if fact.is_known else float("nan")

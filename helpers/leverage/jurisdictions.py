"""The rules of places and what venues say of them, in tables, and how old they are.

Nothing here is legal advice. What nobody read in a source counts as unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

from leverage.venues import load_venue, venue_names
from leverage.venues.access import (
    ANSWERS,
    PERPETUAL,
    PRODUCTS,
    AccessAnswer,
    all_of,
    any_of,
    law_answer,
    rules_for,
    venue_answer,
)
from leverage.venues.law import GATHERED, LEGAL_PRODUCTS, MECHANISMS, LegalRule, legal_rules, places
from leverage.venues.provenance import age_in_days, checked_days
from leverage.venues.rules import check_single

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ANSWERS",
    "GATHERED",
    "MECHANISMS",
    "PERPETUAL",
    "PRODUCTS",
    "AccessAnswer",
    "LegalRule",
    "age_in_days",
    "all_of",
    "any_of",
    "join_venues",
    "jurisdiction_table",
    "law_answer",
    "places",
    "rows_older_than",
    "rules_for",
    "venue_answer",
]


def join_venues(
    place: str,
    leverage: float = 1.0,
    *,
    client: str = "retail",
) -> pd.DataFrame:
    """Join the venues' products with the law of a place.

    Parameters
    ----------
    place : str
        As for :func:`rules_for`.
    leverage : float, default 1
        Leverage of the plan. At least 1.
    client : {"retail", "professional"}, default "retail"
        Kind of client.

    Returns
    -------
    pandas.DataFrame
        One row for each product of each venue: ``venue``, ``product``, ``law_product`` (what the
        law calls it), ``venue_says`` and ``law_says`` (answers), ``answer`` (of both together),
        and confidence and date of each side.

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Examples
    --------
    >>> table = join_venues("EU/EEA", 2).query("venue == 'kraken'")
    >>> table[["venue", "product", "venue_says", "law_says", "answer"]]
         venue          product   venue_says     law_says       answer
    8   kraken      spot_margin      unknown      unknown      unknown
    9   kraken   futures_linear  not refused  not refused  not refused
    10  kraken  futures_inverse  not refused  not refused  not refused
    """
    from leverage._pandas import pd

    check_single(leverage=leverage)
    rows = []
    for venue in map(load_venue, venue_names()):
        for product in venue.products:
            kind = LEGAL_PRODUCTS[product.fact("contract").words()]
            own = venue_answer(venue, product, place, leverage, client=client)
            law = law_answer(place, kind, leverage, client=client)
            rows.append(
                {
                    "venue": venue.id,
                    "product": product.id,
                    "law_product": kind,
                    "venue_says": own.value,
                    "law_says": law.value,
                    "answer": all_of(own.value, law.value),
                    "venue_confidence": own.confidence,
                    "venue_as_of": own.as_of,
                    "law_confidence": law.confidence,
                    "law_as_of": law.as_of,
                }
            )
    return pd.DataFrame(rows)


def jurisdiction_table(
    rules: Iterable[LegalRule] | None = None,
) -> pd.DataFrame:
    """Put rules into a table, with the age and the confidence of each.

    Parameters
    ----------
    rules : iterable of LegalRule, optional
        Such as those of `rules_for`; all that are known if left out.

    Returns
    -------
    pandas.DataFrame
        One row for each rule, with the attributes of :class:`LegalRule`, its ``limit`` in words
        and ``age_days`` on the day of gathering, missing if the source has no date. A
        ``max_leverage`` of ``inf`` means no number, NaN unknown.

    Examples
    --------
    >>> table = jurisdiction_table()
    >>> table["mechanism"].value_counts().to_dict()
    {'licence rule': 30, 'ban': 13, 'number cap': 9, 'none': 5}
    >>> jurisdiction_table(rules_for("Australia", "crypto CFD"))[["limit", "age_days"]]
      limit  age_days
    0    2x      1704
    """
    from leverage._pandas import pd

    return pd.DataFrame(
        [
            _rule_row(rule) | {"limit": rule.limit, "age_days": age_in_days(rule.as_of, GATHERED)}
            for rule in (legal_rules() if rules is None else rules)
        ]
    ).astype({"age_days": "Int64"})


def rows_older_than(table: pd.DataFrame, *, days: int, on: date | str = GATHERED) -> pd.DataFrame:
    """Return the rows that are older than a number of days, the oldest first.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column ``as_of``, such as `jurisdiction_table` or
        :func:`leverage.venues.venue_table`.
    days : int
        Age that a row may have. Zero or more.
    on : datetime.date or str, default 2026-11-22
        Day to which ages are counted.

    Returns
    -------
    pandas.DataFrame
        The rows with ``age_days`` counted to `on`; undated ones are stale and come first.

    Raises
    ------
    ValueError
        If `days` is negative, `on` is no date, or the table has no column ``as_of``.

    Examples
    --------
    >>> old = rows_older_than(jurisdiction_table(), days=365)
    >>> old[["place", "product", "as_of", "age_days"]].tail(1)
              place      product       as_of  age_days
    35  South Korea  spot margin  2025-09-05       451
    """
    from leverage._pandas import pd

    limit = checked_days(days)
    if "as_of" not in table:
        raise ValueError(
            f"table must have a column 'as_of', has {', '.join(map(str, table))}; "
            "give jurisdiction_table()"
        )
    ages = [age_in_days(as_of, on) for as_of in table["as_of"]]
    aged = table.assign(age_days=pd.Series(ages, index=table.index, dtype="Int64"))
    old = aged[aged["age_days"].isna() | (aged["age_days"] > limit)]
    return old.sort_values("age_days", ascending=False, na_position="first", kind="stable")


def _rule_row(rule: LegalRule) -> dict[str, object]:
    return {name: value for name, value in asdict(rule).items() if name != "sources"}

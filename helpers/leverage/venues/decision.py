"""A decision matrix: venues scored by factors, and the change of weights that turns the ranking."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from leverage._validate import FloatArray, checked_choice, shown
from leverage.venues.comparison import compare
from leverage.venues.loader import load_venue, venue_names
from leverage.venues.records import UNKNOWN
from leverage.venues.rules import check_single

if TYPE_CHECKING:
    import pandas as pd

FACTORS = ("taker_fee_rate", "max_leverage", "known_share", "incidents")
LOWER_IS_BETTER = ("taker_fee_rate", "incidents")
_TIE = 1e-12


def platform_factors(
    *, notional: float = 100_000.0, entry_price: float = 50_000.0, live: bool = False
) -> pd.DataFrame:
    """Put into a table what the venues' main products can be compared on.

    Parameters
    ----------
    notional : float, default 100000
        Size of the position in quote currency; what leverage is offered depends on it.
    entry_price : float, default 50000
        Price in quote currency per unit of base currency; some venues count their tiers in coins.
    live : bool, default False
        Use facts that were fetched, as in :func:`load_venue`; :func:`facts_in_use` says which.

    Returns
    -------
    pandas.DataFrame
        One row for each venue: ``taker_fee_rate`` as a decimal and ``max_leverage`` at this size
        (NaN where unknown), ``known_share``, the share of looked-up facts that were found, and
        ``incidents``, the number of incidents on the list.

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Examples
    --------
    >>> platform_factors(notional=1_000_000)["max_leverage"][["binance", "gemini"]].to_dict()
    {'binance': 75.0, 'gemini': nan}
    """
    from leverage._pandas import pd

    check_single(notional=notional, entry_price=entry_price)
    offers = compare(1, entry_price, notional=notional, leverage=1, live=live)
    rows = []
    for name in venue_names():
        venue = load_venue(name, live=live)
        product = venue.product(venue.main_product)
        fee = product.fact("taker_fee_rate")
        facts = list(venue.all_facts())
        offer = next(o for o in offers if (o.venue, o.product) == (name, product.id))
        rows.append(
            {
                "venue": name,
                "taker_fee_rate": fee.number() if fee.is_known else float("nan"),
                "max_leverage": offer.max_leverage,
                "known_share": 1 - sum(fact.value == UNKNOWN for fact in facts) / len(facts),
                "incidents": len(venue.incidents),
            }
        )
    return pd.DataFrame(rows).set_index("venue")


def scaled_scores(
    values: npt.ArrayLike, *, best: str = "highest", unknown: float = 0.0
) -> FloatArray:
    r"""Scale the values of one factor to scores from 0, the worst, to 1, the best.

    Parameters
    ----------
    values : array_like
        One value for each venue; NaN where unknown.
    best : {"highest", "lowest"}, default "highest"
        Which end is the better one.
    unknown : float, default 0
        Score of an unknown value, from 0 to 1. No value of it is right: try several.

    Returns
    -------
    ndarray
        Scores. If all known values are equal they score 1.

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Notes
    -----
    .. math:: \frac{x - x_\text{worst}}{x_\text{best} - x_\text{worst}}

    Examples
    --------
    >>> scaled_scores([0.0005, 0.0001, float("nan"), 0.0003], best="lowest")
    array([0. , 1. , 0. , 0.5])
    """
    checked_choice("best", best, ["highest", "lowest"])
    if not 0 <= unknown <= 1:
        raise ValueError(
            f"unknown must be a score from 0 to 1, was {shown(unknown)}; give 0 for the worst"
        )
    numbers = np.asarray(values, dtype=float)
    known = ~np.isnan(numbers)
    if not np.isfinite(numbers[known]).all():
        raise ValueError("values must be finite or NaN, had an infinite one; leave it out")
    scores = np.full(numbers.shape, float(unknown))
    if known.any():
        low, high = float(numbers[known].min()), float(numbers[known].max())
        worst = low if best == "highest" else high
        scores[known] = abs(numbers[known] - worst) / (high - low) if high > low else 1.0
    return scores


def score_factors(factors: pd.DataFrame, *, unknown: float = 0.0) -> pd.DataFrame:
    """Scale every column of `platform_factors` to scores from 0 to 1.

    Parameters
    ----------
    factors : pandas.DataFrame
        Columns named as in ``FACTORS``, one row for each venue.
    unknown : float, default 0
        Score of an unknown value, from 0 to 1.

    Returns
    -------
    pandas.DataFrame
        Scores, with the same rows and columns. Low fees and few incidents score high.

    Raises
    ------
    ValueError
        If `unknown` is not a score.

    Examples
    --------
    >>> factors = platform_factors().loc[["binance", "bybit", "mexc"]]
    >>> score_factors(factors)["taker_fee_rate"].round(2).to_dict()
    {'binance': 0.33, 'bybit': 0.0, 'mexc': 1.0}
    """
    from leverage._pandas import pd

    return pd.DataFrame(
        {
            name: scaled_scores(
                factors[name],
                best="lowest" if name in LOWER_IS_BETTER else "highest",
                unknown=unknown,
            )
            for name in factors
        },
        index=factors.index,
    )


def weighted_scores(scores: npt.ArrayLike, weights: npt.ArrayLike) -> FloatArray:
    r"""Average the scores of each venue with weights.

    Parameters
    ----------
    scores : array_like
        One row for each venue, one column for each factor.
    weights : array_like
        One weight for each factor, zero or more and not all zero. Only their ratios count.

    Returns
    -------
    ndarray
        Weighted average of each row.

    Raises
    ------
    ValueError
        If an argument breaks its rule or the numbers of factors differ.

    Notes
    -----
    .. math:: \frac{\sum_k w_k\,x_k}{\sum_k w_k}

    Examples
    --------
    >>> weighted_scores([[1, 0], [0.2, 0.6]], [3, 1])
    array([0.75, 0.3 ])
    """
    table, shares = _checked_matrix(scores, weights)
    return cast(FloatArray, table @ shares / shares.sum())


@dataclass(frozen=True)
class TurningPoint:
    """The weight of one factor at which another venue catches up with the leader.

    Attributes
    ----------
    factor : int
        Column of the factor.
    weight : float
        Weight at which both have the same score, all other weights unchanged.
    leader, rival : int
        Rows of the venue that leads now, and of the one that leads beyond that weight.
    """

    factor: int
    weight: float
    leader: int
    rival: int


def turning_points(
    scores: npt.ArrayLike, weights: npt.ArrayLike, *, largest: float = 10.0
) -> list[TurningPoint]:
    """Find, for each factor, the nearest weight at which the leader changes.

    Parameters
    ----------
    scores : array_like
        One row for each venue, one column for each factor.
    weights : array_like
        One weight for each factor, zero or more and not all zero.
    largest : float, default 10
        Largest weight that may be given.

    Returns
    -------
    list of TurningPoint
        Sorted by the size of the change, the smallest first. A factor that never turns the
        ranking is left out. A rival that only draws level at a limit counts.

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Examples
    --------
    At weights 3 and 1 the first venue leads by 0.45; the second factor needs a weight of 4:

    >>> turning_points([[1, 0], [0.2, 0.6]], [3, 1])
    [TurningPoint(factor=0, weight=0.75, leader=0, rival=1), \
TurningPoint(factor=1, weight=4.0, leader=0, rival=1)]
    """
    table, shares = _checked_matrix(scores, weights)
    totals = table @ shares
    leader = int(np.argmax(totals))
    found = []
    for factor in range(shares.size):
        nearest: TurningPoint | None = None
        for rival in range(len(table)):
            gain = table[rival, factor] - table[leader, factor]
            lead = totals[leader] - totals[rival]
            if rival == leader or abs(gain) < _TIE:
                continue
            weight = float(shares[factor] + lead / gain)
            if not -_TIE <= weight <= largest or not shares.sum() - shares[factor] + weight > _TIE:
                continue
            change = abs(weight - shares[factor])
            if nearest is None or change < abs(nearest.weight - shares[factor]):
                nearest = TurningPoint(factor, max(weight, 0.0), leader, rival)
        if nearest is not None:
            found.append(nearest)
    return sorted(found, key=lambda point: abs(point.weight - shares[point.factor]))


def _checked_matrix(scores: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    table, shares = np.asarray(scores, dtype=float), np.asarray(weights, dtype=float)
    if table.ndim != 2 or shares.shape != table.shape[1:]:
        raise ValueError(
            f"weights must hold one weight for each column of scores, had shape {shares.shape} "
            f"for scores of shape {table.shape}; give one for each factor"
        )
    if not np.isfinite(table).all():
        raise ValueError(
            "scores must be finite, had a NaN or an infinite one; say what an unknown scores"
        )
    if isnan(shares.sum()) or (shares < 0).any() or not 0 < shares.sum() < np.inf:
        raise ValueError(
            f"weights must be zero or more and not all zero, were {shares.tolist()}; "
            "give 0 to a factor that should not count"
        )
    return table, shares

"""Funding: where its rates come from and when they fall due."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any, TypeAlias

import numpy as np

from leverage._validate import FUNDING, warn_of_per_cent
from leverage.bars import milliseconds_in
from leverage.costs import funding_rate
from leverage.paper.exchange_errors import BadFeed, BadRequest
from leverage.paper.formats import as_milliseconds, iso
from leverage.paper.state import Prices

HOUR = 3_600_000


@dataclass(frozen=True)
class FundingModel:
    """Funding made from the premium of mark over index at the moment it settles.

    Attributes
    ----------
    interest_rate : float
        Decimal for an interval.
    clamp_rate : float
        How far interest may pull the rate away from the premium, as a decimal.
    cap_rate : float, optional
        Largest size of the rate, as a decimal.

    Examples
    --------
    >>> FundingModel().rate(Prices(100.0, 100.0, 100.0))
    0.0001
    """

    interest_rate: float = 0.0001
    clamp_rate: float = 0.0005
    cap_rate: float | None = None

    def rate(self, prices: Prices) -> float:
        """Rate at these prices; positive when longs pay."""
        premium = (prices.mark - prices.index) / prices.index
        return float(
            funding_rate(
                max(min(premium, 0.99), -0.99),
                self.interest_rate,
                clamp_rate=self.clamp_rate,
                cap_rate=self.cap_rate,
            )
        )


@dataclass(frozen=True)
class FundingSource:
    """Rates of one symbol: a number or a model at an interval, or a list of dated rates.

    Attributes
    ----------
    interval : int
        Milliseconds between settlements; 0 for dated rates.
    constant : float
        The rate, if it is always the same.
    model : FundingModel or None
        What makes the rate, if it follows the prices.
    times : tuple of int
        When the dated rates settle.
    rates : tuple of float
        The dated rates.
    """

    interval: int = 0
    constant: float = 0.0
    model: FundingModel | None = None
    times: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()

    def next_due(self, after: int) -> int | None:
        """When funding falls due next after a moment; None if it never does again."""
        if self.interval:
            return (after // self.interval + 1) * self.interval
        place = bisect_right(self.times, after)
        return self.times[place] if place < len(self.times) else None

    @property
    def kind(self) -> str:
        """What `known_rate` tells: ``"fixed"``, ``"estimate"`` or ``"last settled"``."""
        if self.interval:
            return "fixed" if self.model is None else "estimate"
        return "last settled"

    def known_rate(self, prices: Prices, settled: float | None) -> float | None:
        """Rate that is known before it settles; of dated rates that is the last settled one."""
        return self.rate(0, prices) if self.interval else settled

    def rate(self, due: int, prices: Prices) -> float:
        """Rate that settles at a moment."""
        if self.interval:
            return self.constant if self.model is None else self.model.rate(prices)
        return self.rates[bisect_right(self.times, due) - 1]


Funding: TypeAlias = Any


def read_funding(
    funding: Funding, symbols: tuple[str, ...], interval_hours: float | None
) -> dict[str, FundingSource]:
    """Bring what was given as funding into one form.

    Parameters
    ----------
    funding : None, float, FundingModel, list of (time, rate), or mapping of symbol to one of them
        Rates are decimals for an interval; times are read as those of bars.
    symbols : tuple of str
        What is traded.
    interval_hours : float or None
        Hours between settlements, for a number or a model.

    Returns
    -------
    dict of str to FundingSource
        Without the symbols for which none is charged.

    Examples
    --------
    >>> read_funding(0.0001, ("BTC/USDT:USDT",), 8)["BTC/USDT:USDT"].next_due(0) // HOUR
    8
    """
    if isinstance(funding, Mapping):
        strange = sorted(set(funding) - set(symbols))
        if strange:
            raise BadRequest(f"funding must be for symbols of bars, was for {', '.join(strange)}")
        given = dict(funding)
    else:
        given = dict.fromkeys(symbols, funding)
    sources = {}
    for symbol, source in given.items():
        if source is not None:
            sources[symbol] = _source(source, interval_hours)
    return sources


def check_dates(sources: Mapping[str, FundingSource], begin: int, end: int) -> None:
    """Refuse dated rates of which none falls into the history, from `begin` to `end`."""
    for symbol, source in sources.items():
        times = source.times
        if times and not any(begin < when <= end for when in times):
            raise BadFeed(
                f"funding of {symbol} must fall into the history, from {iso(begin)} to {iso(end)}, "
                f"was from {iso(times[0])} to {iso(times[-1])}; give other dates or none"
            )


def needs_interval(funding: Funding) -> bool:
    """Whether funding cannot be settled without knowing its interval.

    Examples
    --------
    >>> needs_interval(None), needs_interval(0.0001), needs_interval([(0, 0.0001)])
    (False, True, False)
    """
    kinds = funding.values() if isinstance(funding, Mapping) else (funding,)
    return any(isinstance(kind, (int, float, FundingModel)) for kind in kinds)


def _source(source: Any, interval_hours: float | None) -> FundingSource:
    if isinstance(source, FundingSource):
        return source
    if isinstance(source, (int, float, FundingModel)):
        if not interval_hours:
            raise BadRequest(
                "funding_interval_hours must be known for a rate or a model, was None; override it"
            )
        interval = round(interval_hours * HOUR)
        if isinstance(source, FundingModel):
            return FundingSource(interval=interval, model=source)
        _check_rate(float(source))
        warn_of_per_cent("funding", float(source), FUNDING)
        return FundingSource(interval=interval, constant=float(source))
    try:
        pairs = [(as_milliseconds(when), float(rate)) for when, rate in source]
    except (TypeError, ValueError):
        raise BadRequest(
            "funding must be a number, a FundingModel or pairs of time and rate; give one of them"
        ) from None
    unit = milliseconds_in(np.array([when for when, _ in pairs], dtype=np.float64))
    pairs = [(round(when * unit), rate) for when, rate in pairs]
    for (before, _), (after, _) in pairwise(pairs):
        if after <= before:
            raise BadFeed(
                f"funding must rise in time, had {before} and then {after}; sort its pairs"
            )
    for _, rate in pairs:
        _check_rate(rate)
    warn_of_per_cent("funding", [rate for _, rate in pairs] or 0.0, FUNDING)
    return FundingSource(
        times=tuple(when for when, _ in pairs), rates=tuple(rate for _, rate in pairs)
    )


def _check_rate(rate: float) -> None:
    if not (isfinite(rate) and -1 < rate < 1):
        raise BadFeed(
            f"funding must have rates between -1 and 1, was {rate}; give 0.0001 for 0.01 %"
        )

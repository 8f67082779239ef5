r"""Tier tables: the larger a position, the more maintenance margin and the less leverage.

A table splits the notional into tiers. Each has a maintenance margin rate, a maximum leverage and a
*maintenance amount* that the requirement subtracts:

.. math:: MM(N) = m_k N - A_k \quad\text{for } b_k < N \le b_{k+1}.

Exchanges read their tables in one of two ways. In the *marginal* (bracket by bracket) reading every
slice of the notional pays the rate of its own tier. That is the formula above with amounts from the
recurrence :func:`maintenance_amounts`, and the requirement has no jumps. In the *whole-position*
reading the rate of the tier applies to the whole notional: all amounts are zero, and the
requirement jumps at each bound.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from reprlib import repr as short_repr
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from leverage._guard import guard
from leverage._validate import (
    MAINTENANCE,
    BoolArray,
    FloatArray,
    as_result,
    checked,
    checked_choice,
    refuse_where,
    shown,
    warn_of_per_cent,
)

IntArray: TypeAlias = npt.NDArray[np.int64]

# What rows are asked for, and its names in them: ours, ccxt's, Binance's, freqtrade's, Bybit's.
_NAMES_IN_ROWS = {
    "min_notional": ("min_notional", "minNotional", "notionalFloor", "qtyFloor"),
    "max_notional": ("max_notional", "maxNotional", "notionalCap", "qtyCap"),
    "mmr": ("mmr", "maintenanceMarginRate", "maintMarginRatio"),
    "max_leverage": ("max_leverage", "maxLeverage", "initialLeverage"),
    "maintenance_amount": (
        "maintenance_amount",
        "maintenanceAmount",
        "cum",
        "maintAmt",
        "mmDeduction",
    ),
}
# Published amounts are rounded; a requirement that drops by less than this share is continuous.
_ROUNDING = 1e-6


def maintenance_amounts(
    lower_bounds: npt.ArrayLike,
    maintenance_margin_rates: npt.ArrayLike,
) -> FloatArray:
    r"""Amounts that make the requirement continuous from tier to tier.

    Parameters
    ----------
    lower_bounds : array_like
        Notional at which each tier begins, along the last axis, in the settlement currency. Zero
        or more.
    maintenance_margin_rates : array_like
        Rate of each tier as a decimal (0.004 is 0.4 %). From 0 to below 1.

    Returns
    -------
    ndarray
        Amount that each tier subtracts, in the settlement currency.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With lower bounds :math:`b_k`, rates :math:`m_k` and :math:`A_0 = 0`:

    .. math:: A_k = A_{k-1} + b_k\,(m_k - m_{k-1})

    References
    ----------
    Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts", FAQ
    b3c689c1f50a44cabb3a84e663b81d93 (2020-08-14), read 2026-11-22: 1 300 for the tier from 250 000
    at 1 % after one with 0.5 % and 50.

    Examples
    --------
    >>> maintenance_amounts([0, 50_000, 250_000], [0.004, 0.005, 0.01])
    array([   0.,   50., 1300.])
    """
    bounds, rates = checked(
        lower_bounds=lower_bounds, maintenance_margin_rates=maintenance_margin_rates
    )
    bounds, rates = np.broadcast_arrays(np.atleast_1d(bounds), rates)
    steps = bounds[..., 1:] * np.diff(rates, axis=-1)
    first = np.zeros_like(rates[..., :1])
    return cast(FloatArray, np.concatenate([first, steps], axis=-1).cumsum(axis=-1))


@dataclass(frozen=True, init=False)
class TierTable:
    r"""Maintenance margin and maximum leverage by notional.

    Parameters
    ----------
    bounds : sequence of float
        Bounds of the tiers, rising from 0 to the largest notional that may be held (``inf`` if
        there is none): one more than there are tiers. In the settlement currency: quote currency
        for linear contracts, base currency (coins) for inverse ones.
    maintenance_margin_rates : sequence of float
        Rate of each tier as a decimal (0.004 is 0.4 %), never falling. From 0 to below 1.
    max_leverages : sequence of float, optional
        Maximum leverage of each tier, never rising. At least 1. Unknown if left out.
    maintenance_amounts : sequence of float, optional
        Amount that each tier subtracts, in the settlement currency. Zero if left out, which is
        the whole-position reading; see :meth:`marginal` for the other one.

    Raises
    ------
    ValueError
        If an argument breaks its rule, lengths differ, or the requirement would fall where the
        notional grows.

    See Also
    --------
    leverage.margin.tiered_liquidation_price : The liquidation price on such a table.

    Notes
    -----
    A notional that equals a bound belongs to the lower tier. Above the last bound nothing may be
    opened, so there is no maximum leverage; a position that grows past it keeps the rate of the
    last tier.

    Some tables count the size of a position (contracts, or base currency of a linear contract)
    instead of its value. Their tier does not move with the price: take
    :meth:`effective_rate` of the size, and give it to functions of a fixed rate.

    Examples
    --------
    >>> table = TierTable(
    ...     bounds=(0, 50_000, 250_000, float("inf")),
    ...     maintenance_margin_rates=(0.004, 0.005, 0.01),
    ...     max_leverages=(125, 100, 50),
    ...     maintenance_amounts=(0, 50, 1_300),
    ... )
    >>> table.tier_number(300_000), table.max_leverage(300_000)
    (3, 50.0)
    >>> table.maintenance_margin([50_000, 300_000])
    array([ 200., 1700.])
    """

    bounds: tuple[float, ...]
    maintenance_margin_rates: tuple[float, ...]
    max_leverages: tuple[float, ...] | None
    maintenance_amounts: tuple[float, ...]

    def __init__(
        self,
        bounds: npt.ArrayLike,
        maintenance_margin_rates: npt.ArrayLike,
        max_leverages: npt.ArrayLike | None = None,
        maintenance_amounts: npt.ArrayLike | None = None,
    ) -> None:
        (rates,) = checked(maintenance_margin_rates=maintenance_margin_rates)
        _check_length("maintenance_margin_rates", rates, max(rates.size, 1))
        warn_of_per_cent("maintenance_margin_rates", rates[0], MAINTENANCE)
        _check_order("maintenance_margin_rates", rates, np.diff(rates) < 0, "never fall")
        (edges,) = checked(bounds=bounds)
        _check_length("bounds", edges, rates.size + 1)
        _check_bounds(edges)
        self._set("bounds", edges)
        self._set("maintenance_margin_rates", rates)
        if max_leverages is None:
            object.__setattr__(self, "max_leverages", None)
        else:
            (leverages,) = checked(max_leverages=max_leverages)
            _check_length("max_leverages", leverages, rates.size)
            _check_order("max_leverages", leverages, np.diff(leverages) > 0, "never rise")
            self._set("max_leverages", leverages)
        if maintenance_amounts is None:
            amounts: FloatArray = np.zeros_like(rates)
        else:
            (amounts,) = checked(maintenance_amounts=maintenance_amounts)
            _check_length("maintenance_amounts", amounts, rates.size)
            _check_amounts(edges, rates, amounts)
        self._set("maintenance_amounts", amounts)

    def _set(self, name: str, values: FloatArray) -> None:
        object.__setattr__(self, name, tuple(values.tolist()))

    @classmethod
    def marginal(
        cls,
        bounds: npt.ArrayLike,
        maintenance_margin_rates: npt.ArrayLike,
        max_leverages: npt.ArrayLike | None = None,
    ) -> "TierTable":
        """Make a table in which every slice of the notional pays the rate of its own tier.

        Parameters
        ----------
        bounds : array_like
            Bounds of the tiers, rising from 0, one more than there are tiers.
        maintenance_margin_rates : array_like
            Rate of each tier as a decimal, never falling.
        max_leverages : array_like, optional
            Maximum leverage of each tier, never rising.

        Returns
        -------
        TierTable
            Table whose maintenance amounts follow the recurrence.

        Raises
        ------
        ValueError
            If an argument breaks its rule or lengths differ.

        Examples
        --------
        >>> TierTable.marginal([0, 50_000, 250_000], [0.004, 0.005]).maintenance_amounts
        (0.0, 50.0)
        """
        whole = cls(bounds, maintenance_margin_rates, max_leverages)
        rates = whole.maintenance_margin_rates
        amounts = maintenance_amounts(whole.bounds[:-1], rates)
        return cls(whole.bounds, rates, whole.max_leverages, amounts)

    @classmethod
    def flat(
        cls,
        maintenance_margin_rate: float,
        *,
        max_leverage: float | None = None,
    ) -> "TierTable":
        """Make a table of one tier: the same rate for every notional.

        Parameters
        ----------
        maintenance_margin_rate : float
            Rate as a decimal (0.004 is 0.4 %). From 0 to below 1.
        max_leverage : float, optional
            Maximum leverage. At least 1. Unknown if left out.

        Returns
        -------
        TierTable
            Table with one tier.

        Raises
        ------
        ValueError
            If an argument breaks its rule.

        Examples
        --------
        >>> TierTable.flat(0.005, max_leverage=100).maintenance_margin(20_000)
        100.0
        """
        leverages = None if max_leverage is None else (max_leverage,)
        return cls((0.0, inf), (maintenance_margin_rate,), leverages)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]] | Mapping[str, Any],
        *,
        reading: Literal["given", "whole", "marginal"] = "given",
    ) -> "TierTable":
        """Make a table from rows as exchanges publish them, one for each tier.

        Parameters
        ----------
        rows : iterable of mappings, or mapping
            The tiers of one symbol, in order. Each has ``min_notional``, ``max_notional`` and
            ``mmr``, and where known ``max_leverage`` and ``maintenance_amount``, by these names or
            by those of ccxt's ``fetch_market_leverage_tiers`` (also of the paper exchange and in
            freqtrade's file) and of Binance's brackets. Values are numbers or text that holds one;
            an empty text or None is unknown.
        reading : {"given", "whole", "marginal"}, default "given"
            Where the maintenance amounts come from: the rows themselves, none at all (the rate of
            the tier applies to the whole position), or the recurrence (bracket by bracket).

        Returns
        -------
        TierTable
            Table of these rows. Maximum leverages are unknown unless every row has one; an
            unknown bound of the last row is ``inf``.

        Raises
        ------
        ValueError
            If a row lacks what is needed, a tier does not begin where the one before it ends, or
            the table breaks a rule of its own.

        Examples
        --------
        >>> rows = [
        ...     {"min_notional": "0", "max_notional": "50000", "mmr": "0.004"},
        ...     {"min_notional": "50000", "max_notional": "", "mmr": "0.005"},
        ... ]
        >>> TierTable.from_rows(rows, reading="marginal").maintenance_margin(100_000)
        450.0

        A bracket as Binance's API gives it:

        >>> bracket = {"bracket": 1, "initialLeverage": 125, "notionalCap": 50_000,
        ...            "notionalFloor": 0, "maintMarginRatio": 0.004, "cum": 0.0}
        >>> TierTable.from_rows([bracket]).max_leverage(50_000)
        125.0
        """
        reading_word = checked_choice("reading", reading, ["given", "whole", "marginal"])
        table = _rows_of_one_symbol(rows)
        lows, highs, rates, leverages, amounts = (
            [_number_in(row, name, number) for number, row in enumerate(table)]
            for name in _NAMES_IN_ROWS
        )
        if highs[-1] is None:
            highs[-1] = inf
        lower = _needed("min_notional", lows, "give the lower bound of every tier")
        upper = _needed("max_notional", highs, "give the upper bound of every tier but the last")
        for number, (high, low) in enumerate(zip(upper[:-1], lower[1:], strict=True)):
            if high != low:
                raise ValueError(
                    f"min_notional must be {shown(high)}, where the tier before ends, was "
                    f"{shown(low)} in row {number + 1}; give the tiers in order and without gaps"
                )
        known_rates = _needed("mmr", rates, "give the maintenance margin rate of every tier")
        known = [value for value in leverages if value is not None]
        max_leverages = known if len(known) == len(table) else None
        bounds = [lower[0], *upper]
        if reading_word == "marginal":
            return cls.marginal(bounds, known_rates, max_leverages)
        if reading_word == "whole":
            return cls(bounds, known_rates, max_leverages)
        given = _needed(
            "maintenance_amount", amounts, 'choose reading="whole" or reading="marginal"'
        )
        return cls(bounds, known_rates, max_leverages, given)

    @property
    def cap(self) -> float:
        """Largest notional that may be held, in the unit of the bounds; ``inf`` if there is none."""
        return self.bounds[-1]

    @property
    def is_continuous(self) -> bool:
        """Whether the requirement grows without jumps, as in the marginal reading."""
        return bool((self._jumps <= _ROUNDING * self._requirement_at_bounds).all())

    def tier_number(self, notional: npt.ArrayLike) -> int | IntArray:
        """Tier that holds a notional, counted from 1.

        Parameters
        ----------
        notional : array_like
            Value of the position in the unit of the bounds. Zero or more.

        Returns
        -------
        int or ndarray
            Tier number; the last one above the last bound, too.

        Raises
        ------
        ValueError
            If `notional` is negative or not a number.

        Examples
        --------
        >>> TierTable.marginal([0, 100, 200], [0.01, 0.02]).tier_number([0, 100, 100.5, 300])
        array([1, 1, 2, 2])
        """
        number = self._index(notional) + 1
        return int(number) if number.ndim == 0 else number

    def maintenance_margin_rate(self, notional: npt.ArrayLike) -> float | FloatArray:
        """Rate of the tier that holds a notional, as a decimal.

        Parameters
        ----------
        notional : array_like
            Value of the position in the unit of the bounds. Zero or more.

        Returns
        -------
        float or ndarray
            Rate of the tier; see :meth:`effective_rate` for the requirement over the notional.

        Raises
        ------
        ValueError
            If `notional` is negative or not a number.

        Examples
        --------
        >>> TierTable.marginal([0, 100, 200], [0.01, 0.02]).maintenance_margin_rate([50, 150])
        array([0.01, 0.02])
        """
        return as_result(self._rates[self._index(notional)])

    def maintenance_amount(self, notional: npt.ArrayLike) -> float | FloatArray:
        """Amount that the tier of a notional subtracts, in the unit of the bounds.

        Parameters
        ----------
        notional : array_like
            Value of the position in the unit of the bounds. Zero or more.

        Returns
        -------
        float or ndarray
            Maintenance amount of the tier.

        Raises
        ------
        ValueError
            If `notional` is negative or not a number.

        Examples
        --------
        >>> TierTable.marginal([0, 100, 200], [0.01, 0.02]).maintenance_amount([50, 150])
        array([0., 1.])
        """
        return as_result(self._amounts[self._index(notional)])

    def maintenance_margin(self, notional: npt.ArrayLike) -> float | FloatArray:
        r"""Equity that a position of a notional needs to stay open: the requirement.

        Parameters
        ----------
        notional : array_like
            Value of the position in the unit of the bounds. Zero or more.

        Returns
        -------
        float or ndarray
            Maintenance margin, in the unit of the bounds.

        Raises
        ------
        ValueError
            If `notional` is negative or not a number.

        Notes
        -----
        .. math:: MM = m_k N - A_k

        Examples
        --------
        >>> TierTable.marginal([0, 100, 200], [0.01, 0.02]).maintenance_margin([50, 150])
        array([0.5, 2. ])
        """
        (value,) = checked(notional=notional)
        return as_result(self._requirement(value))

    def effective_rate(self, notional: npt.ArrayLike) -> float | FloatArray:
        """Share of the notional that is required: the rate that is left after the amount.

        For a table whose bounds count the size of a position, give the size: the share holds at
        every price.

        Parameters
        ----------
        notional : array_like
            Value, or for such a table size, of the position in the unit of the bounds. Zero or
            more.

        Returns
        -------
        float or ndarray
            Share as a decimal; at zero the rate of the first tier.

        Raises
        ------
        ValueError
            If `notional` is negative or not a number.

        Examples
        --------
        >>> TierTable.marginal([0, 100, 200], [0.01, 0.02]).effective_rate([50, 200])
        array([0.01 , 0.015])
        """
        (value,) = checked(notional=notional)
        index = self._index_of(value)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self._amounts[index] / value
        return as_result(self._rates[index] - np.where(index > 0, share, 0.0))

    def max_leverage(self, notional: npt.ArrayLike) -> float | FloatArray:
        """Maximum leverage of a position of a notional.

        Parameters
        ----------
        notional : array_like
            Value of the position in the unit of the bounds. From 0 to the last bound.

        Returns
        -------
        float or ndarray
            Maximum leverage, 10 for 10x.

        Raises
        ------
        ValueError
            If `notional` breaks its rule or lies above the last bound, where nothing may be
            opened, or the table does not know its maximum leverages.

        Examples
        --------
        >>> TierTable.marginal([0, 100, 200], [0.01, 0.02], [50, 25]).max_leverage([100, 101])
        array([50., 25.])
        """
        leverages = self._known_leverages()
        (value,) = checked(notional=notional)
        refuse_where(
            value > self.cap,
            "notional",
            f"at most {shown(self.cap)}, the top of the table",
            value,
            "make the position smaller",
        )
        return as_result(leverages[self._index_of(value)])

    def max_notional(self, leverage: npt.ArrayLike) -> float | FloatArray:
        """Largest notional that may be opened at a leverage.

        Parameters
        ----------
        leverage : array_like
            Chosen leverage, 10 for 10x. From 1 to the maximum of the first tier.

        Returns
        -------
        float or ndarray
            Upper bound of the last tier that allows the leverage, in the unit of the bounds.

        Raises
        ------
        ValueError
            If `leverage` is below 1 or above every tier's maximum, or the table does not know its
            maximum leverages.

        Examples
        --------
        >>> TierTable.marginal([0, 100, 200], [0.01, 0.02], [50, 25]).max_notional([10, 25, 50])
        array([200., 200., 100.])
        """
        leverages = self._known_leverages()
        (leverage,) = checked(leverage=leverage)
        refuse_where(
            leverage > leverages[0],
            "leverage",
            f"at most {shown(leverages[0])}, the maximum of the first tier",
            leverage,
            "lower it",
        )
        count = np.searchsorted(-leverages, -leverage, side="right")
        return as_result(np.array(self.bounds)[count])

    @cached_property
    def _rates(self) -> FloatArray:
        return np.array(self.maintenance_margin_rates)

    @cached_property
    def _amounts(self) -> FloatArray:
        return np.array(self.maintenance_amounts)

    @cached_property
    def _inner_bounds(self) -> FloatArray:
        return np.array(self.bounds[1:-1])

    @cached_property
    def _requirement_at_bounds(self) -> FloatArray:
        return self._inner_bounds * self._rates[1:] - self._amounts[1:]

    @cached_property
    def _jumps(self) -> FloatArray:
        return self._inner_bounds * np.diff(self._rates) - np.diff(self._amounts)

    def _known_leverages(self) -> FloatArray:
        if self.max_leverages is None:
            raise ValueError(
                "max_leverages must be known for this question, was None; make the table with them"
            )
        return np.array(self.max_leverages)

    def _index(self, notional: npt.ArrayLike) -> IntArray:
        (value,) = checked(notional=notional)
        return self._index_of(value)

    def _index_of(self, notional: FloatArray) -> IntArray:
        return np.searchsorted(self._inner_bounds, notional, side="left")

    def _requirement(self, notional: FloatArray) -> FloatArray:
        index = self._index_of(notional)
        return self._rates[index] * notional - self._amounts[index]


def _check_bounds(edges: FloatArray) -> None:
    if edges[0] != 0:
        raise ValueError(
            f"bounds must start at 0, started at {shown(edges[0])}; add the lowest bound"
        )
    _check_order("bounds", edges, edges[1:] <= edges[:-1], "rise")


def _check_length(name: str, values: FloatArray, length: int) -> None:
    if values.shape != (length,):
        raise ValueError(
            f"{name} must have shape ({length},), had {values.shape}; give one value for each "
            "tier, and one more for bounds"
        )


def _check_order(name: str, values: FloatArray, wrong: BoolArray, rule: str) -> None:
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"{name} must {rule} from tier to tier, went from {shown(values[place])} to "
            f"{shown(values[place + 1])} at index {place + 1}; sort the tiers by notional"
        )


def _check_amounts(bounds: FloatArray, rates: FloatArray, amounts: FloatArray) -> None:
    """Refuse amounts that would make the requirement negative, or let it fall as notional grows."""
    if amounts[0] != 0:
        raise ValueError(
            f"maintenance_amounts must start at 0, started at {shown(amounts[0])}; "
            "the first tier subtracts nothing"
        )
    inner = bounds[1:-1]
    before = rates[:-1] * inner - amounts[:-1]
    wrong = before - (rates[1:] * inner - amounts[1:]) > _ROUNDING * before
    if wrong.any():
        place = int(np.argmax(wrong))
        largest = amounts[place] + inner[place] * (rates[place + 1] - rates[place])
        raise ValueError(
            f"maintenance_amounts must be at most {shown(largest)} at index {place + 1}, was "
            f"{shown(amounts[place + 1])}; a larger position cannot need less margin"
        )


def _rows_of_one_symbol(rows: Any) -> list[Mapping[str, Any]]:
    """Give the rows themselves, or those inside an answer of Binance's API."""
    table = [rows] if isinstance(rows, Mapping) else list(rows)
    if len(table) == 1 and isinstance(table[0], Mapping) and "brackets" in table[0]:
        table = list(table[0]["brackets"])
    if not table:
        raise ValueError("rows must hold at least one tier, was empty; give the tiers")
    known = {name for names in _NAMES_IN_ROWS.values() for name in names}
    for number, row in enumerate(table):
        if not (isinstance(row, Mapping) and known.intersection(row)):
            raise ValueError(
                f"rows must be the tiers of one symbol, was {short_repr(row)} in row {number}; "
                "give a list of tiers, such as tiers['BTC/USDT:USDT']"
            )
    return table


def _number_in(row: Mapping[str, Any], name: str, number: int) -> float | None:
    """Read a number by any of its names; ccxt keeps what only one venue has under info."""
    info = row.get("info")
    places = (row, info if isinstance(info, Mapping) else {})
    found = [place[key] for place in places for key in _NAMES_IN_ROWS[name] if key in place]
    value = next((one for one in found if one is not None), None)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a number, was {short_repr(value)} in row {number}; "
            "give it without its unit"
        ) from None


def _needed(name: str, values: list[float | None], advice: str) -> list[float]:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        row = values.index(None)
        raise ValueError(f"{name} must be known for every tier, was empty in row {row}; {advice}")
    return known


guard(globals())

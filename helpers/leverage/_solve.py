r"""Solve for the notional at which a position meets the requirement of a tier table.

Let :math:`n` be the notional, :math:`N_E` its value at entry and :math:`B` what backs the position
besides its own profit or loss. A position that loses when its notional falls (linear long, inverse
short) has the equity :math:`B + n - N_E`, the other two have :math:`B - n + N_E`. With

.. math:: F(x) = x + f\,|x| + MM(|x|)

both meet the requirement :math:`MM(n) + f n` where :math:`F(x) = B \mp N_E` at :math:`x = \mp n`.
:math:`F` is piecewise linear and rises, so one binary search finds the piece, and one division the
notional, for every kind of position at once.
"""

from reprlib import repr as short_repr
from typing import NamedTuple

import numpy as np

from leverage._validate import FloatArray
from leverage.tiers import TierTable

# A step of the requirement below this share of the bound is a rounding error of the table.
_NOISE = 1e-14
# What the backing leaves of the entry below this share of it is a rounding error.
_EXHAUSTED = 4 * np.finfo(np.float64).eps


class Pieces(NamedTuple):
    """Linear pieces ``slope * x - amount`` of F; the last axis runs from lowest to highest x."""

    starts: FloatArray
    ends: FloatArray  # largest value that F has reached where a piece ends
    slopes: FloatArray
    amounts: FloatArray
    has_jumps: bool


def checked_tiers(tiers: object) -> TierTable:
    """Return a tier table, and refuse anything else.

    Examples
    --------
    >>> checked_tiers(TierTable.flat(0.005)).cap
    inf
    """
    if isinstance(tiers, TierTable):
        return tiers
    raise ValueError(
        f"tiers must be a TierTable, was {short_repr(tiers)}; "
        "make one with TierTable.from_rows or TierTable.flat"
    )


def solve_level(
    side: FloatArray, entry: FloatArray, backing: FloatArray, rate: FloatArray
) -> FloatArray:
    """Level where ``backing + side * (level - entry)`` equals ``rate * level``; 0 if none."""
    remaining = _without_noise(entry - side * backing, entry)
    return np.maximum(remaining, 0.0) / (1 - side * rate)


def _without_noise(remaining: FloatArray, entry: FloatArray) -> FloatArray:
    """Replace what rounding errors leave of a position that is paid, or lost, in full by 0."""
    with np.errstate(under="ignore"):
        noise = abs(remaining) <= _EXHAUSTED * entry
    return np.where(noise, 0.0, remaining) if noise.any() else remaining


def solve_hedge(
    gaining_entry: FloatArray,
    gaining_size: FloatArray,
    losing_entry: FloatArray,
    losing_size: FloatArray,
    backing: FloatArray,
    gaining_rate: FloatArray,
    losing_rate: FloatArray,
) -> FloatArray:
    """Level where two opposite legs meet their requirement together."""
    start = backing - gaining_size * gaining_entry + losing_size * losing_entry
    slope = gaining_size * (1 - gaining_rate) - losing_size * (1 + losing_rate)
    # Where the legs cancel out, nothing or everything is dead, as for a very small net long leg.
    level = np.where(slope == 0, np.where(start < 0, np.inf, 0.0), -start / slope)
    return np.maximum(level, 0.0)


def notional_at_liquidation(
    tiers: TierTable,
    falls: FloatArray,
    entry_notional: FloatArray,
    backing: FloatArray,
    fee_rate: FloatArray,
    start_notional: FloatArray,
) -> FloatArray:
    """Notional at which equity meets the requirement, 0 if it meets none; arguments are checked.

    `falls` is 1 where a falling notional loses and -1 where a rising one does. Where a jump of the
    requirement makes more than one notional dead, it is the first one met from `start_notional`.
    """
    pieces = _pieces(tiers, fee_rate)
    target = _without_noise(backing - falls * entry_notional, entry_notional)
    if fee_rate.ndim:
        place = (target[..., None] > pieces.ends).sum(axis=-1)
        slopes = np.take_along_axis(
            np.broadcast_to(pieces.slopes, (*place.shape, pieces.amounts.size)),
            place[..., None],
            axis=-1,
        )[..., 0]
    else:
        place = np.searchsorted(pieces.ends, target)
        slopes = pieces.slopes.take(place)
    signed = pieces.amounts.take(place)
    signed += target
    signed /= slopes
    if pieces.has_jumps:
        signed = np.maximum(signed, pieces.starts.take(place))
        signed = _first_from_start(pieces, tiers, falls, start_notional, target, fee_rate, signed)
    signed *= -falls
    return np.asarray(np.maximum(signed, 0.0))


def _pieces(tiers: TierTable, fee_rate: FloatArray) -> Pieces:
    """Cut F into one piece for each tier, first for negative x and then for positive x."""
    rates, amounts = np.array(tiers.maintenance_margin_rates), np.array(tiers.maintenance_amounts)
    inner = np.array(tiers.bounds[1:-1])
    jumps = inner * np.diff(rates) - np.diff(amounts)
    both = np.concatenate([-rates[::-1], rates])
    slopes = 1 + both + np.copysign(fee_rate[..., None], _signs(rates.size))
    amounts = np.concatenate([amounts[::-1], amounts])
    limits = np.concatenate([-inner[::-1], [0.0], inner])
    # At a jump of the requirement F falls for negative x and leaps for positive x.
    ends = np.maximum.accumulate(slopes[..., :-1] * limits - amounts[:-1], axis=-1)
    starts = np.concatenate([[-np.inf], limits])
    return Pieces(starts, ends, slopes, amounts, bool((abs(jumps) > _NOISE * inner).any()))


def _signs(tiers: int) -> FloatArray:
    return np.repeat([-1.0, 1.0], tiers)


def _first_from_start(
    pieces: Pieces,
    tiers: TierTable,
    falls: FloatArray,
    start_notional: FloatArray,
    target: FloatArray,
    fee_rate: FloatArray,
    signed: FloatArray,
) -> FloatArray:
    """Leave out notionals that are dead beyond the start, on its profitable side.

    Where a rising notional gains, a jump of the requirement may still kill the position; a notional
    that falls from the start never meets that one.
    """
    at_start = tiers.maintenance_margin(start_notional) + (fee_rate - falls) * start_notional
    alive = (signed < -start_notional) & (falls > 0) & (at_start < target)
    if not alive.any():
        return signed
    found: FloatArray = np.zeros_like(signed)
    for place in reversed(range(len(tiers.maintenance_margin_rates))):
        slope, amount, limit = (
            pieces.slopes[..., place],
            pieces.amounts[place],
            pieces.starts[place + 1],
        )
        meets = (limit > -start_notional) & (slope * limit - amount >= target)
        found = np.where(meets, (target + amount) / slope, found)
    return np.where(alive, found, signed)


def hedge_limits(
    tiers: TierTable,
    gaining_size: FloatArray,
    losing_size: FloatArray,
    fixed: FloatArray,
    level: FloatArray,
    fee_rate: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Nearest levels below and above `level` at which two opposite legs meet their requirement.

    At level u the equity is ``fixed + (gaining_size - losing_size) * u`` and each leg has a
    notional of its size times u. 0 and infinity mean that there is no such level.
    """
    gaining_size, losing_size, fixed, level, fee_rate = (
        value[..., None]
        for value in np.broadcast_arrays(gaining_size, losing_size, fixed, level, fee_rate)
    )
    inner = np.array(tiers.bounds[1:-1])
    bends = np.sort(np.concatenate([inner / gaining_size, inner / losing_size], axis=-1), axis=-1)
    edge = np.zeros_like(level)
    low, high = (
        np.concatenate(parts, axis=-1) for parts in ([edge, bends], [bends, edge + np.inf])
    )
    # Inside a piece both legs stay in their tiers, so the tiers at one point hold for all of it.
    inside = np.where(np.isinf(high), 2 * low + level, (low + high) / 2)
    slope, start = gaining_size - losing_size, fixed
    for size in (gaining_size, losing_size):
        slope = slope - size * (tiers.maintenance_margin_rate(inside * size) + fee_rate)
        start = start + tiers.maintenance_amount(inside * size)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = -start / slope
    below, above = np.minimum(high, level), np.maximum(low, level)
    dead_below = np.where(
        start + slope * below <= 0, below, np.where((slope > 0) & (root >= low), root, 0.0)
    )
    with np.errstate(invalid="ignore"):
        dead_above = np.where(
            start + slope * above <= 0, above, np.where((slope < 0) & (root <= high), root, np.inf)
        )
    return (
        np.where(low < below, dead_below, 0.0).max(axis=-1),
        np.where(above < high, dead_above, np.inf).min(axis=-1),
    )

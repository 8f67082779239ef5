r"""Solve for the notional at which a position meets the requirement of a tier table.

Let :math:`n` be the notional, :math:`N_E` its value at entry and :math:`B` what backs the position
besides its own profit or loss. A position that loses when its notional falls (linear long, inverse
short) has the equity :math:`B + n - N_E`, the other two have :math:`B - n + N_E`. With

.. math:: F(x) = x + f\,|x| + MM(|x|)

both meet the requirement :math:`MM(n) + f n` where :math:`F(x) = B \mp N_E` at :math:`x = \mp n`.
:math:`F` is piecewise linear and rises, so one binary search finds the piece, and one division the
notional, for every kind of position at once.
"""

from collections.abc import Sequence
from reprlib import repr as short_repr
from typing import NamedTuple

import numpy as np

from leverage._validate import FloatArray, at_least_zero
from leverage.tiers import TierTable

# A notional in the last tier of every table.
_HUGE = 1e300
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
    remaining = without_noise(entry - side * backing, entry)
    return at_least_zero(remaining) / (1 - side * rate)


def net(*parts: FloatArray | float) -> FloatArray:
    """Sum of parts; 0 where they cancel out but for a rounding error.

    Examples
    --------
    >>> net(0.1, 0.2, -0.3)
    array(0.)
    """
    columns = np.stack(np.broadcast_arrays(*parts))
    total, size = columns.sum(axis=0), abs(columns).sum(axis=0)
    return np.asarray(np.where(abs(total) <= _EXHAUSTED * size, 0.0, total))


def without_noise(remaining: FloatArray, entry: FloatArray) -> FloatArray:
    """Replace what rounding errors leave of a position that is paid, or lost, in full by 0.

    Examples
    --------
    >>> float(without_noise(np.float64(-1e-16), np.float64(1.0)))
    0.0
    """
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
    cancelled = np.where(start < 0, np.inf, 0.0)
    level = np.where(slope == 0, cancelled, -start / np.where(slope == 0, 1.0, slope))
    return at_least_zero(level)


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
    target = without_noise(backing - falls * entry_notional, entry_notional)
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
    return np.asarray(at_least_zero(signed))


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


class Leg(NamedTuple):
    """A position whose price is ``base + step * t``; its size is quantity times contract size."""

    size: FloatArray
    tiers: TierTable
    inverse: bool = False
    fee_rate: FloatArray | float = 0.0
    base: FloatArray | float = 0.0
    step: FloatArray | float = 1.0


def dead_limits(
    start: FloatArray, slope: FloatArray, legs: Sequence[Leg], at: FloatArray, end: float = np.inf
) -> tuple[FloatArray, FloatArray]:
    """Nearest t below and above `at`, from 0 to `end`, at which an account is liquidated.

    At t its equity is ``start + slope * t`` and it must cover the requirement of all legs, in the
    quote currency: that of a linear leg is its rate times its notional less its amount, that of an
    inverse leg its rate times its face less its amount times the price. All are straight lines
    between the t at which a notional changes its tier. 0 and infinity mean that there is no such t.
    """
    start, slope, at = (np.asarray(value)[..., None] for value in (start, slope, at))
    bends = [np.zeros((1,)), np.full((1,), end)]
    for leg in legs:
        size, base, step = _columns(leg)
        bounds = np.array(leg.tiers.bounds[1:-1])
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            prices = size / bounds if leg.inverse else bounds / size
            crossed = np.where(step == 0, 0.0, (prices - base) / step)
        bends.append(np.clip(crossed, 0.0, end))
    shape = np.broadcast_shapes(*(bend.shape[:-1] for bend in bends))
    edges = np.sort(
        np.concatenate([np.broadcast_to(b, (*shape, b.shape[-1])) for b in bends], axis=-1), axis=-1
    )
    low, high = edges[..., :-1], edges[..., 1:]
    # Inside a piece all legs stay in their tiers, so the tiers at one point hold for all of it.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        inside = np.where(np.isinf(high), 2 * low + np.maximum(at, 1.0), (low + high) / 2)
        for leg in legs:
            size, base, step = _columns(leg)
            price = base + step * inside
            value = np.nan_to_num(size / price if leg.inverse else size * price, nan=_HUGE)
            value = np.clip(value, 0.0, _HUGE)
            share = size * (leg.tiers.maintenance_margin_rate(value) + leg.fee_rate)
            amount = np.asarray(leg.tiers.maintenance_amount(value))
            if leg.inverse:
                start, slope = start - share + amount * base, slope + amount * step
            else:
                start, slope = start - share * base + amount, slope - share * step
        root = -start / slope
        below, above = np.minimum(high, at), np.maximum(low, at)
        dead_below = np.where(
            start + slope * below <= 0, below, np.where((slope > 0) & (root >= low), root, 0.0)
        )
        dead_above = np.where(
            start + slope * above <= 0, above, np.where((slope < 0) & (root <= high), root, np.inf)
        )
    return (
        np.where(low < below, dead_below, 0.0).max(axis=-1),
        np.where(above < high, dead_above, np.inf).min(axis=-1),
    )


def _columns(leg: Leg) -> tuple[FloatArray, FloatArray, FloatArray]:
    size, base, step = (np.asarray(value)[..., None] for value in (leg.size, leg.base, leg.step))
    return size, base, step

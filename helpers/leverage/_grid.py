"""One number on a grid of ticks or lots: the rule of every rounding in the package."""

from decimal import Decimal
from functools import lru_cache
from math import floor

# A step this close to a decimal of at most so many digits is one.
_NOISE = 1e-14
_MOST_DIGITS = 12


def nearest_to(value: float, step: float) -> float:
    """Nearest multiple of a step; halfway goes up, as in ccxt's ``price_to_precision``.

    Examples
    --------
    >>> nearest_to(50_000.07, 0.1), nearest_to(0.1 + 0.2, 0.001), nearest_to(1.015, 0.01)
    (50000.1, 0.3, 1.02)
    """
    steps = _cleaned(value / step)
    below = floor(steps)
    return _multiple(below + (steps - below >= 0.5), step)


def down_to(value: float, step: float) -> float:
    """Multiple of a step at or below a value; one within a rounding error counts as reached.

    Examples
    --------
    >>> down_to(0.12999, 0.001), down_to(0.3 - 0.1, 0.1)
    (0.129, 0.2)
    """
    return _multiple(floor(_cleaned(value / step)), step)


def up_to(value: float, step: float) -> float:
    """Multiple of a step at or above a value; one within a rounding error counts as reached.

    Examples
    --------
    >>> up_to(0.12901, 0.001), up_to(0.1 + 0.2, 0.1)
    (0.13, 0.3)
    """
    return _multiple(-floor(-_cleaned(value / step)), step)


def _cleaned(steps: float) -> float:
    """Put a number of steps that a rounding error moved off a whole or a half back onto it."""
    halves = round(2 * steps)
    noise = min(1e-9 + 1e-14 * abs(steps), 1e-3)
    return halves / 2 if abs(steps - halves / 2) <= noise else steps


def _multiple(count: int, step: float) -> float:
    """So many steps; of whole numbers, one division gives the closest float: 913.15, no tail."""
    whole, scale = _as_decimal(step)
    return count * whole / scale


@lru_cache(maxsize=1024)
def _as_decimal(step: float) -> tuple[float, int]:
    """Write a step as one whole number over another; as itself over 1 if it is no decimal."""
    decimal = Decimal(f"{step:.14g}")
    if (
        abs(float(decimal) - step) > _NOISE * step
        or len(decimal.normalize().as_tuple().digits) > _MOST_DIGITS
    ):
        return step, 1
    return decimal.as_integer_ratio()

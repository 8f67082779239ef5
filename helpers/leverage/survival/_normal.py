"""The normal distribution's upper tail for arrays, to full precision without SciPy."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from leverage._validate import FloatArray

_ROOT_TWO = math.sqrt(2.0)
_ROOT_PI = math.sqrt(math.pi)
# From here on the asymptotic series is exact to the last digit, and below it erfc does not vanish.
_FAR = 25.0
_DEGREE = 28
# Beyond these nothing is left of a tail, and squares and exponentials would overflow.
_LARGEST = 1e150
_HIGHEST_EXPONENT = 700.0


def tail(z: FloatArray) -> FloatArray:
    """Probability that a standard normal number is above `z`.

    Examples
    --------
    >>> tail(np.array([0.0, 1.96, -1.96])).round(6)
    array([0.5     , 0.024998, 0.975002])
    """
    size = np.minimum(abs(z), _LARGEST)
    upper = 0.5 * np.exp(-0.5 * size * size) * scaled_erfc(size / _ROOT_TWO)
    return np.where(z < 0, 1.0 - upper, upper)


def tail_times_exp(exponent: FloatArray, z: FloatArray) -> FloatArray:
    """Return ``exp(exponent) * tail(z)`` where the factors alone may overflow and vanish.

    Examples
    --------
    >>> float(tail_times_exp(np.array(800.0), np.array(40.0)).round(6))
    0.009967
    """
    size = np.minimum(abs(z), _LARGEST)
    upper = 0.5 * scaled_erfc(size / _ROOT_TWO) * _exp(exponent - 0.5 * size * size)
    # Below zero the tail is one minus the other one.
    return np.where(z < 0, _exp(exponent) - upper, upper)


def _exp(exponent: FloatArray) -> FloatArray:
    return np.asarray(np.exp(np.minimum(exponent, _HIGHEST_EXPONENT)))


def scaled_erfc(x: FloatArray) -> FloatArray:
    r"""Return :math:`e^{x^2}\,\mathrm{erfc}(x)` for x from zero on.

    Notes
    -----
    With :math:`t = 2 / (2 + x)`, the logarithm of :math:`e^{x^2}\mathrm{erfc}(x) / t` is smooth
    on the whole of :math:`0 \le t \le 1`, so one Chebyshev polynomial serves every x.

    Examples
    --------
    >>> scaled_erfc(np.array([0.0, 1.0, 1e6])).round(9)
    array([1.00000000e+00, 4.27583576e-01, 5.64000000e-07])
    """
    t = 2.0 / (2.0 + x)
    u = 4.0 * t - 2.0
    high: FloatArray | float = 0.0
    low: FloatArray | float = 0.0
    coefficients = _chebyshev_coefficients()
    for coefficient in coefficients[:0:-1]:
        high, low = u * high - low + coefficient, high
    return np.asarray(t * np.exp(0.5 * u * high - low + coefficients[0]))


@cache
def _chebyshev_coefficients() -> tuple[float, ...]:
    angles = np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1)
    values = [_log_of_ratio(0.5 * (math.cos(angle) + 1.0)) for angle in angles]
    fitted = [2.0 * float(np.mean(values * np.cos(k * angles))) for k in range(_DEGREE + 1)]
    return (0.5 * fitted[0], *fitted[1:])


def _log_of_ratio(t: float) -> float:
    x = 2.0 / t - 2.0
    if x < _FAR:
        return math.log(math.erfc(x)) + x * x - math.log(t)
    # (2 k - 1)!! / (-2 x^2)^k, divided by x sqrt(pi)
    term, total = 1.0, 1.0
    for k in range(1, 12):
        term *= -(2 * k - 1) / (2.0 * x * x)
        total += term
    return math.log(total / (x * t * _ROOT_PI))

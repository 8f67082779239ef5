r"""Probability of touching one price or one of two, in closed form for geometric Brownian motion.

The price is :math:`S_t = S_0 e^{\nu t + \sigma W_t}` with :math:`\nu = \mu - \sigma^2 / 2`, where
:math:`\mu` is the growth of the expected price. Real prices have fatter tails and jumps: take these
probabilities as a yardstick, not as a forecast.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from leverage import contracts, margin
from leverage._guard import guard
from leverage._validate import BoolArray, FloatArray, as_result, checked, refuse_where
from leverage.paths import HOURS_PER_YEAR
from leverage.survival._normal import tail, tail_times_exp

# -zeta(1/2) / sqrt(2 pi): mean overshoot of a random walk over a level, in standard deviations.
_OVERSHOOT = 0.5825971579390107

# Terms of the two series for two levels; where each is used, the next term is below 1e-15.
_IMAGES = 6
_WAVES = 8
_WAVES_FROM = 0.5


class FirstTouch(NamedTuple):
    """Which of two prices is touched first: three probabilities that sum to one.

    Attributes
    ----------
    lower, upper : float or ndarray
        Probability that this price is touched, and before the other one.
    neither : float or ndarray
        Probability that neither is touched within the time.
    """

    lower: float | FloatArray
    upper: float | FloatArray
    neither: float | FloatArray


def touch_probability(
    entry_price: npt.ArrayLike,
    level_price: npt.ArrayLike,
    volatility: npt.ArrayLike,
    hours: npt.ArrayLike,
    *,
    drift: npt.ArrayLike = 0.0,
    step_hours: npt.ArrayLike = 0.0,
) -> float | FloatArray:
    r"""Probability that the price touches a level within some time.

    Parameters
    ----------
    entry_price : array_like
        Price at the start, in quote currency per unit of base currency. Positive.
    level_price : array_like
        Price that may be touched, in the same unit: below or above the entry price.
    volatility : array_like
        Standard deviation of log returns a year, as a decimal (0.6 is 60 %).
    hours : array_like
        Time in hours; a year has 8 760.
    drift : array_like, default 0.0
        Growth of the expected price a year, as a decimal.
    step_hours : array_like, default 0.0
        Hours between two looks at the price, 0 for looking all the time.

    Returns
    -------
    float or ndarray
        Probability as a decimal; 1 if the level is the entry price.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    Notes
    -----
    With volatility :math:`\sigma`, time :math:`T` in years, :math:`a` the size of the log of level
    over entry, and :math:`\nu` the drift of the log price, counted towards the level:

    .. math:: \Phi\!\left(\frac{\nu T - a}{\sigma\sqrt{T}}\right)
              + e^{2 \nu a / \sigma^2}\,\Phi\!\left(\frac{-\nu T - a}{\sigma\sqrt{T}}\right).

    Who looks only every :math:`\Delta` misses short touches. The level then acts as if it were
    further away by :math:`0.5826\,\sigma\sqrt{\Delta}`, which is right to about 0.001 at 50 looks
    and better with more.

    References
    ----------
    M. Broadie, P. Glasserman and S. Kou, A Continuity Correction for Discrete Barrier Options,
    Mathematical Finance 7 (1997), 325-348.

    Examples
    --------
    A fall of 9.55 % within 1 000 hours at 60 % a year, watched all the time and once an hour:

    >>> round(touch_probability(50_000, 45_226, 0.6, 1_000), 4)
    0.6515
    >>> round(touch_probability(50_000, 45_226, 0.6, 1_000, step_hours=1), 4)
    0.639
    """
    entry_price, level_price, volatility, hours, drift, step_hours = checked(
        entry_price=entry_price,
        level_price=level_price,
        volatility=volatility,
        hours=hours,
        drift=drift,
        step_hours=step_hours,
    )
    return as_result(
        _touch(np.log(level_price / entry_price), volatility, hours, drift, step_hours)
    )


def liquidation_probability(
    side: npt.ArrayLike,
    leverage: npt.ArrayLike,
    maintenance_margin_rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    hours: npt.ArrayLike,
    *,
    drift: npt.ArrayLike = 0.0,
    step_hours: npt.ArrayLike = 0.0,
    inverse: bool = False,
) -> float | FloatArray:
    r"""Probability that an isolated position is liquidated within some time: the survival map.

    Parameters
    ----------
    side : {1, -1} or array_like
        1 for a long position, -1 for a short position.
    leverage : array_like
        Notional over margin at entry. 1 or more.
    maintenance_margin_rate : array_like
        Share of the notional at the mark price that is required, as a decimal (0.004 is 0.4 %);
        with the closing fee where the venue adds it.
    volatility : array_like
        Standard deviation of log returns a year, as a decimal (0.6 is 60 %).
    hours : array_like
        Holding time in hours; a year has 8 760.
    drift : array_like, default 0.0
        Growth of the expected price a year, as a decimal.
    step_hours : array_like, default 0.0
        Hours between two looks at the price, 0 for looking all the time, as venues nearly do.
    inverse : bool, default False
        Whether the contract is inverse (settled in the base currency).

    Returns
    -------
    float or ndarray
        Probability as a decimal: 0 where no price liquidates, 1 where the margin does not even
        cover the requirement at entry.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or shapes do not match.

    See Also
    --------
    leverage.margin.liquidation_price : The price that this is the probability of.

    Notes
    -----
    Funding, fees and added margin are left out; each of them moves the liquidation price.

    Examples
    --------
    Three leverages (rows), held for a day, a week and a month at 60 % a year:

    >>> hours = [24, 168, 720]
    >>> liquidation_probability(1, [[3], [10], [50]], 0.004, 0.6, hours).round(2)
    array([[0.  , 0.  , 0.02],
           [0.  , 0.23, 0.58],
           [0.61, 0.85, 0.93]])
    """
    side, leverage, maintenance_margin_rate, volatility, hours, drift, step_hours = checked(
        side=side,
        leverage=leverage,
        maintenance_margin_rate=maintenance_margin_rate,
        volatility=volatility,
        hours=hours,
        drift=drift,
        step_hours=step_hours,
    )
    # The position has a quantity of one, so its margin follows from the leverage alone.
    price = np.asarray(
        margin.liquidation_price(
            side,
            1.0,
            1.0,
            contracts.notional(1.0, 1.0, inverse=inverse) / leverage,
            maintenance_margin_rate,
            inverse=inverse,
        )
    )
    exists = (price > 0) & np.isfinite(price)
    distance = np.log(np.where(exists, price, 1.0))
    under_water = exists & (side * distance >= 0)
    touched = _touch(distance, volatility, hours, drift, step_hours)
    return as_result(np.where(under_water, 1.0, np.where(exists, touched, 0.0)))


def first_touch(
    entry_price: npt.ArrayLike,
    lower_price: npt.ArrayLike,
    upper_price: npt.ArrayLike,
    volatility: npt.ArrayLike,
    hours: npt.ArrayLike,
    *,
    drift: npt.ArrayLike = 0.0,
    step_hours: npt.ArrayLike = 0.0,
) -> FirstTouch:
    r"""Which of two prices is touched first within some time, if any.

    Parameters
    ----------
    entry_price : array_like
        Price at the start, in quote currency per unit of base currency. Positive.
    lower_price, upper_price : array_like
        One price below the entry price and one above it, in the same unit.
    volatility : array_like
        Standard deviation of log returns a year, as a decimal (0.6 is 60 %).
    hours : array_like
        Time in hours; a year has 8 760.
    drift : array_like, default 0.0
        Growth of the expected price a year, as a decimal.
    step_hours : array_like, default 0.0
        Hours between two looks at the price, 0 for looking all the time.

    Returns
    -------
    FirstTouch
        Probabilities of `lower` first, `upper` first, and `neither`.

    Raises
    ------
    ValueError
        If an argument breaks its rule, shapes do not match, or the entry price is not between
        the two.

    Notes
    -----
    With volatility :math:`\sigma`, drift of the log price :math:`\nu`, :math:`a` and :math:`b` the
    log distances down and up, :math:`\ell = a + b` and :math:`\theta = \nu / \sigma^2`, the upper
    price is touched first by time :math:`T` in years with probability

    .. math:: \frac{1 - e^{-2\theta a}}{1 - e^{-2\theta\ell}}
              - e^{\theta b} \frac{\pi\sigma^2}{\ell^2} \sum_{n \ge 1} (-1)^{n+1} n
              \sin\frac{n\pi a}{\ell}\,\frac{e^{-\lambda_n T}}{\lambda_n}, \qquad
              \lambda_n = \frac{\nu^2}{2\sigma^2} + \frac{n^2\pi^2\sigma^2}{2\ell^2}.

    For short times the same is summed over mirror images of the level. Looking every
    :math:`\Delta` moves both levels away by :math:`0.5826\,\sigma\sqrt{\Delta}`.

    References
    ----------
    D. R. Cox and H. D. Miller, The Theory of Stochastic Processes (1965), section 5.7.

    Examples
    --------
    A stop 6 % below against a target 12 % above, for two weeks at 60 % a year:

    >>> stop, target, neither = first_touch(100, 94, 112, 0.6, 336)
    >>> round(stop, 3), round(target, 3), round(neither, 3)
    (0.603, 0.275, 0.122)
    """
    entry_price, lower_price, upper_price, volatility, hours, drift, step_hours = checked(
        entry_price=entry_price,
        lower_price=lower_price,
        upper_price=upper_price,
        volatility=volatility,
        hours=hours,
        drift=drift,
        step_hours=step_hours,
    )
    refuse_where(
        lower_price >= entry_price,
        "lower_price",
        "below the entry price",
        lower_price,
        "touch_probability takes a single level",
    )
    refuse_where(
        upper_price <= entry_price,
        "upper_price",
        "above the entry price",
        upper_price,
        "touch_probability takes a single level",
    )
    shift = _OVERSHOOT * volatility * np.sqrt(step_hours / HOURS_PER_YEAR)
    down = np.log(entry_price / lower_price) + shift
    up = np.log(upper_price / entry_price) + shift
    log_drift = drift - 0.5 * volatility**2
    years = hours / HOURS_PER_YEAR
    upper = _first(down, up, log_drift, volatility, years)
    lower = _first(up, down, -log_drift, volatility, years)
    neither = np.clip(1.0 - lower - upper, 0.0, 1.0)
    return FirstTouch(as_result(lower), as_result(upper), as_result(neither))


def _touch(
    distance: FloatArray,
    volatility: FloatArray,
    hours: FloatArray,
    drift: FloatArray,
    step_hours: FloatArray,
) -> FloatArray:
    """Probability of touching a level at a signed log distance; 1 at no distance."""
    towards = np.where(distance < 0, -1.0, 1.0)
    shift = _OVERSHOOT * volatility * np.sqrt(step_hours / HOURS_PER_YEAR)
    away = abs(distance) + shift
    log_drift = towards * (drift - 0.5 * volatility**2)
    touched = _touch_by(away, log_drift, volatility, hours / HOURS_PER_YEAR)
    return np.where(distance == 0, 1.0, touched)


def _touch_by(
    away: FloatArray, log_drift: FloatArray, volatility: FloatArray, years: FloatArray
) -> FloatArray:
    spread = volatility * np.sqrt(years)
    still: BoolArray = spread == 0
    spread = np.where(still, 1.0, spread)
    direct = tail((away - log_drift * years) / spread)
    mirrored = tail_times_exp(
        2.0 * log_drift * away / volatility**2, (away + log_drift * years) / spread
    )
    return np.where(still, 0.0, np.clip(direct + mirrored, 0.0, 1.0))


def _first(
    down: FloatArray,
    up: FloatArray,
    log_drift: FloatArray,
    volatility: FloatArray,
    years: FloatArray,
) -> FloatArray:
    """Probability that the level at `up` is touched by `years`, before the one at `down`."""
    width = down + up
    spread = volatility * np.sqrt(years)
    late: BoolArray = spread**2 > _WAVES_FROM * width**2
    # Each series gets a time that suits it where the other one is used.
    soon = np.where(late, 0.0, years)
    by_images = _first_by_images(down, up, log_drift, volatility, soon)
    far = np.where(late, years, width**2 / volatility**2)
    by_waves = _first_by_waves(down, up, log_drift, volatility, far)
    return np.clip(np.where(late, by_waves, by_images), 0.0, 1.0)


def _first_by_images(
    down: FloatArray,
    up: FloatArray,
    log_drift: FloatArray,
    volatility: FloatArray,
    years: FloatArray,
) -> FloatArray:
    width = down + up
    spread = volatility * np.sqrt(years)
    still = spread == 0
    spread = np.where(still, 1.0, spread)
    theta = log_drift / volatility**2
    total = np.zeros(np.broadcast_shapes(width.shape, spread.shape, theta.shape))
    for image in range(-_IMAGES, _IMAGES + 1):
        place = up + 2 * image * width
        away = abs(place)
        one = tail_times_exp(theta * (up - away), (away - log_drift * years) / spread)
        other = tail_times_exp(theta * (up + away), (away + log_drift * years) / spread)
        total = total + np.sign(place) * (one + other)
    return np.where(still, 0.0, total)


def _first_by_waves(
    down: FloatArray,
    up: FloatArray,
    log_drift: FloatArray,
    volatility: FloatArray,
    years: FloatArray,
) -> FloatArray:
    width = down + up
    theta = log_drift / volatility**2
    left = np.zeros(np.broadcast_shapes(width.shape, years.shape, theta.shape))
    for n in range(1, _WAVES + 1):
        rate = 0.5 * log_drift * theta + 0.5 * (n * math.pi * volatility / width) ** 2
        sign = 1.0 if n % 2 else -1.0
        decay = np.exp(theta * up - rate * years)
        left = left + sign * n * np.sin(n * math.pi * down / width) * decay / rate
    return _ever_first(down, up, theta) - math.pi * (volatility / width) ** 2 * left


def _ever_first(down: FloatArray, up: FloatArray, theta: FloatArray) -> FloatArray:
    """Probability that the level at `up` is touched before the one at `down`, at any time."""
    width = down + up
    level: BoolArray = theta == 0
    size = np.where(level, 1.0, 2.0 * abs(theta))
    # 1 - exp(-2 theta a) over 1 - exp(-2 theta l), written so that nothing overflows
    ratio = np.expm1(-size * down) / np.expm1(-size * width)
    against = np.exp(-size * up)
    tilted = np.where(theta > 0, ratio, against * ratio)
    return np.where(level, down / width, tilted)


guard(globals())

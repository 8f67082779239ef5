r"""Random price paths: Brownian, with jumps, from real returns, correlated, and with moods.

Every function returns an array of one path a row whose first column is the start price. All
randomness comes from `seed`: a whole number, or a NumPy Generator that is drawn from. `drift` is the
growth of the expected price a year as a decimal; with 0 the expected price stays where it is. A
year has 8 760 hours.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from leverage._validate import FloatArray, checked, checked_numbers, refuse_where, shown

HOURS_PER_YEAR = 8_760.0

_SMALLEST_EIGENVALUE = -1e-10


def gbm(
    start_price: float,
    volatility: float,
    steps: int,
    *,
    paths: int = 1,
    drift: float = 0.0,
    step_hours: float = 1.0,
    seed: int | np.random.Generator,
) -> FloatArray:
    r"""Paths of geometric Brownian motion: independent normal log returns.

    Parameters
    ----------
    start_price : float
        First price of every path, in quote currency per unit of base currency. Positive.
    volatility : float
        Standard deviation of log returns a year, as a decimal (0.6 is 60 %).
    steps : int
        Number of steps.
    paths : int, default 1
        Number of paths.
    drift : float, default 0.0
        Growth of the expected price a year, as a decimal.
    step_hours : float, default 1.0
        Length of a step in hours.
    seed : int or Generator
        What the random numbers come from.

    Returns
    -------
    ndarray
        Prices, shape (paths, steps + 1).

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Notes
    -----
    .. math:: \ln\frac{S_{t+\Delta}}{S_t} \sim
              N\!\left((\mu - \tfrac12\sigma^2)\Delta,\ \sigma^2\Delta\right)

    Examples
    --------
    >>> gbm(50_000, 0.6, 3, seed=1).round(0)
    array([[50000., 50110., 50373., 50479.]])
    """
    start, sigma, count, rows, mu, hours = checked_numbers(
        start_price=start_price,
        volatility=volatility,
        steps=steps,
        paths=paths,
        drift=drift,
        step_hours=step_hours,
    )
    years = hours / HOURS_PER_YEAR
    noise = _generator(seed).standard_normal((int(rows), int(count)))
    noise *= sigma * math.sqrt(years)
    noise += (mu - 0.5 * sigma**2) * years
    return _prices(start, noise)


def jump_diffusion(
    start_price: float,
    volatility: float,
    steps: int,
    *,
    jumps_per_year: float,
    jump_mean: float,
    jump_volatility: float,
    paths: int = 1,
    drift: float = 0.0,
    step_hours: float = 1.0,
    seed: int | np.random.Generator,
) -> FloatArray:
    r"""Paths of Merton's model: Brownian motion with sudden jumps.

    Parameters
    ----------
    start_price : float
        First price of every path, in quote currency per unit of base currency. Positive.
    volatility : float
        Standard deviation of log returns a year between jumps, as a decimal.
    steps : int
        Number of steps.
    jumps_per_year : float
        Mean number of jumps in a year. Jumps come independently of each other.
    jump_mean, jump_volatility : float
        Mean and standard deviation of a jump as a log return (-0.05 is about -5 %).
    paths : int, default 1
        Number of paths.
    drift : float, default 0.0
        Growth of the expected price a year, jumps included, as a decimal.
    step_hours : float, default 1.0
        Length of a step in hours.
    seed : int or Generator
        What the random numbers come from.

    Returns
    -------
    ndarray
        Prices, shape (paths, steps + 1).

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Notes
    -----
    The mean jump is taken out of the drift between jumps, so that the expected price grows by
    :math:`\mu` all the same:

    .. math:: \mu - \tfrac12\sigma^2 - \lambda\left(e^{m + \delta^2/2} - 1\right)

    References
    ----------
    R. Merton, Option Pricing when Underlying Stock Returns are Discontinuous, Journal of Financial
    Economics 3 (1976), 125-144.

    Examples
    --------
    >>> calm = {"jumps_per_year": 0, "jump_mean": 0, "jump_volatility": 0}
    >>> bool((jump_diffusion(100, 0.6, 5, **calm, seed=1) == gbm(100, 0.6, 5, seed=1)).all())
    True
    """
    start, sigma, count, rows, mu, hours, rate, mean, spread = checked_numbers(
        start_price=start_price,
        volatility=volatility,
        steps=steps,
        paths=paths,
        drift=drift,
        step_hours=step_hours,
        jumps_per_year=jumps_per_year,
        jump_mean=jump_mean,
        jump_volatility=jump_volatility,
    )
    years = hours / HOURS_PER_YEAR
    generator = _generator(seed)
    shape = (int(rows), int(count))
    moves = generator.standard_normal(shape)
    moves *= sigma * math.sqrt(years)
    expected_jump = math.expm1(mean + 0.5 * spread**2)
    moves += (mu - 0.5 * sigma**2 - rate * expected_jump) * years
    jumps = generator.poisson(rate * years, shape)
    where = np.nonzero(jumps)
    here = jumps[where]
    # The sum of n normal jumps is normal with n times the mean and the variance.
    moves[where] += mean * here + spread * np.sqrt(here) * generator.standard_normal(here.size)
    return _prices(start, moves)


def block_bootstrap(
    start_price: float,
    log_returns: npt.ArrayLike,
    steps: int,
    *,
    mean_block: float,
    paths: int = 1,
    mean_return: float = 0.0,
    seed: int | np.random.Generator,
) -> FloatArray:
    r"""Paths made of blocks of real returns, so that calm and wild days stay together.

    Parameters
    ----------
    start_price : float
        First price of every path, in quote currency per unit of base currency. Positive.
    log_returns : array_like
        Log returns of the steps to draw from, oldest first (`leverage.history.log_returns`).
    steps : int
        Number of steps.
    mean_block : float
        Mean length of a block in steps; 1 draws every return on its own.
    paths : int, default 1
        Number of paths.
    mean_return : float, default 0.0
        Mean log return of a step after re-centring: the past trend is taken out, because nobody
        may count on it.
    seed : int or Generator
        What the random numbers come from.

    Returns
    -------
    ndarray
        Prices, shape (paths, steps + 1).

    Raises
    ------
    ValueError
        If an argument breaks its rule.

    Notes
    -----
    The stationary bootstrap: after each step the block ends with probability 1 / `mean_block`, and
    the next one starts anywhere. The last return is followed by the first. Each return is drawn
    equally often, so the mean is that of the data, and re-centring it is exact.

    References
    ----------
    D. Politis and J. Romano, The Stationary Bootstrap, Journal of the American Statistical
    Association 89 (1994), 1303-1313.

    Examples
    --------
    >>> block_bootstrap(100, [0.02, -0.01, 0.05], 4, mean_block=2, seed=1).round(2)
    array([[100.  , 100.  ,  97.04, 100.  , 100.  ]])
    """
    start, count, rows, block, mean = checked_numbers(
        start_price=start_price,
        steps=steps,
        paths=paths,
        mean_block=mean_block,
        mean_return=mean_return,
    )
    (returns,) = checked(log_returns=log_returns)
    if returns.ndim != 1 or returns.size < 2:
        raise ValueError(
            f"log_returns must be a list of at least two returns, had shape {returns.shape}; "
            "give one symbol's returns"
        )
    centred = returns - returns.mean() + mean
    generator = _generator(seed)
    shape = (int(rows), int(count))
    jumped = generator.random(shape) < 1.0 / block
    jumped[:, 0] = True
    starts = generator.integers(returns.size, size=shape)
    # Each step continues from the start of its block: where that was, and how long ago.
    column = np.arange(shape[1])
    begun = np.maximum.accumulate(np.where(jumped, column, 0), axis=1)
    picked = np.take_along_axis(starts, begun, axis=1) + (column - begun)
    return _prices(start, centred[picked % returns.size])


def correlated(
    start_prices: npt.ArrayLike,
    volatilities: npt.ArrayLike,
    correlations: npt.ArrayLike,
    steps: int,
    *,
    paths: int = 1,
    drift: float = 0.0,
    step_hours: float = 1.0,
    seed: int | np.random.Generator,
) -> FloatArray:
    r"""Paths of several assets whose log returns are correlated.

    Parameters
    ----------
    start_prices : array_like
        First price of each asset. Positive.
    volatilities : array_like
        Standard deviation of each asset's log returns a year, as a decimal; or one for all.
    correlations : array_like
        Correlation matrix of the log returns, ones on its diagonal.
    steps : int
        Number of steps.
    paths : int, default 1
        Number of paths.
    drift : float, default 0.0
        Growth of each expected price a year, as a decimal.
    step_hours : float, default 1.0
        Length of a step in hours.
    seed : int or Generator
        What the random numbers come from.

    Returns
    -------
    ndarray
        Prices, shape (assets, paths, steps + 1).

    Raises
    ------
    ValueError
        If an argument breaks its rule, or the matrix is no correlation matrix.

    See Also
    --------
    leverage.portfolio.correlation : A correlation matrix from returns.

    Examples
    --------
    >>> both = correlated([100, 10], [0.6, 0.9], [[1, 0.8], [0.8, 1]], 5_000, seed=1)
    >>> both.shape
    (2, 1, 5001)
    >>> moves = np.diff(np.log(both[:, 0]))
    >>> round(float(np.corrcoef(moves)[0, 1]), 2)
    0.8
    """
    count, rows, mu, hours = checked_numbers(
        steps=steps, paths=paths, drift=drift, step_hours=step_hours
    )
    starts, matrix = checked(start_prices=start_prices)[0], checked(correlations=correlations)[0]
    if starts.ndim != 1 or not starts.size:
        raise ValueError(
            f"start_prices must be a list with one price for each asset, had shape {starts.shape}; "
            "for one asset use gbm"
        )
    sigmas = _one_for_each(volatilities, starts.size)
    root = _correlation_root(matrix, starts.size)
    years = hours / HOURS_PER_YEAR
    noise = _generator(seed).standard_normal((starts.size, int(rows), int(count)))
    moves = np.einsum("ij,jkl->ikl", root * (sigmas * math.sqrt(years))[:, np.newaxis], noise)
    moves += ((mu - 0.5 * sigmas**2) * years)[:, np.newaxis, np.newaxis]
    return np.stack(
        [_prices(float(start), move) for start, move in zip(starts, moves, strict=True)]
    )


def regimes(
    start_price: float,
    volatilities: npt.ArrayLike,
    transitions: npt.ArrayLike,
    steps: int,
    *,
    paths: int = 1,
    drift: float = 0.0,
    step_hours: float = 1.0,
    seed: int | np.random.Generator,
) -> FloatArray:
    r"""Paths that change between calm and wild spells.

    Parameters
    ----------
    start_price : float
        First price of every path, in quote currency per unit of base currency. Positive.
    volatilities : array_like
        Volatility a year in each regime, as a decimal.
    transitions : array_like
        Row i, column j: probability that regime i is followed by regime j in the next step. Each
        row sums to 1.
    steps : int
        Number of steps.
    paths : int, default 1
        Number of paths.
    drift : float, default 0.0
        Growth of the expected price a year, as a decimal.
    step_hours : float, default 1.0
        Length of a step in hours.
    seed : int or Generator
        What the random numbers come from.

    Returns
    -------
    ndarray
        Prices, shape (paths, steps + 1).

    Raises
    ------
    ValueError
        If an argument breaks its rule, or a row does not sum to 1.

    Notes
    -----
    Paths begin in the long-run mix of the regimes.

    Examples
    --------
    Calm for 200 hours on average, then wild for 20:

    >>> changes = [[0.995, 0.005], [0.05, 0.95]]
    >>> regimes(100, [0.4, 2.0], changes, 1_000, paths=3, seed=1).shape
    (3, 1001)
    """
    start, count, rows, mu, hours = checked_numbers(
        start_price=start_price, steps=steps, paths=paths, drift=drift, step_hours=step_hours
    )
    (chances,) = checked(transitions=transitions)
    (sigmas,) = checked(volatilities=volatilities)
    if sigmas.ndim != 1 or chances.shape != (sigmas.size, sigmas.size):
        raise ValueError(
            f"transitions must be a square table with one row for each of the volatilities, had "
            f"shape {chances.shape} for volatilities of shape {sigmas.shape}; give both alike"
        )
    refuse_where(
        abs(chances.sum(axis=1) - 1.0) > 1e-9,
        "transitions",
        "rows that sum to 1",
        chances.sum(axis=1),
        "what is left of a row is the chance to stay",
    )
    generator = _generator(seed)
    shape = (int(rows), int(count))
    state = np.empty(shape, dtype=np.intp)
    draws = generator.random(shape)
    bounds = chances.cumsum(axis=1)[:, :-1]
    mix = _long_run_mix(chances).cumsum()[:-1]
    state[:, 0] = (draws[:, :1] >= mix).sum(axis=1)
    for step in range(1, shape[1]):
        state[:, step] = (draws[:, step : step + 1] >= bounds[state[:, step - 1]]).sum(axis=1)
    years = hours / HOURS_PER_YEAR
    now = sigmas[state]
    moves = generator.standard_normal(shape) * now * math.sqrt(years)
    moves += (mu - 0.5 * now**2) * years
    return _prices(start, moves)


def _generator(seed: int | np.random.Generator) -> np.random.Generator:
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(checked_seed(seed, "a whole number from 0 or a NumPy Generator"))


def checked_seed(seed: object, rule: str = "a whole number from 0") -> int:
    """Return a seed as a whole number from 0, or refuse it with the rule."""
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0:
        return int(seed)
    raise ValueError(f"seed must be {rule}, was {seed!r}; any such number will do")


def _prices(start: float, moves: FloatArray) -> FloatArray:
    """Return prices from log returns, with the start price in the first column."""
    prices = np.empty((moves.shape[0], moves.shape[1] + 1))
    prices[:, 0] = start
    np.cumsum(moves, axis=1, out=prices[:, 1:])
    prices[:, 1:] = start * np.exp(prices[:, 1:])
    return prices


def _one_for_each(volatilities: npt.ArrayLike, count: int) -> FloatArray:
    (sigmas,) = checked(volatilities=volatilities)
    if sigmas.shape not in ((), (1,), (count,)):
        raise ValueError(
            f"volatilities must be one number or {count}, had shape {sigmas.shape}; give one for "
            "each start price"
        )
    return np.broadcast_to(sigmas, (count,))


def _correlation_root(matrix: FloatArray, count: int) -> FloatArray:
    """Return a matrix whose product with its transpose is the correlation matrix."""
    if matrix.shape != (count, count):
        raise ValueError(
            f"correlations must have shape ({count}, {count}), had {matrix.shape}; give one row "
            "and column for each start price"
        )
    if not (np.array_equal(matrix, matrix.T) and (np.diag(matrix) == 1).all()):
        raise ValueError(
            "correlations must be symmetric with ones on the diagonal, was not; compute it with "
            "leverage.correlation"
        )
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < _SMALLEST_EIGENVALUE:
        raise ValueError(
            f"correlations must have no negative eigenvalue, had {shown(float(values[0]))}; no set "
            "of returns has such correlations"
        )
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _long_run_mix(chances: FloatArray) -> FloatArray:
    """Return the share of time in each regime: the mix that one step leaves as it is."""
    count = len(chances)
    equations = np.vstack([chances.T - np.eye(count), np.ones(count)])
    mix = np.linalg.lstsq(equations, np.append(np.zeros(count), 1.0), rcond=None)[0]
    return np.asarray(np.clip(mix, 0.0, 1.0))

"""Monte Carlo: how often price paths touch levels, and in which order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from leverage._validate import FloatArray, checked, checked_choice, refuse_where, shown
from leverage.paths import HOURS_PER_YEAR, checked_seed
from leverage.survival import engines
from leverage.survival.engines import NEVER, IntArray, TimeArray

# From about here on, compiling (a second) costs less than it saves.
_WORTH_COMPILING = 200_000_000

Levels = Mapping[str, float] | Sequence[float]


class TouchOdds(NamedTuple):
    """What was found about one level, as decimals of all paths.

    Attributes
    ----------
    probability : float
        Share of paths that touch the level.
    standard_error : float
        Standard error of that share.
    first : float
        Share of paths that touch this level before any other.
    """

    probability: float
    standard_error: float
    first: float


@dataclass(frozen=True, eq=False)
class Touches:
    """How often paths touched each level, and in which order.

    Attributes
    ----------
    names : tuple of str
        Name of each level, in the order in which they were given.
    levels : ndarray
        Price of each level.
    probability : ndarray
        Share of paths that touched the level, as a decimal.
    standard_error : ndarray
        Standard error of the share, the square root of p (1 - p) / paths.
    first : ndarray
        Share of paths that touched this level before any other.
    untouched : float
        Share of paths that touched none.
    before : ndarray
        Row i, column j: share of paths that touched i and had not touched j by then.
    curve : ndarray
        One row for each level: share that has touched it by step 0, 1, 2 and so on.
    paths, steps : int
        How many paths of how many steps.
    """

    names: tuple[str, ...]
    levels: FloatArray
    probability: FloatArray
    standard_error: FloatArray
    first: FloatArray
    untouched: float
    before: FloatArray
    curve: FloatArray
    paths: int
    steps: int

    def __getitem__(self, name: str) -> TouchOdds:
        """Return what was found about one level."""
        if name not in self.names:
            raise KeyError(f"no level is called {name!r}; there are {', '.join(self.names)}")
        row = self.names.index(name)
        return TouchOdds(
            float(self.probability[row]), float(self.standard_error[row]), float(self.first[row])
        )

    def __str__(self) -> str:
        """Return one line for each level."""
        lines = [
            f"{name} at {shown(float(level))}: {self[name].probability:.2%} "
            f"± {self[name].standard_error:.2%}, first {self[name].first:.2%}"
            for name, level in zip(self.names, self.levels, strict=True)
        ]
        return "\n".join([*lines, f"none of them: {self.untouched:.2%}"])


def simulate_touches(
    entry_price: float,
    levels: Levels,
    volatility: float | None,
    steps: int,
    *,
    log_returns: npt.ArrayLike | None = None,
    drift: float = 0.0,
    step_hours: float = 1.0,
    paths: int = 100_000,
    seed: int,
    threads: int = 1,
    engine: str = "auto",
) -> Touches:
    r"""Walk many price paths and count which levels they touch, and in which order.

    Parameters
    ----------
    entry_price : float
        Price at the start, in quote currency per unit of base currency. Positive.
    levels : mapping or sequence
        Prices to watch, by name (``{"stop": 47_000, "target": 56_000}``) or as a list. Any number
        of them on either side of the entry price.
    volatility : float or None
        Standard deviation of log returns a year, as a decimal (0.6 is 60 %). None if
        `log_returns` are given.
    steps : int
        Number of steps of each path. The price is looked at after each step.
    log_returns : array_like, optional
        Log returns of a step to draw from, each draw independent of the one before, in place of
        normal ones. They are re-centred to the drift.
    drift : float, default 0.0
        Growth of the expected price a year, as a decimal. With 0 the expected price stays.
    step_hours : float, default 1.0
        Length of a step in hours; a year has 8 760.
    paths : int, default 100_000
        Number of paths.
    seed : int
        Whole number from 0 that settles every path.
    threads : int, default 1
        Cores to use.
    engine : {"auto", "numpy", "numba"}
        What walks the paths. ``"auto"`` takes numba for large runs when it is installed.

    Returns
    -------
    Touches
        The same to the last bit for every number of threads and engine.

    Raises
    ------
    ValueError
        If an argument breaks its rule, or a level is at the entry price.

    See Also
    --------
    count_touches : The same for paths of any kind.
    touch_probability, first_touch : The same in closed form, for one and two levels.

    Notes
    -----
    A step draws one of 65 536 equally likely log returns: the quantiles of the normal distribution
    (scaled to its variance), or of `log_returns`. Several levels that are passed within one step
    are counted in the order in which the price passes them.

    Examples
    --------
    A 10x long from 50 000 with 0.5 % maintenance, a stop and a target, over 1 000 hours:

    >>> levels = {"liquidation": 45_226.13, "stop": 47_000, "target": 56_000}
    >>> found = simulate_touches(50_000, levels, 0.6, 1_000, paths=10_000, seed=1)
    >>> print(found)
    liquidation at 45226.13: 64.19% ± 0.48%, first 0.00%
    stop at 47000: 76.94% ± 0.42%, first 65.48%
    target at 56000: 53.29% ± 0.50%, first 34.32%
    none of them: 0.20%
    """
    distances, names, prices = _distances(entry_price, levels)
    _, drift_, hours, steps_, paths_, threads_ = checked(
        entry_price=entry_price,
        drift=drift,
        step_hours=step_hours,
        steps=steps,
        paths=paths,
        threads=threads,
    )
    table = _returns_table(volatility, log_returns, float(drift_), float(hours) / HOURS_PER_YEAR)
    order = _by_nearness(distances)
    ordered = distances[order]
    walk = engines.make_walk(
        table, ordered[ordered < 0], ordered[ordered > 0], checked_seed(seed), int(steps_)
    )
    walker, size = _pick(engine, int(paths_) * int(steps_))
    starts = range(0, int(paths_), size)
    workers = min(int(threads_), len(starts))

    def count(worker: int) -> _Tally:
        tally = _Tally(len(names), walk.steps)
        for start in starts[worker::workers]:
            tally.add(walker(walk, start, min(size, int(paths_) - start)))
        return tally

    tally = count(0) if workers == 1 else _in_threads(count, workers)
    return tally.result(names, prices, order)


def count_touches(prices: npt.ArrayLike, levels: Levels) -> Touches:
    """Count which levels given price paths touch, and in which order.

    Parameters
    ----------
    prices : array_like
        One path in each row, oldest price first, in quote currency per unit of base currency. All
        paths start at the same price.
    levels : mapping or sequence
        Prices to watch, by name or as a list, on either side of the start.

    Returns
    -------
    Touches
        Shares of the paths. Standard errors hold for independent paths.

    Raises
    ------
    ValueError
        If a price is not positive, paths have no step or different starts, or a level is at the
        start.

    Examples
    --------
    >>> found = count_touches([[100, 95, 90], [100, 104, 111]], {"stop": 94, "target": 110})
    >>> found["stop"].probability, found["target"].first, found.untouched
    (0.5, 0.5, 0.0)
    """
    (values,) = checked(prices=prices)
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 2:
        raise ValueError(
            f"prices must have one row for each path and at least two columns, had shape "
            f"{values.shape}; leverage.paths makes such arrays"
        )
    start = values[0, 0]
    refuse_where(
        values[:, 0] != start,
        "prices",
        f"equal in the first column ({shown(float(start))})",
        values[:, 0],
        "divide each path by its first price",
    )
    distances, names, level_prices = _distances(float(start), levels)
    order = _by_nearness(distances)
    times = np.full((len(values), len(order)), NEVER, dtype=np.int32)
    for column, level in enumerate(order):
        price = level_prices[level]
        there = values <= price if distances[level] < 0 else values >= price
        touched = there.any(axis=1)
        times[touched, column] = there[touched].argmax(axis=1)
    tally = _Tally(len(order), values.shape[1] - 1)
    tally.add(times)
    return tally.result(names, level_prices, order)


class _Tally:
    """Counts of touches, as whole numbers that add up the same in any order."""

    def __init__(self, levels: int, steps: int) -> None:
        self.paths = 0
        self.steps = steps
        self.at_step: IntArray = np.zeros((levels, steps + 1), dtype=np.int64)
        self.before: IntArray = np.zeros((levels, levels), dtype=np.int64)
        self.first: IntArray = np.zeros(levels + 1, dtype=np.int64)

    def add(self, times: TimeArray) -> None:
        """Count paths by the step of their first touch of each level, in order of nearness."""
        levels = times.shape[1]
        self.paths += len(times)
        for one in range(levels):
            touched = times[:, one] != NEVER
            self.at_step[one] += np.bincount(times[touched, one], minlength=self.steps + 1)
            for other in range(levels):
                # On one side the nearer level is passed first, also within one step.
                sooner = times[:, one] < times[:, other]
                same = touched & (times[:, one] == times[:, other])
                self.before[one, other] += int(sooner.sum() + (same.sum() if one < other else 0))
        earliest = times.argmin(axis=1)
        earliest[times.min(axis=1) == NEVER] = levels
        self.first += np.bincount(earliest, minlength=levels + 1)

    def merge(self, other: _Tally) -> None:
        """Take over the counts of another tally."""
        self.paths += other.paths
        self.at_step += other.at_step
        self.before += other.before
        self.first += other.first

    def result(
        self, names: tuple[str, ...], prices: FloatArray, order: npt.NDArray[np.intp]
    ) -> Touches:
        """Turn counts into shares, with the levels as they were given."""
        back = np.argsort(order)
        by_step = self.at_step[back].cumsum(axis=1)
        probability = by_step[:, -1] / self.paths
        return Touches(
            names=names,
            levels=prices,
            probability=probability,
            standard_error=np.sqrt(probability * (1 - probability) / self.paths),
            first=self.first[:-1][back] / self.paths,
            untouched=float(self.first[-1] / self.paths),
            before=self.before[np.ix_(back, back)] / self.paths,
            curve=by_step / self.paths,
            paths=self.paths,
            steps=self.steps,
        )


def _in_threads(count: Callable[[int], _Tally], workers: int) -> _Tally:
    """Let each worker count its share of the paths in a thread of its own, if there are threads."""
    try:
        with ThreadPoolExecutor(max_workers=workers) as pool:
            total, *others = pool.map(count, range(workers))
    except RuntimeError:  # no thread can be started, as in WebAssembly: one does it all
        total, *others = map(count, range(workers))
    for other in others:
        total.merge(other)
    return total


def _distances(
    entry_price: float, levels: Levels
) -> tuple[FloatArray, tuple[str, ...], FloatArray]:
    """Return log distances, names and prices of the levels, and refuse levels that say nothing."""
    named = (
        levels if isinstance(levels, Mapping) else {f"level {k}": p for k, p in enumerate(levels)}
    )
    entry, prices = checked(entry_price=entry_price, levels=list(named.values()))
    if entry.ndim or not prices.size:
        raise ValueError(
            f"entry_price must be one price and levels at least one, had shapes {entry.shape} and "
            f"{prices.shape}; run once for each entry"
        )
    refuse_where(
        prices == entry,
        "levels",
        f"away from the entry price {shown(float(entry))}",
        prices,
        "a level there is touched from the start",
    )
    return np.log(prices / entry), tuple(str(name) for name in named), prices


def _by_nearness(distances: FloatArray) -> npt.NDArray[np.intp]:
    """Return the levels below the entry, nearest first, then those above it."""
    return np.lexsort((abs(distances), distances > 0))


def _returns_table(
    volatility: float | None, log_returns: npt.ArrayLike | None, drift: float, years: float
) -> FloatArray:
    if volatility is not None and log_returns is None:
        (sigma,) = checked(volatility=volatility)
        spread = float(sigma) * math.sqrt(years)
        return engines.normal_table() * spread + (drift * years - 0.5 * spread * spread)
    if volatility is not None or log_returns is None:
        raise ValueError(
            "volatility must be None exactly when log_returns are given, was "
            f"{volatility!r}; give one of the two"
        )
    (values,) = checked(log_returns=log_returns)
    if values.ndim != 1 or values.size < 2:
        raise ValueError(
            f"log_returns must be a list of at least two returns, had shape {values.shape}; "
            "give one symbol's returns"
        )
    table = engines.empirical_table(values)
    return table + (drift * years - math.log(float(np.exp(table).mean())))


def _pick(engine: str, path_steps: int) -> tuple[engines.Engine, int]:
    wanted = checked_choice("engine", engine, ["auto", "numpy", "numba"])
    if wanted == "auto":
        large = engines.is_compiled() or path_steps >= _WORTH_COMPILING
        wanted = "numba" if large and engines.has_compiler() else "numpy"
    if wanted == "numpy":
        return engines.touch_times_numpy, engines.NUMPY_CHUNK
    if not engines.has_compiler():
        raise ValueError(
            "engine must be 'numpy' or 'auto' where numba is not installed, was 'numba'; "
            "install the extra [fast]"
        )
    return engines.touch_times_compiled, engines.COMPILED_CHUNK

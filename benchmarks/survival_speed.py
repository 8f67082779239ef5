"""Path-steps a CPU second of the Monte Carlo for first touches, against a full matrix in NumPy.

    python benchmarks/survival_speed.py [--paths 100000] [--steps 1000] [--repeats 3]

One long position at 10x with a stop and a target: the three prices are watched on every path. The
straightforward way draws one matrix of all normal numbers, adds up, takes the exponential and
compares. Each way runs in an interpreter of its own, taking turns, so that its peak memory is its
own too (the matrix takes 2.4 GB; fewer `--paths` take less); the time counts the processor seconds of all its threads. What a way needs once (importing,
tables, compiling) is done before the clock starts, and the seconds for it are printed.

The numbers must be right to count: all three probabilities within four standard errors of known
values, and every count the same for NumPy, numba, one thread and two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psutil

from leverage import LONG, liquidation_price
from leverage.survival import HOURS_PER_YEAR, simulate_touches
from leverage.survival.engines import has_compiler

VOLATILITY = 0.6
LEVELS = {
    "liquidation": liquidation_price(LONG, 1.0, 1.0, 0.1, 0.005),
    "stop": 0.94,
    "target": 1.12,
}
# Hourly steps without drift, 1 000 of them.
KNOWN = {"liquidation": 0.6390, "stop": 0.7702, "target": 0.5306}
KNOWN_STEPS = 1_000
GOAL_NUMPY = 5.0
GOAL_FAST = 30.0
GOAL_EXTRA_MB = 64.0
SEED = 20261122


def full_matrix(paths: int, steps: int) -> dict[str, Any]:
    """Hold every price of every path at once."""
    spread = VOLATILITY / math.sqrt(HOURS_PER_YEAR)
    normal = np.random.default_rng(SEED).standard_normal((paths, steps))
    prices = np.exp(np.cumsum(normal * spread - spread**2 / 2, axis=1))
    touched = {
        name: (prices <= level if level < 1 else prices >= level).any(axis=1)
        for name, level in LEVELS.items()
    }
    return {"probability": {name: float(each.mean()) for name, each in touched.items()}}


def simulated(paths: int, steps: int, engine: str, threads: int) -> dict[str, Any]:
    """Do the same with the library, and take a fingerprint of every count it gives."""
    found = simulate_touches(
        1.0, LEVELS, VOLATILITY, steps, paths=paths, seed=SEED, engine=engine, threads=threads
    )
    counts = (found.probability, found.first, found.untouched, found.before, found.curve)
    digest = hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in counts))
    return {
        "probability": dict(zip(found.names, found.probability.tolist(), strict=True)),
        "fingerprint": digest.hexdigest(),
    }


WAYS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "full matrix": full_matrix,
    "numpy, 1 thread": lambda paths, steps: simulated(paths, steps, "numpy", 1),
    "numpy, 2 threads": lambda paths, steps: simulated(paths, steps, "numpy", 2),
    "numba, 1 thread": lambda paths, steps: simulated(paths, steps, "numba", 1),
    "numba, 2 threads": lambda paths, steps: simulated(paths, steps, "numba", 2),
}


def peak_mb() -> float:
    """Return the largest memory of this process so far in MB."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    unit = 1.0 if sys.platform == "darwin" else 1_024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def run_here(way: str, paths: int, steps: int) -> dict[str, Any]:
    """Run one way in this process; return its result, CPU seconds and extra memory.

    The extra memory is the highest peak of the whole process over what it held before the run, so
    it is never too low; where compiling has peaked higher than the run, it is too high.
    """
    start = perf_counter()
    WAYS[way](10, 10)
    once = perf_counter() - start
    before, started = psutil.Process().memory_info().rss / 1e6, process_time()
    result = WAYS[way](paths, steps)
    seconds = process_time() - started
    return {**result, "seconds": seconds, "extra_mb": peak_mb() - before, "once": once}


def run_apart(way: str, paths: int, steps: int) -> dict[str, Any]:
    """Do as `run_here` in a new interpreter."""
    sizes = ["--paths", str(paths), "--steps", str(steps)]
    command = [sys.executable, __file__, "--way", way, *sizes]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def within_gate(probability: dict[str, float], paths: int) -> bool:
    """Tell whether each probability is within four standard errors of its known value."""
    return all(
        abs(probability[name] - known) <= 4 * math.sqrt(known * (1 - known) / paths)
        for name, known in KNOWN.items()
    )


def report(runs: dict[str, list[dict[str, Any]]], paths: int, steps: int) -> bool:
    """Print the table; return whether all goals are met."""
    rates = {
        way: statistics.median(paths * steps / run["seconds"] for run in each)
        for way, each in runs.items()
    }
    slow = rates["full matrix"]
    print(f"{'':<18}{'M path-steps/CPU s':>19}{'ratio':>8}{'extra MB':>10}{'once, s':>9}", end="")
    print("".join(f"{'P(' + name + ')':>16}" for name in LEVELS))
    for way, each in runs.items():
        extra = max(run["extra_mb"] for run in each)
        once = statistics.median(run["once"] for run in each)
        print(f"{way:<18}{rates[way] / 1e6:>19.1f}{rates[way] / slow:>8.1f}", end="")
        print(f"{extra:>10.1f}{once:>9.2f}", end="")
        print("".join(f"{each[0]['probability'][name]:>16.4f}" for name in LEVELS))

    ours = {way: each for way, each in runs.items() if way != "full matrix"}
    prints = {run["fingerprint"] for each in ours.values() for run in each}
    checks = {"same counts for every engine and thread": len(prints) == 1}
    if steps == KNOWN_STEPS:
        right = all(within_gate(each[0]["probability"], paths) for each in runs.values())
        checks["probabilities within 4 standard errors of the known ones"] = right
    lean = max(run["extra_mb"] for each in ours.values() for run in each)
    checks[f"no more than {GOAL_EXTRA_MB:g} MB of extra memory"] = lean <= GOAL_EXTRA_MB
    for engine, goal in (("numpy", GOAL_NUMPY), ("numba", GOAL_FAST)):
        own = [rates[way] / slow for way in ours if way.startswith(engine)]
        if own:
            checks[f"{engine} at least {goal:g} times the full matrix"] = min(own) >= goal
    for what, met in checks.items():
        print(f"{what}: {'yes' if met else 'NO'}")
    return all(checks.values())


def main() -> int:
    """Measure and print; the exit code tells whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=KNOWN_STEPS)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each way; medians count")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(run_here(options.way, options.paths, options.steps)))
        return 0
    print(f"Command: python {' '.join(sys.argv)}")
    print(f"{options.paths} paths of {options.steps} hourly steps, three levels")
    ways = [way for way in WAYS if has_compiler() or not way.startswith("numba")]
    if len(ways) < len(WAYS):
        print("numba is not installed: its ways are left out (extra [fast])")
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(options.repeats):
        for way in ways:
            runs[way].append(run_apart(way, options.paths, options.steps))
    return 0 if report(runs, options.paths, options.steps) else 1


if __name__ == "__main__":
    raise SystemExit(main())

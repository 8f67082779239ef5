"""Liquidation prices a second on a table of 12 tiers, against `DataFrame.apply`, in one run.

    python benchmarks/liquidation_throughput.py [--positions 1000000] [--rows 20000]

Both ways run in this process on one core and compute the same prices, which is checked. The row by
row way is what a notebook would do: a Python function that walks the tiers, given to
`DataFrame.apply`. It is slow, so it gets a sample of the rows, and its rate is compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

import leverage as lv

GOAL_PER_SECOND = 10e6
GOAL_RATIO = 200.0
BOUNDS = [0.0, 3e5, 8e5, 3e6, 1.2e7, 7e7, 1e8, 2.3e8, 4.8e8, 6e8, 8e8, 1.2e9, 1.8e9]
RATES = [0.004, 0.005, 0.0065, 0.01, 0.02, 0.025, 0.05, 0.1, 0.125, 0.15, 0.25, 0.5]
TABLE = lv.TierTable.marginal(BOUNDS, RATES)


def random_positions(count: int) -> dict[str, np.ndarray]:
    """Return positions of both sides, from 1 000 to 1.5 thousand million, at 1x to 50x."""
    rng = np.random.default_rng(20261122)
    entry = np.exp(rng.uniform(np.log(0.01), np.log(120_000), count))
    value = np.exp(rng.uniform(np.log(1e3), np.log(1.5e9), count))
    return {
        "side": rng.choice([-1.0, 1.0], count),
        "entry_price": entry,
        "quantity": value / entry,
        "margin": value / rng.uniform(1, 50, count),
    }


def one_row(row: Any) -> float:
    """Compute one liquidation price as one would by hand: try every tier until one fits."""
    side, entry, quantity, margin = row["side"], row["entry_price"], row["quantity"], row["margin"]
    for low, high, rate, amount in zip(
        TABLE.bounds, TABLE.bounds[1:], RATES, TABLE.maintenance_amounts, strict=False
    ):
        price = (side * quantity * entry - margin - amount) / (quantity * (side - rate))
        if low < quantity * price <= high or (high == TABLE.cap and quantity * price > high):
            return float(price)
    return 0.0


def main() -> int:
    """Measure and print; the exit code tells whether the goals are met."""
    parser = argparse.ArgumentParser(description="Time the tiered liquidation price.")
    parser.add_argument("--positions", type=int, default=1_000_000, help="positions at once")
    parser.add_argument("--rows", type=int, default=20_000, help="rows for DataFrame.apply")
    parser.add_argument("--repeats", type=int, default=9, help="runs; the median counts")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    book = random_positions(options.positions)
    frame = pd.DataFrame(book).head(options.rows)
    lv.tiered_liquidation_price(**book, tiers=TABLE)  # the first run also pays for fresh memory
    rates, slow_rates = [], []
    for repeat in range(options.repeats):
        start = perf_counter()
        prices = np.asarray(lv.tiered_liquidation_price(**book, tiers=TABLE))
        rates.append(options.positions / (perf_counter() - start))
        if repeat % 3 == 0:
            start = perf_counter()
            slow = frame.apply(one_row, axis=1)
            slow_rates.append(len(frame) / (perf_counter() - start))
    same = np.allclose(prices[: len(frame)], slow, rtol=1e-9, atol=0)

    rate, slow_rate = statistics.median(rates), statistics.median(slow_rates)
    print(f"Command: python {' '.join(sys.argv)} (one core)")
    print(f"leverage, {options.positions} positions, 12 tiers  {rate / 1e6:8.2f} M positions/s")
    print(f"DataFrame.apply, {len(frame)} rows             {slow_rate / 1e6:8.4f} M positions/s")
    print(f"ratio {rate / slow_rate:.0f}; same prices: {'yes' if same else 'NO'}")
    met = same and rate >= GOAL_PER_SECOND and rate >= GOAL_RATIO * slow_rate
    goals = f"{GOAL_PER_SECOND / 1e6:g} M positions/s and a ratio of {GOAL_RATIO:g}"
    print(f"Goal of {goals}: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())

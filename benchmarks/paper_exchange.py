"""Bars a second of the paper exchange, and of backtesting.py and nautilus_trader, in one run.

    python benchmarks/paper_exchange.py [--bars 50000] [--repeats 3]

All replay the same hourly prices as four ticks a bar (open, the two extremes, close). All hold a
long and a short opened on the first bar, with four limit orders resting all the way, at 10x with
the same taker fee, and no strategy that acts on later bars. Each peer is compared with our exchange
in the same shape:

- nautilus_trader: the long in one symbol and the short in another, on one margin account; a bar
  counts once for both symbols.
- backtesting.py: long and short in the one symbol that it knows (ours: hedge mode).

Ours is in cross margin on a table of 12 tiers; the first peer knows one maintenance rate, the other
none. Neither pays funding, so the ratios are taken without it. Ours passes over ticks that can
neither fill nor liquidate anything, so for the ratios it is stopped at every bar, as by a caller
who looks after each one: without that it would need no time at all. The goal in bars a second is for
a replay in one go, with funding every eight hours.

Seconds are CPU seconds of the replay alone, on one core. A run whose gain is not what its own entry
prices say, or whose orders do not rest at the end, fails. The peers are installed from
benchmarks/paper_peers/requirements.txt (pinned with hashes) into an environment of their own under
.cache/; this needs the package index once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from leverage import TierTable
from leverage.paper import PaperExchange, Rules

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).resolve().parent / "paper_peers"
GOAL_PER_SECOND = 100e3
STARTS = np.array([50_000.0, 3_000.0])
YEARLY_VOLATILITY = 0.10  # low, so that the resting orders rest
TICKS = 4
CASH, LEVERAGE, FEE_RATE, FUNDING_RATE = 1_000_000.0, 10, 0.0005, 0.0001
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
BOUNDS = [0.0, 3e5, 8e5, 3e6, 1.2e7, 7e7, 1e8, 2.3e8, 4.8e8, 6e8, 8e8, 1.2e9, 1.8e9]
RATES = [0.004, 0.005, 0.0065, 0.01, 0.02, 0.025, 0.05, 0.1, 0.125, 0.15, 0.25, 0.5]
RULES = Rules(
    requirement="maintenance at mark",
    taker_fee_rate=FEE_RATE,
    maker_fee_rate=0.0002,
    tiers=TierTable.marginal(BOUNDS, RATES),
    max_leverage=100,
    funding_interval_hours=8,
)
START, HOUR = 1_577_836_800_000, 3_600_000


def hourly_prices(bars: int) -> np.ndarray:
    """Return open, high, low, close of two symbols, each bar opening at the last close."""
    rng = np.random.default_rng(20261122)
    steps = rng.normal(0, YEARLY_VOLATILITY / np.sqrt(8_760 * TICKS), (2, bars * TICKS))
    path = (STARTS[:, None] * np.exp(np.cumsum(steps, axis=1))).reshape(2, bars, TICKS)
    close = path[:, :, -1]
    opens = np.concatenate([STARTS[:, None], close[:, :-1]], axis=1)
    high, low = np.maximum(path.max(axis=2), opens), np.minimum(path.min(axis=2), opens)
    return np.round(np.stack([opens, high, low, close], axis=2), 2)


def peer_python() -> Path:
    """Return the interpreter of the peers' environment, making it when it is missing."""
    lock = PEERS / "requirements.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    python_tag = f"py{sys.version_info.major}{sys.version_info.minor}"
    folder = ROOT / ".cache" / "peers" / f"paper-{python_tag}-{digest}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.is_file():
        venv.create(folder, clear=True)
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        options = ["--only-binary", ":all:", "--require-hashes", "-r", str(lock)]
        if subprocess.run([*install, *options]).returncode:
            raise SystemExit("The peers could not be installed; is there a network?")
        ready.touch()
    return python


def peer(script: str, prices: np.ndarray, repeats: int) -> dict[str, Any]:
    """Run one peer on the prices, in its environment."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prices.npy"
        np.save(file, prices)
        command = [str(peer_python()), "-I", str(PEERS / script), str(file), str(repeats)]
        run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{script} failed:\n{run.stderr}")
    report: dict[str, Any] = json.loads(run.stdout)
    return report


def ours(prices: np.ndarray, *, stopped: bool, funding: float | None) -> dict[str, Any]:
    """Run the paper exchange once: open on the first bar, rest the orders, replay to the end."""
    times = START + HOUR * np.arange(prices.shape[1])
    feeds = {
        symbol: np.column_stack([times, rows, np.ones(len(rows))])
        for symbol, rows in zip((BTC, ETH), prices, strict=False)
    }
    exchange = PaperExchange(feeds, rules=RULES, balance=CASH, funding=funding)
    hedged = len(feeds) == 1
    if hedged:
        exchange.set_position_mode(True)
    exchange.step(1, "bar")
    for symbol, side in zip((BTC, BTC if hedged else ETH), ("buy", "sell"), strict=True):
        exchange.set_leverage(LEVERAGE, symbol)
        exchange.create_order(symbol, "market", side, 1)
        price = exchange.last_price(symbol)
        shares = {"buy": (0.25, 0.24), "sell": (4.0, 4.1)}[side] if hedged else (0.25, 4.0)
        for share in shares:
            way = "buy" if share < 1 else "sell"
            exchange.create_order(symbol, "limit", way, 1, round(share * price, 1))
    start = process_time()
    if stopped:
        while exchange.step(1, "bar"):
            pass
    else:
        exchange.run_until()
    seconds = process_time() - start
    paid = sum(entry["amount"] for entry in exchange.fetch_funding_history())
    return {
        "seconds": seconds,
        "orders": len(exchange.fetch_open_orders()),
        "positions": [
            [1.0 if p["side"] == "long" else -1.0, p["entryPrice"], p["markPrice"]]
            for p in exchange.fetch_positions()
        ],
        "fee_rate": FEE_RATE,
        "gain": exchange.equity("USDT") - CASH - paid,
    }


def is_right(report: dict[str, Any]) -> bool:
    """Tell whether a run gained what its entry prices say, and its orders still rest."""
    positions = np.array(report["positions"])
    if positions.shape != (2, 3) or report["orders"] != 4:
        return False
    side, entry, last = positions.T
    gain = float((side * (last - entry) - report["fee_rate"] * entry).sum())
    return abs(gain - report["gain"]) < 1e-6 * CASH * report["fee_rate"]


def main() -> int:
    """Measure and print; the exit code tells whether the goals are met."""
    parser = argparse.ArgumentParser(description="Time the paper exchange and two peers.")
    parser.add_argument("--bars", type=int, default=50_000, help="bars of each symbol")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each; the median counts")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    both = hourly_prices(options.bars)
    print(f"Command: python {' '.join(sys.argv)} (one core)")
    print(f"{options.bars} hourly bars, four ticks each, two positions, four resting orders")

    met = True
    for shape, prices, script in (
        ("Two symbols", both, "hold_nautilus.py"),
        ("One symbol", both[:1], "hold_backtesting.py"),
    ):
        reports = [peer(script, prices, options.repeats)]
        for name, stopped, funding in (
            ("leverage.paper, stopped at every bar", True, None),
            ("  stopped, with funding", True, FUNDING_RATE),
            ("  in one go, with funding", False, FUNDING_RATE),
        ):
            runs = [ours(prices, stopped=stopped, funding=funding) for _ in range(options.repeats)]
            seconds = statistics.median(run["seconds"] for run in runs)
            reports.append({**runs[-1], "name": name, "version": "", "seconds": seconds})
        theirs, alike, _, funded = (report["seconds"] for report in reports)
        print(f"{shape}; ratio {theirs / alike:.1f}")
        for report in reports:
            result = "right" if is_right(report) else "WRONG"
            rate = options.bars / report["seconds"]
            words = f"{report['name']} {report['version']}"
            print(f"  {words:<38}{rate:>11,.0f} bars/s   result {result}")
            met = met and is_right(report)
        met = met and alike < theirs and options.bars / funded >= GOAL_PER_SECOND
    goal = f"{GOAL_PER_SECOND:,.0f} bars/s and faster than both"
    print(f"Goal of {goal}: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Compare liquidation prices with freqtrade's released wheel and with a one-line formula.

    python benchmarks/peers.py [--positions 1000000]

One million random positions, isolated, linear, on a table of 12 tiers. Every price of ours is
checked by evaluating margin at that price. freqtrade is installed into an environment of its own
under .cache/ (its wheel alone, by version and hash; this needs the package index once). Its two
functions are taken from the installed file and run there unchanged, with a stand-in for the
exchange connection that holds the tier table; nothing of it is part of this repository.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from array import array
from pathlib import Path

import numpy as np
from liquidation_throughput import BOUNDS, RATES

import leverage as lv

ROOT = Path(__file__).resolve().parents[1]
VERSION = "2026.9"
WHEEL_SHA256 = "3cc4432381b83ec35000bff6b76f494fa3ec7d1681c7a45c04667dc063789fac"
LEVERAGES = [150, 100, 75, 50, 25, 20, 10, 5, 4, 3, 2, 1]
TABLE = lv.TierTable.marginal(BOUNDS, RATES, LEVERAGES)
# A price is wrong when it differs by more than this share of the entry price.
WRONG = 1e-6
FAR = 1e-3

# Runs in freqtrade's environment, with the standard library only.
WORKER = """
import ast, hashlib, json, sys, time
from array import array
from importlib.metadata import distribution
from types import SimpleNamespace

dist = distribution("freqtrade")
space, found = {}, []
for path, name in (("exchange.py", "get_maintenance_ratio_and_amt"),
                   ("binance.py", "dry_run_liquidation_price")):
    file = dist.locate_file("freqtrade/exchange/" + path)
    text = file.read_text(encoding="utf-8")
    node = next(n for n in ast.walk(ast.parse(text))
                if isinstance(n, ast.FunctionDef) and n.name == name)
    found.append([path, name, node.lineno, hashlib.sha256(text.encode()).hexdigest()[:16]])
    for argument in [*node.args.args, *node.args.kwonlyargs]:
        argument.annotation = None
    node.returns = None
    exec(compile(ast.Module([node], []), str(file), "exec"), space)
modes = SimpleNamespace(CROSS="cross", ISOLATED="isolated", FUTURES="futures")
space.update(MarginMode=modes, TradingMode=modes, OPTIMIZE_MODES=("backtest",))
task = json.loads(sys.stdin.buffer.readline())
values = array("d")
values.frombytes(sys.stdin.buffer.read())
Peer = type("Peer", (), {name: space[name] for _, name, _, _ in found})
peer = Peer()
peer.margin_mode, peer.trading_mode, peer.name = modes.ISOLATED, modes.FUTURES, "peer"
peer._config = {"runmode": "backtest"}
peer._leverage_tiers = {"P": task["tiers"]}
count = len(values) // 5
start = time.perf_counter()
prices = array("d", (
    peer.dry_run_liquidation_price("P", entry, side < 0, quantity, margin, lev, margin, [])
    for side, entry, quantity, margin, lev in zip(*(values[k * count:(k + 1) * count]
                                                   for k in range(5)))
))
seconds = time.perf_counter() - start
print(json.dumps({"version": dist.version, "found": found, "seconds": seconds}))
sys.stdout.flush()
sys.stdout.buffer.write(prices.tobytes())
"""


def peer_python() -> Path:
    """Return the interpreter of freqtrade's environment, making it when it is missing."""
    folder = ROOT / ".cache" / "peers" / f"freqtrade-{VERSION}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.is_file():
        venv.create(folder, clear=True)
        pin = folder / "requirements.txt"
        pin.write_text(f"freqtrade=={VERSION} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(pin)]
        if subprocess.run([*install, *options]).returncode:
            raise SystemExit(f"freqtrade {VERSION} could not be installed; is there a network?")
        ready.touch()
    return python


def random_positions(count: int) -> dict[str, np.ndarray]:
    """Return positions of both sides, each at a leverage that its tier at entry allows."""
    rng = np.random.default_rng(20261122)
    entry = np.exp(rng.uniform(np.log(0.01), np.log(120_000), count))
    value = np.exp(rng.uniform(np.log(1e3), np.log(1.5e9), count))
    leverage = np.exp(rng.uniform(0, 1, count) * np.log(TABLE.max_leverage(value)))
    return {
        "side": rng.choice([-1.0, 1.0], count),
        "entry_price": entry,
        "quantity": value / entry,
        "margin": value / leverage,
        "leverage": leverage,
    }


def freqtrade_prices(book: dict[str, np.ndarray]) -> tuple[np.ndarray, dict]:
    """Compute all prices in freqtrade's environment."""
    tiers = [
        {"minNotional": low, "maintenanceMarginRate": rate, "maintAmt": amount}
        for low, rate, amount in zip(BOUNDS, RATES, TABLE.maintenance_amounts, strict=False)
    ]
    task = json.dumps({"tiers": tiers}).encode() + b"\n"
    columns = b"".join(array("d", column).tobytes() for column in book.values())
    command = [str(peer_python()), "-I", "-c", WORKER]
    run = subprocess.run(command, input=task + columns, stdout=subprocess.PIPE, check=True)
    head, _, body = run.stdout.partition(b"\n")
    return np.frombuffer(body), json.loads(head)


def residual(book: dict[str, np.ndarray], prices: np.ndarray) -> np.ndarray:
    """Return equity less requirement at the prices, as a share of the notional at entry."""
    position = (book["side"], book["entry_price"])
    at = np.maximum(prices, 1e-300)
    equity = lv.equity(*position, at, book["quantity"], book["margin"])
    value = np.asarray(lv.notional(at, book["quantity"]))[:, None]
    need = (np.clip(value, BOUNDS[:-1], [*BOUNDS[1:-1], np.inf]) - BOUNDS[:-1]) @ RATES
    return (equity - need) / (book["quantity"] * book["entry_price"])


def line(name: str, prices: np.ndarray, exact: np.ndarray, entry: np.ndarray) -> str:
    """Describe the errors of one way, as shares of the entry price."""
    error = abs(np.maximum(prices, 0.0) - exact) / entry
    wrong = error > WRONG
    middle, high = np.quantile(error, [0.5, 0.99])
    far = (error > FAR).mean()
    shares = f"{wrong.mean():>8.2%}{far:>12.2%}"
    return f"{name:<31}{shares}{middle:>10.4%}{high:>9.2%}{error.max():>9.1%}"


def main() -> int:
    """Compare and print; the exit code tells whether our own prices meet their requirement."""
    parser = argparse.ArgumentParser(description="Compare liquidation prices with peers.")
    parser.add_argument("--positions", type=int, default=1_000_000)
    options = parser.parse_args()
    book = random_positions(options.positions)
    side, entry, leverage = book["side"], book["entry_price"], book["leverage"]
    names = ("side", "entry_price", "quantity", "margin")
    exact = np.asarray(lv.tiered_liquidation_price(*(book[name] for name in names), TABLE))
    exists = exact > 0
    # Without a price the equity must stay above the requirement all the way down.
    left = residual(book, exact)
    proven = np.where(exists, abs(left) < 1e-12, left >= -1e-12)

    theirs, about = freqtrade_prices(book)
    rate = np.asarray(TABLE.maintenance_margin_rate(book["quantity"] * entry))
    short_formula = entry * (1 - side / leverage + side * rate)

    print(f"Command: python {' '.join(sys.argv)}")
    for path, name, number, digest in about["found"]:
        where = f"freqtrade/exchange/{path}:{number}"
        print(f"freqtrade {about['version']}: {name} ({where}, file sha256 {digest}...)")
    print(f"{options.positions} isolated linear positions, 12 tiers; errors over the entry price")
    print(f"{'':<31}{'wrong':>8}{'by > 0.1 %':>12}{'median':>10}{'p99':>9}{'largest':>9}")
    print(line("leverage", exact, exact, entry), f"  margin meets requirement: {proven.mean():.4%}")
    print(line("freqtrade (tier by collateral)", theirs, exact, entry))
    print(line("E (1 - s/L + s MMR), one line", short_formula, exact, entry))
    return 0 if proven.all() else 1


if __name__ == "__main__":
    raise SystemExit(main())

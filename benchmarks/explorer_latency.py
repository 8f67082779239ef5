"""Time a change of each control of every explorer, against drawing the figure anew.

    python benchmarks/explorer_latency.py [NAME ...] [--changes 200] [--in-process]

Both ways run in the same process, taking turns, on the same explorer: the same arithmetic, words and
widget messages. Only the drawing differs: the blitting canvas, or `figure.savefig` for every
change as a notebook without a canvas would do. By default all of it runs inside a Jupyter kernel,
so that the time includes sending the widget messages. Ratios carry over to other machines;
milliseconds do not. A new explorer is one entry in `EXPLORERS`.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

GOAL_MS = 15.0
HEAVY_GOAL_MS = 50.0
CHANGES = 200
# Both ways get the same changes; a full drawing is slow, so it gets fewer of them.
FULL_DRAWING_SHARE = 5


def leverage_values(changes: int) -> dict[str, list[Any]]:
    """Return, for each control, values that differ from one change to the next."""
    steps = np.arange(changes)
    return {
        "side": list(islice(cycle([-1, 1]), changes)),
        "margin": [float(value) for value in 100 + 37.5 * steps],
        "leverage": [int(2 + (value * 7) % 124) for value in steps],
        "entry_price": [float(value) for value in 30_000 + 123.45 * steps],
        "move_pct": [round(float(value), 1) for value in 19.9 * np.sin(steps * 0.37)],
        "chart_range": list(islice(cycle([5, 50, 20]), changes)),
    }


def platform_values(changes: int) -> dict[str, list[Any]]:
    """Weights, sizes and places; each weight is left at 5 for the next control."""
    weights = list(islice(cycle([0, 8, 3, 10, 1, 6, 5]), changes))
    return {
        "fees": weights,
        "leverage": weights,
        "facts": weights,
        "record": weights,
        "notional": list(islice(cycle([10_000, 1_000_000, 10_000_000, 100_000]), changes)),
        "residence": list(islice(cycle(["EU/EEA", "New York", "Not checked"]), changes)),
        "unknown_score": list(islice(cycle([0.5, 1.0, 0.0]), changes)),
    }


def tier_values(changes: int) -> dict[str, list[Any]]:
    """Notional over six decades, every table, every leverage."""
    steps = np.arange(changes)
    return {
        "market": list(islice(cycle([3, 7, 1, 5, 4, 6, 2, 0]), changes)),
        "notional": [float(10 ** (6 + 2.9 * np.sin(step * 0.37))) for step in steps],
        "leverage": [int(2 + (value * 7) % 499) for value in steps],
        "price": [float(value) for value in 30_000 + 123.45 * steps],
    }


def margin_mode_values(changes: int) -> dict[str, list[Any]]:
    """Sides, sizes and shocks of two positions, through every kind of end."""
    steps = np.arange(changes)
    moves = [round(float(value), 1) for value in 24.5 * np.sin(steps * 0.37)]
    return {
        "balance": [float(value) for value in 2_000 + 37.5 * steps],
        "leverage": [int(2 + (value * 7) % 124) for value in steps],
        "first_side": list(islice(cycle([-1, 1]), changes)),
        "second_side": list(islice(cycle([-1, 1]), changes)),
        "first_value": [float(value) for value in 5_000 + 123.45 * steps],
        "second_value": [float(value) for value in 5_000 + 123.45 * steps],
        "first_move": moves,
        "second_move": moves,
    }


def map_values(changes: int) -> dict[str, list[Any]]:
    """Sizes over six decades, either side, with either backing."""
    steps = np.arange(changes)
    return {
        "side": list(islice(cycle([-1, 1]), changes)),
        "leverage": [int(2 + (value * 7) % 124) for value in steps],
        "entry_price": [float(value) for value in 30_000 + 123.45 * steps],
        "notional": [float(10 ** (6 + 2.9 * np.sin(step * 0.37))) for step in steps],
        "backing": list(islice(cycle(["account", "initial"]), changes)),
        "account": [float(value) for value in 20_000 + 371.5 * steps],
    }


def terminal_values(changes: int) -> dict[str, list[Any]]:
    """Tickets of every kind, with a position open and half of the replay gone."""
    steps = np.arange(changes)
    return {
        "side": list(islice(cycle(["buy", "sell"]), changes)),
        "kind": list(islice(cycle(["limit", "stop", "target", "market"]), changes)),
        "amount": [0.001 * (1 + int(step) % 17) for step in steps],
        "price": [float(value) for value in 50_000 + 37.5 * steps],
        "stop_price": [float(value) for value in 30_000 + 37.5 * steps],
        "target_price": [float(value) for value in 70_000 + 37.5 * steps],
    }


def make_terminal() -> Any:
    """Return a terminal in the middle of the replay of chapter 03, with a trade open."""
    from leverage.history import load_hourly_window
    from leverage.lessons import TradingTerminal
    from leverage.paper import PaperExchange

    bars = load_hourly_window("2024-08-05")
    terminal = TradingTerminal(PaperExchange(bars, venue="binance", balance=1_000))
    terminal.amount.value, terminal.stop_price.value = 0.02, 45_000.0
    terminal.send()
    terminal.step_bars(48)
    return terminal


def size_values(changes: int) -> dict[str, list[Any]]:
    """Plans over both sides, wide and tight stops, and every leverage."""
    steps = np.arange(changes)
    return {
        "side": list(islice(cycle([-1, 1]), changes)),
        "account": [float(value) for value in 1_000 + 137.5 * steps],
        "risk_pct": [round(0.5 + 0.1 * (value % 40), 1) for value in steps.tolist()],
        "entry_price": [float(value) for value in 30_000 + 123.45 * steps],
        "stop_pct": [round(float(value), 1) for value in 6 + 5.5 * np.sin(steps * 0.37)],
        "target_pct": [round(float(value), 1) for value in 12 + 11 * np.sin(steps * 0.23)],
        "leverage": [int(2 + (value * 7) % 124) for value in steps],
        "fee_pct": list(islice(cycle([0.02, 0.05, 0.1]), changes)),
    }


def survival_values(changes: int) -> dict[str, list[Any]]:
    """Every leverage, holding time and volatility; each change simulates or shades anew."""
    steps = np.arange(changes)
    return {
        "side": list(islice(cycle([-1, 1]), changes)),
        "leverage": [int(2 + (value * 7) % 124) for value in steps],
        "days": [int(1 + (value * 7) % 60) for value in steps],
        "volatility_pct": [float(20 + (value * 13) % 180) for value in steps],
        "watched": list(islice(cycle(["every hour", "once a day", "all the time"]), changes)),
    }


def bench_values(changes: int) -> dict[str, list[Any]]:
    """Every bot, leverage and year of the bench; each is in its file."""
    bots = ["Martingale", "Buy and hold", "Grid", "Funding carry", "Trend following"]
    return {
        "bot": list(islice(cycle(bots), changes)),
        "leverage": list(islice(cycle([5, 1, 3, 2]), changes)),
        "period": list(islice(cycle(["2019", "2024", "2020", "2021"]), changes)),
    }


def crash_values(changes: int) -> dict[str, list[Any]]:
    """Every crash in turn, both sides and modes, stops and entries; each change is replayed."""
    from leverage.lessons.explorers.crash_replay import EVENTS

    steps = np.arange(changes)
    return {
        "event": list(islice(cycle(EVENTS), changes)),
        "side": list(islice(cycle([-1, 1]), changes)),
        "leverage": [int(2 + (value * 7) % 124) for value in steps],
        "mode": list(islice(cycle(["cross", "isolated"]), changes)),
        "stop_pct": [float(value % 60) / 2 for value in steps],
        "entry_hour": [int(-24 + (value * 7) % 49) for value in steps],
    }


@dataclass(frozen=True)
class Case:
    """What is changed, the goal for the 90th percentile in ms, and how it is made if not by name."""

    values: Callable[[int], dict[str, list[Any]]]
    goal_ms: float = GOAL_MS
    make: Callable[[], Any] | None = None


EXPLORERS = {
    "LeverageExplorer": Case(leverage_values),
    "PlatformComparer": Case(platform_values),
    "TierExplorer": Case(tier_values),
    "TradingTerminal": Case(terminal_values, HEAVY_GOAL_MS, make_terminal),
    "PositionSizeCalculator": Case(size_values),
    "SurvivalMap": Case(survival_values, HEAVY_GOAL_MS),
    "MarginModeExplorer": Case(margin_mode_values),
    "LiquidationMap": Case(map_values, HEAVY_GOAL_MS),
    "BotBench": Case(bench_values),
    "CrashReplay": Case(crash_values),
}


def time_changes(explorer: Any, name: str, values: list[Any]) -> list[float]:
    """Set one control to each value in turn; return the milliseconds each change took."""
    control = getattr(explorer, name)
    times = []
    for value in values:
        if value == control.value:
            continue
        start = perf_counter()
        control.value = value
        times.append((perf_counter() - start) * 1_000)
    return times


def full_drawing(canvas: Any) -> bytes:
    """Draw everything and encode it in full colour: what the canvas saves."""
    for artist in canvas.artists:
        artist.set_animated(False)
    buffer = io.BytesIO()
    canvas.figure.savefig(buffer, format="png")
    for artist in canvas.artists:
        artist.set_animated(True)
    return buffer.getvalue()


def measure(name: str, changes: int) -> dict[str, dict[str, list[float]]]:
    """Return the milliseconds of every change, by control and by way of drawing."""
    from leverage import lessons

    values_of = EXPLORERS[name].values(changes)
    make = EXPLORERS[name].make or getattr(lessons, name)
    explorer, naive = make(), make()
    setattr(naive._canvas, "png", lambda: full_drawing(naive._canvas))  # noqa: B010 - an assignment would need another exception
    # Only in the full drawing the labels are the figure's own artists.
    for artist in naive._canvas.artists:
        if type(artist).__name__ == "Label":
            naive._canvas.figure.add_artist(artist)
    # The first change draws the background and loads fonts; a reader waits for it once.
    for each in (explorer, naive):
        for control, values in values_of.items():
            getattr(each, control).value = values[0]
    times: dict[str, dict[str, list[float]]] = {}
    for control, values in values_of.items():
        times[control] = {
            "canvas": time_changes(explorer, control, values),
            "full": time_changes(naive, control, values[: max(5, changes // FULL_DRAWING_SHARE)]),
        }
    times["(bytes per picture)"] = {
        "canvas": [explorer._canvas.bytes_sent / explorer._canvas.frames],
        "full": [naive._canvas.bytes_sent / naive._canvas.frames],
    }
    return times


def measure_in_kernel(name: str, changes: int) -> dict[str, dict[str, list[float]]]:
    """Run `measure` inside a Jupyter kernel and return what it found."""
    import json

    from jupyter_client.manager import start_new_kernel

    folder = str(Path(__file__).resolve().parent)
    code = (
        f"import json, sys; sys.path.insert(0, {folder!r})\n"
        "import explorer_latency\n"
        f"print('RESULT' + json.dumps(explorer_latency.measure({name!r}, {changes})))"
    )
    # ipykernel warns at every start that its local sockets are not encrypted.
    quiet = ["--IPKernelApp.log_level=ERROR"]
    manager, client = start_new_kernel(kernel_name="python3", extra_arguments=quiet)
    printed: list[str] = []

    def keep(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "error":
            raise RuntimeError("\n".join(content["traceback"]))
        if message["msg_type"] == "stream":
            printed.append(content["text"])

    try:
        client.execute_interactive(code, timeout=600, output_hook=keep)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    text = "".join(printed)
    result: dict[str, dict[str, list[float]]] = json.loads(text.partition("RESULT")[2])
    return result


def quantiles(times: list[float]) -> tuple[float, float, float]:
    """Return the median, the 90th and the 99th percentile."""
    p50, p90, p99 = np.quantile(times, [0.5, 0.9, 0.99])
    return float(p50), float(p90), float(p99)


def report(explorer: str, times: dict[str, dict[str, list[float]]]) -> bool:
    """Print the table; return whether the goal is met."""
    goal = EXPLORERS[explorer].goal_ms
    sizes = times.pop("(bytes per picture)")
    together = {
        way: [t for each in times.values() for t in each[way]] for way in ("canvas", "full")
    }
    print(f"\n{explorer}")
    print(f"{'control':<14}{'changes':>8}{'p50 ms':>9}{'p90 ms':>9}{'p99 ms':>9}", end="")
    print(f"{'full p50':>11}{'full p90':>10}{'ratio p50':>11}{'ratio p90':>11}")
    for name, each in {**times, "all": together}.items():
        p50, p90, p99 = quantiles(each["canvas"])
        full_p50, full_p90, _ = quantiles(each["full"])
        print(f"{name:<14}{len(each['canvas']):>8}{p50:>9.2f}{p90:>9.2f}{p99:>9.2f}", end="")
        print(f"{full_p50:>11.1f}{full_p90:>10.1f}{full_p50 / p50:>11.1f}{full_p90 / p90:>11.1f}")
    small, large = sizes["canvas"][0] / 1_024, sizes["full"][0] / 1_024
    print(f"Picture: {small:.1f} KiB, full drawing {large:.1f} KiB, ratio {large / small:.1f}")
    worst = max(quantiles(each["canvas"])[1] for each in times.values())
    met = worst <= goal
    print(f"Worst p90 of a control: {worst:.2f} ms; goal {goal:g} ms: {'met' if met else 'missed'}")
    return met


def main() -> int:
    """Measure and print; the exit code tells whether the goal is met."""
    parser = argparse.ArgumentParser(description="Time the explorers' controls.")
    parser.add_argument("explorers", nargs="*", metavar="NAME", help="all if left out")
    parser.add_argument("--changes", type=int, default=CHANGES, help="changes of each control")
    parser.add_argument("--in-process", action="store_true", help="without a Jupyter kernel")
    options = parser.parse_args()
    for name in options.explorers:
        if name not in EXPLORERS:
            parser.error(f"NAME must be one of {', '.join(EXPLORERS)}, was {name!r}")
    where = "in this process" if options.in_process else "in a Jupyter kernel"
    print(f"Command: python {' '.join(sys.argv)} ({where})")
    run = measure if options.in_process else measure_in_kernel
    names = options.explorers or list(EXPLORERS)
    met = [report(name, run(name, options.changes)) for name in names]
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())

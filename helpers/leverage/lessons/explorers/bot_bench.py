"""The bot bench of chapter 06: a bot, a leverage and a year, and what became of the money.

A run takes seconds, so all runs that the controls offer are made beforehand and kept in a file
beside the quizzes. ``python -m leverage.lessons.explorers.bot_bench`` makes the file anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from leverage.bots import Bot, BotRun, BuyAndHold, FundingCarry, Grid, Martingale, Trend, run_bot
from leverage.history import load_daily
from leverage.lessons.explorers.controls import choice
from leverage.lessons.explorers.explorer import Explorer, result_table
from leverage.lessons.explorers.picture import Picture
from leverage.lessons.figures import finish_axes, line_style
from leverage.lessons.wording import format_percent, format_whole
from leverage.paper import PaperExchange

BALANCE = 10_000.0
BOTS = ("Buy and hold", "Trend following", "Grid", "Martingale", "Funding carry")
LEVERAGES = (1, 2, 3, 5)
PERIODS = ("2019", "2020", "2021", "2024")
FUNDING_RATE = 0.0001
CARRY_ASSUMPTIONS = {
    "taker_fee_rate": 0.0005,
    "maker_fee_rate": 0.0005,
    "funding_interval_hours": 8,
}

_FILE = Path(__file__).parents[1] / "data" / "bots.json"
_EVERY = 3
_PORTIONS = 16
_TOPS = (150, 250, 500, 1_000, 2_000, 5_000, 20_000)


def run_on_bench(bot: str, leverage: int, period: str) -> BotRun:
    """Run a bot of the bench through a year of daily bars of bitcoin, on the paper Binance.

    Parameters
    ----------
    bot : str
        One of `BOTS`.
    leverage : int
        Notional at most, or at the start, as a multiple of the money at the start.
    period : str
        One of `PERIODS`.

    Notes
    -----
    Funding of 0.01 % every eight hours is assumed, and for the carry a fee of 0.05 %: Binance's
    fee and interval for contracts in coins are not in the course's facts. Averages of 5 and 20 days follow the
    trend with a stop 15 % away; the grid reaches 40 % to either side; six doubling orders 2 %
    apart take a profit of 1 %.
    """
    bars = load_daily("BTC").loc[period]
    price = float(bars["open"].iloc[0])
    coins = BALANCE * leverage / price
    settings: dict[str, Bot] = {
        "Buy and hold": BuyAndHold(float(leverage)),
        "Trend following": Trend(5, 20, exposure=float(leverage), stop=0.15),
        "Grid": Grid(price * 0.6, price * 1.4, _PORTIONS, round(coins / _PORTIONS, 3)),
        "Martingale": Martingale(round(coins / 63, 3), 0.02, 5, 0.01),
        "Funding carry": FundingCarry(exposure=float(leverage)),
    }
    is_carry = bot == "Funding carry"
    exchange = PaperExchange(
        bars,
        venue="binance",
        product="coin_futures" if is_carry else None,
        overrides=CARRY_ASSUMPTIONS if is_carry else None,
        funding=FUNDING_RATE,
        balance={"BTC": BALANCE / price} if is_carry else BALANCE,
    )
    return run_bot(settings[bot], exchange, name=bot, leverage=20)


def _kept(done: BotRun, price: float) -> dict[str, Any]:
    """Return what the bench shows of a run, small enough for a file."""
    scale = price if done.bot == "Funding carry" else 1.0
    equity = [done.start_equity, *done.table["equity"]]
    return {
        "equity": [round(value) for value in [*equity[:-1:_EVERY], equity[-1]]],
        "days": len(equity) - 1,
        "drawdown": round(done.max_drawdown, 4),
        "liquidations": done.liquidations,
        "fills": done.fills,
        "fees": round(done.fees * scale),
        "funding": round(done.funding * scale),
        "refused": len(done.refused),
    }


def make_file(path: Path = _FILE) -> None:
    """Make every run that the controls offer, and write the file that the bench reads."""
    runs = {}
    for period in PERIODS:
        price = float(load_daily("BTC").loc[period]["open"].iloc[0])
        for bot in BOTS:
            for leverage in LEVERAGES:
                done = run_on_bench(bot, leverage, period)
                runs[f"{bot}|{leverage}|{period}"] = _kept(done, price)
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(kept)}" for key, kept in runs.items())
    path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


@cache
def _runs() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return found


class BotBench(Explorer):
    """Choose a bot, a leverage and a year: equity, drawdown, liquidations and costs.

    Examples
    --------
    >>> bench = BotBench(bot="Martingale", leverage=2, period="2020")
    >>> bench.rows["Liquidations"]
    '1'
    """

    bot = choice("Bot", "Martingale", {bot: bot for bot in BOTS}, meaning="Which rule decides")
    leverage = choice(
        "Leverage",
        1,
        {f"{value}×": value for value in LEVERAGES},
        meaning="Notional at most, as a multiple of the money at the start",
    )
    period = choice(
        "Year",
        "2021",
        {period: period for period in PERIODS},
        meaning="Which year of bitcoin's prices is replayed",
    )
    _picture: _BenchPicture

    def _new_picture(self) -> _BenchPicture:
        return _BenchPicture()

    @property
    def drawdown(self) -> float:
        """Largest fall of the equity from its highest close so far, as a decimal."""
        return float(self._kept["drawdown"])

    def _sentences(self) -> list[str]:
        kept = self._kept
        end = kept["equity"][-1]
        liquidated = (
            "It was liquidated."
            if kept["liquidations"] == 1
            else f"It was liquidated {kept['liquidations']} times."
            if kept["liquidations"]
            else "It was not liquidated."
        )
        return [
            f"{self.bot.value} at {self.leverage.value}× turned {format_whole(BALANCE)} into "
            f"{format_whole(end)} in {self.period.value}, and once stood {format_percent(kept['drawdown'])} "
            "below its best day.",
            liquidated,
            f"Buying and holding at 1× ended at {format_whole(self._held['equity'][-1])}.",
        ]

    @property
    def description(self) -> str:
        """What the picture shows, in words."""
        return (
            "Line chart of the equity in USDT over the days of a year, for the chosen bot and, "
            f"dashed, for buying and holding at 1×. {self.sentence}"
        )

    @property
    def rows(self) -> dict[str, str]:
        """The table below the picture."""
        kept, held = self._kept, self._held
        return {
            "Equity at the end": format_whole(kept["equity"][-1]),
            "Return": format_percent(kept["equity"][-1] / BALANCE - 1, signed=True),
            "Largest drawdown, at the close of a day": format_percent(kept["drawdown"]),
            "Liquidations": str(kept["liquidations"]),
            "Fills": str(kept["fills"]),
            "Fees paid": format_whole(kept["fees"]),
            f"Funding at {format_percent(FUNDING_RATE, 2)} per 8 hours (minus: received)": format_whole(
                kept["funding"]
            ),
            "Orders refused": str(kept["refused"]),
            "Buy and hold at 1×: return, drawdown": (
                f"{format_percent(held['equity'][-1] / BALANCE - 1, signed=True)}, "
                f"{format_percent(held['drawdown'])}"
            ),
        }

    def _follow(self) -> None:
        bot, leverage, period = self.bot.value, self.leverage.value, self.period.value
        self._kept = _runs()[f"{bot}|{leverage}|{period}"]
        self._held = _runs()[f"{BOTS[0]}|1|{period}"]
        self._picture.show(self._kept, self._held, f"{bot} at {leverage}×")

    def _tables(self) -> str:
        return result_table("The chosen bot, leverage and year", self.rows)


class _BenchPicture(Picture):
    """Two lines of equity whose scale follows the larger one."""

    def _make(self) -> None:
        self._axes = self.figure.subplots()
        finish_axes(self._axes, x_label="Days", y_label="Equity (% of the start)", zero_line=True)
        self._axes.set(xlim=(0, 366), ylim=(-10, 900))
        self._lines = {
            name: self.line(self._axes, **line_style(look))
            for name, look in (("held", "loss"), ("bot", "gain"))
        }
        self._texts = {
            name: self.label(
                self._axes.transAxes, position=(0.02, place), vertical="top", ground=None
            )
            for name, place in (("bot", 0.98), ("held", 0.92))
        }

    def show(self, kept: Mapping[str, Any], held: Mapping[str, Any], name: str) -> None:
        """Move the lines and the words to a run."""
        top = 0.0
        for line, of in (("bot", kept), ("held", held)):
            equity = np.asarray(of["equity"], dtype=float) / BALANCE * 100
            days = np.minimum(np.arange(equity.size) * _EVERY, of["days"])
            self._lines[line].set_data(days, equity)
            top = max(top, float(equity.max()))
        # Few limits, so that the drawn axes are found again.
        limit = next(limit for limit in _TOPS if limit >= 1.15 * top)
        self._axes.set_ylim(-0.04 * limit, limit)
        self._texts["bot"].text = f"solid: {name}, {format_whole(kept['equity'][-1])} at the end"
        self._texts["held"].text = f"dashed: buy and hold at 1×, {format_whole(held['equity'][-1])}"


if __name__ == "__main__":
    make_file()

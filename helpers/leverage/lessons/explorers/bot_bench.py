"""The bot bench of chapter 06: a bot, a leverage and a year, and what became of the money.

A run takes seconds, so all runs that the controls offer are made beforehand and kept in a file
beside the quizzes. ``python -m leverage.lessons.explorers.bot_bench`` makes the file anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ipywidgets import Dropdown

from leverage.bots import (
    Bot,
    BotRun,
    BuyAndHold,
    FundingCarry,
    Grid,
    Martingale,
    Trend,
    run_bot,
)
from leverage.history import load_daily
from leverage.lessons.canvas import BlitCanvas, Label
from leverage.lessons.explorers.controls import control_look
from leverage.lessons.explorers.explorer import Explorer, status, table
from leverage.lessons.figures import course_style, finish_axes, line_style, new_figure
from leverage.lessons.wording import format_amount, format_percent
from leverage.paper import PaperExchange

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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

    Parameters
    ----------
    bot : str
        One of ``Buy and hold``, ``Trend following``, ``Grid``, ``Martingale``, ``Funding carry``.
    leverage : int, default 1
        Notional at most, as a multiple of the money at the start: 1, 2, 3 or 5.
    period : str
        Year of bitcoin's history: 2019, 2020, 2021 or 2024.

    Attributes
    ----------
    bot, leverage, period : widget
        The controls. Setting their `value` in code works as well as by hand.

    Examples
    --------
    >>> bench = BotBench(bot="Martingale", leverage=2, period="2020")
    >>> bench.rows["Liquidations"]
    '1'
    """

    def __init__(self, *, bot: str = "Martingale", leverage: int = 1, period: str = "2021") -> None:
        for name, value, offered in (
            ("bot", bot, BOTS), ("leverage", leverage, LEVERAGES), ("period", period, PERIODS)
        ):  # fmt: skip
            if value not in offered:
                raise ValueError(f"{name} must be one of {list(offered)}, was {value!r}")
        look = control_look()
        self.bot = Dropdown(
            options=BOTS, value=bot, description="Bot", tooltip="Which rule decides", **look
        )
        self.leverage = Dropdown(
            options=[(f"{value}×", value) for value in LEVERAGES],
            value=leverage,
            description="Leverage",
            tooltip="Notional at most, as a multiple of the money at the start",
            **look,
        )
        self.period = Dropdown(
            options=PERIODS,
            value=period,
            description="Year",
            tooltip="Which year of bitcoin's prices is replayed",
            **look,
        )
        self._picture = _BenchPicture()
        super().__init__(
            {"bot": self.bot, "leverage": self.leverage, "period": self.period},
            BlitCanvas(self._picture.figure, self._picture.artists),
        )

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
            f"{self.bot.value} at {self.leverage.value}× turned {_money(BALANCE)} into "
            f"{_money(end)} in {self.period.value}, and once stood {_share(kept['drawdown'])} "
            "below its best day.",
            liquidated,
            f"Buying and holding at 1× ended at {_money(self._held['equity'][-1])}.",
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
            "Equity at the end": _money(kept["equity"][-1]),
            "Return": _share(kept["equity"][-1] / BALANCE - 1, signed=True),
            "Largest drawdown, at the close of a day": _share(kept["drawdown"]),
            "Liquidations": str(kept["liquidations"]),
            "Fills": str(kept["fills"]),
            "Fees paid": _money(kept["fees"]),
            f"Funding at {format_percent(FUNDING_RATE, 2)} per 8 hours (minus: received)": _money(
                kept["funding"]
            ),
            "Orders refused": str(kept["refused"]),
            "Buy and hold at 1×: return, drawdown": (
                f"{_share(held['equity'][-1] / BALANCE - 1, signed=True)}, "
                f"{_share(held['drawdown'])}"
            ),
        }

    def _show(self, values: Mapping[str, Any]) -> str:
        self._kept = _runs()[f"{values['bot']}|{values['leverage']}|{values['period']}"]
        self._held = _runs()[f"{BOTS[0]}|1|{values['period']}"]
        self._picture.show(self._kept, self._held, f"{values['bot']} at {values['leverage']}×")
        words = status(self.sentence)
        return words + table("The chosen bot, leverage and year", self.rows)


class _BenchPicture:
    """Two lines of equity whose scale follows the larger one."""

    def __init__(self) -> None:
        self.figure: Figure = new_figure()
        with course_style():
            self._axes = self.figure.subplots()
            finish_axes(
                self._axes, x_label="Days", y_label="Equity (% of the start)", zero_line=True
            )
            self._axes.set(xlim=(0, 366), ylim=(-10, 900))
            self._lines = {
                name: self._axes.plot([], [], **line_style(look))[0]
                for name, look in (("held", "loss"), ("bot", "gain"))
            }
        self._texts = {
            name: Label(self.figure, self._axes.transAxes, position=(0.02, place), vertical="top")
            for name, place in (("bot", 0.98), ("held", 0.92))
        }
        self.artists = [*self._lines.values(), *self._texts.values()]

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
        self._texts["bot"].text = f"solid: {name}, {_money(kept['equity'][-1])} at the end"
        self._texts["held"].text = f"dashed: buy and hold at 1×, {_money(held['equity'][-1])}"


def _money(value: float) -> str:
    return f"{format_amount(value, 0)} USDT"


def _share(value: float, *, signed: bool = False) -> str:
    return format_percent(value, 1, signed=signed)


if __name__ == "__main__":
    make_file()

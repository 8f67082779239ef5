"""Run a plan on periods that played no part in it, and find every rule that was broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from leverage.bots import (
    AccountView,
    Bot,
    BotOrder,
    BotRun,
    MarketView,
    Trend,
    run_bot,
    stop_loss,
    to_position,
)
from leverage.history import load_daily
from leverage.paper import PaperExchange
from leverage.paper.market_setup import symbol_of
from leverage.paths import jump_diffusion
from leverage.plans.plan import COIN_PRICES, FUNDING_HOURS, Plan

if TYPE_CHECKING:
    import pandas as pd

MADE = "made"
PERIODS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"BTC": ("2018", "2022", MADE), "ETH": ("2024-H1", "2024-H2", MADE)}
)
"""Unseen periods of each coin: real days that no chapter ran a bot on, and days made by chance."""

FUNDING_RATE = 0.0001
MADE_DAYS = 180
_SLICES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "2018": ("2018-01-01", "2018-12-31"),
        "2022": ("2022-01-01", "2022-06-14"),
        "2024-H1": ("2024-01-01", "2024-06-30"),
        "2024-H2": ("2024-07-01", "2024-12-31"),
    }
)
_DAY_MS = 86_400_000
_HAIR = 1e-9


def period_bars(coin: str, period: str, *, seed: int = 9) -> pd.DataFrame:
    """Return the daily bars of an unseen period.

    Parameters
    ----------
    coin : {"BTC", "ETH"}
        Whose prices.
    period : str
        One of `PERIODS[coin]`. ``"made"`` is a path with sudden jumps: nobody has seen it.
    seed : int, default 9
        Decides the path of ``"made"``; real days do not depend on it.

    Returns
    -------
    DataFrame
        Index `time` (UTC days); open, high, low, close in USDT.

    Examples
    --------
    >>> len(period_bars("BTC", "2022")), len(period_bars("BTC", "made"))
    (165, 180)
    """
    if coin not in PERIODS or period not in PERIODS[coin]:
        known = "; ".join(f"{name}: {', '.join(names)}" for name, names in PERIODS.items())
        raise ValueError(
            f"period must be one of the unseen periods of the coin ({known}), was {period!r} of "
            f"{coin!r}; choose one of them"
        )
    if period != MADE:
        first, last = _SLICES[period]
        return load_daily(coin).loc[first:last, ["open", "high", "low", "close"]]
    return _made_bars(coin, seed)


def _made_bars(coin: str, seed: int) -> pd.DataFrame:
    """Group an hourly path with jumps into days; prices are rounded to a tenth, as venues do."""
    import numpy as np

    from leverage._pandas import pd

    hourly = jump_diffusion(
        COIN_PRICES[coin],
        0.6 if coin == "BTC" else 0.8,
        24 * MADE_DAYS,
        jumps_per_year=12,
        jump_mean=-0.04,
        jump_volatility=0.06,
        seed=seed,
    )[0].round(1)
    hours = np.lib.stride_tricks.sliding_window_view(hourly, 25)[::24]
    days = pd.date_range("2030-01-01", periods=MADE_DAYS, tz="UTC", name="time")
    columns = {
        "open": hours[:, 0],
        "high": hours.max(axis=1),
        "low": hours.min(axis=1),
        "close": hours[:, -1],
    }
    return pd.DataFrame(columns, index=days)


def exchange_for(plan: Plan, bars: pd.DataFrame, *, spread: float = 0.0) -> PaperExchange:
    """Return a paper exchange with the plan's venue, product, balance, leverage and margin mode.

    Funding of 0.01 % for eight hours is our assumption, also where it is settled more often.
    """
    rules = plan.rules
    symbol = symbol_of(plan.coin, rules)
    hours = rules.funding_interval_hours
    exchange = PaperExchange(
        {symbol: bars},
        rules=rules,
        funding=FUNDING_RATE * hours / FUNDING_HOURS if hours else None,
        balance=plan.person.balance,
        spread=spread,
    )
    if exchange.fetch_margin_mode(symbol)["marginMode"] != plan.margin_mode:
        exchange.set_margin_mode(plan.margin_mode, symbol)
    exchange.set_leverage(plan.leverage, symbol)
    return exchange


class PlanBot:
    """Trades a plan: enters with the trend, a stop always behind, and never near a limit.

    It enters only if one planned loss more would break neither limit, places the stop together
    with the entry, and moves it with the price, never back. Unlike the bots of chapter 06 it
    remembers two numbers: the highest equity and the equity at the beginning of the day.

    Parameters
    ----------
    plan : Plan
        What to trade.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.trend = Trend(plan.fast, plan.slow, stop=plan.stop_distance, short=len(plan.sides) > 1)
        self.declined = 0
        """Entries left out because a limit was too near."""
        self._peak = self._start_of_day = self._newest = 0.0
        self._day = -1

    @property
    def bars_needed(self) -> int:
        """Completed bars without which it does not decide."""
        return self.plan.slow

    def __call__(self, market: MarketView, account: AccountView) -> list[BotOrder]:
        """Return the orders that should stand."""
        room = self._room(market, account)
        wanted = self.trend(market, account)
        if account.quantity:
            leaves = any(order.trigger_price is None for order in wanted)
            too_large = market.exposure(account) > self.plan.max_exposure
            if leaves or too_large or room <= 0:
                return to_position(account, 0.0)
            return [self._stop(market, account)]
        if not wanted:
            return []
        if room < self.plan.risk_per_trade * account.equity:
            self.declined += 1
            return []
        side = 1 if wanted[0].side == "buy" else -1
        amount = self.plan.quantity(side, market.price, account.equity)
        stop = stop_loss(side * amount, self.plan.stop_price(side, market.price))
        return [BotOrder(wanted[0].side, amount), stop]

    def _room(self, market: MarketView, account: AccountView) -> float:
        """Return how much may be lost before a limit is reached, in quote currency."""
        day = market.time // _DAY_MS
        if day != self._day:
            self._day, self._start_of_day = day, self._newest or account.equity
        self._newest = account.equity
        self._peak = max(self._peak, account.equity)
        lowest = max(
            self._peak * (1 - self.plan.total_loss_limit),
            self._start_of_day * (1 - self.plan.daily_loss_limit),
        )
        return account.equity - lowest

    def _stop(self, market: MarketView, account: AccountView) -> BotOrder:
        """Return the stop that follows the price: the best of entry, present and standing one."""
        side = 1 if account.quantity > 0 else -1
        bases = (account.entry_price, market.price)
        levels = [self.plan.stop_price(side, price) for price in bases]
        levels += [o.trigger_price for o in account.orders if o.trigger_price is not None]
        return stop_loss(account.quantity, max(levels) if side > 0 else min(levels))


@dataclass(frozen=True)
class Breach:
    """A rule that was broken: when, which, what was found and what the plan allows."""

    time: str
    rule: str
    found: float
    limit: float

    def __str__(self) -> str:
        """Return the breach in one line."""
        return f"{self.time}: {self.rule} {self.found:.4g}, the plan allows {self.limit:.4g}"


@dataclass(frozen=True)
class PlanRun:
    """What a plan did in one period.

    Attributes
    ----------
    plan : Plan
        The plan.
    period : str
        Where it ran.
    seed : int
        What decided the made period.
    run : BotRun
        Equity bar by bar, fills, costs, liquidations.
    breaches : tuple of Breach
        Every rule that was broken, in order of time.
    declined : int
        Entries left out because a limit was near.
    ledger_difference : float
        Money of all pots minus what came in; zero up to rounding.
    """

    plan: Plan
    period: str
    seed: int
    run: BotRun
    breaches: tuple[Breach, ...]
    declined: int
    ledger_difference: float

    @property
    def reconciles(self) -> bool:
        """Whether profit and every flow explain the equity at the end, and no money is lost."""
        scale = _HAIR * max(self.run.start_equity, 1.0)
        return max(abs(self.ledger_difference), abs(self.run.unexplained)) <= scale

    def summary(self) -> dict[str, float | int | str]:
        """Return the result in one row."""
        return {
            "period": self.period,
            "return": self.run.total_return,
            "drawdown": self.run.max_drawdown,
            "fees": self.run.fees,
            "funding": self.run.funding,
            "fills": self.run.fills,
            "liquidations": self.run.liquidations,
            "declined": self.declined,
            "breaches": len(self.breaches),
        }


@dataclass
class _Watch:
    """Writes down what stands at every look, before the bot acts on it."""

    bot: Bot
    exchange: Any
    plan: Plan
    breaches: list[Breach] = field(default_factory=list)

    @property
    def bars_needed(self) -> int:
        return int(getattr(self.bot, "bars_needed", 0))

    def __call__(self, market: MarketView, account: AccountView) -> list[BotOrder]:
        if account.quantity:
            self._judge(market, account)
        return list(self.bot(market, account))

    def _judge(self, market: MarketView, account: AccountView) -> None:
        time = day_of(market.time)
        exposure = market.exposure(account)
        if exposure > self.plan.max_exposure * (1 + _HAIR):
            self.breaches.append(Breach(time, "exposure", exposure, self.plan.max_exposure))
        side = 1 if account.quantity > 0 else -1
        stops = [o.trigger_price for o in account.orders if o.trigger_price is not None]
        covered = sum(o.amount for o in account.orders if o.trigger_price is not None)
        if covered < abs(account.quantity) * (1 - _HAIR):
            self.breaches.append(Breach(time, "share without a stop", 1 - covered / abs(account.quantity), 0.0))  # fmt: skip
            return
        end = self.exchange.fetch_position(market.symbol)["liquidationPrice"]
        late = [s for s in stops if end and side * (s - end) <= 0]
        if late:
            self.breaches.append(Breach(time, "stop behind liquidation", late[0], float(end)))


def day_of(milliseconds: int) -> str:
    """Return the UTC day of a moment, as 2018-01-31."""
    from leverage._pandas import pd

    return str(pd.Timestamp(milliseconds, unit="ms").date())


def run_plan(plan: Plan, period: str, *, seed: int = 9, bot: Bot | None = None) -> PlanRun:
    """Trade a plan through an unseen period on the paper exchange.

    Parameters
    ----------
    plan : Plan
        What to trade, and the limits that hold.
    period : str
        One of ``PERIODS[plan.coin]``.
    seed : int, default 9
        Decides the made period. The same inputs give the same run, to the last digit.
    bot : callable, optional
        Another bot under the same limits; `PlanBot` without it.

    Returns
    -------
    PlanRun
        With every breach of the plan's limits.

    Examples
    --------
    >>> from leverage.plans.plan import SOUND_PLAN
    >>> done = run_plan(SOUND_PLAN, "2022")
    >>> done.breaches, done.run.liquidations, done.reconciles
    ((), 0, True)
    """
    exchange = exchange_for(plan, period_bars(plan.coin, period, seed=seed))
    trader = PlanBot(plan) if bot is None else bot
    watch = _Watch(trader, exchange, plan)
    done = run_bot(watch, exchange, name=plan.persona)
    found = watch.breaches + _losses(plan, done) + _ends(exchange)
    return PlanRun(
        plan=plan,
        period=period,
        seed=seed,
        run=done,
        breaches=tuple(sorted(found, key=lambda breach: breach.time)),
        declined=getattr(trader, "declined", 0),
        ledger_difference=max(abs(row["difference"]) for row in exchange.check_ledger().values()),
    )


def _losses(plan: Plan, done: BotRun) -> list[Breach]:
    """Compare every day's loss, and the loss from the highest equity, with the plan's limits."""
    found = []
    ends = done.table["equity"].resample("D").last().dropna()
    before = peak = done.start_equity
    for day, end in ends.items():
        peak = max(peak, end)
        lost, fallen = 1 - end / before, 1 - end / peak
        when = str(day.date())  # type: ignore[attr-defined]  # the index holds days
        if lost > plan.daily_loss_limit * (1 + _HAIR):
            found.append(Breach(when, "loss of the day", lost, plan.daily_loss_limit))
        if fallen > plan.total_loss_limit * (1 + _HAIR):
            found.append(Breach(when, "loss from the peak", fallen, plan.total_loss_limit))
        if end <= 0:
            break
        before = end
    return found


def _ends(exchange: Any) -> list[Breach]:
    return [
        Breach(day_of(event["timestamp"]), event["kind"], 1.0, 0.0)
        for event in exchange.events()
        if "liquidation" in event["kind"]
    ]

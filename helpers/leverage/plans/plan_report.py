"""The report on a plan: its runs, its crashes, its breaches; the same inputs, the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from leverage.plans.periods import MADE, PERIODS, Breach, PlanRun, run_plan
from leverage.plans.plan import Plan, plan_from, plan_problems
from leverage.plans.stress import CrashTest, stress

if TYPE_CHECKING:
    import pandas as pd

LARGEST_SEED = 1_000_000
SHOWN = 5e-3
"""Share by which a figure read off a table may differ."""
FOURTH_DECIMAL = 5.1e-5
"""What rounding to four decimals may change."""


@dataclass(frozen=True)
class PlanReport:
    """What a plan did in all unseen periods and in all crashes.

    Attributes
    ----------
    plan : Plan
        The plan.
    seed : int
        What decided the made period.
    runs : tuple of PlanRun
        One for each unseen period of the coin.
    crashes : tuple of CrashTest
        One for each crash and side.
    """

    plan: Plan
    seed: int
    runs: tuple[PlanRun, ...]
    crashes: tuple[CrashTest, ...]

    @property
    def breaches(self) -> tuple[Breach, ...]:
        """Every rule that was broken: in the periods, and in the crashes."""
        limit = self.plan.total_loss_limit
        crashed = [
            Breach(test.date, "liquidation in a crash", test.loss, limit)
            for test in self.crashes
            if test.liquidated
        ] + [
            Breach(test.date, "loss in a crash", test.loss, limit)
            for test in self.crashes
            if test.loss > limit and not test.liquidated
        ]
        return tuple(breach for done in self.runs for breach in done.breaches) + tuple(crashed)

    @property
    def fills(self) -> int:
        """Fills in all periods together."""
        return sum(done.run.fills for done in self.runs)

    @property
    def worst_crash(self) -> CrashTest:
        """The crash that cost most."""
        return max(self.crashes, key=lambda test: test.loss)

    def table(self) -> pd.DataFrame:
        """Return one row for each period."""
        from leverage._pandas import pd

        return pd.DataFrame([done.summary() for done in self.runs]).set_index("period")

    def text(self) -> str:
        """Return plan, seed, equity curves, crashes and breaches as JSON; equal for equal inputs."""
        data = {
            "plan": asdict(self.plan),
            "seed": self.seed,
            "runs": [
                {
                    **done.summary(),
                    "equity": done.run.table["equity"].tolist(),
                    "breaches": [str(breach) for breach in done.breaches],
                }
                for done in self.runs
            ],
            "crashes": [asdict(test) for test in self.crashes],
        }
        return json.dumps(_shorter(data), indent=1, sort_keys=True) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the text: two reports with the same digest say the same."""
        return hashlib.sha256(self.text().encode()).hexdigest()


def _shorter(value: object) -> object:
    """Keep nine digits of every number, so that another computer writes the same text."""
    if isinstance(value, dict):
        return {key: _shorter(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shorter(part) for part in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def report_on(plan: Plan, *, seed: int = 9, again: bool = False) -> PlanReport:
    """Run a plan through all unseen periods of its coin and all crashes.

    Parameters
    ----------
    plan : Plan
        What to trade.
    seed : int, default 9
        Decides the made period.
    again : bool, default False
        Run everything anew; otherwise a run that was made before is remembered.

    Examples
    --------
    >>> from leverage.plans.plan import SOUND_PLAN
    >>> report = report_on(SOUND_PLAN)
    >>> len(report.runs), len(report.crashes), report.breaches
    (3, 15, ())
    >>> report.digest == report_on(SOUND_PLAN, again=True).digest
    True
    """
    if again:
        _run_once.cache_clear()
        _stress_once.cache_clear()
    runs = tuple(
        # Real days do not depend on the seed.
        replace(_run_once(plan, period, seed if period == MADE else 0), seed=seed)
        for period in PERIODS[plan.coin]
    )
    return PlanReport(plan=plan, seed=seed, runs=runs, crashes=_stress_once(plan))


@cache
def _run_once(plan: Plan, period: str, seed: int) -> PlanRun:
    return run_plan(plan, period, seed=seed)


@cache
def _stress_once(plan: Plan) -> tuple[CrashTest, ...]:
    return stress(plan)


def run_problems(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which rules a plan, given as a dictionary, breaks in the unseen periods; none if it holds.

    Parameters
    ----------
    data : mapping of str to value
        The fields of `Plan`.
    """
    problems = plan_problems(data)
    if problems:
        return problems
    report = report_on(plan_from(data))
    found = [
        f"In the period {done.period}, on {breach}"
        for done in report.runs
        for breach in done.breaches
    ]
    found += [
        f"In the period {done.period} the ledger does not reconcile"
        for done in report.runs
        if not done.reconciles
    ]
    if report.fills == 0:
        found.append(
            "The plan never traded: its size is below the smallest order, or its averages need "
            "more bars than there are"
        )
    return tuple(found)


def crash_problems(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Say in which crashes a plan, given as a dictionary, loses more than it allows.

    Parameters
    ----------
    data : mapping of str to value
        The fields of `Plan`.
    """
    problems = plan_problems(data)
    if problems:
        return problems
    report = report_on(plan_from(data))
    return tuple(
        f"In the crash of {breach}"
        for breach in report.breaches
        if breach.rule.endswith("in a crash")
    )


def figure_problems(data: Mapping[str, Any], figures: Any) -> tuple[str, ...]:
    """Say what in a learner's figures does not come out again when the plan is run again.

    Parameters
    ----------
    data : mapping of str to value
        The fields of `Plan`.
    figures : mapping of str to value
        ``seed``, the ``period`` with the largest drawdown, and that ``drawdown`` as a decimal.

    Examples
    --------
    >>> from leverage.plans.plan import SOUND_PLAN
    >>> found = {"seed": 9, "period": "2018", "drawdown": 0.5}
    >>> figure_problems(asdict(SOUND_PLAN), found)
    ('drawdown does not come out again: with the seed 9 it is not 0.5; read it from the table',)
    """
    problems = plan_problems(data)
    if problems:
        return problems
    keys = ("seed", "period", "drawdown")
    if not isinstance(figures, Mapping) or sorted(map(str, figures)) != sorted(keys):
        return (f"figures must be a dictionary with {', '.join(keys)}, was {figures!r}",)
    seed, drawdown = figures["seed"], figures["drawdown"]
    if not _is_seed(seed):
        return (f"seed must be a whole number from 0 to {LARGEST_SEED}, was {seed!r}",)
    report = report_on(plan_from(data), seed=int(seed))
    worst = max(report.runs, key=lambda done: done.run.max_drawdown)
    if str(figures["period"]).strip().casefold() != worst.period.casefold():
        return (
            f"period must be the one with the largest drawdown, was {figures['period']!r}; compare "
            "the column drawdown of all periods",
        )
    if not _is_close(drawdown, worst.run.max_drawdown):
        return (
            f"drawdown does not come out again: with the seed {int(seed)} it is not {drawdown!r}; "
            "read it from the table",
        )
    return ()


def _is_seed(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return float(value).is_integer() and 0 <= value <= LARGEST_SEED


def _is_close(value: object, right: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value - right) <= max(SHOWN * right, FOURTH_DECIMAL)

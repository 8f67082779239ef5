"""Trading plans: written down, checked, run on unseen periods, stressed with crashes, reported.

A `Plan` refuses what cannot work: a venue that is closed to the person, a stop behind the
liquidation price, a limit that the first loss breaks. `run_plan` trades it on the paper exchange
and finds every rule that was broken.

>>> from leverage.plans import SOUND_PLAN, checklist, run_plan
"""

from leverage.plans.checklist import CheckLine, checklist
from leverage.plans.periods import PERIODS, Breach, PlanBot, PlanRun, period_bars, run_plan
from leverage.plans.plan import (
    PERSONAS,
    SOUND_PLAN,
    Persona,
    Plan,
    access_of,
    place_problems,
    plan_from,
    plan_problems,
    rule_problems,
    usable_plan,
)
from leverage.plans.plan_report import (
    PlanReport,
    crash_problems,
    figure_problems,
    report_on,
    run_problems,
)
from leverage.plans.stress import CrashTest, stress

__all__ = [
    "PERIODS",
    "PERSONAS",
    "SOUND_PLAN",
    "Breach",
    "CheckLine",
    "CrashTest",
    "Persona",
    "Plan",
    "PlanBot",
    "PlanReport",
    "PlanRun",
    "access_of",
    "checklist",
    "crash_problems",
    "figure_problems",
    "period_bars",
    "place_problems",
    "plan_from",
    "plan_problems",
    "report_on",
    "rule_problems",
    "run_plan",
    "run_problems",
    "stress",
    "usable_plan",
]

"""Probability that a price path touches liquidation, stop or target, and which of them first.

In closed form for geometric Brownian motion (`touch_probability`, `liquidation_probability`,
`first_touch`), and by Monte Carlo with standard errors (`simulate_touches`, `count_touches`).
"""

from leverage.paths import HOURS_PER_YEAR
from leverage.survival.closed_form import (
    FirstTouch,
    first_touch,
    liquidation_probability,
    touch_probability,
)
from leverage.survival.simulation import Touches, TouchOdds, count_touches, simulate_touches

__all__ = [
    "HOURS_PER_YEAR",
    "FirstTouch",
    "TouchOdds",
    "Touches",
    "count_touches",
    "first_touch",
    "liquidation_probability",
    "simulate_touches",
    "touch_probability",
]

"""Bots: small functions of a market and an account, run on the paper exchange.

A bot looks at a market and an account and returns all orders that should stand. `place` makes it
so, on anything with ccxt's unified methods; `run` does it at every bar of a paper exchange.

>>> from leverage.bots import Martingale, run, worst_case
"""

from leverage.bots.running import (
    KillSwitch,
    Placed,
    Run,
    close_everything,
    decision_id,
    place,
    run,
    used_ids,
    walk_forward,
)
from leverage.bots.strategies import BuyAndHold, FundingCarry, Grid, Martingale, Trend
from leverage.bots.views import AccountView, Bot, MarketView, Order, look, to_position
from leverage.bots.worst import WorstMove, averaging_ladder, worst_case

__all__ = [
    "AccountView",
    "Bot",
    "BuyAndHold",
    "FundingCarry",
    "Grid",
    "KillSwitch",
    "MarketView",
    "Martingale",
    "Order",
    "Placed",
    "Run",
    "Trend",
    "WorstMove",
    "averaging_ladder",
    "close_everything",
    "decision_id",
    "look",
    "place",
    "run",
    "to_position",
    "used_ids",
    "walk_forward",
    "worst_case",
]

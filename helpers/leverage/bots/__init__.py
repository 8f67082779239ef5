"""Bots: small functions of a market and an account, run on the paper exchange.

A bot looks at a market and an account and returns all orders that should stand. `place_orders` makes it
so, on anything with ccxt's unified methods; `run_bot` does it at every bar of a paper exchange.

>>> from leverage.bots import Martingale, run_bot, worst_case
"""

from leverage.bots.backtest import BotRun, KillSwitch, run_bot, walk_forward
from leverage.bots.placing import (
    Placed,
    close_everything,
    decision_id,
    place_orders,
    used_ids,
)
from leverage.bots.strategies import BuyAndHold, FundingCarry, Grid, Martingale, Trend
from leverage.bots.views import AccountView, Bot, BotOrder, MarketView, look, stop_loss, to_position
from leverage.bots.worst import WorstMove, averaging_ladder, worst_case

__all__ = [
    "AccountView",
    "Bot",
    "BotOrder",
    "BotRun",
    "BuyAndHold",
    "FundingCarry",
    "Grid",
    "KillSwitch",
    "MarketView",
    "Martingale",
    "Placed",
    "Trend",
    "WorstMove",
    "averaging_ladder",
    "close_everything",
    "decision_id",
    "look",
    "place_orders",
    "run_bot",
    "stop_loss",
    "to_position",
    "used_ids",
    "walk_forward",
    "worst_case",
]

"""A paper exchange on real history that speaks ccxt's unified API.

Build one from bars and the rules of a venue, open an account, trade, and let time pass:

>>> from leverage.paper import PaperExchange
>>> hours = [[n * 3_600_000, 100, 101, 99, 100, 1] for n in range(3)]
>>> exchange = PaperExchange(hours, balance=1_000)
>>> order = exchange.create_order("BTC/USDT:USDT", "market", "buy", 1)
>>> exchange.run_until()
11
"""

from leverage.paper import exchange_errors
from leverage.paper.exchange import PaperExchange
from leverage.paper.funding import FundingModel
from leverage.paper.instruments import Market
from leverage.paper.market_rules import REQUIREMENTS, Rules, venue_rules

__all__ = [
    "REQUIREMENTS",
    "FundingModel",
    "Market",
    "PaperExchange",
    "Rules",
    "exchange_errors",
    "venue_rules",
]

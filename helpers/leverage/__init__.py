"""The arithmetic of leveraged crypto positions, and the course that teaches it.

The functions here take numbers or arrays and give numbers or arrays: no I/O, no venue names.
Importing this package loads NumPy and nothing else from outside the standard library.
"""

from .contracts import (
    LONG,
    SHORT,
    average_entry_price,
    break_even_price,
    notional,
    pnl,
    price_move,
    recovery_return,
    roe,
    target_price,
)
from .costs import fee_share_of_margin, funding_payment, round_trip_cost, trading_fee
from .margin import (
    bankruptcy_move,
    bankruptcy_price,
    borrowed_amount,
    effective_leverage,
    equity,
    initial_margin,
    liquidation_move,
    liquidation_price,
    maintenance_margin,
    margin_ratio,
    position_value,
)

__version__ = "0.1.0"

__all__ = [
    "LONG",
    "SHORT",
    "average_entry_price",
    "bankruptcy_move",
    "bankruptcy_price",
    "borrowed_amount",
    "break_even_price",
    "effective_leverage",
    "equity",
    "fee_share_of_margin",
    "funding_payment",
    "initial_margin",
    "liquidation_move",
    "liquidation_price",
    "maintenance_margin",
    "margin_ratio",
    "notional",
    "pnl",
    "position_value",
    "price_move",
    "recovery_return",
    "roe",
    "round_trip_cost",
    "target_price",
    "trading_fee",
]

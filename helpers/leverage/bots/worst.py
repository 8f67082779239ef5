"""The worst case of a bot's settings page, before it has placed an order."""

from __future__ import annotations

from dataclasses import dataclass

from leverage.bots.strategies import Grid, Martingale
from leverage.contracts import LONG
from leverage.margin import liquidation_price


@dataclass(frozen=True)
class WorstFall:
    """Where a fall through all of a bot's orders leads.

    Attributes
    ----------
    orders : int
        Orders that fill before the position is liquidated.
    orders_set : int
        Orders in the settings.
    quantity : float
        Coins held when they have filled.
    entry_price : float
        Their average price, in quote currency.
    exposure : float
        Quantity × entry price, in quote currency.
    margin : float
        Initial margin of that at the chosen leverage, in quote currency.
    lowest_order : float
        Price of the last order that fills.
    liquidation_price : float
        Price at which the whole position is closed; 0.0 where none does.
    """

    orders: int
    orders_set: int
    quantity: float
    entry_price: float
    exposure: float
    margin: float
    lowest_order: float
    liquidation_price: float

    def loss_at(self, price: float) -> float:
        """Return the loss of the position at a price, in quote currency, as a positive number."""
        return self.quantity * (self.entry_price - price)


def worst_case(
    settings: Grid | Martingale,
    *,
    price: float,
    balance: float,
    leverage: float,
    maintenance_margin_rate: float = 0.004,
) -> WorstFall:
    """Work out exposure, margin and liquidation when the price falls through every order.

    Parameters
    ----------
    settings : Grid or Martingale
        The settings page.
    price : float
        Price at which the bot is started, in quote currency.
    balance : float
        All that stands behind the position (cross margin), in quote currency.
    leverage : float
        Leverage chosen: it decides the initial margin, and with it which orders can be paid.
    maintenance_margin_rate : float, default 0.004
        Maintenance margin divided by notional, as a decimal.

    Returns
    -------
    WorstFall
        An order that lies below the liquidation price before it, or whose margin exceeds what is
        left of the balance, never fills: the count stops there.

    Notes
    -----
    Linear contracts of one coin. Fees, funding and tiers are left out; all three make it worse.

    Examples
    --------
    Six orders, each twice the one before, 2 % apart, with 4 000 USDT behind them:

    >>> bot = Martingale(0.01, step=0.02, safety_orders=5, take_profit=0.01)
    >>> found = worst_case(bot, price=50_000, balance=4_000, leverage=20)
    >>> found.orders, round(found.quantity, 2), round(found.liquidation_price)
    (6, 0.63, 39714)
    """
    for name, value in (("price", price), ("balance", balance), ("leverage", leverage)):
        if not value > 0:
            raise ValueError(f"{name} must be above zero, was {value!r}")
    planned = _orders(settings, price)
    quantity = cost = liquidation = 0.0
    filled, lowest = 0, price
    for at, amount in planned:
        equity = balance + quantity * at - cost
        needed = (quantity + amount) * at / leverage
        if at <= liquidation or needed > equity:
            break
        quantity, cost = quantity + amount, cost + amount * at
        filled, lowest = filled + 1, at
        liquidation = float(
            liquidation_price(LONG, cost / quantity, quantity, balance, maintenance_margin_rate)
        )
    entry = cost / quantity if quantity else price
    return WorstFall(
        orders=filled,
        orders_set=len(planned),
        quantity=quantity,
        entry_price=entry,
        exposure=cost,
        margin=cost / leverage,
        lowest_order=lowest,
        liquidation_price=liquidation,
    )


def _orders(settings: Grid | Martingale, price: float) -> list[tuple[float, float]]:
    """Return price and quantity of every buy order, in the order in which a fall fills them."""
    if isinstance(settings, Martingale):
        steps = enumerate(settings.quantities)
        return [(price * (1 - settings.step * number), size) for number, size in steps]
    # Orders above the price fill at the start, at the price.
    levels = settings.levels[:-1]
    return [(min(level, price), settings.quantity) for level in reversed(levels)]

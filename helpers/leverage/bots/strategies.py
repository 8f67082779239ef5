"""Five bots: settings that can be called with a market and an account.

None of them remembers anything. What a bot needs to know it reads from the account, so that it
goes on where it was after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import isfinite
from typing import Any

from leverage._validate import checked_numbers
from leverage.bots.views import AccountView, BotOrder, MarketView, stop_loss, to_position


def _check(settings: Any, *names: str, whole: tuple[str, ...] = ()) -> None:
    """Refuse settings out of their range, and turn whole numbers into ints."""
    for name in (*names, *whole):
        (value,) = checked_numbers(**{name: getattr(settings, name)})
        object.__setattr__(settings, name, int(value) if name in whole else value)


@dataclass(frozen=True)
class BuyAndHold:
    """Buy once and wait: the baseline that every other bot has to beat.

    Parameters
    ----------
    exposure : float, default 1.0
        Notional bought, as a multiple of the equity. Positive.

    Examples
    --------
    >>> market = MarketView("BTC/USDT:USDT", 0, 50_000.0, ())
    >>> BuyAndHold(2.0)(market, AccountView(equity=1_000))[0].amount
    0.04
    """

    exposure: float = 1.0

    def __post_init__(self) -> None:
        _check(self, "exposure")

    def __call__(self, market: MarketView, account: AccountView) -> list[BotOrder]:
        """Return the orders that should stand."""
        if account.quantity:
            return []
        return to_position(account, market.contracts(self.exposure * account.equity))


@dataclass(frozen=True)
class Trend:
    """Be long while the fast average of closes is above the slow one, with a stop behind.

    Parameters
    ----------
    fast, slow : int
        Bars in the two averages; `fast` below `slow`.
    exposure : float, default 1.0
        Notional as a multiple of the equity. The size of chapter 04 is the risk of a trade divided
        by `stop`.
    stop : float, default 0.1
        Distance of the stop-loss from the entry, as a decimal of the entry price.
    short : bool, default False
        Be short, instead of out, while the fast average is below.
    """

    fast: int = 10
    slow: int = 50
    exposure: float = 1.0
    stop: float = 0.1
    short: bool = False

    def __post_init__(self) -> None:
        _check(self, "exposure", "stop", whole=("fast", "slow"))
        if self.fast >= self.slow:
            raise ValueError(
                f"fast must be below slow ({self.slow}), was {self.fast}; give fewer bars"
            )

    @property
    def bars_needed(self) -> int:
        """Completed bars without which it does not decide."""
        return self.slow

    def __call__(self, market: MarketView, account: AccountView) -> list[BotOrder]:
        """Return the orders that should stand."""
        closes = market.closes
        if len(closes) < self.slow:
            return []
        is_up = sum(closes[-self.fast :]) / self.fast > sum(closes[-self.slow :]) / self.slow
        side = 1 if is_up else -1 if self.short else 0
        if account.quantity * side > 0:
            trigger = account.entry_price * (1 - side * self.stop)
            return [stop_loss(account.quantity, trigger)]
        if account.quantity:
            # Out first: the money behind the old position is free at the next bar.
            return to_position(account, 0.0)
        return to_position(account, side * market.contracts(self.exposure * account.equity))


@dataclass(frozen=True)
class FundingCarry:
    """Be short an inverse perpetual for what the coins are worth, while longs pay enough.

    Coins and short cancel: what is left of the price is nothing, and funding comes on top. It acts
    on the rate that is known, which for dated rates is the one before.

    Parameters
    ----------
    threshold : float, default 0.0
        Least funding rate of an interval, as a decimal, for which it is worth while.
    exposure : float, default 1.0
        Size of the short as a multiple of the coins' value. Only 1.0 is hedged.
    """

    threshold: float = 0.0
    exposure: float = 1.0

    def __post_init__(self) -> None:
        _check(self, "threshold", "exposure")

    def __call__(self, market: MarketView, account: AccountView) -> list[BotOrder]:
        """Return the orders that should stand."""
        if not market.inverse:
            raise ValueError(
                f"symbol must be an inverse market, was {market.symbol}; without coins as "
                "collateral this short is not hedged"
            )
        pays = market.funding_rate is not None and market.funding_rate > self.threshold
        if not pays:
            return to_position(account, 0.0)
        if account.quantity < 0:
            return []
        return to_position(account, -market.contracts(self.exposure * account.equity))


@dataclass(frozen=True)
class Grid:
    """Buy one portion at every level on the way down, sell one at every level on the way up.

    Parameters
    ----------
    lower, upper : float
        Ends of the grid, in quote currency.
    portions : int
        Steps between the ends, and portions held when the price is at `lower`.
    quantity : float
        Contracts of a portion.

    Notes
    -----
    With *n* portions held the grid stands at its level *portions* − *n*: one more is bought a level
    below it, and one is sold a level above. At the start nothing is held, and the buy orders above
    the price fill at once.
    """

    lower: float
    upper: float
    portions: int
    quantity: float

    def __post_init__(self) -> None:
        _check(self, "lower", "upper", "quantity", whole=("portions",))
        if self.lower >= self.upper:
            raise ValueError(
                f"lower must be below upper ({self.upper:g}), was {self.lower:g}; exchange them"
            )

    @property
    def levels(self) -> tuple[float, ...]:
        """Prices of the grid, from `lower` to `upper`."""
        step = (self.upper - self.lower) / self.portions
        return tuple(self.lower + step * number for number in range(self.portions + 1))

    def __call__(self, market: MarketView, account: AccountView) -> list[BotOrder]:
        """Return the orders that should stand, the nearest first: margin may not do for all."""
        held = min(self.portions, max(0, round(account.quantity / self.quantity)))
        here = self.portions - held
        buys = [BotOrder("buy", self.quantity, price) for price in reversed(self.levels[:here])]
        sells = [BotOrder("sell", self.quantity, price) for price in self.levels[here + 1 :]]
        return buys + sells


@dataclass(frozen=True)
class Martingale:
    """Buy more at every step down, and sell everything a little above the average price.

    Parameters
    ----------
    quantity : float
        Contracts of the first order.
    step : float
        Distance between two orders, as a decimal of the first price.
    safety_orders : int
        Orders after the first.
    take_profit : float
        Distance of the exit above the average entry price, as a decimal.
    multiplier : float, default 2.0
        Each order is this many times as large as the one before. 1.0 is *dollar-cost averaging*.
    """

    quantity: float
    step: float
    safety_orders: int
    take_profit: float
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        names = ("quantity", "step", "take_profit", "multiplier")
        _check(self, *names, whole=("safety_orders",))
        if self.step * self.safety_orders >= 1:
            raise ValueError(
                f"step must leave the last order a price above zero: {self.safety_orders} steps of "
                f"{self.step:g} are {self.safety_orders * self.step:g}; give fewer or smaller ones"
            )
        try:
            is_finite = isfinite(self.quantities[-1])
        except OverflowError:
            is_finite = False
        if not is_finite:
            raise ValueError(
                f"multiplier must leave the last of {self.safety_orders + 1} orders a size, was "
                f"{self.multiplier:g}; give a smaller one, or fewer orders"
            )

    @property
    def quantities(self) -> tuple[float, ...]:
        """Contracts of each order, the first one included."""
        return tuple(self.quantity * self.multiplier**n for n in range(self.safety_orders + 1))

    def first_price(self, account: AccountView) -> float:
        """Return the price of the first order, from the average price of those that filled."""
        filled = self.filled(account)
        value = sum(q * (1 - self.step * n) for n, q in enumerate(self.quantities[:filled]))
        return account.entry_price * sum(self.quantities[:filled]) / value

    def filled(self, account: AccountView) -> int:
        """Return how many orders make up the position."""
        totals = list(accumulate(self.quantities))
        return 1 + min(range(len(totals)), key=lambda n: abs(totals[n] - account.quantity))

    def __call__(self, market: MarketView, account: AccountView) -> list[BotOrder]:
        """Return the orders that should stand."""
        if account.quantity <= 0:
            return [BotOrder("buy", self.quantity)]
        first, filled = self.first_price(account), self.filled(account)
        exit_price = account.entry_price * (1 + self.take_profit)
        return [BotOrder("sell", account.quantity, exit_price, reduce_only=True)] + [
            BotOrder("buy", quantity, first * (1 - self.step * number))
            for number, quantity in enumerate(self.quantities)
            if number >= filled
        ]

"""The lines to read before a trade, each computed from the plan, under the course's five labels."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from leverage import costs, sizing
from leverage.contracts import pnl
from leverage.plans.periods import FUNDING_RATE
from leverage.plans.plan import COIN_PRICES, Plan
from leverage.venues import compare

STEPS = ("Notional", "Margin", "Equity at price P", "Requirement", "Solve", "Costs", "Venue")
HAIR = 1e-9


@dataclass(frozen=True)
class CheckLine:
    """One line of the checklist.

    Attributes
    ----------
    step : str
        One of the five labels, or ``"Costs"`` or ``"Venue"``.
    line : str
        What is computed.
    value : float or str
        The number, or words.
    unit : str
        Its unit; empty for words.
    fine : bool
        Whether nothing speaks against the trade here.
    """

    step: str
    line: str
    value: float | str
    unit: str
    fine: bool


def checklist(
    plan: Plan, price: float | None = None, *, side: int = 1, equity: float | None = None
) -> tuple[CheckLine, ...]:
    """Compute what has to be read before a plan's next trade is sent.

    Parameters
    ----------
    plan : Plan
        The plan.
    price : float, optional
        Entry price in quote currency; a round one of the coin if left out.
    side : {1, -1}, default 1
        1 for a long position, -1 for a short position.
    equity : float, optional
        Equity now, in quote currency; the person's balance if left out.

    Returns
    -------
    tuple of CheckLine
        Under the five labels, then costs and what the venue says.

    Examples
    --------
    >>> from leverage.plans.plan import SOUND_PLAN
    >>> for row in checklist(SOUND_PLAN)[:4]:
    ...     print(f"{row.step}: {row.line} {row.value:.6g} {row.unit}")
    Notional: quantity 0.00205863 BTC
    Notional: value at entry 123.518 USD
    Notional: notional / equity 0.123518 ×
    Margin: initial margin 61.7589 USD
    """
    price = COIN_PRICES[plan.coin] if price is None else price
    equity = plan.person.balance if equity is None else equity
    quantity, stop = plan.quantity(side, price, equity), plan.stop_price(side, price)
    behind, end = (
        plan.margin_behind(side, price, equity),
        plan.liquidation_price(side, price, equity),
    )
    fee_rate = plan.traded.fact("taker_fee_rate").number()
    notional, margin = quantity * price, quantity * price / plan.leverage
    loss = -float(pnl(side, price, stop, quantity))
    fees = float(costs.round_trip_cost(price, stop, quantity, fee_rate))
    gone = float(sizing.stop_against_liquidation(side, price, stop, end))
    offer = next(
        offer
        for offer in compare(
            side,
            price,
            leverage=plan.leverage,
            quantity=quantity,
            asset=plan.coin,
            funding_rate=FUNDING_RATE,
            residence=plan.person.residence,
            client=plan.person.client,
            venues=[plan.venue],
        )
        if offer.product == plan.product
    )
    money = plan.rules.settlement
    lines: list[tuple[str, str, float | str, str, bool]] = [
        ("Notional", "quantity", quantity, plan.coin, quantity > 0),
        ("Notional", "value at entry", notional, money, offer.max_leverage >= plan.leverage),
        ("Notional", "notional / equity", notional / equity, "×", notional <= plan.max_exposure * equity),
        ("Margin", "initial margin", margin, money, margin <= equity),
        ("Margin", f"money that a loss can reach ({plan.margin_mode})", behind, money, behind <= equity),
        ("Equity at price P", "stop price", stop, money, side * (price - stop) > 0),
        ("Equity at price P", "loss at the stop, fees included", loss + fees, money, loss + fees <= plan.risk_per_trade * equity * (1 + HAIR)),
        ("Equity at price P", "the same, share of the equity", 100 * (loss + fees) / equity, "%", loss + fees <= plan.daily_loss_limit * equity),
        ("Requirement", "liquidation price", *((end, money) if 0 < end < inf else ("none", "")), side * (stop - end) > 0),
        ("Solve", "way to liquidation that is gone at the stop", 100 * gone, "%", gone < 1),
        ("Costs", "fees of the round trip", fees, money, fees < loss),
        ("Costs", "a week of holding", offer.week_cost, money, offer.week_cost < loss),
        ("Venue", f"open to {plan.person.name}", offer.access, "", offer.access == "not refused"),
        ("Venue", "refuses", "; ".join(offer.refusals) or "nothing that we know", "", not offer.refusals),
        ("Venue", "not known", "; ".join(offer.unknown) or "nothing that this trade needs", "", not offer.unknown),
        *(("Venue", "look up on the day", condition, "", False) for condition in offer.conditions),
    ]  # fmt: skip
    return tuple(CheckLine(*line) for line in lines)

"""An isolated linear position, twice: by the exchange and by `paper_kernel.py`, to the last digit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from paper_kernel import CAUSES, Plan, Terms, replay
from paper_states import HOUR, LINEAR, START

from leverage import TierTable
from leverage.paper import Market, PaperExchange, Rules

BARS = 50_000
CASH, FUND = 1e9, 1e9
TERMS = Terms(0.0005, 0.002, 0.005, 0.0001, 8)
PLAN = Plan(amount=0.75, leverage=25.0, hold=40, wait=3)


def hourly(seed: int) -> npt.NDArray[np.float64]:
    """Bars that jump between each other, with wild hours in which positions die."""
    rng = np.random.default_rng(seed)
    calm = np.where(rng.random(BARS) < 0.02, 0.04, 0.004)
    moves = rng.normal(0, 1, (BARS, 3)) * calm[:, None]
    level = np.log(50_000) + np.cumsum(moves[:, 1] + moves[:, 0] * 0.7)
    # Kept between 20 000 and 120 000 by reflection, or prices would drift out of any market.
    low, width = np.log(20_000), np.log(6)
    level = low + width - abs((level - low) % (2 * width) - width)
    close = np.exp(level)
    opens = np.concatenate([[50_000.0], close[:-1]]) * np.exp(moves[:, 0] * 0.7)
    high = np.maximum(opens, close) * np.exp(abs(moves[:, 2]) * 0.5)
    low_price = np.minimum(opens, close) * np.exp(-abs(moves[:, 2]) * 0.5)
    return np.round(np.stack([opens, high, low_price, close], axis=1), 2)


def by_the_exchange(times: npt.NDArray[np.int64], prices: npt.NDArray[np.float64]) -> Any:
    """Run the plan of the kernel on the exchange."""
    rows = np.column_stack([times.astype(float), prices, np.ones(len(times))])
    rules = Rules(
        requirement="maintenance at mark",
        taker_fee_rate=TERMS.taker_fee_rate,
        maker_fee_rate=TERMS.taker_fee_rate,
        tiers=TierTable.flat(TERMS.maintenance_margin_rate),
        max_leverage=100,
        liquidation_fee_rate=TERMS.liquidation_fee_rate,
        funding_interval_hours=TERMS.funding_hours,
        takeover="bankruptcy",
    )
    paper = PaperExchange(
        {LINEAR: rows},
        rules=rules,
        balance=CASH,
        insurance_fund=FUND,
        funding=TERMS.funding_rate,
        markets={LINEAR: Market(tick_size=0.01, lot_size=0.01, min_amount=0.01, min_cost=0.0)},
    )
    paper.set_margin_mode("isolated", LINEAR)
    paper.set_leverage(PLAN.leverage, LINEAR)
    side, turn, opened, left = "", 0, 0, 0
    for bar in range(len(times)):
        paper.step(1, "bar")
        if side and not paper.fetch_positions([LINEAR]):
            side, left = "", bar
        if not side and bar - left >= PLAN.wait:
            side = "buy" if turn % 2 == 0 else "sell"
            turn += 1
            paper.create_order(LINEAR, "market", side, PLAN.amount)
            opened = bar
        elif side and bar - opened >= PLAN.hold:
            other = "sell" if side == "buy" else "buy"
            extra = {"reduceOnly": True}
            paper.create_order(LINEAR, "market", other, PLAN.amount, None, extra)
            side, left = "", bar
    return paper


@pytest.fixture(scope="module")
def both() -> tuple[Any, Any]:
    times = START + HOUR * np.arange(BARS, dtype=np.int64)
    prices = hourly(20261122)
    return replay(times, prices, CASH, TERMS, PLAN), by_the_exchange(times, prices)


def of_the_account(paper: Any) -> list[tuple[int, str, float]]:
    """Postings of the trader's money after the deposit: time, cause, and the change."""
    return [
        (
            p["timestamp"],
            p["cause"],
            p["amount"] if p["target"].startswith("main") else -p["amount"],
        )
        for p in paper.postings()
        if p["cause"] in CAUSES and ("main" in p["source"] or "main" in p["target"])
    ]


def test_both_ledgers_are_equal_to_the_last_digit(both: tuple[Any, Any]) -> None:
    (times, causes, amounts, cash, liquidations), paper = both
    mine = [
        (int(time), CAUSES[cause], float(amount))
        for time, cause, amount in zip(times, causes, amounts, strict=True)
    ]
    theirs = of_the_account(paper)
    for number, (a, b) in enumerate(zip(mine, theirs, strict=False)):
        assert a == b, (number, mine[number - 3 : number + 3], theirs[number - 3 : number + 3])
    assert len(mine) == len(theirs)
    assert paper.snapshot()["balance"] == cash
    assert len(paper.fetch_my_liquidations(LINEAR)) == liquidations


def test_the_run_holds_enough_of_everything(both: tuple[Any, Any]) -> None:
    (_, causes, amounts, _, liquidations), _ = both
    assert liquidations > 100
    for cause in range(len(CAUSES)):
        assert (causes == cause).sum() > 100
    fund = amounts[causes == CAUSES.index("insurance fund")]
    assert (fund > 0).any()
    assert (fund < 0).any()

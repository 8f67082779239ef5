"""Exchanges in the states in which ccxt's checks look at them, built with the public API only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from leverage.paper import PaperExchange

HOUR = 3_600_000
START = 1_704_067_200_000  # 2024-01-01T00:00:00Z
LINEAR, INVERSE, ETHER = "BTC/USDT:USDT", "BTC/USD:BTC", "ETH/USDT:USDT"

Rows = list[list[float]]


def bars_through(prices: Sequence[float], *, skipped: Sequence[int] = ()) -> Rows:
    """Hourly bars that open at one price and close at the next, without those that are skipped."""
    return [
        [START + number * HOUR, a, max(a, b) * 1.001, min(a, b) * 0.999, b, 100.0]
        for number, (a, b) in enumerate(pairwise(prices))
        if number not in skipped
    ]


# A slow wave around 50 000 for 20 hours, then a fall to 40 000 in five, then flat.
QUIET = [50_000.0 * (1 + 0.002 * (number % 4 - 1.5)) for number in range(21)]
FALL = [*QUIET, 48_500.0, 46_000.0, 44_000.0, 42_000.0, 40_000.0, *[40_000.0] * 30]
ETHER_FALL = [price * 0.06 for price in FALL]


@dataclass(frozen=True)
class State:
    """An exchange to look at: how to make it, and which symbol and currency to ask for."""

    name: str
    build: Callable[[], Any]
    symbol: str = LINEAR
    code: str = "USDT"


def exchange(**options: Any) -> Any:
    """An exchange on the falling price, with 100 000 unless said otherwise, and funding."""
    given: dict[str, Any] = {
        "bars": {LINEAR: bars_through(FALL)},
        "balance": 100_000,
        "funding": 0.0001,
    }
    given.update(options)
    return PaperExchange(given.pop("bars"), **given)


def empty() -> Any:
    """An account that signed up and has done nothing else."""
    paper = exchange(balance=None)
    paper.sign_up()
    return paper


def money_in() -> Any:
    paper = exchange(balance=None)
    paper.sign_up()
    paper.verify()
    paper.deposit("USDT", 5_000)
    return paper


def on_its_way() -> Any:
    """Deposit, transfer, margin enabled, a withdrawal: all steps but the first order."""
    paper = money_in()
    paper.enable_margin()
    paper.transfer("USDT", 3_000, "spot", "swap")
    paper.withdraw("USDT", 500, "paper")
    paper.step(1, "bar")
    return paper


def funded() -> Any:
    return exchange()


def isolated(side: str = "buy") -> Any:
    """An isolated position with protective and resting orders, cancelled and edited ones."""
    paper = exchange()
    other = "sell" if side == "buy" else "buy"
    sign = 1 if side == "buy" else -1
    paper.set_margin_mode("isolated", LINEAR)
    paper.set_leverage(10, LINEAR)
    last = paper.last_price(LINEAR)
    paper.create_order(LINEAR, "market", side, 0.5, None, {"clientOrderId": "entry"})
    paper.create_order(LINEAR, "limit", side, 0.2, round(last * (1 - 0.05 * sign), 1))
    paper.create_order(
        LINEAR, "market", other, 0.5, None, {"stopLossPrice": last * (1 - 0.04 * sign)}
    )
    paper.create_order(
        LINEAR, "market", other, 0.2, None, {"takeProfitPrice": last * (1 + 0.2 * sign)}
    )
    paper.create_order(
        LINEAR, "market", other, 0.1, None, {"trailingPercent": 4, "reduceOnly": True}
    )
    resting = paper.create_order(
        LINEAR, "limit", side, 0.1, round(last * (1 - 0.02 * sign), 1), {"postOnly": True}
    )
    paper.edit_order(resting["id"], LINEAR, "limit", side, 0.15, round(last * (1 - 0.03 * sign), 1))
    away = paper.create_order(LINEAR, "limit", side, 0.1, round(last * (1 - 0.1 * sign), 1))
    paper.cancel_order(away["id"], LINEAR)
    paper.add_margin(LINEAR, 500)
    paper.reduce_margin(LINEAR, 200)
    paper.step(12, "bar")
    return paper


def isolated_short() -> Any:
    return isolated("sell")


def cross() -> Any:
    """Two cross positions that share one collateral, after funding."""
    paper = exchange(bars={LINEAR: bars_through(FALL), ETHER: bars_through(ETHER_FALL)})
    for symbol, side, amount in ((LINEAR, "buy", 1), (ETHER, "sell", 5)):
        paper.set_leverage(10, symbol)
        paper.create_order(
            symbol,
            "market",
            side,
            amount,
            None,
            {
                "stopLoss": {
                    "triggerPrice": paper.last_price(symbol) * (0.9 if side == "buy" else 1.1)
                },
                "takeProfit": {
                    "triggerPrice": paper.last_price(symbol) * (1.1 if side == "buy" else 0.9)
                },
            },
        )
    paper.step(15, "bar")
    return paper


def hedged() -> Any:
    """A long and a short of one symbol side by side."""
    paper = exchange()
    paper.set_position_mode(True)
    paper.create_order(LINEAR, "market", "buy", 0.5, None, {"positionSide": "long"})
    paper.create_order(LINEAR, "market", "sell", 0.3, None, {"positionSide": "short"})
    paper.step(10, "bar")
    return paper


def partly_filled() -> Any:
    """A resting order of which the thin market filled a part."""
    paper = exchange(liquidity=0.05)
    paper.create_order(LINEAR, "limit", "buy", 2.0, round(paper.last_price(LINEAR) * 0.9995, 1))
    paper.step(5, "bar")
    (order,) = paper.fetch_open_orders(LINEAR)
    assert 0 < order["filled"] < order["amount"]
    return paper


def liquidated() -> Any:
    """An isolated position closed by force, and trading that went on."""
    paper = exchange()
    paper.set_margin_mode("isolated", LINEAR)
    paper.set_leverage(10, LINEAR)
    paper.create_order(LINEAR, "market", "buy", 0.5)
    paper.run_until()
    assert paper.fetch_my_liquidations(LINEAR)
    paper_orders = paper.fetch_orders(LINEAR)
    assert paper_orders
    return paper


def liquidated_in_parts() -> Any:
    """A position so large that it is cut tier by tier."""
    paper = exchange(balance=1_000_000)
    paper.set_leverage(10, LINEAR)
    paper.create_order(LINEAR, "market", "buy", 150)
    paper.run_until()
    assert len(paper.fetch_my_liquidations(LINEAR)) > 1
    return paper


def coin_margined() -> Any:
    """An account in bitcoin on coin-margined contracts, whose fees the venue's data do not know."""
    return exchange(
        bars={INVERSE: bars_through(FALL)},
        venue="bybit",
        product="inverse",
        overrides={
            "taker_fee_rate": 0.00055,
            "maker_fee_rate": 0.0002,
            "funding_interval_hours": 8,
        },
        balance={"BTC": 2},
    )


def inverse() -> Any:
    """A coin-margined position after funding, with a resting order."""
    paper = coin_margined()
    paper.set_leverage(5, INVERSE)
    paper.create_order(INVERSE, "market", "buy", 50_000)
    paper.create_order(INVERSE, "limit", "buy", 10_000, 45_000)
    paper.step(12, "bar")
    return paper


def inverse_liquidated() -> Any:
    """A coin-margined position after its liquidation."""
    paper = coin_margined()
    paper.set_leverage(10, INVERSE)
    paper.create_order(INVERSE, "market", "buy", 900_000)
    paper.run_until()
    assert paper.fetch_my_liquidations(INVERSE)
    return paper


def one_of_many() -> Any:
    """One account among others that trade against the same market."""
    paper = exchange()
    for number in range(3):
        other = paper.open_account(f"other{number}", 20_000)
        other.create_order(LINEAR, "market", "sell", 0.1 * (number + 1))
    paper.create_order(LINEAR, "market", "buy", 0.5)
    paper.step(4, "bar")
    return paper


def closed() -> Any:
    """An exchange in an outage, with a position that cannot be left."""
    paper = exchange(bars={LINEAR: bars_through(FALL, skipped=range(5, 9))})
    paper.create_order(LINEAR, "market", "buy", 0.5)
    paper.create_order(LINEAR, "limit", "buy", 0.5, 45_000)
    paper.run_until(START + 6 * HOUR)
    assert not paper.is_open(LINEAR)
    return paper


def spot_margin() -> Any:
    """A leveraged spot position, whose margin is a level."""
    paper = exchange(
        bars=bars_through(FALL),
        venue="kraken",
        product="spot_margin",
        overrides={"maker_fee_rate": 0.0025},
        funding=None,
    )
    symbol = paper.symbols[0]
    paper.set_leverage(5, symbol)
    paper.create_order(symbol, "market", "buy", 0.5)
    paper.step(10, "bar")
    return paper


STATES = [
    State("empty", empty),
    State("money in", money_in),
    State("on its way", on_its_way),
    State("funded", funded),
    State("open isolated long", isolated),
    State("open isolated short", isolated_short),
    State("open cross", cross),
    State("hedged", hedged),
    State("partly filled", partly_filled),
    State("liquidated", liquidated),
    State("liquidated in parts", liquidated_in_parts),
    State("inverse funded", coin_margined, INVERSE, "BTC"),
    State("inverse", inverse, INVERSE, "BTC"),
    State("inverse liquidated", inverse_liquidated, INVERSE, "BTC"),
    State("one of many", one_of_many),
    State("closed", closed),
    State("spot margin", spot_margin, "BTC/USD", "USD"),
]

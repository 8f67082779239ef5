"""Seeded scenarios, once on the exchange and once in exact fractions by `reference.py`.

`python tests/paper_proof/test_reference.py 5000` tries as many on demand, from a seed that may
follow, and tells the first difference of each.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from reference import ZERO, Reference, Terms, Wallet

from leverage import TierTable
from leverage.paper import Market, PaperExchange, Rules, exchange_errors

HOUR = 3_600_000
START = 1_704_067_200_000
SCENARIOS = 400
CLOSE = 1e-9
Bar = tuple[float, float, float, float]


@dataclass(frozen=True)
class Features:
    """What a scenario has besides one account on one symbol."""

    inverse: bool
    two_symbols: bool
    hedged: bool
    accounts: int
    liquidity: float | None
    own_mark: bool
    tiers: bool
    partial: bool
    crash: bool
    """Whether prices jump so far that margins do not cover losses, with others on the other side."""


def features(dice: random.Random) -> Features:
    """Choose what a scenario has."""
    inverse, crash = dice.random() < 0.35, dice.random() < 0.3
    tiers = not inverse and dice.random() < 0.6
    return Features(
        inverse=inverse,
        two_symbols=not inverse and dice.random() < 0.4,
        hedged=dice.random() < 0.3,
        accounts=3 if crash else dice.choice([1, 1, 2, 3]),
        liquidity=dice.choice([None, None, *((40.0, 300.0) if inverse else (3.0, 7.0))]),
        own_mark=dice.random() < 0.4,
        tiers=tiers,
        partial=tiers and dice.random() < 0.6,
        crash=crash,
    )


def exact(number: float) -> Fraction:
    """A number as it is written, not as the machine holds it."""
    return Fraction(repr(number))


def feed(dice: random.Random, price: float, bars: int, *, crash: bool) -> list[Bar]:
    """Bars that jump between each other, with wild hours."""
    rows = []
    for _ in range(bars):
        wild = 0.06 if dice.random() < 0.15 else 0.01
        first = price * (1 + dice.gauss(0, wild * (3 if crash else 1 / 3)))
        close = first * (1 + dice.gauss(0, wild))
        high = max(first, close) * (1 + abs(dice.gauss(0, wild / 2)))
        low = min(first, close) * (1 - abs(dice.gauss(0, wild / 2)))
        row = [round(max(x, 0.5), 2) for x in (first, high, low, close)]
        row[1], row[2] = max(row), min(row)
        rows.append(tuple(row))
        price = min(max(row[3], 20.0), 500.0)
    return rows


def beside(dice: random.Random, rows: list[Bar]) -> list[Bar]:
    """A mark a little beside the traded price."""
    made = []
    for row in rows:
        first, close = (round(row[n] * (1 + dice.gauss(0, 0.003)), 2) for n in (0, 3))
        high = round(max(first, close, row[1] * (1 + dice.gauss(0, 0.003))), 2)
        low = round(min(first, close, row[2] * (1 + dice.gauss(0, 0.003))), 2)
        made.append((first, high, low, close))
    return made


class Scenario:
    """A market, its accounts, and what they do at the close of every bar."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        dice, has = self.dice, features(self.dice)
        self.has = has
        self.symbols = (
            ["BTC/USD:BTC"]
            if has.inverse
            else ["BTC/USDT:USDT", "ETH/USDT:USDT"][: 1 + has.two_symbols]
        )
        self.bars = dice.randint(8, 30)
        self.last = {s: feed(dice, 100.0, self.bars, crash=has.crash) for s in self.symbols}
        self.mark = {
            s: beside(dice, rows) if has.own_mark else rows for s, rows in self.last.items()
        }
        self.bounds = [0.0, 600.0, 2_000.0] if has.tiers else [0.0]
        self.rates = [0.005, 0.02, 0.05] if has.tiers else [dice.choice([0.004, 0.02])]
        self.lot = 1.0 if has.inverse else 0.001
        self.numbers = {
            "taker": dice.choice([0.0, 0.0005]),
            "maker": dice.choice([0.0, 0.0002]),
            "liquidation": dice.choice([0.0, 0.01]),
            "funding": dice.choice([0.0, 0.0007, -0.0004]),
            "spread": dice.choice([0.0, 0.001]),
        }
        self.choices = {
            "keeps_rest": dice.random() < 0.4,
            "has_fund": dice.random() < 0.6,
            "deleverages": dice.random() < 0.5,
            "forgives": dice.random() < 0.6,
            "initial_at_mark": dice.random() < 0.3,
            "asks_again": dice.random() < 0.3,
        }
        self.choices["forgives"] |= self.choices["deleverages"]
        self.fund = dice.choice([0.0, 3.0, 500.0])
        cash = 1.0 if has.inverse else 100.0
        self.names = ["main", "other", "third"][: has.accounts]
        self.cash = {name: round(cash * dice.uniform(0.5, 2), 2) for name in self.names}
        self.leverage = {
            (n, s): float(dice.choice([20, 40] if has.crash else [2, 5, 10, 20, 40]))
            for n in self.names
            for s in self.symbols
        }
        self.isolated = {(n, s): dice.random() < 0.5 for n in self.names for s in self.symbols}

    def terms(self) -> Terms:
        """The rules for the reference."""
        return Terms(
            inverse=self.has.inverse,
            bounds=tuple(map(exact, self.bounds)),
            rates=tuple(map(exact, self.rates)),
            funding_hours=4,
            partial=self.has.partial,
            liquidity=None if self.has.liquidity is None else exact(self.has.liquidity),
            tick=exact(0.01),
            lot=exact(self.lot),
            **{name: exact(number) for name, number in self.numbers.items()},
            **self.choices,
        )

    def rules(self) -> Rules:
        """The rules for the exchange."""
        given, chosen = self.numbers, self.choices
        return Rules(
            taker_fee_rate=given["taker"],
            maker_fee_rate=given["maker"],
            liquidation_fee_rate=given["liquidation"],
            tiers=TierTable.marginal([*self.bounds, float("inf")], self.rates),
            max_leverage=100,
            contract="inverse" if self.has.inverse else "linear",
            settlement="BTC" if self.has.inverse else "USDT",
            partial_liquidation=self.has.partial,
            takeover="market" if chosen["keeps_rest"] else "bankruptcy",
            initial_margin_price="mark" if chosen["initial_at_mark"] else "entry",
            resting_order_margin="checked at fill" if chosen["asks_again"] else "reserved",
            insurance_fund=chosen["has_fund"],
            auto_deleveraging=chosen["deleverages"],
            negative_balance_protection=chosen["forgives"],
            funding_interval_hours=4,
        )

    def rows(self, feeds: dict[str, list[Bar]]) -> dict[str, list[list[float]]]:
        """Bars as the exchange takes them."""
        return {
            s: [[START + n * HOUR, *row, 1.0] for n, row in enumerate(rows)]
            for s, rows in feeds.items()
        }

    def paper(self) -> dict[str, PaperExchange]:
        """The exchange, by the faces of the accounts."""
        steps = Market(tick_size=0.01, lot_size=self.lot)
        exchange = PaperExchange(
            self.rows(self.last),
            rules=self.rules(),
            mark=self.rows(self.mark) if self.has.own_mark else None,
            funding=self.numbers["funding"] or None,
            markets=dict.fromkeys(self.symbols, steps),
            balance=self.cash["main"],
            insurance_fund=self.fund,
            spread=self.numbers["spread"],
            liquidity=self.has.liquidity or float("inf"),
            timeframe="1h",
        )
        faces = {"main": exchange}
        for name in self.names[1:]:
            faces[name] = exchange.open_account(name, self.cash[name])
        for (name, symbol), leverage in self.leverage.items():
            if self.isolated[name, symbol]:
                faces[name].set_margin_mode("isolated", symbol)
            faces[name].set_leverage(leverage, symbol)
        if self.has.hedged:
            for face in faces.values():
                face.set_position_mode(True)
        return faces

    def reference(self) -> Reference:
        """The same in exact fractions."""
        wallets = [
            Wallet(
                name,
                exact(self.cash[name]),
                self.has.hedged,
                {s: exact(self.leverage[name, s]) for s in self.symbols},
                {s: self.isolated[name, s] for s in self.symbols},
            )
            for name in self.names
        ]
        first = {s: exact(rows[0][0]) for s, rows in self.last.items()}
        return Reference(self.terms(), wallets, exact(self.fund), first)


def act(scenario: Scenario, faces: dict[str, PaperExchange], reference: Reference) -> Iterator[str]:
    """Order something on both; tell where only one of them refuses it for want of margin."""
    dice = scenario.dice
    for name in scenario.names:
        if dice.random() < 0.4:
            continue
        symbol, side = dice.choice(scenario.symbols), dice.choice([1, -1])
        size = dice.choice([0.3, 1.0, 3.0, 9.0])
        amount = float(round(size * 100)) if scenario.has.inverse else size
        held = reference.wallets[name].positions
        kind = dice.choice(["market", "market", "limit", "stop", "target", "trail"])
        reduce = kind in ("stop", "target", "trail")
        if reduce and held:
            p = dice.choice(held)
            symbol, side = p.symbol, -p.side
        params: dict[str, Any] = {}
        leg = 0
        if scenario.has.hedged:
            closes = reduce or dice.random() < 0.3
            leg = -side if closes else side
            params["positionSide"] = "long" if leg > 0 else "short"
        last = reference.last[symbol]
        away = round(float(last) * (1 + dice.uniform(0.005, 0.05)), 2)
        near = round(float(last) * (1 - dice.uniform(0.005, 0.05)), 2)
        above = side < 0 if kind in ("limit", "trail") else (side > 0) == (kind == "stop")
        price = away if above else near
        given: dict[str, Any] = {"trigger": exact(price)}
        if kind == "limit":
            given = {"limit": exact(price)}
        elif kind in ("stop", "target"):
            params["stopLossPrice" if kind == "stop" else "takeProfitPrice"] = price
        elif kind == "trail":
            # Half a tick, and odd shares: the price never ends exactly where it stops.
            amounts = (
                round(float(last) * dice.uniform(0.002, 0.04), 2) + 0.005,
                dice.choice([0.37, 1.43]),
            )
            word = dice.choice(["trailingAmount", "trailingPercent"])
            params[word] = amounts[word == "trailingPercent"]
            share = exact(params[word])
            given["trail"] = (share, ZERO) if word == "trailingAmount" else (ZERO, share / 100)
            if dice.random() < 0.5:
                params["trailingTriggerPrice"] = price
            else:
                del given["trigger"]
        if reduce:
            params["reduceOnly"] = True
        room = None
        if not reduce:
            limit = given["limit"] if kind == "limit" else None
            room = reference.room(name, symbol, side, exact(amount), limit, leg)
        refusal: exchange_errors.BaseError | None = None
        try:
            faces[name].create_order(
                symbol, "limit" if kind == "limit" else "market", "buy" if side > 0 else "sell",
                amount, price if kind == "limit" else None, params,
            )  # fmt: skip
        except exchange_errors.BaseError as error:
            refusal = error
        is_short = isinstance(refusal, exchange_errors.InsufficientFunds)
        if is_short or refusal is None:
            wanted = room is not None and room < 0
            if is_short != wanted and abs(room or 1) > CLOSE:
                yield f"{name}: {kind} refused {refusal} but room is {room and float(room)}"
        if refusal is not None:
            REFUSED[f"{kind} {type(refusal).__name__}"] += 1
        elif kind == "market":
            reference.market(name, symbol, side, exact(amount), leg)
        else:
            ACCEPTED[kind] += 1
            reference.rest(
                name, symbol, side, exact(amount), above=above, reduce=reduce, leg=leg, **given
            )


ACCEPTED: Counter[str] = Counter()
REFUSED: Counter[str] = Counter()
SEEN: Counter[str] = Counter()


def differences(
    scenario: Scenario, faces: dict[str, PaperExchange], reference: Reference
) -> Iterator[str]:
    """What is not the same on both."""

    def far(one: float, other: Fraction) -> bool:
        return abs(Fraction(one) - other) > CLOSE * max(1, abs(other))

    main = faces["main"]
    code = main.market(scenario.symbols[0])["settle"]
    for name, face in faces.items():
        wallet = reference.wallets[name]
        trades = face.fetch_my_trades()
        expected = [t for t in reference.trades if t.account == name]
        for mine, theirs in zip(expected, trades, strict=False):
            pair = (mine.symbol, "buy" if mine.side > 0 else "sell", mine.kind)
            if pair != (theirs["symbol"], theirs["side"], theirs["info"]["kind"]):
                yield f"{name}: trade {pair} but {theirs['symbol'], theirs['side'], theirs['info']['kind']}"
            for what, one, other in (
                ("price", theirs["price"], mine.price),
                ("contracts", theirs["amount"], mine.contracts),
                ("fee", theirs["fee"]["cost"], mine.fee),
            ):
                if far(one, other):
                    yield f"{name}: {what} {one} but {float(other)} of {mine.kind} {pair}"
        if len(trades) != len(expected):
            yield f"{name}: {len(trades)} trades but {len(expected)}"
        cash = face.fetch_balance()["info"][code]["walletBalance"]
        if far(cash, wallet.cash):
            yield f"{name}: cash {cash} but {float(wallet.cash)}"
        positions = {(p["symbol"], p["side"]): p for p in face.fetch_positions()}
        own = {(p.symbol, "long" if p.side > 0 else "short"): p for p in wallet.positions}
        if set(positions) != set(own):
            yield f"{name}: positions {set(positions)} but {set(own)}"
            continue
        for key, p in own.items():
            for what, one, other in (
                ("contracts", positions[key]["contracts"], p.contracts),
                ("entry", positions[key]["entryPrice"], p.entry),
                ("margin", positions[key]["positionMargin"] if p.isolated else 0.0, p.margin),
            ):
                if far(one, other):
                    yield f"{name}: {what} {one} but {float(other)} of {key}"
        if len(face.fetch_open_orders()) != sum(o.account == name for o in reference.orders):
            yield (
                f"{name}: {len(face.fetch_open_orders())} open orders but "
                f"{sum(o.account == name for o in reference.orders)}"
            )
    if far(main.insurance_fund(code), reference.fund):
        yield f"fund {main.insurance_fund(code)} but {float(reference.fund)}"


def first_difference(seed: int) -> str:
    """Play a scenario on both; tell the first difference, or nothing."""
    scenario = Scenario(seed)
    faces, reference = scenario.paper(), scenario.reference()
    for number in range(scenario.bars):
        faces["main"].step(3 if number == 0 else 4)
        rows = (
            {s: tuple(map(exact, feeds[s][number])) for s in feeds}
            for feeds in (scenario.last, scenario.mark)
        )
        reference.bar(number, *rows)
        found = list(differences(scenario, faces, reference))
        if found:
            return f"seed {seed}, bar {number}, {scenario.has}, {scenario.choices}: " + "; ".join(
                found
            )
        found = [*act(scenario, faces, reference), *differences(scenario, faces, reference)]
        if found:
            return f"seed {seed}, after the orders of bar {number}, {scenario.has}: " + "; ".join(
                found
            )
    SEEN.update(trade.kind for trade in reference.trades)
    SEEN["scenarios"] += 1
    return ""


@pytest.mark.parametrize("tens", range(SCENARIOS // 10))
def test_the_exchange_does_what_exact_arithmetic_says(tens: int) -> None:
    found = [first_difference(seed) for seed in range(tens * 10, tens * 10 + 10)]
    assert not any(found), "\n".join(filter(None, found))


def test_the_scenarios_hold_enough_of_everything() -> None:
    for tens in range(0 if SEEN["scenarios"] >= SCENARIOS else SCENARIOS // 10):
        test_the_exchange_does_what_exact_arithmetic_says(tens)
    assert SEEN["fill"] > 3_000
    assert SEEN["liquidation"] > 500
    assert SEEN["auto-deleveraging"] > 50
    assert REFUSED["market InsufficientFunds"] + REFUSED["limit InsufficientFunds"] > 300
    assert ACCEPTED["trail"] > 100


if __name__ == "__main__":
    count, begin = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for seed in range(begin, begin + count):
        if found := first_difference(seed):
            print(found)
    print(dict(SEEN), dict(REFUSED), dict(ACCEPTED))

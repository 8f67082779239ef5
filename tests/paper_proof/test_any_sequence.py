"""Random sequences of everything a trader can do, on one and several accounts, 10 000 steps."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from leverage import TierTable
from leverage.paper import PaperExchange, Rules, exchange_errors

HOUR = 3_600_000
START = 1_704_067_200_000
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
SYMBOLS = (BTC, ETH)
BARS = 70
STEPS, EXAMPLES = 50, 225
EXACT = 1e-9

# Two tiers within reach, so that positions are cut before they are closed.
TIERS = TierTable.marginal([0, 50_000, 200_000, 10_000_000], [0.005, 0.02, 0.1], [50, 20, 5])
RULES: dict[str, dict[str, Any]] = {
    "binance": {"venue": "binance"},
    "bitget": {"venue": "bitget", "overrides": {"tiers": TIERS, "funding_interval_hours": 8}},
    "bybit": {
        "venue": "bybit",
        "on": "2025-06-01",
        "overrides": {"tiers": TIERS, "funding_interval_hours": 8},
    },
    "own, with a debt": {
        "rules": Rules(
            requirement="maintenance at mark",
            taker_fee_rate=0.0005,
            maker_fee_rate=0.0002,
            tiers=TIERS,
            max_leverage=50,
            liquidation_fee_rate=0.01,
            insurance_fund=False,
            auto_deleveraging=False,
            negative_balance_protection=False,
            funding_interval_hours=4,
        )
    },
    "own, deleveraging": {
        "rules": Rules(
            requirement="closing fee inside",
            taker_fee_rate=0.0005,
            maker_fee_rate=-0.0001,
            tiers=TIERS,
            max_leverage=50,
            call_level=0.8,
            funding_interval_hours=8,
            takeover="market",
        )
    },
}


def feed(seed: int, start: float, volatility: float) -> list[list[float]]:
    """Hourly bars with jumps between them, a crash now and then, and an outage."""
    rng = np.random.default_rng(seed)
    skipped = set(range(20, 20 + int(rng.integers(0, 6))))
    rows, price = [], start
    for number in range(BARS):
        opens = price * math.exp(volatility * 0.3 * rng.standard_normal())
        shock = -0.12 if rng.random() < 0.02 else 0.12 if rng.random() < 0.02 else 0.0
        price = opens * math.exp(volatility * rng.standard_normal() + shock)
        high = max(opens, price) * (1 + 0.4 * volatility * rng.random())
        low = min(opens, price) * (1 - 0.4 * volatility * rng.random())
        if number not in skipped:
            rows.append([START + number * HOUR, opens, high, low, price, 10.0])
    return rows


def normal(value: Any) -> Any:
    """Make an answer that can be compared: numbers as written, order of keys without meaning."""
    return json.loads(json.dumps(value, sort_keys=True, default=str))


def whole_state(paper: Any) -> str:
    """Everything that a save would keep."""
    path = Trading.folder / "saved"
    path.unlink(missing_ok=True)
    paper.save(path)
    return path.read_text(encoding="utf-8")


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Name the places at which two saves differ, texts inside that are JSON too."""
    if isinstance(one, str) and isinstance(other, str) and one[:1] == other[:1] == "{":
        one, other = json.loads(one), json.loads(other)
    if isinstance(one, dict) and isinstance(other, dict):
        keys = one.keys() | other.keys()
        pairs = [(f"{where}.{key}", one.get(key), other.get(key)) for key in sorted(keys)]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{where}[{n}]", *both) for n, both in enumerate(zip(one, other, strict=True))]
    else:
        return [] if one == other else [f"{where}: {str(one)[:200]} / {str(other)[:200]}"]
    return [found for name, a, b in pairs for found in differences(a, b, name)]


def same(one: str, other: str, what: str) -> None:
    """Assert that two saves hold the same, in whatever order, and say where they do not."""
    if one != other:
        found = [place for place in differences(one, other) if not place.startswith(".checksum")]
        assert not found, f"{what}: {found[:8]}"


class Trading(RuleBasedStateMachine):
    """A market with three accounts, and everything that may happen to them."""

    taken: ClassVar[Counter[str]] = Counter()
    folder: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = []
        self.final: dict[str, Any] = {}
        self.faces: dict[str, Any] = {}

    @initialize(
        rules=st.sampled_from(sorted(RULES)),
        seed=st.integers(0, 10_000),
        volatility=st.sampled_from([0.01, 0.03, 0.06]),
        spread=st.sampled_from([0.0, 0.0004]),
        liquidity=st.sampled_from([math.inf, 0.7]),
        accounts=st.sampled_from([1, 3]),
        fund=st.sampled_from([0.0, 500.0]),
        mode=st.sampled_from(["cross", "isolated"]),
        hedged=st.booleans(),
        leverage=st.sampled_from([3, 20]),
    )
    def open(
        self,
        rules: str,
        seed: int,
        volatility: float,
        spread: float,
        liquidity: float,
        accounts: int,
        fund: float,
        mode: str,
        hedged: bool,
        leverage: int,
    ) -> None:
        def make() -> Any:
            paper = PaperExchange(
                {BTC: feed(seed, 50_000.0, volatility), ETH: feed(seed + 1, 3_000.0, volatility)},
                **RULES[rules],
                balance=20_000,
                funding={BTC: 0.0003, ETH: -0.0005},
                insurance_fund=fund,
                spread=spread,
                liquidity=liquidity,
            )
            for number in range(1, accounts):
                paper.open_account(f"other{number}", 5_000 * number)
            return paper

        self.make = make
        self.paper = make()
        self.names = self.paper.accounts()
        for name in self.names:
            for symbol in SYMBOLS:
                if mode == "isolated":
                    self.call_as(name, "set_margin_mode", mode, symbol)
                self.call_as(name, "set_leverage", leverage, symbol)
            if hedged:
                self.call_as(name, "set_position_mode", True)
        self.state = whole_state(self.paper)
        self.changed = False
        self.count = 0

    # ---- what can be done

    def face(self, name: str) -> Any:
        """The face of an account, made once for each exchange."""
        if name not in self.faces:
            self.faces[name] = self.paper.account(name)
        return self.faces[name]

    def call_as(self, name: str, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method for an account, and note it for the replay."""
        type(self).taken[method] += 1
        self.calls.append((name, method, arguments, named))
        return getattr(self.face(name), method)(*arguments, **named)

    def free_margin(self, name: str) -> float:
        return float(self.face(name).fetch_balance()["USDT"]["free"])

    def call(self, who: int, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method for an account; a refusal must leave everything as it was."""
        name = self.names[who % len(self.names)]
        free = {n: self.free_margin(n) for n in self.names}
        refused = None
        try:
            answer = self.call_as(name, method, *arguments, **named)
        except exchange_errors.BaseError as refusal:
            type(self).taken[f"{method}: {type(refusal).__name__}"] += 1
            refused = str(refusal)
        if refused is not None:
            assert refused
            return None
        self.changed = True
        if method not in ("step", "run_until"):
            for n, amount in free.items():
                now = self.free_margin(n)
                worst = min(amount, 0.0) - 1e-6 * (1 + abs(amount))
                assert now >= worst, f"{method} made {n}'s free margin {now} from {amount}"
        return answer

    who = st.integers(0, 2)
    symbol = st.sampled_from(SYMBOLS)
    side = st.sampled_from(["buy", "sell"])
    size = st.sampled_from([0.01, 0.1, 0.5, 1.0, 3.0, 10.0])
    place = st.floats(-0.06, 0.06).map(lambda share: round(share, 4))
    flags = st.fixed_dictionaries(
        {},
        optional={
            "reduceOnly": st.just(True),
            "timeInForce": st.sampled_from(["GTC", "IOC", "FOK", "PO"]),
            "triggerPriceType": st.sampled_from(["last", "mark", "index"]),
        },
    )

    @rule(who=who, symbol=symbol, side=side, size=size, flags=flags)
    def market_order(self, who: int, symbol: str, side: str, size: float, flags: Any) -> None:
        amount = size if symbol == BTC else size * 10
        self.call(who, "create_order", symbol, "market", side, amount, None, flags)

    @rule(who=who, symbol=symbol, side=side, size=size, bars=st.integers(0, 3))
    def plain_market_order(self, who: int, symbol: str, side: str, size: float, bars: int) -> None:
        amount = size if symbol == BTC else size * 10
        self.call(who, "create_order", symbol, "market", side, amount)
        if bars:
            self.step(bars, "bar")

    @rule(who=who, symbol=symbol, side=side, bars=st.integers(0, 4))
    def as_large_as_it_can_be(self, who: int, symbol: str, side: str, bars: int) -> None:
        face = self.face(self.names[who % len(self.names)])
        leverage = face.fetch_leverage(symbol)["longLeverage"]
        value = max(face.snapshot()["free"], 0.0) * leverage * 0.9
        amount = round(value / face.last_price(symbol), 3)
        self.call(who, "create_order", symbol, "market", side, amount)
        if bars:
            self.step(bars, "bar")

    @rule(
        who=who, symbol=symbol, side=side, size=size, place=place, flags=flags, post=st.booleans()
    )
    def limit_order(
        self, who: int, symbol: str, side: str, size: float, place: float, flags: Any, post: bool
    ) -> None:
        price = round(self.paper.last_price(symbol) * (1 + place), 1)
        extra = {"postOnly": True} if post else {}
        self.call(who, "create_order", symbol, "limit", side, size, price, {**flags, **extra})

    @rule(
        who=who,
        symbol=symbol,
        side=side,
        size=size,
        place=place,
        kind=st.sampled_from(["triggerPrice", "stopLossPrice", "takeProfitPrice"]),
        limit=st.booleans(),
        flags=flags,
    )
    def trigger_order(
        self,
        who: int,
        symbol: str,
        side: str,
        size: float,
        place: float,
        kind: str,
        limit: bool,
        flags: Any,
    ) -> None:
        trigger = self.paper.last_price(symbol) * (1 + place)
        extra = {**flags, kind: trigger}
        type_, price = ("limit", round(trigger, 1)) if limit else ("market", None)
        self.call(who, "create_order", symbol, type_, side, size, price, extra)

    @rule(who=who, symbol=symbol, side=side, size=size, width=st.floats(0.2, 8))
    def trailing_order(self, who: int, symbol: str, side: str, size: float, width: float) -> None:
        extra = {"trailingPercent": round(width, 2), "reduceOnly": True}
        self.call(who, "create_order", symbol, "market", side, size, None, extra)

    @rule(who=who, symbol=symbol, side=side, size=size, width=st.floats(0.002, 0.05))
    def protected_order(self, who: int, symbol: str, side: str, size: float, width: float) -> None:
        last, sign = self.paper.last_price(symbol), 1 if side == "buy" else -1
        extra = {
            "stopLoss": {"triggerPrice": round(last * (1 - sign * width), 1)},
            "takeProfit": {"triggerPrice": round(last * (1 + sign * width), 1)},
        }
        self.call(who, "create_order", symbol, "market", side, size, None, extra)

    @rule(who=who, symbol=symbol, word=st.sampled_from(["a", "b"]), size=size)
    def named_order(self, who: int, symbol: str, word: str, size: float) -> None:
        price = round(self.paper.last_price(symbol) * 0.97, 1)
        extra = {"clientOrderId": word}
        self.call(who, "create_order", symbol, "limit", "buy", size, price, extra)

    def any_order(self, who: int, pick: int) -> tuple[str, str] | None:
        orders = self.face(self.names[who % len(self.names)]).fetch_orders()
        if not orders:
            return None
        order = orders[-1 - pick % len(orders)]
        return order["id"], order["symbol"]

    @rule(who=who, pick=st.integers(0, 6))
    def cancel(self, who: int, pick: int) -> None:
        if found := self.any_order(who, pick):
            self.call(who, "cancel_order", *found)

    @rule(who=who, pick=st.integers(0, 6), size=size, place=place)
    def edit(self, who: int, pick: int, size: float, place: float) -> None:
        if found := self.any_order(who, pick):
            price = round(self.paper.last_price(found[1]) * (1 + place), 1)
            self.call(who, "edit_order", *found, "limit", "buy", size, price)

    @rule(who=who, symbol=symbol)
    def cancel_all(self, who: int, symbol: str) -> None:
        self.call(who, "cancel_all_orders", symbol)

    @rule(who=who, symbol=symbol, leverage=st.sampled_from([1, 3, 10, 20, 50, 200]))
    def leverage(self, who: int, symbol: str, leverage: int) -> None:
        self.call(who, "set_leverage", leverage, symbol)

    @rule(who=who, symbol=symbol, mode=st.sampled_from(["cross", "isolated"]))
    def margin_mode(self, who: int, symbol: str, mode: str) -> None:
        self.call(who, "set_margin_mode", mode, symbol)

    @rule(who=who, hedged=st.booleans())
    def position_mode(self, who: int, hedged: bool) -> None:
        self.call(who, "set_position_mode", hedged)

    @rule(
        who=who,
        symbol=symbol,
        method=st.sampled_from(["add_margin", "reduce_margin"]),
        amount=st.sampled_from([1.0, 100.0, 2_000.0]),
    )
    def change_margin(self, who: int, symbol: str, method: str, amount: float) -> None:
        self.call(who, method, symbol, amount)

    @rule(
        who=who,
        amount=st.sampled_from([0.5, 300.0, 4_000.0, 1e9]),
        way=st.sampled_from([("spot", "swap"), ("swap", "spot")]),
    )
    def transfer(self, who: int, amount: float, way: tuple[str, str]) -> None:
        self.call(who, "transfer", "USDT", amount, *way)

    @rule(who=who, amount=st.sampled_from([10.0, 5_000.0]))
    def deposit(self, who: int, amount: float) -> None:
        self.call(who, "deposit", "USDT", amount)

    @rule(who=who, amount=st.sampled_from([10.0, 5_000.0]))
    def withdraw(self, who: int, amount: float) -> None:
        self.call(who, "withdraw", "USDT", amount, "paper")

    @rule(count=st.integers(1, 4), unit=st.sampled_from(["tick", "bar"]))
    def pass_some_time(self, count: int, unit: str) -> None:
        self.step(count, unit)

    @rule(count=st.integers(1, 8))
    def pass_bars(self, count: int) -> None:
        self.step(count, "bar")

    def step(self, count: int, unit: str) -> None:
        with self.losses_bounded():
            self.call(0, "step", count, unit)

    @rule(hours=st.integers(-1, 6))
    def run_until(self, hours: int) -> None:
        with self.losses_bounded():
            self.call(0, "run_until", self.paper.now + hours * HOUR)

    @contextmanager
    def losses_bounded(self) -> Iterator[None]:
        """While time passes, an isolated position takes its own margin and no more.

        Looked at where nothing else moves money: isolated positions without orders. A venue
        without insurance fund, deleveraging and protection lets the loss run into the wallet.
        """
        rules = self.paper.rules
        bounded = rules.insurance_fund or rules.auto_deleveraging
        bounded = bounded or rules.negative_balance_protection
        last = max((posting["id"] for posting in self.paper.postings()), default=0)
        backing: dict[tuple[str, str], float] = {}
        for name in self.names:
            face = self.face(name)
            positions = face.fetch_positions()
            if face.fetch_open_orders() or any(p["marginMode"] == "cross" for p in positions):
                continue
            for position in positions:
                margin = position["collateral"] - position["unrealizedPnl"]
                key = name, position["symbol"]
                backing[key] = backing.get(key, 0.0) + margin
        yield
        moved: Counter[tuple[str, str, bool]] = Counter()
        for posting in self.paper.postings():
            if posting["id"] > last:
                for role, sign in (("source", -1), ("target", 1)):
                    owner = posting[role].partition(":")[0].partition("/")[0]
                    funding = posting["cause"] == "funding"
                    moved[owner, posting["symbol"], funding] += sign * posting["amount"]
        for (name, symbol), margin in backing.items():
            if bounded:
                received = max(moved[name, symbol, True], 0.0)
                loss = -moved[name, symbol, False]
                assert loss <= (margin + received) * (1 + EXACT) + EXACT, (name, symbol)

    @rule()
    def save_and_resume(self) -> None:
        (self.folder / "saved").unlink(missing_ok=True)
        self.paper.save(self.folder / "saved")
        self.paper = PaperExchange.resume(self.folder / "saved")
        self.faces = {}

    # ---- what always holds

    @invariant()
    def refusing_resuming_and_looking_change_nothing(self) -> None:
        if not hasattr(self, "paper"):
            return
        # One save a step, and two at every third: a call that is refused, a resumed run and a
        # look must all leave what the step before left.
        self.count += 1
        type(self).taken["steps"] += 1
        if self.changed and self.count % 3 == 0:
            self.state = whole_state(self.paper)
            self.changed = False
        for name in self.names[self.count % len(self.names) :][:1]:
            face = self.face(name)
            face.fetch_balance(), face.fetch_balance({"type": "spot"})
            face.fetch_positions(), face.fetch_orders(), face.fetch_open_orders()
            face.fetch_closed_orders(), face.fetch_my_trades(), face.fetch_ledger()
            face.fetch_my_liquidations(), face.fetch_funding_history(), face.snapshot()
            face.events(), face.check_ledger(), face.postings(), face.margin_ratio()
        for symbol in SYMBOLS[self.count % 2 :][:1]:
            face.fetch_position(symbol), face.fetch_ticker(symbol), face.fetch_ohlcv(symbol)
            face.fetch_order_book(symbol), face.fetch_trades(symbol, None, 9)
            face.fetch_funding_rate(symbol), face.fetch_funding_rate_history(symbol)
            face.fetch_market_leverage_tiers(symbol)
            face.preview_order(symbol, "market", "buy", 1)
        state = whole_state(self.paper)
        if not self.changed:
            same(self.state, state, "the state changed")
        self.state = state
        self.changed = False

    @invariant()
    def ledger_balances(self) -> None:
        if not hasattr(self, "paper"):
            return
        for code, sums in self.paper.check_ledger().items():
            held = sums["accounts"] + sums["market"] + sums["insurance_fund"] + sums["fees"]
            came = sums["deposits"] - sums["withdrawals"]
            largest = max(abs(value) for value in sums.values())
            assert abs(held - came) <= EXACT * max(largest, 1.0), code
        self.postings_make_the_balances()

    def postings_make_the_balances(self) -> None:
        """Add every posting up by hand, from zero, and compare with what accounts are shown."""
        cash: Counter[tuple[str, str]] = Counter()
        scale = 1.0
        for posting in self.paper.postings():
            assert posting["cause"]
            assert posting["amount"] >= 0 or posting["source"] != posting["target"]
            cash[posting["source"], posting["currency"]] -= posting["amount"]
            cash[posting["target"], posting["currency"]] += posting["amount"]
            scale += abs(posting["amount"])
        for name in self.names:
            face = self.face(name)
            entries = face.fetch_ledger("USDT")
            moved = math.fsum(
                entry["amount"] * (1 if entry["direction"] == "in" else -1) for entry in entries
            )
            own = {wallet: cash[f"{name}/{wallet}", "USDT"] for wallet in ("spot", "swap")}
            mine = math.fsum(own.values())
            shown = {
                "spot": face.fetch_balance({"type": "spot"})["total"].get("USDT", 0.0),
                "swap": face.fetch_balance()["info"]["USDT"]["walletBalance"],
            }
            for wallet, amount in own.items():
                assert abs(shown[wallet] - amount) <= EXACT * scale, (name, wallet)
            assert abs(moved - mine) <= EXACT * scale, (name, moved, mine, sorted(cash))

    @invariant()
    def nobody_stays_below_the_requirement(self) -> None:
        if not hasattr(self, "paper"):
            return
        for name in self.names:
            face = self.face(name)
            if not all(face.is_open(symbol) for symbol in SYMBOLS):
                continue
            for position in face.fetch_positions():
                assert position["marginRatio"] < 1, (name, position)

    @invariant()
    def no_order_fills_twice(self) -> None:
        if not hasattr(self, "paper"):
            return
        for name in self.names:
            face = self.face(name)
            trades = face.fetch_my_trades()
            assert len({trade["id"] for trade in trades}) == len(trades)
            filled: Counter[str] = Counter()
            for trade in trades:
                filled[trade["order"]] += trade["amount"]
            for order in face.fetch_orders():
                assert order["filled"] <= order["amount"] * (1 + EXACT)
                assert abs(filled[order["id"]] - order["filled"]) <= EXACT * order["amount"]
                assert abs(order["remaining"] - (order["amount"] - order["filled"])) <= EXACT
                if order["status"] != "open":
                    first = self.final.setdefault(f"{name} {order['id']}", normal(order))
                    assert first == normal(order), "a closed order changed"

    def teardown(self) -> None:
        """Do the same calls again, without saving and resuming: the same ledger, to the digit."""
        if not hasattr(self, "paper"):
            return
        for event in self.paper.events():
            type(self).taken[f"event: {event['kind']}"] += 1
        for name in self.names:
            trades = self.face(name).fetch_my_trades()
            type(self).taken["event: trade"] += len(trades)
        again = self.make()
        for name, method, arguments, named in self.calls:
            try:
                getattr(again.account(name), method)(*arguments, **named)
            except exchange_errors.BaseError:
                continue
        same(whole_state(again), whole_state(self.paper), "the same calls gave another run")


def test_any_sequence_of_operations_keeps_the_laws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The state is looked at through thousands of saves, which need not survive a power cut, and
    # hold the same feed every time.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(zlib, "compress", lru_cache(200)(zlib.compress))
    Trading.taken.clear()
    Trading.folder = tmp_path
    run_state_machine_as_test(
        Trading,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Trading.taken["steps"] >= 10_000

"""A loss beyond an account's money is carried by those who won it, or by fund and market."""

from __future__ import annotations

from math import isclose, isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leverage import TierTable
from leverage.paper import Market, PaperExchange, Rules, ledger
from leverage.paper.state import State

START = 1_600_000_000_000
BTC, ETH, COIN = "BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USD:BTC"
STEPS = {BTC: Market(0.1, 0.001), ETH: Market(0.1, 0.001)}
FLAT = TierTable.flat(0.004, max_leverage=125)
TIERS = TierTable.marginal([0, 20_000, 60_000, 1e9], [0.004, 0.02, 0.1], [125, 60, 50])


def jump(prices: dict[str, tuple[float, float]], **options: Any) -> PaperExchange:
    """An exchange on which every symbol jumps once, an hour after the start."""
    feeds = {
        symbol: [[START, before], [START + 3_600_000, after]]
        for symbol, (before, after) in prices.items()
    }
    return PaperExchange(feeds, ticks=True, **options)


def order(face: PaperExchange, symbol: str, side: int, amount: float, leverage: float) -> None:
    face.set_leverage(leverage, symbol)
    face.create_order(symbol, "market", "buy" if side > 0 else "sell", amount)


def kinds(face: PaperExchange) -> list[str]:
    return [trade["info"]["kind"] for trade in face.fetch_my_trades()]


def two_symbols(btc_short: float = 0.0, **rules: Any) -> tuple[PaperExchange, PaperExchange]:
    """The case of issue 14: long BTC and ETH in cross margin, another is short ETH."""
    exchange = jump(
        {BTC: (50_000, 40_000), ETH: (3_000, 2_900)},
        rules=Rules(tiers=FLAT, taker_fee_rate=0.0005, **rules),
        balance=3_000,
        markets=STEPS,
    )
    other = exchange.open_account("other", 100_000 if btc_short else 1_000)
    order(exchange, BTC, 1, 2, 50)
    order(exchange, ETH, 1, 0.5, 20)
    order(other, ETH, -1, 0.5, 20)
    if btc_short:
        order(other, BTC, -1, btc_short, 20)
    exchange.run_until()
    return exchange, other


@pytest.mark.parametrize("sizes", [(1, 3), (3, 1), (0.3, 0.9), (0.7, 2.1)])
def test_equal_winners_are_ranked_by_name(ticks, rules, sizes):
    """Same entry, leverage and mode: their ranks differ by rounding errors alone."""
    exchange = ticks(91.2, 118.2, rules=rules(), balance=1_000)
    for name, size in zip("ba", sizes, strict=True):
        face = exchange.open_account(name, 1_000)
        face.set_margin_mode("isolated", BTC)
        face.create_order(BTC, "market", "buy", size)
    exchange.run_until()
    assert exchange.adl_ranking(BTC, "long") == ["a", "b"]


def test_a_bystander_in_another_symbol_keeps_the_profit():
    exchange, other = two_symbols()
    assert kinds(other) == ["fill"]
    assert other.equity() == pytest.approx(1_000 - 0.75 + 50)
    assert [(d["symbol"], d["price"]) for d in exchange.fetch_my_liquidations()] == [
        (BTC, 40_000),
        (ETH, 2_900),
    ]
    # 3 000 - 50.75 of fees; the long in ETH lost 50, the rest is what BTC could lose: to 48 550.375.
    bankrupt = exchange.fetch_my_liquidations()[0]["info"]["bankruptcyPrice"]
    assert bankrupt == pytest.approx(48_550.375, rel=1e-12)
    sums = exchange.check_ledger()["USDT"]
    assert exchange.equity() == pytest.approx(0, abs=1e-9)
    assert sums["fees"] > 0
    assert sums["market"] == pytest.approx(2_949.25)


@pytest.mark.parametrize(("short", "taken"), [(2, 2), (3, 2), (1.5, 1.5)])
def test_who_is_short_and_in_profit_is_closed_at_the_bankruptcy_price(short, taken):
    exchange, other = two_symbols(short)
    (trade,) = [t for t in other.fetch_my_trades() if t["info"]["kind"] == "auto-deleveraging"]
    assert (trade["symbol"], trade["amount"]) == (BTC, taken)
    assert trade["price"] == pytest.approx(48_550.375, rel=1e-12)
    assert other.fetch_position(ETH)["unrealizedPnl"] == pytest.approx(50)
    assert exchange.equity() == pytest.approx(0, abs=1e-9)
    paid = [p for p in exchange.postings() if p["cause"] == "negative balance protection"]
    assert sum(p["amount"] for p in paid) == pytest.approx((2 - taken) * 8_550.375)


def test_an_inverse_hedge_that_fails_leaves_every_amount_finite():
    exchange = jump(
        {COIN: (100, 300)},
        rules=Rules(tiers=TierTable.flat(0.004, max_leverage=125), contract="inverse"),
        balance={"BTC": 0.6},
    )
    exchange.set_position_mode(True)
    other = exchange.open_account("other", {"BTC": 1})
    order(exchange, COIN, -1, 1_000, 20)
    order(exchange, COIN, 1, 100, 20)
    order(other, COIN, -1, 100, 20)
    exchange.run_until()
    assert all(isfinite(posting["amount"]) for posting in exchange.postings())
    assert exchange.fetch_balance()["BTC"]["total"] == pytest.approx(0, abs=1e-12)
    assert other.equity() == pytest.approx(1 - 100 * (1 / 100 - 1 / 300))
    short, long = exchange.fetch_my_liquidations()
    # 0.6 and what the long leg won, 0.6667, is what 1 000 short contracts could lose.
    assert short["info"]["bankruptcyPrice"] == pytest.approx(1 / (0.01 - 1.2666666667 / 1_000))
    assert long["price"] == 300


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), float("-inf")])
def test_no_amount_that_is_not_finite_can_be_posted(amount):
    state = State()
    with pytest.raises(ArithmeticError, match="finite"):
        ledger.move(state, "outside", "main/swap", "USDT", amount, "trade")
    assert state == State()


def test_nobody_is_deleveraged_into_a_loss():
    """Short from 92 is in profit at 80, and would have lost at the bankruptcy price of 95."""
    feed = [[START, 100], [START + 1, 92], [START + 2, 100], [START + 3, 80]]
    exchange = PaperExchange({BTC: feed}, ticks=True, rules=Rules(tiers=FLAT), balance=1_000)
    late, early = exchange.open_account("late", 1_000), exchange.open_account("early", 1_000)
    order(early, BTC, -1, 4, 2)
    exchange.step()
    order(late, BTC, -1, 20, 20)
    exchange.step()
    exchange.set_margin_mode("isolated", BTC)
    order(exchange, BTC, 1, 10, 20)
    exchange.step()
    assert kinds(late) == ["fill"]
    assert kinds(early) == ["fill", "auto-deleveraging"]
    assert early.fetch_my_trades()[-1]["price"] == pytest.approx(95)


SYMBOLS = {BTC: 50_000.0, ETH: 3_000.0}


@settings(max_examples=settings.default.max_examples * 60 // 100, deadline=None)
@given(data=st.data())
def test_only_winners_pay_at_prices_that_the_loss_explains(data: st.DataObject):
    """Random accounts, symbols, hedge legs and gaps; every forced price is worked out again."""
    is_inverse = data.draw(st.booleans(), label="inverse")
    starts = {COIN: 50_000.0} if is_inverse else SYMBOLS
    code = "BTC" if is_inverse else "USDT"
    gaps = {s: data.draw(st.floats(-0.6, 1.5), label=f"gap {s}") for s in starts}
    exchange = jump(
        {s: (price, round(price * (1 + gaps[s]), 1)) for s, price in starts.items()},
        rules=Rules(
            tiers=FLAT if is_inverse else data.draw(st.sampled_from([FLAT, TIERS]), label="tiers"),
            taker_fee_rate=0.0005,
            auto_deleveraging=data.draw(st.integers(0, 3), label="deleverages") > 0,
            contract="inverse" if is_inverse else "linear",
            takeover=data.draw(st.sampled_from(["bankruptcy", "market"])),
        ),
        balance={code: 0.0},
        insurance_fund={code: data.draw(st.sampled_from([0.0, 0.05, 500.0]))},
    )
    faces = []
    for number in range(data.draw(st.integers(2, 4), label="accounts")):
        money = data.draw(st.floats(0.2, 2.0), label="money") * (1 if is_inverse else 5_000)
        face = exchange.open_account(f"a{number}", {code: money})
        faces.append(face)
        hedged = data.draw(st.booleans(), label="hedged")
        if hedged:
            face.set_position_mode(True)
        for symbol, price in starts.items():
            if data.draw(st.booleans(), label="isolated"):
                face.set_margin_mode("isolated", symbol)
            leverage = data.draw(st.sampled_from([2, 10, 50]))
            face.set_leverage(leverage, symbol)
            for side in (1, -1) if hedged else data.draw(st.sampled_from([(1,), (-1,), ()])):
                share = data.draw(st.floats(0.05, 0.45)) * leverage * face.snapshot()["free"]
                amount = round(share * price) if is_inverse else round(share / price, 3)
                if amount:
                    order_side = "buy" if side > 0 else "sell"
                    refused = face.preview_order(symbol, "market", order_side, amount)["refusals"]
                    if not refused:
                        face.create_order(symbol, "market", order_side, amount)
    before = {
        (face._name, p["symbol"], p["side"]): p for face in faces for p in face.fetch_positions()
    }
    exchange.step()
    marks = {s: exchange.mark_price(s) for s in starts}
    for face in faces:
        # Nobody is left with a debt, or with a position that should be closed.
        assert face.equity(code) >= -1e-9
        assert face.margin_ratio(code) < 1
        assert all(p["marginRatio"] < 1 for p in face.fetch_positions())
        for done in face.fetch_my_liquidations():
            held = before[face._name, done["symbol"], done["info"]["side"]]
            way = 1 if held["side"] == "long" else -1
            entry, mark, price = held["entryPrice"], marks[done["symbol"]], done["price"]
            if price != mark:
                # Deleveraged: between the mark and the entry, so that the loss explains it.
                assert way * (entry - price) >= -1e-9 * entry
                assert way * (price - mark) >= -1e-9 * mark
                assert price == done["info"]["bankruptcyPrice"]
    for face in faces:
        for trade in face.fetch_my_trades():
            if trade["info"]["kind"] != "auto-deleveraging":
                continue
            assert exchange.rules.auto_deleveraging
            partners = [
                (other, t)
                for other in faces
                for t in other.fetch_my_trades()
                if t["info"]["kind"] == "auto-deleveraging"
                and (t["symbol"], t["price"], t["amount"]) == (
                    trade["symbol"], trade["price"], trade["amount"])
                and t["side"] != trade["side"] and other._name != face._name
            ]  # fmt: skip
            assert partners
            was_long = trade["side"] == "sell"
            held = before[face._name, trade["symbol"], "long" if was_long else "short"]
            way = 1 if was_long else -1
            is_winner = way * (marks[trade["symbol"]] - held["entryPrice"]) > 0
            if is_winner:
                assert trade["info"]["realizedPnl"] > 0
            else:
                assert any(
                    d["price"] == trade["price"]
                    for d in face.fetch_my_liquidations(trade["symbol"])
                )
    sums = exchange.check_ledger()[code]
    assert sums["insurance_fund"] >= -1e-12
    assert sums["fees"] >= 0
    assert isclose(sums["difference"], 0.0, abs_tol=1e-9 * max(sums["scale"], 1.0))
    for posting in exchange.postings():
        assert isfinite(posting["amount"])
        if posting["cause"] in ("insurance fund", "negative balance protection"):
            payers = {posting["source"], posting["target"]} & {"insurance fund", "market"}
            assert payers

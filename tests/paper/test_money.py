"""Every change of money is a posting, and what is posted adds up."""

from __future__ import annotations

import pytest

import leverage as lv
from leverage.paper import FundingModel, PaperExchange, exchange_errors

BTC = "BTC/USDT:USDT"
HOUR = 3_600_000
START = 1_600_000_000_000 // 86_400_000 * 86_400_000


def day(price=100.0, hours=25):
    return [[START + n * HOUR, price, price, price, price, 1] for n in range(hours)]


def test_a_beginner_takes_the_steps_in_their_order(ticks):
    exchange = ticks(100, balance=None)
    with pytest.raises(exchange_errors.AuthenticationError, match="sign_up"):
        exchange.fetch_balance()
    exchange.sign_up()
    with pytest.raises(exchange_errors.PermissionDenied, match="verify"):
        exchange.deposit("USDT", 100)
    exchange.verify()
    exchange.deposit("USDT", 100)
    with pytest.raises(exchange_errors.AccountNotEnabled, match="enable_margin"):
        exchange.create_order(BTC, "market", "buy", 1)
    exchange.enable_margin()
    assert exchange.fetch_balance()["USDT"]["total"] == 0
    exchange.transfer("USDT", 60, "spot", "swap")
    assert exchange.fetch_balance()["USDT"]["free"] == 60
    assert exchange.fetch_balance({"type": "spot"})["USDT"]["free"] == 40
    exchange.withdraw("USDT", 40)
    assert exchange.check_ledger()["USDT"]["withdrawals"] == 40
    assert exchange.create_order(BTC, "market", "buy", 1)["status"] == "closed"


def test_used_margin_and_open_profit_cannot_leave(ticks):
    exchange = ticks(100, 150, balance=1_000)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 50)
    exchange.step()
    free = exchange.fetch_balance()["info"]["USDT"]
    assert (free["freeMargin"], free["withdrawable"]) == (3_000, 500)
    with pytest.raises(exchange_errors.InsufficientFunds, match=r"501 USDT.*500 USDT are free"):
        exchange.transfer("USDT", 501, "swap", "spot")
    exchange.transfer("USDT", 500, "swap", "spot")
    with pytest.raises(exchange_errors.InsufficientFunds, match="spot wallet"):
        exchange.withdraw("USDT", 500.5)


def test_the_ledger_names_the_cause_of_every_change(ticks, rules, balanced):
    exchange = ticks(100, 110, rules=rules(taker_fee_rate=0.001), balance=1_000)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.step()
    exchange.create_order(BTC, "market", "sell", 1)
    causes = [
        (e["info"]["cause"], e["direction"], round(e["amount"], 6)) for e in exchange.fetch_ledger()
    ]
    assert causes == [
        ("deposit", "in", 1_000),
        ("fee", "out", 0.1),
        ("trade", "in", 10),
        ("fee", "out", 0.11),
    ]
    assert exchange.check_ledger()["USDT"]["market"] == -10
    assert exchange.fetch_ledger()[-1]["after"] == exchange.fetch_balance()["USDT"]["total"]
    assert balanced(exchange)


@pytest.mark.parametrize(("side", "sign"), [("buy", -1), ("sell", 1)])
@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_funding_moves_between_holder_and_market_at_its_interval(rules, side, sign, mode):
    exchange = PaperExchange(day(), rules=rules(), funding=0.001, balance=1_000)
    if mode == "isolated":
        exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", side, 10)
    margin = exchange.fetch_position(BTC)["positionMargin"]
    exchange.run_until()
    payments = exchange.fetch_funding_history(BTC)
    assert [p["timestamp"] - START for p in payments] == [8 * HOUR, 16 * HOUR, 24 * HOUR]
    expected = lv.funding_payment(1 if side == "buy" else -1, 100, 10, 0.001)
    assert [p["amount"] for p in payments] == pytest.approx([expected] * 3)
    assert exchange.equity() == pytest.approx(1_000 + sign * 3)
    if mode == "isolated":
        assert exchange.fetch_position(BTC)["positionMargin"] == pytest.approx(margin + sign * 3)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_closing_a_part_of_what_lives_on_its_profit_makes_no_money(hourly, rules, side, balanced):
    """Funding has eaten more than the margin; open profit carries the position."""
    way = 1 if side == "buy" else -1
    first, then = (100.0, 200.0) if way > 0 else (200.0, 100.0)
    exchange = hourly(
        (first,) * 4,
        (first,) * 4,
        *[(then,) * 4] * 4,
        rules=rules(funding_interval_hours=1),
        funding=way * 0.03,
    )
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(20, BTC)
    exchange.create_order(BTC, "market", side, 1)
    exchange.run_until()
    assert exchange.fetch_position(BTC)["positionMargin"] < 0
    before = exchange.equity()
    exchange.create_order(BTC, "market", "sell" if way > 0 else "buy", 0.5)
    assert exchange.equity() == pytest.approx(before)
    exchange.close_position(BTC)
    assert exchange.equity() == pytest.approx(before)
    assert "negative balance protection" not in exchange.flows("USDT")
    assert balanced(exchange)


def test_a_debt_is_what_is_free_and_nothing_is_used(ticks, rules):
    exchange = ticks(
        100, 50, balance=10,
        rules=rules(
            insurance_fund=False, negative_balance_protection=False, auto_deleveraging=False
        ),
    )  # fmt: skip
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.run_until()
    assert exchange.fetch_balance()["USDT"] == {"free": -40.0, "used": 0.0, "total": -40.0}
    assert [str(amount) for amount in exchange.fetch_balance()["BTC"].values()] == ["0.0"] * 3


def test_dated_rates_settle_at_their_times(rules):
    rates = [(START + 3 * HOUR, 0.001), (START + 5 * HOUR, -0.002)]
    exchange = PaperExchange(day(), rules=rules(), funding=rates, balance=1_000)
    exchange.create_order(BTC, "market", "buy", 10)
    told = exchange.fetch_funding_rate(BTC)
    assert (told["fundingRate"], told["fundingTimestamp"]) == (None, START + 3 * HOUR)
    exchange.run_until(START + 5 * HOUR - 1)
    told = exchange.fetch_funding_rate(BTC)
    assert (told["fundingRate"], told["info"]) == (0.001, {"fundingRate": "last settled"})
    exchange.run_until()
    assert exchange.fetch_funding_rate(BTC)["fundingRate"] == -0.002
    assert [p["amount"] for p in exchange.fetch_funding_history()] == pytest.approx([-1, 2])
    assert [r["fundingRate"] for r in exchange.fetch_funding_rate_history(BTC)] == [0.001, -0.002]


def test_a_model_makes_the_rate_from_the_premium_of_mark_over_index(rules):
    exchange = PaperExchange(
        day(), index=day(99), rules=rules(), funding=FundingModel(), balance=1_000
    )
    assert exchange.fetch_funding_rate(BTC)["info"] == {"fundingRate": "estimate"}
    exchange.run_until()
    expected = lv.funding_rate(1 / 99, 0.0001, clamp_rate=0.0005)
    assert exchange.fetch_funding_rate_history(BTC)[0]["fundingRate"] == pytest.approx(expected)


def test_funding_can_liquidate(rules):
    exchange = PaperExchange(day(), rules=rules(), funding=0.003, balance=100)
    exchange.set_leverage(100, BTC)
    exchange.set_margin_mode("isolated", BTC)
    exchange.create_order(BTC, "market", "buy", 10)
    exchange.run_until()
    # Margin 10, requirement 5: the second payment of 3 brings it to 4.
    assert [d["timestamp"] - START for d in exchange.fetch_my_liquidations()] == [16 * HOUR]


def test_a_spot_margin_position_pays_to_open_and_every_four_hours():
    exchange = PaperExchange(
        day(),
        venue="kraken",
        product="spot_margin",
        balance=1_000,
        overrides={"taker_fee_rate": 0.0, "maker_fee_rate": 0.0},
    )
    exchange.create_order("BTC/USD", "market", "buy", 1)
    exchange.run_until()
    paid = [e["amount"] for e in exchange.fetch_ledger() if e["info"]["cause"] == "rollover"]
    expected = lv.rollover_cost(100, 0.00025, 24.5, opening_rate=0.00025)
    assert len(paid) == 7
    assert sum(paid) == pytest.approx(expected)


def test_interest_is_charged_on_what_is_borrowed():
    exchange = PaperExchange(
        day(hours=11),
        venue="binance",
        product="cross_margin",
        balance=40,
        overrides={"taker_fee_rate": 0.0, "maker_fee_rate": 0.0, "interest_rate": 0.0001},
    )
    exchange.set_leverage(3, "BTC/USD")
    exchange.create_order("BTC/USD", "market", "buy", 1)
    exchange.step(4)
    assert exchange.fetch_ledger()[-1]["amount"] == pytest.approx(60 * 0.0001)


def test_isolated_margin_is_added_and_taken_back(ticks):
    exchange = ticks(100, balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 10)
    before = exchange.fetch_position(BTC)["liquidationPrice"]
    assert exchange.add_margin(BTC, 50)["total"] == 150
    position = exchange.fetch_position(BTC)
    assert position["liquidationPrice"] == pytest.approx(
        lv.liquidation_price(1, 100, 10, 150, 0.005)
    )
    assert position["liquidationPrice"] < before
    assert exchange.reduce_margin(BTC, 50)["total"] == 100
    with pytest.raises(exchange_errors.InsufficientFunds, match="0 are free"):
        exchange.reduce_margin(BTC, 1)
    with pytest.raises(exchange_errors.InsufficientFunds, match="900 USDT are free"):
        exchange.add_margin(BTC, 901)


def test_resting_orders_tie_up_their_margin_and_give_it_back(ticks):
    exchange = ticks(100, balance=100)
    exchange.set_leverage(10, BTC)
    order = exchange.create_order(BTC, "limit", "buy", 9, 90)
    assert exchange.fetch_balance()["USDT"] == {"free": 19.0, "used": 81.0, "total": 100.0}
    with pytest.raises(exchange_errors.InsufficientFunds, match=r"27 USDT.*19 USDT"):
        exchange.create_order(BTC, "limit", "buy", 3, 90)
    exchange.cancel_order(order["id"])
    assert exchange.fetch_balance()["USDT"]["free"] == 100


def test_inverse_contracts_win_and_lose_coins(balanced):
    feed = [[START, 40_000], [START + 60_000, 50_000]]
    exchange = PaperExchange(
        feed,
        ticks=True,
        venue="kraken",
        product="futures_inverse",
        balance=1,
        overrides={"taker_fee_rate": 0.0},
    )
    symbol = exchange.symbols[0]
    exchange.create_order(symbol, "market", "buy", 10_000)
    exchange.step()
    assert exchange.fetch_position(symbol)["unrealizedPnl"] == pytest.approx(0.05)
    exchange.create_order(symbol, "market", "sell", 10_000)
    assert exchange.fetch_balance()["BTC"]["total"] == pytest.approx(1.05)
    assert balanced(exchange)


def test_accounts_share_the_market_and_nothing_else(ticks, balanced):
    exchange = ticks(100, 120)
    other = exchange.open_account("other", {"USDT": 500})
    order = exchange.create_order(BTC, "limit", "buy", 1, 90)
    other.create_order(BTC, "market", "sell", 1)
    exchange.step()
    assert exchange.accounts() == ["main", "other"]
    assert other.equity() == pytest.approx(480)
    assert exchange.equity() == 10_000
    with pytest.raises(exchange_errors.OrderNotFound):
        other.cancel_order(order["id"])
    assert balanced(exchange)

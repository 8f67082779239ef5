"""What is refused has ccxt's name, says the numbers that decided, and changes nothing."""

from __future__ import annotations

import pytest

from leverage import TierTable
from leverage.paper import exchange_errors

BTC = "BTC/USDT:USDT"
NAN = float("nan")


@pytest.fixture
def busy(ticks, rules):
    """A cross long of 10 at 100, one order, in a market with two tiers."""
    table = TierTable.marginal([0, 5_000, 20_000], [0.01, 0.02], [50, 10])
    exchange = ticks(100, 110, rules=rules(tiers=table, taker_fee_rate=0.001), balance=1_000)
    exchange.step()
    exchange.set_leverage(20, BTC)
    exchange.create_order(BTC, "market", "buy", 10)
    exchange.create_order(BTC, "limit", "buy", 1, 90, {"clientOrderId": "mine"})
    return exchange


def order(*arguments):
    return lambda exchange: exchange.create_order(BTC, *arguments)


def call(name, *arguments):
    return lambda exchange: exchange[name](*arguments)


REFUSALS = [
    (call("create_order", "XRP/USDT:USDT", "market", "buy", 1), exchange_errors.BadSymbol, "BTC/USDT:USDT"),
    (order("market", "buy", 0.0001), exchange_errors.InvalidOrder, r"at least 0.001.*was 0.0001"),
    (order("limit", "buy", 0.01, 100), exchange_errors.InvalidOrder, "notional must be at least 5 USDT, was 1"),
    (order("market", "buy", NAN), exchange_errors.InvalidOrder, "positive and finite, was nan"),
    (order("market", "buy", -1), exchange_errors.InvalidOrder, "was -1"),
    (order("market", "buy", True), exchange_errors.InvalidOrder, "must be a number"),
    (order("limit", "buy", 1, NAN), exchange_errors.InvalidOrder, "price must be positive"),
    (order("limit", "buy", 1), exchange_errors.ArgumentsRequired, "price must be given"),
    (order("dream", "buy", 1), exchange_errors.InvalidOrder, "type must be one of"),
    (order("market", "long", 1), exchange_errors.InvalidOrder, "side must be"),
    (order("market", "buy", 45), exchange_errors.OperationRejected, r"6160 USDT.*10x, 20x is set.*5000"),
    (order("market", "buy", 1_000), exchange_errors.OperationRejected, "beyond the last tier"),
    (order("limit", "sell", 60, 120), exchange_errors.OperationRejected, "6000 USDT"),
    (order("market", "buy", 1, None, {"reduceOnly": True}), exchange_errors.InvalidOrder, "short position"),
    (order("market", "sell", 11, None, {"reduceOnly": True}), exchange_errors.InvalidOrder, "10, was 11"),
    (order("limit", "buy", 1, 120, {"postOnly": True}), exchange_errors.OrderImmediatelyFillable, "120"),
    (order("market", "buy", 1, None, {"postOnly": True}), exchange_errors.InvalidOrder, "postOnly"),
    (order("limit", "buy", 1, 90, {"clientOrderId": "mine"}), exchange_errors.DuplicateOrderId, "mine"),
    (order("market", "sell", 1, None, {"stopLossPrice": 120}), exchange_errors.OrderImmediatelyFillable, "110"),
    (order("market", "buy", 1, None, {"takeProfitPrice": 120}), exchange_errors.OrderImmediatelyFillable, "120"),
    (order("market", "sell", 1, None, {"trailingPercent": 95}), exchange_errors.InvalidOrder, "0.01 to 90"),
    (order("market", "buy", 1, None, {"stopLoss": {"triggerPrice": 115}}), exchange_errors.InvalidOrder, "below"),
    (order("market", "buy", 1, None, {"takeProfit": {"price": 115}}), exchange_errors.ArgumentsRequired, "triggerPrice"),
    (order("market", "buy", 1, None, {"positionSide": "long"}), exchange_errors.InvalidOrder, "one-way"),
    (order("market", "buy", 1, None, {"slippage": 1}), exchange_errors.BadRequest, "slippage"),
    (order("market", "buy", 1, None, {"marginMode": "isolated"}), exchange_errors.InvalidOrder, "'cross'"),
    (order("limit", "buy", 1, 90, {"timeInForce": "GTD"}), exchange_errors.InvalidOrder, "GTD"),
    (call("cancel_order", "1", BTC), exchange_errors.OrderNotFound, r"filled \(10 of 10\)"),
    (call("cancel_order", "77", BTC), exchange_errors.OrderNotFound, "no order '77'"),
    (call("cancel_orders", ["2", "1"], BTC), exchange_errors.OrderNotFound, "filled"),
    (call("edit_order", "1", BTC, "market", "buy", 2), exchange_errors.OrderNotFound, "filled"),
    (call("edit_order", "2", BTC, "limit", "sell", 1, 90), exchange_errors.InvalidOrder, "cannot change"),
    (call("edit_order", "2", BTC, "limit", "buy", 1_000, 90), exchange_errors.OperationRejected, "last tier"),
    (call("set_leverage", 51, BTC), exchange_errors.BadRequest, "1 to 50, was 51"),
    (call("set_leverage", NAN, BTC), exchange_errors.BadRequest, "was nan"),
    (call("set_leverage", 1, BTC), exchange_errors.InsufficientFunds, r"at 1x"),
    (call("set_leverage", 5), exchange_errors.ArgumentsRequired, "symbol"),
    (call("set_margin_mode", "isolated", BTC), exchange_errors.OperationRejected, "1 and 1"),
    (call("set_margin_mode", "cross", BTC), exchange_errors.MarginModeAlreadySet, "already"),
    (call("set_margin_mode", "portfolio", BTC), exchange_errors.BadRequest, "portfolio"),
    (call("set_position_mode", True), exchange_errors.OperationRejected, "1 and 1"),
    (call("set_position_mode", False), exchange_errors.NoChange, "one-way"),
    (call("add_margin", BTC, 5), exchange_errors.OperationRejected, "isolated"),
    (call("transfer", "USDT", 990, "swap", "spot"), exchange_errors.InsufficientFunds, "990.00 USDT"),
    (call("transfer", "USDT", 1, "swap", "swap"), exchange_errors.BadRequest, "differ"),
    (call("transfer", "USDT", 1, "swap", "moon"), exchange_errors.BadRequest, "moon"),
    (call("withdraw", "USDT", 1), exchange_errors.InsufficientFunds, "0 USDT are free"),
    (call("deposit", "USDT", NAN), exchange_errors.BadRequest, "nan"),
    (call("deposit", "GOLD", 1), exchange_errors.BadRequest, "GOLD"),
    (call("run_until", 0), exchange_errors.BadRequest, "backwards"),
    (call("step", 0), exchange_errors.BadRequest, "count"),
    (call("step", 1, "year"), exchange_errors.BadRequest, "unit"),
    (call("sign_up"), exchange_errors.NoChange, "already"),
    (call("fetch_ohlcv", BTC, "7m"), exchange_errors.BadRequest, "timeframe"),
    (call("fetch_funding_rate", BTC), exchange_errors.NotSupported, "no funding"),
    (call("fetch_ticker", "BTC"), exchange_errors.BadSymbol, "BTC/USDT:USDT"),
    (call("open_account", "a b", 1), exchange_errors.BadRequest, "spaces"),
    (call("open_account", "new", -1), exchange_errors.BadRequest, "zero or more"),
]  # fmt: skip


@pytest.mark.parametrize(("refused", "error", "message"), REFUSALS)
def test_a_refused_call_changes_nothing(busy, refused, error, message):
    before = repr(busy._world.state)
    with pytest.raises(error, match=message):
        refused(busy)
    assert repr(busy._world.state) == before


def test_more_margin_than_there_is_is_refused_with_both_numbers(ticks):
    exchange = ticks(100, balance=100)
    exchange.set_leverage(10, BTC)
    with pytest.raises(exchange_errors.InsufficientFunds, match=r"200 USDT.*20 BTC.*10x, 100 USDT"):
        exchange.create_order(BTC, "market", "buy", 20)


def test_a_position_that_would_be_liquidated_at_once_is_refused(ticks, rules):
    exchange = ticks(100, rules=rules(tiers=TierTable.flat(0.02, max_leverage=100)), balance=100)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(100, BTC)
    with pytest.raises(exchange_errors.InsufficientFunds, match="liquidated at once"):
        exchange.create_order(BTC, "market", "buy", 10)


def test_a_mode_that_the_venue_lacks_is_not_supported(rules, ticks):
    exchange = ticks(100, rules=rules(margin_modes=("cross",), position_modes=("one-way",)))
    with pytest.raises(exchange_errors.NotSupported, match="cross margin"):
        exchange.set_margin_mode("isolated", BTC)
    with pytest.raises(exchange_errors.NotSupported, match="hedge"):
        exchange.set_position_mode(True)


def test_a_trigger_that_can_no_longer_be_paid_cancels_its_order_and_says_so(ticks):
    exchange = ticks(100, 90, balance=100)
    order = exchange.create_order(BTC, "market", "buy", 100, None, {"triggerPrice": 95})
    exchange.step()
    assert exchange.fetch_order(order["id"])["status"] == "canceled"
    event = exchange.events()[-1]
    assert (event["kind"], "free margin" in event["message"]) == ("order rejected", True)


def test_the_errors_form_the_family_tree_of_ccxt():
    ccxt = pytest.importorskip("ccxt")
    ours = {
        name: error
        for name, error in vars(exchange_errors).items()
        if isinstance(error, type) and hasattr(ccxt, name)
    }
    assert {"InsufficientFunds", "BadSymbol", "OnMaintenance", "OrderNotFound"} <= set(ours)
    for name, error in ours.items():
        parents = [base.__name__ for base in error.__mro__ if base.__name__ in ours]
        theirs = [base.__name__ for base in getattr(ccxt, name).__mro__ if base.__name__ in ours]
        assert parents == theirs

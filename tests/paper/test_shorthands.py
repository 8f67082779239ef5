"""Short names of calls do what ccxt's own base class makes of them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from leverage.paper import PaperExchange, exchange_errors
from leverage.paper.shorthands import _TABLE, Shorthands

ccxt = pytest.importorskip("ccxt")

BTC = "BTC/USDT:USDT"
# What ccxt's base class offers and this exchange does not, and why. A new ccxt that brings more
# makes the test below name it.
WITHOUT = {
    "create_ccxt_trade_id": "internal to ccxt",
    "create_expired_option_market": "there are no options",
    "create_ohlcv_object": "internal to ccxt",
    "create_safe_dictionary": "internal to ccxt",
    "create_contract_orders": "orders are sent one by one",
    "create_orders": "orders are sent one by one",
    "create_spot_orders": "orders are sent one by one",
    "edit_orders": "orders are changed one by one",
    "create_convert_trade": "currencies are not converted",
    "create_deposit_address": "money comes in by deposit()",
    "create_sub_account": "accounts are made by open_account()",
    "create_twap_order": "not offered",
    "cancel_all_contract_orders": "internal to ccxt",
    "cancel_all_orders_after": "there is no clock but the history's",
    "cancel_all_spot_orders": "internal to ccxt",
    "cancel_contract_order": "internal to ccxt",
    "cancel_orders_for_symbols": "orders are cancelled by symbol or by id",
    "cancel_spot_order": "internal to ccxt",
    "cancel_unified_order": "internal to ccxt",
}
VERBS = ("create_", "edit_", "cancel_", "close_")
VALUES: dict[str, Any] = {
    "id": "1", "symbol": BTC, "type": "limit", "side": "buy", "amount": 2.0, "price": 90.0,
    "triggerPrice": 95.0, "stopLossPrice": 94.0, "takeProfitPrice": 120.0, "trailingAmount": 3.0,
    "trailingPercent": 2.0, "trailingTriggerPrice": 130.0, "clientOrderId": "mine",
}  # fmt: skip


def behind(exchange: Any, heard: list[Any]) -> Any:
    """Let an exchange write down what is asked of the methods that it cannot do without."""

    def listen(name: str) -> Any:
        def method(*arguments: Any, **named: Any) -> None:
            names = ["symbol", "type", "side", "amount", "price", "params"]
            call = dict(zip(["id", *names] if name == "edit_order" else names, arguments)) | named  # noqa: B905 - what is left out is left out
            call["params"] = {
                "triggerPrice" if key == "stopPrice" else key: value
                for key, value in (call.get("params") or {}).items()
            }
            heard.append((name, {k: v for k, v in call.items() if v is not None}))

        return method

    for name in ("create_order", "edit_order"):
        for word in (name, name.replace("_o", "O")):
            setattr(exchange, word, listen(name))
    return exchange


@pytest.mark.parametrize(
    "name", [n for n, row in _TABLE.items() if row[0] in ("create_order", "edit_order")]
)
def test_a_short_name_asks_for_what_ccxts_own_asks_for(name, ticks):
    theirs: Any = ccxt.Exchange()
    theirs.has = dict.fromkeys(PaperExchange([[0, 1, 1, 1, 1, 1]]).has, True)
    asked = inspect.signature(getattr(ccxt.Exchange, name)).parameters
    ours = inspect.signature(getattr(PaperExchange, name)).parameters
    assert list(ours) == list(asked)
    for leave_out in (False, True):
        arguments = [
            VALUES[word]
            for word, parameter in asked.items()
            if word not in ("self", "params")
            and not (leave_out and parameter.default is None and word != "triggerPrice")
        ]
        if leave_out and len(arguments) < 3:
            continue
        heard: list[Any] = []
        for exchange in (theirs, ticks(100)):
            try:
                getattr(behind(exchange, heard), name)(*arguments, {"clientOrderId": "x"})
            except (ccxt.BaseError, exchange_errors.BaseError) as error:
                heard.append(type(error).__name__)
            except TypeError:
                heard.append("TypeError")
        assert heard[0] == heard[1]


def test_nothing_that_ccxt_offers_for_orders_is_left_out_in_silence():
    offered = {name for name in dir(ccxt.Exchange) if name.startswith(VERBS)}
    offered = {name for name in offered if not name.endswith("_ws") and name.islower()}
    missing = {name for name in offered if not hasattr(PaperExchange, name)}
    assert missing == set(WITHOUT)


def test_names_and_order_of_arguments_are_ccxts():
    for name, method in vars(Shorthands).items():
        if name.startswith("_"):
            continue
        theirs = list(inspect.signature(getattr(ccxt.Exchange, name)).parameters)
        assert list(inspect.signature(method).parameters) == theirs, name
        assert method.__doc__


def test_positions_are_closed_by_name_and_all_at_once(ticks):
    exchange = ticks(100)
    exchange.set_position_mode(True)
    exchange.create_market_buy_order(BTC, 2)
    exchange.createMarketSellOrder(BTC, 1)
    with pytest.raises(exchange_errors.OrderNotFound, match="give side"):
        exchange.close_position(BTC)
    with pytest.raises(exchange_errors.BadRequest, match="'long' or 'short'"):
        exchange.close_position(BTC, "buy")
    assert exchange.close_position(BTC, "short")["status"] == "closed"
    assert [p["side"] for p in exchange.fetch_positions_for_symbol(BTC)] == ["long"]
    assert len(exchange.close_all_positions()) == 1
    assert exchange.fetch_positions() == []


def test_orders_are_found_by_the_clients_id(ticks):
    exchange = ticks(100)
    exchange.create_limit_buy_order(BTC, 1, 90, {"clientOrderId": "mine"})
    assert exchange.fetch_order_with_client_order_id("mine")["price"] == 90
    exchange.edit_order_with_client_order_id("mine", BTC, "limit", "buy", 2, 91)
    order = exchange.fetch_orders()[0]
    assert (order["amount"], order["price"]) == (2, 91)
    exchange.cancel_order_with_client_order_id("mine", BTC)
    assert exchange.fetch_order_status(order["id"]) == "canceled"
    with pytest.raises(exchange_errors.OrderNotFound, match="gone"):
        exchange.cancel_orders_with_client_order_ids(["gone"])


def test_an_order_by_cost_is_worth_that_much(ticks):
    exchange = ticks(100)
    assert exchange.create_market_buy_order_with_cost(BTC, 250)["amount"] == 2.5
    assert exchange.fetch_free_balance()["USDT"] == exchange.fetch_balance()["free"]["USDT"]


def test_an_entry_takes_its_exits_along(ticks):
    exchange = ticks(100)
    exchange.create_order_with_take_profit_and_stop_loss(
        BTC, "market", "buy", 1, None, 120, 90, {"stopLossLimitPrice": 89}
    )
    stop, target = exchange.fetch_open_orders()
    assert (stop["triggerPrice"], stop["price"], target["triggerPrice"]) == (90, 89, 120)
    with pytest.raises(exchange_errors.ArgumentsRequired, match="takeProfit or stopLoss"):
        exchange.create_order_with_take_profit_and_stop_loss(BTC, "market", "buy", 1)


def test_what_the_exchange_has_is_named(ticks):
    has = ticks(100).has
    assert has["createStopLossOrder"]
    assert has["closePosition"]
    assert has["createOrders"] is False
    assert has["signUp"] is None

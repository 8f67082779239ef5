"""Short names of calls do what ccxt's own base class makes of them."""

from __future__ import annotations

import inspect
import pickle
import sys
from typing import Any

import pytest

from leverage.paper import PaperExchange, exchange_errors
from leverage.paper.face import _VERBS as VERBS
from leverage.paper.shorthands import _TABLE

ccxt = pytest.importorskip("ccxt")

BTC = "BTC/USDT:USDT"
# What ccxt's base class offers and this exchange does not, by the reason. A new ccxt that brings more
# makes the test below name it.
WITHOUT = {
    "internal to ccxt": """
        add_fetch_cache add_key_in_array_items cancel_all_contract_orders cancel_all_spot_orders
        cancel_contract_order cancel_spot_order cancel_unified_order create_ccxt_trade_id
        create_contract_orders create_ohlcv_object create_safe_dictionary create_spot_orders
        fetch_contract_deposit_address fetch_contract_ohlcv fetch_contract_tickers
        fetch_paginated_call_cursor fetch_paginated_call_deterministic fetch_paginated_call_dynamic
        fetch_paginated_call_incremental fetch_rest_order_book_safe fetch_spot_ohlcv
        fetch_spot_tickers fetch_unified_order fetch_web_endpoint load_dydx_protos
        load_lighter_library load_lighter_library_helper reduce_fees_by_currency set_headers
        set_last_request set_last_rest_request_timestamp set_markets set_markets_from_exchange
        set_property set_take_profit_and_stop_loss_params""",
    "nothing is connected to: there is no session, network or time apart": """
        cancel_all_orders_after load_accounts load_markets_and_sign_in load_time_difference
        sign_in""",
    "one at a time: orders, symbols, settings": """
        cancel_orders_for_symbols create_orders edit_orders fetch_bids_asks
        fetch_canceled_and_closed_orders fetch_deposits_withdrawals fetch_funding_interval
        fetch_funding_intervals fetch_last_prices fetch_leverages fetch_margin_modes
        fetch_order_books fetch_transactions fetch_transfer load_trading_limits
        fetch_trading_limits""",
    "marks and indexes are in the ticker": """
        fetch_index_ohlcv fetch_mark_ohlcv fetch_mark_price fetch_mark_prices
        fetch_premium_index_ohlcv""",
    "the ledger holds what positions and margins did": """
        fetch_margin_adjustment_history fetch_position_history fetch_positions_history
        fetch_positions_risk set_margin""",
    "others are not simulated: liquidations of others are not public, the queue is adl_ranking": """
        fetch_adl_rank fetch_liquidations fetch_long_short_ratio fetch_long_short_ratio_history
        fetch_open_interest fetch_open_interest_history fetch_open_interests
        fetch_position_adl_rank fetch_positions_adl_rank fetch_l3_order_book""",
    "there are no options": """
        create_expired_option_market fetch_all_greeks fetch_greeks fetch_option
        fetch_option_chain""",
    "money comes in by deposit() and costs nothing on its way": """
        create_convert_trade create_deposit_address create_sub_account create_twap_order
        deposit_withdraw_fee fetch_convert_currencies fetch_convert_quote fetch_convert_trade
        fetch_convert_trade_history fetch_deposit_address fetch_deposit_addresses
        fetch_deposit_addresses_by_network fetch_deposit_withdraw_fee
        fetch_deposit_withdraw_fees fetch_fees fetch_payment_methods fetch_transaction_fee
        fetch_transaction_fees""",
    "interest is in the ledger, and there is no loan to take or repay": """
        borrow_cross_margin borrow_isolated_margin borrow_margin fetch_borrow_interest
        fetch_borrow_rate fetch_cross_borrow_rate fetch_cross_borrow_rates
        fetch_isolated_borrow_rate fetch_isolated_borrow_rates repay_cross_margin
        repay_isolated_margin repay_margin""",
}
# Names of its own that ccxt uses for something internal.
OWN = {"account"}
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


def offered() -> dict[str, Any]:
    """Methods of ccxt's base class, but for those of its connections and of its tool box."""
    return {
        name: method
        for name in dir(ccxt.Exchange)
        if name.islower() and not name.startswith("_") and not name.endswith("_ws")
        if callable(method := getattr(ccxt.Exchange, name))
    }


def test_nothing_that_ccxt_offers_is_left_out_in_silence():
    missing = {
        name
        for name in offered()
        if name.startswith(VERBS) and "watch" not in name and not hasattr(PaperExchange, name)
    }
    assert missing == set(" ".join(WITHOUT.values()).split())


def test_names_and_order_of_arguments_are_ccxts():
    ours = {name for name in dir(PaperExchange) if not name.startswith("_")} - OWN
    for name in ours & set(offered()):
        asked = [n for n in inspect.signature(offered()[name]).parameters if n != "self"]
        method = getattr(PaperExchange, name)
        assert [n for n in inspect.signature(method).parameters if n != "self"] == asked, name
        assert method.__doc__


@pytest.mark.parametrize(
    "name",
    ["fetch_open_interest", "fetchOpenInterest", "watch_ticker", "create_orders", "setMargin"],
)
def test_what_is_not_offered_is_refused_as_in_ccxt(name, ticks):
    exchange = ticks(100)
    with pytest.raises(
        exchange_errors.NotSupported, match=f"{name} is not supported here; see has"
    ):
        getattr(exchange, name)(BTC)
    assert not hasattr(exchange, name)
    assert not exchange.has["fetchOpenInterest"]
    with pytest.raises(AttributeError, match="no attribute 'balance'"):
        exchange.balance()


def test_a_program_catches_errors_by_ccxts_own_classes(ticks):
    exchange = ticks(100)
    for kind, call in (
        (ccxt.InsufficientFunds, lambda: exchange.create_order(BTC, "market", "buy", 1e6)),
        (ccxt.InvalidOrder, lambda: exchange.create_order(BTC, "market", "buy", 0)),
        (ccxt.BadSymbol, lambda: exchange.fetch_ticker("X/Y")),
        (ccxt.OrderNotFound, lambda: exchange.cancel_order("9", BTC)),
        (ccxt.NotSupported, lambda: exchange.fetch_open_interest(BTC)),
        (ccxt.AuthenticationError, lambda: exchange.account("new").fetch_balance()),
        (ccxt.BadRequest, lambda: ticks(100, 0)),
    ):
        with pytest.raises(kind) as caught:
            call()
        assert isinstance(caught.value, exchange_errors.BaseError)
        assert isinstance(caught.value, ccxt.BaseError)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), again.args) == (type(caught.value), caught.value.args)


def test_errors_are_our_own_where_ccxt_is_not_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "ccxt")
    error = exchange_errors.InsufficientFunds("none")
    assert (type(error), str(error)) == (exchange_errors.InsufficientFunds, "none")


def test_what_a_program_sets_up_first_is_there(ticks, rules):
    exchange = ticks(100, rules=rules(taker_fee_rate=0.0005, maker_fee_rate=0.0002))
    exchange.set_sandbox_mode(True)
    with pytest.raises(ccxt.NotSupported, match="trades on paper"):
        exchange.setSandboxMode(False)
    assert exchange.check_required_credentials()
    with pytest.raises(ccxt.AuthenticationError):
        exchange.account("new").check_required_credentials()
    assert not exchange.account("new").check_required_credentials(False)
    exchange.apiKey, exchange.verbose = "mine", True
    assert (exchange.rateLimit, exchange.enableRateLimit, exchange.microseconds() % 1000) == (
        0,
        True,
        0,
    )
    assert exchange.fees["trading"]["taker"] == exchange.market(BTC)["taker"] == 0.0005
    assert exchange.calculate_fee(BTC, "limit", "buy", 2, 100, "maker")["cost"] == pytest.approx(
        0.04
    )
    assert exchange.calculate_fee(BTC, "market", "buy", 2, 100)["rate"] == 0.0005
    assert exchange.currencies_by_id["USDT"]["code"] == "USDT"


def test_until_is_the_last_time_that_is_told(hourly):
    exchange = hourly(*[(100, 101, 99, 100)] * 6, funding=0.0001)
    start = exchange.now
    for _ in range(5):
        exchange.create_order(BTC, "market", "buy", 1)
        exchange.step(1, "bar")
    until = start + 2 * 3_600_000
    given = {"until": until}
    assert [row[0] for row in exchange.fetch_ohlcv(BTC, "1h", None, 2, given)][-1] == until
    for rows, count in (
        (exchange.fetch_my_trades(BTC, params=given), 3),
        (exchange.fetch_orders(BTC, params=given), 3),
        (exchange.fetch_closed_orders(BTC, None, 2, given), 2),
        (exchange.fetch_ledger("USDT", params=given), 1),
        (exchange.fetch_deposits("USDT", None, None, {"until": start - 1}), 0),
        (exchange.fetch_trades(BTC, params=given), 9),
    ):
        assert len(rows) == count
        assert all(row["timestamp"] <= until for row in rows)
    with pytest.raises(ccxt.NotSupported, match="no bars of the mark price"):
        exchange.fetch_ohlcv(BTC, "1h", params={"price": "mark"})


def test_stops_are_asked_for_and_cancelled_apart(ticks):
    exchange = ticks(100, 94)
    exchange.create_order(BTC, "market", "buy", 2)
    limit = exchange.create_limit_buy_order(BTC, 1, 90)["id"]
    stop = exchange.create_stop_loss_order(BTC, "market", "sell", 1, None, 95)["id"]
    far = exchange.create_stop_loss_order(BTC, "market", "sell", 1, None, 80)["id"]

    def ids(rows):
        return [row["id"] for row in rows]

    for word in ("trigger", "stop"):
        assert ids(exchange.fetch_open_orders(BTC, params={word: True})) == [stop, far]
    assert ids(exchange.fetch_open_orders(BTC)) == [limit, stop, far]
    exchange.run_until()
    assert ids(exchange.fetch_closed_orders(BTC, None, None, {"trigger": True})) == [stop]
    assert ids(exchange.cancel_all_orders(BTC, {"trigger": True})) == [far]
    assert ids(exchange.fetch_open_orders()) == [limit]


def test_parameters_that_would_change_a_setting_are_not_passed_over(ticks):
    exchange = ticks(100)
    with pytest.raises(ccxt.InvalidOrder, match="call set_margin_mode first"):
        exchange.set_leverage(5, BTC, {"marginMode": "isolated"})
    with pytest.raises(ccxt.BadRequest, match="call set_leverage"):
        exchange.set_margin_mode("isolated", BTC, {"leverage": 5})
    exchange.set_margin_mode("isolated", BTC)
    assert exchange.set_leverage(5, BTC, {"marginMode": "isolated"})["leverage"] == 5


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

"""Orders fill at the price that their type promises, once, and leave the money right."""

from __future__ import annotations

import pytest

from leverage import TierTable, liquidation_price, round_price, round_quantity
from leverage.paper import Market, PaperExchange, exchange_errors

BTC = "BTC/USDT:USDT"
FLAT = (100.0, 100.0, 100.0, 100.0)
DOWN = (100.0, 101.0, 90.0, 95.0)  # falling: open, high, low, close
UP = (100.0, 110.0, 99.0, 105.0)  # rising: open, low, high, close


def fills(exchange):
    return [
        (t["side"], t["price"], t["amount"], t["takerOrMaker"]) for t in exchange.fetch_my_trades()
    ]


def test_a_market_order_fills_at_the_last_price(ticks):
    exchange = ticks(100)
    order = exchange.create_order(BTC, "market", "buy", 2)
    assert (order["status"], order["average"], order["filled"]) == ("closed", 100.0, 2.0)
    assert fills(exchange) == [("buy", 100.0, 2.0, "taker")]


def test_a_spread_is_paid_half_on_each_side(ticks):
    exchange = ticks(100, spread=0.002)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "market", "sell", 1)
    assert [price for _, price, _, _ in fills(exchange)] == pytest.approx([100.1, 99.9])


def test_a_large_market_order_walks_the_book_tick_by_tick(ticks):
    exchange = ticks(100, liquidity=2)
    exchange.create_order(BTC, "market", "buy", 5)
    # 2 at 100, 2 at 100.1, 1 at 100.2
    assert fills(exchange)[0][1] == pytest.approx((2 * 100 + 2 * 100.1 + 100.2) / 5)


def test_a_limit_order_rests_and_fills_at_its_price_inside_the_bar(hourly):
    exchange = hourly(FLAT, DOWN)
    order = exchange.create_order(BTC, "limit", "buy", 1, 93)
    assert order["status"] == "open"
    exchange.run_until()
    assert fills(exchange) == [("buy", 93.0, 1.0, "maker")]
    assert exchange.fetch_order(order["id"])["status"] == "closed"


def test_a_limit_order_beyond_the_price_is_taken_at_the_better_price(ticks):
    exchange = ticks(100)
    assert exchange.create_order(BTC, "limit", "buy", 1, 105)["average"] == 100.0


def test_a_resting_order_that_the_price_jumps_over_fills_at_its_limit(ticks):
    exchange = ticks(100, 90)
    exchange.create_order(BTC, "limit", "buy", 1, 95)
    exchange.run_until()
    assert fills(exchange) == [("buy", 95.0, 1.0, "maker")]


def test_a_resting_order_fills_in_parts_where_liquidity_is_short(ticks):
    exchange = ticks(100, 95, 95, 95, 95, liquidity=2)
    order = exchange.create_order(BTC, "limit", "buy", 5, 95)
    filled = []
    while exchange.step():
        filled.append(exchange.fetch_order(order["id"])["filled"])
    assert filled == [2, 4, 5, 5]
    assert len(exchange.fetch_order(order["id"])["trades"]) == 3


def test_maker_and_taker_pay_their_own_fees(ticks, rules):
    exchange = ticks(100, 90, rules=rules(taker_fee_rate=0.0005, maker_fee_rate=0.0002))
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "limit", "buy", 1, 90)
    exchange.run_until()
    assert [t["fee"]["cost"] for t in exchange.fetch_my_trades()] == pytest.approx([0.05, 0.018])


def test_a_stop_fills_at_its_trigger_inside_the_bar(hourly):
    exchange = hourly(FLAT, DOWN)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "market", "sell", 1, None, {"stopLossPrice": 94, "reduceOnly": True})
    exchange.run_until()
    assert fills(exchange)[1] == ("sell", 94.0, 1.0, "taker")
    assert exchange.fetch_positions() == []


def test_a_stop_that_the_price_jumps_over_fills_at_the_first_price_after_it(ticks):
    exchange = ticks(100, 90)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "stop_market", "sell", 1, None, {"triggerPrice": 94})
    exchange.run_until()
    assert fills(exchange)[1][1] == 90.0


def test_a_take_profit_fills_at_its_trigger(hourly):
    exchange = hourly(FLAT, UP)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "take_profit_market", "sell", 1, None, {"triggerPrice": 108})
    exchange.run_until()
    assert fills(exchange)[1] == ("sell", 108.0, 1.0, "taker")


def test_a_stop_limit_waits_for_its_limit_once_triggered(hourly):
    exchange = hourly(FLAT, DOWN, FLAT)
    order = exchange.create_order(BTC, "stop_limit", "sell", 1, 97, {"triggerPrice": 94})
    exchange.step(2, "bar")
    assert exchange.fetch_order(order["id"])["status"] == "open"
    assert exchange.fetch_open_orders(BTC, params={"trigger": True}) == []  # it has fired
    assert exchange.cancel_all_orders(BTC, {"trigger": True}) == []
    exchange.run_until()
    assert fills(exchange) == [("sell", 97.0, 1.0, "maker")]


def test_a_trailing_stop_follows_the_best_price_and_fires_on_the_way_back(hourly):
    # 100 -> 99 -> 110 -> 105: the trigger rises to 107.8 at the high and is met on the way down.
    exchange = hourly(FLAT, UP)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(
        BTC, "trailing_stop_market", "sell", 1, None, {"trailingPercent": 2, "reduceOnly": True}
    )
    exchange.run_until()
    assert fills(exchange)[1][1] == pytest.approx(110 * 0.98)


def test_a_trailing_stop_by_amount_protects_a_short(hourly):
    exchange = hourly(FLAT, DOWN)
    exchange.create_order(BTC, "market", "sell", 1)
    exchange.create_order(BTC, "market", "buy", 1, None, {"trailingAmount": 3, "reduceOnly": True})
    exchange.run_until()
    # 100 -> 101 -> 90 -> 95: the low of 90 puts the trigger at 93.
    assert fills(exchange)[1][1] == pytest.approx(93)


def test_a_trailing_stop_with_a_start_waits_for_it(hourly):
    exchange = hourly(FLAT, UP, (105, 105, 100, 101))
    exchange.create_order(BTC, "market", "buy", 1)
    order = exchange.create_order(
        BTC,
        "market",
        "sell",
        1,
        None,
        {"trailingAmount": 4, "trailingTriggerPrice": 109, "reduceOnly": True},
    )
    exchange.step(2, "bar")
    assert exchange.fetch_order(order["id"])["average"] == pytest.approx(106)


@pytest.mark.parametrize(
    ("bar", "price", "status"), [(DOWN, 94.0, "canceled"), (UP, 108.0, "closed")]
)
def test_of_two_attached_orders_the_first_that_fills_cancels_the_other(hourly, bar, price, status):
    exchange = hourly(FLAT, bar)
    exchange.create_order(
        BTC,
        "market",
        "buy",
        1,
        None,
        {"stopLoss": {"triggerPrice": 94}, "takeProfit": {"triggerPrice": 108}},
    )
    stop, target = exchange.fetch_open_orders()
    assert (stop["triggerPrice"], target["triggerPrice"]) == (94.0, 108.0)
    exchange.run_until()
    assert fills(exchange)[1][1] == price
    assert exchange.fetch_order(target["id"])["status"] == status
    assert exchange.fetch_open_orders() == []


def test_what_lies_first_on_the_way_happens_first(hourly):
    # Falling bar: up to 101 and then down to 90; both orders are met, the upper one first.
    exchange = hourly(FLAT, DOWN)
    low = exchange.create_order(BTC, "limit", "buy", 1, 91)
    high = exchange.create_order(BTC, "limit", "sell", 1, 100.5)
    exchange.run_until()
    times = [exchange.fetch_order(o["id"])["lastTradeTimestamp"] for o in (high, low)]
    assert times[0] < times[1]


def test_the_path_of_a_bar_can_be_forced(hourly):
    def first_fill(path):
        exchange = hourly(FLAT, (100, 110, 90, 100), path=path)
        exchange.create_order(BTC, "limit", "sell", 1, 105)
        exchange.create_order(BTC, "limit", "buy", 1, 95)
        exchange.run_until()
        return exchange.fetch_my_trades()[0]["side"]

    assert (first_fill("OHLC"), first_fill("OLHC")) == ("sell", "buy")


def test_a_trigger_on_the_mark_ignores_the_last_price(bars, hourly):
    mark = bars(FLAT, (100, 100, 98, 99))
    exchange = hourly(FLAT, DOWN, mark={BTC: mark})
    order = exchange.create_order(
        BTC, "market", "sell", 1, None, {"stopLossPrice": 97, "triggerPriceType": "mark"}
    )
    exchange.run_until()
    assert exchange.fetch_order(order["id"])["status"] == "open"


def test_a_one_way_order_larger_than_the_position_turns_it_around(ticks):
    exchange = ticks(100)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "market", "sell", 3)
    position = exchange.fetch_position(BTC)
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("short", 2, 100)


def test_entries_average_and_exits_do_not_move_the_entry(ticks):
    exchange = ticks(100, 120, 130)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.step()
    exchange.create_order(BTC, "market", "buy", 3)
    exchange.step()
    exchange.create_order(BTC, "market", "sell", 2)
    position = exchange.fetch_position(BTC)
    assert (position["entryPrice"], position["contracts"]) == (115, 2)
    assert exchange.fetch_balance()["info"]["USDT"]["walletBalance"] == pytest.approx(10_030)


@pytest.mark.parametrize("name", ["stopLossPrice", "takeProfitPrice"])
def test_in_hedge_mode_a_stop_says_which_leg_it_closes(ticks, name):
    exchange = ticks(100, 94, 110)
    exchange.set_position_mode(True)
    exchange.create_order(BTC, "market", "buy", 1)
    price = {name: 95 if name == "stopLossPrice" else 105}
    with pytest.raises(exchange_errors.ArgumentsRequired, match=f"must be given with {name}"):
        exchange.create_order(BTC, "market", "sell", 1, None, price)
    exchange.create_order(BTC, "market", "sell", 1, None, {**price, "positionSide": "long"})
    exchange.run_until()
    assert exchange.fetch_positions() == []


@pytest.mark.parametrize(
    "asked",
    [
        {"since": "2021"}, {"since": True}, {"limit": "3"}, {"limit": 0}, {"params": {"until": "now"}},
        {"params": {"fromId": "t3"}}, {"params": {"paginate": True}},
    ],
)  # fmt: skip
def test_a_way_of_paging_that_is_not_spoken_is_refused(ticks, asked):
    exchange = ticks(100, 101)
    exchange.create_order(BTC, "market", "buy", 1)
    for ask in (exchange.fetch_my_trades, exchange.fetch_orders, exchange.fetch_ohlcv):
        with pytest.raises(exchange_errors.BadRequest):
            ask(BTC, **asked)


def test_hedge_mode_holds_both_sides_at_once(ticks):
    exchange = ticks(100, 110)
    exchange.set_position_mode(True)
    exchange.create_order(BTC, "market", "buy", 2)
    exchange.create_order(BTC, "market", "sell", 1)
    assert [(p["side"], p["contracts"]) for p in exchange.fetch_positions()] == [
        ("long", 2),
        ("short", 1),
    ]
    exchange.step()
    exchange.create_order(BTC, "market", "sell", 2, None, {"positionSide": "long"})
    exchange.create_order(BTC, "market", "buy", 1, None, {"reduceOnly": True})
    assert exchange.fetch_positions() == []
    assert exchange.equity() == pytest.approx(10_010)


def test_reduce_only_orders_go_when_the_position_has_gone(ticks):
    exchange = ticks(100)
    exchange.create_order(BTC, "market", "buy", 1)
    order = exchange.create_order(BTC, "limit", "sell", 1, 120, {"reduceOnly": True})
    exchange.create_order(BTC, "market", "sell", 1)
    assert exchange.fetch_order(order["id"])["status"] == "canceled"


@pytest.mark.parametrize(("word", "status", "filled"), [("IOC", "canceled", 2), ("GTC", "open", 2)])
def test_time_in_force_decides_what_becomes_of_the_rest(ticks, word, status, filled):
    exchange = ticks(100, liquidity=2)
    order = exchange.create_order(BTC, "limit", "buy", 5, 100, {"timeInForce": word})
    assert (order["status"], order["filled"]) == (status, filled)


def test_a_fill_or_kill_order_fills_whole_or_is_refused(ticks):
    exchange = ticks(100, liquidity=2)
    with pytest.raises(exchange_errors.OrderNotFillable, match="2 at 100"):
        exchange.create_order(BTC, "limit", "buy", 5, 100, {"timeInForce": "FOK"})
    assert exchange.create_order(BTC, "limit", "buy", 5, 101, {"timeInForce": "FOK"})["filled"] == 5


def test_an_edited_order_keeps_its_id_and_works_at_its_new_price(hourly):
    exchange = hourly(FLAT, DOWN)
    order = exchange.create_order(BTC, "limit", "buy", 1, 80, {"clientOrderId": "mine"})
    edited = exchange.edit_order(order["id"], BTC, "limit", "buy", 2, 92)
    assert (edited["id"], edited["amount"], edited["price"]) == (order["id"], 2, 92)
    assert edited["clientOrderId"] == "mine"
    exchange.run_until()
    assert fills(exchange) == [("buy", 92.0, 2.0, "maker")]


def test_an_edited_stop_keeps_its_kind_and_moves_its_trigger(hourly):
    exchange = hourly(FLAT, DOWN)
    order = exchange.create_order(BTC, "market", "sell", 1, None, {"stopLossPrice": 80})
    exchange.edit_order(order["id"], BTC, params={"stopLossPrice": 93})
    exchange.run_until()
    assert fills(exchange)[0][1] == 93.0


def test_orders_are_found_by_state_and_by_the_clients_id(ticks):
    exchange = ticks(100)
    resting = exchange.create_order(BTC, "limit", "buy", 1, 90, {"clientOrderId": "a"})
    filled = exchange.create_order(BTC, "market", "buy", 1)
    gone = exchange.create_order(BTC, "limit", "buy", 1, 80)
    exchange.cancel_order(gone["id"], BTC)
    ids = {
        kind: [order["id"] for order in exchange[f"fetch_{kind}orders"](BTC)]
        for kind in ("", "open_", "closed_", "canceled_")
    }
    assert ids == {
        "": [resting["id"], filled["id"], gone["id"]],
        "open_": [resting["id"]],
        "closed_": [filled["id"]],
        "canceled_": [gone["id"]],
    }
    assert exchange.fetch_order("", BTC, {"clientOrderId": "a"})["id"] == resting["id"]


def test_camel_case_names_are_the_same_methods(ticks):
    exchange = ticks(100)
    assert exchange.createOrder(BTC, "market", "buy", 1)["status"] == "closed"
    assert exchange.fetchOHLCV(BTC) == exchange.fetch_ohlcv(BTC)
    with pytest.raises(AttributeError, match="fetchDreams"):
        exchange.fetchDreams()


def test_a_preview_says_what_the_order_then_does(ticks, rules):
    exchange = ticks(50_000, rules=rules(taker_fee_rate=0.0005), balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    preview = exchange.preview_order(BTC, "market", "buy", 0.1)
    before = exchange.postings()
    assert preview["refusals"] == []
    assert (preview["margin"], preview["fee"], preview["cost"]) == (500, 2.5, 502.5)
    assert exchange.postings() == before
    exchange.create_order(BTC, "market", "buy", 0.1)
    position = exchange.fetch_position(BTC)
    assert preview["liquidation_price"] == position["liquidationPrice"]
    assert preview["bankruptcy_price"] == position["info"]["bankruptcyPrice"] == 45_000
    assert preview["free_after"] == pytest.approx(exchange.fetch_balance()["USDT"]["free"])


def test_a_preview_lists_every_refusal_with_its_name(ticks):
    exchange = ticks(50_000, balance=100)
    found = exchange.preview_order(BTC, "limit", "buy", 10, 60_000, {"postOnly": True})["refusals"]
    assert [one["error"] for one in found] == ["OrderImmediatelyFillable", "InsufficientFunds"]
    assert "BadSymbol" not in str(found)


def test_two_triggered_orders_cannot_pass_the_tier_together(ticks, rules):
    table = TierTable.marginal([0, 1_000, 10_000], [0.01, 0.02], [20, 5])
    exchange = ticks(100, 111, rules=rules(tiers=table))
    exchange.set_leverage(20, BTC)
    for _ in range(2):
        exchange.create_order(BTC, "market", "buy", 6, None, {"triggerPrice": 110})
    exchange.run_until()
    assert exchange.fetch_position(BTC)["contracts"] == 6
    assert "at most 5x, 20x is set" in exchange.events()[-1]["message"]


def test_one_fill_has_its_price_exactly_and_several_a_clean_mean(ticks):
    exchange = ticks(60697.99, liquidity=0.03, balance=100_000)
    assert exchange.create_order(BTC, "market", "buy", 0.02)["average"] == 60697.99
    order = exchange.create_order(BTC, "limit", "buy", 0.05, 60697.9)
    assert order["average"] is None


def test_orders_precisions_and_the_public_functions_round_by_one_rule(ticks):
    exchange = ticks(100.0)
    step = exchange.market(BTC)["precision"]
    for price in (95.05, 95.15, 94.949999, 90 + 0.3 - 0.1, 91.4999999999):
        order = exchange.create_order(BTC, "limit", "buy", 1 + price / 1000, price)
        assert order["price"] == round_price(price, step["price"])
        assert order["price"] == float(exchange.price_to_precision(BTC, price))
        assert order["amount"] == round_quantity(1 + price / 1000, step["amount"])
        assert order["amount"] == float(exchange.amount_to_precision(BTC, 1 + price / 1000))


def test_the_leverage_tiers_of_a_market_make_the_table_that_it_uses(ticks, rules):
    table = TierTable.marginal([0, 1e4, 1e6], [0.004, 0.01], [100, 20])
    exchange = ticks(100.0, rules=rules(tiers=table))
    assert TierTable.from_rows(exchange.fetch_market_leverage_tiers(BTC)) == table


@pytest.mark.parametrize("price", [1.1e-5, 6.4e-7, 1.2e-8, 3e-9, 1.7e-10])
@pytest.mark.parametrize("tick", [None, 1e-13, 1e-15])
def test_coins_of_a_billionth_are_traded_at_their_price(price, tick, rules):
    shib = "SHIB/USDT:USDT"
    markets = {} if tick is None else {shib: Market(tick_size=tick, max_amount=1e15)}
    feed = [[0, price], [60_000, price * 0.9], [120_000, price * 0.5]]
    exchange = PaperExchange(
        {shib: feed}, ticks=True, rules=rules(), balance=1_000, markets=markets
    )
    exchange.set_leverage(10, shib)
    step = exchange.market(shib)["precision"]["price"]
    assert 0 < step <= price / 1_000
    order = exchange.create_order(shib, "limit", "buy", 5_000 // price, price * 0.91234)
    assert order["price"] == round_price(price * 0.91234, step)
    assert order["price"] == pytest.approx(price * 0.91234, abs=0.6 * step)
    exchange.step()
    position = exchange.fetch_position(shib)
    assert position["entryPrice"] == order["price"]
    end = liquidation_price(1, order["price"], position["contracts"], 1_000, 0.005)
    assert position["liquidationPrice"] == pytest.approx(end, rel=1e-12)
    exchange.run_until()
    assert exchange.fetch_my_liquidations(shib)


def test_a_stop_for_more_than_is_left_pays_the_book_for_what_is_left(ticks):
    exchange = ticks(100, 90, liquidity=2)
    exchange.create_order(BTC, "market", "buy", 6)
    stop = {"stopLossPrice": 95, "reduceOnly": True}
    order = exchange.create_order(BTC, "market", "sell", 6, None, stop)
    exchange.create_order(BTC, "market", "sell", 4)
    exchange.run_until()
    assert fills(exchange)[-1] == ("sell", 90.0, 2.0, "taker")
    assert exchange.fetch_order(order["id"])["status"] == "canceled"


@pytest.mark.parametrize("limit", [110, 109.5])
def test_a_limit_gets_the_liquidity_of_a_tick_once_also_at_the_extreme_of_a_bar(hourly, limit):
    exchange = hourly(FLAT, UP, liquidity=2)
    exchange.create_order(BTC, "limit", "sell", 5, limit)
    exchange.step(6)
    times = [trade["timestamp"] for trade in exchange.fetch_my_trades()]
    assert len(times) == len(set(times))

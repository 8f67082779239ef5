"""Positions are closed by force where the arithmetic says, and somebody pays."""

from __future__ import annotations

from math import inf

import pytest

import leverage as lv
from leverage import LONG, SHORT, TierTable
from leverage.paper import PaperExchange, Rules
from leverage.venues import liquidation_price_at, load_venue

BTC = "BTC/USDT:USDT"
START = 1_600_000_000_000 // 86_400_000 * 86_400_000
FEES = {"taker_fee_rate": 0.0005, "maker_fee_rate": 0.0002}
VENUES = [
    ("binance", "usdt_futures", None, {}),
    ("binance", "coin_futures", None, FEES),
    ("binance", "cross_margin", None, {**FEES, "interest_rate": 0.0}),
    ("bitget", "usdt_futures", None, {}),
    ("bybit", "linear", "2025-09-01", {}),
    ("bybit", "linear", "2025-09-02", {}),
    ("bybit", "inverse", "2025-09-01", FEES),
    ("bybit", "inverse", "2025-09-02", FEES),
    ("kraken", "spot_margin", None, {"maker_fee_rate": 0.0025}),
    ("kraken", "futures_linear", None, {}),
    ("kraken", "futures_inverse", None, {}),
    ("mexc", "futures", None, {}),
    ("primexbt", "cfd_margin", None, {**FEES, "max_leverage": 100}),
]


def one_hour(price, extreme):
    """A quiet hour, and one that runs to an extreme."""
    hour = 3_600_000
    high, low = max(price, extreme), min(price, extreme)
    return [
        [START, price, price, price, price, 1],
        [START + hour, price, high, low, extreme, 1],
    ]


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize(("venue", "product", "on", "overrides"), VENUES)
def test_every_venue_liquidates_where_its_rule_says(venue, product, on, overrides, side):
    entry, leverage = 100_000.0, 5
    exchange = PaperExchange(
        one_hour(entry, entry * (1 - 0.6 * side)),
        venue=venue,
        product=product,
        on=on,
        overrides=overrides,
        balance=1e6,
    )
    rules = exchange.rules
    symbol = exchange.symbols[0]
    quantity = 10_000.0 if rules.is_inverse else 0.5
    exchange.set_leverage(leverage, symbol)
    is_isolated = "isolated" in rules.margin_modes
    if is_isolated:
        exchange.set_margin_mode("isolated", symbol)
    else:
        # Nothing but the margin of one fifth, and the fee, backs a cross position.
        code = exchange.market(symbol)["settle"] or exchange.market(symbol)["quote"]
        value = exchange._world.instruments[symbol].value(quantity, entry)
        rate = rules.taker_fee_rate + rules.opening_fee_rates[0 if side > 0 else 1]
        keep = value / leverage * 1.05 + value * rate
        exchange.transfer(code, 1e6 - keep, "trading", "spot")
    exchange.create_order(symbol, "market", "buy" if side > 0 else "sell", quantity)
    position = exchange.fetch_position(symbol)
    info = exchange.fetch_balance()["info"]
    code = exchange._world.instruments[symbol].settle
    margin = position["positionMargin"] if is_isolated else info[code]["crossCash"]
    expected = liquidation_price_at(
        load_venue(venue, on=on).product(product), side, entry, quantity, margin, leverage=leverage
    )
    assert position["liquidationPrice"] == pytest.approx(expected, rel=1e-12)
    exchange.run_until()
    (done,) = exchange.fetch_my_liquidations()
    assert done["price"] == pytest.approx(expected, rel=1e-12)
    assert exchange.fetch_positions() == []


def test_a_gap_through_the_price_liquidates_at_the_first_price_after_it(ticks):
    exchange = ticks(50_000, 44_000, balance=1_000, insurance_fund=500)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 0.1)
    exchange.run_until()
    assert exchange.fetch_my_liquidations()[0]["price"] == 44_000
    # 600 lost, 500 of margin: the fund pays 100, the trader keeps what was not isolated.
    assert exchange.equity() == pytest.approx(500)
    assert exchange.insurance_fund("USDT") == pytest.approx(400)


def test_the_mark_decides_and_not_the_last_price(bars, hourly):
    quiet = bars((50_000,) * 4, (50_000, 50_000, 49_000, 49_000))
    exchange = hourly(
        (50_000,) * 4, (50_000, 50_000, 40_000, 49_000), mark={BTC: quiet}, balance=1_000
    )
    exchange.set_leverage(25, BTC)
    exchange.set_margin_mode("isolated", BTC)
    exchange.create_order(BTC, "market", "buy", 0.1)
    exchange.run_until()
    assert exchange.fetch_my_liquidations() == []


def test_what_is_left_of_the_margin_goes_to_the_fund_or_stays(ticks, rules):
    def after(takeover):
        exchange = ticks(
            100, 91, rules=rules(takeover=takeover, tiers=TierTable.flat(0.02)), balance=10
        )
        exchange.set_margin_mode("isolated", BTC)
        exchange.set_leverage(10, BTC)
        exchange.create_order(BTC, "market", "buy", 0.9)
        exchange.run_until()
        return exchange.equity(), exchange.insurance_fund("USDT")

    # Margin 9, loss 8.1, left 0.9.
    assert after("bankruptcy") == pytest.approx((1.0, 0.9))
    assert after("market") == pytest.approx((1.9, 0.0))


def test_the_liquidation_fee_goes_to_the_fund_and_never_makes_a_debt(ticks, rules):
    exchange = ticks(
        100,
        90.2,
        rules=rules(
            liquidation_fee_rate=0.01, takeover="market", negative_balance_protection=False
        ),
        balance=10,
    )
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 0.9)
    exchange.run_until()
    # 9 of margin less 8.82 leaves 0.18; the fee of 0.8118 takes no more than that.
    assert exchange.insurance_fund("USDT") == pytest.approx(0.18)
    assert exchange.equity() == pytest.approx(1.0)


TIERS = TierTable.marginal([0, 50_000, 100_000, 200_000], [0.01, 0.02, 0.05], [50, 25, 10])


@pytest.mark.parametrize("mode", ["isolated", "cross"])
def test_a_large_position_is_cut_tier_by_tier_before_it_is_closed(hourly, rules, mode):
    exchange = hourly(
        (100_000,) * 4,
        (100_000, 100_000, 92_000, 93_000),
        (93_000, 93_000, 80_000, 80_000),
        rules=rules(tiers=TIERS),
        balance=15_000,
    )
    if mode == "isolated":
        exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 1.5)
    exchange.step(2, "bar")
    first = exchange.fetch_my_liquidations()[0]
    assert first["info"]["isPartial"]
    left = exchange.fetch_position(BTC)
    # Cut to the top of the tier below, at the mark where it was cut.
    assert first["contracts"] + left["contracts"] == pytest.approx(1.5)
    assert left["contracts"] * first["price"] <= 100_000
    assert (left["contracts"] + 0.001) * first["price"] > 100_000
    exchange.run_until()
    kinds = [done["info"]["isPartial"] for done in exchange.fetch_my_liquidations()]
    assert kinds == [True, True, False]
    assert exchange.fetch_positions() == []


def test_cross_positions_are_closed_with_the_largest_loss_first(bars, rules):
    eth = "ETH/USDT:USDT"
    feeds = {
        BTC: bars((100,) * 4, (100, 100, 80, 80)),
        eth: bars((10,) * 4, (10, 10, 9.9, 9.9)),
    }
    exchange = PaperExchange(feeds, rules=rules(), balance=200)
    exchange.create_order(BTC, "market", "buy", 10)
    exchange.create_order(eth, "market", "buy", 10)
    exchange.run_until()
    assert [done["symbol"] for done in exchange.fetch_my_liquidations()] == [BTC]
    assert exchange.fetch_positions()[0]["symbol"] == eth


def test_orders_are_cancelled_before_a_position_is_closed(ticks):
    exchange = ticks(100, 50)
    order = exchange.create_order(BTC, "limit", "buy", 1, 40)
    exchange.create_order(BTC, "market", "buy", 1_000)
    exchange.run_until()
    assert exchange.fetch_order(order["id"])["info"]["reason"] == "liquidation"


def adl_case(ticks, rules, **changes):
    exchange = ticks(100, 80, rules=rules(**changes), balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    low, high = exchange.open_account("low", 1_000), exchange.open_account("high", 1_000)
    exchange.create_order(BTC, "market", "buy", 50)  # bankrupt at 90
    low.set_leverage(2, BTC)
    low.create_order(BTC, "market", "sell", 20)
    high.set_leverage(20, BTC)
    high.create_order(BTC, "market", "sell", 100)
    return exchange, low, high


def test_winners_are_deleveraged_by_rank_at_the_bankruptcy_price(ticks, rules, balanced):
    exchange, low, high = adl_case(ticks, rules)
    exchange.step()
    # The whole shortfall is uncovered, so all 50 are closed against the highest rank.
    (trade,) = [t for t in high.fetch_my_trades() if t["info"]["kind"] == "auto-deleveraging"]
    assert (trade["price"], trade["amount"], trade["side"]) == (90, 50, "buy")
    assert [t["info"]["kind"] for t in low.fetch_my_trades()] == ["fill"]
    assert high.fetch_position(BTC)["contracts"] == 50
    assert exchange.equity() == pytest.approx(500)
    assert exchange.adl_ranking(BTC, "short") == ["high", "low"]
    assert high.events()[-1]["kind"] == "auto-deleveraging"
    assert balanced(exchange)


def test_orders_that_have_nothing_left_to_reduce_go_when_a_winner_is_deleveraged(ticks, rules):
    exchange = ticks(100, 80, rules=rules(), balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    other = exchange.open_account("other", 1_000)
    exchange.create_order(BTC, "market", "buy", 50)
    other.create_order(BTC, "market", "sell", 5)
    stop = {"stopLossPrice": 120, "reduceOnly": True}
    order = other.create_order(BTC, "market", "buy", 5, None, stop)
    exchange.step()
    assert other.fetch_positions() == []
    assert other.fetch_order(order["id"])["status"] == "canceled"


@pytest.mark.parametrize("partial", [True, False])
def test_who_is_bankrupt_after_a_gap_loses_the_margin_whoever_pays_the_rest(ticks, rules, partial):
    # Two tiers above the first; the other account is deleveraged for what the fund of 3 lacks.
    table = TierTable.marginal([0, 600, 2_000, 1e9], [0.005, 0.02, 0.05])
    exchange = ticks(
        98, 114.7, balance=1_000, insurance_fund=3, rules=rules(
            tiers=table, partial_liquidation=partial, takeover="market"
        ),
    )  # fmt: skip
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(40, BTC)
    exchange.open_account("other", 1_000).create_order(BTC, "market", "buy", 9)
    exchange.create_order(BTC, "market", "sell", 7)
    exchange.run_until()
    assert exchange.equity() == pytest.approx(1_000 - 7 * 98 / 40)


def test_only_what_the_fund_lacks_is_deleveraged(ticks, rules, balanced):
    exchange, _, high = adl_case(ticks, rules)
    exchange._world.state.pots["USDT insurance fund"] = 100.0
    exchange._world.state.pots["USDT outside"] -= 100.0
    exchange._world.state.flows["USDT in"] += 100.0
    exchange.step()
    # Shortfall 500, fund 100: four fifths of 50 contracts.
    assert high.fetch_position(BTC)["contracts"] == 60
    assert exchange.insurance_fund("USDT") == pytest.approx(0)
    assert balanced(exchange)


def test_without_fund_and_deleveraging_the_market_or_the_trader_bears_the_loss(ticks, rules):
    def money(protected):
        exchange = ticks(
            100,
            80,
            balance=60,
            rules=rules(
                insurance_fund=False, auto_deleveraging=False, negative_balance_protection=protected
            ),
        )
        exchange.create_order(BTC, "market", "buy", 5)
        exchange.step()
        sums = exchange.check_ledger()["USDT"]
        return exchange.equity(), sums["market"], sums["fees"]

    assert money(protected=True) == pytest.approx((0, 60, 0))
    assert money(protected=False) == pytest.approx((-40, 100, 0))


def test_an_isolated_loss_never_touches_the_rest_of_the_wallet(ticks):
    exchange = ticks(100, 50, balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 10)
    exchange.run_until()
    assert exchange.equity() == pytest.approx(900)


def test_a_margin_call_comes_once_each_time_the_level_is_crossed():
    hours = [100, 85, 84, 95, 85, 60]
    feed = [[START + n * 3_600_000, price] for n, price in enumerate(hours)]
    exchange = PaperExchange(
        {"BTC/USD": feed},
        ticks=True,
        venue="kraken",
        product="spot_margin",
        overrides={
            "taker_fee_rate": 0.0,
            "maker_fee_rate": 0.0,
            "opening_fee_rate_long": 0.0,
            "rollover_fee_rate_long": 0.0,
        },
        balance=30,
    )
    exchange.set_leverage(5, "BTC/USD")
    exchange.create_order("BTC/USD", "market", "buy", 1)
    exchange.run_until()
    # Used margin 20: called at an equity of 16 (price 86), closed at 8 (price 78).
    calls = [e for e in exchange.events() if e["kind"] == "margin call"]
    assert [call["timestamp"] for call in calls] == [START + n * 3_600_000 for n in (1, 4)]
    assert exchange.fetch_my_liquidations()[0]["price"] == 60


def test_a_retail_regime_closes_at_half_the_margin_and_leaves_no_debt():
    feed = [[START, 100], [START + 1, 75.5], [START + 2, 75], [START + 3, 20]]
    exchange = PaperExchange(feed, ticks=True, rules=Rules.retail(2, 0.5), balance=50)
    exchange.create_order("BTC/USD:USD", "market", "buy", 1)
    exchange.step()
    assert exchange.fetch_my_liquidations() == []
    exchange.run_until()
    assert [d["price"] for d in exchange.fetch_my_liquidations()] == [75]
    assert exchange.equity() == 25


def test_hedged_legs_are_closed_where_both_together_fail(hourly, rules):
    exchange = hourly(
        (100,) * 4, (100, 150, 100, 150), rules=rules(tiers=TierTable.flat(0.01)), balance=100
    )
    exchange.set_position_mode(True)
    exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "market", "sell", 4)
    _, high = lv.tiered_hedge_liquidation_prices(100, 1, 100, 4, 100, TierTable.flat(0.01), 100)
    exchange.run_until()
    assert exchange.fetch_my_liquidations()[0]["price"] == pytest.approx(high, rel=1e-12)


@pytest.mark.parametrize(
    ("amounts", "balance", "end", "bankrupt"),
    [
        # 0.5 (P - 100) + 39.925 = 0.004 * 1.5 P; bankrupt at 100 - 39.925 / 0.5.
        ((1, 0.5), 40, 775 / 38, 20.15),
        # 0.5 (100 - P) + 39.925 = 0.004 * 1.5 P; bankrupt at 100 + 39.925 / 0.5.
        ((0.5, 1), 40, 89.925 / 0.506, 179.85),
        # A flat hedge neither gains nor loses: 99.9 = 0.004 * 2 P, and it is bankrupt nowhere.
        ((1, 1), 100, 12_487.5, None),
    ],
    ids=["long", "short", "flat"],
)
def test_both_legs_of_a_hedge_show_the_price_at_which_they_end_together(
    ticks, rules, amounts, balance, end, bankrupt
):
    flat = rules(tiers=TierTable.flat(0.004), taker_fee_rate=0.0005)
    exchange = ticks(100, end, rules=flat, balance=balance)
    exchange.set_position_mode(True)
    for side, amount in zip(("buy", "sell"), amounts, strict=True):
        exchange.create_order(BTC, "market", side, amount)
    for leg in exchange.fetch_positions():
        assert leg["liquidationPrice"] == pytest.approx(end, rel=1e-12)
        shown = leg["info"]["bankruptcyPrice"]
        assert shown is None if bankrupt is None else shown == pytest.approx(bankrupt)


def test_two_cross_positions_are_liquidated_where_their_joint_equity_fails(bars, rules):
    eth = "ETH/USDT:USDT"
    feeds = {BTC: bars((100,) * 4, (100, 100, 70, 70)), eth: bars((10,) * 4, (10, 10, 8, 8))}
    exchange = PaperExchange(feeds, rules=rules(), balance=200)
    exchange.create_order(BTC, "market", "buy", 8)
    exchange.create_order(eth, "market", "buy", 20)
    exchange.run_until()
    event = next(e for e in exchange.events() if e["kind"] == "liquidation")
    assert event["numbers"]["equity"] == pytest.approx(event["numbers"]["requirement"], rel=1e-9)


def test_the_price_shown_is_infinite_nowhere(ticks):
    exchange = ticks(100)
    exchange.create_order(BTC, "market", "buy", 1)
    position = exchange.fetch_position(BTC)
    assert position["liquidationPrice"] is None
    assert inf not in [value for value in position.values() if isinstance(value, float)]


def test_a_stop_before_the_liquidation_price_saves_the_rest_of_the_margin(hourly):
    exchange = hourly((50_000,) * 4, (50_000, 50_000, 44_000, 44_500), balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 0.1)
    exchange.create_order(BTC, "market", "sell", 0.1, None, {"stopLossPrice": 46_000})
    exchange.run_until()
    assert exchange.fetch_my_liquidations() == []
    assert exchange.equity() == pytest.approx(600)


def test_a_stop_beyond_the_liquidation_price_comes_too_late(hourly):
    exchange = hourly((50_000,) * 4, (50_000, 50_000, 44_000, 44_500), balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 0.1)
    stop = exchange.create_order(BTC, "market", "sell", 0.1, None, {"stopLossPrice": 45_100})
    exchange.run_until()
    assert len(exchange.fetch_my_liquidations()) == 1
    assert exchange.fetch_order(stop["id"])["info"]["reason"] == "liquidation"
    assert exchange.equity() == pytest.approx(500)


def test_after_a_gap_liquidation_goes_before_a_stop(ticks):
    exchange = ticks(50_000, 45_050, balance=1_000)
    exchange.set_margin_mode("isolated", BTC)
    exchange.set_leverage(10, BTC)
    exchange.create_order(BTC, "market", "buy", 0.1)
    exchange.create_order(BTC, "market", "sell", 0.1, None, {"stopLossPrice": 46_000})
    exchange.run_until()
    assert len(exchange.fetch_my_liquidations()) == 1
